/* SPDX-License-Identifier: MIT */
/* What an engine yields: plain data, self-contained, so that it could cross a process border. */
#ifndef MEMTOP_ENGINE_SAMPLE_H
#define MEMTOP_ENGINE_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Registers by DWARF number (System V ABI, x86-64 supplement, figure 3.36): rax 0, rdx 1, rcx 2,
 * rbx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8 to r15, return address (here: rip) 16. */
#if defined(__x86_64__)
#define SAMPLE_REGS   17
#define SAMPLE_REG_SP 7
#define SAMPLE_REG_PC 16
#else
#error "memtop has no register map for this architecture yet: src/engine/sample.h, src/target/stop.c"
#endif

/* Kinds of resident memory, as /proc/PID/status tells them apart. */
enum mem_kind { MEM_ANON, MEM_FILE, MEM_SHMEM, MEM_KINDS };

struct sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	pid_t tid;
	char comm[16];            /* the thread's name; hostile */
	double weight[MEM_KINDS]; /* estimated bytes that became resident, by kind */
	uint64_t regs[SAMPLE_REGS];
	size_t stack_len;      /* bytes copied, from regs[SAMPLE_REG_SP] upwards */
	unsigned char stack[]; /* the copy */
};

#endif
