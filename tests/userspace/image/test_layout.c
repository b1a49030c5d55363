// SPDX-License-Identifier: GPL-2.0-or-later
/* Image sources: layouts and archives in all their forms, and damaged ones, which must be refused in words. */
#include "fixture.h"

static void simple_layers(const char *filter)
{
	struct layer_maker *layer = layer_begin();

	put_file(layer, "base", "base");
	layer_end(layer, filter);
	layer = layer_begin();
	put_file(layer, "top", "top");
	layer_end(layer, filter);
}

static void assert_imported(const char *path)
{
	if (import_to_root(path) != 0)
		fail_msg("%s", fixture.text);
	assert_string_equal(read_file(in_root("base")), "base");
	assert_string_equal(read_file(in_root("top")), "top");
}

static void run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void read_bundle(const char *path, const char *platform_name, const char *chosen, struct bundle *bundle, int expected)
{
	struct platform platform;
	struct source *source;

	assert_int_equal(platform_parse(platform_name, &platform, NULL), 0);
	assert_int_equal(source_open(path, &source, &fixture.err), 0);
	assert_int_equal(bundle_read(source, path, &platform, chosen, bundle, &fixture.err), expected);
	layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text));
	source_close(source);
}

/* ------------------------------------------------------------------ forms */

static void test_compressions(void **state)
{
	(void)state;
	simple_layers("gzip");
	simple_layers("zstd");
	simple_layers("none");
	layout_write();
	assert_imported(fixture.layout);
}

static void test_layout_tars(void **state)
{
	static const char *const suffixes[] = { "", ".gz", ".zst", ".xz" };
	static const char *const programs[] = { "cat", "gzip", "zstd -q", "xz" };

	(void)state;
	simple_layers("gzip");
	layout_write();
	for (int i = 0; i < 4; i++) {
		char *archive = path_of(fixture.dir, "layout.tar");

		run("tar -C %s -c . | %s > %s%s", fixture.layout, programs[i], archive, suffixes[i]);
		strcat(archive, suffixes[i]);
		run("rm -rf %s/*", fixture.root);
		assert_imported(archive);
	}
}

static void test_empty_layer(void **state)
{
	struct layer_maker *layer;

	(void)state;
	simple_layers("gzip");
	layer = layer_begin();
	layer_end(layer, "gzip");
	layout_write();
	assert_imported(fixture.layout);
}

/* Bytes behind the end of the tar count for the digests. */
static void test_padding(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "base", "base");
	put_file(layer, "top", "top");
	archive_write_close(layer->archive);
	memset(layer->plain + layer->plain_used, 0, 100000);
	layer->plain_used += 100000;
	archive_write_free(layer->archive);
	layer->bytes = compressed(layer->plain, layer->plain_used, "gzip", &layer->used);
	digest_of(layer->plain, layer->plain_used, layer->diff_id);
	digest_of(layer->bytes, layer->used, layer->digest);
	layout_write();
	assert_imported(fixture.layout);
}

static void docker_layout(const char *config_name, const char *second_layer)
{
	char config[2048], manifest[2048], digest[DIGEST_TEXT], name[256];
	int size;

	assert_int_equal(mkdir(fixture.layout, 0755), 0);
	mkdir(in_layout("one"), 0755);
	mkdir(in_layout("two"), 0755);
	write_file(in_layout("one/layer.tar"), fixture.layers[0].bytes, fixture.layers[0].used);
	write_file(in_layout("two.tar"), fixture.layers[1].bytes, fixture.layers[1].used);
	assert_int_equal(symlink("../two.tar", in_layout("two/layer.tar")), 0);
	size = snprintf(config, sizeof(config), "{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"%s\",\"%s\"]}}",
			fixture.layers[0].diff_id, fixture.layers[1].diff_id);
	digest_of(config, (size_t)size, digest);
	snprintf(name, sizeof(name), "%s.json", config_name ? config_name : digest_hex(digest));
	write_file(in_layout(name), config, (size_t)size);
	size = snprintf(manifest, sizeof(manifest), "[{\"Config\":\"%s\",\"RepoTags\":[\"docker.io/library/app:1\",\"me/app:2\"],"
			"\"Layers\":[\"one/layer.tar\",\"%s\"]}]", name, second_layer);
	write_file(in_layout("manifest.json"), manifest, (size_t)size);
}

