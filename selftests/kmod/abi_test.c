// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of the ioctls: which mistake leads to which errno, for each of
 * them, and that a call that fails leases nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi_layout.h"
#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 64
#define SEED 900

#define BAD_POINTER ((uintptr_t)PAGE)	/* never mapped */

static struct region region;
static digest_t held_digests[PAGES];
static uint32_t leases[PAGES];
static struct umig_run runs[2048];
static digest_t digests[2048];
static struct umig_fill_item items[2048];

/* A valid argument for each ioctl, to be spoilt in one place. */
static struct umig_info info_arg(void)
{
	return (struct umig_info){ .size = sizeof(struct umig_info) };
}

static struct umig_set_key set_key_arg(void)
{
	struct umig_set_key arg = { .size = sizeof(arg) };

	memcpy(arg.key, test_key, sizeof(arg.key));
	return arg;
}

static struct umig_range range_arg(void)
{
	return (struct umig_range){
		.size = sizeof(struct umig_range),
		.mem_fd = -1,
		.nr_pages = PAGES,
		.addr = (uintptr_t)region.base,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)digests,
		.nr_runs = PAGES,
		.nr_digests = PAGES,
	};
}

static struct umig_confirm confirm_arg(void)
{
	return (struct umig_confirm){
		.size = sizeof(struct umig_confirm),
		.digests = (uintptr_t)held_digests,
		.leases = (uintptr_t)leases,
		.nr = PAGES,
	};
}

static struct umig_fill fill_arg(void)
{
	return (struct umig_fill){
		.size = sizeof(struct umig_fill),
		.items = (uintptr_t)items,
		.nr = 1,
	};
}

static struct umig_share share_arg(void)
{
	return (struct umig_share){
		.size = sizeof(struct umig_share),
		.items = (uintptr_t)items,
		.nr = 1,
	};
}

static struct umig_release release_arg(void)
{
	return (struct umig_release){
		.size = sizeof(struct umig_release),
		.leases = (uintptr_t)leases,
		.nr = 1,
	};
}

static struct umig_stat stat_arg(void)
{
	return (struct umig_stat){ .size = sizeof(struct umig_stat) };
}

/* The common group's, so that nothing changes. */
static struct umig_join join_arg(void)
{
	return (struct umig_join){ .size = sizeof(struct umig_join) };
}

static struct umig_events events_arg(void)
{
	return (struct umig_events){ .size = sizeof(struct umig_events) };
}

/* All ioctls in one table, for what is common to all. */
union any_arg {
	uint32_t size;
	struct {
		uint32_t size_, flags;
	};
	struct umig_info info;
	struct umig_set_key set_key;
	struct umig_range range;
	struct umig_confirm confirm;
	struct umig_fill fill;
	struct umig_release release;
	struct umig_stat stat;
	struct umig_join join;
	struct umig_share share;
	struct umig_events events;
	char bytes[2 * PAGE];
};

struct ioctl_kind {
	const char *name;
	unsigned long nr;
	uint32_t size;
	uint32_t first_size;
	bool needs_key;
	bool answers;
};

#define FIRST_STAT offsetof(struct umig_stat, confirm_other_group)

