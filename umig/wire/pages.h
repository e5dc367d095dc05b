/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PAGES payloads: a batch of runs written into, or read from, a frame's
 * payload.  Pure functions over bytes.
 */
#ifndef UMIG_WIRE_PAGES_H
#define UMIG_WIRE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "wire/frame.h"

/**
 * struct pages_writer - A PAGES payload being written.
 * @at: the payload's room, WIRE_PAYLOAD_MAX bytes, borrowed.
 * @len: bytes written.
 * @run: offset of the run being extended, 0: none.
 * @gfn: the gfn that would extend it.
 * @pages: pages in it.
 * @class: its class.
 * @runs: runs begun.
 * @round: of all runs.
 */
struct pages_writer {
	uint8_t *at;
	size_t len;
	size_t run;
	uint64_t gfn;
	uint32_t pages;
	uint8_t class;
	uint32_t runs;
	uint32_t round;
};

void pages_writer_init(struct pages_writer *w, void *room, uint32_t round);

/**
 * pages_writer_add() - Append one page, extending the last run if it can.
 *
 * Return: room for what this class carries for a page (none: a non-NULL
 * pointer that must not be written), or NULL if the payload is full.
 */
void *pages_writer_add(struct pages_writer *w, uint64_t gfn, uint8_t class);

/**
 * pages_writer_add_zero() - Append @pages ZERO pages, from 1, extending the last
 * run if it can.
 *
 * Return: whether they fitted.
 */
bool pages_writer_add_zero(struct pages_writer *w, uint64_t gfn,
			   uint32_t pages);

/**
 * pages_writer_add_delta() - Append one page, a run of its own, as a delta.
 * @base: the round that it is to.
 *
 * Return: whether it fitted.
 */
bool pages_writer_add_delta(struct pages_writer *w, uint64_t gfn,
			    uint32_t base, const void *delta, uint16_t bytes);

/**
 * pages_writer_add_dense() - Append a DENSE run of @pages, 1 to 512.
 *
 * Return: whether it fitted.
 */
bool pages_writer_add_dense(struct pages_writer *w, uint64_t gfn,
			    uint32_t pages);

/** pages_writer_break() - The next page begins a run of its own. */
void pages_writer_break(struct pages_writer *w);

/** pages_writer_end() - Finish the payload; its length, 0 if it is empty. */
size_t pages_writer_end(struct pages_writer *w);

/**
 * struct pages_run - One run as read, with its payload in place.
 * @payload: @pages elements of what its class carries.
 * @delta: DELTA: what is behind that, of @delta_bytes, against round @base.
 */
struct pages_run {
	uint64_t gfn;
	uint32_t pages;
	uint8_t class;
	const uint8_t *payload;
	const uint8_t *delta;
	uint16_t delta_bytes;
	uint32_t base;
};

/**
 * struct pages_reader - A PAGES payload being read.
 * @r: the bytes.
 * @round: of all runs.
 * @left: runs still to come.
 */
struct pages_reader {
	struct reader r;
	uint32_t round;
	uint32_t left;
};

/** pages_reader_init() - 0, or -EBADMSG. */
int pages_reader_init(struct pages_reader *p, const void *data, size_t bytes);

/**
 * pages_reader_next() - Read the next run.
 *
 * Return: 1: @run is set; 0: no run is left and the payload ends here;
 * -EBADMSG: malformed.  Whether gfns exist is for the caller to check.
 */
int pages_reader_next(struct pages_reader *p, struct pages_run *run);

/**
 * pages_payload_bytes() - What a page of @class carries, of a DELTA what comes
 * before the delta itself; -1 if no class.
 */
long pages_payload_bytes(uint8_t class);

#endif
