"""Bundles: `airbuoy pull`, `verify` and `push` against plain programs that do the same work.

    pull     airbuoy from a registry to a tar on the disk; curl of the same blobs to the same disk, as
             many connections as airbuoy has, then sha256sum of them on all cores
    verify   airbuoy; sha256sum of the files of the same tar on all cores
    push     airbuoy from the tar to an empty registry; airbuoy mirror from registry to registry
"""

import json
import os
import shutil
import subprocess

from . import building
from .measuring import Usage, measure
from .mirror import airbuoy as mirror
from .registries import Registry
from .settings import (
    ROUNDS, RTT_MS, SCALE, VERSION, in_memory, need, on_disk, program, say, wanted)
from .shares import deal
from .tables import spread, table
from .task import Task
from .whole import lacking

# Blobs on the way at once: airbuoy's default of --jobs.
JOBS = 8
CORES = os.cpu_count()
COST = [("wall s", ".2f"), ("CPU s", ".2f"), ("peak MB", ".0f")]


def settle(folder):
    """Nothing of an earlier run is left to write."""
    subprocess.run(["sync", "-f", folder], check=True)


def warm(paths):
    """Everything is in the page cache."""
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def both(first, second):
    """One tool's work in two steps."""
    return Usage(first.code or second.code, first.wall + second.wall, first.cpu + second.cpu,
                 max(first.peak, second.peak), *(a + b for a, b in zip(first[4:], second[4:])))


# Each of these writes below `out` and ends with everything on the disk: airbuoy syncs its files
# itself, for the others the file system is synced within the time that counts.


def synced(script, out, *arguments):
    return ["/bin/sh", "-c", f'{script} && sync -f "$0"', out, *map(str, arguments)]


def pull_airbuoy(it, out):
    return measure([it.binary, "pull", out / "set.tar", *it.release()], it.folder)


def curl_config(it, places, file, out):
    file.write_text("".join(
        f'url = "http://{it.source.host}/v2/{where}/blobs/{digest}"\noutput = "{out / digest[7:]}"\n'
        for _, where, digest in places
    ))
    return file


def hashed(it, out):
    return measure(sha256sum(it, out.iterdir()), it.folder)


def pull_curl(it, out):
    """One process, which moves all blobs."""
    config = curl_config(it, it.places(), it.folder / "curl", out)
    script = f'curl -q -sS --fail --parallel --parallel-max {JOBS} -K "$1"'
    return both(measure(synced(script, out, config), it.folder), hashed(it, out))


def pull_curls(it, out):
    """As many processes as connections, each with a share of the blobs."""
    configs = [curl_config(it, share, it.folder / f"curl{number}", out)
               for number, share in enumerate(deal(it.places(), JOBS))]
    script = f'printf "%s\\n" "$@" | xargs -P {JOBS} -n 1 curl -q -sS --fail -K'
    return both(measure(synced(script, out, *configs), it.folder), hashed(it, out))


def pull_skopeo(it, out):
    script = 'while read -r from to; do skopeo --insecure-policy copy -q --all --preserve-digests ' \
             f'--src-tls-verify=false --dest-shared-blob-dir "{out}/blobs" "docker://$from" ' \
             f'"oci:{out}/$(echo "$to" | tr /: __):set" || exit 1; done < "$1"'
    return measure(synced(script, out, it.list("target")), it.folder)


def pull_crane(it, out):
    script = 'crane pull --insecure --format oci "$@"'
    names = [source for source, _ in it.pairs("target")]
    return measure(synced(script, out, *names, out / "layout"), it.folder)


PULLS = {
    "airbuoy": ("airbuoy pull set.tar", pull_airbuoy),
    "curl": (f"curl --parallel, {JOBS} at once; sha256sum, {CORES} at once", pull_curl),
    "curls": (f"curl, {JOBS} processes; sha256sum, {CORES} at once", pull_curls),
    "skopeo": ("skopeo copy --all to oci:, shared blobs", pull_skopeo),
    "crane": ("crane pull --format oci", pull_crane),
}


def compare_pull(it, disk):
    installed = {"curls": "curl"}
    tools = {name: one for name, one in PULLS.items()
             if name == "airbuoy" or program(installed.get(name, name))}
    for name in set(PULLS) - set(tools):
        say(f"{name} is not installed: left out")
    results, counted = {name: [] for name in tools}, None
    for number in range(ROUNDS):
        for name, (title, pull) in tools.items():
            out = disk / "out"
            out.mkdir()
            settle(disk)
            before = it.source.sent()
            usage = pull(it, out)
            sent = it.source.sent() - before
            where = out / "set.tar" if name == "airbuoy" else out
            images = [] if name.startswith("curl") else it.images
            lacks = usage.code == 0 and lacking(where, it.unique, images)
            for line in (lacks or [])[:5]:
                say(f"{name}: {line}")
            complete = usage.code == 0 and not lacks
            say(f"round {number + 1}: {title}: {usage.wall:.2f} s" + ("" if complete else ", incomplete"))
            if complete:
                results[name].append(usage.cost)
                if name == "airbuoy":
                    counted = (sent, usage)
                    (out / "set.tar").replace(disk / "set.tar")
            shutil.rmtree(out)
    say(f"pull, wall s: {spread(results, ROUNDS)}")
    titles = {name: title for name, (title, _) in tools.items()}
    print("### pull\n")
    print(table(COST, titles, results, ROUNDS, ["curl", "curls"]))
    if counted:
        sent, usage = counted
        bundle = (disk / "set.tar").stat().st_size
        print(
            f"Bytes of airbuoy: blobs {it.payload:,}, the whole tar {bundle:,}. The source sent "
            f"{sent:,} of blobs; {usage.written:,} went through write calls, {usage.stored:,} "
            f"became dirty pages of the disk; {usage.read:,} went through read calls.\n")


