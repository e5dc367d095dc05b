// SPDX-License-Identifier: GPL-2.0
/*
 * Deltas: what was changed is changed alike at the other end, nothing of a
 * malformed one is applied, and the cache's base is what was sent in the round
 * that it names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "migrate/deltas.h"
#include "migrate/place.h"
#include "wire/delta.h"
#include "wire/pages.h"

#define PAGE DELTA_PAGE_BYTES

static void fill(uint8_t *page, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < PAGE; i++) {
		seed = seed * 1103515245 + 12345;
		page[i] = seed >> 24;
	}
}

/* Its length, having checked that it makes @now of @before. */
static int there_and_back(const uint8_t *before, const uint8_t *now)
{
	uint8_t delta[2 * PAGE], page[PAGE];
	int n = delta_encode(before, now, delta, sizeof(delta));
	uint8_t *tight;

	assert_true(n >= 0);
	memcpy(page, before, PAGE);
	assert_int_equal(delta_apply(page, delta, n), 0);
	assert_memory_equal(page, now, PAGE);
	if (!n)
		return 0;
	/* room to the byte, and a byte less; blocks of their own, for ASan */
	tight = malloc(n);
	assert_int_equal(delta_encode(before, now, tight, n), n);
	free(tight);
	tight = malloc(n - 1 ? n - 1 : 1);
	assert_int_equal(delta_encode(before, now, tight, n - 1), -ENOSPC);
	free(tight);
	return n;
}

static void changes_come_across(void **state)
{
	uint8_t before[PAGE], now[PAGE];
	unsigned int i, k;

	(void)state;
	fill(before, 1);
	memcpy(now, before, PAGE);
	assert_int_equal(there_and_back(before, now), 0);
	for (i = 0; i < PAGE; i += i < 20 || i > PAGE - 20 ? 1 : 97) {
		now[i] ^= 1;
		assert_int_equal(there_and_back(before, now), 5);
		now[i] ^= 1;
	}
	fill(now, 2);
	assert_true(there_and_back(before, now) <= PAGE + 100);
	for (k = 1; k < 300; k++) {
		memcpy(now, before, PAGE);
		for (i = k; i < PAGE; i += k)
			now[i] ^= 0x80;
		there_and_back(before, now);
	}
}

/* Two changes that are near each other are one piece. */
static void near_changes_share_a_piece(void **state)
{
	uint8_t before[PAGE] = { 0 }, now[PAGE] = { 0 };

	(void)state;
	now[100] = now[105] = 1;
	assert_int_equal(there_and_back(before, now), 4 + 6);
	now[105] = 0;
	now[106] = 1;
	assert_int_equal(there_and_back(before, now), 5 + 5);
}

static void assert_refused(const void *delta, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	uint8_t page[PAGE], was[PAGE];

	memcpy(copy, delta, bytes);
	fill(page, 3);
	fill(was, 3);
	assert_int_equal(delta_apply(page, copy, bytes), -EBADMSG);
	assert_memory_equal(page, was, PAGE);
	free(copy);
}

static void malformed_deltas_change_nothing(void **state)
{
	static const uint8_t good[] = { 0, 0, 2, 0, 'a', 'b', 9, 0, 1, 0, 'c' };
	static const uint8_t nothing[] = { 1, 0, 0, 0 };
	static const uint8_t touching[] = { 0, 0, 1, 0, 'a', 0, 0, 1, 0, 'b' };
	static const uint8_t last[] = { 0xff, 0x0f, 1, 0, 'z' };
	static const uint8_t past[] = { 0xff, 0x0f, 2, 0, 'z', 'z' };
	static const uint8_t far[] = { 0xff, 0xff, 0xff, 0xff, 'z' };
	uint8_t page[PAGE];
	size_t n;

	(void)state;
	for (n = 1; n < sizeof(good); n++)
		if (n != 6)	/* its first piece */
			assert_refused(good, n);
	assert_refused(nothing, sizeof(nothing));
	assert_refused(touching, sizeof(touching));
	assert_refused(past, sizeof(past));
	assert_refused(far, sizeof(far));
	assert_int_equal(delta_apply(page, last, sizeof(last)), 0);
	assert_int_equal(page[PAGE - 1], 'z');
}

