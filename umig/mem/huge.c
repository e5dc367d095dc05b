// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages: see huge.h.
 */
#include "mem/huge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SYSFS "/sys/kernel/mm/transparent_hugepage/"

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool huge_usable(void)
{
	char text[64];

	return read_text(SYSFS "enabled", text, sizeof(text)) &&
	       !strstr(text, "[never]") &&
	       read_text(SYSFS "hpage_pmd_size", text, sizeof(text)) &&
	       strtoul(text, NULL, 10) == HUGE_BYTES;
}

void huge_populate(void *hva)
{
	if (madvise(hva, HUGE_BYTES, MADV_HUGEPAGE))
		return;
	/* since Linux 5.14; before, whoever writes takes the faults */
	(void)madvise(hva, HUGE_BYTES, MADV_POPULATE_WRITE);
	(void)madvise(hva, HUGE_BYTES, MADV_NOHUGEPAGE);
}
