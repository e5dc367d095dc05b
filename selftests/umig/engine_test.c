// SPDX-License-Identifier: GPL-2.0
/*
 * The engine, both ends in one process over loopback TCP, with a VM without
 * KVM: what arrives is what was there, whatever the guest writes meanwhile and
 * whatever the page source takes back; and whoever fails, the guest runs at
 * exactly one place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "migrate/page_class.h"
#include "migrate/place.h"
#include "umig/end.h"

#define LOW 700
#define HIGH 900
#define PAGES (LOW + HIGH)

struct pair {
	struct end source;
	struct end target;
	struct fake_digests digests;
	struct fake_pages pages;
	char address[32];
};

/*
 * The source's pages: a third zero, a third of their own, a third whose seeds
 * are below 100 and repeat.
 */
static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	uint64_t i;

	end_init(&p->source, LOW, HIGH, true);
	end_init(&p->target, LOW, HIGH, false);
	for (i = 0; i < PAGES; i++)
		if (i % 3)
			fake_vm_write(&p->source.vm, i,
				      i % 3 == 1 ? 1000 + i : 1 + i % 99);
	p->source.vm.state = 0x1234567890ULL;
	fake_digests_init(&p->digests, &p->source.vm);
	fake_pages_init(&p->pages, 0);
	*state = p;
	return 0;
}

/* The same over several connections. */
static int setup_channels(void **state)
{
	struct pair *p;
	int rc = setup(state);

	p = *state;
	p->source.params.channels = 3;
	return rc;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	end_exit(&p->source);
	end_exit(&p->target);
	if (!p->digests.closed)
		free(p->digests.merged);
	free(p);
	return 0;
}

static void start_target(struct pair *p)
{
	end_start_target(&p->target, p->address, sizeof(p->address));
}

static void start_source(struct pair *p)
{
	end_start_source(&p->source, p->address);
}

static void migrate(struct pair *p)
{
	start_target(p);
	start_source(p);
	assert_true(end_wait_final(&p->source));
	assert_true(end_wait_final(&p->target));
}

/* Let the module's part be played: every page but @own has a digest. */
static void merge_all(struct pair *p, uint64_t held)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		if (i % 3 == 2)
			bitmap_set(p->digests.merged, i);
	p->pages.held = held;
	p->source.params.digests = &p->digests.ds;
	p->target.params.pages = &p->pages.ps;
}

static void assert_moved(struct pair *p)
{
	assert_string_equal(p->source.last.error, "");
	assert_int_equal(p->source.last.state, MIGRATE_COMPLETED);
	assert_int_equal(p->target.last.state, MIGRATE_COMPLETED);
	assert_false(p->source.vm.running);
	assert_true(p->target.vm.running);
	assert_int_equal(p->target.vm.starts, 1);
	assert_int_equal(p->source.vm.starts, 0);
	assert_int_equal(p->target.vm.state, p->source.vm.state);
	assert_memory_equal(p->source.vm.ram, p->target.vm.ram,
			    PAGES * UMIG_PAGE_SIZE);
}

static void assert_stayed(struct pair *p)
{
	assert_true(p->source.vm.running);
	assert_false(p->target.vm.running);
	assert_int_equal(p->target.vm.starts, 0);
	assert_false(p->source.vm.tracking);
}

static void moves_all_memory_without_a_module(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;

	migrate(p);
	assert_moved(p);
	assert_true(r->verified);
	assert_true(p->target.last.verified);
	assert_int_equal(r->pages_zero, (PAGES + 2) / 3);
	assert_int_equal(r->pages_plain, PAGES - (PAGES + 2) / 3);
	assert_int_equal(r->pages_held + r->pages_duplicate, 0);
	assert_non_null(strstr(r->warning, "no umig module"));
	assert_true(r->bytes_tx > r->pages_plain * 4096);
	assert_int_equal(p->target.last.bytes_rx, r->bytes_tx);
}

