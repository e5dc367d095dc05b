/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page as changes to what it was before: which bytes to keep and which to
 * replace.  Pure functions over bytes.
 *
 *   0      2       4               4 + count
 *   | keep | count | count bytes ... | keep | count | ...
 *
 * Each piece keeps some bytes of the old page and replaces @count; what is
 * behind the last piece is kept.  No pieces: the page is as it was.
 */
#ifndef UMIG_WIRE_DELTA_H
#define UMIG_WIRE_DELTA_H

#include <stddef.h>
#include <stdint.h>

#define DELTA_PAGE_BYTES 4096

/**
 * delta_encode() - Write what makes @now of @before, pages both.
 *
 * Neither may change meanwhile.
 *
 * Return: the length, from 0; -ENOSPC: it is more than @room_bytes.
 */
int delta_encode(const void *before, const void *now, void *room,
		 size_t room_bytes);

/**
 * delta_apply() - Change @page.
 *
 * All of @delta is checked before anything is changed.
 *
 * Return: 0; -EBADMSG: malformed: a piece reaches past the page's end or the
 * delta's, replaces nothing, or could be one with the piece before it.
 */
int delta_apply(void *page, const void *delta, size_t bytes);

#endif
