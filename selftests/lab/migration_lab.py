#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Migrations of Linux guests between two hosts, with and without the module,
undisturbed and disturbed.  One pair of hosts serves all cases, in order: the
guest goes back and forth, at work all the while, and each case ends with the
guest alive and its memory, disk and clock as it left them.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import guest, ksm, scenario
from lab.cluster import Cluster
from lab.host import Disk
from lab.scenario import Guest
from lab.tap import Tap, check, diag

SHARED_MB = 96
MIGRATION_FAILED = 3
# ksmd runs, but does nothing in the time of a migration.
IDLE = (1, 5000)
STAT = "/sys/class/misc/umig/stat"


def describe(report):
    """A migration in a comment line."""
    pages = report["pages"]
    diag(f"{report['rounds']} rounds by {report['dirty_source']}, "
         f"{report['total_ms']:.0f} ms, downtime {report['downtime_ms']:.0f} "
         f"ms, verification {report['verify_ms']:.0f} ms, zero "
         f"{pages['zero']} held {pages['held']} duplicate "
         f"{pages['duplicate']} plain {pages['plain']} resent "
         f"{pages['resent']}, wire {report['bytes']['wire_tx']}")


def check_moved(g, migration, host):
    """A migration that succeeded: the report, and the guest."""
    report = migration.report
    describe(report)
    check(report["status"] == "completed", f"status {report['status']}")
    check(report["verified"] is True, "memory was compared, and equal")
    check(g.process.host is host, "the guest is at the destination")
    check(migration.source.command.status == 0,
          f"the source's process ended: {migration.source.command.status}")
    pages = report["pages"]
    check(pages["zero"] + pages["held"] + pages["duplicate"] +
          pages["plain"] == pages["total"], f"each page has a class: {pages}")
    check(len(migration.classes()) == pages["total"],
          "the file of classes has a byte a page")
    alive(g)


def alive(g, beats=20):
    """The guest works and has nothing to complain about."""
    g.serial.wait_beats(beats)
    g.serial.check()


def check_failed(g, migration, words, status=MIGRATION_FAILED):
    """A migration that failed: said why, and the guest is where it was."""
    check(migration.wait(120) == status,
          f"umig migrate ended with {migration.command.status}, not {status}")
    text = migration.command.err
    diag(text.strip())
    for word in words:
        check(word in text, f"the message names {word!r}: {text.strip()}")
    check(migration.report["status"] == "failed", migration.report["status"])
    check(g.process is migration.source, "the guest is at the source")
    alive(g)


def without_module(tap, g, there):
    """Both hosts lack the module: everything that isn't zero is sent."""
    with tap.case("a guest moves without the module, and the user is told"):
        migration = g.migrate(there, "--compress", "none")
        report = migration.report
        check_moved(g, migration, there)
        check(report["pages"]["held"] == 0, "nothing was held")
        check(report["index"]["offered"] == 0, "nothing was offered")
        check("module" in report["warning"],
              f"the warning names the module: {report['warning']!r}")
        check(report["bytes"]["wire_tx"] > report["pages"]["plain"] * 4096,
              "plain pages were sent whole")


def dense_writer(tap, dense, there):
    """The ring with a writer that outruns the link."""
    with tap.case("a dense writer moves, round after round by the ring"):
        before = dense.process.ask("query-dirty")
        migration = dense.start_migration(
            dense.listen(there, port=7001), "--max-rounds", 3,
            "--on-timeout", "stop", port=7001)
        source = dense.process
        counters = poll_dirty(source, migration)
        migration.finish()
        check_moved(dense, migration, there)
        report = migration.report
        check(report["dirty_source"] == "ring", report["dirty_source"])
        check(report["rounds"] >= 3, f"{report['rounds']} rounds")
        check(report["pages"]["resent"] > 1000,
              f"{report['pages']['resent']} pages re-sent")
        harvested = counters["ring-harvested"] - before["ring-harvested"]
        check(harvested > 1000, f"{harvested} entries harvested from rings")
        check(counters["log-gets"] == before["log-gets"],
              "the bitmap wasn't asked")
        check(counters["ring-overflows"] == 0, "no ring overflowed")
        passes = dense.serial.beats[-1].dense
        dense.serial.wait(lambda: dense.serial.beats[-1].dense >= passes + 2,
                          60, "two more dense passes")
        dense.serial.check()


