// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues against drivers that follow the rules, and against all that
 * a driver can write into guest memory instead.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_host.h"
#include "vmm/virtio/virtqueue.h"

#define DESC 0x1000ULL
#define AVAIL 0x2000ULL
#define USED 0x3000ULL
#define TABLE 0x4000ULL
#define DATA 0x8000ULL
#define SIZE 8
#define MAX 16

#define R 0
#define W VRING_DESC_F_WRITE
#define N VRING_DESC_F_NEXT
#define I VRING_DESC_F_INDIRECT

static struct fake_host host;
static struct virtqueue q;
static struct vq_chain chain;

static const struct guest_mem *mem(void)
{
	return &host.host.mem;
}

static int setup(void **state)
{
	(void)state;
	fake_host_init(&host);
	vq_init(&q, MAX);
	q.size = SIZE;
	q.desc = DESC;
	q.avail = AVAIL;
	q.used = USED;
	vq_enable(&q, mem());
	assert_false(q.broken);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_host_exit(&host);
	return 0;
}

static void desc_at(uint64_t table, unsigned int i, uint64_t gpa,
		    uint32_t bytes, uint16_t flags, uint16_t next)
{
	struct vring_desc *d = fake_ptr(&host, table + i * sizeof(*d),
					sizeof(*d));

	*d = (struct vring_desc){ gpa, bytes, flags, next };
}

static void desc(unsigned int i, uint64_t gpa, uint32_t bytes, uint16_t flags,
		 uint16_t next)
{
	desc_at(DESC, i, gpa, bytes, flags, next);
}

static void offer(uint16_t head)
{
	struct vring_avail *a = fake_ptr(&host, AVAIL, UMIG_PAGE_SIZE);

	a->ring[a->idx % SIZE] = head;
	a->idx++;
}

static int pop(void)
{
	return vq_pop(&q, mem(), &chain);
}

/* A queue that was found broken stays so. */
static void is_broken(void)
{
	assert_int_equal(pop(), -EBADMSG);
	assert_true(q.broken);
	assert_int_equal(pop(), -EBADMSG);
}

static void chains_are_taken_in_order(void **state)
{
	(void)state;
	assert_int_equal(pop(), 0);
	desc(3, DATA, 100, R | N, 5);
	desc(5, DATA + 0x1000, 200, R | N, 1);
	desc(1, FAKE_HIGH_GPA, 300, W, 0);
	desc(0, DATA, 7, W, 0);
	offer(3);
	offer(0);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(chain.nr_read, 2);
	assert_int_equal(chain.nr_write, 1);
	assert_int_equal(chain.read_bytes, 300);
	assert_int_equal(chain.write_bytes, 300);
	assert_ptr_equal(chain.segment[1].at, host.ram + DATA + 0x1000);
	assert_ptr_equal(chain.segment[2].at, host.ram + FAKE_SLOT_BYTES);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.head, 0);
	assert_int_equal(chain.nr_read, 0);
	assert_int_equal(chain.write_bytes, 7);
	assert_int_equal(pop(), 0);
}

static void used_entries_are_seen_and_dirty(void **state)
{
	struct vring_used *u = fake_ptr(&host, USED, UMIG_PAGE_SIZE);

	(void)state;
	vq_push(&q, mem(), 6, 1234);
	assert_int_equal(u->idx, 1);
	assert_int_equal(u->ring[0].id, 6);
	assert_int_equal(u->ring[0].len, 1234);
	assert_true(fake_dirty_take(&host, USED));
	assert_int_equal(fake_dirty_count(&host), 0);
	vq_push(&q, mem(), 2, 5);
	assert_int_equal(u->idx, 2);
	assert_int_equal(u->ring[1].id, 2);
	assert_true(fake_dirty_take(&host, USED));
}

