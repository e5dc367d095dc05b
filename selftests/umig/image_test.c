// SPDX-License-Identifier: GPL-2.0
/*
 * Images as sources of digests and of pages: what an index says is right when
 * it is made, and when image, index or guest have changed since, whatever comes
 * of it is no wrong page.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "mem/digest_source.h"
#include "mem/domain_key.h"
#include "mem/image_index.h"
#include "mem/page_source.h"
#include "umig/fake_vm.h"
#include "umig/image_file.h"
#include "umig/scratch.h"

#define LOW 600
#define HIGH 100
#define PAGES (LOW + HIGH)
#define RECORD(i) (IMAGE_HEAD_BYTES + (i) * sizeof(struct image_record))

/** struct fixture - A guest, its image, and the index of that. */
struct fixture {
	struct fake_vm vm;
	char *dir;
	char image[128];
	char index[160];
	uint8_t classes[DIGEST_BATCH];
	digest_t digests[DIGEST_BATCH];
	uint64_t leases[PLACE_BATCH];
	struct err err;
};

/* Page i of the guest has seed i: page 0 is zero.  Page 5 is as page 4. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t i;

	fake_vm_init(&f->vm, LOW, HIGH, false);
	for (i = 1; i < PAGES; i++)
		fake_vm_write(&f->vm, i, i == 5 ? 4 : i);
	f->dir = scratch_dir();
	snprintf(f->image, sizeof(f->image), "%s/image", f->dir);
	snprintf(f->index, sizeof(f->index), "%s.index", f->image);
	image_file_write(f->image, f->vm.ram, PAGES * UMIG_PAGE_SIZE, 0);
	image_file_index(f->image);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_vm_exit(&f->vm);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static void digest_of(const void *page, digest_t *out)
{
	domain_key_digest(image_file_key, page, out->b);
}

/* ---- sums ---- */

static void sum_is_of_every_bit(void **state)
{
	uint8_t page[UMIG_PAGE_SIZE] __attribute__((aligned(8)));
	uint8_t seed[PAGE_SUM_SEED_BYTES];
	struct page_sum_key key, other;
	page_sum_t sum, now;
	unsigned int i;

	(void)state;
	randombytes_buf(seed, sizeof(seed));
	page_sum_key_init(&key, seed);
	seed[0] ^= 1;
	page_sum_key_init(&other, seed);
	randombytes_buf(page, sizeof(page));
	sum = page_sum(&key, page);
	now = page_sum(&other, page);
	assert_memory_not_equal(&sum, &now, sizeof(sum));
	for (i = 0; i < 8 * sizeof(page); i++) {
		page[i / 8] ^= 1 << i % 8;
		now = page_sum(&key, page);
		assert_memory_not_equal(&sum, &now, sizeof(sum));
		page[i / 8] ^= 1 << i % 8;
	}
	now = page_sum(&key, page);
	assert_memory_equal(&sum, &now, sizeof(sum));
}

/* As the formula in page_sum.h has it, one step at a time. */
static void sum_is_nh(void **state)
{
	uint64_t page[PAGE_SUM_WORDS], a, b;
	uint8_t seed[PAGE_SUM_SEED_BYTES] = { 7 };
	unsigned __int128 want = 0;
	struct page_sum_key key;
	page_sum_t sum;
	unsigned int i;

	(void)state;
	randombytes_buf(page, sizeof(page));
	page_sum_key_init(&key, seed);
	for (i = 0; i < PAGE_SUM_WORDS; i += 2) {
		a = page[i] + key.word[i];
		b = page[i + 1] + key.word[i + 1];
		want += (unsigned __int128)a * b;
	}
	sum = page_sum(&key, page);
	assert_memory_equal(&sum, &want, sizeof(sum));
}

/* ---- the index ---- */

