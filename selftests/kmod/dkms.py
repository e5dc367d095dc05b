# SPDX-License-Identifier: GPL-2.0
"""DKMS as an administrator would use it, on the kernel of a build root.

The release's own dkms adds, builds, signs, installs and removes the module;
nothing of it touches this machine.
"""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from lab.buildroot import BuildRoot
from lab.say import run, say
from lab.scenario import REPO
from lab.tap import check

# Of modinfo: what an administrator looks for.
FIELDS = ("filename", "version", "license", "description", "author",
          "srcversion", "depends", "vermagic", "sig_id", "signer")

STEPS = """\
set -e
d() {
	action=$1
	shift
	dkms "$action" -m umig -v @VERSION@ --sourcetree /usr/src/umig "$@"
}
echo "== add"
d add
echo "== build"
d build -k @KERNEL@ || {
	cat /var/lib/dkms/umig/@VERSION@/build/make.log
	exit 1
}
echo "== install"
d install -k @KERNEL@
echo "== status"
dkms status -m umig -v @VERSION@ -k @KERNEL@
echo "== modinfo"
modinfo -k @KERNEL@ umig
cp "$(modinfo -k @KERNEL@ -n umig)" /out/
echo "== exclude"
! d build -k 6.5.0-0-amd64 \\
	--kernelsourcedir /usr/src/linux-headers-@KERNEL@ 2>&1
echo "== remove"
d remove --all
test -z "$(find /usr/lib/modules/@KERNEL@/ -name 'umig.ko*')"
echo "== done"
"""


def _modules_tree(kernel, path):
    """/lib/modules of a machine that runs @kernel, to write to."""
    tree = os.path.join(path, kernel.version)
    os.makedirs(tree)
    for name in ("modules.builtin", "modules.builtin.modinfo",
                 "modules.order"):
        shutil.copy(os.path.join(kernel.modules, name), tree)
    # One whose depmod has run.
    with open(os.path.join(tree, "modules.dep"), "w"):
        pass
    os.symlink(f"/usr/src/linux-headers-{kernel.version}",
               os.path.join(tree, "build"))


def _section(output, name):
    return re.search(rf"(?ms)^== {name}\n(.*?)(?=^== |\Z)", output)[1]


def _uncompressed(directory):
    [name] = os.listdir(directory)
    path = os.path.join(directory, name)
    tool = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}.get(
        os.path.splitext(name)[1])
    if tool:
        run([tool, "-d", path])
    return os.path.join(directory, "umig.ko")


def version():
    """The version that dkms.conf gives."""
    with open(os.path.join(REPO, "dkms.conf")) as f:
        return re.search(r'(?m)^PACKAGE_VERSION="(.*)"', f.read())[1]


def build(kernel, out):
    """Add, build, install, look, remove; the module as installed to @out.

    Returns modinfo's fields.
    """
    root = BuildRoot(kernel)
    with tempfile.TemporaryDirectory() as work:
        dirs = {n: os.path.join(work, n)
                for n in ("source", "out", "dkms", "modules", "script")}
        for path in dirs.values():
            os.mkdir(path)
        run(["make", "-s", "-C", REPO, "install-dkms",
             f"DESTDIR={dirs['source']}"])
        _modules_tree(kernel, dirs["modules"])
        script = STEPS.replace("@VERSION@", version()).replace(
            "@KERNEL@", kernel.version)
        say(f"dkms: building for {kernel.version}")
        output = root.run(["sh", "-c", script], [
            ("usr/src/umig", os.path.join(dirs["source"], "usr/src")),
            ("out", dirs["out"]), ("var/lib/dkms", dirs["dkms"]),
            ("usr/lib/modules", dirs["modules"])])
        say(output, level=2)
        check("installed" in _section(output, "status"),
              "dkms status: not installed:\n" + _section(output, "status"))
        check("BUILD_EXCLUSIVE" in _section(output, "exclude"),
              "dkms builds for 6.5:\n" + _section(output, "exclude"))
        info = dict(re.findall(r"(?m)^(\w+):[ \t]*(.*)$",
                               _section(output, "modinfo")))
        missing = [f for f in FIELDS if f not in info]
        check(not missing, f"modinfo lacks {', '.join(missing)}:\n{output}")
        check(info["version"] == version(),
              f"the module is {info['version']}, dkms.conf {version()}")
        os.makedirs(out, exist_ok=True)
        shutil.copy(_uncompressed(dirs["out"]), os.path.join(out, "umig.ko"))
    return info
