#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The program as it is typed: help, exit codes, and that manual pages and
# completion know every command and every option that --help tells of.
# Run from the top of the tree; $UMIG is the program.

umig=${UMIG:-build/bin/umig}
man=Documentation/man
export PATH=$(cd "$(dirname "$umig")" && pwd):$PATH
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

skip()
{
	tests=$((tests + 1))
	echo "ok $tests # SKIP $1"
}

# exits STATUS WORDS ARGS...: umig ARGS ends so and says WORDS
exits()
{
	local status=$1 words=$2 got
	shift 2
	umig "$@" >"$tmp/said" 2>&1
	got=$?
	cat "$tmp/said"
	[ "$got" -eq "$status" ] || { echo "exit status $got"; return 1; }
	grep -qF -- "$words" "$tmp/said" || { echo "no \"$words\""; return 1; }
}

commands=$(umig --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
options()
{
	umig "$1" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'
}

page_knows()
{
	local o missing=0
	for o in $(options "$1"); do
		# in roff every dash of an option is written \-
		grep -qF -- "${o//-/\\-}" "$man/umig-$1.1" && continue
		echo "umig-$1.1 has no $o"
		missing=1
	done
	[ "$(options "$1" | wc -l)" -ge 2 ] && return $missing
}

# every default that the help names stands in the page, too
page_knows_defaults()
{
	local default missing=0 page
	page=$(sed 's/\\-/-/g; s/^\.[A-Z]* //' "$man/umig-$1.1" | tr '\n' ' ')
	while read -r default; do
		[[ $page == *"Default: $default."* ]] && continue
		echo "umig-$1.1 has no \"Default: $default.\""
		missing=1
	done < <(umig "$1" --help | tr -s ' \n' ' ' |
		grep -o '(default: [^)]*)' | sed 's/(default: \(.*\))/\1/')
	return $missing
}

# and the page speaks of no option that isn't there
page_invents()
{
	local o extra=0
	for o in $(sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/s/^\.\(B\|BI\) \(\\-\\-[a-z\\-]*\).*/\2/p' \
			"$man/umig-$1.1"); do
		o=${o//\\/}
		options "$1" | grep -qx -- "$o" && continue
		echo "umig $1 has no $o"
		extra=1
	done
	return $extra
}

page_is_clean()
{
	local warnings
	warnings=$(groff -man -Tutf8 -ww "$1" 2>&1 >/dev/null)
	echo "$warnings"
	[ -z "$warnings" ]
}

completes()
{
	local want=$1 o
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_umig
	for o in $want; do
		printf '%s\n' "${COMPREPLY[@]}" | grep -qx -- "$o" && continue
		echo "no $o in: ${COMPREPLY[*]}"
		return 1
	done
}

check "there are commands" [ "$(echo $commands | wc -w)" -ge 10 ]
check "no command" exits 2 "Usage: umig COMMAND"
check "an unknown command" exits 2 '"fly"' fly
check "--help" exits 0 "Exit codes" --help
check "--version" exits 0 "umig $(sed -n 's/^VERSION := //p' Makefile)" \
	--version
for c in $commands; do
	check "umig $c --help" exits 0 "Usage: umig $c" "$c" --help
	check "umig $c with an unknown option" exits 2 "--no-such" "$c" \
		--no-such
	check "umig-$c(1) knows its options" page_knows "$c"
	check "umig-$c(1) invents none" page_invents "$c"
	check "umig-$c(1) knows their defaults" page_knows_defaults "$c"
	check "umig(1) knows it" grep -qF "umig\\-$c" "$man/umig.1"
done

if command -v groff >/dev/null; then
	for p in "$man"/*.[145]; do
		check "$(basename "$p") is clean" page_is_clean "$p"
	done
else
	skip "no groff: can't see whether the pages are clean"
fi

. contrib/umig.bash-completion
check "completion knows the commands" completes "$commands" umig ""
for c in $commands; do
	check "completion knows the options of $c" \
		completes "$(options "$c")" umig "$c" "--"
done
check "completion of a value" completes "ring" umig run --dirty r

check "a control socket that isn't there" exits 1 "$tmp/none" \
	status --control "$tmp/none"
check "JSON all the same" exits 1 '"status": "failed"' \
	migrate --control "$tmp/none" --to 127.0.0.1:1 --json
check "a group's name that is none" exits 2 "a-z 0-9" run --memory 64M \
	--kernel x --control x --group Web
check "settle without an answer" exits 2 "--moved" settle --control x
check "settle with both" exits 2 "--moved" settle --control x --moved --stayed
check "settle neither by socket nor by name" exits 2 "--name" settle --moved
check "settle by both" exits 2 "--name" settle --moved --control x --name web

# what a process that died in the handover left behind
mkdir "$tmp/state"
state="--state-dir $tmp/state"
here="$state --control $tmp/none --memory 64M"
record()
{
	cat >"$tmp/state/web.handover" <<-END
	{ "version": 1, "name": "web", "role": "$1", "phase": "$2",
	  "migration": "00112233445566778899aabbccddeeff",
	  "peer": "10.0.0.2:7000", "time": 1770000000 }
	END
}
check "a VM that never was here" exits 1 "has never had a VM" \
	status --name web $state
: >"$tmp/state/web.lock"
check "a VM without a record" exits 0 "none is recorded" status --name web \
	$state
record source handover
check "a record is shown" exits 0 "handed over to 10.0.0.2:7000" \
	status --name web $state
check "a record as JSON" exits 0 '"phase": "handover"' \
	status --name web $state --json
check "run refuses what may run elsewhere" exits 1 \
	"umig settle --moved --name web" run --name web --kernel x $here
check "listen refuses it" exits 1 "umig settle --stayed --name web" \
	listen --name web $here
check "another VM is none of its business" exits 1 "$tmp/nokernel" \
	run --name db --kernel "$tmp/nokernel" $here
check "settled as moved" exits 0 "it moved to 10.0.0.2:7000" \
	settle --name web --moved $state
check "run refuses what has moved" exits 1 "2026-02-02 02:40:00 UTC" \
	run --name web --kernel x $here
check "settled as ended there" exits 0 "none is recorded" \
	settle --name web --stayed $state
check "nothing to settle where it never was" exits 1 "has never had a VM" \
	settle --name nobody --moved $state
check "nor is it taken for one that was" exits 1 "has never had a VM" \
	status --name nobody $state
check "nothing to settle" exits 1 "nothing to settle" \
	settle --name web --moved $state
record destination starting
check "run refuses what may have run here" exits 1 "at the source first" \
	run --name web --kernel x $here
check "settled as having run here" exits 0 "it arrived from" \
	settle --name web --moved $state
check "run takes it then" exits 1 "$tmp/nokernel" \
	run --name web --kernel "$tmp/nokernel" $here
echo nonsense >"$tmp/state/web.handover"
check "run refuses a record that makes no sense" exits 1 \
	"$tmp/state/web.handover" run --name web --kernel x $here
check "status tells so" exits 1 "no sense" status --name web $state
check "a state directory that can't be" exits 1 "--state-dir" \
	run --name web --kernel x --state-dir /dev/null/x --control x \
	--memory 64M
check "a key that is none" exits 1 "is no key" index set-key /dev/null
check "a key file that isn't there" exits 1 "$tmp/none" \
	index set-key "$tmp/none"
umig index gen-key >"$tmp/a" && umig index gen-key >"$tmp/b"
check "a new key is one" grep -qxE '[0-9a-f]{64}' "$tmp/a"
differ() { ! cmp -s "$1" "$2"; }
check "and another each time" differ "$tmp/a" "$tmp/b"

umig index gen-key >"$tmp/domain.key"
head -c 8192 /dev/urandom >"$tmp/ram"
truncate -s 32K "$tmp/ram"
check "an image is indexed" exits 0 "8 pages, 6 of them zero" \
	image index "$tmp/ram" --key "$tmp/domain.key"
check "its index is known" exits 0 "pages              8" image info "$tmp/ram"
check "an image without a key" exits 2 "--key" image index "$tmp/ram"
check "an image that is none" exits 1 "is no image" \
	image index "$tmp" --key "$tmp/domain.key"
check "an image without an index" exits 1 "umig image index" \
	image info "$tmp/domain.key"

check "keygen makes a key" exits 0 "address=" keygen --key "$tmp/host.key"
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }
check "which only its owner may read" mode_is "$tmp/host.key" 600
line=$(sed -n 2p "$tmp/said")
pubkey_is() { [ "$(umig pubkey --key "$1")" = "$2" ]; }
check "and prints the public one" pubkey_is "$tmp/host.key" \
	"$(echo "$line" | cut -d' ' -f2)"
check "keygen leaves a key alone" exits 1 "is there already" \
	keygen --key "$tmp/host.key"
check "it is what it was" pubkey_is "$tmp/host.key" \
	"$(echo "$line" | cut -d' ' -f2)"
chmod 640 "$tmp/host.key"
check "a key that others can read" exits 1 "chmod 600" \
	pubkey --key "$tmp/host.key"
check "pubkey without a key" exits 1 "umig keygen" pubkey --key "$tmp/none"

page5_knows()
{
	local o
	for o in address from groups bandwidth proof revoked; do
		grep -q "^\.\(B\|BI\) $o\(=\| *\$\)" "$man/umig-peers.5" &&
			continue
		echo "umig-peers(5) has no $o"
		return 1
	done
}
check "umig-peers(5) knows the options" page5_knows

echo "1..$tests"
