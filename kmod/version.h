/* SPDX-License-Identifier: GPL-2.0 */
/* The module's version: what modinfo and LB_IOC_VERSION say. The file VERSION at the top says the same. */
#ifndef LBK_VERSION_H
#define LBK_VERSION_H

#define LBK_VERSION "0.1.0"

#endif /* LBK_VERSION_H */
