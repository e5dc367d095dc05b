// SPDX-License-Identifier: GPL-2.0
/*
 * The handover's record: what is written is read, nothing malformed is passed
 * over, and a VM's name belongs to one process at a time.
 */
#include <errno.h>
#include <fcntl.h>
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

#include "migrate/handover_store.h"
#include "umig/scratch.h"

#define GOOD_ID "00112233445566778899aabbccddeeff"
#define RECORD(version, name, role, phase, id, peer, time, more) \
	"{\"version\": " version ", \"name\": " name ", \"role\": " role \
	", \"phase\": " phase ", \"migration\": " id ", \"peer\": " peer \
	", \"time\": " time more "}"
#define GOOD RECORD("1", "\"web\"", "\"source\"", "\"handover\"", \
		    "\"" GOOD_ID "\"", "\"10.0.0.2:7000\"", "1770000000", "")

static const struct handover_record good = {
	.name = "web",
	.phase = HANDOVER_PHASE_HANDOVER,
	.id = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
		0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
	.peer = "10.0.0.2:7000",
	.time_s = 1770000000,
};

static char *dir;

static int setup(void **state)
{
	(void)state;
	dir = scratch_dir();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static struct handover_store *opened(const char *name)
{
	struct handover_store *s = NULL;
	struct err err = { 0 };

	if (handover_store_open(&s, dir, name, &err))
		fail_msg("%s", err_text(&err));
	return s;
}

static void assert_says(const struct err *err, const char *words)
{
	if (!strstr(err_text(err), words))
		fail_msg("\"%s\" does not say \"%s\"", err_text(err), words);
}

static void put_file(const char *text, size_t bytes)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/web.handover", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	close(fd);
}

static void text_is_read(void **state)
{
	struct handover_record r;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(handover_record_parse(&r, GOOD, strlen(GOOD), &err),
			 0);
	assert_memory_equal(&r, &good, sizeof(r));
}

static const struct {
	const char *text;
	const char *why;
} malformed[] = {
	{ "", "no JSON object" },
	{ "\0\0\0\0", "no JSON object" },
	{ "[]", "no JSON object" },
	{ "{\"version\": 1, \"version\": 1}", "no JSON object" },
	{ "{}", "version" },
	{ GOOD "x", "no JSON object" },
	{ RECORD("2", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "version" },
	{ RECORD("\"1\"", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "version" },
	{ RECORD("1", "\"\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "\"name\"" },
	{ RECORD("1", "7", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "\"name\"" },
	{ RECORD("1", "\"web\"", "\"destination\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "\"phase\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"invalid\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "\"phase\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "null",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ""), "\"phase\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"0011\"", "\"a\"", "1", ""), "\"migration\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"zz112233445566778899aabbccddeeff\"", "\"a\"", "1", ""),
	  "\"migration\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "{}", "1", ""), "\"peer\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "-1", ""), "\"time\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "253402300800", ""), "\"time\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1.5", ""), "\"time\"" },
	{ RECORD("1", "\"web\"", "\"source\"", "\"handover\"",
		 "\"" GOOD_ID "\"", "\"a\"", "1", ", \"more\": 1"),
	  "unknown members" },
};

static void malformed_text_is_refused(void **state)
{
	struct handover_record r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct err err = { 0 };

		assert_int_equal(handover_record_parse(
					 &r, malformed[i].text,
					 strlen(malformed[i].text), &err),
				 -EBADMSG);
		assert_says(&err, malformed[i].why);
	}
}

static void torn_text_is_refused(void **state)
{
	struct handover_record r;
	size_t n;

	(void)state;
	for (n = 0; n < strlen(GOOD); n++)
		assert_int_equal(handover_record_parse(&r, GOOD, n, NULL),
				 -EBADMSG);
}

static void what_is_written_is_read(void **state)
{
	struct handover_store *s = opened("web");
	struct handover_record r;
	bool alive = false;

	(void)state;
	assert_int_equal(handover_store_read(s, &r, NULL), -ENOENT);
	assert_int_equal(handover_store_check(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), -ENOENT);
	assert_int_equal(handover_store_write(s, &good, NULL), 0);
	handover_store_close(s);

	s = opened("web");
	assert_int_equal(handover_store_read(s, &r, NULL), 0);
	assert_memory_equal(&r, &good, sizeof(r));
	assert_int_equal(handover_store_peek(dir, "web", &r, &alive, NULL),
			 0);
	assert_true(alive);
	assert_int_equal(handover_store_remove(s, NULL), 0);
	assert_int_equal(handover_store_remove(s, NULL), 0);
	handover_store_close(s);
	assert_int_equal(handover_store_peek(dir, "web", &r, &alive, NULL),
			 -ENOENT);
	assert_false(alive);
}

static void garbage_on_disk_is_not_passed_over(void **state)
{
	struct handover_store *s = opened("web");
	char large[HANDOVER_RECORD_MAX + 100];
	struct handover_record r;
	struct err err = { 0 };

	(void)state;
	put_file("", 0);
	assert_int_equal(handover_store_admit(s, true, &err), -EBADMSG);
	assert_says(&err, "web.handover makes no sense");
	memset(large, ' ', sizeof(large));
	memcpy(large, GOOD, strlen(GOOD));
	put_file(large, sizeof(large));
	assert_int_equal(handover_store_read(s, &r, NULL), -EBADMSG);
	/* a good record, but another VM's */
	handover_store_close(s);
	s = opened("db");
	assert_int_equal(handover_store_write(s, &good, NULL), 0);
	err = (struct err){ 0 };
	assert_int_equal(handover_store_admit(s, false, &err), -EBADMSG);
	assert_says(&err, "named \"web\"");
	handover_store_close(s);
}

static void a_name_belongs_to_one_process(void **state)
{
	struct handover_store *s = opened("web"), *other = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(handover_store_open(&other, dir, "web", &err),
			 -EBUSY);
	assert_says(&err, "\"web\"");
	other = opened("db");
	handover_store_close(other);
	handover_store_close(s);
	handover_store_close(opened("web"));
}

/* Also for root, whom modes don't stop: the lock's name is a link's. */
static void a_lock_that_cannot_be_looked_at_is_not_free(void **state)
{
	struct handover_record r;
	struct err err = { 0 };
	bool alive;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/web.lock", dir);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(handover_store_peek(dir, "web", &r, &alive, &err),
			 -ELOOP);
	assert_says(&err, "web.lock");
}

