#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that does not end is stopped
# timeout: 2
. "$TEST_REPO/tests/lib/test.sh"

sleep 60
