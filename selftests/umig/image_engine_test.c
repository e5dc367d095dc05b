// SPDX-License-Identifier: GPL-2.0
/*
 * Migrations that take pages from images: what both ends have is not sent, and
 * whatever guest, images or indexes have become since they were made, what
 * arrives is what was there.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem/domain_key.h"
#include "mem/image_index.h"
#include "umig/end.h"
#include "umig/image_file.h"
#include "umig/scratch.h"
#include "umig/writer.h"

#define LOW 700
#define HIGH 900
#define PAGES (LOW + HIGH)
#define RECORD(i) (IMAGE_HEAD_BYTES + (i) * sizeof(struct image_record))
/* What the micro benchmark of Kamiji, Koto and Kono (2015) shares at most. */
#define SHARED_PER_MILLE 828

/** struct pair - Two ends, and an image for each. */
struct pair {
	struct end source;
	struct end target;
	struct vm *vm[2];	/* in place of the ends' own, with KVM */
	char *dir;
	char mine[64];		/* the source's image */
	char theirs[64];	/* the destination's */
	char address[32];
};

/* Every page of the source has a content of its own but the first, of zeroes. */
static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	uint64_t i;

	end_init(&p->source, LOW, HIGH, true);
	end_init(&p->target, LOW, HIGH, false);
	for (i = 1; i < PAGES; i++)
		fake_vm_write(&p->source.vm, i, i);
	p->source.vm.state = 0x1234567890ULL;
	p->dir = scratch_dir();
	snprintf(p->mine, sizeof(p->mine), "%s/mine", p->dir);
	snprintf(p->theirs, sizeof(p->theirs), "%s/theirs", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	end_exit(&p->source);
	end_exit(&p->target);
	vm_destroy(p->vm[0]);
	vm_destroy(p->vm[1]);
	scratch_remove(p->dir);
	free(p);
	return 0;
}

/* Whether page @i is one of those that the destination has. */
static bool shared(uint64_t i)
{
	return (i + 1) * SHARED_PER_MILLE / 1000 > i * SHARED_PER_MILLE / 1000;
}

/* The source's image is its memory, the destination's the shared part of it. */
static void write_images(struct pair *p, const struct memslots *ms)
{
	uint64_t i;

	for (i = 0; i < ms->pages; i++) {
		const void *page = memslots_hva(ms, memslots_gfn(ms, i));

		image_file_write(p->mine, page, UMIG_PAGE_SIZE,
				 i * UMIG_PAGE_SIZE);
		if (shared(i))
			image_file_write(p->theirs, page, UMIG_PAGE_SIZE,
					 i * UMIG_PAGE_SIZE);
	}
	assert_int_equal(truncate(p->theirs, ms->pages * UMIG_PAGE_SIZE), 0);
	image_file_index(p->mine);
	image_file_index(p->theirs);
}

static void use_images(struct pair *p, const struct memslots *ms)
{
	struct err err = { 0 };

	if (digest_source_file_open(&p->source.params.digests, p->mine, ms,
				    &err) ||
	    page_source_file_open(&p->target.params.pages, p->theirs, &err))
		fail_msg("%s", err_text(&err));
}

static void migrate(struct pair *p)
{
	use_images(p, &p->source.vm.ms);
	end_start_target(&p->target, p->address, sizeof(p->address));
	end_start_source(&p->source, p->address);
	assert_true(end_wait_final(&p->source));
	assert_true(end_wait_final(&p->target));
}

static void assert_moved(struct pair *p)
{
	assert_string_equal(p->source.last.error, "");
	assert_int_equal(p->source.last.state, MIGRATE_COMPLETED);
	assert_int_equal(p->target.last.state, MIGRATE_COMPLETED);
	assert_false(p->source.vm.running);
	assert_true(p->target.vm.running);
	assert_memory_equal(p->source.vm.ram, p->target.vm.ram,
			    PAGES * UMIG_PAGE_SIZE);
}

static uint64_t count_shared(uint64_t first, uint64_t end)
{
	uint64_t n = 0;

	for (; first < end; first++)
		n += shared(first);
	return n;
}

/* ---- what is held isn't sent ---- */

static void shared_pages_are_named(struct pair *p)
{
	const struct migrate_report *r = &p->source.last;
	uint64_t held = count_shared(1, PAGES);

	write_images(p, &p->source.vm.ms);
	migrate(p);
	assert_moved(p);
	assert_true(r->verified);
	assert_int_equal(r->pages_held, held);
	assert_int_equal(p->target.last.pages_held, held);
	assert_int_equal(r->pages_plain, PAGES - 1 - held);
	assert_int_equal(r->index_offered, PAGES - 1);
	assert_int_equal(r->index_confirmed, held);
	assert_int_equal(r->index_refused, 0);
	assert_int_equal(p->target.last.index_unproven, 0);
	assert_string_equal(r->warning, "");
}

static void shared_pages_are_named_and_sampled(void **state)
{
	shared_pages_are_named(*state);
}

static void shared_pages_are_named_and_proven_whole(void **state)
{
	struct pair *p = *state;

	p->target.params.proof = PROOF_FULL;
	shared_pages_are_named(p);
}

