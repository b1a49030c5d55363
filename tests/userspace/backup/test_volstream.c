// SPDX-License-Identifier: GPL-2.0-or-later
/* Backup streams: what goes in comes out, and of what is damaged, cut short or hostile nothing is believed. */
#include <endian.h>
#include "streams.h"
#include "restore.h"
#include "restore_target.h"

#define BLOCKS	600			/* of the volume: more than one record's data */

/* A block's content by its number: not zero, and not to be compressed away wholly. */
static void fill(uint8_t *block, uint32_t seed)
{
	uint32_t x = seed * 2654435761U + 1;

	for (size_t i = 0; i < LB_BLOCK_SIZE; i++) {
		x = x * 1664525U + 1013904223U;
		block[i] = (uint8_t)(x >> 24);
	}
}

static void describe(struct volstream_volume *volume, const char *name, uint8_t backup, uint8_t base)
{
	*volume = (struct volstream_volume){ .id = 7, .time_s = 1700000000, .size = (uint64_t)BLOCKS * LB_BLOCK_SIZE, .quota_blocks = 99 };
	strcpy(volume->name, name);
	strcpy(volume->fs, "ext4");
	memset(volume->pool, 0x11, sizeof(volume->pool));
	memset(volume->backup, backup, sizeof(volume->backup));
	memset(volume->base, base, sizeof(volume->base));
	assert_int_equal(volstream_attr_add(volume, "label.owner", "me", 2, &error), 0);
	assert_int_equal(volstream_attr_add(volume, "label.binary", "a\0b", 3, &error), 0);
}

/* Blocks 0-299, of which 100 is zero, 310, 320..., and 400-599 cleared; the image is what that comes to. */
static void write_volume(struct volstream_writer *writer, const char *name, uint8_t *image)
{
	uint8_t *data = calloc(300, LB_BLOCK_SIZE);
	struct volstream_volume volume;

	describe(&volume, name, 1, 0);
	assert_int_equal(volstream_volume_begin(writer, &volume, &error), 0);
	volstream_volume_clear(&volume);
	for (uint32_t i = 0; i < 300; i++)
		if (i != 100)
			fill(data + (size_t)i * LB_BLOCK_SIZE, i);
	memcpy(image, data, (size_t)300 * LB_BLOCK_SIZE);
	assert_int_equal(volstream_data(writer, 0, data, 300, &error), 0);
	for (uint32_t i = 310; i < 400; i += 10) {
		memset(data, (int)i, LB_BLOCK_SIZE);
		memcpy(image + (size_t)i * LB_BLOCK_SIZE, data, LB_BLOCK_SIZE);
		assert_int_equal(volstream_data(writer, i, data, 1, &error), 0);
	}
	assert_int_equal(volstream_clear(writer, 400, 200, &error), 0);
	assert_int_equal(volstream_volume_end(writer, NULL, &error), 0);
	free(data);
}

static void write_stream(struct bytes *out, enum volstream_encoding encoding, uint8_t *image, int volumes)
{
	struct sink sink = { keep, out };
	struct volstream_writer *writer;

	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, encoding, 1700000001, &writer, &error), 0);
	for (int i = 0; i < volumes; i++)
		write_volume(writer, i ? "second" : "first", image);
	assert_int_equal(volstream_finish(writer, &error), 0);
	assert_int_equal(volstream_written(writer), out->size);
	volstream_writer_free(writer);
}

/* Reads all of it onto fd (-1: nowhere). Gives the volumes that were whole, or a negative errno. */
static int read_stream(struct bytes *in, int fd)
{
	struct volstream_reader *reader;
	struct volstream_item item;
	int rc, whole = 0;

	in->at = 0;
	memset(&error, 0, sizeof(error));
	assert_int_equal(volstream_reader_new(give, in, VOLSTREAM_OF_VOLUMES, "the test", &reader, &error), 0);
	while ((rc = volstream_next(reader, &item, &error)) == 1) {
		if (item.type == VOLSTREAM_BLOCKS && fd >= 0)
			assert_int_equal(restore_ranges(fd, true, item.ranges, item.range_count, item.data, &error), 0);
		whole += item.type == VOLSTREAM_VOLUME_END;
	}
	volstream_reader_free(reader);
	if (rc) {
		assert_int_equal(error.code, -rc);
		assert_true(error.why[0]);
	}
	return rc ? rc : whole;
}

