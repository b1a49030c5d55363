// SPDX-License-Identifier: GPL-2.0
/* Showing a volume's map, nodes and extents, and what any one block seems to be. */
#include <stdlib.h>

#include "dump.h"

/* ------------------------------------------------------------------ a map */

struct find {
	const char *name;
	u64 id;
	bool found;
	struct lb_ptr root;
};

static int find_name(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct find *f = arg;
	__le64 id;

	if (key[0] == LB_KEY_NAME && value_len == sizeof(id) && key_len - 1 == strlen(f->name) &&
	    !memcmp(key + 1, f->name, key_len - 1)) {
		memcpy(&id, value, sizeof(id));
		f->id = le64_to_cpu(id);
	}
	return 0;
}

static int find_map(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct lb_map_record r;
	struct find *f = arg;
	__be64 id;

	if (key[0] != LB_KEY_MAP || key_len != 9 || value_len != sizeof(r))
		return 0;
	memcpy(&id, key + 1, sizeof(id));
	if (be64_to_cpu(id) != f->id)
		return 0;
	memcpy(&r, value, sizeof(r));
	f->root = r.root;
	f->found = true;
	return 0;
}

static void show_extents(struct out *o, const struct lb_node *n)
{
	unsigned int i;

	for (i = 0; i < le16_to_cpu(n->header.count); i++) {
		struct ck_extent e = ck_extent(n, i);

		out_object(o, NULL);
		out_u64(o, "lblk", e.lblk);
		out_u64(o, "blocks", e.count);
		out_u64(o, "pblk", e.pblk);
		out_u64(o, "birth", e.birth);
		out_close_object(o);
	}
}

static void show_node(struct out *o, u64 addr, u64 addr2, const struct lb_node *n)
{
	out_object(o, NULL);
	out_u64(o, "node", addr);
	if (addr2)
		out_u64(o, "copy", addr2);
	out_u64(o, "level", n->header.level);
	out_u64(o, "gen", le64_to_cpu(n->header.gen));
	out_u64(o, "owner", le64_to_cpu(n->header.owner));
	out_u64(o, "items", le16_to_cpu(n->header.count));
	out_close_object(o);
}

static int map_node(struct ck *ck, struct out *o, const struct lb_ref *ref)
{
	const struct lb_node *cached = ref->level <= LB_TREE_MAX_LEVEL ? ck_node(ck, ref, LB_TREE_MAP) : NULL;
	struct lb_node *n;
	unsigned int i;
	int err = 0;

	if (!cached) {
		out_object(o, NULL);
		out_u64(o, "node", ref->addr);
		out_text(o, "error", "no intact copy");
		out_close_object(o);
		return 0;
	}
	n = port_alloc_block(PORT_WAIT);
	if (!n)
		return -ENOMEM;
	memcpy(n, cached, sizeof(*n));
	show_node(o, ref->addr, ref->addr2, n);
	if (!ref->level)
		show_extents(o, n);
	for (i = 0; ref->level && i < le16_to_cpu(n->header.count) && !err; i++) {
		struct lb_ref child = lb_ref_decode(&n->children[i].ptr);

		err = map_node(ck, o, &child);
	}
	port_free_block(n);
	return err;
}

int dump_map(struct ck *ck, struct out *o, const char *volume)
{
	struct find f = { .name = volume };
	struct lb_ref root;
	char *end;
	int err;

	f.id = strtoull(volume, &end, 10);
	if (*end || !*volume) {
		f.id = 0;
		err = ck_catalog_walk(ck, false, find_name, &f);
		if (err)
			return err;
	}
	err = ck_catalog_walk(ck, false, find_map, &f);
	if (err || !f.found)
		return err ? err : -ENOENT;
	root = lb_ref_decode(&f.root);
	out_u64(o, "volume", f.id);
	out_list(o, "map");
	if (root.addr)
		err = map_node(ck, o, &root);
	out_close_list(o);
	return err;
}

/* ------------------------------------------------------------------ one block */

static void show_children(struct out *o, const struct lb_node *n)
{
	unsigned int i;

	for (i = 0; i < le16_to_cpu(n->header.count); i++) {
		struct lb_ref r = lb_ref_decode(&n->children[i].ptr);

		out_object(o, NULL);
		out_u64(o, "lblk", le64_to_cpu(n->children[i].lblk));
		out_u64(o, "addr", r.addr);
		out_u64(o, "gen", r.gen);
		out_hex(o, "csum", r.csum);
		out_close_object(o);
	}
}

static void show_items(struct out *o, const struct lb_node *n)
{
	unsigned int i;

	for (i = 0; i < le16_to_cpu(n->header.count); i++) {
		struct ck_item item = ck_item(n, i);

		out_object(o, NULL);
		out_bytes(o, "key", item.key, item.key_len);
		out_u64(o, "value_len", item.value_len);
		out_close_object(o);
	}
}

static void show_tree_node(struct out *o, const struct lb_node *n)
{
	const char *why;

	out_text(o, "kind", n->header.kind == LB_TREE_MAP ? "map" : "catalog");
	if (ck_node_form(n, n->header.kind, n->header.level, &why)) {
		out_text(o, "malformed", why);
		return;
	}
	out_list(o, "items");
	if (n->header.kind == LB_TREE_CATALOG)
		show_items(o, n);
	else if (n->header.level)
		show_children(o, n);
	else
		show_extents(o, n);
	out_close_list(o);
}

int dump_block(struct ck *ck, struct out *o, u64 block)
{
	static const struct {
		u32 magic;
		const char *name;
	} kinds[] = { { LB_MAGIC_SUPER, "superblock" }, { LB_MAGIC_NODE, "node" }, { LB_MAGIC_BITMAP, "bitmap" },
		      { LB_MAGIC_TABLE, "region table" }, { LB_MAGIC_JOURNAL, "journal record" } };
	void *buf = port_alloc_block(PORT_WAIT);
	const struct lb_block_header *h = buf;
	const char *name = "data, or never written";
	unsigned int i;
	int err = buf ? port_read(ck->dev, block, buf) : -ENOMEM;

	if (err) {
		port_free_block(buf);
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (le32_to_cpu(h->magic) == kinds[i].magic)
			name = kinds[i].name;
	out_u64(o, "block", block);
	out_text(o, "what", name);
	if (name != kinds[ARRAY_SIZE(kinds) - 1].name && name[0] != 'd') {
		out_u64(o, "self", le64_to_cpu(h->self));
		out_u64(o, "gen", le64_to_cpu(h->gen));
		out_u64(o, "owner", le64_to_cpu(h->owner));
		out_u64(o, "level", h->level);
		out_hex(o, "csum", le32_to_cpu(h->csum));
		out_bool(o, "csum_right", lb_block_csum(buf) == le32_to_cpu(h->csum));
	}
	if (le32_to_cpu(h->magic) == LB_MAGIC_NODE)
		show_tree_node(o, buf);
	else if (le32_to_cpu(h->magic) == LB_MAGIC_SUPER)
		dump_super_fields(o, buf);
	else if (le32_to_cpu(h->magic) == LB_MAGIC_TABLE && !h->kind)
		dump_table_block(ck, o, buf);
	port_free_block(buf);
	return 0;
}
