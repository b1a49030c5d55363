// SPDX-License-Identifier: GPL-2.0
/*
 * The journal's writing side: group commit of map entries and of requests.
 *
 * One batch is written at a time, by whoever holds write_mutex; those who come meanwhile queue up and are served together by the next
 * batch. A batch takes every dirty entry of the volumes that asked, from the sealed memtable first, then from the active one (so that an
 * older entry never follows a newer one). Before them come the requests' records: a volume can be found, opened and
 * written to before the record that makes it is durable. A snapshot of a writable volume is a request's record too: before it, in
 * the same batch, go the entries of the volume that the snapshot has taken over and that are in no journal yet, so that it is there whole or not at all. The first record carries PREFLUSH, so the data that the entries
 * name is durable before any of them, unless the batch is of requests that have nothing to do with data; every record carries FUA; replay believes a
 * record only when all before it are intact.
 *
 * Positions count blocks without wrapping (vpos); the ring's block is vpos modulo its size. A batch's place is reserved in one hold of pool->lock,
 * the same lock under which the seal takes its mark: no entry of a later generation lies before the mark. When the ring has no
 * room, or the batch is large, the holder commits instead: write_mutex comes before commit_mutex in the lock order.
 */
#include "pool_priv.h"

#define ENTRIES_PER_HOLD	256u

struct lb_record {
	struct lb_list link;
	void *bufs[LB_RECORD_MAX_BLOCKS];
	unsigned int blocks;
	u32 bytes;			/* of entries */
	u32 flags;
	u32 csum;
	u64 vpos;
};

struct lb_batch {
	struct lb_list records;
	struct lb_record *open;		/* the one being filled */
	u64 blocks;
};

#define RECORD_ROOM	(LB_RECORD_MAX_BLOCKS * LB_BLOCK_BYTES - (u32)sizeof(struct lb_record_header))

/* ------------------------------------------------------------------ building records */

static void record_free(struct lb_record *r)
{
	unsigned int i;

	for (i = 0; i < r->blocks; i++)
		port_free_block(r->bufs[i]);
	port_free(r);
}

static void batch_free(struct lb_batch *b)
{
	struct lb_record *r, *next;

	lb_list_for_each_entry_safe(r, next, &b->records, link) {
		lb_list_del(&r->link);
		record_free(r);
	}
	b->open = NULL;
}

static struct lb_record *batch_new_record(struct lb_batch *b)
{
	struct lb_record *r = port_alloc(sizeof(*r), PORT_WAIT);

	if (!r)
		return NULL;
	lb_list_add_tail(&r->link, &b->records);
	b->open = r;
	return r;
}

/* Make room for `bytes` in the open record (a new one if it does not fit there). Room stays allocated for what follows at once. */
static int batch_room(struct lb_batch *b, u32 bytes)
{
	struct lb_record *r = b->open;
	u32 need;

	if (!r || r->bytes + bytes > RECORD_ROOM) {
		r = batch_new_record(b);
		if (!r)
			return -ENOMEM;
	}
	need = (u32)sizeof(struct lb_record_header) + r->bytes + bytes;
	while (r->blocks * LB_BLOCK_BYTES < need) {
		void *buf = port_alloc_block(PORT_WAIT);

		if (!buf)
			return -ENOMEM;
		memset(buf, 0, LB_BLOCK_BYTES);
		r->bufs[r->blocks++] = buf;
		b->blocks++;
	}
	return 0;
}

static u32 batch_left(const struct lb_batch *b)
{
	if (!b->open)
		return 0;
	return b->open->blocks * LB_BLOCK_BYTES - (u32)sizeof(struct lb_record_header) - b->open->bytes;
}

/* Append to the open record, which has room. */
static void batch_append(struct lb_batch *b, const void *data, u32 len)
{
	struct lb_record *r = b->open;
	const u8 *from = data;
	u32 at = (u32)sizeof(struct lb_record_header) + r->bytes, n;

	r->bytes += len;
	for (; len; len -= n, from += n, at += n) {
		n = min_t(u32, len, LB_BLOCK_BYTES - at % LB_BLOCK_BYTES);
		memcpy((u8 *)r->bufs[at / LB_BLOCK_BYTES] + at % LB_BLOCK_BYTES, from, n);
	}
}

static void batch_append_map(struct lb_batch *b, u64 vol, u64 gen, const struct lb_mem_node *n)
{
	struct lb_map_entry e = {
		.header = { .type = cpu_to_le16(LB_ENTRY_MAP), .bytes = cpu_to_le16(sizeof(e)), .gen = cpu_to_le64(gen) },
		.volume = cpu_to_le64(vol), .lblk = cpu_to_le64(n->lblk), .pblk = cpu_to_le64(n->pblk), .len = cpu_to_le64(n->count),
	};

	batch_append(b, &e, sizeof(e));
}

