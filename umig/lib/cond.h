/* SPDX-License-Identifier: GPL-2.0 */
/* A condition variable whose timed waits are on the clock of lib/clock.h. */
#ifndef UMIG_LIB_COND_H
#define UMIG_LIB_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "lib/clock.h"

static inline void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* pthread_cond_wait() for no longer than @ns. */
static inline void cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *lock,
				uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;
	const struct timespec ts = { until / 1000000000ULL,
				     until % 1000000000ULL };

	pthread_cond_timedwait(cond, lock, &ts);
}

#endif
