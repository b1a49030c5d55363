// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog's tree: every item in key order. Its nodes are never shared and all have two copies. Walked once to
 * judge it, and again without a word to merge the journal's changes into what it says, or to build a new one.
 */
#include "ck.h"

struct cat_walk {
	struct ck *ck;
	bool judge;
	ck_each_item each;
	void *arg;
	struct lb_node *bufs[LB_TREE_MAX_LEVEL + 1];
	u64 skipped;			/* nodes that could not be used */
};

/* Bounds: keys from lo on and below hi (NULL: no bound). They point into the parents' buffers. */
struct cat_hang {
	const u8 *lo, *hi;
	u32 lo_len, hi_len;
	struct ck_above above;
};

/*
 * 1 when the node's items are not what belongs here. Nothing of it is taken then: what is read must ascend through all
 * of the catalog, or a repair would build a tree whose keys do not.
 */
static int judge_bounds(struct cat_walk *w, const struct lb_ref *ref, const struct cat_hang *at,
			const struct lb_node *n)
{
	struct ck_item first = ck_item(n, 0), last = ck_item(n, le16_to_cpu(n->header.count) - 1u);

	if ((!at->lo || ck_key_cmp(first.key, first.key_len, at->lo, at->lo_len) >= 0) &&
	    (!at->hi || ck_key_cmp(last.key, last.key_len, at->hi, at->hi_len) < 0))
		return 0;
	if (w->judge)
		ck_tell(w->ck, LBCK_NODE_BOUNDS, CK_AT(ref->addr), "block %llu of the catalog",
			(unsigned long long)ref->addr);
	return 1;
}

/* 0 usable; 1 not; negative errno. */
static int cat_load(struct cat_walk *w, const struct lb_ref *ref, const struct cat_hang *at)
{
	struct lb_node **buf = &w->bufs[ref->level];
	const struct lb_node *n;
	int err;

	if (!*buf)
		*buf = port_alloc_block(PORT_WAIT);
	if (!*buf)
		return -ENOMEM;
	if (!w->judge) {
		n = ck_node(w->ck, ref, LB_TREE_CATALOG);
		err = 1;
		if (n) {
			memcpy(*buf, n, sizeof(*n));
			err = judge_bounds(w, ref, at, *buf);
		}
		w->skipped += err > 0;
		return err;
	}
	err = ck_claim(w->ck, ref->addr, 1, CK_USE_META, 0, "catalog node, level", ref->level);
	if (err >= 0 && ref->addr2)
		err = ck_claim(w->ck, ref->addr2, 1, CK_USE_META, 0, "catalog node, level", ref->level);
	if (err >= 0)
		err = ck_node_judge(w->ck, ref, LB_TREE_CATALOG, 0, &at->above, *buf);
	if (!w->ck->searching)
		w->ck->catalog_nodes++;
	if (!err)
		err = judge_bounds(w, ref, at, *buf);
	if (err > 0) {
		w->skipped++;
		w->ck->incomplete = true;
		w->ck->catalog_partial = true;
	}
	return err;
}

static int cat_node(struct cat_walk *w, const struct lb_ref *ref, const struct cat_hang *at)
{
	struct lb_node *n;
	unsigned int i, count;
	int err = cat_load(w, ref, at);

	if (err)
		return err < 0 ? err : 0;
	n = w->bufs[ref->level];
	count = le16_to_cpu(n->header.count);
	for (i = 0; i < count && !err; i++) {
		struct ck_item item = ck_item(n, i), next;
		struct cat_hang child = { .lo = item.key, .lo_len = item.key_len, .hi = at->hi, .hi_len = at->hi_len };
		struct lb_ref child_ref;
		struct lb_ptr ptr;

		if (!ref->level) {
			err = w->each(w->arg, item.key, item.key_len, item.value, item.value_len);
			continue;
		}
		if (i + 1 < count) {
			next = ck_item(n, i + 1);
			child.hi = next.key;
			child.hi_len = next.key_len;
		}
		child.above = (struct ck_above){ .gen = ref->gen, .level = (u8)(ref->level - 1),
						 .rightmost = at->above.rightmost && i + 1 == count };
		memcpy(&ptr, item.value, sizeof(ptr));
		child_ref = lb_ref_decode(&ptr);
		err = cat_node(w, &child_ref, &child);
	}
	return err;
}

int ck_catalog_walk(struct ck *ck, bool judge, ck_each_item each, void *arg)
{
	struct cat_walk w = { .ck = ck, .judge = judge, .each = each, .arg = arg };
	struct lb_ref root = lb_ref_decode(&ck->sb->catalog_root);
	struct cat_hang at = { .above = { .gen = ck->gen, .level = root.level, .root = true, .rightmost = true } };
	unsigned int level;
	int err = 0;

	if (!root.addr)
		return 0;
	if (root.level > LB_TREE_MAX_LEVEL) {
		if (judge)
			ck_tell(ck, LBCK_NODE_KIND, CK_AT(root.addr), "the catalog's root has level %u", root.level);
		ck->incomplete = true;
		ck->catalog_partial = true;
		return 0;
	}
	err = cat_node(&w, &root, &at);
	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(w.bufs[level]);
	if (judge)
		ck->catalog_skipped = w.skipped;
	else if (!err && w.skipped != ck->catalog_skipped)
		err = ck->no_memory ? -ENOMEM : -EIO;	/* it could be read a moment ago */
	return err;
}
