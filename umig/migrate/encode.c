// SPDX-License-Identifier: GPL-2.0
/*
 * Encoding: see encode.h.
 */
#include "migrate/encode.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mem/zero.h"
#include "migrate/offers.h"
#include "wire/frame.h"

/*
 * Frames with fewer plain pages than this, mostly words on pages that needn't be
 * sent, say nothing of the link: a socket always has room for them.
 */
#define PLAIN_COUNTS 8

/* What QEMU's plain pre-copy writes for a page, and for a zero page. */
#define PLAIN_PAGE_BYTES (4096 + 8)
#define PLAIN_ZERO_BYTES 9

static void tell_path(struct encoder *e)
{
	struct tcp_path now;

	if (channel_path(e->ch, &now))
		return;
	packing_path(e->packing, now.bytes - e->path.bytes,
		     now.busy_ns - e->path.busy_ns);
	e->path = now;
}

/* The channel has sent one of our frames, or somebody else's. */
static void on_sent(void *arg, uint16_t type, size_t bytes, uint64_t busy_ns)
{
	struct encoder *e = arg;

	if ((type != WIRE_PAGES && type != WIRE_PACKED) || !e->nr_sent)
		return;
	if (e->sent[e->first_sent].counts) {
		tell_path(e);
		packing_sent(e->packing, e->sent[e->first_sent].plan, bytes,
			     busy_ns);
	}
	e->first_sent = (e->first_sent + 1) % ENCODER_FRAMES;
	e->nr_sent--;
}

int encoder_init(struct encoder *e, const struct memslots *ms,
		 struct channel *ch, uint8_t *class, struct packing *packing)
{
	int rc;

	memset(e, 0, sizeof(*e));
	e->ms = ms;
	e->ch = ch;
	e->class = class;
	rc = duplicates_init(&e->dups);
	if (rc || !packing)
		return rc;
	e->packing = packing;
	channel_on_sent(ch, on_sent, e);
	e->raw = malloc(WIRE_PAYLOAD_MAX);
	return e->raw ? packing_worker_init(&e->packer, packing) : -ENOMEM;
}

void encoder_exit(struct encoder *e)
{
	if (e->packing)
		channel_on_sent(e->ch, NULL, NULL);
	packing_worker_exit(&e->packer);
	free(e->raw);
	duplicates_exit(&e->dups);
}

void encoder_begin_round(struct encoder *e, uint32_t round)
{
	e->round = round;
	e->named = 0;
	if (e->deltas)
		deltas_begin_round(e->deltas, round);
}

static int send_frame(struct encoder *e, uint16_t type, size_t bytes)
{
	unsigned int at = (e->first_sent + e->nr_sent) % ENCODER_FRAMES;

	if (e->packing) {
		assert(e->nr_sent < ENCODER_FRAMES);
		e->sent[at].plan = e->plan;
		e->sent[at].counts = e->plain >= PLAIN_COUNTS;
		if (!e->sent[at].counts)
			packing_unused(e->packing, e->plan);
		e->nr_sent++;
	}
	return channel_send(e->ch, type, bytes);
}

/* The frame in @raw goes out packed, or as it is if that doesn't help. */
static int send_packed(struct encoder *e, size_t bytes)
{
	size_t packed = 0;
	void *room;
	int rc = channel_payload(e->ch, &room);

	if (rc)
		return rc;
	if (e->plain) {
		packing_try(&e->packer, e->raw, bytes);
		packed = packing_batch(&e->packer, e->plan, e->raw, bytes,
				       room);
	}
	if (packed)
		return send_frame(e, WIRE_PACKED, packed);
	memcpy(room, e->raw, bytes);
	return send_frame(e, WIRE_PAGES, bytes);
}

int encoder_flush(struct encoder *e)
{
	size_t bytes;

	if (!e->writing)
		return 0;
	e->writing = false;
	bytes = pages_writer_end(&e->writer);
	if (e->packing)
		packing_run_end(&e->packer);
	if (e->plan.codec)
		return send_packed(e, bytes);
	if (e->packing && e->plain)
		packing_try(&e->packer, e->writer.at, bytes);
	return send_frame(e, WIRE_PAGES, bytes);
}

static int begin_frame(struct encoder *e)
{
	void *room = e->raw;
	int rc = 0;

	e->plan = e->packing ? packing_choose(e->packing) :
			       (struct pack_plan){ 0 };
	if (!e->plan.codec)
		rc = channel_payload(e->ch, &room);
	if (rc)
		return rc;
	if (e->packing)
		packing_run_begin(&e->packer);
	pages_writer_init(&e->writer, room, e->round);
	e->writing = true;
	e->plain = 0;
	return 0;
}

/* A run is of one slot, also where slots touch. */
static void break_at_slot(struct encoder *e, uint64_t gfn)
{
	if (e->writing && memslots_find(e->ms, gfn)->gfn == gfn)
		pages_writer_break(&e->writer);
}

/* Send the frame, if there is one, and begin another, which has room. */
static int next_frame(struct encoder *e)
{
	int rc = encoder_flush(e);

	return rc ? rc : begin_frame(e);
}

