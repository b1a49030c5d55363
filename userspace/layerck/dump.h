/* SPDX-License-Identifier: GPL-2.0 */
/* What is on the disk, shown: superblocks, region table, catalog, a volume's map, the journal, any one block. */
#ifndef LAYERCK_DUMP_H
#define LAYERCK_DUMP_H

#include "ck.h"
#include "out.h"

/*
 * what: superblock, table, catalog, journal, map:ID or map:NAME, block:N; NULL: all but maps and blocks. 0, -EINVAL
 * no such thing, or what a check returns.
 */
int dump_pool(struct port_dev *dev, const char *what, bool fallback, struct out *o);
#define DUMP_WORDS "superblock, table, catalog, journal, map:VOLUME, block:NUMBER"

/* dump_catalog.c */
int dump_catalog(struct ck *ck, struct out *o);
/* dump_tree.c */
int dump_map(struct ck *ck, struct out *o, const char *volume);
int dump_block(struct ck *ck, struct out *o, u64 block);
void dump_ptr(struct out *o, const char *name, const struct lb_ptr *p);
void dump_uuid(struct out *o, const char *name, const u8 uuid[16]);
void dump_super_fields(struct out *o, const struct lb_super *sb);
void dump_table_block(struct ck *ck, struct out *o, const struct lb_table_block *t);

#endif /* LAYERCK_DUMP_H */
