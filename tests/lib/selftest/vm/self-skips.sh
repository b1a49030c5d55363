#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that skips says why
# 
. "$TEST_REPO/tests/lib/test.sh"

skip "no such thing here"
