// SPDX-License-Identifier: GPL-2.0
/*
 * A channel that waits to send, and the room that it has meanwhile for what comes:
 * a peer that reads only when it has got rid of its own words doesn't wedge it.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/buffers.h"
#include "transport/channel.h"
#include "transport/tcp.h"
#include "umig/raw_peer.h"

#define TIMEOUT_NS 5000000000ULL
#define SOCKET_BYTES (64 << 10)
#define PART_BYTES (64 << 10)
/* All that the peer says is less than a frame may have. */
#define WORDS_BYTES (2 << 20)
#define WORD_BYTES 4096
#define WORDS (WORDS_BYTES / WORD_BYTES - 1)
#define FRAMES 16
#define FRAME_BYTES (1 << 20)

/**
 * struct fixture - The channel, and the peer that faces it.
 * @got: frames that the peer has received.
 */
struct fixture {
	struct channel *ch;
	struct raw_peer peer;
	unsigned int got;
};

static void set_small(int fd, int option)
{
	int bytes = SOCKET_BYTES;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &bytes,
				    sizeof(bytes)), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { 0 };
	char address[32];
	int fd, listen_fd = raw_peer_listen(address, sizeof(address));

	assert_non_null(f);
	fd = tcp_connect(address, -1, TIMEOUT_NS, &err);
	assert_true(fd >= 0);
	f->peer.fd = accept(listen_fd, NULL, NULL);
	assert_true(f->peer.fd >= 0);
	close(listen_fd);
	set_small(fd, SO_RCVBUF);
	set_small(fd, SO_SNDBUF);
	set_small(f->peer.fd, SO_RCVBUF);
	set_small(f->peer.fd, SO_SNDBUF);
	assert_int_equal(channel_open(&f->ch, fd, NULL, -1, TIMEOUT_NS, &err),
			 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	channel_close(f->ch);
	raw_peer_close(&f->peer);
	free(f);
	return 0;
}

/* One frame goes to the channel, and is received. */
static void pass(struct fixture *f, size_t bytes)
{
	static const uint8_t zero[PART_BYTES];
	struct frame_in in;

	raw_peer_send(&f->peer, WIRE_PAGES, zero, bytes);
	assert_int_equal(channel_recv(f->ch, &in, true), 0);
	assert_int_equal(in.bytes, bytes);
	assert_int_equal(channel_recv(f->ch, &in, false), -EAGAIN);
}

/* Let so much pass that only @left bytes of the receive buffer weren't used. */
static void use_receive_buffer(struct fixture *f, size_t left)
{
	size_t room = RECV_BUFFER_BYTES - left;

	while (room) {
		size_t bytes = room < PART_BYTES ? room : PART_BYTES;

		if (room - bytes && room - bytes < sizeof(struct wire_frame))
			bytes -= sizeof(struct wire_frame);
		pass(f, bytes - sizeof(struct wire_frame));
		room -= bytes;
	}
}

/* The peer: it says all that it has to say, and reads then. */
static void *talk_first(void *arg)
{
	static const uint8_t word[WORD_BYTES - sizeof(struct wire_frame)];
	struct fixture *f = arg;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		raw_peer_send(&f->peer, WIRE_REFUSED, word, sizeof(word));
	while (f->got < FRAMES && raw_peer_recv(&f->peer))
		f->got++;
	return NULL;
}

static int send_all(struct fixture *f)
{
	unsigned int i;
	void *room;
	int rc = 0;

	for (i = 0; i < FRAMES && !rc; i++) {
		rc = channel_payload(f->ch, &room);
		if (rc)
			break;
		memset(room, 0, FRAME_BYTES);
		rc = channel_send(f->ch, WIRE_PAGES, FRAME_BYTES);
	}
	return rc ? rc : channel_flush(f->ch);
}

static void send_to_one_who_talks_first(struct fixture *f)
{
	struct frame_in in;
	pthread_t thread;
	unsigned int i;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, talk_first, f), 0);
	rc = send_all(f);
	if (rc)
		shutdown(f->peer.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	assert_int_equal(rc, 0);
	assert_int_equal(f->got, FRAMES);
	for (i = 0; i < WORDS; i++) {
		assert_int_equal(channel_recv(f->ch, &in, true), 0);
		assert_int_equal(in.type, WIRE_REFUSED);
		assert_int_equal(in.bytes,
				 WORD_BYTES - sizeof(struct wire_frame));
	}
}

static void a_fresh_buffer_has_room(void **state)
{
	send_to_one_who_talks_first(*state);
}

static void a_buffer_that_is_nearly_used_up_has_room(void **state)
{
	use_receive_buffer(*state, 100);
	send_to_one_who_talks_first(*state);
}

static void a_buffer_that_is_half_used_has_room(void **state)
{
	use_receive_buffer(*state, FRAME_MAX + 100);
	send_to_one_who_talks_first(*state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_fresh_buffer_has_room),
		T(a_buffer_that_is_nearly_used_up_has_room),
		T(a_buffer_that_is_half_used_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
