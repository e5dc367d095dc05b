/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Networks as people write them, "192.0.2.0/24" or "2001:db8::/32", and
 * whether an address is in one.  An IPv4 address in IPv6's clothes
 * (::ffff:192.0.2.1, what a dual-stack socket reports) is the IPv4 address.
 */
#ifndef UMIG_LIB_CIDR_H
#define UMIG_LIB_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An address as text, with its NUL. */
#define ADDRESS_TEXT_MAX 46

/**
 * struct cidr - Addresses that begin with the same @prefix bits.
 * @addr: of IPv4: the first four bytes.
 * @prefix: at most 32 or 128.
 * @v6: which of both.
 */
struct cidr {
	uint8_t addr[16];
	uint8_t prefix;
	bool v6;
};

/**
 * cidr_parse() - "ADDRESS/PREFIX", or "ADDRESS", which is that one alone.
 *
 * Return: 0; -EINVAL: neither, or the address has bits beyond its prefix.
 */
int cidr_parse(struct cidr *c, const char *text);

/** cidr_has() - Whether @sa is in @c; no family but IPv4 and IPv6 ever is. */
bool cidr_has(const struct cidr *c, const struct sockaddr *sa);

/**
 * address_canonical() - The one spelling of an address.
 *
 * Return: whether @text is an IPv4 or IPv6 address; @to is untouched if not.
 */
bool address_canonical(char to[ADDRESS_TEXT_MAX], const char *text);

#endif
