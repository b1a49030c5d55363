// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of the backup commands. */
#include "backup_commands.h"
#include "image_commands.h"
#include "labels.h"
#include "output.h"

static const struct command_option backup_options[] = {
	{ .name = "all", .letter = 'a', .help = "Every data volume: those that are writable and no container's root" },
	{ .name = "output", .letter = 'o', .value = "FILE", .complete = COMPLETE_FILE,
	  .help = "Write there (default, and \"-\": standard output); into a directory, each volume to a file of its own" },
	{ .name = "since", .value = "BACKUP",
	  .help = "Only what has changed since this backup; \"last\": since the newest, or everything when there is none" },
	{ .name = "compress", .value = "TYPE", .help = "Compress the data: \"none\" (default) or \"zstd\"",
	  .complete = COMPLETE_WORDS, .words = COMPRESS_WORDS },
	{ .name = "filter", .value = "FILTER", .help = "With --all: only those with name=TEXT, label=KEY[=VALUE] (may be repeated)" },
	{ .name = "label", .letter = 'l', .value = "KEY=VALUE", .help = "Set a label of the snapshot that is kept; may be repeated" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

static const struct command_option restore_options[] = {
	{ .name = "input", .letter = 'i', .value = "FILE", .complete = COMPLETE_FILE,
	  .help = "Read this backup (default, and \"-\": standard input); repeated: the full one first, then each incremental one" },
	{ .name = "name", .letter = 'n', .value = "NAME", .help = "Call the restored volume so instead of as it was called" },
	{ .name = "replace", .help = "If there is a volume of this name, which nobody uses, it goes when the restored one is whole" },
	{ .name = "check", .help = "Only read the backups and check that they are whole and follow on each other" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

static const struct command_option ls_options[] = {
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only names" },
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option prune_options[] = {
	{ .name = "all", .letter = 'a', .help = "The backups of every volume, of removed ones too" },
	{ .name = "keep-last", .value = "N", .help = "Keep the N newest of each volume" },
	{ .name = "keep-daily", .value = "N", .help = "Keep the newest of each of the last N days that have one" },
	{ .name = "keep-weekly", .value = "N", .help = "Keep the newest of each of the last N weeks that have one" },
	{ .name = "dry-run", .help = "Only print what would be removed" },
	OPTION_POOL,
	{ 0 },
};

const struct command backup_commands[] = {
	{ .path = "volume backup", .args = "[VOLUME...]", .max_args = -1, .summary = "Back up volumes into a stream",
	  .details = "Takes a snapshot of each volume, also while it is mounted and busy, and writes the blocks that are in use, or with --since "
		     "those that have changed, with checksums. The stream goes through pipes: to ssh, into object storage.\n\n"
		     "The snapshot stays in the pool as VOLUME@backup-TIME, which is printed unless the stream goes to standard output, "
		     "as what the next --since can name; `layerctl volume backup-prune` removes old ones. After a failure nothing "
		     "stays. A file has its name only when it is whole, and is readable by its owner alone. Several volumes' snapshots "
		     "are all taken before the first is written.",
	  .options = backup_options, .complete = COMPLETE_VOLUME, .run = backup_run },
	{ .path = "volume restore", .args = "[VOLUME...]", .max_args = -1, .summary = "Make volumes out of backups",
	  .details = "Reads a full backup and the incremental ones that follow on it, from files or from standard input, where streams may "
		     "stand one behind the other. With VOLUME, only those of the backups' volumes. Nothing is visible under its name "
		     "before all of it has been read and was right; what is damaged, cut short or out of order restores nothing, and "
		     "replaces nothing. "
		     "Prints the names.",
	  .options = restore_options, .run = backup_restore_run },
	{ .path = "volume backups", .args = "[VOLUME]", .max_args = 1, .summary = "List the snapshots that are kept for backups",
	  .details = "SENT is the size of the backup's stream, OWN the space that would come back if the snapshot were removed and "
		     "nothing descended from it.",
	  .options = ls_options, .complete = COMPLETE_VOLUME, .run = backup_ls_run },
	{ .path = "volume backup-prune", .args = "[VOLUME...]", .max_args = -1, .summary = "Remove snapshots that were kept for backups",
	  .details = "A snapshot stays if any of the --keep rules keeps it, and the newest of each volume always stays: the next incremental "
		     "backup builds on it. Days and weeks, from Monday on, are those of UTC. The backups' files are not touched. "
		     "Prints the names.",
	  .options = prune_options, .complete = COMPLETE_VOLUME, .run = backup_prune_run },
	{ 0 },
};
