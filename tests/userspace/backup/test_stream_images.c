// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams of images: what is said of images and layers comes back, and what does not fit together is refused. */
#include "streams.h"
#include "fake_module.h"
#include "identity.h"
#include "idset.h"
#include "incoming.h"
#include "layer_description.h"
#include "receive.h"
#include "restore.h"

#define BLOCKS		8
#define LAYERS		2

/* A well-made image of two layers, to be spoilt before it is written. */
struct image {
	char diff_ids[LAYERS][DIGEST_TEXT];
	char chains[LAYERS][DIGEST_TEXT];
	char config[1024];
	char json[LAYERS][1024];	/* ATTR_LAYER of each */
	uint8_t ids[LAYERS][VOLSTREAM_ID];
	uint8_t bases[LAYERS][VOLSTREAM_ID];
	const char *name, *fs, *label, *odd_key;
	const char *manifest, *manifest_digest;
	uint32_t flags;
	uint8_t spoilt_id;		/* is added to the image's id */
	int left_out;			/* layers from the base on whose blocks are not in the stream */
	int doubled;			/* layers that come a second time */
};

static void fill_image(struct image *image)
{
	*image = (struct image){ .name = "app:1", .fs = "ext4", .flags = VOLSTREAM_FROZEN };
	for (int i = 0; i < LAYERS; i++) {
		snprintf(image->diff_ids[i], DIGEST_TEXT, "sha256:%064d", i + 7);
		assert_int_equal(chain_id(i ? image->chains[i - 1] : "", image->diff_ids[i], image->chains[i]), 0);
		memset(image->ids[i], i + 1, VOLSTREAM_ID);
		if (i)
			memset(image->bases[i], i, VOLSTREAM_ID);
		snprintf(image->json[i], sizeof(image->json[i]),
			 "{\"version\":1,\"chain\":\"%s\",\"diff_id\":\"%s\",\"fs\":\"ext4\",\"digest\":\"%s\",\"media_type\":\"application/x\","
			 "\"size\":10,\"tar_size\":20,\"recipe\":{\"offset\":8192,\"size\":100},\"unknown\":[1]}",
			 image->chains[i], image->diff_ids[i], image->diff_ids[i]);
	}
	snprintf(image->config, sizeof(image->config), "{\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\",\"%s\"]}}", image->diff_ids[0], image->diff_ids[1]);
}

static void describe_image(const struct image *image, struct volstream_image *out)
{
	char digest[DIGEST_TEXT];
	unsigned int byte;

	*out = (struct volstream_image){ .config = strdup(image->config), .config_size = strlen(image->config), .layer_count = LAYERS };
	snprintf(out->fs, sizeof(out->fs), "%s", image->fs);
	out->layers = malloc(sizeof(image->ids));
	memcpy(out->layers, image->ids, sizeof(image->ids));
	if (image->name) {
		out->names = calloc(1, sizeof(*out->names));
		out->names[0] = strdup(image->name);
		out->name_count = 1;
	}
	if (image->manifest) {
		out->manifest = strdup(image->manifest);
		out->manifest_size = strlen(image->manifest);
		out->manifest_digest = strdup(image->manifest_digest);
	}
	assert_int_equal(digest_of(image->config, strlen(image->config), digest), 0);
	for (int i = 0; i < VOLSTREAM_DIGEST; i++) {
		assert_int_equal(sscanf(digest_hex(digest) + 2 * i, "%2x", &byte), 1);
		out->id[i] = (uint8_t)byte;
	}
	out->id[0] = (uint8_t)(out->id[0] + image->spoilt_id);
}