/* Content that compresses to less than half, and some that doesn't. */
static void soften(struct pair *p)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		if (i % 3 == 1 && i % 4)
			memset(fake_vm_page(&p->source.vm, i) + 1000, i, 3000);
}

static void migrate_compressed(struct pair *p, const char *how)
{
	const struct migrate_report *r = &p->source.last;
	struct err err = { 0 };

	soften(p);
	assert_int_equal(pack_option_parse(how, &p->source.params.pack, &err),
			 0);
	migrate(p);
	assert_moved(p);
	assert_int_equal(r->pages_plain, PAGES - (PAGES + 2) / 3);
	assert_int_equal(p->target.last.pages_plain, r->pages_plain);
}

static void compresses_by_lz4(void **state)
{
	struct pair *p = *state;

	migrate_compressed(p, "lz4");
	assert_true(p->source.last.bytes_tx <
		    p->source.last.pages_plain * 4096 * 3 / 4);
}

static void compresses_by_zstd(void **state)
{
	struct pair *p = *state;

	migrate_compressed(p, "zstd:3");
	assert_true(p->source.last.bytes_tx <
		    p->source.last.pages_plain * 4096 * 3 / 4);
}

static void compresses_as_it_pays(void **state)
{
	migrate_compressed(*state, "auto");
}

/* What is named goes between what is compressed, and comes whole if refused. */
static void compresses_what_is_refused(void **state)
{
	struct pair *p = *state;

	merge_all(p, 50);
	p->pages.refuse_place = 7;
	p->source.params.pack.plan = (struct pack_plan){ WIRE_CODEC_ZSTD, 1 };
	migrate(p);
	assert_moved(p);
	assert_true(p->target.last.index_refused > 0);
	assert_true(p->source.last.pages_held > 0);
}

static void says_where_the_downtime_went(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t sum;

	migrate(p);
	assert_moved(p);
	assert_string_equal(r->stop_reason, "fits");
	assert_true(r->predicted_ns > 0);
	assert_true(r->last_round_ns > 0);
	assert_true(r->state_ns > 0);
	assert_true(r->handover_ns > 0);
	assert_true(r->start_ns > 0);
	assert_true(r->start_ns == p->target.last.start_ns);
	sum = r->stop_ns + r->last_round_ns + r->state_ns + r->handover_ns +
	      r->start_ns;
	assert_true(sum <= r->downtime_ns);
	assert_true(sum > r->downtime_ns / 2);
}

static void says_nothing_of_a_module_that_was_not_wanted(void **state)
{
	struct pair *p = *state;

	p->source.params.no_digests = true;
	migrate(p);
	assert_moved(p);
	assert_string_equal(p->source.last.warning, "");
	assert_int_equal(p->source.last.pages_held, 0);
}

static void names_held_pages(struct pair *p)
{
	const struct migrate_report *r = &p->source.last;
	uint64_t merged;

	merge_all(p, 1000);
	merged = bitmap_count(p->digests.merged, PAGES);
	migrate(p);
	assert_moved(p);
	assert_int_equal(r->pages_held, merged);
	assert_int_equal(p->target.last.pages_held, merged);
	assert_int_equal(p->target.last.index_shared, p->pages.placed);
	assert_int_equal(r->index_shared, 0);
	assert_int_equal(r->index_offered, r->index_confirmed);
	assert_int_equal(r->index_offered, p->pages.offered);
	assert_true(r->index_offered < merged);	/* each content once */
	assert_true(r->bytes_tx < (r->pages_plain + 100) * 4096);
	assert_int_equal(r->index_refused, 0);
	assert_int_equal(p->target.last.index_unproven, 0);
	assert_int_equal(p->digests.closed, 1);
	assert_int_equal(p->pages.closed, 1);
}

static void names_held_pages_instead_of_sending_them(void **state)
{
	names_held_pages(*state);
}

