// SPDX-License-Identifier: GPL-2.0
/*
 * Replay: reads the intact chain of records from the superblock's mark on, and puts what the superblock does not hold yet into memtables and the
 * catalog overlay, as if it had just been requested. Nothing is written here: the caller commits it under a new epoch, or (read-only)
 * leaves it in memory. A crash during replay therefore changes nothing.
 *
 * Every block that an entry names is marked as handed out before anything is allocated. Which blocks come free is not in the journal: the commit
 * that follows decides it as any commit does.
 */
#include "pool_priv.h"

struct replay {
	struct lb_pool *p;
	u8 *buf;			/* one record */
	u8 *group;			/* entries of records that belong together */
	u64 group_len, group_room;
	u64 records, entries;
	bool lossy;			/* go on without records that are damaged */
};

#define RECORD_BYTES	(LB_RECORD_MAX_BLOCKS * LB_BLOCK_BYTES)
#define CUT_GEN_MAX	(1ULL << 40)	/* no journal holds so many cuts */

static bool header_fits(const struct lb_pool *p, const struct lb_record_header *h, u64 seq, const u32 *prev, u64 room)
{
	u32 blocks = le32_to_cpu(h->blocks), bytes = le32_to_cpu(h->bytes);

	return le32_to_cpu(h->magic) == LB_MAGIC_JOURNAL && le64_to_cpu(h->epoch) == p->journal.epoch && le64_to_cpu(h->seq) == seq &&
	       (!prev || le32_to_cpu(h->prev) == *prev) && !memcmp(h->uuid, p->sb->uuid, sizeof(h->uuid)) && blocks && blocks <= LB_RECORD_MAX_BLOCKS &&
	       blocks <= room && bytes <= blocks * LB_BLOCK_BYTES - sizeof(*h);
}

/* The record at vpos, with this sequence number and (unless NULL) predecessor: 1 and r->buf filled, 0 none there, -ENOMEM. */
static int read_record(struct replay *r, u64 vpos, u64 seq, const u32 *prev)
{
	struct lb_journal *j = &r->p->journal;
	struct lb_record_header *h = (struct lb_record_header *)r->buf;
	u64 pos = vpos % j->blocks;
	u32 csum, want, i;
	int err;

	/* A block that cannot be read may be one that a crash tore: the chain ends there. */
	err = port_read(r->p->dev, j->block + pos, r->buf);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (!header_fits(r->p, h, seq, prev, min_t(u64, j->blocks - pos, j->tail.vpos + j->blocks - vpos)))
		return 0;
	for (i = 1; i < le32_to_cpu(h->blocks); i++) {
		err = port_read(r->p->dev, j->block + pos + i, r->buf + (size_t)i * LB_BLOCK_BYTES);
		if (err)
			return err == -ENOMEM ? err : 0;
	}
	want = le32_to_cpu(h->csum);
	h->csum = 0;
	csum = port_crc32c(~0u, r->buf, (size_t)le32_to_cpu(h->blocks) * LB_BLOCK_BYTES);
	h->csum = cpu_to_le32(want);
	return csum == want;
}

/* At the expected position, or else at the ring's start. */
static int look_for_record(struct replay *r, u64 *vpos)
{
	struct lb_journal *j = &r->p->journal;
	u64 rest = j->blocks - j->head.vpos % j->blocks;
	int got;

	*vpos = j->head.vpos;
	if (*vpos - j->tail.vpos >= j->blocks)
		return 0;
	got = read_record(r, *vpos, j->head.seq, &j->head.prev);
	if (got || rest == j->blocks || *vpos + rest - j->tail.vpos >= j->blocks)
		return got;
	*vpos += rest;
	return read_record(r, *vpos, j->head.seq, &j->head.prev);
}

/*
 * The end is looked at twice. There is one copy of a record, and nothing says of the last one that it was ever whole: a
 * read that failed or went wrong once would cost what was flushed.
 */
static int next_record(struct replay *r, u64 *vpos)
{
	int got = look_for_record(r, vpos);

	return got ? got : look_for_record(r, vpos);
}

/*
 * The chain ends at j->head. Was there more? Records are written one at a time, each one when the one before is durable:
 * a whole record with the sequence number after the missing one proves that the missing one was durable, and has been
 * damaged since. It begins within the reach of two records, or of the ring's start. 1, 0, -ENOMEM.
 */
