/* SPDX-License-Identifier: MIT */
/* libdw's unwinder over a stack copy. */
#include "base/hash.h"
#include "base/mem.h"
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
	struct hash *outermost; /* pc to look up -> does its CFI say that nobody called it? */

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
	hash_free(u->outermost);
	memory_free(u->memory);
	free(u);
}

static struct unwinder *libdw_open(struct modules *m, const struct process *p, struct err *e)
{
	struct unwinder *u = mem_alloc(sizeof *u);
	u->modules = m;
	u->memory = memory_new(m, p);
	u->outermost = hash_new();
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
	hash_clear(u->outermost);
}

/* --- the end of a walk --- */

static bool ra_is_undefined(Dwarf_CFI *cfi, Dwarf_Addr addr)
{
	Dwarf_Frame *frame = NULL;
	if (!cfi || dwarf_cfi_addrframe(cfi, addr, &frame) != 0)
		return false;
	Dwarf_Op mem[3], *ops = NULL;
	size_t n = 1;
	bool undefined = dwarf_frame_register(frame, SAMPLE_REG_PC, mem, &ops, &n) == 0 && n == 0 &&
	                 ops == mem;
	free(frame);
	return undefined;
}

static bool look_up_outermost(const struct unwinder *u, uint64_t addr)
{
	struct module *mod = modules_find(u->modules, addr);
	Dwfl_Module *dm = mod ? module_dwfl(mod) : NULL;
	Dwarf_Addr bias = 0;
	if (!dm)
		return false;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(dm, &bias);
	if (ra_is_undefined(cfi, addr - bias))
		return true;
	cfi = dwfl_module_dwarf_cfi(dm, &bias);
	return ra_is_undefined(cfi, addr - bias);
}

static bool is_outermost(struct unwinder *u, struct chain_frame f)
{
	uint64_t addr = f.exact ? f.pc : f.pc - 1;
	const uint64_t *known = hash_get(u->outermost, addr);
	if (!known)
		known = hash_put(u->outermost, addr, look_up_outermost(u, addr));
	return *known != 0;
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
	return is_outermost(u, u->walk.chain->frames[u->walk.chain->len - 1]) ? CHAIN_COMPLETE
	                                                                      : CHAIN_STUCK;
}

/* Code without CFI whose frame pointer is 0 is where a process or a thread begins (System V ABI,
 * 3.4.1): musl's _start and clone. Elsewhere rbp holds anything. */
static enum chain_end judge_failure(struct unwinder *u)
{
	const struct chain *c = u->walk.chain;
	const struct chain_frame *last = &c->frames[c->len - 1];
	if (u->memory->failed_stack)
		return CHAIN_NO_MEMORY;
	return u->fp_is_zero && c->len > 1 && modules_find(u->modules, last->pc - !last->exact)
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

static void libdw_walk(struct unwinder *u, const struct sample *s, struct chain *c)
{
	u->sample = s;
	u->first = true;
	walk_begin(&u->walk, u->modules, u->memory, c, s);
	int r = dwfl_getthread_frames(modules_dwfl(u->modules), s->tid, on_frame, u);
	if (r == 0)
		c->end = judge_end(u);
	else if (r < 0)
		c->end = judge_failure(u);
	walk_end(&u->walk);
}

const struct unwinder_ops unwinder_libdw = {
        .name = "libdw",
        .open = libdw_open,
        .close = libdw_close,
        .walk = libdw_walk,
        .modules_changed = libdw_modules_changed,
};
