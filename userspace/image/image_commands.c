// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of "layerctl image". */
#include <signal.h>
#include <string.h>
#include "confirm.h"
#include "fields.h"
#include "filesystem.h"
#include "hold.h"
#include "image_commands.h"
#include "packer.h"
#include "ref.h"
#include "working.h"

#define OPTION_FS	{ .name = "fs", .value = "TYPE", .help = "File system of the layers: \"ext4\" (default) or \"xfs\"", \
			  .complete = COMPLETE_WORDS, .words = FILESYSTEM_WORDS }
#define OPTION_SIZE	{ .name = "size", .value = "SIZE", .help = "Size of the file system, taken only as it fills (default: 10G)" }

static const struct command_option import_options[] = {
	{ .name = "tag", .letter = 't', .value = "NAME[:TAG]",
	  .help = "Name the image so instead of as it is called (may be repeated)", .complete = COMPLETE_IMAGE },
	{ .name = "image", .value = "NAME", .help = "Only the image of this name, tag or digest" },
	{ .name = "platform", .value = "OS/ARCH[/VARIANT]", .help = "Choose from an image for several platforms (default: this machine's)" },
	OPTION_FS,
	OPTION_SIZE,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the image's id" },
	{ 0 },
};

static const struct command_option load_options[] = {
	{ .name = "input", .letter = 'i', .value = "FILE", .help = "Read this archive (default: standard input)", .complete = COMPLETE_FILE },
	OPTION_FS,
	OPTION_SIZE,
	{ .name = "platform", .value = "OS/ARCH[/VARIANT]", .help = "Choose from an image for several platforms (default: this machine's)" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the images' ids" },
	{ 0 },
};

#define OPTION_COMPRESS	{ .name = "compress", .value = "TYPE", .help = "Compress the layers: \"none\" (default), \"gzip\" or \"zstd\"", \
			  .complete = COMPLETE_WORDS, .words = PACKING_WORDS }

static const struct command_option save_options[] = {
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "Write there (default: standard output)", .complete = COMPLETE_FILE },
	{ .name = "format", .value = "FORMAT", .help = "\"docker-archive\" (default), \"oci-archive\" or \"oci-dir\"",
	  .complete = COMPLETE_WORDS, .words = SAVE_FORMAT_WORDS },
	OPTION_COMPRESS,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

