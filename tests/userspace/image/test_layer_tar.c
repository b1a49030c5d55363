// SPDX-License-Identifier: GPL-2.0-or-later
/* Layers made from file trees: applied to the tree below they give the tree they were made from. Needs root. */
#include "fixture.h"
#include "layer_tar.h"
#include "spool.h"

static char script[8192];

/* Runs a shell script in fixture.dir, where "before" and "after" are made. */
static void shell(const char *text)
{
	snprintf(script, sizeof(script), "set -e; cd %s; export LC_ALL=C.UTF-8; TREELIST='/usr/bin/python3 %s'\n%s", fixture.dir,
		 TREELIST, text);
	if (system(script) != 0)
		fail_msg("%s", text);
}

/* fixture.dir/layer.tar; before and after are names there, before NULL for none. */
static int write_tar(const char *before, const char *after, enum tree_relation relation, char digest[DIGEST_TEXT])
{
	cleanup_fd int old = before ? open(path_of(fixture.dir, before), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	cleanup_fd int new = open(path_of(fixture.dir, after), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int out = open(path_of(fixture.dir, "layer.tar"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct sink sink = { spool_sink, &out };
	struct stat st;
	char *bytes;
	int rc;

	rc = layer_tar_write(old, new, relation, &sink, &fixture.err);
	if (rc) {
		layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text));
		return rc;
	}
	assert_int_equal(fstat(out, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_int_equal(read_all_at(out, bytes, (size_t)st.st_size, 0), st.st_size);
	digest_of(bytes, (size_t)st.st_size, digest);
	free(bytes);
	return 0;
}

/* Applies layer.tar to the directory of this name, or what comes through a pipe. */
static void apply_tar(const char *name, int pipe)
{
	struct bundle_layer layer = { .blob = (char *)(uintptr_t)"layer.tar", .size = -1 };
	cleanup_fd int root = open(path_of(fixture.dir, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct source *source = NULL;
	struct stream *stream = NULL;

	if (pipe < 0)
		assert_int_equal(source_open(fixture.dir, &source, &fixture.err), 0);
	else
		assert_int_equal(source_open_pipe(pipe, layer.blob, &source, &fixture.err), 0);
	assert_int_equal(stream_open(source, &layer, NULL, NULL, &stream, &fixture.err), 0);
	if (apply_layer(root, stream, NULL, &fixture.err))
		fail_msg("%s", layerblk_error_format(&fixture.err, fixture.text, sizeof(fixture.text)));
	stream_close(stream);
	source_close(source);
}

/* The layer of `after` over `before`, applied to a copy of `before`, is `after`; twice written, it is the same. */
static void assert_round_trip(const char *before, enum tree_relation relation)
{
	char digest[DIGEST_TEXT], again[DIGEST_TEXT];

	if (write_tar(before, "after", relation, digest) || write_tar(before, "after", relation, again))
		fail_msg("%s", fixture.text);
	assert_string_equal(digest, again);
	shell(before ? "rm -rf copy; cp -a before copy" : "rm -rf copy; mkdir copy");
	apply_tar("copy", -1);
	shell("$TREELIST after >want; $TREELIST copy >got; diff want got");
}

static void test_base(void **state)
{
	(void)state;
	shell("mkdir after; cd after; mkdir -p a/b empty; echo text >a/file; : >a/b/none; ln -s file a/link; ln a/file hard\n"
	      "ln -s /$(printf 'long%.0s' $(seq 60)) a/longlink; ln a/link a/link2\n"
	      "mkdir -p $(printf 'd%.0s/' $(seq 60)) $(printf 'deep%.0s' $(seq 40))/$(printf 'deeper%.0s' $(seq 40))\n"
	      "echo x >$(printf 'deep%.0s' $(seq 40))/$(printf 'deeper%.0s' $(seq 40))/file\n"
	      "mknod a/null c 1 3; mknod a/disk b 259 70000; mkfifo -m 640 a/pipe\n"
	      "truncate -s 10M sparse; echo middle | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none\n"
	      "truncate -s 3M hole; cp sparse sparse2; echo end >>sparse2\n"
	      "head -c 300000 /dev/urandom >noise; cp /bin/true tool; chmod 6755 tool\n"
	      "touch a/ünïcödé \"a/$(printf 'bad\\377name')\" 'a/line\nfeed' 'a/ blank '\n"
	      "ln -s \"$(printf '\\376')\" a/badlink\n"
	      "echo 1 >big-owner; chown 3000000000:4000000000 big-owner; chown -h 12:34 a/link\n"
	      "touch -d '1950-12-13 01:02:03' ancient	# libarchive reads no fractions before 1970\n"
	      "touch -d '2400-01-01 00:00:00.123456789' a/file; touch -d @1 one; touch -h -d @1000000000.5 a/link\n"
	      "chmod 1777 empty; touch -d '2020-01-01' empty .\n"
	      "python3 - <<'PY'\n"
	      "import os\n"
	      "os.setxattr('tool', 'security.capability', bytes([1,0,0,2,0,32]+[0]*14))\n"
	      "os.setxattr('noise', 'user.binary', b'a\\0b\\n=\\xff'); os.setxattr('noise', 'user.none', b'')\n"
	      "os.setxattr('empty', 'user.dir', b'x' * 2000); os.setxattr('a/link', 'trusted.link', b'y', follow_symlinks=False)\n"
	      "acl = bytes.fromhex('02000000 01000600ffffffff 02000400e8030000 04000400ffffffff 10000600ffffffff 20000000ffffffff')\n"
	      "os.setxattr('one', 'system.posix_acl_access', acl)\n"
	      "os.setxattr('a', 'system.posix_acl_default', acl)\n"
	      "PY\n");
	assert_round_trip(NULL, TREES_UNRELATED);
	/* GNU tar and Python read it too. What GNU tar says of old times is not ours. */
	shell("rm -rf x; mkdir x; tar -C x --xattrs --xattrs-include='*' --acls -xpf layer.tar 2>said; rm -rf y; mkdir y\n"
	      "python3 -c \"import tarfile; t = tarfile.open('layer.tar', errors='surrogateescape');"
	      "print(sum(1 for m in t if m.isreg()), sum(m.size for m in t if m.name in ('sparse', 'noise')))\" >count\n"
	      "cmp after/sparse x/sparse; cmp after/sparse2 x/sparse2; cmp after/noise x/noise; [ $(stat -c %u x/big-owner) = 3000000000 ]\n"
	      "[ \"$(stat -c %y x/a/link)\" = \"$(stat -c %y after/a/link)\" ]; [ $(cut -d' ' -f2 count) = 10785760 ]\n"
	      "[ $(stat -c %s layer.tar) -lt 700000 ]");
}

static void test_differences(void **state)
{
	(void)state;
	shell("mkdir before; cd before; mkdir -p same gone/deep changed renamed d2f; echo 1 >same/file; echo x >gone/deep/file\n"
	      "echo 1 >content; echo 1 >mode; echo 1 >owner; echo 1 >time; echo 1 >attr; echo 1 >kind; echo 1 >f2d; echo x >d2f/in\n"
	      "ln -s a target; mknod node c 1 3; echo l >l1; ln l1 l2; ln l1 l3; echo k >k1; ln k1 k2; echo m >m1; ln m1 m2\n"
	      "echo s >s1; echo s >s2; touch -r s1 s2; mkdir empty; echo 1 >same-size; touch -d @1000 *; cd ..; cp -a before after; cd after\n"
	      "echo 22 >content; chmod 600 mode; chown 5:6 owner; touch -d @2000 time; python3 -c 'import os; os.setxattr(\"attr\", \"user.x\", b\"y\")'\n"
	      "touch -d @1000 attr; rm kind; ln -s x kind; rm f2d; mkdir f2d; echo in >f2d/in; rm -r d2f; echo file >d2f; rm -r gone\n"
	      "ln -snf b target; touch -h -d @1000 target; rm node; mknod node c 1 5; touch -d @1000 node\n"
	      "ln l1 l4; rm k2; rm m2; echo m >m2; ln -f s1 s2; mv renamed renamed2; rmdir empty; echo 2 >same-size; touch -d @1000 same-size\n"
	      "echo new >changed/new; mkdir added; mkfifo added/pipe");
	assert_round_trip("before", TREES_UNRELATED);
	shell("tar -tf layer.tar >list; grep -qx .wh.gone list; grep -qx .wh.renamed list; grep -qx .wh.k2 list; grep -qx .wh.empty list\n"
	      "grep -qx changed/ list; for n in content mode owner time attr kind f2d/in d2f target node l4 l1 same-size; do grep -qx $n list; done\n"
	      "! grep -q same/ list; ! grep -q '.wh.*/' list; grep -qx s2 list\n"
	      "[ $(wc -l <list) = 31 ]");
	/* Names of files with several are all there, for inode numbers do not tell which belonged together. */
	assert_round_trip("before", TREES_OVERLAID);
	shell("tar -tf layer.tar >list; for n in l1 l2 l3 l4 m1 s1 s2 content d2f; do grep -qx $n list; done; ! grep -q same/ list");
}

/* A directory that took another's place hides all that was in it. */
static void test_opaque(void **state)
{
	(void)state;
	shell("mkdir -p before/d before/keep; echo 1 >before/d/old; echo 1 >before/keep/file; mkdir after; mkdir after/d; echo 2 >after/d/new\n"
	      "mkdir after/keep; cp -p before/keep/file after/keep; touch -d @1000 before after");
	assert_round_trip("before", TREES_RELATED);
	shell("tar -tf layer.tar >list; grep -qx d/.wh..wh..opq list; grep -qx d/new list; [ \"$(sed -n '/opq/=;' list | head -n 1)\" -gt 1 ]");
}

/* Through an overlay, what has its change time has not been touched; and directories are never opaque, for they may have got another inode. */
static void test_overlaid(void **state)
{
	char digest[DIGEST_TEXT];

	(void)state;
	shell("mkdir -p before/d before/keep; echo 1 >before/d/old; echo 1 >before/keep/file; echo 1 >before/gone; cp -al before after\n"
	      "rm -r after/d after/gone; mkdir after/d; echo 2 >after/d/new; touch -d @1000 before after; touch -r before/keep after/keep");
	assert_int_equal(write_tar("before", "after", TREES_OVERLAID, digest), 0);
	shell("tar -tf layer.tar | sort >list; printf '%s\n' ./ .wh.gone d/ d/.wh.old d/new | sort | diff - list");
}

/* A layer that is written while it is applied. */
static void test_pipe(void **state)
{
	char digest[DIGEST_TEXT];
	FILE *writer;

	(void)state;
	shell("mkdir -p after/dir copy; head -c 3000000 /dev/urandom >after/dir/file; ln after/dir/file after/link; touch -d @1000 after/dir after");
	assert_int_equal(write_tar(NULL, "after", TREES_UNRELATED, digest), 0);
	snprintf(script, sizeof(script), "cat %s", path_of(fixture.dir, "layer.tar"));
	writer = popen(script, "r");
	assert_non_null(writer);
	apply_tar("copy", fcntl(fileno(writer), F_DUPFD_CLOEXEC, 3));
	assert_int_equal(pclose(writer), 0);
	shell("$TREELIST after >want; $TREELIST copy | diff want -");
}

/*
 * Two directories change their names: what is in them has its change time, and that may be the other one's, too, when both were made in one
 * tick of the clock. (A kernel whose clock is finer gives no such pair.)
 */
static void test_overlaid_swap(void **state)
{
	char digest[DIGEST_TEXT];

	(void)state;
	shell("python3 - <<'PY'\n"
	      "import os, shutil\n"
	      "for attempt in range(200):\n"
	      "    for top in 'before', 'after':\n"
	      "        shutil.rmtree(top, ignore_errors=True)\n"
	      "        os.makedirs(top + '/a'); os.makedirs(top + '/b')\n"
	      "    for name in 'a', 'b':\n"
	      "        with open('before/' + name + '/file', 'w') as f: f.write(name)\n"
	      "        os.utime('before/' + name + '/file', (1000, 1000))\n"
	      "    os.link('before/a/file', 'after/b/file'); os.link('before/b/file', 'after/a/file')\n"
	      "    if os.stat('after/a/file').st_ctime_ns == os.stat('after/b/file').st_ctime_ns: break\n"
	      "for path in 'before', 'after', 'before/a', 'after/a', 'before/b', 'after/b': os.utime(path, (1000, 1000))\n"
	      "PY");
	assert_int_equal(write_tar("before", "after", TREES_OVERLAID, digest), 0);
	shell("[ \"$(tar -xOf layer.tar a/file)\" = b ]; [ \"$(tar -xOf layer.tar b/file)\" = a ]");
}

/* The bytes of a layer are its digest: these must stay for ever. */
static void test_digests_stay(void **state)
{
	char digest[DIGEST_TEXT];

	(void)state;
	shell("mkdir before; echo 1 >before/gone; mkdir after; cd after; mkdir -m 750 dir; echo text >dir/file; ln dir/file hard; ln -s dir link\n"
	      "mknod null c 1 3; mkfifo -m 600 pipe; chmod 640 dir/file; chmod 666 null; touch ünï; chmod 644 ünï; truncate -s 1M hole; chmod 644 hole\n"
	      "chown 3000000:7 hard; python3 -c 'import os; os.setxattr(\"ünï\", \"user.x\", b\"y\")'\n"
	      "touch -d @1234567890.5 dir/file; touch -h -d @1000000000 link; touch -d @1000000000 null pipe ünï hole dir\n"
	      "touch -d @1500000000.000000001 .; chmod 755 . ../before; touch -d @1 ../before");
	assert_int_equal(write_tar(NULL, "after", TREES_UNRELATED, digest), 0);
	assert_string_equal(digest, "sha256:da10bc872f637be7083fd6ff7bd2c68d656b1f26ff1211eb7da78924ead321a9");
	assert_int_equal(write_tar("before", "after", TREES_UNRELATED, digest), 0);
	assert_string_equal(digest, "sha256:09687120b12cc01baabc8016f773f1e8e89c1d49438059366276c2ff331fc6c9");
}

static void test_refused(void **state)
{
	char digest[DIGEST_TEXT];

	(void)state;
	shell("mkdir -p after/sub; : >after/sub/.wh.x");
	assert_int_equal(write_tar(NULL, "after", TREES_UNRELATED, digest), -EINVAL);
	assert_non_null(strstr(fixture.text, "sub/.wh.x"));
	shell("rm after/sub/.wh.x; : >after/a; python3 -c 'import os; os.setxattr(\"after/a\", \"user.a=b\", b\"y\")'");
	assert_int_equal(write_tar(NULL, "after", TREES_UNRELATED, digest), -EINVAL);
	/* Sockets are passed over. */
	shell("rm after/a; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"after/socket\")'");
	assert_int_equal(write_tar(NULL, "after", TREES_UNRELATED, digest), 0);
	shell("! tar -tf layer.tar | grep socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_base),
		fixture_test(test_differences),
		fixture_test(test_opaque),
		fixture_test(test_overlaid),
		fixture_test(test_overlaid_swap),
		fixture_test(test_pipe),
		fixture_test(test_digests_stay),
		fixture_test(test_refused),
	};

	return cmocka_run_group_tests_name("layer tars", tests, NULL, NULL);
}
