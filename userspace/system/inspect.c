// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl inspect: whatever has the name, a container, an image or a volume. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "describe.h"
#include "fields.h"
#include "run_commands.h"
#include "system_commands.h"
#include "volume.h"

static int inspect_container(const struct pool *pool, const char *text, json_object **out, struct layerblk_error *err)
{
	struct container container;
	int rc = container_find(pool, text, &container, err);

	if (rc)
		return rc;
	*out = describe_container(pool, &container);
	container_clear(&container);
	return 0;
}

static int inspect_image(const struct pool *pool, const char *text, json_object **out, struct layerblk_error *err)
{
	struct catalogue all = { 0 };
	int rc = catalogue_load(pool, &all, err);

	if (!rc)
		rc = image_describe(pool, &all, text, out, err);
	catalogue_clear(&all);
	return rc;
}

static int inspect_volume(const struct pool *pool, const char *text, json_object **out, struct layerblk_error *err)
{
	return volume_describe(pool->lb, text, out, err);
}

/* In the order in which a name is looked for. */
static const struct inspected {
	const char *type;
	int (*inspect)(const struct pool *pool, const char *text, json_object **out, struct layerblk_error *err);
} inspected[] = {
	{ "container", inspect_container }, { "image", inspect_image }, { "volume", inspect_volume },
};

#define TYPES	(sizeof(inspected) / sizeof(*inspected))

static int inspect_any(const struct pool *pool, const char *text, json_object **out, struct layerblk_error *err)
{
	for (size_t i = 0; i < TYPES; i++) {
		int rc = inspected[i].inspect(pool, text, out, err);

		/* Not even a possible name of one kind, it may be one of another. */
		if (rc != -ENOENT && rc != -EINVAL)
			return rc;
	}
	return layerblk_error_set(err, ENOENT, "inspect", text, "no container, image or volume is called so");
}

static int inspect_all(struct command_call *call, const struct inspected *type)
{
	cleanup_json json_object *array = json_object_new_array();
	struct image_pool at;
	int status = 0, printed;

	if (!fields_option_is_right(call))
		return 1;
	if (container_pool_open(call, &at))
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		json_object *object;

		if ((type ? type->inspect : inspect_any)(&at.pool, call->argv[i], &object, &call->error))
			status = command_fail(call);
		else
			json_object_array_add(array, object);
	}
	printed = fields_output(call, array);
	return status ? status : printed;
}

int system_inspect(struct command_call *call)
{
	const char *type = option_value(call, "type");

	for (size_t i = 0; type && i < TYPES; i++)
		if (strcmp(type, inspected[i].type) == 0)
			return inspect_all(call, &inspected[i]);
	if (type)
		return command_usage_error(call, "\"%s\" is no type: container, image or volume", type);
	return inspect_all(call, NULL);
}

int system_inspect_containers(struct command_call *call)
{
	return inspect_all(call, &inspected[0]);
}
