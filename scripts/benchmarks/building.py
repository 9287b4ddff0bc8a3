"""The release build that is measured."""

import json
import subprocess
from pathlib import Path

from .settings import BINARY, ROOT, VERSION, say


def airbuoy():
    """The program: the one that BENCH_AIRBUOY names, or a release build of this tree."""
    if BINARY:
        say(f"measuring {BINARY} as it is")
        return Path(BINARY).resolve()
    say("building")
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--release"], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    ).stdout
    return Path(json.loads(metadata)["target_directory"]) / "release/airbuoy"


def floor(name):
    """The program in benches/; None where nothing is built."""
    if BINARY:
        return None
    built = subprocess.run(
        ["cargo", "bench", "--quiet", "--locked", "--no-run", "--bench", name,
         "--message-format=json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    artifacts = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    return next(a["executable"] for a in artifacts
                if a.get("executable") and a["target"]["name"] == name)


def images_of(binary):
    """The rows of `airbuoy images`, with TARGET for the host they go to."""
    listed = subprocess.run(
        [binary, "images", f"--kubernetes-version={VERSION}", "--to=target.invalid/k8s", "-o", "json"],
        check=True, stdout=subprocess.PIPE,
    ).stdout
    rows = [row for row in json.loads(listed) if row["skipped"] is None]
    for row in rows:
        row["target"] = row["target"].replace("target.invalid", "TARGET")
    return rows
