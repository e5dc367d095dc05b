// SPDX-License-Identifier: GPL-2.0
/*
 * A disk and its transport, from a driver's first register to requests that
 * fail, images that are in use, and a state that goes on at another host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_driver.h"
#include "vmm/virtio/virtio_blk.h"

#define SECTORS 2048
#define IMAGE_BYTES (SECTORS * 512)
#define BASE 0xd0000000ULL
#define GSI 16
#define DEVICE_END 0x1000
#define SIZE 64

#define FEATURES (1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH)
#define R 0
#define W VRING_DESC_F_WRITE
#define N VRING_DESC_F_NEXT

static struct fake_host host;
static struct fake_driver drv;
static struct device *disk;
static char image[64];
static int image_fd;

static const struct virtio_blk_place place = { 0, BASE, GSI };

static uint8_t pattern(unsigned int i)
{
	return i * 7 + i / 512 * 31;
}

static int make_image(void **state)
{
	uint8_t *data = malloc(IMAGE_BYTES);
	unsigned int i;

	(void)state;
	snprintf(image, sizeof(image), "/tmp/umig-blk-XXXXXX");
	image_fd = mkstemp(image);
	assert_true(image_fd >= 0 && data);
	for (i = 0; i < IMAGE_BYTES; i++)
		data[i] = pattern(i);
	assert_int_equal(write(image_fd, data, IMAGE_BYTES), IMAGE_BYTES);
	free(data);
	fake_host_init(&host);
	return 0;
}

static int remove_image(void **state)
{
	(void)state;
	fake_host_exit(&host);
	close(image_fd);
	unlink(image);
	return 0;
}

static struct device *create(bool readonly)
{
	struct err err = { 0 };
	struct device *d = NULL;

	host.nr_notify = 0;
	if (virtio_blk_create(&d, &host.host, &place, image, readonly, &err))
		fail_msg("%s", err_text(&err));
	return d;
}

static void acquire(void)
{
	struct err err = { 0 };

	if (disk->ops->acquire(disk, &err))
		fail_msg("%s", err_text(&err));
}

static void quiesce(void)
{
	struct err err = { 0 };

	if (disk->ops->quiesce(disk, &err))
		fail_msg("%s", err_text(&err));
}

static int setup(void **state)
{
	make_image(state);
	disk = create(false);
	acquire();
	disk->ops->resume(disk);
	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	return 0;
}

static int setup_readonly(void **state)
{
	make_image(state);
	disk = create(true);
	acquire();
	disk->ops->resume(disk);
	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	return 0;
}

static int teardown(void **state)
{
	disk->ops->destroy(disk);
	return remove_image(state);
}

/* Header, status byte and three descriptors of request @i. */
static uint64_t header_at(unsigned int i)
{
	return DRIVER_HEADER + i * 32;
}

static uint8_t *status_of(unsigned int i)
{
	return fake_ptr(&host, header_at(i) + 16, 1);
}

static void put_header(unsigned int i, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr *h = fake_ptr(&host, header_at(i),
					       sizeof(*h));

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status_of(i) = 0xee;
}

/* Offer request @i; its data, if there is any, is one segment. */
static void request(unsigned int i, uint32_t type, uint64_t sector,
		    uint64_t gpa, uint32_t bytes)
{
	uint16_t write = type == VIRTIO_BLK_T_OUT ? R : W;

	put_header(i, type, sector);
	driver_desc(&drv, 3 * i, header_at(i), 16, R | N,
		    bytes ? 3 * i + 1 : 3 * i + 2);
	driver_desc(&drv, 3 * i + 1, gpa, bytes, write | N, 3 * i + 2);
	driver_desc(&drv, 3 * i + 2, header_at(i) + 16, 1, W, 0);
	driver_offer(&drv, 3 * i);
}

/* One request from start to end; returns its status. */
static uint8_t run(uint32_t type, uint64_t sector, uint64_t gpa,
		   uint32_t bytes)
{
	request(0, type, sector, gpa, bytes);
	driver_kick(&drv);
	assert_int_equal(driver_take(&drv, NULL), 0);
	return *status_of(0);
}

