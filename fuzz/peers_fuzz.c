// SPDX-License-Identifier: GPL-2.0
/*
 * The peers file: any bytes are taken or refused with a line's number, and what
 * is taken holds what the rest relies on.  Bytes from 0x80 on stand for words
 * that a file has, since nobody guesses a key in base64.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const words[] = {
	"a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= ",
	"b AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= ",
	"c AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM= ",
	"d BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ= ",
	"\n", " address=", " from=", " groups=", " bandwidth=",
	" proof=", "full", "sampled", " revoked", "192.0.2.0/24", "2001:db8::",
	"::ffff:", "/", "web", "10M", ",", "# ", "::1", "10.0.0.1",
	"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
	"\xc3\xa9", "\r\n", "from=", "host.example.org",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* What the input stands for, in a block of its own. */
static char *expand(const uint8_t *data, size_t bytes, size_t *len)
{
	size_t i, room = 1;
	char *text, *at;

	for (i = 0; i < bytes; i++)
		room += data[i] < 0x80 ? 1 : strlen(words[data[i] % WORDS]);
	text = malloc(room);
	at = text;
	for (i = 0; i < bytes; i++) {
		if (data[i] < 0x80)
			*at++ = data[i];
		else
			at = stpcpy(at, words[data[i] % WORDS]);
	}
	*len = at - text;
	return realloc(text, *len ? *len : 1);
}

static void check_nets(const struct peer *p)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	const struct cidr *c;

	assert(p->nr_nets <= PEER_NETS_MAX);
	for (c = p->nets; c < p->nets + p->nr_nets; c++) {
		assert(c->prefix <= (c->v6 ? 128 : 32));
		/* a network has its own first address */
		memcpy(&v6.sin6_addr, c->addr, sizeof(c->addr));
		memcpy(&v4.sin_addr, c->addr, 4);
		assert(peer_may_come_from(p, c->v6 ? (void *)&v6 :
						     (void *)&v4));
	}
}

static void check_peer(const struct peers *all, const struct peer *p)
{
	const struct peer *there;
	unsigned int i;

	assert(peer_name_ok(p->name));
	assert(peers_by_name(all, p->name) == p);
	assert(peers_by_key(all, p->key) == p);
	there = peers_by_address(all, p->address);
	assert(!*p->address == !there);
	assert(!there || there == p || p->revoked);
	check_nets(p);
	assert(p->nr_groups <= PEER_GROUPS_MAX);
	for (i = 0; i < p->nr_groups; i++)
		assert(peer_in_group(p, p->groups[i]));
	assert(peer_in_group(p, "") && !peer_in_group(p, "No"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct err err = { 0 };
	struct peers p;
	unsigned int i;
	size_t len;
	char *text = expand(data, bytes, &len);

	if (peers_parse(&p, text, len, "fuzz", &err)) {
		assert(err.code == -EINVAL || err.code == -EFBIG);
		assert(!strncmp(err.text, "fuzz:", 5) && !p.peer && !p.nr);
		for (i = 0; err.text[i]; i++)
			assert(err.text[i] >= ' ' && err.text[i] <= '~');
	}
	for (i = 0; i < p.nr; i++)
		check_peer(&p, &p.peer[i]);
	peers_free(&p);
	free(text);
	return 0;
}
