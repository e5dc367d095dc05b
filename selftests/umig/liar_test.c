// SPDX-License-Identifier: GPL-2.0
/*
 * The engine against a peer that lies, dies or stays silent: the guest runs at
 * exactly one place, nothing outside its memory is written, and the user is
 * told what the peer did.
 */
#include <endian.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "lib/clock.h"
#include "umig/end.h"
#include "umig/raw_peer.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/packed.h"
#include "wire/pages.h"

#define LOW 64
#define HIGH 64
#define PAGES (LOW + HIGH)

static const uint8_t no_nonce[MSG_NONCE_BYTES];

struct fixture {
	struct end end;
	struct raw_peer peer;
	struct fake_digests digests;
	struct fake_pages pages;
	char address[32];
	int listen_fd;
	uint8_t payload[WIRE_PAYLOAD_MAX];
};

static struct fixture *new_fixture(bool source)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t i;

	end_init(&f->end, LOW, HIGH, source);
	f->end.params.peer_timeout_ns = 2000000000ULL;
	f->listen_fd = -1;
	f->peer.fd = -1;
	for (i = 0; source && i < PAGES; i += 2)
		fake_vm_write(&f->end.vm, i, 1 + i % 10);
	return f;
}

static int setup_source(void **state)
{
	struct fixture *f = new_fixture(true);

	f->listen_fd = raw_peer_listen(f->address, sizeof(f->address));
	*state = f;
	return 0;
}

static int setup_target(void **state)
{
	struct fixture *f = new_fixture(false);

	fake_pages_init(&f->pages, 5);
	f->end.params.pages = &f->pages.ps;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

/* One that soon loses patience: after five times this. */
static int setup_hasty_target(void **state)
{
	struct fixture *f = new_fixture(false);

	f->end.params.peer_timeout_ns = 600000000ULL;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->peer.fd >= 0)
		raw_peer_close(&f->peer);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	end_exit(&f->end);
	free(f);
	return 0;
}

/* ---- the engine is the source, the peer plays the destination ---- */

static void meet_source(struct fixture *f)
{
	end_start_source(&f->end, f->address);
	raw_peer_accept(&f->peer, f->listen_fd);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
}

static void answer_hello(struct fixture *f)
{
	meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_DIGESTS);
}

/* Play along, without keeping anything, until the source sends @stage. */
static void play_until(struct fixture *f, uint16_t stage)
{
	uint8_t round[sizeof(struct wire_round)];
	uint32_t n;

	while (raw_peer_recv(&f->peer)) {
		if (f->peer.type == stage)
			return;
		switch (f->peer.type) {
		case WIRE_ROUND_END:
			msg_round_decode(&n, f->peer.payload, f->peer.bytes);
			raw_peer_send(&f->peer, WIRE_ROUND_ACK, round,
				      msg_round_encode(round, n));
			break;
		case WIRE_PREPARE:
			raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
			break;
		}
	}
	fail_msg("the source never sent %s", wire_type_name(stage));
}

static void assert_stayed(struct fixture *f, const char *error)
{
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_true(f->end.vm.running);
	assert_false(f->end.vm.tracking);
	if (!strstr(f->end.last.error, error))
		fail_msg("\"%s\" does not say \"%s\"", f->end.last.error,
			 error);
}

static void source_survives_garbage(void **state)
{
	struct fixture *f = *state;
	static const char garbage[64] = "HTTP/1.1 400 Bad Request\r\n";

	meet_source(f);
	assert_int_equal(write(f->peer.fd, garbage, sizeof(garbage)),
			 sizeof(garbage));
	assert_stayed(f, "not umig's protocol");
}

static void source_survives_silence(void **state)
{
	struct fixture *f = *state;

	answer_hello(f);
	assert_stayed(f, "silent");
}

static void source_survives_a_death(struct fixture *f, uint16_t stage)
{
	answer_hello(f);
	play_until(f, stage);
	raw_peer_close(&f->peer);
	assert_stayed(f, "");
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
	struct fixture *f = *state;

	f->end.params.verify = false;
	source_survives_a_death(f, WIRE_PREPARE);
	assert_int_equal(f->end.vm.starts, 1);
}