static void index_has_the_digests_of_the_module(void **state)
{
	struct image_record records[PAGES];
	struct fixture *f = *state;
	struct image_index ix;
	uint8_t id[UMIG_KEY_ID_SIZE];
	digest_t digest;
	uint64_t i;

	assert_int_equal(image_index_open(&ix, f->image, &f->err), 0);
	domain_key_id(image_file_key, id);
	assert_memory_equal(ix.head.key_id, id, sizeof(id));
	assert_int_equal(ix.head.pages, PAGES);
	assert_int_equal(image_index_read(&ix, 0, PAGES, records), 0);
	assert_true(image_record_empty(&records[0]));
	for (i = 1; i < PAGES; i++) {
		digest_of(fake_vm_page(&f->vm, i), &digest);
		assert_memory_equal(&records[i].digest, &digest,
				    sizeof(digest));
	}
	assert_int_equal(image_index_read(&ix, PAGES - 1, 2, records),
			 -ENODATA);
	image_index_close(&ix);
}

static void index_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->index, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void index_is_made_of_whole_pages_only(void **state)
{
	struct fixture *f = *state;
	struct image_made made;

	assert_int_equal(truncate(f->image, PAGES * UMIG_PAGE_SIZE - 1), 0);
	assert_int_equal(image_index_make(f->image, image_file_key, &made,
					  &f->err), -EINVAL);
	f->err = (struct err){ 0 };
	assert_int_equal(truncate(f->image, 0), 0);
	assert_int_equal(image_index_make(f->image, image_file_key, &made,
					  &f->err), -EINVAL);
	f->err = (struct err){ 0 };
	assert_int_equal(image_index_make(f->dir, image_file_key, &made,
					  &f->err), -EINVAL);
	f->err = (struct err){ 0 };
	assert_int_equal(unlink(f->image), 0);
	assert_int_equal(image_index_make(f->image, image_file_key, &made,
					  &f->err), -ENOENT);
}

/** struct malformed - A change of one byte of the head, and what is said. */
struct malformed {
	unsigned int offset;
	int rc;
	const char *says;
};

static void malformed_heads_are_refused(void **state)
{
	static const struct malformed cases[] = {
		{ 0, -EBADMSG, "no index" },	/* magic */
		{ 7, -EBADMSG, "no index" },
		{ 8, -EPROTO, "version 17" },
		{ 12, -EBADMSG, "damaged" },	/* record size */
		{ 16, -EBADMSG, "damaged" },	/* pages */
		{ 24, -EBADMSG, "damaged" },	/* key id */
		{ 40, -EBADMSG, "damaged" },	/* seed */
		{ 72, -EBADMSG, "damaged" },	/* reserved */
		{ 96, -EBADMSG, "damaged" },	/* check */
		{ 127, -EBADMSG, "damaged" },
	};
	struct fixture *f = *state;
	struct image_index ix;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->err = (struct err){ 0 };
		image_file_flip(f->index, cases[i].offset);
		assert_int_equal(image_index_open(&ix, f->image, &f->err),
				 cases[i].rc);
		assert_non_null(strstr(f->err.text, cases[i].says));
		assert_non_null(strstr(f->err.text, f->index));
		image_file_flip(f->index, cases[i].offset);
	}
	assert_int_equal(image_index_open(&ix, f->image, NULL), 0);
	image_index_close(&ix);
}

static void index_of_another_length_is_refused(void **state)
{
	static const int64_t bytes[] = {
		0, 1, IMAGE_HEAD_BYTES - 1, IMAGE_HEAD_BYTES,
		RECORD(PAGES - 1), RECORD(PAGES) - 1, RECORD(PAGES) + 1,
		RECORD(PAGES + 1),
	};
	struct fixture *f = *state;
	struct image_index ix;
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		image_file_index(f->image);
		assert_int_equal(truncate(f->index, bytes[i]), 0);
		assert_int_equal(image_index_open(&ix, f->image, NULL),
				 -EBADMSG);
	}
}

