# SPDX-License-Identifier: GPL-2.0
"""Kernels of other Debian releases than this machine's, by short names.

    find("6.12")        the newest 6.12 of the oldest release that has one
    find("newest")      the newest of all, with releases' backports
    find(None)          this release's own, as packages.kernel() has it

What a name means is looked up in the archive when it is asked for.  A kernel
comes with the archive that has it: the compiler that its headers want is there
too (buildroot.py).
"""

import functools
import os
import re
import shutil

from . import cache, packages
from .apt import Apt, codename
from .say import LabError

NEWEST = "newest"
RELEASES = ("bookworm", "trixie", "sid")


@functools.cache
def archive(release):
    """A Debian release with its updates and backports."""
    return Apt(f"kernels-{release}", release=release)


def _number(version):
    """6.12.95-1~bpo12+1 -> (6, 12, 95)."""
    return tuple(int(n) for n in re.findall(r"\d+", version.split("-")[0]))


def _offers(apt):
    """The kernels of an archive: (number, package=version) of metapackages."""
    names = apt.ask("apt-cache", "pkgnames", "linux-image-").split()
    metas = [n for n in names
             if re.fullmatch(r"linux-image-(\d+\.\d+-)?amd64", n)]
    return [(_number(v), f"{n}={v}") for n in sorted(metas)
            for v in apt.versions(n)]


def _choose(name):
    """(release, metapackage=version) of the kernel called @name."""
    found = []
    for release in RELEASES:
        offers = _offers(archive(release))
        if name != NEWEST:
            want = _number(name)
            offers = [o for o in offers if o[0][:len(want)] == want]
        if offers:
            found.append((*max(offers), release))
        if found and name != NEWEST:
            break
    if not found:
        raise LabError(f"kernel {name}: not in {', '.join(RELEASES)}: give a "
                       f"number as 6.12, or {NEWEST}")
    _, package, release = max(found)
    return release, package


def _unpacked(apt, version, parts):
    if len(parts) == 1:
        return apt.unpack(parts[0])

    def merge(path):
        for part in parts:
            shutil.copytree(apt.unpack(part), path, symlinks=True,
                            dirs_exist_ok=True)

    files = [apt.file_name(p) for p in parts]
    return cache.entry("kernels", f"{version}-{cache.key(*files)}", merge)


@functools.cache
def find(name=None):
    """The kernel called @name, unpacked: a packages.Kernel with @release."""
    if not name:
        kernel = packages.kernel()
        kernel.release = codename()
        return kernel
    if name != NEWEST and not re.fullmatch(r"\d+\.\d+(\.\d+)?", name):
        raise LabError(f"kernel {name}: give a number as 6.12, or {NEWEST}")
    release, package = _choose(name)
    apt = archive(release)
    images = apt.depends(package, r"linux-image-\d.*")
    if len(images) != 1:
        raise LabError(f"{package} depends on {images or 'no kernel'}: don't "
                       "know which one to boot")
    version = images[0][len("linux-image-"):]
    parts = images + apt.depends(
        images[0], rf"linux-(base|binary|modules)-{re.escape(version)}")
    kernel = packages.Kernel(_unpacked(apt, version, parts))
    kernel.release = release
    return kernel


def wanted():
    """The name that the environment gives: UMIG_KERNEL."""
    return os.environ.get("UMIG_KERNEL") or None
