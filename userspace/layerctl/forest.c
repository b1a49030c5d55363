// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Volumes as trees. Chains may be thousands of layers deep, so that nothing here recurses: the picture is made row by row
 * with a stack of its own, and the totals go from parents to children in the order of ids (a parent is not always older than
 * its child: a snapshot of a writable volume becomes its parent; hence the walk).
 */
#include <inttypes.h>
#include <string.h>
#include "cleanup.h"
#include "forest.h"
#include "output.h"
#include "show.h"
#include "size.h"

#define NOT_FOUND	((size_t)-1)

struct node {
	size_t parent;			/* index, or NOT_FOUND */
	size_t first_child;
	size_t last_child;
	size_t next;			/* sibling */
	uint64_t total;
	json_object *object;
};

static size_t index_of(const struct lb_vol_info *volumes, size_t n, uint64_t id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (volumes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && volumes[low].id == id ? low : NOT_FOUND;
}

static void link_nodes(struct node *nodes, const struct lb_vol_info *volumes, size_t n)
{
	size_t i, parent;

	for (i = 0; i < n; i++)
		nodes[i].first_child = nodes[i].last_child = nodes[i].next = NOT_FOUND;
	for (i = 0; i < n; i++) {
		parent = volumes[i].parent ? index_of(volumes, n, volumes[i].parent) : NOT_FOUND;
		if (parent == i)
			parent = NOT_FOUND;
		nodes[i].parent = parent;
		if (parent == NOT_FOUND)
			continue;
		if (nodes[parent].last_child == NOT_FOUND)
			nodes[parent].first_child = i;
		else
			nodes[nodes[parent].last_child].next = i;
		nodes[parent].last_child = i;
	}
}

/* The node after `at` in a walk from parents to children; NOT_FOUND at the end of its tree. */
static size_t next_in_tree(const struct node *nodes, size_t at)
{
	if (nodes[at].first_child != NOT_FOUND)
		return nodes[at].first_child;
	while (at != NOT_FOUND && nodes[at].next == NOT_FOUND)
		at = nodes[at].parent;
	return at == NOT_FOUND ? NOT_FOUND : nodes[at].next;
}

static void fill_node(struct node *nodes, const struct lb_vol_info *volumes, size_t i)
{
	struct node *node = &nodes[i];
	bool has_parent = node->parent != NOT_FOUND;
	const char *parent_name = has_parent ? volumes[node->parent].name : NULL;

	node->total = volumes[i].owned_blocks * LB_BLOCK_SIZE + (has_parent ? nodes[node->parent].total : 0);
	node->object = show_volume(&volumes[i], parent_name && parent_name[0] ? parent_name : NULL);
	json_object_object_add(node->object, "total", output_uint(node->total));
	json_object_object_add(node->object, "children_list", json_object_new_array());
	if (has_parent) {
		json_object *list = NULL;

		json_object_object_get_ex(nodes[node->parent].object, "children_list", &list);
		json_object_array_add(list, node->object);
	}
}

json_object *forest_build(const struct lb_vol_info *volumes, size_t n)
{
	cleanup_free struct node *nodes = calloc(n + 1, sizeof(*nodes));
	json_object *roots = json_object_new_array();
	size_t root, i;

	if (!nodes || !roots)
		return NULL;
	link_nodes(nodes, volumes, n);
	for (root = 0; root < n; root++) {
		if (nodes[root].parent != NOT_FOUND)
			continue;
		nodes[root].next = NOT_FOUND;
		for (i = root; i != NOT_FOUND; i = next_in_tree(nodes, i))
			fill_node(nodes, volumes, i);
		json_object_array_add(roots, nodes[root].object);
	}
	return roots;
}

/* ------------------------------------------------------------------ walks */

struct level {
	json_object *list;		/* of siblings */
	size_t at;			/* of them */
};

struct walk {
	struct level *levels;		/* from the roots to the volume that is visited */
	size_t depth;
	size_t room;
};

typedef bool visit_fn(const struct walk *walk, json_object *object, void *arg);

static bool push(struct walk *walk, json_object *list)
{
	if (walk->depth == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 16;
		struct level *larger = reallocarray(walk->levels, room, sizeof(*larger));

		if (!larger)
			return false;
		walk->levels = larger;
		walk->room = room;
	}
	walk->levels[walk->depth++] = (struct level){ .list = list };
	return true;
}

/* Parents before their children. False: a visit gave false, or there is no memory. */
static bool each(json_object *roots, visit_fn *visit, void *arg)
{
	struct walk walk = { 0 };
	bool good = push(&walk, roots);

	while (good && walk.depth) {
		struct level *level = &walk.levels[walk.depth - 1];
		json_object *object, *children = NULL;

		if (level->at == json_object_array_length(level->list)) {
			walk.depth--;
			if (walk.depth)
				walk.levels[walk.depth - 1].at++;
			continue;
		}
		object = json_object_array_get_idx(level->list, level->at);
		json_object_object_get_ex(object, "children_list", &children);
		good = visit(&walk, object, arg) && push(&walk, children);
	}
	free(walk.levels);
	return good;
}

struct each_volume {
	forest_fn *each;
	void *arg;
};

static bool visit_volume(const struct walk *walk, json_object *object, void *arg)
{
	struct each_volume *volume = arg;

	(void)walk;
	volume->each(volume->arg, object);
	return true;
}

bool forest_each(json_object *roots, forest_fn *visit, void *arg)
{
	return each(roots, visit_volume, &(struct each_volume){ .each = visit, .arg = arg });
}

/* ------------------------------------------------------------------ the picture */

struct lines {				/* what is drawn in front of names */
	const char *branch, *last, *through, *space;
};

static const struct lines box = { "├─ ", "└─ ", "│  ", "   " };
static const struct lines plain = { "|- ", "`- ", "|  ", "   " };

struct picture {
	const struct lines *lines;
	json_object *rows;
};

static const char *name_of(json_object *object)
{
	json_object *name = NULL, *hidden = NULL;

	json_object_object_get_ex(object, "name", &name);
	json_object_object_get_ex(object, "hidden", &hidden);
	return json_object_get_boolean(hidden) ? "(deleted)" : json_object_get_string(name);
}

static char *row_name(const struct walk *walk, json_object *object, const struct lines *lines)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (i = 1; i < walk->depth; i++) {
		const struct level *level = &walk->levels[i];
		bool more = level->at + 1 < json_object_array_length(level->list);
		bool own = i + 1 == walk->depth;

		fputs(own ? (more ? lines->branch : lines->last) : more ? lines->through : lines->space, out);
	}
	fputs(name_of(object), out);
	fclose(out);
	return text;
}

