/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes of a stream cut into lines, with a bound on a line's length: what both
 * ends of the control socket read through.
 */
#ifndef UMIG_CONTROL_LINES_H
#define UMIG_CONTROL_LINES_H

#include <stddef.h>

/**
 * struct lines - Zero-initialise with @max set; lines_free().
 * @max: longest line, the newline included.
 * @data: what was read, owned.
 * @cap: its room: grows up to @max.
 * @begin: where what has not been taken begins,
 * @end: and ends.
 * @scanned: no newline lies in front of this.
 */
struct lines {
	size_t max;
	char *data;
	size_t cap;
	size_t begin;
	size_t end;
	size_t scanned;
};

/**
 * lines_room() - Where to read to; lines_next() must have returned 0 before.
 * @bytes: set to how much, > 0.
 *
 * Lines taken before are gone.  Return: NULL if memory is short.
 */
char *lines_room(struct lines *l, size_t *bytes);

/** lines_added() - @bytes were read there. */
void lines_added(struct lines *l, size_t bytes);

/**
 * lines_next() - Take a line.
 * @line: set to it, without newline and carriage return; not terminated.
 * @bytes: set to its length.
 *
 * Return: 1; 0: none is complete; -EMSGSIZE: it is longer than @l->max.
 */
int lines_next(struct lines *l, char **line, size_t *bytes);

void lines_free(struct lines *l);

#endif
