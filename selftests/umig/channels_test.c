// SPDX-License-Identifier: GPL-2.0
/*
 * Further connections of a migration, against peers that lie: who may join, what
 * may come by them and when, and what becomes of the guest when one is lost.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/tcp.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"

#define LOW 64
#define HIGH 64
/* Twice what a lane's queue holds. */
#define MANY (8 * WIRE_BATCH_PAGES)

/**
 * struct fixture - The engine's end, and its peer's connections.
 * @facing: the end, and the first of them.
 * @further: the others.
 * @token: who brings it may join.
 */
struct fixture {
	struct facing facing;
	struct raw_peer further[2];
	uint8_t token[WIRE_TOKEN_BYTES];
};

static struct fixture *new_fixture(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->further[0].fd = f->further[1].fd = -1;
	return f;
}

static int setup_target(void **state)
{
	struct fixture *f = new_fixture();

	facing_open_target(&f->facing, LOW, HIGH);
	end_start_target(&f->facing.end, f->facing.address,
			 sizeof(f->facing.address));
	*state = f;
	return 0;
}

static int setup_source_of(void **state, uint64_t high)
{
	struct fixture *f = new_fixture();
	uint64_t i;

	facing_open_source(&f->facing, LOW, high);
	for (i = 0; i < LOW + high; i++)
		fake_vm_write(&f->facing.end.vm, i, i + 1);
	f->facing.end.params.channels = 2;
	*state = f;
	return 0;
}

static int setup_source(void **state)
{
	return setup_source_of(state, HIGH);
}

static int setup_large_source(void **state)
{
	return setup_source_of(state, MANY);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (f->further[i].fd >= 0)
			raw_peer_close(&f->further[i]);
	facing_close(&f->facing);
	free(f);
	return 0;
}

/* Ask for @channels connections, and be given the token. */
static void ask(struct fixture *f, uint32_t channels)
{
	struct raw_peer *p = &f->facing.peer;
	uint8_t msg[sizeof(struct wire_channels)];
	uint32_t n;

	facing_meet_target(&f->facing);
	raw_peer_send(p, WIRE_CHANNELS, msg,
		      msg_channels_encode(msg, channels, f->token));
	if (channels < 2)
		return;
	assert_true(raw_peer_recv(p));
	assert_int_equal(p->type, WIRE_CHANNELS);
	assert_int_equal(msg_channels_decode(&n, f->token, p->payload,
					     p->bytes), 0);
	assert_int_equal(n, channels);
}

/* By further connection @i, from 0, as @number. */
static void join(struct fixture *f, unsigned int i, uint32_t number)
{
	uint8_t msg[sizeof(struct wire_channels)];

	raw_peer_connect(&f->further[i], f->facing.address);
	raw_peer_send(&f->further[i], WIRE_JOIN, msg,
		      msg_channels_encode(msg, number, f->token));
}

static void meet(struct fixture *f)
{
	ask(f, 2);
	join(f, 0, 1);
}

static void send_plain(struct raw_peer *p, uint32_t round, uint64_t gfn,
		       uint64_t seed)
{
	uint8_t page[UMIG_PAGE_SIZE];

	fake_page(page, seed);
	raw_peer_run(p, round, gfn, 1, WIRE_RUN_PLAIN, page, sizeof(page));
}

static void send_zero_all(struct raw_peer *p, uint32_t round)
{
	raw_peer_run(p, round, 0, LOW, WIRE_RUN_ZERO, NULL, 0);
	raw_peer_run(p, round, 0x100000, HIGH, WIRE_RUN_ZERO, NULL, 0);
}

static void end_round(struct raw_peer *p, uint32_t round)
{
	uint8_t msg[sizeof(struct wire_round)];

	raw_peer_send(p, WIRE_ROUND_END, msg, msg_round_encode(msg, round));
}

static void sync_round(struct fixture *f, uint32_t round)
{
	end_round(&f->further[0], round);
	end_round(&f->facing.peer, round);
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_ROUND_ACK));
}