/* No dirty log knows of these: they are older than the migration. */
static void pages_written_since_the_image_are_sent(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t i;

	write_images(p, &p->source.vm.ms);
	for (i = 100; i < 200; i++)
		fake_vm_page(&p->source.vm, i)[8 * i] ^= 1;
	fake_vm_write(&p->source.vm, 200, 0);
	fake_vm_write(&p->source.vm, 201, 300);	/* which the other end has */
	p->source.params.verify = false;
	migrate(p);
	assert_moved(p);
	assert_int_equal(r->pages_held,
			 count_shared(1, 100) + count_shared(202, PAGES));
	assert_int_equal(r->index_refused, 0);
}

static void write_some(struct fake_vm *vm)
{
	unsigned int n = 400 >> vm->harvests, i;

	for (i = 0; i < n; i++)
		fake_vm_write(vm, 1 + (i * 37 + vm->harvests) % (PAGES - 1),
			      i % 4 ? 5000 + vm->harvests * 1000 + i : 0);
}

static void follows_what_the_guest_writes(void **state)
{
	struct pair *p = *state;

	write_images(p, &p->source.vm.ms);
	p->source.params.downtime_limit_ns = 0;
	p->source.params.verify = false;
	p->source.vm.on_harvest = write_some;
	migrate(p);
	assert_moved(p);
	assert_true(p->source.last.rounds >= 3);
	assert_true(p->source.last.pages_resent > 0);
	assert_true(p->source.last.pages_held > 0);
}

/* ---- files that lie ---- */

/* The image is another one than when it was indexed. */
static void image_that_changed_costs_sends_alone(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t i;

	write_images(p, &p->source.vm.ms);
	for (i = 500; i < 600; i++)
		image_file_flip(p->theirs, i * UMIG_PAGE_SIZE + 7 * i % 4096);
	p->source.params.verify = false;
	migrate(p);
	assert_moved(p);
	assert_int_equal(r->index_refused, count_shared(500, 600));
	assert_int_equal(p->target.last.index_unproven, 0);
	assert_int_equal(r->pages_held,
			 count_shared(1, PAGES) - count_shared(500, 600));
}

/* Say in @image's index that page @i has @digest, its sum being right. */
static void forge(const char *image, uint64_t i, const void *page,
		  const digest_t *digest)
{
	struct image_record record = { .digest = *digest };
	struct image_index ix;
	char index[80];

	assert_int_equal(image_index_open(&ix, image, NULL), 0);
	record.sum = page_sum(&ix.sum_key, page);
	image_index_close(&ix);
	snprintf(index, sizeof(index), "%s.index", image);
	image_file_write(image, page, UMIG_PAGE_SIZE, i * UMIG_PAGE_SIZE);
	image_file_write(index, &record, sizeof(record), RECORD(i));
}

static void page_digest(const void *page, digest_t *out)
{
	domain_key_digest(image_file_key, page, out->b);
}

/* Pages 400 to 499 of the destination's image: a bit differs, or @all. */
static void forge_pages(struct pair *p, bool all)
{
	uint8_t page[UMIG_PAGE_SIZE] __attribute__((aligned(8)));
	digest_t digest;
	uint64_t i;

	write_images(p, &p->source.vm.ms);
	for (i = 400; i < 500; i++) {
		memcpy(page, fake_vm_page(&p->source.vm, i), sizeof(page));
		page_digest(page, &digest);
		if (all)
			fake_page(page, 100000 + i);
		else
			page[i * 13 % sizeof(page)] ^= 1;
		forge(p->theirs, i, page, &digest);
	}
}

static void other_content_behind_a_digest_is_found_out(struct pair *p)
{
	p->source.params.verify = false;
	migrate(p);
	assert_moved(p);
	assert_int_equal(p->target.last.index_unproven, 100);
	assert_int_equal(p->source.last.index_refused, 100);
}

static void other_content_is_found_out_by_samples(void **state)
{
	forge_pages(*state, true);
	other_content_behind_a_digest_is_found_out(*state);
}

static void a_single_bit_is_found_out_by_whole_pages(void **state)
{
	struct pair *p = *state;

	forge_pages(p, false);
	p->target.params.proof = PROOF_FULL;
	other_content_behind_a_digest_is_found_out(p);
}

/* Samples let most of these pass: the guest must not go there. */
static void a_single_bit_is_found_out_by_the_comparison(void **state)
{
	struct pair *p = *state;

	forge_pages(p, false);
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_int_equal(p->target.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "memory differs"));
	assert_true(p->source.vm.running);
	assert_false(p->target.vm.running);
	assert_int_equal(p->target.vm.starts, 0);
}

/* The source's index names the contents of other pages, which are held. */
static void digests_of_other_pages_are_found_out(struct pair *p)
{
	digest_t digest;
	uint64_t i;

	write_images(p, &p->source.vm.ms);
	for (i = 400; i < 500; i++) {
		page_digest(fake_vm_page(&p->source.vm, i + 500), &digest);
		forge(p->mine, i, fake_vm_page(&p->source.vm, i), &digest);
	}
	p->source.params.verify = false;
	migrate(p);
	assert_moved(p);
	assert_int_equal(p->target.last.index_unproven,
			 count_shared(900, 1000));
}

