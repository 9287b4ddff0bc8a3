"""`airbuoy serve` against Distribution and nginx.

    get     blobs of 1 MiB, 8 connections; of 200 MB, 4 connections; HEAD of manifests by tag, 8
            connections. A bundle as folder and as tar, Distribution, nginx with the same as files.
    push    blobs of 1 MiB and of 20 MB, POST and one PUT, 4 connections, into empty registries:
            `airbuoy serve --writable` and Distribution, each as durable as it is by default, and a
            server that only hashes and writes: what this machine could do at all.
"""

import hashlib
import os
import random
import shutil
import statistics
import subprocess

from . import building, load, servers
from .bundle import kind_of, settle
from .registries import Client
from .served import SMALL, Served
from .settings import ROUNDS, SCALE, in_memory, need, on_disk, program, say, wanted

HEADS = max(1000, int(10_000 * SCALE))
PUSHED = [("1 MiB", SMALL), ("20 MB", int(20e6 * min(SCALE * 10, 1)))]
STORAGES = {"tmpfs": in_memory, "disk": on_disk}
DISTRIBUTION, NGINX = "Distribution", "nginx"
FLOOR = "floor: read, SHA-256, write, sync"


def measured(server, connections, work):
    """One load: wall, CPU of the server, CPU of the clients, bytes."""
    before = server.cpu()
    done = load.run(server.host, connections, work)
    return done.wall, server.cpu() - before, done.cpu, done.bytes


def fill(host, served):
    """Everything that is served, pushed to a registry."""
    for image in served.images:
        blobs = {blob.digest: blob for blob in (image.config, *image.layers)}
        load.run(host, 4, [("push", image.repository, b.digest, b.file) for b in blobs.values()])
        Client(host).ask("PUT", image.path, image.body, {"Content-Type": image.type})


def check(name, host, served):
    """Every blob and manifest once, hashed: what is measured is right, and in the page cache."""
    connection = load.Connection(host)
    for repository, blobs in (("bench/small", served.small), ("bench/large", served.large)):
        for blob, path in zip(blobs, served.paths(blobs, repository)):
            digest = hashlib.sha256()
            connection.get(path, digest.update)
            if f"sha256:{digest.hexdigest()}" != blob.digest:
                raise SystemExit(f"{name}: {path}: other bytes")
    for image in served.images:
        connection.head_of(image.path, len(image.body))


def compare_get(binary, _floor, storage, folder):
    served = Served(folder)

    def place(name):
        (folder / name).mkdir()
        return folder / name

    registry = servers.distribution(place("distribution"), folder / "storage")
    fill(registry.host, served)
    settle(folder)
    running = {
        "airbuoy serve, tar": servers.airbuoy(binary, place("airbuoy-tar"), served.tar),
        "airbuoy serve, folder": servers.airbuoy(binary, place("airbuoy-folder"), served.bundle),
        DISTRIBUTION: registry,
        NGINX: servers.nginx(place("nginx"), served.root),
    }
    small = [("get", path) for path in served.paths(served.small, "bench/small")]
    large = [("get", path) for path in served.paths(served.large, "bench/large")]
    images = served.images
    heads = [("head_of", images[at % len(images)].path, len(images[at % len(images)].body))
             for at in range(HEADS)]
    scenarios = {
        "GET, 1 MiB, 8 connections": (8, small),
        f"GET, {served.large[0].size / 1e6:.0f} MB, 4 connections": (4, large),
        f"HEAD, {HEADS:,} manifests, 8 connections": (8, heads),
    }
    results = {scenario: {name: [] for name in running} for scenario in scenarios}
    for name, server in running.items():
        check(name, server.host, served)
    for number in range(ROUNDS):
        for scenario, (connections, work) in scenarios.items():
            for name, server in running.items():
                sample = measured(server, connections, work)
                say(f"round {number + 1}: {storage}: {scenario}: {name}: {sample[0]:.3f} s")
                results[scenario][name].append((*sample, len(work)))
    for server in running.values():
        server.stop()
    return results, None


