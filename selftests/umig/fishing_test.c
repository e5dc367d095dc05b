// SPDX-License-Identifier: GPL-2.0
/*
 * A source that fishes: it offers digests of pages that the destination holds
 * and names them, but doesn't have them, or not all of them.  It gets none, and
 * what it could look at shows none either.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/proof.h"
#include "migrate/place.h"
#include "migrate/verify.h"
#include "umig/end.h"
#include "umig/raw_peer.h"
#include "wire/hello.h"
#include "wire/msgs.h"

#define LOW 64
#define HIGH 64
#define PAGES (LOW + HIGH)
#define HELD 300	/* the destination holds the pages of seeds below */

struct fixture {
	struct end end;
	struct raw_peer peer;
	struct fake_pages pages;
	char address[32];
	uint32_t nr_offers;
	uint8_t nonce[PROOF_NONCE_BYTES];	/* of the last ANSWER */
	uint8_t held[WIRE_BATCH_PAGES / 8];	/* and its bits */
	struct wire_held run[LOW];
	bool brief;				/* half of each proof is sent */
};

static void start(void **state, enum proof_mode mode, uint16_t version)
{
	struct fixture *f = calloc(1, sizeof(*f));

	end_init(&f->end, LOW, HIGH, false);
	fake_pages_init(&f->pages, HELD);
	f->end.params.pages = &f->pages.ps;
	f->end.params.proof = mode;
	end_start_target(&f->end, f->address, sizeof(f->address));
	f->peer.version = version;
	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE | WIRE_HELLO_DIGESTS);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
	*state = f;
}

static int setup_sampled(void **state)
{
	start(state, PROOF_SAMPLED, 0);
	return 0;
}

static int setup_version_1(void **state)
{
	start(state, PROOF_SAMPLED, 1);
	return 0;
}

static int setup_full(void **state)
{
	start(state, PROOF_FULL, 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	raw_peer_close(&f->peer);
	end_exit(&f->end);
	free(f);
	return 0;
}

/* Offer the digests of the pages of @count seeds; the number of the first. */
static uint32_t offer(struct fixture *f, uint64_t seed, uint32_t count)
{
	uint8_t msg[sizeof(struct wire_offer) +
		    WIRE_BATCH_PAGES * sizeof(digest_t)];
	uint32_t i, first = f->nr_offers;
	digest_t digests[WIRE_BATCH_PAGES];
	uint8_t page[UMIG_PAGE_SIZE];
	struct answer_msg answer;

	for (i = 0; i < count; i++) {
		fake_page(page, seed + i);
		fake_digest(page, &digests[i]);
	}
	raw_peer_send(&f->peer, WIRE_OFFER, msg,
		      msg_offer_encode(msg, first, count, digests));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ANSWER));
	assert_int_equal(msg_answer_decode(&answer, f->peer.payload,
					   f->peer.bytes), 0);
	assert_int_equal(answer.first, first);
	assert_int_equal(answer.count, count);
	memcpy(f->nonce, answer.nonce, sizeof(f->nonce));
	memcpy(f->held, answer.bitmap, (count + 7) / 8);
	f->nr_offers += count;
	return first;
}

static void prove(struct fixture *f, struct wire_held *held, uint32_t number,
		  const uint8_t *page)
{
	struct proof_key key;

	proof_key_init(&key, f->nonce, f->end.params.proof);
	held->number = htole32(number);
	proof_make(&key, number, page, held->proof);
}

static void prove_seed(struct fixture *f, struct wire_held *held,
		       uint32_t number, uint64_t seed)
{
	uint8_t page[UMIG_PAGE_SIZE];

	fake_page(page, seed);
	prove(f, held, number, page);
}

/* Name the first @pages pages by @f->run. */
static void send_named(struct fixture *f, uint32_t round, uint32_t pages)
{
	struct wire_brief brief[LOW];
	uint32_t i;

	for (i = 0; i < pages; i++)
		memcpy(&brief[i], &f->run[i], sizeof(brief[i]));
	if (f->brief)
		raw_peer_run(&f->peer, round, 0, pages, WIRE_RUN_BRIEF, brief,
			     pages * sizeof(brief[0]));
	else
		raw_peer_run(&f->peer, round, 0, pages, WIRE_RUN_HELD, f->run,
			     pages * sizeof(f->run[0]));
}

