# SPDX-License-Identifier: GPL-2.0
"""Writes initramfs archives (cpio "newc", as in the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst).

Several archives one after the other in a file are all unpacked by the kernel,
in order, so an image is a fixed base followed by what changes.
"""

import os
import stat


class Archive:
    """An archive that grows in memory.  Paths are absolute in the image."""

    def __init__(self):
        self.parts = []
        self.seen = set()

    def _entry(self, path, mode, data=b"", rdev=(0, 0)):
        name = path.strip("/").encode() + b"\0"
        fields = [len(self.seen) + 1, mode, 0, 0, 1, 0, len(data), 0, 0,
                  rdev[0], rdev[1], len(name), 0]
        header = b"070701" + b"".join(b"%08X" % f for f in fields) + name
        header += bytes(-len(header) % 4)
        self.parts += [header, data, bytes(-len(data) % 4)]
        self.seen.add(path.rstrip("/"))

    def directory(self, path):
        """A directory and its parents."""
        path = path.rstrip("/")
        if not path or path in self.seen:
            return
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFDIR | 0o755)

    def data(self, path, content, mode=0o644):
        """A file of these bytes."""
        self.directory(os.path.dirname(path))
        if isinstance(content, str):
            content = content.encode()
        self._entry(path, stat.S_IFREG | mode, content)

    def link(self, path, target):
        """A symbolic link."""
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path, major, minor):
        """A character device."""
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def copy(self, source, path):
        """A file, link or tree of this machine."""
        if os.path.islink(source) and not os.path.exists(source):
            self.link(path, os.readlink(source))
        elif os.path.isdir(source):
            self.directory(path)
            for name in sorted(os.listdir(source)):
                self.copy(os.path.join(source, name), f"{path}/{name}")
        else:
            with open(source, "rb") as f:
                self.data(path, f.read(),
                          stat.S_IMODE(os.stat(source).st_mode))

    def bytes(self):
        """The archive."""
        trailer = Archive()
        trailer._entry("TRAILER!!!", 0)
        data = b"".join(self.parts + trailer.parts)
        return data + bytes(-len(data) % 512)
