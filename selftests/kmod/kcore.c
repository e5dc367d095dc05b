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
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STRUCT_PAGE 64
#define MAPPING 24
#define PHDRS 256

static int kcore = -1;
static Elf64_Phdr phdrs[PHDRS];
static unsigned int nr_phdrs;

/* Memory that comes later is in another header. */
static int read_headers(void)
{
	Elf64_Ehdr ehdr;
	ssize_t bytes;

	if (pread(kcore, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    ehdr.e_phnum > PHDRS)
		return -EIO;
	bytes = ehdr.e_phnum * sizeof(*phdrs);
	if (pread(kcore, phdrs, bytes, ehdr.e_phoff) != bytes)
		return -EIO;
	nr_phdrs = ehdr.e_phnum;
	return 0;
}

static bool read_word(uint64_t addr, uint64_t *word)
{
	unsigned int i;

	for (i = 0; i < nr_phdrs; i++)
		if (phdrs[i].p_type == PT_LOAD && addr >= phdrs[i].p_vaddr &&
		    addr - phdrs[i].p_vaddr < phdrs[i].p_memsz)
			return pread(kcore, word, sizeof(*word),
				     addr - phdrs[i].p_vaddr +
				     phdrs[i].p_offset) == sizeof(*word);
	return false;
}

/* Its address, or 0. */
static uint64_t symbol(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	uint64_t addr = 0, at;
	char line[256], found[128];

	while (f && !addr && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %*c %127s", &at, found) == 2 &&
		    !strcmp(found, name))
			addr = at;
	if (f)
		fclose(f);
	return addr;
}

static int find_vmemmap(uint64_t *base)
{
	int err;

	kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (kcore < 0)
		return -errno;
	err = read_headers();
	if (!err && !read_word(symbol("vmemmap_base"), base))
		err = -ENOENT;
	if (err)
		close(kcore);
	return err;
}

int kcore_page_mapping(uint64_t pfn, uint64_t *mapping)
{
	static uint64_t base;
	int err = base ? 0 : find_vmemmap(&base);

	if (err)
		return err;
	if (!read_word(base + pfn * STRUCT_PAGE + MAPPING, mapping))
		*mapping = 0;
	return 0;
}
