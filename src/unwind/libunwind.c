/* SPDX-License-Identifier: MIT */
/* libunwind over a stack copy. Its helper for ptrace finds unwind tables by opening files by their
 * path, unverified; ours come from the module layer. */
#include "base/mem.h"
#include "unwind/table.h"
#include "unwind/walk.h"

#include <dwarf.h>
#include <libunwind.h>
#include <stdlib.h>

#define REG_FP 6

/* Where libunwind finds the search table that we make up; an address no program has. Its one entry
 * (struct: int32_t code, fde; both relative) says that all code belongs to the FDE at the base. */
#define MADE_UP_TABLE (UINT64_C(1) << 63)
#define MADE_UP_ENTRY UINT64_C(0x0000000080000000)

/* Exported for debuggers by the library, but in no header. */
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_unwind_table(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *,
                               int, void *);

struct unwinder {
	struct modules *modules;
	struct memory *memory;
	unw_addr_space_t space;
	struct tables *tables;

	/* Of the present walk. */
	struct walk walk;
	uint64_t regs[SAMPLE_REGS];
	uint32_t known; /* which of them */
	bool no_table;  /* no unwind table covers the pc */
};

/* --- unwind tables --- */

static bool read_bytes(struct unwinder *u, struct module *mod, uint64_t addr, void *buf, size_t len)
{
	if (module_read(mod, addr, buf, len))
		return true;
	uint64_t word = 0;
	if (len > sizeof word || !memory_word(u->memory, addr, &word))
		return false;
	memcpy(buf, &word, len);
	return true;
}

/* Only the one form of .eh_frame_hdr that linkers write for x86-64: a sorted table of 32-bit
 * offsets from the header. */
