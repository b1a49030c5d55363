// SPDX-License-Identifier: GPL-2.0
/*
 * The control device: /dev/layerblk-control.
 *
 * Opening it loads the module: kmod makes the node at boot from the devname: alias, which works with a fixed minor only. 250 lies in
 * the part of the misc minors that is left to local use, and out of reach of those given dynamically.
 *
 * One table says of each request its number, the size of its struct in the first version, the flags it knows, and where what must
 * be zero lies; all that is checked before a handler runs. A longer struct than ours is a newer caller's: fine as long as what
 * we do not know is zero.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "control.h"
#include "events.h"

#define LBK_MINOR	250

struct lbk_request {
	unsigned int cmd;
	int (*handler)(void *arg);
	u32 flags;			/* known ones */
	u16 size;
	u16 pad;			/* offset of a __u32 that must be zero; 0: none */
	u16 reserved;			/* offset of what must be zero, and its length */
	u16 reserved_len;
};

#define LBK_REQUEST(_cmd, _type, _handler, _flags)					\
	{ .cmd = _cmd, .handler = _handler, .flags = _flags, .size = sizeof(struct _type),	\
	  .reserved = offsetof(struct _type, reserved), .reserved_len = sizeof_field(struct _type, reserved) }
#define LBK_REQUEST_PAD(_cmd, _type, _handler, _flags)					\
	{ .cmd = _cmd, .handler = _handler, .flags = _flags, .size = sizeof(struct _type),	\
	  .pad = offsetof(struct _type, pad),						\
	  .reserved = offsetof(struct _type, reserved), .reserved_len = sizeof_field(struct _type, reserved) }

#define LBK_POOL_SET_ALL	(LB_POOL_SET_QUEUE | LB_POOL_SET_LOW_WATER | LB_POOL_SET_INTERVAL | LB_POOL_SET_CACHE)
#define LBK_VOL_SET_ALL		(LB_VOL_SET_SIZE | LB_VOL_SET_QUOTA | LB_VOL_SET_NAME | LB_VOL_SET_SHRINK)
#define LBK_STAT_ALL		(LB_STAT_NAME | LB_STAT_NEXT | LB_STAT_HIDDEN | LB_STAT_MAPPED)

static const struct lbk_request lbk_requests[] = {
	LBK_REQUEST(LB_IOC_VERSION, lb_ioc_version, lbk_ioctl_version, 0),
	LBK_REQUEST(LB_IOC_POOL_OPEN, lb_ioc_pool_open, lbk_ioctl_pool_open, LB_OPEN_READ_ONLY | LB_OPEN_FORCE_FALLBACK),
	LBK_REQUEST(LB_IOC_POOL_CLOSE, lb_ioc_pool_ref, lbk_ioctl_pool_close, 0),
	LBK_REQUEST(LB_IOC_POOL_STATUS, lb_ioc_pool_status, lbk_ioctl_pool_status, 0),
	LBK_REQUEST(LB_IOC_POOL_NEXT, lb_ioc_pool_status, lbk_ioctl_pool_next, 0),
	LBK_REQUEST_PAD(LB_IOC_POOL_SET, lb_ioc_pool_set, lbk_ioctl_pool_set, LBK_POOL_SET_ALL),
	LBK_REQUEST(LB_IOC_POOL_GROW, lb_ioc_pool_grow, lbk_ioctl_pool_grow, 0),
	LBK_REQUEST(LB_IOC_POOL_SYNC, lb_ioc_pool_ref, lbk_ioctl_pool_sync, 0),
	LBK_REQUEST(LB_IOC_POOL_SCRUB, lb_ioc_pool_scrub, lbk_ioctl_pool_scrub, LB_SCRUB_START | LB_SCRUB_STOP),
	LBK_REQUEST_PAD(LB_IOC_VOL_CREATE, lb_ioc_vol_create, lbk_ioctl_vol_create, 0),
	LBK_REQUEST_PAD(LB_IOC_VOL_SNAPSHOT, lb_ioc_vol_snapshot, lbk_ioctl_vol_snapshot, LB_SNAP_FROZEN),
	LBK_REQUEST_PAD(LB_IOC_VOL_FREEZE, lb_ioc_vol_freeze, lbk_ioctl_vol_freeze, 0),
	LBK_REQUEST(LB_IOC_VOL_RM, lb_ioc_vol_rm, lbk_ioctl_vol_rm, LB_RM_IF_NO_CHILDREN),
	LBK_REQUEST_PAD(LB_IOC_VOL_SET, lb_ioc_vol_set, lbk_ioctl_vol_set, LBK_VOL_SET_ALL),
	LBK_REQUEST(LB_IOC_VOL_ROLLBACK, lb_ioc_vol_rollback, lbk_ioctl_vol_rollback, 0),
	LBK_REQUEST_PAD(LB_IOC_VOL_STAT, lb_ioc_vol_stat, lbk_ioctl_vol_stat, LBK_STAT_ALL),
	LBK_REQUEST_PAD(LB_IOC_VOL_ACTIVATE, lb_ioc_vol_activate, lbk_ioctl_vol_activate, LB_ACTIVATE_READ_ONLY),
	LBK_REQUEST_PAD(LB_IOC_VOL_DEACTIVATE, lb_ioc_vol_activate, lbk_ioctl_vol_deactivate, 0),
	LBK_REQUEST(LB_IOC_ATTR_GET, lb_ioc_attr_get, lbk_ioctl_attr_get, 0),
	LBK_REQUEST(LB_IOC_ATTR_NEXT, lb_ioc_attr_next, lbk_ioctl_attr_next, 0),
	LBK_REQUEST_PAD(LB_IOC_DIFF, lb_ioc_diff, lbk_ioctl_diff, 0),
};