# --- verify ------------------------------------------------------------------------------------


def sha256sum(it, files, program_and_flags=("sha256sum",)):
    """One process on each core, each with a share of the files."""
    sized = sorted(((file.stat().st_size, str(file)) for file in files), reverse=True)
    groups = it.folder / "groups"
    groups.write_text("".join(
        " ".join(name for _, name in share) + "\n" for share in deal(sized, CORES)))
    return ["xargs", "-a", groups, "-P", CORES, "-L", 1, *program_and_flags]


def compare_verify(it, disk):
    bundle, files = disk / "set.tar", disk / "files"
    files.mkdir()
    subprocess.run(["tar", "xf", bundle, "-C", files], check=True)
    blobs = list((files / "blobs/sha256").iterdir())
    settle(disk)
    tools = {
        "airbuoy": ("airbuoy verify set.tar",
                    [bundle], lambda: [it.binary, "verify", bundle, "-q"]),
        "sha256sum": (f"sha256sum of the files, {CORES} at once",
                      blobs, lambda: sha256sum(it, blobs)),
    }
    if program("openssl"):
        tools["openssl"] = (f"openssl dgst -sha256 of the files, {CORES} at once",
                            blobs, lambda: sha256sum(it, blobs, ("openssl", "dgst", "-sha256")))
    results, counted = {name: [] for name in tools}, None
    for number in range(ROUNDS):
        for name, (title, read, command) in tools.items():
            warm(read)
            usage = measure(command(), it.folder)
            say(f"round {number + 1}: {title}: {usage.wall:.2f} s")
            if usage.code == 0:
                results[name].append(usage.cost)
                if name == "airbuoy":
                    counted = usage
    shutil.rmtree(files)
    say(f"verify, wall s: {spread(results, ROUNDS)}")
    print("### verify\n")
    titles = {name: title for name, (title, *_) in tools.items()}
    print(table(COST, titles, results, ROUNDS, ["sha256sum"]))
    if counted:
        print(f"Bytes of airbuoy: the whole tar {bundle.stat().st_size:,}; {counted.read:,} went "
              "through read calls.\n")


# --- push --------------------------------------------------------------------------------------


def compare_push(it, disk):
    bundle = disk / "set.tar"
    tools = {
        "airbuoy": ("airbuoy push set.tar", lambda target: [
            it.binary, "push", bundle, f"{target.host}/k8s", f"--report={it.report}", "-q"]),
        "mirror": ("airbuoy mirror, registry to registry", lambda target: mirror(it, target.host)),
    }
    results, counted = {name: [] for name in tools}, None
    for number in range(ROUNDS):
        for name, (title, command) in tools.items():
            warm([bundle])
            settle(disk)
            target = Registry(it.folder, "target")
            usage = measure(command(target), it.folder)
            lacks = usage.code == 0 and it.lacking(target)
            for line in (lacks or [])[:5]:
                say(f"{name}: {line}")
            complete = usage.code == 0 and not lacks
            received = target.received()
            target.remove()
            say(f"round {number + 1}: {title}: {usage.wall:.2f} s" + ("" if complete else ", incomplete"))
            if complete:
                results[name].append(usage.cost)
                if name == "airbuoy":
                    counted = (usage, json.loads(it.report.read_text()), received)
    say(f"push, wall s: {spread(results, ROUNDS)}")
    print("### push\n")
    titles = {name: title for name, (title, _) in tools.items()}
    print(table(COST, titles, results, ROUNDS, ["mirror"]))
    if counted:
        usage, report, received = counted
        print(
            f"Bytes of airbuoy: blobs {it.payload:,}, the whole tar {bundle.stat().st_size:,}; "
            f"{usage.read:,} went through read calls; sent by its own report "
            f"{report['bytes']['transferred']:,}, taken by the target {received:,}.\n")


PARTS = {"pull": compare_pull, "verify": compare_verify, "push": compare_push}


def compare():
    need("registry", "curl", "xargs", "sha256sum", "tar", "sync")
    parts, binary = wanted(PARTS), building.airbuoy()
    with in_memory(3e9 * SCALE) as memory, on_disk(4e9 * SCALE) as disk:
        it = Task(memory, binary)
        if "pull" not in parts:
            say("pulling the bundle that is measured")
            if pull_airbuoy(it, disk).code != 0:
                return
        print(
            f"{len(it.images)} images of Kubernetes {VERSION}, {len(it.unique)} unique blobs of "
            f"{it.payload / 1e6:.0f} MB; registries in memory, bundles on {kind_of(disk)}; "
            f"{CORES} cores; " + (f"{RTT_MS} ms round trip before each registry; " if RTT_MS else "")
            + f"medians of {ROUNDS}; in brackets the ratio to the program that it is held against.\n")
        for name in parts:
            if name == "pull" or (disk / "set.tar").exists():
                PARTS[name](it, disk)
        it.source.remove()


def kind_of(folder):
    """The file system's type."""
    asked = ["df", "--output=fstype", folder]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
