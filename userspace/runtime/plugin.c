// SPDX-License-Identifier: GPL-2.0-or-later
/* See plugin.h. A plugin reads its configuration from standard input and answers on standard output, also when it fails. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include "cleanup.h"
#include "json.h"
#include "plugin.h"

#define ANSWER_MAX	(1U << 20)
#define ENVIRONMENT	8

static const char *const places[] = { "/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni", "/usr/local/lib/cni" };

/* Its directory, or NULL. */
static const char *find(const char *type)
{
	char path[256];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], type);
		if (access(path, X_OK) == 0)
			return places[i];
	}
	return NULL;
}

bool plugin_is_installed(const char *type)
{
	return find(type) != NULL;
}

static void child(const char *directory, const char *type, char *const env[], int in, int out, pid_t parent)
{
	char path[256];
	sigset_t none;
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	snprintf(path, sizeof(path), "%s/%s", directory, type);
	execve(path, (char *const[]){ path, NULL }, env);
	_exit(127);
}

static json_object *read_answer(int fd)
{
	cleanup_free char *text = NULL;
	json_object *answer = NULL;
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > ANSWER_MAX)
		return NULL;
	text = malloc((size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		json_parse(text, (size_t)st.st_size, json_type_object, "the plugin's answer", &answer, NULL);
	return answer;
}

static int failed(const char *type, int status, json_object *answer, struct layerblk_error *err)
{
	const char *message = json_text(answer, "msg"), *details = json_text(answer, "details");

	if (message)
		return layerblk_error_set(err, EIO, "set up the network", type, "%s%s%s", message, details && *details ? ": " : "",
					  details ? details : "");
	return layerblk_error_set(err, EIO, "set up the network", type, "the plugin failed with status %d",
				  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int run(const char *directory, const char *type, const char *text, char *const env[], json_object **result,
	       struct layerblk_error *err)
{
	cleanup_fd int in = memfd_create("config", MFD_CLOEXEC), out = memfd_create("answer", MFD_CLOEXEC);
	cleanup_json json_object *answer = NULL;
	size_t length = strlen(text);
	pid_t parent = getpid(), pid;
	int status;

	if (in < 0 || out < 0 || pwrite(in, text, length, 0) != (ssize_t)length)
		return layerblk_error_set(err, errno, "set up the network", type, "%s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(directory, type, env, in, out, parent);
	if (pid < 0)
		return layerblk_error_set(err, errno, "set up the network", type, "no process: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	answer = read_answer(out);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return failed(type, status, answer, err);
	if (result)
		*result = take_ptr(answer);
	return 0;
}

int plugin_run(json_object *config, const char *command, const char *id, const char *netns, json_object **result,
	       struct layerblk_error *err)
{
	const char *type = json_text(config, "type"), *directory = find(type);
	char *env[ENVIRONMENT] = { NULL };
	int rc = 0;

	if (result)
		*result = NULL;
	if (!directory) {
		layerblk_error_set(err, ENOENT, "set up the network", type, "the plugin is not installed");
		return layerblk_error_hint(err, "Install containernetworking-plugins, or use --network none or host");
	}
	if (asprintf(&env[0], "CNI_COMMAND=%s", command) < 0 || asprintf(&env[1], "CNI_CONTAINERID=%s", id) < 0 ||
	    asprintf(&env[2], "CNI_NETNS=%s", netns) < 0 || asprintf(&env[3], "CNI_IFNAME=eth0") < 0 ||
	    asprintf(&env[4], "CNI_PATH=%s", directory) < 0 ||
	    asprintf(&env[5], "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") < 0)
		rc = layerblk_error_set(err, ENOMEM, "set up the network", type, "no memory");
	if (!rc)
		rc = run(directory, type, json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN), env, result, err);
	for (size_t i = 0; i < ENVIRONMENT; i++)
		free(env[i]);
	return rc;
}
