/* SPDX-License-Identifier: GPL-2.0 */
/* A condition variable whose timed waits are on the clock of lib/clock.h. */
#ifndef UMIG_LIB_COND_H
#define UMIG_LIB_COND_H

#include <pthread.h>
#include <time.h>

static inline void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

#endif
