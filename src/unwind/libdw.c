/* SPDX-License-Identifier: MIT */
/* libdw over a stack copy. Plain stacks are walked by rows of rules that libdw's CFI reader gave;
 * where a stack isn't plain, libdw's own unwinder walks it from the leaf. */
#include "base/mem.h"
#include "unwind/rows.h"
#include "unwind/walk.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <libelf.h>
#include <stdlib.h>

#define REG_FP 6

/* libdwfl asks an ELF file which machine it is for. A module's own might be unloaded while libdwfl
 * still uses it. */
static const Elf64_Ehdr machine = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof(Elf64_Ehdr),
};

struct unwinder {
	struct modules *modules;
	struct memory *memory;
	Elf64_Ehdr ehdr;
	Elf *elf;
	struct rows *rows;

	/* Of the present walk. */
	struct walk walk;
	const struct sample *sample;
	bool first;
	bool exact; /* the last frame was */
	bool fp_is_zero;
};

/* --- callbacks of libdwfl --- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)arg;
	(void)thread_arg;
	return 0; /* threads are only asked for by number */
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)tid;
	*thread_arg = arg;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	(void)dwfl;
	struct unwinder *u = arg;
	return memory_word(u->memory, addr, result);
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwinder *u = arg;
	return dwfl_thread_state_registers(thread, 0, SAMPLE_REGS, u->sample->regs);
}

static const Dwfl_Thread_Callbacks callbacks = {
        .next_thread = next_thread,
        .get_thread = get_thread,
        .memory_read = read_memory,
        .set_initial_registers = set_registers,
};

/* --- open, close --- */

static void libdw_close(struct unwinder *u)
{
	if (!u)
		return;
	elf_end(u->elf);
	rows_free(u->rows);
	memory_free(u->memory);
	free(u);
}

static struct unwinder *libdw_open(struct modules *m, const struct process *p, struct err *e)
{
	struct unwinder *u = mem_alloc(sizeof *u);
	u->modules = m;
	u->memory = memory_new(m, p);
	u->rows = rows_new(m);
	u->ehdr = machine;
	elf_version(EV_CURRENT);
	u->elf = elf_memory((char *)&u->ehdr, sizeof u->ehdr);
	/* libdwfl attaches once in a Dwfl's life: a second unwinder on these modules is refused. */
	if (!u->elf || !dwfl_attach_state(modules_dwfl(m), u->elf, process_pid(p), &callbacks, u)) {
		err_set(e, "can't unwind with libdw: %s", dwfl_errmsg(-1));
		libdw_close(u);
		return NULL;
	}
	return u;
}

static void libdw_modules_changed(struct unwinder *u)
{
	rows_clear(u->rows);
}

/* --- the end of a walk --- */

/* Where the last frame's rules are to be looked up. */
static uint64_t last_addr(const struct chain *c)
{
	const struct chain_frame *last = &c->frames[c->len - 1];
	return last->exact ? last->pc : last->pc - 1;
}

/* libdwfl ends alike where nobody called, where the return address is 0, and where the CFA or the
 * return address could not be found. */
static enum chain_end judge_end(struct unwinder *u)
{
	const struct memory *mem = u->memory;
	if (mem->failed)
		return mem->failed_stack ? CHAIN_NO_MEMORY : CHAIN_STUCK;
	if (mem->reads > 0 && mem->last == 0) /* the return address is read last */
		return CHAIN_COMPLETE;
	const struct row *row = rows_find(u->rows, last_addr(u->walk.chain));
	return row->simple && row->outermost ? CHAIN_COMPLETE : CHAIN_STUCK;
}

/* Code without CFI whose frame pointer is 0 is where a process or a thread begins (System V ABI,
 * 3.4.1): musl's _start and clone. Elsewhere rbp holds anything. */
