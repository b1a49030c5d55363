// SPDX-License-Identifier: GPL-2.0
/*
 * The writing side of the trees: a new node gets its addresses, its seal, its place in the cache and in the image, and
 * goes out; an old one leaves the image.
 *
 * Owns: the nodes on their way to the device (pinned in the cache) with the buffers of their second copies, at most
 * WRITER_MAX_OUT; two lists of addresses, of the nodes written and of those released in this commit.
 *
 * Released nodes stay in the cache until the commit is over: until its roots are published, readers walk the old trees.
 * A node that a late reader brings back after that does no harm: it is found by a pointer to it only, which holds its
 * generation and checksum.
 *
 * Locks: none; a writer belongs to the committing thread.
 *
 * A crash at any point is harmless: new nodes are written to free blocks, and nothing points to them before the
 * superblock does.
 */
#include "tree.h"

#define WRITER_MAX_OUT	256u	/* nodes: 1 MiB, and as much again for second copies */
#define ADDRS_IN_CHUNK	510u

struct lb_tree_out {
	struct lb_cnode *cn;
	void *copy;		/* the second one, or NULL */
};

struct lb_addr_list {
	struct lb_addr_list *next;
	unsigned int n;
	u64 addrs[ADDRS_IN_CHUNK];
};

static int addr_list_add(struct lb_addr_list **list, u64 addr)
{
	struct lb_addr_list *l = *list;

	if (!l || l->n == ADDRS_IN_CHUNK) {
		l = port_alloc(sizeof(*l), PORT_WAIT);
		if (!l)
			return -ENOMEM;
		l->next = *list;
		*list = l;
	}
	l->addrs[l->n++] = addr;
	return 0;
}

/* Free the list; with a cache, drop what it names first. */
static void addr_list_free(struct lb_addr_list **list, struct lb_cache *drop)
{
	struct lb_addr_list *l = *list;

	while (l) {
		struct lb_addr_list *next = l->next;

		while (drop && l->n)
			lb_cache_drop(drop, l->addrs[--l->n]);
		port_free(l);
		l = next;
	}
	*list = NULL;
}

int lb_tree_writer_init(struct lb_tree_writer *w, struct lb_cache *cache, struct lb_space *space, struct port_batch *batch, u64 gen)
{
	*w = (struct lb_tree_writer){ .cache = cache, .space = space, .batch = batch, .gen = gen };
	w->out = port_alloc(WRITER_MAX_OUT * sizeof(w->out[0]), PORT_WAIT);
	return w->out ? 0 : -ENOMEM;
}

int lb_tree_writer_sync(struct lb_tree_writer *w)
{
	int err = port_batch_wait(w->batch);

	while (w->outs) {
		struct lb_tree_out *o = &w->out[--w->outs];

		lb_cache_put(w->cache, o->cn);
		port_free_block(o->copy);
	}
	return err;
}

void lb_tree_writer_abort(struct lb_tree_writer *w)
{
	lb_tree_writer_sync(w);
	addr_list_free(&w->written, w->cache);
	addr_list_free(&w->released, NULL);
	port_free(w->out);
	w->out = NULL;
}

void lb_tree_writer_done(struct lb_tree_writer *w)
{
	addr_list_free(&w->written, NULL);
	addr_list_free(&w->released, w->cache);
	port_free(w->out);
	w->out = NULL;
}

/* Addresses for a node, in the image at once. */
static int writer_take(struct lb_tree_writer *w, bool pair, struct lb_ref *ref)
{
	int err = lb_space_alloc_meta(w->space, pair, &ref->addr, &ref->addr2);

	if (err)
		return err;
	if (!pair)
		ref->addr2 = 0;
	err = lb_space_use(w->space, ref->addr, 1);
	if (!err && pair)
		err = lb_space_use(w->space, ref->addr2, 1);
	if (!err)
		w->meta_blocks += pair ? 2 : 1;
	return err;
}

/* Send a node out, and with an addr2 a second copy: it differs in `self` alone, which the checksum leaves out. */
static int writer_send(struct lb_tree_writer *w, struct lb_cnode *cn, const struct lb_ref *ref)
{
	struct lb_tree_out *o = &w->out[w->outs++];
	struct lb_node *copy = NULL;

	*o = (struct lb_tree_out){ .cn = cn };
	if (ref->addr2) {
		copy = port_alloc_block(PORT_WAIT);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, cn->node, LB_BLOCK_BYTES);
		copy->header.self = cpu_to_le64(ref->addr2);
		o->copy = copy;
		port_batch_write(w->batch, ref->addr2, copy);
	}
	w->nodes_written++;
	port_batch_write(w->batch, ref->addr, cn->node);
	return 0;
}

int lb_tree_writer_node(struct lb_tree_writer *w, struct lb_node *node, u64 owner, bool pair, struct lb_ref *ref)
{
	struct lb_cnode *cn;
	int err = 0;

	*ref = (struct lb_ref){ .gen = w->gen, .level = node->header.level };
	if (w->outs == WRITER_MAX_OUT)
		err = lb_tree_writer_sync(w);
	if (!err)
		err = writer_take(w, pair, ref);
	if (!err)
		err = addr_list_add(&w->written, ref->addr);
	if (err) {
		port_free_block(node);
		return err;
	}
	ref->csum = lb_block_seal(node, LB_MAGIC_NODE, ref->addr, w->gen, owner);
	err = lb_cache_insert(w->cache, ref, node, &cn);
	return err ? err : writer_send(w, cn, ref);
}

int lb_tree_writer_release(struct lb_tree_writer *w, const struct lb_ref *ref)
{
	int err = lb_space_release(w->space, ref->addr, 1);

	if (!err && ref->addr2)
		err = lb_space_release(w->space, ref->addr2, 1);
	if (err)
		return err;
	w->meta_blocks -= ref->addr2 ? 2 : 1;
	/* Without memory for the list: now, which costs a reader of the old tree one more read. */
	if (addr_list_add(&w->released, ref->addr))
		lb_cache_drop(w->cache, ref->addr);
	return 0;
}
