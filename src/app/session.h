/* SPDX-License-Identifier: MIT */
/* A run from attach to summary: the event loop. */
#ifndef MEMTOP_APP_SESSION_H
#define MEMTOP_APP_SESSION_H

#include "app/log.h"
#include "app/options.h"

/* Returns the exit status: 0 done, 1 failed (it has said why). */
int session_run(const struct options *o, struct log *l);

#endif
