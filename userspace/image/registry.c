// SPDX-License-Identifier: GPL-2.0-or-later
/* See registry.h. Credentials given to us go to skopeo in a file or a pipe: its arguments can be seen by everybody. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include "cleanup.h"
#include "process.h"
#include "registry.h"
#include "spool.h"
#include "tempdir.h"
#include "words.h"

struct arguments {
	struct words words;
	struct tempdir directory;	/* with a file of credentials */
};

static void arguments_clear(struct arguments *arguments)
{
	words_clear(&arguments->words);
	tempdir_remove(&arguments->directory);
}

/* shown: it may talk to the user; input: see process_run_shown(). */
static int run(const struct arguments *arguments, bool shown, const char *input, const char *what, const char *name,
	       struct layerblk_error *err)
{
	const char *const *words = (const char *const *)arguments->words.list;

	if (arguments->words.failed)
		return layerblk_error_set(err, ENOMEM, what, name, "no memory");
	return shown ? process_run_shown(words, input, what, name, err) : process_run(words, what, name, err);
}

/* ------------------------------------------------------------------ credentials */

/* As in skopeo's file: {"auths": {"HOST": {"auth": BASE64 of USER:PASSWORD}}}. */
static int write_credentials(const char *path, const char *host, const char *credentials, struct layerblk_error *err)
{
	size_t length = strlen(credentials);
	cleanup_free unsigned char *encoded = malloc(length * 4 / 3 + 8);
	cleanup_json json_object *json = json_object_new_object();
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	json_object *auths = json_object_new_object(), *auth = json_object_new_object();
	const char *text;
	int rc;

	if (!encoded || !json || !auths || !auth || fd < 0) {
		json_object_put(auths);
		json_object_put(auth);
		return layerblk_error_set(err, fd < 0 ? errno : ENOMEM, "write the credentials for", host, "%s",
					  strerror(fd < 0 ? errno : ENOMEM));
	}
	EVP_EncodeBlock(encoded, (const unsigned char *)credentials, (int)length);
	json_object_object_add(auth, "auth", json_object_new_string((const char *)encoded));
	json_object_object_add(auths, host, auth);
	json_object_object_add(json, "auths", auths);
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	rc = write_all(fd, text, strlen(text));
	return rc ? layerblk_error_set(err, -rc, "write the credentials for", host, "%s", strerror(-rc)) : 0;
}

static int add_credentials(struct arguments *arguments, const char *name, const struct registry_options *options,
			   struct layerblk_error *err)
{
	char host[256], path[PATH_MAX];
	int rc;

	if (!options->credentials) {
		if (options->authfile)
			words_addf(&arguments->words, "--authfile=%s", options->authfile);
		return 0;
	}
	if (!strchr(options->credentials, ':'))
		return layerblk_error_set(err, EINVAL, "use the credentials for", name, "they are not of the form USER:PASSWORD");
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(name, "/"), name);
	rc = tempdir_make(&arguments->directory, err);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/auth.json", arguments->directory.path);
	rc = write_credentials(path, strcmp(host, "docker.io") == 0 ? "https://index.docker.io/v1/" : host, options->credentials, err);
	if (!rc)
		words_addf(&arguments->words, "--authfile=%s", path);
	return rc;
}

/* ------------------------------------------------------------------ copying */

static int run_copy(struct arguments *arguments, const struct registry_options *options, const char *what, const char *name,
		    struct layerblk_error *err)
{
	bool shown = !options->quiet && isatty(STDERR_FILENO);
	int rc;

	if (!shown)
		words_add(&arguments->words, "--quiet");
	rc = run(arguments, shown, NULL, what, name, err);
	if (rc == -ENOENT)
		layerblk_error_hint(err, "Install skopeo");
	return rc;
}

int registry_pull(const char *name, const struct platform *platform, const char *directory, const struct registry_options *options,
		  struct layerblk_error *err)
{
	struct arguments arguments = { .words.count = 0 };
	int rc;

	words_add(&arguments.words, "skopeo");
	words_addf(&arguments.words, "--override-os=%s", platform->os);
	words_addf(&arguments.words, "--override-arch=%s", platform->architecture);
	if (*platform->variant)
		words_addf(&arguments.words, "--override-variant=%s", platform->variant);
	words_add(&arguments.words, "copy");
	if (options->tls_verify)
		words_addf(&arguments.words, "--src-tls-verify=%s", options->tls_verify);
	rc = add_credentials(&arguments, name, options, err);
	words_addf(&arguments.words, "docker://%s", name);
	words_addf(&arguments.words, "dir:%s", directory);
	if (!rc)
		rc = run_copy(&arguments, options, "pull the image", name, err);
	arguments_clear(&arguments);
	return rc;
}

static void read_digest(const char *path, char digest[DIGEST_TEXT])
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read_all_at(fd, digest, DIGEST_TEXT - 1, 0);

	digest[got < 0 ? 0 : got] = '\0';
	digest[strcspn(digest, "\n")] = '\0';
	if (!digest_valid(digest))
		*digest = '\0';
}

int registry_push(const char *layout, const char *name, const struct registry_options *options, char digest[DIGEST_TEXT],
		  struct layerblk_error *err)
{
	struct arguments arguments = { .words.count = 0 };
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/pushed", layout);
	words_add(&arguments.words, "skopeo");
	words_add(&arguments.words, "copy");
	words_addf(&arguments.words, "--digestfile=%s", path);
	if (options->tls_verify)
		words_addf(&arguments.words, "--dest-tls-verify=%s", options->tls_verify);
	rc = add_credentials(&arguments, name, options, err);
	words_addf(&arguments.words, "oci:%s", layout);
	words_addf(&arguments.words, "docker://%s", name);
	if (!rc)
		rc = run_copy(&arguments, options, "push the image to", name, err);
	arguments_clear(&arguments);
	if (!rc)
		read_digest(path, digest);
	return rc;
}

/* ------------------------------------------------------------------ login */

static void add_common(struct arguments *arguments, const struct registry_options *options)
{
	if (options->tls_verify)
		words_addf(&arguments->words, "--tls-verify=%s", options->tls_verify);
	if (options->authfile)
		words_addf(&arguments->words, "--authfile=%s", options->authfile);
}

int registry_login(const char *registry, const char *user, const char *password, const struct registry_options *options,
		   struct layerblk_error *err)
{
	struct arguments arguments = { .words.count = 0 };
	int rc;

	words_add(&arguments.words, "skopeo");
	words_add(&arguments.words, "login");
	add_common(&arguments, options);
	if (user)
		words_addf(&arguments.words, "--username=%s", user);
	if (password)
		words_add(&arguments.words, "--password-stdin");
	words_add(&arguments.words, registry);
	rc = run(&arguments, true, password, "log in to", registry, err);
	arguments_clear(&arguments);
	return rc;
}

int registry_logout(const char *registry, bool all, const struct registry_options *options, struct layerblk_error *err)
{
	struct arguments arguments = { .words.count = 0 };
	int rc;

	words_add(&arguments.words, "skopeo");
	words_add(&arguments.words, "logout");
	if (options->authfile)
		words_addf(&arguments.words, "--authfile=%s", options->authfile);
	words_add(&arguments.words, all ? "--all" : registry);
	rc = run(&arguments, true, NULL, "log out from", registry, err);
	arguments_clear(&arguments);
	return rc;
}
