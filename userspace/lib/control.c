// SPDX-License-Identifier: LGPL-2.1-or-later
/* The control device: opening it, the version, and the one place that calls ioctl(). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "internal.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *layerblk_library_version(void)
{
	return STRING(LAYERBLK_VERSION_MAJOR) "." STRING(LAYERBLK_VERSION_MINOR);
}

static int open_failed(int code, struct layerblk_error *err)
{
	static const char what[] = "open";

	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		layerblk_error_set(err, code, what, LB_CONTROL_PATH, "the layerblk module is not loaded");
		return layerblk_error_hint(err, "Load it with `modprobe layerblk`");
	case EPERM:
	case EACCES:
		layerblk_error_set(err, code, what, LB_CONTROL_PATH, "permission denied");
		return layerblk_error_hint(err, "Run it as root");
	default:
		return layerblk_error_set(err, code, what, LB_CONTROL_PATH, "%s", strerror(code));
	}
}

static int check_version(struct layerblk *lb, struct layerblk_error *err)
{
	static const struct request_context context = { .what = "ask the module for its version" };
	int ret;

	lb->version.size = sizeof(lb->version);
	ret = lbk_request(lb, LB_IOC_VERSION, &lb->version, &context, err);
	if (ret)
		return ret;
	lb->version.module_version[sizeof(lb->version.module_version) - 1] = 0;
	if (lb->version.api_major == LB_API_MAJOR)
		return 0;
	layerblk_error_set(err, EPROTO, "talk to the layerblk module", NULL,
			   "its interface is version %u.%u and this library knows %d.%d", lb->version.api_major,
			   lb->version.api_minor, LB_API_MAJOR, LB_API_MINOR);
	return layerblk_error_hint(err, "Install tools and module of the same release");
}

int layerblk_open(struct layerblk **out, struct layerblk_error *err)
{
	struct layerblk *lb = calloc(1, sizeof(*lb));
	int ret;

	if (!lb)
		return layerblk_error_set(err, ENOMEM, "open", LB_CONTROL_PATH, "out of memory");
	lb->fd = open(LB_CONTROL_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (lb->fd < 0) {
		ret = open_failed(errno, err);
		free(lb);
		return ret;
	}
	ret = check_version(lb, err);
	if (ret) {
		layerblk_close(lb);
		return ret;
	}
	*out = lb;
	return 0;
}

void layerblk_close(struct layerblk *lb)
{
	int saved = errno;

	if (!lb)
		return;
	close(lb->fd);
	free(lb);
	errno = saved;
}

int layerblk_fd(const struct layerblk *lb)
{
	return lb->fd;
}

const struct lb_ioc_version *layerblk_module_version(const struct layerblk *lb)
{
	return &lb->version;
}

static int call(struct layerblk *lb, unsigned long request, void *argument)
{
	int ret;

	do {
		ret = ioctl(lb->fd, request, argument);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* The name of a volume that a failed request was about, or its id when that cannot be told. */
static void volume_subject(struct layerblk *lb, const struct request_context *context, char *text)
{
	struct lb_ioc_vol_stat stat = { .size = sizeof(stat), .id = context->volume };

	if (context->uuid)
		lbk_set_uuid(stat.uuid, context->uuid);
	if (context->uuid && !call(lb, LB_IOC_VOL_STAT, &stat) && stat.info.name[0])
		snprintf(text, SUBJECT_TEXT, "\"%.*s\"", LB_NAME_MAX, stat.info.name);
	else
		snprintf(text, SUBJECT_TEXT, "id:%llu", (unsigned long long)context->volume);
}

int lbk_request(struct layerblk *lb, unsigned long request, void *argument, const struct request_context *context,
		struct layerblk_error *err)
{
	char subject[SUBJECT_TEXT] = "";
	int ret = call(lb, request, argument);

	if (ret >= 0 || !err)
		return ret < 0 ? ret : 0;
	if (context->name)
		snprintf(subject, sizeof(subject), "\"%.*s\"", LB_NAME_MAX, context->name);
	else if (context->volume)
		volume_subject(lb, context, subject);
	return lbk_reason(err, request, -ret, context, subject);
}