/* Room in the PAGES frame for a page; the frame before is sent if full. */
static int add_page(struct encoder *e, uint64_t gfn, uint8_t class, void **at)
{
	int rc;

	break_at_slot(e, gfn);
	if (e->writing) {
		*at = pages_writer_add(&e->writer, gfn, class);
		if (*at)
			return 0;
	}
	rc = next_frame(e);
	if (!rc)
		*at = pages_writer_add(&e->writer, gfn, class);
	return rc;
}

int encoder_dense(struct encoder *e, uint64_t index, uint32_t pages)
{
	uint64_t gfn = memslots_gfn(e->ms, index);
	int rc;

	if (e->writing && pages_writer_add_dense(&e->writer, gfn, pages))
		return 0;
	rc = next_frame(e);
	if (!rc)
		pages_writer_add_dense(&e->writer, gfn, pages);
	return rc;
}

/* Keep the books on a page that is going out as @class. */
static void account(struct encoder *e, uint64_t index, uint8_t class)
{
	/* what has not been sent yet is not kept either */
	if (e->deltas && e->class[index] && class != PAGE_CLASS_PLAIN)
		deltas_forget(e->deltas, index);
	e->count[e->class[index]]--;
	e->count[class]++;
	e->class[index] = class;
	e->bytes_plain_equivalent += class == PAGE_CLASS_ZERO ?
					     PLAIN_ZERO_BYTES :
					     PLAIN_PAGE_BYTES;
}

static int add_zero(struct encoder *e, uint64_t gfn, unsigned int n)
{
	int rc;

	break_at_slot(e, gfn);
	if (e->writing && pages_writer_add_zero(&e->writer, gfn, n))
		return 0;
	rc = next_frame(e);
	if (!rc)
		pages_writer_add_zero(&e->writer, gfn, n);
	return rc;
}

int encoder_zero(struct encoder *e, uint64_t first, unsigned int n)
{
	unsigned int i;
	int rc = add_zero(e, memslots_gfn(e->ms, first), n);

	for (i = 0; i < n && !rc; i++)
		account(e, first + i, PAGE_CLASS_ZERO);
	return rc;
}

/* A brief proof is what a whole one begins with. */
_Static_assert(offsetof(struct wire_brief, proof) ==
	       offsetof(struct wire_held, proof), "wire");

int encoder_held(struct encoder *e, uint64_t index,
		 const struct wire_held *held, bool brief)
{
	uint8_t class = brief ? WIRE_RUN_BRIEF : WIRE_RUN_HELD;
	void *at;
	int rc = add_page(e, memslots_gfn(e->ms, index), class, &at);

	if (rc)
		return rc;
	memcpy(at, held, pages_payload_bytes(class));
	e->named++;
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
	e->named++;
	account(e, index, PAGE_CLASS_DUPLICATE);
	return 0;
}

/* What e->deltas has made of a page. */
static int add_delta(struct encoder *e, uint64_t gfn)
{
	const struct deltas *d = e->deltas;
	int rc;

	e->named++;
	if (e->writing &&
	    pages_writer_add_delta(&e->writer, gfn, d->base, d->delta,
				   d->bytes))
		return 0;
	rc = next_frame(e);
	if (!rc)
		pages_writer_add_delta(&e->writer, gfn, d->base, d->delta,
				       d->bytes);
	return rc;
}

/*
 * Who reads what was sent - packing, who looks for duplicates - has @copy; else
 * @page is read when the frame is sent.  @at: where it lies.
 */
static int add_plain(struct encoder *e, uint64_t gfn, const void *page,
		     bool copy, void **at)
{
	int rc = add_page(e, gfn, WIRE_RUN_PLAIN, at);

	if (rc)
		return rc;
	if (copy || e->packing ||
	    !channel_borrow(e->ch, *at, page, UMIG_PAGE_SIZE))
		memcpy(*at, page, UMIG_PAGE_SIZE);
	e->plain++;
	return 0;
}

/* A page that is kept: what goes is what the next delta will be to. */
static int send_kept(struct encoder *e, uint64_t index, uint64_t gfn,
		     uint32_t refused)
{
	struct deltas *d = e->deltas;
	void *at;
	int rc;

	if (deltas_take(d, index, memslots_hva(e->ms, gfn)))
		rc = add_delta(e, gfn);
	else
		rc = add_plain(e, gfn, d->page, true, &at);
	if (rc)
		return rc;
	account(e, index, PAGE_CLASS_PLAIN);
	if (refused != OFFERS_NONE)
		duplicates_keep(&e->dups, refused, gfn, e->round, d->page);
	return 0;
}

int encoder_bytes(struct encoder *e, uint64_t index, uint32_t refused)
{
	uint64_t original, gfn = memslots_gfn(e->ms, index);
	const void *page = memslots_hva(e->ms, gfn);
	bool offered = refused != OFFERS_NONE;
	void *at;
	int rc;

	if (page_is_zero(page))
		return encoder_zero(e, index, 1);
	if (offered &&
	    duplicates_find(&e->dups, refused, e->round, page, &original))
		return add_duplicate(e, index, gfn, original);
	if (e->deltas && deltas_wants(e->deltas, index))
		return send_kept(e, index, gfn, refused);
	rc = add_plain(e, gfn, page, offered, &at);
	if (rc)
		return rc;
	account(e, index, PAGE_CLASS_PLAIN);
	if (offered)
		duplicates_keep(&e->dups, refused, gfn, e->round, at);
	return 0;
}