#define KIND(name, type, first, needs_key, answers)			\
	{ #name, UMIG_IOC_##name, sizeof(struct type), first, needs_key, answers }
#define UNCHANGED(name, type, needs_key, answers)			\
	KIND(name, type, sizeof(struct type), needs_key, answers)

static const struct ioctl_kind kinds[] = {
	UNCHANGED(INFO, umig_info, false, true),
	UNCHANGED(SET_KEY, umig_set_key, false, false),
	UNCHANGED(RANGE, umig_range, true, true),
	UNCHANGED(CONFIRM, umig_confirm, true, true),
	UNCHANGED(FILL, umig_fill, true, true),
	UNCHANGED(RELEASE, umig_release, true, true),
	KIND(STAT, umig_stat, FIRST_STAT, false, true),
	UNCHANGED(JOIN, umig_join, false, false),
	UNCHANGED(SHARE, umig_share, true, true),
	UNCHANGED(EVENTS, umig_events, false, true),
};

static void valid_arg(unsigned long nr, union any_arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	switch (nr) {
	case UMIG_IOC_INFO:
		arg->info = info_arg();
		break;
	case UMIG_IOC_SET_KEY:
		arg->set_key = set_key_arg();
		break;
	case UMIG_IOC_RANGE:
		arg->range = range_arg();
		break;
	case UMIG_IOC_CONFIRM:
		arg->confirm = confirm_arg();
		break;
	case UMIG_IOC_FILL:
		arg->fill = fill_arg();
		break;
	case UMIG_IOC_RELEASE:
		arg->release = release_arg();
		break;
	case UMIG_IOC_STAT:
		arg->stat = stat_arg();
		break;
	case UMIG_IOC_JOIN:
		arg->join = join_arg();
		break;
	case UMIG_IOC_SHARE:
		arg->share = share_arg();
		break;
	case UMIG_IOC_EVENTS:
		arg->events = events_arg();
		break;
	}
}

static void expect(int got, int want, const char *name, const char *what)
{
	CHECK(got == -want, "%s, %s: %s, should be %s", name, what,
	      strerror(-got), strerror(want));
}

static void test_unknown(void)
{
	int fd = dev_fresh("");
	char arg[PAGE] = {};

	expect(dev_ioctl(fd, _IO(UMIG_IOC_TYPE, 0x7f), arg), ENOTTY,
	       "number 127", "unknown");
	expect(dev_ioctl(fd, _IO(UMIG_IOC_TYPE, 0xff), arg), ENOTTY,
	       "number 255", "unknown");
	expect(dev_ioctl(fd, _IO(UMIG_IOC_TYPE + 1, 0), arg), ENOTTY,
	       "another type", "unknown");
	expect(dev_ioctl(fd, _IOWR(UMIG_IOC_TYPE, 0, struct umig_info), arg),
	       ENOTTY, "INFO with a size in its number", "unknown");
	close(fd);
}

static void test_sizes(void)
{
	int fd = dev_fresh("");
	union any_arg arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct ioctl_kind *k = &kinds[i];

		valid_arg(k->nr, &arg);
		arg.size = 0;
		expect(dev_ioctl(fd, k->nr, &arg), EINVAL, k->name, "size 0");
		arg.size = k->first_size - 1;
		expect(dev_ioctl(fd, k->nr, &arg), EINVAL, k->name,
		       "size too small");
		valid_arg(k->nr, &arg);
		arg.size = k->first_size;
		expect(dev_ioctl(fd, k->nr, &arg), 0, k->name,
		       "the first version's size");
		arg.size = sizeof(arg);
		expect(dev_ioctl(fd, k->nr, &arg), E2BIG, k->name,
		       "size above a page");
		valid_arg(k->nr, &arg);
		arg.size = k->size + 8;
		expect(dev_ioctl(fd, k->nr, &arg), 0, k->name,
		       "larger and zero");
		valid_arg(k->nr, &arg);
		arg.size = k->size + 8;
		arg.bytes[k->size + 7] = 1;
		expect(dev_ioctl(fd, k->nr, &arg), E2BIG, k->name,
		       "larger and not zero");
	}
	close(fd);
}

static void test_pointers(void)
{
	int fd = dev_fresh("");
	char *two, *readonly;
	union any_arg arg;
	size_t i;

	two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(two != MAP_FAILED && readonly != MAP_FAILED, "mmap");
	munmap(two + PAGE, PAGE);

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct ioctl_kind *k = &kinds[i];

		expect(dev_ioctl(fd, k->nr, NULL), EFAULT, k->name,
		       "no argument");
		valid_arg(k->nr, &arg);
		memcpy(two + PAGE - 8, &arg, 8);
		expect(dev_ioctl(fd, k->nr, two + PAGE - 8), EFAULT, k->name,
		       "argument cut off");
		if (!k->answers)
			continue;
		mprotect(readonly, PAGE, PROT_READ | PROT_WRITE);
		memcpy(readonly, &arg, PAGE);
		mprotect(readonly, PAGE, PROT_READ);
		expect(dev_ioctl(fd, k->nr, readonly), EFAULT, k->name,
		       "argument not writable");
	}
	CHECK(dev_stat(fd).leases == 0, "leases left by calls that failed");
	munmap(two, PAGE);
	munmap(readonly, PAGE);
	close(fd);
}

static void test_flags(void)
{
	int fd = dev_fresh("");
	union any_arg arg;
	uint32_t bit;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct ioctl_kind *k = &kinds[i];

		for (bit = 0; bit < 32; bit++) {
			if (k->nr == UMIG_IOC_RELEASE && bit == 0)
				continue;
			valid_arg(k->nr, &arg);
			arg.flags = 1u << bit;
			expect(dev_ioctl(fd, k->nr, &arg), EINVAL, k->name,
			       "unknown flag");
		}
	}
	close(fd);
}

