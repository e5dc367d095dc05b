/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Saved machine state as bytes: a sequence of named sections.  This is the
 * container only; what is inside is its owner's business.
 *
 *	u16 length of the name, name	"cpu0", "irqchip", "serial0", ...
 *	u32 version			of the payload's layout
 *	u32 length			of the payload
 *	payload
 */
#ifndef UMIG_VMM_STATE_FORMAT_H
#define UMIG_VMM_STATE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

#define STATE_NAME_MAX 32
#define STATE_SECTIONS_MAX 128

/**
 * struct state_section - One section, as found.
 * @data: the payload, borrowed.
 * @offset: of the payload in the whole, for messages.
 * @used: somebody has asked for it.
 */
struct state_section {
	char name[STATE_NAME_MAX];
	uint32_t version;
	const uint8_t *data;
	uint32_t bytes;
	size_t offset;
	bool used;
};

struct state_index {
	unsigned int nr;
	struct state_section section[STATE_SECTIONS_MAX];
};

/** state_begin() - Open a section in @out; returns what state_end() wants. */
size_t state_begin(struct buf *out, const char *name, uint32_t version);
void state_end(struct buf *out, size_t mark);

/**
 * state_parse() - Find the sections of bytes that came from a peer.
 *
 * Return: 0, or -EBADMSG with the offset in @err: truncated, a bad name, the
 * same name twice, too many.
 */
int state_parse(const void *data, size_t bytes, struct state_index *out,
		struct err *err);

/**
 * state_take() - The section called @name, marked as used.
 *
 * Return: NULL with @err set if it is missing or not of @version.
 */
struct state_section *state_take(struct state_index *index, const char *name,
				 uint32_t version, struct err *err);

/** state_all_used() - -EBADMSG naming a section that nobody took. */
int state_all_used(const struct state_index *index, struct err *err);

#endif
