// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the journal: the chain of intact records from where the superblock says, the entries in them, and of
 * these the live ones, which the superblock does not hold yet. What they would do to the pool is replay.c's.
 *
 * The chain ends at the first block that is not the expected record. That is no finding, for every crash leaves such an
 * end; unless the record after the missing one is there: they are written one after the other.
 */
#include <stdlib.h>

#include "ck.h"

#define RECORD_BYTES	(LB_RECORD_MAX_BLOCKS * LB_BLOCK_BYTES)

struct reader {
	struct ck *ck;
	u64 ring, blocks;
	u64 pos, seq, read;		/* read: blocks of the ring passed */
	u32 prev;
	u8 *buf;
	u8 *group;			/* entries of a group of records */
	size_t group_len;
};

/* prev: NULL for any. */
static bool expected(const struct reader *r, const struct lb_record_header *h, u64 pos, u64 seq, const u32 *prev)
{
	const struct lb_super *sb = r->ck->sb;
	u32 blocks = le32_to_cpu(h->blocks);

	return le32_to_cpu(h->magic) == LB_MAGIC_JOURNAL && h->epoch == sb->journal_epoch &&
	       le64_to_cpu(h->seq) == seq &&
	       (!prev || le32_to_cpu(h->prev) == *prev) && !memcmp(h->uuid, sb->uuid, sizeof(h->uuid)) && blocks >= 1 &&
	       blocks <= LB_RECORD_MAX_BLOCKS && blocks <= r->blocks - pos;
}

/* 1: r->buf holds the record; 0: it is not there. */
static int read_at(struct reader *r, u64 pos, u64 seq, const u32 *prev)
{
	struct lb_record_header h;
	u32 csum, i;

	if (port_read(r->ck->dev, r->ring + pos, r->buf))
		return 0;
	memcpy(&h, r->buf, sizeof(h));
	if (!expected(r, &h, pos, seq, prev))
		return 0;
	for (i = 1; i < le32_to_cpu(h.blocks); i++)
		if (port_read(r->ck->dev, r->ring + pos + i, r->buf + (size_t)i * LB_BLOCK_BYTES))
			return 0;
	memset(r->buf + offsetof(struct lb_record_header, csum), 0, sizeof(h.csum));
	csum = port_crc32c(~0u, r->buf, (size_t)le32_to_cpu(h.blocks) * LB_BLOCK_BYTES);
	memcpy(r->buf, &h, sizeof(h));
	return csum == le32_to_cpu(h.csum);
}

/* The next record: at the expected place or, if it would not have fitted there, at the ring's start. */
static int read_next(struct reader *r)
{
	u64 skipped = r->pos ? r->blocks - r->pos : 0;

	if (r->read >= r->blocks)
		return 0;
	if (read_at(r, r->pos, r->seq, &r->prev))
		return 1;
	if (!skipped || r->read + skipped >= r->blocks || !read_at(r, 0, r->seq, &r->prev))
		return 0;
	r->pos = 0;
	r->read += skipped;
	return 1;
}

/* Has nobody begun to write where the chain ends? Nothing is there, or a record of before. */
static bool untouched(struct reader *r)
{
	struct lb_record_header h;

	if (port_read(r->ck->dev, r->ring + r->pos % r->blocks, r->buf))
		return false;
	memcpy(&h, r->buf, sizeof(h));
	return !h.magic || (le32_to_cpu(h.magic) == LB_MAGIC_JOURNAL &&
			    (h.epoch != r->ck->sb->journal_epoch || le64_to_cpu(h.seq) < r->seq));
}

