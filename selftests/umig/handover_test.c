// SPDX-License-Identifier: GPL-2.0
/*
 * The handover of the engine against a peer that a test plays: what is on disk
 * at each moment, who can call it off until when, what a peer can't draw out,
 * and that the guest is ready to migrate again right after.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "migrate/handover.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"

#define LOW 32
#define HIGH 32
#define TIMEOUT_NS 2000000000ULL

static const uint8_t id[HANDOVER_ID_BYTES] = "a migration's id";

static struct facing *new_facing(void)
{
	struct facing *f = malloc(sizeof(*f));

	assert_non_null(f);
	return f;
}

static int setup_source(void **state)
{
	struct facing *f = new_facing();
	unsigned int i;

	facing_open_source(f, LOW, HIGH);
	f->end.params.peer_timeout_ns = TIMEOUT_NS;
	for (i = 0; i < LOW; i++)
		fake_vm_write(&f->end.vm, i, 1 + i);
	*state = f;
	return 0;
}

static int setup_target(void **state)
{
	struct facing *f = new_facing();

	facing_open_target(f, LOW, HIGH);
	f->end.params.peer_timeout_ns = TIMEOUT_NS;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

/* ---- what is on disk ---- */

static struct handover_record recorded(struct end *e)
{
	struct handover_record r = { 0 };
	struct err err = { 0 };
	bool alive;
	int rc = handover_store_peek(e->state_dir, "vm", &r, &alive, &err);

	if (rc && rc != -ENOENT)
		fail_msg("%s", err_text(&err));
	return r;		/* phase 0: there is none */
}

static void assert_phase(struct end *e, enum handover_phase phase)
{
	struct handover_record r = recorded(e);

	assert_int_equal(r.phase, phase);
}

/* From now on no record can be written there. */
static void spoil_store(struct end *e)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vm.handover.new", e->state_dir);
	/* one may be staged, or just be being staged */
	while (mkdir(path, 0700)) {
		assert_int_equal(errno, EEXIST);
		unlink(path);
	}
}

static void mend_store(struct end *e)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vm.handover.new", e->state_dir);
	assert_int_equal(rmdir(path), 0);
}

/* ---- the engine is the source, the peer plays the destination ---- */

/* Play along until the source says @stage, for the @nth time. */
static void play_until(struct facing *f, uint16_t stage, unsigned int nth)
{
	while (raw_peer_recv(&f->peer)) {
		if (f->peer.type == stage && !--nth)
			return;
		facing_play_along(f);
	}
	fail_msg("the source never sent %s", wire_type_name(stage));
}

static void meet_until(struct facing *f, uint16_t stage)
{
	f->end.params.verify = stage == WIRE_VERIFY;
	facing_answer_hello(f);
	play_until(f, stage, 1);
}

static void assert_ended(struct facing *f, enum migrate_state state,
			 bool running)
{
	assert_true(end_wait_final(&f->end));
	if (f->end.last.state != state)
		fail_msg("it is %s: %s",
			 migrate_state_name(f->end.last.state),
			 f->end.last.error);
	assert_int_equal(f->end.vm.running, running);
}

/* The guest stayed: it goes to a real destination at once. */
static void migrates_now(struct facing *f)
{
	struct end *second = calloc(1, sizeof(*second));
	char address[32];

	assert_non_null(second);
	assert_true(f->end.vm.running);
	assert_phase(&f->end, 0);
	migration_free(f->end.m);
	f->end.m = NULL;
	f->end.params.verify = true;
	f->end.params.peer_timeout_ns = 5000000000ULL;
	end_init(second, LOW, HIGH, false);
	end_start_target(second, address, sizeof(address));
	end_start_source(&f->end, address);
	assert_ended(f, MIGRATE_COMPLETED, false);
	assert_true(end_wait_final(second));
	assert_true(second->vm.running);
	assert_phase(&f->end, HANDOVER_PHASE_MOVED);
	assert_phase(second, HANDOVER_PHASE_STARTED);
	assert_memory_equal(recorded(&f->end).id, recorded(second).id,
			    HANDOVER_ID_BYTES);
	end_exit(second);
	free(second);
}

