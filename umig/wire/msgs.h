/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The small messages: encoded to, and decoded from, a frame's payload.  Pure
 * functions; every decoder takes hostile bytes and returns 0 or -EBADMSG, with
 * arrays left in place.
 */
#ifndef UMIG_WIRE_MSGS_H
#define UMIG_WIRE_MSGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

#define MSG_NONCE_BYTES 16

/** struct offer_msg - OFFER: @count digests in place. */
struct offer_msg {
	uint32_t first;
	uint32_t count;
	const uint8_t *array;
};

/** struct answer_msg - ANSWER: a nonce, and a bitmap of @count bits. */
struct answer_msg {
	uint32_t first;
	uint32_t count;
	const uint8_t *nonce;
	const uint8_t *bitmap;
};

/** struct refused_msg - REFUSED: @count little-endian gfns in place. */
struct refused_msg {
	uint32_t round;
	uint32_t count;
	const uint8_t *gfns;
};

/** struct state_msg - A piece of the machine state. */
struct state_msg {
	uint32_t total;
	uint32_t offset;
	const uint8_t *bytes;
	uint32_t nr;
};

/* Encoders write to a payload's room and return its length. */
size_t msg_offer_encode(void *to, uint32_t first, uint32_t count,
			const void *digests);
size_t msg_answer_encode(void *to, uint32_t first, uint32_t count,
			 const uint8_t nonce[MSG_NONCE_BYTES],
			 const void *bitmap);
size_t msg_refused_encode(void *to, uint32_t round, const uint64_t *gfns,
			  uint32_t count);
size_t msg_round_encode(void *to, uint32_t round);
size_t msg_channels_encode(void *to, uint32_t number,
			   const uint8_t token[WIRE_TOKEN_BYTES]);
size_t msg_state_encode(void *to, uint32_t total, uint32_t offset,
			const void *bytes, uint32_t nr);
size_t msg_digests_encode(void *to, const void *digests, uint32_t count);

size_t msg_started_encode(void *to, uint64_t start_ns);

int msg_offer_decode(struct offer_msg *m, const void *data, size_t bytes);
int msg_answer_decode(struct answer_msg *m, const void *data, size_t bytes);
int msg_refused_decode(struct refused_msg *m, const void *data, size_t bytes);
uint64_t msg_refused_gfn(const struct refused_msg *m, uint32_t i);
int msg_round_decode(uint32_t *round, const void *data, size_t bytes);
/** msg_started_decode() - How long the start took; it may be left out: 0. */
int msg_started_decode(uint64_t *start_ns, const void *data, size_t bytes);
/** msg_channels_decode() - A CHANNELS or JOIN: @number is 1 to the most. */
int msg_channels_decode(uint32_t *number, uint8_t token[WIRE_TOKEN_BYTES],
			const void *data, size_t bytes);
int msg_state_decode(struct state_msg *m, const void *data, size_t bytes);
int msg_digests_decode(const uint8_t **digests, uint32_t *count,
		       const void *data, size_t bytes);

/**
 * msg_text_decode() - The text of an ERROR or NOT_STARTED, made printable.
 * @to: WIRE_TEXT_MAX + 1 bytes.
 */
void msg_text_decode(char *to, const void *data, size_t bytes);

#endif
