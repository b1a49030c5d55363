// SPDX-License-Identifier: GPL-2.0-or-later
/* Layers applied to a directory: every kind of entry, whiteouts, replacement, and attempts to get out. Needs root. */
#include "fixture.h"
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ------------------------------------------------------------------ kinds of entries */

static void test_files(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry;
	struct stat st;

	(void)state;
	put_directory(layer, "./");
	put_directory(layer, "usr/");
	entry = entry_new("usr/tool", AE_IFREG, 04751);
	archive_entry_set_uid(entry, 1234);
	archive_entry_set_gid(entry, 70000);
	layer_put(layer, entry, "hello");
	put_file(layer, "/leading/slash", "kept inside");
	put_file(layer, "./dot//double/./file", "clean");
	layer_end(layer, "gzip");
	apply_all();

	assert_int_equal(stat(in_root("usr/tool"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 70000);
	assert_int_equal(st.st_mtim.tv_sec, 1500000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_string_equal(read_file(in_root("usr/tool")), "hello");
	assert_string_equal(read_file(in_root("leading/slash")), "kept inside");
	assert_string_equal(read_file(in_root("dot/double/file")), "clean");
	assert_int_equal(stat(in_root("leading"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(stat(in_root("usr"), &st), 0);		/* though a file was made in it later */
	assert_int_equal(st.st_mtim.tv_sec, 1500000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(stat(fixture.root, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1500000000);
}

static void test_links_and_nodes(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry;
	struct stat a, b;
	char target[64] = "";

	(void)state;
	put_file(layer, "a", "one file");
	put_hard_link(layer, "sub/b", "a");
	put_hard_link(layer, "c", "./sub/b");
	put_symlink(layer, "absolute", "/etc/passwd");
	put_symlink(layer, "up", "../../../..");
	put_hard_link(layer, "up2", "up");
	entry = entry_new("dev/null", AE_IFCHR, 0666);
	archive_entry_set_rdevmajor(entry, 1);
	archive_entry_set_rdevminor(entry, 3);
	layer_put(layer, entry, NULL);
	entry = entry_new("dev/disk", AE_IFBLK, 0660);
	archive_entry_set_rdevmajor(entry, 259);
	archive_entry_set_rdevminor(entry, 70000);
	layer_put(layer, entry, NULL);
	layer_put(layer, entry_new("pipe", AE_IFIFO, 0622), NULL);
	layer_end(layer, "zstd");
	apply_all();

	assert_int_equal(stat(in_root("a"), &a), 0);
	assert_int_equal(stat(in_root("c"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 3);
	assert_int_equal(readlink(in_root("absolute"), target, sizeof(target)), 11);
	assert_string_equal(target, "/etc/passwd");
	assert_int_equal(lstat(in_root("up"), &a), 0);
	assert_int_equal(a.st_mode & S_IFMT, S_IFLNK);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(a.st_mtim.tv_nsec, 123456789);
	assert_int_equal(lstat(in_root("dev/null"), &a), 0);
	assert_int_equal(a.st_mode, S_IFCHR | 0666);
	assert_int_equal(a.st_rdev, makedev(1, 3));
	assert_int_equal(lstat(in_root("dev/disk"), &a), 0);
	assert_int_equal(a.st_rdev, makedev(259, 70000));
	assert_int_equal(lstat(in_root("pipe"), &a), 0);
	assert_int_equal(a.st_mode, S_IFIFO | 0622);
}

static void test_xattrs(void **state)
{
	static const unsigned char capability[] = { 1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry = entry_new("ping", AE_IFREG, 0755);
	char value[64];

	(void)state;
	archive_entry_set_uid(entry, 5);
	archive_entry_xattr_add_entry(entry, "security.capability", capability, sizeof(capability));
	archive_entry_xattr_add_entry(entry, "user.binary", "a\0b\n=c", 6);
	layer_put(layer, entry, "x");
	entry = entry_new("dir", AE_IFDIR, 0755);
	archive_entry_xattr_add_entry(entry, "user.old", "1", 1);
	layer_put(layer, entry, NULL);
	entry = entry_new("link", AE_IFLNK, 0777);
	archive_entry_set_symlink(entry, "ping");
	archive_entry_xattr_add_entry(entry, "trusted.mark", "m", 1);
	archive_entry_xattr_add_entry(entry, "trusted.overlay.opaque", "y", 1);
	layer_put(layer, entry, NULL);
	layer_end(layer, "gzip");
	layer = layer_begin();
	entry = entry_new("dir", AE_IFDIR, 0700);
	archive_entry_xattr_add_entry(entry, "user.new", "2", 1);
	layer_put(layer, entry, NULL);
	layer_end(layer, "gzip");
	apply_all();

	assert_int_equal(getxattr(in_root("ping"), "security.capability", value, sizeof(value)), 20);
	assert_memory_equal(value, capability, 20);
	assert_int_equal(getxattr(in_root("ping"), "user.binary", value, sizeof(value)), 6);
	assert_memory_equal(value, "a\0b\n=c", 6);
	assert_int_equal(lgetxattr(in_root("link"), "trusted.mark", value, sizeof(value)), 1);
	assert_int_equal(lgetxattr(in_root("link"), "trusted.overlay.opaque", value, sizeof(value)), -1);
	assert_int_equal(getxattr(in_root("dir"), "user.old", value, sizeof(value)), -1);
	assert_int_equal(getxattr(in_root("dir"), "user.new", value, sizeof(value)), 1);
}

static void test_sparse(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry = entry_new("sparse", AE_IFREG, 0644);
	struct stat st;
	char data[4];
	int fd;

	(void)state;
	archive_entry_set_size(entry, 64 << 20);
	archive_entry_sparse_add_entry(entry, 0, 4);
	archive_entry_sparse_add_entry(entry, 32 << 20, 4);
	archive_write_header(layer->archive, entry);
	archive_write_data(layer->archive, "head", 4);
	for (size_t left = (32 << 20) - 4; left > 0;) {
		static const char zeros[65536];
		size_t part = left < sizeof(zeros) ? left : sizeof(zeros);

		archive_write_data(layer->archive, zeros, part);
		left -= part;
	}
	archive_write_data(layer->archive, "tail", 4);
	archive_write_finish_entry(layer->archive);
	archive_entry_free(entry);
	layer_end(layer, "gzip");
	apply_all();

	fd = open(in_root("sparse"), O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks < 1024);
	assert_int_equal(pread(fd, data, 4, 32 << 20), 4);
	assert_memory_equal(data, "tail", 4);
	assert_int_equal(pread(fd, data, 4, 0), 4);
	assert_memory_equal(data, "head", 4);
	close(fd);
}

static void test_names(void **state)
{
	struct layer_maker *layer = layer_begin();
	char name[256], path[1200] = "";

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	for (int i = 0; i < 4; i++) {
		strcat(path, name);
		strcat(path, "/");
	}
	strcat(path, "end");
	put_file(layer, path, "deep");
	put_file(layer, "gr\xc3\xbc\xc3\x9f" "e", "utf-8");
	put_file(layer, "\xff\xfe raw", "bytes");
	put_file(layer, "back\\slash new\nline", "odd");
	layer_end(layer, "gzip");
	apply_all();

	assert_string_equal(read_file(in_root("gr\xc3\xbc\xc3\x9f" "e")), "utf-8");
	assert_string_equal(read_file(in_root("\xff\xfe raw")), "bytes");
	assert_string_equal(read_file(in_root("back\\slash new\nline")), "odd");
	assert_int_equal(chdir(fixture.root), 0);
	assert_string_equal(read_file(path), "deep");
	assert_int_equal(chdir("/"), 0);
}

/* ------------------------------------------------------------------ over lower layers */

static void test_replaced_kinds(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct stat st;

	(void)state;
	put_file(layer, "file-to-dir", "x");
	put_directory(layer, "dir-to-file");
	put_file(layer, "dir-to-file/a/b", "x");
	put_symlink(layer, "link-to-dir", "dir-to-file");
	put_file(layer, "file-to-link", "x");
	put_file(layer, "twice", "first");
	put_file(layer, "shrinks", "long content");
	put_file(layer, "linked", "lower");
	put_hard_link(layer, "other-name", "linked");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_directory(layer, "file-to-dir");
	put_file(layer, "file-to-dir/in", "new");
	put_file(layer, "dir-to-file", "now a file");
	put_directory(layer, "link-to-dir");
	put_file(layer, "link-to-dir/own", "y");
	put_symlink(layer, "file-to-link", "twice");
	put_file(layer, "twice", "second");
	put_file(layer, "twice", "third");
	put_file(layer, "shrinks", "s");
	put_file(layer, "linked", "upper");
	layer_end(layer, "gzip");
	apply_all();

	assert_string_equal(read_file(in_root("file-to-dir/in")), "new");
	assert_string_equal(read_file(in_root("dir-to-file")), "now a file");
	assert_int_equal(lstat(in_root("link-to-dir"), &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFDIR);
	assert_int_equal(lstat(in_root("file-to-link"), &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFLNK);
	assert_string_equal(read_file(in_root("twice")), "third");
	assert_string_equal(read_file(in_root("shrinks")), "s");
	assert_string_equal(read_file(in_root("linked")), "upper");
	assert_string_equal(read_file(in_root("other-name")), "lower");	/* a new file, not the old one rewritten */
}

static void test_whiteouts(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "gone", "x");
	put_file(layer, "tree/a/b/c", "x");
	put_file(layer, "tree/stays", "x");
	put_file(layer, "own", "lower");
	put_file(layer, "own-before", "lower");
	put_file(layer, "mixed/old", "x");
	put_file(layer, "mixed/sub/old", "x");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, ".wh.gone", "");
	put_file(layer, "tree/.wh.a", "");
	put_file(layer, ".wh.never-there", "");
	put_file(layer, "no/such/dir/.wh.thing", "");
	put_file(layer, ".wh.own", "");			/* and then made again */
	put_file(layer, "own", "upper");
	put_file(layer, "own-before", "upper");		/* made, then the whiteout of the lower one */
	put_file(layer, ".wh.own-before", "");
	put_file(layer, "mixed/sub/new", "y");
	put_file(layer, ".wh.mixed", "");		/* takes the lower part only */
	put_file(layer, ".wh..wh.plnk/12.34", "aufs");
	put_file(layer, ".wh..wh.aufs", "aufs");
	layer_end(layer, "gzip");
	apply_all();

	assert_false(exists(in_root("gone")));
	assert_false(exists(in_root(".wh.gone")));
	assert_false(exists(in_root("tree/a")));
	assert_true(exists(in_root("tree/stays")));
	assert_false(exists(in_root("no")));
	assert_string_equal(read_file(in_root("own")), "upper");
	assert_string_equal(read_file(in_root("own-before")), "upper");
	assert_false(exists(in_root("mixed/old")));
	assert_false(exists(in_root("mixed/sub/old")));
	assert_string_equal(read_file(in_root("mixed/sub/new")), "y");
	assert_false(exists(in_root(".wh..wh.aufs")));
	assert_false(exists(in_root(".wh..wh.plnk")));
}

static void test_opaque(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "early/old/deep", "x");
	put_file(layer, "early/old2", "x");
	put_file(layer, "late/old", "x");
	put_file(layer, "late/sub/old", "x");
	put_symlink(layer, "late/link", "/etc");
	put_file(layer, "root-file", "x");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_directory(layer, "early");
	put_file(layer, "early/.wh..wh..opq", "");
	put_file(layer, "early/new", "y");
	put_directory(layer, "late");
	put_file(layer, "late/new", "y");
	put_file(layer, "late/sub/new", "y");
	put_file(layer, "late/.wh..wh..opq", "");	/* last, as some tools write it */
	layer_end(layer, "gzip");
	apply_all();

	assert_false(exists(in_root("early/old")));
	assert_false(exists(in_root("early/old2")));
	assert_string_equal(read_file(in_root("early/new")), "y");
	assert_false(exists(in_root("late/old")));
	assert_false(exists(in_root("late/sub/old")));
	assert_false(exists(in_root("late/link")));
	assert_string_equal(read_file(in_root("late/new")), "y");
	assert_string_equal(read_file(in_root("late/sub/new")), "y");
	assert_true(exists(in_root("root-file")));
	assert_false(exists(in_root("late/.wh..wh..opq")));
}

static void test_opaque_root(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "old/a", "x");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, ".wh..wh..opq", "");
	put_file(layer, "new", "y");
	layer_end(layer, "gzip");
	apply_all();
	assert_false(exists(in_root("old")));
	assert_true(exists(in_root("new")));
}

/* A directory that a layer below made a link to within the tree may be used as one: /lib and the like. */
static void test_through_lower_link(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_directory(layer, "usr/lib");
	put_symlink(layer, "lib", "usr/lib");
	put_symlink(layer, "usr/back", "../usr/lib");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, "lib/x/y", "through");
	put_file(layer, "usr/back/z", "through");
	layer_end(layer, "gzip");
	apply_all();
	assert_string_equal(read_file(in_root("usr/lib/x/y")), "through");
	assert_string_equal(read_file(in_root("usr/lib/z")), "through");
}

/* ------------------------------------------------------------------ attempts to get out */

static void refuse(struct layer_maker *layer, const char *word)
{
	layer_end(layer, "gzip");
	write_file(path_of(fixture.dir, "victim"), "safe", 4);
	layout_write();
	assert_refused(fixture.layout, word);
	assert_string_equal(read_file(path_of(fixture.dir, "victim")), "safe");
	assert_false(exists(path_of(fixture.dir, "escaped")));
}

static void test_escape_dotdot(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "../escaped", "x");
	refuse(layer, "\"..\"");
}

static void test_escape_dotdot_inside(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_directory(layer, "a");
	put_file(layer, "a/../../escaped", "x");
	refuse(layer, "\"..\"");
}

static void test_escape_symlink(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "way", fixture.dir);
	put_file(layer, "way/escaped", "x");
	refuse(layer, "symbolic link");
}

static void test_escape_symlink_relative(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "way", "..");
	put_file(layer, "way/escaped", "x");
	refuse(layer, "symbolic link");
}

static void test_escape_symlink_of_lower_layer(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "way", "../../../../../../../../");
	put_symlink(layer, "absolute", fixture.dir);
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, "way/tmp/escaped", "x");
	refuse(layer, "leads out");
}

static void test_escape_absolute_link_of_lower_layer(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "absolute", fixture.dir);
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, "absolute/escaped", "x");
	refuse(layer, "leads out");
}

