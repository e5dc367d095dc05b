// SPDX-License-Identifier: GPL-2.0
/*
 * Classifying: see classify.h.
 */
#include "migrate/classify.h"

#include <assert.h>
#include <string.h>

#include "lib/bitmap.h"

_Static_assert(CLASSIFY_PAGES <= UNTOUCHED_MAX, "a run is asked for at once");

void classifier_init(struct classifier *c, const struct memslots *ms,
		     struct digest_source *digests)
{
	c->ms = ms;
	c->digests = digests;
	untouched_open(&c->untouched, ms);
}

void classifier_exit(struct classifier *c)
{
	untouched_close(&c->untouched);
}

/* Without digests nothing is known of any of them. */
static int find_digests(struct classifier *c, const void *hva, unsigned int n,
			struct err *err)
{
	int rc;

	memset(c->class, DIGEST_NONE, n);
	if (!c->digests)
		return 0;
	rc = c->digests->range(c->digests, hva, n, c->class, c->digest);
	return rc ? err_set(err, rc, "%s can't tell which pages are merged: %s",
			    c->digests->name, strerror(-rc)) : 0;
}

static unsigned int count(const struct classifier *c, unsigned int n,
			  uint8_t class)
{
	unsigned int i, found = 0;

	for (i = 0; i < n; i++)
		found += c->class[i] == class;
	return found;
}

/*
 * Pages that have no memory here are zero, and had better not be looked at.
 * Not worth asking the kernel if most have it for certain: the rest is looked
 * at.
 */
static void find_untouched(struct classifier *c, const void *hva,
			   unsigned int n)
{
	uint64_t map[BITMAP_WORDS(UNTOUCHED_MAX)];
	unsigned int i, known = count(c, n, DIGEST_KNOWN);
	unsigned int zero = count(c, n, DIGEST_ZERO);
	int found = 0;

	if ((known + zero) * 4 < n * 3)
		found = untouched_find(&c->untouched, hva, n, map);
	/* zeroes need no memory there, whether they have any here or not */
	c->dense = !found && !zero;
	if (found <= 0)
		return;
	for (i = 0; i < n; i++)
		if (bitmap_test(map, i) && c->class[i] != DIGEST_KNOWN)
			c->class[i] = DIGEST_ZERO;
}

int classify(struct classifier *c, uint64_t first, unsigned int n, bool fresh,
	     struct err *err)
{
	const void *hva = memslots_hva(c->ms, memslots_gfn(c->ms, first));
	int rc;

	assert(n <= CLASSIFY_PAGES);
	rc = find_digests(c, hva, n, err);
	c->dense = false;
	if (!rc && fresh)
		find_untouched(c, hva, n);
	return rc;
}

/* Nothing is known of a page that will have a digest later. */
static uint8_t kind(const struct classifier *c, unsigned int i)
{
	return c->class[i] == DIGEST_LATER ? DIGEST_NONE : c->class[i];
}

unsigned int classifier_alike(const struct classifier *c, unsigned int i,
			      unsigned int n)
{
	unsigned int k;

	for (k = i + 1; k < n; k++)
		if (kind(c, k) != kind(c, i))
			break;
	return k - i;
}
