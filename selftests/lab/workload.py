# SPDX-License-Identifier: GPL-2.0
"""What a guest says on its serial console, wherever it runs.

Bytes come from one host until the guest has moved, then from another; a line
may begin on one and end on the other.  Lines get the time of their arrival.
See guest/worker.c for what they mean.
"""

import collections
import re
import threading
import time

from .host import TROUBLE
from .say import LabError, say

Beat = collections.namedtuple("Beat", "time number clock_ms mem disk dense")
BEAT = re.compile(r"B (\d+) (\d+) (\d+) (\d+) (\d+)")


class Serial:
    """The console of one guest.  @alive: returns why nothing more will come,
    or None."""

    def __init__(self, name, alive):
        self.name = name
        self.alive = alive
        self.changed = threading.Condition()
        self.beats = []
        self.lines = []
        self.wrong = []
        self._part = b""

    def feed(self, data):
        """More of the console."""
        now = time.monotonic()
        with self.changed:
            *lines, self._part = (self._part + data).split(b"\n")
            for line in lines:
                self._line(now, line.decode(errors="replace").strip("\r"))
            self.changed.notify_all()

    def _line(self, now, line):
        m = BEAT.fullmatch(line)
        if m:
            self.beats.append(Beat(now, *map(int, m.groups())))
            return
        self.lines.append(line)
        if line.startswith("WRONG") or TROUBLE.search(line):
            self.wrong.append(line)
            say(f"{self.name}: {line}")
        else:
            say(f"{self.name}| {line}", level=2)

    def wait(self, condition, timeout, what):
        """Wait until @condition(), which what arrives may make true."""
        end = time.monotonic() + timeout
        with self.changed:
            while not condition():
                if self.wrong:
                    raise LabError(f"{self.name}: {self.wrong[0]}")
                why = self.alive()
                if why:
                    raise LabError(f"{self.name}: waiting for {what}: {why}"
                                   f"\n{self.tail()}")
                if time.monotonic() > end:
                    raise LabError(f"{self.name}: not in {timeout} s: {what}"
                                   f"\n{self.tail()}")
                # Output wakes at once; the rest is for deaths.
                self.changed.wait(0.5)

    def wait_line(self, start, timeout):
        """Wait for a line that begins with @start; returns it."""
        found = []

        def look():
            found[:] = [s for s in self.lines if s.startswith(start)]
            return found

        self.wait(look, timeout, f"line {start!r}")
        return found[0]

    def wait_beats(self, count, timeout=60):
        """Wait for @count more beats; returns the last."""
        have = len(self.beats)
        self.wait(lambda: len(self.beats) >= have + count, timeout,
                  f"{count} heartbeats")
        return self.beats[-1]

    def longest_silence(self, since, until):
        """The two neighbouring beats that were the longest apart, of those
        whose second arrived in (@since, @until]; None if there are none."""
        return max(((a, b) for a, b in zip(self.beats, self.beats[1:])
                    if since < b.time <= until),
                   key=lambda pair: pair[1].time - pair[0].time, default=None)

    def longest_gap(self, since, until):
        """How long that was, in seconds."""
        pair = self.longest_silence(since, until)
        return pair[1].time - pair[0].time if pair else 0.0

    def monotonic(self):
        """Whether neither beats, clock nor counters ever went back."""
        return all(b.number > a.number and b.clock_ms >= a.clock_ms and
                   b.mem >= a.mem and b.disk >= a.disk and b.dense >= a.dense
                   for a, b in zip(self.beats, self.beats[1:]))

    def check(self):
        """Fail if the guest has complained or its counters went back."""
        if self.wrong:
            raise LabError(f"{self.name}: {self.wrong[0]}")
        if not self.monotonic():
            raise LabError(f"{self.name}: its counters went back")

    def tail(self, count=12):
        """The end of the console, beats left out."""
        return "\n".join(f"    {self.name}| {line}"
                         for line in self.lines[-count:])
