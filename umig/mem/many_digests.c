// SPDX-License-Identifier: GPL-2.0
/*
 * Several digest sources as one: each is asked for what those before it don't
 * know.
 */
#include "mem/digest_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/domain_key.h"

#include "mem/memslots.h"

struct many_digests {
	struct digest_source ds;
	unsigned int nr;
	struct digest_source *list[DIGEST_SOURCES_MAX];
};

static bool knows(uint8_t class)
{
	return class == DIGEST_ZERO || class == DIGEST_KNOWN;
}

/* Ask @ds for a run of pages of which nothing is known.  Keeps "later". */
static int ask(struct digest_source *ds, const uint8_t *hva, unsigned int pages,
	       uint8_t *classes, digest_t *digests)
{
	uint8_t fresh[DIGEST_BATCH];
	unsigned int i;
	int rc = ds->range(ds, hva, pages, fresh, digests);

	for (i = 0; i < pages && !rc; i++)
		if (fresh[i] != DIGEST_NONE)
			classes[i] = fresh[i];
	return rc;
}

static int ask_for_unknown(struct digest_source *ds, const uint8_t *hva,
			   unsigned int pages, uint8_t *classes,
			   digest_t *digests)
{
	unsigned int first, end;
	int rc = 0;

	for (first = 0; first < pages && !rc; first = end + 1) {
		for (end = first; end < pages && !knows(classes[end]);)
			end++;
		if (end > first)
			rc = ask(ds, hva + first * UMIG_PAGE_SIZE, end - first,
				 classes + first, digests + first);
	}
	return rc;
}

static int many_range(struct digest_source *ds, const void *hva,
		      unsigned int pages, uint8_t *classes, digest_t *digests)
{
	struct many_digests *md = (struct many_digests *)ds;
	unsigned int i;
	int rc = 0;

	if (pages > DIGEST_BATCH)
		return -EINVAL;
	memset(classes, DIGEST_NONE, pages);
	for (i = 0; i < md->nr && !rc; i++)
		rc = ask_for_unknown(md->list[i], hva, pages, classes,
				     digests);
	return rc;
}

static void many_coverage(struct digest_source *ds, uint64_t *hashed,
			  uint64_t *merged)
{
	struct many_digests *md = (struct many_digests *)ds;
	unsigned int i;

	for (i = 0; i < md->nr; i++)
		if (md->list[i]->coverage)
			md->list[i]->coverage(md->list[i], hashed, merged);
}

static void many_close(struct digest_source *ds)
{
	struct many_digests *md = (struct many_digests *)ds;

	while (md->nr--)
		md->list[md->nr]->close(md->list[md->nr]);
	free(md);
}

int digest_source_many_open(struct digest_source **out,
			    struct digest_source *const *list, unsigned int nr,
			    struct err *err)
{
	struct many_digests *md;
	unsigned int i;
	int rc = 0;

	if (!nr || nr > DIGEST_SOURCES_MAX)
		return err_set(err, -EINVAL, "1 to %d digest sources",
			       DIGEST_SOURCES_MAX);
	for (i = 1; i < nr && !rc; i++)
		rc = domain_key_same(list[0]->name, list[0]->key_id,
				     list[i]->name, list[i]->key_id, err);
	if (rc)
		return rc;
	md = calloc(1, sizeof(*md));
	if (!md)
		return err_set(err, -ENOMEM, "out of memory");
	while (md->nr < nr) {
		md->list[md->nr] = list[md->nr];
		md->nr++;
	}
	memcpy(md->ds.key_id, list[0]->key_id, sizeof(md->ds.key_id));
	md->ds.name = list[0]->name;
	md->ds.range = many_range;
	md->ds.coverage = many_coverage;
	md->ds.close = many_close;
	*out = &md->ds;
	return 0;
}