static void round_trip(enum volstream_encoding encoding, size_t step)
{
	uint8_t *image = calloc(BLOCKS, LB_BLOCK_SIZE), *got;
	struct bytes stream = { .step = step };
	int fd = memfd_create("restored", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)BLOCKS * LB_BLOCK_SIZE), 0);
	got = mmap(NULL, (size_t)BLOCKS * LB_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(got, MAP_FAILED);
	memset(got, 0x55, (size_t)BLOCKS * LB_BLOCK_SIZE);
	/* What no range names stays: an incremental stream would mean it so. */
	for (size_t i = 300; i < 400; i++)
		memset(image + i * LB_BLOCK_SIZE, 0x55, LB_BLOCK_SIZE);
	write_stream(&stream, encoding, image, 1);
	assert_int_equal(read_stream(&stream, fd), 1);
	assert_memory_equal(got, image, (size_t)BLOCKS * LB_BLOCK_SIZE);
	munmap(got, (size_t)BLOCKS * LB_BLOCK_SIZE);
	close(fd);
	free(image);
	free(stream.data);
}

static void comes_back(void **state)
{
	(void)state;
	round_trip(VOLSTREAM_RAW, 0);
	round_trip(VOLSTREAM_ZSTD, 0);
	round_trip(VOLSTREAM_ZSTD, 1000);
}

static void description_comes_back(void **state)
{
	uint8_t *image = calloc(BLOCKS, LB_BLOCK_SIZE);
	struct bytes stream = { 0 };
	struct volstream_reader *reader;
	struct volstream_item item;

	(void)state;
	write_stream(&stream, VOLSTREAM_RAW, image, 1);
	assert_int_equal(volstream_reader_new(give, &stream, VOLSTREAM_OF_VOLUMES, "the test", &reader, &error), 0);
	assert_int_equal(volstream_next(reader, &item, &error), 1);
	assert_int_equal(item.type, VOLSTREAM_VOLUME);
	assert_string_equal(item.volume->name, "first");
	assert_string_equal(item.volume->fs, "ext4");
	assert_int_equal(item.volume->size, BLOCKS * LB_BLOCK_SIZE);
	assert_int_equal(item.volume->quota_blocks, 99);
	assert_int_equal(item.volume->id, 7);
	assert_int_equal(item.volume->time_s, 1700000000);
	assert_true(volstream_is_full(item.volume));
	assert_int_equal(item.volume->attr_count, 2);
	assert_string_equal(item.volume->attrs[0].key, "label.owner");
	assert_string_equal(item.volume->attrs[0].value, "me");
	assert_int_equal(item.volume->attrs[1].value_len, 3);
	assert_memory_equal(item.volume->attrs[1].value, "a\0b", 3);
	while (volstream_next(reader, &item, &error) == 1 && item.type == VOLSTREAM_BLOCKS)
		;
	assert_int_equal(item.type, VOLSTREAM_VOLUME_END);
	assert_int_equal(item.totals.data_blocks, 299 + 9);
	assert_int_equal(item.totals.cleared_blocks, 201);
	volstream_reader_free(reader);
	free(image);
	free(stream.data);
}

