// SPDX-License-Identifier: GPL-2.0
/*
 * The real-time clock of a PC: an index port, a data port, 128 bytes.  Time is
 * the host's and can't be set; there are no alarms and no interrupts.  Other
 * bytes are memory, which a guest may use between boots but which no host
 * keeps.
 */
#include "vmm/rtc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RTC_STATE_VERSION 1
#define CMOS_BYTES 128

enum {
	CMOS_SECONDS = 0x00,
	CMOS_MINUTES = 0x02,
	CMOS_HOURS = 0x04,
	CMOS_WEEKDAY = 0x06,
	CMOS_DAY = 0x07,
	CMOS_MONTH = 0x08,
	CMOS_YEAR = 0x09,
	CMOS_A = 0x0a,
	CMOS_B = 0x0b,
	CMOS_C = 0x0c,
	CMOS_D = 0x0d,
	CMOS_CENTURY = 0x32,
};

#define A_DIVIDER 0x26			/* 32768 Hz, 1024 Hz; no update now */
#define B_BINARY 0x04
#define B_24_HOURS 0x02
#define B_MASK (B_BINARY | B_24_HOURS | 0x01)
#define D_VALID 0x80

/**
 * struct rtc - The clock.
 * @lock: protects the rest.
 * @index: the byte that the data port shows.
 * @cmos: memory; bytes of the clock itself are computed instead.
 */
struct rtc {
	struct device dev;
	pthread_mutex_t lock;
	uint8_t index;
	uint8_t cmos[CMOS_BYTES];
};

static int time_field(const struct tm *tm, uint8_t index)
{
	switch (index) {
	case CMOS_SECONDS:
		return tm->tm_sec;
	case CMOS_MINUTES:
		return tm->tm_min;
	case CMOS_HOURS:
		return tm->tm_hour;
	case CMOS_WEEKDAY:
		return tm->tm_wday + 1;
	case CMOS_DAY:
		return tm->tm_mday;
	case CMOS_MONTH:
		return tm->tm_mon + 1;
	case CMOS_YEAR:
		return tm->tm_year % 100;
	case CMOS_CENTURY:
		return 19 + tm->tm_year / 100;
	default:
		return -1;
	}
}

/* Hours of 1 to 12, the top bit for the afternoon. */
static uint8_t twelve_hours(int hour, bool binary)
{
	int h = hour % 12 ? hour % 12 : 12;

	if (!binary)
		h = h / 10 * 16 + h % 10;
	return h | (hour >= 12 ? 0x80 : 0);
}

static uint8_t read_cmos(const struct rtc *r)
{
	uint8_t b = r->cmos[CMOS_B];
	time_t now = time(NULL);
	struct tm tm;
	int v;

	gmtime_r(&now, &tm);
	v = time_field(&tm, r->index);
	if (v < 0)
		return r->cmos[r->index];
	if (r->index == CMOS_HOURS && !(b & B_24_HOURS))
		return twelve_hours(v, b & B_BINARY);
	return b & B_BINARY ? v : v / 10 * 16 + v % 10;
}

static void rtc_read(struct device *d, uint64_t offset, uint8_t *data,
		     unsigned int len)
{
	struct rtc *r = (struct rtc *)d;
	unsigned int i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < len; i++)
		data[i] = offset + i ? read_cmos(r) : 0xff;
	pthread_mutex_unlock(&r->lock);
}

static void write_cmos(struct rtc *r, uint8_t v)
{
	switch (r->index) {
	case CMOS_A:
	case CMOS_C:
	case CMOS_D:
		return;
	case CMOS_B:
		v &= B_MASK;
	}
	r->cmos[r->index] = v;
}

static void rtc_write(struct device *d, uint64_t offset, const uint8_t *data,
		      unsigned int len)
{
	struct rtc *r = (struct rtc *)d;
	unsigned int i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < len; i++)
		if (offset + i)
			write_cmos(r, data[i]);
		else
			r->index = data[i] % CMOS_BYTES;	/* bit 7: NMI */
	pthread_mutex_unlock(&r->lock);
}

static void rtc_save(struct device *d, struct buf *out)
{
	struct rtc *r = (struct rtc *)d;

	buf_put_u8(out, r->index);
	buf_put(out, r->cmos, sizeof(r->cmos));
}

static int rtc_load(struct device *d, struct reader *in)
{
	struct rtc *r = (struct rtc *)d;
	uint8_t index = reader_u8(in);
	uint8_t cmos[CMOS_BYTES];

	reader_get(in, cmos, sizeof(cmos));
	if (in->error)
		return in->error;
	if (index >= CMOS_BYTES || cmos[CMOS_A] != A_DIVIDER ||
	    cmos[CMOS_B] & ~B_MASK || cmos[CMOS_C] || cmos[CMOS_D] != D_VALID)
		return -EBADMSG;
	r->index = index;
	memcpy(r->cmos, cmos, sizeof(cmos));
	return 0;
}

static void rtc_destroy(struct device *d)
{
	struct rtc *r = (struct rtc *)d;

	pthread_mutex_destroy(&r->lock);
	free(r);
}

static const struct device_ops rtc_ops = {
	.read = rtc_read,
	.write = rtc_write,
	.save = rtc_save,
	.load = rtc_load,
	.destroy = rtc_destroy,
	.version = RTC_STATE_VERSION,
};

int rtc_create(struct device **out, struct device_host *host)
{
	struct rtc *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->dev = (struct device){
		.ops = &rtc_ops,
		.host = host,
		.space = DEVICE_PIO,
		.base = RTC_PORTS_AT,
		.bytes = 2,
		.name = "rtc",
	};
	r->cmos[CMOS_A] = A_DIVIDER;
	r->cmos[CMOS_B] = B_24_HOURS;
	r->cmos[CMOS_D] = D_VALID;
	pthread_mutex_init(&r->lock, NULL);
	*out = &r->dev;
	return 0;
}