static void cancelled_at(struct facing *f)
{
	assert_int_equal(migration_cancel(f->end.m), 0);
	assert_ended(f, MIGRATE_CANCELLED, true);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_CANCEL));
	migrates_now(f);
}

static void cancel_before_the_hello_is_answered(void **state)
{
	struct facing *f = *state;

	facing_meet_source(f);
	cancelled_at(f);
}

static void cancel_at_pages(void **state)
{
	meet_until(*state, WIRE_PAGES);
	cancelled_at(*state);
}

static void cancel_at_the_end_of_a_round(void **state)
{
	meet_until(*state, WIRE_ROUND_END);
	cancelled_at(*state);
}

static void cancel_in_the_last_round(void **state)
{
	struct facing *f = *state;

	facing_answer_hello(f);
	play_until(f, WIRE_ROUND_END, 2);
	assert_false(f->end.vm.running);
	cancelled_at(f);
}

static void cancel_at_verify(void **state)
{
	meet_until(*state, WIRE_VERIFY);
	cancelled_at(*state);
}

static void cancel_at_prepare(void **state)
{
	meet_until(*state, WIRE_PREPARE);
	cancelled_at(*state);
}

static void cancel_behind_ready_is_refused(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	assert_int_equal(migration_cancel(f->end.m), -EBUSY);
	raw_peer_send(&f->peer, WIRE_STARTED, NULL, 0);
	assert_ended(f, MIGRATE_COMPLETED, false);
}

static void record_is_there_before_go(void **state)
{
	struct facing *f = *state;
	uint8_t said[HANDOVER_ID_BYTES];
	struct handover_record r;

	meet_until(f, WIRE_PREPARE);
	assert_phase(&f->end, 0);
	assert_int_equal(f->peer.bytes, sizeof(said));
	memcpy(said, f->peer.payload, sizeof(said));
	facing_play_along(f);
	play_until(f, WIRE_GO, 1);
	r = recorded(&f->end);
	assert_int_equal(r.phase, HANDOVER_PHASE_HANDOVER);
	assert_memory_equal(r.id, said, sizeof(said));
	assert_string_equal(r.peer, f->address);
	raw_peer_send(&f->peer, WIRE_STARTED, NULL, 0);
	assert_ended(f, MIGRATE_COMPLETED, false);
	assert_phase(&f->end, HANDOVER_PHASE_MOVED);
}

static void record_outlives_a_process_that_does_not_know(void **state)
{
	struct facing *f = *state;
	struct err err = { 0 };

	meet_until(f, WIRE_GO);
	raw_peer_close(&f->peer);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	migration_free(f->end.m);
	f->end.m = NULL;
	assert_int_equal(f->end.vm.starts, 0);
	assert_int_equal(handover_store_admit(f->end.params.store, true, &err),
			 -EBUSY);
	assert_int_equal(handover_settle(f->end.params.store, false, NULL), 0);
	assert_int_equal(handover_store_admit(f->end.params.store, true, NULL),
			 0);
	assert_int_equal(handover_settle(f->end.params.store, false, NULL),
			 -ENOENT);
}

static void word_that_it_did_not_start_removes_the_record(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	raw_peer_send(&f->peer, WIRE_NOT_STARTED, "no disk", 7);
	assert_ended(f, MIGRATE_FAILED, true);
	facing_assert_says(f, "no disk");
	migrates_now(f);
}

static void error_after_go_is_such_a_word(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	raw_peer_send(&f->peer, WIRE_ERROR, "no memory", 9);
	assert_ended(f, MIGRATE_FAILED, true);
	facing_assert_says(f, "no memory");
	migrates_now(f);
}

static void settled_as_stayed_it_can_migrate_again(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	raw_peer_close(&f->peer);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_phase(&f->end, HANDOVER_PHASE_HANDOVER);
	assert_int_equal(migration_settle(f->end.m, false), 0);
	assert_ended(f, MIGRATE_FAILED, true);
	migrates_now(f);
}