/* Each struct begins with these. */
struct lbk_head {
	__u32 size;
	__u32 flags;
};

/* A number and a direction make a request; the size in it is the caller's, as is the one in the struct. */
static const struct lbk_request *lbk_request_find(unsigned int cmd)
{
	unsigned int i;

	if (_IOC_TYPE(cmd) != LB_IOC_MAGIC)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(lbk_requests); i++) {
		if (_IOC_NR(lbk_requests[i].cmd) == _IOC_NR(cmd) && _IOC_DIR(lbk_requests[i].cmd) == _IOC_DIR(cmd))
			return &lbk_requests[i];
	}
	return NULL;
}

static int lbk_request_check(const struct lbk_request *r, const void *arg)
{
	const struct lbk_head *head = arg;

	if (head->flags & ~r->flags)
		return -EINVAL;
	if (r->pad && *(const u32 *)(arg + r->pad))
		return -EINVAL;
	return memchr_inv(arg + r->reserved, 0, r->reserved_len) ? -EINVAL : 0;
}

static int lbk_request_get(const struct lbk_request *r, void *arg, const void __user *user)
{
	struct lbk_head *head = arg;
	u32 size;
	int err;

	if (get_user(size, (const u32 __user *)user))
		return -EFAULT;
	if (size < r->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(arg, r->size, user, size);
	if (err)
		return err;
	head->size = size;
	return lbk_request_check(r, arg);
}

static long lbk_control_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	const struct lbk_request *r = lbk_request_find(cmd);
	void *arg;
	int err;

	if (!r)
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	arg = kzalloc(r->size, GFP_KERNEL);
	if (!arg)
		return -ENOMEM;
	err = lbk_request_get(r, arg, (const void __user *)user);
	if (!err) {
		err = r->handler(arg);
		/* -ERANGE tells how much room there should have been */
		if ((!err || err == -ERANGE) && copy_to_user((void __user *)user, arg, r->size))
			err = -EFAULT;
	}
	kfree(arg);
	return err;
}

static int lbk_control_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return lbk_events_open(file);
}

static int lbk_control_release(struct inode *inode, struct file *file)
{
	lbk_events_release(file);
	return 0;
}

static const struct file_operations lbk_control_fops = {
	.owner		= THIS_MODULE,
	.open		= lbk_control_open,
	.release	= lbk_control_release,
	.read		= lbk_events_read,
	.poll		= lbk_events_poll,
	.unlocked_ioctl	= lbk_control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,	/* the structs are the same for 32 bits */
	.llseek		= noop_llseek,
};

static struct miscdevice lbk_control = {
	.minor		= LBK_MINOR,
	.name		= LB_CONTROL_NAME,
	.nodename	= LB_CONTROL_NAME,
	.fops		= &lbk_control_fops,
	.mode		= 0600,
};

MODULE_ALIAS_MISCDEV(LBK_MINOR);
MODULE_ALIAS("devname:" LB_CONTROL_NAME);

int lbk_control_init(void)
{
	return misc_register(&lbk_control);
}

void lbk_control_exit(void)
{
	misc_deregister(&lbk_control);
}
