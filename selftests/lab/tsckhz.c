// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of this machine's TSC in kHz, as QEMU's emulation passes it on: the
 * best of some measurements against the clock, each between two readings that
 * were taken close together.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 50

struct moment {
	uint64_t tsc;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Of many tries the one that was disturbed least. */
static struct moment now(void)
{
	uint64_t before, after, best = UINT64_MAX;
	struct moment m = { 0 };
	int i;

	for (i = 0; i < TRIES; i++) {
		uint64_t tsc;

		before = now_ns();
		tsc = __rdtsc();
		after = now_ns();
		if (after - before >= best)
			continue;
		best = after - before;
		m.tsc = tsc;
		m.ns = before + best / 2;
	}
	return m;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	struct moment a = now(), b;

	nanosleep(&pause, NULL);
	b = now();
	printf("%llu\n", (unsigned long long)((b.tsc - a.tsc) * 1000000 /
					      (b.ns - a.ns)));
	return 0;
}
