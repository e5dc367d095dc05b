/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was sent last of pages that are sent again and again, so that the next
 * time only the difference goes.  Bounded: the page of its set that was sent
 * longest ago makes room, unless that was in this round or the last.  One
 * thread.
 *
 * Its pages are what was sent, byte for byte, never a guest's memory, which may
 * have changed since: the destination has the same, if it has that round of the
 * page.
 */
#ifndef UMIG_MIGRATE_DELTA_CACHE_H
#define UMIG_MIGRATE_DELTA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELTA_CACHE_BYTES (16U << 20)
/* Longer than this, a delta is no better than the page itself, packed. */
#define DELTA_BYTES_MAX 1024

/**
 * struct delta_entry - A page of the cache.
 * @index: the guest's page.
 * @round: of the record that carried this content; 0: no entry.
 * @used: the higher, the later.
 */
struct delta_entry {
	uint64_t index;
	uint64_t used;
	uint32_t round;
};

/**
 * struct delta_cache - Its state.
 * @sets: how many sets of entries, a power of two.
 * @entry: of all sets.
 * @pages: of each entry, its content.
 * @clock: entries used.
 */
struct delta_cache {
	size_t sets;
	struct delta_entry *entry;
	uint8_t *pages;
	uint64_t clock;
};

/** delta_cache_init() - @bytes of pages at most; 0 or -ENOMEM. */
int delta_cache_init(struct delta_cache *c, size_t bytes);
void delta_cache_exit(struct delta_cache *c);

/** delta_cache_has_room() - Whether page @index can be kept in @round. */
bool delta_cache_has_room(const struct delta_cache *c, uint64_t index,
			  uint32_t round);

/**
 * delta_cache_send() - A page is being sent: keep it, and say what has changed
 * since the last time.
 * @index: which page; there is room for it.
 * @round: of the record that carries it.
 * @page: its content, a copy that nobody writes.
 * @room: for the delta, DELTA_BYTES_MAX.
 * @base: set to the round that the delta is to.
 *
 * @page has to be sent, as a delta or whole, or be forgotten.
 *
 * Return: the delta's length, from 0; -ENOENT: nothing is known of the page;
 * -ENOSPC: too much has changed.
 */
int delta_cache_send(struct delta_cache *c, uint64_t index, uint32_t round,
		     const void *page, void *room, uint32_t *base);

/** delta_cache_forget() - It was refused, or sent otherwise. */
void delta_cache_forget(struct delta_cache *c, uint64_t index);

/** delta_cache_clear() - Forget all of them. */
void delta_cache_clear(struct delta_cache *c);

#endif
