// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes: reading what is in one, and the check that makes that safe.
 *
 * Owns nothing; all functions are pure, take no locks and may be called in any context.
 *
 * Invariant: every node that lb_node_check() let pass can be walked by the other functions here without reading outside
 * of it. They do not check again.
 *
 * The check is exact rather than lenient. A catalog node has one layout only: item 0 ends at the payload's end, item i
 * where item i - 1 begins. No node holds something younger than itself, which is what lets freeing and collapse skip an
 * old subtree unread.
 */
#include "node.h"

struct lb_extent_cpu lb_extent_decode(const struct lb_extent *e)
{
	u64 v = le64_to_cpu(e->lblk_len);

	return (struct lb_extent_cpu){ .lblk = v & LB_LBLK_MAX, .count = v >> LB_LBLK_BITS, .pblk = le64_to_cpu(e->pblk),
				       .birth = le64_to_cpu(e->birth) };
}

struct lb_extent lb_extent_encode(const struct lb_extent_cpu *e)
{
	return (struct lb_extent){ .lblk_len = cpu_to_le64(e->lblk | e->count << LB_LBLK_BITS), .pblk = cpu_to_le64(e->pblk),
				   .birth = cpu_to_le64(e->birth) };
}

static u64 extent_lblk(const struct lb_extent *e) { return le64_to_cpu(e->lblk_len) & LB_LBLK_MAX; }

u64 lb_node_first_lblk(const struct lb_node *n)
{
	return lb_node_level(n) ? le64_to_cpu(n->children[0].lblk) : extent_lblk(&n->extents[0]);
}

