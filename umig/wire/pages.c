// SPDX-License-Identifier: GPL-2.0
/*
 * PAGES payloads: see pages.h.
 */
#include "wire/pages.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

long pages_payload_bytes(uint8_t class)
{
	switch (class) {
	case WIRE_RUN_ZERO:
	case WIRE_RUN_DENSE:
		return 0;
	case WIRE_RUN_HELD:
		return sizeof(struct wire_held);
	case WIRE_RUN_BRIEF:
		return sizeof(struct wire_brief);
	case WIRE_RUN_DUPLICATE:
		return sizeof(struct wire_duplicate);
	case WIRE_RUN_PLAIN:
		return 4096;
	case WIRE_RUN_DELTA:
		return sizeof(struct wire_delta);
	}
	return -1;
}

void pages_writer_init(struct pages_writer *w, void *room, uint32_t round)
{
	*w = (struct pages_writer){
		.at = room,
		.len = sizeof(struct wire_pages),
		.round = round,
	};
}

static void close_run(struct pages_writer *w)
{
	struct wire_run run = {
		.gfn = htole64(w->gfn - w->pages),
		.pages = htole32(w->pages),
		.class = w->class,
	};

	if (w->run)
		memcpy(w->at + w->run, &run, sizeof(run));
	w->run = 0;
}

void pages_writer_break(struct pages_writer *w)
{
	close_run(w);
}

static bool extends(const struct pages_writer *w, uint64_t gfn, uint32_t pages,
		    uint8_t class)
{
	uint32_t most = class == WIRE_RUN_ZERO ? UINT32_MAX : WIRE_BATCH_PAGES;

	return w->run && w->gfn == gfn && w->class == class &&
	       class != WIRE_RUN_DELTA && w->pages <= most - pages;
}

static void begin_run(struct pages_writer *w, uint64_t gfn, uint8_t class)
{
	close_run(w);
	w->run = w->len;
	w->len += sizeof(struct wire_run);
	w->gfn = gfn;
	w->pages = 0;
	w->class = class;
	w->runs++;
}

bool pages_writer_add_zero(struct pages_writer *w, uint64_t gfn, uint32_t pages)
{
	assert(pages);
	if (!extends(w, gfn, pages, WIRE_RUN_ZERO)) {
		if (w->len + sizeof(struct wire_run) > WIRE_PAYLOAD_MAX)
			return false;
		begin_run(w, gfn, WIRE_RUN_ZERO);
	}
	w->gfn += pages;
	w->pages += pages;
	return true;
}

void *pages_writer_add(struct pages_writer *w, uint64_t gfn, uint8_t class)
{
	size_t bytes = pages_payload_bytes(class);
	bool fresh = !extends(w, gfn, 1, class);
	void *at;

	if (w->len + bytes + (fresh ? sizeof(struct wire_run) : 0) >
	    WIRE_PAYLOAD_MAX)
		return NULL;
	if (fresh)
		begin_run(w, gfn, class);
	at = w->at + w->len;
	w->len += bytes;
	w->gfn++;
	w->pages++;
	return at;
}

bool pages_writer_add_delta(struct pages_writer *w, uint64_t gfn,
			    uint32_t base, const void *delta, uint16_t bytes)
{
	struct wire_delta head = {
		.base = htole32(base),
		.bytes = htole16(bytes),
	};
	void *at;

	if (w->len + sizeof(struct wire_run) + sizeof(head) + bytes >
	    WIRE_PAYLOAD_MAX)
		return false;
	at = pages_writer_add(w, gfn, WIRE_RUN_DELTA);
	memcpy(at, &head, sizeof(head));
	memcpy(w->at + w->len, delta, bytes);
	w->len += bytes;
	return true;
}

bool pages_writer_add_dense(struct pages_writer *w, uint64_t gfn,
			    uint32_t pages)
{
	struct wire_run run = {
		.gfn = htole64(gfn),
		.pages = htole32(pages),
		.class = WIRE_RUN_DENSE,
	};

	if (w->len + sizeof(run) > WIRE_PAYLOAD_MAX)
		return false;
	close_run(w);
	memcpy(w->at + w->len, &run, sizeof(run));
	w->len += sizeof(run);
	w->runs++;
	return true;
}

size_t pages_writer_end(struct pages_writer *w)
{
	struct wire_pages head = {
		.round = htole32(w->round),
		.runs = htole32(w->runs),
	};

	close_run(w);
	memcpy(w->at, &head, sizeof(head));
	return w->runs ? w->len : 0;
}

int pages_reader_init(struct pages_reader *p, const void *data, size_t bytes)
{
	reader_init(&p->r, data, bytes);
	p->round = reader_u32(&p->r);
	p->left = reader_u32(&p->r);
	return p->r.error || !p->round ? -EBADMSG : 0;
}

/* What is behind a DELTA run's header. */
static int read_delta(struct pages_reader *p, struct pages_run *run)
{
	uint16_t reserved;

	if (run->pages != 1)
		return -EBADMSG;
	run->payload = p->r.data + p->r.pos;
	run->base = reader_u32(&p->r);
	run->delta_bytes = reader_u16(&p->r);
	reserved = reader_u16(&p->r);
	run->delta = reader_take(&p->r, run->delta_bytes);
	return run->delta && run->base && !reserved ? 1 : -EBADMSG;
}

int pages_reader_next(struct pages_reader *p, struct pages_run *run)
{
	uint8_t reserved[3];
	long bytes;

	if (!p->left)
		return reader_end(&p->r);
	p->left--;
	run->gfn = reader_u64(&p->r);
	run->pages = reader_u32(&p->r);
	run->class = reader_u8(&p->r);
	reader_get(&p->r, reserved, sizeof(reserved));
	bytes = pages_payload_bytes(run->class);
	if (p->r.error || bytes < 0 || !run->pages ||
	    reserved[0] | reserved[1] | reserved[2])
		return -EBADMSG;
	if (run->class != WIRE_RUN_ZERO && run->pages > WIRE_BATCH_PAGES)
		return -EBADMSG;
	if (run->class == WIRE_RUN_DELTA)
		return read_delta(p, run);
	run->payload = reader_take(&p->r, bytes * run->pages);
	return run->payload ? 1 : -EBADMSG;
}
