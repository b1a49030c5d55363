// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See seccomp.h. The list is the kernel's calls but those that reach beyond the container: mounting, modules, keys, clocks, the boot, other
 * processes' memory, io_uring (whose work no filter sees), and what is obsolete.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include "caps.h"
#include "seccomp.h"

#define NAMESPACES	0x7e020000	/* CLONE_NEW*, as clone() takes them */

static const char *const allowed[] = {
	"_llseek", "_newselect", "accept", "accept4", "access", "adjtimex", "alarm", "arch_prctl", "arm_fadvise64_64",
	"arm_sync_file_range", "bind", "breakpoint", "brk", "cacheflush", "cachestat", "capget", "capset", "chdir", "chmod",
	"chown", "chown32", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "close", "close_range", "connect", "copy_file_range",
	"creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
	"fallocate", "fanotify_mark", "fchdir", "fchmod", "fchmodat", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64",
	"fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64",
	"fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futex", "futex_time64", "futex_waitv", "futimesat",
	"get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "getegid32", "geteuid",
	"geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage",
	"getsid", "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getuid32", "getxattr", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "ioprio_get", "ioprio_set", "ipc", "kill", "landlock_add_rule",
	"landlock_create_ruleset", "landlock_restrict_self", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listen",
	"listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "madvise", "membarrier",
	"memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2", "mlockall", "mmap",
	"mmap2", "modify_ldt", "mprotect", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
	"mq_timedsend", "mq_timedsend_time64", "mq_unlink", "mremap", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock",
	"munlockall", "munmap", "name_to_handle_at", "nanosleep", "newfstatat", "nice", "open", "openat", "openat2", "pause",
	"pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll",
	"ppoll_time64", "prctl", "pread64", "preadv", "preadv2", "prlimit64", "process_mrelease", "pselect6", "pselect6_time64",
	"ptrace", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readdir", "readlink", "readlinkat", "readv",
	"recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "remap_file_pages", "removexattr", "rename", "renameat",
	"renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop",
	"semtimedop_time64", "sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list", "set_thread_area",
	"set_tid_address", "set_tls", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
	"setgroups32", "setitimer", "setpgid", "setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
	"setresuid32", "setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid", "setuid32", "setxattr", "shmat",
	"shmctl", "shmdt", "shmget", "shutdown", "sigaction", "sigaltstack", "signal", "signalfd", "signalfd4", "sigpending",
	"sigprocmask", "sigreturn", "sigsuspend", "socketcall", "socketpair", "splice", "stat", "stat64", "statfs", "statfs64",
	"statx", "symlink", "symlinkat", "sync", "sync_file_range", "sync_file_range2", "syncfs", "sysinfo", "tee", "tgkill",
	"time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
	"times", "tkill", "truncate", "truncate64", "ugetrlimit", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid", "write", "writev", NULL
};
static const char *const sys_admin[] = {
	"bpf", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount", "mount_setattr",
	"move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns",
	"umount", "umount2", "unshare", NULL
};
static const char *const bpf[] = { "bpf", NULL };
static const char *const perfmon[] = { "perf_event_open", NULL };
static const char *const sys_boot[] = { "reboot", NULL };
static const char *const sys_chroot[] = { "chroot", NULL };
static const char *const sys_module[] = { "delete_module", "finit_module", "init_module", NULL };
static const char *const sys_pacct[] = { "acct", NULL };
static const char *const sys_ptrace[] = { "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", NULL };
static const char *const sys_rawio[] = { "ioperm", "iopl", NULL };
static const char *const sys_time[] = { "clock_settime", "clock_settime64", "settimeofday", "stime", NULL };
static const char *const sys_tty_config[] = { "vhangup", NULL };
static const char *const sys_nice[] = { "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node", NULL };
static const char *const syslog[] = { "syslog", NULL };
static const char *const dac_read_search[] = { "open_by_handle_at", NULL };

/* What a capability lets a container do besides. */
static const struct {
	const char *capability;
	const char *const *calls;
} privileged[] = {
	{ "CAP_SYS_ADMIN", sys_admin },
	{ "CAP_BPF", bpf },
	{ "CAP_PERFMON", perfmon },
	{ "CAP_SYS_BOOT", sys_boot },
	{ "CAP_SYS_CHROOT", sys_chroot },
	{ "CAP_SYS_MODULE", sys_module },
	{ "CAP_SYS_PACCT", sys_pacct },
	{ "CAP_SYS_PTRACE", sys_ptrace },
	{ "CAP_SYS_RAWIO", sys_rawio },
	{ "CAP_SYS_TIME", sys_time },
	{ "CAP_SYS_TTY_CONFIG", sys_tty_config },
	{ "CAP_SYS_NICE", sys_nice },
	{ "CAP_SYSLOG", syslog },
	{ "CAP_DAC_READ_SEARCH", dac_read_search },
};

