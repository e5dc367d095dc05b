// SPDX-License-Identifier: GPL-2.0
/*
 * What a client of the control socket may say: bytes, cut into lines of bounded
 * length, taken apart as requests, their arguments read, and answered.  The
 * first byte chooses how much arrives at a time.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/args.h"
#include "control/lines.h"
#include "control/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* An answer is one line, whatever it quotes. */
static void check_answer(char *line)
{
	assert(line);
	assert(strchr(line, '\n') == line + strlen(line) - 1);
	free(line);
}

static void read_arguments(const struct request *req)
{
	static const char *const known[] = { "uri", "verify", NULL };
	const char *text = NULL;
	struct err err = { 0 };
	uint64_t number = 2;
	bool flag = false;

	if (args_known(req->arguments, known, &err) ||
	    args_string(req->arguments, "uri", &text, &err) ||
	    args_bool(req->arguments, "verify", &flag, &err) ||
	    args_number(req->arguments, "max-rounds", 1, 9, &number, &err)) {
		assert(err.code && err.text[0]);
		check_answer(protocol_error(NULL, err_text(&err), req->id));
		return;
	}
	assert(number >= 1 && number <= 9);
	check_answer(protocol_return(json_object(), req->id));
}

static void take_line(const char *line, size_t bytes)
{
	struct err err = { 0 };
	struct request req;
	/* a block of its own, so that ASan sees any overrun */
	char *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, line, bytes);
	if (request_parse(&req, copy, bytes, &err)) {
		assert(err.code && err.text[0]);
		check_answer(protocol_error(NULL, err_text(&err), req.id));
	} else {
		read_arguments(&req);
	}
	request_free(&req);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	/* short, so that too long a line is within reach */
	struct lines in = { .max = 512 };
	size_t at_once, room, n;
	char *at;
	int ret = 0;

	if (!bytes)
		return 0;
	at_once = *data + 1;
	data++;
	bytes--;
	while (bytes && ret >= 0) {
		at = lines_room(&in, &room);
		assert(at && room && in.cap <= in.max);
		n = bytes < at_once ? bytes : at_once;
		n = n < room ? n : room;
		memcpy(at, data, n);
		lines_added(&in, n);
		data += n;
		bytes -= n;
		while ((ret = lines_next(&in, &at, &room)) > 0)
			take_line(at, room);
	}
	lines_free(&in);
	return 0;
}
