# SPDX-License-Identifier: GPL-2.0
"""RAM contents: raw image files, and a maker of simple ones.

An image has guest RAM in dense order: what lies above the hole below 4 GiB
follows at once on what lies below it.
"""

import bisect
import errno
import os
import random

from live import BenchError
from live.guest import PAGE, STAMPS

ZERO = bytes(PAGE)
CHUNK = 1 << 20
PIECE = 16
WORDS = 16


class Recipe:
    """What a synthetic image is made of; shares of all pages, of the rest."""

    def __init__(self, size, zero=0.55, noise=0.2, seed=1):
        self.size = size
        self.zero = zero
        self.noise = noise
        self.seed = seed

    def name(self):
        return (f"text16-{self.size >> 20}M-{self.zero:g}-{self.noise:g}-"
                f"{self.seed}.raw")


def _text_page(rng, dictionary):
    """Pieces, four of five from a dictionary.  With the noise between, zstd -1
    has ratio 2.4 on blocks of 64 KiB and 2.3 on pages, as with real guests."""
    fresh = rng.randbytes(PAGE)
    return b"".join(
        dictionary[fresh[i] % WORDS]
        if fresh[i + 1] < 205 else fresh[i:i + PIECE]
        for i in range(0, PAGE, PIECE))


def _pages(recipe):
    """Zero, text and noise in runs of 1 to 64 pages, as guests have them."""
    rng = random.Random(recipe.seed)
    dictionary = [rng.randbytes(PIECE) for _ in range(WORDS)]
    left = recipe.size // PAGE
    while left:
        run = min(left, rng.randint(1, 64))
        left -= run
        if rng.random() < recipe.zero:
            yield bytes(PAGE * run)
        elif rng.random() < recipe.noise:
            yield rng.randbytes(PAGE * run)
        else:
            yield b"".join(_text_page(rng, dictionary) for _ in range(run))


def synthesize(recipe, directory):
    """The path of the image; made if it isn't there."""
    path = os.path.join(directory, recipe.name())
    if os.path.exists(path):
        return path
    os.makedirs(directory, exist_ok=True)
    with open(path + ".new", "wb") as out:
        for pages in _pages(recipe):
            if pages.count(0) == len(pages):
                out.seek(len(pages), os.SEEK_CUR)
            else:
                out.write(pages)
        out.truncate(recipe.size)
    os.rename(path + ".new", path)
    return path


def _extents(fd, size):
    """(offset, end) of what has blocks on the disk, in whole pages."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        start, end = start // PAGE * PAGE, -(-end // PAGE) * PAGE
        yield start, min(end, size)


class Contents:
    """An image in use.  Its holes are not read: the kernel would keep memory of
    zeroes for each, of what the bench wants to hold."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "rb")
        self.size = os.fstat(self.file.fileno()).st_size
        # nor does it read on into them
        os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        self.runs = list(self._runs())
        self.starts = [at for at, _ in self.runs]

    def read(self, at, count):
        """No more than there is."""
        out = bytearray(max(0, min(count, self.size - at)))
        for i in range(max(0, bisect.bisect(self.starts, at) - 1),
                       len(self.runs)):
            start, size = self.runs[i]
            first, end = max(start, at), min(start + size, at + len(out))
            if start >= at + len(out):
                break
            if first < end:
                out[first - at:end - at] = self._pread(first, end - first)
        return bytes(out)

    def _pread(self, at, count):
        data = os.pread(self.file.fileno(), count, at)
        if len(data) != count:
            raise BenchError(f"{self.path}: has become shorter")
        return data

    def _runs(self):
        """(offset, bytes) of what isn't zero, each within a chunk: guests have
        their memory in pieces of those."""
        for start, end in _extents(self.file.fileno(), self.size):
            while start < end:
                border = min((start // CHUNK + 1) * CHUNK, end)
                yield from self._runs_of(start, border - start)
                start = border

    def _runs_of(self, at, count):
        """The same of @count bytes."""
        data = self._pread(at, count)
        start = None
        if data.count(0) == len(data):
            return
        for page in range(0, len(data), PAGE):
            zero = data[page:page + PAGE] == ZERO
            if zero and start is not None:
                yield at + start, page - start
                start = None
            elif not zero and start is None:
                start = page
        if start is not None:
            yield at + start, len(data) - start

    def nonzero_bytes(self):
        return sum(count for _, count in self.runs)

    def load(self, guest, keep_below):
        """Into a guest that doesn't run; what is zero isn't touched."""
        for at, count in self.runs:
            skip = max(0, min(count, keep_below - at))
            if count > skip:
                guest.write(at + skip, self.read(at + skip, count - skip))


def _expect_written(data, at, load, counters):
    """@data of the image at @at, with what the guest has written in it."""
    low, high = load.covers()
    out = bytearray(data)
    for page in range(max(at, low), min(at + len(data), high), PAGE):
        stamp = counters["passes"] + ((page - low) // PAGE < counters["cursor"])
        for place in STAMPS:
            if stamp:
                i = page - at + place
                out[i:i + 4] = stamp.to_bytes(4, "little")
    return bytes(out)


def describe(want, got, page, load, counters):
    """How a page is wrong: enough to tell whose fault it is."""
    differ = [i for i in range(PAGE) if want[i] != got[i]]
    low, high = load.covers()
    text = (f"{len(differ)} bytes from {differ[0]} to {differ[-1]} differ, "
            f"want {want[differ[0]:][:8].hex()}, got "
            f"{got[differ[0]:][:8].hex()}")
    if not low <= page < high:
        return text + "; the guest doesn't write it"
    stamps = [int.from_bytes(got[i:i + 4], "little") for i in STAMPS]
    return text + (f"; page {(page - low) // PAGE} of the working set, stamps "
                   f"{stamps}, the guest is at pass {counters['passes']}, page "
                   f"{counters['cursor']}")


def wrong_pages(contents, guest, load, keep_below, describe_to=None):
    """Offsets of pages of a guest at rest that aren't as they should be; but
    for the guest's own, @keep_below.  @describe_to: a list of words on each."""
    counters = guest.counters()
    wrong = []
    for at in range(0, contents.size, CHUNK):
        want = _expect_written(contents.read(at, CHUNK), at, load, counters)
        got = guest.read(at, len(want))
        if want == got:
            continue
        for i in range(0, len(want), PAGE):
            one, other = want[i:i + PAGE], got[i:i + PAGE]
            if one == other or at + i < keep_below:
                continue
            wrong.append(at + i)
            if describe_to is not None:
                describe_to.append(describe(one, other, at + i, load,
                                            counters))
    return wrong
