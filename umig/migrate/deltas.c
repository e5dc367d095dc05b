// SPDX-License-Identifier: GPL-2.0
/*
 * Deltas, while they pay: see deltas.h.
 */
#include "migrate/deltas.h"

#include <errno.h>
#include <string.h>

/* Most pages of the first round are sent but once. */
#define FIRST_ROUND 2

int deltas_init(struct deltas *d)
{
	memset(d, 0, sizeof(*d));
	d->again = FIRST_ROUND;
	d->rest = DELTAS_REST;
	return delta_cache_init(&d->cache, DELTA_CACHE_BYTES);
}

void deltas_exit(struct deltas *d)
{
	delta_cache_exit(&d->cache);
}

void deltas_begin_round(struct deltas *d, uint32_t round)
{
	d->round = round;
	if (d->on || round < d->again)
		return;
	d->on = true;
	d->learning = round;
	d->seen = 0;
	d->saved = 0;
}

/* What is sent from now on isn't kept: so what was kept is no base any more. */
static void give_up(struct deltas *d)
{
	d->on = false;
	delta_cache_clear(&d->cache);
	d->again = d->round + d->rest;
	d->rest *= 2;
}

/* @eighths of a page's cost have saved so many bytes. */
static void account(struct deltas *d, unsigned int eighths, uint32_t saved)
{
	if (d->round == d->learning)
		return;
	d->seen += eighths;
	d->saved += saved;
	if (d->seen < 8 * DELTAS_WINDOW)
		return;
	if (d->saved * 8 * DELTAS_PART < (uint64_t)d->seen * DELTA_PAGE_BYTES)
		give_up(d);
	d->seen = 0;
	d->saved = 0;
}

bool deltas_wants(const struct deltas *d, uint64_t index)
{
	return d->on && delta_cache_has_room(&d->cache, index, d->round);
}

bool deltas_take(struct deltas *d, uint64_t index, const void *page)
{
	int n;

	memcpy(d->page, page, sizeof(d->page));
	n = delta_cache_send(&d->cache, index, d->round, d->page, d->delta,
			     &d->base);
	if (n < 0) {
		account(d, n == -ENOENT ? 1 : 8, 0);
		return false;
	}
	d->bytes = n;
	d->sent++;
	account(d, 8, DELTA_PAGE_BYTES - n);
	return true;
}

void deltas_forget(struct deltas *d, uint64_t index)
{
	if (d->on)
		delta_cache_forget(&d->cache, index);
}
