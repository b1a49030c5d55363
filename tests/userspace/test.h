/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every test program includes first. */
#ifndef TESTS_USERSPACE_TEST_H
#define TESTS_USERSPACE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <layerblk.h>

#endif
