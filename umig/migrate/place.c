// SPDX-License-Identifier: GPL-2.0
/*
 * Placing pages at the destination: see place.h.
 */
#include "migrate/place.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"
#include "mem/huge.h"
#include "migrate/offers.h"
#include "migrate/page_class.h"
#include "wire/delta.h"
#include "wire/pages.h"

/* Zero and plain pages are placed so many at a time. */
#define CHUNK_PAGES WIRE_BATCH_PAGES

int placer_init(struct placer *p, const struct memslots *ms,
		struct page_source *pages)
{
	*p = (struct placer){
		.ms = ms,
		.pages = pages,
		.proof = PROOF_SAMPLED,
		.offers_limit = offers_limit(ms->pages),
		.class = calloc(ms->pages, 1),
		.populated = bitmap_alloc(ms->pages),
		.huge = huge_usable() && !(pages && pages->shares),
		.count = { [PAGE_CLASS_NONE] = ms->pages },
	};
	unproven_init(&p->failed);
	fresh_init(&p->fresh);
	pthread_mutex_init(&p->lock, NULL);
	if (p->class && p->populated && !received_init(&p->received, ms->pages))
		return 0;
	placer_exit(p);
	return -ENOMEM;
}

void placer_exit(struct placer *p)
{
	received_exit(&p->received);
	nonces_exit(&p->nonces);
	unproven_exit(&p->failed);
	fresh_exit(&p->fresh);
	free(p->offer);
	free(p->class);
	free(p->populated);
	free(p->refused);
	pthread_mutex_destroy(&p->lock);
	*p = (struct placer){ .fresh.uffd = -1 };
}

static int grow_offers(struct placer *p, uint32_t count)
{
	uint64_t cap = p->cap_offers ? p->cap_offers : 1024;
	struct held_offer *offer;

	while (cap - p->nr_offers < count)
		cap *= 2;
	if (cap == p->cap_offers)
		return 0;
	offer = realloc(p->offer, cap * sizeof(*offer));
	if (!offer)
		return -ENOMEM;
	p->offer = offer;
	p->cap_offers = cap;
	return 0;
}

/* An honest source offers a digest once: one that failed, it may not again. */
static void keep_offers(struct placer *p, const digest_t *digests,
			const uint64_t *leases, uint32_t nr, uint8_t *bitmap)
{
	struct held_offer *offer = p->offer + p->nr_offers;
	uint32_t i;

	memset(bitmap, 0, WIRE_BATCH_PAGES / 8);
	for (i = 0; i < nr; i++) {
		offer[i].tag = unproven_tag(&p->failed, &digests[i]);
		offer[i].lease = unproven_times(&p->failed, offer[i].tag) ?
					 0 : leases[i];
		if (offer[i].lease)
			bitmap[i / 8] |= 1 << (i % 8);
	}
	p->nr_offers += nr;
}

int placer_offer(struct placer *p, const struct offer_msg *msg,
		 uint8_t nonce[PROOF_NONCE_BYTES], uint8_t *bitmap,
		 struct err *err)
{
	uint64_t leases[WIRE_BATCH_PAGES] = { 0 };
	digest_t digests[WIRE_BATCH_PAGES];

	if (msg->first != p->nr_offers ||
	    p->nr_offers + (uint64_t)msg->count > p->offers_limit)
		return err_set(err, -EPROTO,
			       "the source offered digests %u to %u where %u was due, of at most %llu",
			       msg->first, msg->first + msg->count - 1,
			       p->nr_offers,
			       (unsigned long long)p->offers_limit);
	proof_nonce(nonce);
	if (grow_offers(p, msg->count) ||
	    nonces_add(&p->nonces, msg->first, nonce, p->proof))
		return err_set(err, -ENOMEM, "out of memory for leases");
	memcpy(digests, msg->array, msg->count * sizeof(*digests));
	if (p->pages && p->pages->offer(p->pages, digests, msg->count, leases))
		memset(leases, 0, sizeof(leases));
	keep_offers(p, digests, leases, msg->count, bitmap);
	return 0;
}

