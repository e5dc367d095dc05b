// SPDX-License-Identifier: GPL-2.0
/*
 * What the module tells of itself: files of sysfs agree with INFO and STAT,
 * tracepoints say what has been done, and events come to those whom they concern.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define SYSFS "/sys/class/misc/umig/"
#define TRACING "/sys/kernel/tracing/"
#define CONTENTS 64
#define PAGES (2 * CONTENTS)
#define SEED 77000

static struct region region;
static digest_t digests[CONTENTS];
static uint32_t leases[CONTENTS];

static int set_up(void)
{
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	ksm_run();
	region_map(&region, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	if (!dev_settle(fd))
		bail("not settled");
	return fd;
}

static void tear_down(int fd)
{
	region_unmap(&region);
	close(fd);
}

/* The file's text without its newline; empty if it can't be read. */
static const char *text_of(const char *name)
{
	static char text[128];
	char path[256];
	FILE *f;

	text[0] = '\0';
	snprintf(path, sizeof(path), SYSFS "%s", name);
	f = fopen(path, "r");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static uint64_t number_of(const char *name)
{
	const char *text = text_of(name);
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	CHECK(*text && !*end, "%s: \"%s\"", name, text);
	return n;
}

static void test_info(void)
{
	int fd = set_up();
	struct umig_info info = dev_info(fd);
	char key_id[2 * UMIG_KEY_ID_SIZE + 1];

	sodium_bin2hex(key_id, sizeof(key_id), info.key_id,
		       sizeof(info.key_id));
	CHECK(!strcmp(text_of("mode"), "hooks"), "mode");
	CHECK(!strcmp(text_of("key_id"), key_id), "key_id");
	CHECK(number_of("generation") == info.generation, "generation");
	CHECK(number_of("hashed_pages") == info.hashed_pages &&
	      info.hashed_pages >= CONTENTS, "hashed_pages");
	CHECK(number_of("merged_pages") == info.merged_pages, "merged_pages");
	/* Entries that were replaced are freed when readers are done. */
	CHECK(number_of("index_bytes") > 0 &&
	      number_of("index_bytes") <= info.index_limit_bytes,
	      "index_bytes");
	CHECK(number_of("index_limit_bytes") == info.index_limit_bytes,
	      "index_limit_bytes");
	tear_down(fd);
	module_reload("");
	CHECK(!strcmp(text_of("key_id"), ""), "a key_id without a key");
}

static void test_stat(void)
{
	int fd = set_up();
	struct umig_stat stat;
	unsigned int files = 0;
	struct dirent *entry;
	char name[280];
	uint32_t held;
	DIR *dir;

	REQUIRE(!dev_confirm(fd, digests, CONTENTS, leases, &held) &&
		held == CONTENTS, "not all held");
	stat = dev_stat(fd);
	CHECK(number_of("stat/leases") == CONTENTS, "leases");
	CHECK(number_of("stat/confirm_held") == CONTENTS, "confirm_held");
	CHECK(number_of("stat/confirm_asked") == CONTENTS, "confirm_asked");
	CHECK(number_of("stat/hashed") == stat.hashed, "hashed");
	CHECK(number_of("stat/lease_reclaimed") == stat.lease_reclaimed,
	      "the last one");
	dir = opendir(SYSFS "stat");
	REQUIRE(dir, SYSFS "stat: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "stat/%s", entry->d_name);
		number_of(name);
		files++;
	}
	closedir(dir);
	CHECK(files == (sizeof(stat) - 8) / sizeof(uint64_t),
	      "%u files for %zu counters", files,
	      (sizeof(stat) - 8) / sizeof(uint64_t));
	tear_down(fd);
}

static void expect_mode(const char *name, unsigned int mode)
{
	struct stat st;
	char path[256];

	snprintf(path, sizeof(path), SYSFS "%s", name);
	REQUIRE(!stat(path, &st), "%s: %s", path, strerror(errno));
	CHECK((st.st_mode & 07777) == mode, "%s: mode %o, should be %o", path,
	      st.st_mode & 07777, mode);
}

static void test_modes(void)
{
	int fd = dev_fresh("");

	expect_mode("mode", 0444);
	expect_mode("hashed_pages", 0444);
	expect_mode("key_id", 0400);
	expect_mode("rescan", 0200);
	expect_mode("stat/confirm_held", 0400);
	close(fd);
}

static bool scanned(void *arg)
{
	return number_of("stat/rescans") > *(uint64_t *)arg;
}

static void test_rescan(void)
{
	int fd = dev_fresh("");
	uint64_t before = number_of("stat/rescans");

	CHECK(write_file(SYSFS "rescan", "0") == -EINVAL, "0 is taken");
	CHECK(write_file(SYSFS "rescan", "2") == -EINVAL, "2 is taken");
	CHECK(write_file(SYSFS "rescan", "now") == -EINVAL, "a word is taken");
	CHECK(number_of("stat/rescans") == before, "a scan all the same");
	REQUIRE(!write_file(SYSFS "rescan", "1"), "rescan");
	CHECK(wait_until(scanned, &before, 60000), "no scan");
	close(fd);
}

/* How many lines of the trace have @event and @words. */
static unsigned int traced(const char *event, const char *words)
{
	FILE *f = fopen(TRACING "trace", "r");
	unsigned int n = 0;
	char line[512], name[64];

	if (!CHECK(f, TRACING "trace: %s", strerror(errno)))
		return 0;
	snprintf(name, sizeof(name), " %s: ", event);
	while (fgets(line, sizeof(line), f))
		n += line[0] != '#' && strstr(line, name) &&
		     strstr(line, words);
	fclose(f);
	return n;
}

static void expect_traced(const char *event, const char *words,
			  unsigned int want)
{
	unsigned int n = traced(event, words);

	CHECK(n == want, "%s with \"%s\": %u times, should be %u", event,
	      words, n, want);
}

static bool trace_begin(void)
{
	if (access(TRACING "trace", F_OK) &&
	    mount("tracefs", TRACING, "tracefs", 0, NULL)) {
		test_skip("no tracefs: %s", strerror(errno));
		return false;
	}
	write_file(TRACING "trace", "");
	return CHECK(!write_file(TRACING "events/umig/enable", "1"),
		     "the events can't be switched on");
}

static void lease_and_fill(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	uint32_t held, filled, shared, released;
	struct umig_fill_item item = {};
	uint8_t classes[PAGES];
	digest_t found[PAGES];

	REQUIRE(!dev_range(fd, region.base, PAGES, classes, found), "RANGE");
	REQUIRE(!dev_confirm(fd, digests, CONTENTS, leases, &held) &&
		held == CONTENTS, "not all held");
	REQUIRE(!dev_fill_page(fd, leases[0], page), "FILL");
	item.addr = (uintptr_t)page;
	item.lease = leases[0];
	REQUIRE(!dev_share(fd, &item, 1, &filled, &shared), "SHARE");
	REQUIRE(!dev_release_all(fd, &released), "RELEASE");
}

static void test_trace(void)
{
	uint64_t before;
	int fd = set_up();

	if (!trace_begin())
		goto out;
	lease_and_fill(fd);
	expect_traced("umig_range", "pages=128 digests=128 trusted=1", 1);
	expect_traced("umig_confirm",
		      "uid=0 asked=64 held=64 other_group=0", 1);
	expect_traced("umig_lease", "uid=0 id=", CONTENTS);
	expect_traced("umig_fill", "asked=1 filled=1", 1);
	expect_traced("umig_share", "asked=1 filled=1 shared=0", 1);
	expect_traced("umig_lease_end", "why=released", CONTENTS);

	before = number_of("stat/rescans");
	REQUIRE(!write_file(SYSFS "rescan", "1"), "rescan");
	REQUIRE(wait_until(scanned, &before, 60000), "no scan");
	CHECK(traced("umig_scan", "begin") >= 1 &&
	      traced("umig_scan", "end found=") >= 1, "no scan traced");

	/* Another key: everything is hashed anew. */
	write_file(TRACING "trace", "");
	REQUIRE(!dev_set_key(fd, (const uint8_t *)
			     "another key of thirty-two bytes!"), "SET_KEY");
	REQUIRE(dev_settle(fd), "not settled");
	expect_traced("umig_generation", "generation=", 1);
	CHECK(traced("umig_hash", "err=0") >= CONTENTS, "%u pages hashed",
	      traced("umig_hash", "err=0"));
	write_file(TRACING "events/umig/enable", "0");
out:
	tear_down(fd);
}

static void test_unload_while_traced(void)
{
	int fd = set_up();

	if (!trace_begin()) {
		tear_down(fd);
		return;
	}
	lease_and_fill(fd);
	tear_down(fd);
	CHECK(!module_unload(), "it can't be unloaded");
	CHECK(access(TRACING "events/umig", F_OK) && errno == ENOENT,
	      "the events are still there");
	CHECK(access(SYSFS, F_OK) && errno == ENOENT, "sysfs is still there");
}

static struct umig_events events(int fd)
{
	struct umig_events arg = { .size = sizeof(arg) };
	int err = dev_ioctl(fd, UMIG_IOC_EVENTS, &arg);

	CHECK(!err, "EVENTS: %s", strerror(-err));
	return arg;
}

/* Waits until there is an event that the file hasn't been told of. */
static bool comes(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, timeout_ms) == 1 && p.revents == POLLPRI;
}