/* Returns false when there is nothing more. vol->lock held. */
static bool collect_table(struct lb_batch *b, u64 vol, struct lb_memtable *mt, unsigned int *budget)
{
	while (!lb_list_empty(&mt->dirty_list)) {
		struct lb_mem_node *n = lb_list_first_entry(&mt->dirty_list, struct lb_mem_node, dirty_link);

		if (!*budget || batch_left(b) < sizeof(struct lb_map_entry))
			return true;
		(*budget)--;
		batch_append_map(b, vol, mt->gen, n);
		lb_mem_clean(mt, n);
	}
	return false;
}

/* The entries of v, as those of volume `id`. */
static int collect_volume(struct lb_batch *b, struct lb_vol *v, u64 id)
{
	bool more = true;
	int err;

	while (more) {
		unsigned int budget = ENTRIES_PER_HOLD;
		unsigned long flags = port_spin_lock(&v->lock);
		u64 dirty = lb_vol_active(v)->dirty + lb_vol_sealed(v)->dirty;

		port_spin_unlock(&v->lock, flags);
		if (!dirty)
			break;
		if (!batch_left(b) || batch_left(b) < sizeof(struct lb_map_entry)) {
			err = batch_room(b, (u32)min_t(u64, dirty * sizeof(struct lb_map_entry), RECORD_ROOM / 4 * 3));
			if (err)
				return err;
		}
		flags = lb_view_lock(v);
		WRITE_ONCE(v->journal_busy, true);
		more = collect_table(b, id, lb_vol_sealed(v), &budget) || collect_table(b, id, lb_vol_active(v), &budget);
		lb_view_unlock(v, flags);
	}
	return 0;
}

static u32 round8(u32 n)
{
	return (n + 7) & ~7u;
}

/* Room for `bytes` more of a request. */
static int request_room(struct lb_batch *b, u32 bytes)
{
	struct lb_record *before = b->open;
	int err = batch_room(b, bytes);

	/* It goes on in the next record: all of it or nothing. */
	if (!err && before && before != b->open)
		before->flags |= LB_RECORD_MORE;
	return err;
}

static int collect_kv(struct lb_batch *b, u64 gen, const struct lb_kv *kv)
{
	u32 len = kv->key_len + kv->value_len, bytes = round8((u32)sizeof(struct lb_catalog_entry) + len);
	struct lb_catalog_entry e = {
		.header = { .type = cpu_to_le16(kv->delete ? LB_ENTRY_DELETE : LB_ENTRY_PUT), .bytes = cpu_to_le16((u16)bytes),
			    .gen = cpu_to_le64(gen) },
		.key_len = cpu_to_le16((u16)kv->key_len), .value_len = cpu_to_le16((u16)kv->value_len),
	};
	static const u8 zeros[8];
	int err = request_room(b, bytes);

	if (err)
		return err;
	batch_append(b, &e, sizeof(e));
	batch_append(b, kv->data, len);
	batch_append(b, zeros, bytes - (u32)sizeof(e) - len);
	return 0;
}

static int collect_cut(struct lb_batch *b, const struct lb_journal_tx *tx)
{
	struct lb_cut_entry e = {
		.header = { .type = cpu_to_le16(LB_ENTRY_CUT), .bytes = cpu_to_le16(sizeof(e)), .gen = cpu_to_le64(tx->gen) },
		.volume = cpu_to_le64(tx->cut_vol), .snapshot = cpu_to_le64(tx->cut_snap),
	};
	int err = request_room(b, sizeof(e));

	if (!err)
		batch_append(b, &e, sizeof(e));
	return err;
}

static int collect_tx(struct lb_batch *b, const struct lb_journal_tx *tx)
{
	struct lb_kv *kv;
	int err = 0;

	if (tx->snap)
		err = collect_volume(b, tx->snap, tx->cut_vol);
	if (err)
		return err;
	lb_list_for_each_entry(kv, &tx->kvs->items, link) {
		err = collect_kv(b, tx->gen, kv);
		if (err)
			return err;
	}
	return tx->cut_snap ? collect_cut(b, tx) : 0;
}

/* ------------------------------------------------------------------ place and write */

static void record_seal(struct lb_pool *p, struct lb_record *r, u64 seq, u32 prev)
{
	struct lb_record_header *h = r->bufs[0];
	u32 csum = ~0u;
	unsigned int i;

	h->magic = cpu_to_le32(LB_MAGIC_JOURNAL);
	h->csum = 0;
	h->epoch = cpu_to_le64(p->journal.epoch);
	h->seq = cpu_to_le64(seq);
	h->prev = cpu_to_le32(prev);
	h->flags = cpu_to_le32(r->flags);
	h->blocks = cpu_to_le32(r->blocks);
	h->bytes = cpu_to_le32(r->bytes);
	memcpy(h->uuid, p->uuid, sizeof(h->uuid));
	for (i = 0; i < r->blocks; i++)
		csum = port_crc32c(csum, r->bufs[i], LB_BLOCK_BYTES);
	h->csum = cpu_to_le32(csum);
	r->csum = csum;
}

