/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kmod_perf's parts have in common.  Each prints fields of one JSON object,
 * each with a comma behind it.
 */
#ifndef UMIG_BENCH_KMOD_PERF_H
#define UMIG_BENCH_KMOD_PERF_H

#include <stdint.h>
#include <sys/types.h>

#define CONTENTS 2048
/* Each content stands in two of them. */
#define PAGES (2 * CONTENTS)

/** calls_cost() - RANGE, CONFIRM, FILL, SHARE, and what they are compared with. */
void calls_cost(void);

/** hash_cost() - The worker's time a page, and an entry's bytes. */
void hash_cost(void);

/** ksmd_cost() - ksmd's time a merged page, without the module and with it. */
void ksmd_cost(void);

/** now_ns() - Monotonic time. */
uint64_t now_ns(void);

/** task_called() - The kernel thread of that name. */
pid_t task_called(const char *name);

/** task_ns() - CPU time that a task has used, by the scheduler's own count. */
uint64_t task_ns(pid_t pid);

#endif