static void write_layer(const struct image *image, int at, struct volstream_writer *writer)
{
	struct volstream_volume volume = { .id = 9, .size = (uint64_t)BLOCKS * LB_BLOCK_SIZE, .flags = image->flags };
	uint8_t block[LB_BLOCK_SIZE];

	snprintf(volume.name, sizeof(volume.name), "layer-%d", at);
	memcpy(volume.backup, image->ids[at], VOLSTREAM_ID);
	memcpy(volume.base, image->bases[at], VOLSTREAM_ID);
	if (*image->json[at])
		assert_int_equal(volstream_attr_add(&volume, ATTR_LAYER, image->json[at], strlen(image->json[at]), &error), 0);
	if (image->label)
		assert_int_equal(volstream_attr_add(&volume, "label.who", image->label, strlen(image->label), &error), 0);
	if (image->odd_key)
		assert_int_equal(volstream_attr_add(&volume, image->odd_key, "1", 1, &error), 0);
	memset(block, at + 1, sizeof(block));
	assert_int_equal(volstream_volume_begin(writer, &volume, &error), 0);
	assert_int_equal(volstream_data(writer, (uint64_t)at + 1, block, 1, &error), 0);
	assert_int_equal(volstream_volume_end(writer, NULL, &error), 0);
	volstream_volume_clear(&volume);
}

static void write_image(const struct image *image, struct bytes *out)
{
	struct sink sink = { keep, out };
	struct volstream_writer *writer;
	struct volstream_image described;

	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_IMAGES, VOLSTREAM_ZSTD, 1, &writer, &error), 0);
	describe_image(image, &described);
	assert_int_equal(volstream_add_image(writer, &described, &error), 0);
	volstream_image_clear(&described);
	for (int i = image->left_out; i < LAYERS; i++)
		write_layer(image, i, writer);
	for (int i = 0; i < image->doubled; i++)
		write_layer(image, i, writer);
	assert_int_equal(volstream_finish(writer, &error), 0);
	volstream_writer_free(writer);
}

/* Gives the images that were read, or a negative errno. */
static int read_stream(struct bytes *in, enum volstream_contents contents)
{
	struct volstream_reader *reader;
	struct volstream_item item;
	int rc, images = 0;

	in->at = 0;
	memset(&error, 0, sizeof(error));
	assert_int_equal(volstream_reader_new(give, in, contents, "the test", &reader, &error), 0);
	while ((rc = volstream_next(reader, &item, &error)) == 1)
		images += item.type == VOLSTREAM_IMAGE;
	volstream_reader_free(reader);
	if (rc) {
		assert_int_equal(error.code, -rc);
		assert_true(error.why[0]);
	}
	return rc ? rc : images;
}

/* ------------------------------------------------------------------ the format */

static void image_comes_back(void **state)
{
	struct bytes stream = { .step = 100 };
	struct volstream_reader *reader;
	struct volstream_image want;
	struct volstream_item item;
	struct image image;

	(void)state;
	fill_image(&image);
	image.manifest = "{\"a\": 1}";
	image.manifest_digest = "sha512:whatever";
	write_image(&image, &stream);
	describe_image(&image, &want);
	assert_int_equal(volstream_reader_new(give, &stream, VOLSTREAM_OF_IMAGES, "the test", &reader, &error), 0);
	assert_int_equal(volstream_next(reader, &item, &error), 1);
	assert_int_equal(item.type, VOLSTREAM_IMAGE);
	assert_memory_equal(item.image->id, want.id, sizeof(want.id));
	assert_string_equal(item.image->fs, "ext4");
	assert_int_equal(item.image->layer_count, LAYERS);
	assert_memory_equal(item.image->layers, image.ids, sizeof(image.ids));
	assert_int_equal(item.image->name_count, 1);
	assert_string_equal(item.image->names[0], "app:1");
	assert_int_equal(item.image->config_size, want.config_size);
	assert_string_equal(item.image->config, image.config);
	assert_string_equal(item.image->manifest, image.manifest);
	assert_string_equal(item.image->manifest_digest, image.manifest_digest);
	for (int i = 0; i < LAYERS; i++)
		for (int type = VOLSTREAM_VOLUME; type <= VOLSTREAM_VOLUME_END; type++) {
			assert_int_equal(volstream_next(reader, &item, &error), 1);
			assert_int_equal(item.type, type);
		}
	assert_int_equal(volstream_next(reader, &item, &error), 1);
	assert_int_equal(item.type, VOLSTREAM_STREAM_END);
	assert_int_equal(volstream_next(reader, &item, &error), 0);
	volstream_reader_free(reader);
	volstream_image_clear(&want);
	free(stream.data);
}

