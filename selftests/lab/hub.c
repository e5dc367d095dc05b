// SPDX-License-Identifier: GPL-2.0
/*
 * The lab's network: an Ethernet hub between QEMU's stream sockets, run on the
 * machine that runs the lab.  A frame goes to the port that its destination
 * names (the lab's addresses end in the port's number plus one), any other to
 * all ports but its own.  Each port can be cut (frames from and to it vanish,
 * as on a pulled cable) or slowed to a rate; a slow port's queue is bounded by
 * no longer reading from the ports that feed it.
 *
 *	hub CONTROL PORT...
 *
 * All arguments are file descriptors.  CONTROL carries lines: "cut PORT",
 * "join PORT", "rate PORT BYTES_PER_SECOND" (0: unlimited), with ports counted
 * from 0; each is answered by "ok".  The end of CONTROL ends the hub.
 *
 * On a port each frame is preceded by its length, u32 big endian.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

#define PORTS_MAX 16
#define QUEUE_HIGH (1u << 20)
#define FRAME_MAX (128u << 10)
#define BURST_NS 2000000	/* a slow port may catch up this much */

struct port {
	int fd;			/* -1: QEMU is gone */
	bool cut;
	uint64_t rate;		/* bytes a second, 0: unlimited */
	uint64_t free_at_ns;	/* when a slow port may send again */
	struct bytes in;	/* a part of a frame */
	struct bytes out;	/* what waits for the socket or the rate */
};

static struct port ports[PORTS_MAX];
static unsigned int nr_ports;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void port_gone(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->in.len = 0;
	p->out.len = 0;
}

/* When the port may send, 0: now. */
static uint64_t port_wait_ns(const struct port *p, uint64_t now)
{
	if (!p->rate || p->free_at_ns <= now)
		return 0;
	return p->free_at_ns - now;
}

static void port_write(struct port *p)
{
	size_t len = p->out.len;
	uint64_t now = now_ns();
	ssize_t n;

	if (p->rate) {
		if (port_wait_ns(p, now))
			return;
		if (len > 16384)
			len = 16384;
	}
	n = write(p->fd, p->out.data, len);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		port_gone(p);
	if (n <= 0)
		return;
	bytes_drop(&p->out, n);
	if (p->rate) {
		if (p->free_at_ns + BURST_NS < now)
			p->free_at_ns = now - BURST_NS;
		p->free_at_ns += n * 1000000000ull / p->rate;
	}
}

/* Whole frames only: a cut must not tear a frame that is on its way. */
static void forward(const struct port *from, const uint8_t *data, size_t len)
{
	const uint8_t *mac = data + sizeof(uint32_t);
	unsigned int to = PORTS_MAX;

	if (from->cut || len < sizeof(uint32_t) + 14)
		return;
	if (!(mac[0] & 1) && mac[5] && mac[5] <= nr_ports)
		to = mac[5] - 1;
	for (unsigned int i = 0; i < nr_ports; i++) {
		struct port *p = &ports[i];

		if (p == from || p->fd < 0 || p->cut)
			continue;
		if (to == PORTS_MAX || to == i)
			bytes_add(&p->out, data, len);
	}
}

static void port_read(struct port *p)
{
	static uint8_t chunk[64 << 10];
	size_t done = 0;
	uint32_t len;
	ssize_t n;

	n = read(p->fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		port_gone(p);
		return;
	}
	bytes_add(&p->in, chunk, n);
	while (p->in.len - done >= sizeof(len)) {
		memcpy(&len, p->in.data + done, sizeof(len));
		len = ntohl(len);
		if (len > FRAME_MAX) {
			fprintf(stderr, "hub: frame of %u bytes\n", len);
			port_gone(p);
			return;
		}
		if (p->in.len - done < sizeof(len) + len)
			break;
		forward(p, p->in.data + done, sizeof(len) + len);
		done += sizeof(len) + len;
	}
	bytes_drop(&p->in, done);
}

/* Returns whether the line was understood. */
static bool command(const char *line)
{
	unsigned long long rate;
	unsigned int i;

	if (sscanf(line, "cut %u", &i) == 1 && i < nr_ports)
		ports[i].cut = true;
	else if (sscanf(line, "join %u", &i) == 1 && i < nr_ports)
		ports[i].cut = false;
	else if (sscanf(line, "rate %u %llu", &i, &rate) == 2 && i < nr_ports)
		ports[i].rate = rate;
	else
		return false;
	return true;
}

/* One line per read: the lab waits for each answer. */
static void control_read(int fd)
{
	char line[128];
	const char *answer;
	ssize_t n;

	n = read(fd, line, sizeof(line) - 1);
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		exit(0);
	line[n] = 0;
	answer = command(line) ? "ok\n" : "not understood\n";
	if (write(fd, answer, strlen(answer)) < 0)
		exit(1);
}

static bool any_queue_full(void)
{
	for (unsigned int i = 0; i < nr_ports; i++)
		if (ports[i].out.len > QUEUE_HIGH)
			return true;
	return false;
}

static void loop(int control)
{
	struct pollfd f[1 + PORTS_MAX];

	for (;;) {
		bool full = any_queue_full();
		uint64_t now = now_ns(), wait, soonest = UINT64_MAX;
		struct timespec timeout;

		f[0] = (struct pollfd){ .fd = control, .events = POLLIN };
		for (unsigned int i = 0; i < nr_ports; i++) {
			struct port *p = &ports[i];

			f[1 + i] = (struct pollfd){ .fd = p->fd };
			if (!full)
				f[1 + i].events |= POLLIN;
			if (!p->out.len)
				continue;
			wait = port_wait_ns(p, now);
			if (!wait)
				f[1 + i].events |= POLLOUT;
			else if (wait < soonest)
				soonest = wait;
		}
		timeout.tv_sec = soonest / 1000000000;
		timeout.tv_nsec = soonest % 1000000000;
		if (ppoll(f, 1 + nr_ports,
			  soonest == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
		    errno != EINTR) {
			perror("hub: poll");
			exit(1);
		}
		if (f[0].revents)
			control_read(control);
		for (unsigned int i = 0; i < nr_ports; i++) {
			struct port *p = &ports[i];

			if (p->fd >= 0 && (f[1 + i].revents &
					   (POLLIN | POLLHUP | POLLERR)))
				port_read(p);
			if (p->fd >= 0 && p->out.len)
				port_write(p);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc - 2 > PORTS_MAX) {
		fprintf(stderr, "usage: hub CONTROL PORT... (at most %d)\n",
			PORTS_MAX);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 2; i < argc; i++) {
		struct port *p = &ports[nr_ports++];
		int flags;

		p->fd = atoi(argv[i]);
		flags = fcntl(p->fd, F_GETFL);
		if (flags < 0 || fcntl(p->fd, F_SETFL, flags | O_NONBLOCK)) {
			perror("hub: port");
			return 1;
		}
	}
	loop(atoi(argv[1]));
	return 0;
}
