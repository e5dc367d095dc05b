// SPDX-License-Identifier: GPL-2.0
/*
 * HELLO: see hello.h.
 */
#include "wire/hello.h"

#include <errno.h>
#include <string.h>

#include "wire/frame.h"

void hello_encode(const struct hello *h, struct buf *out)
{
	unsigned int i;

	buf_put_u32(out, h->flags);
	buf_put(out, h->key_id, sizeof(h->key_id));
	buf_put_u32(out, UMIG_PAGE_SIZE);
	buf_put_u32(out, h->slots.nr);
	for (i = 0; i < h->slots.nr; i++) {
		buf_put_u64(out, h->slots.slot[i].gfn);
		buf_put_u64(out, h->slots.slot[i].pages);
	}
	machine_encode(&h->machine, out);
}

static int decode_slots(struct memslots *ms, struct reader *r)
{
	uint32_t i, nr = reader_u32(r);

	if (nr > MEMSLOTS_MAX)
		return -EBADMSG;
	for (i = 0; i < nr; i++) {
		uint64_t gfn = reader_u64(r);
		uint64_t pages = reader_u64(r);

		if (r->error || memslots_add(ms, gfn, pages, NULL))
			return -EBADMSG;
	}
	return nr ? 0 : -EBADMSG;
}

static int decode_body(struct hello *h, struct reader *r)
{
	int rc;

	h->flags = reader_u32(r);
	reader_get(r, h->key_id, sizeof(h->key_id));
	if (h->flags & ~WIRE_HELLO_FLAGS || reader_u32(r) != UMIG_PAGE_SIZE)
		return -EBADMSG;
	rc = decode_slots(&h->slots, r);
	if (!rc)
		rc = machine_decode(&h->machine, r);
	return rc ? rc : reader_end(r);
}

int hello_decode(struct hello *h, const void *data, size_t bytes,
		 struct err *err)
{
	struct reader r;
	int rc;

	reader_init(&r, data, bytes);
	rc = decode_body(h, &r);
	if (rc)
		return err_set(err, rc, "malformed HELLO near byte %zu of %zu",
			       r.pos, bytes);
	return 0;
}

void hello_free(struct hello *h)
{
	machine_free(&h->machine);
	*h = (struct hello){ 0 };
}
