// SPDX-License-Identifier: GPL-2.0
/*
 * umig index top: see index_top.h.  All records are read and sorted twice: by
 * digest, to add up the pages of a content, then by sharers.  40 bytes for each
 * merged page of the host are held meanwhile.
 */
#include "control/index_top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include <linux/umig.h>

#include "control/index_show.h"
#include "mem/memslots.h"

/* In a record of ours what is reserved counts the pages of the content. */
struct contents {
	struct umig_record *at;
	size_t nr;
	size_t room;
};

static int grow(struct contents *c)
{
	size_t room = c->room ? 2 * c->room : 1024;
	struct umig_record *at = reallocarray(c->at, room, sizeof(*at));

	if (!at)
		return -ENOMEM;
	c->at = at;
	c->room = room;
	return 0;
}

static int read_all(int fd, struct contents *c, struct err *err)
{
	ssize_t n;

	do {
		if (c->room - c->nr < 512 && grow(c))
			return err_set(err, -ENOMEM, "no memory for %zu records",
				       c->nr);
		n = read(fd, c->at + c->nr, 512 * sizeof(*c->at));
		if (n < 0)
			return index_read_failed(-errno, err);
		c->nr += n / sizeof(*c->at);
	} while (n > 0);
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, UMIG_DIGEST_SIZE);
}

static int by_sharers(const void *a, const void *b)
{
	const struct umig_record *x = a, *y = b;

	if (x->sharers != y->sharers)
		return x->sharers < y->sharers ? 1 : -1;
	return by_digest(a, b);
}

static void add_up(struct contents *c)
{
	struct umig_record *to = NULL;
	size_t i;

	if (c->nr)
		qsort(c->at, c->nr, sizeof(*c->at), by_digest);
	for (i = 0; i < c->nr; i++) {
		if (to && !by_digest(to, &c->at[i])) {
			to->sharers += c->at[i].sharers;
			to->reserved++;
			continue;
		}
		to = to ? to + 1 : c->at;
		*to = c->at[i];
		to->reserved = 1;
	}
	c->nr = to ? (size_t)(to - c->at) + 1 : 0;
	if (c->nr)
		qsort(c->at, c->nr, sizeof(*c->at), by_sharers);
}

static uint64_t saved_bytes(const struct umig_record *r)
{
	return r->sharers > r->reserved ?
	       (uint64_t)(r->sharers - r->reserved) * UMIG_PAGE_SIZE : 0;
}

static void show_content(const struct umig_record *r, bool json, bool first)
{
	char digest[2 * UMIG_DIGEST_SIZE + 1];

	sodium_bin2hex(digest, sizeof(digest), r->digest, sizeof(r->digest));
	if (json)
		printf("%s\n  {\"digest\": \"%s\", \"sharers\": %u, \"pages\": %u, \"saved_bytes\": %llu}",
		       first ? "" : ",", digest, r->sharers, r->reserved,
		       (unsigned long long)saved_bytes(r));
	else
		printf("%10u %6u %12llu  %s\n", r->sharers, r->reserved,
		       (unsigned long long)saved_bytes(r), digest);
}

static void show(const struct contents *c, uint64_t count, bool json)
{
	size_t i;

	if (json)
		printf("{\"contents\": %zu, \"top\": [", c->nr);
	else
		printf("%10s %6s %12s  %s\n", "sharers", "pages",
		       "saved bytes", "digest");
	for (i = 0; i < c->nr && i < count; i++)
		show_content(&c->at[i], json, !i);
	if (json)
		printf("\n]}\n");
}

int index_top_show(int fd, uint64_t count, bool json, struct err *err)
{
	struct contents c = { 0 };
	int rc = read_all(fd, &c, err);

	if (!rc) {
		add_up(&c);
		show(&c, count, json);
	}
	free(c.at);
	return rc;
}