def poll_dirty(source, migration):
    """The last dirty counters that the source told before it ended."""
    last = None
    while migration.command.running():
        try:
            last = source.ask("query-dirty")
        except scenario.LabError:
            break
    return check(last, "the source told its counters during the migration")


def in_precopy(migration, sent):
    """Wait until pre-copy is well under way."""
    while True:
        report = migration.source.ask("query-migrate")
        if report.get("status") == "precopy" and \
           report["bytes"]["wire_tx"] > sent:
            return
        check(migration.command.running(),
              f"the migration is still under way: {report.get('status')}")


def destination_killed(tap, lab, g, there):
    """The destination dies in the middle of pre-copy."""
    with tap.case("a destination killed in pre-copy leaves the guest here"):
        lab.slow(there, 4 << 20)
        migration = g.start_migration(g.listen(there))
        in_precopy(migration, 4 << 20)
        beats = len(g.serial.beats)
        migration.target.command.signal(signal.SIGKILL)
        check_failed(g, migration, ["destination"])
        check(len(g.serial.beats) > beats, "its heart goes on")
        lab.slow(there, 0)
    with tap.case("and moves to a fresh destination afterwards"):
        lab.slow(there, 0)
        migration = g.start_migration(g.listen(there, dirty="bitmap"))
        migration.finish()
        check_moved(g, migration, there)


def link_cut(tap, lab, g, there):
    """The cable is pulled in the middle of pre-copy."""
    with tap.case("a link cut in pre-copy leaves the guest here"):
        lab.slow(there, 4 << 20)
        process = g.listen(there)
        migration = g.start_migration(process, "--peer-timeout", 5)
        in_precopy(migration, 4 << 20)
        lab.cut(there)
        # Silence, or what the host's own stack has found out before.
        check_failed(g, migration, ["is it, or the network, down"])
        lab.join(there)
        lab.slow(there, 0)
        process.command.kill()


def without_key(tap, lab, g, there):
    """The module is loaded but has no key; the guest came to a bitmap."""
    with tap.case("by the bitmap, with a module that lacks a key: it is said"):
        for host in lab.hosts:
            host.sh("insmod /umig.ko")
        migration = g.migrate(there)
        check_moved(g, migration, there)
        check("key" in migration.report["warning"],
              f"the warning names the key: {migration.report['warning']!r}")
        check(migration.report["pages"]["held"] == 0, "nothing was held")
        check(migration.report["dirty_source"] == "bitmap",
              migration.report["dirty_source"])


def merge_with_image(lab, disk):
    """Let KSM merge what guests read of their image with copies of it."""
    for host in lab.hosts:
        # One copy makes the guest's pages merge, two make pages merge that
        # no guest here has.
        host.stand_in = host.start(["mergeable", disk, SHARED_MB, 2],
                                   keep_input=True)
    for host in lab.hosts:
        host.stand_in.wait_line(lambda line: line.text == "READY", 120)
        ksm.speed(host, 5000)
    for host in lab.hosts:
        ksm.settle(host)
        scenario.wait_index(host)


def touch(hosts, every):
    """Write to every so manieth page of what stands in for guests."""
    at = [len(host.stand_in.lines) for host in hosts]
    for host in hosts:
        host.stand_in.send(f"touch {every}\n")
    for host, first in zip(hosts, at):
        host.stand_in.wait_line(lambda line: line.text == "TOUCHED", 60, first)


