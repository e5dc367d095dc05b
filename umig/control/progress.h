/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A migration for people: one line while it runs, a table when it has ended.
 * Both are made from the JSON object that report.h describes.
 */
#ifndef UMIG_CONTROL_PROGRESS_H
#define UMIG_CONTROL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/**
 * struct progress - What was shown last.  Zero-initialise.
 * @at_ns: when,
 * @wire_bytes: how much had been sent by then.
 */
struct progress {
	uint64_t at_ns;
	double wire_bytes;
};

/**
 * progress_line() - State, how far this round is, rate, what remains, what was
 * saved, how fast the guest dirties memory, and how long it will take.
 * @now_ns: the monotonic clock.
 * @bar: with a bar, for a terminal.
 */
void progress_line(struct progress *p, const json_t *report, uint64_t now_ns,
		   bool bar, char *to, size_t room);

/** progress_table() - The report of a migration, ended or not. */
void progress_table(const json_t *report, FILE *out);

#endif
