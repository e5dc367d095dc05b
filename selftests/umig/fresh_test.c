// SPDX-License-Identifier: GPL-2.0
/* Pages written for the first time, by userfaultfd and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "mem/fresh.h"
#include "mem/memslots.h"

#define PAGES 1200
#define BYTES (PAGES * UMIG_PAGE_SIZE)
#define FIRST 8		/* what is before and behind must stay untouched */

struct memory {
	struct fresh fresh;
	uint8_t *from;
	uint8_t *to;
};

static uint8_t *map(void)
{
	uint8_t *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	madvise(at, BYTES, MADV_NOHUGEPAGE);
	return at;
}

static int set_up(void **state)
{
	static struct memory m;
	size_t i;

	m.from = map();
	m.to = map();
	for (i = 0; i < BYTES; i++)
		m.from[i] = i / UMIG_PAGE_SIZE * 7 + i % 251 + 1;
	fresh_init(&m.fresh);
	*state = &m;
	return 0;
}

static int set_up_without(void **state)
{
	struct memory *m;

	set_up(state);
	m = *state;
	fresh_exit(&m->fresh);
	return 0;
}

static int tear_down(void **state)
{
	struct memory *m = *state;

	fresh_exit(&m->fresh);
	munmap(m->from, BYTES);
	munmap(m->to, BYTES);
	return 0;
}

static void assert_written(struct memory *m, size_t pages)
{
	unsigned char resident[PAGES];
	size_t i;

	assert_int_equal(mincore(m->to, BYTES, resident), 0);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(resident[i] & 1,
				 i >= FIRST && i < FIRST + pages);
	assert_memory_equal(m->to + FIRST * UMIG_PAGE_SIZE, m->from,
			    pages * UMIG_PAGE_SIZE);
}

static void writes_these_and_no_others(void **state)
{
	static const size_t sizes[] = { 1, 3, 4, 15, 16, 17, 64, 200, 512 };
	struct memory *m = *state;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(fresh_write(&m->fresh,
					     m->to + FIRST * UMIG_PAGE_SIZE,
					     m->from, sizes[i]), 0);
		assert_written(m, sizes[i]);
		assert_int_equal(madvise(m->to, BYTES, MADV_DONTNEED), 0);
	}
}

/* A page written, and one that was read: neither is fresh. */
static void writes_what_was_touched(void **state)
{
	struct memory *m = *state;
	uint8_t *to = m->to + FIRST * UMIG_PAGE_SIZE;

	to[40 * UMIG_PAGE_SIZE] = 1;
	assert_int_equal(((volatile uint8_t *)to)[90 * UMIG_PAGE_SIZE], 0);
	assert_int_equal(fresh_write(&m->fresh, to, m->from, 200), 0);
	assert_written(m, 200);
}

/* Nobody waits for a userfaultfd afterwards: reads, writes, system calls. */
static void leaves_plain_memory(void **state)
{
	struct memory *m = *state;
	uint8_t *to = m->to + FIRST * UMIG_PAGE_SIZE;

	assert_int_equal(fresh_write(&m->fresh, to, m->from, 100), 0);
	assert_int_equal(madvise(to, 50 * UMIG_PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(to[10 * UMIG_PAGE_SIZE], 0);
	to[20 * UMIG_PAGE_SIZE] = 7;
	assert_int_equal(to[20 * UMIG_PAGE_SIZE], 7);
	assert_memory_equal(to + 50 * UMIG_PAGE_SIZE,
			    m->from + 50 * UMIG_PAGE_SIZE,
			    50 * UMIG_PAGE_SIZE);
}

#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down), \
	{ #test "_without_userfaultfd", test, set_up_without, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(writes_these_and_no_others),
		BOTH(writes_what_was_touched),
		BOTH(leaves_plain_memory),
	};

	return cmocka_run_group_tests_name("fresh", tests, NULL, NULL);
}
