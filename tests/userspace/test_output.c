// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables, JSON, trees, progress: what a person and a program get to read. */
#include <locale.h>
#include "test.h"
#include "forest.h"
#include "output.h"
#include "report.h"

#define NOW 1700000000		/* 2023-11-14T22:13:20Z */

static char *render(const struct output_column *columns, const char *rows_text, bool no_trunc)
{
	json_object *rows = json_tokener_parse(rows_text);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(rows);
	output_table(out, columns, rows, NOW, no_trunc);
	fclose(out);
	json_object_put(rows);
	return text;
}

static void table_aligns_columns(void **state)
{
	static const struct output_column columns[] = {
		{ "NAME", "name", OUTPUT_TEXT }, { "SIZE", "size", OUTPUT_SIZE }, { "N", "n", OUTPUT_NUMBER },
		{ "TAGS", "tags", OUTPUT_LIST }, { "UP", "up", OUTPUT_TEXT }, { 0 },
	};
	char *text = render(columns, "[{\"name\":\"a\",\"size\":1536,\"n\":7,\"tags\":[\"x\",\"y\"],\"up\":true},"
			    "{\"name\":\"longer\",\"size\":1073741824,\"n\":1234,\"tags\":[],\"up\":false},{\"name\":null}]", false);

	(void)state;
	assert_string_equal(text,
			    "NAME       SIZE      N   TAGS   UP\n"
			    "a        1.5KiB      7   x,y    yes\n"
			    "longer     1GiB   1234   -      no\n"
			    "-             -      -   -      -\n");
	free(text);
}

static void empty_table_has_titles(void **state)
{
	static const struct output_column columns[] = { { "NAME", "name", OUTPUT_TEXT }, { 0 } };
	char *text = render(columns, "[]", false);

	(void)state;
	assert_string_equal(text, "NAME\n");
	free(text);
}

static void table_tells_ages(void **state)
{
	static const struct output_column columns[] = { { "T", "t", OUTPUT_AGE }, { 0 } };
	char *text = render(columns, "[{\"t\":\"2023-11-14T22:13:20Z\"},{\"t\":\"2023-11-14T22:13:19Z\"},"
			    "{\"t\":\"2023-11-14T21:13:20Z\"},{\"t\":\"2023-11-11T22:13:20Z\"},{\"t\":\"2021-11-14T22:13:20Z\"},"
			    "{\"t\":\"2030-01-01T00:00:00Z\"},{\"t\":\"garbage\"}]", false);

	(void)state;
	assert_string_equal(text, "T\njust now\n1 second ago\n1 hour ago\n3 days ago\n2 years ago\njust now\ngarbage\n");
	free(text);
}

static void table_shortens_ids(void **state)
{
	static const struct output_column columns[] = { { "ID", "id", OUTPUT_SHORT_ID }, { 0 } };
	char *text = render(columns, "[{\"id\":\"sha256:0123456789abcdef\"},{\"id\":\"short\"}]", false);

	(void)state;
	assert_string_equal(text, "ID\n0123456789ab\nshort\n");
	free(text);
	text = render(columns, "[{\"id\":\"sha256:0123456789abcdef\"}]", true);
	assert_string_equal(text, "ID\nsha256:0123456789abcdef\n");
	free(text);
}

/* A name may hold anything but '/' and control characters; a terminal gets neither escapes nor half characters. */
static void table_keeps_terminals_safe(void **state)
{
	static const struct output_column columns[] = { { "A", "a", OUTPUT_TEXT }, { "B", "b", OUTPUT_TEXT }, { 0 } };
	char *text = render(columns, "[{\"a\":\"\\u001b[2J\",\"b\":\"x\"},{\"a\":\"\\u009b\",\"b\":\"x\"},"
			    "{\"a\":\"gr\\u00fc\\u00df\",\"b\":\"x\"},{\"a\":\"\\u65e5\\u672c\",\"b\":\"x\"}]", false);

	(void)state;
	assert_null(strchr(text, '\x1b'));
	assert_string_equal(text,
			    "A      B\n"
			    "?[2J   x\n"
			    "?      x\n"
			    "gr\xc3\xbc\xc3\x9f   x\n"
			    "\xe6\x97\xa5\xe6\x9c\xac   x\n");
	free(text);
}

