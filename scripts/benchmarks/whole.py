"""Whether what a tool wrote is whole: every blob there and hashed again."""

import hashlib
import re
import tarfile

HEX = re.compile(r"[0-9a-f]{64}")


def digest_of(file):
    return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def blobs_in(path):
    """(digest by name, digest by content) of each blob in a folder or a tar."""
    if path.is_dir():
        for file in path.rglob("*"):
            if HEX.fullmatch(file.name) and file.is_file():
                with file.open("rb") as opened:
                    yield f"sha256:{file.name}", digest_of(opened)
        return
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            name = member.name.rsplit("/", 1)[-1]
            if HEX.fullmatch(name):
                yield f"sha256:{name}", digest_of(tar.extractfile(member))


def lacking(path, unique, images):
    """What `path` lacks of the set; empty when it is whole."""
    if not path.exists():
        return [f"{path.name} is not there"]
    wanted = set(unique)
    for image in images:
        for manifest in image["manifests"]:
            wanted.add("sha256:" + hashlib.sha256(manifest["body"]).hexdigest())
    found = list(blobs_in(path))
    damaged = [f"{name}: other bytes" for name, content in found if name != content]
    return damaged + [f"{name} is missing" for name in sorted(wanted - {name for name, _ in found})]