static void test_escape_last_part_is_link(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct stat st;

	(void)state;
	put_symlink(layer, "victim", path_of(fixture.dir, "victim"));
	put_file(layer, "victim", "overwritten");	/* takes the link's place */
	layer_end(layer, "gzip");
	write_file(path_of(fixture.dir, "victim"), "safe", 4);
	apply_all();
	assert_string_equal(read_file(path_of(fixture.dir, "victim")), "safe");
	assert_int_equal(lstat(in_root("victim"), &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFREG);
}

static void test_escape_hard_link(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_hard_link(layer, "taken", "../victim");
	refuse(layer, "\"..\"");
}

static void test_escape_hard_link_through_symlink(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "way", fixture.dir);
	put_hard_link(layer, "taken", "way/victim");
	refuse(layer, "symbolic link");
}

static void test_escape_whiteout(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "a/../../.wh.victim", "");
	refuse(layer, "\"..\"");
}

static void test_escape_whiteout_of_dotdot(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "a/.wh...", "");
	refuse(layer, "whiteout");
}

/* umoci writes whiteouts beneath what has become a file or a link: nothing is left to hide, and no link is followed. */
static void test_whiteout_beneath_replaced_directory(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "to-link/victim", "x");
	put_file(layer, "to-file/victim", "x");
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_symlink(layer, "to-link", fixture.dir);
	put_file(layer, "to-link/.wh.victim", "");
	put_file(layer, "to-link/.wh..wh..opq", "");
	put_file(layer, "to-file", "now a file");
	put_file(layer, "to-file/.wh.victim", "");
	put_file(layer, "to-file/.wh..wh..opq", "");
	layer_end(layer, "gzip");
	write_file(path_of(fixture.dir, "victim"), "safe", 4);
	apply_all();
	assert_string_equal(read_file(path_of(fixture.dir, "victim")), "safe");
	assert_string_equal(read_file(in_root("to-file")), "now a file");
}

