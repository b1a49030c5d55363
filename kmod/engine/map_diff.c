// SPDX-License-Identifier: GPL-2.0
/*
 * The difference of two map trees, without reading a node that both share.
 *
 * Each tree has an iterator. Its head is either a subtree not read yet, known by its key, or an extent, or the end. In
 * each round: two heads that are the same node are skipped both. Else the head with the smaller key is taken apart, of
 * two subtrees with one key the higher one. A node that both trees hold has the same key and level in both; so when it
 * is at the head of one iterator, the other one comes to it before either is taken apart. (Had it another key in one of
 * them, as another writer might do, it would be read, and found equal.) Two extents are compared as far as they
 * overlap; the same block at the same place is no difference.
 *
 * Owns: the pinned nodes on the iterators' ways down. Locks: none. Writes nothing.
 */
#include "tree.h"

struct diff_frame {
	struct lb_cnode *cn;
	unsigned int i;		/* the head is this child, or the extent behind the head */
};

struct diff_iter {
	struct lb_cache *c;
	struct lb_ref root;	/* addr 0: taken apart already */
	struct lb_extent_cpu e;	/* count > 0: the head, the rest of an extent */
	u64 from;
	u64 done;		/* no key below comes again: else the tree is damaged, and this might not end */
	unsigned int depth;
	struct diff_frame frames[LB_TREE_MAX_LEVEL + 1];
};

/* What is at the head, in this order of `level`. */
struct diff_head {
	u64 key;		/* ~0ULL: the end */
	int level;		/* of a subtree; -1: an extent */
	u64 addr;		/* of a subtree */
};

struct diff {
	struct diff_iter a, b;
	struct lb_diff_run *runs;
	unsigned int n, room;
	u64 next;
};

/* ------------------------------------------------------------------ an iterator */

static void iter_init(struct diff_iter *it, struct lb_cache *c, const struct lb_ref *root, u64 from)
{
	it->c = c;
	it->root = *root;
	it->from = from;
}

static void iter_end(struct diff_iter *it)
{
	while (it->depth)
		lb_cache_put(it->c, it->frames[--it->depth].cn);
}

/* Pass what lies before `from`, leave what is finished, and say what is at the head. */
static struct diff_head iter_head(struct diff_iter *it)
{
	if (it->root.addr)
		return (struct diff_head){ .key = 0, .level = it->root.level, .addr = it->root.addr };
	while (it->depth && !it->e.count) {
		struct diff_frame *f = &it->frames[it->depth - 1];
		const struct lb_node *n = f->cn->node;

		if (f->i == lb_node_count(n)) {
			lb_cache_put(it->c, f->cn);
			it->depth--;
			if (it->depth)
				it->frames[it->depth - 1].i++;
			continue;
		}
		if (lb_node_level(n))
			return (struct diff_head){ .key = le64_to_cpu(n->children[f->i].lblk), .level = (int)lb_node_level(n) - 1,
						   .addr = le64_to_cpu(n->children[f->i].ptr.addr) };
		it->e = lb_extent_decode(&n->extents[f->i++]);
		if (it->e.lblk < it->from) {
			u64 skip = it->from - it->e.lblk;

			it->e.lblk += skip;
			it->e.pblk += skip;
			it->e.count -= skip;
		}
	}
	if (it->e.count)
		return (struct diff_head){ .key = it->e.lblk, .level = -1 };
	return (struct diff_head){ .key = ~0ULL, .level = -1 };
}

/* The head, a subtree, is passed. */
static void iter_skip(struct diff_iter *it, u64 key)
{
	it->done = key + 1;
	if (it->root.addr)
		it->root.addr = 0;
	else
		it->frames[it->depth - 1].i++;
}

