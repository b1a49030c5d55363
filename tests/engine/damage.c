// SPDX-License-Identifier: GPL-2.0
/* Changing a closed pool so that only what is meant is wrong: see damage.h. */
#include "damage.h"

#define ITEMS_MAX	400u

static void *block_new(void)
{
	void *b = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert_non_null(b);
	return b;
}

void damage_begin(struct damage *d, struct port_dev *dev)
{
	struct lb_super *other = block_new();
	const char *why;
	unsigned int slot;

	memset(d, 0, sizeof(*d));
	d->dev = dev;
	for (slot = 0; slot < LB_SUPER_SLOTS; slot++) {
		port_sim_peek(dev, LB_SUPER_BLOCK + slot, other);
		if (lb_block_verify(other, LB_MAGIC_SUPER, slot, le64_to_cpu(other->header.gen),
				    le32_to_cpu(other->header.csum), &why))
			continue;
		if (le64_to_cpu(other->header.gen) > le64_to_cpu(d->sb.header.gen))
			d->sb = *other;
	}
	assert_true(le64_to_cpu(d->sb.header.gen) > 0);
	free(other);
}

/* ------------------------------------------------------------------ superblocks */

u64 damage_super_place(const struct damage *d, u64 gen, unsigned int side)
{
	return (side ? le64_to_cpu(d->sb.mirror_block) : LB_SUPER_BLOCK) + (gen & 1);
}

void damage_super_put(struct damage *d)
{
	u64 gen = le64_to_cpu(d->sb.header.gen);
	unsigned int side;

	for (side = 0; side < 2; side++) {
		lb_block_seal(&d->sb, LB_MAGIC_SUPER, damage_super_place(d, gen, side), gen, 0);
		port_sim_poke(d->dev, damage_super_place(d, gen, side), &d->sb);
	}
}

void damage_flip(struct port_dev *dev, u64 block, unsigned int at)
{
	u8 *b = block_new();

	port_sim_peek(dev, block, b);
	b[at] ^= 0x40;
	port_sim_poke(dev, block, b);
	free(b);
}

/* Write a block where ref says, with the generation that ref says, and let ref have its checksum. */
static void put_copies(struct port_dev *dev, void *block, u32 magic, struct lb_ref *ref)
{
	u64 owner = le64_to_cpu(((struct lb_block_header *)block)->owner);

	ref->csum = lb_block_seal(block, magic, ref->addr, ref->gen, owner);
	port_sim_poke(dev, ref->addr, block);
	if (!ref->addr2)
		return;
	lb_block_seal(block, magic, ref->addr2, ref->gen, owner);
	port_sim_poke(dev, ref->addr2, block);
}

/* ------------------------------------------------------------------ space */

struct lb_ref damage_table_ref(const struct damage *d)
{
	assert_int_equal(le32_to_cpu(d->sb.region_depth), 0);
	assert_true(le64_to_cpu(d->sb.region_root.addr) > 0);
	return lb_ref_decode(&d->sb.region_root);
}

void damage_table(struct damage *d, void (*change)(struct lb_table_block *t, struct lb_ref *ref))
{
	struct lb_ref ref = damage_table_ref(d);
	struct lb_table_block *t = block_new();

	port_sim_peek(d->dev, ref.addr, t);
	change(t, &ref);
	put_copies(d->dev, t, LB_MAGIC_TABLE, &ref);
	d->sb.region_root = lb_ref_encode(&ref);
	damage_super_put(d);
	free(t);
}

struct lb_region_entry damage_region(const struct damage *d, u64 region)
{
	struct lb_ref ref = damage_table_ref(d);
	struct lb_table_block *t = block_new();
	struct lb_region_entry e;

	port_sim_peek(d->dev, ref.addr, t);
	e = t->entries[region];
	free(t);
	return e;
}

static struct {
	u64 region;
	struct lb_region_entry entry;
} new_entry;

static void put_entry(struct lb_table_block *t, struct lb_ref *ref)
{
	t->entries[new_entry.region] = new_entry.entry;
}

