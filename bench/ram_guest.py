# SPDX-License-Identifier: GPL-2.0
"""Memory of real guests: a Debian kernel with real programs, booted under
emulation; what its RAM holds when they have done their work is the image.

RAM is a file that QEMU maps, so that nothing has to be saved, and what the
guest never touched stays a hole.  An image is of its guest's name: A1 and A2
are two boots of one kind, with the kernel's and the processes' addresses drawn
anew; B1 does other work with other packages.
"""

import os
import re
import shutil
import tempfile
import time

from lab import cache, packages
from lab.cpio import Archive
from lab.host import Disk, Host
from lab.image import add_busybox, add_modules
from lab.say import LabError, run, say

MODULES = ["virtio_pci", "virtio_blk", "ext4", "crc32c_generic"]
BASE = ["base-files", "bash", "coreutils", "debianutils", "dpkg", "findutils",
        "grep", "libacl1", "libattr1", "libc6", "libc-bin", "libcrypt1",
        "libgmp10", "libpcre2-8-0", "libselinux1", "libtinfo6", "perl-base",
        "sed", "tar", "util-linux", "zlib1g"]
# What a kind of guest has beside BASE, and whether the kernel's modules are
# among the files that it reads.
KINDS = {
    "A": (["libpython3.11-minimal", "libpython3.11-stdlib",
           "python3.11-minimal", "libexpat1", "redis-tools", "redis-server",
           "libatomic1", "libjemalloc2", "liblzf1", "libssl3", "libsystemd0",
           "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5",
           "libzstd1", "libgcc-s1", "libstdc++6"], True),
    "B": (["perl", "libperl5.36", "perl-modules-5.36", "libdb5.3",
           "libgdbm6", "libgdbm-compat4", "libbz2-1.0", "sqlite3",
           "libsqlite3-0", "libreadline8", "gcc-12", "cpp-12", "g++-12",
           "libicu72", "libgcc-12-dev", "libstdc++-12-dev", "libc6-dev",
           "linux-libc-dev", "binutils-x86-64-linux-gnu", "libbinutils",
           "libmpfr6", "libmpc3", "libisl23", "locales"], False),
}
# Shares of RAM, in percent: files read, a script's heap, a database, noise.
FILES, HEAP, STORE, NOISE = 30, 7, 7, 3
READY_S = 900

INIT = """\
#!/bin/sh
# The init of a guest whose memory is to be an image.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/ LANG=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in @MODULES@; do modprobe $m || echo "contents: FAILED modprobe $m"; done
for word in $(cat /proc/cmdline); do
	case $word in
	work.*=*) word=${word#work.}; export "${word%%=*}=${word#*=}" ;;
	esac
done
mount -t ext4 -o ro /dev/vda /disk || echo "contents: FAILED mount"
for d in proc sys dev; do mount --bind /$d /disk/$d; done
mount -t tmpfs tmpfs /disk/tmp
mount -t tmpfs tmpfs /disk/run
chroot /disk /bin/bash /work || echo "contents: FAILED work"
echo "contents: ready"
while :; do sleep 1000; done
"""

# Files are read through a pipe: nothing but the page cache keeps them.
READ_FILES = """\
dd if=/dev/urandom of=/tmp/noise bs=1M count=$noise status=none || exit 1
find /usr /etc -xdev -type f -print0 | sort -z | xargs -0 cat 2>/dev/null |
	head -c ${files}M >/dev/null
exit 0
"""

WORK_A = """\
redis-server --port 0 --unixsocket /run/redis.sock --save '' \\
	--daemonize yes --logfile /dev/null || exit 1
python3.11 - <<-'END' || exit 1
	import os, socket, time
	for i in range(600):
	    try:
	        s = socket.socket(socket.AF_UNIX)
	        s.connect("/run/redis.sock")
	        break
	    except OSError:
	        time.sleep(0.1)
	answers = s.makefile("rb")
	room, i = int(os.environ["store"]) << 20, 0
	while room > 0:
	    batch = b""
	    for _ in range(500):
	        key = b"session:%08d" % i
	        value = (b'{"user": %d, "name": "user-%d", "cart": [%d, %d], '
	                 b'"seen": "2026-01-%02dT10:%02d:00Z"}' %
	                 (i, i * 7919 % 100003, i % 977, i % 331, i % 28 + 1,
	                  i % 60)) * 4
	        batch += b"*3\\r\\n$3\\r\\nSET\\r\\n$%d\\r\\n%s\\r\\n$%d\\r\\n%s\\r\\n" \\
	            % (len(key), key, len(value), value)
	        room -= len(key) + len(value) + 100
	        i += 1
	    s.sendall(batch)
	    for _ in range(500):
	        assert answers.readline() == b"+OK\\r\\n"
END
mkfifo /run/heap
python3.11 -c '
import os, time
room, i, keep = int(os.environ["heap"]) << 20, 0, {}
while room > 0:
    keep[f"item-{i}"] = {"id": i, "price": i * 0.37, "tags": [i % 7, str(i)]}
    room -= 620
    i += 1
open("/run/heap", "w").write("filled\\n")
time.sleep(1e6)' &
cat /run/heap
"""

