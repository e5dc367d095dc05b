// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for guests: memory that KSM may merge, with the content of a file.
 *
 *	mergeable FILE MEGABYTES COPIES
 *
 * maps COPIES times the file's beginning, anonymously and MADV_MERGEABLE, says
 * READY, and holds it until its input ends.  A line "touch N" writes to every
 * Nth page of all copies, which takes these out of KSM again; it is answered by
 * "TOUCHED".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static void die(const char *what)
{
	fprintf(stderr, "mergeable: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fill(char *to, const char *path, size_t bytes)
{
	int fd = open(path, O_RDONLY);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		die(path);
	while (done < bytes) {
		n = read(fd, to + done, bytes - done);
		if (n < 0)
			die(path);
		if (!n)
			break;
		done += n;
	}
	/* The host's own cache of the file would only take memory. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

int main(int argc, char **argv)
{
	size_t bytes, copies, every, writes = 0;
	char line[64];
	char *mem;

	if (argc != 4) {
		fprintf(stderr, "usage: mergeable FILE MEGABYTES COPIES\n");
		return 2;
	}
	bytes = strtoul(argv[2], NULL, 0) << 20;
	copies = strtoul(argv[3], NULL, 0);
	mem = mmap(NULL, bytes * copies, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || madvise(mem, bytes * copies, MADV_MERGEABLE))
		die("memory");
	fill(mem, argv[1], bytes);
	for (size_t i = 1; i < copies; i++)
		memcpy(mem + i * bytes, mem, bytes);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("READY\n");
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "touch %zu", &every) != 1 || !every)
			continue;
		writes++;
		for (size_t at = 0; at < bytes * copies; at += every * PAGE)
			memcpy(mem + at, &writes, sizeof(writes));
		printf("TOUCHED\n");
	}
	return 0;
}
