/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the image and container commands share. */
#ifndef IMAGE_COMMANDS_H
#define IMAGE_COMMANDS_H

#include "command.h"
#include "record.h"

#define OPTION_POOL	{ .name = "pool", .value = "POOL", .help = "The pool (default: the only one that is open)", \
			  .complete = COMPLETE_POOL }
#define SAVE_FORMAT_WORDS "docker-archive oci-archive oci-dir"	/* for help and completion */
#define COMPRESS_WORDS	"none zstd"	/* of streams, likewise */
#define OPTION_NO_TRUNC	{ .name = "no-trunc", .help = "Do not shorten ids and texts" }

struct image_pool {
	struct pool pool;
	uint8_t uuid[LB_UUID_LEN];
};

/*
 * The pool that --pool or the only open one is, with what killed imports left cleared away. A negative errno: call->error
 * says why.
 */
int image_pool_open(struct command_call *call, struct image_pool *out);

/* SIGINT, SIGTERM and SIGHUP call `interrupt`, which makes what is under way end as after a failure. */
void image_catch_signals(void (*interrupt)(void));

int image_build_run(struct command_call *call);	/* userspace/build */
int image_commit_run(struct command_call *call);
int image_import_root_run(struct command_call *call);
int image_pull_run(struct command_call *call);
int image_push_run(struct command_call *call);
int image_login_run(struct command_call *call);
int image_logout_run(struct command_call *call);
int image_load_run(struct command_call *call);
int image_save_run(struct command_call *call);
int image_export_run(struct command_call *call);
int image_send_run(struct command_call *call);		/* userspace/backup */
int image_receive_run(struct command_call *call);
int image_tag_run(struct command_call *call);
int image_import_run(struct command_call *call);
int image_ls_run(struct command_call *call);
int image_inspect_run(struct command_call *call);
int image_history_run(struct command_call *call);
int image_rm_run(struct command_call *call);
int image_prune_run(struct command_call *call);

/* An image as Docker's inspect prints it; *out is the caller's. */
int image_describe(const struct pool *pool, const struct catalogue *all, const char *text, json_object **out, struct layerblk_error *err);

/* Bytes in the pool that a layer owns; 0 when it is gone. */
uint64_t layer_owned_bytes(const struct pool *pool, uint64_t id);
/* The same of all layers of an image. */
uint64_t image_owned_bytes(const struct pool *pool, const struct image_record *record);

#endif
