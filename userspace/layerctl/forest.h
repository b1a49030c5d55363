/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes arranged as trees, and their picture. */
#ifndef LAYERCTL_FOREST_H
#define LAYERCTL_FOREST_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>
#include <layerblk.h>

/*
 * Arranges volumes (in the order of ids, hidden ones among them) by parent: an array of roots; every object is that of
 * show_volume() with "total" (its own data and that of all its ancestors, bytes) and "children_list", an array of the same.
 * A volume whose parent is not among them is a root. NULL: no memory.
 */
json_object *forest_build(const struct lb_vol_info *volumes, size_t n);

/*
 * Prints it with box characters (ascii: with |, + and -):
 *	VOLUME              OWN      TOTAL    STATE
 *	base                120MiB   120MiB   frozen
 *	└─ app              4MiB     124MiB   frozen
 *	   ├─ web1          8KiB     124MiB   in use
 */
void forest_print(FILE *out, json_object *roots, bool ascii);

/* The same for Graphviz: an arrow from each volume to its parent; where "running" is true, the box is bold. */
void forest_print_dot(FILE *out, json_object *roots);

/* Calls for each volume's object, parents before their children, so that it may be given more members. False: no memory. */
typedef void forest_fn(void *arg, json_object *volume);
bool forest_each(json_object *roots, forest_fn *visit, void *arg);

#endif
