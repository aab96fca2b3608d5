/* SPDX-License-Identifier: MIT */
/* Frames and call chains, each kept once and known by a number. */
#ifndef MEMTOP_PROFILE_STACKS_H
#define MEMTOP_PROFILE_STACKS_H

#include "symbol/frame.h"

#include <stddef.h>
#include <stdint.h>

struct stack_table;

struct stack_table *stack_table_new(void);
void stack_table_free(struct stack_table *t); /* NULL-safe */

/* The number of a frame; its strings must be interned and outlive the table. */
uint32_t stack_table_frame(struct stack_table *t, const struct frame *f);
const struct frame *stack_table_get_frame(const struct stack_table *t, uint32_t frame);
size_t stack_table_frames(const struct stack_table *t);

/* The number of a stack, given as frame numbers, leaf first. */
uint32_t stack_table_stack(struct stack_table *t, const uint32_t *frames, size_t n);
const uint32_t *stack_table_get_stack(const struct stack_table *t, uint32_t stack, size_t *n);
size_t stack_table_stacks(const struct stack_table *t);

#endif
