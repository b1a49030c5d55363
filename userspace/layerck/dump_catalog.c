// SPDX-License-Identifier: GPL-2.0
/* Showing the catalog: every item in key order, decoded. */
#include <stdio.h>

#include "dump.h"

static u64 be64_at(const u8 *p)
{
	__be64 v;

	memcpy(&v, p, sizeof(v));
	return be64_to_cpu(v);
}

static void show_vol(struct out *o, const u8 *value, u32 value_len)
{
	struct lb_vol_record r;

	if (value_len < sizeof(r))
		return;
	memcpy(&r, value, sizeof(r));
	out_bytes(o, "name", value + sizeof(r), value_len - sizeof(r));
	out_u64(o, "size_blocks", le64_to_cpu(r.size_blocks));
	out_u64(o, "quota_blocks", le64_to_cpu(r.quota_blocks));
	out_u64(o, "frozen", le64_to_cpu(r.frozen));
	out_u64(o, "created", le64_to_cpu(r.created));
	out_text(o, "state", le32_to_cpu(r.state) == LB_VOL_DELETED ? "deleted" : "live");
}

static void show_map(struct out *o, const u8 *value, u32 value_len)
{
	struct lb_map_record r;

	if (value_len != sizeof(r))
		return;
	memcpy(&r, value, sizeof(r));
	out_u64(o, "parent", le64_to_cpu(r.parent));
	out_u64(o, "origin", le64_to_cpu(r.origin));
	out_u64(o, "low_origin", le64_to_cpu(r.low_origin));
	out_u64(o, "cursor", le64_to_cpu(r.cursor));
	out_u64(o, "free_cursor", le64_to_cpu(r.free_cursor));
	out_s64(o, "owned", (s64)le64_to_cpu(r.owned));
	out_u64(o, "nodes", le64_to_cpu(r.nodes));
	out_u64(o, "root", le64_to_cpu(r.root.addr));
	out_u64(o, "root_copy", le64_to_cpu(r.root.addr2));
	out_u64(o, "root_gen", le64_to_cpu(r.root.gen));
	out_u64(o, "root_level", r.root.level);
}

static void show_attr(struct out *o, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct lb_attr_head head;
	u32 skip = 0, chunk;
	__be32 be;

	if (key_len < 15)
		return;
	memcpy(&be, key + key_len - 4, sizeof(be));
	chunk = be32_to_cpu(be);
	out_bytes(o, "key", key + 9, key_len - 14);
	out_u64(o, "chunk", chunk);
	if (!chunk && value_len >= sizeof(head)) {
		memcpy(&head, value, sizeof(head));
		skip = sizeof(head);
		out_u64(o, "total_len", le32_to_cpu(head.total_len));
	}
	out_bytes(o, "value", value + skip, value_len - skip);
}

static int show_item(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct out *o = arg;

	out_object(o, NULL);
	if (key[0] == LB_KEY_NAME) {
		__le64 id = 0;

		out_text(o, "item", "name");
		out_bytes(o, "name", key + 1, key_len - 1);
		memcpy(&id, value, value_len < sizeof(id) ? value_len : sizeof(id));
		out_u64(o, "volume", le64_to_cpu(id));
	} else if (key[0] == LB_KEY_CHILD && key_len == 17) {
		out_text(o, "item", "child");
		out_u64(o, "volume", be64_at(key + 1));
		out_u64(o, "child", be64_at(key + 9));
	} else if (key_len >= 9 && (key[0] == LB_KEY_VOL || key[0] == LB_KEY_MAP || key[0] == LB_KEY_ATTR)) {
		out_text(o, "item", key[0] == LB_KEY_VOL ? "volume" : key[0] == LB_KEY_MAP ? "map" : "attribute");
		out_u64(o, "volume", be64_at(key + 1));
		if (key[0] == LB_KEY_VOL)
			show_vol(o, value, value_len);
		else if (key[0] == LB_KEY_MAP)
			show_map(o, value, value_len);
		else
			show_attr(o, key, key_len, value, value_len);
	} else {
		out_raw(o, "key", key, key_len);
		out_raw(o, "value", value, value_len);
	}
	out_close_object(o);
	return 0;
}

int dump_catalog(struct ck *ck, struct out *o)
{
	int err;

	out_list(o, "catalog");
	err = ck_catalog_walk(ck, false, show_item, o);
	out_close_list(o);
	if (!err && ck->incomplete)
		out_text(o, "catalog_error", "a node of the catalog has no intact copy; check the pool");
	return err;
}