static void cuts_and_flipped_bits_are_found(void **state)
{
	struct bytes stream = { 0 };
	struct image image;
	size_t whole;

	(void)state;
	fill_image(&image);
	write_image(&image, &stream);
	whole = stream.size;
	for (stream.size = 0; stream.size < whole; stream.size++)
		assert_int_equal(read_stream(&stream, VOLSTREAM_OF_IMAGES), -EBADMSG);
	for (size_t i = 0; i < whole; i++) {
		stream.data[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(read_stream(&stream, VOLSTREAM_OF_IMAGES), -EBADMSG);
		stream.data[i] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(read_stream(&stream, VOLSTREAM_OF_IMAGES), 1);
	free(stream.data);
}

static void a_backup_is_no_image_and_no_image_a_backup(void **state)
{
	struct bytes images = { 0 }, volumes = { 0 };
	struct sink sink = { keep, &volumes };
	struct volstream_writer *writer;
	struct image image;

	(void)state;
	fill_image(&image);
	write_image(&image, &images);
	assert_int_equal(read_stream(&images, VOLSTREAM_OF_VOLUMES), -EPROTO);
	assert_non_null(strstr(error.why, "holds images"));
	assert_non_null(strstr(error.hint, "layerctl receive"));
	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, VOLSTREAM_RAW, 1, &writer, &error), 0);
	write_layer(&image, 0, writer);
	assert_int_equal(volstream_finish(writer, &error), 0);
	volstream_writer_free(writer);
	assert_int_equal(read_stream(&volumes, VOLSTREAM_OF_VOLUMES), 0);
	assert_int_equal(read_stream(&volumes, VOLSTREAM_OF_IMAGES), -EPROTO);
	assert_non_null(strstr(error.hint, "volume restore"));
	volumes.size = 0;
	keep(&volumes, "neither the one nor the other, but long enough for a head", 57, &error);
	assert_int_equal(read_stream(&volumes, VOLSTREAM_OF_IMAGES), -EBADMSG);
	assert_non_null(strstr(error.why, "no stream of images"));
	free(images.data);
	free(volumes.data);
}

/* An image's description as it is, or changed, where it may come or not. */
static int forged(uint32_t flags, bool behind_a_volume, void change(uint8_t *wire, size_t *size))
{
	uint8_t start[VOLSTREAM_START_BYTES] = { VOLSTREAM_VERSION, 0, 0, 0, (uint8_t)flags }, *wire;
	struct forge forge = { 0 };
	struct volstream_image described;
	struct image image;
	size_t size;
	int rc;

	fill_image(&image);
	image.manifest = "{}";
	image.manifest_digest = "sha256:x";
	describe_image(&image, &described);
	assert_int_equal(volstream_image_pack(&described, &wire, &size, &error), 0);
	volstream_image_clear(&described);
	if (change)
		change(wire, &size);
	record(&forge, VOLSTREAM_STREAM, 0, 0, start, sizeof(start));
	if (behind_a_volume) {
		struct volstream_volume volume = { .size = LB_BLOCK_SIZE, .name = "a", .backup = { 1 } };
		uint8_t *text;
		size_t length;

		assert_int_equal(volstream_volume_pack(&volume, &text, &length, &error), 0);
		record(&forge, VOLSTREAM_VOLUME, 0, 0, text, (uint32_t)length);
		free(text);
	}
	{	/* Its SHA-256 is of all that is before it, and of itself but for that. */
		struct bytes all = { 0 };
		char digest[DIGEST_TEXT];
		unsigned int byte;

		keep(&all, forge.bytes.data, forge.bytes.size, &error);
		keep(&all, wire, size - VOLSTREAM_DIGEST, &error);
		assert_int_equal(digest_of(all.data, all.size, digest), 0);
		for (size_t i = 0; i < VOLSTREAM_DIGEST; i++) {
			assert_int_equal(sscanf(digest_hex(digest) + 2 * i, "%2x", &byte), 1);
			wire[size - VOLSTREAM_DIGEST + i] = (uint8_t)byte;
		}
		free(all.data);
	}
	record(&forge, VOLSTREAM_IMAGE, 0, 0, wire, (uint32_t)size);
	rc = read_stream(&forge.bytes, flags & VOLSTREAM_IMAGES ? VOLSTREAM_OF_IMAGES : VOLSTREAM_OF_VOLUMES);
	free(wire);
	free(forge.bytes.data);
	return rc;
}

