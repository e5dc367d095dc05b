// SPDX-License-Identifier: GPL-2.0
/*
 * The engine as the source, against a destination that lies, dies or stays
 * silent: the guest runs at exactly one place, and the user is told what the
 * peer did.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "lib/clock.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"

static const uint8_t no_nonce[MSG_NONCE_BYTES];

static void source_survives_garbage(void **state)
{
	struct facing *f = *state;
	static const char garbage[64] = "HTTP/1.1 400 Bad Request\r\n";

	facing_meet_source(f);
	assert_int_equal(write(f->peer.fd, garbage, sizeof(garbage)),
			 sizeof(garbage));
	facing_assert_stayed(f, "not umig's protocol");
}

static void source_survives_silence(void **state)
{
	struct facing *f = *state;

	facing_answer_hello(f);
	facing_assert_stayed(f, "silent");
}

static void source_survives_a_death(struct facing *f, uint16_t stage)
{
	facing_answer_hello(f);
	facing_play_until(f, stage);
	raw_peer_close(&f->peer);
	facing_assert_stayed(f, "");
	assert_string_not_equal(f->end.last.error, "");
}

static void source_survives_a_death_at_pages(void **state)
{
	source_survives_a_death(*state, WIRE_PAGES);
}

static void source_survives_a_death_at_round_end(void **state)
{
	source_survives_a_death(*state, WIRE_ROUND_END);
}

static void source_survives_a_death_at_state(void **state)
{
	source_survives_a_death(*state, WIRE_STATE);
}

static void source_survives_a_death_at_verify(void **state)
{
	source_survives_a_death(*state, WIRE_VERIFY);
}

static void source_survives_a_death_at_prepare(void **state)
{
	struct facing *f = *state;

	f->end.params.verify = false;
	source_survives_a_death(f, WIRE_PREPARE);
	assert_int_equal(f->end.vm.starts, 1);
}

static void differing_memory_keeps_the_guest(void **state)
{
	struct facing *f = *state;
	uint8_t msg[64];
	uint8_t zero[DIGEST_BYTES] = { 0 };

	facing_answer_hello(f);
	facing_play_until(f, WIRE_VERIFY);
	raw_peer_send(&f->peer, WIRE_DIGESTS, msg,
		      msg_digests_encode(msg, zero, 1));
	facing_assert_stayed(f, "memory differs");
	assert_false(f->end.last.verified);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
}

static void go_without_an_answer(struct facing *f)
{
	f->end.params.verify = false;
	facing_answer_hello(f);
	facing_play_until(f, WIRE_GO);
	raw_peer_close(&f->peer);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_false(f->end.vm.running);
	assert_int_equal(migration_cancel(f->end.m), -EBUSY);
}

static void lost_ack_leaves_the_guest_stopped_until_settled(void **state)
{
	struct facing *f = *state;

	go_without_an_answer(f);
	assert_int_equal(f->end.vm.starts, 0);
	assert_int_equal(migration_settle(f->end.m, false), 0);
	facing_assert_stayed(f, "closed the connection");
	assert_int_equal(f->end.vm.starts, 1);
}

static void downtime_is_until_the_guest_runs_again(void **state)
{
	struct facing *f = *state;
	uint64_t until_unknown_ns, since_ns, waited_ns;

	go_without_an_answer(f);
	until_unknown_ns = f->end.last.downtime_ns;
	assert_true(until_unknown_ns > 0);
	since_ns = clock_now_ns();
	usleep(50000);
	waited_ns = clock_now_ns() - since_ns;
	assert_int_equal(migration_settle(f->end.m, false), 0);
	facing_assert_stayed(f, "closed the connection");
	assert_true(f->end.last.downtime_ns >= until_unknown_ns + waited_ns);
}

static void lost_ack_settled_as_moved_never_runs_here(void **state)
{
	struct facing *f = *state;

	go_without_an_answer(f);
	assert_int_equal(migration_settle(f->end.m, true), 0);
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_false(f->end.vm.running);
	assert_int_equal(f->end.vm.starts, 0);
}

static void lost_ack_then_exit_never_runs_here(void **state)
{
	struct facing *f = *state;

	go_without_an_answer(f);
	migration_free(f->end.m);
	f->end.m = NULL;
	assert_false(f->end.vm.running);
	assert_int_equal(f->end.vm.starts, 0);
}

/* GO is answered only after the source has given up waiting. */
static void answer_late(struct facing *f, uint16_t type)
{
	f->end.params.verify = false;
	facing_answer_hello(f);
	facing_play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_false(f->end.vm.running);
	raw_peer_send(&f->peer, type, NULL, 0);
	assert_true(end_wait_final(&f->end));
}

static void late_word_that_it_started_settles(void **state)
{
	struct facing *f = *state;

	answer_late(f, WIRE_STARTED);
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_int_equal(f->end.vm.starts, 0);
}

