// SPDX-License-Identifier: GPL-2.0
/*
 * Measuring things side by side: see measure.h.
 */
#include "measure.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t median(uint64_t *sample, unsigned int nr)
{
	qsort(sample, nr, sizeof(*sample), compare);
	return sample[nr / 2];
}

static void run_round(struct measured *m, unsigned int nr, unsigned int round)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		/* nobody is always the first */
		struct measured *it = &m[(i + round) % nr];
		uint64_t start = cpu_ns();

		it->run(it->arg);
		it->sample_ns[round] = cpu_ns() - start;
	}
}

int measure(struct measured *m, unsigned int nr, unsigned int rounds)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr; i++) {
		m[i].sample_ns = calloc(rounds, sizeof(uint64_t));
		if (!m[i].sample_ns)
			ret = -ENOMEM;
	}
	if (!ret) {
		run_round(m, nr, 0);
		for (i = 0; i < rounds; i++)
			run_round(m, nr, i);
	}
	for (i = 0; i < nr; i++) {
		if (!ret)
			m[i].median_ns = median(m[i].sample_ns, rounds);
		free(m[i].sample_ns);
		m[i].sample_ns = NULL;
	}
	return ret;
}