/* Where things are in the description: id 32, fs 16, flags 4, layers 2, names 2, config 4, manifest 4, its digest 2, reserved 2; ids, names. */
#define LAYERS_AT	52
#define IDS_AT		68

static void flagged(uint8_t *wire, size_t *size) { (void)size; wire[48] = 1; }
static void no_layers(uint8_t *wire, size_t *size) { (void)size; wire[LAYERS_AT] = 0; }
static void more_layers(uint8_t *wire, size_t *size) { (void)size; wire[LAYERS_AT]++; }
static void many_layers(uint8_t *wire, size_t *size) { (void)size; memset(wire + LAYERS_AT, 0xff, 2); }
static void no_identity(uint8_t *wire, size_t *size) { (void)size; memset(wire + IDS_AT, 0, VOLSTREAM_ID); }
static void same_identity(uint8_t *wire, size_t *size) { (void)size; memcpy(wire + IDS_AT, wire + IDS_AT + VOLSTREAM_ID, VOLSTREAM_ID); }
static void many_names(uint8_t *wire, size_t *size) { (void)size; memset(wire + LAYERS_AT + 2, 0xff, 2); }
static void no_names(uint8_t *wire, size_t *size) { (void)size; wire[LAYERS_AT + 2] = 0; }
static void no_config(uint8_t *wire, size_t *size) { (void)size; memset(wire + 56, 0, 4); }
static void long_config(uint8_t *wire, size_t *size) { (void)size; memset(wire + 56, 0xff, 4); }
static void long_manifest(uint8_t *wire, size_t *size) { (void)size; memset(wire + 60, 0xff, 4); }
static void no_manifest(uint8_t *wire, size_t *size) { (void)size; memset(wire + 60, 0, 4); }
static void long_digest(uint8_t *wire, size_t *size) { (void)size; memset(wire + 64, 0xff, 2); }
static void reserved(uint8_t *wire, size_t *size) { (void)size; wire[66] = 1; }
static void long_name(uint8_t *wire, size_t *size) { (void)size; memset(wire + IDS_AT + LAYERS * VOLSTREAM_ID, 0xff, 2); }
static void zero_name(uint8_t *wire, size_t *size) { (void)size; wire[IDS_AT + LAYERS * VOLSTREAM_ID + 3] = 0; }
static void cut(uint8_t *wire, size_t *size) { (void)wire; *size -= 1; }
static void little(uint8_t *wire, size_t *size) { (void)wire; *size = VOLSTREAM_DIGEST + 40; }

static void hostile_images_are_refused(void **state)
{
	static void (*const changes[])(uint8_t *wire, size_t *size) = {
		flagged, no_layers, more_layers, many_layers, no_identity, same_identity, many_names, no_names, no_config, long_config, long_manifest,
		no_manifest, long_digest, reserved, long_name, zero_name, cut, little,
	};

	(void)state;
	assert_int_equal(forged(VOLSTREAM_IMAGES, false, NULL), -EBADMSG);	/* only that it goes on no further */
	assert_non_null(strstr(error.why, "cut short"));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		assert_int_equal(forged(VOLSTREAM_IMAGES, false, changes[i]), -EPROTO);
		assert_non_null(strstr(error.why, "description of an image"));
	}
	assert_int_equal(forged(VOLSTREAM_IMAGES, true, NULL), -EPROTO);
	assert_non_null(strstr(error.why, "out of order"));
	assert_int_equal(forged(0, false, NULL), -EPROTO);
	assert_non_null(strstr(error.why, "out of order"));
	assert_int_equal(forged(2, false, NULL), -EOPNOTSUPP);
}

/* ------------------------------------------------------------------ what fits together */