/* A stream that is small enough for every byte to be tried: few blocks, well compressed. */
static void write_small(struct bytes *out, const char *name, uint8_t backup, uint8_t base)
{
	struct sink sink = { keep, out };
	struct volstream_writer *writer;
	struct volstream_volume volume;
	uint8_t block[LB_BLOCK_SIZE];

	describe(&volume, name, backup, base);
	memset(block, 3, sizeof(block));
	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, VOLSTREAM_ZSTD, 1, &writer, &error), 0);
	assert_int_equal(volstream_volume_begin(writer, &volume, &error), 0);
	assert_int_equal(volstream_data(writer, 5, block, 1, &error), 0);
	assert_int_equal(volstream_clear(writer, 9, 2, &error), 0);
	assert_int_equal(volstream_volume_end(writer, NULL, &error), 0);
	assert_int_equal(volstream_finish(writer, &error), 0);
	volstream_writer_free(writer);
	volstream_volume_clear(&volume);
}

static void streams_follow_on_each_other(void **state)
{
	struct bytes stream = { 0 };

	(void)state;
	write_small(&stream, "a", 1, 0);
	write_small(&stream, "a", 2, 1);
	write_small(&stream, "b", 3, 0);
	assert_int_equal(read_stream(&stream, -1), 3);
	free(stream.data);
}

static void every_cut_is_found(void **state)
{
	struct bytes stream = { 0 };
	size_t whole, first;

	(void)state;
	write_small(&stream, "a", 1, 0);
	first = stream.size;
	write_small(&stream, "a", 2, 1);
	whole = stream.size;
	for (stream.size = 0; stream.size < whole; stream.size++) {
		/* Between two streams is no cut: the second one may come in another file. */
		if (stream.size == first)
			assert_int_equal(read_stream(&stream, -1), 1);
		else
			assert_int_equal(read_stream(&stream, -1), -EBADMSG);
	}
	free(stream.data);
}

