/* SPDX-License-Identifier: GPL-2.0 */
/* The module's answers for people and for machines: `umig index`. */
#ifndef UMIG_CONTROL_INDEX_SHOW_H
#define UMIG_CONTROL_INDEX_SHOW_H

#include <stdbool.h>

#include <jansson.h>

#include <linux/umig.h>

#include "lib/err.h"

/**
 * index_show() - "name value" lines, or the object as it is.
 * @object: a flat one; given up to this function; NULL: -ENOMEM.
 */
int index_show(json_t *object, bool json);

/** index_read_failed() - Say why records can't be read.  Return: @rc. */
int index_read_failed(int rc, struct err *err);

/** index_show_info() - What the module is and how full its index. */
int index_show_info(const struct umig_info *info, bool json);

/** index_show_stat() - Its counters. */
int index_show_stat(const struct umig_stat *stat, bool json);

/** index_show_records() - Every entry of the index behind @fd. */
int index_show_records(int fd, bool json, struct err *err);

#endif
