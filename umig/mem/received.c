// SPDX-License-Identifier: GPL-2.0
/*
 * The received map: see received.h.
 */
#include "mem/received.h"

#include <errno.h>
#include <stdlib.h>

int received_init(struct received *r, uint64_t pages)
{
	*r = (struct received){
		.pages = pages,
		.round = calloc(pages, sizeof(*r->round)),
		.missing = bitmap_alloc(pages),
		.touched = bitmap_alloc(pages),
	};
	if (r->round && r->missing && r->touched)
		return 0;
	received_exit(r);
	return -ENOMEM;
}

void received_exit(struct received *r)
{
	free(r->round);
	free(r->missing);
	free(r->touched);
	*r = (struct received){ 0 };
}

void received_refused(struct received *r, uint64_t index, uint32_t round)
{
	r->placed -= received_is_placed(r, index);
	r->round[index] = round;
	bitmap_set(r->missing, index);
}

bool received_has(const struct received *r, uint64_t index, uint32_t round)
{
	return received_is_placed(r, index) && r->round[index] == round;
}

bool received_complete(const struct received *r)
{
	return r->placed == r->pages;
}

uint64_t received_first_missing(const struct received *r)
{
	uint64_t i;

	for (i = 0; i < r->pages && received_is_placed(r, i); i++)
		;
	return i;
}
