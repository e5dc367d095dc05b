/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trust group by its name: VMs that may learn what pages the others of them
 * hold.  A name for people, and an id for the kernel module.  A VM of no group
 * is of the common one: no name, and an id of zeroes.
 */
#ifndef UMIG_MEM_GROUP_H
#define UMIG_MEM_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define GROUP_NAME_MAX 32
#define GROUP_ID_BYTES 16

/** group_name_ok() - 1 to GROUP_NAME_MAX characters of a-z 0-9 . _ - */
bool group_name_ok(const char *name);

/**
 * group_id() - The id that every host gives to that name.
 * @name: NULL: no group.
 *
 * Unkeyed: an id is no secret, it only has a fixed length.
 */
void group_id(const char *name, uint8_t id[GROUP_ID_BYTES]);

/**
 * group_enter() - Make this process a member, before it has guest memory.
 * @name: NULL: no group: nothing is done.
 * @fd: out: the kernel module's device, to be kept open for as long as the
 *	process has guest memory and closed by the caller; -1: none.
 *
 * From then on what KSM has merged for this process is told to the group alone.
 * A host without the module tells nobody anything, so that is no error, but a
 * warning: a module that is loaded later doesn't know of this process.
 *
 * Return: 0, or -errno with the remedy in @err: -EOPNOTSUPP: the module doesn't
 * know groups; -EACCES: it can't be asked.
 */
int group_enter(const char *name, int *fd, struct err *err);

#endif