void damage_bits(struct damage *d, u64 region, u32 first, u32 count, bool set, bool count_too)
{
	struct lb_region_entry e = damage_region(d, region);
	struct lb_bitmap_block *b = block_new();
	u32 i, changed = 0;
	u64 at;

	assert_true(e.slot <= 1);
	at = LB_BITMAP_BLOCK(region, e.slot);
	port_sim_peek(d->dev, at, b);
	for (i = first; i < first + count; i++) {
		changed += !!(b->bits[i / 8] & (1u << i % 8)) != set;
		b->bits[i / 8] = (u8)(set ? b->bits[i / 8] | 1u << i % 8 : b->bits[i / 8] & ~(1u << i % 8));
	}
	assert_int_equal(changed, count);
	e.csum = cpu_to_le32(lb_block_seal(b, LB_MAGIC_BITMAP, at, le64_to_cpu(e.gen), 0));
	port_sim_poke(d->dev, at, b);
	if (count_too)
		e.free = cpu_to_le16((u16)(le16_to_cpu(e.free) + (set ? -(int)count : (int)count)));
	new_entry.region = region;
	new_entry.entry = e;
	damage_table(d, put_entry);
	free(b);
}

/* ------------------------------------------------------------------ the catalog's tree */

struct item {
	const u8 *key, *value;
	u32 key_len, value_len;
};

static struct item item_at(const struct lb_node *n, unsigned int i)
{
	const u8 *p = n->bytes + le16_to_cpu(n->offsets[i]);
	struct lb_item head;

	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	return (struct item){ .key = p, .key_len = le16_to_cpu(head.key_len), .value = p + le16_to_cpu(head.key_len),
			      .value_len = le16_to_cpu(head.value_len) };
}