static void take_over(struct fixture *f)
{
	static const uint8_t id[HANDOVER_ID_BYTES] = "a migration";
	struct raw_peer *p = &f->facing.peer;
	uint64_t value = htole64(42);
	uint8_t msg[64];

	raw_peer_send(p, WIRE_STATE, msg,
		      msg_state_encode(msg, 8, 0, &value, 8));
	raw_peer_send(p, WIRE_PREPARE, id, sizeof(id));
	assert_true(raw_peer_skip_to(p, WIRE_READY));
	raw_peer_send(p, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(p, WIRE_STARTED));
	assert_true(end_wait_final(&f->facing.end));
	assert_int_equal(f->facing.end.last.state, MIGRATE_COMPLETED);
}

static void assert_never_ran(struct fixture *f, const char *error)
{
	assert_true(end_wait_final(&f->facing.end));
	assert_int_equal(f->facing.end.last.state, MIGRATE_FAILED);
	assert_int_equal(f->facing.end.vm.starts, 0);
	facing_assert_says(&f->facing, error);
}

static void assert_page(struct fixture *f, uint64_t index, uint64_t seed)
{
	uint8_t page[UMIG_PAGE_SIZE];

	fake_page(page, seed);
	assert_memory_equal(fake_vm_page(&f->facing.end.vm, index), page,
			    sizeof(page));
}

static void pages_of_both_make_the_guest(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	sync_round(f, 1);
	send_plain(&f->further[0], 2, 3, 7);
	send_plain(&f->facing.peer, 2, 4, 8);
	sync_round(f, 2);
	/* in the next round the other brings it */
	send_plain(&f->facing.peer, 3, 3, 9);
	sync_round(f, 3);
	take_over(f);
	assert_page(f, 3, 9);
	assert_page(f, 4, 8);
}

static void who_has_not_the_token_stays_outside(void **state)
{
	struct fixture *f = *state;

	ask(f, 2);
	f->token[5] ^= 1;
	join(f, 1, 1);
	assert_false(raw_peer_recv(&f->further[1]));
	f->token[5] ^= 1;
	/* a number that there isn't */
	raw_peer_close(&f->further[1]);
	join(f, 1, 2);
	assert_false(raw_peer_recv(&f->further[1]));
	join(f, 0, 1);
	send_zero_all(&f->facing.peer, 1);
	sync_round(f, 1);
	take_over(f);
}

static void a_number_is_given_once(void **state)
{
	struct fixture *f = *state;

	ask(f, 3);
	join(f, 0, 1);
	join(f, 1, 1);
	assert_false(raw_peer_recv(&f->further[1]));
	raw_peer_close(&f->further[1]);
	join(f, 1, 2);
	send_zero_all(&f->facing.peer, 1);
	end_round(&f->further[1], 1);
	sync_round(f, 1);
	take_over(f);
}

static void nobody_joins_later(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	sync_round(f, 1);
	assert_int_equal(tcp_connect(f->facing.address, -1, 1000000000ULL,
				     NULL), -ECONNREFUSED);
}

static void one_channel_needs_no_asking(void **state)
{
	struct fixture *f = *state;

	ask(f, 1);
	assert_never_ran(f, "malformed CHANNELS");
}

static void no_ack_before_all_have_ended_the_round(void **state)
{
	struct fixture *f = *state;
	struct timeval tv = { .tv_usec = 200000 };

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	end_round(&f->facing.peer, 1);
	setsockopt(f->facing.peer.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_false(raw_peer_recv(&f->facing.peer));
	send_plain(&f->further[0], 1, 3, 7);
	end_round(&f->further[0], 1);
	tv = (struct timeval){ .tv_sec = 10 };
	setsockopt(f->facing.peer.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_ROUND_ACK));
	assert_page(f, 3, 7);
}