/* The same; how many are refused. */
static uint32_t name(struct fixture *f, uint32_t round, uint32_t pages)
{
	uint8_t msg[sizeof(struct wire_round)];
	struct refused_msg refused;
	uint32_t n = 0;

	send_named(f, round, pages);
	raw_peer_send(&f->peer, WIRE_ROUND_END, msg,
		      msg_round_encode(msg, round));
	while (raw_peer_recv(&f->peer) && f->peer.type == WIRE_REFUSED) {
		assert_int_equal(msg_refused_decode(&refused, f->peer.payload,
						    f->peer.bytes), 0);
		assert_int_equal(refused.round, round);
		n += refused.count;
	}
	assert_int_equal(f->peer.type, WIRE_ROUND_ACK);
	return n;
}

static struct migrate_report *report(struct fixture *f)
{
	static struct migrate_report r;

	migration_query(f->end.m, &r);
	return &r;
}

static void assert_page(struct fixture *f, uint64_t index, uint64_t seed)
{
	uint8_t page[UMIG_PAGE_SIZE] = { 0 };

	if (seed)
		fake_page(page, seed);
	assert_memory_equal(fake_vm_page(&f->end.vm, index), page,
			    sizeof(page));
}

/* Not by looking at memory either, which the peer can: by its digests. */
static void assert_memory_shows_nothing(struct fixture *f)
{
	uint8_t *zero = calloc(PAGES, UMIG_PAGE_SIZE);
	struct memslots ms = { 0 };
	const uint8_t *digests;
	digest_t empty;
	uint32_t n;

	memslots_add(&ms, 0, LOW, zero);
	memslots_add(&ms, 0x100000, HIGH, zero + LOW * UMIG_PAGE_SIZE);
	verify_digest(&ms, 0, &empty);
	raw_peer_send(&f->peer, WIRE_VERIFY, NULL, 0);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_DIGESTS));
	assert_int_equal(msg_digests_decode(&digests, &n, f->peer.payload,
					    f->peer.bytes), 0);
	assert_int_equal(n, 1);
	assert_memory_equal(digests, &empty, sizeof(empty));
	free(zero);
}

static void hello_says_which_proof(void **state)
{
	struct fixture *f = *state;
	bool full = f->end.params.proof == PROOF_FULL;
	struct hello h = { 0 };
	struct err err = { 0 };

	assert_int_equal(hello_decode(&h, f->peer.payload, f->peer.bytes,
				      &err), 0);
	assert_int_equal(!!(h.flags & WIRE_HELLO_FULL_PROOF), full);
	hello_free(&h);
}

static void who_has_the_pages_gets_them(void **state)
{
	struct fixture *f = *state;
	uint32_t i, first = offer(f, 1, LOW);

	for (i = 0; i < LOW; i++)
		prove_seed(f, &f->run[i], first + i, 1 + i);
	f->brief = f->end.params.proof == PROOF_SAMPLED;
	/* in either way */
	assert_int_equal(name(f, 1, LOW), 0);
	f->brief = false;
	assert_int_equal(name(f, 2, LOW), 0);
	for (i = 0; i < LOW; i++)
		assert_page(f, i, 1 + i);
	assert_int_equal(report(f)->pages_held, LOW);
	assert_int_equal(report(f)->index_unproven, 0);
}

static void who_knows_the_digest_gets_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t i, first = offer(f, 1, LOW);

	assert_int_equal(f->held[0], 0xff);
	for (i = 0; i < LOW; i++) {
		f->run[i].number = htole32(first + i);
		randombytes_buf(f->run[i].proof, PROOF_BYTES);
	}
	assert_int_equal(name(f, 1, LOW), LOW);
	for (i = 0; i < LOW; i++)
		assert_page(f, i, 0);
	assert_int_equal(report(f)->pages_held, 0);
	assert_int_equal(report(f)->index_unproven, LOW);
	assert_int_equal(report(f)->index_refused, LOW);
	assert_memory_shows_nothing(f);
}

