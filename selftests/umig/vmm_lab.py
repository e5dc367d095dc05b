#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The micro-VMM on a KVM that virtualizes in hardware, which this machine's
may not: its own tests and the engine's there (the dirty ring is sound there,
and half-done I/O is really half done), and that a Linux guest's ways to reboot
are heard."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import packages, scenario
from lab.cluster import Cluster
from lab.cpio import Archive
from lab.image import add_busybox
from lab.say import run
from lab.tap import Tap, check, diag

TESTS = ["vmm_kvm_test", "kvm_engine_test"]
CRASHED = 5

INIT = """\
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc
echo BOOTED $(cut -d' ' -f1 /proc/uptime) \\
	$(grep -c ^processor /proc/cpuinfo) \\
	$(sed -n 's/^MemTotal: *//p' /proc/meminfo)
reboot -f
"""


def initrd(path):
    """A guest that tells what it has and reboots."""
    archive = Archive()
    for d in ("proc", "dev"):
        archive.directory(f"/{d}")
    archive.node("/dev/console", 5, 1)
    add_busybox(archive)
    archive.data("/init", INIT, 0o755)
    with open(path, "wb") as f:
        f.write(archive.bytes())


def build():
    """The test programs, as (here, there)."""
    here = [os.path.join(scenario.BUILD, "selftests", "umig", t)
            for t in TESTS]
    run(["make", "-s", "-C", scenario.REPO] +
        [os.path.relpath(p, scenario.REPO) for p in here])
    return [(p, f"/bin/{t}") for p, t in zip(here, TESTS)]


def own_tests(tap, host):
    """The unit tests, on this KVM."""
    for t in TESTS:
        with tap.case(f"{t} with hardware virtualization"):
            c = host.run(f"CMOCKA_MESSAGE_OUTPUT=TAP {t}", 300)
            diag(c.out.strip())
            diag(c.err.strip())
            check("SKIP" not in c.out, "nothing was skipped")
            check(c.status == 0, f"exit status {c.status}")


def reboot(tap, host, how, status, why, *options):
    """A guest reboots; umig run must say so and end with @status."""
    with tap.case(f"a guest that reboots with \"{how}\""):
        c = host.run(["umig", "run", "--name", "reboots", "--control",
                      "/run/vm.sock", "--kernel", "/guest/vmlinuz",
                      "--initrd", "/guest/reboots", "--cmdline",
                      f"console=ttyS0 quiet panic=-1 {how}", *options], 120)
        diag(c.out.strip())
        diag(c.err.strip())
        check("BOOTED" in c.out, "it reached its init")
        check(why in c.err, f"umig says {why!r}")
        check(c.status == status, f"exit status {c.status}, not {status}")
        return c.out


def memory_above_4g(tap, host):
    """More RAM than fits below the hole, and four vCPUs."""
    out = reboot(tap, host, "nokaslr", 0, "the guest reset", "--memory", "5G",
                 "--cpus", "4")
    with tap.case("it has four vCPUs and all of 5 GiB"):
        words = out[out.index("BOOTED"):].split()
        check(words[2] == "4", f"{words[2]} vCPUs")
        check(int(words[3]) > 4.6 * 1024 * 1024, f"{words[3]} KiB")


def main():
    """The exit status."""
    tap = Tap()
    with tempfile.TemporaryDirectory() as tmp, tap.lab("the lab"):
        image = os.path.join(tmp, "initrd")
        initrd(image)
        files = build() + [(scenario.UMIG, "/bin/umig"),
                           (packages.kernel().image, "/guest/vmlinuz"),
                           (image, "/guest/reboots")]
        with Cluster(1, files=files, memory="2G") as lab:
            host = lab.hosts[0]
            own_tests(tap, host)
            small = ("--memory", "128M")
            reboot(tap, host, "", 0, "the guest reset", *small)
            reboot(tap, host, "reboot=k", 0, "the guest reset", *small)
            reboot(tap, host, "reboot=t", CRASHED, "triple fault", *small)
            memory_above_4g(tap, host)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