static void every_flipped_bit_is_found(void **state)
{
	struct bytes stream = { 0 };

	(void)state;
	write_small(&stream, "a", 1, 0);
	for (size_t i = 0; i < stream.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			stream.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(read_stream(&stream, -1), -EBADMSG);
			stream.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_int_equal(read_stream(&stream, -1), 1);
	free(stream.data);
}

static void lost_and_doubled_parts_are_found(void **state)
{
	uint8_t *image = calloc(BLOCKS, LB_BLOCK_SIZE);
	struct bytes stream = { 0 }, other = { 0 };

	(void)state;
	write_stream(&stream, VOLSTREAM_RAW, image, 2);
	/* Any piece out of the middle, and any piece twice. */
	for (size_t from = 32; from + 4096 < stream.size; from += 50000) {
		other.size = 0;
		keep(&other, stream.data, from, &error);
		keep(&other, stream.data + from + 4096, stream.size - from - 4096, &error);
		assert_int_equal(read_stream(&other, -1), -EBADMSG);
		other.size = 0;
		keep(&other, stream.data, from + 4096, &error);
		keep(&other, stream.data + from, stream.size - from, &error);
		assert_int_equal(read_stream(&other, -1), -EBADMSG);
	}
	other.size = 0;
	keep(&other, "no backup at all, but longer than a record's head is", 52, &error);
	assert_int_equal(read_stream(&other, -1), -EBADMSG);
	assert_non_null(strstr(error.why, "no backup"));
	free(image);
	free(stream.data);
	free(other.data);
}

/* ------------------------------------------------------------------ what an attacker writes, with right checksums */

static void begin(struct forge *forge)
{
	uint8_t start[VOLSTREAM_START_BYTES] = { VOLSTREAM_VERSION };

	free(forge->bytes.data);
	*forge = (struct forge){ 0 };
	record(forge, VOLSTREAM_STREAM, 0, 0, start, sizeof(start));
}

static void begin_volume(struct forge *forge)
{
	struct volstream_volume volume;
	uint8_t *wire;
	size_t size;

	begin(forge);
	describe(&volume, "a", 1, 0);
	assert_int_equal(volstream_volume_pack(&volume, &wire, &size, &error), 0);
	record(forge, VOLSTREAM_VOLUME, 0, 0, wire, (uint32_t)size);
	free(wire);
	volstream_volume_clear(&volume);
}

static void blocks(struct forge *forge, const struct volstream_range *ranges, uint32_t count, uint16_t encoding, size_t data)
{
	uint8_t *payload = calloc(1, count * VOLSTREAM_RANGE + data + 1);

	for (uint32_t i = 0; i < count; i++)
		volstream_range_pack(&ranges[i], payload + i * VOLSTREAM_RANGE);
	record(forge, VOLSTREAM_BLOCKS, encoding, count, payload, (uint32_t)(count * VOLSTREAM_RANGE + data));
	free(payload);
}

#define refuses(forge, code)	assert_int_equal(read_stream(&(forge)->bytes, -1), -(code))

static void hostile_ranges_are_refused(void **state)
{
	static const struct volstream_range outside[] = {
		{ BLOCKS, 1, 0 }, { BLOCKS - 1, 2, 0 }, { ~0ULL, 1, 0 }, { ~0ULL, ~0U, 0 }, { 0, 0, 0 }, { 0, 1, 2 }, { 0, BLOCKS + 1, 0 },
		{ 1ULL << 63, 1, VOLSTREAM_DATA }, { ~0ULL / LB_BLOCK_SIZE + 1, 1, VOLSTREAM_DATA },
	};
	static const struct volstream_range twice[] = { { 5, 2, 0 }, { 6, 1, 0 } }, back[] = { { 5, 1, 0 }, { 4, 1, 0 } };
	static const struct volstream_range large[] = { { 0, VOLSTREAM_BLOCKS_MAX, VOLSTREAM_DATA }, { 300, 1, VOLSTREAM_DATA } };
	static const struct volstream_range one[] = { { 0, 1, VOLSTREAM_DATA } };
	struct forge forge = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		begin_volume(&forge);
		blocks(&forge, &outside[i], 1, 0, outside[i].flags & VOLSTREAM_DATA ? LB_BLOCK_SIZE : 0);
		refuses(&forge, EPROTO);
	}
	begin_volume(&forge);
	blocks(&forge, twice, 2, 0, 0);
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, back, 2, 0, 0);
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, twice, 1, 0, 0);
	blocks(&forge, twice, 1, 0, 0);		/* in another record */
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, large, 2, 0, VOLSTREAM_DATA_MAX);
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, one, 1, 0, LB_BLOCK_SIZE - 1);
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, one, 1, 0, LB_BLOCK_SIZE + 1);
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, one, 1, VOLSTREAM_ZSTD, 100);	/* no zstd */
	refuses(&forge, EPROTO);
	begin_volume(&forge);
	blocks(&forge, twice, 1, VOLSTREAM_ZSTD, 100);	/* data without a place */
	refuses(&forge, EPROTO);
	free(forge.bytes.data);
}

static void hostile_records_are_refused(void **state)
{
	static const struct { uint16_t type; uint32_t length; } wrong[] = {
		{ 0, 0 }, { 7, 0 }, { 0xffff, 8 }, { VOLSTREAM_IMAGE, 0 }, { VOLSTREAM_IMAGE, 250 }, { VOLSTREAM_VOLUME, 0 }, { VOLSTREAM_VOLUME, 50 }, { VOLSTREAM_STREAM_END, 0 },
		{ VOLSTREAM_VOLUME_END, VOLSTREAM_VOLUME_END_BYTES }, { VOLSTREAM_BLOCKS, 16 }, { VOLSTREAM_STREAM, VOLSTREAM_START_BYTES },
	};
	static const uint8_t zeros[256];
	struct volstream_head head = { .type = VOLSTREAM_VOLUME, .length = ~0U, .sequence = 1 };
	uint8_t start[VOLSTREAM_START_BYTES] = { VOLSTREAM_VERSION + 1 }, wire[VOLSTREAM_HEAD];
	struct forge forge = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin(&forge);
		record(&forge, wrong[i].type, 0, wrong[i].type == VOLSTREAM_BLOCKS, zeros, wrong[i].length);
		refuses(&forge, EPROTO);
	}
	/* A length that nobody should take memory for. */
	begin(&forge);
	volstream_head_pack(&head, wire);
	keep(&forge.bytes, wire, sizeof(wire), &error);
	refuses(&forge, EPROTO);
	begin(&forge);
	head = (struct volstream_head){ .type = VOLSTREAM_BLOCKS, .length = ~0U, .count = ~0U, .sequence = 1 };
	volstream_head_pack(&head, wire);
	keep(&forge.bytes, wire, sizeof(wire), &error);
	refuses(&forge, EPROTO);
	/* A later version. */
	forge.bytes.size = 0;
	forge.sequence = 0;
	record(&forge, VOLSTREAM_STREAM, 0, 0, start, sizeof(start));
	refuses(&forge, EOPNOTSUPP);
	free(forge.bytes.data);
}

