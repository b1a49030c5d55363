// SPDX-License-Identifier: LGPL-2.1-or-later
/* Requests on volumes. */
#include <stdio.h>
#include "internal.h"

int layerblk_name_check(const char *name, struct layerblk_error *err)
{
	static const char what[] = "use the name";
	char subject[SUBJECT_TEXT];
	const unsigned char *c;

	snprintf(subject, sizeof(subject), "\"%.64s%s\"", name, strlen(name) > 64 ? "..." : "");
	if (!name[0])
		return layerblk_error_set(err, EINVAL, what, subject, "it is empty");
	if (strlen(name) > LB_NAME_MAX)
		return layerblk_error_set(err, ENAMETOOLONG, what, subject, "it is longer than %d bytes", LB_NAME_MAX);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return layerblk_error_set(err, EINVAL, what, subject, "\".\" and \"..\" name no volume");
	for (c = (const unsigned char *)name; *c; c++) {
		if (*c == '/')
			return layerblk_error_set(err, EINVAL, what, subject, "a volume's name holds no '/'");
		if (*c < 0x20 || *c == 0x7f)
			return layerblk_error_set(err, EINVAL, what, NULL, "a volume's name holds no control characters");
	}
	return 0;
}

static uint32_t name_length(const char *name)
{
	return (uint32_t)strnlen(name, LB_NAME_MAX + 1);
}

int layerblk_vol_create(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const char *name, uint64_t volume_size,
			uint64_t quota_blocks, const struct layerblk_attrs *attrs, uint64_t *id,
			struct layerblk_error *err)
{
	struct request_context context = { .what = "create the volume", .name = name, .uuid = uuid };
	struct lb_ioc_vol_create arg = {
		.size = sizeof(arg), .name = lbk_pointer(name), .name_len = name_length(name),
		.volume_size = volume_size, .quota_blocks = quota_blocks,
	};
	int ret = lbk_attrs_fill(attrs, &arg.attrs, err);

	if (ret)
		return ret;
	lbk_set_uuid(arg.uuid, uuid);
	ret = lbk_request(lb, LB_IOC_VOL_CREATE, &arg, &context, err);
	if (!ret && id)
		*id = arg.id;
	return ret;
}

int layerblk_vol_snapshot(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t source, const char *name,
			  uint32_t flags, uint64_t quota_blocks, const struct layerblk_attrs *attrs, uint64_t *id,
			  struct layerblk_error *err)
{
	struct request_context context = { .what = "take the snapshot", .name = name, .uuid = uuid };
	struct lb_ioc_vol_snapshot arg = {
		.size = sizeof(arg), .flags = flags, .source = source, .name = lbk_pointer(name),
		.name_len = name_length(name), .quota_blocks = quota_blocks,
	};
	int ret = lbk_attrs_fill(attrs, &arg.attrs, err);

	if (ret)
		return ret;
	lbk_set_uuid(arg.uuid, uuid);
	ret = lbk_request(lb, LB_IOC_VOL_SNAPSHOT, &arg, &context, err);
	if (!ret && id)
		*id = arg.id;
	return ret;
}

int layerblk_vol_freeze(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, const char *new_name,
			const struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	struct request_context context = { .what = "freeze the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_freeze arg = { .size = sizeof(arg), .id = id };
	int ret = lbk_attrs_fill(attrs, &arg.attrs, err);

	if (ret)
		return ret;
	if (new_name) {
		arg.name = lbk_pointer(new_name);
		arg.name_len = name_length(new_name);
	}
	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_VOL_FREEZE, &arg, &context, err);
}

int layerblk_vol_rm(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		    const struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	struct request_context context = { .what = "remove the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_rm arg = { .size = sizeof(arg), .flags = flags, .id = id };
	int ret = lbk_attrs_fill(attrs, &arg.attrs, err);

	if (ret)
		return ret;
	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_VOL_RM, &arg, &context, err);
}

int layerblk_vol_set(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id,
		     const struct layerblk_vol_change *change, const struct layerblk_attrs *attrs,
		     struct layerblk_error *err)
{
	struct request_context context = { .what = id ? "change the volume" : "change the pool's attributes",
					   .uuid = uuid, .volume = id };
	struct lb_ioc_vol_set arg = { .size = sizeof(arg), .id = id };
	int ret = lbk_attrs_fill(attrs, &arg.attrs, err);

