/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end-to-end check: both ends digest all of guest memory, the guest being
 * stopped, and the digests are compared before the guest changes hands.
 */
#ifndef UMIG_MIGRATE_VERIFY_H
#define UMIG_MIGRATE_VERIFY_H

#include <stdint.h>

#include "mem/digest_source.h"
#include "mem/memslots.h"
#include "wire/frame.h"

#define VERIFY_CHUNK_PAGES_MIN 4096
#define VERIFY_CHUNKS_MAX 65536

_Static_assert(VERIFY_CHUNKS_MAX * DIGEST_BYTES + sizeof(struct wire_digests) <=
	       WIRE_PAYLOAD_MAX, "the digests of any VM fit into one frame");

/** verify_chunk_pages() - How many pages one digest is of. */
static inline uint64_t verify_chunk_pages(const struct memslots *ms)
{
	uint64_t n = (ms->pages + VERIFY_CHUNKS_MAX - 1) / VERIFY_CHUNKS_MAX;

	return n > VERIFY_CHUNK_PAGES_MIN ? n : VERIFY_CHUNK_PAGES_MIN;
}

/** verify_chunks() - How many digests there are for a VM. */
static inline uint32_t verify_chunks(const struct memslots *ms)
{
	uint64_t n = verify_chunk_pages(ms);

	return (ms->pages + n - 1) / n;
}

/**
 * verify_digest() - Digest chunk @chunk: BLAKE2b-256 over, for each of its
 * pages that isn't zero, the dense index (u64, little endian) and the bytes.
 *
 * Pages that were never touched are read, but not populated: they stay the
 * kernel's zero page.
 */
void verify_digest(const struct memslots *ms, uint32_t chunk, digest_t *out);

#endif
