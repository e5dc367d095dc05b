# SPDX-License-Identifier: GPL-2.0
"""What the demonstration has measured, what it had to be, and how to say it.

Numbers of umig's own are checked against others' where there are any: the
classes of pages against the file with a byte for each page, the bytes against
the network interface, the index against the reference walk.
"""

import dataclasses

NONE, ZERO, HELD, DUPLICATE, PLAIN = range(5)

HELD_OF_MERGEABLE = 0.95
ZERO_OF_MERGED_ZERO = 0.95
# The guest may have used some since: of fewer nothing is said.
MERGED_ZERO_TOLD = 1000
HELD_OF_NONZERO = 0.50
WIRE_OF_PLAIN = 0.50
# Frame, IP and TCP headers, acknowledgements of the other direction.
INTERFACE_OVERHEAD = 1.10
INTERFACE_OTHER_BYTES = 256 << 10
# The guest's first steps at the destination are emulated anew: so many of the
# longest gaps that it had before are no part of the downtime.
BEATS_LATE = 4


@dataclasses.dataclass
class Demo:
    """Filled in as the scenario goes."""

    report: dict = None
    classes: bytes = b""
    mergeable: list = None
    merged_zero: list = None
    merged_here: int = 0
    index: list = None
    interface_bytes: int = 0
    gap: float = 0.0
    gap_before: float = 0.0
    monotonic: bool = False
    beats_after: int = 0
    ended: float = 0.0
    disk: object = None

    def count(self, page_class):
        """Guest pages whose final content went like this."""
        return self.classes.count(page_class)

    def nonzero(self):
        """Guest pages that had a content to bring over."""
        return self.count(HELD) + self.count(DUPLICATE) + self.count(PLAIN)

    def held_of_nonzero(self):
        """A fraction."""
        return self.count(HELD) / max(self.nonzero(), 1)

    def held_of_mergeable(self):
        """A fraction of the pages merged on both sides."""
        held = sum(self.classes[i] == HELD for i in self.mergeable)
        return held / max(len(self.mergeable), 1)

    def zero_of_merged_zero(self):
        """A fraction of the zero pages that the source had merged."""
        zero = sum(self.classes[i] == ZERO for i in self.merged_zero)
        return zero / max(len(self.merged_zero), 1)

    def wire(self):
        """Bytes both ways."""
        return self.report["bytes"]["wire_tx"] + \
            self.report["bytes"]["wire_rx"]

    def wire_of_plain(self):
        """A fraction."""
        return self.wire() / max(self.report["bytes"]["plain_equivalent"], 1)

    def gap_limit_ms(self):
        """How long the guest may have been silent."""
        return self.report["downtime_ms"] + self.report["verify_ms"] + \
            BEATS_LATE * self.gap_before * 1000

    def as_json(self):
        """The object of umig migrate --json, and what the demo adds."""
        return dict(self.report,
                    held_of_nonzero=round(self.held_of_nonzero(), 4),
                    held_of_mergeable=round(self.held_of_mergeable(), 4),
                    wire_of_plain=round(self.wire_of_plain(), 4),
                    mergeable=len(self.mergeable),
                    merged_zero=len(self.merged_zero),
                    zero_of_merged_zero=round(self.zero_of_merged_zero(), 4),
                    interface_bytes=self.interface_bytes,
                    guest={"counter_monotonic": self.monotonic,
                           "longest_gap_ms": round(self.gap * 1000, 1),
                           "longest_gap_before_ms":
                               round(self.gap_before * 1000, 1),
                           "beats_after": self.beats_after})