static void garbage_after_go_decides_nothing(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	raw_peer_send(&f->peer, WIRE_ROUND_ACK, NULL, 0);
	assert_int_equal(migration_settle(f->end.m, true), 0);
	assert_ended(f, MIGRATE_COMPLETED, false);
	assert_phase(&f->end, HANDOVER_PHASE_MOVED);
}

static void started_before_go_is_a_lie(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_PREPARE);
	raw_peer_send(&f->peer, WIRE_STARTED, NULL, 0);
	assert_ended(f, MIGRATE_FAILED, true);
	facing_assert_says(f, "STARTED");
	migrates_now(f);
}

static void without_a_record_go_is_not_said(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_PREPARE);
	spoil_store(&f->end);
	facing_play_along(f);
	assert_ended(f, MIGRATE_FAILED, true);
	facing_assert_says(f, "vm.handover can't be written");
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_ERROR);
	mend_store(&f->end);
	migrates_now(f);
}

static void without_room_for_a_record_nothing_begins(void **state)
{
	struct facing *f = *state;
	struct migration *m;
	struct err err = { 0 };

	spoil_store(&f->end);
	f->end.params.address = f->address;
	assert_int_equal(migration_start_source(&m, &fake_vm_ops, &f->end.vm,
						&f->end.params, NULL, NULL,
						&err), -EISDIR);
	assert_non_null(strstr(err_text(&err), "make room"));
	mend_store(&f->end);
}

/* Say nothing but KEEPALIVE until the source has left @stage. */
static void draw_out(struct facing *f)
{
	struct migrate_report r;
	unsigned int i = 0;

	do {
		raw_peer_send(&f->peer, WIRE_KEEPALIVE, NULL, 0);
		usleep(50000);
		migration_query(f->end.m, &r);
		assert_true(++i < 400);
	} while (!migrate_state_final(r.state) &&
		 r.state != MIGRATE_HANDOVER_UNKNOWN);
}

static void drawn_out_at(struct facing *f, uint16_t stage)
{
	meet_until(f, stage);
	draw_out(f);
	assert_ended(f, MIGRATE_FAILED, true);
	facing_assert_says(f, "in time");
	migrates_now(f);
}

static void keep_alives_do_not_draw_out_a_round(void **state)
{
	drawn_out_at(*state, WIRE_ROUND_END);
}

static void keep_alives_do_not_draw_out_verify(void **state)
{
	drawn_out_at(*state, WIRE_VERIFY);
}

static void keep_alives_do_not_draw_out_prepare(void **state)
{
	drawn_out_at(*state, WIRE_PREPARE);
}

static void keep_alives_do_not_draw_out_the_hello(void **state)
{
	struct facing *f = *state;

	end_start_source(&f->end, f->address);
	raw_peer_accept(&f->peer, f->listen_fd);
	draw_out(f);
	assert_ended(f, MIGRATE_FAILED, true);
	migrates_now(f);
}

static void keep_alives_do_not_draw_out_the_handover(void **state)
{
	struct facing *f = *state;

	meet_until(f, WIRE_GO);
	draw_out(f);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_int_equal(f->end.vm.starts, 0);
	/* and is still heard */
	raw_peer_send(&f->peer, WIRE_STARTED, NULL, 0);
	assert_ended(f, MIGRATE_COMPLETED, false);
}

/* ---- the engine is the destination, the peer plays the source ---- */

static void send_zeroes(struct facing *f)
{
	struct {
		struct wire_pages head;
		struct wire_run run[2];
	} __attribute__((packed)) all = {
		{ .round = 1, .runs = 2 },
		{ { .gfn = 0, .pages = LOW, .class = WIRE_RUN_ZERO },
		  { .gfn = 0x100000, .pages = HIGH, .class = WIRE_RUN_ZERO } },
	};
	uint8_t round[sizeof(struct wire_round)];

	raw_peer_send(&f->peer, WIRE_PAGES, &all, sizeof(all));
	raw_peer_send(&f->peer, WIRE_ROUND_END, round,
		      msg_round_encode(round, 1));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ROUND_ACK));
}