static void differing_memory_keeps_the_guest(void **state)
{
	struct fixture *f = *state;
	uint8_t msg[64];
	uint8_t zero[DIGEST_BYTES] = { 0 };

	answer_hello(f);
	play_until(f, WIRE_VERIFY);
	raw_peer_send(&f->peer, WIRE_DIGESTS, msg,
		      msg_digests_encode(msg, zero, 1));
	assert_stayed(f, "memory differs");
	assert_false(f->end.last.verified);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
}

static void go_without_an_answer(struct fixture *f)
{
	f->end.params.verify = false;
	answer_hello(f);
	play_until(f, WIRE_GO);
	raw_peer_close(&f->peer);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_false(f->end.vm.running);
	assert_int_equal(migration_cancel(f->end.m), -EBUSY);
}

static void lost_ack_leaves_the_guest_stopped_until_settled(void **state)
{
	struct fixture *f = *state;

	go_without_an_answer(f);
	assert_int_equal(f->end.vm.starts, 0);
	assert_int_equal(migration_settle(f->end.m, false), 0);
	assert_stayed(f, "closed the connection");
	assert_int_equal(f->end.vm.starts, 1);
}

static void downtime_is_until_the_guest_runs_again(void **state)
{
	struct fixture *f = *state;
	uint64_t until_unknown_ns, since_ns, waited_ns;

	go_without_an_answer(f);
	until_unknown_ns = f->end.last.downtime_ns;
	assert_true(until_unknown_ns > 0);
	since_ns = clock_now_ns();
	usleep(50000);
	waited_ns = clock_now_ns() - since_ns;
	assert_int_equal(migration_settle(f->end.m, false), 0);
	assert_stayed(f, "closed the connection");
	assert_true(f->end.last.downtime_ns >= until_unknown_ns + waited_ns);
}

static void lost_ack_settled_as_moved_never_runs_here(void **state)
{
	struct fixture *f = *state;

	go_without_an_answer(f);
	assert_int_equal(migration_settle(f->end.m, true), 0);
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_false(f->end.vm.running);
	assert_int_equal(f->end.vm.starts, 0);
}

static void lost_ack_then_exit_never_runs_here(void **state)
{
	struct fixture *f = *state;

	go_without_an_answer(f);
	migration_free(f->end.m);
	f->end.m = NULL;
	assert_false(f->end.vm.running);
	assert_int_equal(f->end.vm.starts, 0);
}

/* GO is answered only after the source has given up waiting. */
static void answer_late(struct fixture *f, uint16_t type)
{
	f->end.params.verify = false;
	answer_hello(f);
	play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_false(f->end.vm.running);
	raw_peer_send(&f->peer, type, NULL, 0);
	assert_true(end_wait_final(&f->end));
}

static void late_word_that_it_started_settles(void **state)
{
	struct fixture *f = *state;

	answer_late(f, WIRE_STARTED);
	assert_int_equal(f->end.last.state, MIGRATE_COMPLETED);
	assert_int_equal(f->end.vm.starts, 0);
}

static void late_word_that_it_did_not_start_settles(void **state)
{
	struct fixture *f = *state;

	answer_late(f, WIRE_NOT_STARTED);
	assert_stayed(f, "could not start");
	assert_int_equal(f->end.vm.starts, 1);
}

static void settling_twice_is_refused(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;
	uint8_t byte;

	f->end.params.verify = false;
	answer_hello(f);
	play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_int_equal(migration_settle(f->end.m, false), 0);
	assert_stayed(f, "in time");
	assert_int_equal(read(f->peer.fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

/* The connection is gone before what sent by it ends. */
static void settled_as_stayed_with_compression_ends_in_order(void **state)
{
	struct fixture *f = *state;

	f->end.params.verify = false;
	f->end.params.pack.automatic = true;
	meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_CODECS);
	play_until(f, WIRE_GO);
	assert_true(end_wait_state(&f->end, MIGRATE_HANDOVER_UNKNOWN));
	assert_int_equal(migration_settle(f->end.m, false), 0);
	assert_stayed(f, "in time");
	assert_int_equal(f->end.vm.starts, 1);
	assert_true(f->end.last.bytes_tx > 0);
}

static void word_that_it_did_not_start_gives_the_guest_back(void **state)
{
	struct fixture *f = *state;

	f->end.params.verify = false;
	answer_hello(f);
	play_until(f, WIRE_GO);
	raw_peer_send(&f->peer, WIRE_NOT_STARTED, "no disk", 7);
	assert_stayed(f, "no disk");
}

static void ready_before_it_was_asked_for_is_refused(void **state)
{
	struct fixture *f = *state;

	answer_hello(f);
	raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
	assert_stayed(f, "READY");
	assert_int_equal(f->end.vm.stops, 0);
}

static void answer_to_nothing_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t msg[64];
	uint8_t bits = 0xff;

	answer_hello(f);
	raw_peer_send(&f->peer, WIRE_ANSWER, msg,
		      msg_answer_encode(msg, 0, 8, no_nonce, &bits));
	assert_stayed(f, "offers that were not made");
}

static void refusal_of_a_page_that_is_not_ours_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t gfn = LOW;	/* the hole */
	uint8_t msg[64];

	answer_hello(f);
	raw_peer_send(&f->peer, WIRE_REFUSED, msg,
		      msg_refused_encode(msg, 1, &gfn, 1));
	assert_stayed(f, "0x40");
}

