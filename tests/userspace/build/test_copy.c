// SPDX-License-Identifier: GPL-2.0-or-later
/* COPY and ADD from a context into a root, and what makes their digests. Needs root. */
#include "../test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "copy.h"

static char dir[64], script[8192], text[2048];
static struct layerblk_error error;
static struct ignore ignore;

static void shell(const char *commands)
{
	snprintf(script, sizeof(script), "set -e; cd %s\n%s", dir, commands);
	if (system(script) != 0)
		fail_msg("%s", commands);
}

static int setup(void **state)
{
	(void)state;
	memset(&error, 0, sizeof(error));
	strcpy(dir, "/tmp/layerblk-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	shell("mkdir context root");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ignore_clear(&ignore);
	shell("rm -rf /tmp/layerblk-test-gone; mv $PWD /tmp/layerblk-test-gone; rm -rf /tmp/layerblk-test-gone");
	return 0;
}

static int open_dir(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* "COPY source... destination"; sources are separated by blanks. */
static int copy_with(const char *sources, const char *destination, int mode, uint32_t uid, bool unpack)
{
	cleanup_fd int from = open_dir("context"), root = open_dir("root");
	struct context context = { .root = from, .ignore = &ignore };
	struct copy copy = { .from = &context, .root = root, .destination = destination, .uid = uid, .gid = uid, .mode = mode,
			     .unpack = unpack };
	struct found all = { 0 }, one;
	char words[256], *rest = NULL;
	int rc = 0;

	snprintf(words, sizeof(words), "%s", sources);
	for (char *word = strtok_r(words, " ", &rest); word && !rc; word = strtok_r(NULL, " ", &rest)) {
		rc = context_find(&context, word, &one, &error);
		for (size_t i = 0; !rc && i < one.count; i++) {
			all.paths = reallocarray(all.paths, all.count + 2, sizeof(*all.paths));
			all.paths[all.count++] = strdup(one.paths[i]);
			all.paths[all.count] = NULL;
		}
		if (!rc)
			found_clear(&one);
	}
	if (!rc)
		rc = copy_files(&copy, &all, &error);
	found_clear(&all);
	if (rc)
		layerblk_error_format(&error, text, sizeof(text));
	return rc;
}

static void copy(const char *sources, const char *destination)
{
	if (copy_with(sources, destination, -1, 0, false))
		fail_msg("%s", text);
}

static void test_places(void **state)
{
	(void)state;
	shell("cd context; echo 1 >a; echo 2 >b.c; echo 3 >c.c; mkdir -p d/e; echo 4 >d/e/f; ln -s f d/e/link; chown 5:6 a; chmod 4711 a; touch -d @1000 a");
	copy("a", "/new");
	copy("a", "/sub/dir/");
	copy("*.c", "/sub/");
	copy("d", "/tree");
	copy("d", "/sub/");
	copy("./d/../d/e/f", "tree/other");
	copy(".", "/all");
	shell("cd root; [ $(cat new) = 1 ]; [ \"$(stat -c '%a %u %g %Y' new)\" = '4711 0 0 1000' ]; [ -f sub/dir/a ]; [ $(stat -c %a sub/dir) = 755 ]\n"
	      "[ $(cat sub/b.c sub/c.c | tr -d '\\n') = 23 ]; [ $(cat tree/e/f) = 4 ]; [ $(readlink tree/e/link) = f ]; [ $(cat sub/e/f) = 4 ]\n"
	      "[ $(cat tree/other) = 4 ]; diff -r --no-dereference ../context all");
	assert_int_equal(copy_with("a b.c", "/nowhere", -1, 0, false), -ENOTDIR);
	assert_int_equal(copy_with("none", "/x", -1, 0, false), -ENOENT);
	assert_int_equal(copy_with("*.none", "/x", -1, 0, false), -ENOENT);
	assert_int_equal(copy_with("../../etc/passwd", "/x", -1, 0, false), -ENOENT);
}

static void test_owners_and_modes(void **state)
{
	(void)state;
	shell("mkdir -p context/d; echo x >context/d/f; python3 -c 'import os; os.setxattr(\"context/d/f\", \"security.capability\", "
	      "bytes([1,0,0,2,0,32]+[0]*14))'");
	if (copy_with("d", "/made/d", 0640, 1234, false))
		fail_msg("%s", text);
	shell("[ \"$(stat -c '%a %u %g' root/made/d/f)\" = '640 1234 1234' ]; [ \"$(stat -c '%u' root/made)\" = 1234 ]\n"
	      "python3 -c 'import os; os.getxattr(\"root/made/d/f\", \"security.capability\")'");
}

/* Links of the root are followed in it, whatever they say; nothing is written outside. */
static void test_links_of_the_root(void **state)
{
	(void)state;
	shell("echo 1 >context/a; mkdir -p context/d/run; echo 2 >context/d/run/x; mkdir -p root/run root/var; ln -s /run root/var/run\n"
	      "ln -s ../../../../../.. root/up; ln -s /etc/target root/file; ln -s /proc/self/root root/proc; echo keep >victim; ln -s ../victim root/v");
	copy("a", "/var/run/a");
	copy("a", "/up/a");
	copy("a", "/file");
	copy("a", "/v");
	shell("[ $(cat root/run/a) = 1 ]; [ $(cat root/a) = 1 ]; [ -f root/file ] && [ ! -L root/file ]; [ $(cat victim) = keep ]; [ ! -e /etc/target ]");
	shell("mkdir root/dir; echo x >context/dir");
	copy("dir", "/dir");			/* into it */
	shell("[ $(cat root/dir/dir) = x ]; rm root/dir/dir; mkdir root/dir/dir");
	assert_int_equal(copy_with("dir", "/dir", -1, 0, false), -EISDIR);
	shell("echo f >root/plain");
	assert_int_equal(copy_with("d", "/plain", -1, 0, false), -ENOTDIR);
	/* Links of the context lead nowhere else. */
	shell("ln -s /etc/passwd context/out; echo in >context/etc-passwd; ln -s ../../a context/in");
	assert_int_equal(copy_with("out", "/x", -1, 0, false), -ENOENT);
	copy("in", "/y");
	shell("[ $(cat root/y) = 1 ]");
}

static void test_ignored(void **state)
{
	cleanup_fd int from = -1;

	(void)state;
	shell("cd context; printf '*.log\\nbuild\\n!build/keep\\nsecret\\n' >.dockerignore; touch a.log b; mkdir -p build/x; touch build/x/y build/keep; echo s >secret");
	from = open_dir("context");
	assert_int_equal(context_ignore(from, "Dockerfile", &ignore, &error), 0);
	copy(".", "/all");
	shell("cd root/all; [ ! -e a.log ]; [ -e b ]; [ -e build/keep ]; [ ! -e build/x/y ]; [ ! -e secret ]");
	assert_int_equal(copy_with("*.log", "/x/", -1, 0, false), -ENOENT);
}

static void hash_of(const char *path, char digest[DIGEST_TEXT])
{
	cleanup_fd int from = open_dir("context");
	struct context context = { .root = from, .ignore = &ignore };
	struct hasher *hash = hasher_new(NULL);

	assert_int_equal(context_hash(&context, path, hash, &error), 0);
	hasher_text(hash, digest);
	hasher_free(hash);
}

static void test_digests(void **state)
{
	static const char *const changes[] = {
		"echo 2 >d/e/f", "chmod 600 d/e/f", "ln -snf y d/link", "mv d/e/f d/e/g", "touch d/new", "rm d/new", "mkdir d/empty",
		"python3 -c 'import os; os.setxattr(\"d/e/g\", \"user.x\", b\"1\")'",
	};
	char before[DIGEST_TEXT], now[DIGEST_TEXT], command[256];

	(void)state;
	shell("cd context; mkdir -p d/e; echo 1 >d/e/f; ln -s x d/link");
	hash_of("d", before);
	shell("touch -d @1 context/d/e/f context/d; chown 3:4 context/d/e/f; touch context/other");
	hash_of("d", now);
	assert_string_equal(before, now);	/* time and owner do not count */
	shell("mv context/d context/renamed");
	hash_of("renamed", now);
	assert_string_equal(before, now);	/* nor does its own name */
	shell("mv context/renamed context/d");
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		snprintf(command, sizeof(command), "cd context; %s", changes[i]);
		shell(command);
		hash_of("d", now);
		assert_string_not_equal(before, now);
		strcpy(before, now);
	}
}

static void test_add(void **state)
{
	(void)state;
	shell("mkdir t; echo 1 >t/a; echo 2 >t/.wh.b; mkdir t/sub; chown 7:8 t/a; tar -C t -czf context/x.tar.gz .; tar -C t -cf context/plain.tar .\n"
	      "tar -C t -cJf context/x.tar.xz .; echo no >context/not.tar");
	if (copy_with("x.tar.gz", "/un/packed", -1, 0, true) || copy_with("plain.tar", "/plain/", -1, 0, true) ||
	    copy_with("x.tar.xz", "/xz/", -1, 0, true) || copy_with("not.tar", "/not.tar", -1, 0, true))
		fail_msg("%s", text);
	copy("plain.tar", "/kept.tar");
	shell("cd root; [ $(cat un/packed/a) = 1 ]; [ $(cat plain/.wh.b) = 2 ]; [ $(stat -c %u xz/a) = 7 ]; [ $(cat not.tar) = no ]; cmp kept.tar ../context/plain.tar");
}

static void test_texts(void **state)
{
	cleanup_fd int root = open_dir("root");
	struct copy copy = { .root = root, .destination = "/etc/conf", .uid = 3, .gid = 4, .mode = -1 };

	(void)state;
	assert_int_equal(copy_text(&copy, "EOF", "a\nb\n", 4, &error), 0);
	copy.destination = "/dir/";
	copy.mode = 0700;
	assert_int_equal(copy_text(&copy, "EOF", "c", 1, &error), 0);
	assert_int_equal(copy_make_directory(root, "/work/deep", 5, 6, &error), 0);
	assert_int_equal(copy_make_directory(root, "/etc/conf/x", 5, 6, &error), -ENOTDIR);
	shell("[ $(wc -l <root/etc/conf) = 2 ]; [ \"$(stat -c '%a %u %g' root/etc/conf)\" = '644 3 4' ]; [ $(stat -c %a root/dir/EOF) = 700 ]\n"
	      "[ \"$(stat -c '%a %u' root/work/deep)\" = '755 5' ]");
}

#define copy_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(test_places),
		copy_test(test_owners_and_modes),
		copy_test(test_links_of_the_root),
		copy_test(test_ignored),
		copy_test(test_digests),
		copy_test(test_add),
		copy_test(test_texts),
	};

	return cmocka_run_group_tests_name("COPY and ADD", tests, NULL, NULL);
}