static void number_of_pages_does_not_overflow(void **state)
{
	static const uint64_t pages[] = {
		0, IMAGE_PAGES_MAX + 1, UINT64_MAX, UINT64_MAX / 48 + 1,
	};
	uint8_t data[IMAGE_HEAD_BYTES];
	struct image_head head = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		head.pages = pages[i];
		image_head_encode(data, &head);
		assert_int_equal(image_head_decode(data, sizeof(data),
						   RECORD(pages[i]), &head,
						   NULL), -EBADMSG);
	}
}

static void index_that_is_no_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct image_index ix;

	assert_int_equal(unlink(f->index), 0);
	assert_int_equal(image_index_open(&ix, f->image, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.text, "umig image index"));
	assert_int_equal(mkfifo(f->index, 0600), 0);
	assert_int_equal(image_index_open(&ix, f->image, NULL), -EINVAL);
}

/* ---- digests at the source ---- */

static struct digest_source *open_digests(struct fixture *f)
{
	struct digest_source *ds = NULL;

	assert_int_equal(digest_source_file_open(&ds, f->image, &f->vm.ms,
						 &f->err), 0);
	return ds;
}

static void ask(struct fixture *f, struct digest_source *ds, uint64_t first,
		unsigned int n)
{
	memset(f->classes, 0xff, sizeof(f->classes));
	assert_int_equal(ds->range(ds, fake_vm_page(&f->vm, first), n,
				   f->classes, f->digests), 0);
}

static void pages_as_in_the_image_have_digests(void **state)
{
	struct fixture *f = *state;
	struct digest_source *ds = open_digests(f);
	digest_t want;
	uint64_t i;

	ask(f, ds, 0, 512);
	assert_int_equal(f->classes[0], DIGEST_NONE);	/* of zeroes */
	for (i = 1; i < 512; i++) {
		assert_int_equal(f->classes[i], DIGEST_KNOWN);
		digest_of(fake_vm_page(&f->vm, i), &want);
		assert_memory_equal(&f->digests[i], &want, sizeof(want));
	}
	/* the other slot: dense indices, not guest frame numbers */
	ask(f, ds, LOW, HIGH);
	digest_of(fake_vm_page(&f->vm, LOW + 7), &want);
	assert_int_equal(f->classes[7], DIGEST_KNOWN);
	assert_memory_equal(&f->digests[7], &want, sizeof(want));
	ds->close(ds);
}

static void pages_that_were_written_have_none(void **state)
{
	struct fixture *f = *state;
	struct digest_source *ds = open_digests(f);

	fake_vm_write(&f->vm, 10, 9999);
	fake_vm_write(&f->vm, 11, 0);
	fake_vm_page(&f->vm, 12)[4095] ^= 1;
	fake_vm_write(&f->vm, 13, 14);	/* the neighbour's content */
	ask(f, ds, 8, 8);
	assert_int_equal(f->classes[1], DIGEST_KNOWN);
	assert_int_equal(f->classes[2], DIGEST_NONE);
	assert_int_equal(f->classes[3], DIGEST_NONE);
	assert_int_equal(f->classes[4], DIGEST_NONE);
	assert_int_equal(f->classes[5], DIGEST_NONE);
	assert_int_equal(f->classes[6], DIGEST_KNOWN);
	/* and have them again once they are what they were */
	fake_vm_write(&f->vm, 10, 10);
	ask(f, ds, 10, 1);
	assert_int_equal(f->classes[0], DIGEST_KNOWN);
	ds->close(ds);
}

static void damaged_records_give_no_digest(void **state)
{
	struct fixture *f = *state;
	struct digest_source *ds;
	digest_t want;

	image_file_flip(f->index, RECORD(20) + 3);	/* its digest */
	image_file_flip(f->index, RECORD(21) + 40);	/* its sum */
	ds = open_digests(f);
	ask(f, ds, 20, 3);
	/* a digest of nothing: nobody holds that */
	digest_of(fake_vm_page(&f->vm, 20), &want);
	assert_memory_not_equal(&f->digests[0], &want, sizeof(want));
	assert_int_equal(f->classes[1], DIGEST_NONE);
	assert_int_equal(f->classes[2], DIGEST_KNOWN);
	ds->close(ds);
}

