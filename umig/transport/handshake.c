// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake: see handshake.h.
 */
#include "transport/handshake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "transport/sealed.h"

#define MESSAGE_1_BYTES (WIRE_ABILITIES_BYTES + NOISE_MSG1_OVERHEAD)
#define MESSAGE_2_BYTES (WIRE_ABILITIES_BYTES + NOISE_MSG2_OVERHEAD)

/* of the channel that the handshake was made on */
#define RECORD_LABEL "umig frames"

_Static_assert(MESSAGE_1_BYTES <= HANDSHAKE_IN_MAX &&
	       WIRE_PREFACE_BYTES + MESSAGE_1_BYTES <= HANDSHAKE_OUT_MAX &&
	       SEALED_KEEPALIVE_BYTES <= HANDSHAKE_IN_MAX, "room");

void session_wipe(struct session *s)
{
	sodium_memzero(s, sizeof(*s));
}

void handshake_wipe(struct handshake *h)
{
	noise_wipe(&h->noise);
	session_wipe(&h->session);
}

static int failed(struct handshake *h, int rc, const char *why)
{
	h->step = HANDSHAKE_FAILED;
	handshake_wipe(h);
	return err_set(&h->err, rc, "%s", why);
}

/* What the other end is told; @why is for our own log. */
static int refuse(struct handshake *h, int rc, const char *text,
		  const char *why)
{
	struct preface p = {
		.version = WIRE_VERSION,
		.version_min = WIRE_VERSION_MIN,
		.mode = h->own ? WIRE_MODE_SEALED : WIRE_MODE_PLAIN,
		.status = WIRE_STATUS_REFUSED,
		.length = strlen(text),
	};

	preface_encode(h->out, &p);
	memcpy(h->out + WIRE_PREFACE_BYTES, text, p.length);
	h->out_bytes = WIRE_PREFACE_BYTES + p.length;
	return failed(h, rc, why);
}

static void wait_for(struct handshake *h, enum handshake_step step,
		     size_t bytes)
{
	h->step = step;
	h->in_bytes = 0;
	h->need = bytes;
}

static int done(struct handshake *h)
{
	h->step = HANDSHAKE_DONE;
	h->need = 0;
	noise_wipe(&h->noise);
	return 1;
}

static struct abilities our_abilities(void)
{
	return (struct abilities){
		.version = WIRE_VERSION,
		.version_min = WIRE_VERSION_MIN,
		.ciphers = record_ciphers(),
	};
}

/* The newest version that both ends speak. */
static uint16_t common_version(uint16_t theirs)
{
	return theirs < WIRE_VERSION ? theirs : WIRE_VERSION;
}

/* The session's keys, from the handshake and what was agreed in it. */
static int set_keys(struct handshake *h, enum record_cipher cipher)
{
	struct noise_session s;
	int rc = noise_split(&h->noise, &s);

	if (!rc)
		rc = record_init(&h->session.tx, cipher, s.send, RECORD_LABEL,
				 0);
	if (!rc)
		rc = record_init(&h->session.rx, cipher, s.recv, RECORD_LABEL,
				 0);
	noise_session_wipe(&s);
	h->session.sealed = true;
	return rc;
}

/* The connecting end */

int handshake_connect(struct handshake *h, const struct keypair *own,
		      const struct peer *peer)
{
	struct abilities a = our_abilities();
	uint8_t payload[WIRE_ABILITIES_BYTES];
	struct preface p = {
		.version = WIRE_VERSION,
		.version_min = WIRE_VERSION_MIN,
		.mode = own ? WIRE_MODE_SEALED : WIRE_MODE_PLAIN,
		.status = WIRE_STATUS_OK,
		.length = own ? MESSAGE_1_BYTES : 0,
	};
	size_t bytes;
	int rc;

	*h = (struct handshake){ .initiator = true, .own = own };
	wait_for(h, HANDSHAKE_PREFACE, WIRE_PREFACE_BYTES);
	preface_encode(h->out, &p);
	memcpy(h->offer, h->out, sizeof(h->offer));
	h->out_bytes = WIRE_PREFACE_BYTES;
	if (!own)
		return 0;
	h->session.peer = *peer;
	abilities_encode(payload, &a);
	rc = noise_init(&h->noise, true, own, peer->key, h->offer,
			sizeof(h->offer));
	if (!rc)
		rc = noise_write(&h->noise, payload, sizeof(payload),
				 h->out + WIRE_PREFACE_BYTES, MESSAGE_1_BYTES,
				 &bytes);
	if (rc)
		return failed(h, rc,
			      "the public key of that peer cannot be used: check it in the peers file");
	h->out_bytes += bytes;
	return 0;
}