static int key_cmp(const u8 *a, u32 a_len, const u8 *b, u32 b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

struct path {
	struct {
		struct lb_ref ref;
		struct lb_node *node;
		unsigned int child;	/* the one that was followed */
	} at[LB_TREE_MAX_LEVEL + 1];	/* by level */
	unsigned int top;
};

static void path_find(const struct damage *d, const u8 *key, u32 key_len, struct path *p)
{
	struct lb_ref ref = lb_ref_decode(&d->sb.catalog_root);
	unsigned int level;

	assert_true(ref.addr > 0);
	p->top = ref.level;
	for (level = ref.level; ; level--) {
		struct lb_node *n = block_new();
		struct lb_ptr ptr;
		unsigned int i;

		port_sim_peek(d->dev, ref.addr, n);
		p->at[level].ref = ref;
		p->at[level].node = n;
		if (!level)
			return;
		for (i = 1; i < le16_to_cpu(n->header.count); i++) {
			struct item it = item_at(n, i);

			if (key_cmp(it.key, it.key_len, key, key_len) > 0)
				break;
		}
		p->at[level].child = i - 1;
		memcpy(&ptr, item_at(n, i - 1).value, sizeof(ptr));
		ref = lb_ref_decode(&ptr);
	}
}

static void path_free(struct path *p)
{
	unsigned int level;

	for (level = 0; level <= p->top; level++)
		free(p->at[level].node);
}

/* The node at this level was changed: write it and all that points to it. */
static void path_store(struct damage *d, struct path *p, unsigned int level)
{
	struct lb_ptr ptr;

	for (; ; level++) {
		put_copies(d->dev, p->at[level].node, LB_MAGIC_NODE, &p->at[level].ref);
		ptr = lb_ref_encode(&p->at[level].ref);
		if (level == p->top)
			break;
		memcpy((u8 *)item_at(p->at[level + 1].node, p->at[level + 1].child).value, &ptr, sizeof(ptr));
	}
	d->sb.catalog_root = ptr;
	damage_super_put(d);
}

/* ------------------------------------------------------------------ the catalog's items */

static u32 be_put(u8 *p, u64 v, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		p[i] = (u8)(v >> (8 * (bytes - 1 - i)));
	return bytes;
}

u32 damage_key_id(u8 *key, u8 kind, u64 id)
{
	key[0] = kind;
	return 1 + be_put(key + 1, id, 8);
}

u32 damage_key_child(u8 *key, u64 parent, u64 child)
{
	u32 len = damage_key_id(key, LB_KEY_CHILD, parent);

	return len + be_put(key + len, child, 8);
}

u32 damage_key_name(u8 *key, const char *name)
{
	key[0] = LB_KEY_NAME;
	memcpy(key + 1, name, strlen(name));
	return 1 + (u32)strlen(name);
}

u32 damage_key_attr(u8 *key, u64 id, const char *attr, u32 chunk)
{
	u32 len = damage_key_id(key, LB_KEY_ATTR, id);

	memcpy(key + len, attr, strlen(attr) + 1);
	len += (u32)strlen(attr) + 1;
	return len + be_put(key + len, chunk, 4);
}

bool damage_get(const struct damage *d, const u8 *key, u32 key_len, u8 *value, u32 *value_len)
{
	struct path p;
	unsigned int i;
	bool found = false;

	path_find(d, key, key_len, &p);
	for (i = 0; i < le16_to_cpu(p.at[0].node->header.count) && !found; i++) {
		struct item it = item_at(p.at[0].node, i);

		if (key_cmp(it.key, it.key_len, key, key_len))
			continue;
		memcpy(value, it.value, it.value_len);
		*value_len = it.value_len;
		found = true;
	}
	path_free(&p);
	return found;
}

static void pack(struct lb_node *to, const struct item *items, unsigned int count)
{
	u32 at = LB_PAYLOAD_BYTES;
	unsigned int i;

	memset(to->bytes, 0, LB_PAYLOAD_BYTES);
	for (i = 0; i < count; i++) {
		struct lb_item head = {
			.key_len = cpu_to_le16((u16)items[i].key_len), .value_len = cpu_to_le16((u16)items[i].value_len),
		};

		assert_true(at >= 2 * count + sizeof(head) + items[i].key_len + items[i].value_len);
		at -= (u32)sizeof(head) + items[i].key_len + items[i].value_len;
		memcpy(to->bytes + at, &head, sizeof(head));
		memcpy(to->bytes + at + sizeof(head), items[i].key, items[i].key_len);
		if (items[i].value_len)
			memcpy(to->bytes + at + sizeof(head) + items[i].key_len, items[i].value, items[i].value_len);
		to->offsets[i] = cpu_to_le16((u16)at);
	}
	to->header.count = cpu_to_le16((u16)count);
	to->header.used = cpu_to_le16((u16)(LB_PAYLOAD_BYTES - at + 2 * count));
}

/* with NULL: the key's item goes; else this takes its place. */
static void edit(struct damage *d, const u8 *key, u32 key_len, const struct item *with)
{
	static struct item items[ITEMS_MAX];
	unsigned int i, n = 0;
	struct lb_node *old = block_new();
	bool placed = !with, found = false;
	struct path p;

	path_find(d, key, key_len, &p);
	memcpy(old, p.at[0].node, LB_BLOCK_BYTES);
	for (i = 0; i < le16_to_cpu(old->header.count); i++) {
		struct item it = item_at(old, i);
		int c = key_cmp(it.key, it.key_len, key, key_len);

		assert_true(n + 1 < ITEMS_MAX);
		if (c >= 0 && !placed) {
			items[n++] = *with;
			placed = true;
		}
		found |= !c;
		if (c)
			items[n++] = it;
	}
	if (!placed)
		items[n++] = *with;
	assert_true(with || found);
	pack(p.at[0].node, items, n);
	path_store(d, &p, 0);
	path_free(&p);
	free(old);
}

void damage_put(struct damage *d, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	struct item it = { .key = key, .key_len = key_len, .value = value, .value_len = value_len };

	edit(d, key, key_len, &it);
}

void damage_delete(struct damage *d, const u8 *key, u32 key_len)
{
	edit(d, key, key_len, NULL);
}

struct lb_map_record damage_map_get(const struct damage *d, u64 vol)
{
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX];
	struct lb_map_record m;
	u32 len;

	assert_true(damage_get(d, key, damage_key_id(key, LB_KEY_MAP, vol), value, &len));
	assert_int_equal(len, sizeof(m));
	memcpy(&m, value, sizeof(m));
	return m;
}

