/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a recipe, for the one who writes and the one who reads; see recipe.h. */
#ifndef IMAGE_RECIPE_FORMAT_H
#define IMAGE_RECIPE_FORMAT_H

#define RECIPE_MAGIC		"LBTARREC\1"
#define RECIPE_MAGIC_SIZE	9

#define RECIPE_LITERAL	'L'
#define RECIPE_FILE	'F'
#define RECIPE_DATA	'D'
#define RECIPE_END	'E'

#endif
