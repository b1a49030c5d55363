// SPDX-License-Identifier: GPL-2.0
/*
 * layerck: checks a pool that is not open. Arguments, output, exit status; what is judged and how is in check.h and
 * below.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "device.h"
#include "dump.h"

enum { EXIT_CLEAN = 0, EXIT_CORRECTED = 1, EXIT_LEFT = 4, EXIT_OPERATION = 8, EXIT_USAGE = 16 };

struct run {
	const char *path;
	bool repair, salvage, scan, yes, fallback, dump, json, quiet, verbose;
	const char *what;		/* to dump; NULL: all */
	u64 limit, shown, losses;
	struct out out;
	int shown_percent;
};

static const char usage[] =
	"Usage: layerck [OPTIONS] POOL\n"
	"       layerck --salvage [--scan] [--yes] [OPTIONS] POOL\n"
	"       layerck --dump[=WHAT] [OPTIONS] POOL\n"
	"\n"
	"Checks a layerblk pool (a device or a file) that is not open. Writes nothing unless --repair\n"
	"or --salvage is given.\n"
	"\n"
	"  -r, --repair           Put right what can be put right without guessing\n"
	"      --salvage          Of a pool that --repair cannot mend: say what of it would be lost if it were made\n"
	"                         one that opens again; asked on a terminal, or with --yes, do it\n"
	"      --scan             With --salvage: look in all blocks for nodes whose way is lost\n"
	"      --yes              With --salvage: do it without asking\n"
	"      --fallback         Judge the older superblock when the newest is damaged\n"
	"      --dump[=WHAT]      Show what is there: " DUMP_WORDS "\n"
	"                         (without WHAT: the first four). Also for a pool that is open.\n"
	"      --format=FORMAT    \"text\" or \"json\"\n"
	"      --limit=N          Show at most N findings of a kind (default 100, 0 for all)\n"
	"  -q, --quiet            Say nothing about a pool that is clean\n"
	"  -v, --verbose          Show notes, figures and progress\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 clean, 1 all that was found has been corrected (by --salvage: what is left opens), 4 something is left,\n"
	"8 it could not be checked, 16 usage.\n";

/* ------------------------------------------------------------------ findings out */

static const char *severity_text(enum lbck_severity s)
{
	return s == LBCK_NOTE ? "note" : s == LBCK_WARNING ? "warning" : "error";
}

static void show_text(const struct lbck_finding *f)
{
	printf("LB-%04u %s: %s: %s%s%s\n", f->id, severity_text(f->severity), f->what, f->text,
	       f->repairable ? " [can be repaired]" : "",
	       f->remains ? " [remains]" : "");
}

static void show_json(struct out *o, const struct lbck_finding *f)
{
	char id[16];

	snprintf(id, sizeof(id), "LB-%04u", f->id);
	out_object(o, NULL);
	out_text(o, "id", id);
	out_text(o, "name", f->name);
	out_text(o, "severity", severity_text(f->severity));
	out_text(o, "what", f->what);
	out_text(o, "text", f->text);
	if (f->block)
		out_u64(o, "block", f->block);
	if (f->volume)
		out_u64(o, "volume", f->volume);
	out_bool(o, "repairable", f->repairable);
	out_bool(o, "remains", f->remains);
	out_close_object(o);
}

static void on_finding(void *arg, const struct lbck_finding *f)
{
	struct run *r = arg;

	if (r->json)
		show_json(&r->out, f);
	else if (f->severity != LBCK_NOTE || r->verbose)
		show_text(f);
}

static void on_progress(void *arg, u64 done, u64 total)
{
	struct run *r = arg;
	int percent = total ? (int)(done * 100 / total) : 0;

	if (percent == r->shown_percent || percent > 100)
		return;
	r->shown_percent = percent;
	fprintf(stderr, "\rlayerck: %d%%", percent);
}

/* ------------------------------------------------------------------ errors */

