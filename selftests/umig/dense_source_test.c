// SPDX-License-Identifier: GPL-2.0
/*
 * Dense memory, as the source tells it: the engine is the source, and a peer made
 * of raw frames, which plays the destination, looks at the runs that come.  What a
 * destination makes of them is dense_test.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem/huge.h"
#include "umig/facing.h"
#include "wire/msgs.h"
#include "wire/pages.h"

#define CHUNKS 3
#define LOW (CHUNKS * HUGE_PAGES)
#define TAIL 100
#define HIGH (HUGE_PAGES + TAIL)
#define PAGES (LOW + HIGH)

/**
 * struct fixture - The source and the peer, and what came in the last round.
 * @came: how often each page came, by dense index.
 * @announced: how often each HUGE_PAGES pages were said to be dense.
 */
struct fixture {
	struct facing facing;
	unsigned int came[PAGES];
	unsigned int announced[PAGES / HUGE_PAGES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	facing_open_source(&f->facing, LOW, HIGH);
	/* each page is there, or not, for itself */
	madvise(f->facing.end.vm.ram, PAGES * UMIG_PAGE_SIZE, MADV_NOHUGEPAGE);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	facing_hang_up(&f->facing);
	facing_close(&f->facing);
	free(f);
	return 0;
}

static void write_pages(struct fixture *f, uint64_t first, unsigned int n)
{
	uint64_t i;

	for (i = first; i < first + n; i++)
		fake_vm_write(&f->facing.end.vm, i, i + 1);
}

/* It is of use only before the first of the pages. */
static void see_dense(struct fixture *f, uint64_t index, uint32_t pages)
{
	unsigned int i;

	assert_int_equal(pages, HUGE_PAGES);
	assert_int_equal(index % HUGE_PAGES, 0);
	for (i = 0; i < pages; i++)
		assert_int_equal(f->came[index + i], 0);
	f->announced[index / HUGE_PAGES]++;
}

static void see_run(struct fixture *f, const struct pages_run *run)
{
	const struct memslots *ms = &f->facing.end.vm.ms;
	uint64_t index;
	uint32_t i;

	assert_true(memslots_has_run(ms, run->gfn, run->pages));
	index = memslots_index(ms, run->gfn);
	if (run->class == WIRE_RUN_DENSE) {
		see_dense(f, index, run->pages);
		return;
	}
	for (i = 0; i < run->pages; i++)
		f->came[index + i]++;
}

static void see_frame(struct fixture *f, uint32_t round)
{
	struct pages_reader reader;
	struct pages_run run;
	int rc;

	assert_int_equal(pages_reader_init(&reader, f->facing.peer.payload,
					   f->facing.peer.bytes), 0);
	assert_int_equal(reader.round, round);
	while ((rc = pages_reader_next(&reader, &run)) > 0)
		see_run(f, &run);
	assert_int_equal(rc, 0);
}

/* Look at all of @round, which isn't acknowledged yet. */
static void see_round(struct fixture *f, uint32_t round)
{
	uint32_t ended;

	memset(f->came, 0, sizeof(f->came));
	memset(f->announced, 0, sizeof(f->announced));
	while (raw_peer_recv(&f->facing.peer) &&
	       f->facing.peer.type == WIRE_PAGES)
		see_frame(f, round);
	assert_int_equal(f->facing.peer.type, WIRE_ROUND_END);
	assert_int_equal(msg_round_decode(&ended, f->facing.peer.payload,
					  f->facing.peer.bytes), 0);
	assert_int_equal(ended, round);
}

/* All memory is of the first round. */
static void see_first_round(struct fixture *f)
{
	unsigned int i;

	facing_answer_hello(&f->facing);
	see_round(f, 1);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f->came[i], 1);
}

static void assert_announced(struct fixture *f, unsigned int a, unsigned int b,
			     unsigned int c, unsigned int high)
{
	assert_int_equal(f->announced[0], a);
	assert_int_equal(f->announced[1], b);
	assert_int_equal(f->announced[2], c);
	assert_int_equal(f->announced[3], high);
}

static void dense_memory_is_announced_before_its_pages(void **state)
{
	struct fixture *f = *state;

	write_pages(f, 0, PAGES);
	see_first_round(f);
	/* the tail is no huge page */
	assert_announced(f, 1, 1, 1, 1);
}

static void memory_with_a_gap_is_not(void **state)
{
	struct fixture *f = *state;

	write_pages(f, 0, HUGE_PAGES);
	write_pages(f, HUGE_PAGES, 300);
	write_pages(f, HUGE_PAGES + 301, HUGE_PAGES - 301);
	see_first_round(f);
	assert_announced(f, 1, 0, 0, 0);
}

static void memory_that_nobody_has_touched_is_not(void **state)
{
	struct fixture *f = *state;

	see_first_round(f);
	assert_announced(f, 0, 0, 0, 0);
}

/* Zeroes that were written take memory, which the guest will want again. */
static void zeroes_are_no_gap(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	write_pages(f, 2 * HUGE_PAGES, HUGE_PAGES);
	for (i = 0; i < HUGE_PAGES; i += 2)
		fake_vm_write(&f->facing.end.vm, 2 * HUGE_PAGES + i, 0);
	see_first_round(f);
	assert_announced(f, 0, 0, 1, 0);
}

static void memory_of_another_kind_is_not(void **state)
{
	struct fixture *f = *state;

	f->facing.end.vm.ms.anonymous = false;
	write_pages(f, 0, PAGES);
	see_first_round(f);
	assert_announced(f, 0, 0, 0, 0);
}

static void later_rounds_have_nothing_to_announce(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	write_pages(f, 0, PAGES);
	see_first_round(f);
	write_pages(f, 0, HUGE_PAGES);
	facing_acknowledge(&f->facing, 1);
	see_round(f, 2);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f->came[i], i < HUGE_PAGES);
	assert_announced(f, 0, 0, 0, 0);
}

static void an_older_destination_is_told_nothing(void **state)
{
	struct fixture *f = *state;

	f->facing.peer.version = WIRE_VERSION_DENSE - 1;
	write_pages(f, 0, PAGES);
	see_first_round(f);
	assert_announced(f, 0, 0, 0, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(dense_memory_is_announced_before_its_pages),
		T(memory_with_a_gap_is_not),
		T(memory_that_nobody_has_touched_is_not),
		T(zeroes_are_no_gap),
		T(memory_of_another_kind_is_not),
		T(later_rounds_have_nothing_to_announce),
		T(an_older_destination_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