static char said[LAYERS][REFERENCE_MAX];
static size_t said_count;

static void say(const struct bundle_image *image, bool quiet)
{
	(void)quiet;
	if (said_count < LAYERS)
		snprintf(said[said_count++], REFERENCE_MAX, "%s", image->name_count ? image->names[0] : "");
}

/* What `receive --check` says of it: 0, or a negative errno; *left_out may be NULL. */
static int check_bytes(const struct bytes *stream, size_t *left_out)
{
	struct receive_options options = { .quiet = true, .said_image = say };
	struct receive *receive;
	char path[32];
	int fd = bytes_file(stream, path), rc;

	said_count = 0;
	memset(&error, 0, sizeof(error));
	assert_int_equal(receive_new(NULL, &options, &receive, &error), 0);
	rc = receive_read(receive, path, &error);
	if (left_out)
		*left_out = receive_left_out(receive);
	receive_free(receive);
	close(fd);
	return rc;
}

static int check(const struct image *image)
{
	struct bytes stream = { 0 };
	int rc;

	write_image(image, &stream);
	rc = check_bytes(&stream, NULL);
	free(stream.data);
	return rc;
}

static void a_good_one_is_whole(void **state)
{
	struct bytes stream = { 0 };
	struct image image;
	size_t left_out;

	(void)state;
	fill_image(&image);
	image.label = "somebody";
	write_image(&image, &stream);
	assert_int_equal(check_bytes(&stream, &left_out), 0);
	assert_int_equal(left_out, 0);
	assert_int_equal(said_count, 1);
	assert_string_equal(said[0], "app:1");
	/* Another one behind it, of the same layers, which it leaves out; and by itself. */
	image.name = NULL;
	image.left_out = 2;
	write_image(&image, &stream);
	assert_int_equal(check_bytes(&stream, &left_out), 0);
	assert_int_equal(left_out, 0);
	assert_int_equal(said_count, 2);
	stream.size = 0;
	image.left_out = 1;
	write_image(&image, &stream);
	assert_int_equal(check_bytes(&stream, &left_out), 0);
	assert_int_equal(left_out, 1);
	free(stream.data);
}

#define refuses(image, text) do { \
	assert_int_equal(check(image), -EPROTO); \
	if (!strstr(error.why, text)) \
		fail_msg("%s: %s, not \"%s\"", error.what, error.why, text); \
} while (0)

static void images_that_do_not_fit_are_refused(void **state)
{
	struct image image;

	(void)state;
	fill_image(&image);
	image.spoilt_id = 1;
	assert_int_equal(check(&image), -EBADMSG);
	assert_non_null(strstr(error.why, "digest"));
	fill_image(&image);
	strcpy(image.config, "{\"rootfs\":{\"diff_ids\":[]}}");
	assert_int_equal(check(&image), -EBADMSG);
	fill_image(&image);
	strcpy(image.config, "not JSON");
	assert_int_equal(check(&image), -EBADMSG);
	for (const char *const *name = (const char *const[]){ "app", "App:1", "../x:1", "docker.io/library/app:1", "", "a b:1", NULL }; *name; name++) {
		fill_image(&image);
		image.name = *name;
		refuses(&image, "names");
	}
	for (const char *const *fs = (const char *const[]){ "", "../ext4", "ext4 ", "EXT4", "abcdefghijklmnop", NULL }; *fs; fs++) {
		fill_image(&image);
		image.fs = *fs;
		refuses(&image, "file system");
	}
	fill_image(&image);
	image.manifest = "{}";
	image.manifest_digest = "md5:1";
	refuses(&image, "manifest");
	image.manifest_digest = image.diff_ids[0];
	assert_int_equal(check(&image), -EBADMSG);
	image.manifest_digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
	assert_int_equal(check(&image), 0);
}

