# SPDX-License-Identifier: GPL-2.0
"""TAP output for lab tests, which run under prove.

    tap = Tap()
    with tap.case("a guest survives its migration"):
        ...                         # any exception: not ok, with its text
        check(a == b, "a is b")     # the same, without a traceback
    with tap.case("needs a thing"):
        skip("there is no thing here")
    sys.exit(tap.done())

A case that couldn't run because an earlier one broke the lab is "not ok" too:
nothing passes that didn't happen.
"""

import contextlib
import sys
import traceback

from .say import LabError, say


class Skip(Exception):
    """This machine lacks what a case needs; its text says what."""


class CheckFailed(LabError):
    """What a case checks isn't so."""


def skip(reason):
    """Leave the case as skipped."""
    raise Skip(reason)


def check(condition, text):
    """Fail the case unless @condition; @text says what should hold."""
    if not condition:
        raise CheckFailed(text)
    return condition


def diag(text):
    """A comment in the output."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


class Tap:
    """Counts cases; prints a line for each and the plan at the end."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def _line(self, ok, name, directive=""):
        self.count += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.count} - {name}{directive}",
              flush=True)

    def _fail(self, name, why):
        """A failed test.  prove hides what its programs print, but not this."""
        self._line(False, name)
        say(f"not ok: {name}:\n{why}")

    @contextlib.contextmanager
    def case(self, name):
        """One test.  Swallows what goes wrong in it."""
        say(f"case: {name}")
        try:
            yield
        except Skip as e:
            self._line(True, name, f" # SKIP {e}")
        except LabError as e:
            self._fail(name, e)
        except Exception:  # pylint: disable=broad-exception-caught
            self._fail(name, traceback.format_exc())
        else:
            self._line(True, name)

    @contextlib.contextmanager
    def lab(self, what):
        """A lab that several cases share: its failure is a failed test."""
        try:
            yield
        except Skip as e:
            self._line(True, what, f" # SKIP {e}")
        except LabError as e:
            self._fail(what, e)

    def done(self):
        """Print the plan; returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed or not self.count else 0
