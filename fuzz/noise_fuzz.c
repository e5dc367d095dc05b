// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake under hostile bytes, at both ends.  The first byte chooses
 * what arrives: anything at all, or an honest message with some of its bytes
 * changed and its length, which has to be refused then and only then.
 *
 *   mode 1 | payload length 1 | payload | cut 1 | { position 1, xor 1 }...
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/noise.h"

#define ROOM 512
#define PROLOGUE "fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
	MODE_RESPONDER = 1,	/* which end reads */
	MODE_RAW = 2,
	MODE_OTHER_PROLOGUE = 4,
	MODE_SMALL_ROOM = 8,
};

/* struct ends - Both, with keys that are the same each time. */
struct ends {
	struct noise i, r;
	struct keypair i_key;
};

static void begin(struct ends *e, uint8_t mode)
{
	static const uint8_t secret[4][KEY_SIZE] = {
		{ 1 }, { 2 }, { 3 }, { 4 },
	};
	static struct keypair key[4];
	unsigned int i;

	for (i = 0; i < 4 && !key[3].secret[0]; i++)
		keypair_from_secret(&key[i], secret[i]);
	e->i_key = key[0];
	noise_init_ephemeral(&e->i, true, &key[0], key[1].public, PROLOGUE,
			     mode & MODE_OTHER_PROLOGUE ? 1 : 4, &key[2]);
	noise_init_ephemeral(&e->r, false, &key[1], NULL, PROLOGUE, 4,
			     &key[3]);
}

/* A block of its own, so that ASan sees any overrun. */
static int read_copy(struct noise *n, const void *msg, size_t bytes,
		     uint8_t *payload, size_t room, size_t *payload_bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	uint8_t *to = malloc(room ? room : 1);
	int ret;

	memcpy(copy, msg, bytes);
	ret = noise_read(n, copy, bytes, to, room, payload_bytes);
	if (!ret)
		memcpy(payload, to, *payload_bytes);
	free(copy);
	free(to);
	return ret;
}

/* After a failure nothing goes on. */
static void check_over(struct noise *n)
{
	struct noise_session s;
	uint8_t b[ROOM];
	size_t got;

	assert(n->step == NOISE_OVER);
	assert(noise_split(n, &s) == -EPROTO);
	assert(noise_write(n, "", 0, b, sizeof(b), &got) == -EPROTO);
}

static void check_sessions(struct ends *e)
{
	struct noise_session i, r;

	assert(!noise_split(&e->i, &i) && !noise_split(&e->r, &r));
	assert(!memcmp(i.send, r.recv, KEY_SIZE));
	assert(!memcmp(i.recv, r.send, KEY_SIZE));
	assert(!memcmp(i.id, r.id, sizeof(i.id)));
}

/* The message that @reader waits for, with @payload in it. */
static size_t honest(struct ends *e, uint8_t mode, const void *payload,
		     size_t bytes, uint8_t msg[ROOM])
{
	uint8_t first[ROOM];
	size_t len;

	if (mode & MODE_RESPONDER) {
		assert(!noise_write(&e->i, payload, bytes, msg, ROOM, &len));
		return len;
	}
	assert(!noise_write(&e->i, "", 0, first, ROOM, &len));
	if (noise_read(&e->r, first, len, msg, ROOM, &len)) {
		assert(mode & MODE_OTHER_PROLOGUE);
		return 0;
	}
	assert(!noise_write(&e->r, payload, bytes, msg, ROOM, &len));
	return len;
}

static void feed_raw(struct ends *e, uint8_t mode, const uint8_t *data,
		     size_t bytes)
{
	struct noise *n = mode & MODE_RESPONDER ? &e->r : &e->i;
	static uint8_t payload[NOISE_MESSAGE_MAX];
	uint8_t msg[ROOM];
	size_t got;

	if (n == &e->i && noise_write(n, "", 0, msg, ROOM, &got))
		return;
	if (read_copy(n, data, bytes, payload,
		      mode & MODE_SMALL_ROOM ? 3 : sizeof(payload), &got))
		check_over(n);
}

/* Change what the script says; whether anything is other than it was. */
static bool change(uint8_t msg[ROOM], size_t *len, const uint8_t *script,
		   size_t bytes)
{
	uint8_t was[ROOM];
	size_t was_len = *len, i;

	memcpy(was, msg, ROOM);
	if (bytes)
		*len -= script[0] < *len ? script[0] : *len;
	for (i = 1; i + 1 < bytes && *len; i += 2)
		msg[script[i] % *len] ^= script[i + 1];
	return *len != was_len || memcmp(was, msg, was_len);
}

static void feed_changed(struct ends *e, uint8_t mode, const uint8_t *data,
			 size_t bytes)
{
	struct noise *n = mode & MODE_RESPONDER ? &e->r : &e->i;
	size_t room = mode & MODE_SMALL_ROOM ? 3 : ROOM, plain, len, got;
	uint8_t msg[ROOM] = { 0 }, payload[ROOM];
	bool changed;
	int ret;

	plain = data[0] < bytes ? data[0] : 0;
	len = honest(e, mode, data + 1, plain, msg);
	if (!len)
		return;
	changed = change(msg, &len, data + 1 + plain, bytes - 1 - plain);
	ret = read_copy(n, msg, len, payload, room, &got);
	if (ret) {
		assert(changed || mode & MODE_OTHER_PROLOGUE || plain > room);
		check_over(n);
		return;
	}
	assert(!changed && got == plain && !memcmp(payload, data + 1, plain));
	if (n == &e->i)
		check_sessions(e);
	else
		assert(!memcmp(n->peer_public, e->i_key.public, KEY_SIZE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct ends e;
	uint8_t mode;

	if (bytes < 2)
		return 0;
	mode = data[0];
	begin(&e, mode);
	if (mode & MODE_RAW)
		feed_raw(&e, mode, data + 1, bytes - 1);
	else
		feed_changed(&e, mode, data + 1, bytes - 1);
	noise_wipe(&e.i);
	noise_wipe(&e.r);
	return 0;
}
