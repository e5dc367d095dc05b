// SPDX-License-Identifier: GPL-2.0
/* Which pages are taken in which round, and in what runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "mem/huge.h"
#include "migrate/todo.h"

#define BATCH HUGE_PAGES
#define LOW (HUGE_PAGES + 88)
#define HIGH (2 * HUGE_PAGES)
#define PAGES (LOW + HIGH)
#define HIGH_GFN (16 * HUGE_PAGES)

struct fixture {
	struct memslots ms;
	struct todo todo;
	void *memory;
};

/* Two slots, side by side by dense index only. */
static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	f.memory = mmap(NULL, PAGES * UMIG_PAGE_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(f.memory, MAP_FAILED);
	assert_int_equal(memslots_add(&f.ms, 0, LOW, f.memory), 0);
	assert_int_equal(memslots_add(&f.ms, HIGH_GFN, HIGH,
				      (uint8_t *)f.memory +
					      LOW * UMIG_PAGE_SIZE), 0);
	assert_int_equal(todo_init(&f.todo, &f.ms), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	todo_exit(&f->todo);
	munmap(f->memory, PAGES * UMIG_PAGE_SIZE);
	return 0;
}

static void assert_taken(struct todo *t, unsigned int max, uint64_t first,
			 unsigned int n)
{
	uint64_t at;

	assert_int_equal(todo_take(t, max, &at), n);
	assert_int_equal(at, first);
}

static void assert_all_taken(struct todo *t)
{
	assert_int_equal(todo_count(t), 0);
	assert_taken(t, BATCH, PAGES, 0);
}

static void begin_round_2(struct todo *t)
{
	todo_begin_round(t);
	todo_begin_round(t);
	assert_int_equal(t->round, 2);
}

static void nothing_is_to_be_done_at_first(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	assert_int_equal(todo_count_next(t), 0);
	todo_begin_round(t);
	assert_all_taken(t);
}

static void what_is_added_is_taken_in_the_next_round(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	begin_round_2(t);
	todo_add(t, 3, 2);
	todo_add(t, 70, 1);
	assert_int_equal(todo_count_next(t), 3);
	assert_all_taken(t);
	todo_begin_round(t);
	assert_int_equal(todo_count(t), 3);
	assert_int_equal(todo_count_next(t), 0);
	assert_taken(t, BATCH, 3, 2);
	assert_taken(t, BATCH, 70, 1);
	assert_all_taken(t);
}

static void a_run_is_no_longer_than_asked(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, 0, 10);
	todo_begin_round(t);
	assert_taken(t, 4, 0, 4);
	assert_taken(t, 4, 4, 4);
	assert_taken(t, 4, 8, 2);
	assert_all_taken(t);
}

static void what_is_written_before_it_is_taken_waits(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, 0, 8);
	todo_begin_round(t);
	todo_add(t, 0, 2);
	todo_add(t, 5, 1);
	assert_taken(t, BATCH, 2, 3);
	assert_taken(t, BATCH, 6, 2);
	assert_all_taken(t);
	todo_begin_round(t);
	assert_taken(t, BATCH, 0, 2);
	assert_taken(t, BATCH, 5, 1);
	assert_all_taken(t);
}

static void what_is_written_after_it_was_taken_is_taken_again(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, 9, 1);
	todo_begin_round(t);
	assert_taken(t, BATCH, 9, 1);
	todo_add(t, 9, 1);
	assert_all_taken(t);
	todo_begin_round(t);
	assert_taken(t, BATCH, 9, 1);
	assert_all_taken(t);
}

static void what_is_left_is_of_the_next_round(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, 100, 6);
	todo_begin_round(t);
	assert_taken(t, 2, 100, 2);
	todo_add(t, 300, 1);
	todo_leave_round(t);
	assert_all_taken(t);
	assert_int_equal(todo_count_next(t), 5);
	todo_begin_round(t);
	assert_taken(t, BATCH, 102, 4);
	assert_taken(t, BATCH, 300, 1);
	assert_all_taken(t);
}

static void a_run_is_of_one_slot(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, LOW - 3, 5);
	todo_begin_round(t);
	assert_taken(t, BATCH, LOW - 3, 3);
	assert_taken(t, BATCH, LOW, 2);
	assert_all_taken(t);
}

static void at_first_a_batch_is_what_a_huge_page_has(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_add(t, 0, PAGES);
	todo_begin_round(t);
	assert_int_equal(t->round, 1);
	assert_taken(t, 500, 0, 500);
	assert_false(todo_ends_batch(t));
	assert_taken(t, BATCH, 500, HUGE_PAGES - 500);
	assert_true(todo_ends_batch(t));
	assert_taken(t, BATCH, HUGE_PAGES, LOW - HUGE_PAGES);
	assert_false(todo_ends_batch(t));
	assert_taken(t, BATCH, LOW, 2 * HUGE_PAGES - LOW);
	assert_true(todo_ends_batch(t));
	assert_taken(t, BATCH, 2 * HUGE_PAGES, HUGE_PAGES);
	assert_true(todo_ends_batch(t));
}

static void later_it_is_as_long_as_the_pages_last(void **state)
{
	struct todo *t = &((struct fixture *)*state)->todo;

	todo_begin_round(t);
	todo_add(t, HUGE_PAGES - 4, 8);
	todo_begin_round(t);
	assert_taken(t, BATCH, HUGE_PAGES - 4, 8);
	assert_false(todo_ends_batch(t));
	assert_all_taken(t);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(nothing_is_to_be_done_at_first),
		T(what_is_added_is_taken_in_the_next_round),
		T(a_run_is_no_longer_than_asked),
		T(what_is_written_before_it_is_taken_waits),
		T(what_is_written_after_it_was_taken_is_taken_again),
		T(what_is_left_is_of_the_next_round),
		T(a_run_is_of_one_slot),
		T(at_first_a_batch_is_what_a_huge_page_has),
		T(later_it_is_as_long_as_the_pages_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
