// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues: see virtqueue.h.
 */
#include "vmm/virtio/virtqueue.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#define AVAIL_BYTES(size) (4 + 2 * (uint64_t)(size))
#define USED_BYTES(size) (4 + 8 * (uint64_t)(size))
#define DESC_BYTES(size) (16 * (uint64_t)(size))

/* A descriptor as it was at one moment. */
struct desc {
	uint64_t gpa;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

void vq_init(struct virtqueue *q, uint16_t max)
{
	*q = (struct virtqueue){ .max = max, .size = max };
}

static bool size_ok(const struct virtqueue *q)
{
	return q->size && q->size <= q->max && !(q->size & (q->size - 1));
}

static bool parts_ok(const struct virtqueue *q, const struct guest_mem *mem)
{
	return !(q->desc % 16) && !(q->avail % 2) && !(q->used % 4) &&
	       guest_ptr(mem, q->desc, DESC_BYTES(q->size)) &&
	       guest_ptr(mem, q->avail, AVAIL_BYTES(q->size)) &&
	       guest_ptr(mem, q->used, USED_BYTES(q->size));
}

void vq_enable(struct virtqueue *q, const struct guest_mem *mem)
{
	q->ready = true;
	q->broken = !size_ok(q) || !parts_ok(q, mem);
	q->last_avail = 0;
	q->used_idx = 0;
}

static int broken(struct virtqueue *q)
{
	q->broken = true;
	return -EBADMSG;
}

static uint16_t read_u16(const struct guest_mem *mem, uint64_t gpa)
{
	const uint16_t *at = guest_ptr(mem, gpa, sizeof(*at));

	return le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE));
}

/* What the guest changes meanwhile doesn't matter: the copy is checked. */
static void read_desc(const uint8_t *table, uint32_t i, struct desc *out)
{
	struct vring_desc d;

	memcpy(&d, table + (uint64_t)i * sizeof(d), sizeof(d));
	__asm__ volatile("" ::: "memory");
	*out = (struct desc){
		.gpa = le64toh(d.addr),
		.bytes = le32toh(d.len),
		.flags = le16toh(d.flags),
		.next = le16toh(d.next),
	};
}

/* Readable segments come first; a chain is no longer than the queue. */
static int add_segment(const struct virtqueue *q, const struct guest_mem *mem,
		       const struct desc *d, struct vq_chain *out)
{
	unsigned int nr = out->nr_read + out->nr_write;
	bool write = d->flags & VRING_DESC_F_WRITE;

	if (nr == q->size || (!write && out->nr_write))
		return -EBADMSG;
	out->segment[nr] = (struct vq_segment){
		.at = guest_ptr(mem, d->gpa, d->bytes),
		.gpa = d->gpa,
		.bytes = d->bytes,
	};
	if (!out->segment[nr].at)
		return -EBADMSG;
	if (write) {
		out->nr_write++;
		out->write_bytes += d->bytes;
	} else {
		out->nr_read++;
		out->read_bytes += d->bytes;
	}
	return 0;
}

/*
 * Follow a chain through a table of @entries descriptors.  add_segment() ends
 * a loop.  An indirect table is the last of a chain and holds no other.
 */