static void names_held_pages_and_proves_them_whole(void **state)
{
	struct pair *p = *state;

	p->target.params.proof = PROOF_FULL;
	names_held_pages(p);
}

/* The source's index has digests of what these pages were, and are no more. */
static void stale_index_is_found_out(struct pair *p)
{
	const struct migrate_report *r = &p->source.last;
	uint64_t stale, i;

	merge_all(p, 1000);
	p->digests.stale = 90;
	for (stale = 0, i = 0; i < p->digests.stale; i++)
		stale += bitmap_test(p->digests.merged, i);
	migrate(p);
	assert_moved(p);
	assert_true(r->verified);
	assert_int_equal(r->index_refused, stale);
	/* all are of one digest, which is soon looked at no more */
	assert_int_equal(p->target.last.index_unproven, PROOF_FAILURES_MAX);
	assert_true(r->pages_held > 0);
}

static void stale_index_is_found_out_by_samples(void **state)
{
	stale_index_is_found_out(*state);
}

static void stale_index_is_found_out_by_whole_pages(void **state)
{
	struct pair *p = *state;

	p->target.params.proof = PROOF_FULL;
	stale_index_is_found_out(p);
}

static void names_twins_of_pages_that_the_peer_lacks(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t merged;

	merge_all(p, 0);
	merged = bitmap_count(p->digests.merged, PAGES);
	migrate(p);
	assert_moved(p);
	assert_int_equal(r->index_confirmed, 0);
	assert_int_equal(r->pages_held, 0);
	assert_int_equal(p->target.last.pages_duplicate, r->pages_duplicate);
	/* what seems to be alone may go by another channel, once */
	assert_true(r->pages_duplicate <= merged - r->index_offered);
	assert_true(r->pages_duplicate >=
		    merged - (p->source.params.channels > 1 ? 2 : 1) *
				     r->index_offered);
}

/* Writes that fall into a window around the harvest, ever fewer. */
static void write_some(struct fake_vm *vm)
{
	unsigned int n = 400 >> vm->harvests, i;

	for (i = 0; i < n; i++)
		fake_vm_write(vm, (i * 37 + vm->harvests) % PAGES,
			      i % 4 ? 5000 + vm->harvests * 1000 + i : 0);
}

/* Pages that the peer lacks are packed by all, those that it holds named. */
static void lacked_pages_go_by_all_channels(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t i;

	merge_all(p, 50);
	for (i = 0; i < PAGES; i++)
		if (i % 3 == 1)
			bitmap_set(p->digests.merged, i);
	p->source.params.pack.plan = (struct pack_plan){ WIRE_CODEC_ZSTD, 1 };
	p->source.params.downtime_limit_ns = 0;
	p->source.vm.on_harvest = write_some;
	migrate(p);
	assert_moved(p);
	assert_true(r->verified);
	assert_true(r->pages_held > 0);
	assert_true(r->pages_plain > 500);
	assert_int_equal(r->index_refused, 0);
}

static void sends_whole_what_is_refused_after_confirm(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;

	merge_all(p, 1000);
	p->pages.refuse_place = 7;
	migrate(p);
	assert_moved(p);
	assert_true(p->pages.refused > 0);
	assert_int_equal(r->index_refused, p->pages.refused);
	assert_true(r->pages_held > 0);
}

static void other_keys_mean_no_offers(void **state)
{
	struct pair *p = *state;

	merge_all(p, 1000);
	p->pages.ps.key_id[0] ^= 1;
	migrate(p);
	assert_moved(p);
	assert_int_equal(p->source.last.index_offered, 0);
	assert_non_null(strstr(p->source.last.warning, "different index key"));
}

