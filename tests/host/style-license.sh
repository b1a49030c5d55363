#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every source file names its license
# where: host
# group: style
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
mapfile -t files < <(git ls-files -co --exclude-standard |
	grep -E '(\.[chS]|\.sh|\.rules|/Makefile|^Makefile|Kbuild|dkms\.conf)$|^scripts/|^tests/run$')
[ ${#files[@]} -gt 5 ] || fail "found too few files"
bad=0
for f in "${files[@]}"; do
	[ -f "$f" ] || continue
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier:' || { echo "$f"; bad=1; }
done
[ "$bad" = 0 ] || fail "files without an SPDX line"