unsigned int lb_node_find_extent(const struct lb_node *n, u64 lblk)
{
	unsigned int lo = 0, hi = lb_node_count(n);

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		u64 v = le64_to_cpu(n->extents[mid].lblk_len);

		if ((v & LB_LBLK_MAX) + (v >> LB_LBLK_BITS) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

unsigned int lb_node_find_child(const struct lb_node *n, u64 lblk)
{
	unsigned int lo = 1, hi = lb_node_count(n);

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (le64_to_cpu(n->children[mid].lblk) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

u64 lb_node_child_end(const struct lb_node *n, unsigned int i, u64 hi)
{
	return i + 1 < lb_node_count(n) ? le64_to_cpu(n->children[i + 1].lblk) : hi;
}

struct lb_item_cpu lb_node_item(const struct lb_node *n, unsigned int i)
{
	const u8 *p = n->bytes + le16_to_cpu(n->offsets[i]);
	struct lb_item head;

	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	return (struct lb_item_cpu){ .key = p, .key_len = le16_to_cpu(head.key_len), .value = p + le16_to_cpu(head.key_len),
				     .value_len = le16_to_cpu(head.value_len) };
}

int lb_key_cmp(const u8 *a, u32 a_len, const u8 *b, u32 b_len)
{
	int c = memcmp(a, b, min_t(u32, a_len, b_len));

	if (c)
		return c;
	return a_len < b_len ? -1 : a_len > b_len;
}

unsigned int lb_node_find_key(const struct lb_node *n, const u8 *key, u32 key_len)
{
	unsigned int lo = 0, hi = lb_node_count(n);

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		struct lb_item_cpu it = lb_node_item(n, mid);

		if (lb_key_cmp(it.key, it.key_len, key, key_len) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct lb_ref lb_node_child(const struct lb_node *n, u8 kind, unsigned int i)
{
	struct lb_ptr ptr;

	if (kind == LB_TREE_MAP)
		return lb_ref_decode(&n->children[i].ptr);
	memcpy(&ptr, lb_node_item(n, i).value, sizeof(ptr));
	return lb_ref_decode(&ptr);
}

/* ------------------------------------------------------------------ the check */

static const char *check_ptr(const struct lb_node *n, const struct lb_ptr *p)
{
	u64 gen = le64_to_cpu(p->gen);

	if (le64_to_cpu(p->addr) == 0 || le64_to_cpu(p->addr) >= LB_POOL_MAX_BLOCKS || le64_to_cpu(p->addr2) >= LB_POOL_MAX_BLOCKS ||
	    p->addr == p->addr2)
		return "child address";
	if (p->level + 1u != lb_node_level(n))
		return "child level";
	if (gen == 0 || gen > le64_to_cpu(n->header.gen))
		return "child generation";
	return NULL;
}

static const char *check_leaf(const struct lb_node *n, unsigned int count)
{
	u64 gen = le64_to_cpu(n->header.gen), end = 0;
	unsigned int i;

	if (count > LB_MAP_LEAF_MAX)
		return "count";
	if (le16_to_cpu(n->header.used) != count * sizeof(n->extents[0]))
		return "used";
	for (i = 0; i < count; i++) {
		struct lb_extent_cpu e = lb_extent_decode(&n->extents[i]);

		if (e.count == 0 || e.lblk + e.count > LB_LBLK_MAX + 1)
			return "extent length";
		if (e.lblk < end)
			return "extent order";
		if (e.pblk == LB_PBLK_HOLE || e.pblk >= LB_POOL_MAX_BLOCKS || e.pblk + e.count > LB_POOL_MAX_BLOCKS)
			return "extent address";
		if (e.birth == 0 || e.birth > gen)
			return "extent birth";
		end = e.lblk + e.count;
	}
	return NULL;
}

static const char *check_upper(const struct lb_node *n, unsigned int count)
{
	unsigned int i;

	if (count > LB_MAP_NODE_MAX)
		return "count";
	if (le16_to_cpu(n->header.used) != count * sizeof(n->children[0]))
		return "used";
	for (i = 0; i < count; i++) {
		u64 key = le64_to_cpu(n->children[i].lblk);
		const char *why = check_ptr(n, &n->children[i].ptr);

		if (why)
			return why;
		if (key > LB_LBLK_MAX)
			return "key";
		if (i && key <= le64_to_cpu(n->children[i - 1].lblk))
			return "key order";
	}
	return NULL;
}

/*
 * The item that has to end at `end` of the payload; *begin is where it begins. Nothing is read before it is known to
 * lie within.
 */
static const char *check_item(const struct lb_node *n, unsigned int i, u32 floor, u32 end, u32 *begin)
{
	u32 off = le16_to_cpu(n->offsets[i]);
	struct lb_item_cpu it;

	if (off < floor || off + sizeof(struct lb_item) > end)
		return "item offset";
	it = lb_node_item(n, i);
	if (it.key_len == 0 || it.key_len > LB_CAT_KEY_MAX)
		return "key length";
	if (lb_node_level(n) ? it.value_len != sizeof(struct lb_ptr) : it.value_len > LB_CAT_VALUE_MAX)
		return "value length";
	if (off + sizeof(struct lb_item) + it.key_len + it.value_len != end)
		return "item offset";
	*begin = off;
	return NULL;
}

static const char *check_catalog(const struct lb_node *n, unsigned int count)
{
	u32 end = LB_PAYLOAD_BYTES, floor = count * sizeof(n->offsets[0]);
	unsigned int i;

	if (floor > LB_PAYLOAD_BYTES)
		return "count";
	for (i = 0; i < count; i++) {
		const char *why = check_item(n, i, floor, end, &end);
		struct lb_item_cpu it, prev;
		struct lb_ptr ptr;

		if (why)
			return why;
		it = lb_node_item(n, i);
		if (i) {
			prev = lb_node_item(n, i - 1);
			if (lb_key_cmp(prev.key, prev.key_len, it.key, it.key_len) >= 0)
				return "key order";
		}
		if (lb_node_level(n)) {
			memcpy(&ptr, it.value, sizeof(ptr));
			why = check_ptr(n, &ptr);
			if (why)
				return why;
		}
	}
	return le16_to_cpu(n->header.used) == floor + LB_PAYLOAD_BYTES - end ? NULL : "used";
}

int lb_node_check(const struct lb_node *n, u8 kind, const char **why)
{
	unsigned int count = lb_node_count(n);

	*why = NULL;
	if (n->header.kind != kind)
		*why = "kind";
	else if (lb_node_level(n) > LB_TREE_MAX_LEVEL)
		*why = "level";
	else if (count == 0)
		*why = "empty";
	else if (kind == LB_TREE_CATALOG)
		*why = check_catalog(n, count);
	else if (kind == LB_TREE_MAP)
		*why = lb_node_level(n) ? check_upper(n, count) : check_leaf(n, count);
	else
		*why = "kind";
	return *why ? -EUCLEAN : 0;
}
