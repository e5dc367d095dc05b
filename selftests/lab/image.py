# SPDX-License-Identifier: GPL-2.0
"""The initramfs of a lab host: busybox, the agent, kernel modules, and
whatever files the scenario brings.

The base (all but the scenario's files) is cached; the files are appended for
each run, with the shared libraries that they load.
"""

import lzma
import os
import pathlib

from . import cache, packages
from .cpio import Archive
from .say import LabError, run

HERE = os.path.dirname(os.path.abspath(__file__))

# Loaded by a host's /init, in this order; modprobe adds what they depend on.
HOST_MODULES = ["virtio_pci", "virtio_console", "virtio_net", "virtio_blk",
                "ccp", "irqbypass", "kvm", "kvm-amd"]
# There for modprobe.
HOST_MORE_MODULES = ["ext4", "virtio_rng", "sch_tbf", "kvm-intel", "loop"]

CFLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes",
          "-Wstrict-prototypes", "-Wdeclaration-after-statement", "-Wvla",
          "-D_GNU_SOURCE", "-O2"]

HOST_INIT = """\
#!/bin/sh
# Runs first in a lab host; ends as the agent.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /run /tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/umig
# A word "lab.name=x" of the command line becomes the variable lab_name.
for word in $(cat /proc/cmdline); do
	case $word in
	lab.*=*) word=${word#lab.}; export "lab_${word%%=*}=${word#*=}" ;;
	esac
done
for m in @MODULES@ $(echo "$lab_modules" | tr , ' '); do
	modprobe $m || echo "lab: modprobe $m failed"
done
hostname "${lab_name:-host}"
ip link set lo up
if [ -n "$lab_address" ]; then
	ip link set eth0 mtu 9000
	ip addr add "$lab_address" dev eth0
	ip link set eth0 up
fi
# Slowness under emulation is not a lockup.
echo 300 > /proc/sys/kernel/hung_task_timeout_secs
echo 60 > /proc/sys/kernel/watchdog_thresh
exec /bin/agent /dev/vport0p1
"""


def program(name, static=True, also=()):
    """The path of @name, compiled from name.c here.

    @also: other sources that it needs, relative to here, with their headers.
    """
    sources = [os.path.join(HERE, s) for s in (name + ".c", *also)]

    def compile_it(path):
        run(["cc", *CFLAGS, *(["-static"] if static else []), "-o", path,
             *(s for s in sources if s.endswith(".c"))])

    k = cache.key(*map(pathlib.Path, sources), pathlib.Path(HERE, "bytes.h"),
                  " ".join(CFLAGS), str(static))
    return cache.entry("programs", f"{os.path.basename(name)}-{k}",
                       compile_it)


def module_files(kernel, names):
    """Files, relative to the modules' tree, of @names and all they need."""
    depends, paths = {}, {}
    tree = depmod_tree(kernel)
    with open(os.path.join(tree, "modules.dep")) as f:
        for line in f:
            path, needs = line.rstrip("\n").split(":", 1)
            depends[path] = needs.split()
            name = os.path.basename(path).split(".ko")[0].replace("-", "_")
            paths[name] = path
    soft = {}
    with open(os.path.join(tree, "modules.softdep")) as f:
        for line in f:
            words = line.split()
            if words[:1] == ["softdep"] and "pre:" in words:
                soft[words[1]] = [w for w in words[2:] if w[-1] != ":"]
    with open(os.path.join(kernel.modules, "modules.builtin")) as f:
        builtin = {os.path.basename(line).split(".ko")[0].replace("-", "_")
                   for line in f}
    wanted, todo = {}, list(names)
    while todo:
        name = todo.pop().replace("-", "_")
        if name in builtin:
            continue
        if name not in paths:
            raise LabError(f"{kernel.name} has no module {name}")
        if paths[name] in wanted:
            continue
        wanted[paths[name]] = True
        todo += [os.path.basename(p).split(".ko")[0]
                 for p in depends[paths[name]]]
        todo += [s for s in soft.get(name, []) if
                 s.replace("-", "_") in paths]
    return sorted(wanted)