static void test_no_key(void)
{
	union any_arg arg;
	char buf[256];
	size_t i;
	int fd;

	module_reload("");
	fd = dev_open();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].nr == UMIG_IOC_SET_KEY)
			continue;
		valid_arg(kinds[i].nr, &arg);
		expect(dev_ioctl(fd, kinds[i].nr, &arg),
		       kinds[i].needs_key ? ENOKEY : 0, kinds[i].name,
		       "no key");
	}
	CHECK(read(fd, buf, sizeof(buf)) < 0 && errno == ENOKEY,
	      "read without a key");
	close(fd);
}

/* Returns the child's verdict; it has the open file but no privilege. */
static int as_nobody(int (*fn)(int fd), int fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(255);
		_exit(-fn(fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static int try_set_key(int fd)
{
	return dev_set_key(fd, test_key);
}

static int try_open(int fd)
{
	(void)fd;
	return open("/dev/umig", O_RDWR) < 0 ? -errno : 0;
}

static int try_info(int fd)
{
	struct umig_info info = info_arg();

	return dev_ioctl(fd, UMIG_IOC_INFO, &info);
}

static void test_privilege(void)
{
	int fd = dev_fresh("");
	struct stat st;

	expect(as_nobody(try_set_key, fd), EPERM, "SET_KEY", "as nobody");
	expect(as_nobody(try_info, fd), 0, "INFO", "as nobody");
	expect(as_nobody(try_open, fd), EACCES, "open", "as nobody");
	REQUIRE(!stat("/dev/umig", &st), "stat");
	CHECK((st.st_mode & 07777) == 0660 && st.st_uid == 0,
	      "mode %o, owner %u", st.st_mode & 07777, st.st_uid);
	close(fd);
}

static void test_set_key(void)
{
	struct umig_set_key arg = { .size = sizeof(arg) };
	int fd = dev_fresh("");

	expect(dev_ioctl(fd, UMIG_IOC_SET_KEY, &arg), EINVAL, "SET_KEY",
	       "all zero");
	close(fd);
}

#define RANGE_CASE(what, want, change)					\
	do {								\
		struct umig_range a = range_arg();			\
									\
		change;							\
		expect(dev_ioctl(fd, UMIG_IOC_RANGE, &a), want,		\
		       "RANGE", what);					\
	} while (0)

static void test_range(void)
{
	int fd = dev_fresh("");
	uint32_t max = dev_info(fd).max_batch;

	REQUIRE(dev_settle(fd), "not settled");
	RANGE_CASE("valid", 0, (void)a);
	RANGE_CASE("unaligned", EINVAL, a.addr += 8);
	RANGE_CASE("no pages", EINVAL, a.nr_pages = 0);
	RANGE_CASE("too many pages", EINVAL, a.nr_pages = max + 1);
	RANGE_CASE("no room for runs", EINVAL, a.nr_runs = 0);
	RANGE_CASE("address wraps", EINVAL, a.addr = -(uint64_t)PAGE);
	RANGE_CASE("kernel address", 0, a.addr = 0xffff888000000000);
	RANGE_CASE("mem_fd: another file", EBADF, a.mem_fd = fd);
	RANGE_CASE("mem_fd: no file", EBADF, a.mem_fd = 1000);
	RANGE_CASE("mem_fd -2", EBADF, a.mem_fd = -2);
	RANGE_CASE("bad runs", EFAULT, a.runs = BAD_POINTER);
	RANGE_CASE("bad digests", EFAULT, a.digests = BAD_POINTER);
	RANGE_CASE("largest", 0, {
		a.nr_pages = max;
		a.nr_runs = max;
		a.nr_digests = max;
	});
	RANGE_CASE("more room than pages", 0, a.nr_runs = UINT32_MAX);
	close(fd);
}

#define CONFIRM_CASE(what, want, change)				\
	do {								\
		struct umig_confirm a = confirm_arg();			\
									\
		change;							\
		expect(dev_ioctl(fd, UMIG_IOC_CONFIRM, &a), want,	\
		       "CONFIRM", what);				\
		CHECK(dev_stat(fd).leases == 0,				\
		      "CONFIRM, %s: leases were taken", what);		\
	} while (0)

static void test_confirm(void)
{
	int fd = dev_fresh("");
	uint32_t max = dev_info(fd).max_batch;
	uint32_t held, released;

	REQUIRE(dev_settle(fd), "not settled");
	CONFIRM_CASE("none", EINVAL, a.nr = 0);
	CONFIRM_CASE("too many", EINVAL, a.nr = max + 1);
	CONFIRM_CASE("bad digests", EFAULT, a.digests = BAD_POINTER);
	CONFIRM_CASE("bad leases", EFAULT, a.leases = BAD_POINTER);
	/* So that the cases above had something to lease. */
	REQUIRE(!dev_confirm(fd, held_digests, PAGES, leases, &held) &&
		held == PAGES, "%u of %u held", held, PAGES);
	REQUIRE(!dev_release_all(fd, &released) && released == PAGES,
		"%u released", released);
	close(fd);
}

static void test_fill(void)
{
	int fd = dev_fresh("");
	struct umig_fill arg = fill_arg();
	uint32_t max = dev_info(fd).max_batch;

	arg.nr = 0;
	expect(dev_ioctl(fd, UMIG_IOC_FILL, &arg), EINVAL, "FILL", "none");
	arg.nr = max + 1;
	expect(dev_ioctl(fd, UMIG_IOC_FILL, &arg), EINVAL, "FILL",
	       "too many");
	arg.nr = max;
	expect(dev_ioctl(fd, UMIG_IOC_FILL, &arg), 0, "FILL", "largest");
	arg.items = BAD_POINTER;
	expect(dev_ioctl(fd, UMIG_IOC_FILL, &arg), EFAULT, "FILL",
	       "bad items");
	close(fd);
}

/* One item: what it answers for @addr and @lease. */
static int share_one(int fd, void *addr, uint32_t lease)
{
	uint32_t filled, shared;
	struct umig_fill_item item = {
		.addr = (uintptr_t)addr,
		.lease = lease,
		.result = 99,
	};
	int err = dev_share(fd, &item, 1, &filled, &shared);

	CHECK(err || (filled == (item.result >= 0) &&
		      shared == (item.result == 0)),
	      "counted %u and %u, but result %d", filled, shared,
	      item.result);
	return err ? err : item.result;
}

/* Memory of its own, nothing mergeable: what can't be shared is copied. */
static void share_items(int fd)
{
	uint32_t lease, held;
	char *two;

	two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(two != MAP_FAILED, "mmap");
	munmap(two + PAGE, PAGE);
	REQUIRE(!dev_confirm(fd, held_digests, 1, &lease, &held) && held == 1,
		"not held");
	expect(share_one(fd, two, lease), -UMIG_SHARE_COPIED, "SHARE",
	       "memory that isn't mergeable");
	CHECK(!memcmp(two, region.base, PAGE), "another content");
	expect(share_one(fd, two + 8, lease), EINVAL, "SHARE", "unaligned");
	expect(share_one(fd, two + PAGE, lease), EFAULT, "SHARE",
	       "nothing mapped");
	expect(share_one(fd, (void *)0xffff888000000000, lease), EFAULT,
	       "SHARE", "the kernel's memory");
	expect(share_one(fd, two, lease + 1), ENOENT, "SHARE", "no lease");
	mprotect(two, PAGE, PROT_READ);
	expect(share_one(fd, two, lease), EFAULT, "SHARE", "read-only memory");
	munmap(two, PAGE);
	two = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	madvise(two, PAGE, MADV_MERGEABLE);
	expect(share_one(fd, two, lease), -UMIG_SHARE_COPIED, "SHARE",
	       "shared memory");
	CHECK(!memcmp(two, region.base, PAGE), "another content");
	munmap(two, PAGE);
}

static void test_share(void)
{
	int fd = dev_fresh("share=1");
	struct umig_share arg = share_arg();
	uint32_t max = dev_info(fd).max_batch;

	arg.nr = 0;
	expect(dev_ioctl(fd, UMIG_IOC_SHARE, &arg), EINVAL, "SHARE", "none");
	arg.nr = max + 1;
	expect(dev_ioctl(fd, UMIG_IOC_SHARE, &arg), EINVAL, "SHARE",
	       "too many");
	arg.nr = max;
	expect(dev_ioctl(fd, UMIG_IOC_SHARE, &arg), 0, "SHARE", "largest");
	arg.reserved = 1;
	expect(dev_ioctl(fd, UMIG_IOC_SHARE, &arg), EINVAL, "SHARE",
	       "reserved");
	arg.reserved = 0;
	arg.items = BAD_POINTER;
	expect(dev_ioctl(fd, UMIG_IOC_SHARE, &arg), EFAULT, "SHARE",
	       "bad items");
	ksm_write("pages_to_scan", 1);
	ksm_write("run", 1);
	REQUIRE(dev_settle(fd), "not settled");
	share_items(fd);
	ksm_write("run", 0);
	close(fd);
}

static void test_release(void)
{
	int fd = dev_fresh("");
	struct umig_release arg = release_arg();
	uint32_t max = dev_info(fd).max_batch;

	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), 0, "RELEASE",
	       "unknown lease");
	CHECK(arg.nr_released == 0, "%u unknown leases released",
	      arg.nr_released);
	arg.nr = 0;
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), EINVAL, "RELEASE",
	       "none");
	arg.nr = max + 1;
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), EINVAL, "RELEASE",
	       "too many");
	arg.nr = 1;
	arg.leases = BAD_POINTER;
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), EFAULT, "RELEASE",
	       "bad leases");

	arg = (struct umig_release){ .size = sizeof(arg),
				     .flags = UMIG_RELEASE_ALL };
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), 0, "RELEASE", "all");
	arg.nr = 1;
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), EINVAL, "RELEASE",
	       "all, and a count");
	arg.nr = 0;
	arg.leases = (uintptr_t)leases;
	expect(dev_ioctl(fd, UMIG_IOC_RELEASE, &arg), EINVAL, "RELEASE",
	       "all, and a list");
	close(fd);
}

