/* SPDX-License-Identifier: MIT */
#include "engine/priority.h"

#include <sched.h>

bool priority_raise(void)
{
	const struct sched_param first = {.sched_priority = 1};
	if (sched_getscheduler(0) != SCHED_OTHER)
		return false; /* its user has chosen another */
	return sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first) == 0;
}

void priority_lower(bool raised)
{
	const struct sched_param none = {0};
	if (raised)
		sched_setscheduler(0, SCHED_OTHER, &none);
}
