// SPDX-License-Identifier: GPL-2.0
/*
 * A machine without processors: see fake_host.h.
 */
#include "fake_host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include <cmocka.h>

#include "lib/bitmap.h"

#define WAIT_S 10

static struct fake_host *fake_of(struct device_host *host)
{
	return (struct fake_host *)host;
}

static void fake_irq(struct device_host *host, unsigned int gsi, bool level)
{
	struct fake_host *h = fake_of(host);

	pthread_mutex_lock(&h->lock);
	h->rises[gsi] += level && !h->level[gsi];
	h->level[gsi] = level;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static int fake_notify_fd(struct device_host *host, int fd, uint64_t gpa,
			  uint32_t value)
{
	struct fake_host *h = fake_of(host);

	if (h->nr_notify == FAKE_NOTIFY_MAX)
		return -ENOSPC;
	h->notify[h->nr_notify++] = (struct fake_notify){ fd, gpa, value };
	return 0;
}

static void note_end(struct fake_host *h, bool *what, const char *why)
{
	pthread_mutex_lock(&h->lock);
	*what = true;
	snprintf(h->why, sizeof(h->why), "%s", why);
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void fake_end(struct device_host *host, bool reset, const char *why)
{
	struct fake_host *h = fake_of(host);

	note_end(h, reset ? &h->reset : &h->ended, why);
}

static void fake_fail(struct device_host *host, const char *why)
{
	note_end(fake_of(host), &fake_of(host)->failed, why);
}

void fake_host_init(struct fake_host *h)
{
	uint64_t high = FAKE_HIGH_GPA >> UMIG_PAGE_SHIFT;

	*h = (struct fake_host){
		.host = {
			.mem = { .slots = &h->slots, .dirty = &h->dirty },
			.irq = fake_irq,
			.notify_fd = fake_notify_fd,
			.end = fake_end,
			.fail = fake_fail,
		},
		.ram = aligned_alloc(UMIG_PAGE_SIZE, 2 * FAKE_SLOT_BYTES),
	};
	assert_non_null(h->ram);
	memset(h->ram, 0, 2 * FAKE_SLOT_BYTES);
	assert_int_equal(memslots_add(&h->slots, 0, FAKE_SLOT_PAGES, h->ram),
			 0);
	assert_int_equal(memslots_add(&h->slots, high, FAKE_SLOT_PAGES,
				      h->ram + FAKE_SLOT_BYTES), 0);
	h->dirty.slots = &h->slots;
	h->dirty.marked = calloc(BITMAP_WORDS(h->slots.pages),
				 sizeof(*h->dirty.marked));
	assert_non_null(h->dirty.marked);
	h->dirty.tracking = true;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
}

void fake_host_exit(struct fake_host *h)
{
	free((void *)h->dirty.marked);
	free(h->ram);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
}

void *fake_ptr(struct fake_host *h, uint64_t gpa, uint64_t bytes)
{
	void *at = guest_ptr(&h->host.mem, gpa, bytes);

	assert_non_null(at);
	return at;
}

bool fake_dirty_take(struct fake_host *h, uint64_t gpa)
{
	uint64_t i = memslots_index(&h->slots, gpa >> UMIG_PAGE_SHIFT);
	uint64_t bit = 1ULL << (i % 64);

	return atomic_fetch_and(&h->dirty.marked[i / 64], ~bit) & bit;
}

unsigned int fake_dirty_count(struct fake_host *h)
{
	unsigned int n = 0;
	uint64_t i;

	for (i = 0; i < BITMAP_WORDS(h->slots.pages); i++)
		n += __builtin_popcountll(h->dirty.marked[i]);
	return n;
}

static bool wait_once(struct fake_host *h, const struct timespec *until)
{
	return pthread_cond_timedwait(&h->changed, &h->lock, until) !=
	       ETIMEDOUT;
}

bool fake_wait_level(struct fake_host *h, unsigned int gsi, bool level)
{
	struct timespec until;
	bool ok;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&h->lock);
	while (h->level[gsi] != level && wait_once(h, &until))
		;
	ok = h->level[gsi] == level;
	pthread_mutex_unlock(&h->lock);
	return ok;
}

bool fake_level(struct fake_host *h, unsigned int gsi)
{
	bool level;

	pthread_mutex_lock(&h->lock);
	level = h->level[gsi];
	pthread_mutex_unlock(&h->lock);
	return level;
}

bool fake_wait_ended(struct fake_host *h)
{
	struct timespec until;
	bool over;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&h->lock);
	while (!h->ended && !h->reset && !h->failed && wait_once(h, &until))
		;
	over = h->ended || h->reset || h->failed;
	pthread_mutex_unlock(&h->lock);
	return over;
}

uint64_t fake_read(struct fake_host *h, struct device *d, uint64_t offset,
		   unsigned int len)
{
	uint64_t value = 0;

	(void)h;
	assert_true(offset + len <= d->bytes);
	d->ops->read(d, offset, (uint8_t *)&value, len);
	return value;
}

void fake_write(struct fake_host *h, struct device *d, uint64_t offset,
		uint64_t value, unsigned int len)
{
	unsigned int i;

	assert_true(offset + len <= d->bytes);
	for (i = 0; i < h->nr_notify; i++) {
		const struct fake_notify *n = &h->notify[i];

		if (len == 4 && d->base + offset == n->gpa &&
		    value == n->value) {
			assert_int_equal(eventfd_write(n->fd, 1), 0);
			return;
		}
	}
	d->ops->write(d, offset, (const uint8_t *)&value, len);
}

static unsigned int load_one(struct device *d, const void *data, size_t bytes)
{
	struct reader r;
	int ret;

	reader_init(&r, data, bytes);
	ret = d->ops->load(d, &r);
	if (!ret)
		ret = reader_end(&r);
	assert_true(!ret || ret == -EBADMSG);
	return ret != 0;
}

unsigned int fake_load_garbled(struct device *d, const struct buf *good)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	uint8_t *bad = malloc(good->len);
	unsigned int refused = 0, f;
	size_t i;

	assert_non_null(bad);
	for (i = 0; i < good->len; i++) {
		memcpy(bad, good->data, i);
		assert_int_equal(load_one(d, bad, i), 1);
		refused++;
	}
	for (i = 0; i < good->len; i++) {
		for (f = 0; f < sizeof(flips); f++) {
			memcpy(bad, good->data, good->len);
			bad[i] ^= flips[f];
			refused += load_one(d, bad, good->len);
		}
	}
	free(bad);
	return refused;
}
