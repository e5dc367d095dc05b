// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of a stream cut into lines: see lines.h.
 */
#include "control/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_FIRST_CAP 4096

static int grow(struct lines *l)
{
	size_t cap = l->cap ? l->cap * 2 : LINES_FIRST_CAP;
	char *data;

	if (cap > l->max)
		cap = l->max;
	data = realloc(l->data, cap);
	if (!data)
		return -ENOMEM;
	l->data = data;
	l->cap = cap;
	return 0;
}

char *lines_room(struct lines *l, size_t *bytes)
{
	if (l->begin) {
		memmove(l->data, l->data + l->begin, l->end - l->begin);
		l->end -= l->begin;
		l->scanned -= l->begin;
		l->begin = 0;
	}
	if (l->end == l->cap && grow(l))
		return NULL;
	*bytes = l->cap - l->end;
	return l->data + l->end;
}

void lines_added(struct lines *l, size_t bytes)
{
	l->end += bytes;
}

int lines_next(struct lines *l, char **line, size_t *bytes)
{
	char *newline;

	if (l->scanned == l->end)
		newline = NULL;
	else
		newline = memchr(l->data + l->scanned, '\n',
				 l->end - l->scanned);
	if (!newline) {
		l->scanned = l->end;
		return l->end - l->begin >= l->max ? -EMSGSIZE : 0;
	}
	*line = l->data + l->begin;
	*bytes = newline - *line;
	if (*bytes && newline[-1] == '\r')
		--*bytes;
	l->begin = l->scanned = newline + 1 - l->data;
	return 1;
}

void lines_free(struct lines *l)
{
	free(l->data);
	l->data = NULL;
	l->cap = l->begin = l->end = l->scanned = 0;
}
