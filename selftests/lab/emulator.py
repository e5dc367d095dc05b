# SPDX-License-Identifier: GPL-2.0
"""Which QEMU runs the hosts.

QEMU before 8.1 can lose a race between translating code and patching it with
several vCPU threads: a host that attaches kprobes oopses once in a while.  So
a recent QEMU is taken: the machine's own if it is new enough, else the one of
backports, unpacked into the cache together with the libraries that the machine
lacks; if that can't be had, the machine's own with one vCPU thread.
"""

import functools
import os
import re
import shutil
import subprocess

from . import cache
from .apt import Apt, codename
from .packages import shared_libraries
from .say import LabError, say

PACKAGE = "qemu-system-x86"
PROGRAM = "qemu-system-x86_64"
SAFE = (8, 1)


class Emulator:
    """A QEMU: argv to start it with, its environment and version."""

    def __init__(self, argv, env):
        self.argv = argv
        self.env = env
        done = subprocess.run(argv[:1] + ["--version"], env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        m = re.search(r"version (\d+)\.(\d+)", done.stdout)
        if done.returncode or not m:
            raise LabError(f"{argv[0]} --version: {done.stderr.strip()}")
        self.version = (int(m[1]), int(m[2]))

    def thread_model(self):
        """The TCG thread model that is sound when code is patched."""
        return "multi" if self.version >= SAFE else "single"


def _installed():
    path = shutil.which(PROGRAM)
    if path is None:
        return None
    return Emulator([path], dict(os.environ))


def _backports():
    """QEMU from backports, in the cache."""
    apt = Apt("backports", more=(f"{codename()}-backports",))
    target = f"{codename()}-backports"
    # What an installation would fetch is what this machine lacks.
    out = apt.ask("apt-get", "install", "--print-uris", "-qq", "-y",
                  "--no-install-recommends", "-t", target, PACKAGE)
    names = re.findall(r"(?m)^'[^']*' ([^_\s]+)_([^_\s]+)_\S+\.deb", out)
    specs = [f"{n}={v.replace('%3a', ':')}" for n, v in names]
    files = sorted(os.path.basename(apt.fetch(s)) for s in specs)

    def merge(path):
        for spec in specs:
            shutil.copytree(apt.unpack(spec), path, symlinks=True,
                            dirs_exist_ok=True)

    tree = cache.entry("qemu", cache.key("\n".join(files)), merge)
    usr = os.path.join(tree, "usr")
    lib = os.path.join(usr, "lib/x86_64-linux-gnu")
    env = dict(os.environ, QEMU_MODULE_DIR=os.path.join(lib, "qemu"),
               LD_LIBRARY_PATH=f"{lib}:{tree}/lib/x86_64-linux-gnu")
    program = os.path.join(usr, "bin", PROGRAM)
    missing = [n for n, p in shared_libraries(program, env).items()
               if p is None]
    if missing:
        raise LabError(f"{program} lacks {', '.join(missing)}")
    argv = [program]
    for share in ("qemu", "seabios"):
        for base in (usr, "/usr"):
            if os.path.isdir(f"{base}/share/{share}"):
                argv += ["-L", f"{base}/share/{share}"]
    return Emulator(argv, env)


@functools.cache
def find():
    """The QEMU to run hosts with."""
    own = _installed()
    if own and own.version >= SAFE:
        return own
    try:
        return _backports()
    except LabError as e:
        if own is None:
            raise LabError(f"{PROGRAM}: not found, and not to be had from "
                           f"backports ({e}): apt-get install {PACKAGE}"
                           ) from e
        say(f"QEMU from backports can't be had ({e}): using "
            f"{own.argv[0]} {own.version[0]}.{own.version[1]} with a single "
            "vCPU thread, which is slower")
        return own
