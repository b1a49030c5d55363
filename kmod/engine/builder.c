// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes being built. See builder.h for the part it plays.
 *
 * Owns: one buffer per level, with up to two nodes' worth of items, allocated when the level is first used.
 *
 * Invariants
 *   - Items on a level ascend. What was written of a level lies before what its buffer holds.
 *   - Every written node but the last of each level is at least half full (a third, in the catalog, whose items can
 *     take a third of a node): a level is written out when it overflows, and then one full node goes and at least half
 *     a node stays; or when it is settled, and then its one or two nodes are at least half full each; or at the end.
 *   - A run of n items, from where a level was empty to where it is empty again, makes ceil(n / capacity) nodes in a
 *     map: no more than it must. lb_map_merge_worst() rests on this.
 *   - A written node's key in the level above is its own first key.
 *
 * Locks: none. Crash: nothing written here is reachable before the superblock is.
 */
#include "builder.h"

#define CHILD_COST_MAX	(2u + sizeof(struct lb_item) + LB_CAT_KEY_MAX + sizeof(struct lb_ptr))
#define LEAF_COST_MAX	(2u + sizeof(struct lb_item) + LB_CAT_KEY_MAX + LB_CAT_VALUE_MAX)

void lb_builder_init(struct lb_builder *b, struct lb_tree_writer *w, u8 kind, u64 owner)
{
	*b = (struct lb_builder){ .w = w, .kind = kind, .owner = owner };
}

void lb_builder_free(struct lb_builder *b)
{
	unsigned int l;

	for (l = 0; l <= LB_TREE_MAX_LEVEL; l++) {
		port_free(b->levels[l]);
		b->levels[l] = NULL;
	}
}

/* ------------------------------------------------------------------ how much is how much */

/* Bytes of items, offsets included, that one node can hold. */
static unsigned int node_room(const struct lb_builder *b, unsigned int level)
{
	if (b->kind == LB_TREE_CATALOG)
		return LB_PAYLOAD_BYTES;
	return level ? LB_MAP_NODE_MAX * sizeof(struct lb_map_child) : LB_MAP_LEAF_MAX * sizeof(struct lb_extent);
}

/* A buffer may hold this much: so that two nodes can always take it, however the items fall. */
static unsigned int level_room(const struct lb_builder *b, unsigned int level)
{
	if (b->kind == LB_TREE_CATALOG)
		return LB_LEVEL_BYTES - (level ? CHILD_COST_MAX : LEAF_COST_MAX);
	return 2 * node_room(b, level);
}

/* A node with less than this is not written, but at a level's end. */
static unsigned int node_least(const struct lb_builder *b, unsigned int level)
{
	if (b->kind == LB_TREE_CATALOG)
		return LB_PAYLOAD_BYTES / 3;
	return level ? LB_MAP_NODE_MAX / 2 * sizeof(struct lb_map_child) : LB_MAP_LEAF_MAX / 2 * sizeof(struct lb_extent);
}

static unsigned int item_cost(const struct lb_builder *b, unsigned int len)
{
	return b->kind == LB_TREE_CATALOG ? len + sizeof(__le16) : len;
}

static unsigned int child_cost_max(const struct lb_builder *b)
{
	return b->kind == LB_TREE_CATALOG ? CHILD_COST_MAX : sizeof(struct lb_map_child);
}

static unsigned int item_len(const struct lb_level *lv, unsigned int i)
{
	return lv->start[i + 1] - lv->start[i];
}

static bool has_room(const struct lb_builder *b, unsigned int level, unsigned int cost)
{
	return !b->levels[level] || b->levels[level]->cost + cost <= level_room(b, level);
}

/* How many items from the first one on fit in a node. */
static unsigned int full_count(const struct lb_builder *b, unsigned int level)
{
	const struct lb_level *lv = b->levels[level];
	unsigned int n = 0, cost = 0;

	while (n < lv->count) {
		cost += item_cost(b, item_len(lv, n));
		if (cost > node_room(b, level))
			break;
		n++;
	}
	return n;
}

/* How many items from the first one on make half of it, as nearly as items go. */
static unsigned int half_count(const struct lb_builder *b, unsigned int level)
{
	const struct lb_level *lv = b->levels[level];
	unsigned int n = 0, cost = 0, last = 0;

	while (2 * cost < lv->cost) {
		last = item_cost(b, item_len(lv, n));
		cost += last;
		n++;
	}
	/* Without the last one the first part is the smaller: take it if it is nearer to the middle. */
	return lv->cost - 2 * (cost - last) < 2 * cost - lv->cost ? n - 1 : n;
}

/* ------------------------------------------------------------------ items */

static int level_get(struct lb_builder *b, unsigned int level, struct lb_level **lv)
{
	if (level > LB_TREE_MAX_LEVEL)
		return -EFBIG;
	if (!b->levels[level])
		b->levels[level] = port_alloc(sizeof(**lv), PORT_WAIT);
	*lv = b->levels[level];
	return *lv ? 0 : -ENOMEM;
}