static int record_is_lost(struct replay *r)
{
	struct lb_journal *j = &r->p->journal;
	const struct lb_record_header *h = (const struct lb_record_header *)r->buf;
	u64 vpos = j->head.vpos, pos = vpos % j->blocks, end = vpos + 2 * LB_RECORD_MAX_BLOCKS;
	bool readable;
	int got;

	readable = !port_read(r->p->dev, j->block + pos, r->buf);
	/* Never written, or a record of before: nobody has begun to write here. */
	if (readable && (!h->magic || (le32_to_cpu(h->magic) == LB_MAGIC_JOURNAL &&
				       (le64_to_cpu(h->epoch) != j->epoch || le64_to_cpu(h->seq) < j->head.seq))))
		return 0;
	/* Near the ring's end the missing one, or the one looked for, may lie at its start. */
	if (pos + LB_RECORD_MAX_BLOCKS > j->blocks)
		end += j->blocks - pos;
	end = min_t(u64, end, j->tail.vpos + j->blocks);
	for (vpos++; vpos < end; vpos++) {
		got = read_record(r, vpos, j->head.seq + 1, NULL);
		if (got)
			return got;
		port_cond_resched();
	}
	return 0;
}

static int group_add(struct replay *r, const u8 *data, u32 len)
{
	if (!len)
		return 0;
	if (r->group_len + len > r->group_room) {
		u64 room = (r->group_room + len) * 2;
		u8 *bigger = port_alloc(room, PORT_WAIT);

		if (!bigger)
			return -ENOMEM;
		if (r->group_len)
			memcpy(bigger, r->group, r->group_len);
		port_free(r->group);
		r->group = bigger;
		r->group_room = room;
	}
	memcpy(r->group + r->group_len, data, len);
	r->group_len += len;
	return 0;
}

/* ------------------------------------------------------------------ applying entries; catalog.mutex held */

static int apply_map(struct replay *r, const struct lb_map_entry *e)
{
	struct lb_mem_node *nodes[LB_MEM_NODES] = { NULL };
	u64 lblk = le64_to_cpu(e->lblk), len = le64_to_cpu(e->len), pblk = le64_to_cpu(e->pblk);
	unsigned long flags;
	struct lb_vol *v;
	unsigned int i;
	int err;

	if (!len || lblk > LB_LBLK_MAX || len > LB_LBLK_MAX - lblk + 1 || (pblk != LB_PBLK_HOLE && len > LB_EXTENT_MAX_BLOCKS))
		return -EUCLEAN;
	v = lb_vol_load(r->p, le64_to_cpu(e->volume), &err);
	if (!v)
		return err == -ENOENT ? -EUCLEAN : err;
	if (pblk != LB_PBLK_HOLE) {
		err = lb_space_mark(r->p->space, pblk, len);
		if (err)
			return err;
	}
	for (i = 0; i < LB_MEM_NODES; i++) {
		nodes[i] = lb_mem_node_alloc(PORT_WAIT);
		if (!nodes[i])
			err = -ENOMEM;
	}
	if (!err) {
		flags = port_spin_lock(&v->lock);
		lb_vol_insert(v, lblk, len, pblk, false, nodes, 0);
		port_spin_unlock(&v->lock, flags);
	}
	for (i = 0; i < LB_MEM_NODES; i++)
		lb_mem_node_free(nodes[i]);
	return err;
}

static int apply_catalog(struct replay *r, const struct lb_catalog_entry *e, bool delete)
{
	u32 key_len = le16_to_cpu(e->key_len), value_len = le16_to_cpu(e->value_len);
	const u8 *key = (const u8 *)(e + 1);
	struct lb_kvlist l;
	__be64 id;
	int err;

	if (!key_len || key_len > LB_CAT_KEY_MAX || value_len > LB_CAT_VALUE_MAX || (delete && value_len) ||
	    sizeof(*e) + key_len + value_len > le16_to_cpu(e->header.bytes))
		return -EUCLEAN;
	if (key[0] == LB_KEY_VOL && key_len == 9) {
		memcpy(&id, key + 1, 8);
		if (be64_to_cpu(id) >= r->p->next_volume)
			r->p->next_volume = be64_to_cpu(id) + 1;
	}
	lb_kvlist_init(&l);
	err = delete ? lb_kvlist_delete(&l, key, key_len) : lb_kvlist_put(&l, key, key_len, key + key_len, value_len);
	if (!err)
		err = lb_kvtable_apply(r->p->catalog.active, &l);
	lb_kvlist_free(&l);
	return err;
}

/* A snapshot was cut off here: what is in memory of the volume's map is the snapshot's. */
static int apply_cut(struct replay *r, const struct lb_cut_entry *e)
{
	u64 gen = le64_to_cpu(e->header.gen), vol = le64_to_cpu(e->volume);
	struct lb_pool *p = r->p;
	struct lb_vol *v = lb_vol_lookup(p, vol), *snap;
	int err = 0;

	if (gen < p->active_gen || gen - p->gen > CUT_GEN_MAX || vol == le64_to_cpu(e->snapshot))
		return -EUCLEAN;
	if (v) {
		snap = lb_vol_lookup(p, le64_to_cpu(e->snapshot)) ? NULL : lb_vol_load(p, le64_to_cpu(e->snapshot), &err);
		if (!snap || !snap->frozen || v->frozen || v->above || v->n_below == LB_CUTS_MAX)
			return err == -ENOMEM ? err : -EUCLEAN;
		lb_vol_cut(v, snap, gen);
	}
	/* What comes next is younger; and the generation that the commit will have must not be of the last superblock's slot. */
	p->active_gen = gen + 1;
	if (!((p->active_gen ^ p->gen) & 1))
		p->active_gen++;
	return 0;
}

