#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench/contents: shares are exact, whatever twins and zeroes an image has.
# Run from the top of the tree.

contents=bench/contents
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

refuses() { ! $contents "${@:2}" 2>"$tmp/said" && grep -qF "$1" "$tmp/said"; }

# measured FIELD VALUE IMAGE [HELD]
measured()
{
	local got
	got=$($contents measure --json "${@:3}" |
		sed -n "s/^  \"$1\": \([0-9.]*\),\?$/\1/p")
	[ "$got" = "$2" ] || { echo "$1 is $got"; return 1; }
}

# shares PERCENT OF PAGES: an image that holds so many of $tmp/ram
shares()
{
	[ "$($contents share "$tmp/ram" "$1" "$tmp/held" --of "$2")" = "$3" ] &&
		measured held "$3" "$tmp/ram" "$tmp/held" &&
		[ "$(stat -c %s "$tmp/held")" = "$(stat -c %s "$tmp/ram")" ]
}

# 1024 pages: 600 single ones, 50 contents four times, 224 of zeroes
check "noise" $contents random "$tmp/noise" --memory 4
check "is all different" measured distinct 1024 "$tmp/noise"
{
	head -c $((600 * 4096)) "$tmp/noise"
	for i in 1 2 3 4; do
		tail -c $((50 * 4096)) "$tmp/noise"
	done
} >"$tmp/ram"
truncate -s 4M "$tmp/ram"
check "zeroes are counted" measured zero 224 "$tmp/ram"
check "twins are counted once" measured distinct 650 "$tmp/ram"
check "nothing holds nothing" measured held 0 "$tmp/ram"
for s in 0:0 25.9:265 44.4:455 64.7:663 78.125:800; do
	check "${s%:*} % of all" shares "${s%:*}" all "${s#*:}"
done
for s in 0:0 25.9:207 82.8:662 100:800; do
	check "${s%:*} % of what isn't zero" shares "${s%:*}" nonzero "${s#*:}"
done
check "more than there is" refuses "aren't zero" \
	share "$tmp/ram" 82.8 "$tmp/held" --of all
check "no share" refuses "is no share" share "$tmp/ram" 101 "$tmp/held"
check "no image" refuses "whole pages" measure "$contents"
check "no such guest" refuses "there are A1" guest C1
check "a guest too small" refuses "512 to 2048" guest A1 --memory 64
same()
{
	$contents share "$tmp/ram" 50 "$tmp/a" &&
		$contents share "$tmp/ram" 50 "$tmp/b" && cmp "$tmp/a" "$tmp/b"
}
check "the same call makes the same bytes" same

echo "1..$tests"
