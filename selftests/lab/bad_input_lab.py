#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a user can get wrong, and a peer: each is refused with a message that
names the thing, and a guest that runs goes on as if nothing had been."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import guest, scenario
from lab.cluster import Cluster
from lab.scenario import Guest
from lab.tap import Tap, check, diag

MIGRATION_FAILED = 3
RUN = ("umig run --memory 96M --serial none --control /run/umig/bad.sock "
       "--kernel %s --initrd %s")


def refused(tap, host, name, line, *words, timeout=60):
    """A command line that must fail, with these words."""
    with tap.case(name):
        c = host.run(line, timeout)
        text = c.err
        diag(text.strip())
        check(c.status is not None and 0 < c.status < 126,
              f"exit status {c.status}")
        for word in words:
            check(word.lower() in text.lower(), f"it names {word!r}")


def before_any_guest(tap, host):
    """Things that umig run and umig index refuse."""
    run = RUN % ("/guest/vmlinuz", "/guest/initrd")
    refused(tap, host, "a kernel that is none",
            RUN % ("/bin/busybox", "/guest/initrd"), "/bin/busybox", "bzImage")
    refused(tap, host, "a kernel that is cut short",
            "head -c 600 /guest/vmlinuz > /tmp/short; " +
            RUN % ("/tmp/short", "/guest/initrd"), "/tmp/short")
    refused(tap, host, "an initrd that isn't there",
            RUN % ("/guest/vmlinuz", "/no/initrd"), "/no/initrd")
    refused(tap, host, "a disk that isn't there", run + " --disk /dev/none",
            "/dev/none")
    refused(tap, host, "an initrd larger than the memory",
            "truncate -s 120M /tmp/big; " +
            RUN % ("/guest/vmlinuz", "/tmp/big"), "/tmp/big", "memory")
    refused(tap, host, "a host without KVM",
            "mv /dev/kvm /dev/away; " + run +
            "; s=$?; mv /dev/away /dev/kvm; exit $s", "/dev/kvm")
    refused(tap, host, "a key of the wrong length",
            "head -c 31 /dev/urandom > /tmp/key; umig index set-key /tmp/key",
            "/tmp/key", "32")
    refused(tap, host, "no module", "umig index info", "/dev/umig", "module")


def destination(tap, g, host, name, machine, *words):
    """A destination that isn't the guest's machine: refused by name."""
    with tap.case(name):
        # the guest's own name is taken on its host
        target = g.listen(host, **dict(machine, name="elsewhere"))
        migration = g.start_migration(target)
        status = migration.wait(120)
        text = migration.command.err
        diag(text.strip())
        check(status == MIGRATION_FAILED, f"exit status {status}")
        for word in words:
            check(word.lower() in text.lower(), f"it names {word!r}")
        g.serial.wait_beats(10)
        g.serial.check()
        target.command.kill()


def strangers(tap, g, a, b):
    """Sources that the destination doesn't know, or not so."""
    target = g.listen(b)
    a.sh("umig keygen --key /tmp/other.key")
    for name, option, ours, theirs in (
            ("a key that the destination doesn't know",
             "--key /tmp/other.key", "refuses", "/etc/umig/peers"),
            ("--insecure at one end only", "--insecure", "--insecure",
             "--insecure"),
            ("another host's key expected", "--peer host3", "refuses",
             "not for this host's key")):
        with tap.case(name):
            before = len(target.log)
            c = g.process.umig("migrate", "--to",
                               f"{b.address}:{scenario.PORT}",
                               *option.split())
            diag(c.err.strip())
            check(c.status == MIGRATION_FAILED, f"exit status {c.status}")
            check(ours in c.err, f"it says {ours!r}")
            said = target.wait_log("refused", "the destination says so",
                                   before)
            check(len(said) == 1 and theirs in said[0],
                  f"the destination says once {theirs!r}: {said}")
            g.serial.check()
    target.command.kill()