static void test_docker_archive(void **state)
{
	struct bundle bundle;
	char *archive;

	(void)state;
	simple_layers("none");
	docker_layout(NULL, "two/layer.tar");
	assert_imported(fixture.layout);
	archive = path_of(fixture.dir, "saved.tar");
	run("tar -C %s -cf %s . && rm -rf %s/*", fixture.layout, archive, fixture.root);
	assert_imported(archive);
	run("gzip -k %s && rm -rf %s/*", archive, fixture.root);
	assert_imported(path_of(fixture.dir, "saved.tar.gz"));

	read_bundle(archive, "linux/amd64", NULL, &bundle, 0);
	assert_int_equal(bundle.count, 1);
	assert_int_equal(bundle.images[0].name_count, 2);
	assert_string_equal(bundle.images[0].names[0], "app:1");
	assert_string_equal(bundle.images[0].names[1], "me/app:2");
	assert_string_equal(bundle.images[0].layers[0].chain, fixture.layers[0].diff_id);
	bundle_clear(&bundle);
}

static void test_docker_wrong_config_name(void **state)
{
	(void)state;
	simple_layers("none");
	docker_layout("0000000000000000000000000000000000000000000000000000000000000000", "two/layer.tar");
	assert_refused(fixture.layout, "digest");
}

static void test_docker_missing_layer(void **state)
{
	(void)state;
	simple_layers("none");
	docker_layout(NULL, "three/layer.tar");
	assert_refused(fixture.layout, "missing");
}

static void test_docker_layer_outside(void **state)
{
	char *archive = path_of(fixture.dir, "saved.tar");

	(void)state;
	simple_layers("none");
	docker_layout(NULL, "../outside.tar");
	write_file(path_of(fixture.dir, "outside.tar"), fixture.layers[1].bytes, fixture.layers[1].used);
	assert_refused(fixture.layout, "missing");
	run("tar -C %s -cf %s .", fixture.layout, archive);
	assert_refused(archive, "missing");
}

/* ------------------------------------------------------------------ names and platforms */

static void test_names(void **state)
{
	static const struct {
		const char *annotation;
		const char *name;
	} cases[] = {
		{ "", "layout:latest" },
		{ ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v7\"}", "layout:v7" },
		{ ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"docker.io/library/debian:12\"}", "debian:12" },
		{ ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"x\",\"io.containerd.image.name\":\"quay.io/a/b:c\"}",
		  "quay.io/a/b:c" },
	};
	char digest[DIGEST_TEXT];
	struct bundle bundle;

	(void)state;
	simple_layers("gzip");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		layout_write_more("", cases[i].annotation, digest);
		read_bundle(fixture.layout, "linux/amd64", NULL, &bundle, 0);
		assert_int_equal(bundle.count, 1);
		assert_int_equal(bundle.images[0].name_count, 1);
		assert_string_equal(bundle.images[0].names[0], cases[i].name);
		bundle_clear(&bundle);
	}
}

static void write_index(const char *format, const char *one, const char *two)
{
	char index[4096];
	int size = snprintf(index, sizeof(index), format, one, two);

	write_file(in_layout("index.json"), index, (size_t)size);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define ENTRY "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\""

static void test_several_images(void **state)
{
	char one[DIGEST_TEXT], two[DIGEST_TEXT];
	struct bundle bundle;

	(void)state;
	simple_layers("gzip");
	layout_write_more("", "", one);
	layout_write_more("\"author\":\"somebody\",", "", two);
	write_index("{\"manifests\":["
		    ENTRY ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"a\"}},"
		    ENTRY ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"b\"}}]}", one, two);
	read_bundle(fixture.layout, "linux/amd64", NULL, &bundle, 0);
	assert_int_equal(bundle.count, 2);
	bundle_clear(&bundle);
	read_bundle(fixture.layout, "linux/amd64", "b", &bundle, 0);
	assert_int_equal(bundle.count, 1);
	assert_string_equal(bundle.images[0].manifest_digest, two);
	bundle_clear(&bundle);
	read_bundle(fixture.layout, "linux/amd64", "layout:a", &bundle, 0);
	assert_string_equal(bundle.images[0].manifest_digest, one);
	bundle_clear(&bundle);
	read_bundle(fixture.layout, "linux/amd64", "c", &bundle, -ENOENT);
	assert_non_null(strstr(fixture.text, "layout:a, layout:b"));

	/* one image under two names */
	write_index("{\"manifests\":["
		    ENTRY ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"a\"}},"
		    ENTRY ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"b\"}}]}", one, one);
	read_bundle(fixture.layout, "linux/amd64", NULL, &bundle, 0);
	assert_int_equal(bundle.count, 1);
	assert_int_equal(bundle.images[0].name_count, 2);
	bundle_clear(&bundle);
}

static void test_platforms(void **state)
{
	char amd[DIGEST_TEXT], arm[DIGEST_TEXT], nested[DIGEST_TEXT], index[4096], top[1024];
	struct bundle bundle;
	int size;

	(void)state;
	simple_layers("gzip");
	layout_write_more("", "", amd);
	layout_write_more("\"variant\":\"v8\",", "", arm);
	size = snprintf(index, sizeof(index), "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
			ENTRY ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
			ENTRY ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}},"
			ENTRY ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}", amd, arm, amd);
	write_blob(index, (size_t)size, nested);
	size = snprintf(top, sizeof(top), "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\","
			"\"size\":%d,\"annotations\":{\"org.opencontainers.image.ref.name\":\"multi\"}}]}", nested, size);
	write_file(in_layout("index.json"), top, (size_t)size);

	read_bundle(fixture.layout, "linux/x86_64", NULL, &bundle, 0);
	assert_int_equal(bundle.count, 1);
	assert_string_equal(bundle.images[0].manifest_digest, amd);
	assert_string_equal(bundle.images[0].names[0], "layout:multi");
	bundle_clear(&bundle);
	read_bundle(fixture.layout, "linux/arm64", NULL, &bundle, 0);
	assert_string_equal(bundle.images[0].manifest_digest, arm);
	bundle_clear(&bundle);
	read_bundle(fixture.layout, "linux/s390x", NULL, &bundle, -ENOENT);
	assert_non_null(strstr(fixture.text, "linux/arm64/v8, linux/amd64"));
}