static json_object *rule(const char *action, const char *const *names)
{
	json_object *object = json_object_new_object(), *array = json_object_new_array();

	for (; *names; names++)
		json_object_array_add(array, json_object_new_string(*names));
	json_object_object_add(object, "names", array);
	json_object_object_add(object, "action", json_object_new_string(action));
	return object;
}

/* Narrows a rule to calls whose argument compares so. */
static json_object *with_argument(json_object *object, int index, uint64_t value, uint64_t value_two, const char *op)
{
	json_object *argument = json_object_new_object(), *array = json_object_new_array();

	json_object_object_add(argument, "index", json_object_new_int(index));
	json_object_object_add(argument, "value", json_object_new_uint64(value));
	json_object_object_add(argument, "valueTwo", json_object_new_uint64(value_two));
	json_object_object_add(argument, "op", json_object_new_string(op));
	json_object_array_add(array, argument);
	json_object_object_add(object, "args", array);
	return object;
}

static json_object *architectures(void)
{
	static const struct {
		const char *machine;
		const char *names[4];
	} all[] = {
		{ "x86_64", { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL } },
		{ "aarch64", { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", NULL, NULL } },
		{ "ppc64le", { "SCMP_ARCH_PPC64LE", NULL, NULL, NULL } },
		{ "s390x", { "SCMP_ARCH_S390X", "SCMP_ARCH_S390", NULL, NULL } },
		{ "riscv64", { "SCMP_ARCH_RISCV64", NULL, NULL, NULL } },
	};
	json_object *array = json_object_new_array();
	struct utsname machine;

	for (size_t i = 0; uname(&machine) == 0 && i < sizeof(all) / sizeof(*all); i++)
		for (const char *const *name = all[i].names; strcmp(all[i].machine, machine.machine) == 0 && *name; name++)
			json_object_array_add(array, json_object_new_string(*name));
	return array;
}

/* clone() without new namespaces; its flags are another argument on s390. */
static json_object *plain_clone(void)
{
	static const char *const names[] = { "clone", NULL };
	struct utsname machine;
	int index = uname(&machine) == 0 && strncmp(machine.machine, "s390", 4) == 0;

	return with_argument(rule("SCMP_ACT_ALLOW", names), index, NAMESPACES, 0, "SCMP_CMP_MASKED_EQ");
}

static void add_conditional(json_object *record, json_object *calls)
{
	static const char *const clone[] = { "clone", "clone3", NULL }, *const clone3[] = { "clone3", NULL };
	static const char *const personality[] = { "personality", NULL }, *const sockets[] = { "socket", NULL };
	static const uint32_t personalities[] = { 0x0, 0x0008, 0x20000, 0x20008, 0xffffffff };
	json_object *missing;

	for (size_t i = 0; i < sizeof(personalities) / sizeof(*personalities); i++)
		json_object_array_add(calls, with_argument(rule("SCMP_ACT_ALLOW", personality), 0, personalities[i], 0, "SCMP_CMP_EQ"));
	json_object_array_add(calls, with_argument(rule("SCMP_ACT_ALLOW", sockets), 0, AF_VSOCK, 0, "SCMP_CMP_NE"));
	if (caps_has(record, "CAP_SYS_ADMIN")) {
		json_object_array_add(calls, rule("SCMP_ACT_ALLOW", clone));
		return;
	}
	json_object_array_add(calls, plain_clone());
	missing = rule("SCMP_ACT_ERRNO", clone3);
	json_object_object_add(missing, "errnoRet", json_object_new_int(ENOSYS));
	json_object_array_add(calls, missing);
}

json_object *seccomp_build(json_object *record)
{
	json_object *object = json_object_new_object(), *calls = json_object_new_array();

	json_object_object_add(object, "defaultAction", json_object_new_string("SCMP_ACT_ERRNO"));
	json_object_object_add(object, "defaultErrnoRet", json_object_new_int(EPERM));
	json_object_object_add(object, "architectures", architectures());
	json_object_array_add(calls, rule("SCMP_ACT_ALLOW", allowed));
	for (size_t i = 0; i < sizeof(privileged) / sizeof(*privileged); i++)
		if (caps_has(record, privileged[i].capability))
			json_object_array_add(calls, rule("SCMP_ACT_ALLOW", privileged[i].calls));
	add_conditional(record, calls);
	json_object_object_add(object, "syscalls", calls);
	return object;
}
