// SPDX-License-Identifier: GPL-2.0
/*
 * The workload of the lab's guests: it fills the page cache, then works on its
 * memory and its disk for ever and checks what it finds there, so that a lost
 * or stale page, block or clock shows itself.
 *
 *	READY bytes		the files are read; work begins
 *	B beat ms mem disk dense	every 100 ms: number of the beat, monotonic
 *				clock, pages rewritten, files rewritten, passes
 *				of the dense writer
 *	WRONG ...		something isn't what was written
 *	REUSED			answer to the line "reuse N": the page cache was
 *				dropped, and N MiB of memory written in its place
 *	STOPPED			answer to the line "stop": all work has ended
 *
 * Every piece of data is a function of a seed and a sequence number, so that
 * all of it can be compared, not only a checksum of it.
 *
 *	worker DIR NAME=VALUE...
 *
 * with work in DIR and: read_mb (files to read), mem_kb and mem_rate (memory
 * rewritten, pages a second), files, file_kb and file_ms (disk, pause between
 * files), dense_kb (0: no dense writer), cold_mb (memory filled once, checked
 * page by page along with the rest, never written again).
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / 8)
#define FILES_MAX 64

struct option {
	const char *name;
	unsigned long value;
};

enum {
	READ_MB, MEM_KB, MEM_RATE, FILES, FILE_KB, FILE_MS, DENSE_KB, COLD_MB,
};

static struct option options[] = {
	[READ_MB] = { "read_mb", 110 },
	[MEM_KB] = { "mem_kb", 8192 },
	[MEM_RATE] = { "mem_rate", 400 },
	[FILES] = { "files", 8 },
	[FILE_KB] = { "file_kb", 128 },
	[FILE_MS] = { "file_ms", 250 },
	[DENSE_KB] = { "dense_kb", 0 },
	[COLD_MB] = { "cold_mb", 0 },
};

static const char *dir;
static uint64_t seed;
static atomic_ullong mem_count, disk_count, dense_count;
static atomic_bool stopping;

static unsigned long option(int which)
{
	return options[which].value;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* What page @id has to hold after it was written for the @seq-th time. */
static void page_fill(uint64_t *page, uint64_t id, uint64_t seq)
{
	uint64_t x = mix(seed ^ mix(id) ^ (seq << 32));

	for (int i = 0; i < WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		page[i] = x;
	}
}

static bool page_check(const uint64_t *page, uint64_t id, uint64_t seq,
		       const char *what)
{
	uint64_t want[WORDS];

	page_fill(want, id, seq);
	if (!memcmp(page, want, PAGE))
		return true;
	for (int i = 0; i < WORDS; i++) {
		if (page[i] == want[i])
			continue;
		printf("WRONG %s: page %llu write %llu word %d: %016llx, not "
		       "%016llx\n", what, (unsigned long long)id,
		       (unsigned long long)seq, i,
		       (unsigned long long)page[i],
		       (unsigned long long)want[i]);
		break;
	}
	return false;
}

