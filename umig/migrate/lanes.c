// SPDX-License-Identifier: GPL-2.0
/*
 * Lanes: see lanes.h.
 */
#include "migrate/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/cond.h"
#include "migrate/offers.h"
#include "transport/dial.h"
#include "transport/tcp.h"
#include "wire/msgs.h"

void lanes_init(struct lanes *l, struct migration *m)
{
	*l = (struct lanes){ .m = m };
	pthread_mutex_init(&l->lock, NULL);
	cond_init_monotonic(&l->changed);
}

void lanes_exit(struct lanes *l)
{
	lanes_close(l);
	free(l->lane);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
}

static int send_round_end(struct lane *lane, uint32_t round)
{
	uint8_t payload[sizeof(struct wire_round)];
	int rc = channel_send_copy(lane->ch, WIRE_ROUND_END, payload,
				   msg_round_encode(payload, round));

	return rc ? rc : channel_flush(lane->ch);
}

static int send_batch(struct lane *lane, const struct lane_batch *b)
{
	uint32_t i;
	int rc = 0;

	channel_set_deadline(lane->ch, b->deadline_ns);
	if (b->fence)
		return send_round_end(lane, b->round);
	encoder_begin_round(&lane->encoder, b->round);
	for (i = 0; i < b->nr && !rc; i++)
		rc = encoder_bytes(&lane->encoder, b->index[i], OFFERS_NONE);
	return rc ? rc : encoder_flush(&lane->encoder);
}

/* The next batch, which stays in the queue; NULL: there is to be none. */
static struct lane_batch *wait_for_batch(struct lane *lane)
{
	struct lanes *l = lane->all;
	struct lane_batch *b = NULL;

	pthread_mutex_lock(&l->lock);
	while (!lane->nr && !l->end)
		pthread_cond_wait(&l->changed, &l->lock);
	if (!l->end)
		b = &lane->batch[lane->first];
	pthread_mutex_unlock(&l->lock);
	return b;
}

