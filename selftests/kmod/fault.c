// SPDX-License-Identifier: GPL-2.0
/*
 * Fault injection's files; see fault.h and the kernel's
 * Documentation/fault-injection/fault-injection.rst.
 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define DEBUGFS "/sys/kernel/debug/"
#define MAX_SWEEP 5000
#define MANY 1000000000u

#define CONSOLE_LEVEL 8		/* syslog(2) */
#define LEVEL_SILENT 1
#define LEVEL_LAB 5

static int nth_fd = -1;
static int log_fd = -1;

static const char *const points[] = { "failslab", "fail_page_alloc" };

static void set(const char *knob, const char *value)
{
	char path[128];
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", points[i], knob);
		err = write_file(path, value);
		if (err)
			bail("%s: %s", path, strerror(-err));
	}
}

static bool is_there(void)
{
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/probability",
			 points[i]);
		if (access(path, W_OK))
			return false;
	}
	nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	return nth_fd >= 0;
}

/* Each read(2) is one message; those from before don't count. */
static void open_log(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
		bail("/dev/kmsg: %s", strerror(errno));
}

bool fault_begin(void)
{
	if (!is_there()) {
		test_skip("this kernel can't inject faults (FAULT_INJECTION, FAILSLAB, FAIL_PAGE_ALLOC): make check-kmod-debug");
		return false;
	}
	open_log();
	set("verbose", "0");
	set("probability", "0");
	/* Allocations that may sleep, as almost all of ours, fail too. */
	set("ignore-gfp-wait", "N");
	if (write_file(DEBUGFS "fail_page_alloc/min-order", "0"))
		bail("fail_page_alloc/min-order");
	klogctl(CONSOLE_LEVEL, NULL, LEVEL_SILENT);
	return true;
}

static bool is_trouble(const char *message)
{
	static const char *const words[] = {
		"WARNING: ", "BUG: ", "Oops", "KASAN", "INFO: possible",
		"INFO: inconsistent", "suspicious RCU", "refcount_t:",
		"ODEBUG: ", "Bad page state", "still has objects",
		"Objects remaining",
	};
	size_t i;

	/* Not a fault of ours: a reserve of the checker's own is used up. */
	if (strstr(message, "ODEBUG: Out of memory"))
		return false;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(message, words[i]))
			return true;
	return false;
}

static void check_log(void)
{
	char message[8192];
	ssize_t len;

	for (;;) {
		len = read(log_fd, message, sizeof(message) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* the oldest have been overwritten */
		if (len <= 0)
			break;
		message[len] = 0;
		CHECK(!is_trouble(message), "the kernel says: %s", message);
	}
	close(log_fd);
}

void fault_end(void)
{
	set("probability", "0");
	set("ignore-gfp-wait", "Y");
	close(nth_fd);
	check_log();
	klogctl(CONSOLE_LEVEL, NULL, LEVEL_LAB);
}

static void arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth_fd, text, len, 0) != len)
		bail(FAIL_NTH ": %s", strerror(errno));
}

/* How many allocations away the failure still is; 0: it has been. */
static unsigned int disarm(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) < 0)
		bail(FAIL_NTH ": %s", strerror(errno));
	arm(0);
	return strtoul(text, NULL, 10);
}

unsigned int fault_count(int (*run)(void))
{
	arm(MANY);
	run();
	return MANY - disarm();
}

/* Returns whether the n-th allocation has failed. */
static bool try(const struct fault_op *op, unsigned int n)
{
	bool fired;
	int err;

	if (op->prepare)
		op->prepare();
	arm(n);
	err = op->run();
	fired = !disarm();
	op->check(err, fired);
	return fired;
}

#define FIRED 1
#define FAILED 2

static void try_and_exit(const struct fault_op *op, unsigned int n)
{
	bool fired;

	/* It is this thread's allocations that shall fail. */
	close(nth_fd);
	nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		bail(FAIL_NTH ": %s", strerror(errno));
	fired = try(op, n);
	_exit((fired ? FIRED : 0) | (test_has_failed() ? FAILED : 0));
}

static bool try_forked(const struct fault_op *op, unsigned int n)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0)
		try_and_exit(op, n);
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && !(WEXITSTATUS(status) & FAILED),
	      "allocation %u: status %x", n, status);
	return WIFEXITED(status) && WEXITSTATUS(status) & FIRED;
}

static unsigned int sweep(const struct fault_op *op,
			  bool (*try_it)(const struct fault_op *, unsigned int))
{
	unsigned int first = op->first ? op->first : 1, n = first;

	while (n - first < MAX_SWEEP && try_it(op, n))
		n++;
	CHECK(n - first < MAX_SWEEP, "still failing after %u allocations", n);
	return n - first;
}

unsigned int fault_sweep(const struct fault_op *op)
{
	return sweep(op, try);
}

unsigned int fault_sweep_forked(const struct fault_op *op)
{
	return sweep(op, try_forked);
}
