#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module on several kernels: DKMS, and the whole suite in a host of each.

    check_kernels.py [--kernels "6.1 6.12 newest"] [--result FILE]
                     [--seconds N] [PROGRAM...]

Prints a table; FILE gets the numbers as JSON.  --seconds (60) is how long the
churn tests take.  Fails if anything did.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import dkms
# pylint: disable=wrong-import-order
from lab import buildroot, kernels
from lab.say import LabError, say
from lab.scenario import BUILD, REPO

RESULT = re.compile(r"(not )?ok \d+ - (.*?)(# SKIP .*)?$")
# What tests say in comments: "# share: pages=4000 wrong=0".
NUMBERS = re.compile(r"# (churn|share|offline|kernel): ((?:\w+=\S+ ?)+)$")
KEYS = {
    "churn": ("compared", "wrong", "control_wrong"),
    "share": ("pages", "anon_growth_bytes", "wrong"),
    "offline": ("leases", "changed", "seconds"),
}


def number(text):
    """42, 0.5, or the word itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Report:
    """What the suite's TAP said on one kernel."""

    def __init__(self, name):
        self.name = name
        self.version = None
        self.dkms = False
        self.passed = self.failed = self.skipped = 0
        self.numbers = {k: dict.fromkeys(v) for k, v in KEYS.items()}
        self.numbers["kernel"] = {"mode": None}

    def line(self, text):
        """A line of TAP."""
        result, numbers = RESULT.match(text), NUMBERS.match(text)
        if result and result[1]:
            self.failed += 1
            say(f"{self.name}: {text}")
        elif result and result[3]:
            self.skipped += 1
        elif result:
            self.passed += 1
        elif numbers:
            self.numbers[numbers[1]].update(
                (k, number(v)) for k, v in
                (w.split("=", 1) for w in numbers[2].split()))

    def fail(self, why):
        """Something that is no test has failed."""
        self.failed += 1
        say(f"{self.name}: {why}")

    def json(self):
        """As the result file has it."""
        return {"kernel": self.name, "version": self.version,
                "mode": self.numbers["kernel"]["mode"], "dkms": self.dkms,
                "passed": self.passed, "failed": self.failed,
                "skipped": self.skipped,
                **{k: self.numbers[k] for k in KEYS}}


def run_suite(report, args):
    """The lab's suite on a kernel whose modules are built."""
    env = dict(os.environ, UMIG_KERNEL=report.name,
               UMIG_CHURN_SECONDS=str(args.seconds))
    argv = [os.path.join(REPO, "selftests/kmod/module_lab.py")] + args.program
    log = os.path.join(BUILD, f"kernel-{report.name}", "suite.tap")
    with open(log, "w", buffering=1) as tap, \
            subprocess.Popen(argv, env=env, stdout=subprocess.PIPE,
                             text=True) as suite:
        for line in suite.stdout:
            tap.write(line)
            report.line(line.rstrip())
    if report.failed:
        say(f"{report.name}: the suite's output is in {log}")
    if suite.returncode and not report.failed:
        report.fail(f"module_lab.py: exit status {suite.returncode}")


def check_kernel(name, args):
    """Build, install, test; returns the Report."""
    report = Report(name)
    try:
        kernel = kernels.find(name)
        report.version = kernel.version
        out = os.path.join(BUILD, f"kernel-{name}")
        info = dkms.build(kernel, out)
        report.dkms = True
        say(f"{name}: dkms: {info['filename']}, signed by {info['signer']}")
        buildroot.build(kernel, REPO, out, debug=True)
        run_suite(report, args)
    except LabError as e:
        report.fail(e)
    return report


def table(reports):
    """Kernel, mode and tests, a line each."""
    row = "{:<8} {:<24} {:<6} {:<5} {:>6} {:>6} {:>7}"
    print(row.format("kernel", "version", "mode", "dkms", "passed", "failed",
                     "skipped"))
    for r in reports:
        print(row.format(r.name, r.version or "-",
                         r.numbers["kernel"]["mode"] or "-",
                         "yes" if r.dkms else "no", r.passed, r.failed,
                         r.skipped))


def main():
    """The exit status."""
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernels", default="6.1 6.12 newest")
    p.add_argument("--result")
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("program", nargs="*")
    args = p.parse_args()
    reports = []
    for name in args.kernels.split():
        reports.append(check_kernel(name, args))
        if args.result:
            with open(args.result, "w") as f:
                json.dump([r.json() for r in reports], f, indent=2)
                f.write("\n")
    table(reports)
    return any(r.failed or not r.passed for r in reports)


if __name__ == "__main__":
    sys.exit(main())