static void set_class(struct placer *p, uint64_t index, enum page_class class)
{
	p->count[p->class[index]]--;
	p->count[class]++;
	p->class[index] = class;
}

static int refuse(struct placer *p, uint64_t gfn, uint64_t index,
		  uint32_t round)
{
	if (p->nr_refused == p->cap_refused) {
		uint32_t cap = p->cap_refused ? p->cap_refused * 2 : 512;
		uint64_t *refused = realloc(p->refused,
					    cap * sizeof(*refused));

		if (!refused)
			return -ENOMEM;
		p->refused = refused;
		p->cap_refused = cap;
	}
	p->refused[p->nr_refused++] = gfn;
	pthread_mutex_lock(&p->lock);
	received_refused(&p->received, index, round);
	set_class(p, index, PAGE_CLASS_NONE);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static bool accepts(struct placer *p, uint64_t index, uint32_t round)
{
	bool news;

	pthread_mutex_lock(&p->lock);
	news = received_accepts(&p->received, index, round);
	pthread_mutex_unlock(&p->lock);
	return news;
}

static bool has(struct placer *p, uint64_t index, uint32_t round)
{
	bool there;

	pthread_mutex_lock(&p->lock);
	there = received_has(&p->received, index, round);
	pthread_mutex_unlock(&p->lock);
	return there;
}

/* @lock held. */
static void enter(struct placer *p, uint64_t index, uint32_t round,
		  enum page_class class)
{
	received_placed(&p->received, index, round);
	set_class(p, index, class);
	if (class != PAGE_CLASS_ZERO)
		bitmap_set(p->received.touched, index);
}

static void placed(struct placer *p, uint64_t index, uint32_t round,
		   enum page_class class)
{
	pthread_mutex_lock(&p->lock);
	enter(p, index, round, class);
	pthread_mutex_unlock(&p->lock);
}

/**
 * struct chunk - Of pages: which are news, which had been touched before, and
 * how many these are.
 * @fresh: none had been, nor are they populated.
 */
struct chunk {
	uint64_t news[BITMAP_WORDS(CHUNK_PAGES)];
	uint64_t touched[BITMAP_WORDS(CHUNK_PAGES)];
	uint32_t nr_news;
	uint32_t nr_touched;
	bool fresh;
};

/* Enter @nr pages, at most CHUNK_PAGES, that are about to be written. */
static struct chunk claim(struct placer *p, uint64_t index, uint32_t nr,
			  uint32_t round, enum page_class class)
{
	struct chunk c = { 0 };
	uint32_t i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < nr; i++) {
		if (!received_accepts(&p->received, index + i, round))
			continue;
		bitmap_set(c.news, i);
		c.nr_news++;
		if (bitmap_test(p->received.touched, index + i)) {
			bitmap_set(c.touched, i);
			c.nr_touched++;
		}
		enter(p, index + i, round, class);
	}
	c.fresh = !c.nr_touched && !bitmap_test(p->populated, index);
	pthread_mutex_unlock(&p->lock);
	return c;
}

static uint32_t chunk_of(const struct pages_run *run, uint32_t at)
{
	return run->pages - at < CHUNK_PAGES ? run->pages - at : CHUNK_PAGES;
}

/* Whether no page of [index, index + HUGE_PAGES) has been written or populated. */
static bool claim_dense(struct placer *p, uint64_t index)
{
	uint64_t end = index + HUGE_PAGES;
	bool mine;

	pthread_mutex_lock(&p->lock);
	mine = bitmap_next(p->received.touched, end, index) == end &&
	       !bitmap_test(p->populated, index);
	if (mine)
		bitmap_set_run(p->populated, index, HUGE_PAGES);
	pthread_mutex_unlock(&p->lock);
	return mine;
}

/* All of it will come: a huge page can hold it. */
static int place_dense(struct placer *p, const struct pages_run *run,
		       uint64_t index)
{
	void *hva = memslots_hva(p->ms, run->gfn);

	if (!p->dense)
		return -EPROTO;
	if (p->huge && run->pages == HUGE_PAGES && huge_aligned(hva) &&
	    claim_dense(p, index))
		huge_populate(hva);
	return 0;
}

