#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The header of the ABI can be used as it is, by 32-bit and 64-bit programs and
# by C++, and says the same to all; its structs are those that were frozen.
# Run from the top of the tree; $CC compiles.

cc=${CC:-gcc}
tests=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# check NAME COMMAND...: one test
check()
{
	local name=$1 ok=ok
	shift
	tests=$((tests + 1))
	"$@" >"$tmp/out" 2>&1 || {
		ok="not ok"
		sed 's/^/# /' "$tmp/out"
	}
	echo "$ok $tests - $name"
}

# The kernel's headers are the same for both, but not in gcc's -m32 path.
arch=$($cc -print-multiarch 2>/dev/null)
compiles()
{
	"$@" -Wall -Wextra -Werror -fsyntax-only -Iuapi -Iselftests \
		${arch:+-idirafter "/usr/include/$arch"}
}

echo '#include <linux/umig.h>' >"$tmp/alone.c"
cp "$tmp/alone.c" "$tmp/alone.cc"
echo '#include "kmod/abi_layout.h"' >"$tmp/layout.c"
echo 'struct umig_info info; struct umig_stat stat;' >>"$tmp/alone.c"

check "the header stands alone" compiles "$cc" -std=c99 "$tmp/alone.c"
check "64-bit layout is the frozen one" compiles "$cc" -m64 "$tmp/layout.c"
check "32-bit layout is the same" compiles "$cc" -m32 "$tmp/layout.c"

# every struct that is an argument begins with size and flags
first_fields()
{
	local s bad=0
	for s in $(sed -n 's/^#define UMIG_IOC_\([A-Z_]*\).*_IO(.*/\1/p' \
			uapi/linux/umig.h | tr A-Z a-z); do
		sed -n "/^struct umig_$s {/,/^}/p" uapi/linux/umig.h |
			sed -n '2,3p' | tr -d '\t\n' |
			grep -qx '__u32 size;__u32 flags;' && continue
		echo "struct umig_$s doesn't begin with size and flags"
		bad=1
	done
	return $bad
}
check "arguments begin with size and flags" first_fields

# a field without a description is none that anybody can use
described()
{
	local name f bad=0
	for name in $(sed -n 's/^struct \(umig_[a-z_]*\) {/\1/p' \
			uapi/linux/umig.h); do
		sed -n "/^ \* struct $name - /,/^ \*\//p" uapi/linux/umig.h \
			>"$tmp/doc"
		for f in $(sed -n "/^struct $name {/,/^}/s/.*[ \t]\([a-z_]*\)\(\[.*\]\)\?;/\1/p" \
				uapi/linux/umig.h); do
			grep -q "@$f:" "$tmp/doc" && continue
			echo "$name.$f isn't described"
			bad=1
		done
	done
	return $bad
}
check "every field is described" described

# and the manual page knows every ioctl
page_knows()
{
	local n bad=0
	for n in $(sed -n 's/^#define \(UMIG_IOC_[A-Z_]*\).*_IO(.*/\1/p' \
			uapi/linux/umig.h); do
		grep -q "$n" Documentation/man/umig.4 && continue
		echo "umig.4 has no $n"
		bad=1
	done
	return $bad
}
check "umig(4) knows every ioctl" page_knows

# and every errno that the header tells of
page_knows_errno()
{
	local e bad=0
	for e in $(grep -o '\<E[A-Z2]\{3,\}\>' uapi/linux/umig.h | sort -u | grep -vx EVENTS); do
		grep -q "\<$e\>" Documentation/man/umig.4 && continue
		echo "umig.4 has no $e"
		bad=1
	done
	return $bad
}
check "umig(4) knows every errno" page_knows_errno

# and module.rst and umig(4) every parameter
page_knows_parameters()
{
	local p f bad=0
	for p in $(sed -n 's/^MODULE_PARM_DESC(\([a-z_]*\),.*/\1/p' \
			kmod/*.c | grep -v debug); do
		for f in Documentation/man/umig.4 Documentation/module.rst; do
			grep -q "$p" "$f" && continue
			echo "$f has no $p"
			bad=1
		done
	done
	return $bad
}
check "every parameter of the module is described" page_knows_parameters

echo "1..$tests"
