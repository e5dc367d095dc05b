// SPDX-License-Identifier: GPL-2.0
/*
 * Packing on several threads: whatever plan is chosen, each batch comes back
 * as it was, and "auto" finds out on a slow link that packing pays.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "migrate/packing.h"

#define BATCH (256U << 10)
#define BATCHES 200
#define WORKERS 3
#define BOTH (WIRE_CODEC_BIT(WIRE_CODEC_LZ4) | WIRE_CODEC_BIT(WIRE_CODEC_ZSTD))

/* struct thread - Its worker, and how many of its batches were packed. */
struct thread {
	struct packing *packing;
	unsigned int seed, packed, wrong;
};

/* Bytes that pack to about a third, new for each batch. */
static void make_batch(uint8_t *at, unsigned int seed)
{
	size_t i;

	for (i = 0; i < BATCH; i++) {
		seed = seed * 1103515245 + 12345;
		at[i] = i % 3 ? 7 : seed >> 24;
	}
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint8_t *raw = malloc(BATCH), *room = malloc(BATCH);
	uint8_t *back = malloc(BATCH);
	struct unpacker unpacker = { 0 };
	struct packing_worker w;
	unsigned int i;

	t->wrong = packing_worker_init(&w, t->packing) ||
		   unpacker_init(&unpacker);
	for (i = 0; i < BATCHES && !t->wrong; i++) {
		struct pack_plan plan;
		size_t n, out;

		make_batch(raw, t->seed + i);
		plan = packing_choose(t->packing);
		packing_try(&w, raw, BATCH);
		n = plan.codec ?
			    packing_batch(&w, plan, raw, BATCH, room) : 0;
		t->packed += !!n;
		if (n && (unpack(&unpacker, room, n, back, BATCH, &out) ||
			  out != BATCH || memcmp(raw, back, BATCH)))
			t->wrong++;
		/* as a link of 10 MB/s would take it */
		packing_sent(t->packing, plan, n ? n : BATCH,
			     (n ? n : BATCH) * 100ULL);
	}
	packing_worker_exit(&w);
	unpacker_exit(&unpacker);
	free(raw);
	free(room);
	free(back);
	return NULL;
}

/* By all threads, of all their batches. */
static unsigned int run_all(const char *text, unsigned int codecs)
{
	struct pack_option option;
	struct thread t[WORKERS];
	pthread_t id[WORKERS];
	struct packing p;
	unsigned int i, packed = 0;

	assert_int_equal(pack_option_parse(text, &option, NULL), 0);
	packing_init(&p, &option, codecs, WORKERS);
	for (i = 0; i < WORKERS; i++) {
		t[i] = (struct thread){ .packing = &p, .seed = i * BATCHES };
		assert_int_equal(pthread_create(&id[i], NULL, run, &t[i]), 0);
	}
	for (i = 0; i < WORKERS; i++) {
		pthread_join(id[i], NULL);
		assert_int_equal(t[i].wrong, 0);
		packed += t[i].packed;
	}
	packing_exit(&p);
	return packed;
}

static void fixed_plans_pack_every_batch(void **state)
{
	(void)state;
	assert_int_equal(run_all("lz4", BOTH), WORKERS * BATCHES);
	assert_int_equal(run_all("zstd", BOTH), WORKERS * BATCHES);
}

static void nothing_is_packed_for_who_does_not_unpack(void **state)
{
	(void)state;
	assert_int_equal(run_all("none", BOTH), 0);
	assert_int_equal(run_all("lz4", 0), 0);
	assert_int_equal(run_all("auto", 0), 0);
}

static void whatever_auto_packs_comes_back(void **state)
{
	(void)state;
	run_all("auto", BOTH);
}

/* One batch to a link of 5 MB/s, which takes its time; whether it was packed. */
static bool send_slowly(struct packing_worker *w, const uint8_t *raw,
			uint8_t *room)
{
	struct pack_plan plan = packing_choose(w->packing);
	uint64_t begun = clock_now_ns(), ns;
	size_t n;

	packing_try(w, raw, BATCH);
	n = plan.codec ? packing_batch(w, plan, raw, BATCH, room) : 0;
	ns = (n ? n : BATCH) * 200ULL;
	while (clock_now_ns() - begun < ns)
		usleep(ns / 1000);
	packing_sent(w->packing, plan, n ? n : BATCH, ns);
	return n;
}

/* Sooner or later, however busy the machine is. */
static void auto_packs_for_a_slow_link(void **state)
{
	uint64_t until = clock_now_ns() + 60000000000ULL;
	uint8_t *raw = malloc(BATCH), *room = malloc(BATCH);
	struct pack_option option;
	struct packing_worker w;
	unsigned int packed = 0;
	struct packing p;

	(void)state;
	make_batch(raw, 1);
	assert_int_equal(pack_option_parse("auto", &option, NULL), 0);
	packing_init(&p, &option, BOTH, 1);
	assert_int_equal(packing_worker_init(&w, &p), 0);
	while (packed < 3 && clock_now_ns() < until)
		packed += send_slowly(&w, raw, room);
	assert_int_equal(packed, 3);
	packing_worker_exit(&w);
	packing_exit(&p);
	free(raw);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_plans_pack_every_batch),
		cmocka_unit_test(nothing_is_packed_for_who_does_not_unpack),
		cmocka_unit_test(whatever_auto_packs_comes_back),
		cmocka_unit_test(auto_packs_for_a_slow_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
