// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See exec.h. Each has a conmon of its own, with a directory in the container's bundle, which its exit command removes, or the end of the
 * container.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "conmon.h"
#include "exec.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "report.h"

struct exec {
	const struct container *container;
	const struct exec_request *request;
	char session[17];
	char bundle[PATH_MAX - 64];
	char spec[PATH_MAX];
	struct conmon_session conmon;
};

static void session_path(const char *id, const char *session, char *path, size_t size)
{
	snprintf(path, size, "%s/%s/exec/%s", CONTAINER_DIR, id, session);
}

void exec_ended(const char *id, const char *session)
{
	char path[PATH_MAX];

	if (strspn(id, "0123456789abcdef") != strlen(id) || strspn(session, "0123456789abcdef") != strlen(session))
		return;
	session_path(id, session, path, sizeof(path));
	oci_directory_remove(path);
}

static int check_running(const struct pool *pool, const struct container *container, struct layerblk_error *err)
{
	switch (container_state(pool, container)) {
	case CONTAINER_RUNNING:
		return 0;
	case CONTAINER_PAUSED:
		layerblk_error_set(err, EBUSY, "execute in the container", container->name, "it is paused");
		return layerblk_error_hint(err, "\"layerctl unpause\" lets it go on");
	default:
		layerblk_error_set(err, ESRCH, "execute in the container", container->name, "it is not running");
		return layerblk_error_hint(err, "\"layerctl start\" starts it");
	}
}

static int write_spec(struct exec *exec, struct layerblk_error *err)
{
	cleanup_json json_object *process = NULL;
	char path[64];
	cleanup_fd int root = -1;
	cleanup_file FILE *file = NULL;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)oci_pid(exec->container->id));
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return layerblk_error_set(err, errno, "execute in the container", exec->container->name, "%s", strerror(errno));
	rc = spec_exec_build(exec->container, root, &exec->request->process, &process, err);
	if (rc)
		return rc;
	snprintf(exec->spec, sizeof(exec->spec), "%s/process.json", exec->bundle);
	file = fopen(exec->spec, "we");
	if (!file || fputs(json_object_to_json_string_ext(process, JSON_C_TO_STRING_PLAIN), file) == EOF || fflush(file) != 0)
		return layerblk_error_set(err, errno, "write", exec->spec, "%s", strerror(errno));
	return 0;
}

static int failure(const struct exec *exec, const char *said, int *status, struct layerblk_error *err)
{
	json_object *args = exec->request->process.args;

	*status = oci_failure(exec->bundle, said, json_object_get_string(json_object_array_get_idx(args, 0)), err);
	return -EIO;
}

/* Our streams are its streams until it ends, or is detached from. */
static int stay(struct exec *exec, struct attach *attach, int *status, struct layerblk_error *err)
{
	char why[1024];
	sigset_t signals;
	int number = 0;
	pid_t pid;
	int rc = attach_open(attach, err);

	attach_signals(&signals);
	if (!rc)
		rc = conmon_begin(&exec->conmon, &pid, why, sizeof(why), err);
	if (rc == -ECHILD)
		return failure(exec, why, status, err);
	if (rc)
		return rc;
	switch (attach_run(attach, &number)) {
	case ATTACH_DETACHED:
		*status = 0;
		break;
	case ATTACH_SIGNALED:
		*status = 128 + number;
		break;
	default:
		*status = conmon_status(&exec->conmon);
		if (*status < 0)
			*status = 137;	/* its conmon was killed */
	}
	return 0;
}

static int run(struct exec *exec, int *status, struct layerblk_error *err)
{
	const struct exec_request *request = exec->request;
	const char *exit_args[] = { "container-ended", "--exec", exec->session, exec->container->id, NULL };
	struct conmon conmon = {
		.id = exec->container->id, .name = exec->container->name, .bundle = exec->bundle, .exec_spec = exec->spec,
		.tty = request->process.tty, .input = request->input && !request->process.tty, .attach = !request->detach,
		.exit_args = exit_args,
	};
	struct attach attach = { .socket = -1, .bundle = exec->bundle, .tty = request->process.tty, .input = request->input,
				 .keys = request->keys };
	char why[1024];
	pid_t pid;
	int rc = conmon_start(&conmon, &exec->conmon, &pid, why, sizeof(why), err);

	if (rc == -ECHILD)
		return failure(exec, why, status, err);
	*status = rc ? STATUS_FAILED : 0;
	if (!rc && !request->detach)
		rc = stay(exec, &attach, status, err);
	attach_close(&attach);
	conmon_close(&exec->conmon);
	return rc;
}

int container_exec(const struct pool *pool, const struct container *container, const struct exec_request *request, int *status,
		   struct layerblk_error *err)
{
	struct exec exec = { .container = container, .request = request };
	int rc = check_running(pool, container, err);

	*status = rc ? 1 : STATUS_FAILED;
	if (rc)
		return rc;
	random_hex(exec.session, 8);
	session_path(container->id, exec.session, exec.bundle, sizeof(exec.bundle));
	rc = directory_make(exec.bundle, err);
	if (!rc)
		rc = write_spec(&exec, err);
	if (!rc)
		rc = run(&exec, status, err);
	if (rc)
		exec_ended(container->id, exec.session);
	return rc;
}
