#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: an I/O error that was not announced fails a test
# 
. "$TEST_REPO/tests/lib/test.sh"

echo "<3>I/O error, dev planted, sector 0" >/dev/kmsg
