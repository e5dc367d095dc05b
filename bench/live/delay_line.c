// SPDX-License-Identifier: GPL-2.0
/*
 * A link with delay, where the kernel has no netem: a TUN device in each of two
 * network namespaces, and this program between them.  A packet waits until the
 * link has carried those before it (its rate) and then for the delay; one that
 * finds the queue full is dropped, as a router would.  Packets come with
 * virtio-net headers, so that the kernel hands over up to 64 KiB at once.
 *
 *   delay_line NETNS0 NAME0 NETNS1 NAME1 DELAY_US MBIT
 *
 * "ready" on stdout says that both devices exist; they go with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"

#define QUEUE_MAX 4096
#define PACKET_MAX (65536 + sizeof(struct virtio_net_hdr))
/* What a router of that rate would hold at most beside what is on its way. */
#define BACKLOG_NS 50000000ULL

struct packet {
	uint64_t due_ns;
	uint32_t bytes;
	uint8_t *data;
};

/**
 * struct direction - Packets on their way from @from to @to, oldest first.
 * @free_ns: when the link will have carried all of them.
 */
struct direction {
	int from;
	int to;
	uint64_t free_ns;
	unsigned int first;
	unsigned int nr;
	struct packet queue[QUEUE_MAX];
};

/**
 * struct line - Both directions.
 * @scratch: where a packet is read to.
 */
struct line {
	uint64_t delay_ns;
	uint64_t mbit;
	struct direction way[2];
	uint8_t scratch[PACKET_MAX];
};

static int open_tun(const char *netns, const char *name)
{
	const unsigned int offload = TUN_F_CSUM | TUN_F_TSO4;
	struct ifreq req = {
		.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
	};
	int ns = open(netns, O_RDONLY | O_CLOEXEC);
	int fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		return -errno;
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &req) || ioctl(fd, TUNSETOFFLOAD, offload))
		return -errno;
	return fd;
}

/* Take one packet; -EAGAIN: there is none. */
static int take(struct line *l, struct direction *d)
{
	ssize_t got = read(d->from, l->scratch, sizeof(l->scratch));
	uint64_t now = clock_now_ns();
	struct packet *p;

	if (got < 0)
		return -errno;
	if (d->free_ns < now)
		d->free_ns = now;
	if (d->nr == QUEUE_MAX || d->free_ns - now > BACKLOG_NS)
		return 0;
	d->free_ns += got * 8000ULL / l->mbit;
	p = &d->queue[(d->first + d->nr) % QUEUE_MAX];
	p->data = malloc(got);
	if (!p->data)
		return 0;
	memcpy(p->data, l->scratch, got);
	p->bytes = got;
	p->due_ns = d->free_ns + l->delay_ns;
	d->nr++;
	return 0;
}

/* Deliver what is due.  Return: when the next one is; UINT64_MAX: none. */
static uint64_t deliver(struct direction *d)
{
	while (d->nr) {
		struct packet *p = &d->queue[d->first];
		ssize_t done;

		if (p->due_ns > clock_now_ns())
			return p->due_ns;
		/* A device that takes no packet loses it, as a link does. */
		done = write(d->to, p->data, p->bytes);
		(void)done;
		free(p->data);
		d->first = (d->first + 1) % QUEUE_MAX;
		d->nr--;
	}
	return UINT64_MAX;
}

static int carry(struct line *l)
{
	struct pollfd fds[2] = {
		{ .fd = l->way[0].from, .events = POLLIN },
		{ .fd = l->way[1].from, .events = POLLIN },
	};
	unsigned int i;

	for (;;) {
		uint64_t next = UINT64_MAX, now;
		struct timespec wait = { 0 };

		for (i = 0; i < 2; i++) {
			uint64_t due = deliver(&l->way[i]);

			next = due < next ? due : next;
		}
		now = clock_now_ns();
		if (next != UINT64_MAX && next > now) {
			wait.tv_sec = (next - now) / 1000000000;
			wait.tv_nsec = (next - now) % 1000000000;
		}
		if (ppoll(fds, 2, next == UINT64_MAX ? NULL : &wait, NULL) < 0 &&
		    errno != EINTR)
			return -errno;
		for (i = 0; i < 2; i++)
			while (!take(l, &l->way[i]))
				;
	}
}

int main(int argc, char **argv)
{
	static struct line line;
	int fd[2];
	int i;

	if (argc != 7 || atoi(argv[6]) <= 0 || atoi(argv[5]) < 0) {
		fprintf(stderr, "usage: delay_line NETNS0 NAME0 NETNS1 NAME1 DELAY_US MBIT\n");
		return 2;
	}
	for (i = 0; i < 2; i++) {
		fd[i] = open_tun(argv[1 + 2 * i], argv[2 + 2 * i]);
		if (fd[i] < 0) {
			fprintf(stderr, "delay_line: %s in %s: %s\n",
				argv[2 + 2 * i], argv[1 + 2 * i],
				strerror(-fd[i]));
			return 1;
		}
	}
	line.delay_ns = atoi(argv[5]) * 1000ULL;
	line.mbit = atoi(argv[6]);
	line.way[0].from = line.way[1].to = fd[0];
	line.way[1].from = line.way[0].to = fd[1];
	puts("ready");
	fflush(stdout);
	i = carry(&line);
	fprintf(stderr, "delay_line: %s\n", strerror(-i));
	return 1;
}