def hash_only(tap, lab, g, there):
    """Pages that both hosts have merged go as digests, under leases.  Returns
    what they take at the destination, as copies."""
    taken_bytes = 0
    with tap.case("merged pages are held; leases are taken and released"):
        scenario.set_key(*lab.hosts)
        merge_with_image(lab, "/dev/vdc")
        before = scenario.index(there)
        ksm.speed(there, *IDLE)
        taken_bytes = -ksm.anon_bytes(there)
        process = g.listen(there)
        # Somebody else finds the port first.
        there.sh("head -c 100000 /dev/urandom | nc -w 2 "
                 f"{there.address} {scenario.PORT} > /dev/null; true")
        migration = g.start_migration(process)
        migration.finish()
        taken_bytes += ksm.anon_bytes(there)
        check_moved(g, migration, there)
        report = migration.report
        after = scenario.wait_leases_given_back(there)
        check(report["pages"]["held"] > 2000,
              f"{report['pages']['held']} pages held")
        check(report["warning"] == "", report["warning"])
        check(0 < report["index"]["confirmed"] <= report["index"]["offered"],
              f"{report['index']}")
        taken = after["confirm_held"] - before["confirm_held"]
        check(taken >= report["index"]["confirmed"],
              f"{taken} leases taken, {report['index']['confirmed']} "
              "confirmed")
        given = after["lease_released"] - before["lease_released"] + \
            after["lease_expired"] - before["lease_expired"]
        check(given == taken, f"{taken} leases taken, {given} given back")
        check(after["filled"] > before["filled"], "pages were filled")
        check(after["shared"] == 0, "SHARE is off unless it is asked for")
        check(after["lease_mismatch"] == 0, "no lease was of a wrong content")
        ksm.speed(there, 5000)
        ksm.settle(there)
        scenario.wait_index(there)
    return taken_bytes


def load_hookless(host):
    """A module that doesn't find what it is to hook, as on a kernel that has
    no such function."""
    host.sh("rmmod umig; insmod /umig-debug.ko share=1 "
            f"debug_break={scenario.BREAK_SYMBOL}")
    scenario.set_key(host)
    check(scenario.index(host, "info")["mode"] == "scan", "it scans")
    host.sh("until [ $(cat /sys/class/misc/umig/hashed_pages) -ge 2000 ]; "
            "do usleep 100000; done", timeout=120)


def from_hookless(tap, g, there):
    """A host whose KSM can't be hooked gives no digests."""
    with tap.case("from a host in mode scan all is sent, and it is said"):
        here = g.process.host
        load_hookless(here)
        merged = int(here.sh(f"cat /proc/{g.process.pid()}/ksm_merging_pages"))
        asked = scenario.index(there)["confirm_asked"]
        migration = g.migrate(there)
        check_moved(g, migration, there)
        report = migration.report
        diag(f"{merged} of its pages were merged")
        check(merged > 2000, f"{merged} pages were there to be named")
        pages = report["pages"]
        check(pages["zero"] + pages["plain"] == pages["total"],
              f"all that isn't zero was sent: {pages}")
        check(report["index"]["offered"] == 0, "nothing was offered")
        check("mode scan" in report["warning"] and
              "dmesg" in report["warning"],
              f"the warning names the mode: {report['warning']!r}")
        check(scenario.index(here)["range_merged"] == 0,
              "the module gave no digest")
        check(scenario.index(there)["confirm_asked"] == asked,
              "the destination wasn't asked for any")


