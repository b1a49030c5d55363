// SPDX-License-Identifier: GPL-2.0
/*
 * The skip list behind a memtable. See memtable.h for the locking.
 *
 * Invariants: entries ascend by lblk and do not overlap; an entry's height is fixed when its node is allocated (a quarter of the nodes
 * of one height reach the next: Pugh, "Skip lists", 1990); trimming an entry from the left changes its key in place, which keeps the order.
 */
#include "memtable.h"

struct lb_mem_node *lb_mem_node_alloc(unsigned int how)
{
	struct lb_mem_node *n;
	unsigned int height = 1;
	u32 r = port_random_u32();

	while (height < LB_MEM_HEIGHT && (r & 3) == 0) {
		height++;
		r >>= 2;
	}
	n = port_alloc(sizeof(*n) + height * sizeof(n->next[0]), how);
	if (n) {
		n->height = height;
		lb_list_init(&n->dirty_link);
	}
	return n;
}

void lb_mem_node_free(struct lb_mem_node *n)
{
	port_free(n);
}

static u64 mem_end(const struct lb_mem_node *n)
{
	return n->lblk + n->count;
}

/* For each level, the link that a node at lblk would be put behind. */
static void mem_links(struct lb_memtable *mt, u64 lblk, struct lb_mem_node **links[LB_MEM_HEIGHT], struct lb_mem_node **before)
{
	struct lb_mem_node **at = mt->head;
	struct lb_mem_node *prev = NULL;
	int level;

	for (level = LB_MEM_HEIGHT - 1; level >= 0; level--) {
		while (at[level] && at[level]->lblk < lblk) {
			prev = at[level];
			at = prev->next;
		}
		links[level] = &at[level];
	}
	*before = prev;
}

struct lb_mem_node *lb_mem_find(const struct lb_memtable *mt, u64 lblk, struct lb_mem_node **before)
{
	struct lb_mem_node *const *at = mt->head;
	struct lb_mem_node *prev = NULL, *n;
	int level;

	for (level = LB_MEM_HEIGHT - 1; level >= 0; level--) {
		for (;;) {
			n = port_load_acquire(&at[level]);	/* pairs with mem_link() */
			if (!n || READ_ONCE(n->lblk) > lblk)
				break;
			prev = n;
			at = prev->next;
		}
	}
	*before = prev;
	if (prev && READ_ONCE(prev->lblk) + READ_ONCE(prev->count) > lblk)
		return prev;
	return n;
}

static void mem_count(struct lb_memtable *mt, struct lb_mem_node *n, bool in)
{
	u64 data = n->pblk != LB_PBLK_HOLE ? n->count : 0;

	if (in) {
		mt->entries++;
		mt->new_blocks += data;
	} else {
		mt->entries--;
		mt->new_blocks -= data;
	}
	if (!n->dirty)
		return;
	if (in) {
		mt->dirty++;
		lb_list_add_tail(&n->dirty_link, &mt->dirty_list);
	} else {
		mt->dirty--;
		lb_list_del(&n->dirty_link);
	}
}

void lb_mem_clean(struct lb_memtable *mt, struct lb_mem_node *n)
{
	WRITE_ONCE(n->dirty, false);
	mt->dirty--;
	lb_list_del(&n->dirty_link);
}

/* links: of n->lblk, as mem_links() gave them. */
static void mem_link_at(struct lb_memtable *mt, struct lb_mem_node *n, struct lb_mem_node **const links[LB_MEM_HEIGHT])
{
	unsigned int level;

	for (level = 0; level < n->height; level++) {
		n->next[level] = *links[level];
		port_store_release(links[level], n);	/* pairs with lb_mem_find() */
	}
	mem_count(mt, n, true);
}

static void mem_link(struct lb_memtable *mt, struct lb_mem_node *n)
{
	struct lb_mem_node **links[LB_MEM_HEIGHT], *before;

	mem_links(mt, n->lblk, links, &before);
	mem_link_at(mt, n, links);
}

static void mem_push(struct lb_mem_node **list, struct lb_mem_node *n)
{
	WRITE_ONCE(n->next[0], *list);
	*list = n;
}

/* Take n out of the list; its run is dropped if it was data. */
static void mem_unlink(struct lb_memtable *mt, struct lb_mem_node *n)
{
	struct lb_mem_node **links[LB_MEM_HEIGHT], *before;
	unsigned int level;

	mem_links(mt, n->lblk, links, &before);
	for (level = 0; level < n->height; level++)
		if (*links[level] == n)
			WRITE_ONCE(*links[level], n->next[level]);
	mem_count(mt, n, false);
	mem_push(n->pblk != LB_PBLK_HOLE ? &mt->dropped : &mt->spare, n);
}

static struct lb_mem_node *mem_take(struct lb_mem_node *nodes[LB_MEM_NODES])
{
	unsigned int i;

	for (i = 0; i < LB_MEM_NODES; i++) {
		struct lb_mem_node *n = nodes[i];

		if (n) {
			nodes[i] = NULL;
			return n;
		}
	}
	return NULL;
}

static void mem_set(struct lb_mem_node *n, u64 lblk, u64 count, u64 pblk, bool dirty)
{
	WRITE_ONCE(n->lblk, lblk);
	WRITE_ONCE(n->count, count);
	WRITE_ONCE(n->pblk, pblk);
	WRITE_ONCE(n->dirty, dirty);
}

