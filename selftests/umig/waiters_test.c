// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that wait for one answer, many thousands of one content: the engine is
 * the source, and a peer made of raw frames, which plays the destination, answers
 * only when all of them wait.  They go a batch at a time: between batches the
 * source hears what the destination says, and what the guest writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "umig/facing.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/pages.h"

#define BATCHES 24
#define LOW (BATCHES * WIRE_BATCH_PAGES)
#define HIGH 8
#define PAGES (LOW + HIGH)
#define SEED 1
#define NEW_SEED 2
#define WAIT_MS 20000

/**
 * struct fixture - The source and the peer, and what came in the last round.
 * @range: the digests', which all pages have, and how many pages it was @asked for.
 * @came: how often each page came, by dense index,
 * @class: and as what, at last.
 * @refusing: the peer refuses what comes, frame by frame.
 * @wrote: the guest wrote page 0 while those that had waited were sent.
 */
struct fixture {
	struct facing facing;
	int (*range)(struct digest_source *ds, const void *hva,
		     unsigned int pages, uint8_t *classes, digest_t *digests);
	uint64_t asked;
	unsigned int came[PAGES];
	uint8_t class[PAGES];
	bool refusing;
	bool wrote;
};

static struct fixture *the_fixture;

static int count_asked(struct digest_source *ds, const void *hva,
		       unsigned int pages, uint8_t *classes, digest_t *digests)
{
	struct fixture *f = the_fixture;
	int rc = f->range(ds, hva, pages, classes, digests);

	__atomic_add_fetch(&f->asked, pages, __ATOMIC_RELEASE);
	return rc;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t i;

	assert_non_null(f);
	facing_open_source(&f->facing, LOW, HIGH);
	for (i = 0; i < PAGES; i++)
		fake_vm_write(&f->facing.end.vm, i, SEED);
	fake_digests_init(&f->facing.digests, &f->facing.end.vm);
	bitmap_set_run(f->facing.digests.merged, 0, PAGES);
	f->range = f->facing.digests.ds.range;
	f->facing.digests.ds.range = count_asked;
	f->facing.end.params.digests = &f->facing.digests.ds;
	/* it wants to hear nothing of the pages beforehand */
	f->facing.peer.version = WIRE_VERSION_DENSE - 1;
	the_fixture = f;
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

/* The one digest has been offered, and every page waits for the answer. */
static void let_all_wait(struct fixture *f)
{
	struct offer_msg offer;
	unsigned int ms;

	facing_answer_hello(&f->facing);
	assert_true(raw_peer_recv(&f->facing.peer));
	assert_int_equal(f->facing.peer.type, WIRE_OFFER);
	assert_int_equal(msg_offer_decode(&offer, f->facing.peer.payload,
					  f->facing.peer.bytes), 0);
	assert_int_equal(offer.count, 1);
	for (ms = 0; ms < WAIT_MS; ms++) {
		if (__atomic_load_n(&f->asked, __ATOMIC_ACQUIRE) == PAGES)
			return;
		usleep(1000);
	}
	fail_msg("the source doesn't take its pages");
}

/* A whole frame behind @at; returns what is behind that. */
static uint8_t *put_frame(struct fixture *f, uint8_t *at, uint16_t type,
			  const void *payload, size_t bytes)
{
	wire_frame_encode(at, type, bytes, f->facing.peer.tx_sequence++);
	memcpy(at + sizeof(struct wire_frame), payload, bytes);
	return at + sizeof(struct wire_frame) + bytes;
}

static uint8_t *put_answer(struct fixture *f, uint8_t *at, bool held)
{
	static const uint8_t nonce[MSG_NONCE_BYTES] = "a nonce";
	const uint8_t bits = held;
	uint8_t msg[64];

	return put_frame(f, at, WIRE_ANSWER, msg,
			 msg_answer_encode(msg, 0, 1, nonce, &bits));
}

static void answer(struct fixture *f, bool held)
{
	uint8_t out[128], *end = put_answer(f, out, held);

	assert_int_equal(send(f->facing.peer.fd, out, end - out, MSG_NOSIGNAL),
			 end - out);
}

static void refuse(struct fixture *f, uint32_t round, const uint64_t *gfns,
		   uint32_t n)
{
	uint8_t msg[sizeof(struct wire_refused) +
		    WIRE_BATCH_PAGES * sizeof(uint64_t)];

	raw_peer_send(&f->facing.peer, WIRE_REFUSED, msg,
		      msg_refused_encode(msg, round, gfns, n));
}

/* A frame of pages: what it brings; how many. */
static uint32_t see_frame(struct fixture *f, uint32_t round)
{
	const struct memslots *ms = &f->facing.end.vm.ms;
	uint64_t gfn[2 * WIRE_BATCH_PAGES];
	struct pages_reader reader;
	struct pages_run run;
	uint32_t i, n = 0;
	int rc;

	assert_int_equal(pages_reader_init(&reader, f->facing.peer.payload,
					   f->facing.peer.bytes), 0);
	assert_int_equal(reader.round, round);
	while ((rc = pages_reader_next(&reader, &run)) > 0) {
		assert_true(memslots_has_run(ms, run.gfn, run.pages));
		for (i = 0; i < run.pages; i++, n++) {
			uint64_t index = memslots_index(ms, run.gfn + i);

			assert_true(n < 2 * WIRE_BATCH_PAGES);
			gfn[n] = run.gfn + i;
			f->came[index]++;
			f->class[index] = run.class;
		}
	}
	assert_int_equal(rc, 0);
	if (f->refusing)
		refuse(f, round, gfn, n);
	return n;
}

/* Until @round has been sent, or the source has hung up; how many pages came. */
static uint64_t see_pages(struct fixture *f, uint32_t round)
{
	uint64_t sum = 0;
	uint32_t n;

	memset(f->came, 0, sizeof(f->came));
	while (raw_peer_recv(&f->facing.peer) &&
	       f->facing.peer.type == WIRE_PAGES) {
		n = see_frame(f, round);
		assert_true(n <= WIRE_BATCH_PAGES);
		sum += n;
	}
	return sum;
}

static uint64_t see_round(struct fixture *f, uint32_t round)
{
	uint64_t sum = see_pages(f, round);

	assert_int_equal(f->facing.peer.type, WIRE_ROUND_END);
	return sum;
}

static unsigned int count_class(const struct fixture *f, uint8_t class)
{
	unsigned int i, n = 0;

	for (i = 0; i < PAGES; i++)
		n += f->came[i] && f->class[i] == class;
	return n;
}

static void all_are_named_before_the_round_ends(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	let_all_wait(f);
	answer(f, true);
	assert_int_equal(see_round(f, 1), PAGES);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f->came[i], 1);
	assert_int_equal(count_class(f, WIRE_RUN_BRIEF), PAGES);
}