static const struct command_option export_options[] = {
	OPTION_COMPRESS,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

static const struct command_option send_options[] = {
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "Write there (default, and \"-\": standard output)", .complete = COMPLETE_FILE },
	{ .name = "compress", .value = "TYPE", .help = "Compress the data: \"none\" (default) or \"zstd\"",
	  .complete = COMPLETE_WORDS, .words = COMPRESS_WORDS },
	{ .name = "have", .value = "FILE", .complete = COMPLETE_FILE,
	  .help = "Leave out the layers listed there (\"-\": standard input), as `layerctl receive --have` prints them (may be repeated)" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

static const struct command_option receive_options[] = {
	{ .name = "input", .letter = 'i', .value = "FILE", .complete = COMPLETE_FILE,
	  .help = "Read this stream (default, and \"-\": standard input; may be repeated)" },
	{ .name = "check", .help = "Only read the streams and check that they are whole" },
	{ .name = "have", .help = "Only print which layers are here, for `layerctl send --have`" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the images' ids" },
	{ 0 },
};

static const struct command_option ls_options[] = {
	{ .name = "all", .letter = 'a', .help = "All of them, as without it: there are no hidden ones" },
	{ .name = "digests", .help = "Show the digests of the manifests that they came with" },
	{ .name = "filter", .letter = 'f', .value = "FILTER",
	  .help = "Only those with dangling=true|false, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE (may be repeated)" },
	OPTION_POOL,
	{ .name = "format", .value = "FORMAT", .help = "\"table\", \"json\", or a template: {{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}",
	  .complete = COMPLETE_WORDS, .words = "table json" },
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ 0 },
};

static const struct command_option root_options[] = {
	{ .name = "change", .letter = 'c', .value = "INSTRUCTION",
	  .help = "Change the image's config as this line of a Dockerfile would: CMD, ENTRYPOINT, ENV, EXPOSE, ... (may be repeated)" },
	{ .name = "message", .letter = 'm', .value = "TEXT", .help = "The comment in the image's history" },
	{ .name = "platform", .value = "OS/ARCH[/VARIANT]", .help = "What it is for (default: this machine)" },
	OPTION_FS,
	OPTION_SIZE,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Show no progress" },
	{ 0 },
};

#define OPTION_TLS	{ .name = "tls-verify", .value = "true|false", .help = "Whether the registry must have a valid certificate (default: true)", \
			  .complete = COMPLETE_WORDS, .words = "true false" }
#define OPTION_CREDS	{ .name = "creds", .value = "USER:PASSWORD", .help = "Credentials for the registry (default: what login has kept)" }
#define OPTION_AUTHFILE	{ .name = "authfile", .value = "FILE", .help = "The file with credentials (default: skopeo's)", .complete = COMPLETE_FILE }

static const struct command_option build_options[] = {
	{ .name = "tag", .letter = 't', .value = "NAME[:TAG]", .help = "Name the image so (may be repeated)" },
	{ .name = "file", .letter = 'f', .value = "FILE", .help = "The Dockerfile (default: CONTEXT/Dockerfile; \"-\": standard input)",
	  .complete = COMPLETE_FILE },
	{ .name = "build-arg", .value = "NAME=VALUE", .help = "Set an ARG of the Dockerfile (may be repeated)" },
	{ .name = "target", .value = "STAGE", .help = "Build this stage (default: the last one)" },
	{ .name = "label", .value = "KEY=VALUE", .help = "Label the image (may be repeated)" },
	{ .name = "network", .value = "MODE", .help = "Of RUN: \"default\" (as run has it), \"bridge\", \"none\" or \"host\"",
	  .complete = COMPLETE_WORDS, .words = "default bridge none host" },
	{ .name = "no-cache", .help = "Make all layers anew" },
	{ .name = "iidfile", .value = "FILE", .help = "Write the image's id to FILE", .complete = COMPLETE_FILE },
	OPTION_FS,
	OPTION_SIZE,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the image's id" },
	{ 0 },
};

static const struct command_option commit_options[] = {
	{ .name = "author", .letter = 'a', .value = "TEXT", .help = "The author in the image's history" },
	{ .name = "change", .letter = 'c', .value = "INSTRUCTION",
	  .help = "Change the image's config as this line of a Dockerfile would: CMD, ENTRYPOINT, ENV, EXPOSE, ... (may be repeated)" },
	{ .name = "message", .letter = 'm', .value = "TEXT", .help = "The comment in the image's history" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option pull_options[] = {
	{ .name = "platform", .value = "OS/ARCH[/VARIANT]", .help = "Choose from an image for several platforms (default: this machine's)" },
	OPTION_FS,
	OPTION_SIZE,
	OPTION_TLS,
	OPTION_CREDS,
	OPTION_AUTHFILE,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the image's name" },
	{ 0 },
};

static const struct command_option push_options[] = {
	{ .name = "compress", .value = "TYPE", .help = "Compress the layers: \"gzip\" (default) or \"zstd\"",
	  .complete = COMPLETE_WORDS, .words = PACKING_WORDS },
	OPTION_TLS,
	OPTION_CREDS,
	OPTION_AUTHFILE,
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the image's name" },
	{ 0 },
};

static const struct command_option login_options[] = {
	{ .name = "username", .letter = 'u', .value = "USER", .help = "The user (default: asked for)" },
	{ .name = "password", .letter = 'p', .value = "PASSWORD", .help = "The password (default: asked for); others can see it here" },
	{ .name = "password-stdin", .help = "Read the password from standard input" },
	OPTION_TLS,
	OPTION_AUTHFILE,
	{ 0 },
};

static const struct command_option logout_options[] = {
	{ .name = "all", .letter = 'a', .help = "From all registries" },
	OPTION_AUTHFILE,
	{ 0 },
};

static const struct command_option prune_options[] = {
	{ .name = "all", .letter = 'a', .help = "Also images with a name, unless there is a container of them" },
	OPTION_FORCE_PRUNE,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option inspect_options[] = {
	OPTION_FIELDS,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option pool_options[] = {
	OPTION_POOL,
	{ 0 },
};

static const struct command_option history_options[] = {
	OPTION_POOL,
	OPTION_FORMAT,
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "Also when it has several names, or containers were made from it" },
	OPTION_POOL,
	{ 0 },
};

/* Commands that Docker has in two places. */
#define ROW_LOAD(where) \
	{ .path = where, .args = "", .max_args = 0, .summary = "Load images from an archive", \
	  .details = "The archive is one that \"save\" or \"docker save\" wrote, or an OCI image layout (a tar, or with -i a directory), also " \
		     "compressed as a whole. \"image import\" does the same with more options.", \
	  .options = load_options, .run = image_load_run }
#define ROW_SAVE(where) \
	{ .path = where, .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Write images to an archive", \
	  .details = "A \"docker-archive\" can be read by docker load, and is an OCI image layout in a tar as well. The images keep their ids: " \
		     "each layer's tar is the very one it was imported from. Layers that images share are written once. The same " \
		     "images always come to the same archive.\n\n" \
		     "An image made by commit or build gets its final id when it is first saved or pushed.", \
	  .options = save_options, .complete = COMPLETE_IMAGE, .run = image_save_run }
#define ROW_SEND(where) \
	{ .path = where, .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Send images as blocks, for receive", \
	  .details = "Writes a stream of the layers' blocks that are in use: the lowest layer whole, each other one as what it changes, found without " \
		     "reading what they share, and layers that images share once. No tar is made or unpacked on the way. With checksums; through pipes.\n\n" \
		     "Layers that are there already need not be sent again, be it that another image has them or that a transfer was cut short:\n" \
		     "  ssh host layerctl receive --have | layerctl send --have - app:2 | ssh host layerctl receive\n\n" \
		     "An image made by commit or build gets its final id when it is first sent. A file has its name only when it is whole.", \
	  .options = send_options, .complete = COMPLETE_IMAGE, .run = image_send_run }
#define ROW_RECEIVE(where) \
	{ .path = where, .args = "", .max_args = 0, .summary = "Receive the images of a stream that send wrote", \
	  .details = "An image appears, with its names, when the last of its layers is whole. Layers that are here already are passed over. After a " \
		     "failure or an interruption nothing is left but whole layers, which need not be sent again: --have prints them for " \
		     "`layerctl send --have`, and image prune removes those that no image has got.\n\n" \
		     "The sums of a stream find damage, not forgery: a layer is believed to be what it is said to be. Take streams from where you would " \
		     "take a volume.", \
	  .options = receive_options, .run = image_receive_run }
#define ROW_TAG(where) \
	{ .path = where, .args = "IMAGE NAME[:TAG]", .min_args = 2, .max_args = 2, .summary = "Give an image another name", \
	  .details = "Another image that has this name loses it.", \
	  .options = pool_options, .complete = COMPLETE_IMAGE, .run = image_tag_run }
#define ROW_LS(where) \
	{ .path = where, .args = "[REPOSITORY[:TAG]]", .max_args = 1, .summary = "List images", \
	  .details = "SIZE is what the layers take in the pool, shared ones included.", \
	  .options = ls_options, .complete = COMPLETE_IMAGE, .run = image_ls_run }
#define ROW_PULL(where) \
	{ .path = where, .args = "NAME[:TAG|@DIGEST]", .min_args = 1, .max_args = 1, .summary = "Get an image from a registry", \
	  .details = "By skopeo, which must be installed. A name without a registry is one of docker.io.", \
	  .options = pull_options, .run = image_pull_run }
#define ROW_PUSH(where) \
	{ .path = where, .args = "IMAGE [NAME[:TAG]]", .min_args = 1, .max_args = 2, .summary = "Send an image to a registry", \
	  .details = "To the registry that NAME says, or the image's own name. By skopeo, which must be installed. The image keeps its id; its " \
		     "layers are compressed, always to the same bytes, so that a registry that has them does not get them again.", \
	  .options = push_options, .complete = COMPLETE_IMAGE, .run = image_push_run }
#define ROW_RM(where) \
	{ .path = where, .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Remove images", \
	  .details = "A name is taken away; with the last one go the image and the layers that no other image and no container " \
		     "uses.", \
	  .options = rm_options, .complete = COMPLETE_IMAGE, .run = image_rm_run }
#define ROW_HISTORY(where) \
	{ .path = where, .args = "IMAGE", .min_args = 1, .max_args = 1, \
	  .summary = "Show the instructions that an image was built by", .options = history_options, \
	  .complete = COMPLETE_IMAGE, .run = image_history_run }

const struct command image_commands[] = {
	{ .path = "image import", .args = "PATH", .min_args = 1, .max_args = 1, .summary = "Import an image",
	  .details = "PATH is an OCI image layout (a directory or a tar of one) or an archive made by \"docker save\", also "
		     "compressed as a whole; \"-\" reads it from standard input. Each layer becomes a frozen volume, a child of "
		     "the layer below. Layers that the pool has already, from whatever image, are shared.\n\n"
		     "Everything is verified against its digest. After a failure or an interruption at any point nothing is "
		     "left but whole layers, which the next import takes up.\n\n"
		     "Examples:\n"
		     "  skopeo copy docker://debian:12 oci:debian:12 && layerctl image import debian\n"
		     "  docker save nginx | layerctl image import -",
	  .options = import_options, .complete = COMPLETE_FILE, .run = image_import_run },
	ROW_LOAD("image load"),
	ROW_SAVE("image save"),
	{ .path = "image export", .args = "IMAGE... DIRECTORY", .min_args = 2, .max_args = -1,
	  .summary = "Write images to an OCI image layout",
	  .details = "DIRECTORY is made, or is an empty one. It is what \"save --format oci-dir\" writes.",
	  .options = export_options, .complete = COMPLETE_IMAGE, .run = image_export_run },
	ROW_SEND("image send"),
	ROW_RECEIVE("image receive"),
	ROW_TAG("image tag"),
	{ .path = "image commit", .args = "VOLUME [NAME[:TAG]]", .min_args = 1, .max_args = 2, .summary = "Make an image of a volume as it is now",
	  .details = "VOLUME is a snapshot of an image's top layer (a container's root, for one), or a volume that descends from nothing. Nothing "
		     "of it is copied or read, however large it is; it may be mounted and in use. The image gets its final id when it is first "
		     "saved or pushed.",
	  .options = commit_options, .complete = COMPLETE_VOLUME, .run = image_commit_run },
	ROW_PULL("image pull"),
	ROW_PUSH("image push"),
	ROW_LS("image ls"),
	{ .path = "image inspect", .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Show images in detail, as JSON",
	  .options = inspect_options, .complete = COMPLETE_IMAGE, .run = image_inspect_run },
	ROW_HISTORY("image history"),
	ROW_RM("image rm"),
	{ .path = "image prune", .args = "", .max_args = 0, .summary = "Remove what no image's name leads to",
	  .details = "Images without a name that no container was made from, and layers that belong to no image: those that an "
		     "interrupted import had finished.",
	  .options = prune_options, .run = image_prune_run },
	ROW_LS("images"),
	ROW_PULL("pull"),
	ROW_PUSH("push"),
	{ .path = "login", .args = "[REGISTRY]", .max_args = 1, .summary = "Log in to a registry",
	  .details = "The credentials are kept by skopeo, in the file that podman and buildah use as well. REGISTRY is docker.io if none is given.",
	  .options = login_options, .run = image_login_run },
	{ .path = "logout", .args = "[REGISTRY]", .max_args = 1, .summary = "Log out from a registry",
	  .options = logout_options, .run = image_logout_run },
	{ .path = "import", .args = "FILE [NAME[:TAG]]", .min_args = 1, .max_args = 2, .summary = "Make an image of the tar of a file tree",
	  .details = "FILE is a tar of a root directory, as \"export\" writes it, also a compressed one; \"-\" reads it from standard input. It becomes "
		     "an image of one layer. (What \"save\" wrote is for \"load\".)\n\n"
		     "Example:\n"
		     "  mmdebstrap stable - | layerctl import -c 'CMD [\"/bin/bash\"]' - debian:mine",
	  .options = root_options, .complete = COMPLETE_FILE, .run = image_import_root_run },
	{ .path = "build", .args = "CONTEXT", .min_args = 1, .max_args = 1, .summary = "Build an image from a Dockerfile",
	  .details = "CONTEXT is the directory that COPY and ADD take files from, but for what its .dockerignore names; \"-\" reads the tar of one, or "
		     "a Dockerfile without any, from standard input. Each instruction that changes files is a layer, made as a snapshot and frozen, with "
		     "no tar in between. One that was made before from the same things is taken from the cache, also by another Dockerfile. A build "
		     "that fails leaves only those that were made.\n\n"
		     "RUN has what containers have by default. Of RUN --mount, bind (read-only) and tmpfs are understood. ADD fetches nothing from the "
		     "net. An image with ONBUILD instructions can be built, not built upon.\n\n"
		     "Examples:\n"
		     "  layerctl build -t app:1 .\n"
		     "  layerctl build -t app:test --target test --build-arg VERSION=2 -f Dockerfile.dev .",
	  .options = build_options, .complete = COMPLETE_DIRECTORY, .run = image_build_run },
	ROW_LOAD("load"),
	ROW_SAVE("save"),
	ROW_SEND("send"),
	ROW_RECEIVE("receive"),
	ROW_TAG("tag"),
	ROW_RM("rmi"),
	ROW_HISTORY("history"),
	{ 0 },
};

static void (*on_signal)(void);

static void take_signal(int signal)
{
	(void)signal;
	on_signal();
}

void image_catch_signals(void (*interrupt)(void))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = take_signal, .sa_flags = SA_RESTART };

	on_signal = interrupt;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

int image_pool_open(struct command_call *call, struct image_pool *out)
{
	struct layerblk *lb = command_control(call);
	struct lb_ioc_pool_status status;
	int rc;

	if (!lb)
		return -call->error.code;
	rc = ref_find_pool(lb, option_value(call, "pool"), &status, &call->error);
	if (rc)
		return rc;
	memcpy(out->uuid, status.uuid, sizeof(out->uuid));
	out->pool.lb = lb;
	out->pool.uuid = out->uuid;
	work_sweep(&out->pool, WORKING_KIND, working_clean);
	hold_sweep(&out->pool);
	return 0;
}

uint64_t layer_owned_bytes(const struct pool *pool, uint64_t id)
{
	struct lb_vol_info info;

	if (!id || layerblk_vol_stat(pool->lb, pool->uuid, id, 0, &info, NULL) != 0)
		return 0;
	return info.owned_blocks * LB_BLOCK_SIZE;
}

uint64_t image_owned_bytes(const struct pool *pool, const struct image_record *record)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < record->layer_count; i++)
		bytes += layer_owned_bytes(pool, record->layers[i]);
	return bytes;
}