static void late_word_that_it_did_not_start_settles(void **state)
{
	struct facing *f = *state;

	answer_late(f, WIRE_NOT_STARTED);
	facing_assert_stayed(f, "could not start");
	assert_int_equal(f->end.vm.starts, 1);
}

static void settling_twice_is_refused(void **state)
{
	struct facing *f = *state;

	go_without_an_answer(f);
	assert_int_equal(migration_settle(f->end.m, true), 0);
	assert_int_equal(migration_settle(f->end.m, false), -EINVAL);
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_int_equal(f->end.vm.starts, 0);
}

/* What the source has said no more, the destination must not hear any more. */
static void settled_as_stayed_hangs_up_for_good(void **state)
{
	struct facing *f = *state;
	uint8_t byte;

	f->end.params.verify = false;
	facing_answer_hello(f);
	facing_play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_int_equal(migration_settle(f->end.m, false), 0);
	facing_assert_stayed(f, "in time");
	assert_int_equal(read(f->peer.fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

/* The connection is gone before what sent by it ends. */
static void settled_as_stayed_with_compression_ends_in_order(void **state)
{
	struct facing *f = *state;

	f->end.params.verify = false;
	f->end.params.pack.automatic = true;
	facing_meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_CODECS);
	facing_play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_int_equal(migration_settle(f->end.m, false), 0);
	facing_assert_stayed(f, "in time");
	assert_int_equal(f->end.vm.starts, 1);
	assert_true(f->end.last.bytes_tx > 0);
}

static void word_that_it_did_not_start_gives_the_guest_back(void **state)
{
	struct facing *f = *state;

	f->end.params.verify = false;
	facing_answer_hello(f);
	facing_play_until(f, WIRE_GO);
	raw_peer_send(&f->peer, WIRE_NOT_STARTED, "no disk", 7);
	facing_assert_stayed(f, "no disk");
}

static void ready_before_it_was_asked_for_is_refused(void **state)
{
	struct facing *f = *state;

	facing_answer_hello(f);
	raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
	facing_assert_stayed(f, "READY");
	assert_int_equal(f->end.vm.stops, 0);
}

static void answer_to_nothing_is_refused(void **state)
{
	struct facing *f = *state;
	uint8_t msg[64];
	uint8_t bits = 0xff;

	facing_answer_hello(f);
	raw_peer_send(&f->peer, WIRE_ANSWER, msg,
		      msg_answer_encode(msg, 0, 8, no_nonce, &bits));
	facing_assert_stayed(f, "offers that were not made");
}

static void refusal_of_a_page_that_is_not_ours_is_refused(void **state)
{
	struct facing *f = *state;
	uint64_t gfn = FACING_LOW;	/* the hole */
	uint8_t msg[64];

	facing_answer_hello(f);
	raw_peer_send(&f->peer, WIRE_REFUSED, msg,
		      msg_refused_encode(msg, 1, &gfn, 1));
	facing_assert_stayed(f, "0x40");
}

/* Nothing but KEEPALIVE: an offer is not waited for without end. */
static void offers_without_an_answer_end_it(void **state)
{
	struct facing *f = *state;
	struct migrate_report r;

	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set_run(f->digests.merged, 0, 1);
	f->end.params.digests = &f->digests.ds;
	facing_answer_hello(f);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_OFFER));
	do {
		raw_peer_send(&f->peer, WIRE_KEEPALIVE, NULL, 0);
		usleep(50000);
		migration_query(f->end.m, &r);
	} while (!migrate_state_final(r.state) && r.total_ns < 20000000000ULL);
	facing_assert_stayed(f, "in time");
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, facing_init_source, facing_exit)
	const struct CMUnitTest tests[] = {
		T(source_survives_garbage),
		T(source_survives_silence),
		T(source_survives_a_death_at_pages),
		T(source_survives_a_death_at_round_end),
		T(source_survives_a_death_at_state),
		T(source_survives_a_death_at_verify),
		T(source_survives_a_death_at_prepare),
		T(differing_memory_keeps_the_guest),
		T(lost_ack_leaves_the_guest_stopped_until_settled),
		T(downtime_is_until_the_guest_runs_again),
		T(lost_ack_settled_as_moved_never_runs_here),
		T(lost_ack_then_exit_never_runs_here),
		T(late_word_that_it_started_settles),
		T(late_word_that_it_did_not_start_settles),
		T(settling_twice_is_refused),
		T(settled_as_stayed_hangs_up_for_good),
		T(settled_as_stayed_with_compression_ends_in_order),
		T(word_that_it_did_not_start_gives_the_guest_back),
		T(ready_before_it_was_asked_for_is_refused),
		T(answer_to_nothing_is_refused),
		T(refusal_of_a_page_that_is_not_ours_is_refused),
		T(offers_without_an_answer_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
