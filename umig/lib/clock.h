/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Monotonic time in nanoseconds: the one clock that durations are taken on; and
 * what of it the calling thread had a CPU.
 */
#ifndef UMIG_LIB_CLOCK_H
#define UMIG_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline uint64_t clock_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif
