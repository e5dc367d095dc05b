// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake, either end of it, against a peer that says anything: raw
 * bytes, and an honest peer's words with some of them changed.
 *
 *   byte 0: 1: we accept, else connect;  2: honest words, changed;  4: plain
 *   then, honest: pairs of (where, what to xor);  else: the words
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transport/handshake.h"
#include "transport/sealed.h"

static struct keypair ours, theirs;
static struct peer us, them;

static int admit(void *arg, const uint8_t *key, struct peer *peer,
		 struct err *err)
{
	(void)arg;
	if (memcmp(key, them.key, KEY_SIZE))
		return err_set(err, -EACCES, "unknown");
	*peer = them;
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t secret[KEY_SIZE];

	(void)argc;
	(void)argv;
	if (sodium_init() < 0)
		abort();
	memset(secret, 1, sizeof(secret));
	keypair_from_secret(&ours, secret);
	memset(secret, 2, sizeof(secret));
	keypair_from_secret(&theirs, secret);
	memcpy(us.key, ours.public, KEY_SIZE);
	memcpy(them.key, theirs.public, KEY_SIZE);
	return 0;
}

/* Give @h some words; how many it took. */
static size_t give(struct handshake *h, const uint8_t *words, size_t bytes)
{
	size_t want, at = 0;
	uint8_t *room;
	int rc = 0;

	while (!rc && at < bytes) {
		room = handshake_room(h, &want);
		if (!want)
			abort();	/* it would wait for ever */
		if (want > bytes - at)
			want = bytes - at;
		memcpy(room, words + at, want);
		at += want;
		rc = handshake_took(h, want);
		if (h->out_bytes > sizeof(h->out))
			abort();
		if (rc < 0 && (h->step != HANDSHAKE_FAILED || !h->err.code))
			abort();
		if (rc == 1 && h->step != HANDSHAKE_DONE)
			abort();
	}
	return at;
}

/* @from's words to @to, changed; whether anything was. */
static bool pass(struct handshake *from, struct handshake *to,
		 const uint8_t *changes, size_t nr, size_t *said)
{
	uint8_t words[HANDSHAKE_OUT_MAX];
	size_t i, n = from->out_bytes;
	bool changed = false;

	memcpy(words, from->out, n);
	from->out_bytes = 0;
	for (i = 0; i + 1 < nr; i += 2)
		if (changes[i] >= *said && changes[i] - *said < n &&
		    changes[i + 1]) {
			words[changes[i] - *said] ^= changes[i + 1];
			changed = true;
		}
	*said += n;
	if (n)
		give(to, words, n);
	return changed;
}

static void honest(bool we_accept, bool plain, const uint8_t *changes,
		   size_t nr)
{
	static struct handshake a, b;
	bool changed = false;
	size_t said = 0;
	int i;

	if (handshake_connect(&a, plain ? NULL : &theirs, plain ? NULL : &us))
		abort();
	handshake_accept(&b, plain ? NULL : &ours, admit, NULL);
	for (i = 0; i < 3; i++) {
		changed |= pass(&a, &b, we_accept ? changes : NULL,
				we_accept ? nr : 0, &said);
		changed |= pass(&b, &a, we_accept ? NULL : changes,
				we_accept ? 0 : nr, &said);
	}
	if (!changed && (a.step != HANDSHAKE_DONE || b.step != HANDSHAKE_DONE))
		abort();	/* honest ends get through */
	handshake_wipe(&a);
	handshake_wipe(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct handshake h;
	bool plain;

	if (!bytes)
		return 0;
	plain = data[0] & 4;
	if (data[0] & 2) {
		honest(data[0] & 1, plain, data + 1, bytes - 1);
		return 0;
	}
	if (data[0] & 1)
		handshake_accept(&h, plain ? NULL : &ours, admit, NULL);
	else if (handshake_connect(&h, plain ? NULL : &ours,
				   plain ? NULL : &them))
		abort();
	h.out_bytes = 0;
	give(&h, data + 1, bytes - 1);
	if (!plain && h.step == HANDSHAKE_DONE)
		abort();	/* nobody has the key for that */
	handshake_wipe(&h);
	return 0;
}
