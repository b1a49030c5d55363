// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See run_once.h. A child that is the first process of a PID namespace creates the container, waits for its first process, which becomes the
 * child's when the runtime has ended, and passes on the status. The runtime keeps what it knows in the bundle instead of OCI_ROOT, since process
 * ids in it are those of the child's namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "conmon.h"
#include "container.h"
#include "filesystem.h"
#include "json.h"
#include "mountpoints.h"
#include "namespace.h"
#include "network.h"
#include "oci.h"
#include "run_once.h"
#include "spec.h"

#define SCRIPT_FILE	"script"	/* in the bundle */

struct once {
	const struct run_once *run;
	struct container container;	/* has a record, but none in the pool */
	struct work work;
	struct share_list shares;
	struct mountpoints points;
	int root;
	int output[2];
	char bundle[PATH_MAX - 64];
};

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "run a command", "", "no memory");
}

/* ------------------------------------------------------------------ in the child */

/* Does not return. */
static void become_runtime(const struct once *once, const char *runtime)
{
	char log[PATH_MAX], pidfile[PATH_MAX];
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(once->output[1], STDOUT_FILENO);
	dup2(once->output[1], STDERR_FILENO);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	snprintf(log, sizeof(log), "file:%s/" OCI_LOG, once->bundle);
	snprintf(pidfile, sizeof(pidfile), "%s/" CONMON_PID, once->bundle);
	execl(runtime, runtime, "--root", OCI_ROOT, "--log", log, "--log-format", "json", "create", "--bundle", once->bundle, "--pid-file", pidfile,
	      once->container.id, (char *)NULL);
	_exit(127);
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Of this child; what else has ended meanwhile is not waited for any more. */
static int wait_for(pid_t pid, int *status, struct layerblk_error *err)
{
	pid_t got;

	do
		got = waitpid(-1, status, 0);
	while (got != pid && (got >= 0 || errno == EINTR));
	return got == pid ? 0 : layerblk_error_set(err, errno, "wait for the command", "", "%s", strerror(errno));
}

static int create(const struct once *once, struct layerblk_error *err)
{
	cleanup_free char *runtime = oci_runtime(once->container.id, err);
	pid_t pid;
	int status, rc;

	if (!runtime)
		return -ENOENT;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_runtime(once, runtime);
	if (pid < 0)
		return layerblk_error_set(err, errno, "run a command", "", "no process: %s", strerror(errno));
	rc = wait_for(pid, &status, err);
	if (!rc && status_of(status) != 0) {
		oci_failure(once->bundle, "", once->run->argv[0], err);
		rc = -EIO;
	}
	return rc;
}

/* The command's exit status, or a negative errno. */
static int in_child(void *arg, struct layerblk_error *err)
{
	const struct once *once = arg;
	char path[PATH_MAX];
	int rc, status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/oci", once->bundle);
	rc = directory_make(path, err);
	if (!rc && mount(path, OCI_ROOT, NULL, MS_BIND, NULL) != 0)
		rc = layerblk_error_set(err, errno, "mount", path, "%s", strerror(errno));
	if (!rc)
		rc = create(once, err);
	if (rc)
		return rc;
	pid = oci_pid(once->container.id);
	if (pid <= 0)
		return layerblk_error_set(err, ESRCH, "run a command", once->run->argv[0], "it ended before it began");
	rc = network_up(&once->container, pid, err);
	if (!rc)
		rc = oci_start(once->container.id, err);
	if (!rc)
		rc = wait_for(pid, &status, err);
	oci_delete(once->container.id);
	return rc ? rc : status_of(status);
}

/* ------------------------------------------------------------------ before */

static json_object *texts(char *const *list)
{
	json_object *array = json_object_new_array();

	for (; *list; list++)
		json_object_array_add(array, json_object_new_string(*list));
	return array;
}

static int make_record(struct once *once, struct layerblk_error *err)
{
	const struct run_once *run = once->run;
	struct container *container = &once->container;

	random_hex(container->id, (CONTAINER_ID - 1) / 2);
	snprintf(container->name, sizeof(container->name), "%s", run->hostname);
	container->record = json_object_new_object();
	if (!container->record)
		return no_memory(err);
	container_set_text(container, "id", container->id);
	container_set_text(container, "hostname", run->hostname);
	container_set_text(container, "user", run->user);
	container_set_text(container, "workdir", run->workdir);
	container_set_text(container, "network", run->network);
	json_object_object_add(container->record, "command", texts(run->argv));
	json_object_object_add(container->record, "env", texts(run->env));
	return 0;
}

static int enter(struct once *once, struct layerblk_error *err)
{
	const struct pool *pool = once->run->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc = attrs ? work_begin(pool, once->container.id, &once->work, err) : no_memory(err);

	if (rc)
		return rc;
	work_enter(attrs, once->container.id, CONTAINER_KIND);
	return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
}

static int write_files(const struct once *once, struct layerblk_error *err)
{
	const struct container *container = &once->container;
	cleanup_free char *hosts = spec_hosts(container, NULL), *resolv = network_resolv(container), *line = NULL;
	int rc;

	if (!hosts || asprintf(&line, "%s\n", once->run->hostname) < 0) {
		line = NULL;
		return no_memory(err);
	}
	rc = oci_bundle_write(container->id, "hostname", line, err);
	if (!rc)
		rc = oci_bundle_write(container->id, "hosts", hosts, err);
	if (!rc && resolv)
		rc = oci_bundle_write(container->id, "resolv.conf", resolv, err);
	if (!rc && once->run->script)
		rc = oci_bundle_write(container->id, SCRIPT_FILE, once->run->script, err);
	return rc;
}

/* What the caller wants mounted, and the script. */
static int take_shares(struct once *once, struct layerblk_error *err)
{
	const struct share_list *wanted = once->run->shares;
	struct share script = { .kind = SHARE_BIND, .read_only = true, .lock = -1, .target = strdup(RUN_ONCE_SCRIPT) };
	cleanup_json json_object *list = wanted ? shares_json(wanted) : NULL;
	int rc = list ? shares_from_json(list, &once->shares, err) : 0;

	if (!rc && once->run->script && (!script.target || asprintf(&script.source, "%s/" SCRIPT_FILE, once->bundle) < 0)) {
		script.source = NULL;
		rc = no_memory(err);
	}
	if (!rc && once->run->script)
		return shares_add(&once->shares, &script, err);
	share_clear(&script);
	return rc;
}

static int write_spec(struct once *once, struct layerblk_error *err)
{
	struct spec spec = { .container = &once->container, .bundle = once->bundle, .root = once->root, .rootfs = once->run->directory,
			     .shares = &once->shares };
	cleanup_json json_object *document = NULL;
	int rc = spec_build(&spec, &document, err);

	if (!rc)
		rc = mountpoints_make(once->root, json_member(document, "mounts", json_type_array), &once->points, err);
	return rc ? rc : oci_bundle_write(once->container.id, "config.json",
					  json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN), err);
}