/* A destination that takes what is sent has what was sent, each round. */
static void the_base_is_what_was_sent(void **state)
{
	uint8_t page[PAGE], there[PAGE] = { 0 }, delta[DELTA_BYTES_MAX];
	struct delta_cache c;
	uint32_t base = 0, round;
	int n;

	(void)state;
	assert_int_equal(delta_cache_init(&c, 1 << 20), 0);
	fill(page, 1);
	for (round = 1; round < 50; round++) {
		page[round * 13] ^= 1;
		if (round % 10 == 0)
			fill(page, round);
		n = delta_cache_send(&c, 77, round, page, delta, &base);
		if (round == 1 || round % 10 == 0) {
			assert_int_equal(n, round == 1 ? -ENOENT : -ENOSPC);
			memcpy(there, page, PAGE);
			continue;
		}
		assert_int_equal(base, round - 1);
		assert_int_equal(n, 5);
		assert_int_equal(delta_apply(there, delta, n), 0);
		assert_memory_equal(there, page, PAGE);
	}
	delta_cache_forget(&c, 77);
	delta_cache_forget(&c, 78);
	assert_int_equal(delta_cache_send(&c, 77, 50, page, delta, &base),
			 -ENOENT);
	delta_cache_exit(&c);
}

static uint64_t keep_those_with_room(struct delta_cache *c, uint64_t from,
				     uint64_t to, uint32_t round, int rc)
{
	uint8_t page[PAGE] = { 0 }, delta[DELTA_BYTES_MAX];
	uint64_t i, kept = 0;
	uint32_t base;

	for (i = from; i < to; i++) {
		if (!delta_cache_has_room(c, i, round))
			continue;
		memcpy(page, &i, sizeof(i));
		assert_int_equal(delta_cache_send(c, i, round, page, delta,
						  &base), rc);
		if (!rc)
			assert_int_equal(base, round - 1);
		kept++;
	}
	return kept;
}

/*
 * Who was sent in this round or the last stays; then those sent longest ago make
 * room.  Nobody gets another page's content.
 */
static void the_cache_is_bounded(void **state)
{
	const uint64_t room = (1 << 20) / PAGE;
	struct delta_cache c;

	(void)state;
	assert_int_equal(delta_cache_init(&c, 1 << 20), 0);
	assert_int_equal(keep_those_with_room(&c, 0, 2 * room, 1, -ENOENT),
			 room);
	assert_int_equal(keep_those_with_room(&c, 0, 2 * room, 2, 0), room);
	assert_int_equal(keep_those_with_room(&c, room, 2 * room, 3, 0), 0);
	assert_int_equal(keep_those_with_room(&c, room, 3 * room, 4, -ENOENT),
			 room);
	assert_int_equal(keep_those_with_room(&c, room, 3 * room, 5, 0), room);
	assert_int_equal(keep_those_with_room(&c, 0, room, 6, -ENOENT), 0);
	delta_cache_clear(&c);
	assert_int_equal(keep_those_with_room(&c, 0, 2 * room, 6, -ENOENT),
			 room);
	delta_cache_exit(&c);
}

/* A round of @n pages of which each has @changed bytes that are new. */
static uint64_t round_of(struct deltas *d, uint32_t round, uint64_t n,
			 unsigned int changed)
{
	uint64_t i, sent = d->sent;
	uint8_t page[PAGE];

	deltas_begin_round(d, round);
	for (i = 0; i < n; i++) {
		if (!deltas_wants(d, i))
			continue;
		memset(page, (int)i, PAGE);
		memset(page, (int)round, changed);
		deltas_take(d, i, page);
		assert_memory_equal(d->page, page, PAGE);
	}
	return d->sent - sent;
}