static void send_state(struct facing *f)
{
	uint8_t msg[64];

	raw_peer_send(&f->peer, WIRE_STATE, msg,
		      msg_state_encode(msg, 8, 0, "a state", 8));
}

static void come_to_ready(struct facing *f)
{
	facing_meet_target(f);
	send_zeroes(f);
	send_state(f);
	raw_peer_send(&f->peer, WIRE_PREPARE, id, sizeof(id));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_READY));
	assert_phase(&f->end, 0);
}

static void assert_never_ran(struct facing *f, enum migrate_state state)
{
	assert_ended(f, state, false);
	assert_int_equal(f->end.vm.starts, 0);
	assert_phase(&f->end, 0);
}

static struct end *starting;
static enum handover_phase phase_at_start;

static void note_phase(struct fake_vm *vm)
{
	(void)vm;
	phase_at_start = recorded(starting).phase;
}

static void record_is_there_before_the_guest_runs(void **state)
{
	struct facing *f = *state;
	struct handover_record r;

	come_to_ready(f);
	starting = &f->end;
	f->end.vm.on_start = note_phase;
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_STARTED));
	assert_ended(f, MIGRATE_COMPLETED, true);
	assert_int_equal(phase_at_start, HANDOVER_PHASE_STARTING);
	r = recorded(&f->end);
	assert_int_equal(r.phase, HANDOVER_PHASE_STARTED);
	assert_memory_equal(r.id, id, sizeof(id));
	assert_non_null(strstr(r.peer, "127.0.0.1:"));
}

static void start_slowly(struct fake_vm *vm)
{
	(void)vm;
	usleep(3000000);	/* longer than the wait for GO may last */
}

static void who_starts_slowly_is_heard_all_the_same(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	f->end.vm.on_start = start_slowly;
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_STARTED));
	assert_ended(f, MIGRATE_COMPLETED, true);
	assert_string_equal(f->end.last.warning, "");
}

static void without_a_record_it_does_not_start(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	spoil_store(&f->end);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_NOT_STARTED));
	assert_never_ran(f, MIGRATE_FAILED);
	facing_assert_says(f, "vm.handover can't be written");
	mend_store(&f->end);
}

/* It had moved away, and fails to come back: it still is the other host's. */
static void without_a_record_the_one_before_still_holds(void **state)
{
	struct handover_record moved = { .name = "vm", .peer = "there",
					 .phase = HANDOVER_PHASE_MOVED };
	struct facing *f = *state;

	assert_int_equal(handover_store_write(f->end.params.store, &moved,
					      NULL), 0);
	facing_meet_target(f);
	send_zeroes(f);
	send_state(f);
	raw_peer_send(&f->peer, WIRE_PREPARE, id, sizeof(id));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_READY));
	spoil_store(&f->end);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_NOT_STARTED));
	assert_ended(f, MIGRATE_FAILED, false);
	assert_phase(&f->end, HANDOVER_PHASE_MOVED);
	mend_store(&f->end);
}

static void who_cannot_start_leaves_no_record(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	f->end.vm.fail_starts = 1;
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_NOT_STARTED));
	assert_never_ran(f, MIGRATE_FAILED);
	facing_assert_says(f, "disk is in use");
}

/* GO and the end of the link: the guest runs, and nobody can be told. */
static void go_from_a_source_that_vanishes_counts(void **state)
{
	const struct linger rst = { .l_onoff = 1 };
	struct facing *f = *state;

	come_to_ready(f);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	usleep(20000);
	setsockopt(f->peer.fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	raw_peer_close(&f->peer);
	assert_ended(f, MIGRATE_COMPLETED, true);
	assert_phase(&f->end, HANDOVER_PHASE_STARTED);
}

static void quit_overtakes_go(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	assert_int_equal(migration_cancel(f->end.m), 0);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_CANCEL));
	assert_never_ran(f, MIGRATE_CANCELLED);
}

