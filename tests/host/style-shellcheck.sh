#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every shell script is clean under shellcheck
# where: host
# group: style
# requires: cmd:shellcheck
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
# Tracked or about to be; whatever begins with a shell's #! line counts.
mapfile -t scripts < <(git ls-files -co --exclude-standard | while read -r f; do
	[ -f "$f" ] || continue
	case $f in
	*.sh) echo "$f" ;;
	*) head -c 64 "$f" | head -n 1 | tr -d '\0' | grep -aqE '^#!.*[/ ](ba|da)?sh' && echo "$f" ;;
	esac || true
done)
[ ${#scripts[@]} -gt 5 ] || fail "found too few scripts"
shellcheck -x "${scripts[@]}"
