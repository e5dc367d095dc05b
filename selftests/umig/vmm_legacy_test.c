// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of a PC: a clock, and the ways to switch it off.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fake_host.h"
#include "vmm/i8042.h"
#include "vmm/power.h"
#include "vmm/rtc.h"

#define REG_B 0x0b
#define BINARY 0x04
#define HOURS_24 0x02
#define CENTURY 0x32

static struct fake_host host;
static struct device *dev;

static int setup(void **state)
{
	(void)state;
	fake_host_init(&host);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dev->ops->destroy(dev);
	fake_host_exit(&host);
	return 0;
}

static int setup_rtc(void **state)
{
	setup(state);
	return rtc_create(&dev, &host.host);
}

static uint8_t cmos(uint8_t index)
{
	fake_write(&host, dev, 0, index, 1);
	return fake_read(&host, dev, 1, 1);
}

static void set_cmos(uint8_t index, uint8_t v)
{
	fake_write(&host, dev, 0, index, 1);
	fake_write(&host, dev, 1, v, 1);
}

static int bcd(uint8_t v)
{
	assert_true((v & 0x0f) < 10 && v >> 4 < 10);
	return (v >> 4) * 10 + (v & 0x0f);
}

/* As Linux reads it: no update in progress, the same second twice, BCD. */
static time_t read_clock(void)
{
	struct tm tm;

	do {
		assert_int_equal(cmos(0x0a) & 0x80, 0);
		tm = (struct tm){
			.tm_sec = bcd(cmos(0)),
			.tm_min = bcd(cmos(2)),
			.tm_hour = bcd(cmos(4)),
			.tm_mday = bcd(cmos(7)),
			.tm_mon = bcd(cmos(8)) - 1,
			.tm_year = bcd(cmos(9)) + bcd(cmos(CENTURY)) * 100 -
				   1900,
		};
	} while (tm.tm_sec != bcd(cmos(0)));
	return timegm(&tm);
}

static void clock_shows_utc(void **state)
{
	time_t before = time(NULL), shown;

	(void)state;
	assert_int_equal(cmos(REG_B), HOURS_24);
	assert_int_equal(cmos(0x0d), 0x80);
	shown = read_clock();
	assert_in_range(shown, before, time(NULL));
}

/* Both halves of the day, whatever time it is: the two modes must agree. */
static void clock_has_other_modes(void **state)
{
	int day, half;

	(void)state;
	do {
		set_cmos(REG_B, HOURS_24 | BINARY);
		day = cmos(4);
		set_cmos(REG_B, BINARY);
		half = cmos(4);
		set_cmos(REG_B, HOURS_24 | BINARY);
	} while (cmos(4) != day);
	assert_in_range(day, 0, 23);
	assert_in_range(half & 0x7f, 1, 12);
	assert_int_equal(day, half % 128 % 12 + (half & 0x80 ? 12 : 0));
}

static void clock_cannot_be_set(void **state)
{
	time_t before = time(NULL);

	(void)state;
	set_cmos(9, 0x70);
	set_cmos(0x0a, 0xff);
	set_cmos(0x0d, 0);
	assert_in_range(read_clock(), before, time(NULL));
	assert_int_equal(cmos(0x0d), 0x80);
	/* No interrupts: they can't be switched on, nor are they pending. */
	set_cmos(REG_B, HOURS_24 | 0x70);
	assert_int_equal(cmos(REG_B), HOURS_24);
	assert_int_equal(cmos(0x0c), 0);
}

static void cmos_is_memory_that_moves(void **state)
{
	struct buf b = { 0 };
	struct reader r;

	(void)state;
	set_cmos(0x40, 0x12);
	set_cmos(0x7f, 0x34);
	fake_write(&host, dev, 0, 0xc0, 1);	/* 0x40, NMI disabled */
	assert_int_equal(fake_read(&host, dev, 1, 1), 0x12);
	dev->ops->save(dev, &b);
	dev->ops->destroy(dev);
	assert_int_equal(rtc_create(&dev, &host.host), 0);
	reader_init(&r, b.data, b.len);
	assert_int_equal(dev->ops->load(dev, &r), 0);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(fake_read(&host, dev, 1, 1), 0x12);
	assert_int_equal(cmos(0x7f), 0x34);
	assert_true(fake_load_garbled(dev, &b) > b.len);
	buf_free(&b);
}

static int setup_i8042(void **state)
{
	setup(state);
	return i8042_create(&dev, &host.host);
}

/* Linux waits until the input is empty, then sends the command. */
static void keyboard_controller_resets(void **state)
{
	(void)state;
	assert_int_equal(fake_read(&host, dev, 0, 1) & 2, 0);
	fake_write(&host, dev, 0, 0xaa, 1);
	fake_write(&host, dev, 0, 0xff, 1);
	assert_false(host.reset || host.ended);
	fake_write(&host, dev, 0, I8042_RESET, 1);
	assert_true(host.reset);
	assert_false(host.ended || host.failed);
}

static int setup_power(void **state)
{
	setup(state);
	return power_create(&dev, &host.host, 0x600);
}

static void power_switches_off(void **state)
{
	unsigned int type;

	(void)state;
	for (type = 0; type < 8; type++)
		fake_write(&host, dev, POWER_SLEEP_CONTROL, type << 2, 1);
	fake_write(&host, dev, POWER_SLEEP_CONTROL, POWER_SLP_EN, 1);
	fake_write(&host, dev, POWER_SLEEP_STATUS, POWER_OFF_VALUE, 1);
	assert_int_equal(fake_read(&host, dev, POWER_SLEEP_STATUS, 1), 0);
	assert_false(host.reset || host.ended);
	fake_write(&host, dev, POWER_SLEEP_CONTROL, POWER_OFF_VALUE, 1);
	assert_true(host.ended);
	assert_false(host.reset);
}

static void power_resets(void **state)
{
	(void)state;
	fake_write(&host, dev, POWER_RESET, POWER_RESET_VALUE - 1, 1);
	assert_false(host.reset || host.ended);
	fake_write(&host, dev, POWER_RESET, POWER_RESET_VALUE, 1);
	assert_true(host.reset);
	assert_false(host.ended);
}

#define TEST(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clock_shows_utc, setup_rtc),
		TEST(clock_has_other_modes, setup_rtc),
		TEST(clock_cannot_be_set, setup_rtc),
		TEST(cmos_is_memory_that_moves, setup_rtc),
		TEST(keyboard_controller_resets, setup_i8042),
		TEST(power_switches_off, setup_power),
		TEST(power_resets, setup_power),
	};

	return cmocka_run_group_tests_name("legacy", tests, NULL, NULL);
}