/* Seal record 0: it proves that we are here, now. */
static int confirm(struct handshake *h)
{
	uint8_t *frame = h->out + SEALED_HEAD_BYTES;

	wire_frame_encode(frame, WIRE_KEEPALIVE, 0, 0);
	h->out_bytes = SEALED_KEEPALIVE_BYTES;
	return sealed_seal(&h->session.tx, h->out, sizeof(struct wire_frame));
}

static int took_message_2(struct handshake *h)
{
	uint8_t payload[WIRE_ABILITIES_BYTES];
	struct abilities theirs;
	size_t bytes;

	if (noise_read(&h->noise, h->in, h->need, payload, sizeof(payload),
		       &bytes))
		return failed(h, -EBADMSG,
			      "the destination did not prove that it has the key that the peers file here gives for it, or something changed its answer on the way");
	if (abilities_decode(&theirs, payload) || theirs.cipher > 7 ||
	    theirs.features ||
	    theirs.version != h->answer.version ||
	    theirs.version_min != h->answer.version_min ||
	    !(record_ciphers() & RECORD_CIPHER_BIT(theirs.cipher)))
		return failed(h, -EPROTO,
			      "the destination chose a version, cipher or feature that was not offered, or not the version that its preface said");
	h->session.version = common_version(theirs.version);
	if (set_keys(h, theirs.cipher) || confirm(h))
		return failed(h, -EPROTO, "no keys for that cipher");
	return done(h);
}

static int took_answer_preface(struct handshake *h, const struct preface *p)
{
	enum wire_mode mode = h->own ? WIRE_MODE_SEALED : WIRE_MODE_PLAIN;

	if (p->status == WIRE_STATUS_REFUSED && p->length) {
		if (p->length > WIRE_REFUSAL_MAX)
			return failed(h, -EPROTO, "a refusal without end");
		wait_for(h, HANDSHAKE_REFUSAL, p->length);
		return 0;
	}
	if (p->status != WIRE_STATUS_OK || p->mode != mode ||
	    p->length != (h->own ? MESSAGE_2_BYTES : 0))
		return failed(h, -EPROTO,
			      "the destination sent an impossible answer to the handshake");
	if (!h->own) {
		h->session.version = common_version(p->version);
		return done(h);
	}
	h->answer = *p;
	wait_for(h, HANDSHAKE_MESSAGE, p->length);
	return 0;
}

static int took_refusal(struct handshake *h)
{
	char text[WIRE_REFUSAL_MAX + 1];
	size_t i;

	for (i = 0; i < h->need; i++)
		text[i] = h->in[i] >= ' ' && h->in[i] < 0x7f ? h->in[i] : '?';
	text[i] = '\0';
	h->step = HANDSHAKE_FAILED;
	handshake_wipe(h);
	return err_set(&h->err, -ECONNREFUSED, "the destination refuses: %s",
		       text);
}

/* The accepting end */

void handshake_accept(struct handshake *h, const struct keypair *own,
		      handshake_admit_fn *admit, void *admit_arg)
{
	*h = (struct handshake){
		.own = own, .admit = admit, .admit_arg = admit_arg,
	};
	wait_for(h, HANDSHAKE_PREFACE, WIRE_PREFACE_BYTES);
}

static void answer(struct handshake *h, size_t length)
{
	struct preface p = {
		.version = WIRE_VERSION,
		.version_min = WIRE_VERSION_MIN,
		.mode = h->own ? WIRE_MODE_SEALED : WIRE_MODE_PLAIN,
		.status = WIRE_STATUS_OK,
		.length = length,
	};

	preface_encode(h->out, &p);
	h->out_bytes = WIRE_PREFACE_BYTES + length;
}

