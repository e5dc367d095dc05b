// SPDX-License-Identifier: GPL-2.0
/*
 * The engine as the destination, against a source that lies, dies or says too
 * much: the guest never runs here too early, nothing outside its memory is
 * written, and the user is told what the peer did.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/packed.h"
#include "wire/pages.h"

#define LOW FACING_LOW
#define HIGH FACING_HIGH

static void meet_target(struct facing *f)
{
	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE | WIRE_HELLO_DIGESTS);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
}

/* Send one run of @pages pages, each with @bytes of @payload. */
static void send_run(struct facing *f, uint32_t round, uint64_t gfn,
		     uint32_t pages, uint8_t class, const void *payload,
		     size_t bytes)
{
	raw_peer_run(&f->peer, round, gfn, pages, class, payload, bytes);
}

static void send_zero_all(struct facing *f, uint32_t round)
{
	send_run(f, round, 0, LOW, WIRE_RUN_ZERO, NULL, 0);
	send_run(f, round, 0x100000, HIGH, WIRE_RUN_ZERO, NULL, 0);
}

static void sync_round(struct facing *f, uint32_t round)
{
	uint8_t msg[sizeof(struct wire_round)];

	raw_peer_send(&f->peer, WIRE_ROUND_END, msg,
		      msg_round_encode(msg, round));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ROUND_ACK));
}

static void send_state(struct facing *f)
{
	uint64_t value = htole64(42);
	uint8_t msg[64];

	raw_peer_send(&f->peer, WIRE_STATE, msg,
		      msg_state_encode(msg, 8, 0, &value, 8));
}

static void send_prepare(struct facing *f)
{
	static const uint8_t id[HANDOVER_ID_BYTES] = "a migration";

	raw_peer_send(&f->peer, WIRE_PREPARE, id, sizeof(id));
}

static void assert_never_ran(struct facing *f, const char *error)
{
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_false(f->end.vm.running);
	assert_int_equal(f->end.vm.starts, 0);
	if (!strstr(f->end.last.error, error))
		fail_msg("\"%s\" does not say \"%s\"", f->end.last.error,
			 error);
}

static void full_script_starts_the_guest(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	sync_round(f, 1);
	send_state(f);
	send_prepare(f);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_READY));
	assert_false(f->end.vm.running);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_STARTED));
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_true(f->end.vm.running);
	assert_int_equal(f->end.vm.state, 42);
}

static void target_goes_on_waiting_after(struct facing *f,
					 const void *garbage, size_t bytes)
{
	raw_peer_connect(&f->peer, f->address);
	assert_int_equal(write(f->peer.fd, garbage, bytes), bytes);
	raw_peer_close(&f->peer);
	full_script_starts_the_guest((void **)&f);
}

static void target_goes_on_waiting_after_garbage(void **state)
{
	char garbage[4096];

	memset(garbage, 'x', sizeof(garbage));
	target_goes_on_waiting_after(*state, garbage, sizeof(garbage));
}

static void target_goes_on_waiting_after_half_a_hello(void **state)
{
	uint8_t frame[24];

	wire_frame_encode(frame, WIRE_HELLO, 4000, 0);
	memcpy(frame + 16, WIRE_MAGIC, 8);
	target_goes_on_waiting_after(*state, frame, sizeof(frame));
}

static void target_goes_on_waiting_after_an_early_good_bye(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	raw_peer_close(&f->peer);
	full_script_starts_the_guest(state);
}

static void source_that_dies_before_go_never_runs_here(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	send_state(f);
	send_prepare(f);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_READY));
	raw_peer_close(&f->peer);
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_int_equal(f->end.vm.starts, 0);
}

static void go_without_ready_is_refused(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	send_state(f);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_never_ran(f, "GO");
}

static void missing_page_is_named_and_not_ready(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_run(f, 1, 0, LOW, WIRE_RUN_ZERO, NULL, 0);
	send_run(f, 1, 0x100000, HIGH - 1, WIRE_RUN_ZERO, NULL, 0);
	send_state(f);
	send_prepare(f);
	assert_never_ran(f, "1 pages never came, first 0x10003f");
}

static void missing_state_is_not_ready(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	send_prepare(f);
	assert_never_ran(f, "machine state never came");
}

static void page_outside_of_memory_is_refused(void **state)
{
	struct facing *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];

	memset(page, 1, sizeof(page));
	meet_target(f);
	send_run(f, 1, LOW, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	assert_never_ran(f, "page 0x40");
}

static void run_across_the_end_of_memory_is_refused(void **state)
{
	struct facing *f = *state;

	meet_target(f);
	send_run(f, 1, 0x100000, UINT32_MAX, WIRE_RUN_ZERO, NULL, 0);
	assert_never_ran(f, "not of this VM");
}

static void more_pages_than_there_are_in_one_frame_are_refused(void **state)
{
	static uint8_t payload[WIRE_PAYLOAD_MAX];
	struct facing *f = *state;
	struct wire_pages head = { htole32(1), htole32(3) };
	struct wire_run run = { .pages = htole32(LOW),
				.class = WIRE_RUN_ZERO };
	unsigned int i;

	meet_target(f);
	memcpy(payload, &head, sizeof(head));
	for (i = 0; i < 3; i++)
		memcpy(payload + sizeof(head) + i * sizeof(run), &run,
		       sizeof(run));
	raw_peer_send(&f->peer, WIRE_PAGES, payload,
		      sizeof(head) + 3 * sizeof(run));
	assert_never_ran(f, "not of this VM");
}