static bool find_linkers_table(struct unwinder *u, struct module *mod, unw_dyn_info_t *table)
{
	struct {
		uint8_t version, frame_encoding, count_encoding, table_encoding;
		int32_t frame;
		uint32_t count;
	} h;
	uint64_t addr, size;
	if (!module_eh_frame_hdr(mod, &addr, &size) || size < sizeof h ||
	    !read_bytes(u, mod, addr, &h.version, 8) ||
	    !read_bytes(u, mod, addr + 8, &h.count, sizeof h.count))
		return false;
	if (h.version != 1 || (h.frame_encoding & 0x0f) != DW_EH_PE_sdata4 ||
	    h.count_encoding != DW_EH_PE_udata4 ||
	    h.table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
		return false;
	uint64_t room = (size - sizeof h) / 8;
	*table = (unw_dyn_info_t){.end_ip = UINT64_MAX, .format = UNW_INFO_FORMAT_REMOTE_TABLE};
	table->u.rti.segbase = addr;
	table->u.rti.table_data = addr + sizeof h;
	table->u.rti.table_len = h.count < room ? h.count : room; /* in words, as an entry has */
	return table->u.rti.table_len > 0;
}

static bool make_table(struct unwinder *u, struct module *mod, uint64_t ip, unw_dyn_info_t *table)
{
	uint64_t fde;
	if (!tables_find(u->tables, mod, ip, &fde))
		return false;
	*table = (unw_dyn_info_t){.end_ip = UINT64_MAX, .format = UNW_INFO_FORMAT_REMOTE_TABLE};
	table->u.rti.segbase = fde;
	table->u.rti.table_data = MADE_UP_TABLE;
	table->u.rti.table_len = 1;
	return true;
}

/* --- accessors --- */

/* Any error but UNW_ENOINFO: at that one libunwind would go on by guesses of its own. */
static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need,
                          void *arg)
{
	struct unwinder *u = arg;
	uint64_t same = modules_canonical(u->modules, ip);
	struct module *mod = modules_find(u->modules, same);
	unw_dyn_info_t table;
	if (mod && (find_linkers_table(u, mod, &table) || make_table(u, mod, same, &table))) {
		int r = search_unwind_table(space, same, &table, info, need, arg);
		if (r != -UNW_ENOINFO) {
			info->start_ip += ip - same;
			info->end_ip += ip - same;
			return r;
		}
	}
	u->no_table = true;
	return -UNW_EINVALIDIP;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space;
	(void)info;
	(void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *addr, void *arg)
{
	(void)space;
	(void)addr;
	(void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *value, int write,
                      void *arg)
{
	(void)space;
	struct unwinder *u = arg;
	if (addr == MADE_UP_TABLE && !write) {
		*value = MADE_UP_ENTRY;
		return 0;
	}
	return !write && memory_word(u->memory, addr, value) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
                      void *arg)
{
	(void)space;
	const struct unwinder *u = arg;
	if (write || reg < 0 || reg >= SAMPLE_REGS || !(u->known & 1U << reg))
		return -UNW_EBADREG;
	*value = u->regs[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
                        void *arg)
{
	(void)space;
	(void)reg;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t ip, char *buf, size_t len,
                         unw_word_t *offset, void *arg)
{
	(void)space;
	(void)ip;
	(void)buf;
	(void)len;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

/* --- open, close --- */

static void libunwind_close(struct unwinder *u)
{
	if (!u)
		return;
	if (u->space)
		unw_destroy_addr_space(u->space);
	tables_free(u->tables);
	memory_free(u->memory);
	free(u);
}

static struct unwinder *libunwind_open(struct modules *m, const struct process *p, struct err *e)
{
	struct unwinder *u = mem_alloc(sizeof *u);
	unw_accessors_t accessors = {
	        .find_proc_info = find_proc_info,
	        .put_unwind_info = put_unwind_info,
	        .get_dyn_info_list_addr = get_dyn_info_list_addr,
	        .access_mem = access_mem,
	        .access_reg = access_reg,
	        .access_fpreg = access_fpreg,
	        .resume = resume,
	        .get_proc_name = get_proc_name,
	};
	u->modules = m;
	u->memory = memory_new(m, p);
	u->tables = tables_new();
	u->space = unw_create_addr_space(&accessors, 0);
	if (!u->space) {
		err_set(e, "can't unwind with libunwind: it made no address space");
		libunwind_close(u);
		return NULL;
	}
	/* Not UNW_CACHE_PER_THREAD: that one cache serves all address spaces of a thread and can
	 * mix them up. */
	unw_set_caching_policy(u->space, UNW_CACHE_GLOBAL);
	return u;
}

static void libunwind_modules_changed(struct unwinder *u)
{
	unw_flush_cache(u->space, 0, 0);
	tables_clear(u->tables);
}

/* --- walk --- */

enum step { STEP_FRAME, STEP_END, STEP_FAILED };

/* The conventional frame, as libdw tries it where there is no CFI. The cursor starts anew from what
 * is then known: at pc - 1, since libunwind takes a first frame's pc as exact. */
static enum step step_by_frame_pointer(struct unwinder *u, unw_cursor_t *cursor, uint64_t *pc,
                                       uint64_t *sp)
{
	unw_word_t fp, saved;
	if (unw_get_reg(cursor, REG_FP, &fp) != 0)
		return STEP_FAILED;
	if (fp == 0) {
		const struct chain *c = u->walk.chain;
		const struct chain_frame *last = &c->frames[c->len - 1];
		return c->len > 1 && modules_find(u->modules, last->pc - !last->exact)
		               ? STEP_END
		               : STEP_FAILED;
	}
	if (!memory_word(u->memory, fp, &saved))
		saved = 0;
	if (!memory_word(u->memory, fp + 8, pc))
		return STEP_FAILED;
	*sp = fp + 16;
	u->regs[REG_FP] = saved;
	u->regs[SAMPLE_REG_SP] = *sp;
	u->regs[SAMPLE_REG_PC] = *pc - 1;
	u->known = 1U << REG_FP | 1U << SAMPLE_REG_SP | 1U << SAMPLE_REG_PC;
	return unw_init_remote(cursor, u->space, u) == 0 ? STEP_FRAME : STEP_FAILED;
}

static enum step step(struct unwinder *u, unw_cursor_t *cursor, uint64_t *pc, uint64_t *sp)
{
	memory_step(u->memory);
	u->no_table = false;
	int r = unw_step(cursor);
	if (r < 0)
		return u->no_table ? step_by_frame_pointer(u, cursor, pc, sp) : STEP_FAILED;
	if (r == 0)
		return u->memory->failed ? STEP_FAILED : STEP_END;
	unw_word_t ip, cfa;
	if (unw_get_reg(cursor, UNW_REG_IP, &ip) != 0 || unw_get_reg(cursor, UNW_REG_SP, &cfa) != 0)
		return STEP_FAILED;
	*pc = ip;
	*sp = cfa;
	return ip == 0 ? STEP_END : STEP_FRAME;
}

/* After a step libunwind tells whether it went through a signal trampoline: neither that nor the
 * interrupted frame is a return address. */
static bool add(struct unwinder *u, unw_cursor_t *cursor, uint64_t pc, uint64_t sp)
{
	bool interrupted = unw_is_signal_frame(cursor) > 0;
	struct chain *c = u->walk.chain;
	if (interrupted)
		c->frames[c->len - 1].exact = true;
	return walk_add(&u->walk, (struct chain_frame){pc, interrupted}, sp, interrupted);
}

static void libunwind_walk(struct unwinder *u, const struct sample *s, struct chain *c)
{
	unw_cursor_t cursor;
	uint64_t pc, sp;
	walk_begin(&u->walk, u->modules, u->memory, c, s);
	memcpy(u->regs, s->regs, sizeof u->regs);
	u->known = (1U << SAMPLE_REGS) - 1;
	enum step r = unw_init_remote(&cursor, u->space, u) == 0 ? STEP_FRAME : STEP_FAILED;
	while (r == STEP_FRAME) {
		r = step(u, &cursor, &pc, &sp);
		if (r == STEP_FRAME && !add(u, &cursor, pc, sp))
			break;
	}
	if (r == STEP_END)
		c->end = CHAIN_COMPLETE;
	else if (r == STEP_FAILED)
		walk_fail(&u->walk);
	walk_end(&u->walk);
}

const struct unwinder_ops unwinder_libunwind = {
        .name = "libunwind",
        .open = libunwind_open,
        .close = libunwind_close,
        .walk = libunwind_walk,
        .modules_changed = libunwind_modules_changed,
};
