/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as kmod/control.c, ioctl_*.c, events.c and pool.c need to be compiled, unchanged, into a program: the user's memory, allocation, locks, lists, works, the control
 * device. Everything below the requests that is not the engine (disks, bios, sysfs) is host.c's.
 *
 * It is stricter than the kernel where that finds mistakes: what may sleep aborts under a spinlock, a mutex taken twice aborts, allocations that the kernel would warn of abort, all memory
 * must have been given back in the end, and the user's memory changes behind the reader's back when the fuzzer says so. One thread; works run when kshim_run_works() is called.
 */
#ifndef FUZZ_KSHIM_H
#define FUZZ_KSHIM_H

#include <endian.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "port_types.h"

/* ------------------------------------------------------------------ words */

#define __user
#define __must_check
#define __maybe_unused			__attribute__((unused))
#define sizeof_field(type, member)	sizeof(((type *)0)->member)
#define BUILD_BUG_ON(condition)		_Static_assert(!(condition), "BUILD_BUG_ON")
#define static_assert(condition)	_Static_assert(condition, #condition)
#define min(a, b)			((a) < (b) ? (a) : (b))
#define container_of(p, type, member)	lb_container_of(p, type, member)
#define smp_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)		__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define THIS_MODULE			NULL
#define __module_get(m)			((void)(m))
#define module_put(m)			((void)(m))
#define MODULE_ALIAS(text)		_Static_assert(sizeof(text) > 1, "an alias")
#define MODULE_ALIAS_MISCDEV(minor)	_Static_assert((minor) > 0, "a minor")
#define ERESTARTSYS			512
#define PAGE_SIZE			4096u
typedef u32 __poll_t;
typedef unsigned int fmode_t;

#define MAX_ERRNO			4095
static inline void *ERR_PTR(long error) { return (void *)error; }
static inline long PTR_ERR(const void *p) { return (long)p; }
static inline bool IS_ERR(const void *p) { return (unsigned long)p >= (unsigned long)-MAX_ERRNO; }

void kshim_die(const char *what) __attribute__((noreturn));
void kshim_printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define pr_warn(...)			kshim_printk("layerblk: a warning")

static inline void *memchr_inv(const void *start, int c, size_t bytes)
{
	const u8 *p = start;

	for (; bytes; p++, bytes--)
		if (*p != (u8)c)
			return (void *)(unsigned long)p;
	return NULL;
}

ssize_t strscpy(char *to, const char *from, size_t room);
ssize_t strscpy_pad(char *to, const char *from, size_t room);
static inline u64 ktime_get_real_ns(void) { return 1700000000ull * 1000000000; }

/* The kernel's 12 and 20 bits. */
#undef MAJOR
#undef MINOR
#undef MKDEV
#define MAJOR(dev)			((unsigned int)((dev) >> 20))
#define MINOR(dev)			((unsigned int)((dev) & 0xfffff))
#define MKDEV(major, minor)		((kdev_t)((kdev_t)(major) << 20 | (minor)))
typedef u32 kdev_t;
#define dev_t				kdev_t

/* ------------------------------------------------------------------ who asks */

#define CAP_SYS_ADMIN			21
extern bool kshim_capable;
static inline bool capable(int cap) { return kshim_capable; }

/* ------------------------------------------------------------------ the user's memory: [KSHIM_USER, + KSHIM_USER_BYTES) */

#define KSHIM_USER			0x10000ul
#define KSHIM_USER_BYTES		0x10000ul
extern u8 kshim_user[KSHIM_USER_BYTES];
extern u32 kshim_race;			/* after so many reads of it, the user changes what was read; 0: never */

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n);	/* what could not be copied */
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n);
int copy_struct_from_user(void *to, size_t room, const void __user *from, size_t size);
void *vmemdup_user(const void __user *from, size_t n);
#define get_user(x, p)			(copy_from_user(&(x), p, sizeof(x)) ? -EFAULT : 0)
static inline void __user *u64_to_user_ptr(u64 p) { return (void *)(unsigned long)p; }
#define compat_ptr_ioctl		NULL
#define noop_llseek			NULL

/* ------------------------------------------------------------------ allocation */

