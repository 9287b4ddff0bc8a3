"""What the environment sets, and what every comparison needs."""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = "v1.36.3"
SCALE = float(os.environ.get("BENCH_SCALE", "1.0"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RTT_MS = int(os.environ.get("BENCH_RTT_MS", "0"))
DISK = os.environ.get("BENCH_DIR")
BINARY = os.environ.get("BENCH_AIRBUOY")
SEARCH = os.environ.get("PATH", "") + ":" + str(Path.home() / "go/bin") + ":/usr/sbin"


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(name):
    return shutil.which(name, path=SEARCH)


def wanted(every):
    """Those names of `every` that BENCH_ONLY leaves."""
    only = os.environ.get("BENCH_ONLY")
    names = only.split(",") if only else list(every)
    for name in set(names) - set(every):
        sys.exit(f"BENCH_ONLY: {name} is none of {', '.join(every)}")
    return [name for name in every if name in names]


def need(*names):
    """The paths of programs without which nothing can be compared."""
    absent = [name for name in names if not program(name)]
    if absent:
        sys.exit(f"not installed: {', '.join(absent)}")


@contextmanager
def folder_in(parent, needed):
    """A folder of its own in `parent`, removed at the end; `needed` bytes must be free there."""
    if shutil.disk_usage(parent).free < needed:
        sys.exit(f"{parent} needs {needed / 1e9:.1f} GB free")
    folder = Path(tempfile.mkdtemp(prefix="airbuoy-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_memory(needed):
    """A folder on tmpfs."""
    tmpfs = Path("/dev/shm")
    if not os.access(tmpfs, os.W_OK):
        sys.exit("needs a tmpfs at /dev/shm")
    return folder_in(tmpfs, needed)


def on_disk(needed):
    """A folder where BENCH_DIR says, or among the temporary files; it should be a real disk."""
    return folder_in(Path(DISK or tempfile.gettempdir()), needed)
