#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lab itself: what the other tests rely on.  That a dying host, a kernel
that complains and a command that fails are noticed matters most: a lab that is
deaf would let everything pass."""

import hashlib
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import guest, image, ksm
from lab.cluster import Cluster
from lab.say import LabError
from lab.tap import Tap, check, diag

MB = 1 << 20


def fails(fn, *words):
    """That fn() fails, with a message that has these words."""
    try:
        fn()
    except LabError as e:
        for word in words:
            check(word in str(e), f"{word!r} in: {e}")
        return
    check(False, "it failed")


def commands(tap, host):
    """Commands: status, output, input, signals, several at once."""
    with tap.case("a command's status, output and errors come back"):
        c = host.run("echo out; echo err >&2; exit 7")
        check((c.status, c.out, c.err) == (7, "out\n", "err\n"),
              f"{c.status} {c.out} {c.err}")
        fails(lambda: host.sh("echo why >&2; false"), "exit status 1", "why")
        fails(lambda: host.sh("sleep 9", timeout=0.2), "0.2 s")
    with tap.case("a command that can't be run says so"):
        c = host.run(["/no/such/program"])
        check(c.status == 127 and "No such file" in c.err, c.err)
    with tap.case("a signal ends a command and its children"):
        c = host.start("sleep 1000 & sleep 1000; true")
        c.pid()
        c.signal(signal.SIGTERM)
        check(c.wait(20) == -signal.SIGTERM, f"{c.status}")
    with tap.case("files of some megabytes go in and out whole"):
        data = os.urandom(5 * MB + 1)
        host.put("/tmp/f", data)
        digest = hashlib.md5(data).hexdigest()
        check(digest in host.sh("md5sum /tmp/f"), "the host has it all")
        check(host.get("/tmp/f") == data, "it comes back the same")
    with tap.case("many commands run at once and are told apart"):
        many = [host.start(f"read x; echo $x {i}", keep_input=True)
                for i in range(40)]
        for i, c in enumerate(many):
            c.send(f"line{i}\n")
        for i, c in enumerate(many):
            c.wait(60)
            check(c.out == f"line{i} {i}\n", c.out)


def network(tap, lab):
    """The link can be cut, joined and slowed."""
    a, b = lab.hosts
    ping = f"ping -c 1 -W 2 {b.address}"
    with tap.case("hosts see each other, until the link is cut"):
        a.sh(ping)
        lab.cut(b)
        check(a.run(ping).status != 0, "no answer over a cut link")
        lab.join(b)
        a.sh(ping)
    with tap.case("a slow link is as slow as told"):
        rate = 4 * MB
        lab.slow(b, rate)
        sink = b.start("nc -l -p 99 > /dev/null", keep_input=True)
        sink.pid()
        b.sh("until grep -q :0063 /proc/net/tcp /proc/net/tcp6; "
             "do usleep 100000; done")
        start = time.monotonic()
        a.sh(f"dd if=/dev/zero bs=64k count=192 status=none | "
             f"nc {b.address} 99")
        sink.wait()
        took = time.monotonic() - start
        lab.slow(b, 0)
        diag(f"12 MB at 4 MB/s: {took:.1f} s")
        check(2.5 < took < 12, f"{took:.1f} s")


def walk(tap, host):
    """The reference walk sees what KSM says that it has merged."""
    with tap.case("the reference walk agrees with KSM's counters"):
        c = host.start(["mergeable", "/dev/vda", "64", "2"], keep_input=True)
        c.wait_line(lambda line: line.text == "READY")
        ksm.speed(host, 5000)
        now = ksm.settle(host)
        host.sh("echo 0 > /sys/kernel/mm/ksm/run")
        now = ksm.state(host)
        w = ksm.walk(host, c.pid())
        diag(f"{now}, {w.merged()} merged, {len(w.contents())} contents")
        check(len(w) == 2 * 64 * 256, f"{len(w)} pages")
        check(w.merged() == now.pages_shared + now.pages_sharing,
              "merged pages: walked and counted")
        # Contents with very many sharers have several pages.
        dups = now.stable_node_dups - now.stable_node_chains
        check(len(w.contents()) == now.pages_shared - max(dups, 0),
              "contents: walked and counted")
        check(ksm.pages_of_host(host) == now.pages_shared,
              "pages of KSM: by their flags and counted")
        check(len(w.merged_also_in(w.contents())) > 2000, "not only zeroes")
        c.send("touch 1\n")
        c.wait_line(lambda line: line.text == "TOUCHED")
        check(ksm.walk(host, c.pid()).merged() == 0, "written: none is merged")
        c.kill()
        check(ksm.let_go(host) == 0, "no page is left when all is let go")


def trouble(tap, lab):
    """A kernel that complains and a host that dies are noticed."""
    a, b = lab.hosts
    with tap.case("a panic fails what waits, with the console's end"):
        c = a.start("sleep 1000")
        a.start("echo c > /proc/sysrq-trigger")
        fails(c.wait, "sysrq triggered crash")
        fails(lab.check, "Kernel panic")
    with tap.case("a host that dies is noticed at once"):
        c = b.start("sleep 1000")
        c.pid()
        b.process.kill()
        start = time.monotonic()
        fails(c.wait, "the host died", "SIGKILL")
        check(time.monotonic() - start < 5, "at once")


def main():
    """The exit status."""
    tap = Tap()
    with tap.lab("the lab"):
        lab = Cluster(2, cpus=2, files=[ksm.walker(), (image.program("mergeable"),
                                               "/bin/mergeable")],
                      disks=[guest.scratch()], memory="1G")
        try:
            a, _ = lab.hosts
            with tap.case("a host has what guests need"):
                a.sh("test -c /dev/kvm && test -b /dev/vda && "
                     "test -d /sys/kernel/debug/kprobes && "
                     "test -d /sys/kernel/tracing/events && "
                     "test -f /sys/fs/cgroup/cgroup.procs")
            commands(tap, a)
            network(tap, lab)
            walk(tap, a)
            trouble(tap, lab)
        finally:
            lab.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
