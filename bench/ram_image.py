# SPDX-License-Identifier: GPL-2.0
"""Images of RAM as files of pages: made, compared, and thinned out to an exact
share of another one's pages.

Nothing here boots a guest (ram_guest.py does).  Whatever is random is drawn
from a seed, so that the same call makes the same bytes.
"""

import hashlib
import os
import random as rnd

from lab.say import LabError

PAGE = 4096
ZERO = bytes(PAGE)
CHUNK = 1 << 20


def pages(path):
    """The pages of an image, None for those of zeroes."""
    size = os.path.getsize(path)
    if not size or size % PAGE:
        raise LabError(f"{path}: {size} bytes are no image of whole pages")
    with open(path, "rb", buffering=0) as f:
        while chunk := f.read(CHUNK):
            if not any(chunk):
                yield from [None] * (len(chunk) // PAGE)
                continue
            for at in range(0, len(chunk), PAGE):
                page = chunk[at:at + PAGE]
                yield None if page == ZERO else page


def digests(path):
    """16 bytes for each page, None for those of zeroes."""
    return [None if page is None else
            hashlib.blake2b(page, digest_size=16).digest()
            for page in pages(path)]


def measure(path, held=()):
    """Counts of @path's pages; those of whose content one of @held has."""
    mine = digests(path)
    theirs = set()
    for other in held:
        theirs.update(digests(other))
    theirs.discard(None)
    counts = {
        "pages": len(mine),
        "zero": sum(d is None for d in mine),
        "distinct": len(set(mine) - {None}),
        "held": sum(d in theirs for d in mine if d is not None),
    }
    nonzero = counts["pages"] - counts["zero"]
    counts["zero_share"] = counts["zero"] / counts["pages"]
    counts["distinct_share"] = counts["distinct"] / (nonzero or 1)
    counts["held_share"] = counts["held"] / (nonzero or 1)
    counts["held_share_of_all"] = counts["held"] / counts["pages"]
    return counts


def _choose(groups, wanted, draw):
    """Digests whose pages are @wanted in number, exactly: contents that stand
    many times are taken as long as they fit, single ones make up the rest."""
    order = sorted(groups)
    draw.shuffle(order)
    chosen, have = set(), 0
    for digest in order:
        if have + groups[digest] <= wanted:
            chosen.add(digest)
            have += groups[digest]
    if have != wanted:
        raise LabError(f"{wanted} pages can't be had exactly: "
                       f"{wanted - have} are missing, and no content stands "
                       "so few times")
    return chosen


def share(path, out, percent, of="nonzero", seed=1):
    """Write to @out what holds @percent of @path's pages, and no other.

    @of: of the pages that aren't zero, or of "all".  Every content is whole
    in it or not at all, at the places that it has in @path; elsewhere there
    are holes.  Returns how many pages of @path it holds.
    """
    mine = digests(path)
    groups = {}
    for d in mine:
        if d is not None:
            groups[d] = groups.get(d, 0) + 1
    total = len(mine) if of == "all" else sum(groups.values())
    wanted = round(total * percent / 100)
    if wanted > sum(groups.values()):
        raise LabError(f"{path}: {percent} % of {of} pages are {wanted}, but "
                       f"only {sum(groups.values())} aren't zero")
    chosen = _choose(groups, wanted, rnd.Random(seed))
    with open(out + ".new", "wb") as f:
        for at, page in enumerate(pages(path)):
            if mine[at] in chosen:
                f.seek(at * PAGE)
                f.write(page)
        f.truncate(len(mine) * PAGE)
    os.rename(out + ".new", out)
    return wanted


def random(out, megabytes, seed=1):
    """Write an image of pages without zeroes and without twins."""
    draw = rnd.Random(seed)
    with open(out + ".new", "wb") as f:
        for _ in range(megabytes):
            f.write(draw.randbytes(1 << 20))
    os.rename(out + ".new", out)