WORK_B = """\
mkfifo /run/heap /run/sql /run/filled
perl -e '
my ($room, $i, %keep) = ($ENV{heap} << 20, 0);
while ($room > 0) {
	$keep{"order/$i"} = [$i, sqrt($i), "item " . $i * 31 % 1009];
	$room -= 420;
	$i++;
}
open(my $f, ">", "/run/heap"); print $f "filled\\n"; close $f;
sleep 1000000' &
cat /run/heap
sqlite3 :memory: </run/sql &
exec 3>/run/sql
cat >&3 <<-END
	PRAGMA temp_store = MEMORY;
	CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, body TEXT);
	WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
		WHERE i < $store * 1024 * 1024 / 300)
	INSERT INTO t SELECT i, 'name-' || i * 7919 % 100003,
		printf('%.*c row %d of the table of the other guest',
			200 + i % 40, 'x', i) FROM c;
	.output /run/filled
	SELECT 'filled';
	.output stdout
END
cat /run/filled
"""


def _tree(kind, path):
    more, modules = KINDS[kind]
    for name in BASE + more:
        shutil.copytree(packages.release().unpack(name), path, symlinks=True,
                        dirs_exist_ok=True)
    # As an installed Debian has them.
    for name in ("bin", "sbin", "lib", "lib64"):
        old, new = os.path.join(path, name), os.path.join(path, "usr", name)
        if os.path.isdir(old) and not os.path.islink(old):
            shutil.copytree(old, new, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
        os.symlink(f"usr/{name}", old)
    kernel = packages.kernel()
    if modules:
        shutil.copytree(kernel.modules, os.path.join(
            path, "usr/lib/modules", kernel.version))
    for name in ("proc", "sys", "dev", "tmp", "run"):
        os.makedirs(os.path.join(path, name), exist_ok=True)
    with open(os.path.join(path, "work"), "w") as f:
        f.write({"A": WORK_A, "B": WORK_B}[kind] + READ_FILES)


def _recipe(kind):
    """What decides the contents, as a string."""
    more, _ = KINDS[kind]
    names = [os.path.basename(packages.release().fetch(p))
             for p in BASE + more]
    return cache.key(packages.kernel().name, *names, INIT, READ_FILES, WORK_A,
                     WORK_B, "v2")


def _disk(kind):
    def make(path):
        say(f"contents: making the disk of {kind}")
        tree = path + ".tree"
        _tree(kind, tree)
        size = sum(os.lstat(os.path.join(d, n)).st_size + 4096
                   for d, _, names in os.walk(tree) for n in names)
        run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", tree, "-U",
             "756d6967-6c61-6200-0000-000000000001", "-E",
             "lazy_itable_init=0,nodiscard,root_owner=0:0", path,
             f"{size * 11 // 10 // 4096 + 8192}"])
        shutil.rmtree(tree)

    return cache.entry("contents", f"disk-{kind}-{_recipe(kind)}", make)


def _initrd(path):
    archive = Archive()
    for d in ("proc", "sys", "tmp", "disk"):
        archive.directory(f"/{d}")
    archive.directory("/dev")
    archive.node("/dev/console", 5, 1)
    add_busybox(archive)
    add_modules(archive, packages.kernel(), MODULES)
    archive.data("/init", INIT.replace("@MODULES@", " ".join(MODULES)), 0o755)
    with open(path, "wb") as f:
        f.write(archive.bytes())


def _wait_ready(guest):
    end = time.monotonic() + READY_S
    while not any(s.endswith("contents: ready") for s in guest.console):
        guest.check()
        failed = [s for s in guest.console if "contents: FAILED" in s]
        if failed or time.monotonic() > end:
            raise LabError(f"{guest.name}: "
                           f"{failed[0] if failed else 'not ready in time'}\n"
                           f"{guest.tail()}")
        time.sleep(0.5)


def _boot(name, kind, megabytes, path):
    """Boot a guest with its RAM in @path; returns once that is still."""
    with open(path, "wb") as f:
        f.truncate(megabytes << 20)
    words = {"files": FILES, "heap": HEAP, "store": STORE, "noise": NOISE}
    cmdline = " ".join(f"work.{w}={megabytes * share // 100}"
                       for w, share in words.items())
    with tempfile.TemporaryDirectory(prefix="umig-contents-") as directory:
        initrd = os.path.join(directory, "initrd")
        _initrd(initrd)
        guest = Host(name, directory, initrd, memory=f"{megabytes}M", cpus=1,
                     disks=[Disk(_disk(kind), readonly=True)],
                     cmdline=cmdline, more=(
                         "-object", "memory-backend-file,id=ram,share=on,"
                         f"mem-path={path},size={megabytes}M",
                         "-machine", "memory-backend=ram"))
        try:
            _wait_ready(guest)
            # what was written to tmpfs and sockets is there by now
            guest.qmp("stop")
        finally:
            guest.close()


def image(name, megabytes):
    """The path of guest @name's memory: A1, A2, ..., B1, ...; made if it
    isn't in the cache yet."""
    m = re.fullmatch(r"([AB])([1-9][0-9]?)", name)
    if not m:
        raise LabError(f"guest {name}: there are A1 to A99 and B1 to B99")

    def make(path):
        say(f"contents: booting {name} with {megabytes} MB")
        _boot(name, m[1], megabytes, path)

    return cache.entry("contents", f"{name}-{megabytes}M-{_recipe(m[1])}.ram",
                       make)
