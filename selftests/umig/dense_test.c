// SPDX-License-Identifier: GPL-2.0
/* Dense memory: told by the source, given huge pages at the destination. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem/huge.h"
#include "migrate/place.h"
#include "wire/pages.h"

#define CHUNKS 3
#define PAGES (CHUNKS * HUGE_PAGES)
#define BYTES (PAGES * UMIG_PAGE_SIZE)

struct fixture {
	struct memslots ms;
	struct placer placer;
	uint8_t *memory;
	uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer writer;
};

/* @skew: pages by which the memory misses a huge page's boundary. */
static void begin_skewed(struct fixture *f, unsigned int skew)
{
	size_t all = BYTES + 2 * HUGE_BYTES;
	uint8_t *at = mmap(NULL, all, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	madvise(at, all, MADV_NOHUGEPAGE);
	at += -(uintptr_t)at % HUGE_BYTES;
	f->memory = at + skew * UMIG_PAGE_SIZE;
	f->ms = (struct memslots){ 0 };
	assert_int_equal(memslots_add(&f->ms, 0, PAGES, f->memory), 0);
	assert_int_equal(placer_init(&f->placer, &f->ms, NULL), 0);
	f->placer.dense = true;
	f->placer.huge = true;
	pages_writer_init(&f->writer, f->room, 1);
}

static int set_up(void **state)
{
	static struct fixture f;

	begin_skewed(&f, 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	placer_exit(&f->placer);
	return 0;
}

static int place(struct fixture *f)
{
	struct err err = { 0 };
	int rc = placer_pages(&f->placer, f->room, pages_writer_end(&f->writer),
			      &err);

	pages_writer_init(&f->writer, f->room, 1);
	return rc;
}

static void add_plain(struct fixture *f, uint64_t gfn)
{
	uint8_t *at = pages_writer_add(&f->writer, gfn, WIRE_RUN_PLAIN);

	assert_non_null(at);
	memset(at, gfn % 255 + 1, UMIG_PAGE_SIZE);
}

/* Pages of [first, first + n) that have memory, by /proc/self/pagemap. */
static unsigned int count_present(struct fixture *f, uint64_t first,
				  unsigned int n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uintptr_t vpn = (uintptr_t)f->memory / UMIG_PAGE_SIZE + first;
	unsigned int i, present = 0;
	uint64_t entry;

	assert_true(fd >= 0);
	for (i = 0; i < n; i++) {
		assert_int_equal(pread(fd, &entry, 8, (vpn + i) * 8), 8);
		present += entry >> 63;
	}
	close(fd);
	return present;
}

static void assert_filled(struct fixture *f, uint64_t gfn, bool plain)
{
	const uint8_t *page = f->memory + gfn * UMIG_PAGE_SIZE;
	unsigned int i;

	for (i = 0; i < UMIG_PAGE_SIZE; i++)
		assert_int_equal(page[i], plain ? gfn % 255 + 1 : 0);
}

static void dense_memory_is_there_before_its_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t gfn;

	assert_true(pages_writer_add_dense(&f->writer, HUGE_PAGES,
					   HUGE_PAGES));
	assert_int_equal(place(f), 0);
	assert_int_equal(count_present(f, 0, HUGE_PAGES), 0);
	assert_int_equal(count_present(f, HUGE_PAGES, HUGE_PAGES), HUGE_PAGES);
	assert_int_equal(count_present(f, 2 * HUGE_PAGES, HUGE_PAGES), 0);
	/* none of them has come by that */
	assert_int_equal(f->placer.received.placed, 0);
	for (gfn = HUGE_PAGES; gfn < 2 * HUGE_PAGES; gfn += 2)
		add_plain(f, gfn);
	assert_int_equal(place(f), 0);
	assert_int_equal(f->placer.received.placed, HUGE_PAGES / 2);
	for (gfn = HUGE_PAGES; gfn < 2 * HUGE_PAGES; gfn++)
		assert_filled(f, gfn, gfn % 2 == 0);
}

static void zero_pages_of_dense_memory_are_zero(void **state)
{
	struct fixture *f = *state;
	uint64_t gfn;

	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	for (gfn = 0; gfn < 8; gfn++)
		pages_writer_add(&f->writer, gfn, WIRE_RUN_ZERO);
	add_plain(f, 8);
	assert_int_equal(place(f), 0);
	for (gfn = 0; gfn < 8; gfn++)
		assert_filled(f, gfn, false);
	assert_filled(f, 8, true);
	assert_int_equal(f->placer.received.placed, 9);
}

static void what_is_there_already_stays(void **state)
{
	struct fixture *f = *state;

	add_plain(f, 5);
	assert_int_equal(place(f), 0);
	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	assert_int_equal(place(f), 0);
	assert_filled(f, 5, true);
	assert_int_equal(count_present(f, 0, HUGE_PAGES), 1);
}

static void told_twice_is_told_once(void **state)
{
	struct fixture *f = *state;

	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	add_plain(f, 1);
	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	assert_int_equal(place(f), 0);
	assert_filled(f, 1, true);
}

static void runs_that_are_no_huge_page_are_ignored(void **state)
{
	struct fixture *f = *state;

	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES - 1);
	pages_writer_add_dense(&f->writer, 1, HUGE_PAGES);
	assert_int_equal(place(f), 0);
	assert_int_equal(count_present(f, 0, PAGES), 0);
}