static void expect_event(int fd, uint32_t want)
{
	uint32_t got;

	CHECK(comes(fd, 60000), "poll doesn't tell of event %u", want);
	got = events(fd).events;
	CHECK(got == want, "events %#x, should be %#x", got, want);
	CHECK(!comes(fd, 0), "the same event again");
}

static void test_no_events(void)
{
	int fd = dev_fresh("");
	int other = dev_open();
	struct pollfd p = { .fd = other, .events = POLLIN | POLLPRI };
	struct umig_events e = events(other);

	CHECK(e.events == 0 && e.leases_lost == 0, "events %#x at first",
	      e.events);
	CHECK(e.generation == dev_info(fd).generation &&
	      e.mode == UMIG_MODE_HOOKS && !e.reserved, "generation or mode");
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN,
	      "poll says %#x", p.revents);
	close(other);
	close(fd);
}

static void test_generation_event(void)
{
	int fd = dev_fresh("");

	events(fd);
	REQUIRE(!dev_set_key(fd, test_key), "SET_KEY");
	CHECK(!comes(fd, 0), "the same key is an event");
	REQUIRE(!dev_set_key(fd, (const uint8_t *)
			     "another key of thirty-two bytes!"), "SET_KEY");
	expect_event(fd, UMIG_EVENT_GENERATION);
	CHECK(events(fd).generation == dev_info(fd).generation, "generation");
	close(fd);
}