def expectations(d):
    """(met, text) for each."""
    r = d.report
    pages = r["pages"]
    counted = {"held": d.count(HELD), "duplicate": d.count(DUPLICATE),
               "plain": d.count(PLAIN)}
    said = {k: pages[k] for k in counted}
    return [
        (r["status"] == "completed", f"status {r['status']}: completed"),
        (r["link"]["sealed"] is True, f"link encrypted "
         f"({r['link']['cipher']}) and authenticated ({r['link']['peer']})"),
        (r["verified"] is True, "digests of all guest memory equal at "
         "handover"),
        (len(d.mergeable) > 1000, f"{len(d.mergeable)} pages merged on both "
         "sides: more than 1000, or the demo shows nothing"),
        (d.held_of_mergeable() >= HELD_OF_MERGEABLE,
         f"{d.held_of_mergeable():.1%} of the pages merged on both sides "
         f"held: at least {HELD_OF_MERGEABLE:.0%}"),
        (len(d.merged_zero) < MERGED_ZERO_TOLD or
         d.zero_of_merged_zero() >= ZERO_OF_MERGED_ZERO,
         f"{d.zero_of_merged_zero():.1%} of the {len(d.merged_zero)} zero "
         "pages merged at the source went as zeroes: at least "
         f"{ZERO_OF_MERGED_ZERO:.0%}"),
        (d.held_of_nonzero() >= HELD_OF_NONZERO,
         f"{d.held_of_nonzero():.1%} of the non-zero pages held: at least "
         f"{HELD_OF_NONZERO:.0%}"),
        (d.wire_of_plain() <= WIRE_OF_PLAIN,
         f"{d.wire_of_plain():.1%} of plain pre-copy's bytes: at most "
         f"{WIRE_OF_PLAIN:.0%}"),
        (d.interface_bytes <= r["bytes"]["wire_tx"] * INTERFACE_OVERHEAD +
         INTERFACE_OTHER_BYTES,
         f"the interface sent {d.interface_bytes} bytes: what umig says "
         f"({r['bytes']['wire_tx']}) and headers"),
        (len(d.classes) == pages["total"] and counted == said,
         f"the classes of all {pages['total']} pages one by one "
         f"({len(d.classes)}: {counted}) are those reported ({said})"),
        (d.monotonic, "the guest's counters and clock never went back"),
        (d.beats_after >= 50, f"{d.beats_after} heartbeats at the "
         "destination: at least 50"),
        (d.gap * 1000 <= d.gap_limit_ms(),
         f"longest silence {d.gap * 1000:.0f} ms: at most "
         f"{d.gap_limit_ms():.0f} ms (downtime + verification + "
         f"{BEATS_LATE} times the longest gap before)"),
    ]


def _mb(n):
    return f"{n / 1e6:.1f} MB"


def render(d):
    """The report for a person."""
    r = d.report
    p, b = r["pages"], r["bytes"]
    total = max(p["total"], 1)
    coverage = ", ".join(
        f"{i['hashed_pages']} of {i['merged_pages']}" for i in d.index)
    rows = [
        ("total time", f"{r['total_ms'] / 1000:.2f} s, of it setup "
         f"{r['setup_ms']:.0f} ms"),
        ("downtime", f"{r['downtime_ms']:.0f} ms"),
        ("verification", f"{r['verify_ms']:.0f} ms more (guest stopped, all "
         "memory compared)"),
        ("rounds", f"{r['rounds']}, by {r.get('dirty_source', '?')}"),
        ("pages", f"{p['total']}"),
        *((f"  {k}", f"{p[k]:>7}  {p[k] / total:6.1%}")
          for k in ("zero", "held", "duplicate", "plain")),
        ("  re-sent", f"{p['resent']:>7}"),
        ("merged on both sides", f"{len(d.mergeable)} by the reference walk, "
         f"of them held {d.held_of_mergeable():.1%}"),
        ("merged zero pages", f"{len(d.merged_zero)} at the source, of them "
         f"sent as zeroes {d.zero_of_merged_zero():.1%}"),
        ("held", f"{d.held_of_nonzero():.1%} of the non-zero pages"),
        ("on the wire", f"{_mb(d.wire())}; plain pre-copy: "
         f"{_mb(b['plain_equivalent'])}; that is {d.wire_of_plain():.1%}"),
        ("index coverage", f"{coverage} merged pages hashed (source, "
         "destination)"),
        ("offers", f"{r['index']['offered']} digests, "
         f"{r['index']['confirmed']} held there, "
         f"{r['index']['refused']} refused after all"),
        ("memory", "digests equal on both hosts at handover"
         if r["verified"] else "NOT VERIFIED"),
        ("guest", "counter and clock monotonic, memory and disk as it left "
         "them" if d.monotonic else "ITS COUNTER WENT BACK"),
        ("longest silence", f"{d.gap * 1000:.0f} ms (in the 30 s before: "
         f"{d.gap_before * 1000:.0f} ms)"),
    ]
    return "\n".join(["", "One guest moved between two hosts:", ""] +
                     [f"  {k:<22}{v}" for k, v in rows] + [""])