static void follows_what_the_guest_writes(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;

	merge_all(p, 1000);
	p->source.params.downtime_limit_ns = 0;
	p->source.vm.on_harvest = write_some;
	migrate(p);
	assert_moved(p);
	assert_true(r->rounds >= 3);
	assert_true(r->pages_dirtied > 0);
	assert_true(r->pages_resent > 0);
	assert_int_equal(r->pages_zero + r->pages_held + r->pages_duplicate +
			 r->pages_plain, PAGES);
}

/* So many times the guest writes a few bytes of each page of a working set. */
#define WORKING_SET 600
#define WRITES 20

static void write_sparsely(struct fake_vm *vm)
{
	unsigned int i;

	for (i = 0; i < WORKING_SET && vm->harvests < WRITES; i++)
		fake_vm_patch(vm, i * 2, i, 9, vm->harvests);
}

static void changes_go_as_deltas(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;
	uint64_t plain;

	merge_all(p, 50);
	p->source.params.downtime_limit_ns = 0;
	p->source.vm.on_harvest = write_sparsely;
	migrate(p);
	assert_moved(p);
	assert_true(r->verified);
	assert_true(r->rounds > 3);
	/* all but those of the first two rounds that each page was in */
	assert_true(r->pages_delta > 0);
	assert_true(r->pages_delta + 2 * WORKING_SET >= r->pages_resent);
	plain = PAGES + r->pages_resent - r->pages_delta;
	assert_true(r->bytes_tx < plain * (4096 + 16) + r->pages_delta * 112 +
				  200000);
	assert_int_equal(r->index_refused, 0);
}

static void changes_go_as_deltas_packed(void **state)
{
	struct pair *p = *state;

	p->source.params.pack.plan = (struct pack_plan){ WIRE_CODEC_ZSTD, 1 };
	changes_go_as_deltas(state);
}

static void write_much(struct fake_vm *vm)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		fake_vm_write(vm, i, 7000 + vm->harvests * 2000 + i);
}

/* Where every byte is new each time, there is nothing to be gained. */
static void pages_written_whole_go_whole(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.max_rounds = 5;
	p->source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	p->source.vm.on_harvest = write_much;
	migrate(p);
	assert_moved(p);
	assert_int_equal(p->source.last.pages_delta, 0);
}

static void sends_everything_again_when_the_log_lost_pages(void **state)
{
	struct pair *p = *state;

	p->source.vm.overflow_once = true;
	migrate(p);
	assert_moved(p);
	assert_true(p->source.last.pages_dirtied < PAGES);
	assert_true(p->source.last.pages_resent > 0);
}

static void lose_pages_at_rest(struct fake_vm *vm)
{
	vm->overflow_once = !vm->running;
}

static void lose_pages_each_time(struct fake_vm *vm)
{
	vm->overflow_once = true;
}

static void a_log_that_loses_pages_at_the_end_gives_the_guest_back(void **state)
{
	struct pair *p = *state;

	p->source.vm.on_harvest = lose_pages_at_rest;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "dirty log"));
	assert_int_equal(p->source.vm.starts, 1);
	assert_stayed(p);
}

static void a_log_that_loses_pages_at_the_end_is_made_up_for_if_told_to(
	void **state)
{
	struct pair *p = *state;

	p->source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	p->source.vm.on_harvest = lose_pages_at_rest;
	migrate(p);
	assert_moved(p);
	assert_true(p->source.last.pages_resent > 0);
}

/* It is not the guest that keeps it from converging. */
static void a_log_that_loses_pages_each_time_is_named(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.max_rounds = 3;
	p->source.vm.on_harvest = lose_pages_each_time;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "--dirty bitmap"));
	assert_int_equal(p->source.last.pages_dirtied, 0);
	assert_int_equal(p->source.vm.stops, 0);
	assert_stayed(p);
}

static void gives_up_on_a_guest_that_never_converges(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.max_rounds = 3;
	p->source.vm.on_harvest = write_much;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_int_equal(p->target.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "--downtime-limit"));
	assert_string_equal(p->source.last.stop_reason, "max-rounds");
	assert_true(p->source.last.predicted_ns > 0);
	assert_int_equal(p->source.vm.stops, 0);
	assert_stayed(p);
}

