#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What bench/run makes of runs: contents, medians, claims, plots.  No VM."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
sys.dont_write_bytecode = True

from live import BenchError, WrongPage, module                  # noqa: E402
from live.claims import claims                                  # noqa: E402
from live.contents import (Contents, Recipe, synthesize,        # noqa: E402
                           wrong_pages)
from live.guest import PAGE, Guest, Load                        # noqa: E402
from live.held import Held                                      # noqa: E402
from live.measure import _gaps_ms                               # noqa: E402
from live.modes import Mode, choose                             # noqa: E402
from live.plan import DEFAULT, PARTS, Cell, cells               # noqa: E402
from live.reserve import AHEAD, Reserve                        # noqa: E402
from live.summary import summarize, table                       # noqa: E402
from live.svg import plot                                       # noqa: E402

SIZE = 8 << 20


class Memory:
    """A process whose memory is ours."""

    def __init__(self, size):
        self.bytes = bytearray(size)

    def read(self, at, count):
        return bytes(self.bytes[at:at + count])

    def write(self, at, data):
        self.bytes[at:at + len(data)] = data


def run(mode, part="loopback", load="idle", **more):
    out = {"part": part, "load": load, "mode": mode, "completed": True,
           "total_s": 1.0, "blackout_ms": 10, "stall_ms": 1,
           "wire_bytes": 1000, "cpu_source_s": 0.5, "cpu_target_s": 0.5,
           "cpu_s": 1.0, "beside_source_bytes": 1 << 20,
           "beside_target_bytes": 1 << 20, "memory_bytes": 1 << 30,
           "nonzero_bytes": PAGE}
    return {**out, **more}


def bench_run():
    """The program, whose name is no module's."""
    loader = importlib.machinery.SourceFileLoader(
        "bench_run", os.path.join(ROOT, "bench/run"))
    found = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(found)
    return found


def run_cell(cell, runs, measure):
    """The runs of a cell with @measure in place of a migration."""
    program, out = bench_run(), []
    program.make_link = lambda *_: contextlib.nullcontext()
    program.measure = measure
    program.say = lambda *_: None
    mode = Mode("umig-a", "umig", lambda *_: contextlib.nullcontext(), {})
    setup = argparse.Namespace(
        cell=cell, nr=cell.runs or runs, modes=[mode],
        tools=argparse.Namespace(memory=1 << 30, contents=None))
    program.part_runs([setup], argparse.Namespace(limit=1), out)
    return out


def claimed(runs, words):
    return next(c for c in claims(runs) if words in c["name"])