/* Record that [pblk, pblk + count) is mapped here no more. */
static bool mem_drop_run(struct lb_memtable *mt, u64 pblk, u64 count, struct lb_mem_node *nodes[LB_MEM_NODES])
{
	struct lb_mem_node *n = mt->spare;

	if (n)
		mt->spare = n->next[0];
	else
		n = mem_take(nodes);
	if (!n)
		return false;
	mem_set(n, 0, count, pblk, false);
	mem_push(&mt->dropped, n);
	return true;
}

static u64 mem_pblk_at(const struct lb_mem_node *n, u64 lblk)
{
	return n->pblk == LB_PBLK_HOLE ? LB_PBLK_HOLE : n->pblk + (lblk - n->lblk);
}

/* Cut the entry that begins before `lblk` and reaches into [lblk, end). */
static bool mem_cut_before(struct lb_memtable *mt, struct lb_mem_node *p, u64 lblk, u64 end, struct lb_mem_node *nodes[LB_MEM_NODES])
{
	u64 p_end = mem_end(p), cut_end = min_t(u64, p_end, end);
	u64 cut_pblk = mem_pblk_at(p, lblk), tail_pblk = mem_pblk_at(p, end);
	bool ok = true;

	mem_count(mt, p, false);
	WRITE_ONCE(p->count, lblk - p->lblk);
	mem_count(mt, p, true);
	if (p_end > end) {
		struct lb_mem_node *r = mem_take(nodes);

		if (r) {
			mem_set(r, end, p_end - end, tail_pblk, p->dirty);
			mem_link(mt, r);
		} else {
			ok = false;
		}
	}
	if (cut_pblk != LB_PBLK_HOLE)
		ok = mem_drop_run(mt, cut_pblk, cut_end - lblk, nodes) && ok;
	return ok;
}

/* Join a dirty entry to a dirty neighbour that ends (left) where it begins. Returns true when done. */
static bool mem_join_left(struct lb_memtable *mt, struct lb_mem_node *p, u64 lblk, u64 count, u64 pblk)
{
	if (!p || mem_end(p) != lblk || !p->dirty)
		return false;
	if ((p->pblk == LB_PBLK_HOLE) != (pblk == LB_PBLK_HOLE))
		return false;
	if (pblk != LB_PBLK_HOLE && (p->pblk + p->count != pblk || p->count + count > LB_EXTENT_MAX_BLOCKS))
		return false;
	WRITE_ONCE(p->count, p->count + count);
	if (pblk != LB_PBLK_HOLE)
		mt->new_blocks += count;
	return true;
}

bool lb_mem_insert(struct lb_memtable *mt, u64 lblk, u64 count, u64 pblk, bool dirty, struct lb_mem_node *nodes[LB_MEM_NODES])
{
	struct lb_mem_node **links[LB_MEM_HEIGHT], *before, *n;
	u64 end = lblk + count;
	bool ok = true;

	mem_links(mt, lblk, links, &before);
	if (before && mem_end(before) > lblk)
		ok = mem_cut_before(mt, before, lblk, end, nodes);
	for (;;) {
		n = before ? before->next[0] : mt->head[0];
		if (!n || n->lblk >= end)
			break;
		if (mem_end(n) <= end) {
			mem_unlink(mt, n);
			continue;
		}
		/* Trim its front: the key moves up, the order stays. */
		if (n->pblk != LB_PBLK_HOLE)
			ok = mem_drop_run(mt, n->pblk, end - n->lblk, nodes) && ok;
		mem_count(mt, n, false);
		mem_set(n, end, mem_end(n) - end, mem_pblk_at(n, end), n->dirty);
		mem_count(mt, n, true);
		break;
	}
	if (dirty && mem_join_left(mt, before, lblk, count, pblk))
		return ok;
	n = mem_take(nodes);
	if (!n)
		return false;
	mem_set(n, lblk, count, pblk, dirty);
	/* Only nodes from lblk on have come, gone or moved up: what lies before them is linked as it was. */
	mem_link_at(mt, n, links);
	return ok;
}

void lb_mem_drop_all(struct lb_memtable *mt)
{
	while (mt->head[0])
		mem_unlink(mt, mt->head[0]);
}

void lb_mem_free_chain(struct lb_mem_node *n)
{
	while (n) {
		struct lb_mem_node *next = n->next[0];

		lb_mem_node_free(n);
		n = next;
	}
}

void lb_mem_clear(struct lb_memtable *mt)
{
	lb_mem_free_chain(mt->head[0]);
	lb_mem_free_chain(mt->dropped);
	lb_mem_free_chain(mt->spare);
	lb_mem_init(mt);
}

static void mem_chain(struct lb_mem_node *list, struct lb_mem_node **chain)
{
	struct lb_mem_node *last = list;

	if (!list)
		return;
	while (last->next[0])
		last = last->next[0];
	WRITE_ONCE(last->next[0], *chain);
	*chain = list;
}

void lb_mem_retire(struct lb_memtable *mt, struct lb_mem_node **chain)
{
	mem_chain(mt->head[0], chain);
	mem_chain(mt->dropped, chain);
	mem_chain(mt->spare, chain);
	lb_mem_init(mt);
}

void lb_mem_move(struct lb_memtable *to, struct lb_memtable *from)
{
	*to = *from;
	lb_list_init(&to->dirty_list);
	lb_list_splice_tail_init(&from->dirty_list, &to->dirty_list);
	lb_mem_init(from);
}

void lb_mem_init(struct lb_memtable *mt)
{
	memset(mt, 0, sizeof(*mt));
	lb_list_init(&mt->dirty_list);
}
