/* SPDX-License-Identifier: GPL-2.0 */
/* The contents of the index that save most memory: `umig index top`. */
#ifndef UMIG_CONTROL_INDEX_TOP_H
#define UMIG_CONTROL_INDEX_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/**
 * index_top_show() - The contents with most sharers, those first.
 * @fd: yields records until its end: the device, from its beginning.
 * @count: how many contents.
 *
 * A content that stands in several pages is one, with the sharers of all.
 */
int index_top_show(int fd, uint64_t count, bool json, struct err *err);

#endif