def to_hookless(tap, g, there):
    """It finds what others name nevertheless, and looks at it first."""
    here = g.process.host
    with tap.case("to a host in mode scan merged pages go as digests, each is "
                  "hashed again"):
        ksm.settle(here)
        scenario.wait_index(here)
        scenario.wait_index(there)
        before = scenario.index(there)
        process = g.listen(there)
        # Nobody tells the module that these have changed.
        touch([there], 16)
        migration = g.start_migration(process)
        migration.finish()
        check_moved(g, migration, there)
        index = migration.report["index"]
        after = scenario.wait_leases_given_back(there)
        grown = {name: after[name] - before[name] for name in after}
        diag(f"offered {index['offered']} confirmed {index['confirmed']} "
             f"refused {index['refused']}, {grown['lease_rehashed']} hashed "
             f"again, {grown['lease_mismatch']} of them something else, "
             f"{grown['shared']} shared, {grown['share_copied']} copied, "
             f"{grown['rescans']} scans")
        check(migration.report["pages"]["held"] > 2000,
              f"{migration.report['pages']['held']} pages held")
        check(migration.report["warning"] == "", migration.report["warning"])
        check(0 < index["confirmed"] < index["offered"],
              f"some were not held any more: {index}")
        check(grown["confirm_held"] >= index["confirmed"],
              f"{grown['confirm_held']} leases taken")
        check(grown["lease_rehashed"] >= grown["confirm_held"],
              f"{grown['lease_rehashed']} hashed again of "
              f"{grown['confirm_held']} leases")
        check(grown["shared"] > 2000, f"{grown['shared']} pages shared")
        check(after["share_adopted"] == 0, "nobody tells that ksmd adopts")
        check(scenario.index(there, "info")["mode"] == "scan", "it still scans")


def hooked_again(tap, g):
    """The module as it was."""
    with tap.case("its module goes, and copies what the guest shares"):
        here = g.process.host
        ksm.speed(here, *IDLE)
        before = ksm.anon_bytes(here)
        here.sh("rmmod umig")
        grown = ksm.anon_bytes(here) - before
        diag(f"memory grew by {grown >> 10} KiB")
        check(grown > 2000 * 4096, f"by {grown} bytes alone")
        here.sh("insmod /umig.ko")
        scenario.set_key(here)
        ksm.speed(here, 5000)
        ksm.settle(here)
        scenario.wait_index(here)
        g.serial.check()


def sharing(tap, g, there, copies_bytes):
    """What is held becomes the guest's without a copy."""
    with tap.case("pages that are held are shared, and take no memory"):
        there.sh("echo Y > /sys/module/umig/parameters/share")
        before = scenario.index(there)
        ksm.speed(there, *IDLE)
        grown = -ksm.anon_bytes(there)
        migration = g.migrate(there)
        grown += ksm.anon_bytes(there)
        walk = ksm.walk(there, g.process.pid())
        check_moved(g, migration, there)
        after = scenario.wait_leases_given_back(there)
        shared = after["shared"] - before["shared"]
        told = g.process.ask("query-migrate")["index"]["shared"]
        diag(f"{shared} pages shared, "
             f"{after['share_copied'] - before['share_copied']} copied, "
             f"memory grew by {grown >> 10} KiB; by copies "
             f"{copies_bytes >> 10} KiB")
        check(shared > 2000, f"{shared} pages shared")
        check(told == shared, f"{shared} pages shared, the report says {told}")
        check(walk.merged() > shared / 2, f"{walk.merged()} are merged, "
              f"{walk.private()} are the guest's own")
        check(grown < copies_bytes - shared * 4096 / 2,
              f"{grown} bytes more, not much less than {copies_bytes}")
        check(after["lease_mismatch"] == 0, "no lease was of a wrong content")
    with tap.case("ksmd adopts what is shared"):
        ksm.speed(there, 5000)
        there.sh(f"until [ $(cat {STAT}/share_adopted) -ge "
                 f"{walk.merged() // 2} ]; do usleep 200000; done",
                 timeout=300)


