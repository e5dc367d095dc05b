// SPDX-License-Identifier: GPL-2.0
/*
 * What was sent last: see delta_cache.h.
 */
#include "migrate/delta_cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/delta.h"

#define WAYS 8
#define PAGE DELTA_PAGE_BYTES

int delta_cache_init(struct delta_cache *c, size_t bytes)
{
	*c = (struct delta_cache){ .sets = 1 };
	while (c->sets * 2 * WAYS * PAGE <= bytes)
		c->sets *= 2;
	c->entry = calloc(c->sets * WAYS, sizeof(*c->entry));
	c->pages = malloc(c->sets * WAYS * PAGE);
	if (c->entry && c->pages)
		return 0;
	delta_cache_exit(c);
	return -ENOMEM;
}

void delta_cache_exit(struct delta_cache *c)
{
	free(c->entry);
	free(c->pages);
	*c = (struct delta_cache){ 0 };
}

/* Pages that are neighbours go to sets that are: none is favoured. */
static struct delta_entry *set_of(const struct delta_cache *c, uint64_t index)
{
	return c->entry + (index & (c->sets - 1)) * WAYS;
}

static struct delta_entry *find(const struct delta_cache *c, uint64_t index)
{
	struct delta_entry *e = set_of(c, index);
	unsigned int i;

	for (i = 0; i < WAYS; i++)
		if (e[i].round && e[i].index == index)
			return &e[i];
	return NULL;
}

static struct delta_entry *oldest(const struct delta_cache *c, uint64_t index)
{
	struct delta_entry *e = set_of(c, index), *old = e;
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		if (!e[i].round)
			return &e[i];
		if (e[i].used < old->used)
			old = &e[i];
	}
	return old;
}

/*
 * A working set is sent in the same order each round.  If it is larger than the
 * cache, to make room for each of its pages would be to find none of them again:
 * what was sent in this round or the last stays.
 */
static bool stays(const struct delta_entry *e, uint32_t round)
{
	return e->round && e->round + 1 >= round;
}

bool delta_cache_has_room(const struct delta_cache *c, uint64_t index,
			  uint32_t round)
{
	return find(c, index) || !stays(oldest(c, index), round);
}

int delta_cache_send(struct delta_cache *c, uint64_t index, uint32_t round,
		     const void *page, void *room, uint32_t *base)
{
	struct delta_entry *e = find(c, index);
	int rc = -ENOENT;
	uint8_t *kept;

	if (e) {
		kept = c->pages + (e - c->entry) * PAGE;
		*base = e->round;
		rc = delta_encode(kept, page, room, DELTA_BYTES_MAX);
	} else {
		e = oldest(c, index);
		assert(!stays(e, round));
		kept = c->pages + (e - c->entry) * PAGE;
	}
	*e = (struct delta_entry){
		.index = index,
		.used = ++c->clock,
		.round = round,
	};
	memcpy(kept, page, PAGE);
	return rc;
}

void delta_cache_forget(struct delta_cache *c, uint64_t index)
{
	struct delta_entry *e = find(c, index);

	if (e)
		e->round = 0;
}

void delta_cache_clear(struct delta_cache *c)
{
	memset(c->entry, 0, c->sets * WAYS * sizeof(*c->entry));
}
