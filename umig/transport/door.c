// SPDX-License-Identifier: GPL-2.0
/*
 * The door: see door.h.
 */
#include "transport/door.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "transport/handshake.h"
#include "transport/tcp.h"

#define CALLER_TEXT_MAX 128
/* Refusals logged at once, and then so often. */
#define LOG_BURST 10
#define LOG_REFILL_NS 1000000000ULL

/**
 * struct caller - Somebody at the door.
 * @fd: its connection; -1: a free slot.
 * @since_ns: when it came.
 * @address: where from,
 * @from: and in words.
 * @handshake: how far it has come.
 */
struct caller {
	int fd;
	uint64_t since_ns;
	struct sockaddr_storage address;
	char from[CALLER_TEXT_MAX];
	struct handshake handshake;
	struct door *door;
};

/**
 * struct door - One.  One thread.
 * @log_tokens: refusals that may be logged now; @log_since_ns: when one more
 *	may be; @log_dropped: refusals not logged since the last that was.
 */
struct door {
	int fd;
	uint64_t deadline_ns;	/* 0: none */
	const struct credentials *credentials;
	struct caller caller[DOOR_CALLERS];
	unsigned int log_tokens;
	uint64_t log_since_ns;
	uint64_t log_dropped;
};

/* all that strangers can make us hold, whatever they send */
_Static_assert(sizeof(struct door) <= 512 << 10, "a bound");

static bool may_log(struct door *d)
{
	uint64_t now = clock_now_ns();
	uint64_t more = (now - d->log_since_ns) / LOG_REFILL_NS;

	if (more) {
		d->log_tokens = more < LOG_BURST - d->log_tokens ?
					d->log_tokens + more : LOG_BURST;
		d->log_since_ns = now;
	}
	if (!d->log_tokens) {
		d->log_dropped++;
		return false;
	}
	d->log_tokens--;
	return true;
}

static void log_refusal(struct door *d, const char *from, const char *why)
{
	if (!may_log(d))
		return;
	if (d->log_dropped)
		log_warn("%llu more callers have been refused or given up",
			 (unsigned long long)d->log_dropped);
	d->log_dropped = 0;
	log_warn("%s: refused: %s", from, why);
}

static void send_away(struct caller *c, const char *why)
{
	if (why)
		log_refusal(c->door, c->from, why);
	handshake_wipe(&c->handshake);
	close(c->fd);
	c->fd = -1;
}

static int admit(void *arg, const uint8_t *key, struct peer *peer,
		 struct err *err)
{
	struct caller *c = arg;

	return credentials_admit(c->door->credentials, key,
				 (struct sockaddr *)&c->address, peer, err);
}

/* The slot whose caller has the least claim to it. */
static struct caller *least(struct door *d)
{
	struct caller *c, *worst = NULL;

	for (c = d->caller; c < d->caller + DOOR_CALLERS; c++) {
		if (c->fd < 0)
			return c;
		if (!worst ||
		    c->handshake.step < worst->handshake.step ||
		    (c->handshake.step == worst->handshake.step &&
		     c->since_ns < worst->since_ns))
			worst = c;
	}
	send_away(worst, "too many callers at once, and it had said nothing that proves who it is");
	return worst;
}

static int take_caller(struct door *d, struct err *err)
{
	const struct credentials *cr = d->credentials;
	struct sockaddr_storage address;
	char from[CALLER_TEXT_MAX];
	struct caller *c;
	int fd = tcp_accept(d->fd, &address, from, sizeof(from), err);

	if (fd == -EAGAIN)
		return 0;
	if (fd < 0)
		return fd;
	c = least(d);
	c->fd = fd;
	c->since_ns = clock_now_ns();
	c->address = address;
	memcpy(c->from, from, sizeof(from));
	handshake_accept(&c->handshake, cr ? &cr->own : NULL, admit, c);
	return 0;
}

/* A caller's socket takes a handshake's few bytes at once, or it is no use. */
static bool send_out(struct caller *c)
{
	struct handshake *h = &c->handshake;
	size_t n = h->out_bytes;

	h->out_bytes = 0;
	return !n || send(c->fd, h->out, n, MSG_NOSIGNAL | MSG_DONTWAIT) ==
			     (ssize_t)n;
}

