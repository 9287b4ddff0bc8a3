"""`airbuoy mirror` against crane, regsync and skopeo."""

import json
import os
import statistics

from . import building
from .content import PLATFORMS
from .measuring import measure
from .registries import Registry
from .settings import ROUNDS, RTT_MS, SCALE, VERSION, in_memory, program, say, wanted
from .task import Task


def airbuoy(it, target):
    return [it.binary, "mirror", f"{target}/k8s", *it.release()]


def four_at_once(it, target, command):
    return [program("xargs"), "-a", it.list(target), "-P4", "-L1", *command]


def crane(it, target):
    return four_at_once(it, target, [program("crane"), "copy", "--insecure"])


def skopeo(it, target):
    script = '"$0" --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false ' \
             '--dest-tls-verify=false "docker://$1" "docker://$2"'
    return four_at_once(it, target, ["/bin/sh", "-c", script, program("skopeo")])


def regsync(it, target):
    hosts = [it.source.host, target]
    config = {
        "version": 1,
        "creds": [{"registry": h, "tls": "disabled", "reqConcurrent": 16} for h in hosts],
        "defaults": {"parallel": 8},
        "sync": [{"source": a, "target": b, "type": "image"} for a, b in it.pairs(target)],
    }
    file = it.folder / "regsync.json"
    file.write_text(json.dumps(config))
    return [program("regsync"), "once", "-c", file, "-v", "warn"]


TOOLS = {
    "airbuoy": ("airbuoy, defaults", airbuoy),
    "crane": ("crane copy, 4 at once", crane),
    "regsync": ("regsync once, parallel 8", regsync),
    "skopeo": ("skopeo copy --all, 4 at once", skopeo),
}


def floor(it, program, target):
    """What a plain pipe of the unique blobs takes."""
    file = it.folder / "unique"
    file.write_text("".join(f"{where} {digest} {size}\n" for size, where, digest in it.places()))
    return measure([program, it.source.host, target, file], it.folder)


def compare():
    binary, pipe = building.airbuoy(), building.floor("floor")
    names = wanted(TOOLS)
    tools = {name: TOOLS[name] for name in names if name == "airbuoy" or program(name)}
    for name in set(names) - set(tools):
        say(f"{name} is not installed: left out")
    with in_memory(3e9 * SCALE) as folder:
        it = Task(folder, binary)
        results = {name: [] for name in tools}
        floors, report, noop_report = [], None, None
        for number in range(ROUNDS):
            if pipe:
                target = Registry(folder, "target")
                piped = floor(it, pipe, target.host)
                if piped.code == 0:
                    floors.append(piped.cost)
                target.remove()
            for name, (title, command) in tools.items():
                target = Registry(folder, "target")
                before = it.source.requests()
                cold = measure(command(it, target.host), folder)
                asked = (it.source.requests() - before, target.requests())
                complete = cold.code == 0
                if complete:
                    lacking = it.lacking(target)
                    complete = not lacking
                    for line in lacking[:5]:
                        say(f"{name}: {line}")
                if name == "airbuoy" and complete:
                    report = json.loads(it.report.read_text())
                again = measure(command(it, target.host), folder) if complete else None
                if name == "airbuoy" and complete:
                    noop_report = json.loads(it.report.read_text())
                target.remove()
                say(f"round {number + 1}: {title}: " + (
                    f"{cold.wall:.2f} s, again {again.wall:.2f} s" if complete else "incomplete"))
                if complete and again.code == 0:
                    results[name].append((*cold.cost, *asked, *again.cost))
        it.source.remove()
    print(table(tools, results, floors, len(it.images), it.unique))
    for title, one in (("cold", report), ("again", noop_report)):
        if one:
            asked = ", ".join(f"{r['side']} {r['method']} {r['count']}" for r in one["requests"])
            print(f"airbuoy, {title}: bytes {one['bytes']}, blobs {one['blobs']}; {asked}\n")


def table(tools, results, floors, count, unique):
    medians = {
        name: [statistics.median(column) for column in zip(*rounds)]
        for name, rounds in results.items() if len(rounds) == ROUNDS
    }
    peers = [row for name, row in medians.items() if name != "airbuoy"]
    best = [min(column) for column in zip(*peers)] if peers else None

    def cell(row, at, form):
        ratio = f" ({row[at] / best[at]:.2f})" if best and best[at] else ""
        return format(row[at], form) + ratio

    lines = [
        f"{count} images of Kubernetes {VERSION}, {len(PLATFORMS)} platforms, {len(unique)} unique "
        f"blobs of {sum(unique.values()) / 1e6:.0f} MB; {os.cpu_count()} cores; medians of "
        f"{ROUNDS}; " + (f"{RTT_MS} ms round trip before each registry; " if RTT_MS else "") +
        "in brackets the ratio to the best peer in that column.",
        "",
        "| tool | cold wall s | cold CPU s | peak MB | requests source + target | again wall s | again CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (title, _) in tools.items():
        if name not in medians:
            lines.append(f"| {title} | incomplete | | | | | |")
            continue
        row = medians[name]
        asked = f"{row[3]:.0f} + {row[4]:.0f}"
        cells = [cell(row, 0, ".2f"), cell(row, 1, ".2f"), cell(row, 2, ".0f"), asked,
                 cell(row, 5, ".2f"), cell(row, 6, ".2f")]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if floors:
        row = [statistics.median(column) for column in zip(*floors)]
        lines.append(f"| floor: GET to PUT, 8 at once | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.0f} | | | |")
    return "\n".join([*lines, ""])
