// SPDX-License-Identifier: GPL-2.0
/*
 * The small messages: see msgs.h.
 */
#include "wire/msgs.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "wire/frame.h"

#define DIGEST_BYTES 32

_Static_assert(sizeof(((struct wire_answer *)0)->nonce) == MSG_NONCE_BYTES,
	       "wire");

/* Every other small message is two u32 and then an array. */
static size_t encode(void *to, uint32_t a, uint32_t b, const void *array,
		     size_t bytes)
{
	uint32_t head[2] = { htole32(a), htole32(b) };

	memcpy(to, head, sizeof(head));
	if (bytes)
		memcpy((uint8_t *)to + sizeof(head), array, bytes);
	return sizeof(head) + bytes;
}

size_t msg_offer_encode(void *to, uint32_t first, uint32_t count,
			const void *digests)
{
	return encode(to, first, count, digests, count * DIGEST_BYTES);
}

size_t msg_answer_encode(void *to, uint32_t first, uint32_t count,
			 const uint8_t nonce[MSG_NONCE_BYTES],
			 const void *bitmap)
{
	struct wire_answer head = {
		.first = htole32(first),
		.count = htole32(count),
	};

	memcpy(head.nonce, nonce, sizeof(head.nonce));
	memcpy(to, &head, sizeof(head));
	memcpy((uint8_t *)to + sizeof(head), bitmap, (count + 7) / 8);
	return sizeof(head) + (count + 7) / 8;
}

size_t msg_refused_encode(void *to, uint32_t round, const uint64_t *gfns,
			  uint32_t count)
{
	uint8_t *at = (uint8_t *)to + encode(to, round, count, NULL, 0);
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint64_t gfn = htole64(gfns[i]);

		memcpy(at + i * sizeof(gfn), &gfn, sizeof(gfn));
	}
	return sizeof(struct wire_refused) + count * sizeof(uint64_t);
}

size_t msg_round_encode(void *to, uint32_t round)
{
	return encode(to, round, 0, NULL, 0);
}

size_t msg_channels_encode(void *to, uint32_t number,
			   const uint8_t token[WIRE_TOKEN_BYTES])
{
	struct wire_channels msg = { .number = htole32(number) };

	memcpy(msg.token, token, sizeof(msg.token));
	memcpy(to, &msg, sizeof(msg));
	return sizeof(msg);
}

int msg_channels_decode(uint32_t *number, uint8_t token[WIRE_TOKEN_BYTES],
			const void *data, size_t bytes)
{
	struct wire_channels msg;

	if (bytes != sizeof(msg))
		return -EBADMSG;
	memcpy(&msg, data, sizeof(msg));
	*number = le32toh(msg.number);
	memcpy(token, msg.token, sizeof(msg.token));
	return msg.reserved || !*number || *number > WIRE_CHANNELS_MAX ?
		       -EBADMSG : 0;
}

size_t msg_state_encode(void *to, uint32_t total, uint32_t offset,
			const void *bytes, uint32_t nr)
{
	return encode(to, total, offset, bytes, nr);
}

size_t msg_digests_encode(void *to, const void *digests, uint32_t count)
{
	return encode(to, count, 0, digests, (size_t)count * DIGEST_BYTES);
}

static int decode_counted(uint32_t *first, uint32_t *count,
			  const uint8_t **array, const void *data,
			  size_t bytes, size_t item_bits)
{
	struct reader r;

	reader_init(&r, data, bytes);
	*first = reader_u32(&r);
	*count = reader_u32(&r);
	if (r.error || !*count || *count > WIRE_BATCH_PAGES)
		return -EBADMSG;
	*array = reader_take(&r, (*count * item_bits + 7) / 8);
	return reader_end(&r);
}

size_t msg_started_encode(void *to, uint64_t start_ns)
{
	uint64_t wire = htole64(start_ns);

	memcpy(to, &wire, sizeof(wire));
	return sizeof(wire);
}

int msg_offer_decode(struct offer_msg *m, const void *data, size_t bytes)
{
	return decode_counted(&m->first, &m->count, &m->array, data, bytes,
			      DIGEST_BYTES * 8);
}

int msg_answer_decode(struct answer_msg *m, const void *data, size_t bytes)
{
	struct reader r;

	reader_init(&r, data, bytes);
	m->first = reader_u32(&r);
	m->count = reader_u32(&r);
	m->nonce = reader_take(&r, MSG_NONCE_BYTES);
	if (r.error || !m->count || m->count > WIRE_BATCH_PAGES)
		return -EBADMSG;
	m->bitmap = reader_take(&r, (m->count + 7) / 8);
	return reader_end(&r);
}

int msg_refused_decode(struct refused_msg *m, const void *data, size_t bytes)
{
	return decode_counted(&m->round, &m->count, &m->gfns, data, bytes, 64);
}

uint64_t msg_refused_gfn(const struct refused_msg *m, uint32_t i)
{
	uint64_t gfn;

	memcpy(&gfn, m->gfns + i * sizeof(gfn), sizeof(gfn));
	return le64toh(gfn);
}

int msg_round_decode(uint32_t *round, const void *data, size_t bytes)
{
	struct reader r;

	reader_init(&r, data, bytes);
	*round = reader_u32(&r);
	if (reader_u32(&r) || !*round)
		return -EBADMSG;
	return reader_end(&r);
}

int msg_started_decode(uint64_t *start_ns, const void *data, size_t bytes)
{
	struct reader r;

	*start_ns = 0;
	if (!bytes)
		return 0;
	reader_init(&r, data, bytes);
	*start_ns = reader_u64(&r);
	return reader_end(&r);
}

int msg_state_decode(struct state_msg *m, const void *data, size_t bytes)
{
	struct reader r;

	reader_init(&r, data, bytes);
	m->total = reader_u32(&r);
	m->offset = reader_u32(&r);
	m->nr = reader_left(&r);
	m->bytes = reader_take(&r, m->nr);
	if (r.error || !m->nr || m->total > WIRE_STATE_MAX ||
	    m->offset > m->total || m->nr > m->total - m->offset)
		return -EBADMSG;
	return 0;
}

int msg_digests_decode(const uint8_t **digests, uint32_t *count,
		       const void *data, size_t bytes)
{
	struct reader r;

	reader_init(&r, data, bytes);
	*count = reader_u32(&r);
	if (reader_u32(&r) || r.error || *count > bytes / DIGEST_BYTES)
		return -EBADMSG;
	*digests = reader_take(&r, (size_t)*count * DIGEST_BYTES);
	return reader_end(&r);
}

void msg_text_decode(char *to, const void *data, size_t bytes)
{
	const unsigned char *from = data;
	size_t i, n = bytes < WIRE_TEXT_MAX ? bytes : WIRE_TEXT_MAX;

	for (i = 0; i < n; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[n] = '\0';
}
