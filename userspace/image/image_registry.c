// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl pull, push, login and logout. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "image_commands.h"
#include "image_import.h"
#include "registry.h"
#include "save.h"
#include "spool.h"
#include "tempdir.h"

#define REGISTRY_DEFAULT	"docker.io"
#define PASSWORD_MAX		4096	/* bytes; what a pipe takes at once */

static int take_options(struct command_call *call, struct registry_options *out)
{
	*out = (struct registry_options){
		.tls_verify = option_value(call, "tls-verify"), .credentials = option_value(call, "creds"),
		.authfile = option_value(call, "authfile"), .quiet = option_is_set(call, "quiet"),
	};
	if (out->tls_verify && strcmp(out->tls_verify, "true") != 0 && strcmp(out->tls_verify, "false") != 0)
		return layerblk_error_set(&call->error, EINVAL, "use --tls-verify", out->tls_verify, "it is \"true\" or \"false\"");
	return 0;
}

/* ------------------------------------------------------------------ pull */

struct pulled {				/* what is asked for, and how it is called here */
	char full[2 * REFERENCE_MAX];	/* with the registry, and with the digest if one is given */
	char normal[REFERENCE_MAX];	/* the name it gets; "" when it is asked for by digest */
};

static int take_name(const char *text, struct pulled *out, struct layerblk_error *err)
{
	char name[REFERENCE_MAX], full[REFERENCE_MAX + 32], *colon;
	const char *at = strchr(text, '@');
	int rc;

	if (snprintf(name, sizeof(name), "%.*s", at ? (int)(at - text) : (int)strlen(text), text) >= (int)sizeof(name))
		return layerblk_error_set(err, EINVAL, "pull the image", text, "its name is too long");
	rc = reference_normalize(name, out->normal, err);
	if (rc)
		return rc;
	reference_full(out->normal, full);
	if (!at) {
		snprintf(out->full, sizeof(out->full), "%s", full);
		return 0;
	}
	if (!digest_valid(at + 1))
		return layerblk_error_set(err, EINVAL, "pull the image", text, "what follows the \"@\" is no digest");
	colon = strrchr(full, ':');
	snprintf(out->full, sizeof(out->full), "%.*s%s", (int)(colon - full), full, at);
	*out->normal = '\0';
	return 0;
}

/* The image's manifest digest and id before and after, for what is said in the end. */
static void say_pulled(const struct pool *pool, const struct pulled *name, const char *id, const char *before, bool quiet)
{
	struct image_record record = { 0 };

	if (!quiet && record_find(pool, id, &record, NULL) == 0) {
		if (*record.manifest_digest)
			printf("Digest: %s\n", record.manifest_digest);
		printf("Status: %s for %s\n", strcmp(id, before) == 0 ? "Image is up to date" : "Downloaded newer image", name->full);
		record_clear(&record);
	}
	printf("%s\n", name->full);
}

static int pull(struct command_call *call, const struct pool *pool, const struct pulled *name, struct image_request *request,
		const struct registry_options *options)
{
	struct tempdir directory = { "" };
	struct image_record had = { 0 };
	struct source *source = NULL;
	char id[DIGEST_TEXT] = "";
	int rc = *name->normal ? image_request_add_tag(request, name->normal, &call->error) : 0;

	if (!rc)
		rc = tempdir_make(&directory, &call->error);
	if (!rc)
		rc = registry_pull(name->full, &request->platform, directory.path, options, &call->error);
	if (!rc)
		rc = source_open(directory.path, &source, &call->error);
	if (*name->normal)
		record_find_name(pool, name->normal, &had);
	if (!rc)
		rc = image_import_source(pool, source, directory.path, request, true, id, &call->error);
	source_close(source);
	tempdir_remove(&directory);
	if (!rc)
		say_pulled(pool, name, id, had.id, options->quiet);
	record_clear(&had);
	return rc;
}

int image_pull_run(struct command_call *call)
{
	struct registry_options options;
	struct image_request request;
	struct image_pool at;
	struct pulled name;
	int rc = image_request_take(call, &request);

	if (!rc)
		rc = take_options(call, &options);
	if (!rc)
		rc = take_name(call->argv[0], &name, &call->error);
	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(import_interrupt);
		rc = pull(call, &at.pool, &name, &request, &options);
	}
	image_request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ------------------------------------------------------------------ push */

