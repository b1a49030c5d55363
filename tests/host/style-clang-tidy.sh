#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: clang's analyzer finds nothing in tools, library and engine
# where: host
# group: style
# requires: cmd:clang-tidy file:userspace/Makefile
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
# The files and their flags are what the Makefile would compile.
make -C userspace -nB OUT="$T/out" all 2>/dev/null | sed 's/\\$//' |
	grep -E '^(cc|gcc) .* -c ' | grep -v -e '-fPIC' >"$T/commands" || true
[ -s "$T/commands" ] || fail "userspace/Makefile compiles nothing"

# Left out: taste; what takes every memcpy for a bug; and what this analyzer
# cannot know: that a cleanup attribute frees, and that a function which sets an
# error never returns 0 (the sanitizers watch memory in the tests' real runs).
checks='-*,clang-analyzer-*,bugprone-*,-clang-analyzer-security.insecureAPI.*'
checks+=',-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier'
checks+=',-bugprone-narrowing-conversions,-bugprone-branch-clone'
checks+=',-bugprone-implicit-widening-of-multiplication-result'
checks+=',-bugprone-assignment-in-if-condition,-bugprone-macro-parentheses'
checks+=',-bugprone-sizeof-expression,-bugprone-not-null-terminated-result,-bugprone-suspicious-missing-comma'
checks+=',-bugprone-suspicious-string-compare,-clang-analyzer-unix.Malloc'
checks+=',-clang-analyzer-core.uninitialized.*,-clang-analyzer-core.CallAndMessage'

# shellcheck disable=SC2317 # called by xargs
tidy() {
	local flags file

	file=$(grep -oE ' -c [^ ]+' <<<"$1" | cut -c5-)
	flags=$(sed -e 's/^[a-z]* //' -e 's/ -c .*//' -e 's/-fsanitize[^ ]*//g' <<<"$1")
	eval "clang-tidy --quiet --warnings-as-errors='*' --checks='$checks' '$file' -- $flags -Wno-unknown-warning-option" 2>&1 |
		grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header' || true
}
export -f tidy
export checks
# shellcheck disable=SC2016 # expanded by the inner shell
xargs -a "$T/commands" -d '\n' -P "$(nproc)" -I{} bash -c 'tidy "$1"' _ {} >"$T/found"
cat "$T/found"
grep -qE ': (error|warning): ' "$T/found" && fail "clang-tidy found something"
exit 0