static void gives_up_when_its_time_is_up(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.max_rounds = 1000000;
	p->source.params.timeout_ns = 300000000;
	p->source.vm.on_harvest = write_much;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "--timeout"));
	assert_string_equal(p->source.last.stop_reason, "timeout");
	assert_true(p->source.last.total_ns >= 300000000);
	assert_int_equal(p->source.vm.stops, 0);
	assert_stayed(p);
}

/* Pages that the round left are sent all the same. */
static void stops_in_the_middle_of_a_round_if_told_to(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.timeout_ns = 1;
	p->source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	migrate(p);
	assert_moved(p);
	assert_string_equal(p->source.last.stop_reason, "timeout");
	assert_int_equal(p->source.last.rounds, 2);
}

static void stops_a_guest_that_never_converges_if_told_to(void **state)
{
	struct pair *p = *state;

	p->source.params.downtime_limit_ns = 0;
	p->source.params.max_rounds = 3;
	p->source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	p->source.vm.on_harvest = write_much;
	migrate(p);
	assert_moved(p);
	assert_string_equal(p->source.last.stop_reason, "max-rounds");
	assert_int_equal(p->source.last.rounds, 4);
}

static void sends_no_faster_than_it_may(void **state)
{
	struct pair *p = *state;
	const struct migrate_report *r = &p->source.last;

	p->source.params.bandwidth = 8 << 20;
	migrate(p);
	assert_moved(p);
	/* but for a burst of a frame and what is in the buffers */
	assert_true(r->total_ns / 1e9 >=
		    (r->bytes_tx - 3.0 * (2 << 20)) / (8 << 20));
	assert_true(r->total_ns > 100000000);
}

static void other_machine_is_refused_by_name(void **state)
{
	struct pair *p = *state;

	strcpy(p->target.vm.model, "fake-2");
	start_target(p);
	start_source(p);
	assert_true(end_wait_final(&p->source));
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "\"model\""));
	assert_non_null(strstr(p->source.last.error, "fake-1"));
	assert_non_null(strstr(p->source.last.error, "fake-2"));
	assert_stayed(p);

	/* and the destination still waits for the right one */
	migration_free(p->source.m);
	p->source.m = NULL;
	strcpy(p->source.vm.model, "fake-2");
	start_source(p);
	assert_true(end_wait_final(&p->source));
	assert_true(end_wait_final(&p->target));
	assert_moved(p);
}

static void unreachable_peer_is_named(void **state)
{
	struct pair *p = *state;

	/* a port that was free a moment ago */
	start_target(p);
	migration_free(p->target.m);
	p->target.m = NULL;
	start_source(p);
	assert_true(end_wait_final(&p->source));
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, p->address));
	assert_stayed(p);
}

static void broken_state_keeps_the_guest_here(void **state)
{
	struct pair *p = *state;

	p->target.vm.fail_state_load = true;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "section \"cpu\""));
	assert_stayed(p);
	assert_int_equal(p->source.vm.starts, 1);
	/* it stood still all the same */
	assert_true(p->source.last.downtime_ns > 0);
}

static void destination_that_cannot_start_gives_the_guest_back(void **state)
{
	struct pair *p = *state;

	p->target.vm.fail_starts = 1;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_int_equal(p->target.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "disk is in use"));
	assert_stayed(p);
}

static void guest_is_started_again_as_soon_as_it_can(void **state)
{
	struct pair *p = *state;

	p->target.vm.fail_state_load = true;
	p->source.vm.fail_starts = 3;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_stayed(p);
	assert_int_equal(p->source.vm.fail_starts, 0);
}

