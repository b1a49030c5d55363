/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images made on the spot: layers as tars of entries, an OCI layout around them, and applying all of it to a directory. A test works in
 * fixture.dir, which is removed afterwards.
 */
#ifndef TESTS_IMAGE_FIXTURE_H
#define TESTS_IMAGE_FIXTURE_H

#include "../test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <archive.h>
#include <archive_entry.h>
#include "apply.h"
#include "bundle.h"
#include "cleanup.h"

#define LAYER_ROOM	(8U << 20)
#define LAYERS_ROOM	8

struct layer_maker {
	struct archive *archive;
	char *bytes;			/* the finished blob */
	size_t used;
	char *plain;			/* its uncompressed tar */
	size_t plain_used;
	char digest[DIGEST_TEXT];
	char diff_id[DIGEST_TEXT];
};

static struct {
	char dir[64];			/* the test's own */
	char layout[96];
	char root[96];
	struct layer_maker layers[LAYERS_ROOM];
	size_t count;
	struct layerblk_error err;
	char text[2048];
} fixture;

/* ------------------------------------------------------------------ files */

__attribute__((unused)) static char *path_of(const char *base, const char *name)
{
	static char paths[8][512];
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	snprintf(path, 512, "%s/%s", base, name);
	return path;
}

#define in_root(name)	path_of(fixture.root, name)
#define in_layout(name)	path_of(fixture.layout, name)

__attribute__((unused)) static void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static char *read_file(const char *path)
{
	static char text[4096];
	FILE *file = fopen(path, "r");
	size_t got;

	if (!file)
		return NULL;
	got = fread(text, 1, sizeof(text) - 1, file);
	text[got] = '\0';
	fclose(file);
	return text;
}

__attribute__((unused)) static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int fixture_setup(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	strcpy(fixture.dir, "/tmp/layerblk-test-XXXXXX");
	assert_non_null(mkdtemp(fixture.dir));
	snprintf(fixture.layout, sizeof(fixture.layout), "%s/layout", fixture.dir);
	snprintf(fixture.root, sizeof(fixture.root), "%s/root", fixture.dir);
	assert_int_equal(mkdir(fixture.root, 0755), 0);
	return 0;
}

static int fixture_teardown(void **state)
{
	char command[128];

	(void)state;
	for (size_t i = 0; i < fixture.count; i++) {
		free(fixture.layers[i].bytes);
		free(fixture.layers[i].plain);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture.dir);
	return system(command);
}

/* ------------------------------------------------------------------ layers */

__attribute__((unused)) static struct layer_maker *layer_begin(void)
{
	struct layer_maker *layer = &fixture.layers[fixture.count++];

	assert_true(fixture.count <= LAYERS_ROOM);
	layer->plain = malloc(LAYER_ROOM);
	layer->archive = archive_write_new();
	archive_write_set_format_pax(layer->archive);
	archive_write_add_filter_none(layer->archive);
	archive_write_set_bytes_per_block(layer->archive, 512);
	archive_write_open_memory(layer->archive, layer->plain, LAYER_ROOM, &layer->plain_used);
	return layer;
}

/* An entry with usual metadata; change it before layer_put(). */
__attribute__((unused)) static struct archive_entry *entry_new(const char *path, unsigned int type, unsigned int mode)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, (mode_t)mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 1500000000, 123456789);
	archive_entry_set_size(entry, 0);
	return entry;
}

__attribute__((unused)) static void layer_put(struct layer_maker *layer, struct archive_entry *entry, const char *data)
{
	size_t size = data ? strlen(data) : 0;

	if (data)
		archive_entry_set_size(entry, (la_int64_t)size);
	assert_true(archive_write_header(layer->archive, entry) >= ARCHIVE_WARN);
	if (size)
		assert_int_equal(archive_write_data(layer->archive, data, size), size);
	archive_entry_free(entry);
}

__attribute__((unused)) static void put_file(struct layer_maker *layer, const char *path, const char *data)
{
	layer_put(layer, entry_new(path, AE_IFREG, 0644), data);
}

__attribute__((unused)) static void put_directory(struct layer_maker *layer, const char *path)
{
	layer_put(layer, entry_new(path, AE_IFDIR, 0755), NULL);
}

__attribute__((unused)) static void put_symlink(struct layer_maker *layer, const char *path, const char *target)
{
	struct archive_entry *entry = entry_new(path, AE_IFLNK, 0777);

	archive_entry_set_symlink(entry, target);
	layer_put(layer, entry, NULL);
}

__attribute__((unused)) static void put_hard_link(struct layer_maker *layer, const char *path, const char *target)
{
	struct archive_entry *entry = entry_new(path, AE_IFREG, 0644);

	archive_entry_set_hardlink(entry, target);
	layer_put(layer, entry, NULL);
}

