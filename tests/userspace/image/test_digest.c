// SPDX-License-Identifier: GPL-2.0-or-later
/* Digests, ChainIDs and image names. */
#include "../test.h"
#include "digest.h"
#include "reference.h"

#define A	"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define B	"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_valid(void **state)
{
	(void)state;
	assert_true(digest_valid(A));
	assert_true(digest_is_sha256(A));
	assert_false(digest_valid(NULL));
	assert_false(digest_valid(""));
	assert_false(digest_valid("sha256:"));
	assert_false(digest_valid("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"));
	assert_false(digest_valid("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"));
	assert_false(digest_valid(A "0"));
	assert_false(digest_valid("sha256:../../../../../../etc/passwd0000000000000000000000000000000000000"));
	assert_false(digest_valid("md5:d41d8cd98f00b204e9800998ecf8427e"));
	assert_string_equal(digest_hex(A), A + 7);
}

static void test_values(void **state)
{
	struct layerblk_error err = { 0 };
	char text[DIGEST_TEXT];
	struct hasher *hasher;

	(void)state;
	assert_int_equal(digest_of("", 0, text), 0);
	assert_string_equal(text, A);
	assert_int_equal(digest_of("abc", 3, text), 0);
	assert_string_equal(text, B);
	hasher = hasher_new(NULL);
	hasher_add(hasher, "a", 1);
	hasher_add(hasher, "bc", 2);
	hasher_text(hasher, text);
	hasher_free(hasher);
	assert_string_equal(text, B);
	assert_int_equal(digest_check("abc", 3, B, 3, "it", &err), 0);
	assert_int_equal(digest_check("abc", 3, B, -1, "it", &err), 0);
	assert_int_equal(digest_check("abd", 3, B, 3, "it", &err), -EBADMSG);
	assert_non_null(strstr(err.why, B));
	assert_int_equal(digest_check("abc", 3, B, 4, "it", &err), -EBADMSG);
	assert_int_equal(digest_check("abc", 3, "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
				      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", 3, "it", &err), 0);
}

/* Computed with sha256sum from the definition in the OCI image specification. */
static void test_chain(void **state)
{
	char one[DIGEST_TEXT], two[DIGEST_TEXT], three[DIGEST_TEXT], by_hand[DIGEST_TEXT], both[2 * DIGEST_TEXT];

	(void)state;
	assert_int_equal(chain_id(NULL, A, one), 0);
	assert_string_equal(one, A);
	assert_int_equal(chain_id("", B, one), 0);
	assert_string_equal(one, B);
	assert_int_equal(chain_id(A, B, two), 0);
	assert_string_equal(two, "sha256:a893da35bd22286079f2f3931516d3423eb9b4945f2379e0f8a501ec3d665dd6");
	snprintf(both, sizeof(both), "%s %s", two, A);
	digest_of(both, strlen(both), by_hand);
	assert_int_equal(chain_id(two, A, three), 0);
	assert_string_equal(three, by_hand);
}

static void check_name(const char *text, const char *normal)
{
	struct layerblk_error err = { 0 };
	char out[REFERENCE_MAX] = "";
	int rc = reference_normalize(text, out, &err);

	if (!normal) {
		if (rc == 0)
			fail_msg("\"%s\" was taken as \"%s\"", text, out);
		assert_int_equal(rc, -EINVAL);
		assert_true(*err.why);
		return;
	}
	if (rc != 0 || strcmp(out, normal) != 0)
		fail_msg("\"%s\" became \"%s\": %s", text, out, err.why);
}

static void test_names(void **state)
{
	(void)state;
	check_name("debian", "debian:latest");
	check_name("debian:12", "debian:12");
	check_name("docker.io/library/debian:12", "debian:12");
	check_name("docker.io/me/app", "me/app:latest");
	check_name("quay.io/a/b/c:v1.2-3_x", "quay.io/a/b/c:v1.2-3_x");
	check_name("localhost:5000/x", "localhost:5000/x:latest");
	check_name("localhost/x:y", "localhost/x:y");
	check_name("a__b/c-d.e:1", "a__b/c-d.e:1");
	check_name("a---b", "a---b:latest");
	check_name("", NULL);
	check_name(":", NULL);
	check_name("a:", NULL);
	check_name("Debian", NULL);
	check_name("a//b", NULL);
	check_name("/a", NULL);
	check_name("a/", NULL);
	check_name("a..b", NULL);
	check_name("a___b", NULL);
	check_name("-a", NULL);
	check_name("a-", NULL);
	check_name("../x", NULL);
	check_name("a:b c", NULL);
	check_name("a:.b", NULL);
	check_name("a@sha256:00", NULL);
	check_name("a\nb", NULL);
}

static void check_path(const char *path, const char *wanted)
{
	char out[REFERENCE_MAX];

	reference_from_path(path, out);
	assert_string_equal(out, wanted);
}

static void test_name_of_path(void **state)
{
	(void)state;
	check_path("/tmp/Debian 12.tar.gz", "debian-12");
	check_path("layout/", "layout");
	check_path("./my_app.tgz", "my-app");
	check_path("/", "");
	check_path("---", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid), cmocka_unit_test(test_values), cmocka_unit_test(test_chain),
		cmocka_unit_test(test_names), cmocka_unit_test(test_name_of_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