/* Whichever byte of a brief proof is wrong; what isn't sent doesn't count. */
static void every_byte_of_a_brief_proof_counts(void **state)
{
	struct fixture *f = *state;
	uint32_t i, first = offer(f, 1, LOW);

	f->brief = true;
	for (i = 0; i < LOW; i++) {
		prove_seed(f, &f->run[i], first + i, 1 + i);
		f->run[i].proof[i % PROOF_BYTES] ^= 1 << i % 8;
	}
	assert_int_equal(name(f, 1, LOW), LOW / 2);
	for (i = 0; i < LOW; i++)
		assert_page(f, i, i % PROOF_BYTES < PROOF_BRIEF_BYTES ? 0 :
								  1 + i);
	assert_int_equal(report(f)->index_unproven, LOW / 2);
}

/* Name a page briefly to a destination that has not agreed to that. */
static void assert_brief_is_refused(struct fixture *f)
{
	uint32_t first = offer(f, 1, 1);

	f->brief = true;
	prove_seed(f, &f->run[0], first, 1);
	send_named(f, 1, 1);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(f->end.last.error, "class 6"));
	assert_false(f->end.vm.running);
}

static void brief_proof_is_no_full_proof(void **state)
{
	assert_brief_is_refused(*state);
}

static void brief_proof_is_not_of_version_1(void **state)
{
	assert_brief_is_refused(*state);
}

/* It knows everything of each page but 16 bytes somewhere, and guesses. */
static void who_lacks_sixteen_bytes_gets_nothing(void **state)
{
	const uint32_t seeds = LOW / PROOF_FAILURES_MAX;
	struct fixture *f = *state;
	uint8_t page[UMIG_PAGE_SIZE];
	uint32_t i, nth, round;

	for (round = 1; round * seeds < HELD; round++) {
		uint64_t seed = 1 + (round - 1) * seeds;
		uint32_t first = offer(f, seed, seeds);

		for (i = 0; i < LOW; i++) {
			nth = i / PROOF_FAILURES_MAX;
			fake_page(page, seed + nth);
			randombytes_buf(page + randombytes_uniform(
						sizeof(page) - 15), 16);
			prove(f, &f->run[i], first + nth, page);
		}
		assert_int_equal(name(f, round, LOW), LOW);
	}
	assert_int_equal(report(f)->index_unproven, (round - 1) * LOW);
	assert_int_equal(report(f)->pages_held, 0);
	for (i = 0; i < LOW; i++)
		assert_page(f, i, 0);
	assert_memory_shows_nothing(f);
}

static void guesses_at_one_page_are_few(void **state)
{
	struct fixture *f = *state;
	uint32_t i, first = offer(f, 1, 1);

	for (i = 0; i < LOW; i++)
		f->run[i].number = htole32(first);
	/* the last of one frame would be right */
	prove_seed(f, &f->run[LOW - 1], first, 1);
	assert_int_equal(name(f, 1, LOW), LOW);
	assert_int_equal(report(f)->index_unproven, PROOF_FAILURES_MAX);
	/* so would the next frame's: it isn't looked at */
	f->pages.placed = 0;
	f->run[0] = f->run[LOW - 1];
	assert_int_equal(name(f, 2, 1), 1);
	assert_int_equal(f->pages.placed, 0);
	/* and under another number the page isn't held any more */
	first = offer(f, 1, 2);
	assert_int_equal(f->held[0] & 3, 2);
	prove_seed(f, &f->run[0], first + 1, 2);
	assert_int_equal(name(f, 3, 1), 0);
	assert_page(f, 0, 2);
	prove_seed(f, &f->run[0], first, 1);
	raw_peer_run(&f->peer, 4, 0, 1, WIRE_RUN_HELD, f->run,
		     sizeof(f->run[0]));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
}

/* All numbers of a digest together have so many tries, not each. */
static void guesses_are_counted_by_page_not_by_number(void **state)
{
	struct fixture *f = *state;
	uint32_t i;

	for (i = 0; i < LOW; i++)
		f->run[i].number = htole32(offer(f, 1, 1));
	prove_seed(f, &f->run[LOW - 1], LOW - 1, 1);
	assert_int_equal(name(f, 1, LOW), LOW);
	assert_int_equal(report(f)->index_unproven, PROOF_FAILURES_MAX);
}

/* A page that was written since its digest was looked up. */
static void one_failure_does_not_cost_the_twins(void **state)
{
	struct fixture *f = *state;
	uint32_t i, first = offer(f, 1, 1);

	for (i = 0; i < LOW; i++)
		prove_seed(f, &f->run[i], first, i ? 1 : 2);
	assert_int_equal(name(f, 1, LOW), 1);
	assert_page(f, 0, 0);
	for (i = 1; i < LOW; i++)
		assert_page(f, i, 1);
}