static void guest_that_cannot_be_started_again_is_told_first(void **state)
{
	struct pair *p = *state;

	p->target.vm.fail_state_load = true;
	p->source.vm.fail_starts = 1000;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_false(p->source.vm.running);
	assert_non_null(strstr(p->source.last.error, "STOPPED at the source"));
	assert_non_null(strstr(p->source.last.error, "disk is in use"));
	assert_non_null(strstr(p->source.last.error, "section \"cpu\""));
}

static void guest_that_cannot_be_stopped_stays(void **state)
{
	struct pair *p = *state;

	p->source.vm.fail_stop = true;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "a device"));
	assert_stayed(p);
}

/* There is nothing left to be mended, or to be resumed. */
static void guest_that_ends_as_it_is_stopped_has_ended(void **state)
{
	struct pair *p = *state;

	p->source.vm.ended = true;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.last.error, "ended at the source"));
	assert_non_null(strstr(p->source.last.error, "powered off"));
	assert_null(strstr(p->source.last.error, "umig resume"));
	assert_int_equal(p->source.vm.starts_tried, 1);
	assert_int_equal(p->target.vm.starts, 0);
}

static struct pair *cancel_pair;
static bool cancel_target;

static void cancel_in_harvest(struct fake_vm *vm)
{
	if (vm->harvests == 1)
		migration_cancel(cancel_target ? cancel_pair->target.m :
						 cancel_pair->source.m);
}

static void cancel_at_the_source_keeps_the_guest(void **state)
{
	struct pair *p = *state;

	cancel_pair = p;
	cancel_target = false;
	p->source.vm.on_harvest = cancel_in_harvest;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_CANCELLED);
	assert_int_equal(p->target.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->target.last.error, "cancelled at the source"));
	assert_stayed(p);
}

static void cancel_at_the_destination_keeps_the_guest(void **state)
{
	struct pair *p = *state;

	cancel_pair = p;
	cancel_target = true;
	p->source.vm.on_harvest = cancel_in_harvest;
	migrate(p);
	assert_int_equal(p->source.last.state, MIGRATE_FAILED);
	assert_int_equal(p->target.last.state, MIGRATE_CANCELLED);
	assert_stayed(p);
}

/* What is queued before the last word would take longer than anybody waits. */
static void cancel_does_not_wait_for_a_slow_link(void **state)
{
	struct pair *p = *state;

	p->source.params.bandwidth = 65536;
	start_target(p);
	start_source(p);
	assert_true(end_wait_state(&p->target, MIGRATE_PRECOPY));
	assert_int_equal(migration_cancel(p->source.m), 0);
	assert_true(end_wait_final(&p->source));
	assert_int_equal(p->source.last.state, MIGRATE_CANCELLED);
	assert_true(p->source.vm.running);
	assert_true(end_wait_final(&p->target));
	assert_int_equal(p->target.last.state, MIGRATE_FAILED);
	assert_int_equal(p->target.vm.starts, 0);
}

static void cancel_while_listening_ends_it(void **state)
{
	struct pair *p = *state;

	start_target(p);
	assert_int_equal(migration_cancel(p->target.m), 0);
	assert_true(end_wait_final(&p->target));
	assert_int_equal(p->target.last.state, MIGRATE_CANCELLED);
	assert_int_equal(migration_cancel(p->target.m), -EALREADY);
	assert_int_equal(migration_settle(p->target.m, true), -EINVAL);
}

static void second_migration_after_a_cancel_succeeds(void **state)
{
	struct pair *p = *state;

	cancel_at_the_source_keeps_the_guest(state);
	p->source.vm.on_harvest = NULL;
	migration_free(p->source.m);
	p->source.m = NULL;
	end_exit(&p->target);
	end_init(&p->target, LOW, HIGH, false);
	p->source.vm.starts = 0;
	migrate(p);
	assert_moved(p);
}