static u64 place_record(const struct lb_journal *j, u64 vpos, unsigned int blocks)
{
	u64 room = j->blocks - vpos % j->blocks;

	return blocks > room ? vpos + room : vpos;
}

/* Reserve the batch's place. False when the ring has no room. */
static bool batch_place(struct lb_pool *p, struct lb_batch *b)
{
	struct lb_journal *j = &p->journal;
	unsigned long flags = port_spin_lock(&p->lock);
	struct lb_journal_mark head = j->head;
	struct lb_record *r;
	bool ok;

	lb_list_for_each_entry(r, &b->records, link) {
		r->vpos = place_record(j, head.vpos, r->blocks);
		head.vpos = r->vpos + r->blocks;
		head.seq++;
		head.prev = r->csum;
	}
	ok = head.vpos - j->tail.vpos <= j->blocks;
	if (ok) {
		j->head = head;
		if (head.vpos - j->tail.vpos > j->blocks / 3)
			WRITE_ONCE(p->commit_wanted, true);
	}
	port_spin_unlock(&p->lock, flags);
	return ok;
}

/* flags: of the first record's write. */
static int batch_write(struct lb_pool *p, struct lb_batch *b, unsigned int flags)
{
	struct lb_journal *j = &p->journal;
	struct lb_record *r;
	u64 seq = j->head.seq;
	u32 prev = j->head.prev;
	int err;

	/* Only the holder of write_mutex moves the head, so reading it here is safe. */
	lb_list_for_each_entry(r, &b->records, link) {
		record_seal(p, r, seq++, prev);
		prev = r->csum;
	}
	if (b->blocks > j->blocks / 3 || !batch_place(p, b))
		return lb_commit_patient(p);
	lb_list_for_each_entry(r, &b->records, link) {
		err = port_write(p->dev, j->block + r->vpos % j->blocks, r->bufs, r->blocks, flags);
		if (err)
			return err;
		flags = PORT_FUA;
		WRITE_ONCE(j->writes, j->writes + 1);
		WRITE_ONCE(j->written_blocks, j->written_blocks + r->blocks);
	}
	if (READ_ONCE(p->commit_wanted))
		lb_pool_kick(p, LB_KICK_COMMIT);
	return 0;
}

/* ------------------------------------------------------------------ group commit */

static int collect_all(struct lb_batch *b, struct lb_list *vols, struct lb_list *txs)
{
	struct lb_journal_tx *tx;
	struct lb_vol *v;
	int err = 0;

	lb_list_for_each_entry(tx, txs, link) {
		err = collect_tx(b, tx);
		if (err)
			return err;
	}
	lb_list_for_each_entry(v, vols, batch_link) {
		err = collect_volume(b, v, v->id);
		if (err)
			return err;
	}
	return 0;
}

static void batch_finish(struct lb_pool *p, struct lb_list *vols, struct lb_list *txs, u64 ticket, int err)
{
	struct lb_journal_tx *tx, *next_tx;
	struct lb_vol *v, *next;
	unsigned long flags;

	lb_list_for_each_entry_safe(v, next, vols, batch_link) {
		/* After a failure what was collected is clean and yet not durable: nobody may take it for that. */
		flags = lb_view_lock(v);
		WRITE_ONCE(v->journal_busy, err != 0);
		lb_view_unlock(v, flags);
		flags = port_spin_lock(&p->lock);
		lb_list_del(&v->batch_link);
		v->on_batch = false;
		port_spin_unlock(&p->lock, flags);
	}
	lb_list_for_each_entry_safe(tx, next_tx, txs, link)
		lb_list_del(&tx->link);
	flags = port_spin_lock(&p->lock);
	p->journal.done = ticket;
	port_spin_unlock(&p->lock, flags);
}

/*
 * Must what has been written be durable first? Not for requests alone, for what was durable before needs nothing; but for whoever asks for a flush,
 * and for a snapshot, which is to hold what its volume held.
 */
static bool batch_flushes(const struct lb_list *vols, const struct lb_list *txs)
{
	const struct lb_journal_tx *tx;

	if (!lb_list_empty(vols))
		return true;
	lb_list_for_each_entry(tx, txs, link)
		if (tx->cut_snap)
			return true;
	return false;
}

