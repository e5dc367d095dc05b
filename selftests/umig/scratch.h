/* SPDX-License-Identifier: GPL-2.0 */
/* Directories that tests write to. */
#ifndef SELFTESTS_SCRATCH_H
#define SELFTESTS_SCRATCH_H

/** scratch_dir() - A fresh one below /tmp; scratch_remove() it. */
char *scratch_dir(void);

/** scratch_remove() - With the files in it, and free the name; NULL is fine. */
void scratch_remove(char *dir);

#endif