static int write_layout(const struct pool *pool, const char *text, enum packing packing, const char *directory, bool quiet,
			struct layerblk_error *err)
{
	cleanup_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct save save = { .pool = pool, .packing = packing, .quiet = quiet };
	struct image_record record = { 0 };
	int rc;

	if (fd < 0)
		return layerblk_error_set(err, errno, "open", directory, "%s", strerror(errno));
	rc = record_find(pool, text, &record, err);
	if (!rc)
		rc = layout_new(fd, false, false, &save.layout, err);
	if (!rc)
		rc = save_image(&save, &record, NULL, 0, err);
	if (!rc)
		rc = layout_finish(save.layout, err);
	layout_free(save.layout);
	save_clear(&save);
	record_clear(&record);
	return rc;
}

/* The name to push to: that of the destination, or of the image, which then must be meant by name. */
static int take_destination(struct command_call *call, char full[REFERENCE_MAX + 32])
{
	const char *text = call->argv[call->argc - 1];
	char normal[REFERENCE_MAX];
	int rc;

	if (strncmp(text, "docker://", 9) == 0)
		text += 9;
	rc = reference_normalize(text, normal, &call->error);
	if (!rc)
		reference_full(normal, full);
	return rc;
}

static int push(struct command_call *call, const struct pool *pool, const char *full, const struct registry_options *options)
{
	const char *word = option_value(call, "compress");
	enum packing packing = PACKING_GZIP;
	struct tempdir directory = { "" };
	char digest[DIGEST_TEXT] = "";
	int rc = word ? packing_parse(word, &packing, &call->error) : 0;

	if (!rc)
		rc = tempdir_make(&directory, &call->error);
	if (!rc)
		rc = write_layout(pool, call->argv[0], packing, directory.path, options->quiet, &call->error);
	if (!rc)
		rc = registry_push(directory.path, full, options, digest, &call->error);
	tempdir_remove(&directory);
	if (!rc && options->quiet)
		printf("%s\n", full);
	else if (!rc)
		printf("%s: digest: %s\n", full, *digest ? digest : "unknown");
	return rc;
}

int image_push_run(struct command_call *call)
{
	struct registry_options options;
	char full[REFERENCE_MAX + 32];
	struct image_pool at;
	int rc = take_options(call, &options);

	if (!rc)
		rc = take_destination(call, full);
	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(save_interrupt);
		rc = push(call, &at.pool, full, &options);
	}
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ------------------------------------------------------------------ login, logout */

/* A line (or all) of standard input, without its end. */
static int read_password(char password[PASSWORD_MAX], struct layerblk_error *err)
{
	size_t used = 0;
	ssize_t got;

	while (used < PASSWORD_MAX - 1 && (got = read(STDIN_FILENO, password + used, PASSWORD_MAX - 1 - used)) > 0)
		used += (size_t)got;
	password[used] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return *password ? 0 : layerblk_error_set(err, EINVAL, "read the password from", "standard input", "there is none");
}

int image_login_run(struct command_call *call)
{
	const char *registry = call->argc ? call->argv[0] : REGISTRY_DEFAULT, *password = option_value(call, "password");
	struct registry_options options;
	char text[PASSWORD_MAX];
	int rc = take_options(call, &options);

	if (password && option_is_set(call, "password-stdin"))
		return command_usage_error(call, "--password and --password-stdin exclude each other");
	if (option_is_set(call, "password-stdin") && !option_value(call, "username"))
		return command_usage_error(call, "--password-stdin needs --username");
	if (!rc && option_is_set(call, "password-stdin")) {
		rc = read_password(text, &call->error);
		password = text;
	}
	if (!rc)
		rc = registry_login(registry, option_value(call, "username"), password, &options, &call->error);
	explicit_bzero(text, sizeof(text));
	return rc ? command_fail(call) : 0;
}

int image_logout_run(struct command_call *call)
{
	const char *registry = call->argc ? call->argv[0] : REGISTRY_DEFAULT;
	struct registry_options options;

	if (take_options(call, &options) || registry_logout(registry, option_is_set(call, "all"), &options, &call->error))
		return command_fail(call);
	return 0;
}