static int batch_run(struct lb_pool *p, struct lb_batch *b, struct lb_list *vols, struct lb_list *txs)
{
	int err = collect_all(b, vols, txs);

	WRITE_ONCE(p->flushes, p->flushes + 1);	/* write_mutex; a commit's is counted by the commit */
	if (err == -ENOMEM)
		err = lb_commit_patient(p);
	else if (!err && lb_list_empty(&b->records))
		err = port_flush(p->dev);
	else if (!err)
		err = batch_write(p, b, batch_flushes(vols, txs) ? PORT_PREFLUSH | PORT_FUA : PORT_FUA);
	if (err)
		lb_pool_fail(p, err, "writing the journal");
	return err;
}

static int journal_run(struct lb_pool *p)
{
	struct lb_journal *j = &p->journal;
	struct lb_list vols, txs;
	struct lb_batch b = { .open = NULL };
	struct lb_vol *v, *next;
	unsigned long flags;
	u64 ticket;
	int err;

	lb_list_init(&vols);
	lb_list_init(&txs);
	lb_list_init(&b.records);
	flags = port_spin_lock(&p->lock);
	ticket = j->requested;
	lb_list_for_each_entry_safe(v, next, &j->want, want_link) {
		/* Who asks from here on, asks for the next batch. */
		lb_list_del(&v->want_link);
		v->on_want = false;
		v->on_batch = true;
		lb_list_add_tail(&v->batch_link, &vols);
	}
	lb_list_splice_tail_init(&j->txs, &txs);
	port_spin_unlock(&p->lock, flags);

	/*
	 * After a failed write the chain of records has ended: nothing behind it counts, and what that batch had taken is
	 * clean. Those who queued up meanwhile must not be told that it is durable.
	 */
	err = READ_ONCE(p->failed) ? -EIO : batch_run(p, &b, &vols, &txs);
	batch_finish(p, &vols, &txs, ticket, err);
	batch_free(&b);
	return err;
}

int lb_journal_wait(struct lb_pool *p, u64 ticket)
{
	int err = 0;

	port_mutex_lock(&p->journal.write_mutex);
	if (p->journal.done < ticket)
		err = journal_run(p);
	else if (READ_ONCE(p->failed))
		err = -EIO;
	port_mutex_unlock(&p->journal.write_mutex);
	return err;
}

void lb_journal_tx_queue(struct lb_pool *p, struct lb_journal_tx *tx, u64 *ticket)
{
	unsigned long flags = port_spin_lock(&p->lock);

	lb_list_add_tail(&tx->link, &p->journal.txs);
	if (tx->snap && !tx->snap->on_want) {
		tx->snap->on_want = true;
		lb_list_add_tail(&tx->snap->want_link, &p->journal.want);
	}
	*ticket = ++p->journal.requested;
	port_spin_unlock(&p->lock, flags);
}

bool lb_flush_needed(struct lb_vol *v)
{
	unsigned long flags = port_spin_lock(&v->lock);
	/* What a snapshot has taken over may be on its way to the journal. */
	bool needed = v->mt[0].dirty || v->mt[1].dirty || v->journal_busy || v->n_below;

	port_spin_unlock(&v->lock, flags);
	/* In this order: a pool that fails after the look has left journal_busy set. */
	return needed || READ_ONCE(v->pool->failed);
}

int lb_flush(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;
	unsigned long flags;
	u64 ticket;

	if (READ_ONCE(p->failed))
		return -EIO;
	if (p->read_only)
		return port_flush(p->dev);
	flags = port_spin_lock(&p->lock);
	if (!v->on_want) {
		v->on_want = true;
		lb_list_add_tail(&v->want_link, &p->journal.want);
	}
	ticket = ++p->journal.requested;
	port_spin_unlock(&p->lock, flags);
	return lb_journal_wait(p, ticket);
}

/* ------------------------------------------------------------------ marks */

void lb_journal_get_mark(struct lb_pool *p, struct lb_journal_mark *m)
{
	port_assert_held(&p->lock);
	*m = p->journal.head;
}

u64 lb_journal_used(struct lb_pool *p)
{
	port_assert_held(&p->lock);
	return p->journal.head.vpos - p->journal.tail.vpos;
}

int lb_journal_init(struct lb_pool *p)
{
	struct lb_journal *j = &p->journal;
	const struct lb_super *sb = p->sb;

	port_mutex_init(&j->write_mutex);
	lb_list_init(&j->want);
	lb_list_init(&j->txs);
	j->block = le64_to_cpu(sb->journal_block);
	j->blocks = le64_to_cpu(sb->journal_blocks);
	j->epoch = le64_to_cpu(sb->journal_epoch);
	j->head.vpos = le64_to_cpu(sb->journal_pos);
	j->head.seq = le64_to_cpu(sb->journal_seq);
	j->head.prev = le32_to_cpu(sb->journal_prev);
	j->tail = j->head;
	return 0;
}