static int fail(const char *path, int err)
{
	const char *text = strerror(-err);

	switch (err) {
	case -EBUSY:
		text = "it is in use. An open pool is closed with \"layerctl pool close\"; one that is open checks "
		       "itself with \"layerctl scrub\"";
		break;
	case -EMEDIUMTYPE:
		text = "this is no layerblk pool";
		break;
	case -EOPNOTSUPP:
		text = "the pool is of a newer format than this layerck knows";
		break;
	case -EFBIG:
		text = "the device is smaller than the pool on it";
		break;
	case -EUCLEAN:
		text = "no superblock is intact";
		break;
	case -EINVAL:
		text = "neither a block device nor a regular file";
		break;
	}
	fflush(stdout);
	fprintf(stderr, "layerck: %s: %s.\n", path, text);
	return EXIT_OPERATION;
}

static int usage_error(const char *text, const char *arg)
{
	fprintf(stderr, "layerck: %s%s%s\nTry \"layerck --help\".\n", text, arg ? ": " : "", arg ? arg : "");
	return EXIT_USAGE;
}

/* ------------------------------------------------------------------ the two things it does */

static void summary_json(struct out *o, const struct lbck_summary *s, int status)
{
	out_close_list(o);
	out_object(o, "summary");
	out_u64(o, "generation", s->generation);
	out_u64(o, "total_blocks", s->total_blocks);
	out_u64(o, "used_blocks", s->used_blocks);
	out_u64(o, "data_blocks", s->data_blocks);
	out_u64(o, "meta_blocks", s->meta_blocks);
	out_u64(o, "volumes", s->volumes);
	out_u64(o, "hidden_volumes", s->hidden_volumes);
	out_u64(o, "journal_records", s->journal_records);
	out_u64(o, "journal_entries", s->journal_entries);
	out_u64(o, "notes", s->notes);
	out_u64(o, "warnings", s->warnings);
	out_u64(o, "errors", s->errors);
	out_u64(o, "repairable", s->repairable);
	out_bool(o, "repaired", s->repaired);
	out_u64(o, "remaining", s->remaining);
	out_close_object(o);
	out_u64(o, "status", (unsigned long long)status);
}

static void summary_text(const struct run *r, const struct lbck_summary *s)
{
	if (r->verbose)
		printf("%s: generation %llu, %llu of %llu blocks in use (%llu data), %llu volumes, %llu deleted ones, "
		       "%llu journal entries to replay, %llu notes\n", r->path,
		       (unsigned long long)s->generation, (unsigned long long)s->used_blocks,
		       (unsigned long long)s->total_blocks,
		       (unsigned long long)s->data_blocks, (unsigned long long)s->volumes,
		       (unsigned long long)s->hidden_volumes,
		       (unsigned long long)s->journal_entries, (unsigned long long)s->notes);
	if (s->repaired && !s->remaining)
		printf("%s: repaired.\n", r->path);
	else if (s->repaired)
		printf("%s: repaired, but %llu findings are left.\n", r->path, (unsigned long long)s->remaining);
	else if (s->remaining)
		printf("%s: %llu errors, %llu warnings. %s\n", r->path, (unsigned long long)s->errors,
		       (unsigned long long)s->warnings,
		       r->repair ? "Nothing of it can be repaired; see --salvage." :
		       s->repairable ? "What is marked can be repaired with --repair." :
		       "None of them can be repaired without guessing; see --salvage.");
	else if (!r->quiet)
		printf("%s: clean.\n", r->path);
}

static int run_check(struct run *r, struct held_device *d)
{
	struct lbck_opts opts = { .repair = r->repair, .fallback = r->fallback, .limit = r->limit };
	struct lbck_summary sum;
	int err, status;

	if (r->verbose && !r->json && isatty(STDERR_FILENO)) {
		opts.progress = on_progress;
		opts.progress_arg = r;
	}
	if (r->json) {
		out_begin(&r->out, stdout, true);
		out_text(&r->out, "pool", r->path);
		out_list(&r->out, "findings");
	}
	err = lbck_check(d->dev, &opts, on_finding, r, &sum);
	if (opts.progress)
		fputs("\r\033[K", stderr);
	status = err ? EXIT_OPERATION : lbck_status(&sum);
	if (r->json) {
		summary_json(&r->out, &sum, status);
		if (err)
			out_text(&r->out, "error", strerror(-err));
		out_end(&r->out);
	} else if (!err) {
		summary_text(r, &sum);
	}
	return err ? fail(r->path, err) : status;
}