static void memory_off_the_boundary_is_left_alone(void **state)
{
	struct fixture *f = *state;

	placer_exit(&f->placer);
	begin_skewed(f, 3);
	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	assert_int_equal(place(f), 0);
	assert_int_equal(count_present(f, 0, PAGES), 0);
}

static void a_host_without_huge_pages_ignores_it(void **state)
{
	struct fixture *f = *state;

	f->placer.huge = false;
	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	add_plain(f, 2);
	assert_int_equal(place(f), 0);
	assert_filled(f, 2, true);
	assert_int_equal(count_present(f, 0, PAGES), 1);
}

static void a_source_of_an_older_version_has_no_such_runs(void **state)
{
	struct fixture *f = *state;

	f->placer.dense = false;
	pages_writer_add_dense(&f->writer, 0, HUGE_PAGES);
	assert_int_equal(place(f), -EPROTO);
}

static void dense_memory_that_isnt_the_vms_is_refused(void **state)
{
	struct fixture *f = *state;

	pages_writer_add_dense(&f->writer, PAGES - 1, HUGE_PAGES);
	assert_int_equal(place(f), -EPROTO);
}

static struct page_source sharing = { .shares = true };

static void pages_that_may_be_shared_get_no_memory(void **state)
{
	struct fixture *f = *state;

	placer_exit(&f->placer);
	assert_int_equal(placer_init(&f->placer, &f->ms, &sharing), 0);
	assert_false(f->placer.huge);
}

/* As where its beginning failed: what it had is its own no more. */
static void ended_twice_it_closes_nothing_of_others(void **state)
{
	struct fixture *f = *state;
	int fd, spare = dup(0);

	placer_exit(&f->placer);
	/* have something at 0, which what is zeroed must not name */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 0), 0);
	placer_exit(&f->placer);
	assert_true(fcntl(0, F_GETFD) >= 0);
	if (spare >= 0)
		assert_int_equal(dup2(spare, 0), 0);
	close(spare);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(dense_memory_is_there_before_its_pages),
		T(zero_pages_of_dense_memory_are_zero),
		T(what_is_there_already_stays),
		T(told_twice_is_told_once),
		T(runs_that_are_no_huge_page_are_ignored),
		T(memory_off_the_boundary_is_left_alone),
		T(a_host_without_huge_pages_ignores_it),
		T(a_source_of_an_older_version_has_no_such_runs),
		T(dense_memory_that_isnt_the_vms_is_refused),
		T(pages_that_may_be_shared_get_no_memory),
		T(ended_twice_it_closes_nothing_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