def push_work(sources, size):
    """Blobs of `size`, half a gigabyte of them, in files in memory."""
    work = []
    for number in range(max(4, int(5e8 * SCALE / size))):
        body = random.Random(f"pushed {number}").randbytes(size)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        file = sources / digest
        file.write_bytes(body)
        work.append(("push", "bench/pushed", digest, file))
    return work


def compare_push(binary, floor, storage, folder):
    def airbuoy(place, **flags):
        return servers.airbuoy(binary, place, place / "bundle", "--writable", **flags)

    def distribution(place, **flags):
        return servers.distribution(place, place / "storage", **flags)

    starts = {DISTRIBUTION: distribution}
    if can_write(binary):
        starts = {"airbuoy serve --writable": airbuoy, **starts}
    else:
        say("airbuoy has no serve --writable: left out")
    if floor:
        starts[FLOOR] = lambda place, **flags: servers.push_floor(floor, place, **flags)
    results, notes = {}, []
    with in_memory(6e8 * SCALE) as sources:
        for title, size in PUSHED:
            work = push_work(sources, size)
            scenario = f"push, {title}, 4 connections"
            results[scenario] = {name: [] for name in starts}
            for number in range(ROUNDS):
                for name, start in starts.items():
                    with fresh(folder) as place:
                        server = start(place)
                        sample = measured(server, 4, work)
                        load.run(server.host, 4, [
                            ("head_of", f"/v2/{repository}/blobs/{digest}", file.stat().st_size)
                            for _, repository, digest, file in work])
                        server.stop()
                    say(f"round {number + 1}: {storage}: {scenario}: {name}: {sample[0]:.3f} s")
                    results[scenario][name].append((*sample, len(work)))
            if program("strace"):
                for name, start in starts.items():
                    notes.append(f"{name} {sync_calls(start, folder, work):.1f} ({title})")
    return results, notes and f"Sync calls a blob: {', '.join(notes)}.\n"


class fresh:
    """A folder for one server, with nothing left to write before and nothing left after."""

    def __init__(self, folder):
        self.folder = folder / "one"

    def __enter__(self):
        settle(self.folder.parent)
        self.folder.mkdir()
        return self.folder

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def sync_calls(start, folder, work):
    """How often a server asks for durable bytes, for each blob; not timed."""
    with fresh(folder) as place:
        calls = place / "calls"
        server = start(place, syncs=calls)
        load.run(server.host, 4, work)
        server.stop()
        lines = [line for line in calls.read_text().splitlines() if "sync" in line]
        return sum("resumed" not in line for line in lines) / len(work)


def can_write(binary):
    asked = subprocess.run([binary, "serve", "--help"], stdout=subprocess.PIPE, text=True)
    return "--writable" in asked.stdout


def table(where, results):
    """A line for each scenario and server: medians, and rates as shares of the peers' rates."""
    lines = [
        f"| {where} | server | wall s | rate | of Distribution | of nginx | server CPU s | client CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for scenario, rows in results.items():
        medians = {name: [statistics.median(c) for c in zip(*samples)] for name, samples in rows.items()}
        for name, (wall, server, client, moved, count) in medians.items():
            rate = f"{moved / wall / 1e6:,.0f} MB/s" if moved else f"{count / wall:,.0f} a second"
            shares = [
                f"{medians[peer][0] / wall:.2f}" if peer in medians else "" for peer in (DISTRIBUTION, NGINX)
            ]
            cells = [scenario, name, f"{wall:.3f}", rate, *shares, f"{server:.2f}", f"{client:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


PARTS = {"get": compare_get, "push": compare_push}


def compare():
    need("registry", "nginx", "sync", "df")
    parts, binary, floor = wanted(PARTS), building.airbuoy(), building.floor("push_floor")
    print(f"{os.cpu_count()} cores for servers and clients; loopback, no TLS; medians of {ROUNDS}.\n")
    for storage, make in STORAGES.items():
        for part in parts:
            with make(7e9 * SCALE) as folder:
                results, note = PARTS[part](binary, floor, storage, folder)
                print(table(kind_of(folder), results))
                if note:
                    print(note)
