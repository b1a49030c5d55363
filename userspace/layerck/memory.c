// SPDX-License-Identifier: GPL-2.0
/* Arrays that grow, and the lists of what a repair would do. */
#include <stdlib.h>

#include "ck.h"

int ck_grow(void *array, size_t *room, size_t count, size_t item)
{
	size_t want = *room ? *room * 2 : 64;
	void *old, *p;

	if (count < *room)
		return 0;
	memcpy(&old, array, sizeof(old));
	p = reallocarray(old, want, item);
	if (!p)
		return -ENOMEM;
	memcpy(array, &p, sizeof(p));
	*room = want;
	return 0;
}

int ck_fix_copy(struct ck *ck, u64 good, u64 bad, u32 magic)
{
	struct ck_fixes *f = &ck->fixes;
	int err;

	if (ck->searching)
		return 0;
	err = ck_grow(&f->copies, &f->copy_room, f->copy_count, sizeof(*f->copies));
	if (err)
		return err;
	f->copies[f->copy_count++] = (struct ck_copy_fix){ .good = good, .bad = bad, .magic = magic };
	return 0;
}

static int fix_edit(struct ck *ck, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	struct ck_fixes *f = &ck->fixes;
	struct ck_edit e = { .key_len = key_len, .value_len = value_len };
	int err;

	if (ck->searching)
		return 0;
	err = ck_grow(&f->edits, &f->edit_room, f->edit_count, sizeof(*f->edits));
	if (err)
		return err;
	e.key = malloc(key_len + value_len + 1);
	if (!e.key)
		return -ENOMEM;
	memcpy(e.key, key, key_len);
	if (value) {
		e.value = e.key + key_len;
		memcpy(e.value, value, value_len);
	}
	f->edits[f->edit_count++] = e;
	return 0;
}

int ck_fix_put(struct ck *ck, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	return fix_edit(ck, key, key_len, value_len ? value : "", value_len);
}

int ck_fix_delete(struct ck *ck, const u8 *key, u32 key_len)
{
	return fix_edit(ck, key, key_len, NULL, 0);
}

int ck_fix_attrs(struct ck *ck, u64 vol)
{
	struct ck_fixes *f = &ck->fixes;
	int err = ck_grow(&f->attr_vols, &f->attr_room, f->attr_count, sizeof(*f->attr_vols));

	if (!err)
		f->attr_vols[f->attr_count++] = vol;
	return err;
}

void ck_fixes_free(struct ck_fixes *f)
{
	size_t i;

	for (i = 0; i < f->edit_count; i++)
		free(f->edits[i].key);
	free(f->edits);
	free(f->copies);
	free(f->attr_vols);
	memset(f, 0, sizeof(*f));
}
