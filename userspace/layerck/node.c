// SPDX-License-Identifier: GPL-2.0
/*
 * Tree nodes: reading a copy, the form of what it holds, the cache for look-ups. The engine's validator is not
 * used: this is the second opinion.
 */
#include "ck.h"

#define CACHE_SLOTS	2048u		/* 8 MiB */

/* ------------------------------------------------------------------ what a node holds */

struct ck_extent ck_extent(const struct lb_node *leaf, unsigned int i)
{
	u64 lblk_len = le64_to_cpu(leaf->extents[i].lblk_len);

	return (struct ck_extent){ .lblk = lblk_len & LB_LBLK_MAX, .count = lblk_len >> LB_LBLK_BITS,
				   .pblk = le64_to_cpu(leaf->extents[i].pblk),
				   .birth = le64_to_cpu(leaf->extents[i].birth) };
}

struct ck_item ck_item(const struct lb_node *node, unsigned int i)
{
	const u8 *at = node->bytes + le16_to_cpu(node->offsets[i]);
	struct lb_item head;
	struct ck_item item;

	memcpy(&head, at, sizeof(head));
	item.key = at + sizeof(head);
	item.key_len = le16_to_cpu(head.key_len);
	item.value = item.key + item.key_len;
	item.value_len = le16_to_cpu(head.value_len);
	return item;
}

int ck_key_cmp(const u8 *a, u32 a_len, const u8 *b, u32 b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r ? r : (a_len > b_len) - (a_len < b_len);
}

/* ------------------------------------------------------------------ form */

static unsigned int leaf_form(const struct lb_node *n, unsigned int count, const char **why)
{
	u64 end = 0;
	unsigned int i;

	*why = "extents";
	if (count > LB_MAP_LEAF_MAX || le16_to_cpu(n->header.used) != count * sizeof(struct lb_extent))
		return LBCK_NODE_FORM;
	for (i = 0; i < count; i++) {
		struct ck_extent e = ck_extent(n, i);

		*why = "an extent of no blocks, or at block 0";
		if (!e.count || e.pblk == LB_PBLK_HOLE)
			return LBCK_NODE_FORM;
		*why = "an extent reaches beyond the last logical block";
		if (e.count > LB_LBLK_MAX + 1 - e.lblk)
			return LBCK_NODE_FORM;
		*why = "an extent reaches beyond the largest pool there is";
		if (e.pblk > LB_POOL_MAX_BLOCKS || e.count > LB_POOL_MAX_BLOCKS - e.pblk)
			return LBCK_NODE_FORM;
		*why = "an extent is younger than its node, or of generation 0";
		if (!e.birth || e.birth > le64_to_cpu(n->header.gen))
			return LBCK_EXTENT_BIRTH;
		*why = "extents overlap or do not ascend";
		if (i && e.lblk < end)
			return LBCK_NODE_ORDER;
		end = e.lblk + e.count;
	}
	return 0;
}

/* A pointer in a node of this level. What it points at may be given up, and is not read then: it must be right all the same. */
static unsigned int child_form(const struct lb_node *n, const struct lb_ptr *p, u8 level, const char **why)
{
	static const u8 zeros[3];
	u64 addr = le64_to_cpu(p->addr), addr2 = le64_to_cpu(p->addr2);

	*why = "a malformed pointer";
	if (!addr || addr >= LB_POOL_MAX_BLOCKS || addr2 >= LB_POOL_MAX_BLOCKS || addr == addr2 || p->level != level - 1 ||
	    memcmp(p->pad, zeros, sizeof(zeros)))
		return LBCK_NODE_FORM;
	*why = "a child is younger than its parent node, or of generation 0";
	return p->gen && le64_to_cpu(p->gen) <= le64_to_cpu(n->header.gen) ? 0 : LBCK_NODE_BIRTH;
}

static unsigned int upper_form(const struct lb_node *n, unsigned int count, u8 level, const char **why)
{
	unsigned int i;

	*why = "children";
	if (count > LB_MAP_NODE_MAX || le16_to_cpu(n->header.used) != count * sizeof(struct lb_map_child))
		return LBCK_NODE_FORM;
	for (i = 0; i < count; i++) {
		u64 key = le64_to_cpu(n->children[i].lblk);
		unsigned int bad = child_form(n, &n->children[i].ptr, level, why);

		if (bad)
			return bad;
		*why = "a key beyond the last logical block";
		if (key > LB_LBLK_MAX)
			return LBCK_NODE_FORM;
		*why = "children do not ascend";
		if (i && key <= le64_to_cpu(n->children[i - 1].lblk))
			return LBCK_NODE_ORDER;
	}
	return 0;
}

/*
 * Offsets, lengths, and that the items lie side by side: item 0 at the payload's end, each further one below the
 * one before it.
 */