/* Hear what a caller says: 1: it is through. */
static int hear(struct caller *c)
{
	struct handshake *h = &c->handshake;
	size_t want;
	uint8_t *room = handshake_room(h, &want);
	ssize_t n = recv(c->fd, room, want, MSG_DONTWAIT);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		send_away(c, h->step == HANDSHAKE_PREFACE ?
				     "it went away before it had said what it wants" :
				     "it went away in the middle of its handshake");
		return 0;
	}
	rc = handshake_took(h, n);
	if (!send_out(c) && rc >= 0) {
		send_away(c, "it does not read our answer");
		return 0;
	}
	if (rc < 0) {
		send_away(c, err_text(&h->err));
		return 0;
	}
	return rc;
}

/* Send away who is too slow; when to look again, in ms, -1: never. */
static int expire(struct door *d)
{
	uint64_t now = clock_now_ns(), next = UINT64_MAX;
	struct caller *c;

	if (d->deadline_ns)
		next = d->deadline_ns > now ? d->deadline_ns : now;
	for (c = d->caller; c < d->caller + DOOR_CALLERS; c++) {
		if (c->fd < 0)
			continue;
		if (now - c->since_ns >= DOOR_TIMEOUT_NS)
			send_away(c, "it did not finish its handshake in time");
		else if (c->since_ns + DOOR_TIMEOUT_NS < next)
			next = c->since_ns + DOOR_TIMEOUT_NS;
	}
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

/* Its handshake is done: the connection is the engine's. */
static int let_in(struct caller *c, struct session *session, char *from,
		  unsigned int room)
{
	int fd = c->fd;

	*session = c->handshake.session;
	strncpy(from, c->from, room - 1);
	from[room - 1] = '\0';
	handshake_wipe(&c->handshake);
	c->fd = -1;
	if (tcp_set_blocking(fd, true)) {
		close(fd);
		session_wipe(session);
		return -EAGAIN;
	}
	return fd;
}

/* The connection of the first that is through; -EAGAIN: none is. */
static int hear_callers(struct door *d, const struct pollfd *p,
			struct session *session, char *from, unsigned int room)
{
	unsigned int i;

	for (i = 0; i < DOOR_CALLERS; i++)
		if (d->caller[i].fd >= 0 && p[i].revents &&
		    hear(&d->caller[i]) == 1)
			return let_in(&d->caller[i], session, from, room);
	return -EAGAIN;
}

int door_wait(struct door *d, int cancel_fd, struct session *session,
	      char *from, unsigned int room, struct err *err)
{
	struct pollfd p[DOOR_CALLERS + 2];
	unsigned int i;
	int rc;

	for (;;) {
		int timeout_ms = expire(d);

		if (d->deadline_ns && clock_now_ns() >= d->deadline_ns)
			return err_set(err, -ETIMEDOUT,
				       "nobody came in time");
		for (i = 0; i < DOOR_CALLERS; i++)
			p[i] = (struct pollfd){ d->caller[i].fd, POLLIN, 0 };
		p[DOOR_CALLERS] = (struct pollfd){ d->fd, POLLIN, 0 };
		p[DOOR_CALLERS + 1] = (struct pollfd){ cancel_fd, POLLIN, 0 };
		if (poll(p, DOOR_CALLERS + 2, timeout_ms) < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot wait for a source: %s",
				       strerror(errno));
		if (p[DOOR_CALLERS + 1].revents)
			return err_set(err, -ECANCELED,
				       "stopped waiting for a source");
		rc = hear_callers(d, p, session, from, room);
		if (rc >= 0)
			return rc;
		rc = p[DOOR_CALLERS].revents ? take_caller(d, err) : 0;
		if (rc < 0)
			return rc;
	}
}

void door_set_deadline(struct door *d, uint64_t deadline_ns)
{
	d->deadline_ns = deadline_ns;
}

int door_port(const struct door *d)
{
	return tcp_local_port(d->fd);
}

int door_open(struct door **out, const char *address,
	      const struct credentials *credentials, struct err *err)
{
	struct door *d = calloc(1, sizeof(*d));
	unsigned int i;
	int rc;

	if (!d)
		return err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < DOOR_CALLERS; i++) {
		d->caller[i].fd = -1;
		d->caller[i].door = d;
	}
	d->credentials = credentials;
	d->log_tokens = LOG_BURST;
	d->fd = tcp_listen(address, err);
	if (d->fd < 0) {
		rc = d->fd;
		free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void door_close(struct door *d)
{
	struct caller *c;

	if (!d)
		return;
	for (c = d->caller; c < d->caller + DOOR_CALLERS; c++)
		if (c->fd >= 0)
			send_away(c, NULL);
	close(d->fd);
	free(d);
}