/* "No process, no record" takes a guest back: only where one could have been. */
static void who_looks_in_the_wrong_place_is_told(void **state)
{
	struct handover_record r;
	struct err err = { 0 };
	bool alive;
	char none[128];

	(void)state;
	handover_store_close(opened("web"));
	assert_int_equal(handover_store_peek(dir, "wbe", &r, &alive, &err),
			 -ENXIO);
	assert_says(&err, "\"wbe\"");
	snprintf(none, sizeof(none), "%s/none", dir);
	err = (struct err){ 0 };
	assert_int_equal(handover_store_peek(none, "web", &r, &alive, &err),
			 -ENXIO);
	assert_says(&err, none);
}

static void names_that_are_none_are_refused(void **state)
{
	char large[HANDOVER_NAME_MAX + 2];
	const char *const names[] = { "", ".", "..", "a/b", "/etc", "\xff",
				      "a\nb", "\177", large };
	struct handover_store *s;
	size_t i;

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(handover_store_open(&s, dir, names[i], NULL),
				 -EINVAL);
	handover_store_close(opened(large + 1));
}

static void a_directory_that_is_none_is_told(void **state)
{
	struct handover_store *s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(handover_store_open(&s, "/dev/null/x", "web", &err),
			 -ENOTDIR);
	assert_says(&err, "--state-dir");
	assert_says(&err, "/dev/null/x");
}

static void a_directory_is_made(void **state)
{
	struct handover_store *s = NULL;
	char deep[128];
	struct stat st;

	(void)state;
	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	assert_int_equal(handover_store_open(&s, deep, "web", NULL), 0);
	handover_store_close(s);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	scratch_remove(strdup(deep));
	snprintf(deep, sizeof(deep), "%s/a", dir);
	scratch_remove(strdup(deep));
}

/* A record's temporary can't be made: a directory has its name. */
static void a_record_that_cannot_be_written_is_told(void **state)
{
	struct handover_store *s = opened("web");
	struct err err = { 0 };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/web.handover.new", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(handover_store_check(s, &err), -EISDIR);
	assert_says(&err, "web.handover");
	assert_int_equal(handover_store_write(s, &good, NULL), -EISDIR);
	rmdir(path);
	handover_store_close(s);
}

static void who_may_begin(void **state)
{
	static const struct {
		enum handover_phase phase;
		bool boots;
		bool listens;
		const char *words;
	} cases[] = {
		{ HANDOVER_PHASE_HANDOVER, false, false, "10.0.0.2:7000" },
		{ HANDOVER_PHASE_MOVED, false, true, "moved to 10.0.0.2" },
		{ HANDOVER_PHASE_STARTING, false, false, "source first" },
		{ HANDOVER_PHASE_STARTED, true, true, "" },
	};
	struct handover_store *s = opened("web");
	struct handover_record r = good;
	size_t i;

	(void)state;
	assert_int_equal(handover_store_admit(s, true, NULL), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { 0 };

		r.phase = cases[i].phase;
		assert_int_equal(handover_store_write(s, &r, NULL), 0);
		assert_int_equal(handover_store_admit(s, true, &err),
				 cases[i].boots ? 0 : -EBUSY);
		if (!cases[i].boots) {
			assert_says(&err, cases[i].words);
			assert_says(&err, "2026-02-02 02:40:00 UTC");
			assert_says(&err, "--name web");
		}
		assert_int_equal(handover_store_admit(s, false, NULL),
				 cases[i].listens ? 0 : -EBUSY);
	}
	handover_store_close(s);
}