static void test_read(void)
{
	int fd = dev_fresh("");
	char buf[sizeof(struct umig_record)];

	CHECK(read(fd, buf, sizeof(buf) - 1) < 0 && errno == EINVAL,
	      "a buffer below a record");
	CHECK(read(fd, buf, 0) < 0 && errno == EINVAL, "an empty buffer");
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(read(fd, (void *)BAD_POINTER, sizeof(buf)) < 0 &&
	      errno == EFAULT, "a bad buffer");
	CHECK(lseek(fd, 0, SEEK_SET) == 0, "back to the start");
	CHECK(lseek(fd, 1, SEEK_SET) < 0 && errno == EINVAL, "seek to 1");
	CHECK(lseek(fd, 0, SEEK_CUR) < 0 && errno == EINVAL, "SEEK_CUR");
	CHECK(lseek(fd, 0, SEEK_END) < 0 && errno == EINVAL, "SEEK_END");
	CHECK(pread(fd, buf, sizeof(buf), INT64_MAX - PAGE) == 0,
	      "a position that is no position isn't the end");
	close(fd);
}

/*
 * ioctl() as a 32-bit program calls it, by the kernel's 32-bit entry; @arg is
 * below 4 GiB.  -ENOSYS: there is no such entry.
 */
static int ioctl32(int fd, unsigned long nr, void *arg)
{
	long ret = 54;

	__asm__ volatile("int $0x80" : "+a"(ret)
			 : "b"((long)fd), "c"(nr), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int try_ioctl32(int fd)
{
	/* getpid(2) of 32-bit programs, if it doesn't kill us */
	long ret = 20;

	(void)fd;
	__asm__ volatile("int $0x80" : "+a"(ret)
			 : : "memory", "r8", "r9", "r10", "r11");
	return ret == getpid() ? 0 : -ENOSYS;
}

static bool has_ioctl32(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-try_ioctl32(-1));
	return pid > 0 && waitpid(pid, &status, 0) == pid &&
	       WIFEXITED(status) && !WEXITSTATUS(status);
}

static void compare_info(int fd, union any_arg *arg)
{
	struct umig_info info = dev_info(fd);

	valid_arg(UMIG_IOC_INFO, arg);
	expect(ioctl32(fd, UMIG_IOC_INFO, arg), 0, "INFO", "32-bit");
	CHECK(!memcmp(&info, arg, sizeof(info)),
	      "INFO differs for a 32-bit program");
}

/* The whole way of a page, with nothing but 32-bit calls. */
static void fill_32bit(int fd, union any_arg *arg, char *page)
{
	valid_arg(UMIG_IOC_CONFIRM, arg);
	expect(ioctl32(fd, UMIG_IOC_CONFIRM, arg), 0, "CONFIRM", "32-bit");
	CHECK(arg->confirm.nr_held == PAGES, "%u held", arg->confirm.nr_held);
	items[0] = (struct umig_fill_item){ (uintptr_t)page, leases[0], 99 };
	valid_arg(UMIG_IOC_FILL, arg);
	expect(ioctl32(fd, UMIG_IOC_FILL, arg), 0, "FILL", "32-bit");
	CHECK(!items[0].result && !memcmp(page, region.base, PAGE),
	      "result %d, or another content", items[0].result);
	valid_arg(UMIG_IOC_RELEASE, arg);
	arg->release.nr = PAGES;
	expect(ioctl32(fd, UMIG_IOC_RELEASE, arg), 0, "RELEASE", "32-bit");
	CHECK(arg->release.nr_released == PAGES, "%u released",
	      arg->release.nr_released);
}

static void test_32bit(void)
{
	int fd = dev_fresh("");
	union any_arg *arg = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
				  0);
	size_t i;

	REQUIRE(arg != MAP_FAILED, "mmap");
	if (!has_ioctl32()) {
		test_skip("this kernel has no 32-bit system calls");
		goto out;
	}
	REQUIRE(dev_settle(fd), "not settled");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		valid_arg(kinds[i].nr, arg);
		expect(ioctl32(fd, kinds[i].nr, arg), 0, kinds[i].name,
		       "32-bit");
		valid_arg(kinds[i].nr, arg);
		arg->flags = 1u << 31;
		expect(ioctl32(fd, kinds[i].nr, arg), EINVAL, kinds[i].name,
		       "32-bit, unknown flag");
		expect(ioctl32(fd, kinds[i].nr, NULL), EFAULT, kinds[i].name,
		       "32-bit, no argument");
	}
	dev_release_all(fd, &(uint32_t){ 0 });
	expect(ioctl32(fd, _IO(UMIG_IOC_TYPE, 0x7f), arg), ENOTTY,
	       "number 127", "32-bit");
	compare_info(fd, arg);
	fill_32bit(fd, arg, (char *)arg + 3 * PAGE);
