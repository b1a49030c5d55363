// SPDX-License-Identifier: GPL-2.0-or-later
/* User labels as attribute changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "labels.h"
#include "show.h"

static int label_key(const char *key, size_t len, char *buffer, size_t size, struct layerblk_error *err)
{
	if (!len || len + strlen(USER_LABEL) >= size)
		return layerblk_error_set(err, EINVAL, "use the label", key, "its key has 1 to %zu characters",
					  size - strlen(USER_LABEL) - 1);
	snprintf(buffer, size, USER_LABEL "%.*s", (int)len, key);
	return 0;
}

int labels_add(struct command_call *call, struct layerblk_attrs *attrs, uint64_t volume)
{
	char key[LB_KEY_MAX + 1];
	const char *text;
	size_t i;

	for (i = 0; (text = option_nth(call, "label", i)); i++) {
		size_t len = strcspn(text, "=");

		if (label_key(text, len, key, sizeof(key), &call->error))
			return -EINVAL;
		layerblk_attrs_set_string(attrs, volume, key, text[len] ? text + len + 1 : "", 0);
	}
	for (i = 0; (text = option_nth(call, "label-rm", i)); i++) {
		if (label_key(text, strlen(text), key, sizeof(key), &call->error))
			return -EINVAL;
		layerblk_attrs_delete(attrs, volume, key, 0);
	}
	return 0;
}
