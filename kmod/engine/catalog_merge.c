// SPDX-License-Identifier: GPL-2.0
/*
 * The bulk merge into the catalog: as map_merge.c, with byte strings for keys, nothing shared, and every node in two
 * copies. What that file's head says of linking, opening and pulling in holds here.
 *
 * Owns: the pinned nodes on the way down; the builder's buffers. Locks: none; the committing thread. Crash: see
 * tree_writer.c.
 */
#include "builder.h"

struct cat_key {
	const u8 *key;
	u32 len;			/* 0: beyond all keys */
};

struct cat_frame {
	struct lb_cnode *cn;
	unsigned int i;			/* the next child */
	struct cat_key hi;		/* end of the node's range; lies in a node further up, which is pinned */
};

struct cat_merge {
	struct lb_tree_writer *w;
	const struct lb_cat_source *src;
	struct lb_cat_change ch;
	bool have;
	u64 opened;			/* nodes of the old tree that are not in the new one */
	unsigned int depth;
	struct cat_frame frames[LB_TREE_MAX_LEVEL + 1];
	struct lb_builder b;
};

static int next_change(struct cat_merge *m)
{
	struct lb_cat_change prev = m->ch;

	m->have = m->src->next(m->src->arg, &m->ch);
	if (!m->have)
		return 0;
	if (!m->ch.key_len || m->ch.key_len > LB_CAT_KEY_MAX || (m->ch.value && m->ch.value_len > LB_CAT_VALUE_MAX))
		return -EINVAL;
	if (prev.key_len && lb_key_cmp(prev.key, prev.key_len, m->ch.key, m->ch.key_len) >= 0)
		return -EINVAL;
	return 0;
}

static bool change_below(const struct cat_merge *m, struct cat_key hi)
{
	return m->have && (!hi.len || lb_key_cmp(m->ch.key, m->ch.key_len, hi.key, hi.len) < 0);
}

/* The current change is put or, if it deletes, left out; then it is done. */
static int put_change(struct cat_merge *m)
{
	struct lb_item_cpu it = { .key = m->ch.key, .key_len = m->ch.key_len, .value = m->ch.value, .value_len = m->ch.value_len };
	int err = it.value ? lb_builder_add_item(&m->b, 0, &it) : 0;

	return err ? err : next_change(m);
}

static int put_changes_below(struct cat_merge *m, struct cat_key hi)
{
	int err = 0;

	while (!err && change_below(m, hi))
		err = put_change(m);
	return err;
}

static int merge_leaf(struct cat_merge *m, const struct lb_node *node, struct cat_key hi)
{
	unsigned int i, n = lb_node_count(node);
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		struct lb_item_cpu it = lb_node_item(node, i);
		struct cat_key key = { .key = it.key, .len = it.key_len };

		err = put_changes_below(m, key);
		if (err)
			break;
		if (m->have && !lb_key_cmp(m->ch.key, m->ch.key_len, it.key, it.key_len))
			err = put_change(m);
		else
			err = lb_builder_add_item(&m->b, 0, &it);
	}
	return err ? err : put_changes_below(m, hi);
}

/* Take an old node apart: a leaf at once; an upper node becomes the top frame. */
static int open_node(struct cat_merge *m, const struct lb_ref *ref, struct cat_key hi)
{
	struct lb_cnode *cn;
	int err = lb_cache_get(m->w->cache, ref, LB_TREE_CATALOG, 0, &cn);

	if (err)
		return err;
	m->opened++;
	err = lb_tree_writer_release(m->w, ref);
	if (!err && ref->level) {
		m->frames[m->depth++] = (struct cat_frame){ .cn = cn, .hi = hi };
		return 0;
	}
	if (!err)
		err = merge_leaf(m, cn->node, hi);
	lb_cache_put(m->w->cache, cn);
	return err;
}

