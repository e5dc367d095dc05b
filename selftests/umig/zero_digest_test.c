// SPDX-License-Identifier: GPL-2.0
/* Merged pages that are zero: found by their digest, and looked at each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mem/memslots.h"
#include "mem/zero_digest.h"

#define PAGES 6

static const digest_t zeroes = { { 7 } }, other = { { 8 } };

/* struct run - Pages with what a source of digests says of them. */
struct run {
	uint8_t page[PAGES][UMIG_PAGE_SIZE];
	uint8_t classes[PAGES];
	digest_t digests[PAGES];
	struct zero_digest z;
};

/* Pages 0, 2 and 4 are zero, the others end with a byte that isn't. */
static struct run *begin(void)
{
	static struct run r __attribute__((aligned(8)));
	unsigned int i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < PAGES; i++) {
		r.page[i][UMIG_PAGE_SIZE - 9] = i % 2;
		r.classes[i] = DIGEST_KNOWN;
		r.digests[i] = i % 2 ? other : zeroes;
	}
	return &r;
}

static void sort(struct run *r)
{
	zero_digest_sort(&r->z, r->page, PAGES, r->classes, r->digests);
}

static void assert_classes(const struct run *r, const uint8_t *want)
{
	assert_memory_equal(r->classes, want, PAGES);
}

static void merged_zero_pages_are_zero(void **state)
{
	const uint8_t want[PAGES] = {
		DIGEST_ZERO, DIGEST_KNOWN, DIGEST_ZERO,
		DIGEST_KNOWN, DIGEST_ZERO, DIGEST_KNOWN,
	};
	struct run *r = begin();

	(void)state;
	sort(r);
	assert_classes(r, want);
	assert_true(r->z.known);
	assert_memory_equal(&r->z.digest, &zeroes, sizeof(zeroes));
}

/* What isn't known to be merged is somebody else's to look at. */
static void other_classes_stay(void **state)
{
	const uint8_t want[PAGES] = {
		DIGEST_NONE, DIGEST_KNOWN, DIGEST_LATER,
		DIGEST_ZERO, DIGEST_ZERO, DIGEST_KNOWN,
	};
	struct run *r = begin();

	(void)state;
	r->classes[0] = DIGEST_NONE;
	r->classes[2] = DIGEST_LATER;
	r->classes[3] = DIGEST_ZERO;
	sort(r);
	assert_classes(r, want);
}

/* The log tells that it was; its digest isn't that of what is there now. */
static void page_written_since_its_digest_stays(void **state)
{
	struct run *r = begin();

	(void)state;
	sort(r);
	memset(r->classes, DIGEST_KNOWN, PAGES);
	r->page[4][0] = 1;
	sort(r);
	assert_int_equal(r->classes[2], DIGEST_ZERO);
	assert_int_equal(r->classes[4], DIGEST_KNOWN);
}

/* The digest is learnt from a page that has been cleared since: no harm. */
static void wrong_digest_makes_nothing_zero_and_is_forgotten(void **state)
{
	const uint8_t want[PAGES] = {
		DIGEST_NONE, DIGEST_ZERO, DIGEST_KNOWN,
		DIGEST_KNOWN, DIGEST_ZERO, DIGEST_KNOWN,
	};
	struct run *r = begin();

	(void)state;
	memset(r->page[1], 0, UMIG_PAGE_SIZE);
	r->classes[0] = DIGEST_NONE;
	sort(r);
	/* page 2 goes by its digest; with page 3 the wrong one is noticed */
	assert_classes(r, want);
	assert_memory_equal(&r->z.digest, &zeroes, sizeof(zeroes));
}

static void where_none_is_zero_pages_are_not_looked_at_for_ever(void **state)
{
	struct run *r = begin();
	unsigned int i;

	(void)state;
	for (i = 0; i < PAGES; i++)
		r->page[i][0] = 1;
	for (i = 0; i <= ZERO_DIGEST_LOOKS / PAGES; i++)
		sort(r);
	memset(r->page, 0, sizeof(r->page));
	sort(r);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(r->classes[i], DIGEST_KNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged_zero_pages_are_zero),
		cmocka_unit_test(other_classes_stay),
		cmocka_unit_test(page_written_since_its_digest_stays),
		cmocka_unit_test(
			wrong_digest_makes_nothing_zero_and_is_forgotten),
		cmocka_unit_test(
			where_none_is_zero_pages_are_not_looked_at_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
