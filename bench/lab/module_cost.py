#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module's costs, in a lab host: prints what module_cost prints there.

    BUILD=build bench/lab/module_cost.py

Needs "make bench-module-programs".
"""

import json
import os
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "selftests"))
# pylint: disable=wrong-import-position
from lab.cluster import Cluster

BUILD = os.path.join(REPO, os.environ.get("BUILD", "build"))
SECONDS = 600


def main():
    """Boot a host, run the program, pass its line on."""
    program = os.path.join(BUILD, "bench/lab/module_cost")
    with Cluster(1, files=[(program, "/bin/module_cost")],
                 ko=[os.path.join(BUILD, "umig.ko")], cpus=1) as lab:
        host = lab.hosts[0]
        command = host.start(["module_cost"])
        command.wait(SECONDS)
        lines = [line.text for line in command.lines]
        if command.status:
            print("\n".join(lines), file=sys.stderr)
            return 1
        costs = json.loads(next(t for t in lines if t.startswith("{")))
        print(json.dumps(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