/* An entry in one page, the index in the one before: both are dirty. */
static void used_ring_across_pages_is_all_dirty(void **state)
{
	(void)state;
	vq_init(&q, MAX);
	q.size = SIZE;
	q.desc = DESC;
	q.avail = AVAIL;
	q.used = USED + UMIG_PAGE_SIZE - 4;
	vq_enable(&q, mem());
	vq_push(&q, mem(), 0, 0);
	assert_true(fake_dirty_take(&host, USED));
	assert_true(fake_dirty_take(&host, USED + UMIG_PAGE_SIZE));
	assert_int_equal(fake_dirty_count(&host), 0);
}

static void indices_wrap(void **state)
{
	struct vring_used *u = fake_ptr(&host, USED, UMIG_PAGE_SIZE);
	unsigned int i;

	(void)state;
	for (i = 0; i < 0x10000 + 3; i++) {
		desc(i % SIZE, DATA, i % 4096, W, 0);
		offer(i % SIZE);
		assert_int_equal(pop(), 1);
		assert_int_equal(chain.head, i % SIZE);
		assert_int_equal(chain.write_bytes, i % 4096);
		vq_push(&q, mem(), chain.head, 0);
		assert_int_equal(u->idx, (uint16_t)(i + 1));
	}
	assert_int_equal(pop(), 0);
}

static void drivers_may_not_want_interrupts(void **state)
{
	struct vring_avail *a = fake_ptr(&host, AVAIL, UMIG_PAGE_SIZE);

	(void)state;
	assert_true(vq_wants_interrupt(&q, mem()));
	a->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(vq_wants_interrupt(&q, mem()));
}

static void copies_cross_segments(void **state)
{
	char text[32] = "";

	(void)state;
	memcpy(fake_ptr(&host, DATA, 4), "abcd", 4);
	memcpy(fake_ptr(&host, DATA + 0x800, 4), "efgh", 4);
	desc(0, DATA, 4, R | N, 1);
	desc(1, DATA + 0x800, 4, R | N, 2);
	desc(2, DATA + 0x1fff, 2, W | N, 3);
	desc(3, DATA + 0x4000, 3, W, 0);
	offer(0);
	assert_int_equal(pop(), 1);
	assert_true(vq_copy_from(&chain, 2, text, 5));
	assert_string_equal(text, "cdefg");
	assert_true(vq_copy_from(&chain, 8, text, 0));
	assert_false(vq_copy_from(&chain, 4, text, 5));
	assert_false(vq_copy_from(&chain, 9, text, 1));

	assert_true(vq_copy_to(&chain, mem(), 1, "XYZ", 3));
	assert_memory_equal(host.ram + DATA + 0x2000, "X", 1);
	assert_memory_equal(host.ram + DATA + 0x4000, "YZ", 3);
	assert_false(fake_dirty_take(&host, DATA + 0x1000));
	assert_true(fake_dirty_take(&host, DATA + 0x2000));
	assert_true(fake_dirty_take(&host, DATA + 0x4000));
	assert_int_equal(fake_dirty_count(&host), 0);
	assert_false(vq_copy_to(&chain, mem(), 3, "XYZ", 3));
}

static void indirect_tables_are_followed(void **state)
{
	(void)state;
	desc(0, DATA, 16, R | N, 1);
	desc(1, TABLE, 3 * 16, I, 0);
	desc_at(TABLE, 0, DATA + 0x100, 1, R | N, 2);
	desc_at(TABLE, 2, DATA + 0x200, 2, W | N, 1);
	desc_at(TABLE, 1, DATA + 0x300, 4, W, 0);
	offer(0);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.nr_read, 2);
	assert_int_equal(chain.nr_write, 2);
	assert_int_equal(chain.read_bytes, 17);
	assert_int_equal(chain.write_bytes, 6);
	assert_int_equal(chain.segment[3].gpa, DATA + 0x300);
}

/* struct bad_chain - Descriptors 0 to 2 of a chain that must be refused. */
struct bad_chain {
	const char *what;
	uint16_t head;
	struct vring_desc d[3];
};