static void index_cut_short_meanwhile_gives_no_digest(void **state)
{
	struct fixture *f = *state;
	struct digest_source *ds = open_digests(f);

	assert_int_equal(truncate(f->index, RECORD(30)), 0);
	ask(f, ds, 0, 30);
	assert_int_equal(f->classes[29], DIGEST_KNOWN);
	ask(f, ds, 0, 64);
	assert_int_equal(f->classes[29], DIGEST_NONE);
	assert_int_equal(f->classes[63], DIGEST_NONE);
	ds->close(ds);
}

static void image_smaller_than_the_vm_covers_its_part(void **state)
{
	struct fixture *f = *state;
	struct digest_source *ds;

	assert_int_equal(truncate(f->image, 100 * UMIG_PAGE_SIZE), 0);
	image_file_index(f->image);
	ds = open_digests(f);
	ask(f, ds, 90, 20);
	assert_int_equal(f->classes[9], DIGEST_KNOWN);
	assert_int_equal(f->classes[10], DIGEST_NONE);
	ask(f, ds, 100, 20);
	assert_int_equal(f->classes[0], DIGEST_NONE);
	ds->close(ds);
}

/* ---- pages at the destination ---- */

static struct page_source *open_pages(struct fixture *f, const char *image)
{
	struct page_source *ps = NULL;

	assert_int_equal(page_source_file_open(&ps, image, &f->err), 0);
	return ps;
}

/* Ask for the contents of seeds @first and following. */
static void offer(struct fixture *f, struct page_source *ps, uint64_t first,
		  unsigned int n)
{
	uint8_t page[UMIG_PAGE_SIZE];
	unsigned int i;

	for (i = 0; i < n; i++) {
		fake_page(page, first + i);
		digest_of(page, &f->digests[i]);
	}
	memset(f->leases, 0xff, sizeof(f->leases));
	assert_int_equal(ps->offer(ps, f->digests, n, f->leases), 0);
}

static void place(struct fixture *f, struct page_source *ps,
		  struct place_item *items, unsigned int n, uint8_t *to)
{
	unsigned int i;

	memset(to, 0xee, n * UMIG_PAGE_SIZE);
	for (i = 0; i < n; i++)
		items[i] = (struct place_item){
			.lease = f->leases[i],
			.hva = to + i * UMIG_PAGE_SIZE,
			.result = 1,
		};
	assert_int_equal(ps->place(ps, items, n), 0);
}

static uint8_t *room(unsigned int pages)
{
	uint8_t *to = aligned_alloc(UMIG_PAGE_SIZE, pages * UMIG_PAGE_SIZE);

	assert_non_null(to);
	return to;
}

static void assert_page(const uint8_t *at, uint64_t seed)
{
	uint8_t page[UMIG_PAGE_SIZE];

	fake_page(page, seed);
	assert_memory_equal(at, page, sizeof(page));
}

static void contents_of_the_image_are_held(void **state)
{
	struct fixture *f = *state;
	struct page_source *ps = open_pages(f, f->image);
	struct place_item items[64];
	uint8_t *to = room(64);
	unsigned int i;

	offer(f, ps, PAGES - 8, 16);
	for (i = 0; i < 16; i++)
		assert_int_equal(!f->leases[i], i >= 8);
	offer(f, ps, 0, 1);		/* zeroes */
	assert_int_equal(f->leases[0], 0);
	offer(f, ps, 4, 2);
	assert_true(f->leases[0] && !f->leases[1]);	/* page 5 is as 4 */
	/* one run of the file, and the same backwards: one by one */
	offer(f, ps, 6, 64);
	place(f, ps, items, 64, to);
	for (i = 0; i < 64; i++) {
		assert_int_equal(items[i].result, 0);
		assert_page(to + i * UMIG_PAGE_SIZE, 6 + i);
	}
	for (i = 0; i < 32; i++) {
		uint64_t swap = f->leases[i];

		f->leases[i] = f->leases[63 - i];
		f->leases[63 - i] = swap;
	}
	place(f, ps, items, 64, to);
	for (i = 0; i < 64; i++)
		assert_page(to + i * UMIG_PAGE_SIZE, 6 + 63 - i);
	ps->release_all(ps);
	ps->close(ps);
	free(to);
}

