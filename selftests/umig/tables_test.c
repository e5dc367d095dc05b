// SPDX-License-Identifier: GPL-2.0
/*
 * The engine's tables: memslots, bitmaps, the received map, offers, kept
 * duplicates, states.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mem/memslots.h"
#include "mem/received.h"
#include "mem/zero.h"
#include "migrate/duplicates.h"
#include "migrate/offers.h"
#include "migrate/state.h"

static void memslots_number_pages_densely(void **state)
{
	static uint8_t ram[4 * UMIG_PAGE_SIZE]
		__attribute__((aligned(UMIG_PAGE_SIZE)));
	struct memslots ms = { 0 };

	(void)state;
	assert_int_equal(memslots_add(&ms, 0, 3, ram), 0);
	assert_int_equal(memslots_add(&ms, 0x100000, 1,
				      ram + 3 * UMIG_PAGE_SIZE), 0);
	assert_int_equal(ms.pages, 4);
	assert_int_equal(memslots_index(&ms, 0x100000), 3);
	assert_int_equal(memslots_gfn(&ms, 3), 0x100000);
	assert_int_equal(memslots_gfn(&ms, 2), 2);
	assert_ptr_equal(memslots_hva(&ms, 2), ram + 2 * UMIG_PAGE_SIZE);
	assert_null(memslots_hva(&ms, 3));
}

static void memslots_refuse_what_does_not_fit(void **state)
{
	struct memslots ms = { 0 };
	unsigned int i;

	(void)state;
	assert_int_equal(memslots_add(&ms, 5, 0, NULL), -EINVAL);
	assert_int_equal(memslots_add(&ms, 5, 1, (void *)1), -EINVAL);
	assert_int_equal(memslots_add(&ms, UINT64_MAX, 2, NULL), -EINVAL);
	assert_int_equal(memslots_add(&ms, 5, 2, NULL), 0);
	assert_int_equal(memslots_add(&ms, 6, 2, NULL), -EINVAL);
	for (i = 1; i < MEMSLOTS_MAX; i++)
		assert_int_equal(memslots_add(&ms, i * 100, 1, NULL), 0);
	assert_int_equal(memslots_add(&ms, 1 << 20, 1, NULL), -ENOSPC);
}

static void runs_of_a_peer_are_bounded_by_one_slot(void **state)
{
	struct memslots ms = { 0 };

	(void)state;
	memslots_add(&ms, 0, 10, NULL);
	memslots_add(&ms, 10, 10, NULL);
	assert_true(memslots_has_run(&ms, 0, 10));
	assert_true(memslots_has_run(&ms, 9, 1));
	assert_false(memslots_has_run(&ms, 9, 2));
	assert_false(memslots_has_run(&ms, 5, 0));
	assert_false(memslots_has_run(&ms, 5, UINT64_MAX));
	assert_false(memslots_has_run(&ms, UINT64_MAX, 2));
	assert_false(memslots_has_run(&ms, 20, 1));
}

static void bitmaps_find_and_count(void **state)
{
	uint64_t *map = bitmap_alloc(130);

	(void)state;
	assert_int_equal(bitmap_next(map, 130, 0), 130);
	assert_int_equal(bitmap_set_run(map, 60, 70), 70);
	assert_int_equal(bitmap_set_run(map, 59, 2), 1);
	assert_int_equal(bitmap_next(map, 130, 0), 59);
	assert_int_equal(bitmap_next(map, 130, 129), 129);
	assert_int_equal(bitmap_next(map, 130, 130), 130);
	assert_int_equal(bitmap_next_clear(map, 130, 59), 130);
	assert_int_equal(bitmap_next_clear(map, 130, 0), 0);
	assert_int_equal(bitmap_count(map, 130), 71);
	assert_int_equal(bitmap_count(map, 64), 5);
	bitmap_clear(map, 100);
	assert_int_equal(bitmap_next_clear(map, 130, 59), 100);
	free(map);
}

/* Runs that begin and end anywhere, beside bit by bit. */
static void bitmaps_change_by_runs(void **state)
{
	uint64_t map[BITMAP_WORDS(200)], want[BITMAP_WORDS(200)];
	uint64_t bit, n, i, fresh;

	(void)state;
	for (bit = 0; bit < 200; bit++) {
		for (n = 0; n <= 200 - bit; n++) {
			memset(map, 0xa5, sizeof(map));
			memset(want, 0xa5, sizeof(want));
			for (i = bit, fresh = 0; i < bit + n; i++) {
				fresh += !bitmap_test(want, i);
				bitmap_set(want, i);
			}
			assert_int_equal(bitmap_set_run(map, bit, n), fresh);
			assert_memory_equal(map, want, sizeof(map));
			memset(map, 0x5a, sizeof(map));
			memset(want, 0x5a, sizeof(want));
			for (i = bit; i < bit + n; i++)
				bitmap_clear(want, i);
			bitmap_clear_run(map, bit, n);
			assert_memory_equal(map, want, sizeof(map));
		}
	}
}