static void test_escape_whiteout_through_lower_link(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_symlink(layer, "way", fixture.dir);
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, "way/.wh.victim", "");
	refuse(layer, "leads out");
}

/* A device node is never opened: the file takes its place. */
static void test_file_over_device(void **state)
{
	struct layer_maker *layer = layer_begin();
	struct archive_entry *entry = entry_new("null", AE_IFCHR, 0666);
	struct stat st;

	(void)state;
	archive_entry_set_rdevmajor(entry, 1);
	archive_entry_set_rdevminor(entry, 3);
	layer_put(layer, entry, NULL);
	layer_put(layer, entry_new("pipe", AE_IFIFO, 0666), NULL);
	layer_end(layer, "gzip");
	layer = layer_begin();
	put_file(layer, "null", "a file");
	put_file(layer, "pipe", "a file");
	layer_end(layer, "gzip");
	apply_all();
	assert_string_equal(read_file(in_root("null")), "a file");
	assert_int_equal(lstat(in_root("pipe"), &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFREG);
}

static void test_beneath_a_file(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_file(layer, "file", "x");
	put_file(layer, "file/below", "x");
	refuse(layer, "no directory");
}

static void test_long_name(void **state)
{
	struct layer_maker *layer = layer_begin();
	char name[300];

	(void)state;
	memset(name, 'n', 299);
	name[299] = '\0';
	put_file(layer, name, "x");
	refuse(layer, "255");
}

static void test_hard_link_to_nothing(void **state)
{
	struct layer_maker *layer = layer_begin();

	(void)state;
	put_hard_link(layer, "a", "missing");
	refuse(layer, "not there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_files), fixture_test(test_links_and_nodes), fixture_test(test_xattrs),
		fixture_test(test_sparse), fixture_test(test_names), fixture_test(test_replaced_kinds),
		fixture_test(test_whiteouts), fixture_test(test_opaque), fixture_test(test_opaque_root),
		fixture_test(test_through_lower_link), fixture_test(test_escape_dotdot),
		fixture_test(test_escape_dotdot_inside), fixture_test(test_escape_symlink),
		fixture_test(test_escape_symlink_relative), fixture_test(test_escape_symlink_of_lower_layer),
		fixture_test(test_escape_absolute_link_of_lower_layer), fixture_test(test_escape_last_part_is_link),
		fixture_test(test_escape_hard_link), fixture_test(test_escape_hard_link_through_symlink),
		fixture_test(test_escape_whiteout), fixture_test(test_escape_whiteout_of_dotdot),
		fixture_test(test_whiteout_beneath_replaced_directory), fixture_test(test_escape_whiteout_through_lower_link),
		fixture_test(test_file_over_device), fixture_test(test_beneath_a_file), fixture_test(test_long_name),
		fixture_test(test_hard_link_to_nothing),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