static void hostile_volume(struct forge *forge, void change(uint8_t *wire, size_t *size))
{
	struct volstream_volume volume;
	uint8_t *wire;
	size_t size;

	begin(forge);
	describe(&volume, "abc", 1, 0);
	assert_int_equal(volstream_volume_pack(&volume, &wire, &size, &error), 0);
	change(wire, &size);
	record(forge, VOLSTREAM_VOLUME, 0, 0, wire, (uint32_t)size);
	refuses(forge, EPROTO);
	free(wire);
	volstream_volume_clear(&volume);
}

#define NAME_AT	104			/* the description's fixed part */

static void no_size(uint8_t *wire, size_t *size) { (void)size; memset(wire, 0, 8); }
static void odd_size(uint8_t *wire, size_t *size) { (void)size; wire[0] = 1; }
static void huge_size(uint8_t *wire, size_t *size) { (void)size; wire[7] = 0x7f; }
static void no_identity(uint8_t *wire, size_t *size) { (void)size; memset(wire + 48, 0, 16); }
static void own_base(uint8_t *wire, size_t *size) { (void)size; memcpy(wire + 64, wire + 48, 16); }
static void odd_flag(uint8_t *wire, size_t *size) { (void)size; wire[97] = 1; }
static void slash_name(uint8_t *wire, size_t *size) { (void)size; wire[NAME_AT + 1] = '/'; }
static void zero_name(uint8_t *wire, size_t *size) { (void)size; wire[NAME_AT + 1] = 0; }
static void escape_name(uint8_t *wire, size_t *size) { (void)size; wire[NAME_AT] = 033; }
static void long_name(uint8_t *wire, size_t *size) { (void)size; memset(wire + 100, 0xff, 2); }
static void many_attrs(uint8_t *wire, size_t *size) { (void)size; memset(wire + 102, 0xff, 2); }
static void more_attrs(uint8_t *wire, size_t *size) { (void)size; wire[102]++; }
static void less_attrs(uint8_t *wire, size_t *size) { (void)size; wire[102]--; }
static void long_key(uint8_t *wire, size_t *size) { (void)size; memset(wire + NAME_AT + 3, 0xff, 2); }
static void long_value(uint8_t *wire, size_t *size) { (void)size; memset(wire + NAME_AT + 5, 0xff, 4); }
static void cut(uint8_t *wire, size_t *size) { (void)wire; (*size)--; }

static void hostile_descriptions_are_refused(void **state)
{
	static void (*const changes[])(uint8_t *wire, size_t *size) = {
		no_size, odd_size, huge_size, no_identity, own_base, odd_flag, slash_name, zero_name, escape_name, long_name, many_attrs,
		more_attrs, less_attrs, long_key, long_value, cut,
	};
	struct forge forge = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		hostile_volume(&forge, changes[i]);
	free(forge.bytes.data);
}

