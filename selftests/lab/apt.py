# SPDX-License-Identifier: GPL-2.0
"""Debian packages by name: resolved now, fetched and unpacked, not installed.

A private apt configuration and state lives in the cache, so that this needs
neither root nor package lists on the machine, and never changes the machine's
own.  The archives it asks are those of the machine's own apt sources: only
the suites of this Debian release are taken over; more suites (backports) are
asked at the mirror that serves the release.
"""

import glob
import os
import re
import subprocess
import time

from . import cache
from .say import LabError, say, tool

LISTS_MAX_AGE_S = 12 * 3600


def codename():
    """This Debian's release name."""
    with open("/etc/os-release") as f:
        for line in f:
            if line.startswith("VERSION_CODENAME="):
                return line.split("=", 1)[1].strip().strip('"')
    raise LabError("/etc/os-release names no VERSION_CODENAME: the lab takes "
                   "its kernel and tools from Debian's archive: run it on "
                   "Debian")


def _one_line(text):
    """Entries of a sources.list: (uri, suite, extra deb822 fields)."""
    pattern = re.compile(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+\S")
    known = {"signed-by": "Signed-By", "trusted": "Trusted"}
    for line in text.splitlines():
        m = pattern.match(line.strip())
        if not m:
            continue
        options = dict(o.split("=", 1) for o in (m[1] or "").split()
                       if "=" in o)
        extra = "".join(f"{known[k]}: {v}\n" for k, v in options.items()
                        if k in known)
        yield m[2], m[3], extra


def _deb822(text):
    """Entries of a .sources file, as _one_line()."""
    text = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", text):
        fields = {k.lower(): v for k, v in re.findall(
            r"(?m)^(\S+?):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza)}
        if "deb" not in fields.get("types", "").split() or \
           fields.get("enabled", "yes").strip().lower() == "no":
            continue
        extra = "".join(f"{n}: {fields[n.lower()]}\n"
                        for n in ("Signed-By", "Trusted")
                        if n.lower() in fields)
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri, suite, extra


def machine_sources():
    """The machine's own entries for this release: (uri, suite, extra)."""
    release = codename()
    found = []
    for path in (["/etc/apt/sources.list"] +
                 sorted(glob.glob("/etc/apt/sources.list.d/*"))):
        parse = {".list": _one_line, ".sources": _deb822}.get(
            os.path.splitext(path)[1])
        if parse is None or not os.path.exists(path):
            continue
        with open(path) as f:
            found += [e for e in parse(f.read())
                      if e[1].split("-")[0] == release]
    if not any(suite == release for _, suite, _ in found):
        raise LabError(f"no apt source for {release} in /etc/apt: add the "
                       "Debian archive that this machine may use")
    return found


def sources_of(release):
    """Entries for another Debian release, from where this one's come."""
    own = machine_sources()
    if release == codename():
        return own + [(own[0][0], f"{release}-backports", own[0][2])]
    if release == "sid":
        return [next((uri, release, extra) for uri, suite, extra in own
                     if suite == codename())]
    known = {s[len(codename()):]: (u, x) for u, s, x in own}
    known.setdefault("-backports", known[""])
    return [(uri, release + part, extra)
            for part, (uri, extra) in known.items()]


class Apt:
    """One private apt state.  @more: suites beside the machine's own.

    @release: of that Debian release, and for a system of it that has nothing
    installed yet.
    """

    def __init__(self, name, more=(), release=None):
        self.name = name
        self.dir = os.path.join(cache.root(), "apt", name)
        self.more = more
        self.release = release
        self.status = "/var/lib/dpkg/status"
        if release:
            self.status = os.path.join(self.dir, "status")
        self.fresh = False

    def _entries(self):
        if self.release:
            return sources_of(self.release)
        entries = machine_sources()
        base = next(e for e in entries if e[1] == codename())
        return entries + [(base[0], suite, base[2]) for suite in self.more]

    def _write_sources(self):
        """Returns whether they are others than they were."""
        text = "\n".join(f"Types: deb\nURIs: {uri}\nSuites: {suite}\n"
                         f"Components: main\n{extra}"
                         for uri, suite, extra in self._entries())
        for d in ("sources", "state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        if self.release and not os.path.exists(self.status):
            with open(self.status, "w"):
                pass
        path = os.path.join(self.dir, "sources", "lab.sources")
        if os.path.exists(path):
            with open(path) as f:
                if f.read() == text:
                    return False
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return True

    def _call(self, program, *args, cwd=None):
        """Returns (exit status, stdout, stderr)."""
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": f"{self.dir}/sources",
            "Dir::State": f"{self.dir}/state",
            "Dir::State::status": self.status,
            "Dir::Cache": f"{self.dir}/cache",
            "APT::Sandbox::User": "root",
            "APT::Get::List-Cleanup": "false",
            "Debug::NoLocking": "true",
            "Acquire::Retries": "3",
        }
        argv = [tool(program)]
        for k, v in options.items():
            argv += ["-o", f"{k}={v}"]
        done = subprocess.run(argv + list(args), cwd=cwd, text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, LC_ALL="C"))
        return done.returncode, done.stdout, done.stderr

    def refresh(self, force=False):
        """Have package lists that aren't old, if the archive can be asked."""
        if self.fresh and not force:
            return
        stamp = os.path.join(self.dir, "updated")
        with cache.locked(f"apt-{self.name}"):
            age = time.time() - os.path.getmtime(stamp) \
                if os.path.exists(stamp) else None
            changed = self._write_sources()
            if age is None or age > LISTS_MAX_AGE_S or force or changed:
                say(f"apt: fetching package lists ({self.name})")
                status, _, err = self._call("apt-get", "update", "-q",
                                            "-o", "APT::Update::Error-Mode="
                                            "any")
                if not status:
                    with open(stamp, "w"):
                        pass
                elif age is None:
                    raise LabError("apt-get update failed:\n" + err.rstrip())
                else:
                    say("apt: lists not refreshed, the old ones serve: " +
                        (err.strip().splitlines() or ["?"])[-1])
        self.fresh = True

    def ask(self, program, *args):
        """Output of an apt command that only reads the lists.

        Answers are kept for as long as neither the lists nor what is
        installed here change: apt takes half a second for each.
        """
        self.refresh()
        stamp = [os.stat(p).st_mtime_ns for p in
                 (os.path.join(self.dir, "updated"), self.status)]
        name = cache.key(self.name, str(stamp), program, *args)

        def call(path):
            status, out, err = self._call(program, *args)
            if status:
                raise LabError(f"{program} {' '.join(args)}: {err.strip()}")
            with open(path, "w") as f:
                f.write(out)

        with open(cache.entry("answers", name, call)) as f:
            return f.read()

    def depends(self, package, pattern):
        """Packages that @package depends on whose name matches @pattern."""
        out = self.ask("apt-cache", "depends", package)
        return [n for n in re.findall(r"(?m)^\s+(?:Pre)?Depends: (\S+)", out)
                if re.fullmatch(pattern, n)]

    def file_name(self, package):
        """The file name of @package's candidate: name, version, arch."""
        out = self.ask("apt-get", "download", "--print-uris", "-qq", package)
        names = re.findall(r"(?m)^'[^']*' (\S+)", out)
        if len(names) != 1:
            raise LabError(f"package {package}: not in the archive "
                           f"({self.name})")
        return names[0]

    def versions(self, package):
        """The versions of @package that there are, as apt orders them."""
        out = self.ask("apt-cache", "madison", package)
        return re.findall(r"(?m)^\s*\S+ \|\s+(\S+) \|", out)

    def closure(self, packages):
        """What installing @packages would install: (name, version)."""
        out = self.ask("apt-get", "install", "--print-uris", "-qq", "-y",
                       "--no-install-recommends", *packages)
        return [(n, v.replace("%3a", ":")) for n, v in re.findall(
            r"(?m)^'[^']*' ([^_\s]+)_([^_\s]+)_\S+\.deb", out)]

    def download(self, specs, directory):
        """The .deb files of @specs (name=version) into a directory."""
        say(f"apt: downloading {len(specs)} packages ({self.name})")
        status, _, err = self._call("apt-get", "download", "-q", *specs,
                                    cwd=directory)
        if status:
            raise LabError(f"apt-get download: {err.strip()}")

    def fetch(self, package):
        """The path of @package's .deb file."""
        name = self.file_name(package)

        def download(path):
            say(f"apt: downloading {name}")
            os.mkdir(path + ".d")
            status, _, err = self._call("apt-get", "download", "-q", package,
                                        cwd=path + ".d")
            if status:
                # The archive has moved on since the lists were fetched.
                self.refresh(force=True)
                status, _, err = self._call("apt-get", "download", "-q",
                                            package, cwd=path + ".d")
            files = os.listdir(path + ".d")
            if status or len(files) != 1:
                raise LabError(f"apt-get download {package}: {err.strip()}")
            if files[0] != name:
                raise LabError(f"package {package}: the archive has a newer "
                               f"version now ({files[0]}): run this again")
            os.rename(os.path.join(path + ".d", name), path)

        return cache.entry("debs", name, download)

    def unpack(self, package):
        """The directory where @package's files are."""
        deb = self.fetch(package)

        def dpkg(path):
            done = subprocess.run([tool("dpkg"), "-x", deb, path],
                                  stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise LabError(f"dpkg -x {deb}: {done.stderr.strip()}: "
                               "remove the file and run this again")

        return cache.entry("unpacked", os.path.basename(deb)[:-4], dpkg)