static void page_classes_are_written(void **state)
{
	struct pair *p = *state;
	char path[] = "/tmp/umig-classes-XXXXXX";
	uint8_t classes[PAGES + 1];
	int fd = mkstemp(path);
	unsigned int i, held = 0;

	p->source.params.page_classes = path;
	merge_all(p, 1000);
	migrate(p);
	assert_moved(p);
	assert_int_equal(read(fd, classes, sizeof(classes)), PAGES);
	for (i = 0; i < PAGES; i++) {
		if (i % 3 == 0)
			assert_int_equal(classes[i], PAGE_CLASS_ZERO);
		held += classes[i] == PAGE_CLASS_HELD;
	}
	assert_int_equal(held, p->source.last.pages_held);
	close(fd);
	unlink(path);
}

/* Everything twice: over one connection, and over several. */
#define ENGINE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup, teardown), \
	{ #f " (channels)", f, setup_channels, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(moves_all_memory_without_a_module),
		ENGINE_TEST(compresses_by_lz4),
		ENGINE_TEST(compresses_by_zstd),
		ENGINE_TEST(compresses_as_it_pays),
		ENGINE_TEST(compresses_what_is_refused),
		ENGINE_TEST(says_where_the_downtime_went),
		ENGINE_TEST(says_nothing_of_a_module_that_was_not_wanted),
		ENGINE_TEST(names_held_pages_instead_of_sending_them),
		ENGINE_TEST(names_held_pages_and_proves_them_whole),
		ENGINE_TEST(stale_index_is_found_out_by_samples),
		ENGINE_TEST(stale_index_is_found_out_by_whole_pages),
		ENGINE_TEST(names_twins_of_pages_that_the_peer_lacks),
		ENGINE_TEST(lacked_pages_go_by_all_channels),
		ENGINE_TEST(sends_whole_what_is_refused_after_confirm),
		ENGINE_TEST(other_keys_mean_no_offers),
		ENGINE_TEST(follows_what_the_guest_writes),
		ENGINE_TEST(changes_go_as_deltas),
		ENGINE_TEST(changes_go_as_deltas_packed),
		ENGINE_TEST(pages_written_whole_go_whole),
		ENGINE_TEST(sends_everything_again_when_the_log_lost_pages),
		ENGINE_TEST(
			a_log_that_loses_pages_at_the_end_gives_the_guest_back),
		ENGINE_TEST(
			a_log_that_loses_pages_at_the_end_is_made_up_for_if_told_to),
		ENGINE_TEST(a_log_that_loses_pages_each_time_is_named),
		ENGINE_TEST(gives_up_on_a_guest_that_never_converges),
		ENGINE_TEST(stops_a_guest_that_never_converges_if_told_to),
		ENGINE_TEST(gives_up_when_its_time_is_up),
		ENGINE_TEST(stops_in_the_middle_of_a_round_if_told_to),
		ENGINE_TEST(sends_no_faster_than_it_may),
		ENGINE_TEST(other_machine_is_refused_by_name),
		ENGINE_TEST(unreachable_peer_is_named),
		ENGINE_TEST(broken_state_keeps_the_guest_here),
		ENGINE_TEST(destination_that_cannot_start_gives_the_guest_back),
		ENGINE_TEST(guest_is_started_again_as_soon_as_it_can),
		ENGINE_TEST(guest_that_cannot_be_started_again_is_told_first),
		ENGINE_TEST(guest_that_cannot_be_stopped_stays),
		ENGINE_TEST(guest_that_ends_as_it_is_stopped_has_ended),
		ENGINE_TEST(cancel_at_the_source_keeps_the_guest),
		ENGINE_TEST(cancel_at_the_destination_keeps_the_guest),
		cmocka_unit_test_setup_teardown(
			cancel_does_not_wait_for_a_slow_link, setup, teardown),
		ENGINE_TEST(cancel_while_listening_ends_it),
		ENGINE_TEST(second_migration_after_a_cancel_succeeds),
		ENGINE_TEST(page_classes_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