void damage_map_put(struct damage *d, u64 vol, const struct lb_map_record *m)
{
	u8 key[DAMAGE_KEY];

	damage_put(d, key, damage_key_id(key, LB_KEY_MAP, vol), m, sizeof(*m));
}

struct lb_vol_record damage_vol_get(const struct damage *d, u64 vol, char *name)
{
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX];
	struct lb_vol_record v;
	u32 len;

	assert_true(damage_get(d, key, damage_key_id(key, LB_KEY_VOL, vol), value, &len));
	memcpy(&v, value, sizeof(v));
	memcpy(name, value + sizeof(v), len - sizeof(v));
	name[len - sizeof(v)] = 0;
	return v;
}

void damage_vol_put(struct damage *d, u64 vol, const struct lb_vol_record *v, const char *name, u32 name_len)
{
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX];
	struct lb_vol_record rec = *v;

	rec.name_len = cpu_to_le16((u16)name_len);
	memcpy(value, &rec, sizeof(rec));
	memcpy(value + sizeof(rec), name, name_len);
	damage_put(d, key, damage_key_id(key, LB_KEY_VOL, vol), value, (u32)sizeof(rec) + name_len);
}

void damage_cat_node(struct damage *d, const u8 *key, u32 key_len, unsigned int level, damage_node_fn change)
{
	struct path p;

	path_find(d, key, key_len, &p);
	assert_true(level <= p.top);
	change(p.at[level].node, &p.at[level].ref);
	path_store(d, &p, level);
	path_free(&p);
}

struct lb_ref damage_cat_ref(const struct damage *d, const u8 *key, u32 key_len, unsigned int level)
{
	struct lb_ref ref;
	struct path p;

	path_find(d, key, key_len, &p);
	assert_true(level <= p.top);
	ref = p.at[level].ref;
	path_free(&p);
	return ref;
}

/* ------------------------------------------------------------------ maps */

struct lb_ref damage_map_ref(const struct damage *d, u64 vol, int child)
{
	struct lb_map_record m = damage_map_get(d, vol);
	struct lb_ref ref = lb_ref_decode(&m.root);
	struct lb_node *n;

	assert_true(ref.addr > 0);
	if (child == DAMAGE_ROOT)
		return ref;
	assert_int_equal(ref.level, 1);
	n = block_new();
	port_sim_peek(d->dev, ref.addr, n);
	assert_true((unsigned int)child < le16_to_cpu(n->header.count));
	ref = lb_ref_decode(&n->children[child].ptr);
	free(n);
	return ref;
}

void damage_map_read(const struct damage *d, u64 vol, int child, struct lb_node *n)
{
	struct lb_ref ref = damage_map_ref(d, vol, child);

	port_sim_peek(d->dev, ref.addr, n);
}

void damage_map_node(struct damage *d, u64 vol, int child, damage_node_fn change)
{
	struct lb_map_record m = damage_map_get(d, vol);
	struct lb_ref root = lb_ref_decode(&m.root), ref = damage_map_ref(d, vol, child);
	struct lb_node *n = block_new(), *above = block_new();

	port_sim_peek(d->dev, ref.addr, n);
	change(n, &ref);
	put_copies(d->dev, n, LB_MAGIC_NODE, &ref);
	if (child != DAMAGE_ROOT) {
		port_sim_peek(d->dev, root.addr, above);
		above->children[child].ptr = lb_ref_encode(&ref);
		put_copies(d->dev, above, LB_MAGIC_NODE, &root);
		ref = root;
	}
	m.root = lb_ref_encode(&ref);
	damage_map_put(d, vol, &m);
	free(above);
	free(n);
}