static void quit_behind_go_is_refused(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_STARTED));
	assert_true(migration_cancel(f->end.m) < 0);
	assert_ended(f, MIGRATE_COMPLETED, true);
}

static void quit_at_pages(void **state)
{
	struct facing *f = *state;

	facing_meet_target(f);
	send_zeroes(f);
	assert_int_equal(migration_cancel(f->end.m), 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_CANCEL));
	assert_never_ran(f, MIGRATE_CANCELLED);
}

static void quit_at_the_state(void **state)
{
	struct facing *f = *state;

	facing_meet_target(f);
	send_zeroes(f);
	send_state(f);
	assert_int_equal(migration_cancel(f->end.m), 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_CANCEL));
	assert_never_ran(f, MIGRATE_CANCELLED);
}

static void prepare_without_an_id_is_refused(void **state)
{
	struct facing *f = *state;

	facing_meet_target(f);
	send_zeroes(f);
	send_state(f);
	raw_peer_send(&f->peer, WIRE_PREPARE, id, sizeof(id) - 1);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
	assert_never_ran(f, MIGRATE_FAILED);
	facing_assert_says(f, "malformed PREPARE");
}

static void go_with_a_payload_is_refused(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	raw_peer_send(&f->peer, WIRE_GO, "!", 1);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
	assert_never_ran(f, MIGRATE_FAILED);
}

static void keep_alives_do_not_draw_out_ready(void **state)
{
	struct facing *f = *state;

	come_to_ready(f);
	draw_out(f);
	assert_never_ran(f, MIGRATE_FAILED);
	facing_assert_says(f, "in time");
}

#define SOURCE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup_source, facing_exit)
#define TARGET_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup_target, facing_exit)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(cancel_before_the_hello_is_answered),
		SOURCE_TEST(cancel_at_pages),
		SOURCE_TEST(cancel_at_the_end_of_a_round),
		SOURCE_TEST(cancel_in_the_last_round),
		SOURCE_TEST(cancel_at_verify),
		SOURCE_TEST(cancel_at_prepare),
		SOURCE_TEST(cancel_behind_ready_is_refused),
		SOURCE_TEST(record_is_there_before_go),
		SOURCE_TEST(record_outlives_a_process_that_does_not_know),
		SOURCE_TEST(word_that_it_did_not_start_removes_the_record),
		SOURCE_TEST(error_after_go_is_such_a_word),
		SOURCE_TEST(settled_as_stayed_it_can_migrate_again),
		SOURCE_TEST(garbage_after_go_decides_nothing),
		SOURCE_TEST(started_before_go_is_a_lie),
		SOURCE_TEST(without_a_record_go_is_not_said),
		SOURCE_TEST(without_room_for_a_record_nothing_begins),
		SOURCE_TEST(keep_alives_do_not_draw_out_a_round),
		SOURCE_TEST(keep_alives_do_not_draw_out_verify),
		SOURCE_TEST(keep_alives_do_not_draw_out_prepare),
		SOURCE_TEST(keep_alives_do_not_draw_out_the_hello),
		SOURCE_TEST(keep_alives_do_not_draw_out_the_handover),
		TARGET_TEST(record_is_there_before_the_guest_runs),
		TARGET_TEST(who_starts_slowly_is_heard_all_the_same),
		TARGET_TEST(without_a_record_it_does_not_start),
		TARGET_TEST(without_a_record_the_one_before_still_holds),
		TARGET_TEST(who_cannot_start_leaves_no_record),
		TARGET_TEST(go_from_a_source_that_vanishes_counts),
		TARGET_TEST(quit_overtakes_go),
		TARGET_TEST(quit_behind_go_is_refused),
		TARGET_TEST(quit_at_pages),
		TARGET_TEST(quit_at_the_state),
		TARGET_TEST(prepare_without_an_id_is_refused),
		TARGET_TEST(go_with_a_payload_is_refused),
		TARGET_TEST(keep_alives_do_not_draw_out_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
