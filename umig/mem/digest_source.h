/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the source of a migration gets digests of guest pages at no hashing
 * cost: the kernel module's index, or that of an image of the guest's memory;
 * later plain hashing.
 */
#ifndef UMIG_MEM_DIGEST_SOURCE_H
#define UMIG_MEM_DIGEST_SOURCE_H

#include <stdint.h>

#include "lib/err.h"
#include "mem/memslots.h"

#define DIGEST_BYTES 32
#define DIGEST_BATCH 512
#define DIGEST_SOURCES_MAX 2

typedef struct digest {
	uint8_t b[DIGEST_BYTES];
} digest_t;

/**
 * enum digest_class - What a digest source knows of a page.
 * @DIGEST_NONE: nothing: look at the page.
 * @DIGEST_ZERO: the page reads as zeroes.
 * @DIGEST_KNOWN: its digest.
 * @DIGEST_LATER: it will have one, not yet: send it plain.
 */
enum digest_class {
	DIGEST_NONE = 1,
	DIGEST_ZERO = 2,
	DIGEST_KNOWN = 3,
	DIGEST_LATER = 4,
};

/**
 * struct digest_source - One way to know digests.
 * @name: for messages and the report.
 * @key_id: which key the digests are made with, 16 bytes: two hosts whose key
 *	ids differ have nothing to say to each other.
 * @range: classes and digests of @pages pages mapped at @hva, which is one
 *	run of RAM; the pages' dirty state was cleared before.  @classes and
 *	@digests have @pages elements; a digest is written only for
 *	DIGEST_KNOWN.  @pages is at most 512.
 * @coverage: how many merged pages the host has and how many of these have a
 *	digest, for the report; leaves both alone if it can't tell.
 * @close: frees it.
 */
struct digest_source {
	const char *name;
	uint8_t key_id[16];
	int (*range)(struct digest_source *ds, const void *hva,
		     unsigned int pages, uint8_t *classes, digest_t *digests);
	void (*coverage)(struct digest_source *ds, uint64_t *hashed,
			 uint64_t *merged);
	void (*close)(struct digest_source *ds);
};

/**
 * digest_source_module_open() - The kernel module, through /dev/umig.
 *
 * Return: 0; -ENOENT: no module; -ENOKEY: no key loaded; -EOPNOTSUPP: it gives no
 * digests, in mode scan; else -errno; with the remedy in @err.
 */
int digest_source_module_open(struct digest_source **out, struct err *err);

/**
 * digest_source_file_open() - The index of an image (mem/image_index.h).
 * @image: path of the image, which itself isn't read.
 * @ms: the VM's RAM; borrowed until it is closed.  The image's page N is that
 *	of dense index N; it may have fewer or more than the VM.
 *
 * A page has the digest of the image's page only if its content is that now.
 *
 * Return: 0, or -errno with the remedy in @err.
 */
int digest_source_file_open(struct digest_source **out, const char *image,
			    const struct memslots *ms, struct err *err);

/**
 * digest_source_many_open() - Several as one: each is asked for what those
 * before it don't know.
 * @list: @nr of them, owned by the new one if this succeeds.
 *
 * Return: 0; -EXDEV: their keys differ; -EINVAL, -ENOMEM; with words in @err.
 */
int digest_source_many_open(struct digest_source **out,
			    struct digest_source *const *list, unsigned int nr,
			    struct err *err);

#endif
