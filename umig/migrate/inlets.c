// SPDX-License-Identifier: GPL-2.0
/*
 * Inlets: see inlets.h.
 */
#include "migrate/inlets.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/cond.h"
#include "lib/log.h"
#include "transport/tcp.h"
#include "wire/msgs.h"

/*
 * Until all connections have come, one after the other, each in a few round
 * trips; and one, to say that it is one of them.
 */
#define COME_TIMEOUT_NS 10000000000ULL
#define COME_EACH_NS 2000000000ULL
#define JOIN_TIMEOUT_NS 2000000000ULL
/* That none brings a byte while the source waits for the end of a round. */
#define WAIT_TIMEOUTS 5
/* How often it is told what a frame that takes its time has brought. */
#define COUNT_NS 1000000000ULL

void inlets_init(struct inlets *l, struct migration *m, struct placer *placer)
{
	memset(l, 0, sizeof(*l));
	l->m = m;
	l->placer = placer;
	l->round = 1;
	pthread_mutex_init(&l->lock, NULL);
	cond_init_monotonic(&l->changed);
}

void inlets_exit(struct inlets *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
}

static uint32_t open_round(struct inlets *l)
{
	uint32_t round;

	pthread_mutex_lock(&l->lock);
	round = l->round;
	pthread_mutex_unlock(&l->lock);
	return round;
}

/* The source ends the round that is open, once. */
static int on_round_end(struct inlet *i, const struct frame_in *in,
			struct err *err)
{
	struct inlets *l = i->all;
	uint32_t round;
	int rc = 0;

	if (msg_round_decode(&round, in->payload, in->bytes))
		return err_set(err, -EPROTO,
			       "the source sent a malformed ROUND_END");
	pthread_mutex_lock(&l->lock);
	if (round != l->round || i->fenced == round)
		rc = err_set(err, -EPROTO,
			     "the source ended round %u in round %u", round,
			     l->round);
	else
		i->fenced = round;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* Behind its end of the round an inlet has no more pages of it. */
static int place(struct inlet *i, const void *data, size_t bytes,
		 struct err *err)
{
	struct inlets *l = i->all;
	uint32_t round = open_round(l);

	if (i->fenced == round)
		return err_set(err, -EPROTO,
			       "the source sent pages behind the end of their round");
	return placer_plain_pages(l->placer, data, bytes, round, err);
}

static int on_packed(struct inlet *i, const struct frame_in *in,
		     struct err *err)
{
	size_t bytes;

