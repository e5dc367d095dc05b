// SPDX-License-Identifier: GPL-2.0
/*
 * struct page through /proc/kcore; see kcore.h.  It stands in the array at
 * vmemmap_base, 64 bytes a page:
 *
 *	 0       8           24        32
 *	 ├───────┼───────────┼─────────┤ ...
 *	 │ flags │ lru       │ mapping │
 *	 └───────┴───────────┴─────────┘
 */
#include "kcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define STRUCT_PAGE 64
#define MAPPING 24
#define PHDRS 256

static Elf64_Phdr phdrs[PHDRS];
static unsigned int nr_phdrs;

static int kcore_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bail("/proc/kcore: %s", strerror(errno));
	return fd;
}

/* Memory that has come meanwhile is in another header. */
static void read_headers(void)
{
	Elf64_Ehdr ehdr;
	ssize_t bytes;

	if (pread(kcore_fd(), &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    ehdr.e_phnum > PHDRS)
		bail("/proc/kcore: its header can't be read");
	bytes = ehdr.e_phnum * sizeof(*phdrs);
	if (pread(kcore_fd(), phdrs, bytes, ehdr.e_phoff) != bytes)
		bail("/proc/kcore: its program headers can't be read");
	nr_phdrs = ehdr.e_phnum;
}

static bool read_word(uint64_t addr, uint64_t *word)
{
	unsigned int i;

	for (i = 0; i < nr_phdrs; i++)
		if (phdrs[i].p_type == PT_LOAD && addr >= phdrs[i].p_vaddr &&
		    addr - phdrs[i].p_vaddr < phdrs[i].p_memsz)
			return pread(kcore_fd(), word, sizeof(*word),
				     addr - phdrs[i].p_vaddr +
				     phdrs[i].p_offset) == sizeof(*word);
	return false;
}

static uint64_t symbol(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[256], found[128];
	uint64_t addr;

	if (!f)
		bail("/proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " %*c %127s", &addr, found) == 2 &&
		    !strcmp(found, name)) {
			fclose(f);
			return addr;
		}
	}
	bail("/proc/kallsyms: no %s", name);
}

uint64_t kcore_page_mapping(uint64_t pfn)
{
	static uint64_t base;
	uint64_t mapping;

	if (!base) {
		read_headers();
		if (!read_word(symbol("vmemmap_base"), &base))
			bail("/proc/kcore: vmemmap_base can't be read");
	}
	return read_word(base + pfn * STRUCT_PAGE + MAPPING, &mapping) ?
	       mapping : 0;
}
