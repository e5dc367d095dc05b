/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A frame on its way out, in pieces: its own bytes, which lie in a buffer, and
 * borrowed ones, which lie elsewhere and for which the buffer has a hole:
 *
 *   buffer     | own |   hole    | own |      hole       | own |
 *   elsewhere        | borrowed  |     | borrowed, longer|
 *
 * Pure functions over addresses.
 */
#ifndef UMIG_TRANSPORT_PIECES_H
#define UMIG_TRANSPORT_PIECES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define PIECES_MAX IOV_MAX

/**
 * struct pieces - Of one frame.
 * @iov: [@first, @nr): what is still to be sent, in order.
 * @own: in the buffer, behind all that is in @iov.
 */
struct pieces {
	struct iovec iov[PIECES_MAX];
	unsigned int first;
	unsigned int nr;
	uint8_t *own;
};

/** pieces_begin() - A frame whose buffer begins at @own. */
void pieces_begin(struct pieces *p, uint8_t *own);

/**
 * pieces_borrow() - The @bytes at @at, behind all before, are those at @from.
 *
 * Return: false: there would be too many pieces.
 */
bool pieces_borrow(struct pieces *p, uint8_t *at, const void *from,
		   size_t bytes);

/** pieces_end() - The frame ends at @end. */
void pieces_end(struct pieces *p, uint8_t *end);

/** pieces_sent() - So many bytes more, no more than there are. */
void pieces_sent(struct pieces *p, size_t bytes);

#endif