/* Nothing but KEEPALIVE: an offer is not waited for without end. */
static void offers_without_an_answer_end_it(void **state)
{
	struct fixture *f = *state;
	struct migrate_report r;

	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set_run(f->digests.merged, 0, 1);
	f->end.params.digests = &f->digests.ds;
	answer_hello(f);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_OFFER));
	do {
		raw_peer_send(&f->peer, WIRE_KEEPALIVE, NULL, 0);
		usleep(50000);
		migration_query(f->end.m, &r);
	} while (!migrate_state_final(r.state) && r.total_ns < 20000000000ULL);
	assert_stayed(f, "in time");
}

/* As fast as it goes, until the source hangs up. */
static void refuse_without_end(struct fixture *f)
{
	const uint64_t gfn = 0;
	uint8_t many[4096 * 32], *at;

	do {
		for (at = many; at < many + sizeof(many); at += 32) {
			wire_frame_encode(at, WIRE_REFUSED, 16,
					  f->peer.tx_sequence++);
			msg_refused_encode(at + sizeof(struct wire_frame), 1,
					   &gfn, 1);
		}
	} while (send(f->peer.fd, many, sizeof(many), MSG_NOSIGNAL) > 0);
}

static void refusals_without_end_end_it(void **state)
{
	struct fixture *f = *state;

	answer_hello(f);
	refuse_without_end(f);
	assert_stayed(f, "in time");
}

static sem_t page_0_written;

static void write_page_0(struct fake_vm *vm)
{
	if (vm->harvests != 1)
		return;
	fake_vm_write(vm, 0, 77);
	sem_post(&page_0_written);
}

/* Whether the PAGES just received has gfn 0, as what. */
static bool has_page_0(struct fixture *f, struct pages_run *run,
		       uint32_t *round)
{
	struct pages_reader reader;
	bool has = false;

	assert_int_equal(pages_reader_init(&reader, f->peer.payload,
					   f->peer.bytes), 0);
	*round = reader.round;
	while (!has && pages_reader_next(&reader, run) == 1)
		has = run->gfn == 0;
	return has;
}

/*
 * A page is written while its offer is pending: when "held" comes, it must not
 * be named any more in this round, but be sent as it is now in the next.
 */
static void late_answer_does_not_name_a_page_written_since(void **state)
{
	struct fixture *f = *state;
	uint8_t held[128], bits[64], page[UMIG_PAGE_SIZE];
	struct offer_msg offer;
	struct pages_run run;
	uint32_t round;

	/* the log is harvested before the last answers are waited for */
	end_exit(&f->end);
	end_init(&f->end, 20 * 512, HIGH, true);
	fake_vm_write(&f->end.vm, 0, 5);
	fake_vm_write(&f->end.vm, 1, 6);
	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set_run(f->digests.merged, 0, 2);
	f->end.params.digests = &f->digests.ds;
	f->end.params.verify = false;
	f->end.params.downtime_limit_ns = 0;
	f->end.vm.on_harvest = write_page_0;
	sem_init(&page_0_written, 0, 0);

	answer_hello(f);
	play_until(f, WIRE_OFFER);
	assert_int_equal(msg_offer_decode(&offer, f->peer.payload,
					  f->peer.bytes), 0);
	assert_int_equal(offer.count, 2);
	assert_int_equal(sem_wait(&page_0_written), 0);
	memset(bits, 0xff, sizeof(bits));
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 0, 2, no_nonce, bits));

	/* page 1 is named; page 0 has a new digest, which isn't held */
	do {
		play_until(f, WIRE_OFFER);
	} while (msg_offer_decode(&offer, f->peer.payload, f->peer.bytes));
	bits[0] = 0;
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 2, 1, no_nonce, bits));
	do {
		play_until(f, WIRE_PAGES);
	} while (!has_page_0(f, &run, &round));
	fake_page(page, 77);
	assert_int_equal(run.class, WIRE_RUN_PLAIN);
	assert_int_equal(round, 2);
	assert_memory_equal(run.payload, page, sizeof(page));
	raw_peer_close(&f->peer);
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.index_cancelled, 1);
}

