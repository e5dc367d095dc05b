// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's queue in the hands of a hostile guest, or a hostile state of it from
 * a peer: guest memory is what the input says, rings and all.  No segment may
 * lie outside of RAM, no request may reach beyond the image, and the sanitizers
 * watch the copies.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio/blk_image.h"
#include "vmm/virtio/blk_request.h"
#include "vmm/virtio/virtqueue.h"

#define RAM_PAGES 4
#define RAM_BYTES (RAM_PAGES * UMIG_PAGE_SIZE)
#define HIGH_GFN 16
#define QUEUE_MAX 128
#define IMAGE_BYTES (64 * 1024)
#define STATE_BYTES 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool in_slot(const struct memslot *s, const struct vq_segment *seg)
{
	uint64_t slot_bytes = s->pages << UMIG_PAGE_SHIFT;
	uint64_t offset = seg->gpa - (s->gfn << UMIG_PAGE_SHIFT);

	return offset < slot_bytes && seg->bytes <= slot_bytes - offset &&
	       seg->at == s->hva + offset;
}

static void check_chain(const struct guest_mem *mem, const struct virtqueue *q,
			const struct vq_chain *c)
{
	uint64_t sum[2] = { 0 };
	unsigned int i;

	check(c->head < q->size && c->nr_read + c->nr_write <= q->size);
	for (i = 0; i < c->nr_read + c->nr_write; i++) {
		check(in_slot(&mem->slots->slot[0], &c->segment[i]) ||
		      in_slot(&mem->slots->slot[1], &c->segment[i]));
		sum[i >= c->nr_read] += c->segment[i].bytes;
	}
	check(sum[0] == c->read_bytes && sum[1] == c->write_bytes);
}

/* What the disk does with a request, with an image of zeroes. */
static void serve(const struct guest_mem *mem, struct virtqueue *q,
		  struct blk_request *r, bool readonly)
{
	check_chain(mem, q, &r->chain);
	if (blk_request_parse(r, IMAGE_BYTES, readonly)) {
		q->broken = true;
		return;
	}
	if (r->action == BLK_READ || r->action == BLK_WRITE)
		check(r->bytes && r->data && r->offset < IMAGE_BYTES &&
		      r->bytes <= IMAGE_BYTES - r->offset);
	if (r->action == BLK_WRITE)
		check(!readonly);
	if (r->action == BLK_READ)
		memset(r->data, 0, r->bytes);
	vq_push(q, mem, r->chain.head, blk_request_complete(r, mem));
	vq_wants_interrupt(q, mem);
}

static void run(const struct guest_mem *mem, struct virtqueue *q,
		bool readonly)
{
	static struct blk_request r;
	unsigned int n;

	for (n = 0; n < 2 * QUEUE_MAX; n++) {
		if (vq_pop(q, mem, &r.chain) != 1)
			return;
		serve(mem, q, &r, readonly);
	}
}

/* Set up by a driver's registers, or loaded: 0 if it is a queue at all. */
static int make_queue(const struct guest_mem *mem, struct virtqueue *q,
		      const uint8_t *state, bool load)
{
	struct virtqueue wish;
	struct reader in;
	int ret;

	vq_init(q, QUEUE_MAX);
	reader_init(&in, state, STATE_BYTES);
	if (load) {
		ret = vq_load(q, mem, &in);
		return ret;
	}
	wish = *q;
	wish.size = reader_u16(&in);
	wish.desc = reader_u64(&in);
	wish.avail = reader_u64(&in);
	wish.used = reader_u64(&in);
	*q = wish;
	vq_enable(q, mem);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct memslots slots = { 0 };
	const struct guest_mem mem = { .slots = &slots };
	struct virtqueue q;
	uint8_t *low, *high;
	size_t left;

	if (bytes < STATE_BYTES + 1)
		return 0;
	low = aligned_alloc(UMIG_PAGE_SIZE, RAM_BYTES);
	high = aligned_alloc(UMIG_PAGE_SIZE, RAM_BYTES);
	memset(low, 0, RAM_BYTES);
	memset(high, 0, RAM_BYTES);
	left = bytes - STATE_BYTES - 1;
	memcpy(low, data + STATE_BYTES + 1, left < RAM_BYTES ? left : RAM_BYTES);
	memslots_add(&slots, 0, RAM_PAGES, low);
	memslots_add(&slots, HIGH_GFN, RAM_PAGES, high);
	if (!make_queue(&mem, &q, data + 1, data[0] & 1))
		run(&mem, &q, data[0] & 2);
	free(low);
	free(high);
	return 0;
}
