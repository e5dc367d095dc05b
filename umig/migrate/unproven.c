// SPDX-License-Identifier: GPL-2.0
/*
 * Digests of which a proof failed: see unproven.h.
 */
#include "migrate/unproven.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

_Static_assert(UNPROVEN_KEY_BYTES == crypto_shorthash_KEYBYTES, "key");

void unproven_init(struct unproven *u)
{
	*u = (struct unproven){ 0 };
	randombytes_buf(u->key, sizeof(u->key));
}

void unproven_exit(struct unproven *u)
{
	free(u->table);
	*u = (struct unproven){ 0 };
}

uint64_t unproven_tag(const struct unproven *u, const digest_t *digest)
{
	uint64_t tag;

	crypto_shorthash((uint8_t *)&tag, digest->b, sizeof(digest->b),
			 u->key);
	return tag ? tag : 1;
}

/* Where @tag is, or would be. */
static struct unproven_slot *slot_of(struct unproven_slot *table,
				     uint64_t slots, uint64_t tag)
{
	uint64_t at = tag & (slots - 1);

	while (table[at].tag && table[at].tag != tag)
		at = (at + 1) & (slots - 1);
	return &table[at];
}

static int grow(struct unproven *u)
{
	uint64_t slots = u->slots ? u->slots * 2 : FIRST_SLOTS;
	struct unproven_slot *table = calloc(slots, sizeof(*table));
	uint64_t i;

	if (!table)
		return -ENOMEM;
	for (i = 0; i < u->slots; i++)
		if (u->table[i].tag)
			*slot_of(table, slots, u->table[i].tag) = u->table[i];
	free(u->table);
	u->table = table;
	u->slots = slots;
	return 0;
}

int unproven_add(struct unproven *u, uint64_t tag)
{
	struct unproven_slot *slot;

	/* half full at most */
	if (u->nr * 2 >= u->slots && grow(u))
		return -ENOMEM;
	slot = slot_of(u->table, u->slots, tag);
	u->nr += !slot->tag;
	slot->tag = tag;
	slot->times++;
	return 0;
}

uint64_t unproven_times(const struct unproven *u, uint64_t tag)
{
	return u->nr ? slot_of(u->table, u->slots, tag)->times : 0;
}
