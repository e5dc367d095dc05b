# SPDX-License-Identifier: GPL-2.0
"""One migration, measured from outside, the same way whoever does it."""

import time

from live import BenchError, NotMoved, WrongPage
from live.contents import wrong_pages
from live.guest import GAP_MS, HASTE, PRIVATE_END

PATIENCE_S = 300        # a busy machine may take a millisecond for a new page


def _settle(pair, load, hz):
    """The guest runs, has written all that it writes once, and is timed."""
    guest = pair.source.guest
    guest.wait("beats", 50, PATIENCE_S)
    if pair.tools.cpus > 1:
        guest.wait("other_beats", 20, PATIENCE_S)
    if load.rate:
        guest.set_pace(HASTE, hz)
        guest.wait("passes", 1, PATIENCE_S)
        guest.set_pace(load, hz)
    return guest.clock_offset_s(hz)


def _cpu(pair):
    return pair.source.cpu_s(), pair.target.cpu_s()


def _rate_before(guest):
    """Pages a second that the guest really writes."""
    first, began = guest.counters()["written"], time.monotonic()
    time.sleep(0.2)
    return (guest.counters()["written"] - first) / (time.monotonic() - began)


def _gaps_ms(gaps, crossing, hz, began_s, offsets):
    """The blackout, and the longest other standstill, as the guest saw them.

    Both are between two beats by the guest's TSC.  The TSC of a VM may stand
    still while nobody runs it, so what its clock was set back by is added.
    @crossing: the last beat at the source.
    """
    source_offset, target_offset = offsets
    back_ms = (target_offset - source_offset) * 1000
    # its clock may have stood still so well that it saw no gap at all
    blackout, other = GAP_MS + max(back_ms, 0), 0
    for before, after in gaps:
        ms = (after - before) / hz * 1000
        if before == crossing:
            blackout = ms + back_ms
        elif before < crossing and before / hz + source_offset >= began_s:
            other = max(other, ms)
    return blackout, other


def _check_itself(guest):
    """What the guest itself found."""
    counters = guest.counters()
    if counters["errors"]:
        raise WrongPage(f"the guest found {counters['errors']} wrong pages, "
                        f"the last at {counters['bad']:#x}")
    return counters


def _compare(pair, contents, load, hz):
    """Every page at the destination, which the guest writes once more first."""
    guest, words = pair.target.guest, []
    if load.rate:
        guest.set_pace(HASTE, hz)
        guest.wait("passes", guest.counters()["passes"] + 2, PATIENCE_S)
    guest.calm()
    written = guest.counters()["written"]
    pair.target.qmp.call("stop")
    counters = _check_itself(guest)
    if counters["written"] != written:
        raise BenchError("the guest goes on writing: it can't be checked")
    wrong = wrong_pages(contents, guest, load, PRIVATE_END, words)
    if counters != guest.counters():
        raise BenchError("the guest runs though it was stopped: it can't be "
                         "checked")
    if wrong:
        raise WrongPage(f"{len(wrong)} wrong pages, the first at "
                        f"{wrong[0]:#x}: {words[0]}")


def _go_on(pair):
    """The guest runs at the destination: CPU times and its log as of its
    first beats there."""
    guest = pair.target.guest
    left = pair.source.guest.counters()
    guest.wait("beats", left["beats"] + 1, PATIENCE_S)
    if pair.tools.cpus > 1:
        guest.wait("other_beats", left["other_beats"] + 1, PATIENCE_S)
    return _cpu(pair), guest.gaps()


def measure(pair, contents, load, hz, seconds, compare=True):
    """Fill, boot, migrate, check.  A wrong page is a WrongPage.

    @compare: all memory, and not just what the guest itself finds.
    Return: what was measured, as JSON has it; "completed" is false if it
    didn't end in time or was given up, with the reason in "why".
    """
    reserve = pair.tools.reserve
    with reserve.giving(pair.source.process.pid):
        contents.load(pair.source.guest, PRIVATE_END)
    pair.boot(load, hz)
    source_offset = _settle(pair, load, hz)
    result = {"completed": False, "nonzero_bytes": contents.nonzero_bytes()}
    if load.rate:
        result["pages_per_s"] = _rate_before(pair.source.guest)
    # the source takes some, too: a cache of 256 MiB in mode qemu-xbzrle
    with reserve.giving(pair.target.process.pid, pair.source.process.pid):
        result["reserve_bytes"] = reserve.held
        written = pair.source.guest.counters()["written"]
        wire, cpu = pair.link.wire_bytes(), _cpu(pair)
        began = time.monotonic()
        pair.migrate()
        try:
            reported = pair.wait(began + seconds)
        except (TimeoutError, NotMoved) as e:
            result["why"] = (str(e) if isinstance(e, NotMoved) else
                             "has not ended in time")
            return result
        result["total_s"] = time.monotonic() - began
    cpu_end, gaps = _go_on(pair)
    result["wire_bytes"] = pair.link.wire_bytes() - wire
    for i, end in enumerate(("source", "target")):
        result[f"cpu_{end}_s"] = cpu_end[i][0] - cpu[i][0]
        result[f"guest_cpu_{end}_s"] = cpu_end[i][1] - cpu[i][1]
    if load.rate:
        written = pair.source.guest.counters()["written"] - written
        result["guest_speed"] = written / result["pages_per_s"] / (
            result["total_s"])
    result["cpu_s"] = result["cpu_source_s"] + result["cpu_target_s"]
    result["blackout_ms"], result["stall_ms"] = _gaps_ms(
        gaps, pair.source.guest.counters()["last"], hz, began,
        (source_offset, pair.target.guest.clock_offset_s(hz)))
    result["reported"] = reported
    result["vcpus"] = pair.vcpus()
    for name, end in (("source", pair.source), ("target", pair.target)):
        result[f"beside_{name}_bytes"] = end.process.beside_bytes(
            end.guest.pieces)
    if compare:
        _compare(pair, contents, load, hz)
    _check_itself(pair.target.guest)
    result["compared"] = compare
    result["completed"] = True
    return result
