#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: containers with shared roots outlive killed commands, and what is killed is cleared up after
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
export ROOTS=shared
# shellcheck source=tests/vm/run-killed-is-cleaned-up.sh
. "$TEST_REPO/tests/vm/run-killed-is-cleaned-up.sh"
