// SPDX-License-Identifier: GPL-2.0
/*
 * What the module costs, each thing beside what it is compared with, in the same
 * run, in CPU time.  kmod_perf.py runs it in a lab host.
 *
 *	kmod_perf [hash] [calls] [ksmd]	all, or these parts; as root, where
 *					nobody else merges pages
 *
 * Prints one JSON object: nanoseconds a page, medians and least ones.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmod_perf.h"
#include "selftests/kmod/harness.h"

static const struct part {
	const char *name;
	void (*cost)(void);
} parts[] = {
	{ "hash", hash_cost },
	{ "calls", calls_cost },
	{ "ksmd", ksmd_cost },
};

static bool wanted(const struct part *part, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], part->name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (sodium_init() < 0)
		bail("libsodium doesn't start");
	printf("{");
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (wanted(&parts[i], argc, argv))
			parts[i].cost();
	printf("\"pages\": %d}\n", PAGES);
	return 0;
}