static enum chain_end judge_failure(struct unwinder *u)
{
	const struct chain *c = u->walk.chain;
	if (u->memory->failed_stack)
		return CHAIN_NO_MEMORY;
	return u->fp_is_zero && c->len > 1 && modules_find(u->modules, last_addr(c))
	               ? CHAIN_COMPLETE
	               : CHAIN_STUCK;
}

/* --- walk --- */

static int on_frame(Dwfl_Frame *state, void *arg)
{
	struct unwinder *u = arg;
	Dwarf_Addr pc;
	Dwarf_Word sp, fp;
	bool exact;
	memory_step(u->memory); /* first: dwfl_frame_pc may already unwind to the next frame */
	if (u->first) {
		u->first = false;
		u->exact = true;
		u->fp_is_zero = false;
		return DWARF_CB_OK; /* walk_begin added the leaf */
	}
	if (!dwfl_frame_pc(state, &pc, &exact) || dwfl_frame_reg(state, SAMPLE_REG_SP, &sp) != 0)
		return DWARF_CB_ABORT;
	u->fp_is_zero = dwfl_frame_reg(state, REG_FP, &fp) == 0 && fp == 0;
	bool interrupted = exact && u->exact;
	u->exact = exact;
	return walk_add(&u->walk, (struct chain_frame){pc, exact}, sp, interrupted)
	               ? DWARF_CB_OK
	               : DWARF_CB_ABORT;
}

static void walk_by_libdw(struct unwinder *u, const struct sample *s, struct chain *c)
{
	u->sample = s;
	u->first = true;
	walk_begin(&u->walk, u->modules, u->memory, c, s);
	int r = dwfl_getthread_frames(modules_dwfl(u->modules), s->tid, on_frame, u);
	if (r == 0)
		c->end = judge_end(u);
	else if (r < 0)
		c->end = judge_failure(u);
}

/* --- the short way --- */

/* Makes regs the caller's; false where it can't be done like this. */
static bool apply(struct memory *mem, const struct row *row, uint64_t regs[SAMPLE_REGS],
                  uint32_t *known)
{
	if (!(*known & 1U << row->cfa_reg))
		return false;
	uint64_t cfa = regs[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_offset;
	for (size_t i = 0; i < row->saved_len; i++) {
		const struct saved_register *r = &row->saved[i];
		if (!memory_word(mem, cfa + (uint64_t)(int64_t)r->offset, &regs[r->reg]))
			return false;
		*known |= 1U << r->reg;
	}
	*known &= ~row->lost;
	regs[SAMPLE_REG_SP] = cfa;
	return true;
}

/* False where the chain isn't as it should be: the long way must walk it, and judge. */
static bool walk_by_rows(struct unwinder *u, const struct sample *s, struct chain *c)
{
	uint64_t regs[SAMPLE_REGS];
	uint32_t known = (1U << SAMPLE_REGS) - 1;
	memcpy(regs, s->regs, sizeof regs);
	walk_begin(&u->walk, u->modules, u->memory, c, s);
	for (;;) {
		const struct row *row = rows_find(u->rows, last_addr(c));
		if (!row->simple)
			return false;
		if (row->outermost)
			break;
		if (!apply(u->memory, row, regs, &known))
			return false;
		uint64_t pc = regs[SAMPLE_REG_PC];
		if (pc == 0)
			break;
		if (!walk_add(&u->walk, (struct chain_frame){pc, false}, regs[SAMPLE_REG_SP],
		              false))
			return c->end == CHAIN_MAX;
	}
	c->end = CHAIN_COMPLETE;
	return true;
}

static void libdw_walk(struct unwinder *u, const struct sample *s, struct chain *c)
{
	if (!walk_by_rows(u, s, c))
		walk_by_libdw(u, s, c);
	walk_end(&u->walk);
}

const struct unwinder_ops unwinder_libdw = {
        .name = "libdw",
        .open = libdw_open,
        .close = libdw_close,
        .walk = libdw_walk,
        .modules_changed = libdw_modules_changed,
};
