// SPDX-License-Identifier: GPL-2.0
/*
 * Networks and addresses: see cidr.h.
 */
#include "lib/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/number.h"

_Static_assert(ADDRESS_TEXT_MAX == INET6_ADDRSTRLEN, "inet_ntop()'s room");

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96		/* of ::ffff:0:0/96 */

static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

static void from_v4(struct cidr *c, const void *addr, uint8_t prefix)
{
	*c = (struct cidr){ .prefix = prefix };
	memcpy(c->addr, addr, V4_BITS / 8);
}

/* What lies within ::ffff:0:0/96 is IPv4. */
static void from_v6(struct cidr *c, const uint8_t *addr, uint8_t prefix)
{
	if (prefix >= MAPPED_BITS && !memcmp(addr, mapped, sizeof(mapped))) {
		from_v4(c, addr + sizeof(mapped), prefix - MAPPED_BITS);
		return;
	}
	*c = (struct cidr){ .prefix = prefix, .v6 = true };
	memcpy(c->addr, addr, sizeof(c->addr));
}

static int from_text(struct cidr *c, const char *text, uint8_t v4_prefix,
		     uint8_t v6_prefix)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET, text, addr) == 1)
		from_v4(c, addr, v4_prefix);
	else if (inet_pton(AF_INET6, text, addr) == 1)
		from_v6(c, addr, v6_prefix);
	else
		return -EINVAL;
	return 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

static bool bits_beyond(const struct cidr *c)
{
	unsigned int bit;

	for (bit = c->prefix; bit < 8 * sizeof(c->addr); bit++)
		if (c->addr[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

int cidr_parse(struct cidr *c, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[ADDRESS_TEXT_MAX];
	uint64_t prefix;

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = 0;
	if (!slash)
		return from_text(c, address, V4_BITS, V6_BITS);
	if (number_parse(slash + 1, &prefix) ||
	    prefix > (strchr(address, ':') ? V6_BITS : V4_BITS) ||
	    from_text(c, address, prefix, prefix) || bits_beyond(c))
		return -EINVAL;
	return 0;
}

bool cidr_has(const struct cidr *c, const struct sockaddr *sa)
{
	struct cidr it;

	if (sa->sa_family == AF_INET)
		from_v4(&it, &((const struct sockaddr_in *)sa)->sin_addr,
			V4_BITS);
	else if (sa->sa_family == AF_INET6)
		from_v6(&it, ((const struct sockaddr_in6 *)sa)
				     ->sin6_addr.s6_addr, V6_BITS);
	else
		return false;
	return it.v6 == c->v6 && same_bits(it.addr, c->addr, c->prefix);
}

bool address_canonical(char to[ADDRESS_TEXT_MAX], const char *text)
{
	struct cidr it;

	if (from_text(&it, text, V4_BITS, V6_BITS))
		return false;
	return inet_ntop(it.v6 ? AF_INET6 : AF_INET, it.addr, to,
			 ADDRESS_TEXT_MAX);
}