static void *level_append(const struct lb_builder *b, struct lb_level *lv, unsigned int len)
{
	void *item = lv->data + lv->start[lv->count];

	lv->start[lv->count + 1] = lv->start[lv->count] + len;
	lv->count++;
	lv->cost += item_cost(b, len);
	return item;
}

static void level_drop_front(const struct lb_builder *b, struct lb_level *lv, unsigned int n)
{
	unsigned int i, shift = lv->start[n];

	memmove(lv->data, lv->data + shift, lv->start[lv->count] - shift);
	for (i = n; i <= lv->count; i++)
		lv->start[i - n] = lv->start[i] - shift;
	lv->count -= n;
	lv->cost -= item_cost(b, 0) * n + shift;
}

static void item_encode(u8 *p, const struct lb_item_cpu *it)
{
	struct lb_item head = { .key_len = cpu_to_le16(it->key_len), .value_len = cpu_to_le16(it->value_len) };

	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), it->key, it->key_len);
	memcpy(p + sizeof(head) + it->key_len, it->value, it->value_len);
}

/* The link to a node that was written from the items at lv's front. There is room for it on the level above. */
static int push_child(struct lb_builder *b, unsigned int level, const struct lb_ref *ref)
{
	const struct lb_level *lv = b->levels[level];
	struct lb_ptr ptr = lb_ref_encode(ref);
	struct lb_map_child child = { .ptr = ptr };
	struct lb_item_cpu it;
	struct lb_level *up;
	struct lb_item head;
	int err = level_get(b, level + 1, &up);

	if (err)
		return err;
	if (b->kind == LB_TREE_MAP) {
		/* Both kinds of item begin with the key; an extent's holds its length above it. */
		memcpy(&child.lblk, lv->data, sizeof(child.lblk));
		child.lblk = cpu_to_le64(le64_to_cpu(child.lblk) & LB_LBLK_MAX);
		memcpy(level_append(b, up, sizeof(child)), &child, sizeof(child));
		return 0;
	}
	memcpy(&head, lv->data, sizeof(head));
	it = (struct lb_item_cpu){ .key = lv->data + sizeof(head), .key_len = le16_to_cpu(head.key_len), .value = (const u8 *)&ptr,
				   .value_len = sizeof(ptr) };
	item_encode(level_append(b, up, sizeof(head) + it.key_len + sizeof(ptr)), &it);
	return 0;
}

/* ------------------------------------------------------------------ nodes */

static void fill_node(const struct lb_builder *b, const struct lb_level *lv, unsigned int n, struct lb_node *node)
{
	unsigned int i, end = LB_PAYLOAD_BYTES;

	if (b->kind == LB_TREE_MAP) {
		memcpy(node->bytes, lv->data, lv->start[n]);
		node->header.used = cpu_to_le16(lv->start[n]);
		return;
	}
	for (i = 0; i < n; i++) {
		end -= item_len(lv, i);
		memcpy(node->bytes + end, lv->data + lv->start[i], item_len(lv, i));
		node->offsets[i] = cpu_to_le16(end);
	}
	node->header.used = cpu_to_le16(LB_PAYLOAD_BYTES - end + n * sizeof(node->offsets[0]));
}

/* Write a node of the first n items of a level; they stay in the buffer. */
static int write_node(struct lb_builder *b, unsigned int level, unsigned int n, bool pair, struct lb_ref *ref)
{
	struct lb_node *node = port_alloc_block(PORT_WAIT);
	int err;

	if (!node)
		return -ENOMEM;
	memset(node, 0, sizeof(*node));
	node->header.kind = b->kind;
	node->header.level = level;
	node->header.count = cpu_to_le16(n);
	fill_node(b, b->levels[level], n, node);
	err = lb_tree_writer_node(b->w, node, b->owner, pair || b->kind == LB_TREE_CATALOG, ref);
	if (!err)
		b->nodes++;
	port_cond_resched();
	return err;
}

/* The first n items of a level become a node, linked on the level above, where there is room for a link. */
static int emit(struct lb_builder *b, unsigned int level, unsigned int n)
{
	struct lb_ref ref;
	int err = write_node(b, level, n, false, &ref);

	if (!err)
		err = push_child(b, level, &ref);
	if (!err)
		level_drop_front(b, b->levels[level], n);
	return err;
}

/* Make room on a level; on the levels above first, where they have none for the links that this makes. */
static int make_room(struct lb_builder *b, unsigned int level, unsigned int cost)
{
	int err = 0;

	while (!err && !has_room(b, level, cost)) {
		unsigned int l = level;

		while (l < LB_TREE_MAX_LEVEL && !has_room(b, l + 1, child_cost_max(b)))
			l++;
		err = l < LB_TREE_MAX_LEVEL ? emit(b, l, full_count(b, l)) : -EFBIG;
	}
	return err;
}