	if (unpack(&i->unpacker, in->payload, in->bytes, i->unpacked,
		   WIRE_PAYLOAD_MAX, &bytes))
		return err_set(err, -EPROTO,
			       "the source sent a malformed PACKED");
	return place(i, i->unpacked, bytes, err);
}

static int handle(struct inlet *i, const struct frame_in *in, struct err *err)
{
	switch (in->type) {
	case WIRE_PAGES:
		return place(i, in->payload, in->bytes, err);
	case WIRE_PACKED:
		return on_packed(i, in, err);
	case WIRE_ROUND_END:
		return on_round_end(i, in, err);
	default:
		return err_set(err, -EPROTO,
			       "the source sent %s on a further connection",
			       wire_type_name(in->type));
	}
}

static void count_bytes(struct inlet *i)
{
	uint64_t now = channel_bytes_rx(i->ch);

	atomic_fetch_add(&i->all->m->lane_bytes, now - i->counted);
	i->counted = now;
}

/* Wait for the next frame, however long, and count its bytes as they come. */
static int next_frame(struct inlet *i, struct frame_in *in)
{
	int rc;

	do {
		channel_set_deadline(i->ch, clock_now_ns() + COUNT_NS);
		rc = channel_recv(i->ch, in, true);
		count_bytes(i);
	} while (rc == -ETIME);
	return rc;
}

static void *run(void *arg)
{
	struct inlet *i = arg;
	struct inlets *l = i->all;
	struct err err = { 0 };
	struct frame_in in;
	int rc;

	do {
		rc = next_frame(i, &in);
		if (rc)
			err_set(&err, rc, "a further connection of the source: %s",
				strerror(-rc));
		else
			rc = handle(i, &in, &err);
	} while (!rc);
	/* at once, so that the source hears of it */
	channel_shutdown(i->ch);
	pthread_mutex_lock(&l->lock);
	i->err = err;
	i->ended = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* The number in its JOIN, if it brings the token: 0 to @nr - 1, or -EACCES. */
static int recv_join(struct channel *ch, const uint8_t *token, unsigned int nr)
{
	uint8_t theirs[WIRE_TOKEN_BYTES];
	struct frame_in in;
	uint32_t number;

	if (channel_recv(ch, &in, true) || in.type != WIRE_JOIN ||
	    msg_channels_decode(&number, theirs, in.payload, in.bytes) ||
	    sodium_memcmp(theirs, token, sizeof(theirs)) || number > nr)
		return -EACCES;
	return number - 1;
}

static bool same_peer(const struct migration *m, const struct session *s)
{
	return s->sealed == m->live.sealed &&
	       (!s->sealed || !memcmp(s->peer.key, m->peer.key,
				      sizeof(s->peer.key)));
}

/* Make @ch inlet @i, with a thread: 0, or -errno. */
static int start_inlet(struct inlets *l, struct inlet *i, struct channel *ch)
{
	int rc = unpacker_init(&i->unpacker);

	i->unpacked = malloc(WIRE_PAYLOAD_MAX);
	if (!i->unpacked)
		rc = -ENOMEM;
	/* it may have nothing to bring for long: the first one keeps watch */
	channel_set_timeout(ch, CHANNEL_TIMEOUT_NEVER);
	i->all = l;
	i->ch = ch;
	if (!rc)
		rc = -pthread_create(&i->thread, NULL, run, i);
	if (!rc)
		return 0;
	i->ch = NULL;
	unpacker_exit(&i->unpacker);
	free(i->unpacked);
	return err_set(&l->m->err, rc, "no memory or no thread for a channel");
}

/* One caller: 1: it is an inlet now; 0: it was sent away; -errno. */
static int let_in(struct inlets *l, const uint8_t *token, unsigned int nr)
{
	struct migration *m = l->m;
	struct session session = { 0 };
	struct channel *ch = NULL;
	char from[128];
	bool same;
	int rc, fd = door_wait(m->door, m->cancel_fd, &session, from,
			       sizeof(from), &m->err);

	if (fd < 0)
		return fd;
	same = same_peer(m, &session);
	rc = channel_open(&ch, fd, &session, m->cancel_fd, JOIN_TIMEOUT_NS,
			  &m->err);
	session_wipe(&session);
	if (rc) {
		close(fd);
		return rc;
	}
	channel_set_deadline(ch, clock_now_ns() + JOIN_TIMEOUT_NS);
	rc = same ? recv_join(ch, token, nr) : -EACCES;
	if (rc >= 0 && !l->inlet[rc].ch) {
		rc = start_inlet(l, &l->inlet[rc], ch);
		if (!rc)
			return 1;
	} else {
		log_warn("%s: refused: a migration is under way, and it is no part of it",
			 from);
		rc = 0;
	}
	channel_close(ch);
	return rc;
}

int inlets_open(struct inlets *l, const struct frame_in *in)
{
	uint8_t token[WIRE_TOKEN_BYTES];
	uint8_t payload[sizeof(struct wire_channels)];
	struct migration *m = l->m;
	unsigned int came = 0;
	uint32_t number;
	int rc;

	if (msg_channels_decode(&number, token, in->payload, in->bytes) ||
	    number < 2)
		return err_set(&m->err, -EPROTO,
			       "the source sent a malformed CHANNELS");
	randombytes_buf(token, sizeof(token));
	rc = channel_send_copy(m->ch, WIRE_CHANNELS, payload,
			       msg_channels_encode(payload, number, token));
	if (!rc)
		rc = channel_flush(m->ch);
	if (rc)
		return migration_lost(m, rc);
	l->nr = number - 1;
	door_set_deadline(m->door, clock_now_ns() + COME_TIMEOUT_NS +
					   l->nr * COME_EACH_NS);
	while (rc >= 0 && came < l->nr) {
		rc = let_in(l, token, l->nr);
		came += rc > 0;
	}
	sodium_memzero(token, sizeof(token));
	return rc < 0 ? err_set(&m->err, rc, "%s", strerror(-rc)) : 0;
}

/* Lock held: -EAGAIN: not all have ended @round; else 0, or -errno in words. */
static int all_ended(struct inlets *l, uint32_t round, struct err *err)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < l->nr; i++) {
		if (l->inlet[i].fenced == round)
			continue;
		if (l->inlet[i].ended) {
			*err = l->inlet[i].err;
			return err->code;
		}
		rc = -EAGAIN;
	}
	return rc;
}

/*
 * Lock held, but not all along: wait until all have ended @round.  The source,
 * which waits for our word of it, hears that there is somebody.
 */
static int wait_ended(struct inlets *l, uint32_t round, struct err *err)
{
	uint64_t timeout_ns = WAIT_TIMEOUTS * l->m->params.peer_timeout_ns;
	uint64_t bytes = 0, since = 0, now;
	int rc;

	while ((rc = all_ended(l, round, err)) == -EAGAIN) {
		now = clock_now_ns();
		if (!since || bytes != atomic_load(&l->m->lane_bytes))
			since = now;
		bytes = atomic_load(&l->m->lane_bytes);
		if (now - since >= timeout_ns)
			return err_set(err, -ETIMEDOUT,
				       "the source has ended round %u on one connection, and goes on with it on none",
				       round);
		cond_wait_ns(&l->changed, &l->lock, MIGRATION_KEEPALIVE_NS);
		pthread_mutex_unlock(&l->lock);
		rc = migration_keep_alive(l->m);
		pthread_mutex_lock(&l->lock);
		if (rc)
			return rc;
	}
	return rc;
}

int inlets_wait(struct inlets *l, uint32_t round)
{
	struct err err = { 0 };
	int rc;

	if (!l->nr)
		return 0;
	pthread_mutex_lock(&l->lock);
	if (round != l->round)
		rc = err_set(&err, -EPROTO,
			     "the source ended round %u in round %u", round,
			     l->round);
	else
		rc = wait_ended(l, round, &err);
	if (!rc)
		l->round++;
	pthread_mutex_unlock(&l->lock);
	return rc ? err_set(&l->m->err, rc, "%s", err_text(&err)) : 0;
}

int inlets_close(struct inlets *l)
{
	struct migration *m = l->m;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < l->nr; i++) {
		struct inlet *inlet = &l->inlet[i];

		if (!inlet->ch)
			continue;
		channel_shutdown(inlet->ch);
		pthread_join(inlet->thread, NULL);
		channel_close(inlet->ch);
		inlet->ch = NULL;
		unpacker_exit(&inlet->unpacker);
		free(inlet->unpacked);
		if (rc || inlet->err.code == -ECONNRESET ||
		    inlet->err.code == -ECANCELED)
			continue;
		rc = inlet->err.code;
		m->err = inlet->err;
	}
	l->nr = 0;
	return rc;
}
