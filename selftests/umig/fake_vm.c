// SPDX-License-Identifier: GPL-2.0
/*
 * A VM without KVM: see fake_vm.h.
 */
#include "umig/fake_vm.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bitmap.h"

static const uint8_t fake_key[32] = "umig engine test";

void fake_page(uint8_t *page, uint64_t seed)
{
	uint64_t *word = (uint64_t *)page;
	unsigned int i;

	memset(page, 0, UMIG_PAGE_SIZE);
	for (i = 0; seed && i < UMIG_PAGE_SIZE / 8; i++)
		word[i] = (seed * 0x9e3779b97f4a7c15ULL) ^ (i * 0x100000001ULL);
}

uint8_t *fake_vm_page(struct fake_vm *vm, uint64_t index)
{
	return vm->ram + index * UMIG_PAGE_SIZE;
}

void fake_vm_init(struct fake_vm *vm, uint64_t low, uint64_t high,
		  bool running)
{
	memset(vm, 0, sizeof(*vm));
	pthread_mutex_init(&vm->lock, NULL);
	vm->ram = mmap(NULL, (low + high) * UMIG_PAGE_SIZE,
		       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	assert(vm->ram != MAP_FAILED);
	assert(!memslots_add(&vm->ms, 0, low, vm->ram));
	assert(!memslots_add(&vm->ms, 0x100000, high,
			     vm->ram + low * UMIG_PAGE_SIZE));
	vm->ms.anonymous = true;
	vm->dirty = bitmap_alloc(low + high);
	vm->running = running;
	strcpy(vm->model, "fake-1");
}

void fake_vm_exit(struct fake_vm *vm)
{
	munmap(vm->ram, vm->ms.pages * UMIG_PAGE_SIZE);
	free(vm->dirty);
	pthread_mutex_destroy(&vm->lock);
}

void fake_vm_write(struct fake_vm *vm, uint64_t index, uint64_t seed)
{
	pthread_mutex_lock(&vm->lock);
	fake_page(fake_vm_page(vm, index), seed);
	if (vm->tracking)
		bitmap_set(vm->dirty, index);
	pthread_mutex_unlock(&vm->lock);
}

void fake_vm_patch(struct fake_vm *vm, uint64_t index, unsigned int at,
		   unsigned int count, uint8_t byte)
{
	pthread_mutex_lock(&vm->lock);
	memset(fake_vm_page(vm, index) + at, byte, count);
	if (vm->tracking)
		bitmap_set(vm->dirty, index);
	pthread_mutex_unlock(&vm->lock);
}

static const struct memslots *fake_memory(void *arg)
{
	struct fake_vm *vm = arg;

	return &vm->ms;
}

static int fake_machine(void *arg, struct machine *out)
{
	struct fake_vm *vm = arg;
	int rc = machine_set(out, "model", "%s", vm->model);

	if (!rc && vm->group)
		rc = machine_set(out, MACHINE_GROUP, "%s", vm->group);
	return rc;
}

static int fake_accept(void *arg, const struct machine *source,
		       struct err *err)
{
	struct machine here = { 0 };
	int rc = fake_machine(arg, &here);

	return rc ? rc : machine_compare(source, &here, err);
}

static int fake_stop(void *arg, struct err *err)
{
	struct fake_vm *vm = arg;

	vm->stops++;
	if (vm->fail_stop)
		return err_set(err, -EIO, "a device does not come to rest");
	vm->running = false;
	return vm->ended ? err_set(err, -ESHUTDOWN, "powered off") : 0;
}

static int fake_start(void *arg, struct err *err)
{
	struct fake_vm *vm = arg;

	vm->starts_tried++;
	if (vm->ended)
		return err_set(err, -ESHUTDOWN, "powered off");
	if (vm->fail_starts) {
		vm->fail_starts--;
		return err_set(err, -EBUSY, "disk is in use");
	}
	if (vm->on_start)
		vm->on_start(vm);
	vm->starts++;
	vm->running = true;
	return 0;
}

static int fake_dirty_start(void *arg, struct err *err)
{
	struct fake_vm *vm = arg;

	(void)err;
	pthread_mutex_lock(&vm->lock);
	vm->tracking = true;
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

static int fake_harvest(void *arg, vm_dirty_fn *fn, void *fn_arg)
{
	struct fake_vm *vm = arg;
	uint64_t i;

	vm->harvests++;
	if (vm->on_harvest)
		vm->on_harvest(vm);
	pthread_mutex_lock(&vm->lock);
	for (i = 0; i < vm->ms.pages; i++) {
		if (!bitmap_test(vm->dirty, i))
			continue;
		bitmap_clear(vm->dirty, i);
		fn(fn_arg, memslots_gfn(&vm->ms, i), 1);
	}
	pthread_mutex_unlock(&vm->lock);
	if (vm->overflow_once) {
		vm->overflow_once = false;
		return -EOVERFLOW;
	}
	return 0;
}

static void fake_dirty_stop(void *arg)
{
	struct fake_vm *vm = arg;

	vm->tracking = false;
}

static const char *fake_dirty_source(void *arg)
{
	(void)arg;
	return "bitmap";
}

static int fake_state_save(void *arg, struct buf *out, struct err *err)
{
	struct fake_vm *vm = arg;

	(void)err;
	buf_put_u64(out, vm->state);
	return out->error;
}

static int fake_state_load(void *arg, const void *data, size_t bytes,
			   struct err *err)
{
	struct fake_vm *vm = arg;
	struct reader r;

	reader_init(&r, data, bytes);
	vm->state = reader_u64(&r);
	if (vm->fail_state_load || reader_end(&r))
		return err_set(err, -EBADMSG, "section \"cpu\" is malformed");
	return 0;
}

static int fake_prepare(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

const struct vm_ops fake_vm_ops = {
	.memory = fake_memory,
	.machine = fake_machine,
	.machine_accept = fake_accept,
	.stop = fake_stop,
	.start = fake_start,
	.dirty_start = fake_dirty_start,
	.dirty_harvest = fake_harvest,
	.dirty_stop = fake_dirty_stop,
	.dirty_source = fake_dirty_source,
	.state_save = fake_state_save,
	.state_load = fake_state_load,
	.prepare = fake_prepare,
};

void fake_digest(const uint8_t *page, digest_t *out)
{
	crypto_generichash(out->b, sizeof(out->b), page, UMIG_PAGE_SIZE,
			   fake_key, sizeof(fake_key));
}

static int fake_range(struct digest_source *ds, const void *hva,
		      unsigned int pages, uint8_t *classes, digest_t *digests)
{
	struct fake_digests *fd = (struct fake_digests *)ds;
	uint64_t index = ((const uint8_t *)hva - fd->vm->ram) / UMIG_PAGE_SIZE;
	uint8_t page[UMIG_PAGE_SIZE];
	unsigned int i;

	pthread_mutex_lock(&fd->vm->lock);
	for (i = 0; i < pages; i++, index++) {
		classes[i] = DIGEST_NONE;
		if (!bitmap_test(fd->merged, index))
			continue;
		classes[i] = DIGEST_KNOWN;
		if (index < fd->stale)
			fake_page(page, FAKE_STALE_SEED);
		else
			memcpy(page, fake_vm_page(fd->vm, index),
			       sizeof(page));
		fake_digest(page, &digests[i]);
	}
	pthread_mutex_unlock(&fd->vm->lock);
	return 0;
}

static void fake_digests_close(struct digest_source *ds)
{
	struct fake_digests *fd = (struct fake_digests *)ds;

	fd->closed++;
	free(fd->merged);
}

void fake_digests_init(struct fake_digests *fd, struct fake_vm *vm)
{
	memset(fd, 0, sizeof(*fd));
	fd->vm = vm;
	fd->merged = bitmap_alloc(vm->ms.pages);
	fd->ds.name = "fake";
	memcpy(fd->ds.key_id, "fleet", 5);
	fd->ds.range = fake_range;
	fd->ds.close = fake_digests_close;
}

/* A lease is the seed of the content, which is what a place needs. */
static int fake_offer(struct page_source *ps, const digest_t *digests,
		      unsigned int nr, uint64_t *leases)
{
	struct fake_pages *fp = (struct fake_pages *)ps;
	uint8_t page[UMIG_PAGE_SIZE];
	unsigned int i;
	uint64_t seed;
	digest_t d;

	memset(leases, 0, nr * sizeof(*leases));
	for (seed = 1; seed < fp->held; seed++) {
		fake_page(page, seed);
		fake_digest(page, &d);
		for (i = 0; i < nr; i++)
			if (!memcmp(&d, &digests[i], sizeof(d)))
				leases[i] = seed;
	}
	fp->offered += nr;
	return 0;
}

static int fake_place(struct page_source *ps, struct place_item *items,
		      unsigned int nr)
{
	struct fake_pages *fp = (struct fake_pages *)ps;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		fp->placed++;
		items[i].result = 0;
		if (fp->refuse_place && fp->placed % fp->refuse_place == 0) {
			items[i].result = -ENOENT;
			fp->refused++;
			continue;
		}
		fake_page(items[i].hva, items[i].lease);
		ps->shared++;
	}
	return 0;
}

static void fake_release_all(struct page_source *ps)
{
	(void)ps;
}

static void fake_pages_close(struct page_source *ps)
{
	struct fake_pages *fp = (struct fake_pages *)ps;

	fp->closed++;
}

void fake_pages_init(struct fake_pages *fp, uint64_t held)
{
	memset(fp, 0, sizeof(*fp));
	fp->held = held;
	fp->ps.name = "fake";
	memcpy(fp->ps.key_id, "fleet", 5);
	fp->ps.offer = fake_offer;
	fp->ps.place = fake_place;
	fp->ps.release_all = fake_release_all;
	fp->ps.close = fake_pages_close;
}
