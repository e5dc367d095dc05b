// SPDX-License-Identifier: GPL-2.0
/*
 * Connecting: see dial.h.
 */
#include "transport/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "transport/handshake.h"
#include "transport/tcp.h"

/* What is left until @deadline_ns, in ms for poll. */
static int left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return now >= deadline_ns ? 0 : (deadline_ns - now) / 1000000 + 1;
}

static int send_out(int fd, struct handshake *h)
{
	size_t n = h->out_bytes;

	h->out_bytes = 0;
	if (n && send(fd, h->out, n, MSG_NOSIGNAL) != (ssize_t)n)
		return err_set(&h->err, -ECONNRESET,
			       "it closed the connection during the handshake");
	return 0;
}

static int receive(int fd, struct handshake *h)
{
	size_t want;
	uint8_t *room = handshake_room(h, &want);
	ssize_t n = recv(fd, room, want, 0);

	if (n < 0)
		return err_set(&h->err, -errno, "%s", strerror(errno));
	if (!n)
		return err_set(&h->err, -ECONNRESET,
			       "it closed the connection during the handshake: its log may say why");
	return handshake_took(h, n);
}

/* Until the session is there.  -errno with words in @h->err. */
static int go_through(int fd, struct handshake *h, int cancel_fd,
		      uint64_t timeout_ns)
{
	uint64_t deadline = clock_now_ns() + timeout_ns;
	int rc;

	for (;;) {
		rc = send_out(fd, h);
		if (rc || h->step == HANDSHAKE_DONE)
			return rc;
		rc = tcp_wait(fd, POLLIN, cancel_fd, left_ms(deadline));
		if (rc == -ETIMEDOUT)
			return err_set(&h->err, rc,
				       "it does not answer the handshake: is that umig listen?");
		if (!rc)
			rc = receive(fd, h);
		if (rc < 0)
			return err_set(&h->err, rc, "%s", strerror(-rc));
	}
}

int dial(const char *address, const struct credentials *credentials,
	 const char *peer, int cancel_fd, uint64_t timeout_ns,
	 struct session *session, struct err *err)
{
	struct peer whom = { 0 };
	struct handshake h;
	int fd, rc = 0;

	if (credentials)
		rc = credentials_find(credentials, peer, address, &whom, err);
	if (rc)
		return rc;
	fd = tcp_connect(address, cancel_fd, timeout_ns, err);
	if (fd < 0)
		return fd;
	rc = handshake_connect(&h, credentials ? &credentials->own : NULL,
			       &whom);
	if (!rc)
		rc = go_through(fd, &h, cancel_fd, timeout_ns);
	if (!rc)
		*session = h.session;
	else
		err_set(err, rc, "%s: %s", address, err_text(&h.err));
	handshake_wipe(&h);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}
