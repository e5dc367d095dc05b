// SPDX-License-Identifier: GPL-2.0
/* Which pages nobody has written, without touching them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mem/untouched.h"

#define PAGES 300

static uint8_t *map(void)
{
	uint8_t *at = mmap(NULL, PAGES * UMIG_PAGE_SIZE,
			   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	madvise(at, PAGES * UMIG_PAGE_SIZE, MADV_NOHUGEPAGE);
	return at;
}

static void unmap(uint8_t *at)
{
	munmap(at, PAGES * UMIG_PAGE_SIZE);
}

static void finds_what_was_not_written(void **state)
{
	const struct memslots ms = { .anonymous = true };
	uint64_t found[BITMAP_WORDS(UNTOUCHED_MAX)];
	uint8_t *at = map();
	struct untouched u;
	unsigned int i;

	(void)state;
	untouched_open(&u, &ms);
	assert_true(u.fd >= 0);
	assert_int_equal(untouched_find(&u, at, PAGES, found), PAGES);
	for (i = 0; i < PAGES; i += 3)
		at[i * UMIG_PAGE_SIZE] = 1;
	/* asking has touched nothing, so it answers the same again */
	assert_int_equal(untouched_find(&u, at, PAGES, found), PAGES / 3 * 2);
	assert_int_equal(untouched_find(&u, at, PAGES, found), PAGES / 3 * 2);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(bitmap_test(found, i), i % 3 != 0);
	assert_int_equal(untouched_find(&u, at + UMIG_PAGE_SIZE, 2, found), 2);
	unmap(at);
	untouched_close(&u);
}

/* A page that was written as zero, or given back, is zero either way. */
static void may_know_less_but_never_wrong(void **state)
{
	const struct memslots ms = { .anonymous = true };
	uint64_t found[BITMAP_WORDS(UNTOUCHED_MAX)];
	uint8_t *at = map();
	struct untouched u;

	(void)state;
	untouched_open(&u, &ms);
	memset(at, 0, UMIG_PAGE_SIZE);
	memset(at + UMIG_PAGE_SIZE, 1, UMIG_PAGE_SIZE);
	assert_int_equal(untouched_find(&u, at, 3, found), 1);
	madvise(at + UMIG_PAGE_SIZE, UMIG_PAGE_SIZE, MADV_DONTNEED);
	assert_int_equal(untouched_find(&u, at, 3, found), 2);
	assert_int_equal(at[UMIG_PAGE_SIZE], 0);
	unmap(at);
	untouched_close(&u);
}

/* What isn't mapped of a file may be anything. */
static void knows_nothing_of_other_memory(void **state)
{
	const struct memslots ms = { .anonymous = false };
	uint64_t found[BITMAP_WORDS(UNTOUCHED_MAX)];
	uint8_t *at = map();
	struct untouched u;

	(void)state;
	untouched_open(&u, &ms);
	assert_int_equal(untouched_find(&u, at, PAGES, found), -ENODATA);
	assert_int_equal(bitmap_count(found, UNTOUCHED_MAX), 0);
	unmap(at);
	untouched_close(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_not_written),
		cmocka_unit_test(may_know_less_but_never_wrong),
		cmocka_unit_test(knows_nothing_of_other_memory),
	};

	return cmocka_run_group_tests_name("untouched", tests, NULL, NULL);
}
