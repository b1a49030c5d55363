// SPDX-License-Identifier: GPL-2.0
/* See kshim.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kshim.h"

bool kshim_capable = true;
u8 kshim_user[KSHIM_USER_BYTES];
u32 kshim_race;
u64 kshim_fail_alloc;
const struct file_operations *kshim_control;
struct notifier_block *kshim_pm;

static u64 alive;
static unsigned int spinning;
static u32 reads;
static struct work_struct *works;

void kshim_die(const char *what)
{
	fprintf(stderr, "kshim: %s\n", what);
	abort();
}

void kshim_printk(const char *fmt, ...)
{
	(void)fmt;
}

void kshim_reset(void)
{
	kshim_capable = true;
	kshim_race = 0;
	kshim_fail_alloc = 0;
	reads = 0;
	memset(kshim_user, 0, sizeof(kshim_user));
}

ssize_t strscpy(char *to, const char *from, size_t room)
{
	size_t n = strnlen(from, room);

	if (!room)
		return -E2BIG;
	if (n == room)
		n--;
	memcpy(to, from, n);
	to[n] = 0;
	return from[n] ? -E2BIG : (ssize_t)n;
}

ssize_t strscpy_pad(char *to, const char *from, size_t room)
{
	ssize_t n = strscpy(to, from, room);

	if (n >= 0)
		memset(to + n, 0, room - (size_t)n);
	return n;
}

/* ------------------------------------------------------------------ the user's memory */

/* How many of n bytes at p are the user's; *at: where. */
static unsigned long user_part(const void *p, unsigned long n, u8 **at)
{
	unsigned long off = (unsigned long)p - KSHIM_USER;

	*at = NULL;
	if (off >= KSHIM_USER_BYTES)
		return 0;
	*at = kshim_user + off;
	return n < KSHIM_USER_BYTES - off ? n : KSHIM_USER_BYTES - off;
}

/* Another thread of the user's writes to what has just been read. */
static void race(u8 *at, unsigned long n)
{
	if (kshim_race && n && ++reads == kshim_race)
		memset(at, 0xff, n);
}

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)
{
	u8 *at;
	unsigned long part = user_part(from, n, &at);

	kshim_might_sleep();
	if (part)
		memcpy(to, at, part);
	memset((u8 *)to + part, 0, n - part);
	race(at, part);
	return n - part;
}

unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	u8 *at;
	unsigned long part = user_part(to, n, &at), i;

	kshim_might_sleep();
	/* All of it must be the kernel's to give away, though the user may take less. */
	for (i = 0; i < n; i++)
		(void)((const volatile u8 *)from)[i];
	if (part)
		memcpy(at, from, part);
	return n - part;
}

int copy_struct_from_user(void *to, size_t room, const void __user *from, size_t size)
{
	size_t n = size < room ? size : room, rest = size > room ? size - room : 0;
	u8 *at;

	if (rest) {
		if (user_part((const u8 *)from + room, rest, &at) != rest)
			return -EFAULT;
		if (memchr_inv(at, 0, rest))
			return -E2BIG;
	}
	if (size < room)
		memset((u8 *)to + size, 0, room - size);
	return copy_from_user(to, from, n) ? -EFAULT : 0;
}

void *vmemdup_user(const void __user *from, size_t n)
{
	void *p = kvmalloc(n, GFP_KERNEL);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(p, from, n))
		return p;
	kvfree(p);
	return ERR_PTR(-EFAULT);
}

/* ------------------------------------------------------------------ allocation */

u64 kshim_alloc_live(void)
{
	return alive;
}

void *kshim_alloc(size_t bytes, size_t most)
{
	void *p;

	kshim_might_sleep();
	if (bytes > most && bytes != (size_t)-1)
		kshim_die("an allocation that the kernel warns of");
	if (bytes == (size_t)-1 || (kshim_fail_alloc && !--kshim_fail_alloc))
		return NULL;
	/* Zeroed or not: the sanitizers see what is read beyond, not what is read too early. */
	p = calloc(1, bytes ? bytes : 1);
	if (!p)
		kshim_die("no memory");
	alive++;
	return p;
}

void kshim_free(const void *p)
{
	if (!p)
		return;
	alive--;
	free((void *)(unsigned long)p);
}

/* ------------------------------------------------------------------ locks */

void kshim_might_sleep(void)
{
	if (spinning)
		kshim_die("sleeps under a spinlock");
}

void mutex_lock(struct mutex *m)
{
	kshim_might_sleep();
	if (m->held)
		kshim_die("a mutex is taken twice");
	m->held = true;
}

void mutex_unlock(struct mutex *m)
{
	if (!m->held)
		kshim_die("a mutex is released that nobody holds");
	m->held = false;
}

void kshim_spin(spinlock_t *l, bool take)
{
	if (l->held == take)
		kshim_die(take ? "a spinlock is taken twice" : "a spinlock is released that nobody holds");
	l->held = take;
	if (take)
		spinning++;
	else
		spinning--;
}

/* ------------------------------------------------------------------ works */

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max, ...)
{
	return kzalloc(sizeof(struct workqueue_struct), GFP_KERNEL);
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	kfree(wq);
}

void kshim_queue(struct work_struct *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->next = works;
	works = w;
}

void kshim_cancel(struct work_struct *w)
{
	struct work_struct **p;

	kshim_might_sleep();
	for (p = &works; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			break;
		}
	w->queued = false;
}

void kshim_flush(struct work_struct *w)
{
	bool queued = w->queued;

	kshim_cancel(w);
	if (queued)
		w->fn(w);
}

void kshim_run_works(void)
{
	struct work_struct *w;
	unsigned int n;

	for (n = 0; works && n < 100; n++) {
		w = works;
		kshim_cancel(w);
		w->fn(w);
	}
}

/* ------------------------------------------------------------------ shrinkers */

struct shrinker *compat_shrinker_register(void *data, unsigned long (*count)(struct shrinker *s, struct shrink_control *sc),
					  unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc))
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (s)
		s->data = data;
	return s;
}

void shrinker_free(struct shrinker *s)
{
	kfree(s);
}