/* Write a level out: in halves when one node cannot hold it, or, at the end of the tree, full nodes first. */
static int close_level(struct lb_builder *b, unsigned int level, bool at_end)
{
	struct lb_level *lv = b->levels[level];
	int err = 0;

	while (!err && lv->count) {
		unsigned int n = lv->count;

		if (lv->cost > node_room(b, level))
			n = at_end ? full_count(b, level) : half_count(b, level);
		if (level == LB_TREE_MAX_LEVEL)
			return -EFBIG;
		err = make_room(b, level + 1, child_cost_max(b));
		if (!err)
			err = emit(b, level, n);
	}
	return err;
}

/* ------------------------------------------------------------------ interface */

int lb_builder_reserve(struct lb_builder *b, unsigned int level, unsigned int len, void **item)
{
	struct lb_level *lv;
	int err = level_get(b, level, &lv);

	if (!err)
		err = make_room(b, level, item_cost(b, len));
	if (!err)
		*item = level_append(b, lv, len);
	return err;
}

/* Keys out of order come from damaged nodes, each of which may be fine for itself. */
int lb_builder_add_extent(struct lb_builder *b, const struct lb_extent_cpu *e)
{
	const struct lb_level *lv = b->levels[0];
	struct lb_extent raw = lb_extent_encode(e);
	void *item;
	int err;

	if (lv && lv->count) {
		struct lb_extent last;
		struct lb_extent_cpu l;

		memcpy(&last, lv->data + lv->start[lv->count - 1], sizeof(last));
		l = lb_extent_decode(&last);
		if (l.lblk + l.count > e->lblk)
			return -EUCLEAN;
	}
	err = lb_builder_reserve(b, 0, sizeof(raw), &item);
	if (!err)
		memcpy(item, &raw, sizeof(raw));
	return err;
}

int lb_builder_add_child(struct lb_builder *b, unsigned int level, const struct lb_map_child *child)
{
	const struct lb_level *lv = level <= LB_TREE_MAX_LEVEL ? b->levels[level] : NULL;
	void *item;
	int err;

	if (lv && lv->count) {
		struct lb_map_child last;

		memcpy(&last, lv->data + lv->start[lv->count - 1], sizeof(last));
		if (le64_to_cpu(last.lblk) >= le64_to_cpu(child->lblk))
			return -EUCLEAN;
	}
	err = lb_builder_reserve(b, level, sizeof(*child), &item);
	if (!err)
		memcpy(item, child, sizeof(*child));
	return err;
}

int lb_builder_add_item(struct lb_builder *b, unsigned int level, const struct lb_item_cpu *it)
{
	const struct lb_level *lv = level <= LB_TREE_MAX_LEVEL ? b->levels[level] : NULL;
	void *item;
	int err;

	if (lv && lv->count) {
		const u8 *last = lv->data + lv->start[lv->count - 1];
		struct lb_item head;

		memcpy(&head, last, sizeof(head));
		if (lb_key_cmp(last + sizeof(head), le16_to_cpu(head.key_len), it->key, it->key_len) >= 0)
			return -EUCLEAN;
	}
	err = lb_builder_reserve(b, level, sizeof(struct lb_item) + it->key_len + it->value_len, &item);
	if (!err)
		item_encode(item, it);
	return err;
}

int lb_builder_settle(struct lb_builder *b, unsigned int top)
{
	unsigned int l;
	int err = 0;

	for (l = 0; l <= top && !err; l++) {
		if (!b->levels[l] || !b->levels[l]->count)
			continue;
		if (b->levels[l]->cost < node_least(b, l))
			return 0;
		err = close_level(b, l, false);
	}
	return err ? err : 1;
}

/* The one item of a level, a link, taken out. */
static struct lb_ref take_link(struct lb_builder *b, unsigned int level)
{
	struct lb_level *lv = b->levels[level];
	struct lb_ptr ptr;

	/* In both kinds of item the pointer is what ends it. */
	memcpy(&ptr, lv->data + lv->start[1] - sizeof(ptr), sizeof(ptr));
	level_drop_front(b, lv, 1);
	return lb_ref_decode(&ptr);
}

int lb_builder_finish(struct lb_builder *b, struct lb_ref *root)
{
	unsigned int l, top = 0;
	int err = 0;

	*root = (struct lb_ref){ .addr = 0 };
	for (l = 0; l <= LB_TREE_MAX_LEVEL && !err; l++) {
		struct lb_level *lv = b->levels[l];
		unsigned int up;

		if (!lv || !lv->count)
			continue;
		for (up = l; up <= LB_TREE_MAX_LEVEL; up++)
			top = b->levels[up] && b->levels[up]->count ? up : top;
		if (l < top || lv->cost > node_room(b, l)) {
			err = close_level(b, l, true);
			continue;
		}
		if (l && lv->count == 1) {
			*root = take_link(b, l);
			return 1;
		}
		err = write_node(b, l, lv->count, true, root);
		level_drop_front(b, lv, lv->count);
	}
	return err;
}
