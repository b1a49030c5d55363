// SPDX-License-Identifier: GPL-2.0
/* Damage to the nodes of trees and to what maps say. */
#include "checkcases.h"

#define FLIP_AT	0xc8u

static u64 new_gen;			/* for the callbacks */
static struct lb_ptr new_ptr;

static u64 gen_of(const struct damage *d) { return le64_to_cpu(d->sb.header.gen); }

static struct lb_ref cat_leaf(const struct damage *d, unsigned int level)
{
	u8 key[DAMAGE_KEY];

	return damage_cat_ref(d, key, damage_key_id(key, LB_KEY_VOL, VOL_SMALL), level);
}

/* ------------------------------------------------------------------ copies */

static void leaf_bad(struct damage *d) { damage_flip(d->dev, damage_map_ref(d, VOL_DATA, 1).addr, FLIP_AT); }
static void shared_leaf_bad(struct damage *d) { damage_flip(d->dev, damage_map_ref(d, VOL_BASE, 2).addr, FLIP_AT); }

static void catalog_bad(struct damage *d)
{
	struct lb_ref ref = cat_leaf(d, 1);

	damage_flip(d->dev, ref.addr, FLIP_AT);
	damage_flip(d->dev, ref.addr2, FLIP_AT);
}

/* The parent's own pointer to the same node is good. */
static void shared_pointer_bad(struct damage *d)
{
	struct lb_map_record m = damage_map_get(d, VOL_WEB2);

	m.root.csum = cpu_to_le32(le32_to_cpu(m.root.csum) ^ 1);
	damage_map_put(d, VOL_WEB2, &m);
}

static void catalog_copy(struct damage *d) { damage_flip(d->dev, cat_leaf(d, 0).addr2, FLIP_AT); }
static void root_copy(struct damage *d) { damage_flip(d->dev, damage_map_ref(d, VOL_BASE, DAMAGE_ROOT).addr, FLIP_AT); }

static void set_one_copy(struct lb_node *n, struct lb_ref *ref) { ref->addr2 = 0; }

/* The second copy is given back in an orderly way, so that nothing else is wrong. */
static void root_single(struct damage *d)
{
	struct lb_ref ref = damage_map_ref(d, VOL_SMALL, DAMAGE_ROOT);

	damage_bits(d, ref.addr2 / LB_REGION_BLOCKS, (u32)(ref.addr2 % LB_REGION_BLOCKS), 1, false, true);
	d->sb.meta_blocks = cpu_to_le64(le64_to_cpu(d->sb.meta_blocks) - 1);
	damage_map_node(d, VOL_SMALL, DAMAGE_ROOT, set_one_copy);
}

/* ------------------------------------------------------------------ headers and form */

static void set_kind(struct lb_node *n, struct lb_ref *ref) { n->header.kind = LB_TREE_CATALOG; }
static void set_level(struct lb_node *n, struct lb_ref *ref) { n->header.level = 1; }
static void set_owner(struct lb_node *n, struct lb_ref *ref) { n->header.owner = cpu_to_le64(9999); }
static void set_gen(struct lb_node *n, struct lb_ref *ref) { ref->gen = new_gen; }
static void set_used(struct lb_node *n, struct lb_ref *ref) { n->header.used = cpu_to_le16(8); }

static void set_swapped(struct lb_node *n, struct lb_ref *ref)
{
	struct lb_extent e = n->extents[3];

	n->extents[3] = n->extents[4];
	n->extents[4] = e;
}

static void set_bound(struct lb_node *n, struct lb_ref *ref)
{
	n->children[1].lblk = cpu_to_le64(le64_to_cpu(n->children[1].lblk) + 1);
}

/* The last item and the one before it change places: both within the node, neither where it belongs. */
static void set_layout(struct lb_node *n, struct lb_ref *ref)
{
	unsigned int last = le16_to_cpu(n->header.count) - 1u;
	u32 at = le16_to_cpu(n->offsets[last]), mid = le16_to_cpu(n->offsets[last - 1]);
	u32 end = le16_to_cpu(n->offsets[last - 2]);
	static u8 was[LB_PAYLOAD_BYTES];

	memcpy(was, n->bytes, sizeof(was));
	memcpy(n->bytes + at, was + mid, end - mid);
	memcpy(n->bytes + at + (end - mid), was + at, mid - at);
	n->offsets[last - 1] = cpu_to_le16((u16)at);
	n->offsets[last] = cpu_to_le16((u16)(at + end - mid));
}

