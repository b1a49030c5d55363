#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: clean-up runs in reverse order after a failure
# shellcheck disable=SC2016 # defer evaluates later
# 
. "$TEST_REPO/tests/lib/test.sh"

defer 'rmdir "$T/a"'
mkdir "$T/a"
defer 'rmdir "$T/a/b"'
mkdir "$T/a/b"
refused -m 'No such file' cat "$T/none"
(refused true) && fail "refused took a success for a refusal"
(refused sh -c 'kill -9 $$') && fail "refused took a crash for a refusal"
exit 0
