# SPDX-License-Identifier: GPL-2.0
"""A kernel that watches itself: KASAN, lockdep, kmemleak, fault injection.

It is built from Debian's source package of this release's kernel, with
debug_kernel.config and nothing else, once: two quiet CPUs take about ten
minutes.  packages.kernel() gives it when the environment says
UMIG_DEBUG_KERNEL=1; Documentation/lab.rst.
"""

import functools
import glob
import os
import pathlib
import shutil
import subprocess

from . import cache
from .say import LabError, run, say

CONFIG = pathlib.Path(__file__).with_suffix(".config")
# Of the modules that hosts load: guests don't run in one with this kernel.
LACKS = frozenset(["ccp", "ext4", "irqbypass", "kvm", "kvm-amd", "kvm-intel",
                   "loop", "sch_tbf", "virtio_blk", "virtio_net",
                   "virtio_rng"])
# What a module's build reads of a built tree.
HEADERS = [".config", "Makefile", "Kbuild", "Module.symvers", "arch/x86",
           "include", "scripts", "tools/objtool"]


def wanted():
    """Does the environment ask for it?"""
    return os.environ.get("UMIG_DEBUG_KERNEL", "") not in ("", "0")


def make(tree, *targets):
    """Run make in a kernel tree, its output into the tree's build.log."""
    path = os.path.join(tree, "build.log")
    argv = ["make", f"-j{os.cpu_count()}", "ARCH=x86_64", *targets]
    with open(path, "a") as log:
        done = subprocess.run(argv, cwd=tree, stdout=log, stderr=log,
                              stdin=subprocess.DEVNULL)
    if done.returncode:
        with open(path) as log:
            tail = "".join(log.readlines()[-20:])
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}\n"
                       f"{tail}")


def check_config(tree):
    """Kconfig drops what it can't have without a word: say it."""
    with open(os.path.join(tree, ".config")) as f:
        have = set(f.read().splitlines())
    for line in CONFIG.read_text().splitlines():
        name, _, value = line.partition("=")
        off = f"# {name} is not set"
        if name.startswith("CONFIG_") and line not in have and \
           not (value == "n" and off in have):
            raise LabError(f"{CONFIG}: {line}: this kernel doesn't take it")


def build(tree):
    """Configure and build; returns the version."""
    make(tree, f"KCONFIG_ALLCONFIG={CONFIG}", "allnoconfig")
    check_config(tree)
    make(tree, "bzImage", "modules")
    return run(["make", "-s", "-C", tree, "kernelrelease"]).strip()


def install(tree, path, version):
    """Image and modules as a kernel package has them, and the headers."""
    os.makedirs(os.path.join(path, "boot"))
    shutil.copy(os.path.join(tree, "arch/x86/boot/bzImage"),
                os.path.join(path, "boot", f"vmlinuz-{version}"))
    make(tree, f"INSTALL_MOD_PATH={path}", "modules_install")
    for name in ("build", "source"):
        link = os.path.join(path, "lib/modules", version, name)
        if os.path.islink(link):
            os.unlink(link)
    for name in HEADERS:
        target = os.path.join(path, "headers", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(os.path.join(tree, name), target)
    for name in glob.glob(os.path.join(path, "headers/**/*.[oa]"),
                          recursive=True):
        os.unlink(name)


@functools.cache
def directory(apt, source):
    """Where it is, built if need be: boot/, lib/modules/, headers/."""
    package = apt.file_name(source)
    compiler = run(["cc", "-dumpfullversion"]).strip()

    def make_it(path):
        say("debug kernel: building it once, which takes a while")
        tree = path + ".tree"
        os.mkdir(tree)
        run(["tar", "-C", tree, "--strip-components=1", "-xf", os.path.join(
            apt.unpack(source), f"usr/src/{source}.tar.xz")])
        os.mkdir(path)
        install(tree, path, build(tree))

    return cache.entry("debug-kernels",
                       cache.key(package, compiler, CONFIG), make_it)
