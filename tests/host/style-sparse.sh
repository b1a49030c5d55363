#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: sparse with endian checks has nothing to say about the module
# where: host
# group: style
# requires: cmd:sparse file:Kbuild
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
scripts/build-module.sh --sparse "$TEST_KERNEL"