static void layers_that_do_not_fit_are_refused(void **state)
{
	struct image image;

	(void)state;
	fill_image(&image);
	image.flags = 0;
	refuses(&image, "not frozen");
	fill_image(&image);
	image.odd_key = "layerblk.import";
	refuses(&image, "brings along");
	image.odd_key = "layerblk.identity";
	refuses(&image, "brings along");
	image.odd_key = ATTR_LAYER;
	refuses(&image, "twice");
	fill_image(&image);
	*image.json[1] = '\0';
	refuses(&image, "no layer");
	fill_image(&image);
	strcpy(image.json[1], image.json[0]);
	refuses(&image, "config names");
	fill_image(&image);
	image.fs = "xfs";
	refuses(&image, "config names");
	fill_image(&image);
	memset(image.bases[1], 9, VOLSTREAM_ID);
	refuses(&image, "follows on another");
	fill_image(&image);
	memset(image.bases[1], 0, VOLSTREAM_ID);
	refuses(&image, "follows on another");
	fill_image(&image);
	image.doubled = 1;
	refuses(&image, "twice");
}

static void a_layer_of_no_image_is_refused(void **state)
{
	struct bytes stream = { 0 };
	struct sink sink = { keep, &stream };
	struct volstream_writer *writer;
	struct image image;

	(void)state;
	fill_image(&image);
	assert_int_equal(volstream_writer_new(&sink, VOLSTREAM_OF_IMAGES, VOLSTREAM_RAW, 1, &writer, &error), 0);
	write_layer(&image, 0, writer);
	assert_int_equal(volstream_finish(writer, &error), 0);
	volstream_writer_free(writer);
	assert_int_equal(check_bytes(&stream, NULL), -EPROTO);
	assert_non_null(strstr(error.why, "no image"));
	free(stream.data);
}

/* The first layer described by this text. */
static int describe_as(const char *json, struct layer_description *out)
{
	struct volstream_volume volume = { .size = (uint64_t)BLOCKS * LB_BLOCK_SIZE, .flags = VOLSTREAM_FROZEN, .name = "l" };
	int rc;

	assert_int_equal(volstream_attr_add(&volume, ATTR_LAYER, json, strlen(json), &error), 0);
	rc = layer_description_take(&volume, out, &error);
	volstream_volume_clear(&volume);
	return rc;
}

#define D "sha256:0000000000000000000000000000000000000000000000000000000000000007"
#define E "sha256:0000000000000000000000000000000000000000000000000000000000000008"
#define BEGIN "{\"version\":1,\"chain\":\"" D "\",\"diff_id\":\"" D "\",\"fs\":\"ext4\""

