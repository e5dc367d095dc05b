// SPDX-License-Identifier: GPL-2.0
/*
 * Key files: both forms are read, nothing else is, and what is made can be read
 * back.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem/domain_key.h"

#define HEX "00112233445566778899aabbccddeeff" \
	    "FFEEDDCCBBAA99887766554433221100"

static char path[] = "/tmp/umig-key-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_back(const void *content, size_t bytes,
		     uint8_t key[UMIG_KEY_SIZE], struct err *err)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	*err = (struct err){ 0 };
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, bytes), bytes);
	close(fd);
	return domain_key_read(path, key, err);
}

static void both_forms_are_read(void **state)
{
	static const char *const text[] = {
		HEX, HEX "\n", "  " HEX "\r\n", "\n" HEX "\t \n",
	};
	uint8_t key[UMIG_KEY_SIZE], raw[UMIG_KEY_SIZE];
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(raw); i++)
		raw[i] = i < 16 ? i * 0x11 : 0xff - (i - 16) * 0x11;
	assert_int_equal(read_back(raw, sizeof(raw), key, &err), 0);
	assert_memory_equal(key, raw, sizeof(raw));
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		memset(key, 0, sizeof(key));
		assert_int_equal(read_back(text[i], strlen(text[i]), key,
					   &err), 0);
		assert_memory_equal(key, raw, sizeof(raw));
	}
}

static void nothing_else_is(void **state)
{
	static const char *const wrong[] = {
		"", "x", "0123456789abcdef", HEX "0", HEX "00", HEX HEX,
		HEX "\nmore", "0x" HEX, "zz112233445566778899aabbccddeeff"
		"FFEEDDCCBBAA99887766554433221100",
		"00112233445566778899aabbccddeef f"
		"FFEEDDCCBBAA9988776655443322110",
	};
	uint8_t key[UMIG_KEY_SIZE];
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(read_back(wrong[i], strlen(wrong[i]), key,
					   &err), -EINVAL);
		assert_non_null(strstr(err.text, path));
		assert_null(strstr(err.text, "0011"));
	}
}

static void a_file_that_is_not_there(void **state)
{
	uint8_t key[UMIG_KEY_SIZE];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(domain_key_read("/nonexistent/key", key, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/key"));
	err = (struct err){ 0 };
	assert_int_equal(domain_key_read("/dev/zero", key, &err), -EINVAL);
	err = (struct err){ 0 };
	assert_int_equal(domain_key_read("/tmp", key, &err), -EISDIR);
}

static void what_is_made_is_read(void **state)
{
	char one[DOMAIN_KEY_HEX_MAX], two[DOMAIN_KEY_HEX_MAX];
	uint8_t key[UMIG_KEY_SIZE];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(domain_key_generate(one, &err), 0);
	assert_int_equal(domain_key_generate(two, &err), 0);
	assert_string_not_equal(one, two);
	assert_int_equal(read_back(one, strlen(one), key, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_read),
		cmocka_unit_test(nothing_else_is),
		cmocka_unit_test(a_file_that_is_not_there),
		cmocka_unit_test(what_is_made_is_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
