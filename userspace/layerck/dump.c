// SPDX-License-Identifier: GPL-2.0
/*
 * Showing superblocks, region table and journal, and choosing what to show. Reads only, and believes only what its
 * checksum proves.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dump.h"

void dump_uuid(struct out *o, const char *name, const u8 u[16])
{
	char text[40];

	snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		 u[1], u[2], u[3], u[4],
		 u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	out_text(o, name, text);
}

void dump_ptr(struct out *o, const char *name, const struct lb_ptr *p)
{
	struct lb_ref r = lb_ref_decode(p);

	out_object(o, name);
	out_u64(o, "addr", r.addr);
	if (r.addr) {
		out_u64(o, "addr2", r.addr2);
		out_u64(o, "gen", r.gen);
		out_hex(o, "csum", r.csum);
		out_u64(o, "level", r.level);
	}
	out_close_object(o);
}

void dump_super_fields(struct out *o, const struct lb_super *sb)
{
	out_u64(o, "generation", le64_to_cpu(sb->header.gen));
	out_hex(o, "csum", le32_to_cpu(sb->header.csum));
	out_u64(o, "version", le32_to_cpu(sb->version));
	dump_uuid(o, "uuid", sb->uuid);
	out_hex(o, "compat", le64_to_cpu(sb->compat));
	out_hex(o, "ro_compat", le64_to_cpu(sb->ro_compat));
	out_hex(o, "incompat", le64_to_cpu(sb->incompat));
	out_u64(o, "created", le64_to_cpu(sb->created));
	out_u64(o, "total_blocks", le64_to_cpu(sb->total_blocks));
	out_u64(o, "mirror_block", le64_to_cpu(sb->mirror_block));
	out_u64(o, "journal_block", le64_to_cpu(sb->journal_block));
	out_u64(o, "journal_blocks", le64_to_cpu(sb->journal_blocks));
	out_u64(o, "journal_epoch", le64_to_cpu(sb->journal_epoch));
	out_u64(o, "journal_pos", le64_to_cpu(sb->journal_pos));
	out_u64(o, "journal_seq", le64_to_cpu(sb->journal_seq));
	out_hex(o, "journal_prev", le32_to_cpu(sb->journal_prev));
	out_u64(o, "region_depth", le32_to_cpu(sb->region_depth));
	dump_ptr(o, "region_root", &sb->region_root);
	dump_ptr(o, "catalog_root", &sb->catalog_root);
	out_u64(o, "catalog_nodes", le64_to_cpu(sb->catalog_nodes));
	out_u64(o, "next_volume", le64_to_cpu(sb->next_volume));
	out_u64(o, "data_blocks", le64_to_cpu(sb->data_blocks));
	out_u64(o, "meta_blocks", le64_to_cpu(sb->meta_blocks));
	out_hex(o, "flags", le32_to_cpu(sb->flags));
	out_u64(o, "commit_interval_ms", le32_to_cpu(sb->commit_interval_ms));
	out_u64(o, "nospc_timeout_ms", le64_to_cpu(sb->nospc_timeout_ms));
	out_u64(o, "low_water_blocks", le64_to_cpu(sb->low_water_blocks));
}

/* ------------------------------------------------------------------ region table */

void dump_table_block(struct ck *ck, struct out *o, const struct lb_table_block *t)
{
	u64 first = le64_to_cpu(t->header.pad2) * LB_TABLE_ENTRIES, regions = region_count(ck->total);
	unsigned int i;

	out_list(o, "regions");
	for (i = 0; i < LB_TABLE_ENTRIES && first + i < regions; i++) {
		const struct lb_region_entry *e = &t->entries[i];

		out_object(o, NULL);
		out_u64(o, "region", first + i);
		out_u64(o, "first_block", (first + i) * LB_REGION_BLOCKS);
		if (e->slot == LB_REGION_NO_SLOT) {
			out_text(o, "bitmap", "none");
		} else {
			out_u64(o, "bitmap", LB_BITMAP_BLOCK(first + i, e->slot));
			out_u64(o, "gen", le64_to_cpu(e->gen));
			out_hex(o, "csum", le32_to_cpu(e->csum));
		}
		out_u64(o, "free", le16_to_cpu(e->free));
		out_text(o, "kind", e->kind == LB_REGION_KIND_META ? "meta" : e->kind == LB_REGION_KIND_DATA ?
			 "data" : "none");
		out_close_object(o);
	}
	out_close_list(o);
}