static void check_pattern(uint64_t gpa, uint64_t offset, uint32_t bytes)
{
	const uint8_t *at = fake_ptr(&host, gpa, bytes);
	uint32_t i;

	for (i = 0; i < bytes; i++)
		if (at[i] != pattern(offset + i))
			fail_msg("byte %u of offset %llu", i,
				 (unsigned long long)offset);
}

static uint32_t reg(uint64_t offset)
{
	return fake_read(&host, disk, offset, 4);
}

static void registers_introduce_it(void **state)
{
	(void)state;
	assert_int_equal(reg(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(reg(VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(reg(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
	assert_true(driver_feature(&drv, VIRTIO_F_VERSION_1));
	assert_true(driver_feature(&drv, VIRTIO_BLK_F_FLUSH));
	assert_true(driver_feature(&drv, VIRTIO_BLK_F_SEG_MAX));
	assert_false(driver_feature(&drv, VIRTIO_BLK_F_RO));
	assert_int_equal(fake_read(&host, disk, VIRTIO_MMIO_CONFIG, 8),
			 SECTORS);
	assert_int_equal(reg(VIRTIO_MMIO_CONFIG +
			     offsetof(struct virtio_blk_config, blk_size)),
			 512);
	/* Behind the config's end, other queues, crooked accesses: nothing. */
	assert_int_equal(fake_read(&host, disk, DEVICE_END - 8, 8),
			 0);
	fake_write(&host, disk, VIRTIO_MMIO_QUEUE_SEL, 1, 4);
	assert_int_equal(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	assert_int_equal(fake_read(&host, disk, 1, 1), 0);
	assert_int_equal(reg(VIRTIO_MMIO_SHM_LEN_LOW), 0xffffffff);
}

static void features_are_negotiated(void **state)
{
	(void)state;
	assert_false(driver_start(&drv, &host, disk, 0, SIZE));
	assert_false(driver_start(&drv, &host, disk,
				  1ULL << VIRTIO_BLK_F_FLUSH, SIZE));
	assert_false(driver_start(&drv, &host, disk, FEATURES |
				  1ULL << VIRTIO_BLK_F_DISCARD, SIZE));
	assert_false(driver_start(&drv, &host, disk, FEATURES | 1ULL << 63,
				  SIZE));
	/* Without FEATURES_OK there is no DRIVER_OK. */
	fake_write(&host, disk, VIRTIO_MMIO_STATUS,
		   VIRTIO_CONFIG_S_DRIVER_OK, 4);
	assert_int_equal(driver_status(&drv), 0);
	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	assert_int_equal(run(VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512), 0);
}

static void reads_what_the_image_holds(void **state)
{
	uint32_t bytes;

	(void)state;
	request(0, VIRTIO_BLK_T_IN, 8, DRIVER_DATA, 8192);
	driver_kick(&drv);
	assert_int_equal(driver_take(&drv, &bytes), 0);
	assert_int_equal(bytes, 8193);
	assert_int_equal(*status_of(0), VIRTIO_BLK_S_OK);
	check_pattern(DRIVER_DATA, 4096, 8192);
	assert_false(fake_level(&host, GSI));
	/* All that was written is dirty, and nothing else. */
	assert_true(fake_dirty_take(&host, DRIVER_DATA));
	assert_true(fake_dirty_take(&host, DRIVER_DATA + 4096));
	assert_true(fake_dirty_take(&host, DRIVER_HEADER));
	assert_true(fake_dirty_take(&host, DRIVER_USED));
	assert_int_equal(fake_dirty_count(&host), 0);
}

/* Not aligned, in pieces, up to the last sector. */
static void reads_into_any_pieces(void **state)
{
	(void)state;
	put_header(0, VIRTIO_BLK_T_IN, SECTORS - 3);
	driver_desc(&drv, 0, header_at(0), 7, R | N, 1);
	driver_desc(&drv, 1, header_at(0) + 7, 9, R | N, 2);
	driver_desc(&drv, 2, DRIVER_DATA + 1, 1000, W | N, 3);
	driver_desc(&drv, 3, FAKE_HIGH_GPA + 4095, 2, W | N, 4);
	driver_desc(&drv, 4, DRIVER_DATA + 0x2003, 534, W | N, 5);
	driver_desc(&drv, 5, header_at(0) + 16, 1, W, 0);
	driver_offer(&drv, 0);
	driver_kick(&drv);
	assert_int_equal(driver_take(&drv, NULL), 0);
	assert_int_equal(*status_of(0), VIRTIO_BLK_S_OK);
	check_pattern(DRIVER_DATA + 1, IMAGE_BYTES - 1536, 1000);
	check_pattern(FAKE_HIGH_GPA + 4095, IMAGE_BYTES - 536, 2);
	check_pattern(DRIVER_DATA + 0x2003, IMAGE_BYTES - 534, 534);
	assert_true(fake_dirty_take(&host, FAKE_HIGH_GPA));
	assert_true(fake_dirty_take(&host, FAKE_HIGH_GPA + 4096));
}

static void writes_reach_the_image(void **state)
{
	uint8_t got[1024];

	(void)state;
	memset(fake_ptr(&host, DRIVER_DATA + 3, 1024), 'w', 1024);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, 100, DRIVER_DATA + 3, 1024),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(run(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(image_fd, got, 1024, 51200), 1024);
	assert_memory_equal(got, host.ram + DRIVER_DATA + 3, 1024);
	/* A write changes nothing in the guest's buffer. */
	assert_false(fake_dirty_take(&host, DRIVER_DATA));
	assert_int_equal(pread(image_fd, got, 1, 51199), 1);
	assert_int_equal(got[0], pattern(51199));
}

static void driver_without_flush_is_served(void **state)
{
	uint8_t got;

	(void)state;
	assert_true(driver_start(&drv, &host, disk,
				 1ULL << VIRTIO_F_VERSION_1, SIZE));
	memset(fake_ptr(&host, DRIVER_DATA, 512), 't', 512);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, 0, DRIVER_DATA, 512),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(pread(image_fd, &got, 1, 511), 1);
	assert_int_equal(got, 't');
}

static void says_its_id(void **state)
{
	(void)state;
	assert_int_equal(run(VIRTIO_BLK_T_GET_ID, 0, DRIVER_DATA, 20),
			 VIRTIO_BLK_S_OK);
	assert_string_equal((char *)fake_ptr(&host, DRIVER_DATA, 20), "umig");
	assert_int_equal(run(VIRTIO_BLK_T_GET_ID, 0, DRIVER_DATA, 3),
			 VIRTIO_BLK_S_OK);
}

/* As many at once as the queue takes, of all kinds, back in any order. */
static void many_are_in_flight(void **state)
{
	const unsigned int nr = SIZE / 3;
	uint64_t seen = 0;
	unsigned int i;
	int head;

	(void)state;
	for (i = 0; i < nr; i++)
		request(i, VIRTIO_BLK_T_IN, i * 8, DRIVER_DATA + i * 4096,
			4096);
	driver_kick(&drv);
	for (i = 0; i < nr; i++) {
		head = driver_take(&drv, NULL);
		assert_in_range(head, 0, 3 * nr - 1);
		assert_int_equal(head % 3, 0);
		seen |= 1ULL << head / 3;
	}
	assert_int_equal(seen, (1ULL << nr) - 1);
	for (i = 0; i < nr; i++) {
		assert_int_equal(*status_of(i), VIRTIO_BLK_S_OK);
		check_pattern(DRIVER_DATA + i * 4096, i * 4096, 4096);
	}
}

static void wrong_requests_fail_alone(void **state)
{
	const uint64_t data = DRIVER_DATA;

	(void)state;
	assert_int_equal(run(VIRTIO_BLK_T_IN, SECTORS, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_IN, SECTORS - 1, data, 1024),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, -1ULL, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, 1ULL << 55, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 0, data, 100),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_DISCARD, 0, data, 16),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(run(0x7fffffff, 0, data, 16), VIRTIO_BLK_S_UNSUPP);
	/* None of them has done more than that. */
	assert_int_equal(run(VIRTIO_BLK_T_IN, SECTORS - 1, data, 512),
			 VIRTIO_BLK_S_OK);
	check_pattern(data, IMAGE_BYTES - 512, 512);
	assert_int_equal(driver_status(&drv) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void readonly_disks_are_not_written(void **state)
{
	uint8_t got;

	(void)state;
	assert_true(driver_feature(&drv, VIRTIO_BLK_F_RO));
	memset(fake_ptr(&host, DRIVER_DATA, 512), 'w', 512);
	assert_int_equal(run(VIRTIO_BLK_T_OUT, 0, DRIVER_DATA, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(image_fd, &got, 1, 0), 1);
	assert_int_equal(got, pattern(0));
	assert_int_equal(run(VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512),
			 VIRTIO_BLK_S_OK);
}

/* An image that has become shorter under the guest. */
static void io_errors_are_the_guests(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ftruncate(image_fd, 4096), 0);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 8, DRIVER_DATA, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 7, DRIVER_DATA, 1024),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 7, DRIVER_DATA, 512),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(disk->ops->check(disk, &err), -ESTALE);
	assert_non_null(strstr(err.text, "size has changed"));
}

static void wait_needs_reset(void)
{
	assert_true(fake_wait_level(&host, GSI, true));
	assert_int_equal(reg(VIRTIO_MMIO_INTERRUPT_STATUS),
			 VIRTIO_MMIO_INT_CONFIG);
	assert_true(driver_status(&drv) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void broken_rules_need_a_reset(void **state)
{
	(void)state;
	driver_desc(&drv, 0, 1ULL << 60, 16, R, 0);
	driver_offer(&drv, 0);
	driver_kick(&drv);
	wait_needs_reset();
	assert_int_equal(driver_used(&drv), 0);
	/* No place for a status. */
	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	assert_false(fake_level(&host, GSI));
	driver_desc(&drv, 0, header_at(0), 16, R, 0);
	driver_offer(&drv, 0);
	driver_kick(&drv);
	wait_needs_reset();
	/* No complete header. */
	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	driver_desc(&drv, 0, header_at(0), 15, R | N, 1);
	driver_desc(&drv, 1, header_at(0) + 16, 1, W, 0);
	driver_offer(&drv, 0);
	driver_kick(&drv);
	wait_needs_reset();
	/* A queue of an impossible size. */
	assert_true(driver_start(&drv, &host, disk, FEATURES, 65));
	driver_kick(&drv);
	wait_needs_reset();

	assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
	assert_int_equal(run(VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512), 0);
}

/* Requests are being served while the driver resets: none comes back late. */
static void reset_ends_what_is_in_flight(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 20; i++)
			request(i, VIRTIO_BLK_T_IN, 0,
				DRIVER_DATA + i * 8192, 8192);
		driver_kick(&drv);
		driver_reset(&drv);
		assert_int_equal(reg(VIRTIO_MMIO_QUEUE_READY), 0);
		assert_false(fake_level(&host, GSI));
		memset(host.ram, 0x55, FAKE_SLOT_BYTES);
		assert_true(driver_start(&drv, &host, disk, FEATURES, SIZE));
		assert_int_equal(run(VIRTIO_BLK_T_IN, 9, FAKE_HIGH_GPA, 512),
				 0);
		assert_int_equal(driver_used(&drv), 1);
		for (i = DRIVER_DATA; i < FAKE_SLOT_BYTES; i++)
			assert_int_equal(host.ram[i], 0x55);
	}
}

static void queue_can_be_taken_back(void **state)
{
	(void)state;
	fake_write(&host, disk, VIRTIO_MMIO_QUEUE_READY, 0, 4);
	assert_int_equal(reg(VIRTIO_MMIO_QUEUE_READY), 0);
	request(0, VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512);
	driver_kick(&drv);
	quiesce();
	assert_int_equal(driver_used(&drv), 0);
	assert_int_equal(fake_dirty_count(&host), 0);
}

static void at_rest_nothing_happens(void **state)
{
	(void)state;
	quiesce();
	request(0, VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512);
	driver_kick(&drv);
	quiesce();
	assert_int_equal(driver_used(&drv), 0);
	assert_int_equal(fake_dirty_count(&host), 0);
	disk->ops->resume(disk);
	assert_int_equal(driver_take(&drv, NULL), 0);
	assert_int_equal(*status_of(0), VIRTIO_BLK_S_OK);
}

/* However many were under way: each is done once, here or after resuming. */
static void pauses_lose_nothing(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		memset(host.ram + DRIVER_DATA, 0, 20 * 4096);
		for (i = 0; i < 20; i++)
			request(i, VIRTIO_BLK_T_IN, i * 8 + round,
				DRIVER_DATA + i * 4096, 4096);
		driver_kick(&drv);
		quiesce();
		disk->ops->resume(disk);
		for (i = 0; i < 20; i++)
			assert_true(driver_take(&drv, NULL) >= 0);
		for (i = 0; i < 20; i++)
			check_pattern(DRIVER_DATA + i * 4096,
				      i * 4096 + round * 512, 4096);
		assert_int_equal(driver_used(&drv), 20 * (round + 1));
	}
}

static void save(struct buf *b)
{
	quiesce();
	disk->ops->save(disk, b);
	assert_int_equal(b->error, 0);
}

static int load(struct device *d, const struct buf *b)
{
	struct reader r;
	int ret;

	reader_init(&r, b->data, b->len);
	ret = d->ops->load(d, &r);
	return ret ? ret : reader_end(&r);
}

/*
 * One request is done and its interrupt not acknowledged, one waits in the
 * queue: the other host finishes both.
 */
static void state_goes_on_elsewhere(void **state)
{
	struct err err = { 0 };
	struct buf b = { 0 };
	struct device *there;

	(void)state;
	request(0, VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512);
	driver_kick(&drv);
	assert_true(fake_wait_level(&host, GSI, true));
	quiesce();
	request(1, VIRTIO_BLK_T_IN, 1, DRIVER_DATA + 4096, 512);
	save(&b);

	there = create(false);
	assert_int_equal(load(there, &b), 0);
	assert_int_equal(there->ops->check(there, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by another VM"));
	err = (struct err){ 0 };
	assert_int_equal(there->ops->acquire(there, &err), -EBUSY);
	assert_non_null(strstr(err.text, image));
	assert_non_null(strstr(err.text, "in use by another VM"));
	disk->ops->release(disk);
	assert_int_equal(there->ops->check(there, &err), 0);
	disk->ops->destroy(disk);
	host.level[GSI] = false;
	disk = there;
	acquire();
	assert_false(host.level[GSI]);
	disk->ops->resume(disk);
	drv.dev = disk;
	assert_int_equal(driver_take(&drv, NULL), 0);
	assert_int_equal(driver_take(&drv, NULL), 3);
	check_pattern(DRIVER_DATA, 0, 512);
	check_pattern(DRIVER_DATA + 4096, 512, 512);
	assert_int_equal(run(VIRTIO_BLK_T_IN, 5, DRIVER_DATA, 512), 0);
	buf_free(&b);
}

static void same_state_comes_out_again(void **state)
{
	struct buf b = { 0 }, again = { 0 };
	struct device *there;

	(void)state;
	run(VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512);
	save(&b);
	there = create(false);
	assert_int_equal(load(there, &b), 0);
	there->ops->save(there, &again);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
	there->ops->destroy(there);
	buf_free(&b);
	buf_free(&again);
}

static void garbled_state_is_refused(void **state)
{
	struct buf b = { 0 };
	struct device *there;

	(void)state;
	run(VIRTIO_BLK_T_IN, 0, DRIVER_DATA, 512);
	save(&b);
	there = create(false);
	assert_true(fake_load_garbled(there, &b) > b.len);
	there->ops->destroy(there);
	buf_free(&b);
}

/* A disk that can't be written at the source isn't writable here. */
static void state_with_other_features_is_refused(void **state)
{
	struct device *there;
	struct buf b = { 0 };

	(void)state;
	assert_true(driver_start(&drv, &host, disk, FEATURES |
				 1ULL << VIRTIO_BLK_F_RO, SIZE));
	save(&b);
	there = create(false);
	assert_int_equal(load(there, &b), -EBADMSG);
	there->ops->destroy(there);
	buf_free(&b);
}

static void describes_size_and_mode(void **state)
{
	struct machine m = { 0 };

	(void)state;
	assert_int_equal(disk->ops->describe(disk, &m), 0);
	assert_non_null(strstr(machine_get(&m, "virtio-blk0"), "1048576"));
	assert_null(strstr(machine_get(&m, "virtio-blk0"), image));
	machine_free(&m);
}

static void locks_are_per_vm(void **state)
{
	struct device *other;

	(void)state;
	other = create(true);
	assert_int_equal(other->ops->acquire(other, NULL), 0);
	other->ops->destroy(other);
	other = create(false);
	assert_int_equal(other->ops->acquire(other, NULL), -EBUSY);
	assert_int_equal(disk->ops->acquire(disk, NULL), 0);
	quiesce();
	disk->ops->release(disk);
	disk->ops->release(disk);
	assert_int_equal(other->ops->acquire(other, NULL), 0);
	assert_int_equal(disk->ops->acquire(disk, NULL), -EBUSY);
	other->ops->destroy(other);
	assert_int_equal(disk->ops->acquire(disk, NULL), 0);
}

static void refused(const char *path, int ret, const char *says)
{
	struct err err = { 0 };
	struct device *d = NULL;

	assert_int_equal(virtio_blk_create(&d, &host.host, &place, path, false,
					   &err), ret);
	if (!strstr(err.text, says) || !strstr(err.text, path))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err.text, says,
			 path);
}

static void bad_images_say_why(void **state)
{
	struct err err = { 0 };
	struct device *d;

	(void)state;
	refused("/nowhere/at/all", -ENOENT, "No such file");
	refused("/tmp", -EINVAL, "neither a file nor a block device");
	refused("/dev/null", -EINVAL, "neither a file nor a block device");
	assert_int_equal(ftruncate(image_fd, 1000), 0);
	refused(image, -EINVAL, "not a multiple of 512");
	assert_int_equal(ftruncate(image_fd, 0), 0);
	refused(image, -EINVAL, "not a multiple of 512");
	assert_int_equal(ftruncate(image_fd, 4096), 0);
	d = create(false);
	unlink(image);
	assert_int_equal(d->ops->check(d, &err), -ENOENT);
	assert_int_equal(d->ops->acquire(d, NULL), -ENOENT);
	d->ops->destroy(d);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_introduce_it),
		TEST(features_are_negotiated),
		TEST(reads_what_the_image_holds),
		TEST(reads_into_any_pieces),
		TEST(writes_reach_the_image),
		TEST(driver_without_flush_is_served),
		TEST(says_its_id),
		TEST(many_are_in_flight),
		TEST(wrong_requests_fail_alone),
		cmocka_unit_test_setup_teardown(readonly_disks_are_not_written,
						setup_readonly, teardown),
		TEST(io_errors_are_the_guests),
		TEST(broken_rules_need_a_reset),
		TEST(reset_ends_what_is_in_flight),
		TEST(queue_can_be_taken_back),
		TEST(at_rest_nothing_happens),
		TEST(pauses_lose_nothing),
		TEST(state_goes_on_elsewhere),
		TEST(same_state_comes_out_again),
		TEST(garbled_state_is_refused),
		cmocka_unit_test_setup_teardown(
			state_with_other_features_is_refused, setup_readonly,
			teardown),
		TEST(describes_size_and_mode),
		TEST(locks_are_per_vm),
		cmocka_unit_test_setup_teardown(bad_images_say_why, make_image,
						remove_image),
	};

	return cmocka_run_group_tests_name("blk", tests, NULL, NULL);
}
