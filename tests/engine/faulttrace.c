// SPDX-License-Identifier: GPL-2.0
/* What an operation reads and writes of metadata, by number: where lies can be told (see faultlab.h). */
#include <assert.h>
#include <stdlib.h>

#include "faultlab.h"

struct tracer {
	struct flab_trace *t;
	u64 reads, writes;
};

bool flab_is_journal(u64 block)
{
	return block >= LB_JOURNAL_BLOCK && block < LB_JOURNAL_BLOCK + LB_JOURNAL_MIN_BLOCKS;
}

u32 flab_magic(struct port_dev *dev, u64 block)
{
	union {
		struct lb_block_header header;
		u8 bytes[LB_BLOCK_BYTES];
	} b;
	u32 magic;

	if (flab_is_journal(block))
		return LB_MAGIC_JOURNAL;
	if (block >= FLAB_DEVICE_BLOCKS)
		return 0;
	port_sim_peek(dev, block, &b);
	magic = le32_to_cpu(b.header.magic);
	return magic == LB_MAGIC_SUPER || magic == LB_MAGIC_NODE || magic == LB_MAGIC_BITMAP || magic == LB_MAGIC_TABLE ? magic : 0;
}

/* Those whose pointers have a second address; and of a map's root, that it is one is not to be seen. */
static bool block_has_twin(struct port_dev *dev, u64 block, u32 magic)
{
	union {
		struct lb_block_header header;
		u8 bytes[LB_BLOCK_BYTES];
	} b;

	if (magic != LB_MAGIC_NODE)
		return magic == LB_MAGIC_SUPER || magic == LB_MAGIC_TABLE;
	port_sim_peek(dev, block, &b);
	return b.header.kind == LB_TREE_CATALOG;
}

static void trace_add(struct port_dev *dev, struct flab_access **list, unsigned int *n, u64 nth, u64 block)
{
	u32 magic = flab_magic(dev, block);

	if (!magic)
		return;
	*list = realloc(*list, (*n + 1) * sizeof(**list));
	assert(*list);
	(*list)[(*n)++] = (struct flab_access){ .nth = nth, .block = block, .magic = magic, .twin = block_has_twin(dev, block, magic) };
}

static int trace_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct tracer *tr = arg;
	u64 i;

	if (io->op == PORT_SIM_READ)
		trace_add(dev, &tr->t->reads, &tr->t->n_reads, ++tr->reads, io->block);
	for (i = 0; io->op == PORT_SIM_WRITE && i < io->count; i++)
		trace_add(dev, &tr->t->writes, &tr->t->n_writes, ++tr->writes, io->block + i);
	return 0;
}

/* The last record of the journal that is read, if it is read: the record with the greatest sequence number. */
static void trace_mark_tail(struct port_dev *dev, struct flab_trace *t)
{
	union {
		struct lb_record_header header;
		u8 bytes[LB_BLOCK_BYTES];
	} b;
	u64 seq = 0, tail = 0;
	u32 blocks = 0;
	unsigned int i;

	for (i = 0; i < t->n_reads; i++) {
		if (!flab_is_journal(t->reads[i].block))
			continue;
		port_sim_peek(dev, t->reads[i].block, &b);
		if (le32_to_cpu(b.header.magic) == LB_MAGIC_JOURNAL && le64_to_cpu(b.header.seq) > seq) {
			seq = le64_to_cpu(b.header.seq);
			tail = t->reads[i].block;
			blocks = le32_to_cpu(b.header.blocks);
		}
	}
	for (i = 0; i < t->n_reads; i++)
		t->reads[i].tail = t->reads[i].block >= tail && t->reads[i].block < tail + blocks;
}

void flab_trace(const struct fault_op *op, struct flab_trace *t)
{
	struct tracer tr = { .t = t };
	struct faultlab l;

	memset(t, 0, sizeof(*t));
	flab_begin(&l, op);
	port_sim_set_hook(l.h.dev, trace_hook, &tr);
	if (op->run(&l))
		abort();
	port_sim_set_hook(l.h.dev, NULL, NULL);
	trace_mark_tail(l.h.dev, t);
	flab_end(&l);
}

void flab_trace_free(struct flab_trace *t)
{
	free(t->reads);
	free(t->writes);
}
