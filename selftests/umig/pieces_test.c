// SPDX-License-Identifier: GPL-2.0
/* Frames in pieces: what is sent is what was meant, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/pieces.h"

#define BYTES 10000

static uint8_t frame[BYTES], elsewhere[BYTES], meant[BYTES];
static struct pieces p;

static void set_up(void)
{
	size_t i;

	for (i = 0; i < BYTES; i++) {
		frame[i] = i % 241;
		elsewhere[i] = 255 - i % 239;
	}
	memcpy(meant, frame, BYTES);
	pieces_begin(&p, frame);
}

static bool borrow(size_t at, size_t from, size_t bytes)
{
	bool can = pieces_borrow(&p, frame + at, elsewhere + from, bytes);

	if (can) {
		memcpy(meant + at, elsewhere + from, bytes);
		memset(frame + at, 0, bytes);	/* nobody looks there */
	}
	return can;
}

/* As a socket takes them: @each bytes at a time, across pieces. */
static void assert_sent(size_t end, size_t each)
{
	uint8_t got[BYTES];
	size_t at = 0, n, k;
	unsigned int i;

	pieces_end(&p, frame + end);
	while (at < end) {
		n = end - at < each ? end - at : each;
		for (i = p.first, k = 0; k < n; i++) {
			size_t piece = p.iov[i].iov_len;

			assert_true(i < p.nr);
			if (piece > n - k)
				piece = n - k;
			memcpy(got + at + k, p.iov[i].iov_base, piece);
			k += piece;
		}
		pieces_sent(&p, n);
		at += n;
	}
	assert_int_equal(p.first, p.nr);
	assert_memory_equal(got, meant, end);
}

static void sends_what_was_meant(void **state)
{
	static const size_t cuts[] = { 1, 7, 100, 4096, BYTES };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		set_up();
		assert_true(borrow(16, 50, 1000));
		assert_true(borrow(1016, 1050, 1000));
		assert_int_equal(p.nr, 2);	/* they are one */
		assert_true(borrow(2016, 1050, 10));
		assert_true(borrow(2500, 1060, 10));
		assert_int_equal(p.nr, 5);
		assert_sent(9000, cuts[i]);
	}
}

static void borrows_nothing_and_everything(void **state)
{
	(void)state;
	set_up();
	assert_sent(77, 10);
	set_up();
	assert_true(borrow(0, 0, BYTES));
	assert_sent(BYTES, 333);
}

static void room_is_bounded(void **state)
{
	size_t at = 1;

	(void)state;
	set_up();
	while (borrow(at, at, 1))
		at += 2;
	assert_true(p.nr <= PIECES_MAX - 1);
	assert_true(at > PIECES_MAX / 2);
	assert_sent(BYTES, 1500);
	assert_true(p.nr <= PIECES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_was_meant),
		cmocka_unit_test(borrows_nothing_and_everything),
		cmocka_unit_test(room_is_bounded),
	};

	return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
