# SPDX-License-Identifier: GPL-2.0
"""How migrations are done: umig's ways and QEMU's, by name."""

from fnmatch import fnmatch
import os
import re
import subprocess

from live import BenchError
from live.qemu import QemuPair
from live.umig import UmigPair

MULTIFD = {"multifd-channels": 2}
CACHE = 256 << 20

# Shares of the pages that aren't zero which the destination holds.
HELD = {"held8": 0.08, "held26": 0.259, "held44": 0.444, "held65": 0.647,
        "held70": 0.70, "held83": 0.828, "held100": 1.0}

UMIG = {
    "umig-insecure": {},
    "umig-sealed": {"sealed": True},
    "umig-verified": {"sealed": True, "verify": True},
}
# With --compress; without this option umig compresses nothing.
PLAIN = {"compress": "none"}
UMIG_AUTO = {"umig-auto": {"sealed": True, "migrate": {"compress": "auto"}}}
# With the dirty ring whatever the probe says, since only it slows guests down.
UMIG_RING = {"umig-auto-ring": {"sealed": True, "dirty": "ring",
                                "migrate": {"compress": "auto"},
                                "part": "1g-hard"}}
# With --digests-from and --pages-from: everywhere,
UMIG_HELD = (("umig-insecure", "held83"), ("umig-sealed", "held83"),
             ("umig-sealed", "held100"), ("umig-auto", "held70"),
             ("umig-auto", "held8"))
# with what other guests have, if that is given,
UMIG_OTHERS = ("like", "unlike")
# and only where shares are compared.
UMIG_SHARES = (("umig-sealed", "held26"), ("umig-sealed", "held44"),
               ("umig-sealed", "held65"))

QEMU = {
    "plain": {},
    "multifd": {"capabilities": ["multifd"], "parameters": MULTIFD},
    "multifd-zstd": {
        "capabilities": ["multifd"],
        "parameters": {**MULTIFD, "multifd-compression": "zstd",
                       "multifd-zstd-level": 1}},
    "xbzrle": {"capabilities": ["xbzrle"],
               "parameters": {"xbzrle-cache-size": CACHE}},
    "tls": {"tls": True},
}


class Mode:
    """@name: in tables; @who: "umig" or "qemu"; @pair: what makes it;
    @settings: the pair's, and "part": the only one in which it is run."""

    def __init__(self, name, who, pair, settings):
        self.name = name
        self.who = who
        self.pair = pair
        self.settings = settings

    def suits(self, cell):
        return any(fnmatch(self.name, name) for name in cell.modes) and \
            self.settings.get("part") in (None, cell.part)


def qemu_version(path):
    try:
        done = subprocess.run([path, "--version"], capture_output=True,
                              text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise BenchError(f"{path}: {e}: install qemu-system-x86, or give "
                         "another with --qemu")
    return re.search(r"version (\S+)", done.stdout)[1]


def umig_modes(umig, others=()):
    """What this umig can do: {name: settings}.  @others: of UMIG_OTHERS."""
    done = subprocess.run([umig, "migrate", "--help"], capture_output=True,
                          text=True)
    out = dict(UMIG)
    if "--compress" in done.stdout:
        out = {name: {**settings, "migrate": PLAIN}
               for name, settings in out.items()}
        out.update(UMIG_AUTO)
        out.update(UMIG_RING)
    if "--digests-from" in done.stdout:
        for pairs, part in ((UMIG_HELD, None), (UMIG_SHARES, "shares")):
            out.update({f"{base}-{held}": {**out[base], "held": HELD[held],
                                           "part": part}
                        for base, held in pairs if base in out})
        out.update({f"umig-auto-{name}": {**out["umig-auto"], "held": name,
                                          "part": "1g"}
                    for name in others if "umig-auto" in out})
    return out


def all_modes(umig, qemus, others=()):
    """Every mode; QEMU's once for each QEMU.

    @qemus: paths.  The first is "qemu-...", others have their version.
    """
    modes = [Mode(name, "umig", UmigPair, settings)
             for name, settings in umig_modes(umig, others).items()]
    for i, path in enumerate(qemus):
        prefix = f"qemu{qemu_version(path)}" if i else "qemu"
        modes += [Mode(f"{prefix}-{name}", "qemu", QemuPair,
                       {**settings, "qemu": path})
                  for name, settings in QEMU.items()]
    return modes


def choose(modes, patterns):
    """Those whose names begin with one of @patterns; all if there is none."""
    if not patterns:
        return modes
    for pattern in patterns:
        if not any(mode.name.startswith(pattern) for mode in modes):
            names = ", ".join(mode.name for mode in modes)
            raise BenchError(f"no mode begins with \"{pattern}\": {names}")
    return [mode for mode in modes
            if any(mode.name.startswith(p) for p in patterns)]


def tools_missing(build):
    """What of the programs isn't built; a list of paths."""
    return [path for path in (
        f"{build}/bin/umig", *(f"{build}/bench/live/{name}" for name in (
            "guest_host", "guest.bin", "firmware.bin", "delay_line")))
        if not os.path.exists(path)]