/* ------------------------------------------------------------------ salvage */

static void begin_losses(struct run *r)
{
	out_close_list(&r->out);
	out_list(&r->out, "losses");
}

static void on_loss(void *arg, const struct lbck_loss *l)
{
	static const char *const kinds[] = {
		[LBCK_LOSS_RANGE] = "range", [LBCK_LOSS_NAME] = "name", [LBCK_LOSS_VOLUME] = "volume",
		[LBCK_LOSS_ATTR] = "attribute", [LBCK_LOSS_CATALOG] = "catalog", [LBCK_LOSS_JOURNAL] = "journal",
	};
	struct run *r = arg;

	if (r->json && !r->losses++)
		begin_losses(r);
	if (r->json) {
		out_object(&r->out, NULL);
		out_text(&r->out, "kind", kinds[l->kind]);
		if (l->volume)
			out_u64(&r->out, "volume", l->volume);
		if (l->kind == LBCK_LOSS_RANGE) {
			out_u64(&r->out, "offset", l->lblk * LB_BLOCK_BYTES);
			out_u64(&r->out, "length", l->count * LB_BLOCK_BYTES);
		}
		out_text(&r->out, "text", l->text);
		out_close_object(&r->out);
		return;
	}
	if (l->kind == LBCK_LOSS_RANGE && r->limit && r->shown++ >= r->limit)
		return;
	printf("lost: %s\n", l->text);
}

static bool confirmed(const struct run *r)
{
	char answer[16] = "";

	if (r->yes || r->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return r->yes;
	printf("Salvage %s and lose this? Type \"yes\": ", r->path);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "yes\n");
}

static void salvage_text(const struct run *r, const struct lbck_salvage *s)
{
	if (r->limit && r->shown > r->limit)
		printf("... and %llu ranges more (--limit=0 shows all)\n", (unsigned long long)(r->shown - r->limit));
	printf("%s: %llu volumes lose up to %.3f GiB; %s.\n", r->path, (unsigned long long)s->volumes,
	       (double)s->lost_blocks * LB_BLOCK_BYTES / (1u << 30),
	       s->written ? "what is left has been salvaged" : "nothing has been written");
}

static int salvage_once(struct run *r, struct held_device *d, struct lbck_salvage *s, struct lbck_summary *sum, bool again)
{
	struct lbck_opts opts = { .fallback = r->fallback, .limit = r->limit };
	int err;

	*s = (struct lbck_salvage){ .write = again || r->yes, .scan = r->scan, .on_loss = again ? NULL : on_loss, .arg = r };
	err = lbck_salvage(d->dev, &opts, s, again ? NULL : on_finding, r, sum);
	return err;
}

static int salvage_status(const struct lbck_salvage *s, const struct lbck_summary *sum, int err)
{
	if (err)
		return err == -EUCLEAN && s->needed ? EXIT_LEFT : EXIT_OPERATION;
	if (!s->needed)
		return sum->errors || sum->warnings ? EXIT_LEFT : EXIT_CLEAN;
	return s->written && !sum->remaining ? EXIT_CORRECTED : EXIT_LEFT;
}

static int run_salvage(struct run *r, struct held_device *d)
{
	struct lbck_salvage s;
	struct lbck_summary sum;
	int err, status;

	if (r->json) {
		out_begin(&r->out, stdout, true);
		out_text(&r->out, "pool", r->path);
		out_list(&r->out, "findings");
	}
	err = salvage_once(r, d, &s, &sum, false);
	if (!err && s.needed && !s.written && confirmed(r))
		err = salvage_once(r, d, &s, &sum, true);
	status = salvage_status(&s, &sum, err);
	if (r->json) {
		if (!r->losses)
			begin_losses(r);
		summary_json(&r->out, &sum, status);
		out_bool(&r->out, "salvaged", s.written);
		out_u64(&r->out, "volumes_damaged", s.volumes);
		out_u64(&r->out, "lost_bytes", s.lost_blocks * LB_BLOCK_BYTES);
		if (err)
			out_text(&r->out, "error", strerror(-err));
		out_end(&r->out);
	} else if (err == -EUCLEAN && s.needed) {
		printf("%s: it cannot be salvaged; nothing has been written.\n", r->path);
	} else if (!err && !s.needed) {
		printf("%s: nothing is lost%s.\n", r->path, status ? "; --repair mends what was found" : "");
	} else if (!err) {
		salvage_text(r, &s);
	}
	return err && status == EXIT_OPERATION ? fail(r->path, err) : status;
}

