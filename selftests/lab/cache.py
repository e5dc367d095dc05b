# SPDX-License-Identifier: GPL-2.0
"""A directory of things that are made once and found by name afterwards.

An entry's name is derived from what it is made of (a package's file name and
version, a hash of the inputs), so an entry never changes once it is there.  It
is made under a temporary name and renamed, so it is there whole or not at all;
a lock per entry lets two processes ask for the same entry at the same time.
Nothing here deletes a finished entry: `rm -r` of the directory is always safe.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile

from .say import LabError

DEFAULT = "/var/cache/umig"


def root():
    """The cache's directory, made if need be."""
    path = os.environ.get("UMIG_CACHE") or DEFAULT
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as e:
        raise LabError(f"cache {path}: {e.strerror}: set UMIG_CACHE to a "
                       "directory that you may write") from e
    if not os.access(path, os.W_OK | os.X_OK):
        raise LabError(f"cache {path}: not writable: set UMIG_CACHE to a "
                       "directory that you may write")
    return path


@contextlib.contextmanager
def locked(name):
    """Hold the lock called @name: one process at a time."""
    directory = os.path.join(root(), "locks")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name.replace("/", "_")), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def entry(kind, name, make):
    """The path of entry @kind/@name; make(path) creates a file or directory.

    make() is only called when the entry isn't there, with the path (not
    existing yet) under which to create it.
    """
    directory = os.path.join(root(), kind)
    path = os.path.join(directory, name)
    if os.path.lexists(path):
        return path
    with locked(f"{kind}-{name}"):
        if os.path.lexists(path):
            return path
        os.makedirs(directory, exist_ok=True)
        work = tempfile.mkdtemp(prefix=".new-", dir=directory)
        try:
            new = os.path.join(work, "entry")
            make(new)
            os.rename(new, path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return path


def key(*parts):
    """A short name for the content of @parts: str, bytes, or os.PathLike.

    A path counts with the bytes of the file it names.
    """
    h = hashlib.sha256()
    for part in parts:
        if isinstance(part, os.PathLike):
            with open(part, "rb") as f:
                data = hashlib.file_digest(f, "sha256").digest()
        else:
            data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()[:24]