static unsigned int items_form(const struct lb_node *n, unsigned int count, const char **why)
{
	u32 end = LB_PAYLOAD_BYTES, i, at;

	*why = "offsets";
	if (count * 2 > LB_PAYLOAD_BYTES)
		return LBCK_NODE_FORM;
	for (i = 0; i < count; i++) {
		struct lb_item head;

		*why = "offsets";
		at = le16_to_cpu(n->offsets[i]);
		if (at < count * 2 || at + sizeof(head) > end)
			return LBCK_NODE_FORM;
		memcpy(&head, n->bytes + at, sizeof(head));
		*why = "an item's lengths";
		if (!head.key_len || le16_to_cpu(head.key_len) > LB_CAT_KEY_MAX ||
		    le16_to_cpu(head.value_len) > LB_CAT_VALUE_MAX)
			return LBCK_NODE_FORM;
		*why = "items overlap or have gaps between them";
		if (at + sizeof(head) + le16_to_cpu(head.key_len) + le16_to_cpu(head.value_len) != end)
			return LBCK_NODE_FORM;
		end = at;
	}
	*why = "the bytes in use";
	return le16_to_cpu(n->header.used) == LB_PAYLOAD_BYTES - end + count * 2 ? 0 : LBCK_NODE_FORM;
}

static unsigned int catalog_form(const struct lb_node *n, unsigned int count, u8 level, const char **why)
{
	unsigned int bad = items_form(n, count, why), i;

	for (i = 0; i < count && !bad; i++) {
		struct ck_item item = ck_item(n, i), last;
		struct lb_ptr p;

		if (i) {
			last = ck_item(n, i - 1);
			*why = "keys do not ascend";
			if (ck_key_cmp(last.key, last.key_len, item.key, item.key_len) >= 0)
				bad = LBCK_NODE_ORDER;
		}
		if (!level || bad)
			continue;
		*why = "a malformed pointer";
		if (item.value_len != sizeof(p))
			return LBCK_NODE_FORM;
		memcpy(&p, item.value, sizeof(p));
		bad = child_form(n, &p, level, why);
	}
	return bad;
}

unsigned int ck_node_form(const struct lb_node *n, u8 kind, u8 level, const char **why)
{
	unsigned int count = le16_to_cpu(n->header.count);

	*why = "kind or level";
	if (n->header.kind != kind || n->header.level != level || level > LB_TREE_MAX_LEVEL)
		return LBCK_NODE_KIND;
	*why = "no items";
	if (!count)
		return LBCK_NODE_FORM;
	if (kind == LB_TREE_CATALOG)
		return catalog_form(n, count, level, why);
	return level ? upper_form(n, count, level, why) : leaf_form(n, count, why);
}

/* ------------------------------------------------------------------ reading */

static int load_copy(struct ck *ck, u64 addr, const struct lb_ref *ref, u32 magic, void *buf, const char **why)
{
	*why = "outside the pool";
	if (addr >= ck->total)
		return -EUCLEAN;
	*why = "unreadable";
	if (port_read(ck->dev, addr, buf))
		return -EUCLEAN;
	return lb_block_verify(buf, magic, addr, ref->gen, ref->csum, why);
}

int ck_load(struct ck *ck, const struct lb_ref *ref, u32 magic, void *buf, bool both, struct ck_load *load)
{
	void *second;

	*load = (struct ck_load){ 0 };
	load->good[0] = !load_copy(ck, ref->addr, ref, magic, buf, &load->why[0]);
	if (!ref->addr2 || (load->good[0] && !both))
		return load->good[0] ? 0 : -EUCLEAN;
	second = port_alloc_block(PORT_WAIT);
	if (!second)
		return -ENOMEM;
	load->good[1] = !load_copy(ck, ref->addr2, ref, magic, second, &load->why[1]);
	if (!load->good[0] && load->good[1])
		memcpy(buf, second, LB_BLOCK_BYTES);
	port_free_block(second);
	return load->good[0] || load->good[1] ? 0 : -EUCLEAN;
}

/* ------------------------------------------------------------------ judging one */

/*
 * As full as a node that is not the last of its level is written: half in a map, a third in the catalog, whose
 * items can be a third of a node.
 */
bool ck_full_enough(const struct lb_node *n, u8 kind)
{
	if (kind == LB_TREE_MAP)
		return le16_to_cpu(n->header.count) >= (n->header.level ? LB_MAP_NODE_MAX : LB_MAP_LEAF_MAX) / 2;
	return le16_to_cpu(n->header.used) >= LB_PAYLOAD_BYTES / 3;
}

static const char *kind_text(u8 kind)
{
	return kind == LB_TREE_MAP ? "map" : "catalog";
}

static int judge_copies(struct ck *ck, const struct lb_ref *ref, const struct ck_load *load, u64 volume)
{
	unsigned int bad;

	for (bad = 0; bad < (ref->addr2 ? 2u : 1u); bad++) {
		u64 at = bad ? ref->addr2 : ref->addr, twin = bad ? ref->addr : ref->addr2;
		int err;

		if (load->good[bad])
			continue;
		ck_tell(ck, LBCK_NODE_COPY, ((struct ck_where){ .block = at, .volume = volume, .repairable = true }),
			"block %llu: %s; its twin %llu is intact", (unsigned long long)at, load->why[bad],
			(unsigned long long)twin);
		err = ck_fix_copy(ck, twin, at, LB_MAGIC_NODE);
		if (err)
			return err;
	}
	return 0;
}

