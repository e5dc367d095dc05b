/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handshake, either end of it, as a pure machine over bytes: it is fed
 * what came, says how much it wants next and what to send, and ends with a
 * session or with the reason why there is none.  It does no I/O and allocates
 * nothing, so that a thousand of them that never end cost what they measure.
 *
 * DOC: The exchange
 *
 *   source (connects)                          destination (accepts)
 *     preface, Noise message 1  ------------>    whose key is it?  may it come
 *                                                from there?
 *     is it the host I meant?   <------------    preface, Noise message 2
 *     record 0: KEEPALIVE       ------------>    now the source is known to be
 *                                                there: message 1 alone could
 *                                                be a replay
 *
 * Noise_IK_25519_ChaChaPoly_BLAKE2b (Noise protocol framework, revision 34,
 * section 7.5).  Plain (--insecure) it is the two prefaces alone, and both ends
 * must have been told so.
 */
#ifndef UMIG_TRANSPORT_HANDSHAKE_H
#define UMIG_TRANSPORT_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "crypto/noise.h"
#include "lib/err.h"
#include "transport/session.h"
#include "wire/preface.h"

/* the longest: the text of a refusal */
#define HANDSHAKE_IN_MAX WIRE_REFUSAL_MAX
/* a preface and a message, or a refusal */
#define HANDSHAKE_OUT_MAX (WIRE_PREFACE_BYTES + WIRE_REFUSAL_MAX)

/**
 * typedef handshake_admit_fn - Who owns this key, and may it come in?
 * @key: the connecting end's public key; that it has it is not proven yet.
 * @peer: set to its entry.
 *
 * Return: 0, or -EACCES and why in @err, for our log alone.
 */
typedef int handshake_admit_fn(void *arg, const uint8_t *key,
			       struct peer *peer, struct err *err);

/**
 * enum handshake_step - What is waited for.
 * @HANDSHAKE_PREFACE: the other end's preface.
 * @HANDSHAKE_MESSAGE: its Noise message.
 * @HANDSHAKE_REFUSAL: connecting end: the text of a refusal.
 * @HANDSHAKE_CONFIRM: accepting end: record 0.
 * @HANDSHAKE_DONE: the session is set.
 * @HANDSHAKE_FAILED: there is none, see @err.
 */
enum handshake_step {
	HANDSHAKE_PREFACE = 1,
	HANDSHAKE_MESSAGE = 2,
	HANDSHAKE_REFUSAL = 3,
	HANDSHAKE_CONFIRM = 4,
	HANDSHAKE_DONE = 5,
	HANDSHAKE_FAILED = 6,
};

/**
 * struct handshake - One of them.
 * @initiator: this is the connecting end.
 * @own: our keys; NULL: plain.
 * @admit: accepting end: who may come in; with @admit_arg.
 * @in: @in_bytes of @need bytes.
 * @out: @out_bytes to send now; the caller sets @out_bytes to 0 when sent.
 * @offer: the connecting end's preface, the prologue.
 * @answer: connecting end: the other end's preface.
 * @session: the result.
 * @err: why it failed.
 */
struct handshake {
	bool initiator;
	enum handshake_step step;
	const struct keypair *own;
	handshake_admit_fn *admit;
	void *admit_arg;
	struct noise noise;
	size_t in_bytes;
	size_t need;
	size_t out_bytes;
	uint8_t in[HANDSHAKE_IN_MAX];
	uint8_t out[HANDSHAKE_OUT_MAX];
	uint8_t offer[WIRE_PREFACE_BYTES];
	struct preface answer;
	struct session session;
	struct err err;
};

/**
 * handshake_connect() - Begin as the end that connects; @h->out is to be sent.
 * @own: our keys, or NULL: plain.
 * @peer: whom to expect; NULL if plain.
 */
int handshake_connect(struct handshake *h, const struct keypair *own,
		      const struct peer *peer);

/**
 * handshake_accept() - Begin as the end that accepts.
 * @own: our keys, or NULL: plain connections and no others.
 */
void handshake_accept(struct handshake *h, const struct keypair *own,
		      handshake_admit_fn *admit, void *admit_arg);

/** handshake_room() - Where the next bytes go, and how many it wants. */
uint8_t *handshake_room(struct handshake *h, size_t *bytes);

/**
 * handshake_took() - @bytes have been put into handshake_room().
 *
 * Send @h->out, if there is anything, whatever it returns: a refusal goes out
 * that way.
 *
 * Return: 1: done; 0: it wants more; -errno with @h->err: -EPROTO: not umig;
 * -EPROTONOSUPPORT: no version in common; -EBADMSG: a message that our or its
 * key does not open; -EACCES: not admitted, or plain where sealed is wanted or
 * the reverse; -ECONNREFUSED: the other end refuses.
 */
int handshake_took(struct handshake *h, size_t bytes);

/** handshake_wipe() - Forget everything secret, the session included. */
void handshake_wipe(struct handshake *h);

#endif
