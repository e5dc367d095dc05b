// SPDX-License-Identifier: GPL-2.0
/*
 * Trust groups by name: which names there are, and that a name has the same id
 * everywhere and for ever.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "mem/group.h"
#include "mem/umigdev.h"

static void names_are_checked(void **state)
{
	static const char *const good[] = {
		"a", "0", "web", "tenant-7.prod_x", "...",
		"12345678901234567890123456789012",
	};
	static const char *const bad[] = {
		"", "Web", "a b", "a,b", "a/b", "a\n", "\xc3\xa4", "*",
		"123456789012345678901234567890123",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(group_name_ok(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(group_name_ok(bad[i]));
}

/* BLAKE2b-128 by Python's hashlib: hosts of other releases count on it. */
static void ids_are_what_they_were(void **state)
{
	static const struct {
		const char *name;
		const char *hex;
	} known[] = {
		{ "web", "3eacb238bc33c8de65217a7f62600155" },
		{ "tenant-7.prod", "1160f4e0ebde474e0a7fba6d1f034e4b" },
		{ NULL, "00000000000000000000000000000000" },
	};
	char hex[2 * GROUP_ID_BYTES + 1];
	uint8_t id[GROUP_ID_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		group_id(known[i].name, id);
		sodium_bin2hex(hex, sizeof(hex), id, sizeof(id));
		assert_string_equal(hex, known[i].hex);
	}
}

static void no_group_needs_no_module(void **state)
{
	struct err err = { 0 };
	int fd = 7;

	(void)state;
	assert_int_equal(group_enter(NULL, &fd, &err), 0);
	assert_int_equal(fd, -1);
}

/* Not the device: what any file that isn't answers. */
static void an_older_module_is_refused(void **state)
{
	uint8_t id[GROUP_ID_BYTES] = { 1 };
	struct err err = { 0 };
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(umigdev_join(pipes[0], "web", id, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err_text(&err), "web"));
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(ids_are_what_they_were),
		cmocka_unit_test(no_group_needs_no_module),
		cmocka_unit_test(an_older_module_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