static void judge_header(struct ck *ck, const struct lb_ref *ref, u8 kind, u64 volume, const struct ck_above *above,
			 const struct lb_node *n)
{
	u64 owner = le64_to_cpu(n->header.owner);
	bool pair = kind == LB_TREE_CATALOG || above->root;
	struct ck_where at = CK_VOL_AT(volume, ref->addr);

	if (ref->gen > above->gen)
		ck_tell(ck, LBCK_NODE_BIRTH, at, "block %llu was born in generation %llu, above it is %llu",
			(unsigned long long)ref->addr,
			(unsigned long long)ref->gen, (unsigned long long)above->gen);
	if (kind == LB_TREE_CATALOG ? owner != 0 : owner == 0 || owner >= le64_to_cpu(ck->sb->next_volume))
		ck_tell(ck, LBCK_NODE_OWNER, at, "block %llu of a %s names volume %llu",
			(unsigned long long)ref->addr, kind_text(kind),
			(unsigned long long)owner);
	if (pair != (ref->addr2 != 0))
		ck_tell(ck, LBCK_NODE_COPIES, at, "block %llu: a %s %s with %s", (unsigned long long)ref->addr,
			kind_text(kind),
			above->root ? "root" : "node", ref->addr2 ? "two copies" : "one copy");
	if (above->root && n->header.level && le16_to_cpu(n->header.count) == 1)
		ck_tell(ck, LBCK_NODE_SINGLE, at, "block %llu of level %u", (unsigned long long)ref->addr,
			n->header.level);
	if (!above->root && !above->rightmost && !ck_full_enough(n, kind))
		ck_tell(ck, LBCK_NODE_FILL, at, "block %llu, level %u of a %s: %u items, %u bytes",
			(unsigned long long)ref->addr,
			n->header.level, kind_text(kind), le16_to_cpu(n->header.count), le16_to_cpu(n->header.used));
}

int ck_node_judge(struct ck *ck, const struct lb_ref *ref, u8 kind, u64 volume, const struct ck_above *above,
		  struct lb_node *buf)
{
	struct ck_where at = CK_VOL_AT(volume, ref->addr);
	const char *why = "level";
	struct ck_load load;
	unsigned int bad;
	int err;

	if (above->level <= LB_TREE_MAX_LEVEL && ref->level != above->level) {
		ck_tell(ck, LBCK_NODE_KIND, at, "block %llu: level %u where %u belongs",
			(unsigned long long)ref->addr, ref->level,
			above->level);
		return 1;
	}
	err = ck_load(ck, ref, LB_MAGIC_NODE, buf, true, &load);
	if (err == -EUCLEAN) {
		ck_tell(ck, LBCK_NODE_BAD, at, "block %llu: %s%s%s", (unsigned long long)ref->addr, load.why[0],
			ref->addr2 ? "; its twin: " : "", ref->addr2 ? load.why[1] : "");
		return 1;
	}
	if (!err)
		err = judge_copies(ck, ref, &load, volume);
	if (err)
		return err;
	bad = ck_node_form(buf, kind, ref->level, &why);
	if (bad) {
		ck_tell(ck, (enum ck_id)bad, at, "block %llu of a %s: %s", (unsigned long long)ref->addr,
			kind_text(kind), why);
		return 1;
	}
	judge_header(ck, ref, kind, volume, above, buf);
	return 0;
}

/* ------------------------------------------------------------------ the cache: direct mapped, for look-ups only */

struct ck_cache {
	struct {
		struct lb_ref ref;
		u8 kind;
		struct lb_node *node;
	} slots[CACHE_SLOTS];
};

struct ck_cache *ck_cache_alloc(void)
{
	return port_alloc(sizeof(struct ck_cache), PORT_WAIT);
}

void ck_cache_free(struct ck_cache *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < CACHE_SLOTS; i++)
		port_free_block(c->slots[i].node);
	port_free(c);
}

const struct lb_node *ck_node(struct ck *ck, const struct lb_ref *ref, u8 kind)
{
	u64 slot = (ref->addr * 0x9e3779b97f4a7c15ULL) >> 53;	/* 11 bits: CACHE_SLOTS */
	struct lb_ref *held = &ck->cache->slots[slot].ref;
	struct lb_node **node = &ck->cache->slots[slot].node;
	struct ck_load load;
	const char *why;
	int err;

	if (held->addr == ref->addr && held->gen == ref->gen && held->csum == ref->csum &&
	    ck->cache->slots[slot].kind == kind &&
	    held->level == ref->level && ref->addr)
		return *node;
	held->addr = 0;
	if (!*node)
		*node = port_alloc_block(PORT_WAIT);
	err = *node ? ck_load(ck, ref, LB_MAGIC_NODE, *node, false, &load) : -ENOMEM;
	if (err == -ENOMEM)
		ck->no_memory = true;	/* else it would pass for a damaged node */
	if (err)
		return NULL;
	if (ck_node_form(*node, kind, ref->level, &why))
		return NULL;
	*held = *ref;
	ck->cache->slots[slot].kind = kind;
	return *node;
}