static void received_map_is_complete_when_nothing_is_missing(void **state)
{
	struct received r;

	(void)state;
	assert_int_equal(received_init(&r, 3), 0);
	received_placed(&r, 0, 1);
	received_placed(&r, 2, 1);
	assert_false(received_complete(&r));
	assert_int_equal(received_first_missing(&r), 1);
	received_refused(&r, 1, 1);
	assert_false(received_complete(&r));
	received_placed(&r, 1, 1);
	assert_true(received_complete(&r));
	assert_int_equal(received_first_missing(&r), 3);
	/* a newer content that could not be placed makes it missing again */
	received_refused(&r, 0, 2);
	assert_false(received_complete(&r));
	assert_false(received_has(&r, 0, 2));
	assert_false(received_has(&r, 0, 1));
	assert_false(received_accepts(&r, 0, 1));
	assert_true(received_accepts(&r, 0, 2));
	received_placed(&r, 0, 2);
	received_placed(&r, 0, 3);
	assert_true(received_complete(&r));
	assert_true(received_has(&r, 0, 3));
	received_exit(&r);
}

static void digest_for(digest_t *d, uint32_t n, bool collide)
{
	memset(d, 0, sizeof(*d));
	if (!collide)
		memcpy(d->b, &n, sizeof(n));
	memcpy(d->b + 8, &n, sizeof(n));
}

static void offers_are_made_once_and_answered_in_order(bool collide)
{
	uint32_t number, again, round, i, n = 5000;
	struct offers o;
	uint64_t index;
	digest_t d;
	bool added;

	assert_int_equal(offers_init(&o, n), 0);
	for (i = 0; i < n; i++) {
		digest_for(&d, i, collide);
		assert_int_equal(offers_find_or_add(&o, &d, &number, &added),
				 0);
		assert_true(added);
		assert_int_equal(number, i);
		assert_int_equal(offers_find_or_add(&o, &d, &again, &added),
				 0);
		assert_false(added);
		assert_int_equal(again, i);
		if (collide && i > 200)
			break;	/* quadratic, by design of this test */
		assert_int_equal(offers_wait(&o, i, i * 10, 3), 0);
		assert_int_equal(offers_wait(&o, i, i * 10 + 1, 4), 0);
	}
	assert_int_equal(offers_answer(&o, true), 0);
	assert_int_equal(offers_answer(&o, false), 1);
	assert_int_equal(o.offer[0].state, OFFER_HELD);
	assert_int_equal(o.offer[1].state, OFFER_REFUSED);
	assert_int_equal(o.offer[2].state, OFFER_PENDING);
	assert_true(offers_pop_waiter(&o, 1, &index, &round));
	assert_int_equal(index, 11);
	assert_int_equal(round, 4);
	assert_true(offers_pop_waiter(&o, 1, &index, &round));
	assert_int_equal(index, 10);
	assert_false(offers_pop_waiter(&o, 1, &index, &round));
	offers_exit(&o);
}

static void offers_by_digest(void **state)
{
	(void)state;
	offers_are_made_once_and_answered_in_order(false);
}

static void offers_with_colliding_digests(void **state)
{
	(void)state;
	offers_are_made_once_and_answered_in_order(true);
}