/* Of one content all but the first are duplicates, batch by batch. */
static void those_that_are_lacked_stay_twins(void **state)
{
	struct fixture *f = *state;

	let_all_wait(f);
	answer(f, false);
	assert_int_equal(see_round(f, 1), PAGES);
	assert_int_equal(count_class(f, WIRE_RUN_PLAIN), 1);
	assert_int_equal(count_class(f, WIRE_RUN_DUPLICATE), PAGES - 1);
}

/* Whoever sends first and listens then has sent all of them by then. */
static void a_word_is_heard_between_batches(void **state)
{
	struct fixture *f = *state;
	uint8_t out[256], *end;

	let_all_wait(f);
	/* at once: who has the one has the other */
	end = put_answer(f, out, true);
	end = put_frame(f, end, WIRE_CANCEL, "", 0);
	assert_int_equal(send(f->facing.peer.fd, out, end - out, MSG_NOSIGNAL),
			 end - out);
	assert_true(see_pages(f, 1) <= WIRE_BATCH_PAGES);
	assert_int_not_equal(f->facing.peer.type, WIRE_ROUND_END);
	assert_true(end_wait_final(&f->facing.end));
	assert_int_equal(f->facing.end.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(f->facing.end.last.error, "cancelled"));
	assert_true(f->facing.end.vm.running);
}

static void those_that_are_refused_meanwhile_come_whole(void **state)
{
	struct fixture *f = *state;

	let_all_wait(f);
	answer(f, true);
	f->refusing = true;
	assert_int_equal(see_round(f, 1), PAGES);
	f->refusing = false;
	facing_acknowledge(&f->facing, 1);
	assert_int_equal(see_round(f, 2), PAGES);
	assert_int_equal(count_class(f, WIRE_RUN_PLAIN), PAGES);
}

/* The guest writes the page that began to wait first, and goes last. */
static void write_in_the_midst(struct fake_vm *vm)
{
	struct fixture *f = the_fixture;
	struct migrate_report r;

	if (f->wrote)
		return;
	migration_query(f->facing.end.m, &r);
	if (!r.pages_held)
		return;
	f->wrote = true;
	bitmap_clear(f->facing.digests.merged, 0);
	fake_vm_write(vm, 0, NEW_SEED);
}

/* At so many bytes a second each batch takes longer than a harvest waits. */
static void a_page_written_between_batches_goes_in_the_next_round(void **state)
{
	struct fixture *f = *state;
	struct migrate_report r;
	unsigned int i;

	f->facing.end.params.bandwidth = 256 << 10;
	f->facing.end.vm.on_harvest = write_in_the_midst;
	let_all_wait(f);
	answer(f, true);
	assert_int_equal(see_round(f, 1), PAGES - 1);
	assert_true(f->wrote);
	assert_int_equal(f->came[0], 0);
	for (i = 1; i < PAGES; i++)
		assert_int_equal(f->came[i], 1);
	facing_acknowledge(&f->facing, 1);
	assert_int_equal(see_round(f, 2), 1);
	assert_int_equal(f->came[0], 1);
	assert_int_equal(f->class[0], WIRE_RUN_PLAIN);
	migration_query(f->facing.end.m, &r);
	assert_int_equal(r.index_cancelled, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(all_are_named_before_the_round_ends),
		T(those_that_are_lacked_stay_twins),
		T(a_word_is_heard_between_batches),
		T(those_that_are_refused_meanwhile_come_whole),
		T(a_page_written_between_batches_goes_in_the_next_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
