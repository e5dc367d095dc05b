// SPDX-License-Identifier: GPL-2.0
/*
 * Directories that tests write to: see scratch.h.
 */
#include "umig/scratch.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *scratch_dir(void)
{
	char *dir = strdup("/tmp/umig-test-XXXXXX");

	assert(dir && mkdtemp(dir));
	return dir;
}

void scratch_remove(char *dir)
{
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	if (dir)
		rmdir(dir);
	free(dir);
}