/* It moved away; its way back fails; it still is the other host's. */
static void a_settled_record_comes_back(void **state)
{
	struct handover_store *s = opened("web");
	struct handover_record r = good;

	(void)state;
	r.phase = HANDOVER_PHASE_MOVED;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	r.phase = HANDOVER_PHASE_STARTING;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_remove(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), 0);
	assert_int_equal(r.phase, HANDOVER_PHASE_MOVED);

	r.phase = HANDOVER_PHASE_STARTING;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	r.phase = HANDOVER_PHASE_STARTED;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_remove(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), -ENOENT);
	handover_store_close(s);
}

/* It moved away; on its way back there is no room for another record. */
static void a_record_that_was_not_written_leaves_the_one_before(void **state)
{
	struct handover_store *s = opened("web");
	struct handover_record r = good;
	char path[128];

	(void)state;
	r.phase = HANDOVER_PHASE_MOVED;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	snprintf(path, sizeof(path), "%s/web.handover.new", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	r.phase = HANDOVER_PHASE_STARTING;
	assert_int_equal(handover_store_write(s, &r, NULL), -EISDIR);
	assert_int_equal(handover_store_undo(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), 0);
	assert_int_equal(r.phase, HANDOVER_PHASE_MOVED);
	rmdir(path);

	r.phase = HANDOVER_PHASE_STARTING;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_undo(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), 0);
	assert_int_equal(r.phase, HANDOVER_PHASE_MOVED);
	handover_store_close(s);
}

/* A crash between the link and the rename leaves two names of one record. */
static void a_settled_record_with_two_names_can_be_removed(void **state)
{
	struct handover_store *s = opened("web");
	struct handover_record r = good;
	char record[128], last[128];

	(void)state;
	r.phase = HANDOVER_PHASE_MOVED;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	snprintf(record, sizeof(record), "%s/web.handover", dir);
	snprintf(last, sizeof(last), "%s/web.handover.last", dir);
	assert_int_equal(link(record, last), 0);
	assert_int_equal(handover_store_remove(s, NULL), 0);
	assert_int_equal(handover_store_read(s, &r, NULL), -ENOENT);
	assert_int_equal(access(last, F_OK), -1);
	handover_store_close(s);
}

/* What was staged is the record once it is written, if nobody meddled. */
static void staged_it_is_no_record_yet(void **state)
{
	struct handover_store *s = opened("web");
	struct handover_record r = good, got;
	char path[128];

	(void)state;
	assert_int_equal(handover_store_stage(s, &r, NULL), 0);
	assert_int_equal(handover_store_read(s, &got, NULL), -ENOENT);
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_read(s, &got, NULL), 0);
	assert_memory_equal(got.id, r.id, sizeof(r.id));
	assert_int_equal(handover_store_remove(s, NULL), 0);

	/* another one than was staged, and one that has gone meanwhile */
	assert_int_equal(handover_store_stage(s, &r, NULL), 0);
	r.id[0] ^= 1;
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_read(s, &got, NULL), 0);
	assert_memory_equal(got.id, r.id, sizeof(r.id));
	assert_int_equal(handover_store_remove(s, NULL), 0);
	assert_int_equal(handover_store_stage(s, &r, NULL), 0);
	snprintf(path, sizeof(path), "%s/web.handover.new", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_read(s, &got, NULL), 0);

	/* a trial write takes its place */
	assert_int_equal(handover_store_stage(s, &r, NULL), 0);
	assert_int_equal(handover_store_check(s, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(handover_store_write(s, &r, NULL), 0);
	assert_int_equal(handover_store_stage(s, &r, NULL), 0);
	handover_store_close(s);
	assert_int_equal(access(path, F_OK), -1);
}

#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORD_TEST(text_is_read),
		RECORD_TEST(malformed_text_is_refused),
		RECORD_TEST(torn_text_is_refused),
		RECORD_TEST(what_is_written_is_read),
		RECORD_TEST(garbage_on_disk_is_not_passed_over),
		RECORD_TEST(a_name_belongs_to_one_process),
		RECORD_TEST(a_lock_that_cannot_be_looked_at_is_not_free),
		RECORD_TEST(who_looks_in_the_wrong_place_is_told),
		RECORD_TEST(names_that_are_none_are_refused),
		RECORD_TEST(a_directory_that_is_none_is_told),
		RECORD_TEST(a_directory_is_made),
		RECORD_TEST(a_record_that_cannot_be_written_is_told),
		RECORD_TEST(who_may_begin),
		RECORD_TEST(a_settled_record_comes_back),
		RECORD_TEST(a_record_that_was_not_written_leaves_the_one_before),
		RECORD_TEST(a_settled_record_with_two_names_can_be_removed),
		RECORD_TEST(staged_it_is_no_record_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
