# SPDX-License-Identifier: GPL-2.0
"""Where a module is built for another release's kernel: a root of that
release, with the compiler that the kernel's headers ask for and with DKMS.

A root is packages unpacked into the cache, none of their scripts run; commands
see it read-only, in namespaces of their own, with directories of this machine
put into it.  Root's rights aren't needed where users may make namespaces.
"""

import os
import shutil
import subprocess
import tempfile

from . import cache, kernels
from .say import LabError, run, say, tool

# What a package's scripts would take for granted, and the tools themselves.
BASE = ["base-files", "bash", "coreutils", "dash", "diffutils", "findutils",
        "grep", "gzip", "hostname", "kmod", "make", "mawk", "openssl", "sed",
        "tar", "util-linux", "xz-utils", "gcc", "dkms"]
# The headers' packages want the kernel itself; it isn't run here.
UNWANTED = ("linux-image-", "linux-binary-", "linux-modules-")
# Directories that run() mounts something on.
MOUNTS = ["src", "out", "proc", "dev", "tmp", "run", "var/lib/dkms",
          "usr/src/umig", "usr/lib/modules"]

ENTER = """\
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
while [ "$1" != -- ]; do
	mount --bind "$2" "$root/$1"
	shift 2
done
shift
exec chroot "$root" /usr/bin/env -i HOME=/tmp LC_ALL=C \\
	PATH=/usr/sbin:/usr/bin "$@"
"""


def _extract(path, debs):
    """Packages into a root whose /bin, /lib, ... are those of /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(path, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(path, name))
    for deb in debs:
        with subprocess.Popen([tool("dpkg-deb"), "--fsys-tarfile", deb],
                              stdout=subprocess.PIPE) as p:
            run(["tar", "-x", "--keep-directory-symlink", "--no-same-owner",
                 "-C", path], stdin=p.stdout)
        if p.returncode:
            raise LabError(f"dpkg-deb --fsys-tarfile {deb}: exit status "
                           f"{p.returncode}")


def _finish(path):
    """What the packages' scripts would have done."""
    for link, target in (("awk", "mawk"), ("sh", "dash"), ("cc", "gcc")):
        link = os.path.join(path, "usr/bin", link)
        if not os.path.lexists(link):
            os.symlink(target, link)
    for name in MOUNTS:
        os.makedirs(os.path.join(path, name), exist_ok=True)
    with open(os.path.join(path, "etc/passwd"), "w") as f:
        f.write("root:x:0:0:root:/:/bin/sh\n")


class BuildRoot:
    """The root for a kernel of kernels.find()."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.headers = f"/usr/src/linux-headers-{kernel.version}"
        apt = kernels.archive(kernel.release)
        specs = sorted(f"{n}={v}" for n, v in apt.closure(
            BASE + [f"linux-headers-{kernel.version}"])
            if not n.startswith(UNWANTED))

        def make(path):
            with tempfile.TemporaryDirectory(dir=cache.root()) as debs:
                apt.download(specs, debs)
                say(f"build root for {kernel.version}: unpacking")
                _extract(path, sorted(os.path.join(debs, d)
                                      for d in os.listdir(debs)))
            _finish(path)

        self.path = cache.entry("roots", cache.key(*specs, ENTER, *MOUNTS),
                                make)

    def run(self, argv, mounts=()):
        """Run a command; @mounts: (path in the root, path here).

        Returns its output; LabError with it if it fails.
        """
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        if os.getuid():
            enter.append("--map-root-user")
        words = [w for m in mounts for w in m]
        return run(enter + ["sh", "-c", ENTER, "sh", self.path] + words +
                   ["--"] + argv)


def build(kernel, repo, out, debug=False):
    """Make the module of the sources at @repo; returns its path below @out."""
    root = BuildRoot(kernel)
    os.makedirs(out, exist_ok=True)
    say(f"building the module for {kernel.version}"
        f"{' with debug switches' if debug else ''}")
    root.run(["make", "-s", "-C", "/src", "module", "BUILD=/out",
              f"KDIR={root.headers}"] + (["UMIG_DEBUG=1"] if debug else []),
             [("src", repo), ("out", out)])
    return os.path.join(out, "umig-debug.ko" if debug else "umig.ko")