static const struct bad_chain bad_chains[] = {
	{ "head outside of the table", SIZE, { { DATA, 1, R, 0 } } },
	{ "head far outside of the table", 0xffff, { { DATA, 1, R, 0 } } },
	{ "next outside of the table", 0, { { DATA, 1, R | N, SIZE } } },
	{ "loop of one", 0, { { DATA, 1, R | N, 0 } } },
	{ "loop of two", 0, { { DATA, 1, W | N, 1 }, { DATA, 1, W | N, 0 } } },
	{ "loop of nothing", 0, { { DATA, 0, R | N, 0 } } },
	{ "not RAM", 0, { { FAKE_SLOT_BYTES, 1, R, 0 } } },
	{ "nothing, not in RAM", 0, { { 1ULL << 60, 0, R, 0 } } },
	{ "over the end", 0, { { FAKE_SLOT_BYTES - 1, 2, W, 0 } } },
	{ "into the hole", 0, { { FAKE_HIGH_GPA - 1, 2, R, 0 } } },
	{ "wraps around", 0, { { -1ULL, 2, R, 0 } } },
	{ "wraps around to RAM", 0, { { -4096ULL, 8192, W, 0 } } },
	{ "4 GiB", 0, { { DATA, -1, W, 0 } } },
	{ "readable behind writable", 0,
	  { { DATA, 1, W | N, 1 }, { DATA, 1, R, 0 } } },
	{ "empty indirect table", 0, { { TABLE, 0, I, 0 } } },
	{ "broken indirect table", 0, { { TABLE, 17, I, 0 } } },
	{ "indirect table not in RAM", 0, { { 1ULL << 50, 16, I, 0 } } },
	{ "indirect table over the end", 0,
	  { { FAKE_SLOT_BYTES - 16, 32, I, 0 } } },
	{ "indirect and next", 0, { { TABLE, 16, I | N, 1 }, { DATA, 1 } } },
	{ "indirect in indirect", 0,
	  { { DESC + 16, 16, I, 0 }, { TABLE, 16, I, 0 } } },
	{ "indirect to itself", 0, { { DESC, 16, I, 0 } } },
	{ "loop in the indirect table", 0,
	  { { DESC + 16, 16, I, 0 }, { DATA, 1, R | N, 0 } } },
	{ "next outside of the indirect table", 0,
	  { { DESC + 16, 16, I, 0 }, { DATA, 1, R | N, 1 } } },
};

static void bad_chains_break_the_queue(void **state)
{
	const struct bad_chain *b;
	unsigned int i, n;

	for (i = 0; i < sizeof(bad_chains) / sizeof(*bad_chains); i++) {
		b = &bad_chains[i];
		for (n = 0; n < 3; n++)
			desc(n, b->d[n].addr, b->d[n].len, b->d[n].flags,
			     b->d[n].next);
		offer(b->head);
		if (pop() != -EBADMSG || pop() != -EBADMSG || !q.broken)
			fail_msg("%s: not refused", b->what);
		assert_int_equal(fake_dirty_count(&host), 0);
		teardown(state);
		setup(state);
	}
}

/* A chain may be as long as the queue, and no longer. */
static void chains_are_no_longer_than_the_queue(void **state)
{
	unsigned int i;

	(void)state;
	desc(0, TABLE, 16 * (SIZE + 1), I, 0);
	for (i = 0; i < SIZE; i++)
		desc_at(TABLE, i, DATA, 1, i + 1 < SIZE ? R | N : R, i + 1);
	offer(0);
	assert_int_equal(pop(), 1);
	assert_int_equal(chain.nr_read, SIZE);
	desc_at(TABLE, SIZE - 1, DATA, 1, R | N, SIZE);
	desc_at(TABLE, SIZE, DATA, 1, R, 0);
	offer(0);
	is_broken();
}

static void available_index_may_not_jump(void **state)
{
	struct vring_avail *a = fake_ptr(&host, AVAIL, UMIG_PAGE_SIZE);

	(void)state;
	a->idx = SIZE + 1;
	is_broken();
}

