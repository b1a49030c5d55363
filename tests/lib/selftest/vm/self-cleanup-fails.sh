#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a failing clean-up fails the test
# 
. "$TEST_REPO/tests/lib/test.sh"

defer "false"
