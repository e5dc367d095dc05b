// SPDX-License-Identifier: GPL-2.0
/*
 * The container of machine state: round trip, and malformed input refused with
 * the section and the offset in the message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "vmm/state_format.h"

static struct state_index found;

static void put_section(struct buf *b, const char *name, uint32_t version,
			const char *payload)
{
	size_t mark = state_begin(b, name, version);

	buf_put(b, payload, strlen(payload));
	state_end(b, mark);
}

static void sections_come_back(void **state)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	struct state_section *s;

	(void)state;
	put_section(&b, "cpu0", 1, "registers");
	put_section(&b, "empty", 7, "");
	put_section(&b, "virtio-blk0", 2, "queue");
	assert_int_equal(state_parse(b.data, b.len, &found, &err), 0);
	assert_int_equal(found.nr, 3);
	s = state_take(&found, "virtio-blk0", 2, &err);
	assert_non_null(s);
	assert_int_equal(s->bytes, 5);
	assert_memory_equal(s->data, "queue", 5);
	assert_memory_equal(b.data + s->offset, "queue", 5);
	assert_non_null(state_take(&found, "empty", 7, &err));
	assert_int_equal(state_all_used(&found, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "unknown section cpu0"));
	assert_non_null(state_take(&found, "cpu0", 1, NULL));
	assert_int_equal(state_all_used(&found, NULL), 0);
	buf_free(&b);
}

static void missing_and_foreign_are_named(void **state)
{
	struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	put_section(&b, "clock", 3, "x");
	assert_int_equal(state_parse(b.data, b.len, &found, &err), 0);
	assert_null(state_take(&found, "pit", 1, &err));
	assert_int_equal(err.code, -EBADMSG);
	assert_non_null(strstr(err.text, "section pit is missing"));
	err = (struct err){ 0 };
	assert_null(state_take(&found, "clock", 1, &err));
	assert_non_null(strstr(err.text, "clock has version 3"));
	buf_free(&b);
}

static void refused(const struct buf *b, const char *says)
{
	struct err err = { 0 };

	assert_int_equal(state_parse(b->data, b->len, &found, &err), -EBADMSG);
	if (!strstr(err.text, says))
		fail_msg("\"%s\" lacks \"%s\"", err.text, says);
}

static void duplicates_are_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	put_section(&b, "cpu0", 1, "a");
	put_section(&b, "cpu0", 1, "b");
	refused(&b, "section cpu0 twice, at offset 15");
	buf_free(&b);
}

static void too_many_are_refused(void **state)
{
	struct buf b = { 0 };
	char name[16];
	int i;

	(void)state;
	for (i = 0; i <= STATE_SECTIONS_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		put_section(&b, name, 1, "");
	}
	refused(&b, "more than 128 sections");
	buf_free(&b);
}

static void names_are_checked(void **state)
{
	static const char *const bad[] = {
		"", "with space", "esc\033[2J", "../x",
		"a-name-of-thirty-two-characters-",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct buf b = { 0 };

		put_section(&b, bad[i], 1, "x");
		refused(&b, "malformed section at offset 0");
		buf_free(&b);
	}
}

/* Cut anywhere, it is refused unless the cut is between two sections. */
static void truncation_is_refused(void **state)
{
	struct buf b = { 0 };
	size_t cut, second;

	(void)state;
	put_section(&b, "pit", 1, "12345678");
	second = b.len;
	put_section(&b, "clock", 1, "1234");
	for (cut = 1; cut < b.len; cut++) {
		uint8_t *exact = malloc(cut);
		struct err err = { 0 };

		assert_non_null(exact);
		memcpy(exact, b.data, cut);
		assert_int_equal(state_parse(exact, cut, &found, &err),
				 cut == second ? 0 : -EBADMSG);
		free(exact);
	}
	buf_free(&b);
}

static void lengths_do_not_wrap(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_put_str(&b, "cpu0");
	buf_put_u32(&b, 1);
	buf_put_u32(&b, UINT32_MAX);
	buf_put(&b, "x", 1);
	refused(&b, "malformed section at offset 0");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_come_back),
		cmocka_unit_test(missing_and_foreign_are_named),
		cmocka_unit_test(duplicates_are_refused),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(truncation_is_refused),
		cmocka_unit_test(lengths_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
