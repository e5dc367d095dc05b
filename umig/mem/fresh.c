// SPDX-License-Identifier: GPL-2.0
/*
 * Fresh pages: see fresh.h.
 *
 * Exactly the pages being written are under the userfaultfd, and for as long as
 * that takes: everybody else, KVM and the module too, sees plain memory.
 */
#include "mem/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/memslots.h"

/* For fewer than that page faults are cheaper; */
#define POPULATE_MIN 4
/* and for fewer than that, populating. */
#define UFFD_MIN 16
/* 256 KiB stay in the cache between being populated and written. */
#define POPULATE_PAGES 64

/* Not for faults in the kernel, which would need a privilege: only to copy. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

void fresh_init(struct fresh *f)
{
	struct uffdio_api api = { .api = UFFD_API };

	f->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (f->uffd >= 0 && ioctl(f->uffd, UFFDIO_API, &api))
		fresh_exit(f);
}

void fresh_exit(struct fresh *f)
{
	if (f->uffd >= 0)
		close(f->uffd);
	f->uffd = -1;
}

/* How many pages are written then. */
static size_t copy(int uffd, void *to, const void *from, size_t pages)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = pages * UMIG_PAGE_SIZE,
	};

	/* stops in front of a page that is there */
	if (ioctl(uffd, UFFDIO_COPY, &c) && c.copy < 0)
		return 0;
	return c.copy / UMIG_PAGE_SIZE;
}

/* As copy(), or -errno. */
static ssize_t write_by_uffd(int uffd, void *to, const void *from,
			     size_t pages)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)to, pages * UMIG_PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	size_t done;

	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		return 0;
	done = copy(uffd, to, from, pages);
	/* else who touches the rest waits until the userfaultfd is closed */
	if (ioctl(uffd, UFFDIO_UNREGISTER, &reg.range))
		return -ENOMEM;	/* for its mappings */
	return done;
}

/* Before Linux 5.14 nothing is populated. */
static void write_populated(uint8_t *to, const uint8_t *from, size_t pages)
{
	size_t n;

	for (; pages; pages -= n) {
		n = pages < POPULATE_PAGES ? pages : POPULATE_PAGES;
		if (n >= POPULATE_MIN)
			madvise(to, n * UMIG_PAGE_SIZE, MADV_POPULATE_WRITE);
		memcpy(to, from, n * UMIG_PAGE_SIZE);
		to += n * UMIG_PAGE_SIZE;
		from += n * UMIG_PAGE_SIZE;
	}
}

int fresh_write(const struct fresh *f, void *to, const void *from,
		size_t pages)
{
	ssize_t done = 0;

	if (f->uffd >= 0 && pages >= UFFD_MIN)
		done = write_by_uffd(f->uffd, to, from, pages);
	if (done < 0)
		return done;
	write_populated((uint8_t *)to + done * UMIG_PAGE_SIZE,
			(const uint8_t *)from + done * UMIG_PAGE_SIZE,
			pages - done);
	return 0;
}