static int run_dump(struct run *r, struct held_device *d)
{
	int err;

	out_begin(&r->out, stdout, r->json);
	err = dump_pool(d->dev, r->what, r->fallback, &r->out);
	out_end(&r->out);
	if (err == -EINVAL)
		return usage_error("--dump shows " DUMP_WORDS "; not", r->what);
	if (err == -ENOENT) {
		fprintf(stderr, "layerck: %s: there is no such volume.\n", r->path);
		return EXIT_OPERATION;
	}
	return err ? fail(r->path, err) : EXIT_CLEAN;
}

/* ------------------------------------------------------------------ arguments */

enum { OPT_FALLBACK = 256, OPT_DUMP, OPT_FORMAT, OPT_LIMIT, OPT_SALVAGE, OPT_SCAN, OPT_YES };

static const struct option options[] = {
	{ "repair", no_argument, NULL, 'r' },
	{ "salvage", no_argument, NULL, OPT_SALVAGE },
	{ "scan", no_argument, NULL, OPT_SCAN },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "fallback", no_argument, NULL, OPT_FALLBACK },
	{ "dump", optional_argument, NULL, OPT_DUMP },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* -1: go on; else the exit status. */
static int take_option(struct run *r, int c)
{
	char *end;

	switch (c) {
	case 'r':
		r->repair = true;
		return -1;
	case OPT_SALVAGE:
		r->salvage = true;
		return -1;
	case OPT_SCAN:
		r->scan = true;
		return -1;
	case OPT_YES:
		r->yes = true;
		return -1;
	case OPT_FALLBACK:
		r->fallback = true;
		return -1;
	case OPT_DUMP:
		r->dump = true;
		r->what = optarg;
		return -1;
	case OPT_FORMAT:
		r->json = !strcmp(optarg, "json");
		return r->json || !strcmp(optarg, "text") ? -1 :
		       usage_error("--format is \"text\" or \"json\", not", optarg);
	case OPT_LIMIT:
		r->limit = strtoull(optarg, &end, 10);
		return end != optarg && !*end && *optarg != '-' ? -1 :
		       usage_error("--limit takes a number, not", optarg);
	case 'q':
		r->quiet = true;
		return -1;
	case 'v':
		r->verbose = true;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return EXIT_CLEAN;
	case 'V':
		printf("layerck %s\n", LAYERBLK_RELEASE);
		return EXIT_CLEAN;
	default:
		fputs("Try \"layerck --help\".\n", stderr);
		return EXIT_USAGE;
	}
}

int main(int argc, char **argv)
{
	struct run r = { .limit = 100, .shown_percent = -1 };
	struct held_device d;
	int c, status, err;

	while ((c = getopt_long(argc, argv, "rqvhV", options, NULL)) != -1) {
		status = take_option(&r, c);
		if (status >= 0)
			return status;
	}
	if (r.dump && !r.what && argc - optind == 2)	/* --dump WHAT POOL */
		r.what = argv[optind++];
	if (argc - optind != 1)
		return usage_error(argc == optind ? "which pool?" : "one pool at a time", NULL);
	if (r.dump + r.repair + r.salvage > 1)
		return usage_error("--dump, --repair and --salvage do not go together", NULL);
	if ((r.yes || r.scan) && !r.salvage)
		return usage_error("--yes and --scan belong to --salvage", NULL);
	r.path = argv[optind];
	err = device_open(&d, r.path, r.repair || r.salvage, !r.dump);
	if (err)
		return fail(r.path, err);
	status = r.dump ? run_dump(&r, &d) : r.salvage ? run_salvage(&r, &d) : run_check(&r, &d);
	device_close(&d);
	if (fflush(stdout) || ferror(stdout))
		return EXIT_OPERATION;
	return status;
}