static void torn_payload_is_refused(void **state)
{
	struct facing *f = *state;
	uint8_t page[UMIG_PAGE_SIZE] = { 1 };

	meet_target(f);
	send_run(f, 1, 0, 2, WIRE_RUN_PLAIN, page, sizeof(page));
	assert_never_ran(f, "malformed PAGES");
}

static void packed_that_does_not_unpack_is_refused(void **state)
{
	struct facing *f = *state;
	uint8_t payload[64] = { WIRE_CODEC_ZSTD };

	meet_target(f);
	packed_head_encode(payload, WIRE_CODEC_ZSTD, 8 + 16 + 4096);
	raw_peer_send(&f->peer, WIRE_PACKED, payload, sizeof(payload));
	assert_never_ran(f, "malformed PACKED");
}

static void held_page_that_was_not_confirmed_is_refused(void **state)
{
	struct facing *f = *state;
	struct wire_held held = { 0 };

	meet_target(f);
	send_run(f, 1, 0, 1, WIRE_RUN_HELD, &held, sizeof(held));
	assert_never_ran(f, "not of its offers");
}

static void offers_out_of_order_are_refused(void **state)
{
	struct facing *f = *state;
	uint8_t digest[DIGEST_BYTES] = { 0 }, msg[64];

	meet_target(f);
	raw_peer_send(&f->peer, WIRE_OFFER, msg,
		      msg_offer_encode(msg, 7, 1, digest));
	assert_never_ran(f, "offered digests 7");
}

static void duplicate_of_another_round_comes_back(void **state)
{
	struct facing *f = *state;
	struct wire_duplicate dup = { .gfn = htole64(0),
				      .round = htole32(1) };
	uint8_t page[UMIG_PAGE_SIZE];
	struct refused_msg refused;

	memset(page, 1, sizeof(page));
	meet_target(f);
	send_run(f, 2, 0, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	send_run(f, 2, 1, 1, WIRE_RUN_DUPLICATE, &dup, sizeof(dup));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_REFUSED));
	assert_int_equal(msg_refused_decode(&refused, f->peer.payload,
					    f->peer.bytes), 0);
	assert_int_equal(refused.count, 1);
	assert_int_equal(msg_refused_gfn(&refused, 0), 1);
	sync_round(f, 2);
	assert_int_equal(*fake_vm_page(&f->end.vm, 1), 0);
}

static void older_record_does_not_overwrite_a_newer(void **state)
{
	struct facing *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];

	meet_target(f);
	memset(page, 2, sizeof(page));
	send_run(f, 2, 5, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	memset(page, 1, sizeof(page));
	send_run(f, 1, 5, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	send_run(f, 1, 5, 1, WIRE_RUN_ZERO, NULL, 0);
	sync_round(f, 2);
	assert_int_equal(*fake_vm_page(&f->end.vm, 5), 2);
}

static void page_that_became_zero_is_cleared(void **state)
{
	struct facing *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];

	meet_target(f);
	memset(page, 2, sizeof(page));
	send_run(f, 1, 5, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	send_run(f, 2, 5, 1, WIRE_RUN_ZERO, NULL, 0);
	sync_round(f, 2);
	assert_int_equal(*fake_vm_page(&f->end.vm, 5), 0);
}

/* It says how long it has waited, not how long a source would have. */
static void target_survives_silence(void **state)
{
	struct facing *f = *state;

	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE);
	send_zero_all(f, 1);
	assert_never_ran(f, "silent for 3 s");
}

static void state_out_of_order_is_refused(void **state)
{
	struct facing *f = *state;
	uint8_t msg[64];

	meet_target(f);
	send_zero_all(f, 1);
	raw_peer_send(&f->peer, WIRE_STATE, msg,
		      msg_state_encode(msg, 100, 50, "xxxx", 4));
	assert_never_ran(f, "malformed STATE");
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, facing_init_target, facing_exit)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(target_survives_silence,
						facing_init_hasty_target,
						facing_exit),
		T(full_script_starts_the_guest),
		T(target_goes_on_waiting_after_garbage),
		T(target_goes_on_waiting_after_half_a_hello),
		T(target_goes_on_waiting_after_an_early_good_bye),
		T(source_that_dies_before_go_never_runs_here),
		T(go_without_ready_is_refused),
		T(missing_page_is_named_and_not_ready),
		T(missing_state_is_not_ready),
		T(page_outside_of_memory_is_refused),
		T(run_across_the_end_of_memory_is_refused),
		T(more_pages_than_there_are_in_one_frame_are_refused),
		T(torn_payload_is_refused),
		T(packed_that_does_not_unpack_is_refused),
		T(held_page_that_was_not_confirmed_is_refused),
		T(offers_out_of_order_are_refused),
		T(duplicate_of_another_round_comes_back),
		T(older_record_does_not_overwrite_a_newer),
		T(page_that_became_zero_is_cleared),
		T(state_out_of_order_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
