/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control protocol's lines, as pure functions: a request line into its
 * parts, answers and events into lines.  The shape is QMP's: JSON objects, one
 * a line; {"execute": NAME, "arguments": {...}, "id": ANY} is answered by
 * {"return": ..., "id": ANY} or {"error": {"class": ..., "desc": ...}, ...}.
 *
 * What is parsed here comes from whoever can open the socket, and may be
 * anything.
 */
#ifndef UMIG_CONTROL_PROTOCOL_H
#define UMIG_CONTROL_PROTOCOL_H

#include <stddef.h>

#include <jansson.h>

#include "lib/err.h"

/** PROTOCOL_LINE_MAX - Longest request, the newline included. */
#define PROTOCOL_LINE_MAX 65536

/**
 * struct request - One request.  Zero-initialise; request_free().
 * @execute: which command; points into @root.
 * @arguments: an object, borrowed from @root; NULL: none were given.
 * @id: whatever the client wants back, borrowed from @root; NULL: none.
 * @root: the whole.
 */
struct request {
	const char *execute;
	json_t *arguments;
	json_t *id;
	json_t *root;
};

/**
 * request_parse() - Take a line apart.
 * @bytes: its length without the newline, below PROTOCOL_LINE_MAX.
 *
 * Return: 0, or -EINVAL and in words what is wrong with it; @out->id is set
 * whenever one could be read, so that the refusal reaches who asked.
 */
int request_parse(struct request *out, const char *line, size_t bytes,
		  struct err *err);

void request_free(struct request *r);

/*
 * Lines to send, newline included, to be freed by the caller; NULL if memory is
 * short.  A json_t argument named "taken" is always consumed.
 */

/** protocol_greeting() - What a client sees first. */
char *protocol_greeting(void);

/** protocol_return() - The answer to a request that succeeded. */
char *protocol_return(json_t *taken, json_t *id);

/**
 * protocol_error() - The answer to a request that failed.
 * @class: NULL: "GenericError".
 */
char *protocol_error(const char *class, const char *desc, json_t *id);

/** protocol_event() - Something happened, now. */
char *protocol_event(const char *name, json_t *taken);

/** protocol_version() - {"umig": {"major", "minor"}, "package"}. */
json_t *protocol_version(void);

/**
 * protocol_text() - A JSON string of words that may not be UTF-8, since they
 * may quote what a peer sent: what doesn't fit becomes '?'.
 */
json_t *protocol_text(const char *text);

#endif
