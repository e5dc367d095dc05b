# SPDX-License-Identifier: GPL-2.0
"""Hosts that see each other: what a lab scenario begins with.

    with Cluster(2, files=[("build/bin/umig", "/bin/umig")],
                 ko="umig.ko") as lab:
        a, b = lab.hosts
        print(a.sh("uname -a"))
        a.sh("ping -c 1 " + b.address)
        lab.cut(b)

Host N (from 1) is "hostN" at 10.0.0.N.  All boot at the same time.  Leaving
the block checks that no kernel has complained, and powers off.
"""

import os
import shutil
import socket
import subprocess
import tempfile

from . import image, kernels
from .host import Host, _die_with_lab
from .say import LabError, say


class Hub:
    """The network between hosts (hub.c)."""

    def __init__(self, ports):
        pairs = [socket.socketpair() for _ in range(ports)]
        self.control, theirs = socket.socketpair()
        fds = [theirs.fileno()] + [s[1].fileno() for s in pairs]
        self.links = [s[0] for s in pairs]
        self.process = subprocess.Popen(
            [image.program("hub")] + [str(fd) for fd in fds], pass_fds=fds,
            stdin=subprocess.DEVNULL, preexec_fn=_die_with_lab)
        for s in [theirs] + [s[1] for s in pairs]:
            s.close()

    def command(self, line):
        """Give the hub an order."""
        self.control.sendall(line.encode())
        answer = self.control.recv(64)
        if answer != b"ok\n":
            raise LabError(f"hub: {line}: {answer.decode() or 'it is gone'}")

    def close(self):
        """End it."""
        self.control.close()
        self.process.wait()


class Cluster:
    """@count hosts.

    @files: (here, in the hosts) pairs; programs bring their libraries.
    @ko: modules to put into each host's / (and to load with @load).
    @disks: Disk objects that all hosts see, in order: /dev/vda, ...
    @cpus: of each host.  One, unless no VM runs in them: with several vCPU
    threads the emulator loses about one VM in ten (Documentation/lab.rst).
    @cpu: QEMU's name of their CPU, or one for each.
    @modules: more Debian kernel modules to have for modprobe.
    @kernel: what they run, a name as kernels.py has them; None: $UMIG_KERNEL,
    or else this release's.
    @counted: see Host.
    """

    def __init__(self, count=1, *, files=(), ko=(), load=False, disks=(),
                 memory="2G", cpus=1, cpu="max", modules=(), cmdline="",
                 kernel=None, trouble_is_fatal=True, counted=False):
        self.hosts = []
        self.hub = None
        self.failed = False
        if isinstance(cpu, str):
            cpu = [cpu] * count
        if isinstance(ko, str):
            ko = [ko]
        self.dir = tempfile.mkdtemp(prefix="umig-lab-")
        try:
            kernel = kernels.find(kernel or kernels.wanted())
            for path in ko:
                check_vermagic(path, kernel)
            initrd = os.path.join(self.dir, "initrd")
            image.host_initrd(initrd, kernel, list(files) +
                              [(k, "/") for k in ko], modules)
            self.hub = Hub(count)
            say(f"lab: booting {count} host{'s'[:count - 1]} with "
                f"{kernel.version}, {memory} and {cpus} CPU{'s'[:cpus - 1]} each")
            for i, link in enumerate(self.hub.links):
                self.hosts.append(Host(
                    f"host{i + 1}", self.dir, initrd, kernel, memory=memory,
                    cpus=cpus, cpu=cpu[i], disks=disks,
                    address=f"10.0.0.{i + 1}/24", link=link,
                    mac=f"52:54:00:00:00:{i + 1:02x}",
                    cmdline=cmdline, trouble_is_fatal=trouble_is_fatal,
                    counted=counted))
            for host in self.hosts:
                host.wait_up(1800 if counted or kernel.lacks else 180)
                for path in ko if load else ():
                    host.sh(f"insmod /{os.path.basename(path)}")
        except BaseException:
            self.failed = True
            self.close()
            raise

    def cut(self, host):
        """Pull the host's network cable."""
        say(f"{host.name}: link cut")
        self.hub.command(f"cut {self.hosts.index(host)}")

    def join(self, host):
        """Plug it in again."""
        say(f"{host.name}: link back")
        self.hub.command(f"join {self.hosts.index(host)}")

    def slow(self, host, bytes_per_s):
        """Limit what the host can receive; 0: no limit."""
        self.hub.command(f"rate {self.hosts.index(host)} {bytes_per_s}")

    def check(self):
        """Fail if a host has died or its kernel has complained."""
        for host in self.hosts:
            host.check()

    def close(self):
        """Power everything off; keep the consoles if something failed."""
        for host in self.hosts:
            host.close()
        if self.hub:
            self.hub.close()
        if self.failed and self.hosts:
            say(f"lab: consoles are kept in {self.dir}")
            if os.path.exists(os.path.join(self.dir, "initrd")):
                os.unlink(os.path.join(self.dir, "initrd"))
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.failed = kind is not None and kind is not KeyboardInterrupt
        try:
            if not self.failed:
                try:
                    self.check()
                except LabError:
                    self.failed = True
                    raise
        finally:
            self.close()


def how_to_build(kernel):
    """The command that makes a module for the hosts' kernel."""
    name = kernels.wanted()
    if name:
        return f"selftests/lab/labctl module --kernel {name}"
    return "make module KDIR=$(selftests/lab/labctl headers)"


def check_vermagic(path, kernel):
    """Refuse a module that was built for another kernel than the hosts'."""
    if not os.path.exists(path):
        raise LabError(f"{path}: no such module: build it first: "
                       f"{how_to_build(kernel)}")
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(b"vermagic=")
    magic = data[at + 9:data.find(b"\0", at)].decode() if at >= 0 else "none"
    if magic.split(" ")[0] != kernel.version:
        raise LabError(f"{path}: built for kernel {magic.split(' ')[0]}, the "
                       f"lab boots {kernel.version}: build it with "
                       f"{how_to_build(kernel)}")
