// SPDX-License-Identifier: GPL-2.0
/*
 * layerblk_kunit.ko: tests of layerblk.ko from within the kernel. They run when this is loaded; what they found is in the kernel's log and in
 * /sys/kernel/debug/kunit/. It is built where the kernel has KUnit, calls the module that is loaded by the symbols of exports.c, and is
 * installed nowhere.
 */
#include <linux/module.h>

#include "compat.h"
#include "lab.h"

kunit_test_suites(&lbk_port_suite, &lbk_port_irq_suite, &lbk_engine_suite, &lbk_engine_small_suite, &lbk_chain_suite, &lbk_bio_suite,
		  &lbk_bio_irq_suite, &lbk_bio_order_suite, &lbk_bio_hold_suite);

COMPAT_IMPORT_NS(LAYERBLK_KUNIT);
MODULE_DESCRIPTION("Tests of layerblk");
MODULE_LICENSE("GPL");