static void digests_of_other_pages_are_found_out_by_samples(void **state)
{
	digests_of_other_pages_are_found_out(*state);
}

static void digests_of_other_pages_are_found_out_by_whole_pages(void **state)
{
	struct pair *p = *state;

	p->target.params.proof = PROOF_FULL;
	digests_of_other_pages_are_found_out(p);
}

/* ---- on this machine's /dev/kvm ---- */

#define MEMORY (64ULL << 20)
#define FIRST_FILLED 512
#define REGION_PAGES 2000
#define REGION_FIRST (WRITER_REGION >> UMIG_PAGE_SHIFT)

static int make_vm(struct vm **vm, struct err *err)
{
	const struct vm_config config = {
		.name = "test",
		.memory_bytes = MEMORY,
		.cpus = 1,
		.serial = "none",
		.dirty = "bitmap",
	};

	return vm_create(vm, &config, err);
}

/* The guest wants its region's first words to be zero. */
static void fill_vm(struct vm *vm)
{
	const struct memslots *ms = vm_memory(vm);
	uint64_t i;

	for (i = FIRST_FILLED; i < ms->pages; i++) {
		uint8_t *page = memslots_hva(ms, memslots_gfn(ms, i));

		fake_page(page, i);
		memset(page, 0, 4);
	}
}

static bool start_vms(struct pair *p)
{
	struct err err = { 0 };

	if (make_vm(&p->vm[0], &err) || make_vm(&p->vm[1], &err)) {
		print_message("# SKIP %s\n", err_text(&err));
		return false;
	}
	fill_vm(p->vm[0]);
	write_images(p, vm_memory(p->vm[0]));
	if (writer_boot(p->vm[0], REGION_PAGES, 20, &err) ||
	    vm_start(p->vm[0], &err) || vm_launch_incoming(p->vm[1], &err))
		fail_msg("%s", err_text(&err));
	assert_true(writer_wait(p->vm[0], 3));
	return true;
}

/* What the guest has written is sent, of the rest what isn't shared. */
static void assert_vm_moved(struct pair *p)
{
	const struct memslots *ms = vm_memory(p->vm[0]);
	uint64_t held = count_shared(FIRST_FILLED, REGION_FIRST) +
			count_shared(REGION_FIRST + REGION_PAGES, ms->pages);
	uint64_t after = (REGION_FIRST + REGION_PAGES) << UMIG_PAGE_SHIFT;

	assert_string_equal(p->source.last.error, "");
	assert_int_equal(p->source.last.state, MIGRATE_COMPLETED);
	assert_true(end_wait_final(&p->target));
	assert_true(p->source.last.verified);
	assert_int_equal(p->source.last.pages_held, held);
	assert_int_equal(p->target.last.pages_held, held);
	assert_int_equal(p->source.last.index_refused, 0);
	assert_int_equal(p->target.last.index_unproven, 0);
	assert_true(p->source.last.bytes_tx <
		    (p->source.last.pages_plain +
		     p->source.last.pages_resent) * (4096 + 64) + held * 80);
	assert_true(writer_wait(p->vm[1], writer_passes(p->vm[0]) + 3));
	assert_int_equal(writer_bad(p->vm[1]), 0);
	assert_memory_equal(ms->slot[0].hva + after,
			    vm_memory(p->vm[1])->slot[0].hva + after,
			    MEMORY - after);
}

static void guest_moves_with_images(struct pair *p)
{
	if (!start_vms(p))
		return;
	use_images(p, vm_memory(p->vm[0]));
	p->source.params.max_rounds = 3;
	p->source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	end_start_target_vm(&p->target, &vm_ops_kvm, p->vm[1], p->address,
			    sizeof(p->address));
	end_start_source_vm(&p->source, &vm_ops_kvm, p->vm[0], p->address);
	assert_true(end_wait_final(&p->source));
	assert_vm_moved(p);
}

static void guest_moves_with_images_and_samples(void **state)
{
	guest_moves_with_images(*state);
}

static void guest_moves_with_images_and_whole_proofs(void **state)
{
	struct pair *p = *state;

	p->target.params.proof = PROOF_FULL;
	guest_moves_with_images(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(shared_pages_are_named_and_sampled),
		T(shared_pages_are_named_and_proven_whole),
		T(pages_written_since_the_image_are_sent),
		T(follows_what_the_guest_writes),
		T(image_that_changed_costs_sends_alone),
		T(other_content_is_found_out_by_samples),
		T(a_single_bit_is_found_out_by_whole_pages),
		T(a_single_bit_is_found_out_by_the_comparison),
		T(digests_of_other_pages_are_found_out_by_samples),
		T(digests_of_other_pages_are_found_out_by_whole_pages),
		T(guest_moves_with_images_and_samples),
		T(guest_moves_with_images_and_whole_proofs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
