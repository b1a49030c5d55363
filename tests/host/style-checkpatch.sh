#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: checkpatch has nothing to say about the module and the tools
# where: host
# group: style
# requires: cmd:perl file:kmod
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
# The module follows the kernel's style; what is ignored and why:
#  LONG_LINE*                  lines go to 120
#  FILE_PATH_CHANGES           there is no MAINTAINERS file to change
#  SPDX_LICENSE_TAG            its list of forms is the kernel tree's
#  LINUX_VERSION_CODE          belongs in the compatibility header, and a test
#                              of its own keeps it there
#  PREFER_*, CONST_STRUCT      the kernel tree's own helpers, which the code
#                              shared with userspace cannot have
#  CONSTANT_COMPARISON, SPLIT_STRING, COMPLEX_MACRO  static asserts and tables
#  NEW_TYPEDEFS                the port's types differ between its two sides
#  EMBEDDED_FILENAME, COMMIT_* about patches
#  MACRO_ARG_REUSE, MACRO_ARG_PRECEDENCE  x-macro lists
#  EXPORT_SYMBOL               the module lends its symbols to its tests only,
#                              and from one file apart
checkpatch=$(scripts/kernel.sh checkpatch)
ignore=LONG_LINE,LONG_LINE_COMMENT,LONG_LINE_STRING,FILE_PATH_CHANGES
ignore+=,SPDX_LICENSE_TAG,LINUX_VERSION_CODE,SPLIT_STRING,CONST_STRUCT
ignore+=,PREFER_KERNEL_TYPES,EMBEDDED_FILENAME,MACRO_ARG_REUSE
ignore+=,MACRO_ARG_PRECEDENCE,COMPLEX_MACRO,UAPI_INCLUDE
ignore+=,CONSTANT_COMPARISON,NEW_TYPEDEFS,EXPORT_SYMBOL
mapfile -t files < <(find kmod -name '*.[ch]' -type f | sort)
[ ${#files[@]} -gt 3 ] || fail "found too few files"
perl "$checkpatch" --no-tree --no-summary --terse --strict --quiet \
	--max-line-length=120 --ignore "$ignore" --show-types \
	-f "${files[@]}" >"$T/found" || true
grep -E ': (ERROR|WARNING):' "$T/found" && fail "checkpatch found something"
exit 0
