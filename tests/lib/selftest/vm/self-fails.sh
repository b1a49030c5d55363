#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test whose command fails
# 
. "$TEST_REPO/tests/lib/test.sh"

false
echo "not reached"