static bool add_row(const struct walk *walk, json_object *object, void *arg)
{
	static const char *const keys[] = { "own", "total", "size", "state", "device", "used_by" };
	struct picture *picture = arg;
	cleanup_free char *name = row_name(walk, object, picture->lines);
	json_object *row = json_object_new_object(), *value;
	size_t i;

	if (!name || !row)
		return false;
	json_object_object_add(row, "tree", json_object_new_string(name));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_object_get_ex(object, keys[i], &value))
			json_object_object_add(row, keys[i], json_object_get(value));
	json_object_array_add(picture->rows, row);
	return true;
}

void forest_print(FILE *out, json_object *roots, bool ascii)
{
	static const struct output_column columns[] = {
		{ "VOLUME", "tree", OUTPUT_TEXT }, { "OWN", "own", OUTPUT_SIZE }, { "TOTAL", "total", OUTPUT_SIZE },
		{ "SIZE", "size", OUTPUT_SIZE }, { "STATE", "state", OUTPUT_TEXT }, { "DEVICE", "device", OUTPUT_TEXT },
		{ "USED BY", "used_by", OUTPUT_LIST }, { 0 },
	};
	cleanup_json json_object *rows = json_object_new_array();
	struct picture picture = { .lines = ascii ? &plain : &box, .rows = rows };

	if (each(roots, add_row, &picture))
		output_table(out, columns, rows, 0, false);
}

/* ------------------------------------------------------------------ the graph */

static void write_quoted(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static uint64_t number(json_object *object, const char *key)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return json_object_get_uint64(value);
}

static bool add_node(const struct walk *walk, json_object *object, void *arg)
{
	json_object *users = NULL, *running = NULL;
	char own[SIZE_TEXT], total[SIZE_TEXT];
	FILE *out = arg;

	(void)walk;
	fprintf(out, "  v%" PRIu64 " [label=\"", number(object, "id"));
	write_quoted(out, name_of(object));
	fprintf(out, "\\nown %s, total %s", size_format(number(object, "own"), own), size_format(number(object, "total"), total));
	json_object_object_get_ex(object, "used_by", &users);
	for (size_t i = 0; users && i < json_object_array_length(users); i++) {
		fputs("\\n", out);
		write_quoted(out, json_object_get_string(json_object_array_get_idx(users, i)));
	}
	json_object_object_get_ex(object, "running", &running);
	fprintf(out, "\"%s];\n", json_object_get_boolean(running) ? " style=bold" : "");
	if (number(object, "parent"))
		fprintf(out, "  v%" PRIu64 " -> v%" PRIu64 ";\n", number(object, "id"), number(object, "parent"));
	return true;
}

void forest_print_dot(FILE *out, json_object *roots)
{
	fputs("digraph layerblk {\n  rankdir=BT;\n  node [shape=box];\n", out);
	each(roots, add_node, out);
	fputs("}\n", out);
}