/* The next child of the top frame: linked as it is, or opened. */
static int merge_child(struct cat_merge *m)
{
	struct cat_frame *f = &m->frames[m->depth - 1];
	const struct lb_node *n = f->cn->node;
	struct cat_key hi = f->hi;
	struct lb_item_cpu it;
	struct lb_ref ref;
	int err = 0;

	if (f->i == lb_node_count(n)) {
		lb_cache_put(m->w->cache, f->cn);
		m->depth--;
		return 0;
	}
	if (f->i + 1 < lb_node_count(n)) {
		it = lb_node_item(n, f->i + 1);
		hi = (struct cat_key){ .key = it.key, .len = it.key_len };
	}
	it = lb_node_item(n, f->i);
	ref = lb_node_child(n, LB_TREE_CATALOG, f->i);
	f->i++;
	if (!change_below(m, hi)) {
		err = lb_builder_settle(&m->b, ref.level);
		if (err > 0)
			return lb_builder_add_item(&m->b, ref.level + 1, &it);
	}
	return err ? err : open_node(m, &ref, hi);
}

static int merge_tree(struct cat_merge *m, const struct lb_ref *root)
{
	const struct cat_key end = { .len = 0 };
	int err = root->addr ? open_node(m, root, end) : put_changes_below(m, end);

	while (!err && m->depth) {
		err = merge_child(m);
		port_cond_resched();
	}
	return err;
}

/*
 * No change is left: what the builder has becomes the tree. A single old node that is all there is takes the root's
 * place, written anew.
 */
static int merge_finish(struct cat_merge *m, struct lb_ref *root)
{
	const struct cat_key end = { .len = 0 };
	int err;

	for (;;) {
		err = lb_builder_finish(&m->b, root);
		if (err <= 0)
			return err;
		err = open_node(m, root, end);
		while (!err && m->depth) {
			struct cat_frame *f = &m->frames[m->depth - 1];

			while (f->i < lb_node_count(f->cn->node) && !err) {
				struct lb_item_cpu it = lb_node_item(f->cn->node, f->i++);

				err = lb_builder_add_item(&m->b, root->level, &it);
			}
			lb_cache_put(m->w->cache, f->cn);
			m->depth--;
		}
		if (err)
			return err;
	}
}

int lb_cat_merge(struct lb_tree_writer *w, const struct lb_ref *root, const struct lb_cat_source *src, struct lb_merge_result *res)
{
	struct cat_merge *m = port_alloc(sizeof(*m), PORT_WAIT);
	int err;

	if (!m)
		return -ENOMEM;
	*res = (struct lb_merge_result){ .root = *root };
	m->w = w;
	m->src = src;
	lb_builder_init(&m->b, w, LB_TREE_CATALOG, 0);
	err = next_change(m);
	if (!err && m->have) {
		err = merge_tree(m, root);
		if (!err)
			err = merge_finish(m, &res->root);
		res->nodes = (s64)m->b.nodes - (s64)m->opened;
	}
	while (m->depth)
		lb_cache_put(w->cache, m->frames[--m->depth].cn);
	lb_builder_free(&m->b);
	port_free(m);
	return err;
}

/*
 * As lb_map_merge_worst(); but items are of all sizes. An item takes at most a third of a leaf, so that a full leaf
 * holds at least LEAF_FULL bytes, and a run of T bytes becomes at most T / LEAF_FULL + 1 nodes. (Above the leaves more
 * of a node is used, and a link takes at most an eleventh of it.)
 *
 * By changes: on each level a run of c changes opens at most c nodes and one neighbour, and adds at most LEAF_ITEM
 * bytes for each: less than 3c nodes. By the tree: all bytes there, and those added; one more for each run; and the
 * links to all nodes.
 */
#define LEAF_ITEM	(2u + sizeof(struct lb_item) + LB_CAT_KEY_MAX + LB_CAT_VALUE_MAX)
#define LEAF_FULL	(LB_PAYLOAD_BYTES - LEAF_ITEM + 1)

u64 lb_cat_merge_worst(u64 nodes, u8 level, u64 changes)
{
	u64 by_changes = changes * 3 * ((u64)level + 1);
	u64 runs = min_t(u64, nodes, changes * ((u64)level + 1));
	u64 added = (nodes * (LB_PAYLOAD_BYTES - LEAF_FULL) + changes * LEAF_ITEM) / LEAF_FULL + 1 + runs;
	u64 by_tree = nodes + added + (nodes + added) / 8 + LB_TREE_MAX_LEVEL + 1;

	return changes ? min_t(u64, by_changes, by_tree) : 0;
}