/* ------------------------------------------------------------------ damage */

static void layer_path(size_t at, char path[256])
{
	blob_path(fixture.layers[at].digest, path);
}

static void test_wrong_layer_digest(void **state)
{
	char path[256];

	(void)state;
	simple_layers("none");
	layout_write();
	layer_path(1, path);
	fixture.layers[1].bytes[600] ^= 1;	/* in the file's data: the tar itself is fine */
	write_file(path, fixture.layers[1].bytes, fixture.layers[1].used);
	assert_refused(fixture.layout, "digest");
}

static void test_wrong_diff_id(void **state)
{
	(void)state;
	simple_layers("gzip");
	fixture.layers[1].diff_id[10] ^= 1;
	layout_write();
	assert_refused(fixture.layout, fixture.layers[1].diff_id);
}

static void test_truncated(void **state)
{
	static const char *const filters[] = { "gzip", "zstd", "none" };
	char path[256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct layer_maker *layer = layer_begin();

		for (int n = 0; n < 50; n++) {
			char name[32];

			snprintf(name, sizeof(name), "file-%d-%d", i, n * 7919);
			put_file(layer, name, name);
		}
		layer_end(layer, filters[i]);
		layout_write();
		layer_path(fixture.count - 1, path);
		assert_int_equal(truncate(path, (off_t)layer->used / 2), 0);
		assert_int_not_equal(import_to_root(fixture.layout), 0);
		write_file(path, layer->bytes, layer->used);
	}
}

/* Whatever byte of a compressed layer is damaged, it is noticed. */
static void test_damaged_compression(void **state)
{
	static const char *const filters[] = { "gzip", "zstd" };
	char path[256];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct layer_maker *layer = layer_begin();

		put_file(layer, "f", "some content that is compressed");
		layer_end(layer, filters[i]);
		layout_write();
		layer_path(fixture.count - 1, path);
		for (size_t at = 0; at < layer->used; at += 3) {
			layer->bytes[at] ^= 0x10;
			write_file(path, layer->bytes, layer->used);
			assert_int_not_equal(import_to_root(fixture.layout), 0);
			layer->bytes[at] ^= 0x10;
		}
		write_file(path, layer->bytes, layer->used);
	}
}

static void test_garbage_layer(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	archive_write_close(layer->archive);
	archive_write_free(layer->archive);
	for (size_t i = 0; i < 20000; i++)
		layer->plain[i] = (char)(i * 2654435761U >> 13);
	layer->plain_used = 20000;
	layer->bytes = compressed(layer->plain, layer->plain_used, "gzip", &layer->used);
	digest_of(layer->plain, layer->plain_used, layer->diff_id);
	digest_of(layer->bytes, layer->used, layer->digest);
	layout_write();
	assert_refused(fixture.layout, "tar is damaged");
}

