# SPDX-License-Identifier: GPL-2.0
"""Links between two ends: loopback, 1 Gbit/s, delay; each in network
namespaces of its own, so that nothing else is counted and nothing leaves."""

import json
import os
import subprocess
import time

from live import BenchError

ONE_G = "1gbit"


def _ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"ip {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


class Link:
    """Two ends; @interface of the source's counts what goes over it."""

    def __init__(self, name):
        self.name = name
        base = f"umig-bench-{os.getpid()}"
        self.source_ns = base + "-s"
        self.target_ns = self.source_ns
        self.interface = "lo"
        self.address = "127.0.0.1"
        self.bits_per_second = None
        self.delay_ms = 0
        self._namespaces = []

    def _add_ns(self, name):
        _ip("netns", "add", name)
        self._namespaces.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def __enter__(self):
        try:
            self._add_ns(self.source_ns)
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        """Loopback is up already."""

    def __exit__(self, *_):
        for name in self._namespaces:
            _ip("netns", "del", name)
        self._namespaces = []

    def wire_bytes(self):
        """Both directions since the link is up; on lo each byte once."""
        stats = json.loads(_ip("-n", self.source_ns, "-s", "-j", "link",
                               "show", self.interface))[0]["stats64"]
        both = stats["tx"]["bytes"]
        return both if self.interface == "lo" else both + stats["rx"]["bytes"]


class Loopback(Link):
    """lo of a namespace."""


class TwoEnds(Link):
    """Two namespaces joined by an interface in each, ends up to subclasses."""

    interface_names = ("link0", "link1")

    def set_up(self):
        self.target_ns = self.source_ns[:-1] + "d"
        self._add_ns(self.target_ns)
        self.join()
        for ns, name, host in ((self.source_ns, self.interface_names[0], 1),
                               (self.target_ns, self.interface_names[1], 2)):
            _ip("-n", ns, "addr", "add", f"10.99.0.{host}/24", "dev", name)
            _ip("-n", ns, "link", "set", name, "up")
        self.interface = self.interface_names[0]
        self.address = "10.99.0.2"

    def join(self):
        raise NotImplementedError


class Tbf(TwoEnds):
    """veth with a token bucket at both ends."""

    def join(self):
        a, b = self.interface_names
        _ip("-n", self.source_ns, "link", "add", a, "type", "veth", "peer",
            "name", b, "netns", self.target_ns)
        for ns, name in ((self.source_ns, a), (self.target_ns, b)):
            done = subprocess.run(
                ["tc", "-n", ns, "qdisc", "add", "dev", name, "root", "tbf",
                 "rate", ONE_G, "burst", "256kb", "latency", "20ms"],
                capture_output=True, text=True)
            if done.returncode:
                raise BenchError(f"no tbf on {name}: {done.stderr.strip()}")
        self.bits_per_second = 1e9


class Delay(TwoEnds):
    """delay_line: two TUN devices, every packet held back on its way."""

    def __init__(self, name, program, delay_ms, mbit):
        super().__init__(name)
        self.program = program
        self.delay_ms = delay_ms
        self.bits_per_second = mbit * 1e6
        self.child = None

    def join(self):
        a, b = self.interface_names
        self.child = subprocess.Popen(
            [self.program, f"/run/netns/{self.source_ns}", a,
             f"/run/netns/{self.target_ns}", b, str(self.delay_ms * 1000),
             str(int(self.bits_per_second / 1e6))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.child.stdout.readline().strip() != "ready":
            raise BenchError("delay_line: " +
                             self.child.stderr.read().strip())

    def __exit__(self, *_):
        if self.child:
            self.child.terminate()
            self.child.wait()
            self.child.stdout.close()
            self.child.stderr.close()
            self.child = None
            time.sleep(0.05)    # its devices go with it
        super().__exit__()
