#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test whose requirement is missing is skipped
# requires: cmd:no-such-command-anywhere
. "$TEST_REPO/tests/lib/test.sh"

false