static void image_that_changed_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct page_source *ps = open_pages(f, f->image);
	struct place_item items[8];
	uint8_t *to = room(8);

	image_file_flip(f->image, 12 * UMIG_PAGE_SIZE + 2222);
	offer(f, ps, 10, 4);
	place(f, ps, items, 4, to);
	assert_int_equal(items[1].result, 0);
	assert_int_equal(items[2].result, -EBADMSG);
	assert_int_equal(items[3].result, 0);
	ps->close(ps);
	free(to);
}

static void image_that_is_cut_short_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct page_source *ps = open_pages(f, f->image);
	struct place_item items[8];
	uint8_t *to = room(8);

	assert_int_equal(truncate(f->image, 12 * UMIG_PAGE_SIZE + 100), 0);
	offer(f, ps, 10, 4);
	place(f, ps, items, 4, to);
	assert_int_equal(items[1].result, 0);
	assert_page(to + UMIG_PAGE_SIZE, 11);
	assert_int_equal(items[2].result, -ENODATA);
	assert_int_equal(items[3].result, -ENODATA);
	ps->close(ps);
	/* nor is it taken in the first place */
	ps = NULL;
	assert_int_equal(page_source_file_open(&ps, f->image, &f->err),
			 -EBADMSG);
	assert_non_null(strstr(f->err.text, "umig image index"));
	free(to);
}

/* The pages are there, but behind each other's digests. */
static void records_that_changed_places_are_noticed(void **state)
{
	struct image_record a, b;
	struct fixture *f = *state;
	struct page_source *ps;
	struct place_item item;
	struct image_index ix;
	uint8_t *to = room(1);

	assert_int_equal(image_index_open(&ix, f->image, &f->err), 0);
	assert_int_equal(image_index_read(&ix, 40, 1, &a), 0);
	assert_int_equal(image_index_read(&ix, 41, 1, &b), 0);
	image_index_close(&ix);
	/* swapped whole: the pages don't have those sums */
	image_file_write(f->index, &b, sizeof(b), RECORD(40));
	image_file_write(f->index, &a, sizeof(a), RECORD(41));
	ps = open_pages(f, f->image);
	offer(f, ps, 40, 1);
	assert_true(f->leases[0]);
	place(f, ps, &item, 1, to);
	assert_int_equal(item.result, -EBADMSG);
	ps->close(ps);
	free(to);
}

static void a_lease_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	struct page_source *ps = open_pages(f, f->image);
	struct place_item item = { .lease = 0 };

	assert_int_equal(ps->place(ps, &item, 1), -EINVAL);
	item.lease = PAGES;	/* zeroes and a twin have none */
	assert_int_equal(ps->place(ps, &item, 1), -EINVAL);
	item.lease = UINT64_MAX;
	assert_int_equal(ps->place(ps, &item, 1), -EINVAL);
	ps->close(ps);
}

/* ---- several ---- */