static void available_index_may_not_go_back(void **state)
{
	struct vring_avail *a = fake_ptr(&host, AVAIL, UMIG_PAGE_SIZE);

	(void)state;
	desc(0, DATA, 1, R, 0);
	offer(0);
	assert_int_equal(pop(), 1);
	a->idx--;
	is_broken();
}

static const struct {
	const char *what;
	uint16_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
} bad_places[] = {
	{ "no entries", 0, DESC, AVAIL, USED },
	{ "not a power of two", 6, DESC, AVAIL, USED },
	{ "more than the device has", 2 * MAX, DESC, AVAIL, USED },
	{ "table not in RAM", SIZE, 1ULL << 40, AVAIL, USED },
	{ "ring not in RAM", SIZE, DESC, 1ULL << 40, USED },
	{ "used ring not in RAM", SIZE, DESC, AVAIL, -4ULL },
	{ "table over the end", SIZE, FAKE_SLOT_BYTES - 16 * SIZE + 16, AVAIL,
	  USED },
	{ "ring over the end", SIZE, DESC, FAKE_SLOT_BYTES - 2 * SIZE - 2,
	  USED },
	{ "used ring over the end", SIZE, DESC, AVAIL,
	  FAKE_SLOT_BYTES - 8 * SIZE },
	{ "crooked table", SIZE, DESC + 8, AVAIL, USED },
	{ "crooked ring", SIZE, DESC, AVAIL + 1, USED },
	{ "crooked used ring", SIZE, DESC, AVAIL, USED + 2 },
};

static void bad_places_break_the_queue(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad_places) / sizeof(*bad_places); i++) {
		vq_init(&q, MAX);
		q.size = bad_places[i].size;
		q.desc = bad_places[i].desc;
		q.avail = bad_places[i].avail;
		q.used = bad_places[i].used;
		vq_enable(&q, mem());
		if (pop() != -EBADMSG)
			fail_msg("%s: not refused", bad_places[i].what);
	}
}

/* Two requests done, one taken and given back there, one not looked at. */
static void state_goes_on_elsewhere(void **state)
{
	struct virtqueue there;
	struct buf b = { 0 };
	struct reader r;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		desc(i, DATA, i, W, 0);
		offer(i);
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(pop(), 1);
		vq_push(&q, mem(), chain.head, 0);
	}
	vq_save(&q, &b);
	vq_init(&there, MAX);
	reader_init(&r, b.data, b.len);
	assert_int_equal(vq_load(&there, mem(), &r), 0);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(vq_pop(&there, mem(), &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(vq_pop(&there, mem(), &chain), 0);
	vq_push(&there, mem(), 3, 9);
	assert_int_equal(((struct vring_used *)(host.ram + USED))->idx, 4);
	buf_free(&b);
}

/* What no driver could have set up isn't taken from a peer, either. */
static void impossible_states_are_refused(void **state)
{
	struct virtqueue bad, into;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad_places) / sizeof(*bad_places); i++) {
		struct buf b = { 0 };
		struct reader r;

		bad = q;
		bad.size = bad_places[i].size;
		bad.desc = bad_places[i].desc;
		bad.avail = bad_places[i].avail;
		bad.used = bad_places[i].used;
		vq_save(&bad, &b);
		vq_init(&into, MAX);
		reader_init(&r, b.data, b.len);
		if (vq_load(&into, mem(), &r) != -EBADMSG)
			fail_msg("%s: not refused", bad_places[i].what);
		buf_free(&b);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chains_are_taken_in_order),
		TEST(used_entries_are_seen_and_dirty),
		TEST(used_ring_across_pages_is_all_dirty),
		TEST(indices_wrap),
		TEST(drivers_may_not_want_interrupts),
		TEST(copies_cross_segments),
		TEST(indirect_tables_are_followed),
		TEST(bad_chains_break_the_queue),
		TEST(chains_are_no_longer_than_the_queue),
		TEST(available_index_may_not_jump),
		TEST(available_index_may_not_go_back),
		TEST(bad_places_break_the_queue),
		TEST(state_goes_on_elsewhere),
		TEST(impossible_states_are_refused),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
