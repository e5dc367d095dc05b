/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handshake: Noise_IK_25519_ChaChaPoly_BLAKE2b of the Noise Protocol
 * Framework, revision 34, as a function from bytes to bytes.  No I/O, no
 * allocation; who may speak to whom is the caller's to decide.
 *
 *   initiator (knows the responder's static key)         responder
 *
 *     e, es, s, ss, payload   --- message 1 --->
 *                             <--- message 2 ---   e, ee, se, payload
 *     noise_split()                                      noise_split()
 *
 *   message 1:  ephemeral key 32 | static key, sealed 48 | payload, sealed +16
 *   message 2:  ephemeral key 32 | payload, sealed +16
 *
 * What message 1 says can be a replay; nobody but the owner of the initiator's
 * static key can speak after message 2.  The responder therefore acts on
 * message 1 only once a first record has come from the initiator.
 */
#ifndef UMIG_CRYPTO_NOISE_H
#define UMIG_CRYPTO_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"

#define NOISE_NAME "Noise_IK_25519_ChaChaPoly_BLAKE2b"
#define NOISE_HASH_SIZE 64
#define NOISE_TAG_SIZE 16
/* What a message is longer than its payload. */
#define NOISE_MSG1_OVERHEAD (KEY_SIZE + KEY_SIZE + 2 * NOISE_TAG_SIZE)
#define NOISE_MSG2_OVERHEAD (KEY_SIZE + NOISE_TAG_SIZE)
#define NOISE_MESSAGE_MAX 65535
#define NOISE_PAYLOAD_MAX (NOISE_MESSAGE_MAX - NOISE_MSG1_OVERHEAD)

/**
 * enum noise_step - What a handshake waits for.
 * @NOISE_WRITE1: initiator: noise_write().
 * @NOISE_READ1: responder: noise_read().
 * @NOISE_WRITE2: responder: noise_write(); @peer_public is known by now.
 * @NOISE_READ2: initiator: noise_read().
 * @NOISE_SPLIT: either: noise_split().
 * @NOISE_OVER: nothing: it is split, failed, or wiped.
 */
enum noise_step {
	NOISE_WRITE1 = 1,
	NOISE_READ1 = 2,
	NOISE_WRITE2 = 3,
	NOISE_READ2 = 4,
	NOISE_SPLIT = 5,
	NOISE_OVER = 6,
};

/**
 * struct noise - A handshake at one end.  Wipe with noise_wipe().
 * @step: what comes next.
 * @initiator: which end.
 * @peer_public: the other end's static key; at the responder once message 1
 *	has been read.
 * The rest is noise.c's: @own, @ephemeral: key pairs; @peer_ephemeral;
 * @h, @ck, @k: the hash, the chaining key, the key of the next sealed field.
 */
struct noise {
	enum noise_step step;
	bool initiator;
	uint8_t peer_public[KEY_SIZE];
	struct keypair own;
	struct keypair ephemeral;
	uint8_t peer_ephemeral[KEY_SIZE];
	uint8_t h[NOISE_HASH_SIZE];
	uint8_t ck[NOISE_HASH_SIZE];
	uint8_t k[KEY_SIZE];
};

/**
 * struct noise_session - What a handshake comes to: the same at both ends, but
 * for whose keys are which.  Wipe with noise_session_wipe().
 * @send: the secret of what this end sends,
 * @recv: and of what it receives.
 * @id: the handshake's hash: no two sessions share it.
 */
struct noise_session {
	uint8_t send[KEY_SIZE];
	uint8_t recv[KEY_SIZE];
	uint8_t id[NOISE_HASH_SIZE];
};

/**
 * noise_init() - Begin.
 * @own: this host's key pair, copied.
 * @peer_public: initiator: whom to reach; responder: NULL.
 * @prologue: what both ends must agree on for the handshake to succeed.
 *
 * Return: 0, or -EIO: libsodium doesn't work here.
 */
int noise_init(struct noise *n, bool initiator, const struct keypair *own,
	       const uint8_t *peer_public, const void *prologue, size_t bytes);

/**
 * noise_init_ephemeral() - The same with an ephemeral key of the caller's,
 * which only test vectors have a use for.
 */
int noise_init_ephemeral(struct noise *n, bool initiator,
			 const struct keypair *own, const uint8_t *peer_public,
			 const void *prologue, size_t bytes,
			 const struct keypair *ephemeral);

/**
 * noise_write() - Make this end's message.
 * @out: room for @bytes and NOISE_MSG1_OVERHEAD or NOISE_MSG2_OVERHEAD; may
 *	not overlap @payload.
 *
 * Return: 0; -EMSGSIZE: payload too long, or more than @room; -EBADMSG: the
 * peer's key is of no use, the handshake is over; -EPROTO: not this end's turn.
 */
int noise_write(struct noise *n, const void *payload, size_t bytes, void *out,
		size_t room, size_t *out_bytes);

/**
 * noise_read() - Take the peer's message.
 * @payload: what was in it; may not overlap @msg.
 *
 * Return: 0; -EBADMSG: it is not what an honest peer with the right keys and
 * the same prologue sends, the handshake is over and @payload has nothing of
 * it; -EMSGSIZE: its payload is more than @room, the same; -EPROTO: not
 * the peer's turn.
 */
int noise_read(struct noise *n, const void *msg, size_t bytes, void *payload,
	       size_t room, size_t *payload_bytes);

/**
 * noise_split() - The session's secrets; the handshake is over and wiped.
 *
 * Return: 0; -EPROTO: not yet, or not any more.
 */
int noise_split(struct noise *n, struct noise_session *s);

/** noise_wipe() - Forget all; in any state, more than once. */
void noise_wipe(struct noise *n);

void noise_session_wipe(struct noise_session *s);

#endif