/* Pages that were never touched are zero already, and stay unpopulated. */
static int place_zero(struct placer *p, const struct pages_run *run,
		      uint64_t index, uint32_t round)
{
	uint8_t *hva = memslots_hva(p->ms, run->gfn);
	uint32_t i, k, nr;

	for (i = 0; i < run->pages; i += nr) {
		struct chunk c;

		nr = chunk_of(run, i);
		c = claim(p, index + i, nr, round, PAGE_CLASS_ZERO);
		for (k = 0; c.nr_touched && k < nr; k++)
			if (bitmap_test(c.touched, k))
				memset(hva + (uint64_t)(i + k) * UMIG_PAGE_SIZE,
				       0, UMIG_PAGE_SIZE);
	}
	return 0;
}

static int place_plain(struct placer *p, const struct pages_run *run,
		       uint64_t index, uint32_t round)
{
	struct chunk c = claim(p, index, run->pages, round, PAGE_CLASS_PLAIN);
	uint8_t *hva = memslots_hva(p->ms, run->gfn);
	uint32_t i;

	if (c.nr_news == run->pages && c.fresh)
		return fresh_write(&p->fresh, hva, run->payload, run->pages);
	for (i = 0; i < run->pages; i++)
		if (bitmap_test(c.news, i))
			memcpy(hva + i * UMIG_PAGE_SIZE,
			       run->payload + i * UMIG_PAGE_SIZE,
			       UMIG_PAGE_SIZE);
	return 0;
}

/*
 * Only what the source means by the base is changed: the content of exactly
 * that round.  Anything else comes whole.
 */
static int place_delta(struct placer *p, const struct pages_run *run,
		       uint64_t index, uint32_t round)
{
	if (!accepts(p, index, round))
		return 0;
	if (!has(p, index, run->base))
		return refuse(p, run->gfn, index, round);
	if (delta_apply(memslots_hva(p->ms, run->gfn), run->delta,
			run->delta_bytes))
		return -EPROTO;
	placed(p, index, round, PAGE_CLASS_PLAIN);
	return 0;
}

static int place_duplicate(struct placer *p, const struct pages_run *run,
			   uint64_t index, uint32_t round)
{
	uint8_t *hva = memslots_hva(p->ms, run->gfn);
	uint32_t i;

	for (i = 0; i < run->pages; i++, index++) {
		struct wire_duplicate dup;
		uint64_t gfn;

		memcpy(&dup, run->payload + i * sizeof(dup), sizeof(dup));
		gfn = le64toh(dup.gfn);
		if (dup.reserved || !memslots_has_run(p->ms, gfn, 1))
			return -EPROTO;
		if (!accepts(p, index, round))
			continue;
		if (!has(p, memslots_index(p->ms, gfn), le32toh(dup.round))) {
			if (refuse(p, run->gfn + i, index, round))
				return -ENOMEM;
			continue;
		}
		memmove(hva + i * UMIG_PAGE_SIZE, memslots_hva(p->ms, gfn),
			UMIG_PAGE_SIZE);
		placed(p, index, round, PAGE_CLASS_DUPLICATE);
	}
	return 0;
}

/** struct held_batch - Pages of a HELD run that are news, to be filled. */
struct held_batch {
	struct place_item items[WIRE_BATCH_PAGES];
	uint32_t at[WIRE_BATCH_PAGES];			/* within the run */
	uint64_t fresh[BITMAP_WORDS(WIRE_BATCH_PAGES)];	/* of the run */
	uint32_t nr;
	struct wire_held held[WIRE_BATCH_PAGES];	/* the run, host order */
};

static bool given_up(const struct placer *p, uint32_t number)
{
	return unproven_times(&p->failed, p->offer[number].tag) >=
	       PROOF_FAILURES_MAX;
}

/*
 * Which pages of a run are news, by &held_batch.at.  A fill that fails half way
 * touches the page, too.
 */
