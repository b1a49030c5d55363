#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a lockdep report fails a test
# 
. "$TEST_REPO/tests/lib/test.sh"

echo "<4>WARNING: possible circular locking dependency detected" >/dev/kmsg