#define GFP_KERNEL			0u
#define GFP_KERNEL_ACCOUNT		0u
#define __GFP_IO			1u
extern u64 kshim_fail_alloc;		/* the nth from now on fails; 0: none */
u64 kshim_alloc_live(void);
void *kshim_alloc(size_t bytes, size_t most);
void kshim_free(const void *p);
static inline size_t array_size(size_t a, size_t b) { return a && b > (size_t)-1 / a ? (size_t)-1 : a * b; }
/* The kernel warns of slab objects beyond 4 MiB, and of any beyond 2 GiB. */
#define kzalloc(n, flags)		kshim_alloc(n, 4u << 20)
#define kvzalloc(n, flags)		kshim_alloc(n, 0x7fffffff)
#define kvmalloc(n, flags)		kshim_alloc(n, 0x7fffffff)
#define kvcalloc(n, size, flags)	kshim_alloc(array_size(n, size), 0x7fffffff)
#define vzalloc(n)			kshim_alloc(n, 0x7fffffff)
#define kfree(p)			kshim_free(p)
#define kvfree(p)			kshim_free(p)
#define vfree(p)			kshim_free(p)
static inline unsigned int memalloc_noio_save(void) { return 0; }
static inline void memalloc_noio_restore(unsigned int scope) { }

/* ------------------------------------------------------------------ locks, waiting */

void kshim_might_sleep(void);
struct mutex { bool held; };
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
static inline int mutex_lock_interruptible(struct mutex *m) { mutex_lock(m); return 0; }
static inline void mutex_init(struct mutex *m) { m->held = false; }
#define DEFINE_MUTEX(name)		struct mutex name

typedef struct { bool held; } spinlock_t;
void kshim_spin(spinlock_t *l, bool take);
#define DEFINE_SPINLOCK(name)		spinlock_t name
#define spin_lock_irqsave(l, flags)	do { (flags) = 0; kshim_spin(l, true); } while (0)
#define spin_unlock_irqrestore(l, flags) do { (void)(flags); kshim_spin(l, false); } while (0)
#define spin_lock_irq(l)		kshim_spin(l, true)
#define spin_unlock_irq(l)		kshim_spin(l, false)

typedef struct { u8 unused; } wait_queue_head_t;
#define DECLARE_WAIT_QUEUE_HEAD(name)	wait_queue_head_t name
#define wake_up_all(w)			((void)(w))
#define wake_up_interruptible_all(w)	((void)(w))
/* Nobody else is there to wake us: a signal does, or it is a hang. */
#define wait_event_interruptible(w, condition)	({ (void)(w); kshim_might_sleep(); (condition) ? 0 : -ERESTARTSYS; })
#define wait_event(w, condition)	do { (void)(w); kshim_might_sleep(); if (!(condition)) kshim_die("waits for ever"); } while (0)

/* ------------------------------------------------------------------ lists */

struct list_head { struct list_head *next, *prev; };
struct hlist_node { struct hlist_node *next; };
struct hlist_head { struct hlist_node *first; };
#define LIST_HEAD(name)			struct list_head name = { &(name), &(name) }
static inline void list_add_tail(struct list_head *l, struct list_head *head)
{
	l->next = head;
	l->prev = head->prev;
	head->prev->next = l;
	head->prev = l;
}
static inline void list_del(struct list_head *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}
#define list_for_each_entry(p, head, member)							\
	for (p = lb_container_of((head)->next, __typeof__(*p), member); &p->member != (head);	\
	     p = lb_container_of(p->member.next, __typeof__(*p), member))
#define DECLARE_HASHTABLE(name, bits)	struct hlist_head name[1 << (bits)]
#define hash_init(table)		memset(table, 0, sizeof(table))

/* ------------------------------------------------------------------ works */

struct work_struct {
	void (*fn)(struct work_struct *work);
	bool queued;
	struct work_struct *next;
};
struct delayed_work { struct work_struct work; };
struct workqueue_struct { u8 unused; };
#define WQ_MEM_RECLAIM			1u
#define WQ_UNBOUND			2u
#define WQ_HIGHPRI			4u
#define WQ_FREEZABLE			8u
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max, ...);
void destroy_workqueue(struct workqueue_struct *wq);
void kshim_queue(struct work_struct *w);
void kshim_cancel(struct work_struct *w);
void kshim_flush(struct work_struct *w);
void kshim_run_works(void);
#define INIT_WORK(w, f)			(*(w) = (struct work_struct){ .fn = (f) })
#define INIT_DELAYED_WORK(w, f)		INIT_WORK(&(w)->work, f)
#define queue_work(wq, w)		kshim_queue(w)
#define schedule_work(w)		kshim_queue(w)
/* A delay is for ever here: only what is due at once is queued. */
#define mod_delayed_work(wq, w, delay)	kshim_queue(&(w)->work)
#define queue_delayed_work(wq, w, delay) ((void)(delay))
#define cancel_work_sync(w)		kshim_cancel(w)
#define cancel_delayed_work_sync(w)	kshim_cancel(&(w)->work)
#define flush_work(w)			kshim_flush(w)
#define flush_delayed_work(w)		kshim_flush(&(w)->work)
#define msecs_to_jiffies(ms)		(ms)