def loaded(directory):
    contents = Contents(synthesize(Recipe(SIZE), directory))
    memory = Memory(SIZE)
    guest = Guest(memory, [(0, SIZE // 2), (SIZE // 2, SIZE // 2)])
    contents.load(guest, 0)
    guest.write(0x8000, bytes(PAGE))
    return contents, memory, guest


def test_image_is_what_its_recipe_says():
    with tempfile.TemporaryDirectory() as d:
        contents = Contents(synthesize(Recipe(SIZE, zero=0.5), d))
        assert contents.size == SIZE
        assert 0.3 < contents.nonzero_bytes() / SIZE < 0.7


def test_image_is_read_as_it_is_but_for_its_holes():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "image")
        # two side by side, in different pieces of a guest's memory
        places = (5 * PAGE, (3 << 20) - PAGE, 3 << 20, (16 << 20) - PAGE)
        with open(path, "wb") as f:
            f.truncate(16 << 20)
            for at in places:
                f.seek(at)
                f.write(os.urandom(PAGE))
        contents = Contents(path)
        assert contents.nonzero_bytes() == 4 * PAGE
        assert contents.runs == [(at, PAGE) for at in places], contents.runs
        read, pread = [], contents._pread
        contents._pread = lambda at, count: read.append(count) or pread(
            at, count)
        for at, count in ((0, 16 << 20), (5 * PAGE + 7, 9), (4 * PAGE, PAGE),
                          (5 * PAGE - 3, 2 * PAGE), ((3 << 20) - 5, 10),
                          ((3 << 20) - 2 * PAGE, 4 * PAGE),
                          ((16 << 20) - PAGE - 1, 2 * PAGE), (16 << 20, 1)):
            with open(path, "rb") as f:
                f.seek(at)
                want = f.read(count)
            del read[:]
            assert contents.read(at, count) == want, (at, count)
            assert sum(read) <= 4 * PAGE, (at, count, read)


def test_loaded_memory_has_no_wrong_page():
    with tempfile.TemporaryDirectory() as d:
        contents, _, guest = loaded(d)
        assert wrong_pages(contents, guest, Load(), 0x9000) == []


def test_one_wrong_byte_is_found():
    with tempfile.TemporaryDirectory() as d:
        contents, memory, guest = loaded(d)
        memory.bytes[5 * PAGE * 256 + 77] ^= 1
        assert wrong_pages(contents, guest, Load(), 0x9000) == [
            5 * PAGE * 256]


def test_page_that_missed_a_pass_is_found():
    with tempfile.TemporaryDirectory() as d:
        contents, memory, guest = loaded(d)
        load = Load(1000, 16 * PAGE)
        load.first = 1 << 20
        memory.write(0x8000 + 48, (3).to_bytes(4, "little"))
        for i in range(16):
            for place in (0, 2048):
                memory.write(load.first + i * PAGE + place,
                             (3).to_bytes(4, "little"))
        assert wrong_pages(contents, guest, load, 0x9000) == []
        memory.write(load.first + 4 * PAGE + 2048, (2).to_bytes(4, "little"))
        words = []
        assert wrong_pages(contents, guest, load, 0x9000, words) == [
            load.first + 4 * PAGE]
        assert "page 4 of the working set, stamps [3, 2]" in words[0], words


def test_blackout_is_the_gap_over_which_the_guest_moved():
    gaps = [(100, 5100), (9000, 29000), (40000, 90000)]
    assert _gaps_ms(gaps, 9000, 1000, 0, (0, 0.5)) == (20500, 5000)
    # no gap by its clock, which stood still meanwhile
    assert _gaps_ms(gaps, 8000, 1000, 0, (0, 0.5)) == (502, 5000)


def test_modes_are_chosen_by_their_beginnings():
    modes = [Mode(n, "umig", None, {}) for n in ("umig-a", "umig-b", "qemu-x")]
    assert [m.name for m in choose(modes, ["umig"])] == ["umig-a", "umig-b"]
    try:
        choose(modes, ["xen"])
    except BenchError as e:
        assert "xen" in str(e)
    else:
        assert False, "a mode that isn't there was chosen"


def test_memory_of_other_guests_is_held_if_it_is_given():
    shares = [run(m, part="1g", wire_bytes=n) for m, n in (
        ("qemu-plain", 100), ("umig-auto-held70", 50), ("umig-auto-like", 10))]
    assert claimed(shares[:2], "3 1 Gbit/s, 70% held")["measured"] == 0.5
    found = claimed(shares, "3 1 Gbit/s, memory of one like it held")
    assert found["measured"] == 0.1 and found["holds"]
    with tempfile.TemporaryDirectory() as d:
        contents, other = (Contents(synthesize(Recipe(SIZE, seed=seed), d))
                           for seed in (1, 2))
        held = Held("true", contents, os.path.join(d, "held"),
                    {"like": other.path})
        os.mkdir(held.directory)
        with open(held.target("like"), "rb") as f:
            assert f.read() == other.read(0, SIZE)
        with open(held.source(), "rb") as f:
            assert f.read() == contents.read(0, SIZE)


def test_every_part_has_cells():
    assert DEFAULT == list(PARTS)
    assert all(cells([part], None) for part in PARTS if part != "module")
    assert len(cells(["1g", "1g-hard"], [Load()])) == 2


def test_medians_and_ratios():
    runs = [run("qemu-plain", total_s=s) for s in (1, 2, 9)]
    runs += [run("umig-sealed", total_s=s) for s in (1, 1, 5)]
    record = summarize(runs)[1]
    assert record["total_s"] == 1 and record["ratio_total_s"] == 0.5
    assert record["completed"] == 3


def test_run_that_has_not_ended_has_no_numbers():
    runs = [{"part": "1g", "load": "idle", "mode": "qemu-plain",
             "completed": False, "why": "has not ended in time",
             "nonzero_bytes": 1}]
    assert summarize(runs)[0]["total_s"] is None
    assert "0/1" in "\n".join(table(summarize(runs)))
    assert claimed(runs, "1 loopback, encrypted")["holds"] is None


def test_run_that_has_not_ended_is_held_against_umig():
    hard = str(PARTS["1g-hard"][0].load)
    runs = [run("umig-auto", part="1g-hard", load=hard, guest_speed=0.5,
                completed=ended) for ended in (True, False)]
    assert claimed(runs, "umig-auto: has not ended")["measured"] == 1
    assert claimed(runs, "umig-auto: has not ended")["holds"] is False
    assert claimed(runs, "umig-auto: speed that the guest")["holds"] is True
    assert claimed(runs, "umig-auto-ring: has not")["holds"] is None


def test_second_vcpu_is_to_be_left_alone():
    for full, holds in ((0, True), (1, False)):
        vcpus = [{"ring_full": 9, "held_ns": 9},
                 {"ring_full": full, "held_ns": 0}]
        runs = [run("umig-auto-ring", part="1g-hard", guest_speed=1,
                    load=str(PARTS["1g-hard"][0].load), vcpus=vcpus)]
        assert claimed(runs, "ring-full exits")["holds"] is holds
        assert claimed(runs, "held back for")["holds"] is True


def test_costs_of_the_module_are_told_or_why_not():
    costs = {"range_ns": 2000, "confirm_ns": 4000, "fill_ns": 6000,
             "memcpy_ns": 2000, "movsb_ns": 3000, "digest_ns": 8000}
    assert "3.00" in "\n".join(module.table(costs))
    assert "no lab" in "\n".join(module.table({"why": "no lab"}))


def test_claim_holds_up_to_its_bound():
    for mine, holds in ((0.3, True), (0.31, False)):
        runs = [run("qemu-tls"), run("umig-sealed", total_s=mine)]
        assert claimed(runs, "1 loopback, encrypted")["holds"] is holds


def test_best_of_qemu_is_the_least():
    runs = [run("qemu-plain", cpu_s=2), run("qemu-multifd", cpu_s=0.5),
            run("umig-insecure", cpu_s=1)]
    assert claimed(runs, "nothing held: CPU")["measured"] == 2


def test_claim_without_runs_says_why():
    found = claims([])
    assert all(c["holds"] is None and c["why"] for c in found)


def test_wrong_page_fails_a_run_and_the_next_is_run():
    def measure(*_):
        made.append(1)
        if len(made) == 2:
            raise WrongPage("1 wrong pages, the first at 0x5000")
        return {"completed": True}

    made = []
    runs = run_cell(Cell("loopback", "loopback", Load()), 3, measure)
    assert [r["completed"] for r in runs] == [True, False, True]
    assert "0x5000" in runs[1]["why"] and runs[1]["wrong"]
    runs = [run("umig-a"), run("umig-a", completed=False, wrong=True)]
    assert claimed(runs, "wrong page")["holds"] is False
    assert claimed(runs[:1], "wrong page")["holds"] is True


def test_memory_is_compared_as_often_as_the_cell_says():
    seen = []
    run_cell(Cell("blackout", "1g", Load(), compare=2), 4,
             lambda *args: seen.append(args[-1]) or {"completed": True})
    assert seen == [True, False, True, False]


def test_blackout_needs_two_hundred_runs():
    runs = [run("umig-sealed", part="blackout") for _ in range(199)]
    assert claimed(runs, "blackout, idle: median")["holds"] is None
    runs.append(run("umig-sealed", part="blackout", blackout_ms=1000))
    assert claimed(runs, "blackout, idle: median")["holds"] is True
    assert claimed(runs, "blackout, idle: 99 of 100")["measured"] == 10


def test_reserve_leaves_so_much_memory_free():
    with Reserve(free=100 << 20) as reserve:
        free = [164 << 20]
        reserve._most = lambda: max(0, reserve.held + free[0] - reserve.free)
        reserve.fill()
        assert reserve.held == 64 << 20, reserve.held
        free[0] = 90 << 20              # somebody takes memory
        reserve.fill()
        assert reserve.held == 54 << 20, reserve.held
        free[0] = 300 << 20             # the page cache has been emptied
        reserve.fill()
        assert reserve.held == 64 << 20, reserve.held


def test_reserve_follows_who_takes_memory():
    with Reserve() as reserve:
        reserve.held = 1 << 30          # address space, untouched
        reserve.fill = lambda: None
        with reserve.giving(os.getpid()):
            assert reserve.held <= (1 << 30) - AHEAD, reserve.held
            taken = b"x" * (64 << 20)
            end = time.monotonic() + 20
            while (reserve.held > (1 << 30) - AHEAD - len(taken) // 2 and
                   time.monotonic() < end):
                time.sleep(0.01)
        assert reserve.held <= (1 << 30) - AHEAD - len(taken) // 2
        assert reserve.held >= (1 << 30) - AHEAD - 2 * len(taken)


def test_plot_is_xml_with_all_modes():
    runs = {"umig-<a>": [run("umig-<a>")], "qemu-plain": []}
    text = "".join(xml.etree.ElementTree.fromstring(
        plot("a & b", runs)).itertext())
    assert "umig-<a>" in text and "has not ended" in text


def main():
    tests = [(name, f) for name, f in globals().items()
             if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for nr, (name, test) in enumerate(tests, 1):
        try:
            test()
        except Exception as e:      # the next test is to run all the same
            failed += 1
            print(f"# {type(e).__name__}: {e} (line "
                  f"{e.__traceback__.tb_next.tb_lineno})")
            print(f"not ok {nr} - {name[5:]}")
        else:
            print(f"ok {nr} - {name[5:]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
