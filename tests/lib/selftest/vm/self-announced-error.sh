#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: an I/O error that was announced does not fail a test
# 
. "$TEST_REPO/tests/lib/test.sh"

expect_klog 'I/O error, dev planted'
echo "<3>I/O error, dev planted, sector 0" >/dev/kmsg
