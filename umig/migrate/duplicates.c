// SPDX-License-Identifier: GPL-2.0
/*
 * Duplicates inside the VM: see duplicates.h.
 */
#include "migrate/duplicates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096UL

int duplicates_init(struct duplicates *d)
{
	memset(d->entry, 0, sizeof(d->entry));
	d->bytes = malloc(DUPLICATES_KEPT * PAGE_BYTES);
	return d->bytes ? 0 : -ENOMEM;
}

void duplicates_exit(struct duplicates *d)
{
	free(d->bytes);
	d->bytes = NULL;
}

void duplicates_keep(struct duplicates *d, uint32_t offer, uint64_t gfn,
		     uint32_t round, const void *page)
{
	uint32_t i = offer % DUPLICATES_KEPT;

	d->entry[i] = (struct duplicate_entry){
		.offer = offer,
		.round = round,
		.gfn = gfn,
	};
	memcpy(d->bytes + i * PAGE_BYTES, page, PAGE_BYTES);
}

bool duplicates_find(const struct duplicates *d, uint32_t offer,
		     uint32_t round, const void *page, uint64_t *gfn)
{
	uint32_t i = offer % DUPLICATES_KEPT;
	const struct duplicate_entry *e = &d->entry[i];

	if (e->round != round || e->offer != offer)
		return false;
	if (memcmp(d->bytes + i * PAGE_BYTES, page, PAGE_BYTES))
		return false;
	*gfn = e->gfn;
	return true;
}