static void claim_held(struct placer *p, const struct pages_run *run,
		       uint64_t index, uint32_t round, struct held_batch *batch)
{
	uint32_t i;

	batch->nr = 0;
	memset(batch->fresh, 0, sizeof(batch->fresh));
	pthread_mutex_lock(&p->lock);
	for (i = 0; i < run->pages; i++) {
		if (!received_accepts(&p->received, index + i, round))
			continue;
		if (!bitmap_test(p->received.touched, index + i) &&
		    !bitmap_test(p->populated, index + i))
			bitmap_set(batch->fresh, i);
		bitmap_set(p->received.touched, index + i);
		batch->at[batch->nr++] = i;
	}
	pthread_mutex_unlock(&p->lock);
}

/* The wire's words on each page of a run, all of which must be in order. */
static int read_held(const struct placer *p, const struct pages_run *run,
		     struct held_batch *batch)
{
	size_t bytes = pages_payload_bytes(run->class);
	uint32_t i;

	/* a brief proof is what a whole one begins with */
	for (i = 0; i < run->pages; i++) {
		struct wire_held *held = &batch->held[i];

		memcpy(held, run->payload + i * bytes, bytes);
		held->number = le32toh(held->number);
		if (held->number >= p->nr_offers ||
		    !p->offer[held->number].lease)
			return -EPROTO;
	}
	return 0;
}

static int collect_held(struct placer *p, const struct pages_run *run,
			uint64_t index, uint32_t round,
			struct held_batch *batch)
{
	uint8_t *hva = memslots_hva(p->ms, run->gfn);
	uint32_t i, at, nr = 0;
	int rc = read_held(p, run, batch);

	if (rc)
		return rc;
	claim_held(p, run, index, round, batch);
	for (i = 0; i < batch->nr; i++) {
		at = batch->at[i];
		if (given_up(p, batch->held[at].number)) {
			if (refuse(p, run->gfn + at, index + at, round))
				return -ENOMEM;
			continue;
		}
		batch->items[nr] = (struct place_item){
			.lease = p->offer[batch->held[at].number].lease,
			.hva = hva + at * UMIG_PAGE_SIZE,
			.fresh = bitmap_test(batch->fresh, at),
		};
		batch->at[nr++] = at;
	}
	batch->nr = nr;
	return 0;
}

/*
 * Whether the source has shown that it has the page which was just filled.
 * Proofs of one batch may be many guesses at one page: hence the look at what
 * the ones before came to.  -ENOMEM.
 */
static int check_proof(struct placer *p, const struct wire_held *held,
		       bool brief, const void *page)
{
	const struct proof_key *key = nonces_find(&p->nonces, held->number);

	if (given_up(p, held->number))
		return 0;
	if ((brief ? proof_check_brief : proof_check)(key, held->number, page,
						      held->proof)) {
		p->proven++;
		return 1;
	}
	p->unproven++;
	return unproven_add(&p->failed, p->offer[held->number].tag);
}

/* Enter the pages of @batch whose items have no result but 0. */
static void enter_held(struct placer *p, const struct held_batch *batch,
		       uint64_t index, uint32_t round)
{
	uint32_t i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < batch->nr; i++)
		if (!batch->items[i].result)
			enter(p, index + batch->at[i], round, PAGE_CLASS_HELD);
	pthread_mutex_unlock(&p->lock);
}

/* Fill what can be filled; what can't, or isn't proven, is refused. */
static int place_held(struct placer *p, const struct pages_run *run,
		      uint64_t index, uint32_t round)
{
	struct held_batch batch;
	uint32_t i;
	int failed, rc = collect_held(p, run, index, round, &batch);

	if (rc || !batch.nr)
		return rc;
	failed = p->pages->place(p->pages, batch.items, batch.nr);
	for (i = 0; i < batch.nr && !rc; i++) {
		struct place_item *item = &batch.items[i];
		uint32_t at = batch.at[i];
		int good = 0;

		if (!failed && !item->result)
			good = check_proof(p, &batch.held[at],
					   run->class == WIRE_RUN_BRIEF,
					   item->hva);
		if (good > 0)
			continue;
		item->result = -EACCES;
		memset(item->hva, 0, UMIG_PAGE_SIZE);
		rc = good ? good :
			    refuse(p, run->gfn + at, index + at, round);
	}
	if (!rc)
		enter_held(p, &batch, index, round);
	return rc;
}