def written_after(tap, g, there):
    """The guest's writes are its own: what is held stays as it is."""
    with tap.case("writes to shared pages change nothing that is held"):
        before = ksm.walk(there, g.process.pid())
        held = ksm.walk(there, there.stand_in.pid())
        g.process.command.send("reuse 40\n")
        g.serial.wait_line("REUSED", 300)
        after = ksm.walk(there, g.process.pid())
        written = sum(a is not None and a != b for a, b in
                      zip(before.digests, after.digests))
        check(written > 1000, f"{written} shared pages were written")
        now = ksm.walk(there, there.stand_in.pid())
        wrong = sum(a is not None and b is not None and a != b for a, b in
                    zip(held.digests, now.digests))
        same = sum(a is not None and a == b for a, b in
                   zip(held.digests, now.digests))
        diag(f"{written} shared pages written, {same} of the host's own the "
             f"same, {wrong} changed")
        check(not wrong, f"{wrong} of the host's own pages have changed")
        check(same > 10000, f"only {same} pages were compared")
        alive(g)


def churn(tap, lab, g, there):
    """What is merged changes while the migration runs, and the source's
    pages are shared ones."""
    with tap.case("pages that leave KSM under way come whole, others are "
                  "shared"):
        there.sh("echo Y > /sys/module/umig/parameters/share")
        before = scenario.index(there)
        process = g.listen(there)
        migration = g.start_migration(process)
        touched = 0
        while migration.command.running():
            touch(lab.hosts, 3 + touched % 5)
            touched += 1
        migration.finish()
        diag(f"memory of both hosts touched {touched} times, refused "
             f"{migration.report['index']['refused']}")
        check_moved(g, migration, there)
        check(touched > 0, "memory was touched during the migration")
        check(migration.report["index"]["confirmed"] <
              migration.report["index"]["offered"],
              f"some were not held any more: {migration.report['index']}")
        after = scenario.wait_leases_given_back(there)
        diag(f"{after['shared'] - before['shared']} pages shared")
        check(after["shared"] > before["shared"], "pages were shared")
        check(after["lease_mismatch"] == 0, "no lease was of a wrong content")


def stop_dense(tap, dense, disk):
    """Its work is done; what KSM is to settle on had better keep still."""
    with tap.case("the dense writer ends, its disk is in order"):
        dense.stop()
        guest.fsck(disk)


def stop_all(tap, lab, g, disk):
    """The end: file systems in order, nothing merged, no reference left."""
    with tap.case("the guest ends, its disk is in order, the modules unload"):
        g.stop()
        guest.fsck(disk)
        for host in lab.hosts:
            host.stand_in.end_input()
            host.stand_in.wait(30)
            host.sh("echo 2 > /sys/kernel/mm/ksm/run; rmmod umig")
            check(ksm.state(host).pages_shared == 0, "nothing is merged")


def main():
    """The exit status."""
    tap = Tap()
    disks = [guest.scratch(), guest.scratch(), Disk(guest.disk(), True)]
    with tap.lab("the lab"), Cluster(
            2, files=scenario.files(), ko=[scenario.KO, scenario.KO_DEBUG],
            disks=disks) as lab:
        a, b = lab.hosts
        scenario.introduce(a, b)
        g = Guest("g1", "/dev/vda", memory="192M", cpus=2,
                  dirty="ring",
                  work={"read_mb": 48, "cold_mb": 8}).start(a)
        dense = Guest("dense", "/dev/vdb", memory="128M", dirty="ring",
                      work={"read_mb": 4, "dense_kb": 16384}).start(a)
        g.ready()
        dense.ready()
        without_module(tap, g, b)
        dense_writer(tap, dense, b)
        destination_killed(tap, lab, g, a)
        link_cut(tap, lab, g, b)
        without_key(tap, lab, g, b)
        stop_dense(tap, dense, disks[1])
        copies_bytes = hash_only(tap, lab, g, a)
        from_hookless(tap, g, b)
        to_hookless(tap, g, a)
        hooked_again(tap, g)
        sharing(tap, g, b, copies_bytes)
        written_after(tap, g, b)
        churn(tap, lab, g, a)
        stop_all(tap, lab, g, disks[0])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
