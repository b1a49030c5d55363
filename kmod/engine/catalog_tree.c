// SPDX-License-Identifier: GPL-2.0
/*
 * Look-ups in the catalog's tree.
 *
 * Owns nothing beyond the call; pins the nodes on the way down, at most one per level. Locks: none; a tree on disk
 * never changes in place.
 */
#include "tree.h"

/* Of an upper node: the child whose range holds the key. */
static unsigned int find_child(const struct lb_node *n, const u8 *key, u32 key_len)
{
	unsigned int i = lb_node_find_key(n, key, key_len);

	return i ? i - 1 : 0;
}

static int copy_value(const struct lb_item_cpu *it, u8 *value, u32 *value_len)
{
	u32 room = *value_len;

	*value_len = it->value_len;
	if (!value)
		return 0;
	if (it->value_len > room)
		return -ERANGE;
	memcpy(value, it->value, it->value_len);
	return 0;
}

int lb_cat_lookup(struct lb_cache *c, const struct lb_ref *root, const u8 *key, u32 key_len, u8 *value, u32 *value_len)
{
	struct lb_ref ref = *root;
	struct lb_item_cpu it;
	struct lb_cnode *cn;
	unsigned int i;
	int err;

	if (!ref.addr)
		return -ENOENT;
	for (;;) {
		u8 level = ref.level;

		err = lb_cache_get(c, &ref, LB_TREE_CATALOG, 0, &cn);
		if (err)
			return err;
		if (!level)
			break;
		ref = lb_node_child(cn->node, LB_TREE_CATALOG, find_child(cn->node, key, key_len));
		lb_cache_put(c, cn);
	}
	err = -ENOENT;
	i = lb_node_find_key(cn->node, key, key_len);
	if (i) {
		it = lb_node_item(cn->node, i - 1);
		if (!lb_key_cmp(it.key, it.key_len, key, key_len))
			err = copy_value(&it, value, value_len);
	}
	lb_cache_put(c, cn);
	return err;
}

/* The way from the root to an item. */
struct cat_path {
	unsigned int depth;
	struct {
		struct lb_cnode *cn;
		unsigned int i;
	} at[LB_TREE_MAX_LEVEL + 1];
};

/* Go down to the leaf where `key` belongs (none: the leftmost one), to the first item behind it. */
static int path_down(struct lb_cache *c, struct cat_path *p, struct lb_ref ref, const u8 *key, u32 key_len)
{
	for (;;) {
		struct lb_cnode *cn;
		int err = lb_cache_get(c, &ref, LB_TREE_CATALOG, 0, &cn);

		if (err)
			return err;
		p->at[p->depth].cn = cn;
		p->at[p->depth].i = ref.level ? find_child(cn->node, key, key_len) : lb_node_find_key(cn->node, key, key_len);
		p->depth++;
		if (!ref.level)
			return 0;
		ref = lb_node_child(cn->node, LB_TREE_CATALOG, p->at[p->depth - 1].i);
	}
}

/* From a leaf that is used up to the first item of the next one. */
static int path_next_leaf(struct lb_cache *c, struct cat_path *p)
{
	const u8 none = 0;

	while (p->depth) {
		struct lb_cnode *cn = p->at[p->depth - 1].cn;

		if (lb_node_level(cn->node) && ++p->at[p->depth - 1].i < lb_node_count(cn->node))
			return path_down(c, p, lb_node_child(cn->node, LB_TREE_CATALOG, p->at[p->depth - 1].i), &none, 0);
		lb_cache_put(c, cn);
		p->depth--;
	}
	return -ENOENT;
}

int lb_cat_next(struct lb_cache *c, const struct lb_ref *root, u8 *key, u32 *key_len, u8 *value, u32 *value_len)
{
	struct cat_path p = { .depth = 0 };
	struct lb_item_cpu it;
	int err;

	if (!root->addr)
		return -ENOENT;
	err = path_down(c, &p, *root, key, *key_len);
	if (!err && p.at[p.depth - 1].i == lb_node_count(p.at[p.depth - 1].cn->node))
		err = path_next_leaf(c, &p);
	if (!err) {
		it = lb_node_item(p.at[p.depth - 1].cn->node, p.at[p.depth - 1].i);
		/* Else a damaged tree would keep the caller going round. */
		if (lb_key_cmp(it.key, it.key_len, key, *key_len) <= 0)
			err = -EUCLEAN;
	}
	if (!err) {
		memcpy(key, it.key, it.key_len);
		*key_len = it.key_len;
		err = copy_value(&it, value, value_len);
	}
	while (p.depth)
		lb_cache_put(c, p.at[--p.depth].cn);
	return err;
}
