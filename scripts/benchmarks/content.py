"""The made-up images: for every image of the Kubernetes release an index of 3 platforms."""

import hashlib
import json
import random

from .settings import SCALE

PLATFORMS = ["amd64", "arm64", "s390x"]
OCI = "application/vnd.oci.image"


class Blobs:
    """Made-up blobs by digest; each is made anew when it is needed, so that memory stays small."""

    def __init__(self):
        self.recipes = {}

    def noise(self, seed, size):
        body = random.Random(seed).randbytes(size)
        return self.known(body, (seed, size))

    def known(self, body, recipe=None):
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.recipes[digest] = recipe or body
        return {"digest": digest, "size": len(body)}

    def body(self, digest):
        recipe = self.recipes[digest]
        return recipe if isinstance(recipe, bytes) else random.Random(recipe[0]).randbytes(recipe[1])


def own_sizes(count, total):
    """`count` sizes that sum to about `total`: a few large ones, many small ones."""
    draw = random.Random("sizes")
    shares = [min(draw.paretovariate(0.9), 60.0) for _ in range(count)]
    return [max(200, int(total * share / sum(shares))) for share in shares]


def unique_blobs(images):
    """Size by digest of every blob, each once."""
    return {blob["digest"]: blob["size"] for image in images for blob in image["blobs"]}


def make_set(references):
    """The content: for each reference its manifests, children first; and the blobs."""
    blobs, images = Blobs(), []
    total = int(1e9 * SCALE)
    base = [int(total * share) for share in (0.03, 0.02, 0.012, 0.004)]
    own = own_sizes(len(references) * len(PLATFORMS) * 2, total - sum(base) * len(PLATFORMS))
    pick = random.Random("bases")
    for number, reference in enumerate(references):
        base_number = pick.choices(range(len(base)), weights=(2, 3, 5, 8))[0]
        manifests, children, needed = [], [], []
        for at, architecture in enumerate(PLATFORMS):
            layers = [blobs.noise(f"base {base_number} {architecture}", base[base_number])]
            for layer in range(2):
                size = own[(number * len(PLATFORMS) + at) * 2 + layer]
                layers.append(blobs.noise(f"{reference} {architecture} {layer}", size))
            config = json.dumps({"architecture": architecture, "os": "linux", "author": reference})
            config = blobs.known(config.encode())
            manifest = {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": {"mediaType": f"{OCI}.config.v1+json", **config},
                "layers": [{"mediaType": f"{OCI}.layer.v1.tar+gzip", **layer} for layer in layers],
            }
            body = json.dumps(manifest, indent=1).encode()
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            manifests.append({"reference": digest, "type": manifest["mediaType"], "body": body})
            children.append({
                "mediaType": manifest["mediaType"], "digest": digest, "size": len(body),
                "platform": {"architecture": architecture, "os": "linux"},
            })
            needed += [config, *layers]
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": children}
        body = json.dumps(index, indent=1).encode()
        repository, tag = reference.rsplit(":", 1)
        manifests.append({"reference": tag, "type": index["mediaType"], "body": body})
        images.append({"source": reference, "repository": repository, "tag": tag,
                       "manifests": manifests, "blobs": needed})
    return blobs, images
