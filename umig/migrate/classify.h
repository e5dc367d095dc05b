/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Classifying: what is known of pages without looking at them: from a source of
 * digests, if there is one, and from the kernel, which knows what has never been
 * touched.  It doesn't know what becomes of them.  One thread.
 */
#ifndef UMIG_MIGRATE_CLASSIFY_H
#define UMIG_MIGRATE_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/digest_source.h"
#include "mem/memslots.h"
#include "mem/untouched.h"

#define CLASSIFY_PAGES DIGEST_BATCH

/**
 * struct classifier - What it asks, and the last answer.
 * @ms: guest memory.
 * @digests: where digests come from, borrowed; NULL: from nowhere.
 * @untouched: pages that nobody has written yet.
 * @dense: all pages of the run have memory here, and none is known to be zero.
 * @class: of each page of the run, &enum digest_class,
 * @digest: and of DIGEST_KNOWN its digest.
 */
struct classifier {
	const struct memslots *ms;
	struct digest_source *digests;
	struct untouched untouched;

	bool dense;
	uint8_t class[CLASSIFY_PAGES];
	digest_t digest[CLASSIFY_PAGES];
};

/** classifier_init() - Never fails. */
void classifier_init(struct classifier *c, const struct memslots *ms,
		     struct digest_source *digests);
void classifier_exit(struct classifier *c);

/**
 * classify() - A run of @n pages, at most CLASSIFY_PAGES, of one slot.
 * @first: dense index of the first of them.
 * @fresh: much may never have been touched: it is worth asking.
 *
 * Their dirty state was cleared.
 *
 * Return: 0, or -errno with words in @err.
 */
int classify(struct classifier *c, uint64_t first, unsigned int n, bool fresh,
	     struct err *err);

/**
 * classifier_alike() - How many pages, from the run's page @i on and before @n,
 * are like it: zero, known, or neither.
 */
unsigned int classifier_alike(const struct classifier *c, unsigned int i,
			      unsigned int n);

#endif
