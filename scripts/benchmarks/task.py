"""What is copied: the seeded source, and how each tool is told of it."""

from . import building
from .content import make_set, unique_blobs
from .registries import Registry, missing, seed
from .settings import VERSION, say


class Task:
    """The set in a source registry whose storage is below `folder`."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self.rows = building.images_of(binary)
        self.repository_of = {
            row["source"]: row["target"].split("/", 1)[1].rsplit(":", 1)[0] for row in self.rows
        }
        blobs, self.images = make_set([row["source"] for row in self.rows])
        self.unique = unique_blobs(self.images)
        self.payload = sum(self.unique.values())
        self.source = Registry(folder, "source")
        say(f"seeding {len(self.images)} images, {len(self.unique)} blobs, {self.payload / 1e6:.0f} MB")
        seed(self.source.direct, blobs, self.images)

    def pairs(self, target):
        """(source, target) references as every tool is given them."""
        for row in self.rows:
            yield (f"{self.source.host}/{row['source']}", row["target"].replace("TARGET", target))

    def list(self, target):
        file = self.folder / "pairs"
        file.write_text("".join(f"{a} {b}\n" for a, b in self.pairs(target)))
        return file

    def release(self):
        """How airbuoy is told of the release and of the source."""
        hosts = sorted({row["source"].split("/")[0] for row in self.rows})
        mirrors = [f"--source-mirror={h}=http://{self.source.host}/{h}" for h in hosts]
        return [f"--kubernetes-version={VERSION}", f"--report={self.report}", "-q", *mirrors]

    @property
    def report(self):
        return self.folder / "report.json"

    def places(self):
        """(size, repository, digest) of every blob once, large ones first: the best order for a
        few at once."""
        places = {}
        for image in self.images:
            for blob in image["blobs"]:
                places.setdefault(blob["digest"], (blob["size"], image["repository"], blob["digest"]))
        return sorted(places.values(), reverse=True)

    def lacking(self, target):
        """What a finished copy in the registry `target` lacks."""
        return missing(target.direct, self.images, self.repository_of)
