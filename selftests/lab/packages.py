# SPDX-License-Identifier: GPL-2.0
"""The Debian packages that the lab is made of.

kernel()    the newest kernel image of this release: hosts and guests boot it
headers()   a tree to build modules for that kernel
busybox()   a static busybox: everything a host or guest initrd runs

None of it is installed; see apt.py.
"""

import functools
import glob
import os
import re
import shutil
import subprocess

from . import cache, debug_kernel
from .apt import Apt
from .say import LabError, run, tool

KERNEL = "linux-image-amd64"
HEADERS = "linux-headers-amd64"
SOURCE = "linux-source-6.1"


@functools.cache
def release():
    """The archive of this Debian release."""
    return Apt("release")


class Kernel:
    """An unpacked kernel package.  @version is what uname -r will say.

    @lacks: modules of the hosts' that it does without.
    """

    def __init__(self, directory, lacks=()):
        # Since 7.x the image is among the modules.
        images = (glob.glob(os.path.join(directory, "boot/vmlinuz-*")) or
                  glob.glob(os.path.join(directory,
                                         "usr/lib/modules/*/vmlinuz")))
        if len(images) != 1:
            raise LabError(f"{directory}: no kernel image in it: remove it "
                           "and run this again")
        self.image = images[0]
        self.version = re.search(r"vmlinuz-(.*)$|([^/]*)/vmlinuz$",
                                 self.image).expand(r"\1\2")
        self.modules = os.path.join(directory, "lib/modules", self.version)
        if not os.path.isdir(self.modules):
            self.modules = os.path.join(directory, "usr/lib/modules",
                                        self.version)
        self.name = os.path.basename(directory)
        self.lacks = lacks


@functools.cache
def kernel():
    """The kernel that a Debian of this release would install today.

    Or the debug kernel, if the environment asks for it.
    """
    apt = release()
    if debug_kernel.wanted():
        return Kernel(debug_kernel.directory(apt, SOURCE), debug_kernel.LACKS)
    names = apt.depends(KERNEL, r"linux-image-\d.*")
    if len(names) != 1:
        raise LabError(f"{KERNEL} depends on {names or 'no kernel'}: don't "
                       "know which one to boot")
    return Kernel(apt.unpack(names[0]))


@functools.cache
def headers():
    """The path to give to KDIR= for modules of kernel()."""
    if debug_kernel.wanted():
        return os.path.join(debug_kernel.directory(release(), SOURCE),
                            "headers")
    version = kernel().version
    installed = f"/usr/src/linux-headers-{version}"
    if os.path.exists(os.path.join(installed, "Module.symvers")):
        return installed
    apt = release()
    main = f"linux-headers-{version}"
    parts = [main] + apt.depends(main, r"linux-(headers|kbuild)-.*")
    name = "+".join(os.path.basename(apt.fetch(p))[:-4] for p in parts)

    def merge(path):
        for part in parts:
            shutil.copytree(apt.unpack(part), path, symlinks=True,
                            dirs_exist_ok=True)
        # The packages' files name each other by absolute paths.
        final = os.path.join(cache.root(), "headers", cache.key(name))
        for makefile in glob.glob(f"{path}/usr/src/*/Makefile"):
            with open(makefile) as f:
                text = f.read()
            with open(makefile, "w") as f:
                f.write(re.sub(r"(?m)^include /usr/src/",
                               f"include {final}/usr/src/", text))

    tree = cache.entry("headers", cache.key(name), merge)
    return os.path.join(tree, "usr/src", main)


@functools.cache
def checkpatch():
    """The path of the kernel's checker of style."""
    apt = release()
    names = ["checkpatch.pl", "spelling.txt", "const_structs.checkpatch"]

    def extract(path):
        os.mkdir(path)
        run(["tar", "-C", path, "--strip-components=2", "-xf",
             os.path.join(apt.unpack(SOURCE), f"usr/src/{SOURCE}.tar.xz"),
             *(f"{SOURCE}/scripts/{name}" for name in names)])

    return os.path.join(cache.entry(
        "programs", f"checkpatch-{cache.key(apt.file_name(SOURCE))}",
        extract), names[0])


@functools.cache
def busybox():
    """The path of a static busybox."""
    path = os.path.join(release().unpack("busybox-static"), "bin/busybox")
    if not os.path.exists(path):
        raise LabError("busybox-static: no bin/busybox in the package")
    return path


def shared_libraries(binary, env=None):
    """The libraries that @binary loads, as ldd finds them: name -> path.

    A path is None if the library can't be found.  Empty for static binaries
    and scripts.
    """
    done = subprocess.run([tool("ldd"), binary], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    libraries = {}
    for line in done.stdout.splitlines():
        m = re.match(r"\s+(\S+)(?: => (not found|\S+))?(?: \(0x[0-9a-f]+\))?$",
                     line)
        if not m or m[1].startswith("linux-vdso"):
            continue
        path = m[2] or m[1]
        if path == "not found":
            libraries[m[1]] = None
        elif path.startswith("/"):
            libraries[m[1]] = path
    return libraries
