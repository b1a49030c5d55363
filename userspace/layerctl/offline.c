// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine in this process: pools that the module does not have open. Whoever writes here holds the device exclusively for
 * as long as it lasts, so that it cannot be opened meanwhile.
 */
#include <fcntl.h>
#include <string.h>
#include "engine.h"
#include "port_user.h"
#include "cleanup.h"
#include "offline.h"
#include "ref.h"
#include "size.h"

CLEANUP_WITH(port, struct port_dev *, port_file_close)

/* ------------------------------------------------------------------ the host that an engine asks for: one thread, no disks */

static void host_kick(void *host, unsigned int what)
{
	*(unsigned int *)host |= what;
}

static void host_vol(void *host, void *vol_host)
{
	(void)host;
	(void)vol_host;
}

static void host_room(void *host, u64 round)
{
	(void)host;
	(void)round;
}

static void host_event(void *host, enum lb_event_type type, u64 vol, u64 arg, const char *name)
{
	(void)host;
	(void)type;
	(void)vol;
	(void)arg;
	(void)name;
}

static const struct lb_host_ops host_ops = {
	.kick = host_kick, .vol_hold = host_vol, .vol_resume = host_vol, .room = host_room,
	.event = host_event,
};

/* ------------------------------------------------------------------ */

static int explain(int ret, const char *what, const char *path, struct layerblk_error *err)
{
	static const struct {
		int code;
		const char *why, *hint;
	} reasons[] = {
		{ EMEDIUMTYPE, "it holds no layerblk pool", NULL },
		{ EOPNOTSUPP, "its pool needs a feature that this layerctl does not have", "Install a newer layerblk" },
		{ EUCLEAN, "its pool's metadata is damaged", "layerck tells what is wrong" },
		{ ESTALE, "its newest superblock is damaged and only an older one is intact", "layerck tells more" },
		{ EFBIG, "it is smaller than its pool", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code != -ret)
			continue;
		layerblk_error_set(err, -ret, what, path, "%s", reasons[i].why);
		if (reasons[i].hint)
			layerblk_error_hint(err, "%s", reasons[i].hint);
		return ret;
	}
	return layerblk_error_set(err, -ret, what, path, "%s", strerror(-ret));
}

/*
 * What goes wrong is told once, by the error that comes back. Not through the page cache, which knows nothing of what the module
 * writes to a device while others have it open.
 */
static struct port_dev *open_port(const char *path, bool read_only, const char *what, struct layerblk_error *err)
{
	struct port_dev *port;
	int ret = 0;

	port_log_set_level(-1);
	port = port_file_open_flags(path, read_only, PORT_FILE_DIRECT, &ret);
	if (!port)
		explain(ret, what, path, err);
	return port;
}

static int check_size(struct port_dev *port, const char *path, struct layerblk_error *err)
{
	uint64_t blocks = port_dev_blocks(port);
	char has[SIZE_TEXT], limit[SIZE_TEXT];

	if (blocks < LB_POOL_MIN_BLOCKS)
		return layerblk_error_set(err, EINVAL, "make a pool on", path, "it has %s and a pool needs at least %s",
					  size_format(blocks * LB_BLOCK_SIZE, has),
					  size_format((uint64_t)LB_POOL_MIN_BLOCKS * LB_BLOCK_SIZE, limit));
	if (blocks > LB_POOL_MAX_BLOCKS)
		return layerblk_error_set(err, EFBIG, "make a pool on", path, "it has %s and a pool has at most %s",
					  size_format(blocks * LB_BLOCK_SIZE, has),
					  size_format(LB_POOL_MAX_BLOCKS * LB_BLOCK_SIZE, limit));
	return 0;
}

static int write_label(struct port_dev *port, const char *label)
{
	struct lb_attr_change change = {
		.vol = 0, .key = LABEL_KEY, .key_len = strlen(LABEL_KEY), .value = label, .value_len = (u32)strlen(label),
	};
	struct lb_vol_change nothing = { 0 };
	struct lb_tx tx = { .changes = &change, .count = 1 };
	struct lb_pool *pool;
	unsigned int kicks = 0;
	int ret, closed;

	ret = lb_pool_open(port, 0, &host_ops, &kicks, &pool);
	if (ret)
		return ret;
	ret = lb_vol_set(pool, 0, &nothing, &tx);
	closed = lb_pool_close(pool);
	return ret ? ret : closed;
}

int offline_format(const char *path, const char *label, uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err)
{
	static const char what[] = "make a pool on";
	cleanup_fd int held = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	CLEANUP(port) struct port_dev *port = NULL;
	struct lb_format_opts options = { 0 };
	int ret;

	if (held < 0)
		return layerblk_error_set(err, errno, what, path, "%s", errno == EBUSY ? "it is in use" : strerror(errno));
	port = open_port(path, false, what, err);
	if (!port)
		return -EIO;
	ret = check_size(port, path, err);
	if (ret)
		return ret;
	ret = lb_pool_format(port, &options, uuid);
	if (!ret && label)
		ret = write_label(port, label);
	return ret ? explain(ret, what, path, err) : 0;
}

int offline_probe(const char *path, struct offline_pool *out, struct layerblk_error *err)
{
	static const char what[] = "look for a pool on";
	CLEANUP(port) struct port_dev *port = open_port(path, true, what, err);
	struct lb_super_info info;
	int ret;

	if (!port)
		return -EIO;
	ret = lb_pool_probe(port, &info);
	if (ret)
		return explain(ret, what, path, err);
	memcpy(out->uuid, info.uuid, LB_UUID_LEN);
	out->total_blocks = info.total_blocks;
	out->generation = info.generation;
	out->created_s = info.created;
	return 0;
}

static int read_label(struct lb_pool *pool, char **label)
{
	char text[LB_NAME_MAX + 1];
	u32 len = LB_NAME_MAX;
	int ret = lb_attr_get(pool, 0, LABEL_KEY, strlen(LABEL_KEY), text, &len);

	*label = NULL;
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	text[len] = 0;
	*label = strdup(text);
	return *label ? 0 : -ENOMEM;
}

int offline_label(const char *path, char **label, struct layerblk_error *err)
{
	static const char what[] = "read the label of the pool on";
	CLEANUP(port) struct port_dev *port = open_port(path, true, what, err);
	struct lb_pool *pool;
	unsigned int kicks = 0;
	int ret;

	if (!port)
		return -EIO;
	ret = lb_pool_open(port, LB_POOL_OPEN_RO, &host_ops, &kicks, &pool);
	if (!ret) {
		ret = read_label(pool, label);
		lb_pool_abandon(pool);
	}
	return ret ? explain(ret, what, path, err) : 0;
}

int offline_wipe(const char *path, struct layerblk_error *err)
{
	static const char what[] = "wipe the pool on";
	cleanup_fd int held = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	CLEANUP(port) struct port_dev *port = NULL;
	int ret;

	if (held < 0)
		return layerblk_error_set(err, errno, what, path, "%s", errno == EBUSY ? "it is in use" : strerror(errno));
	port = open_port(path, false, what, err);
	if (!port)
		return -EIO;
	ret = lb_pool_wipe(port);
	return ret ? explain(ret, what, path, err) : 0;
}
