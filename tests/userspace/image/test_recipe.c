// SPDX-License-Identifier: GPL-2.0-or-later
/* A layer's tar comes again, byte for byte, from its recipe and the files that were unpacked. Needs root. */
#include "fixture.h"
#include "recipe.h"
#include "spool.h"

struct bytes {
	char *data;
	size_t size;
};

static int collect(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct bytes *bytes = arg;

	(void)err;
	bytes->data = realloc(bytes->data, bytes->size + size);
	assert_non_null(bytes->data);
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return 0;
}

/* The layer that was made last, unpacked into fixture.root with a recipe. */
static struct recipe *unpack(struct apply_result *result, int *fd, uint64_t *size)
{
	struct layer_maker *made = &fixture.layers[fixture.count - 1];
	struct bundle_layer layer = { .blob = (char *)(uintptr_t)"blob", .size = -1 };
	cleanup_fd int root = open(fixture.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct source *source = NULL;
	struct stream *stream = NULL;
	struct recipe *recipe = NULL;

	mkdir(fixture.layout, 0755);
	write_file(in_layout("blob"), made->bytes, made->used);
	strcpy(layer.diff_id, made->diff_id);
	assert_int_equal(source_open(fixture.layout, &source, &fixture.err), 0);
	assert_int_equal(recipe_new(&recipe, &fixture.err), 0);
	assert_int_equal(stream_open_recorded(source, &layer, recipe, NULL, NULL, &stream, &fixture.err), 0);
	if (apply_layer(root, stream, result, &fixture.err) || stream_finish(stream, &fixture.err))
		fail_msg("%s", layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text)));
	assert_int_equal(recipe_finish(recipe, fd, size, &fixture.err), 0);
	stream_close(stream);
	source_close(source);
	return recipe;
}

static int replay(int fd, uint64_t size, struct bytes *out)
{
	cleanup_fd int root = open(fixture.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sink sink = { collect, out };
	int rc;

	memset(out, 0, sizeof(*out));
	rc = recipe_replay(fd, 0, size, root, &sink, &fixture.err);
	if (rc)
		layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text));
	return rc;
}

/* Gives the recipe's size. */
static uint64_t assert_same_tar(void)
{
	const struct layer_maker *made = &fixture.layers[fixture.count - 1];
	struct apply_result result;
	struct recipe *recipe;
	struct bytes got;
	uint64_t size;
	int fd;

	recipe = unpack(&result, &fd, &size);
	assert_false(result.lost);
	if (replay(fd, size, &got) != 0)
		fail_msg("%s", fixture.text);
	assert_int_equal(got.size, made->plain_used);
	assert_memory_equal(got.data, made->plain, got.size);
	free(got.data);
	recipe_free(recipe);
	return size;
}

static void noise(char *text, size_t size, unsigned int seed)
{
	for (size_t i = 0; i + 1 < size; i++)
		text[i] = (char)('!' + (seed = seed * 1103515245u + 12345u) / 65536 % 90);
	text[size - 1] = '\0';
}

static void test_every_kind(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry;
	static char big[1 << 20], name[300];

	(void)state;
	noise(big, sizeof(big), 1);
	put_directory(layer, "./");
	put_directory(layer, "a/");
	put_file(layer, "a/file", "contents");
	put_file(layer, "a/empty", NULL);
	put_file(layer, "a/big", big);
	put_hard_link(layer, "a/link", "a/big");
	put_symlink(layer, "a/symlink", "file");
	memset(name, 'n', 200);
	put_file(layer, name, "a long name");
	entry = entry_new("a/sparse", AE_IFREG, 0644);
	archive_entry_set_size(entry, 3 << 20);
	archive_entry_sparse_add_entry(entry, 4096, 8);
	archive_entry_sparse_add_entry(entry, 2 << 20, 8);
	archive_write_header(layer->archive, entry);
	for (int i = 0; i < 48; i++)
		archive_write_data(layer->archive, big, 65536);
	archive_entry_free(entry);
	entry = entry_new("a/owner", AE_IFREG, 0640);
	archive_entry_set_uid(entry, 3000000000);
	archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
	layer_put(layer, entry, "x");
	put_file(layer, ".wh.nothing", NULL);
	layer_end(layer, "gzip");
	assert_true(assert_same_tar() < 64 << 10);	/* the contents are not in it */
}

/* What follows the end of the archive, and a tar without an end, count too. */
static void test_trailing_bytes(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "file", "contents");
	layer_end(layer, "none");
	memset(layer->plain + layer->plain_used, 0, 9000);
	strcpy(layer->plain + layer->plain_used + 8000, "behind the end");
	layer->plain_used += 9000;
	free(layer->bytes);
	layer->bytes = compressed(layer->plain, layer->plain_used, "zstd", &layer->used);
	digest_of(layer->plain, layer->plain_used, layer->diff_id);
	assert_same_tar();
	layer->plain_used -= 9000 + 1024;		/* without the two blocks of zeros */
	free(layer->bytes);
	layer->bytes = compressed(layer->plain, layer->plain_used, "none", &layer->used);
	digest_of(layer->plain, layer->plain_used, layer->diff_id);
	assert_int_equal(unlink(in_root("file")), 0);
	assert_same_tar();
}

