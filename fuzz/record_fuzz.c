// SPDX-License-Identifier: GPL-2.0
/*
 * Records on a hostile link: the input is a script of what is sealed and of
 * what becomes of it on its way.  What arrives unchanged in its turn has to
 * open; the first that doesn't has to end the direction.
 *
 *   setup 1 | rekey after 1 | { action 1, argument 1 }...
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/record.h"

#define RECORDS 64
/* Of setup, beside the bits of ciphers: whose AES is the faster library's. */
#define FAST_TX 8
#define FAST_RX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* struct rec - A record on its way.  @number: its place, -1: forged. */
struct rec {
	uint8_t *data;
	size_t bytes;
	uint8_t tag[RECORD_TAG_SIZE];
	int number;
};

/* struct link - Both ends; @rec[@head] arrives next. */
struct link {
	struct record_key tx, rx;
	struct rec rec[RECORDS];
	unsigned int head, nr;
	int sealed, expected;
	bool broken;
};

enum {
	ACT_SEAL = 0,		/* argument: bytes */
	ACT_DELIVER = 1,
	ACT_FLIP = 2,		/* argument: which bit */
	ACT_CUT = 3,		/* argument: by how many bytes */
	ACT_DROP = 4,
	ACT_SWAP = 5,
	ACT_REPEAT = 6,
	ACT_FORGE = 7,		/* argument: bytes */
	ACTS = 8,
};

static uint8_t content(int number, size_t at)
{
	return number * 7 + at;
}

/* Room for one more at the end; NULL: the link is full. */
static struct rec *append(struct link *l, size_t bytes, int number)
{
	struct rec *r = &l->rec[l->nr];

	if (l->nr == RECORDS)
		return NULL;
	l->nr++;
	r->data = malloc(bytes ? bytes : 1);
	r->bytes = bytes;
	r->number = number;
	memset(r->tag, 0, sizeof(r->tag));
	return r;
}

static void seal(struct link *l, size_t bytes)
{
	struct rec *r = append(l, bytes, l->sealed);
	size_t i;

	if (!r)
		return;
	for (i = 0; i < bytes; i++)
		r->data[i] = content(r->number, i);
	assert(!record_seal(&l->tx, "h", 1, r->data, bytes, r->tag));
	l->sealed++;
}

static void check_content(const struct rec *r)
{
	size_t i;

	for (i = 0; i < r->bytes; i++)
		assert(r->data[i] == content(r->number, i));
}

static void deliver(struct link *l)
{
	struct rec *r = &l->rec[l->head];
	int ret;

	if (l->head == l->nr)
		return;
	l->head++;
	ret = record_open(&l->rx, "h", 1, r->data, r->bytes, r->tag);
	if (l->broken) {
		assert(ret == -EPIPE);
	} else if (r->number != l->expected) {
		assert(ret == -EBADMSG);
		l->broken = true;
	} else {
		assert(!ret);
		check_content(r);
		l->expected++;
		assert(l->rx.counter == (uint64_t)l->expected);
	}
}

static void flip(struct rec *r, uint8_t bit)
{
	size_t all = 8 * (r->bytes + sizeof(r->tag)), at = bit * 5 % all;

	if (at < 8 * r->bytes)
		r->data[at / 8] ^= 1 << at % 8;
	else
		r->tag[at / 8 - r->bytes] ^= 1 << at % 8;
	/* flipping the same twice is no change: forget which it was */
	r->number = -1;
}

static void cut(struct rec *r, uint8_t by)
{
	if (!by || by > r->bytes)
		return;
	r->bytes -= by;
	r->number = -1;
}

static void swap(struct rec *a, struct rec *b)
{
	struct rec t = *a;

	*a = *b;
	*b = t;
}

static void repeat(struct link *l, const struct rec *r)
{
	struct rec *copy = append(l, r->bytes, r->number);

	if (!copy)
		return;
	memcpy(copy->data, r->data, r->bytes);
	memcpy(copy->tag, r->tag, sizeof(r->tag));
}

static void forge(struct link *l, uint8_t bytes)
{
	struct rec *r = append(l, bytes, -1);

	if (r)
		memset(r->data, bytes, bytes);
}

/* What is done to records that are on their way already. */
static void meddle(struct link *l, uint8_t act, uint8_t arg)
{
	struct rec *r = &l->rec[l->head];
	unsigned int on_way = l->nr - l->head;

	if (!on_way)
		return;
	switch (act) {
	case ACT_FLIP:
		if (r->number >= 0)
			flip(r, arg);
		break;
	case ACT_CUT:
		cut(r, arg);
		break;
	case ACT_DROP:
		l->head++;
		break;
	case ACT_SWAP:
		swap(r, &r[arg % on_way]);
		break;
	case ACT_REPEAT:
		repeat(l, r);
		break;
	}
}

static void act(struct link *l, uint8_t what, uint8_t arg)
{
	switch (what % ACTS) {
	case ACT_SEAL:
		seal(l, arg);
		break;
	case ACT_DELIVER:
		deliver(l);
		break;
	case ACT_FORGE:
		forge(l, arg);
		break;
	default:
		meddle(l, what % ACTS, arg);
	}
}

static int setup(struct link *l, uint8_t how, uint8_t rekey)
{
	static const uint8_t secret[RECORD_SECRET_SIZE] = { 42 };
	int cipher = record_cipher_choose(record_ciphers(), how);

	if (cipher < 0 || record_init(&l->tx, cipher, secret, "fuzz", how) ||
	    record_init(&l->rx, cipher, secret, "fuzz", how))
		return -1;
	record_set_rekey(&l->tx, rekey % 16 + 1, rekey * 8);
	record_set_rekey(&l->rx, rekey % 16 + 1, rekey * 8);
	if (how & FAST_TX)
		record_speed_up(&l->tx);
	if (how & FAST_RX)
		record_speed_up(&l->rx);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct link l = { 0 };
	unsigned int i;

	if (bytes < 2 || setup(&l, data[0], data[1]))
		return 0;
	for (i = 2; i + 1 < bytes; i += 2)
		act(&l, data[i], data[i + 1]);
	while (l.head < l.nr)
		deliver(&l);
	for (i = 0; i < l.nr; i++)
		free(l.rec[i].data);
	record_wipe(&l.tx);
	record_wipe(&l.rx);
	return 0;
}
