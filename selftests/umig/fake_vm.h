/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM without KVM for engine tests: memory in two slots, a dirty log that the
 * test writes to, a machine state of a few bytes, and fault switches.  Beside
 * it a digest source and a page source over plain memory.
 */
#ifndef SELFTESTS_FAKE_VM_H
#define SELFTESTS_FAKE_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem/digest_source.h"
#include "mem/page_source.h"
#include "migrate/vm_ops.h"

struct fake_vm {
	struct memslots ms;
	uint8_t *ram;
	pthread_mutex_t lock;
	uint64_t *dirty;
	bool tracking;
	bool running;
	uint64_t state;		/* travels as the machine state */
	char model[32];		/* machine property "model" */
	const char *group;	/* its trust group, or NULL */
	unsigned int starts;
	unsigned int stops;
	unsigned int harvests;
	unsigned int fail_starts;	/* so many times */
	bool fail_state_load;
	bool fail_stop;
	bool ended;		/* powered off by itself as it is stopped */
	unsigned int starts_tried;
	bool overflow_once;
	/* called as it is about to be started */
	void (*on_start)(struct fake_vm *vm);
	/* called in each harvest, before it reports: the guest writes */
	void (*on_harvest)(struct fake_vm *vm);
};

extern const struct vm_ops fake_vm_ops;

/** fake_vm_init() - Low slot at gfn 0, high slot at gfn 0x100000. */
void fake_vm_init(struct fake_vm *vm, uint64_t low, uint64_t high,
		  bool running);
void fake_vm_exit(struct fake_vm *vm);

/** fake_vm_write() - The guest writes a page: @seed 0: zeroes. */
void fake_vm_write(struct fake_vm *vm, uint64_t index, uint64_t seed);

/** fake_vm_patch() - It writes @count bytes of it, from @at on. */
void fake_vm_patch(struct fake_vm *vm, uint64_t index, unsigned int at,
		   unsigned int count, uint8_t byte);

/** fake_page() - The content for a seed. */
void fake_page(uint8_t *page, uint64_t seed);

/** fake_digest() - A page's digest, as both sources below make it. */
void fake_digest(const uint8_t *page, digest_t *out);

uint8_t *fake_vm_page(struct fake_vm *vm, uint64_t index);

/**
 * struct fake_digests - A digest source: every page of @vm whose dense index
 *	has its bit in @merged has a digest.
 * @stale: below this index it is the digest of FAKE_STALE_SEED's content,
 *	whatever the page has.
 */
#define FAKE_STALE_SEED 1

struct fake_digests {
	struct digest_source ds;
	struct fake_vm *vm;
	uint64_t *merged;
	uint64_t stale;
	unsigned int closed;
};

void fake_digests_init(struct fake_digests *fd, struct fake_vm *vm);

/**
 * struct fake_pages - A page source: holds the contents of seeds below @held.
 * @refuse_place: place() refuses each so many-th page, 0: none.
 */
struct fake_pages {
	struct page_source ps;
	uint64_t held;
	unsigned int refuse_place;
	unsigned int placed;
	unsigned int refused;
	unsigned int offered;
	unsigned int closed;
};

void fake_pages_init(struct fake_pages *fp, uint64_t held);

#endif