/* ------------------------------------------------------------------ the journal */

/* Is there the record that the chain expects? Its length, or 0. */
static u32 record_there(const struct damage *d, u64 pos, u64 seq, u32 prev, u32 *csum)
{
	struct lb_record_header *h = block_new();
	u32 blocks = 0;

	port_sim_peek(d->dev, le64_to_cpu(d->sb.journal_block) + pos, h);
	if (le32_to_cpu(h->magic) == LB_MAGIC_JOURNAL && h->epoch == d->sb.journal_epoch &&
	    le64_to_cpu(h->seq) == seq && le32_to_cpu(h->prev) == prev) {
		blocks = le32_to_cpu(h->blocks);
		*csum = le32_to_cpu(h->csum);
	}
	free(h);
	return blocks;
}

void damage_record(struct damage *d, const void *entries, u32 bytes, u32 flags)
{
	u64 pos = le64_to_cpu(d->sb.journal_pos), seq = le64_to_cpu(d->sb.journal_seq);
	u32 prev = le32_to_cpu(d->sb.journal_prev), csum, n, i;
	struct lb_record_header *h;
	u8 *buf;

	while ((n = record_there(d, pos, seq, prev, &csum))) {
		pos += n;
		seq++;
		prev = csum;
	}
	n = (bytes + (u32)sizeof(*h) + LB_BLOCK_BYTES - 1) / LB_BLOCK_BYTES;
	assert_true(pos + n <= le64_to_cpu(d->sb.journal_blocks));
	buf = calloc(n, LB_BLOCK_BYTES);
	assert_non_null(buf);
	h = (struct lb_record_header *)buf;
	*h = (struct lb_record_header){
		.magic = cpu_to_le32(LB_MAGIC_JOURNAL), .epoch = d->sb.journal_epoch, .seq = cpu_to_le64(seq),
		.prev = cpu_to_le32(prev), .flags = cpu_to_le32(flags), .blocks = cpu_to_le32(n),
		.bytes = cpu_to_le32(bytes),
	};
	memcpy(h->uuid, d->sb.uuid, sizeof(h->uuid));
	memcpy(buf + sizeof(*h), entries, bytes);
	csum = port_crc32c(~0u, buf, (size_t)n * LB_BLOCK_BYTES);
	h->csum = cpu_to_le32(csum);
	for (i = 0; i < n; i++)
		port_sim_poke(d->dev, le64_to_cpu(d->sb.journal_block) + pos + i, buf + (size_t)i * LB_BLOCK_BYTES);
	free(buf);
}

struct lb_map_entry damage_map_entry(u64 gen, u64 volume, u64 lblk, u64 pblk, u64 len)
{
	return (struct lb_map_entry){
		.header = { .type = cpu_to_le16(LB_ENTRY_MAP), .bytes = cpu_to_le16(sizeof(struct lb_map_entry)),
			    .gen = cpu_to_le64(gen) },
		.volume = cpu_to_le64(volume), .lblk = cpu_to_le64(lblk), .pblk = cpu_to_le64(pblk),
		.len = cpu_to_le64(len),
	};
}

u32 damage_cat_entry(u8 *buf, u64 gen, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	u32 bytes = ((u32)sizeof(struct lb_catalog_entry) + key_len + value_len + 7) & ~7u;
	struct lb_catalog_entry e = {
		.header = { .type = cpu_to_le16(value ? LB_ENTRY_PUT : LB_ENTRY_DELETE),
			    .bytes = cpu_to_le16((u16)bytes), .gen = cpu_to_le64(gen) },
		.key_len = cpu_to_le16((u16)key_len), .value_len = cpu_to_le16((u16)value_len),
	};

	memset(buf, 0, bytes);
	memcpy(buf, &e, sizeof(e));
	memcpy(buf + sizeof(e), key, key_len);
	if (value_len)
		memcpy(buf + sizeof(e) + key_len, value, value_len);
	return bytes;
}
