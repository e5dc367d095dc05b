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

#include "migrate/delta_cache.h"
#include "wire/delta.h"

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

/* Those sent longest ago make room; nobody gets another page's content. */
static void the_cache_is_bounded(void **state)
{
	const uint64_t room = (1 << 20) / PAGE;
	uint8_t page[PAGE] = { 0 }, delta[DELTA_BYTES_MAX];
	struct delta_cache c;
	uint32_t base;
	uint64_t i;

	(void)state;
	assert_int_equal(delta_cache_init(&c, 1 << 20), 0);
	for (i = 0; i < 2 * room; i++) {
		memcpy(page, &i, sizeof(i));
		assert_int_equal(delta_cache_send(&c, i, 1, page, delta,
						  &base), -ENOENT);
	}
	for (i = room; i < 2 * room; i++) {
		memcpy(page, &i, sizeof(i));
		assert_int_equal(delta_cache_send(&c, i, 2, page, delta,
						  &base), 0);
		assert_int_equal(base, 1);
	}
	for (i = 0; i < room; i++)
		assert_int_equal(delta_cache_send(&c, i, 3, page, delta,
						  &base), -ENOENT);
	delta_cache_exit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_come_across),
		cmocka_unit_test(near_changes_share_a_piece),
		cmocka_unit_test(malformed_deltas_change_nothing),
		cmocka_unit_test(the_base_is_what_was_sent),
		cmocka_unit_test(the_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
