"""The servers that are held against each other, all as the same user, without TLS and logs."""

import atexit
import json
import os
import signal
import subprocess
from pathlib import Path

from .registries import await_port, free_host
from .settings import program

TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """A running process; `host` answers."""

    def __init__(self, folder, command, host, environment=None):
        self.folder, self.host = folder, host
        log = folder / "log"
        self.process = subprocess.Popen(
            [str(word) for word in command], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=log.open("wb"), stderr=subprocess.STDOUT,
        )
        atexit.register(self.process.kill)
        await_port(host, log)

    def cpu(self):
        """CPU seconds so far of the process and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        total = 0
        for pid in [self.process.pid, *children.split()]:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def counted(syncs):
    """Puts before a command what writes the number of its fsync calls to the file `syncs`; the
    process stays the command's own."""
    calls = "trace=fsync,fdatasync,sync_file_range,sync,syncfs"
    return [program("strace"), "-D", "-f", "--seccomp-bpf", "-qq", "-o", syncs, "-e", calls] if syncs else []


def distribution(folder, storage, syncs=None):
    """As its image is configured, but for the logs: descriptors are cached in memory."""
    host = free_host()
    config = folder / "config.json"
    config.write_text(json.dumps({
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": str(storage)},
        },
        "http": {"addr": host},
    }))
    command = [*counted(syncs), program("registry"), "serve", config]
    return Server(folder, command, host, {"OTEL_TRACES_EXPORTER": "none"})


def nginx(folder, root):
    """Static files below `root`, with sendfile, a worker on each core."""
    host = free_host()
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = folder / "nginx.conf"
    config.write_text(f"""
        daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 512; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; {temporary}
            default_type application/octet-stream;
            server {{ listen {host}; root {root}; }}
        }}
    """)
    command = [program("nginx"), "-c", config, "-e", folder / "error.log"]
    return Server(folder, command, host)


def airbuoy(binary, folder, bundle, *flags, syncs=None):
    host = free_host()
    command = [*counted(syncs), binary, "serve", bundle, f"--listen={host}", "-q", *flags]
    home = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    return Server(folder, command, host, home)


def push_floor(binary, folder, syncs=None):
    """benches/push_floor.rs."""
    host = free_host()
    return Server(folder, [*counted(syncs), binary, host, folder / "blobs"], host)
