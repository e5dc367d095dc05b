# SPDX-License-Identifier: GPL-2.0
"""What the lab tells the person who runs it, and how it fails.

All goes to stderr, each line with the seconds since the start: stdout belongs
to commands' output and to TAP.
"""

import os
import shutil
import subprocess
import sys
import time

START = time.monotonic()

# Debian's package for each tool that the lab calls.
TOOL_PACKAGES = {
    "apt-get": "apt",
    "cc": "gcc libc6-dev",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "e2fsck": "e2fsprogs",
    "ldd": "libc-bin",
    "mke2fs": "e2fsprogs",
    "prove": "perl",
    "busybox": "busybox-static",
}


class LabError(Exception):
    """Something that the user has to know or mend; its text says which."""


def say(text, level=1):
    """One line of progress.  UMIG_LAB_VERBOSE=0 keeps quiet, 2 says more."""
    if int(os.environ.get("UMIG_LAB_VERBOSE") or 1) < level:
        return
    print(f"[{time.monotonic() - START:7.2f}] {text}", file=sys.stderr,
          flush=True)


def tool(name):
    """The path of a program, or an error that says how to get it."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) +
                        ":/usr/sbin:/sbin")
    if path is None:
        package = TOOL_PACKAGES.get(name, name)
        raise LabError(f"{name}: not found: apt-get install {package}")
    return path


def run(argv, **kw):
    """Run a program to its end; its output is the error if it fails."""
    argv = [tool(argv[0])] + [os.fspath(a) for a in argv[1:]]
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **kw)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}\n"
                       f"{done.stdout}{done.stderr}".rstrip())
    return done.stdout
