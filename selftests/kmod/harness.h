/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TAP for the module's tests: a program is a table of cases.  A case fails by
 * CHECK(), which goes on, or REQUIRE(), which leaves it; the program's exit
 * status is 0 only if all passed.
 */
#ifndef UMIG_SELFTESTS_KMOD_HARNESS_H
#define UMIG_SELFTESTS_KMOD_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

struct test_case {
	const char *name;
	void (*fn)(void);
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A comment in the output, and a failed case. */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool test_has_failed(void);
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond, ...)						\
	({								\
		bool so_ = (cond);					\
									\
		if (!so_)						\
			test_fail(__FILE__, __LINE__, __VA_ARGS__);	\
		so_;							\
	})
#define REQUIRE(cond, ...)						\
	do {								\
		if (!CHECK(cond, __VA_ARGS__))				\
			return;						\
	} while (0)

/* Something without which no test can go on: "Bail out!" and exit. */
void bail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

int test_main(const struct test_case *cases, unsigned int nr);

uint64_t now_ms(void);

/* Into a file of sysfs, procfs, ...; 0 or -errno. */
int write_file(const char *path, const char *text);

/* UMIG_SLOW: so many times the time is right on a kernel that watches itself. */
unsigned int slowness(void);

/**
 * wait_until() - Ask again and again until it is so.
 * @is_so: the question.
 * @arg: for it.
 * @timeout_ms: how long, times slowness().
 *
 * Return: false: it isn't.
 */
bool wait_until(bool (*is_so)(void *arg), void *arg, unsigned int timeout_ms);

#endif