static void die(const char *what)
{
	printf("WRONG worker: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec t = {
		.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000,
	};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static void *memory_get(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("memory");
	return p;
}

/* Memory written once: what was placed at a migration stays checkable. */
static uint64_t *cold_start(size_t *pages)
{
	uint64_t *mem;

	*pages = option(COLD_MB) * 256;
	if (!*pages)
		return NULL;
	mem = memory_get(*pages * PAGE);
	for (size_t i = 0; i < *pages; i++)
		page_fill(mem + i * WORDS, i | 1ull << 50, 0);
	return mem;
}

static void *mem_work(void *arg)
{
	size_t pages = option(MEM_KB) / 4, cold_pages, i = 0, c = 0;
	uint64_t *mem = memory_get(pages * PAGE), seq = 0;
	uint64_t *cold = cold_start(&cold_pages);
	unsigned int in_a_go = option(MEM_RATE) / 50 + 1;

	for (i = 0; i < pages; i++)
		page_fill(mem + i * WORDS, i, 0);
	while (!stopping) {
		for (unsigned int n = 0; n < in_a_go; n++) {
			if (i >= pages) {
				i = 0;
				seq++;
			}
			page_check(mem + i * WORDS, i, seq - 1, "memory");
			page_fill(mem + i * WORDS, i, seq);
			i++;
			mem_count++;
			if (cold_pages) {
				page_check(cold + c * WORDS, c | 1ull << 50, 0,
					   "cold memory");
				c = (c + 1) % cold_pages;
			}
		}
		sleep_ns(1000000000ull * in_a_go / option(MEM_RATE));
	}
	return arg;
}

static void file_io(const char *path, uint64_t id, uint64_t seq, bool write_it)
{
	int fd = open(path, write_it ? O_WRONLY | O_CREAT : O_RDONLY, 0600);
	size_t pages = option(FILE_KB) / 4;
	uint64_t page[WORDS];
	ssize_t n;

	if (fd < 0)
		die(path);
	/* Read what is on the disk, not what is in memory. */
	if (!write_it && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fadvise");
	for (size_t i = 0; i < pages; i++) {
		if (write_it) {
			page_fill(page, id << 20 | i, seq);
			n = write(fd, page, PAGE);
		} else {
			n = read(fd, page, PAGE);
		}
		if (n != PAGE)
			die(path);
		if (!write_it && !page_check(page, id << 20 | i, seq, path))
			break;
	}
	if (write_it && fsync(fd))
		die("fsync");
	close(fd);
}

/* Each file is checked twice: right after its fsync, and a cycle later. */
static void *disk_work(void *arg)
{
	unsigned long files = option(FILES);
	uint64_t seqs[FILES_MAX] = { 0 };
	char path[PATH_MAX];

	if (files > FILES_MAX) {
		errno = E2BIG;
		die("files");
	}
	for (unsigned long i = 0; files && !stopping; i = (i + 1) % files) {
		snprintf(path, sizeof(path), "%s/work.%lu", dir, i);
		if (seqs[i])
			file_io(path, i + 1, seqs[i], false);
		file_io(path, i + 1, ++seqs[i], true);
		file_io(path, i + 1, seqs[i], false);
		disk_count++;
		sleep_ns(option(FILE_MS) * 1000000);
	}
	return arg;
}

/* A few instructions a page: as fast as memory can be made dirty. */
static void *dense_work(void *arg)
{
	size_t pages = option(DENSE_KB) / 4;
	volatile uint64_t *mem;
	uint64_t pass, was;

	if (!pages)
		return arg;
	mem = memory_get(pages * PAGE);
	for (pass = 1; !stopping; pass++) {
		for (size_t i = 0; i < pages; i++) {
			was = mem[i * WORDS];
			mem[i * WORDS] = pass;
			if (was != pass - 1)
				printf("WRONG dense: page %zu: pass %llu, not "
				       "%llu\n", i, (unsigned long long)was,
				       (unsigned long long)pass - 1);
		}
		dense_count++;
	}
	return arg;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* In the same order in every guest, so that all read the same files. */
static unsigned long long read_files(void)
{
	unsigned long long want = option(READ_MB) << 20, done = 0;
	char *roots[] = { (char *)dir, NULL };
	static char chunk[256 << 10];
	FTSENT *e;
	FTS *fts;
	ssize_t n;
	int fd;

	fts = fts_open(roots, FTS_PHYSICAL, by_name);
	if (!fts)
		die(dir);
	while (done < want && (e = fts_read(fts))) {
		if (e->fts_info != FTS_F && e->fts_info != FTS_NSOK)
			continue;
		if (!strncmp(e->fts_name, "work.", 5))
			continue;
		fd = open(e->fts_accpath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0)
			continue;
		while (done < want && (n = read(fd, chunk, sizeof(chunk))) > 0)
			done += n;
		close(fd);
	}
	fts_close(fts);
	return done;
}

static void *beat_work(void *arg)
{
	const struct itimerspec every = {
		.it_value.tv_nsec = 100000000,
		.it_interval.tv_nsec = 100000000,
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	unsigned long long beat = 0, ms, last_ms = 0;
	struct timespec t;
	uint64_t ticks;

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL))
		die("timer");
	while (!stopping && read(fd, &ticks, sizeof(ticks)) == sizeof(ticks)) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		ms = t.tv_sec * 1000ull + t.tv_nsec / 1000000;
		if (ms < last_ms)
			printf("WRONG clock: %llu ms after %llu ms\n", ms,
			       last_ms);
		last_ms = ms;
		printf("B %llu %llu %llu %llu %llu\n", ++beat, ms,
		       atomic_load(&mem_count), atomic_load(&disk_count),
		       atomic_load(&dense_count));
	}
	return arg;
}

/*
 * Write to where the kernel had its page cache, as far as it goes: page by page,
 * since what is in one piece has been free before.
 */
static void reuse(size_t megabytes)
{
	size_t pages = megabytes * 256;
	uint64_t *mem = memory_get(pages * PAGE);
	FILE *f = fopen("/proc/sys/vm/drop_caches", "w");

	if (!f || fputs("1\n", f) < 0 || fclose(f))
		die("drop_caches");
	if (madvise(mem, pages * PAGE, MADV_NOHUGEPAGE))
		die("madvise");
	for (size_t i = 0; i < pages; i++)
		page_fill(mem + i * WORDS, i | 1ull << 51, 0);
	for (size_t i = 0; i < pages; i++)
		page_check(mem + i * WORDS, i | 1ull << 51, 0, "reused memory");
	munmap(mem, pages * PAGE);
	printf("REUSED\n");
}

/* Until the line "stop"; false if the input ends first. */
static bool obey(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "stop", 4))
			return true;
		if (!strncmp(line, "reuse ", 6))
			reuse(strtoul(line + 6, NULL, 0));
	}
	return false;
}

static void parse(int argc, char **argv)
{
	const size_t nr = sizeof(options) / sizeof(options[0]);
	size_t len, o;
	char *end;

	for (int i = 2; i < argc; i++) {
		len = strcspn(argv[i], "=");
		for (o = 0; o < nr; o++)
			if (strlen(options[o].name) == len &&
			    !strncmp(options[o].name, argv[i], len))
				break;
		if (o == nr || !argv[i][len])
			goto refuse;
		options[o].value = strtoul(argv[i] + len + 1, &end, 0);
		if (*end || end == argv[i] + len + 1)
			goto refuse;
		continue;
refuse:
		errno = EINVAL;
		die(argv[i]);
	}
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = {
		beat_work, mem_work, disk_work, dense_work,
	};
	pthread_t threads[4];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		errno = EINVAL;
		die("usage: worker DIR NAME=VALUE...");
	}
	dir = argv[1];
	parse(argc, argv);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("getrandom");
	printf("READY %llu\n", read_files());
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, work[i], NULL))
			die("thread");
	if (obey())
		stopping = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("STOPPED\n");
	return 0;
}