static void patch_page_0(struct fake_vm *vm)
{
	fake_vm_patch(vm, 0, vm->harvests % UMIG_PAGE_SIZE, 1, vm->harvests);
}

/* The next record of page 0; its round. */
static uint32_t next_page_0(struct fixture *f, struct pages_run *run)
{
	uint32_t round;

	do {
		play_until(f, WIRE_PAGES);
	} while (!has_page_0(f, run, &round));
	return round;
}

/* Whoever lacks a delta's base gets the page, and then deltas to that. */
static void refused_delta_comes_whole(void **state)
{
	struct fixture *f = *state;
	uint32_t round, again;
	struct pages_run run;
	uint64_t gfn = 0;
	uint8_t msg[64];

	f->end.params.downtime_limit_ns = 0;
	f->end.vm.on_harvest = patch_page_0;
	answer_hello(f);
	do {
		round = next_page_0(f, &run);
	} while (run.class != WIRE_RUN_DELTA);
	assert_true(round > 2);
	assert_int_equal(run.base, round - 1);
	raw_peer_send(&f->peer, WIRE_REFUSED, msg,
		      msg_refused_encode(msg, round, &gfn, 1));
	again = next_page_0(f, &run);
	assert_true(again > round);
	assert_int_equal(run.class, WIRE_RUN_PLAIN);
	round = again;
	again = next_page_0(f, &run);
	assert_int_equal(run.class, WIRE_RUN_DELTA);
	assert_int_equal(run.base, round);
	raw_peer_close(&f->peer);
	assert_true(end_wait_final(&f->end));
}

/* How the source names a page to a peer of @version that wants @proof. */
static uint8_t class_of_held(struct fixture *f, uint16_t version,
			     uint32_t proof)
{
	uint8_t held[128], bits[64] = { 1 };
	struct pages_run run;
	uint32_t round;

	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set(f->digests.merged, 0);
	f->end.params.digests = &f->digests.ds;
	f->peer.version = version;
	meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_DIGESTS | proof);
	play_until(f, WIRE_OFFER);
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 0, 1, no_nonce, bits));
	do {
		play_until(f, WIRE_PAGES);
	} while (!has_page_0(f, &run, &round));
	return run.class;
}

static void sampled_proofs_are_brief(void **state)
{
	assert_int_equal(class_of_held(*state, 0, 0), WIRE_RUN_BRIEF);
}

static void full_proofs_are_whole(void **state)
{
	assert_int_equal(class_of_held(*state, 0, WIRE_HELLO_FULL_PROOF),
			 WIRE_RUN_HELD);
}

static void version_1_gets_whole_proofs(void **state)
{
	assert_int_equal(class_of_held(*state, 1, 0), WIRE_RUN_HELD);
}

/* ---- the engine is the destination, the peer plays the source ---- */

static void meet_target(struct fixture *f)
{
	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE | WIRE_HELLO_DIGESTS);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
}

/* Send one run of @pages pages, each with @bytes of @payload. */
static void send_run(struct fixture *f, uint32_t round, uint64_t gfn,
		     uint32_t pages, uint8_t class, const void *payload,
		     size_t bytes)
{
	raw_peer_run(&f->peer, round, gfn, pages, class, payload, bytes);
}

static void send_zero_all(struct fixture *f, uint32_t round)
{
	send_run(f, round, 0, LOW, WIRE_RUN_ZERO, NULL, 0);
	send_run(f, round, 0x100000, HIGH, WIRE_RUN_ZERO, NULL, 0);
}

