#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that passes
# 
. "$TEST_REPO/tests/lib/test.sh"

step "fine"
[ -d "$T" ]
