"""Clients that ask as fast as they can: a process and a kept-alive connection for each."""

import multiprocessing
import os
import resource
import socket
import struct
import time
from typing import NamedTuple

BUFFER = 256 << 10
# The servers here send no longer ones.
HEADERS = 4 << 10
MANIFEST = b"application/vnd.oci.image.manifest.v1+json"
FORK = multiprocessing.get_context("fork")


class Load(NamedTuple):
    """Seconds from the first request to the last answer, CPU seconds of all clients, bytes of
    bodies either way."""

    wall: float
    cpu: float
    bytes: int


class Connection:
    """HTTP/1.1, no more of it than the servers here need."""

    def __init__(self, host):
        self.host = host
        address, port = host.rsplit(":", 1)
        self.socket = socket.create_connection((address, int(port)), timeout=120)
        # Python's own timeout would cost a poll before every call.
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 120, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.view = memoryview(bytearray(BUFFER))

    def send(self, method, path, headers=""):
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode())

    def head(self):
        """Status, headers, and how much of the body came with them."""
        have = 0
        while True:
            count = self.socket.recv_into(self.view[have:])
            if count == 0:
                raise RuntimeError("the server closed a connection")
            have += count
            end = bytes(self.view[:min(have, HEADERS)]).find(b"\r\n\r\n")
            if end >= 0:
                break
        first, *lines = bytes(self.view[:end]).decode().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        return int(first.split()[1]), headers, (end + 4, have)

    def ask(self, method, path, want, see=None):
        """Reads the answer to its end; `see` is shown each piece of the body."""
        status, headers, (at, have) = self.head()
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        if see:
            see(self.view[at:have])
        left = length - (have - at)
        while left > 0:
            count = self.socket.recv_into(self.view)
            if count == 0:
                raise RuntimeError("the server closed a connection")
            if see:
                see(self.view[:count])
            left -= count
        if status != want:
            raise RuntimeError(f"{method} {path}: {status}")
        return headers

    def get(self, path, see=None):
        self.send("GET", path)
        return int(self.ask("GET", path, 200, see)["content-length"])

    def head_of(self, path, size):
        """With next to no work of its own: an answer of a manifest's HEAD comes in one piece."""
        self.socket.sendall(b"HEAD %b HTTP/1.1\r\nHost: %b\r\nAccept: %b\r\n\r\n" % (
            path.encode(), self.host.encode(), MANIFEST))
        answer = self.socket.recv(HEADERS)
        while not answer.endswith(b"\r\n\r\n"):
            piece = self.socket.recv(HEADERS)
            if not piece:
                raise RuntimeError("the server closed a connection")
            answer += piece
        if not answer.startswith(b"HTTP/1.1 200") or b"content-length: %d\r" % size not in answer.lower():
            raise RuntimeError(f"HEAD {path}: {answer[:300]!r}")
        return 0

    def push(self, repository, digest, file):
        """POST and one PUT."""
        uploads = f"/v2/{repository}/blobs/uploads/"
        self.send("POST", uploads, "Content-Length: 0\r\n")
        location = self.ask("POST", uploads, 202)["location"]
        location = location.split(self.host, 1)[-1]
        path = f"{location}{'&' if '?' in location else '?'}digest={digest}"
        size = os.stat(file).st_size
        kind = "application/octet-stream"
        self.send("PUT", path, f"Content-Type: {kind}\r\nContent-Length: {size}\r\n")
        with open(file, "rb", buffering=0) as body:
            self.socket.sendfile(body)
        self.ask("PUT", path, 201)
        return size


def worker(host, work, ready, go, results):
    begun, moved, failure = time.monotonic(), 0, None
    try:
        try:
            connection = Connection(host)
        finally:
            ready.release()
        go.wait()
        begun = time.monotonic()
        for method, *arguments in work:
            moved += getattr(connection, method)(*arguments)
    except (OSError, RuntimeError) as error:
        failure = f"{host}: {error}"
    results.put((begun, time.monotonic(), moved, failure))


def run(host, connections, work):
    """`work` are (method of Connection, arguments…), taken in turns by the connections."""
    ready, go, results = FORK.Semaphore(0), FORK.Event(), FORK.SimpleQueue()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    workers = [
        FORK.Process(target=worker, args=(host, work[at::connections], ready, go, results))
        for at in range(connections)
    ]
    for one in workers:
        one.start()
    for _ in workers:
        ready.acquire()
    go.set()
    told = [results.get() for _ in workers]
    for one in workers:
        one.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for *_, failure in told:
        if failure:
            raise SystemExit(failure)
    wall = max(end for _, end, _, _ in told) - min(begun for begun, _, _, _ in told)
    cpu = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    return Load(wall, cpu, sum(moved for _, _, moved, _ in told))