static void sync_round(struct fixture *f, uint32_t round)
{
	uint8_t msg[sizeof(struct wire_round)];

	raw_peer_send(&f->peer, WIRE_ROUND_END, msg,
		      msg_round_encode(msg, round));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ROUND_ACK));
}

static void send_state(struct fixture *f)
{
	uint64_t value = htole64(42);
	uint8_t msg[64];

	raw_peer_send(&f->peer, WIRE_STATE, msg,
		      msg_state_encode(msg, 8, 0, &value, 8));
}

static void send_prepare(struct fixture *f)
{
	static const uint8_t id[HANDOVER_ID_BYTES] = "a migration";

	raw_peer_send(&f->peer, WIRE_PREPARE, id, sizeof(id));
}

static void assert_never_ran(struct fixture *f, const char *error)
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

/* It says how long it has waited, not how long a source would have. */
static void target_survives_silence(void **state)
{
	struct fixture *f = *state;

	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE);
	send_zero_all(f, 1);
	assert_never_ran(f, "silent for 3 s");
}

static void full_script_starts_the_guest(void **state)
{
	struct fixture *f = *state;

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

static void target_goes_on_waiting_after(struct fixture *f,
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
	struct fixture *f = *state;

	meet_target(f);
	raw_peer_close(&f->peer);
	full_script_starts_the_guest(state);
}

static void source_that_dies_before_go_never_runs_here(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	send_state(f);
	raw_peer_send(&f->peer, WIRE_GO, NULL, 0);
	assert_never_ran(f, "GO");
}

static void missing_page_is_named_and_not_ready(void **state)
{
	struct fixture *f = *state;

	meet_target(f);
	send_run(f, 1, 0, LOW, WIRE_RUN_ZERO, NULL, 0);
	send_run(f, 1, 0x100000, HIGH - 1, WIRE_RUN_ZERO, NULL, 0);
	send_state(f);
	send_prepare(f);
	assert_never_ran(f, "1 pages never came, first 0x10003f");
}

static void missing_state_is_not_ready(void **state)
{
	struct fixture *f = *state;

	meet_target(f);
	send_zero_all(f, 1);
	send_prepare(f);
	assert_never_ran(f, "machine state never came");
}

static void page_outside_of_memory_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];

	memset(page, 1, sizeof(page));
	meet_target(f);
	send_run(f, 1, LOW, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	assert_never_ran(f, "page 0x40");
}

static void run_across_the_end_of_memory_is_refused(void **state)
{
	struct fixture *f = *state;

	meet_target(f);
	send_run(f, 1, 0x100000, UINT32_MAX, WIRE_RUN_ZERO, NULL, 0);
	assert_never_ran(f, "not of this VM");
}

static void more_pages_than_there_are_in_one_frame_are_refused(void **state)
{
	struct fixture *f = *state;
	struct wire_pages head = { htole32(1), htole32(3) };
	struct wire_run run = { .pages = htole32(LOW),
				.class = WIRE_RUN_ZERO };
	unsigned int i;

	meet_target(f);
	memcpy(f->payload, &head, sizeof(head));
	for (i = 0; i < 3; i++)
		memcpy(f->payload + sizeof(head) + i * sizeof(run), &run,
		       sizeof(run));
	raw_peer_send(&f->peer, WIRE_PAGES, f->payload,
		      sizeof(head) + 3 * sizeof(run));
	assert_never_ran(f, "not of this VM");
}

static void torn_payload_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t page[UMIG_PAGE_SIZE] = { 1 };

	meet_target(f);
	send_run(f, 1, 0, 2, WIRE_RUN_PLAIN, page, sizeof(page));
	assert_never_ran(f, "malformed PAGES");
}

static void packed_that_does_not_unpack_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[64] = { WIRE_CODEC_ZSTD };

	meet_target(f);
	packed_head_encode(payload, WIRE_CODEC_ZSTD, 8 + 16 + 4096);
	raw_peer_send(&f->peer, WIRE_PACKED, payload, sizeof(payload));
	assert_never_ran(f, "malformed PACKED");
}

static void held_page_that_was_not_confirmed_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wire_held held = { 0 };

	meet_target(f);
	send_run(f, 1, 0, 1, WIRE_RUN_HELD, &held, sizeof(held));
	assert_never_ran(f, "not of its offers");
}

