#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every bug that make mutation-test plants still fits the sources
# where: host
# requires: cmd:patch
. "$TEST_REPO/tests/lib/test.sh"

"$TEST_REPO/tests/mutations/run" --check