static int place_run(struct placer *p, const struct pages_run *run,
		     uint32_t round, bool by_content)
{
	uint64_t index;

	if (!memslots_has_run(p->ms, run->gfn, run->pages))
		return -EPROTO;
	index = memslots_index(p->ms, run->gfn);
	switch (run->class) {
	case WIRE_RUN_DENSE:
		return place_dense(p, run, index);
	case WIRE_RUN_ZERO:
		return place_zero(p, run, index, round);
	case WIRE_RUN_PLAIN:
		return place_plain(p, run, index, round);
	case WIRE_RUN_DELTA:
		return by_content ? -EPROTO :
				    place_delta(p, run, index, round);
	case WIRE_RUN_BRIEF:
		return by_content || !p->brief ?
			       -EPROTO : place_held(p, run, index, round);
	case WIRE_RUN_HELD:
		return by_content ? -EPROTO : place_held(p, run, index, round);
	case WIRE_RUN_DUPLICATE:
		return by_content ? -EPROTO :
				    place_duplicate(p, run, index, round);
	}
	return -EPROTO;
}

/* @by_content: pages that are named don't belong here. */
static int place_payload(struct placer *p, struct pages_reader *reader,
			 bool by_content, struct err *err)
{
	struct pages_run run;
	uint64_t pages = 0;
	int rc;

	while ((rc = pages_reader_next(reader, &run)) > 0) {
		/* one frame has no use for more pages than there are */
		pages += run.class == WIRE_RUN_DENSE ? 0 : run.pages;
		rc = pages > p->ms->pages ? -EPROTO :
					    place_run(p, &run, reader->round,
						      by_content);
		if (rc == -EPROTO)
			return err_set(err, rc,
				       "the source sent a run of class %u, page 0x%llx, %u pages, that is not of this VM or not of its offers",
				       run.class, (unsigned long long)run.gfn,
				       run.pages);
		if (rc)
			break;
	}
	if (rc == -ENOMEM)
		return err_set(err, rc,
			       "out of memory for pages that came, or for refusing them");
	return rc ? err_set(err, -EPROTO,
			    "the source sent a malformed PAGES near byte %zu of %zu",
			    reader->r.pos, reader->r.len) : 0;
}

static int malformed_head(struct err *err)
{
	return err_set(err, -EPROTO,
		       "the source sent a PAGES with a malformed header");
}

int placer_pages(struct placer *p, const void *data, size_t bytes,
		 struct err *err)
{
	struct pages_reader reader;

	p->nr_refused = 0;
	if (pages_reader_init(&reader, data, bytes))
		return malformed_head(err);
	p->refused_round = reader.round;
	return place_payload(p, &reader, false, err);
}

int placer_plain_pages(struct placer *p, const void *data, size_t bytes,
		       uint32_t round, struct err *err)
{
	struct pages_reader reader;

	if (pages_reader_init(&reader, data, bytes))
		return malformed_head(err);
	if (reader.round != round)
		return err_set(err, -EPROTO,
			       "the source sent pages of round %u in round %u",
			       reader.round, round);
	return place_payload(p, &reader, true, err);
}

void placer_count(struct placer *p, struct migrate_report *r)
{
	pthread_mutex_lock(&p->lock);
	r->pages_zero = p->count[PAGE_CLASS_ZERO];
	r->pages_held = p->count[PAGE_CLASS_HELD];
	r->pages_duplicate = p->count[PAGE_CLASS_DUPLICATE];
	r->pages_plain = p->count[PAGE_CLASS_PLAIN];
	pthread_mutex_unlock(&p->lock);
	r->index_unproven = p->unproven;
	r->index_shared = p->pages ? p->pages->shared : 0;
}