/* ------------------------------------------------------------------ meanwhile, and after */

/* Until all that could write has ended. `mask` is that of the caller, who takes signals. */
static void listen_to(const struct once *once, const struct child *child, const sigset_t *mask)
{
	struct pollfd output = { .fd = once->output[0], .events = POLLIN };
	const struct run_once *run = once->run;
	bool killed = false;
	char text[4096];
	ssize_t got;

	for (;;) {
		if (*run->interrupted && !killed) {
			kill(child->pid, SIGKILL);
			killed = true;
		}
		if (ppoll(&output, 1, NULL, killed ? NULL : mask) < 0)
			continue;
		got = read(output.fd, text, sizeof(text));
		if (got == 0 || (got < 0 && errno != EINTR))
			return;
		if (got > 0)
			run->said(run->arg, text, (size_t)got);
	}
}

static int run_child(struct once *once, int *status, struct layerblk_error *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t blocked, before;
	struct child child;
	int rc;

	if (pipe2(once->output, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "run a command", "", "no pipe: %s", strerror(errno));
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	rc = child_start_alone(in_child, once, &child, err);
	close(take_fd(&once->output[1]));
	if (!rc) {
		listen_to(once, &child, &before);
		rc = child_wait(&child, err);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc < 0 && *once->run->interrupted)
		return layerblk_error_set(err, EINTR, "run a command", "", "interrupted");
	if (rc < 0)
		return rc;
	*status = rc;
	return 0;
}

/* All of its processes have ended, and with them its mounts. */
static void clear_up(struct once *once)
{
	const struct pool *pool = once->run->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	const char *id = once->container.id;

	network_down(&once->container);
	oci_delete(id);
	oci_bundle_remove(id);
	if (once->root >= 0)
		mountpoints_remove(once->root, &once->points);
	if (attrs) {			/* else the next command does it */
		work_leave(attrs, id);
		layerblk_attrs_commit(pool->lb, pool->uuid, attrs, NULL);
	}
	work_end(&once->work);
}

int run_once(const struct run_once *run, int *status, struct layerblk_error *err)
{
	struct once once = { .run = run, .work.lock = -1, .output = { -1, -1 },
			     .root = open(run->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	int rc = once.root < 0 ? layerblk_error_set(err, errno, "open", run->directory, "%s", strerror(errno)) : 0;

	if (!rc)
		rc = make_record(&once, err);
	if (!rc)
		rc = enter(&once, err);
	if (once.work.lock >= 0) {
		oci_bundle_path(once.container.id, once.bundle, sizeof(once.bundle));
		if (!rc)
			rc = oci_bundle_make(once.container.id, err);
		if (!rc)
			rc = take_shares(&once, err);
		if (!rc)
			rc = write_files(&once, err);
		if (!rc)
			rc = write_spec(&once, err);
		if (!rc)
			rc = run_child(&once, status, err);
		clear_up(&once);
	}
	shares_clear(&once.shares);
	container_clear(&once.container);
	for (size_t i = 0; i < 2; i++)
		if (once.output[i] >= 0)
			close(once.output[i]);
	if (once.root >= 0)
		close(once.root);
	return rc;
}
