# SPDX-License-Identifier: GPL-2.0
"""Print llvm-cov's summary (JSON on stdin) a line a file.  argv[1]: of the
files in the rest of argv so many percent of all lines must have been reached,
or else exit with 1."""

import json
import os
import sys


def main():
    least = float(sys.argv[1])
    wanted = set(sys.argv[2:])
    count = covered = 0
    for f in json.load(sys.stdin)["data"][0]["files"]:
        name = os.path.relpath(f["filename"])
        if name not in wanted:
            continue
        wanted.remove(name)
        lines = f["summary"]["lines"]
        count += lines["count"]
        covered += lines["covered"]
        print(f"{lines['percent']:6.1f} %  {lines['covered']:5d} of "
              f"{lines['count']:5d}  {name}")
    for name in sorted(wanted):
        print(f"no target has {name}")
    percent = 100 * covered / count if count else 0
    print(f"{percent:6.1f} %  {covered:5d} of {count:5d}  all "
          f"(at least {least:g} %)")
    return 0 if percent >= least and not wanted else 1


if __name__ == "__main__":
    sys.exit(main())
