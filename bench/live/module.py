# SPDX-License-Identifier: GPL-2.0
"""The kernel module's costs, from a lab host, where it can be loaded."""

import json
import os
import subprocess
import tempfile

from live.summary import aligned

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SECONDS = 1800
IOCTLS = (("range_ns", "RANGE, a merged page"), ("confirm_ns", "CONFIRM"),
          ("fill_ns", "FILL"))


def costs(build):
    """What `make bench-module` finds; {"why": ...} if it can't be run."""
    with tempfile.TemporaryDirectory(prefix="umig-bench-") as d:
        result = os.path.join(d, "module.json")
        try:
            done = subprocess.run(
                ["make", "-C", ROOT, "bench-module",
                 f"BUILD={os.path.relpath(build, ROOT)}", f"RESULT={result}"],
                capture_output=True, text=True, timeout=SECONDS,
                stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return {"why": f"the lab took more than {SECONDS} s"}
        # It fails, too, if something is above its bound.
        if not os.path.exists(result):
            return {"why": f"make bench-module: {done.stderr.strip()[-300:]}"}
        with open(result) as f:
            return json.load(f)


def table(found):
    """Lines; beside each what copying and digesting a page take there."""
    if "why" in found:
        return ["", f"the module's costs: not measured: {found['why']}"]
    rows = [["the module, in an emulated host", "us a page", "x memcpy",
             "x rep movsb", "x digest"]]
    for key, name in IOCTLS:
        ns = found[key]
        rows.append([name, f"{ns / 1000:.2f}",
                     f"{ns / found['memcpy_ns']:.2f}",
                     f"{ns / found['movsb_ns']:.2f}",
                     f"{ns / found['digest_ns']:.3f}"])
    return ["", *aligned(rows)]