static char *compressed(const char *data, size_t size, const char *filter, size_t *used)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	char *out = malloc(LAYER_ROOM);

	archive_write_set_format_raw(archive);
	if (strcmp(filter, "gzip") == 0)
		archive_write_add_filter_gzip(archive);
	else if (strcmp(filter, "zstd") == 0)
		archive_write_add_filter_zstd(archive);
	else
		archive_write_add_filter_none(archive);
	archive_write_set_bytes_in_last_block(archive, 1);
	archive_write_open_memory(archive, out, LAYER_ROOM, used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(archive, entry);
	assert_int_equal(archive_write_data(archive, data, size), size);
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	archive_entry_free(entry);
	return out;
}

/* filter: "none", "gzip" or "zstd". */
__attribute__((unused)) static void layer_end(struct layer_maker *layer, const char *filter)
{
	assert_int_equal(archive_write_close(layer->archive), ARCHIVE_OK);
	archive_write_free(layer->archive);
	layer->archive = NULL;
	layer->bytes = compressed(layer->plain, layer->plain_used, filter, &layer->used);
	digest_of(layer->plain, layer->plain_used, layer->diff_id);
	digest_of(layer->bytes, layer->used, layer->digest);
}

/* ------------------------------------------------------------------ the layout */

__attribute__((unused)) static void blob_path(const char *digest, char path[256])
{
	snprintf(path, 256, "%s/blobs/sha256/%s", fixture.layout, digest_hex(digest));
}

__attribute__((unused)) static void write_blob(const char *data, size_t size, char digest[DIGEST_TEXT])
{
	char path[256];

	digest_of(data, size, digest);
	blob_path(digest, path);
	write_file(path, data, size);
}

/* config_more and annotation may be "". Gives the manifest's digest. */
__attribute__((unused)) static void layout_write_more(const char *config_more, const char *entry_more,
						      char manifest_digest[DIGEST_TEXT])
{
	static char config[65536], manifest[65536], index[4096], path[256];
	char config_digest[DIGEST_TEXT];
	size_t used;

	mkdir(fixture.layout, 0755);
	mkdir(in_layout("blobs"), 0755);
	mkdir(in_layout("blobs/sha256"), 0755);
	used = (size_t)snprintf(config, sizeof(config), "{\"architecture\":\"amd64\",\"os\":\"linux\",%s"
				"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", config_more);
	for (size_t i = 0; i < fixture.count; i++)
		used += (size_t)snprintf(config + used, sizeof(config) - used, "%s\"%s\"", i ? "," : "", fixture.layers[i].diff_id);
	used += (size_t)snprintf(config + used, sizeof(config) - used, "]}}");
	write_blob(config, used, config_digest);
	used = (size_t)snprintf(manifest, sizeof(manifest), "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
				"\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
				config_digest, used);
	for (size_t i = 0; i < fixture.count; i++) {
		const struct layer_maker *layer = &fixture.layers[i];

		used += (size_t)snprintf(manifest + used, sizeof(manifest) - used,
					 "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":%zu}",
					 i ? "," : "", layer->digest, layer->used);
		blob_path(layer->digest, path);
		write_file(path, layer->bytes, layer->used);
	}
	used += (size_t)snprintf(manifest + used, sizeof(manifest) - used, "]}");
	write_blob(manifest, used, manifest_digest);
	used = (size_t)snprintf(index, sizeof(index), "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
				"\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu%s}]}",
				manifest_digest, used, entry_more);
	write_file(in_layout("index.json"), index, used);
	write_file(in_layout("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
}

__attribute__((unused)) static void layout_write(void)
{
	char digest[DIGEST_TEXT];

	layout_write_more("", "", digest);
}

/* ------------------------------------------------------------------ reading and applying */

/* Reads `path` and applies all layers of its first image to fixture.root; the error is in fixture.err. */
__attribute__((unused)) static int import_to_root(const char *path)
{
	struct platform platform = { .os = "linux", .architecture = "amd64" };
	struct source *source = NULL;
	struct bundle bundle = { 0 };
	cleanup_fd int root = open(fixture.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = source_open(path, &source, &fixture.err);

	if (!rc)
		rc = bundle_read(source, path, &platform, NULL, &bundle, &fixture.err);
	for (size_t i = 0; !rc && i < bundle.images[0].layer_count; i++) {
		struct stream *stream;

		rc = stream_open(source, &bundle.images[0].layers[i], NULL, NULL, &stream, &fixture.err);
		if (rc)
			break;
		rc = apply_layer(root, stream, NULL, &fixture.err);
		if (!rc)
			rc = stream_finish(stream, &fixture.err);
		stream_close(stream);
	}
	bundle_clear(&bundle);
	source_close(source);
	if (rc)
		layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text));
	return rc;
}

/* The layers so far, from a layout in a directory; must succeed. */
__attribute__((unused)) static void apply_all(void)
{
	layout_write();
	if (import_to_root(fixture.layout) != 0)
		fail_msg("%s", fixture.text);
}

/* Must be refused with a text that has `word`. */
__attribute__((unused)) static void assert_refused(const char *path, const char *word)
{
	assert_int_not_equal(import_to_root(path), 0);
	if (!strstr(fixture.text, word))
		fail_msg("\"%s\" has no \"%s\"", fixture.text, word);
}

#define fixture_test(f)	cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