static void layers_are_described_by_what_is_known(void **state)
{
	static const char *const wrong[] = {
		"", "[]", "{}", BEGIN "}",
		BEGIN ",\"tar_size\":5,\"recipe\":{\"offset\":32768,\"size\":1}}",	/* behind the end */
		BEGIN ",\"tar_size\":5,\"recipe\":{\"offset\":9223372036854775807,\"size\":9223372036854775807}}",
		BEGIN ",\"recipe\":{\"offset\":0,\"size\":1}}",				/* of what length */
		BEGIN ",\"tar_size\":-5,\"recipe\":{\"offset\":0,\"size\":1}}",
		BEGIN ",\"tar_size\":5,\"digest\":\"sha256:7\",\"recipe\":{\"offset\":0,\"size\":1}}",
		BEGIN ",\"tar_size\":5,\"media_type\":\"a\\nb\",\"recipe\":{\"offset\":0,\"size\":1}}",
		BEGIN ",\"tar_size\":5,\"build\":\"../\",\"recipe\":{\"offset\":0,\"size\":1}}",
		BEGIN ",\"final\":{\"diff_id\":\"" E "\",\"chain\":\"" E "\"}}",
		BEGIN ",\"final\":{\"diff_id\":\"" E "\",\"tar_size\":3}}",
		BEGIN ",\"final\":7}",
		"{\"version\":2,\"chain\":\"" D "\",\"diff_id\":\"" D "\",\"fs\":\"ext4\",\"tar_size\":5,\"recipe\":{\"offset\":0,\"size\":1}}",
		"{\"version\":1,\"chain\":\"" D "\",\"diff_id\":\"" D "\",\"fs\":\"a/b\",\"tar_size\":5,\"recipe\":{\"offset\":0,\"size\":1}}",
		"{\"version\":1,\"chain\":\"chain\",\"diff_id\":\"" D "\",\"fs\":\"ext4\",\"tar_size\":5,\"recipe\":{\"offset\":0,\"size\":1}}",
	};
	struct layer_description layer;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (describe_as(wrong[i], &layer) != -EPROTO)
			fail_msg("this passes: %s", wrong[i]);
	assert_int_equal(describe_as(BEGIN ",\"provisional\":true,\"build\":\"" E "\",\"more\":{},\"final\":{\"diff_id\":\"" E "\",\"chain\":\"" E
				     "\",\"tar_size\":3,\"x\":1}}", &layer), 0);
	assert_string_equal(layer_description_diff_id(&layer), E);
	assert_string_equal(layer_description_chain(&layer), E);
	assert_string_equal(layer.chain, D);
	assert_string_equal(layer.build, E);
	assert_int_equal(layer.volume.attr_count, 1);
	assert_string_equal(layer.volume.attrs[0].value, BEGIN ",\"provisional\":true,\"build\":\"" E "\",\"final\":{\"diff_id\":\"" E
			    "\",\"chain\":\"" E "\",\"tar_size\":3}}");
	layer_description_clear(&layer);
	assert_int_equal(describe_as(BEGIN ",\"digest\":\"" E "\",\"media_type\":\"a/b\",\"size\":4,\"tar_size\":5,\"recipe\":{\"offset\":4096,"
				     "\"size\":28672}}", &layer), 0);
	assert_string_equal(layer_description_diff_id(&layer), D);
	assert_string_equal(layer.volume.attrs[0].value, BEGIN ",\"digest\":\"" E "\",\"media_type\":\"a\\/b\",\"size\":4,\"tar_size\":5,"
			    "\"recipe\":{\"offset\":4096,\"size\":28672}}");
	layer_description_clear(&layer);
}

/* ------------------------------------------------------------------ identities in a pool */

static const uint8_t uuid[LB_UUID_LEN] = { 1 };
#define ID_A "00112233445566778899aabbccddeeff"
#define ID_B "ffeeddccbbaa99887766554433221100"

static int gather(void *arg, const char *text)
{
	strcat(strcat(arg, text), " ");
	return 0;
}

static void identities_lead_to_layers_that_are_there(void **state)
{
	struct pool pool = { fake_open(), uuid };
	char text[IDENTITY_TEXT], all[200] = "";
	uint64_t volume = 0;

	(void)state;
	fake_reset();
	fake_add_pool(uuid, NULL);
	fake_add_volume(uuid, 5, "five", 0, LB_VOL_FROZEN);
	fake_add_volume(uuid, 6, "six", 0, LB_VOL_FROZEN);
	fake_set_attr(uuid, 5, ATTR_IDENTITY, ID_A);
	fake_set_attr(uuid, 0, KEY_IDENTITY ID_A, "5");
	fake_set_attr(uuid, 0, KEY_IDENTITY ID_B, "6");		/* it has no identity */
	fake_set_attr(uuid, 0, KEY_IDENTITY "0123456789abcdef0123456789abcdef", "7");	/* it is gone */
	fake_set_attr(uuid, 0, KEY_IDENTITY "strange", "5");
	assert_int_equal(identity_find(&pool, ID_A, &volume, &error), 1);
	assert_int_equal(volume, 5);
	assert_int_equal(identity_find(&pool, ID_B, &volume, &error), 0);
	assert_int_equal(identity_find(&pool, "0123456789abcdef0123456789abcdef", &volume, &error), 0);
	assert_int_equal(identity_load(&pool, 5, text, &error), 0);
	assert_string_equal(text, ID_A);
	assert_int_equal(identity_load(&pool, 6, text, &error), 0);
	assert_string_equal(text, "");
	assert_int_equal(identity_each(&pool, gather, all, &error), 0);
	assert_string_equal(all, ID_A " ");
	fake_close(pool.lb);
}