/* It waits for the source, and the source waits for it. */
static void the_source_hears_of_who_waits_for_a_round(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	end_round(&f->facing.peer, 1);
	f->facing.peer.keepalive_too = true;
	assert_true(raw_peer_recv(&f->facing.peer));
	assert_int_equal(f->facing.peer.type, WIRE_KEEPALIVE);
	end_round(&f->further[0], 1);
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_ROUND_ACK));
	f->facing.peer.keepalive_too = false;
	take_over(f);
}

static void a_lost_connection_ends_no_round(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	send_plain(&f->further[0], 1, 3, 7);
	raw_peer_close(&f->further[0]);
	end_round(&f->facing.peer, 1);
	assert_never_ran(f, "further connection");
}

static void a_round_that_is_not_open_is_refused(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_plain(&f->further[0], 2, 3, 7);
	assert_false(raw_peer_recv(&f->further[0]));
	end_round(&f->facing.peer, 1);
	assert_never_ran(f, "pages of round 2 in round 1");
}

static void pages_behind_the_round_are_refused(void **state)
{
	struct fixture *f = *state;

	meet(f);
	end_round(&f->further[0], 1);
	send_plain(&f->further[0], 1, 3, 7);
	assert_false(raw_peer_recv(&f->further[0]));
	raw_peer_send(&f->facing.peer, WIRE_VERIFY, NULL, 0);
	assert_never_ran(f, "behind the end of their round");
}

static void what_is_named_does_not_come_that_way(void **state)
{
	struct fixture *f = *state;
	struct wire_duplicate dup = { .round = htole32(1) };

	meet(f);
	raw_peer_run(&f->further[0], 1, 3, 1, WIRE_RUN_DUPLICATE, &dup,
		     sizeof(dup));
	assert_false(raw_peer_recv(&f->further[0]));
	end_round(&f->facing.peer, 1);
	assert_never_ran(f, "class 3");
}

static void nor_does_anything_else(void **state)
{
	struct fixture *f = *state;

	meet(f);
	raw_peer_send(&f->further[0], WIRE_GO, NULL, 0);
	assert_false(raw_peer_recv(&f->further[0]));
	end_round(&f->facing.peer, 1);
	assert_never_ran(f, "GO on a further connection");
}

static void none_is_left_when_the_state_comes(void **state)
{
	struct fixture *f = *state;

	meet(f);
	send_zero_all(&f->facing.peer, 1);
	sync_round(f, 1);
	take_over(f);
	assert_false(raw_peer_recv(&f->further[0]));
}

/* ---- the engine is the source ---- */

static void meet_source(struct fixture *f)
{
	struct raw_peer *p = &f->facing.peer;
	uint8_t msg[sizeof(struct wire_channels)];

	facing_answer_hello(&f->facing);
	assert_true(raw_peer_recv(p));
	assert_int_equal(p->type, WIRE_CHANNELS);
	memset(f->token, 5, sizeof(f->token));
	raw_peer_send(p, WIRE_CHANNELS, msg,
		      msg_channels_encode(msg, 2, f->token));
}

static void source_joins_with_the_token(void **state)
{
	struct fixture *f = *state;
	uint8_t token[WIRE_TOKEN_BYTES];
	uint32_t n;

	meet_source(f);
	raw_peer_accept(&f->further[0], f->facing.listen_fd);
	assert_true(raw_peer_recv(&f->further[0]));
	assert_int_equal(f->further[0].type, WIRE_JOIN);
	assert_int_equal(msg_channels_decode(&n, token, f->further[0].payload,
					     f->further[0].bytes), 0);
	assert_int_equal(n, 1);
	assert_memory_equal(token, f->token, sizeof(token));
	/* it ends the round there first */
	assert_true(raw_peer_skip_to(&f->further[0], WIRE_ROUND_END));
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_ROUND_END));
	raw_peer_close(&f->facing.peer);
	facing_assert_stayed(&f->facing, "");
}

