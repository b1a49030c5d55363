// SPDX-License-Identifier: GPL-2.0
/*
 * A plug-in for QEMU's emulator: how often each piece of the guest's code was run.
 *
 *	-plugin insnprof.so,out=FILE
 *
 * Counts from the marker "start" to the marker "stop", which are instructions without effect that profile-mark runs in
 * the guest. At each stop a profile is appended to FILE: a line "profile N", then a line "ADDRESS INSTRUCTIONS" for each block
 * of code that was run, in hexadecimal and decimal. The guest does not notice: its clock counts its own instructions.
 *
 * The machine has one processor, so nothing here is locked. The declarations are of version 1 of QEMU's interface for plug-ins,
 * which is what Debian 12 has; QEMU refuses a plug-in that is too old for it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int, void *), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { INLINE_ADD_U64 = 0, NO_REGISTERS = 0 };

/* movabs $imm64, %rax, with eight characters for the number: see profile-mark.c. */
static const unsigned char mark_start[] = { 0x48, 0xb8, 'l', 'b', 'k', 'p', 'r', 'o', 'f', '+' };
static const unsigned char mark_stop[] = { 0x48, 0xb8, 'l', 'b', 'k', 'p', 'r', 'o', 'f', '-' };

/* A block of code, by its address and length; never freed, for translated code adds to `count` through a pointer. */
struct block {
	uint64_t addr, insns, count;
	struct block *next;
};

#define BUCKETS (1u << 16)
static struct block *blocks[BUCKETS];
static const char *out = "profile";
static int profiles;

static struct block *block_get(uint64_t addr, uint64_t insns)
{
	struct block **at = &blocks[(addr ^ (addr >> 16) ^ insns) % BUCKETS];
	struct block *b;

	for (b = *at; b; b = b->next)
		if (b->addr == addr && b->insns == insns)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->addr = addr;
	b->insns = insns;
	b->next = *at;
	*at = b;
	return b;
}

static void start(unsigned int cpu, void *data)
{
	(void)cpu, (void)data;
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			b->count = 0;
}

static void stop(unsigned int cpu, void *data)
{
	FILE *f = fopen(out, "a");

	(void)cpu, (void)data;
	if (!f) {
		perror(out);
		return;
	}
	fprintf(f, "profile %d\n", profiles++);
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			if (b->count)
				fprintf(f, "%llx %llu\n", (unsigned long long)b->addr, (unsigned long long)b->count);
	fclose(f);
}

static int is_mark(const struct qemu_plugin_insn *insn, const unsigned char *mark)
{
	return qemu_plugin_insn_size(insn) == sizeof(mark_start) && !memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark_start));
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block_get(qemu_plugin_tb_vaddr(tb), n)->count, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_mark(insn, mark_start))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, start, NO_REGISTERS, NULL);
		else if (is_mark(insn, mark_stop))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stop, NO_REGISTERS, NULL);
	}
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
