// SPDX-License-Identifier: GPL-2.0
/* What is known of pages before anybody looks at them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "migrate/classify.h"

#define PAGES CLASSIFY_PAGES
#define BYTES (PAGES * UMIG_PAGE_SIZE)

/* A source of digests that says what it was told to. */
struct teller {
	struct digest_source ds;
	uint8_t class[PAGES];
	int error;
};

struct fixture {
	struct memslots ms;
	struct teller teller;
	struct classifier c;
	uint8_t *memory;
	struct err err;
};

static int tell(struct digest_source *ds, const void *hva, unsigned int pages,
		uint8_t *classes, digest_t *digests)
{
	struct teller *t = (struct teller *)ds;
	unsigned int i;

	(void)hva;
	memcpy(classes, t->class, pages);
	for (i = 0; i < pages; i++)
		if (classes[i] == DIGEST_KNOWN)
			memset(&digests[i], i % 251, sizeof(digests[i]));
	return t->error;
}

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){
		.ms.anonymous = true,
		.teller.ds = { .name = "the teller", .range = tell },
	};
	memset(f.teller.class, DIGEST_NONE, PAGES);
	f.memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f.memory, MAP_FAILED);
	/* each page is there, or not, for itself */
	madvise(f.memory, BYTES, MADV_NOHUGEPAGE);
	assert_int_equal(memslots_add(&f.ms, 0, PAGES, f.memory), 0);
	classifier_init(&f.c, &f.ms, &f.teller.ds);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	classifier_exit(&f->c);
	munmap(f->memory, BYTES);
	return 0;
}

static void touch(struct fixture *f, unsigned int first, unsigned int n)
{
	memset(f->memory + first * UMIG_PAGE_SIZE, 1, n * UMIG_PAGE_SIZE);
}

static void know(struct fixture *f, unsigned int first, unsigned int n)
{
	memset(f->teller.class + first, DIGEST_KNOWN, n);
}

static void ask(struct fixture *f, bool fresh)
{
	assert_int_equal(classify(&f->c, 0, PAGES, fresh, &f->err), 0);
}

static void memory_that_is_all_there_is_dense(void **state)
{
	struct fixture *f = *state;

	touch(f, 0, PAGES);
	ask(f, true);
	assert_true(f->c.dense);
	assert_int_equal(f->c.class[0], DIGEST_NONE);
	assert_int_equal(classifier_alike(&f->c, 0, PAGES), PAGES);
}

static void one_page_that_is_not_there_is_a_gap_and_zero(void **state)
{
	struct fixture *f = *state;

	touch(f, 0, 9);
	touch(f, 10, PAGES - 10);
	ask(f, true);
	assert_false(f->c.dense);
	assert_int_equal(classifier_alike(&f->c, 0, PAGES), 9);
	assert_int_equal(f->c.class[9], DIGEST_ZERO);
	assert_int_equal(classifier_alike(&f->c, 9, PAGES), 1);
	assert_int_equal(classifier_alike(&f->c, 10, PAGES), PAGES - 10);
}

static void later_nobody_asks_what_is_there(void **state)
{
	struct fixture *f = *state;

	touch(f, 0, PAGES);
	ask(f, true);
	assert_true(f->c.dense);
	ask(f, false);
	assert_false(f->c.dense);
	madvise(f->memory, BYTES, MADV_DONTNEED);
	ask(f, false);
	assert_int_equal(f->c.class[0], DIGEST_NONE);
}

static void memory_of_another_kind_is_not_dense(void **state)
{
	struct fixture *f = *state;

	classifier_exit(&f->c);
	f->ms.anonymous = false;
	classifier_init(&f->c, &f->ms, &f->teller.ds);
	touch(f, 0, PAGES);
	ask(f, true);
	assert_false(f->c.dense);
	assert_int_equal(f->c.class[0], DIGEST_NONE);
}

/* A page with a digest is there, whatever the page map says of it. */
static void pages_with_digests_are_named(void **state)
{
	struct fixture *f = *state;

	know(f, 4, 2);
	ask(f, true);
	assert_false(f->c.dense);
	assert_int_equal(classifier_alike(&f->c, 0, PAGES), 4);
	assert_int_equal(f->c.class[0], DIGEST_ZERO);
	assert_int_equal(f->c.class[4], DIGEST_KNOWN);
	assert_int_equal(f->c.digest[5].b[0], 5);
	assert_int_equal(classifier_alike(&f->c, 4, PAGES), 2);
}

static void mostly_digests_are_dense_enough(void **state)
{
	struct fixture *f = *state;

	know(f, 0, PAGES / 4 * 3 - 1);
	ask(f, true);
	assert_false(f->c.dense);
	know(f, 0, PAGES / 4 * 3);
	ask(f, true);
	assert_true(f->c.dense);
	/* the rest is looked at */
	assert_int_equal(f->c.class[PAGES - 1], DIGEST_NONE);
}

/* Nothing is gained by memory for them, wherever they lie. */
static void zero_pages_that_have_memory_are_gaps(void **state)
{
	struct fixture *f = *state;

	touch(f, 0, PAGES);
	f->teller.class[7] = DIGEST_ZERO;
	ask(f, true);
	assert_false(f->c.dense);
	assert_int_equal(f->c.class[7], DIGEST_ZERO);
	know(f, 8, PAGES - 8);
	ask(f, true);
	assert_false(f->c.dense);
	memset(f->teller.class, DIGEST_ZERO, PAGES);
	ask(f, true);
	assert_false(f->c.dense);
}

static void without_digests_the_page_map_still_tells(void **state)
{
	struct fixture *f = *state;

	classifier_exit(&f->c);
	classifier_init(&f->c, &f->ms, NULL);
	know(f, 0, PAGES);
	touch(f, 3, 1);
	ask(f, true);
	assert_false(f->c.dense);
	assert_int_equal(classifier_alike(&f->c, 0, PAGES), 3);
	assert_int_equal(f->c.class[3], DIGEST_NONE);
}

static void what_comes_later_is_like_what_is_not_known(void **state)
{
	struct fixture *f = *state;

	f->teller.class[2] = DIGEST_LATER;
	f->teller.class[5] = DIGEST_ZERO;
	ask(f, false);
	assert_int_equal(classifier_alike(&f->c, 0, PAGES), 5);
	assert_int_equal(classifier_alike(&f->c, 2, PAGES), 3);
	assert_int_equal(classifier_alike(&f->c, 5, PAGES), 1);
	assert_int_equal(classifier_alike(&f->c, 6, 100), 94);
}

static void a_source_that_fails_is_named(void **state)
{
	struct fixture *f = *state;

	f->teller.error = -EIO;
	assert_int_equal(classify(&f->c, 0, PAGES, true, &f->err), -EIO);
	assert_non_null(strstr(err_text(&f->err), "the teller"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(memory_that_is_all_there_is_dense),
		T(one_page_that_is_not_there_is_a_gap_and_zero),
		T(later_nobody_asks_what_is_there),
		T(memory_of_another_kind_is_not_dense),
		T(pages_with_digests_are_named),
		T(mostly_digests_are_dense_enough),
		T(zero_pages_that_have_memory_are_gaps),
		T(without_digests_the_page_map_still_tells),
		T(what_comes_later_is_like_what_is_not_known),
		T(a_source_that_fails_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