/* The chain has ended. Is the record after the missing one there, within the reach of two or at the ring's start? */
static void look_beyond(struct reader *r)
{
	u64 end = 2 * LB_RECORD_MAX_BLOCKS, i;

	if (untouched(r))
		return;
	if (r->pos + LB_RECORD_MAX_BLOCKS > r->blocks)
		end += r->blocks - r->pos;
	for (i = 1; i < end && r->read + i < r->blocks; i++) {
		if (read_at(r, (r->pos + i) % r->blocks, r->seq + 1, NULL)) {
			ck_tell(r->ck, LBCK_RECORD_LOST, CK_AT(r->ring + r->pos), "record %llu; the one after it is at block %llu",
				(unsigned long long)r->seq, (unsigned long long)(r->ring + (r->pos + i) % r->blocks));
			return;
		}
	}
}

/* ------------------------------------------------------------------ entries */

static int add_entry(struct ck *ck, const struct ck_entry *e)
{
	struct ck_journal *j = &ck->journal;
	int err = ck_grow(&j->entries, &j->room, j->count, sizeof(*j->entries));

	if (err)
		return err;
	j->entries[j->count] = *e;
	j->entries[j->count].seq = j->count;
	j->count++;
	return 0;
}

static int map_entry(struct ck *ck, const u8 *at, u32 bytes, u64 gen)
{
	struct lb_map_entry m;
	struct ck_entry e = { .gen = gen, .map = true };

	if (bytes != sizeof(m))
		return 1;
	memcpy(&m, at, sizeof(m));
	e.volume = le64_to_cpu(m.volume);
	e.lblk = le64_to_cpu(m.lblk);
	e.pblk = le64_to_cpu(m.pblk);
	e.len = le64_to_cpu(m.len);
	if (!e.len || e.lblk > LB_LBLK_MAX || e.len > LB_LBLK_MAX - e.lblk + 1 ||
	    (e.pblk != LB_PBLK_HOLE && e.len > LB_EXTENT_MAX_BLOCKS))
		return 1;
	return add_entry(ck, &e);
}

static int catalog_entry(struct ck *ck, const u8 *at, u32 bytes, u64 gen, bool remove)
{
	struct lb_catalog_entry c;
	struct ck_entry e = { .gen = gen, .remove = remove };
	int err;

	if (bytes < sizeof(c))
		return 1;
	memcpy(&c, at, sizeof(c));
	e.key_len = le16_to_cpu(c.key_len);
	e.value_len = le16_to_cpu(c.value_len);
	if (!e.key_len || e.key_len > LB_CAT_KEY_MAX || e.value_len > LB_CAT_VALUE_MAX || (remove && e.value_len) ||
	    bytes != ((sizeof(c) + e.key_len + e.value_len + 7) & ~7UL))
		return 1;
	e.key = malloc(e.key_len + e.value_len);
	if (!e.key)
		return -ENOMEM;
	memcpy(e.key, at + sizeof(c), e.key_len + e.value_len);
	err = add_entry(ck, &e);
	if (err)
		free(e.key);
	return err;
}

static int cut_entry(struct ck *ck, const u8 *at, u32 bytes, u64 gen)
{
	struct ck_entry e = { .gen = gen, .cut = true };
	struct lb_cut_entry c;

	if (bytes != sizeof(c))
		return 1;
	memcpy(&c, at, sizeof(c));
	e.volume = le64_to_cpu(c.volume);
	e.snapshot = le64_to_cpu(c.snapshot);
	return add_entry(ck, &e);
}

/* 0; 1 malformed; negative errno. */
static int take_entry(struct ck *ck, const u8 *at, u32 bytes)
{
	struct lb_entry_header h;
	u64 gen;

	memcpy(&h, at, sizeof(h));
	gen = le64_to_cpu(h.gen);
	ck->journal.all_entries++;
	if (ck->journal.on_entry)
		ck->journal.on_entry(ck->journal.on_arg, &h, at);
	if (gen <= ck->gen)
		return 0;
	switch (le16_to_cpu(h.type)) {
	case LB_ENTRY_MAP:
		return map_entry(ck, at, bytes, gen);
	case LB_ENTRY_PUT:
		return catalog_entry(ck, at, bytes, gen, false);
	case LB_ENTRY_DELETE:
		return catalog_entry(ck, at, bytes, gen, true);
	case LB_ENTRY_CUT:
		return cut_entry(ck, at, bytes, gen);
	default:
		return 1;
	}
}