static void deltas_are_of_pages_sent_again(void **state)
{
	struct deltas d;

	(void)state;
	assert_int_equal(deltas_init(&d), 0);
	assert_int_equal(round_of(&d, 1, 1000, 8), 0);
	assert_int_equal(round_of(&d, 2, 1000, 8), 0);
	assert_int_equal(round_of(&d, 3, 1000, 8), 1000);
	deltas_forget(&d, 7);
	assert_int_equal(round_of(&d, 4, 1000, 8), 999);
	/* more than there is room for: some, and always the same */
	round_of(&d, 5, 10 * DELTA_CACHE_BYTES / PAGE, 8);
	assert_int_equal(round_of(&d, 6, 10 * DELTA_CACHE_BYTES / PAGE, 8),
			 DELTA_CACHE_BYTES / PAGE);
	deltas_exit(&d);
}

/* If they don't pay, nothing is kept for a while, each time longer. */
static void deltas_that_do_not_pay_are_left(void **state)
{
	uint32_t round, tries = 0, last = 0, gap = 0;
	struct deltas d;

	(void)state;
	assert_int_equal(deltas_init(&d), 0);
	for (round = 1; round < 200; round++) {
		round_of(&d, round, 2 * DELTAS_WINDOW, PAGE);
		if (d.learning == last)
			continue;
		assert_true(round - last > gap);
		gap = round - last;
		last = round;
		tries++;
	}
	assert_int_equal(d.sent, 0);
	assert_true(tries > 2 && tries < 8);
	/* and begin again with nothing known of before */
	while (!d.on)
		round_of(&d, round++, 10, 8);
	assert_int_equal(d.sent, 0);
	assert_int_equal(round_of(&d, round, 10, 8), 10);
	deltas_exit(&d);
}

/* struct there - A destination of four pages. */
struct there {
	uint8_t ram[4 * PAGE] __attribute__((aligned(PAGE)));
	struct memslots ms;
	struct placer placer;
	struct err err;
};

static struct there *there_new(void)
{
	struct there *t = aligned_alloc(PAGE, (sizeof(*t) / PAGE + 1) * PAGE);

	memset(t, 0, sizeof(*t));
	assert_int_equal(memslots_add(&t->ms, 0, 4, t->ram), 0);
	assert_int_equal(placer_init(&t->placer, &t->ms, NULL), 0);
	return t;
}

static void there_free(struct there *t)
{
	placer_exit(&t->placer);
	free(t);
}

/* A page of round @round, whole (@base 0) or as a delta to @base. */
static int deliver(struct there *t, uint64_t gfn, uint32_t round, uint32_t base,
		   const void *bytes, size_t len)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer w;

	pages_writer_init(&w, room, round);
	if (base)
		assert_true(pages_writer_add_delta(&w, gfn, base, bytes, len));
	else
		memset(pages_writer_add(&w, gfn, WIRE_RUN_PLAIN),
		       *(const char *)bytes, PAGE);
	return placer_pages(&t->placer, room, pages_writer_end(&w), &t->err);
}

static const uint8_t two[] = { 1, 0, 2, 0, 'x', 'y' };

static void a_delta_is_applied_to_its_base(void **state)
{
	struct there *t = there_new();

	(void)state;
	assert_int_equal(deliver(t, 1, 1, 0, "a", 1), 0);
	assert_int_equal(deliver(t, 1, 2, 1, two, sizeof(two)), 0);
	assert_int_equal(t->placer.nr_refused, 0);
	assert_memory_equal(t->ram + PAGE, "axya", 4);
	assert_int_equal(deliver(t, 1, 3, 2, "", 0), 0);
	assert_int_equal(t->placer.nr_refused, 0);
	assert_true(received_has(&t->placer.received, 1, 3));
	assert_memory_equal(t->ram + PAGE, "axya", 4);
	there_free(t);
}