static void pages_come_from_whoever_holds_them(void **state)
{
	struct page_source *list[2], *many = NULL;
	struct fixture *f = *state;
	struct place_item items[20];
	uint8_t *to = room(20);
	char other[160];
	unsigned int i;

	snprintf(other, sizeof(other), "%s/other", f->dir);
	/* the other has seeds 2000 to 2099, and 1 to 9 again */
	for (i = 0; i < 110; i++) {
		fake_page(to, i < 100 ? 2000 + i : i - 100 + 1);
		image_file_write(other, to, UMIG_PAGE_SIZE,
				 i * UMIG_PAGE_SIZE);
	}
	image_file_index(other);
	list[0] = open_pages(f, f->image);
	list[1] = open_pages(f, other);
	assert_int_equal(page_source_many_open(&many, list, 2, &f->err), 0);
	offer(f, many, 1, 4);
	for (i = 0; i < 4; i++)
		f->leases[i + 10] = f->leases[i];
	for (i = 0; i < 6; i++) {
		uint8_t page[UMIG_PAGE_SIZE];

		fake_page(page, i % 2 ? 2050 + i : 3000);
		digest_of(page, &f->digests[i]);
	}
	assert_int_equal(many->offer(many, f->digests, 6, f->leases), 0);
	for (i = 0; i < 6; i++)
		assert_int_equal(!f->leases[i], i % 2 == 0);
	f->leases[0] = f->leases[10];
	f->leases[2] = f->leases[12];
	f->leases[4] = (9ULL << 56) | 1;	/* of no source */
	place(f, many, items, 6, to);
	assert_page(to, 1);
	assert_page(to + 2 * UMIG_PAGE_SIZE, 3);
	for (i = 1; i < 6; i += 2)
		assert_page(to + i * UMIG_PAGE_SIZE, 2050 + i);
	for (i = 0; i < 6; i++)
		assert_int_equal(items[i].result, i == 4 ? -ENOENT : 0);
	many->release_all(many);
	many->close(many);
	free(to);
}

static void digests_come_from_whoever_knows_them(void **state)
{
	struct digest_source *list[2], *many = NULL;
	struct fixture *f = *state;
	struct fake_digests other;
	unsigned int i;

	fake_digests_init(&other, &f->vm);
	memcpy(other.ds.key_id, "other", 5);
	list[0] = &other.ds;
	list[1] = open_digests(f);
	assert_int_equal(digest_source_many_open(&many, list, 2, &f->err),
			 -EXDEV);
	assert_non_null(strstr(f->err.text, f->image));
	memcpy(other.ds.key_id, list[1]->key_id, sizeof(other.ds.key_id));
	assert_int_equal(digest_source_many_open(&many, list, 2, &f->err), 0);
	/* the first knows what is no more in the image */
	fake_vm_write(&f->vm, 50, 777);
	other.merged[0] |= 1ULL << 50;
	fake_vm_write(&f->vm, 52, 777);
	ask(f, many, 40, 20);
	for (i = 0; i < 20; i++)
		assert_int_equal(f->classes[i],
				 i == 12 ? DIGEST_NONE : DIGEST_KNOWN);
	many->close(many);
	assert_int_equal(other.closed, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_is_of_every_bit),
		cmocka_unit_test(sum_is_nh),
		T(index_has_the_digests_of_the_module),
		T(index_is_its_owners_alone),
		T(index_is_made_of_whole_pages_only),
		T(malformed_heads_are_refused),
		T(index_of_another_length_is_refused),
		cmocka_unit_test(number_of_pages_does_not_overflow),
		T(index_that_is_no_file_is_refused),
		T(pages_as_in_the_image_have_digests),
		T(pages_that_were_written_have_none),
		T(damaged_records_give_no_digest),
		T(index_cut_short_meanwhile_gives_no_digest),
		T(image_smaller_than_the_vm_covers_its_part),
		T(contents_of_the_image_are_held),
		T(image_that_changed_is_noticed),
		T(image_that_is_cut_short_is_noticed),
		T(records_that_changed_places_are_noticed),
		T(a_lease_that_is_none_is_refused),
		T(pages_come_from_whoever_holds_them),
		T(digests_come_from_whoever_knows_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