static int walk(const struct virtqueue *q, const struct guest_mem *mem,
		const uint8_t *table, uint32_t entries, uint32_t i,
		bool indirect, struct vq_chain *out)
{
	struct desc d;
	int ret;

	for (;;) {
		if (i >= entries)
			return -EBADMSG;
		read_desc(table, i, &d);
		if (d.flags & VRING_DESC_F_INDIRECT)
			break;
		ret = add_segment(q, mem, &d, out);
		if (ret)
			return ret;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	table = guest_ptr(mem, d.gpa, d.bytes);
	if (indirect || d.flags & VRING_DESC_F_NEXT || !table || !d.bytes ||
	    d.bytes % sizeof(struct vring_desc))
		return -EBADMSG;
	return walk(q, mem, table, d.bytes / sizeof(struct vring_desc), 0,
		    true, out);
}

int vq_pop(struct virtqueue *q, const struct guest_mem *mem,
	   struct vq_chain *out)
{
	uint16_t waiting, head;

	if (!q->ready)
		return 0;
	if (q->broken)
		return -EBADMSG;
	waiting = read_u16(mem, q->avail + 2) - q->last_avail;
	if (!waiting)
		return 0;
	if (waiting > q->size)
		return broken(q);
	head = read_u16(mem, q->avail + 4 + 2 * (q->last_avail % q->size));
	out->head = head;
	out->nr_read = 0;
	out->nr_write = 0;
	out->read_bytes = 0;
	out->write_bytes = 0;
	if (walk(q, mem, guest_ptr(mem, q->desc, DESC_BYTES(q->size)), q->size,
		 head, false, out))
		return broken(q);
	q->last_avail++;
	return 1;
}

void vq_push(struct virtqueue *q, const struct guest_mem *mem, uint16_t head,
	     uint32_t bytes)
{
	struct vring_used_elem elem = {
		.id = htole32(head),
		.len = htole32(bytes),
	};
	uint64_t slot = q->used + 4 + 8 * (q->used_idx % q->size);
	uint16_t *idx = guest_ptr(mem, q->used + 2, sizeof(*idx));

	guest_write(mem, slot, &elem, sizeof(elem));
	q->used_idx++;
	__atomic_store_n(idx, htole16(q->used_idx), __ATOMIC_RELEASE);
	guest_dirtied(mem, q->used + 2, sizeof(*idx));
	/* The driver's wish not to be told is read after this is visible. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool vq_wants_interrupt(const struct virtqueue *q, const struct guest_mem *mem)
{
	return !(read_u16(mem, q->avail) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Walk @bytes at @offset of @nr segments, copying one way or the other. */
static bool copy(const struct vq_segment *s, unsigned int nr,
		 const struct guest_mem *mem, uint64_t offset, uint8_t *data,
		 uint64_t bytes, bool into_guest)
{
	uint64_t part;

	for (; nr && bytes; nr--, s++) {
		if (offset >= s->bytes) {
			offset -= s->bytes;
			continue;
		}
		part = s->bytes - offset;
		if (part > bytes)
			part = bytes;
		if (into_guest) {
			memcpy(s->at + offset, data, part);
			guest_dirtied(mem, s->gpa + offset, part);
		} else {
			memcpy(data, s->at + offset, part);
		}
		data += part;
		bytes -= part;
		offset = 0;
	}
	return !bytes;
}

bool vq_copy_from(const struct vq_chain *c, uint64_t offset, void *to,
		  uint64_t bytes)
{
	return copy(c->segment, c->nr_read, NULL, offset, to, bytes, false);
}

bool vq_copy_to(const struct vq_chain *c, const struct guest_mem *mem,
		uint64_t offset, const void *from, uint64_t bytes)
{
	return copy(c->segment + c->nr_read, c->nr_write, mem, offset,
		    (uint8_t *)from, bytes, true);
}

void vq_save(const struct virtqueue *q, struct buf *out)
{
	buf_put_u16(out, q->size);
	buf_put_u8(out, q->ready);
	buf_put_u8(out, q->broken);
	buf_put_u64(out, q->desc);
	buf_put_u64(out, q->avail);
	buf_put_u64(out, q->used);
	buf_put_u16(out, q->last_avail);
	buf_put_u16(out, q->used_idx);
}

/* What a driver may write into the registers may come from a peer, too. */
int vq_load(struct virtqueue *q, const struct guest_mem *mem,
	    struct reader *in)
{
	uint8_t ready, is_broken;

	q->size = reader_u16(in);
	ready = reader_u8(in);
	is_broken = reader_u8(in);
	q->desc = reader_u64(in);
	q->avail = reader_u64(in);
	q->used = reader_u64(in);
	q->last_avail = reader_u16(in);
	q->used_idx = reader_u16(in);
	if (in->error)
		return in->error;
	if (ready > 1 || is_broken > 1)
		return -EBADMSG;
	q->ready = ready;
	q->broken = is_broken;
	if (q->ready && !q->broken && (!size_ok(q) || !parts_ok(q, mem)))
		return -EBADMSG;
	return 0;
}
