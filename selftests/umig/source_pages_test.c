// SPDX-License-Identifier: GPL-2.0
/*
 * Pages as the source sends them, by what the destination has said: named, with
 * the proof that it wants; not named if they were written since; as changes, or
 * whole if those were refused.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/pages.h"

static const uint8_t no_nonce[MSG_NONCE_BYTES];

static sem_t page_0_written;

static void write_page_0(struct fake_vm *vm)
{
	if (vm->harvests != 1)
		return;
	fake_vm_write(vm, 0, 77);
	sem_post(&page_0_written);
}

/* Whether the PAGES just received has gfn 0, as what. */
static bool has_page_0(struct facing *f, struct pages_run *run,
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
	struct facing *f = *state;
	uint8_t held[128], bits[64], page[UMIG_PAGE_SIZE];
	struct offer_msg offer;
	struct pages_run run;
	uint32_t round;

	/* the log is harvested before the last answers are waited for */
	end_exit(&f->end);
	end_init(&f->end, 20 * 512, FACING_HIGH, true);
	fake_vm_write(&f->end.vm, 0, 5);
	fake_vm_write(&f->end.vm, 1, 6);
	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set_run(f->digests.merged, 0, 2);
	f->end.params.digests = &f->digests.ds;
	f->end.params.verify = false;
	f->end.params.downtime_limit_ns = 0;
	f->end.vm.on_harvest = write_page_0;
	sem_init(&page_0_written, 0, 0);

	facing_answer_hello(f);
	facing_play_until(f, WIRE_OFFER);
	assert_int_equal(msg_offer_decode(&offer, f->peer.payload,
					  f->peer.bytes), 0);
	assert_int_equal(offer.count, 2);
	assert_int_equal(sem_wait(&page_0_written), 0);
	memset(bits, 0xff, sizeof(bits));
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 0, 2, no_nonce, bits));

	/* page 1 is named; page 0 has a new digest, which isn't held */
	do {
		facing_play_until(f, WIRE_OFFER);
	} while (msg_offer_decode(&offer, f->peer.payload, f->peer.bytes));
	bits[0] = 0;
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 2, 1, no_nonce, bits));
	do {
		facing_play_until(f, WIRE_PAGES);
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
static uint32_t next_page_0(struct facing *f, struct pages_run *run)
{
	uint32_t round;

	do {
		facing_play_until(f, WIRE_PAGES);
	} while (!has_page_0(f, run, &round));
	return round;
}

/* The first changes of page 0, the only ones of their round, which is returned. */
static uint32_t first_delta(struct facing *f, struct pages_run *run)
{
	uint32_t round;

	f->end.params.downtime_limit_ns = 0;
	f->end.vm.on_harvest = patch_page_0;
	facing_answer_hello(f);
	do {
		round = next_page_0(f, run);
	} while (run->class != WIRE_RUN_DELTA);
	assert_true(round > 2);
	assert_int_equal(run->base, round - 1);
	return round;
}

static void refuse(struct facing *f, uint32_t round, const uint64_t *gfns,
		   uint32_t n)
{
	uint8_t msg[64];

	raw_peer_send(&f->peer, WIRE_REFUSED, msg,
		      msg_refused_encode(msg, round, gfns, n));
}

static void page_is_not_refused_twice(void **state)
{
	static const uint64_t gfns[] = { 0, 0 };
	struct facing *f = *state;
	struct pages_run run;

	refuse(f, first_delta(f, &run), gfns, 2);
	facing_assert_stayed(f, "came whole, or never");
}

static void page_of_another_round_is_not_refused(void **state)
{
	static const uint64_t gfn;
	struct facing *f = *state;
	struct pages_run run;

	refuse(f, first_delta(f, &run) - 1, &gfn, 1);
	facing_assert_stayed(f, "came whole, or never");
}

/* Whoever lacks a delta's base gets the page, and then deltas to that. */
static void refused_delta_comes_whole(void **state)
{
	static const uint64_t gfn;
	struct facing *f = *state;
	uint32_t round, again;
	struct pages_run run;

	round = first_delta(f, &run);
	refuse(f, round, &gfn, 1);
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
static uint8_t class_of_held(struct facing *f, uint16_t version,
			     uint32_t proof)
{
	uint8_t held[128], bits[64] = { 1 };
	struct pages_run run;
	uint32_t round;

	fake_digests_init(&f->digests, &f->end.vm);
	bitmap_set(f->digests.merged, 0);
	f->end.params.digests = &f->digests.ds;
	f->peer.version = version;
	facing_meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_DIGESTS | proof);
	facing_play_until(f, WIRE_OFFER);
	raw_peer_send(&f->peer, WIRE_ANSWER, held,
		      msg_answer_encode(held, 0, 1, no_nonce, bits));
	do {
		facing_play_until(f, WIRE_PAGES);
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

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, facing_init_source, facing_exit)
	const struct CMUnitTest tests[] = {
		T(sampled_proofs_are_brief),
		T(full_proofs_are_whole),
		T(version_1_gets_whole_proofs),
		T(late_answer_does_not_name_a_page_written_since),
		T(refused_delta_comes_whole),
		T(page_is_not_refused_twice),
		T(page_of_another_round_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
