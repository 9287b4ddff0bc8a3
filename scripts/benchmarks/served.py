"""What the servers serve: the same blobs and manifests as a bundle and as files below /v2/."""

import hashlib
import json
import os
import random
import tarfile

from .content import OCI
from .settings import SCALE

SMALL, LARGE = 1 << 20, 200_000_000
IMAGES = 100


class Blob:
    """In a file of the bundle."""

    def __init__(self, bundle, body):
        hexadecimal = hashlib.sha256(body).hexdigest()
        self.digest, self.size = f"sha256:{hexadecimal}", len(body)
        self.file = bundle / "blobs/sha256" / hexadecimal
        self.file.write_bytes(body)

    def descriptor(self, kind):
        return {"mediaType": f"{OCI}.{kind}", "digest": self.digest, "size": self.size}


class Image:
    """A manifest of one platform and its tag."""

    def __init__(self, bundle, repository, tag, layers):
        config = {"architecture": "amd64", "os": "linux", "author": f"{repository}:{tag}"}
        self.repository, self.tag, self.layers = repository, tag, layers
        self.config = Blob(bundle, json.dumps(config).encode())
        self.type = f"{OCI}.manifest.v1+json"
        self.body = json.dumps({
            "schemaVersion": 2,
            "mediaType": self.type,
            "config": self.config.descriptor("config.v1+json"),
            "layers": [layer.descriptor("layer.v1.tar+gzip") for layer in layers],
        }, indent=1).encode()
        self.manifest = Blob(bundle, self.body)

    @property
    def path(self):
        return f"/v2/{self.repository}/manifests/{self.tag}"

    def entry(self):
        name = f"bench.invalid/{self.repository}:{self.tag}"
        return {
            **self.manifest.descriptor("manifest.v1+json"),
            "annotations": {
                "org.opencontainers.image.ref.name": name,
                "io.containerd.image.name": name,
                "io.airbuoy.repository": self.repository,
                "io.airbuoy.tag": self.tag,
            },
        }


class Served:
    """Blobs of 1 MiB, 1 GB in all, as layers of a hundred images; and four of 200 MB."""

    def __init__(self, folder):
        self.bundle, self.tar, self.root = folder / "bundle", folder / "set.tar", folder / "root"
        (self.bundle / "blobs/sha256").mkdir(parents=True)
        count = max(10, int(1e9 * SCALE / SMALL))
        self.small = [self.noise(f"small {number}", SMALL) for number in range(count)]
        self.large = [self.noise(f"large {number}", int(LARGE * SCALE)) for number in range(4)]
        self.images = [
            Image(self.bundle, "bench/small", f"t{number}",
                  self.small[number::IMAGES] or [self.small[number % count]])
            for number in range(IMAGES)
        ]
        self.images.append(Image(self.bundle, "bench/large", "t", self.large))
        self.index()
        self.pack()
        self.link()

    def noise(self, seed, size):
        return Blob(self.bundle, random.Random(seed).randbytes(size))

    def index(self):
        entries = sorted((image.entry() for image in self.images), key=lambda e: json.dumps(e))
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}
        (self.bundle / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (self.bundle / "index.json").write_text(json.dumps(index))

    def pack(self):
        with tarfile.open(self.tar, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name in ("oci-layout", "index.json"):
                tar.add(self.bundle / name, name)
            for file in sorted((self.bundle / "blobs/sha256").iterdir()):
                tar.add(file, f"blobs/sha256/{file.name}")

    def link(self):
        """Files below /v2/, for a server of files: further names of the bundle's own."""
        for image in self.images:
            folder = self.root / "v2" / image.repository
            for name in ("manifests", "blobs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            os.link(image.manifest.file, folder / "manifests" / image.tag)
            for blob in (image.config, *image.layers):
                link = folder / "blobs" / blob.digest
                if not link.exists():
                    os.link(blob.file, link)

    def paths(self, blobs, repository):
        return [f"/v2/{repository}/blobs/{blob.digest}" for blob in blobs]