static int take_group(struct reader *r)
{
	size_t at = 0;
	u16 len;
	int err;

	while (at < r->group_len) {
		len = 0;
		if (r->group_len - at >= sizeof(struct lb_entry_header)) {
			__le16 raw;

			memcpy(&raw, r->group + at + offsetof(struct lb_entry_header, bytes), sizeof(raw));
			len = le16_to_cpu(raw);
		}
		err = 1;
		if (len >= sizeof(struct lb_entry_header) && len % 8 == 0 && len <= r->group_len - at)
			err = take_entry(r->ck, r->group + at, len);
		if (err < 0)
			return err;
		if (err) {
			ck_tell(r->ck, LBCK_ENTRY_FORM, CK_NOWHERE, "record %llu, byte %llu of its entries",
				(unsigned long long)r->seq, (unsigned long long)at);
			return 1;
		}
		at += len;
	}
	r->group_len = 0;
	return 0;
}

/* 0; 1 told that it is malformed: the chain is not followed further; negative errno. */
static int take_record(struct reader *r)
{
	struct lb_record_header h;
	u32 bytes, blocks;
	u8 *bigger;

	memcpy(&h, r->buf, sizeof(h));
	bytes = le32_to_cpu(h.bytes);
	blocks = le32_to_cpu(h.blocks);
	if (bytes % 8 || bytes > blocks * LB_BLOCK_BYTES - sizeof(h) || (le32_to_cpu(h.flags) & ~LB_RECORD_MORE)) {
		ck_tell(r->ck, LBCK_RECORD_FORM, CK_AT(r->ring + r->pos),
			"record %llu: %u bytes in %u blocks, flags 0x%x",
			(unsigned long long)r->seq, bytes, blocks, le32_to_cpu(h.flags));
		return 1;
	}
	if (r->ck->journal.on_record)
		r->ck->journal.on_record(r->ck->journal.on_arg, r->ring + r->pos, &h);
	bigger = realloc(r->group, r->group_len + bytes + 1);
	if (!bigger)
		return -ENOMEM;
	r->group = bigger;
	memcpy(r->group + r->group_len, r->buf + sizeof(h), bytes);
	r->group_len += bytes;
	r->ck->journal.records++;
	r->pos += blocks;
	r->read += blocks;
	r->pos %= r->blocks;
	r->seq++;
	r->prev = le32_to_cpu(h.csum);
	return le32_to_cpu(h.flags) & LB_RECORD_MORE ? 0 : take_group(r);
}

int ck_journal_read(struct ck *ck)
{
	const struct lb_super *sb = ck->sb;
	struct reader r = { .ck = ck, .ring = le64_to_cpu(sb->journal_block), .blocks = le64_to_cpu(sb->journal_blocks),
			    .pos = le64_to_cpu(sb->journal_pos), .seq = le64_to_cpu(sb->journal_seq),
			    .prev = le32_to_cpu(sb->journal_prev) };
	int err = 0;

	r.buf = malloc(RECORD_BYTES);
	if (!r.buf)
		return -ENOMEM;
	while (!err && read_next(&r))
		err = take_record(&r);
	if (!err)
		look_beyond(&r);
	if (!err && r.group_len)
		ck_tell(ck, LBCK_GROUP_OPEN, CK_NOWHERE, "its last %llu bytes are not applied",
			(unsigned long long)r.group_len);
	free(r.group);
	free(r.buf);
	return err < 0 ? err : 0;
}

void ck_journal_free(struct ck_journal *j)
{
	size_t i;

	for (i = 0; i < j->count; i++)
		free(j->entries[i].key);
	free(j->entries);
	memset(j, 0, sizeof(*j));
}