/* The head, a subtree, is read; what is in it from `from` on takes its place. */
static int iter_open(struct diff_iter *it)
{
	struct lb_ref ref = it->root;
	struct diff_frame next;
	int err;

	if (!ref.addr) {
		const struct diff_frame *f = &it->frames[it->depth - 1];

		ref = lb_node_child(f->cn->node, LB_TREE_MAP, f->i);
	}
	err = lb_cache_get(it->c, &ref, LB_TREE_MAP, 0, &next.cn);
	if (err)
		return err;
	if (lb_node_first_lblk(next.cn->node) < it->done) {
		lb_cache_put(it->c, next.cn);
		return -EUCLEAN;
	}
	if (lb_node_level(next.cn->node))
		next.i = lb_node_find_child(next.cn->node, it->from);
	else
		next.i = lb_node_find_extent(next.cn->node, it->from);
	it->root.addr = 0;
	it->frames[it->depth++] = next;
	return 0;
}

/* n blocks of the head, an extent, are done. */
static void iter_eat(struct diff_iter *it, u64 n)
{
	it->e.lblk += n;
	it->e.pblk += n;
	it->e.count -= n;
	it->done = it->e.lblk;
}

/* ------------------------------------------------------------------ both */

/* 0; 1: no room for it. */
static int add_run(struct diff *d, u64 start, u64 count, bool mapped)
{
	struct lb_diff_run *run = d->runs + d->n;

	if (d->n && run[-1].start + run[-1].count == start && run[-1].mapped == mapped) {
		run[-1].count += count;
		return 0;
	}
	if (d->n == d->room) {
		d->next = start;
		return 1;
	}
	d->n++;
	*run = (struct lb_diff_run){ .start = start, .count = count, .mapped = mapped };
	return 0;
}

/* The head with the smaller key is an extent: as far as the other tree has nothing, or an extent too. */
static int diff_extents(struct diff *d, const struct diff_head *ha, const struct diff_head *hb)
{
	struct diff_iter *a = &d->a, *b = &d->b;
	u64 n;
	int full = 0;

	if (ha->key != hb->key) {
		bool mapped = hb->key < ha->key;
		struct diff_iter *it = mapped ? b : a;

		n = min_t(u64, it->e.count, (mapped ? ha->key : hb->key) - it->e.lblk);
		full = add_run(d, it->e.lblk, n, mapped);
		if (!full)
			iter_eat(it, n);
		return full;
	}
	n = min_t(u64, a->e.count, b->e.count);
	if (a->e.pblk != b->e.pblk)
		full = add_run(d, a->e.lblk, n, true);
	if (!full) {
		iter_eat(a, n);
		iter_eat(b, n);
	}
	return full;
}

/* One round. 0: go on; 1: no room, or the end; negative errno. */
static int diff_round(struct diff *d)
{
	struct diff_head ha = iter_head(&d->a), hb = iter_head(&d->b);

	if (ha.key == ~0ULL && hb.key == ~0ULL) {
		d->next = ~0ULL;
		return 1;
	}
	if (ha.level >= 0 && ha.level == hb.level && ha.addr == hb.addr) {
		iter_skip(&d->a, ha.key);
		iter_skip(&d->b, hb.key);
		return 0;
	}
	/* The smaller key first; with one key, the higher level. */
	if (ha.key < hb.key || (ha.key == hb.key && ha.level >= hb.level)) {
		if (ha.level >= 0)
			return iter_open(&d->a);
	} else if (hb.level >= 0) {
		return iter_open(&d->b);
	}
	return diff_extents(d, &ha, &hb);
}

int lb_map_diff(struct lb_cache *c, const struct lb_ref *a, const struct lb_ref *b, u64 from, struct lb_diff_run *runs, unsigned int *n, u64 *next)
{
	struct diff *d = port_alloc(sizeof(*d), PORT_WAIT);
	int err = 0;

	if (!d)
		return -ENOMEM;
	iter_init(&d->a, c, a, from);
	iter_init(&d->b, c, b, from);
	d->runs = runs;
	d->room = *n;
	while (!err) {
		err = diff_round(d);
		port_cond_resched();
	}
	iter_end(&d->a);
	iter_end(&d->b);
	*n = d->n;
	*next = d->next;
	port_free(d);
	return min_t(int, err, 0);
}