static int table_node(struct ck *ck, struct out *o, const struct lb_ref *ref, u32 depth)
{
	struct lb_table_block *t = port_alloc_block(PORT_WAIT);
	struct ck_load load;
	unsigned int i;
	int err = t ? ck_load(ck, ref, LB_MAGIC_TABLE, t, false, &load) : -ENOMEM;

	if (err == -EUCLEAN) {
		out_object(o, NULL);
		out_u64(o, "block", ref->addr);
		out_text(o, "error", load.why[0]);
		out_close_object(o);
		err = 0;
	} else if (!err) {
		out_object(o, NULL);
		out_u64(o, "block", ref->addr);
		out_u64(o, "copy", ref->addr2);
		out_u64(o, "depth", depth);
		out_u64(o, "index", le64_to_cpu(t->header.pad2));
		out_u64(o, "gen", ref->gen);
		out_close_object(o);
		for (i = 0; depth && i < LB_TABLE_FANOUT && !err; i++) {
			struct lb_ref child = lb_ref_decode(&t->ptrs[i]);

			if (child.addr)
				err = table_node(ck, o, &child, depth - 1);
		}
	}
	port_free_block(t);
	return err;
}

static int table_leaves(struct ck *ck, struct out *o, const struct lb_ref *ref, u32 depth)
{
	struct lb_table_block *t = port_alloc_block(PORT_WAIT);
	struct ck_load load;
	unsigned int i;
	int err = t ? ck_load(ck, ref, LB_MAGIC_TABLE, t, false, &load) : -ENOMEM;

	if (!err && !depth)
		dump_table_block(ck, o, t);
	for (i = 0; !err && depth && i < LB_TABLE_FANOUT; i++) {
		struct lb_ref child = lb_ref_decode(&t->ptrs[i]);

		if (child.addr)
			err = table_leaves(ck, o, &child, depth - 1);
	}
	port_free_block(t);
	return err == -EUCLEAN ? 0 : err;
}

static int dump_table(struct ck *ck, struct out *o)
{
	struct lb_ref root = lb_ref_decode(&ck->sb->region_root);
	u32 depth = le32_to_cpu(ck->sb->region_depth);
	int err = 0;

	out_list(o, "table_blocks");
	if (root.addr)
		err = table_node(ck, o, &root, depth);
	out_close_list(o);
	if (!err && root.addr)
		err = table_leaves(ck, o, &root, depth);
	return err;
}

/* ------------------------------------------------------------------ journal */

struct journal_out {
	struct ck *ck;
	struct out *o;
};

static void show_record(void *arg, u64 block, const struct lb_record_header *h)
{
	struct journal_out *j = arg;

	out_object(j->o, NULL);
	out_text(j->o, "kind", "record");
	out_u64(j->o, "block", block);
	out_u64(j->o, "epoch", le64_to_cpu(h->epoch));
	out_u64(j->o, "seq", le64_to_cpu(h->seq));
	out_u64(j->o, "blocks", le32_to_cpu(h->blocks));
	out_u64(j->o, "bytes", le32_to_cpu(h->bytes));
	out_bool(j->o, "more", le32_to_cpu(h->flags) & LB_RECORD_MORE);
	out_close_object(j->o);
}