static void test_lease_event(void)
{
	int fd = set_up(), other = dev_open();
	uint32_t held, released;
	struct umig_events e;

	events(fd);
	REQUIRE(!dev_confirm(fd, digests, CONTENTS, leases, &held) &&
		held == CONTENTS, "not all held");
	REQUIRE(!dev_release(fd, leases, 1, &released) && released == 1,
		"RELEASE");
	CHECK(!comes(fd, 0), "RELEASE is an event");
	/* All but that one time out; the clock ticks once a second. */
	module_param("lease_ttl_ms", 1);
	CHECK(comes(fd, 60000), "poll doesn't tell of lost leases");
	e = events(fd);
	held = e.leases_lost;
	while (held < CONTENTS - 1 && comes(fd, 60000))
		held += events(fd).leases_lost;
	CHECK(e.events == UMIG_EVENT_LEASES && held == CONTENTS - 1,
	      "events %#x, %u leases", e.events, held);
	CHECK(!comes(other, 0), "another file is told of it");
	close(other);
	tear_down(fd);
}

#define HOOKS_SWITCH "/proc/sys/kernel/ftrace_enabled"

static void test_mode_event(void)
{
	int fd = dev_fresh("");
	struct umig_events e;

	events(fd);
	if (write_file(HOOKS_SWITCH, "0")) {
		test_skip("%s can't be written", HOOKS_SWITCH);
		close(fd);
		return;
	}
	expect_event(fd, UMIG_EVENT_MODE);
	CHECK(events(fd).mode == UMIG_MODE_SCAN, "mode %u", events(fd).mode);
	CHECK(!strcmp(text_of("mode"), "scan"), "sysfs says %s",
	      text_of("mode"));
	REQUIRE(!write_file(HOOKS_SWITCH, "1"), "%s", HOOKS_SWITCH);
	CHECK(comes(fd, 60000), "poll doesn't tell that they are alive");
	e = events(fd);
	CHECK(e.mode == UMIG_MODE_HOOKS && e.events ==
	      (UMIG_EVENT_MODE | UMIG_EVENT_GENERATION), "events %#x, mode %u",
	      e.events, e.mode);
	close(fd);
}

/* An answer that can't be given hasn't told of anything. */
static void test_event_not_told(void)
{
	int fd = dev_fresh("");
	struct umig_events *arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(arg != MAP_FAILED, "mmap");
	events(fd);
	REQUIRE(!dev_set_key(fd, (const uint8_t *)
			     "another key of thirty-two bytes!"), "SET_KEY");
	arg->size = sizeof(*arg);
	mprotect(arg, PAGE, PROT_READ);
	CHECK(dev_ioctl(fd, UMIG_IOC_EVENTS, arg) == -EFAULT, "no EFAULT");
	CHECK(comes(fd, 0), "the event is lost");
	CHECK(events(fd).events & UMIG_EVENT_GENERATION, "it isn't told");
	munmap(arg, PAGE);
	close(fd);
}

static const struct test_case cases[] = {
	{ "sysfs agrees with INFO", test_info },
	{ "sysfs has every counter of STAT", test_stat },
	{ "who may read what", test_modes },
	{ "rescan", test_rescan },
	{ "tracepoints", test_trace },
	{ "no event without cause", test_no_events },
	{ "event: another generation", test_generation_event },
	{ "event: leases lost", test_lease_event },
	{ "event: hooks dead, and alive again", test_mode_event },
	{ "event: not told", test_event_not_told },
	{ "unloading while events are on", test_unload_while_traced },
};

int main(void)
{
	size_t i;
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, digests[i]);
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