def peers(tap, g, a, b):
    """Addresses and peers that are no destination."""
    def migrate(address, *more):
        return " ".join(["umig migrate --control", g.process.control, "--to",
                         address, *more])

    refused(tap, a, "a peer that isn't there", migrate(f"{b.address}:7999"),
            f"{b.address}:7999", "refused")
    refused(tap, a, "a host that isn't there",
            migrate("10.0.0.77:7000", "--insecure --peer-timeout 10"),
            "10.0.0.77")
    refused(tap, a, "a host that isn't in the peers file",
            migrate("10.0.0.77:7000"), "10.0.0.77", "/etc/umig/peers", "--peer")
    refused(tap, a, "a source without a key",
            migrate(f"{b.address}:7000", "--key /tmp/none.key"),
            "/tmp/none.key", "umig keygen")
    refused(tap, a, "an address that is none", migrate("nonsense"), "nonsense")
    with tap.case("a peer that speaks garbage"):
        garbage = b.start("head -c 65536 /dev/urandom | nc -l -p 7050",
                          keep_input=True)
        garbage.pid()
        b.sh("until grep -q :1B8A /proc/net/tcp /proc/net/tcp6; "
             "do usleep 100000; done")
        c = a.run(migrate(f"{b.address}:7050", "--peer-timeout 10"))
        diag(c.err.strip())
        check(c.status == MIGRATION_FAILED, f"exit status {c.status}")
        garbage.kill()
    with tap.case("a peer that accepts and says nothing"):
        mute = b.start("nc -l -p 7050 > /dev/null", keep_input=True)
        mute.pid()
        b.sh("until grep -q :1B8A /proc/net/tcp /proc/net/tcp6; "
             "do usleep 100000; done")
        c = a.run(migrate(f"{b.address}:7050", "--peer-timeout 5"))
        diag(c.err.strip())
        check(c.status == MIGRATION_FAILED, f"exit status {c.status}")
        mute.kill()
    with tap.case("a control socket that is told garbage"):
        c = a.start(["unixcat", g.process.control], keep_input=True)
        c.wait_line(lambda line: line.text.startswith("{"))
        for i, line in enumerate(("{", "[]", '{"execute": "no-such"}',
                                  '{"execute": 7}', "\x00\xff" * 40)):
            c.send(line + "\n")
            c.wait_line(lambda line: "error" in line.text, start=i + 1)
        c.kill()
    with tap.case("after all that the guest is well"):
        g.serial.wait_beats(20)
        g.serial.check()


def too_little_memory(tap, g, b):
    """A destination that hasn't the memory for the guest."""
    b.sh("mount -o remount,size=90% /tmp; "
         "a=$(awk '/MemAvailable/ {print $2}' /proc/meminfo); "
         "dd if=/dev/zero of=/tmp/full bs=1k count=$((a - 120000)) "
         "status=none")
    destination(tap, g, b, "a destination with too little free memory", {},
                "memory")
    b.sh("rm /tmp/full")


def main():
    """The exit status."""
    tap = Tap()
    disk, other = guest.scratch(), guest.scratch(64 << 20)
    with tap.lab("the lab"), Cluster(
            3, files=scenario.files(), disks=[disk, other], memory="1G",
            cpu=["max", "max", "max,-avx2,-bmi2"]) as lab:
        a, b, c = lab.hosts
        scenario.introduce(a, b, c)
        g = Guest("g1", "/dev/vda", memory="160M",
                  work={"read_mb": 8}).start(a)
        before_any_guest(tap, a)
        g.ready()
        for option, value, name in (("memory", "128M", "memory"),
                                    ("memory", "192M", "memory"),
                                    ("cpus", "2", "cpus"),
                                    ("disk", "/dev/vdb", "virtio-blk")):
            destination(tap, g, a, f"a destination with {option} {value}",
                        {option: value}, name)
        destination(tap, g, c, "a destination whose CPU lacks something", {},
                    "cpu")
        too_little_memory(tap, g, b)
        strangers(tap, g, a, b)
        peers(tap, g, a, b)
        with tap.case("the guest's disk is in order"):
            g.stop()
            guest.fsck(disk)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