/* Of a page that isn't there, or is another round's by now. */
static void a_delta_to_anything_else_is_refused(void **state)
{
	struct there *t = there_new();

	(void)state;
	assert_int_equal(deliver(t, 0, 2, 1, two, sizeof(two)), 0);
	assert_int_equal(t->placer.nr_refused, 1);
	assert_int_equal(t->ram[1], 0);
	assert_int_equal(deliver(t, 1, 1, 0, "a", 1), 0);
	assert_int_equal(deliver(t, 1, 3, 2, two, sizeof(two)), 0);
	assert_int_equal(t->placer.nr_refused, 1);
	assert_memory_equal(t->ram + PAGE, "aaaa", 4);
	/* refused: missing, so a delta to what is there is no good, either */
	assert_int_equal(deliver(t, 1, 4, 1, two, sizeof(two)), 0);
	assert_int_equal(t->placer.nr_refused, 1);
	assert_int_equal(deliver(t, 1, 4, 3, two, sizeof(two)), 0);
	assert_int_equal(t->placer.nr_refused, 1);
	assert_int_equal(deliver(t, 1, 5, 0, "b", 1), 0);
	assert_int_equal(deliver(t, 1, 6, 5, two, sizeof(two)), 0);
	assert_memory_equal(t->ram + PAGE, "bxyb", 4);
	/* an old one that comes late changes nothing */
	assert_int_equal(deliver(t, 1, 2, 1, "\0\0\1\0z", 5), 0);
	assert_int_equal(t->placer.nr_refused, 0);
	assert_memory_equal(t->ram + PAGE, "bxyb", 4);
	there_free(t);
}

static void a_malformed_delta_ends_the_migration(void **state)
{
	static const uint8_t past[] = { 0xff, 0x0f, 2, 0, 'z', 'z' };
	static uint8_t room[100];
	struct pages_writer w;
	struct there *t = there_new();
	size_t n, len;

	(void)state;
	assert_int_equal(deliver(t, 1, 1, 0, "a", 1), 0);
	assert_int_equal(deliver(t, 1, 2, 1, past, sizeof(past)), -EPROTO);
	assert_int_equal(t->ram[2 * PAGE - 1], 'a');
	assert_int_equal(t->ram[2 * PAGE], 0);
	pages_writer_init(&w, room, 3);
	pages_writer_add_delta(&w, 1, 1, two, sizeof(two));
	len = pages_writer_end(&w);
	for (n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, room, n);
		assert_int_equal(placer_pages(&t->placer, copy, n, &t->err),
				 -EPROTO);
		free(copy);
	}
	room[16] = 2;	/* pages of the run */
	assert_int_equal(placer_pages(&t->placer, room, len, &t->err), -EPROTO);
	room[16] = 1;
	room[30] = 1;	/* reserved */
	assert_int_equal(placer_pages(&t->placer, room, len, &t->err), -EPROTO);
	room[30] = 0;
	room[24] = 0;	/* base */
	assert_int_equal(placer_pages(&t->placer, room, len, &t->err), -EPROTO);
	assert_memory_equal(t->ram + PAGE, "aaaa", 4);
	room[24] = 1;
	assert_int_equal(placer_pages(&t->placer, room, len, &t->err), 0);
	assert_memory_equal(t->ram + PAGE, "axya", 4);
	there_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delta_is_applied_to_its_base),
		cmocka_unit_test(a_delta_to_anything_else_is_refused),
		cmocka_unit_test(a_malformed_delta_ends_the_migration),
		cmocka_unit_test(changes_come_across),
		cmocka_unit_test(near_changes_share_a_piece),
		cmocka_unit_test(malformed_deltas_change_nothing),
		cmocka_unit_test(the_base_is_what_was_sent),
		cmocka_unit_test(the_cache_is_bounded),
		cmocka_unit_test(deltas_are_of_pages_sent_again),
		cmocka_unit_test(deltas_that_do_not_pay_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