static void show_entry(void *arg, const struct lb_entry_header *h, const u8 *entry)
{
	struct journal_out *j = arg;
	struct lb_catalog_entry c;
	struct lb_cut_entry cut;
	struct lb_map_entry m;

	out_object(j->o, NULL);
	if (le16_to_cpu(h->type) == LB_ENTRY_MAP && le16_to_cpu(h->bytes) == sizeof(m)) {
		memcpy(&m, entry, sizeof(m));
		out_text(j->o, "kind", m.pblk ? "map" : "unmap");
		out_u64(j->o, "gen", le64_to_cpu(h->gen));
		out_u64(j->o, "volume", le64_to_cpu(m.volume));
		out_u64(j->o, "lblk", le64_to_cpu(m.lblk));
		out_u64(j->o, "blocks", le64_to_cpu(m.len));
		out_u64(j->o, "pblk", le64_to_cpu(m.pblk));
	} else if (le16_to_cpu(h->type) == LB_ENTRY_CUT && le16_to_cpu(h->bytes) == sizeof(cut)) {
		memcpy(&cut, entry, sizeof(cut));
		out_text(j->o, "kind", "cut");
		out_u64(j->o, "gen", le64_to_cpu(h->gen));
		out_u64(j->o, "volume", le64_to_cpu(cut.volume));
		out_u64(j->o, "snapshot", le64_to_cpu(cut.snapshot));
	} else if (le16_to_cpu(h->bytes) >= sizeof(c)) {
		u32 room = le16_to_cpu(h->bytes) - (u32)sizeof(c), key_len, value_len;

		memcpy(&c, entry, sizeof(c));
		key_len = le16_to_cpu(c.key_len);
		value_len = le16_to_cpu(c.value_len);
		out_text(j->o, "kind", le16_to_cpu(h->type) == LB_ENTRY_PUT ? "put" : "delete");
		out_u64(j->o, "gen", le64_to_cpu(h->gen));
		out_raw(j->o, "key", entry + sizeof(c), key_len < room ? key_len : room);
		out_u64(j->o, "value_len", value_len);
	}
	out_bool(j->o, "live", le64_to_cpu(h->gen) > j->ck->gen);
	out_close_object(j->o);
}

static int dump_journal(struct ck *ck, struct out *o)
{
	struct journal_out j = { .ck = ck, .o = o };
	int err;

	ck->journal.on_record = show_record;
	ck->journal.on_entry = show_entry;
	ck->journal.on_arg = &j;
	out_list(o, "journal");
	err = ck_journal_read(ck);
	out_close_list(o);
	return err;
}

/* ------------------------------------------------------------------ what to show */

static int dump_chosen(struct ck *ck, const char *what, struct out *o)
{
	bool all = !what;
	char *end;
	u64 block;
	int err = 0;

	if (what && !strncmp(what, "map:", 4))
		return dump_map(ck, o, what + 4);
	if (what && !strncmp(what, "block:", 6)) {
		block = strtoull(what + 6, &end, 10);
		return end == what + 6 || *end ? -EINVAL : dump_block(ck, o, block);
	}
	if (!all && strcmp(what, "superblock") && strcmp(what, "table") && strcmp(what, "catalog") &&
	    strcmp(what, "journal"))
		return -EINVAL;
	if (all || !strcmp(what, "superblock")) {
		out_object(o, "superblock");
		dump_super_fields(o, ck->sb);
		out_close_object(o);
	}
	if (all || !strcmp(what, "table"))
		err = dump_table(ck, o);
	if (!err && (all || !strcmp(what, "catalog")))
		err = dump_catalog(ck, o);
	if (!err && (all || !strcmp(what, "journal")))
		err = dump_journal(ck, o);
	return err;
}

int dump_pool(struct port_dev *dev, const char *what, bool fallback, struct out *o)
{
	struct lbck_opts opts = { .fallback = fallback };
	struct lbck_summary sum = { 0 };
	struct ck *ck = port_alloc(sizeof(*ck), PORT_WAIT);
	int err = ck ? 0 : -ENOMEM;

	if (err)
		return err;
	*ck = (struct ck){ .dev = dev, .opts = &opts, .sum = &sum };
	err = ck_begin(ck);
	if (!err)
		err = ck_super(ck);
	if (err > 0)
		err = -EUCLEAN;
	if (!err)
		err = dump_chosen(ck, what, o);
	ck_end(ck);
	port_free(ck);
	return err;
}
