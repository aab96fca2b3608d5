/* SPDX-License-Identifier: MIT */
/* While a thread of the target stands, and in the microseconds before, nothing may keep us from
 * letting it go: the engine's thread is then above all normal tasks, where it may be (CAP_SYS_NICE,
 * RLIMIT_RTPRIO). On two busy cores a stop could otherwise last 12 ms. */
#ifndef MEMTOP_ENGINE_PRIORITY_H
#define MEMTOP_ENGINE_PRIORITY_H

#include <stdbool.h>

/* True if the calling thread has it from now on; it must then be given back within a fraction of a
 * millisecond. */
bool priority_raise(void);
void priority_lower(bool raised); /* does nothing for false */

#endif
