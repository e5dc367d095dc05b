// SPDX-License-Identifier: GPL-2.0
/*
 * umig index, as far as it needs no module: what is said of KSM's settings, and
 * the contents with most sharers.
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
#include <unistd.h>

#include <cmocka.h>

#include "control/coverage.h"
#include "control/index_top.h"
#include "control/ksm_warning.h"
#include "mem/ksm_state.h"
#include "mem/umigdev.h"
#include "scratch.h"

static char *dir;

static int set_up(void **state)
{
	(void)state;
	dir = scratch_dir();
	return dir ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static void write_text(const char *name, const char *text)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* 16 million pages, 100 of them every 20 ms: 3200 s. */
static void write_ksm(void)
{
	write_text("run", "1\n");
	write_text("pages_shared", "1000000\n");
	write_text("pages_sharing", "4000000\n");
	write_text("pages_unshared", "10000000\n");
	write_text("pages_volatile", "1000000\n");
	write_text("full_scans", "3\n");
	write_text("pages_to_scan", "100\n");
	write_text("sleep_millisecs", "20\n");
}

static struct ksm_state read_ksm(void)
{
	struct err err = { 0 };
	struct ksm_state ksm;

	assert_int_equal(ksm_state_read(dir, &ksm, &err), 0);
	return ksm;
}

static const char *advice(void)
{
	static char text[300];
	struct ksm_state ksm = read_ksm();

	return ksm_state_advice(&ksm, text, sizeof(text)) ? text : NULL;
}

static void assert_advice(const char *words)
{
	const char *text = advice();

	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("no \"%s\" in: %s", words, text);
}

static void test_ksm_is_read(void **state)
{
	struct ksm_state ksm;

	(void)state;
	write_ksm();
	ksm = read_ksm();
	assert_int_equal(ksm.pages_shared, 1000000);
	assert_int_equal(ksm_state_pages(&ksm), 16000000);
	assert_int_equal(ksm_state_pass_s(&ksm), 3200);
	assert_false(ksm.has_advisor);
}

