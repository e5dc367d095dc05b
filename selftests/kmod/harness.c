// SPDX-License-Identifier: GPL-2.0
/*
 * TAP for the module's tests; see harness.h.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20

static bool case_failed;
static char skip_reason[200];

static void comment(const char *fmt, va_list ap)
{
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	fflush(stdout);
}

void diag(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	comment(fmt, ap);
	va_end(ap);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	case_failed = true;
	printf("# %s:%d: failed:\n", file, line);
	va_start(ap, fmt);
	comment(fmt, ap);
	va_end(ap);
}

bool test_has_failed(void)
{
	return case_failed;
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(skip_reason, sizeof(skip_reason), fmt, ap);
	va_end(ap);
}

void bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_Exit(1);
}

static bool run_case(const struct test_case *c, unsigned int number)
{
	case_failed = false;
	skip_reason[0] = 0;
	c->fn();
	printf("%s %u - %s", case_failed ? "not ok" : "ok", number, c->name);
	if (!case_failed && skip_reason[0])
		printf(" # SKIP %s", skip_reason);
	printf("\n");
	fflush(stdout);
	return !case_failed;
}

int test_main(const struct test_case *cases, unsigned int nr)
{
	unsigned int failed = 0;
	unsigned int i;

	printf("TAP version 13\n1..%u\n", nr);
	fflush(stdout);
	for (i = 0; i < nr; i++)
		failed += !run_case(&cases[i], i + 1);
	return failed ? 1 : 0;
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

unsigned int slowness(void)
{
	const char *slow = getenv("UMIG_SLOW");

	return slow ? strtoul(slow, NULL, 10) : 1;
}

bool wait_until(bool (*is_so)(void *arg), void *arg, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms * slowness();

	while (!is_so(arg)) {
		if (now_ms() > end)
			return false;
		poll(NULL, 0, POLL_MS);
	}
	return true;
}