/* A lane that takes its time holds up the first channel, too. */
static void the_destination_hears_of_a_source_that_waits_for_a_lane(
	void **state)
{
	struct fixture *f = *state;
	int few = 65536;

	assert_int_equal(setsockopt(f->facing.listen_fd, SOL_SOCKET, SO_RCVBUF,
				    &few, sizeof(few)), 0);
	f->facing.end.params.peer_timeout_ns = 20000000000ULL;
	meet_source(f);
	raw_peer_accept(&f->further[0], f->facing.listen_fd);
	f->facing.peer.keepalive_too = true;
	do
		assert_true(raw_peer_recv(&f->facing.peer));
	while (f->facing.peer.type != WIRE_KEEPALIVE);
	assert_true(raw_peer_skip_to(&f->further[0], WIRE_ROUND_END));
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_ROUND_END));
	raw_peer_close(&f->facing.peer);
	facing_assert_stayed(&f->facing, "");
}

/* Nothing but KEEPALIVE where further connections were asked for. */
static void source_does_not_wait_for_the_token_without_end(void **state)
{
	struct fixture *f = *state;
	struct migrate_report r;

	f->facing.end.params.peer_timeout_ns = 1000000000ULL;
	facing_answer_hello(&f->facing);
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_CHANNELS));
	do {
		raw_peer_send(&f->facing.peer, WIRE_KEEPALIVE, NULL, 0);
		usleep(50000);
		migration_query(f->facing.end.m, &r);
	} while (!migrate_state_final(r.state) && r.total_ns < 20000000000ULL);
	facing_assert_stayed(&f->facing, "in time");
}

static void source_keeps_the_guest_if_it_cannot_join(void **state)
{
	struct fixture *f = *state;

	shutdown(f->facing.listen_fd, SHUT_RDWR);
	close(f->facing.listen_fd);
	f->facing.listen_fd = raw_peer_listen(f->facing.address,
					      sizeof(f->facing.address));
	facing_answer_hello(&f->facing);
	assert_true(raw_peer_skip_to(&f->facing.peer, WIRE_CHANNELS));
	close(f->facing.listen_fd);
	f->facing.listen_fd = -1;
	raw_peer_send(&f->facing.peer, WIRE_CHANNELS, f->facing.peer.payload,
		      f->facing.peer.bytes);
	facing_assert_stayed(&f->facing, "");
}

static void source_keeps_the_guest_if_a_connection_is_lost(void **state)
{
	struct fixture *f = *state;

	f->facing.end.params.downtime_limit_ns = 0;
	meet_source(f);
	raw_peer_accept(&f->further[0], f->facing.listen_fd);
	raw_peer_close(&f->further[0]);
	/* what was lost is told, or is seen in the next round */
	while (raw_peer_recv(&f->facing.peer))
		facing_play_along(&f->facing);
	facing_assert_stayed(&f->facing, "");
}

#define TARGET_TEST(f) cmocka_unit_test_setup_teardown(f, setup_target, \
						       teardown)
#define SOURCE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_source, \
						       teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TARGET_TEST(pages_of_both_make_the_guest),
		TARGET_TEST(who_has_not_the_token_stays_outside),
		TARGET_TEST(a_number_is_given_once),
		TARGET_TEST(nobody_joins_later),
		TARGET_TEST(one_channel_needs_no_asking),
		TARGET_TEST(no_ack_before_all_have_ended_the_round),
		TARGET_TEST(the_source_hears_of_who_waits_for_a_round),
		TARGET_TEST(a_lost_connection_ends_no_round),
		TARGET_TEST(a_round_that_is_not_open_is_refused),
		TARGET_TEST(pages_behind_the_round_are_refused),
		TARGET_TEST(what_is_named_does_not_come_that_way),
		TARGET_TEST(nor_does_anything_else),
		TARGET_TEST(none_is_left_when_the_state_comes),
		SOURCE_TEST(source_joins_with_the_token),
		cmocka_unit_test_setup_teardown(
			the_destination_hears_of_a_source_that_waits_for_a_lane,
			setup_large_source, teardown),
		SOURCE_TEST(source_does_not_wait_for_the_token_without_end),
		SOURCE_TEST(source_keeps_the_guest_if_it_cannot_join),
		SOURCE_TEST(source_keeps_the_guest_if_a_connection_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