out:
	munmap(arg, 4 * PAGE);
	close(fd);
}

static void test_join(void)
{
	int fd = dev_fresh("");
	struct umig_join arg = join_arg();
	int other = dev_open();

	/* The common group changes nothing but that it can't be left. */
	expect(dev_ioctl(fd, UMIG_IOC_JOIN, &arg), 0, "JOIN", "common");
	expect(dev_ioctl(fd, UMIG_IOC_JOIN, &arg), 0, "JOIN", "twice");
	arg.group[0] = 1;
	expect(dev_ioctl(fd, UMIG_IOC_JOIN, &arg), EBUSY, "JOIN",
	       "another group on that file");
	CHECK(dev_stat(other).group_members == 0, "a member by mistake");
	close(other);
	close(fd);
}

/* Limits that would be none, or none that one can live with, are refused. */
static void test_parameters(void)
{
	static const struct {
		const char *name, *value;
		int want;
	} tries[] = {
		{ "lease_ttl_ms", "0", EINVAL },
		{ "lease_grace_ms", "0", EINVAL },
		{ "leases_per_file", "0", EINVAL },
		{ "leases_per_uid", "0", EINVAL },
		{ "leases_total", "-1", EINVAL },
		{ "members_total", "0", EINVAL },
		{ "confirm_rate", "1023", EINVAL },
		{ "confirm_rate", "fast", EINVAL },
		{ "confirm_rate", "0", 0 },
		{ "confirm_rate", "1024", 0 },
	};
	int fd = dev_fresh("");
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		snprintf(path, sizeof(path),
			 "/sys/module/umig/parameters/%s", tries[i].name);
		expect(write_file(path, tries[i].value), tries[i].want,
		       tries[i].name, tries[i].value);
	}
	close(fd);
}

static const struct test_case cases[] = {
	{ "unknown ioctls", test_unknown },
	{ "sizes of arguments", test_sizes },
	{ "pointers to arguments", test_pointers },
	{ "unknown flags", test_flags },
	{ "no key", test_no_key },
	{ "privilege", test_privilege },
	{ "SET_KEY", test_set_key },
	{ "RANGE", test_range },
	{ "CONFIRM leases nothing on an error", test_confirm },
	{ "FILL", test_fill },
	{ "SHARE", test_share },
	{ "RELEASE", test_release },
	{ "read and lseek", test_read },
	{ "JOIN", test_join },
	{ "32-bit programs", test_32bit },
	{ "module parameters", test_parameters },
};

int main(void)
{
	size_t i;

	if (sodium_init() < 0)
		bail("libsodium");
	ksm_reset();
	ksm_run();
	region_map(&region, PAGES, PAGES / 2, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	for (i = 0; i < PAGES; i++)
		digest_of_page(region.base + i * PAGE, held_digests[i]);
	return test_main(cases, ARRAY_SIZE(cases));
}
