/* SPDX-License-Identifier: MIT */
/* Random numbers for sampling times: good statistics, no secrecy. */
#ifndef MEMTOP_BASE_RNG_H
#define MEMTOP_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

struct rng rng_seeded(uint64_t seed);
uint64_t rng_next(struct rng *r);
double rng_uniform(struct rng *r); /* [0, 1) */

#endif
