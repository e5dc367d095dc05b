// SPDX-License-Identifier: GPL-2.0
/*
 * A peer made of raw frames: see raw_peer.h.
 */
#include "umig/raw_peer.h"

#include <assert.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "transport/tcp.h"
#include "wire/hello.h"
#include "wire/preface.h"

int raw_peer_listen(char *address, size_t room)
{
	struct err err = { 0 };
	int fd = tcp_listen("127.0.0.1:0", &err);

	assert(fd >= 0);
	assert(!tcp_set_blocking(fd, true));
	snprintf(address, room, "127.0.0.1:%d", tcp_local_port(fd));
	return fd;
}

static void reset(struct raw_peer *p, int fd)
{
	assert(fd >= 0);
	p->fd = fd;
	p->tx_sequence = 0;
	p->rx_sequence = 0;
	p->type = 0;
}

static void write_all(int fd, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	ssize_t n;

	for (; bytes; at += n, bytes -= n) {
		n = send(fd, at, bytes, MSG_NOSIGNAL);
		if (n <= 0)
			return;	/* the other end has had enough */
	}
}

static bool read_all(int fd, void *data, size_t bytes)
{
	uint8_t *at = data;
	ssize_t n;

	for (; bytes; at += n, bytes -= n) {
		n = recv(fd, at, bytes, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

/* A plain connection's whole handshake. */
static void send_preface(struct raw_peer *p)
{
	uint8_t bytes[WIRE_PREFACE_BYTES];
	struct preface mine = {
		.version = p->version ? p->version : WIRE_VERSION,
		.version_min = p->version ? p->version : WIRE_VERSION_MIN,
		.mode = WIRE_MODE_PLAIN, .status = WIRE_STATUS_OK,
	};

	preface_encode(bytes, &mine);
	write_all(p->fd, bytes, sizeof(bytes));
}

static void recv_preface(struct raw_peer *p)
{
	uint8_t bytes[WIRE_PREFACE_BYTES];

	read_all(p->fd, bytes, sizeof(bytes));
}

void raw_peer_accept(struct raw_peer *p, int listen_fd)
{
	reset(p, accept(listen_fd, NULL, NULL));
	recv_preface(p);
	send_preface(p);
}

void raw_peer_dial(struct raw_peer *p, const char *address)
{
	struct err err = { 0 };

	reset(p, tcp_connect(address, -1, 5000000000ULL, &err));
}

void raw_peer_connect(struct raw_peer *p, const char *address)
{
	raw_peer_dial(p, address);
	send_preface(p);
	recv_preface(p);
}

void raw_peer_close(struct raw_peer *p)
{
	close(p->fd);
	p->fd = -1;
}

void raw_peer_send(struct raw_peer *p, uint16_t type, const void *payload,
		   size_t bytes)
{
	uint8_t head[sizeof(struct wire_frame)];

	wire_frame_encode(head, type, bytes, p->tx_sequence++);
	write_all(p->fd, head, sizeof(head));
	write_all(p->fd, payload, bytes);
}

void raw_peer_hello(struct raw_peer *p, const struct memslots *ms,
		    const char *model, uint32_t flags)
{
	struct hello h = {
		.flags = flags,
		.slots = *ms,
	};
	struct buf b = { 0 };

	assert(!machine_set(&h.machine, "model", "%s", model));
	memcpy(h.key_id, "fleet", 5);
	hello_encode(&h, &b);
	raw_peer_send(p, WIRE_HELLO, b.data, b.len);
	buf_free(&b);
}

void raw_peer_run(struct raw_peer *p, uint32_t round, uint64_t gfn,
		  uint32_t pages, uint8_t class, const void *payload,
		  size_t bytes)
{
	struct wire_pages head = { htole32(round), htole32(1) };
	struct wire_run run = {
		.gfn = htole64(gfn),
		.pages = htole32(pages),
		.class = class,
	};
	uint8_t *msg = malloc(sizeof(head) + sizeof(run) + bytes);

	assert(msg);
	memcpy(msg, &head, sizeof(head));
	memcpy(msg + sizeof(head), &run, sizeof(run));
	if (bytes)
		memcpy(msg + sizeof(head) + sizeof(run), payload, bytes);
	raw_peer_send(p, WIRE_PAGES, msg, sizeof(head) + sizeof(run) + bytes);
	free(msg);
}

bool raw_peer_recv(struct raw_peer *p)
{
	uint8_t head[sizeof(struct wire_frame)];
	struct wire_frame f;

	do {
		if (!read_all(p->fd, head, sizeof(head)))
			return false;
		assert(!wire_frame_decode(head, p->rx_sequence++, &f));
		if (!read_all(p->fd, p->payload, f.length))
			return false;
	} while (f.type == WIRE_KEEPALIVE && !p->keepalive_too);
	p->type = f.type;
	p->bytes = f.length;
	return true;
}

bool raw_peer_skip_to(struct raw_peer *p, uint16_t type)
{
	while (raw_peer_recv(p))
		if (p->type == type)
			return true;
	return false;
}
