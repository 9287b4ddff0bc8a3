"""Distribution registries with their storage in memory, and what is asked of them."""

import atexit
import http.client
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import relay
from .settings import RTT_MS, program


def free_host():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % free.getsockname()[1]


def await_port(host, log):
    """Until something listens at `host`; `log` says why nothing does."""
    for _ in range(400):
        try:
            socket.create_connection(host.split(":")).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens at {host}: {log.read_text()}")


class Registry:
    """A Distribution registry with its storage on tmpfs. Tools reach it at `host`; `direct` is
    without the relay, where there is one."""

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.direct = self.host = free_host()
        config = self.folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: false}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/storage}}}}\n"
            f"http: {{addr: {self.direct}}}\n"
        )
        self.log = self.folder / "log"
        self.process = subprocess.Popen(
            [program("registry"), "serve", str(config)],
            env={"OTEL_TRACES_EXPORTER": "none"},
            stdout=self.log.open("wb"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )
        atexit.register(self.process.kill)
        await_port(self.direct, self.log)
        self.relay = None
        if RTT_MS:
            self.host = free_host()
            command = [sys.executable, relay.__file__, self.host, self.direct, str(RTT_MS / 2000)]
            self.relay = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            atexit.register(self.relay.kill)
            await_port(self.host, self.log)

    def requests(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(1 for line in lines if not line.startswith("time="))

    def sent(self):
        """Bytes of blobs that it sent since it started, by its access log."""
        log = self.log.read_text(errors="replace")
        return sum(map(int, re.findall(r'"GET \S+/blobs/\S+ HTTP/\S+" 20[06] (\d+)', log)))

    def received(self):
        """Bytes that went through its read calls, which are those of its sockets and little else."""
        io = Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"rchar: (\d+)", io)[1])

    def remove(self):
        if self.relay:
            self.relay.kill()
            self.relay.wait()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder)


class Client:
    """One kept-alive connection."""

    def __init__(self, host):
        self.connection = http.client.HTTPConnection(host, timeout=120)

    def ask(self, method, path, body=b"", headers=None, want=(200, 201, 202)):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in want:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return answer, text


def seed(host, blobs, images):
    client, landed = Client(host), {}
    for image in images:
        repository = image["repository"]
        for blob in {blob["digest"]: blob for blob in image["blobs"]}.values():
            digest = blob["digest"]
            uploads = f"/v2/{repository}/blobs/uploads/"
            if digest in landed:
                client.ask("POST", f"{uploads}?mount={digest}&from={landed[digest]}", want=(201,))
                continue
            answer, _ = client.ask("POST", uploads)
            location = answer.getheader("Location").split(host, 1)[-1]
            octets = {"Content-Type": "application/octet-stream"}
            body = blobs.body(digest)
            client.ask("PUT", f"{location}&digest={digest}", body, octets, want=(201,))
            landed[digest] = repository
        for manifest in image["manifests"]:
            path = f"/v2/{repository}/manifests/{manifest['reference']}"
            client.ask("PUT", path, manifest["body"], {"Content-Type": manifest["type"]})


def missing(host, images, repository_of):
    """What a finished copy lacks; empty when it is complete."""
    client, lacking = Client(host), []
    for image in images:
        repository = repository_of[image["source"]]
        try:
            for manifest in image["manifests"]:
                path = f"/v2/{repository}/manifests/{manifest['reference']}"
                _, body = client.ask("GET", path, headers={"Accept": manifest["type"]})
                if body != manifest["body"]:
                    lacking.append(f"{path}: other bytes")
            for blob in image["blobs"]:
                path = f"/v2/{repository}/blobs/{blob['digest']}"
                answer, _ = client.ask("HEAD", path)
                if int(answer.getheader("Content-Length")) != blob["size"]:
                    lacking.append(f"{path}: other size")
        except RuntimeError as error:
            lacking.append(str(error))
            client = Client(host)
    return lacking