static void numbers_of_offers_never_wrap(void **state)
{
	(void)state;
	assert_int_equal(offers_limit(1), OFFERS_PER_PAGE);
	assert_int_equal(offers_limit(OFFERS_MAX / OFFERS_PER_PAGE - 1),
			 OFFERS_MAX - OFFERS_PER_PAGE);
	assert_int_equal(offers_limit(OFFERS_MAX / OFFERS_PER_PAGE),
			 OFFERS_MAX);
	/* times four these were none, in 32 bits or in 64 */
	assert_int_equal(offers_limit(1ULL << 30), OFFERS_MAX);
	assert_int_equal(offers_limit(1ULL << 62), OFFERS_MAX);
}

static void offers_end_at_their_limit(void **state)
{
	struct offers o;
	uint32_t number;
	digest_t d;
	bool added;

	(void)state;
	assert_int_equal(offers_init(&o, 1), 0);
	assert_int_equal(offers_answer(&o, true), OFFERS_NONE);
	digest_for(&d, 1, false);
	assert_int_equal(offers_find_or_add(&o, &d, &number, &added), 0);
	digest_for(&d, 2, false);
	assert_int_equal(offers_find_or_add(&o, &d, &number, &added),
			 -ENOSPC);
	offers_exit(&o);
}

static void duplicates_need_equal_bytes_and_the_same_round(void **state)
{
	static uint8_t page[UMIG_PAGE_SIZE]
		__attribute__((aligned(8))), other[UMIG_PAGE_SIZE];
	struct duplicates *d = malloc(sizeof(*d));
	uint64_t gfn;

	(void)state;
	assert_int_equal(duplicates_init(d), 0);
	page[9] = 1;
	assert_false(duplicates_find(d, 5, 1, page, &gfn));
	duplicates_keep(d, 5, 77, 1, page);
	assert_true(duplicates_find(d, 5, 1, page, &gfn));
	assert_int_equal(gfn, 77);
	assert_false(duplicates_find(d, 5, 2, page, &gfn));
	assert_false(duplicates_find(d, 5 + DUPLICATES_KEPT, 1, page, &gfn));
	assert_false(duplicates_find(d, 5, 1, other, &gfn));
	duplicates_exit(d);
	free(d);
}

static void zero_pages_are_told_from_others_at_every_word(void **state)
{
	static uint64_t page[512];
	unsigned int i;

	(void)state;
	assert_true(page_is_zero(page));
	for (i = 0; i < 512; i++) {
		page[i] = 1ULL << (i % 64);
		assert_false(page_is_zero(page));
		page[i] = 0;
	}
}

static void guest_is_never_handed_over_without_stopping_it(void **state)
{
	enum migrate_state from, to;

	(void)state;
	for (from = 1; from < MIGRATE_STATES; from++) {
		assert_string_not_equal(migrate_state_name(from), "invalid");
		/* into HANDOVER from STOPPING only; out of final states never */
		assert_int_equal(migrate_state_may(from, MIGRATE_HANDOVER),
				 from == MIGRATE_STOPPING);
		for (to = 1; to < MIGRATE_STATES; to++)
			if (migrate_state_final(from))
				assert_false(migrate_state_may(from, to));
	}
	/* no cancel once GO may have been said */
	assert_false(migrate_state_may(MIGRATE_HANDOVER,
				       MIGRATE_CANCELLING));
	assert_false(migrate_state_may(MIGRATE_HANDOVER_UNKNOWN,
				       MIGRATE_CANCELLING));
	assert_string_equal(migrate_state_name(0), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memslots_number_pages_densely),
		cmocka_unit_test(memslots_refuse_what_does_not_fit),
		cmocka_unit_test(runs_of_a_peer_are_bounded_by_one_slot),
		cmocka_unit_test(bitmaps_find_and_count),
		cmocka_unit_test(bitmaps_change_by_runs),
		cmocka_unit_test(received_map_is_complete_when_nothing_is_missing),
		cmocka_unit_test(offers_by_digest),
		cmocka_unit_test(offers_with_colliding_digests),
		cmocka_unit_test(numbers_of_offers_never_wrap),
		cmocka_unit_test(offers_end_at_their_limit),
		cmocka_unit_test(duplicates_need_equal_bytes_and_the_same_round),
		cmocka_unit_test(zero_pages_are_told_from_others_at_every_word),
		cmocka_unit_test(guest_is_never_handed_over_without_stopping_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