	if (ret)
		return ret;
	lbk_set_uuid(arg.uuid, uuid);
	if (change) {
		arg.flags = change->flags;
		if (change->flags & LB_VOL_SET_SIZE)
			arg.volume_size = change->volume_size;
		if (change->flags & LB_VOL_SET_QUOTA)
			arg.quota_blocks = change->quota_blocks;
		if (change->flags & LB_VOL_SET_NAME) {
			arg.name = lbk_pointer(change->name);
			arg.name_len = name_length(change->name);
		}
	}
	return lbk_request(lb, LB_IOC_VOL_SET, &arg, &context, err);
}

int layerblk_vol_rollback(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint64_t snapshot,
			  struct layerblk_error *err)
{
	struct request_context context = { .what = "roll back the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_rollback arg = { .size = sizeof(arg), .id = id, .snapshot = snapshot };

	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_VOL_ROLLBACK, &arg, &context, err);
}

static int stat_request(struct layerblk *lb, struct lb_ioc_vol_stat *arg, const struct request_context *context,
			struct lb_vol_info *out, struct layerblk_error *err)
{
	int ret;

	arg->size = sizeof(*arg);
	lbk_set_uuid(arg->uuid, context->uuid);
	ret = lbk_request(lb, LB_IOC_VOL_STAT, arg, context, err);
	if (ret)
		return ret;
	*out = arg->info;
	out->name[LB_NAME_MAX] = 0;
	return 0;
}

int layerblk_vol_stat(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		      struct lb_vol_info *out, struct layerblk_error *err)
{
	struct request_context context = { .what = "look at the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_stat arg = { .flags = flags, .id = id };

	return stat_request(lb, &arg, &context, out, err);
}

int layerblk_vol_find(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const char *name, uint32_t flags,
		      struct lb_vol_info *out, struct layerblk_error *err)
{
	struct request_context context = { .what = "look at the volume", .uuid = uuid, .name = name };
	struct lb_ioc_vol_stat arg = { .flags = flags | LB_STAT_NAME, .name = lbk_pointer(name),
				       .name_len = name_length(name) };

	return stat_request(lb, &arg, &context, out, err);
}

int layerblk_vol_list(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint32_t flags, struct lb_vol_info **out,
		      size_t *count, struct layerblk_error *err)
{
	struct request_context context = { .what = "list the volumes", .uuid = uuid };
	struct lb_vol_info *list = NULL, *larger;
	size_t n = 0, room = 0;
	int ret;

	for (;;) {
		struct lb_ioc_vol_stat arg = { .flags = flags | LB_STAT_NEXT, .id = n ? list[n - 1].id : 0 };

		if (n == room) {
			room = room ? 2 * room : 16;
			larger = reallocarray(list, room, sizeof(*list));
			if (!larger) {
				ret = layerblk_error_set(err, ENOMEM, context.what, NULL, "out of memory");
				break;
			}
			list = larger;
		}
		ret = stat_request(lb, &arg, &context, &list[n], err);
		if (ret)
			break;
		n++;
	}
	if (ret != -ENOENT) {
		free(list);
		return ret;
	}
	*out = list;
	*count = n;
	return 0;
}

int layerblk_vol_activate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
			  struct layerblk_disk *out, struct layerblk_error *err)
{
	struct request_context context = { .what = "activate the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_activate arg = { .size = sizeof(arg), .flags = flags, .id = id };
	int ret;

	lbk_set_uuid(arg.uuid, uuid);
	ret = lbk_request(lb, LB_IOC_VOL_ACTIVATE, &arg, &context, err);
	if (ret || !out)
		return ret;
	*out = (struct layerblk_disk){ .major = arg.disk_major, .minor = arg.disk_minor, .index = arg.disk_index };
	return 0;
}

int layerblk_vol_deactivate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id,
			    struct layerblk_error *err)
{
	struct request_context context = { .what = "deactivate the volume", .uuid = uuid, .volume = id };
	struct lb_ioc_vol_activate arg = { .size = sizeof(arg), .id = id };

	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_VOL_DEACTIVATE, &arg, &context, err);
}
