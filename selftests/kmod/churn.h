/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that give KSM no rest: they write, unmap, fork, un-merge and map
 * again, over a small set of contents, so that nodes and pages are freed and
 * used again all the time.
 */
#ifndef UMIG_SELFTESTS_KMOD_CHURN_H
#define UMIG_SELFTESTS_KMOD_CHURN_H

#include <stdint.h>
#include <sys/types.h>

#define CHURN_FIRST 100000
#define CHURN_CONTENTS 700
#define CHURN_PAGES 2048

/* One process, until churn_stop(). */
pid_t churn_start(unsigned int seed);
void churn_stop(pid_t pid);

#endif
