/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_BASE_CLOCK_H
#define MEMTOP_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

uint64_t clock_ns(void); /* CLOCK_MONOTONIC, nanoseconds */

#endif