static void offers_out_of_order_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t digest[DIGEST_BYTES] = { 0 }, msg[64];

	meet_target(f);
	raw_peer_send(&f->peer, WIRE_OFFER, msg,
		      msg_offer_encode(msg, 7, 1, digest));
	assert_never_ran(f, "offered digests 7");
}

static void duplicate_of_another_round_comes_back(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];

	meet_target(f);
	memset(page, 2, sizeof(page));
	send_run(f, 1, 5, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	send_run(f, 2, 5, 1, WIRE_RUN_ZERO, NULL, 0);
	sync_round(f, 2);
	assert_int_equal(*fake_vm_page(&f->end.vm, 5), 0);
}

static void state_out_of_order_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t msg[64];

	meet_target(f);
	send_zero_all(f, 1);
	raw_peer_send(&f->peer, WIRE_STATE, msg,
		      msg_state_encode(msg, 100, 50, "xxxx", 4));
	assert_never_ran(f, "malformed STATE");
}

#define SOURCE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_source, teardown)
#define TARGET_TEST(f) cmocka_unit_test_setup_teardown(f, setup_target, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(sampled_proofs_are_brief),
		SOURCE_TEST(full_proofs_are_whole),
		SOURCE_TEST(version_1_gets_whole_proofs),
		SOURCE_TEST(source_survives_garbage),
		SOURCE_TEST(source_survives_silence),
		SOURCE_TEST(source_survives_a_death_at_pages),
		SOURCE_TEST(source_survives_a_death_at_round_end),
		SOURCE_TEST(source_survives_a_death_at_state),
		SOURCE_TEST(source_survives_a_death_at_verify),
		SOURCE_TEST(source_survives_a_death_at_prepare),
		SOURCE_TEST(differing_memory_keeps_the_guest),
		SOURCE_TEST(lost_ack_leaves_the_guest_stopped_until_settled),
		SOURCE_TEST(downtime_is_until_the_guest_runs_again),
		SOURCE_TEST(lost_ack_settled_as_moved_never_runs_here),
		SOURCE_TEST(lost_ack_then_exit_never_runs_here),
		SOURCE_TEST(late_word_that_it_started_settles),
		SOURCE_TEST(late_word_that_it_did_not_start_settles),
		SOURCE_TEST(settling_twice_is_refused),
		SOURCE_TEST(settled_as_stayed_hangs_up_for_good),
		SOURCE_TEST(settled_as_stayed_with_compression_ends_in_order),
		SOURCE_TEST(word_that_it_did_not_start_gives_the_guest_back),
		SOURCE_TEST(ready_before_it_was_asked_for_is_refused),
		SOURCE_TEST(answer_to_nothing_is_refused),
		SOURCE_TEST(refusal_of_a_page_that_is_not_ours_is_refused),
		SOURCE_TEST(offers_without_an_answer_end_it),
		SOURCE_TEST(refusals_without_end_end_it),
		SOURCE_TEST(late_answer_does_not_name_a_page_written_since),
		SOURCE_TEST(refused_delta_comes_whole),
		cmocka_unit_test_setup_teardown(
			target_survives_silence, setup_hasty_target, teardown),
		TARGET_TEST(full_script_starts_the_guest),
		TARGET_TEST(target_goes_on_waiting_after_garbage),
		TARGET_TEST(target_goes_on_waiting_after_half_a_hello),
		TARGET_TEST(target_goes_on_waiting_after_an_early_good_bye),
		TARGET_TEST(source_that_dies_before_go_never_runs_here),
		TARGET_TEST(go_without_ready_is_refused),
		TARGET_TEST(missing_page_is_named_and_not_ready),
		TARGET_TEST(missing_state_is_not_ready),
		TARGET_TEST(page_outside_of_memory_is_refused),
		TARGET_TEST(run_across_the_end_of_memory_is_refused),
		TARGET_TEST(more_pages_than_there_are_in_one_frame_are_refused),
		TARGET_TEST(torn_payload_is_refused),
		TARGET_TEST(packed_that_does_not_unpack_is_refused),
		TARGET_TEST(held_page_that_was_not_confirmed_is_refused),
		TARGET_TEST(offers_out_of_order_are_refused),
		TARGET_TEST(duplicate_of_another_round_comes_back),
		TARGET_TEST(older_record_does_not_overwrite_a_newer),
		TARGET_TEST(page_that_became_zero_is_cleared),
		TARGET_TEST(state_out_of_order_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