static void test_missing_parts(void **state)
{
	char digest[DIGEST_TEXT], path[256];

	(void)state;
	simple_layers("gzip");
	layout_write_more("", "", digest);
	layer_path(0, path);
	assert_int_equal(unlink(path), 0);
	assert_refused(fixture.layout, "missing");
	blob_path(digest, path);
	assert_int_equal(unlink(path), 0);
	assert_refused(fixture.layout, "no such file");
	assert_int_equal(unlink(in_layout("oci-layout")), 0);
	assert_refused(fixture.layout, "oci-layout");
	assert_int_equal(unlink(in_layout("index.json")), 0);
	assert_refused(fixture.layout, "neither");
	assert_refused(in_layout("nowhere"), "No such file");
}

static void test_bad_json(void **state)
{
	static const char *const indexes[] = {
		"", "{", "nul", "[]", "{}", "{\"manifests\":{}}", "{\"manifests\":[7]}", "{\"manifests\":[{}]}",
		"{\"manifests\":[]}", "{\"manifests\":[{\"digest\":\"sha256:../../x\"}]}", "{\"manifests\":[]} more",
		"{\"manifests\":[{\"digest\":12}]}", "\xff\xfe",
	};

	(void)state;
	simple_layers("gzip");
	layout_write();
	for (size_t i = 0; i < sizeof(indexes) / sizeof(*indexes); i++) {
		write_file(in_layout("index.json"), indexes[i], strlen(indexes[i]));
		if (import_to_root(fixture.layout) == 0)
			fail_msg("taken: %s", indexes[i]);
	}
}

/* An index that lists itself, and indexes that multiply, end. */
static void test_nested_indexes(void **state)
{
	char index[8192], digest[DIGEST_TEXT] = "";
	int size;

	(void)state;
	simple_layers("gzip");
	layout_write();
	for (int depth = 0; depth < 20; depth++) {
		size = snprintf(index, sizeof(index), "{\"schemaVersion\":2,\"manifests\":[");
		for (int i = 0; depth && i < 9; i++)
			size += snprintf(index + size, sizeof(index) - (size_t)size, "%s{\"mediaType\":"
					 "\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\"}", i ? "," : "", digest);
		size += snprintf(index + size, sizeof(index) - (size_t)size, "]}");
		write_blob(index, (size_t)size, digest);
	}
	write_file(in_layout("index.json"), index, (size_t)size);
	assert_refused(fixture.layout, "nested");
}

static void test_wrong_kinds(void **state)
{
	char digest[DIGEST_TEXT];

	(void)state;
	simple_layers("gzip");
	layout_write_more("\"os\":\"windows\",", "", digest);
	assert_refused(fixture.layout, "windows");
	fixture.count = 0;
	layout_write();
	assert_refused(fixture.layout, "no layers");
	fixture.count = 2;
}

static void test_layout_outside_link(void **state)
{
	char path[256];

	(void)state;
	simple_layers("gzip");
	layout_write();
	layer_path(0, path);
	write_file(path_of(fixture.dir, "outside"), fixture.layers[0].bytes, fixture.layers[0].used);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path_of(fixture.dir, "outside"), path), 0);
	assert_refused(fixture.layout, "missing");
}

static void test_not_archives(void **state)
{
	char *file = path_of(fixture.dir, "file");

	(void)state;
	write_file(file, "", 0);
	assert_refused(file, "empty");
	write_file(file, "neither tar nor anything else", 29);
	assert_int_not_equal(import_to_root(file), 0);
	run("head -c 100000 /dev/urandom > %s", file);
	assert_int_not_equal(import_to_root(file), 0);
	run("tar -cf %s -C %s root", file, fixture.dir);
	assert_refused(file, "neither");
	assert_refused("/dev/null", "neither a directory nor a file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_compressions), fixture_test(test_layout_tars), fixture_test(test_empty_layer),
		fixture_test(test_padding), fixture_test(test_docker_archive), fixture_test(test_docker_wrong_config_name),
		fixture_test(test_docker_missing_layer), fixture_test(test_docker_layer_outside), fixture_test(test_names),
		fixture_test(test_several_images), fixture_test(test_platforms), fixture_test(test_wrong_layer_digest),
		fixture_test(test_wrong_diff_id), fixture_test(test_truncated), fixture_test(test_damaged_compression),
		fixture_test(test_garbage_layer), fixture_test(test_missing_parts), fixture_test(test_bad_json),
		fixture_test(test_nested_indexes), fixture_test(test_wrong_kinds), fixture_test(test_layout_outside_link),
		fixture_test(test_not_archives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
