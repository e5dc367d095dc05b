// SPDX-License-Identifier: GPL-2.0
/*
 * A handover's record as it may be found on disk: any bytes.  What is accepted
 * must be told, refused or admitted in words, and written again be the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/handover_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void use(const struct handover_record *r)
{
	struct handover_record again;
	struct err err = { 0 };
	char *text, what[512];

	assert(r->name[0] && r->peer[0]);
	assert(r->phase > 0 && r->phase < HANDOVER_PHASES);
	assert(handover_record_state(r) > 0);
	handover_record_tell(r, what, sizeof(what));
	assert(strstr(what, r->peer) && strstr(what, " at "));
	assert(!handover_record_refuse(r, true, &err) == !err.code);
	text = handover_record_text(r);
	assert(text);
	assert(!handover_record_parse(&again, text, strlen(text), NULL));
	assert(!strcmp(again.name, r->name) && again.phase == r->phase);
	assert(!memcmp(again.id, r->id, sizeof(r->id)));
	assert(!strcmp(again.peer, r->peer) && again.time_s == r->time_s);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct handover_record r;
	struct err err = { 0 };
	/* a block of its own, so that ASan sees any overrun */
	char *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, data, bytes);
	if (handover_record_parse(&r, copy, bytes, &err))
		assert(err.code && err.text[0]);
	else
		use(&r);
	free(copy);
	return 0;
}