static int took_offer_preface(struct handshake *h, const struct preface *p)
{
	memcpy(h->offer, h->in, sizeof(h->offer));
	h->session.version = common_version(p->version);
	if (p->mode == WIRE_MODE_PLAIN && h->own)
		return refuse(h, -EACCES,
			      "only sealed connections here: leave out --insecure",
			      "it wants a connection without keys (--insecure)");
	if (p->mode == WIRE_MODE_SEALED && !h->own)
		return refuse(h, -EACCES,
			      "umig listen has been started with --insecure: say --insecure here too, or start it with keys",
			      "it wants a sealed connection, and this end was started with --insecure");
	if (p->status != WIRE_STATUS_OK ||
	    p->length != (h->own ? MESSAGE_1_BYTES : 0))
		return failed(h, -EPROTO, "an impossible preface");
	if (!h->own) {
		answer(h, 0);
		return done(h);
	}
	if (noise_init(&h->noise, false, h->own, NULL, h->offer,
		       sizeof(h->offer)))
		return failed(h, -EPROTO, "our own key cannot be used");
	wait_for(h, HANDSHAKE_MESSAGE, p->length);
	return 0;
}

static int took_message_1(struct handshake *h)
{
	static const char refused[] = "its log says why";
	uint8_t payload[WIRE_ABILITIES_BYTES];
	struct abilities theirs, ours = our_abilities();
	struct err why = { 0 };
	size_t bytes;
	int rc, cipher;

	if (noise_read(&h->noise, h->in, h->need, payload, sizeof(payload),
		       &bytes))
		return refuse(h, -EBADMSG, refused,
			      "its handshake is not for this host's key: does its peers file have the right one? (or something changed it on the way)");
	rc = h->admit(h->admit_arg, h->noise.peer_public, &h->session.peer,
		      &why);
	if (rc)
		return refuse(h, rc, refused, err_text(&why));
	if (abilities_decode(&theirs, payload) || theirs.cipher)
		return refuse(h, -EPROTO, refused,
			      "its handshake asks for what this version doesn't have: install the same release on both hosts");
	cipher = record_cipher_choose(ours.ciphers, theirs.ciphers);
	if (cipher < 0)
		return refuse(h, -EPROTONOSUPPORT, "no cipher in common",
			      "it speaks no cipher that this host can");
	ours.cipher = cipher;
	abilities_encode(payload, &ours);
	if (noise_write(&h->noise, payload, sizeof(payload),
			h->out + WIRE_PREFACE_BYTES, MESSAGE_2_BYTES, &bytes) ||
	    set_keys(h, cipher))
		return refuse(h, -EBADMSG, refused, "its keys cannot be used");
	answer(h, bytes);
	wait_for(h, HANDSHAKE_CONFIRM, SEALED_KEEPALIVE_BYTES);
	return 0;
}

static int took_confirm(struct handshake *h)
{
	struct wire_frame f;
	size_t bytes;

	if (sealed_frame_bytes(h->in, &bytes) || bytes != sizeof(f) ||
	    sealed_open(&h->session.rx, h->in, bytes) ||
	    wire_frame_decode(h->in + SEALED_HEAD_BYTES, 0, &f) ||
	    f.type != WIRE_KEEPALIVE || f.length)
		return failed(h, -EBADMSG,
			      "it did not finish its handshake as the owner of its key would: a replay?");
	return done(h);
}

/* Both ends */

static int took_preface(struct handshake *h)
{
	struct preface p;
	char why[128];
	int rc = preface_decode(&p, h->in);

	if (rc == -EPROTONOSUPPORT) {
		snprintf(why, sizeof(why),
			 "it speaks protocol versions %u to %u, this umig %u to %u: install the same release on both hosts",
			 p.version_min, p.version, WIRE_VERSION_MIN,
			 WIRE_VERSION);
		return h->initiator ? failed(h, rc, why) :
				      refuse(h, rc, "no protocol version in common: install the same release on both hosts", why);
	}
	if (rc)
		return failed(h, rc, "it does not speak umig's protocol");
	return h->initiator ? took_answer_preface(h, &p) :
			      took_offer_preface(h, &p);
}

uint8_t *handshake_room(struct handshake *h, size_t *bytes)
{
	*bytes = h->need - h->in_bytes;
	return h->in + h->in_bytes;
}

int handshake_took(struct handshake *h, size_t bytes)
{
	h->in_bytes += bytes;
	if (h->in_bytes < h->need)
		return 0;
	switch (h->step) {
	case HANDSHAKE_PREFACE:
		return took_preface(h);
	case HANDSHAKE_MESSAGE:
		return h->initiator ? took_message_2(h) : took_message_1(h);
	case HANDSHAKE_REFUSAL:
		return took_refusal(h);
	case HANDSHAKE_CONFIRM:
		return took_confirm(h);
	default:
		return -EINVAL;
	}
}