/* @b was sent, or has failed with @rc. */
static void finish_batch(struct lane *lane, const struct lane_batch *b, int rc)
{
	const struct encoder *e = &lane->encoder;
	struct lanes *l = lane->all;

	pthread_mutex_lock(&l->lock);
	if (rc)
		lane->error = rc;
	else if (b->fence)
		lane->fenced = b->round;
	memcpy(lane->count, e->count, sizeof(lane->count));
	lane->bytes_plain_equivalent = e->bytes_plain_equivalent;
	lane->first = (lane->first + 1) % LANE_BATCHES;
	lane->nr--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

static void *run(void *arg)
{
	struct lane *lane = arg;
	struct lane_batch *b;
	uint64_t sent = 0, now;
	int rc = 0;

	while (!rc && (b = wait_for_batch(lane))) {
		rc = send_batch(lane, b);
		now = channel_bytes_tx(lane->ch);
		atomic_fetch_add(&lane->all->m->lane_bytes, now - sent);
		sent = now;
		finish_batch(lane, b, rc);
	}
	/* at once, so that the destination hears of it */
	if (rc)
		channel_shutdown(lane->ch);
	return NULL;
}

/* The destination lets us come, with a token. */
static int ask(struct lanes *l, unsigned int nr,
	       uint8_t token[WIRE_TOKEN_BYTES])
{
	uint8_t payload[sizeof(struct wire_channels)];
	struct migration *m = l->m;
	struct frame_in in;
	uint32_t given;
	int rc;

	memset(token, 0, WIRE_TOKEN_BYTES);
	migration_deadline(m, 0);
	rc = channel_send_copy(m->ch, WIRE_CHANNELS, payload,
			       msg_channels_encode(payload, nr + 1, token));
	if (rc)
		return migration_lost(m, rc);
	rc = migration_recv(m, &in, true);
	if (rc)
		return rc;
	channel_set_deadline(m->ch, 0);
	if (in.type != WIRE_CHANNELS)
		return migration_unexpected(m, &in, "CHANNELS");
	if (msg_channels_decode(&given, token, in.payload, in.bytes) ||
	    given != nr + 1)
		return err_set(&m->err, -EPROTO,
			       "the destination sent a malformed CHANNELS");
	return 0;
}

/* Connect, to the same peer as before. */
static int connect_lane(struct lanes *l, struct lane *lane)
{
	struct migration *m = l->m;
	uint64_t timeout_ns = m->params.peer_timeout_ns;
	struct session session = { 0 };
	int rc, fd = dial(m->address, m->params.credentials, m->peer_wanted,
			  m->cancel_fd, timeout_ns, &session, &m->err);

	if (fd < 0)
		return fd;
	tcp_set_timeout(fd, timeout_ns);
	rc = channel_open(&lane->ch, fd, &session, m->cancel_fd, timeout_ns,
			  &m->err);
	session_wipe(&session);
	if (rc)
		close(fd);
	return rc;
}

static int start_lane(struct lanes *l, struct lane *lane, uint32_t number,
		      const uint8_t *token, uint8_t *class,
		      struct packing *packing)
{
	uint8_t payload[sizeof(struct wire_channels)];
	struct migration *m = l->m;
	int rc = connect_lane(l, lane);

	if (rc)
		return rc;
	lane->all = l;
	rc = channel_send_copy(lane->ch, WIRE_JOIN, payload,
			       msg_channels_encode(payload, number, token));
	if (rc)
		migration_lost(m, rc);
	else if (encoder_init(&lane->encoder, m->ms, lane->ch, class, packing))
		rc = err_set(&m->err, -ENOMEM, "out of memory for a channel");
	if (!rc)
		rc = -pthread_create(&lane->thread, NULL, run, lane);
	if (!rc)
		return 0;
	err_set(&m->err, rc, "no thread for a channel: %s", strerror(-rc));
	encoder_exit(&lane->encoder);
	channel_close(lane->ch);
	return rc;
}

int lanes_open(struct lanes *l, unsigned int nr, uint8_t *class,
	       struct packing *packing)
{
	uint8_t token[WIRE_TOKEN_BYTES];
	int rc = ask(l, nr, token);

	if (rc)
		return rc;
	l->lane = calloc(nr, sizeof(*l->lane));
	if (!l->lane)
		return err_set(&l->m->err, -ENOMEM,
			       "out of memory for %u channels", nr);
	/* one after the other: each that is counted has a thread */
	for (; l->nr < nr && !rc; l->nr += !rc)
		rc = start_lane(l, &l->lane[l->nr], l->nr + 1, token, class,
				packing);
	l->active = l->nr;
	return rc;
}

void lanes_close(struct lanes *l)
{
	unsigned int i;

	pthread_mutex_lock(&l->lock);
	l->end = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	for (i = 0; i < l->nr; i++) {
		/* all that counts was fenced; who waits for the peer, need not */
		channel_shutdown(l->lane[i].ch);
		pthread_join(l->lane[i].thread, NULL);
		encoder_exit(&l->lane[i].encoder);
		channel_close(l->lane[i].ch);
	}
	/* their counts are kept */
	l->closed = l->nr;
	l->nr = 0;
	l->active = 0;
}

static int error_locked(const struct lanes *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		if (l->lane[i].error)
			return l->lane[i].error;
	return 0;
}

int lanes_error(struct lanes *l)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = error_locked(l);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* The active lane with the shortest queue, if that has room; lock held. */
static struct lane *find_room(struct lanes *l)
{
	struct lane *best = NULL;
	unsigned int i;

	for (i = 0; i < l->active && i < l->nr; i++)
		if (l->lane[i].nr < LANE_BATCHES && !l->lane[i].error &&
		    (!best || l->lane[i].nr < best->nr))
			best = &l->lane[i];
	return best;
}

/* Room at the end of @lane's queue, which has some; lock held. */
static struct lane_batch *add_batch(struct lane *lane, uint32_t round)
{
	struct lane_batch *b = &lane->batch[(lane->first + lane->nr++) %
					    LANE_BATCHES];

	b->round = round;
	b->deadline_ns = channel_deadline(lane->all->m->ch);
	b->fence = false;
	b->nr = 0;
	pthread_cond_broadcast(&lane->all->changed);
	return b;
}

bool lanes_put(struct lanes *l, uint32_t round, const uint64_t *index,
	       unsigned int nr)
{
	struct lane_batch *b;
	struct lane *lane;

	if (!l->active)
		return false;
	pthread_mutex_lock(&l->lock);
	lane = find_room(l);
	if (lane) {
		b = add_batch(lane, round);
		memcpy(b->index, index, nr * sizeof(*index));
		b->nr = nr;
	}
	pthread_mutex_unlock(&l->lock);
	return lane;
}

/*
 * Until something changes, or not for long: lanes may take their time, and on
 * the first channel nothing else moves meanwhile.  But no longer than all of the
 * round may take: what was put before that was known has no deadline of its own.
 * Lock held, but not all along.
 */
static int wait_for_change(struct lanes *l)
{
	uint64_t deadline_ns = channel_deadline(l->m->ch);
	int rc;

	if (deadline_ns && clock_now_ns() >= deadline_ns)
		return -ETIME;
	cond_wait_ns(&l->changed, &l->lock, MIGRATION_KEEPALIVE_NS);
	pthread_mutex_unlock(&l->lock);
	rc = migration_keep_alive(l->m);
	pthread_mutex_lock(&l->lock);
	return rc;
}

int lanes_fence(struct lanes *l, uint32_t round)
{
	struct lane *lane;
	int rc = 0;

	if (!l->nr)
		return 0;
	pthread_mutex_lock(&l->lock);
	for (lane = l->lane; lane < l->lane + l->nr && !rc; lane++) {
		while (!(rc = error_locked(l)) && lane->nr == LANE_BATCHES &&
		       !(rc = wait_for_change(l)))
			;
		if (!rc)
			add_batch(lane, round)->fence = true;
	}
	for (lane = l->lane; lane < l->lane + l->nr && !rc; lane++)
		while (!(rc = error_locked(l)) && lane->fenced != round &&
		       !(rc = wait_for_change(l)))
			;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

void lanes_count(struct lanes *l, int64_t count[PAGE_CLASSES],
		 uint64_t *bytes_plain_equivalent)
{
	unsigned int i, c;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < l->nr + l->closed; i++) {
		for (c = 0; c < PAGE_CLASSES; c++)
			count[c] += l->lane[i].count[c];
		*bytes_plain_equivalent += l->lane[i].bytes_plain_equivalent;
	}
	pthread_mutex_unlock(&l->lock);
}
