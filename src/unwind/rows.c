/* SPDX-License-Identifier: MIT */
#include "unwind/rows.h"

#include "base/hash.h"
#include "base/mem.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>

#define MAX_ROWS 100000 /* then begin anew: 20 MB */

struct rows {
	const struct modules *modules;
	struct hash *by_addr; /* -> index */
	struct row *list;
	size_t len, cap;
};

struct rows *rows_new(const struct modules *m)
{
	struct rows *r = mem_alloc(sizeof *r);
	r->modules = m;
	r->by_addr = hash_new();
	return r;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	hash_free(r->by_addr);
	free(r->list);
	free(r);
}

void rows_clear(struct rows *r)
{
	hash_clear(r->by_addr);
	r->len = 0;
}

/* --- from CFI --- */

static bool set_cfa(struct row *row, Dwarf_Frame *frame)
{
	Dwarf_Op *ops;
	size_t n;
	if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n != 1)
		return false;
	uint64_t reg, offset;
	if (ops[0].atom == DW_OP_bregx) {
		reg = ops[0].number;
		offset = ops[0].number2;
	} else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) {
		reg = ops[0].atom - DW_OP_breg0;
		offset = ops[0].number;
	} else {
		return false;
	}
	row->cfa_reg = (uint8_t)reg;
	row->cfa_offset = (int32_t)offset;
	return reg < SAMPLE_REG_PC && (int64_t)offset == row->cfa_offset;
}

static bool set_saved(struct row *row, unsigned reg, const Dwarf_Op *ops, size_t n)
{
	if (ops[0].atom != DW_OP_call_frame_cfa || n > 2)
		return false;
	if (reg == SAMPLE_REG_SP) /* the caller's is the CFA itself */
		return n == 2 && ops[1].atom == DW_OP_stack_value;
	if (n == 2 && ops[1].atom != DW_OP_plus_uconst)
		return false;
	uint64_t offset = n == 2 ? ops[1].number : 0;
	row->saved[row->saved_len++] = (struct saved_register){(uint8_t)reg, (int32_t)offset};
	return (int64_t)offset == (int32_t)offset;
}

static bool set_register(struct row *row, Dwarf_Frame *frame, unsigned reg)
{
	Dwarf_Op mem[3], *ops = NULL;
	size_t n = 0;
	if (dwarf_frame_register(frame, (int)reg, mem, &ops, &n) != 0)
		return false;
	if (n > 0)
		return set_saved(row, reg, ops, n);
	bool undefined = ops == mem;
	if (!undefined) /* the same value: no return address, and no stack pointer, has that */
		return ops == NULL && reg < SAMPLE_REG_PC && reg != SAMPLE_REG_SP;
	if (reg == SAMPLE_REG_PC)
		row->outermost = true;
	else
		row->lost |= 1U << reg;
	return true;
}

static void read_row(struct row *row, Dwarf_Frame *frame)
{
	Dwarf_Addr start, end;
	bool signal = true;
	int ra = dwarf_frame_info(frame, &start, &end, &signal);
	if (ra != SAMPLE_REG_PC || signal || !set_cfa(row, frame))
		return;
	for (unsigned reg = 0; reg < SAMPLE_REGS; reg++)
		if (!set_register(row, frame, reg))
			return;
	row->simple = true;
}

static bool try_cfi(struct row *row, Dwarf_CFI *cfi, Dwarf_Addr addr)
{
	Dwarf_Frame *frame = NULL;
	if (!cfi || dwarf_cfi_addrframe(cfi, addr, &frame) != 0)
		return false;
	read_row(row, frame);
	free(frame);
	return true;
}

static struct row make_row(const struct rows *r, uint64_t addr)
{
	struct row row = {0};
	addr = modules_canonical(r->modules, addr); /* rules don't depend on where code lies */
	struct module *mod = modules_find(r->modules, addr);
	Dwfl_Module *dm = mod ? module_dwfl(mod) : NULL;
	Dwarf_Addr bias = 0;
	if (!dm)
		return row;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(dm, &bias);
	if (!try_cfi(&row, cfi, addr - bias)) {
		cfi = dwfl_module_dwarf_cfi(dm, &bias);
		try_cfi(&row, cfi, addr - bias);
	}
	return row;
}

const struct row *rows_find(struct rows *r, uint64_t addr)
{
	const uint64_t *found = hash_get(r->by_addr, addr);
	if (found)
		return &r->list[*found];
	if (r->len == MAX_ROWS)
		rows_clear(r);
	struct row row = make_row(r, addr);
	MEM_GROW(r->list, r->len, r->cap);
	hash_put(r->by_addr, addr, r->len);
	r->list[r->len] = row;
	return &r->list[r->len++];
}
