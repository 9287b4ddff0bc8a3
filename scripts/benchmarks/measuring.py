"""Time, CPU, memory and bytes of a tool, as the kernel counted them."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from .settings import SEARCH, say

# A process is charged with the memory of the one it was forked from, so a bare interpreter
# forks the tool; it is smaller than each of them. What the tool read and wrote must be asked
# after its end and before it is reaped; children that it waited for are in it.
LAUNCHER = """
import os, sys, time
begun = time.monotonic()
child = os.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
wall = time.monotonic() - begun
with open('/proc/%d/io' % child) as file:
    io = dict(line.split(': ') for line in file.read().splitlines())
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], 'w') as out:
    out.write('%d %f %f %d ' % (os.waitstatus_to_exitcode(status), wall,
        usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
    out.write(' '.join(io[name] for name in ('rchar', 'wchar', 'write_bytes')))
"""


class Usage(NamedTuple):
    """`read` and `written` went through read and write calls: of files, also of cached ones, and
    of sockets for tools that use these calls on them. `stored` was made dirty in the page cache
    of a file system with a disk."""

    code: int
    wall: float
    cpu: float
    peak: float
    read: int
    written: int
    stored: int

    @property
    def cost(self):
        """Wall and CPU seconds, peak MB."""
        return self.wall, self.cpu, self.peak


def measure(command, folder):
    """Runs `command` in a fresh home in `folder`."""
    home = Path(tempfile.mkdtemp(dir=folder))
    environment = {"PATH": SEARCH, "HOME": str(home), "DOCKER_CONFIG": str(home)}
    usage, output = home / "usage", home / "output"
    with output.open("wb") as out:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, str(usage), *map(str, command)],
            env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )
    code, wall, cpu, peak, *moved = usage.read_text().split()
    if int(code) != 0:
        text = output.read_text(errors="replace")[-2000:]
        say(f"exit {code}: {' '.join(map(str, command))[:200]}\n{text}")
    shutil.rmtree(home)
    return Usage(int(code), float(wall), float(cpu), int(peak) * 1024 / 1e6, *map(int, moved))
