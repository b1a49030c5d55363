#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: mandoc finds no error in the man pages
# where: host
# requires: cmd:mandoc file:docs/man
. "$TEST_REPO/tests/lib/test.sh"

mapfile -t pages < <(find "$TEST_REPO/build/userspace/man" -name '*.[1-9]' 2>/dev/null)
[ ${#pages[@]} -gt 0 ] || fail "no man page was built"
mandoc -T lint -W warning "${pages[@]}"
