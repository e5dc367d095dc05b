// SPDX-License-Identifier: GPL-2.0
/*
 * The engine as the source, against a destination that talks without end, as fast
 * as it goes, where a word from it is due: at the end of a round while the guest
 * runs, and of the last, while it doesn't.  The guest runs on at the source, soon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"

#define FRAMES 4096
#define REFUSED_BYTES (sizeof(struct wire_refused) + sizeof(uint64_t))
#define FRAME_ROOM (sizeof(struct wire_frame) + REFUSED_BYTES)
/* The source is in the midst of it. */
#define CANCEL_AT 256

/* Unread, it would look as silence to the source's kernel. */
static void read_away(struct facing *f)
{
	while (recv(f->peer.fd, f->peer.payload, sizeof(f->peer.payload),
		    MSG_DONTWAIT) > 0)
		;
}

/* A frame of @type; a REFUSED is of page 0, in @round. */
static size_t put_frame(struct facing *f, uint8_t *at, uint16_t type,
			uint32_t round)
{
	const uint64_t gfn = 0;
	size_t bytes = 0;

	if (type == WIRE_REFUSED)
		bytes = msg_refused_encode(at + sizeof(struct wire_frame),
					   round, &gfn, 1);
	wire_frame_encode(at, type, bytes, f->peer.tx_sequence++);
	return sizeof(struct wire_frame) + bytes;
}

/* Until the source hangs up, which is cancelled at @cancel_at; 0: never. */
static void talk(struct facing *f, uint16_t type, uint32_t round,
		 unsigned int cancel_at)
{
	uint64_t until_ns = clock_now_ns() + 20000000000ULL;
	uint8_t many[FRAMES * FRAME_ROOM];
	unsigned int i, times = 0;
	size_t bytes;

	do {
		assert_true(clock_now_ns() < until_ns);
		if (++times == cancel_at)
			assert_int_equal(migration_cancel(f->end.m), 0);
		read_away(f);
		for (bytes = 0, i = 0; i < FRAMES; i++)
			bytes += put_frame(f, many + bytes, type, round);
	} while (send(f->peer.fd, many, bytes, MSG_NOSIGNAL) > 0);
}

/* The source has sent round 1, the guest runs. */
static void play_to_a_live_end(struct facing *f)
{
	/* however slow the disk: the round behind it is the last */
	f->end.params.downtime_limit_ns = 10000000000ULL;
	facing_answer_hello(f);
	facing_play_until(f, WIRE_ROUND_END);
	assert_int_equal(f->end.vm.stops, 0);
}

/* It has sent the last round, the guest doesn't. */
static void play_to_the_last_end(struct facing *f)
{
	play_to_a_live_end(f);
	facing_acknowledge(f, 1);
	facing_play_until(f, WIRE_ROUND_END);
	assert_int_equal(f->end.vm.stops, 1);
}

static void refusals_do_not_draw_out_a_round(void **state)
{
	struct facing *f = *state;

	play_to_a_live_end(f);
	talk(f, WIRE_REFUSED, 1, 0);
	facing_assert_stayed(f, "refused pages of round 1 that came whole");
}

static void refusals_do_not_draw_out_the_last_round(void **state)
{
	struct facing *f = *state;

	play_to_the_last_end(f);
	talk(f, WIRE_REFUSED, 2, 0);
	facing_assert_stayed(f, "refused pages of round 2 that came whole");
	assert_int_equal(f->end.vm.starts, 1);
}

static void signs_of_life_do_not_draw_out_a_round(void **state)
{
	struct facing *f = *state;

	play_to_a_live_end(f);
	talk(f, WIRE_KEEPALIVE, 0, 0);
	facing_assert_stayed(f, "in time");
}

static void signs_of_life_do_not_draw_out_the_last_round(void **state)
{
	struct facing *f = *state;

	play_to_the_last_end(f);
	talk(f, WIRE_KEEPALIVE, 0, 0);
	facing_assert_stayed(f, "in time");
	assert_int_equal(f->end.vm.starts, 1);
}

static void assert_cancelled(struct facing *f)
{
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_CANCELLED);
	assert_true(f->end.vm.running);
	assert_false(f->end.vm.tracking);
}

/* Long before the source has enough by itself. */
static void it_can_be_cancelled_meanwhile(void **state)
{
	struct facing *f = *state;

	f->end.params.peer_timeout_ns = 600000000000ULL;
	play_to_a_live_end(f);
	talk(f, WIRE_KEEPALIVE, 0, CANCEL_AT);
	assert_cancelled(f);
}

static void it_can_be_cancelled_in_the_last_round(void **state)
{
	struct facing *f = *state;

	f->end.params.peer_timeout_ns = 600000000000ULL;
	play_to_the_last_end(f);
	talk(f, WIRE_KEEPALIVE, 0, CANCEL_AT);
	assert_cancelled(f);
	assert_int_equal(f->end.vm.starts, 1);
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, facing_init_source, facing_exit)
	const struct CMUnitTest tests[] = {
		T(refusals_do_not_draw_out_a_round),
		T(refusals_do_not_draw_out_the_last_round),
		T(signs_of_life_do_not_draw_out_a_round),
		T(signs_of_life_do_not_draw_out_the_last_round),
		T(it_can_be_cancelled_meanwhile),
		T(it_can_be_cancelled_in_the_last_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
