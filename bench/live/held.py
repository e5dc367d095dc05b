# SPDX-License-Identifier: GPL-2.0
"""What the destination holds: images with a given share of the guest's pages,
or of other guests, and the indexes that umig wants beside them."""

import os
import random
import subprocess

from live import BenchError
from live.guest import PAGE


def _keep(contents, share, path):
    """Copy @share of the pages that aren't zero; the rest is a hole."""
    rng = random.Random(7)
    with open(path + ".new", "wb") as out:
        for at, count in contents.runs:
            for page in range(at, at + count, PAGE):
                if rng.random() < share:
                    out.seek(page)
                    out.write(contents.read(page, PAGE))
        out.truncate(contents.size)
    os.rename(path + ".new", path)


class Held:
    """Images of one guest's contents, made when they are first asked for.
    @others: by name, images of other guests."""

    def __init__(self, umig, contents, directory, others=None):
        self.umig = umig
        self.contents = contents
        self.directory = directory
        self.others = others or {}
        self.key = os.path.join(directory, "domain.key")
        self.indexed = set()

    def _index(self, path):
        if path in self.indexed:
            return path
        if not os.path.exists(self.key):
            fd = os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600)
            with open(fd, "w") as f:
                f.write(os.urandom(32).hex() + "\n")
        done = subprocess.run([self.umig, "image", "index", path,
                               "--key", self.key],
                              capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"{path}: {done.stderr.strip()}")
        self.indexed.add(path)
        return path

    def _whole(self, path):
        """An image as it is, with the index beside a link to it."""
        link = os.path.join(self.directory, os.path.basename(path))
        if not os.path.exists(link):
            os.symlink(os.path.abspath(path), link)
        return self._index(os.path.abspath(link))

    def prepare(self, share):
        """Make what is needed for target(share); None: nothing."""
        if share is not None:
            self.source()
            self.target(share)

    def source(self):
        """The guest's own contents, by which pages are named."""
        return self._whole(self.contents.path)

    def target(self, share):
        """@share: of the guest's own pages, or another's name."""
        if share in self.others:
            return self._whole(self.others[share])
        path = os.path.abspath(os.path.join(
            self.directory, f"held-{share:g}-" +
            os.path.basename(self.contents.path)))
        if path not in self.indexed:
            _keep(self.contents, share, path)
        return self._index(path)
