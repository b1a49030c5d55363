#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: with "root = shared" in the configuration, cp, diff, commit, export, top and stats do what they do with plain roots
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:ps
# timeout: 600
export ROOTS=shared
# shellcheck source=tests/vm/run-copy-diff-commit.sh
. "$TEST_REPO/tests/vm/run-copy-diff-commit.sh"
