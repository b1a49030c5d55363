// SPDX-License-Identifier: GPL-2.0
/*
 * The writing side of the trees: a new node gets its addresses, its seal, its place in the cache and in the image, and goes out; an old
 * one leaves the image.
 *
 * Owns: the nodes on their way to the device (pinned in the cache) and the buffers of their second copies, at most WRITER_MAX_OUT of each; two lists of
 * addresses, of the nodes written and of those released in this commit.
 *
 * Released nodes stay in the cache until the commit is over: until its roots are published, readers walk the old trees. A node
 * that a late reader brings back after that does no harm: it is found by a pointer to it only, which holds its generation and checksum.
 *
 * Locks: none; a writer belongs to the committing thread.
 *
 * A crash at any point is harmless: new nodes are written to free blocks, and nothing points to them before the superblock does.
 */
#include "tree.h"

#define WRITER_MAX_OUT	256u	/* nodes: 1 MiB, and as much again for second copies */
#define ADDRS_IN_CHUNK	510u

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
	w->pins = port_alloc(WRITER_MAX_OUT * sizeof(w->pins[0]), PORT_WAIT);
	w->copies = port_alloc(WRITER_MAX_OUT * sizeof(w->copies[0]), PORT_WAIT);
	if (w->pins && w->copies)
		return 0;
	port_free(w->pins);
	port_free(w->copies);
	w->pins = NULL;
	w->copies = NULL;
	return -ENOMEM;
}

int lb_tree_writer_sync(struct lb_tree_writer *w)
{
	int err = port_batch_wait(w->batch);

	while (w->pinned)
		lb_cache_put(w->cache, w->pins[--w->pinned]);
	while (w->copied)
		port_free_block(w->copies[--w->copied]);
	return err;
}

static void writer_free(struct lb_tree_writer *w)
{
	port_free(w->pins);
	port_free(w->copies);
	w->pins = NULL;
	w->copies = NULL;
}

void lb_tree_writer_abort(struct lb_tree_writer *w)
{
	lb_tree_writer_sync(w);
	addr_list_free(&w->written, w->cache);
	addr_list_free(&w->released, NULL);
	writer_free(w);
}

void lb_tree_writer_done(struct lb_tree_writer *w)
{
	addr_list_free(&w->written, NULL);
	addr_list_free(&w->released, w->cache);
	writer_free(w);
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

/* The second copy differs in `self` alone, which the checksum leaves out. */
static int writer_copy(struct lb_tree_writer *w, const struct lb_node *node, u64 addr2)
{
	struct lb_node *copy = port_alloc_block(PORT_WAIT);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, node, LB_BLOCK_BYTES);
	copy->header.self = cpu_to_le64(addr2);
	w->copies[w->copied++] = copy;
	port_batch_write(w->batch, addr2, copy);
	return 0;
}

int lb_tree_writer_node(struct lb_tree_writer *w, struct lb_node *node, u64 owner, bool pair, struct lb_ref *ref)
{
	struct lb_cnode *cn;
	int err = 0;

	*ref = (struct lb_ref){ .gen = w->gen, .level = node->header.level };
	if (w->pinned == WRITER_MAX_OUT)
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
	if (err)
		return err;
	w->pins[w->pinned++] = cn;
	w->nodes_written++;
	port_batch_write(w->batch, ref->addr, cn->node);
	return pair ? writer_copy(w, cn->node, ref->addr2) : 0;
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
