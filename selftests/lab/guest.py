# SPDX-License-Identifier: GPL-2.0
"""The guests that hosts run: a Debian kernel, an initrd, a disk.

disk()     a raw ext4 image of a small Debian, the same for all guests; each
           guest works on a copy of its own (scratch())
initrd()   busybox, the modules for the disk, and the workload (guest/worker.c)
"""

import os
import shutil
import tempfile

from . import cache, packages
from .cpio import Archive
from .host import Disk
from .image import add_busybox, add_modules, program
from .say import run, say, tool

# What the guest's disk is made of, beside the kernel's own modules.
PACKAGES = ["base-files", "bash", "coreutils", "debianutils", "dpkg", "grep",
            "libc6", "libc-bin", "libcrypt1", "libpython3.11-minimal",
            "libpython3.11-stdlib", "libtinfo6", "perl-base",
            "perl-modules-5.36", "python3.11-minimal", "sed", "tar",
            "util-linux"]
# Parts of the kernel package that would only make the disk larger.
LEFT_OUT = ["drivers/gpu", "drivers/infiniband", "drivers/media",
            "drivers/net/wireless", "drivers/scsi", "sound"]
FREE_MB = 96
MODULES = ["virtio_mmio", "virtio_pci", "virtio_blk", "ext4", "crc32c_generic"]

INIT = """\
#!/bin/sh
# The init of a lab guest: mount the disk, work on it until told to stop.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
# A machine that stands still is no lockup.
echo 300 > /proc/sys/kernel/hung_task_timeout_secs
echo 60 > /proc/sys/kernel/watchdog_thresh
for m in @MODULES@; do
	modprobe $m || echo "WRONG guest: modprobe $m"
done
if grep -q lab.disk=none /proc/cmdline; then
	mount -t tmpfs tmpfs /disk
else
	mount -t ext4 /dev/vda /disk || echo "WRONG guest: mount /dev/vda"
fi
for word in $(cat /proc/cmdline); do
	case $word in
	work.*=*) set -- "$@" "${word#work.}" ;;
	esac
done
worker /disk "$@"
umount /disk || echo "WRONG guest: umount /disk"
poweroff -f
"""


def _unpack_all():
    return [packages.release().unpack(p) for p in PACKAGES]


def disk():
    """The path of the image that guests' disks begin as."""
    kernel = packages.kernel()
    parts = _unpack_all()
    name = cache.key(kernel.name, *map(os.path.basename, parts),
                     *LEFT_OUT, str(FREE_MB), "v1")

    def make(path):
        say("guest: making the disk image")
        tree = path + ".tree"
        for part in parts:
            shutil.copytree(part, tree, symlinks=True, dirs_exist_ok=True)
        drop = [os.path.join(kernel.modules, "kernel", d) for d in LEFT_OUT]
        shutil.copytree(kernel.modules,
                        os.path.join(tree, "lib/modules", kernel.version),
                        ignore=lambda d, names: [
                            n for n in names if os.path.join(d, n) in drop])
        size = sum(os.lstat(os.path.join(d, n)).st_size + 4096
                   for d, _, names in os.walk(tree) for n in names)
        size = size * 21 // 20 + (FREE_MB << 20)
        run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", tree, "-U",
             "756d6967-6c61-6200-0000-000000000000", "-E",
             "lazy_itable_init=0,nodiscard,root_owner=0:0", path,
             f"{size // 4096}"])

    return cache.entry("disks", f"{name}.ext4", make)


def initrd():
    """The path of the guests' initrd."""
    kernel = packages.kernel()
    worker = program("guest/worker")
    with open(worker, "rb") as f:
        name = cache.key(f.read(), kernel.name, packages.busybox(), INIT,
                         " ".join(MODULES), "v1")

    def make(path):
        archive = Archive()
        for d in ("proc", "sys", "dev", "tmp", "disk"):
            archive.directory(f"/{d}")
        archive.node("/dev/console", 5, 1)
        add_busybox(archive)
        archive.copy(worker, "/bin/worker")
        add_modules(archive, kernel, MODULES)
        archive.data("/init", INIT.replace("@MODULES@", " ".join(MODULES)),
                     0o755)
        with open(path, "wb") as f:
            f.write(archive.bytes())

    return cache.entry("guests", f"initrd-{name}", make)


def scratch(size=None):
    """A disk that vanishes with the lab: a copy of disk(), or @size zeroes.

    The file has no name, so nothing is left behind however the lab ends.
    """
    fd, path = tempfile.mkstemp(prefix=".disk-", dir=cache.root())
    os.unlink(path)
    # Any process of this user can open this, as long as the lab lives.
    here = f"/proc/{os.getpid()}/fd/{fd}"
    if size is None:
        run(["cp", "--sparse=always", disk(), here])
    else:
        os.truncate(fd, size)
    return Disk(here)


def fsck(scratch_disk):
    """Fail unless the guest's file system is in order."""
    run(["e2fsck", "-fn", scratch_disk.path])


def needs():
    """Check for what this file calls, before a long run."""
    for name in ("mke2fs", "e2fsck", "cp", "depmod", "cc"):
        tool(name)
