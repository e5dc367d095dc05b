// SPDX-License-Identifier: GPL-2.0
/*
 * Encoding: see encode.h.
 */
#include "migrate/encode.h"

#include <endian.h>
#include <string.h>

#include "mem/zero.h"
#include "migrate/offers.h"
#include "wire/frame.h"

/* What QEMU's plain pre-copy writes for a page, and for a zero page. */
#define PLAIN_PAGE_BYTES (4096 + 8)
#define PLAIN_ZERO_BYTES 9

int encoder_init(struct encoder *e, const struct memslots *ms,
		 struct channel *ch, uint8_t *class)
{
	memset(e, 0, sizeof(*e));
	e->ms = ms;
	e->ch = ch;
	e->class = class;
	return duplicates_init(&e->dups);
}

void encoder_exit(struct encoder *e)
{
	duplicates_exit(&e->dups);
}

int encoder_flush(struct encoder *e)
{
	size_t bytes;

	if (!e->writing)
		return 0;
	e->writing = false;
	bytes = pages_writer_end(&e->writer);
	return bytes ? channel_send(e->ch, WIRE_PAGES, bytes) : 0;
}

static int begin_frame(struct encoder *e)
{
	void *room;
	int rc = channel_payload(e->ch, &room);

	if (rc)
		return rc;
	pages_writer_init(&e->writer, room, e->round);
	e->writing = true;
	return 0;
}

/* Room in the PAGES frame for a page; the frame before is sent if full. */
static int add_page(struct encoder *e, uint64_t gfn, uint8_t class, void **at)
{
	int rc;

	/* a run is of one slot, also where slots touch */
	if (e->writing && memslots_find(e->ms, gfn)->gfn == gfn)
		pages_writer_break(&e->writer);
	if (e->writing) {
		*at = pages_writer_add(&e->writer, gfn, class);
		if (*at)
			return 0;
		rc = encoder_flush(e);
		if (rc)
			return rc;
	}
	rc = begin_frame(e);
	if (rc)
		return rc;
	*at = pages_writer_add(&e->writer, gfn, class);
	return 0;
}

/* Keep the books on a page that is going out as @class. */
static void account(struct encoder *e, uint64_t index, uint8_t class)
{
	e->count[e->class[index]]--;
	e->count[class]++;
	e->class[index] = class;
	e->bytes_plain_equivalent += class == PAGE_CLASS_ZERO ?
					     PLAIN_ZERO_BYTES :
					     PLAIN_PAGE_BYTES;
}

int encoder_zero(struct encoder *e, uint64_t index)
{
	void *at;
	int rc = add_page(e, memslots_gfn(e->ms, index), WIRE_RUN_ZERO, &at);

	if (!rc)
		account(e, index, PAGE_CLASS_ZERO);
	return rc;
}

int encoder_held(struct encoder *e, uint64_t index,
		 const struct wire_held *held)
{
	void *at;
	int rc = add_page(e, memslots_gfn(e->ms, index), WIRE_RUN_HELD, &at);

	if (rc)
		return rc;
	memcpy(at, held, sizeof(*held));
	account(e, index, PAGE_CLASS_HELD);
	return 0;
}

static int add_duplicate(struct encoder *e, uint64_t index, uint64_t gfn,
			 uint64_t original)
{
	struct wire_duplicate dup = {
		.gfn = htole64(original),
		.round = htole32(e->round),
	};
	void *at;
	int rc = add_page(e, gfn, WIRE_RUN_DUPLICATE, &at);

	if (rc)
		return rc;
	memcpy(at, &dup, sizeof(dup));
	account(e, index, PAGE_CLASS_DUPLICATE);
	return 0;
}

int encoder_bytes(struct encoder *e, uint64_t index, uint32_t refused)
{
	uint64_t original, gfn = memslots_gfn(e->ms, index);
	const void *page = memslots_hva(e->ms, gfn);
	void *at;
	int rc;

	if (page_is_zero(page))
		return encoder_zero(e, index);
	if (refused != OFFERS_NONE &&
	    duplicates_find(&e->dups, refused, e->round, page, &original))
		return add_duplicate(e, index, gfn, original);
	rc = add_page(e, gfn, WIRE_RUN_PLAIN, &at);
	if (rc)
		return rc;
	memcpy(at, page, UMIG_PAGE_SIZE);
	account(e, index, PAGE_CLASS_PLAIN);
	if (refused != OFFERS_NONE)
		duplicates_keep(&e->dups, refused, gfn, e->round, at);
	return 0;
}
