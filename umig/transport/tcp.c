// SPDX-License-Identifier: GPL-2.0
/*
 * TCP connections: see tcp.h.
 */
#include "transport/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"

#define ADDRESS_MAX TCP_HOST_MAX
/* a burst of callers, most of them no peers */
#define BACKLOG 128

static int bad_address(const char *address, const char *why, struct err *err)
{
	return err_set(err, -EINVAL,
		       "\"%s\" is not an address (%s): give HOST:PORT, e.g. 10.0.0.2:7000 or [fd00::2]:7000",
		       address, why);
}

/* Split in place: "host:port" or "[host]:port". */
static int split(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	if (!colon || !colon[1])
		return -EINVAL;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (text[0] == '[') {
		if (colon == text + 1 || colon[-1] != ']')
			return -EINVAL;
		colon[-1] = '\0';
		*host = text + 1;
	} else if (strchr(text, ':')) {
		return -EINVAL;
	}
	return **host ? 0 : -EINVAL;
}

static int resolve(const char *address, int flags, struct addrinfo **out,
		   struct err *err)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	char text[ADDRESS_MAX];
	char *host, *port;
	int rc;

	if (strlen(address) >= sizeof(text))
		return bad_address("", "too long", err);
	strcpy(text, address);
	if (split(text, &host, &port))
		return bad_address(address, "no host and port", err);
	rc = getaddrinfo(host, port, &hints, out);
	if (rc)
		return bad_address(address, gai_strerror(rc), err);
	return 0;
}

int tcp_host(const char *address, char host[TCP_HOST_MAX], struct err *err)
{
	char text[ADDRESS_MAX];
	char *h, *port;

	if (strlen(address) >= sizeof(text))
		return bad_address("", "too long", err);
	strcpy(text, address);
	if (split(text, &h, &port))
		return bad_address(address, "no host and port", err);
	strcpy(host, h);
	return 0;
}

int tcp_listen(const char *address, struct err *err)
{
	struct addrinfo *ai = NULL;
	int fd, one = 1;
	int rc = resolve(address, AI_PASSIVE, &ai, err);

	if (rc)
		return rc;
	fd = socket(ai->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		rc = err_set(err, -errno, "no socket for %s: %s", address,
			     strerror(errno));
		goto out;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		rc = err_set(err, -errno, "cannot listen at %s: %s", address,
			     strerror(errno));
		close(fd);
		goto out;
	}
	rc = fd;
out:
	freeaddrinfo(ai);
	return rc;
}

int tcp_wait(int fd, short events, int cancel_fd, int timeout_ms)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = events },
		{ .fd = cancel_fd, .events = POLLIN },
	};
	int n;

	do {
		n = poll(p, 2, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (p[1].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

/* Small frames must not wait for more. */
static void tune(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

void tcp_set_timeout(int fd, uint64_t timeout_ns)
{
	unsigned int ms = timeout_ns / 1000000;

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

int tcp_set_blocking(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

int tcp_accept(int listen_fd, struct sockaddr_storage *from, char *text,
	       unsigned int room, struct err *err)
{
	socklen_t len = sizeof(*from);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	int fd = accept4(listen_fd, (struct sockaddr *)from, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR ||
		       errno == ECONNABORTED))
		return -EAGAIN;
	if (fd < 0)
		return err_set(err, -errno, "cannot accept a connection: %s",
			       strerror(errno));
	if (getnameinfo((struct sockaddr *)from, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(host, sizeof(host), "?"), snprintf(port, sizeof(port), "?");
	snprintf(text, room, "%s:%s", host, port);
	tune(fd);
	return fd;
}

static int finish_connect(int fd, int cancel_fd, uint64_t timeout_ns)
{
	socklen_t len = sizeof(int);
	int error = 0;
	int rc = tcp_wait(fd, POLLOUT, cancel_fd, timeout_ns / 1000000);

	if (rc)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	return -error;
}

static int connect_one(const struct addrinfo *ai, int cancel_fd,
		       uint64_t timeout_ns)
{
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen))
		rc = errno == EINPROGRESS ?
			     finish_connect(fd, cancel_fd, timeout_ns) :
			     -errno;
	if (!rc)
		rc = tcp_set_blocking(fd, true);
	if (rc) {
		close(fd);
		return rc;
	}
	tune(fd);
	return fd;
}

int tcp_connect(const char *address, int cancel_fd, uint64_t timeout_ns,
		struct err *err)
{
	struct addrinfo *ai = NULL, *a;
	int rc = resolve(address, 0, &ai, err);

	if (rc)
		return rc;
	rc = -EHOSTUNREACH;
	for (a = ai; a && rc < 0 && rc != -ECANCELED; a = a->ai_next)
		rc = connect_one(a, cancel_fd, timeout_ns);
	freeaddrinfo(ai);
	if (rc == -ECANCELED)
		return err_set(err, rc, "cancelled while connecting");
	if (rc < 0)
		return err_set(err, rc,
			       "cannot connect to %s: %s: is umig listen running there, and does a firewall let its port through?",
			       address, strerror(-rc));
	return rc;
}

int tcp_local_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa = { 0 };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, &sa.any, &len))
		return -errno;
	return ntohs(sa.any.sa_family == AF_INET6 ? sa.in6.sin6_port :
						    sa.in.sin_port);
}