static void node_kind(struct damage *d) { damage_map_node(d, VOL_DATA, 0, set_kind); }
static void node_level(struct damage *d) { damage_map_node(d, VOL_DATA, 0, set_level); }
static void node_owner(struct damage *d) { damage_map_node(d, VOL_DATA, 0, set_owner); }
static void node_form(struct damage *d) { damage_map_node(d, VOL_DATA, 0, set_used); }
static void node_order(struct damage *d) { damage_map_node(d, VOL_DATA, 0, set_swapped); }
static void node_bounds(struct damage *d) { damage_map_node(d, VOL_DATA, DAMAGE_ROOT, set_bound); }

static void node_birth(struct damage *d)
{
	new_gen = gen_of(d) + 1;
	damage_map_node(d, VOL_DATA, 0, set_gen);
}

static void node_layout(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	damage_cat_node(d, key, damage_key_id(key, LB_KEY_VOL, VOL_SMALL), 0, set_layout);
}

/* ------------------------------------------------------------------ shape */

#define LEAVES	3u
#define EXTENTS	400u
static const unsigned int spread[LEAVES] = { 83, 168, 149 };
static struct lb_extent all[EXTENTS];
static unsigned int leaf_no;

static unsigned int first_of(unsigned int leaf)
{
	unsigned int i, n = 0;

	for (i = 0; i < leaf; i++)
		n += spread[i];
	return n;
}

static void set_spread(struct lb_node *n, struct lb_ref *ref)
{
	memset(n->bytes, 0, sizeof(n->bytes));
	memcpy(n->extents, all + first_of(leaf_no), spread[leaf_no] * sizeof(*all));
	n->header.count = cpu_to_le16((u16)spread[leaf_no]);
	n->header.used = cpu_to_le16((u16)(spread[leaf_no] * sizeof(*all)));
}

static void set_keys(struct lb_node *n, struct lb_ref *ref)
{
	unsigned int i;

	for (i = 0; i < LEAVES; i++)
		n->children[i].lblk = cpu_to_le64(le64_to_cpu(all[first_of(i)].lblk_len) & LB_LBLK_MAX);
}

/* The same extents, the first leaf less than half full. */
static void node_fill(struct damage *d)
{
	unsigned int i, n = 0;
	static struct lb_node node;

	for (i = 0; i < LEAVES; i++) {
		damage_map_read(d, VOL_DATA, (int)i, &node);
		assert_true(n + le16_to_cpu(node.header.count) <= EXTENTS);
		memcpy(all + n, node.extents, le16_to_cpu(node.header.count) * sizeof(*all));
		n += le16_to_cpu(node.header.count);
	}
	assert_int_equal(n, EXTENTS);
	for (leaf_no = 0; leaf_no < LEAVES; leaf_no++)
		damage_map_node(d, VOL_DATA, (int)leaf_no, set_spread);
	damage_map_node(d, VOL_DATA, DAMAGE_ROOT, set_keys);
}

/* A node above the root leaf of "small": two blocks more, and the leaf's second copy less. */
static void node_single(struct damage *d)
{
	struct lb_map_record m = damage_map_get(d, VOL_SMALL);
	struct lb_ref leaf = lb_ref_decode(&m.root);
	struct lb_ref root = { .addr = FREE_BLOCK, .addr2 = FREE_BLOCK + 1, .gen = leaf.gen, .level = 1 };
	static struct lb_node n;
	unsigned int copy;

	memset(&n, 0, sizeof(n));
	damage_bits(d, 0, FREE_BLOCK, 2, true, true);
	damage_bits(d, leaf.addr2 / LB_REGION_BLOCKS, (u32)(leaf.addr2 % LB_REGION_BLOCKS), 1, false, true);
	leaf.addr2 = 0;
	n.header.kind = LB_TREE_MAP;
	n.header.level = 1;
	n.header.count = cpu_to_le16(1);
	n.header.used = cpu_to_le16(sizeof(n.children[0]));
	n.children[0] = (struct lb_map_child){ .lblk = cpu_to_le64(100), .ptr = lb_ref_encode(&leaf) };
	for (copy = 0; copy < 2; copy++) {
		root.csum = lb_block_seal(&n, LB_MAGIC_NODE, copy ? root.addr2 : root.addr, root.gen, VOL_SMALL);
		port_sim_poke(d->dev, copy ? root.addr2 : root.addr, &n);
	}
	m.root = lb_ref_encode(&root);
	m.nodes = cpu_to_le64(le64_to_cpu(m.nodes) + 1);
	d->sb.meta_blocks = cpu_to_le64(le64_to_cpu(d->sb.meta_blocks) + 1);
	damage_map_put(d, VOL_SMALL, &m);
}