/* ------------------------------------------------------------------ what structs hold and nobody here looks into */

typedef struct { u8 unused; } mempool_t;
struct bio;
struct bio_set { u8 unused; };
struct bio_list { u8 unused; };
struct percpu_ref { u8 unused; };
struct completion { u8 unused; };
struct kobject { u8 unused; };
struct shrinker { void *data; };
struct shrink_control {
	unsigned int gfp_mask;
	unsigned long nr_to_scan;
};
#define SHRINK_EMPTY			(~0ul - 1)
#define SHRINK_STOP			(~0ul)
static inline void *compat_shrinker_data(struct shrinker *s) { return s->data; }
struct shrinker *compat_shrinker_register(void *data, unsigned long (*count)(struct shrinker *s, struct shrink_control *sc),
					  unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc));
void shrinker_free(struct shrinker *s);

struct notifier_block { int (*notifier_call)(struct notifier_block *nb, unsigned long event, void *data); };
enum { PM_HIBERNATION_PREPARE = 1, PM_POST_HIBERNATION, PM_SUSPEND_PREPARE, PM_POST_SUSPEND, PM_RESTORE_PREPARE, PM_POST_RESTORE };
#define NOTIFY_DONE			0
#define NOTIFY_OK			1
extern struct notifier_block *kshim_pm;
static inline int register_pm_notifier(struct notifier_block *nb) { kshim_pm = nb; return 0; }
static inline void unregister_pm_notifier(struct notifier_block *nb) { kshim_pm = NULL; }

/* ------------------------------------------------------------------ files, block devices */

struct inode;
struct poll_table_struct;
struct file {
	void *private_data;
	unsigned int f_flags;
};
#ifndef O_NONBLOCK
#define O_NONBLOCK			00004000
#endif
#define poll_wait(file, queue, wait)	((void)(queue))
struct file_operations {
	void *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*release)(struct inode *inode, struct file *file);
	ssize_t (*read)(struct file *file, char __user *buf, size_t count, loff_t *pos);
	__poll_t (*poll)(struct file *file, struct poll_table_struct *wait);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd, unsigned long user);
	void *compat_ioctl, *llseek;
};
struct miscdevice {
	int minor;
	const char *name, *nodename;
	const struct file_operations *fops;
	unsigned int mode;
};
extern const struct file_operations *kshim_control;
static inline int misc_register(struct miscdevice *m) { kshim_control = m->fops; return 0; }
static inline void misc_deregister(struct miscdevice *m) { kshim_control = NULL; }

/* host.c: block devices are simulated disks. */
struct block_device {
	dev_t bd_dev;
	void *bd_holder;
	bool zoned, read_only;
	unsigned int logical;
	void *host;			/* host.c's */
};
struct gendisk {
	struct block_device *part0;
	dev_t devt;
};
typedef fmode_t blk_mode_t;
#define BLK_OPEN_READ			1u
#define BLK_OPEN_WRITE			2u
struct blk_holder_ops { void (*mark_dead)(struct block_device *bdev); };
#define COMPAT_MARK_DEAD(fn)		static void fn##_compat(struct block_device *bdev) { fn(bdev); }
struct file *bdev_file_open_by_dev(dev_t dev, blk_mode_t mode, void *holder, const struct blk_holder_ops *ops);
struct block_device *file_bdev(struct file *file);
void bdev_fput(struct file *file);
static inline bool bdev_is_zoned(const struct block_device *b) { return b->zoned; }
static inline unsigned int bdev_logical_block_size(const struct block_device *b) { return b->logical; }
static inline bool bdev_read_only(const struct block_device *b) { return b->read_only; }
static inline dev_t disk_devt(const struct gendisk *gd) { return gd->devt; }
int bdev_freeze(struct block_device *bdev);
void bdev_thaw(struct block_device *bdev);
int sync_blockdev(struct block_device *bdev);

/* trace.h */
#define trace_lbk_commit_begin(p)	((void)(p))
#define trace_lbk_commit_end(p)		((void)(p))
#define trace_lbk_reclaim_begin(p)	((void)(p))
#define trace_lbk_reclaim_end(p)	((void)(p))

/* A call of the module's exit and init functions would reset these; there is one process for all inputs. */
void kshim_reset(void);

#endif /* FUZZ_KSHIM_H */