def depmod_tree(kernel):
    """modules.dep and its like for the whole of @kernel."""

    def make(path):
        base = os.path.join(path, "lib/modules")
        os.makedirs(os.path.join(base, kernel.version))
        tree = os.path.join(base, kernel.version)
        for name in os.listdir(kernel.modules):
            os.symlink(os.path.join(kernel.modules, name),
                       os.path.join(tree, name))
        run(["depmod", "-b", path, kernel.version])

    return os.path.join(cache.entry("depmod", kernel.name, make),
                        "lib/modules", kernel.version)


def add_module(archive, source, path):
    """A module, uncompressed: busybox does not know of it."""
    if not source.endswith(".xz"):
        archive.copy(source, path)
        return
    with lzma.open(source) as f:
        archive.data(path[:-len(".xz")], f.read())


def add_modules(archive, kernel, names):
    """Put modules, and what modprobe needs to find them, in an archive."""
    base = f"/lib/modules/{kernel.version}"
    files = set(module_files(kernel, names))
    for path in files:
        add_module(archive, os.path.join(kernel.modules, path),
                   f"{base}/{path}")
    tree = depmod_tree(kernel)
    with open(os.path.join(tree, "modules.dep")) as f:
        archive.data(f"{base}/modules.dep", "".join(
            line.replace(".ko.xz", ".ko") for line in f
            if line.split(":")[0] in files))
    for name in ("modules.builtin", "modules.softdep"):
        archive.copy(os.path.join(tree, name), f"{base}/{name}")
    archive.data(f"{base}/modules.alias", "")
    archive.data(f"{base}/modules.symbols", "")


def add_busybox(archive):
    """Busybox and a link for each of its commands."""
    path = packages.busybox()
    archive.copy(path, "/bin/busybox")
    for name in run([path, "--list-full"]).split():
        if name not in ("linuxrc", "bin/busybox"):
            archive.link(f"/{name}", "/bin/busybox")


def add_program(archive, source, path):
    """A file, with the libraries that it loads if it is a program."""
    archive.copy(source, path)
    if not os.path.isfile(source):
        return
    with open(source, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return
    for name, library in packages.shared_libraries(source).items():
        if library is None:
            raise LabError(f"{source} needs {name}, which is not installed")
        if library not in archive.seen:
            archive.copy(os.path.realpath(library), library)


def _host_base(kernel, modules):
    archive = Archive()
    first = [m for m in HOST_MODULES if m not in kernel.lacks]
    more = [m for m in HOST_MORE_MODULES if m not in kernel.lacks]
    for d in ("proc", "sys", "dev", "tmp", "run", "mnt", "root", "etc"):
        archive.directory(f"/{d}")
    archive.node("/dev/console", 5, 1)
    archive.node("/dev/null", 1, 3)
    add_busybox(archive)
    archive.copy(program("agent"), "/bin/agent")
    add_modules(archive, kernel, first + more + modules)
    archive.data("/etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
    archive.data("/etc/group", "root:x:0:\n")
    archive.data("/init", HOST_INIT.replace("@MODULES@", " ".join(first)),
                 0o755)
    return archive.bytes()


def host_initrd(path, kernel, files=(), modules=()):
    """Write a host's initramfs to @path.

    @files: (path on this machine, path in the host); programs bring their
    shared libraries.  @modules: more kernel modules to have at hand.
    """
    with open(program("agent"), "rb") as f:
        agent = f.read()
    with open(__file__, "rb") as f:
        name = cache.key(f.read(), agent, kernel.name, packages.busybox(),
                         " ".join(modules))

    def make(new):
        with open(new, "wb") as f:
            f.write(_host_base(kernel, list(modules)))

    base = cache.entry("hosts", name, make)
    extra = Archive()
    for source, target in files:
        if not os.path.exists(source):
            raise LabError(f"{source}: no such file: build it first (make)")
        if target.endswith("/"):
            target += os.path.basename(source)
        add_program(extra, source, target)
    with open(base, "rb") as f, open(path, "wb") as out:
        out.write(f.read())
        out.write(extra.bytes())
