/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* Lets the tools include the contract by the name it has when installed; the contract itself is kmod/uapi/layerblk.h. */
#include "../../../kmod/uapi/layerblk.h"