static void test_no_ksm(void **state)
{
	struct err err = { 0 };
	struct ksm_state ksm;

	(void)state;
	assert_int_equal(ksm_state_read(dir, &ksm, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_KSM"));
	write_ksm();
	write_text("pages_to_scan", "many\n");
	err = (struct err){ 0 };
	assert_int_not_equal(ksm_state_read(dir, &ksm, &err), 0);
	assert_non_null(strstr(err.text, "pages_to_scan"));
}

static void test_advice(void **state)
{
	(void)state;
	write_ksm();
	/* 16 million in 120 s, 50 times a second: 2667, and then some */
	assert_advice("echo 2700 > /sys/kernel/mm/ksm/pages_to_scan");
	assert_advice("3200 s");
	write_text("pages_to_scan", "2700\n");
	assert_null(advice());
	write_text("pages_unshared", "10000000000\n");
	assert_advice("less than 20 in sleep_millisecs");
	write_text("pages_to_scan", "0\n");
	assert_advice("scans no pages");
	write_text("run", "0\n");
	assert_advice("off");
	write_text("run", "2\n");
	assert_advice("un-merge");
}

static void test_advice_with_an_advisor(void **state)
{
	(void)state;
	write_ksm();
	write_text("advisor_mode", "[none] scan-time\n");
	write_text("advisor_target_scan_time", "200\n");
	assert_advice("echo scan-time > /sys/kernel/mm/ksm/advisor_mode");
	write_text("advisor_mode", "none [scan-time]\n");
	assert_advice("advisor_target_scan_time");
}

static void test_warning_at_start(void **state)
{
	char device[4096], text[300];
	const uint64_t gib = 1 << 30;

	(void)state;
	write_ksm();
	write_text("pages_unshared", "0\n");
	write_text("pages_to_scan", "1000\n");
	snprintf(device, sizeof(device), "%s/umig", dir);
	/* without the module nobody cares */
	assert_false(ksm_warning(dir, device, 100 * gib, text, sizeof(text)));
	write_text("umig", "");
	assert_false(ksm_warning(dir, device, gib, text, sizeof(text)));
	/* 6 million pages there, 26 million more come */
	assert_true(ksm_warning(dir, device, 100 * gib, text, sizeof(text)));
	assert_non_null(strstr(text, "644 s for a pass"));
	assert_non_null(strstr(text, "echo 5400 > /sys/kernel/mm/ksm/pages_to_scan"));
	write_text("run", "0\n");
	assert_true(ksm_warning(dir, device, gib, text, sizeof(text)));
	assert_non_null(strstr(text, "echo 1 > /sys/kernel/mm/ksm/run"));
	write_text("run", "");
	assert_true(ksm_warning(dir, device, gib, text, sizeof(text)));
	assert_non_null(strstr(text, "run"));
}

/* What @fn prints, without its newlines. */
static char printed[8192];

static int begin_printing(void)
{
	char path[4096];
	int saved = dup(STDOUT_FILENO), fd;

	fflush(stdout);
	snprintf(path, sizeof(path), "%s/stdout", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && saved >= 0);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	return saved;
}

static void end_printing(int saved)
{
	char path[4096];
	size_t n;
	FILE *f;

	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	snprintf(path, sizeof(path), "%s/stdout", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(printed, 1, sizeof(printed) - 1, f);
	printed[n] = '\0';
	fclose(f);
}

static void assert_printed(const char *words)
{
	if (!strstr(printed, words))
		fail_msg("no \"%s\" in: %s", words, printed);
}

static void test_coverage(void **state)
{
	struct umig_info info = {
		.mode = UMIG_MODE_HOOKS,
		.key_id = { 1 },
		.hashed_pages = 750000,
		.merged_pages = 1000000,
		.index_bytes = 100 << 20,
		.index_limit_bytes = 100 << 20,
	};
	struct ksm_state ksm;
	int saved, rc;

	(void)state;
	write_ksm();
	ksm = read_ksm();
	saved = begin_printing();
	rc = coverage_show(&ksm, &info, 5, true);
	end_printing(saved);
	assert_int_equal(rc, 0);
	assert_printed("\"hashed_percent\": 75");
	assert_printed("\"saved_bytes\": 16384000000");
	assert_printed("index_limit_mb than 100");
	assert_printed("pages_to_scan");

	memset(info.key_id, 0, sizeof(info.key_id));
	saved = begin_printing();
	rc = coverage_show(&ksm, &info, 0, true);
	end_printing(saved);
	assert_int_equal(rc, 0);
	assert_printed("umig index set-key");
}

static void write_records(int fd, uint8_t digest, uint32_t sharers,
			  unsigned int times)
{
	struct umig_record r = { .sharers = sharers };

	memset(r.digest, digest, sizeof(r.digest));
	while (times--)
		assert_int_equal(write(fd, &r, sizeof(r)), sizeof(r));
}

static int open_records(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/records", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static int top(int fd, uint64_t count, bool json)
{
	struct err err = { 0 };
	int saved, rc;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	saved = begin_printing();
	rc = index_top_show(fd, count, json, &err);
	end_printing(saved);
	return rc;
}

static void test_top(void **state)
{
	char digest[2 * UMIG_DIGEST_SIZE + 1];
	int fd = open_records();

	(void)state;
	write_records(fd, 0xaa, 2, 1);
	write_records(fd, 0xbb, 200, 1000);
	write_records(fd, 0xcc, 3, 1);
	write_records(fd, 0xaa, 2, 1);
	write_records(fd, 0xbb, 7, 1);
	assert_int_equal(top(fd, 2, true), 0);
	memset(digest, 'b', 2 * UMIG_DIGEST_SIZE);
	digest[2 * UMIG_DIGEST_SIZE] = '\0';
	assert_printed(digest);
	assert_printed("\"contents\": 3");
	assert_printed("\"sharers\": 200007, \"pages\": 1001, \"saved_bytes\": 815128576");
	assert_printed("\"sharers\": 4, \"pages\": 2, \"saved_bytes\": 8192");
	assert_null(strstr(printed, "cccc"));
	assert_true(strstr(printed, "bbbb") < strstr(printed, "aaaa"));
	assert_int_equal(top(fd, 20, false), 0);
	assert_printed("cccc");
	close(fd);
}

static void test_top_of_nothing(void **state)
{
	int fd = open_records();

	(void)state;
	assert_int_equal(top(fd, 20, true), 0);
	assert_printed("\"contents\": 0");
	close(fd);
	assert_true(index_top_show(-1, 20, true, &(struct err){ 0 }) < 0);
}

static void test_rescan(void **state)
{
	char path[4096], text[8] = "";
	struct err err = { 0 };
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/rescan", dir);
	assert_int_equal(umigdev_rescan(path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "load the module"));
	write_text("rescan", "");
	assert_int_equal(umigdev_rescan(path, &err), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 1);
	assert_int_equal(text[0], '1');
	close(fd);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ksm_is_read),
		TEST(test_no_ksm),
		TEST(test_advice),
		TEST(test_advice_with_an_advisor),
		TEST(test_warning_at_start),
		TEST(test_coverage),
		TEST(test_top),
		TEST(test_top_of_nothing),
		TEST(test_rescan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
