// SPDX-License-Identifier: GPL-2.0
/*
 * A channel's waits, and its end: how long a peer may be silent, and that nothing
 * goes by a connection that was reset.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "transport/channel.h"
#include "transport/tcp.h"
#include "umig/raw_peer.h"

#define TIMEOUT_NS 200000000ULL
#define SECOND_NS 1000000000ULL

/** struct pair - A channel, and the socket at its other end. */
struct pair {
	struct channel *ch;
	int peer;
};

static void pair_init(struct pair *p)
{
	struct err err = { 0 };
	char address[32];
	int fd, listen_fd = raw_peer_listen(address, sizeof(address));

	fd = tcp_connect(address, -1, 5 * SECOND_NS, &err);
	assert_true(fd >= 0);
	p->peer = accept(listen_fd, NULL, NULL);
	assert_true(p->peer >= 0);
	close(listen_fd);
	assert_int_equal(channel_open(&p->ch, fd, NULL, -1, TIMEOUT_NS, &err),
			 0);
}

static void pair_exit(struct pair *p)
{
	channel_close(p->ch);
	close(p->peer);
}

static void a_silent_peer_is_given_up(void **state)
{
	uint64_t began_ns = clock_now_ns();
	struct frame_in in;
	struct pair p;

	(void)state;
	pair_init(&p);
	assert_int_equal(channel_recv(p.ch, &in, true), -ETIMEDOUT);
	assert_true(clock_now_ns() - began_ns >= TIMEOUT_NS);
	pair_exit(&p);
}

/* Until it has had all of a frame it can't be expected to answer it. */
static void a_peer_that_is_being_sent_to_is_not_silent(void **state)
{
	static const uint8_t payload[65536];
	uint64_t began_ns = clock_now_ns();
	struct frame_in in;
	struct pair p;

	(void)state;
	pair_init(&p);
	/* it has, as far as the rate goes, only after a second */
	channel_set_rate(p.ch, sizeof(payload));
	assert_int_equal(channel_send_copy(p.ch, WIRE_PAGES, payload,
					   sizeof(payload)), 0);
	assert_int_equal(channel_recv(p.ch, &in, true), -ETIMEDOUT);
	assert_true(clock_now_ns() - began_ns >= SECOND_NS);
	pair_exit(&p);
}

static void nothing_goes_by_a_connection_that_was_reset(void **state)
{
	struct frame_in in;
	struct pair p;
	uint8_t byte;

	(void)state;
	pair_init(&p);
	channel_abort(p.ch);
	assert_int_equal(channel_send_copy(p.ch, WIRE_GO, NULL, 0),
			 -ECONNRESET);
	assert_int_equal(channel_flush(p.ch), -ECONNRESET);
	assert_int_equal(channel_recv(p.ch, &in, true), -ECONNRESET);
	assert_int_equal(channel_bytes_tx(p.ch), 0);
	assert_int_equal(read(p.peer, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	pair_exit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_peer_is_given_up),
		cmocka_unit_test(a_peer_that_is_being_sent_to_is_not_silent),
		cmocka_unit_test(nothing_goes_by_a_connection_that_was_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