/* What a restore, which only checks, gives for a stream of a volume that has this attribute as well. */
static int restore_with(const char *key, const char *value)
{
	struct restore_options options = { .quiet = true };
	struct bytes stream = { 0 };
	struct sink sink = { keep, &stream };
	struct volstream_writer *writer;
	struct volstream_volume volume;
	struct restore *restore;
	char path[32];
	int fd, rc;

	describe(&volume, "a", 1, 0);
	assert_int_equal(volstream_attr_add(&volume, key, value, strlen(value), &error), 0);
	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, VOLSTREAM_RAW, 1, &writer, &error), 0);
	assert_int_equal(volstream_volume_begin(writer, &volume, &error), 0);
	assert_int_equal(volstream_volume_end(writer, NULL, &error), 0);
	assert_int_equal(volstream_finish(writer, &error), 0);
	volstream_writer_free(writer);
	volstream_volume_clear(&volume);
	fd = bytes_file(&stream, path);
	assert_int_equal(restore_new(NULL, &options, &restore, &error), 0);
	rc = restore_read(restore, path, &error);
	restore_free(restore);
	close(fd);
	free(stream.data);
	return rc;
}

static void only_a_volumes_own_attributes_come_back(void **state)
{
	(void)state;
	assert_int_equal(restore_with("label.a", "b"), 0);
	assert_int_equal(restore_with("layerblk.volume", "{\"version\":1,\"fs\":\"ext4\"}"), 0);
	/* It would make a container mount a device of the host. */
	assert_int_equal(restore_with("layerblk.volume", "{\"version\":1,\"options\":{\"device\":\"/dev/sda\"}}"), -EPROTO);
	assert_int_equal(restore_with("layerblk.volume", "none"), -EPROTO);
	assert_int_equal(restore_with("layerblk.container", "{}"), -EPROTO);
	assert_int_equal(restore_with("layerblk.import", "x"), -EPROTO);
	assert_int_equal(restore_with("label.", "x"), -EPROTO);
}

static void a_full_disk_is_told(void **state)
{
	uint8_t block[LB_BLOCK_SIZE];
	struct bytes stream = { .limit = 100000 };
	struct sink sink = { keep, &stream };
	struct volstream_writer *writer;
	struct volstream_volume volume;
	int rc = 0;

	(void)state;
	describe(&volume, "a", 1, 0);
	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, VOLSTREAM_RAW, 1, &writer, &error), 0);
	assert_int_equal(volstream_volume_begin(writer, &volume, &error), 0);
	for (uint32_t i = 0; !rc && i < 500; i++) {
		fill(block, i);
		rc = volstream_data(writer, i, block, 1, &error);
	}
	assert_int_equal(rc, -ENOSPC);
	volstream_writer_free(writer);
	volstream_volume_clear(&volume);
	free(stream.data);
}

static void identities_are_read_and_written(void **state)
{
	uint8_t id[VOLSTREAM_ID], again[VOLSTREAM_ID];
	char text[VOLSTREAM_ID_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)(i * 17);
	assert_int_equal(volstream_id_parse(volstream_id_text(id, text), again), 0);
	assert_memory_equal(id, again, sizeof(id));
	assert_int_equal(volstream_id_parse("0011", again), -EINVAL);
	assert_int_equal(volstream_id_parse("00112233445566778899aabbccddeeff0", again), -EINVAL);
	assert_int_equal(volstream_id_parse("g0112233445566778899aabbccddeeff", again), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(description_comes_back),
		cmocka_unit_test(streams_follow_on_each_other),
		cmocka_unit_test(every_cut_is_found),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(lost_and_doubled_parts_are_found),
		cmocka_unit_test(hostile_ranges_are_refused),
		cmocka_unit_test(hostile_records_are_refused),
		cmocka_unit_test(hostile_descriptions_are_refused),
		cmocka_unit_test(only_a_volumes_own_attributes_come_back),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(identities_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