/* ------------------------------------------------------------------ extents, what is shared */

static void set_birth(struct lb_node *n, struct lb_ref *ref) { n->extents[5].birth = cpu_to_le64(new_gen); }

static void extent_birth(struct damage *d)
{
	new_gen = gen_of(d) + 5;
	damage_map_node(d, VOL_DATA, 0, set_birth);
}

/* Without a birth it is nobody's, and its block must not be given away for that. */
static void extent_unborn(struct damage *d)
{
	new_gen = 0;
	damage_map_node(d, VOL_DATA, 0, set_birth);
}

static void extent_size(struct damage *d)
{
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = damage_vol_get(d, VOL_SMALL, name);

	v.size_blocks = cpu_to_le64(103);
	damage_vol_put(d, VOL_SMALL, &v, name, (u32)strlen(name));
}

static void set_other_block(struct lb_node *n, struct lb_ref *ref) { n->extents[6].pblk = n->extents[7].pblk; }

static void extent_shared(struct damage *d) { damage_map_node(d, VOL_WEB1, 0, set_other_block); }

static void set_child(struct lb_node *n, struct lb_ref *ref) { n->children[1].ptr = new_ptr; }

static void node_shared(struct damage *d)
{
	struct lb_ref ref = damage_map_ref(d, VOL_DATA, 1);

	new_ptr = lb_ref_encode(&ref);
	damage_map_node(d, VOL_WEB1, DAMAGE_ROOT, set_child);
}

const struct check_case cases_tree[] = {
	CASE(401, KEPT, "a leaf", leaf_bad),
	CASE(401, KEPT, "a leaf that volumes share", shared_leaf_bad),
	CASE(401, KEPT, "the catalog's root", catalog_bad),
	CASE(401, KEPT, "a pointer to what the parent has", shared_pointer_bad),
	CASE(402, MENDED, "of a catalog leaf, the second copy", catalog_copy),
	CASE(402, MENDED, "of a map's root, the first copy", root_copy),
	CASE(402, MENDED, "of a map's root, entries in the journal", root_copy, .image = IMAGE_JOURNAL),
	CASE(403, KEPT, "a map's leaf says that it is the catalog's", node_kind),
	CASE(403, KEPT, "a leaf says that it is none", node_level),
	CASE(404, KEPT, "a volume that was never there", node_owner),
	CASE(405, KEPT, "a leaf of the next generation", node_birth),
	CASE(406, KEPT, "a map's leaf", node_form),
	CASE(406, KEPT, "the catalog's items in another order", node_layout),
	CASE(407, KEPT, "two extents the wrong way round", node_order),
	CASE(408, KEPT, "a bound within the leaf below it", node_bounds),
	CASE(409, KEPT, "a leaf with 83 extents", node_fill),
	CASE(410, KEPT, "a root above one leaf", node_single),
	CASE(411, KEPT, "a map's root with one copy", root_single),
	CASE(501, KEPT, "an extent", extent_birth),
	CASE(501, KEPT, "an extent that was never born", extent_unborn),
	CASE(502, KEPT, "a volume of 103 blocks", extent_size),
	CASE(503, KEPT, "another block than the parent has", extent_shared),
	CASE(504, KEPT, "another volume's leaf", node_shared),
};
const unsigned int cases_tree_count = ARRAY_SIZE(cases_tree);
