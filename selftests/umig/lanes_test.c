// SPDX-License-Identifier: GPL-2.0
/*
 * Lanes by themselves, without an engine: one, to a peer made of raw frames, and
 * a first channel that lies there.
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

#include "lib/clock.h"
#include "migrate/lanes.h"
#include "umig/fake_vm.h"
#include "umig/raw_peer.h"
#include "wire/msgs.h"

#define LOW WIRE_BATCH_PAGES
#define HIGH 8
#define PAGES (LOW + HIGH)
#define PEER_TIMEOUT_NS 15000000000ULL

/**
 * struct fixture - The lanes, and what they need of a migration.
 * @first: the other end of its channel,
 * @lane: and of the lane.
 */
struct fixture {
	struct fake_vm vm;
	struct migration m;
	struct lanes lanes;
	uint8_t class[PAGES];
	struct raw_peer first;
	struct raw_peer lane;
	char address[32];
	int listen_fd;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd[2], few = 65536;
	unsigned int i;

	assert_non_null(f);
	fake_vm_init(&f->vm, LOW, HIGH, true);
	for (i = 0; i < PAGES; i++)
		fake_vm_write(&f->vm, i, i + 1);
	f->listen_fd = raw_peer_listen(f->address, sizeof(f->address));
	assert_int_equal(setsockopt(f->listen_fd, SOL_SOCKET, SO_RCVBUF, &few,
				    sizeof(few)), 0);
	f->lane.fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	f->first.fd = fd[1];
	f->m.ms = &f->vm.ms;
	f->m.address = f->address;
	f->m.cancel_fd = -1;
	f->m.params.peer_timeout_ns = PEER_TIMEOUT_NS;
	assert_int_equal(channel_open(&f->m.ch, fd[0], NULL, -1,
				      PEER_TIMEOUT_NS, NULL), 0);
	lanes_init(&f->lanes, &f->m);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lanes_exit(&f->lanes);
	channel_close(f->m.ch);
	raw_peer_close(&f->first);
	raw_peer_close(&f->lane);
	close(f->listen_fd);
	fake_vm_exit(&f->vm);
	free(f);
	return 0;
}

static void *accept_lane(void *arg)
{
	struct fixture *f = arg;

	raw_peer_accept(&f->lane, f->listen_fd);
	return NULL;
}

static void open_one(struct fixture *f)
{
	static const uint8_t token[WIRE_TOKEN_BYTES] = "a token";
	uint8_t msg[sizeof(struct wire_channels)];
	pthread_t thread;

	raw_peer_send(&f->first, WIRE_CHANNELS, msg,
		      msg_channels_encode(msg, 2, token));
	assert_int_equal(pthread_create(&thread, NULL, accept_lane, f), 0);
	assert_int_equal(lanes_open(&f->lanes, 1, f->class, NULL), 0);
	pthread_join(thread, NULL);
}

/* Until its queue is full, which is more than sockets to a peer like this take. */
static void fill(struct fixture *f)
{
	uint64_t index[WIRE_BATCH_PAGES];
	unsigned int i;

	for (i = 0; i < WIRE_BATCH_PAGES; i++)
		index[i] = i;
	while (lanes_put(&f->lanes, 1, index, WIRE_BATCH_PAGES))
		;
}

static void a_round_ends_behind_all_of_it(void **state)
{
	struct fixture *f = *state;
	uint64_t index = 5;

	open_one(f);
	assert_true(lanes_put(&f->lanes, 1, &index, 1));
	assert_int_equal(lanes_fence(&f->lanes, 1), 0);
	assert_true(raw_peer_skip_to(&f->lane, WIRE_PAGES));
	assert_true(raw_peer_recv(&f->lane));
	assert_int_equal(f->lane.type, WIRE_ROUND_END);
}

/* Nothing is taken; what waits was put when nothing had to be in time yet. */
static void its_end_is_not_waited_for_without_end(void **state)
{
	struct fixture *f = *state;

	open_one(f);
	fill(f);
	channel_set_deadline(f->m.ch, clock_now_ns() + 500000000ULL);
	assert_int_equal(lanes_fence(&f->lanes, 1), -ETIME);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_round_ends_behind_all_of_it),
		T(its_end_is_not_waited_for_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