static void proof_of_another_answer_is_worth_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t old[PROOF_NONCE_BYTES];
	uint32_t number;

	number = offer(f, 1, 1);
	prove_seed(f, &f->run[0], number, 1);
	memcpy(old, f->nonce, sizeof(old));
	number = offer(f, 1, 1);
	assert_memory_not_equal(old, f->nonce, sizeof(old));
	/* the right page and nonce, but the number of another offer */
	f->run[0].number = htole32(number);
	assert_int_equal(name(f, 1, 1), 1);
	/* the right page and number, but the nonce of another answer */
	memcpy(f->nonce, old, sizeof(old));
	prove_seed(f, &f->run[0], number, 1);
	assert_int_equal(name(f, 2, 1), 1);
	assert_page(f, 0, 0);
}

/* A page that had come before is missing, and nobody's source, again. */
static void unproven_page_is_missing_until_it_comes(void **state)
{
	struct wire_duplicate dup = { .round = htole32(2) };
	struct fixture *f = *state;
	uint32_t first = offer(f, 1, 1);
	uint8_t page[UMIG_PAGE_SIZE];

	fake_page(page, 7);
	raw_peer_run(&f->peer, 1, 0, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	f->run[0].number = htole32(first);
	assert_int_equal(name(f, 2, 1), 1);
	assert_page(f, 0, 0);
	raw_peer_run(&f->peer, 2, 1, 1, WIRE_RUN_DUPLICATE, &dup,
		     sizeof(dup));
	assert_true(raw_peer_skip_to(&f->peer, WIRE_REFUSED));
	raw_peer_run(&f->peer, 3, 0, 1, WIRE_RUN_PLAIN, page, sizeof(page));
	prove_seed(f, &f->run[0], first, 1);
	assert_int_equal(name(f, 1, 1), 0);	/* too old to matter */
	assert_page(f, 0, 7);
	raw_peer_send(&f->peer, WIRE_PREPARE, page, 16);
	assert_true(raw_peer_skip_to(&f->peer, WIRE_ERROR));
	assert_true(end_wait_final(&f->end));
	assert_non_null(strstr(f->end.last.error, "127 pages never came"));
}

static void fishing_is_told_to_the_user(void **state)
{
	struct fixture *f = *state;
	uint32_t i, round, first = offer(f, 1, 260);

	for (round = 1; round * LOW <= 1024; round++) {
		for (i = 0; i < LOW; i++)
			f->run[i].number = htole32(first++ / 4);
		assert_int_equal(name(f, round, LOW), LOW);
		assert_string_equal(report(f)->warning, "");
	}
	f->run[0].number = htole32(first / 4);
	assert_int_equal(name(f, round, 1), 1);
	assert_non_null(strstr(report(f)->warning, "1025"));
	assert_non_null(strstr(report(f)->warning, "fishes"));
	assert_int_equal(report(f)->index_unproven, 1025);
}

#define SAMPLED(f) cmocka_unit_test_setup_teardown(f, setup_sampled, teardown)
#define VERSION_1(f) cmocka_unit_test_setup_teardown(f, setup_version_1, teardown)
#define FULL(f) cmocka_unit_test_setup_teardown(f, setup_full, teardown)
#define BOTH(f) SAMPLED(f), FULL(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(hello_says_which_proof),
		BOTH(who_has_the_pages_gets_them),
		BOTH(who_knows_the_digest_gets_nothing),
		FULL(who_lacks_sixteen_bytes_gets_nothing),
		BOTH(guesses_at_one_page_are_few),
		BOTH(guesses_are_counted_by_page_not_by_number),
		BOTH(one_failure_does_not_cost_the_twins),
		BOTH(proof_of_another_answer_is_worth_nothing),
		BOTH(unproven_page_is_missing_until_it_comes),
		SAMPLED(every_byte_of_a_brief_proof_counts),
		FULL(brief_proof_is_no_full_proof),
		VERSION_1(brief_proof_is_not_of_version_1),
		VERSION_1(who_knows_the_digest_gets_nothing),
		SAMPLED(fishing_is_told_to_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