static int apply_entry(struct replay *r, const u8 *at, u32 bytes)
{
	const struct lb_entry_header *h = (const struct lb_entry_header *)at;

	if (le64_to_cpu(h->gen) <= r->p->gen)
		return 0;
	r->entries++;
	switch (le16_to_cpu(h->type)) {
	case LB_ENTRY_MAP:
		return bytes == sizeof(struct lb_map_entry) ? apply_map(r, (const struct lb_map_entry *)at) : -EUCLEAN;
	case LB_ENTRY_PUT:
	case LB_ENTRY_DELETE:
		if (bytes < sizeof(struct lb_catalog_entry))
			return -EUCLEAN;
		return apply_catalog(r, (const struct lb_catalog_entry *)at, le16_to_cpu(h->type) == LB_ENTRY_DELETE);
	case LB_ENTRY_CUT:
		return bytes == sizeof(struct lb_cut_entry) ? apply_cut(r, (const struct lb_cut_entry *)at) : -EUCLEAN;
	default:
		return -EUCLEAN;
	}
}

static int apply_group(struct replay *r)
{
	u64 at = 0;
	u32 bytes;
	int err;

	while (at < r->group_len) {
		if (r->group_len - at < sizeof(struct lb_entry_header))
			return -EUCLEAN;
		bytes = le16_to_cpu(((const struct lb_entry_header *)(r->group + at))->bytes);
		if (bytes < sizeof(struct lb_entry_header) || bytes % 8 || bytes > r->group_len - at)
			return -EUCLEAN;
		err = apply_entry(r, r->group + at, bytes);
		if (err)
			return err;
		at += bytes;
	}
	r->group_len = 0;
	return 0;
}

static int replay_records(struct replay *r)
{
	struct lb_journal *j = &r->p->journal;
	struct lb_journal_mark last = j->head;	/* behind the last whole group */
	const struct lb_record_header *h = (const struct lb_record_header *)r->buf;
	u64 vpos;
	int got;

	for (;;) {
		got = next_record(r, &vpos);
		if (got <= 0)
			break;
		got = group_add(r, r->buf + sizeof(*h), le32_to_cpu(h->bytes));
		if (got)
			break;
		j->head.vpos = vpos + le32_to_cpu(h->blocks);
		j->head.seq++;
		j->head.prev = le32_to_cpu(h->csum);
		if (le32_to_cpu(h->flags) & LB_RECORD_MORE)
			continue;
		got = apply_group(r);
		if (got)
			break;
		last = j->head;
		r->records++;
		port_cond_resched();
	}
	if (!got)
		got = record_is_lost(r);
	if (got == 1) {
		port_log(PORT_LOG_ERR, "the journal's record %llu is damaged, and others follow it: what was flushed from there on would be lost%s",
			 (unsigned long long)j->head.seq, r->lossy ? "; opened without it, as was asked" : "");
		got = r->lossy ? 0 : -EIO;
	}
	j->head = last;
	return got;
}

/* Requests that came later in the journal may have changed or deleted volumes that were loaded for their entries. */
static int refresh_volumes(struct lb_pool *p)
{
	struct lb_vol *v;
	unsigned int i;
	int err;

	for (i = 0; i < LB_VOL_HASH; i++) {
		lb_list_for_each_entry(v, &p->vols[i], hash_link) {
			err = lb_vol_refresh(v);
			if (err)
				return err;
		}
	}
	return 0;
}

int lb_journal_replay(struct lb_pool *p, bool lossy)
{
	struct replay r = { .p = p, .lossy = lossy };
	int err;

	r.buf = port_alloc(RECORD_BYTES, PORT_WAIT);
	if (!r.buf)
		return -ENOMEM;
	port_mutex_lock(&p->catalog.mutex);
	err = replay_records(&r);
	if (!err)
		err = refresh_volumes(p);
	port_mutex_unlock(&p->catalog.mutex);
	port_free(r.group);
	port_free(r.buf);
	if (err == -EUCLEAN)
		port_log(PORT_LOG_ERR, "the journal holds an entry that does not fit the pool (record %llu)", (unsigned long long)p->journal.head.seq);
	else if (!err && r.entries)
		port_log(PORT_LOG_INFO, "replayed %llu entries from %llu journal records", (unsigned long long)r.entries,
			 (unsigned long long)r.records);
	return err;
}
