/* SPDX-License-Identifier: GPL-2.0 */
/* kmod/trace.h ends with this one. */