static void json_strings_are_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} texts[] = {
		{ "plain", "plain" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3" },
		{ "a\xff" "b", "a\xef\xbf\xbd" "b" }, { "\xc3", "\xef\xbf\xbd" }, { "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" }, { "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf0\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, { "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_object *string = output_string(texts[i].in);

		assert_string_equal(json_object_get_string(string), texts[i].out);
		json_object_put(string);
	}
}

static void times_are_rfc3339(void **state)
{
	json_object *time = output_time(NOW);

	(void)state;
	assert_string_equal(json_object_get_string(time), "2023-11-14T22:13:20Z");
	json_object_put(time);
	assert_null(output_time(0));
}

/* ------------------------------------------------------------------ trees */

static void set(struct lb_vol_info *volume, uint64_t id, uint64_t parent, const char *name, uint64_t owned, uint64_t flags)
{
	memset(volume, 0, sizeof(*volume));
	volume->id = id;
	volume->parent = parent;
	volume->owned_blocks = owned;
	volume->volume_size = 1 << 20;
	volume->flags = flags;
	strcpy(volume->name, name);
}

/* Volume 2 has users, one of them with a name that needs quoting; volume 4 runs. */
static void give_users(void *arg, json_object *object)
{
	json_object *id = NULL, *list;

	(void)arg;
	json_object_object_get_ex(object, "id", &id);
	if (json_object_get_uint64(id) == 2) {
		list = json_object_new_array();
		json_object_array_add(list, json_object_new_string("\"debian\\\""));
		json_object_array_add(list, json_object_new_string("x"));
		json_object_object_add(object, "used_by", list);
	}
	json_object_object_add(object, "running", json_object_new_boolean(json_object_get_uint64(id) == 4));
}

static char *render_dot(const struct lb_vol_info *volumes, size_t n)
{
	json_object *roots = forest_build(volumes, n);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_true(forest_each(roots, give_users, NULL));
	forest_print_dot(out, roots);
	fclose(out);
	json_object_put(roots);
	return text;
}

static char *render_tree(const struct lb_vol_info *volumes, size_t n, bool ascii)
{
	json_object *roots = forest_build(volumes, n);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(roots);
	assert_true(forest_each(roots, give_users, NULL));
	forest_print(out, roots, ascii);
	fclose(out);
	json_object_put(roots);
	return text;
}

static void draws_trees(void **state)
{
	struct lb_vol_info v[7];
	char *text;

	(void)state;
	set(&v[0], 1, 0, "base", 1, LB_VOL_FROZEN);
	set(&v[1], 2, 1, "packages", 2, LB_VOL_FROZEN);
	set(&v[2], 3, 6, "db", 4, 0);			/* its parent, a snapshot, is younger */
	set(&v[3], 4, 2, "web1", 8, LB_VOL_ACTIVE | LB_VOL_OPEN);
	set(&v[4], 5, 2, "web2", 0, 0);
	set(&v[5], 6, 0, "", 16, LB_VOL_FROZEN | LB_VOL_HIDDEN);
	set(&v[6], 7, 1, "other", 32, LB_VOL_FROZEN);
	text = render_tree(v, 7, true);
	assert_string_equal(text,
			    "VOLUME           OWN    TOTAL   SIZE   STATE      DEVICE           USED BY\n"
			    "base            4KiB     4KiB   1MiB   frozen     -                -\n"
			    "|- packages     8KiB    12KiB   1MiB   frozen     -                \"debian\\\",x\n"
			    "|  |- web1     32KiB    44KiB   1MiB   in use     /dev/layerblk0   -\n"
			    "|  `- web2        0B    12KiB   1MiB   writable   -                -\n"
			    "`- other      128KiB   132KiB   1MiB   frozen     -                -\n"
			    "(deleted)      64KiB    64KiB   1MiB   deleted    -                -\n"
			    "`- db          16KiB    80KiB   1MiB   writable   -                -\n");
	free(text);
	text = render_dot(v, 4);
	assert_string_equal(text, "digraph layerblk {\n  rankdir=BT;\n  node [shape=box];\n"
			    "  v1 [label=\"base\\nown 4KiB, total 4KiB\"];\n"
			    "  v2 [label=\"packages\\nown 8KiB, total 12KiB\\n\\\"debian\\\\\\\"\\nx\"];\n"
			    "  v2 -> v1;\n"
			    "  v4 [label=\"web1\\nown 32KiB, total 44KiB\" style=bold];\n"
			    "  v4 -> v2;\n"
			    "  v3 [label=\"db\\nown 16KiB, total 16KiB\"];\n"
			    "  v3 -> v6;\n}\n");
	free(text);
	text = render_tree(v, 2, false);
	assert_non_null(strstr(text, "\n\xe2\x94\x94\xe2\x94\x80 packages"));
	free(text);
}

static void tree_survives_odd_parents(void **state)
{
	struct lb_vol_info v[2];
	char *text;

	(void)state;
	set(&v[0], 1, 1, "own-parent", 1, 0);
	set(&v[1], 2, 99, "orphan", 1, 0);
	text = render_tree(v, 2, true);
	assert_non_null(strstr(text, "own-parent"));
	assert_non_null(strstr(text, "orphan"));
	free(text);
	text = render_tree(v, 0, true);
	assert_non_null(strstr(text, "VOLUME"));
	free(text);
}

static void tree_of_a_deep_chain(void **state)
{
	enum { DEPTH = 2000 };
	struct lb_vol_info *v = calloc(DEPTH, sizeof(*v));
	json_object *roots, *at, *children;
	uint64_t total = 0;
	int i;

	(void)state;
	for (i = 0; i < DEPTH; i++)
		set(&v[i], (uint64_t)i + 1, (uint64_t)i, "layer", 1, LB_VOL_FROZEN);
	roots = forest_build(v, DEPTH);
	at = json_object_array_get_idx(roots, 0);
	for (i = 1; i < DEPTH; i++) {
		assert_true(json_object_object_get_ex(at, "children_list", &children));
		assert_int_equal(json_object_array_length(children), 1);
		at = json_object_array_get_idx(children, 0);
	}
	json_object_object_get_ex(at, "total", &children);
	total = json_object_get_uint64(children);
	assert_int_equal(total, DEPTH * 4096ULL);
	json_object_put(roots);
	free(v);
}

/* ------------------------------------------------------------------ progress */

static void progress_tells_rate_and_share(void **state)
{
	struct progress progress = { .label = "Layer 2/3", .total = 120 << 20, .done = 60 << 20, .start_ns = 0 };
	char text[256];

	(void)state;
	assert_string_equal(progress_text(&progress, 2000000000, text, sizeof(text)),
			    "Layer 2/3  60MiB / 120MiB  50%  30MiB/s");
	assert_string_equal(progress_text(&progress, 1000, text, sizeof(text)), "Layer 2/3  60MiB / 120MiB  50%");
	progress.total = 0;
	assert_string_equal(progress_text(&progress, 1000, text, sizeof(text)), "Layer 2/3  60MiB");
	progress.total = 1;
	assert_string_equal(progress_text(&progress, 1000, text, sizeof(text)), "Layer 2/3  60MiB / 1B  100%");
	progress_text(&progress, 2000000000, text, 16);
	assert_int_equal(strlen(text), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_aligns_columns), cmocka_unit_test(empty_table_has_titles),
		cmocka_unit_test(table_tells_ages), cmocka_unit_test(table_shortens_ids),
		cmocka_unit_test(table_keeps_terminals_safe), cmocka_unit_test(json_strings_are_utf8),
		cmocka_unit_test(times_are_rfc3339), cmocka_unit_test(draws_trees),
		cmocka_unit_test(tree_survives_odd_parents), cmocka_unit_test(tree_of_a_deep_chain),
		cmocka_unit_test(progress_tells_rate_and_share),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
