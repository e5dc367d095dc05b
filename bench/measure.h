/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measuring things side by side: each round runs every one of them once, so
 * that whatever else the machine does meets all of them alike, and the medians
 * of a round's CPU times are compared.
 */
#ifndef UMIG_BENCH_MEASURE_H
#define UMIG_BENCH_MEASURE_H

#include <stdint.h>

/**
 * struct measured - Something that is measured.
 * @name: in the results.
 * @run: does it once.
 * @arg: its.
 * @sample_ns: the CPU time of each round, @rounds of them; measure()'s.
 * @median_ns: their median.
 */
struct measured {
	const char *name;
	void (*run)(void *arg);
	void *arg;
	uint64_t *sample_ns;
	uint64_t median_ns;
};

/** cpu_ns() - CPU time of this thread. */
uint64_t cpu_ns(void);

/** median() - Sorts @sample. */
uint64_t median(uint64_t *sample, unsigned int nr);

/**
 * measure() - Run all of @m @rounds times, by turns, after a round to warm up.
 *
 * Return: 0, -ENOMEM.
 */
int measure(struct measured *m, unsigned int nr, unsigned int rounds);

#endif