/* Tars of other makers: headers that libarchive would not write. */
static void test_foreign_tars(void **state)
{
	static const char *const commands[] = {
		"tar -C %s/in --format=gnu -S -cf %s/out.tar .",
		"tar -C %s/in --exclude='nnn*' --format=v7 -cf %s/out.tar a sub",
		"tar -C %s/in --format=oldgnu -S -b 7 -cf %s/out.tar .",
		"tar -C %s/in --format=posix -S --sparse-version=0.0 --xattrs -cf %s/out.tar .",
		"tar -C %s/in --format=posix -S --sparse-version=0.1 -cf %s/out.tar .",
		"tar -C %s/in --format=posix -S --sparse-version=1.0 -cf %s/out.tar .",
		"tar -C %s/in --exclude='nnn*' --format=ustar --owner=1000 -cf %s/out.tar ./sub ./a",
	};
	char command[512];

	(void)state;
	snprintf(command, sizeof(command), "cd %s && mkdir -p in/sub && seq 9000 >in/a && echo x >in/sub/b && ln in/a in/sub/c && "
		 "for i in 1 5 9 13 17 21 25; do dd if=in/a of=in/sparse bs=4k seek=$((i * 100)) count=2 conv=notrunc status=none; done && "
		 "truncate -s 20M in/sparse && ln -s $(printf 'l%%.0s' $(seq 150)) in/sub/$(printf 'n%%.0s' $(seq 140))", fixture.dir);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct layer_maker *layer = &fixture.layers[0];
		char path[128];
		FILE *file;

		memset(layer, 0, sizeof(*layer));
		fixture.count = 1;
		snprintf(command, sizeof(command), commands[i], fixture.dir, fixture.dir);
		if (system(command) != 0)
			fail_msg("%s", command);
		snprintf(path, sizeof(path), "%s/out.tar", fixture.dir);
		file = fopen(path, "r");
		layer->plain = malloc(LAYER_ROOM);
		layer->plain_used = fread(layer->plain, 1, LAYER_ROOM, file);
		fclose(file);
		layer->bytes = compressed(layer->plain, layer->plain_used, "gzip", &layer->used);
		digest_of(layer->plain, layer->plain_used, layer->diff_id);
		snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", fixture.root, fixture.root);
		assert_int_equal(system(command), 0);
		assert_true(assert_same_tar() < 8192);
		free(layer->plain);
		free(layer->bytes);
	}
	fixture.count = 0;
}

/* One that has the same file twice, or a directory where files were: the first contents are gone. */
static void test_lost_files_are_told(void **state)
{
	struct apply_result result;
	struct layer_maker *layer = layer_begin();
	struct recipe *recipe;
	uint64_t size;
	int fd;

	(void)state;
	put_file(layer, "file", "first");
	put_file(layer, "file", "second");
	layer_end(layer, "none");
	recipe = unpack(&result, &fd, &size);
	assert_true(result.lost);
	recipe_free(recipe);
	layer = layer_begin();
	put_file(layer, "file", "of the next layer");	/* one of the layer below may go */
	put_directory(layer, "d");
	put_directory(layer, "d");
	layer_end(layer, "none");
	assert_same_tar();
}

static void test_damage_is_told(void **state)
{
	struct layer_maker *layer = layer_begin();
	static char big[200000];
	struct apply_result result;
	struct recipe *recipe;
	struct bytes got;
	char other[32] = "not what it was";
	uint64_t size;
	int fd;

	(void)state;
	noise(big, sizeof(big), 7);
	put_file(layer, "a", big);
	put_file(layer, "b", "b");
	layer_end(layer, "none");
	recipe = unpack(&result, &fd, &size);

	assert_int_equal(truncate(in_root("a"), 1000), 0);
	assert_int_equal(replay(fd, size, &got), -EBADMSG);
	free(got.data);
	assert_int_equal(unlink(in_root("a")), 0);
	assert_int_equal(replay(fd, size, &got), -EBADMSG);
	assert_non_null(strstr(fixture.text, "not in the layer any more"));
	free(got.data);
	for (uint64_t shorter = 0; shorter < size; shorter += 1 + size / 40) {
		assert_int_equal(replay(fd, shorter, &got), -EBADMSG);
		free(got.data);
	}
	assert_int_equal(write_all_at(fd, other, sizeof(other), 0), 0);
	assert_int_equal(replay(fd, size, &got), -EBADMSG);
	free(got.data);
	recipe_free(recipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_every_kind),
		fixture_test(test_trailing_bytes),
		fixture_test(test_foreign_tars),
		fixture_test(test_lost_files_are_told),
		fixture_test(test_damage_is_told),
	};

	return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