/* Whether a layer, volume 9 on `below`, would get the key of its ChainID. */
static size_t keys(const struct pool *pool, const char *chain, uint64_t below, const char *below_chain)
{
	struct layerblk_attrs *attrs = layerblk_attrs_new();
	size_t count;

	assert_int_equal(layer_enter(pool, attrs, "ext4", chain, 9, below, below_chain, &error), 0);
	count = layerblk_attrs_count(attrs);
	layerblk_attrs_free(attrs);
	return count;
}

static void chains_are_not_taken_from_others(void **state)
{
	struct pool pool = { fake_open(), uuid };
	struct layerblk_attrs *attrs = layerblk_attrs_new();
	char key[KEY_TEXT];

	(void)state;
	fake_reset();
	fake_add_pool(uuid, NULL);
	fake_add_volume(uuid, 5, "imported", 0, LB_VOL_FROZEN);
	fake_add_volume(uuid, 6, "received", 0, LB_VOL_FROZEN);
	layer_key("ext4", D, key);
	fake_set_attr(uuid, 0, key, "5");
	fake_set_attr(uuid, 5, ATTR_LAYER, BEGIN "}");
	fake_set_attr(uuid, 6, ATTR_LAYER, BEGIN "}");
	assert_int_equal(keys(&pool, D, 0, ""), 0);		/* it is taken */
	assert_int_equal(keys(&pool, E, 0, ""), 1);
	assert_int_equal(keys(&pool, E, 5, D), 1);
	assert_int_equal(keys(&pool, E, 6, D), 0);		/* what is below has not got its own */
	key_drop_of(&pool, attrs, key, 6);
	assert_int_equal(layerblk_attrs_count(attrs), 0);
	key_drop_of(&pool, attrs, "none", 5);
	assert_int_equal(layerblk_attrs_count(attrs), 0);
	key_drop_of(&pool, attrs, key, 5);
	assert_int_equal(layerblk_attrs_count(attrs), 1);
	layerblk_attrs_free(attrs);
	fake_close(pool.lb);
}

static void lists_of_identities_are_read(void **state)
{
	static const char good[] = ID_A "\n\n" ID_B "\r\n" ID_A "\n";
	static const char *const bad[] = { ID_A "0\n", ID_A "\nxyz\n", "layerctl: no such pool\n", ID_A " \n" };
	struct bytes list = { 0 };
	struct idset set = { 0 };
	uint8_t id[VOLSTREAM_ID];
	char path[32];
	int fd;

	(void)state;
	keep(&list, good, strlen(good), &error);
	fd = bytes_file(&list, path);
	assert_int_equal(idset_read(&set, path, &error), 0);
	close(fd);
	assert_int_equal(set.count, 2);
	assert_int_equal(volstream_id_parse(ID_B, id), 0);
	assert_true(idset_has(&set, id));
	id[0] ^= 1;
	assert_false(idset_has(&set, id));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		list.size = 0;
		keep(&list, bad[i], strlen(bad[i]), &error);
		fd = bytes_file(&list, path);
		assert_int_equal(idset_read(&set, path, &error), -EINVAL);
		close(fd);
	}
	list.size = 0;
	for (int i = 0; i < 5000; i++)
		keep(&list, "aa", 2, &error);
	fd = bytes_file(&list, path);
	assert_int_equal(idset_read(&set, path, &error), -EINVAL);
	close(fd);
	assert_int_equal(idset_read(&set, "/nowhere", &error), -ENOENT);
	idset_clear(&set);
	free(list.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_comes_back),
		cmocka_unit_test(cuts_and_flipped_bits_are_found),
		cmocka_unit_test(a_backup_is_no_image_and_no_image_a_backup),
		cmocka_unit_test(hostile_images_are_refused),
		cmocka_unit_test(a_good_one_is_whole),
		cmocka_unit_test(images_that_do_not_fit_are_refused),
		cmocka_unit_test(layers_that_do_not_fit_are_refused),
		cmocka_unit_test(a_layer_of_no_image_is_refused),
		cmocka_unit_test(layers_are_described_by_what_is_known),
		cmocka_unit_test(identities_lead_to_layers_that_are_there),
		cmocka_unit_test(chains_are_not_taken_from_others),
		cmocka_unit_test(lists_of_identities_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
