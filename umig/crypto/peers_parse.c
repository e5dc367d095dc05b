// SPDX-License-Identifier: GPL-2.0
/*
 * The lines of a peers file: see peers.h for what they look like.  A pure
 * function of bytes; whatever is not understood is refused with file and line,
 * since a peer that gets a little more than was meant is worse than none.
 */
#include "crypto/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/number.h"

/* Longer than any word that is right, with its NUL. */
#define WORD_MAX 1024
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What no two lines share, as far as four bytes of a hash can tell. */
struct tags {
	uint32_t name;
	uint32_t key;
	uint32_t address;
};

/**
 * struct parse - Where we are.
 * @file, @line: for messages.
 * @err: where they go.
 * @peer: the line's peer.
 * @seen: bits of the options that the line has had.
 * @tags: of the peers before: each caller has the file read, and comparing
 *	each line with each in full takes as long as a hundred handshakes.
 */
struct parse {
	const char *file;
	unsigned int line;
	struct err *err;
	struct peer peer;
	unsigned int seen;
	struct tags tags[PEERS_MAX];
};

#define bad(p, fmt, ...)                                                 \
	err_set((p)->err, -EINVAL, "%s:%u: " fmt, (p)->file, (p)->line, \
		##__VA_ARGS__)

static bool is_name_char(char c, const char *more)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr(more, c));
}

/* 1 to @max - 1 small letters, digits and characters of @more. */
static bool is_name(const char *text, const char *more, size_t max)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (!is_name_char(text[i], more))
			return false;
	return i && i < max;
}

/*
 * The next of a comma-separated list, in place; NULL after the last.  "a,,b"
 * and "a," have empty ones.
 */
static char *next_item(char **list)
{
	return strsep(list, ",");
}

bool peer_name_ok(const char *name)
{
	return is_name(name, UPPER "._-", PEER_NAME_MAX);
}

static int parse_address(struct parse *p, char *value)
{
	if (!is_name(value, UPPER ".-_:%", PEER_ADDRESS_MAX))
		return bad(p, "address=\"%s\" is neither a host's name nor an address (and has no port)",
			   value);
	peer_address(p->peer.address, value);
	return 0;
}

static int parse_from(struct parse *p, char *value)
{
	char *item;

	while ((item = next_item(&value))) {
		if (p->peer.nr_nets == PEER_NETS_MAX)
			return bad(p, "from= has more than %d networks",
				   PEER_NETS_MAX);
		if (cidr_parse(&p->peer.nets[p->peer.nr_nets], item))
			return bad(p, "from=\"%s\" is no network: give ADDRESS/PREFIX, with no bits beyond the prefix",
				   item);
		p->peer.nr_nets++;
	}
	return 0;
}

static int parse_groups(struct parse *p, char *value)
{
	char *item;

	while ((item = next_item(&value))) {
		if (p->peer.nr_groups == PEER_GROUPS_MAX)
			return bad(p, "groups= has more than %d groups",
				   PEER_GROUPS_MAX);
		if (!is_name(item, "._-", PEER_GROUP_MAX))
			return bad(p, "group \"%s\": a name has 1 to %d small letters, digits, dots, dashes, underscores",
				   item, PEER_GROUP_MAX - 1);
		strcpy(p->peer.groups[p->peer.nr_groups++], item);
	}
	return 0;
}

static int parse_bandwidth(struct parse *p, char *value)
{
	if (number_parse_size(value, &p->peer.bandwidth) ||
	    !p->peer.bandwidth)
		return bad(p, "bandwidth=\"%s\" is no rate: give bytes a second, with K, M, G or T",
			   value);
	return 0;
}

static int parse_proof(struct parse *p, char *value)
{
	p->peer.full_proof = !strcmp(value, "full");
	if (!p->peer.full_proof && strcmp(value, "sampled"))
		return bad(p, "proof=\"%s\": give sampled or full", value);
	return 0;
}

static int parse_revoked(struct parse *p, char *value)
{
	(void)value;
	p->peer.revoked = true;
	return 0;
}

static const struct {
	const char *name;
	bool has_value;
	int (*parse)(struct parse *p, char *value);
} options[] = {
	{ "address", true, parse_address },
	{ "from", true, parse_from },
	{ "groups", true, parse_groups },
	{ "bandwidth", true, parse_bandwidth },
	{ "proof", true, parse_proof },
	{ "revoked", false, parse_revoked },
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static int parse_option(struct parse *p, char *word)
{
	char *value = word, *name = strsep(&value, "=");
	size_t i;

	for (i = 0; i < OPTIONS && strcmp(options[i].name, name); i++)
		;
	if (i == OPTIONS)
		return bad(p, "there is no option \"%s\": there are address, from, groups, bandwidth, proof and revoked",
			   name);
	if (p->seen & 1U << i)
		return bad(p, "%s is given twice", name);
	p->seen |= 1U << i;
	if (options[i].has_value && (!value || !*value))
		return bad(p, "%s has no value: %s=...", name, name);
	if (!options[i].has_value && value)
		return bad(p, "%s takes no value", name);
	return options[i].parse(p, value);
}

/* A key of 32 zeroes is what an unset variable looks like. */
static int parse_key(struct parse *p, const char *word)
{
	if (key_from_text(p->peer.key, word, strlen(word)) ||
	    sodium_is_zero(p->peer.key, KEY_SIZE))
		return bad(p, "\"%.60s\" is no public key, which has %d characters of base64 (umig pubkey prints one)",
			   word, KEY_TEXT_MAX - 1);
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, copied; false: there is none. */
static bool next_word(const char **at, const char *end, char word[WORD_MAX])
{
	size_t len = 0;

	while (*at < end && is_blank(**at))
		(*at)++;
	while (*at < end && !is_blank(**at) && len < WORD_MAX - 1)
		word[len++] = *(*at)++;
	word[len] = 0;
	return len;
}

/*
 * Messages show words, so a word has nothing that a terminal would obey; and
 * none is too long for next_word(), which would make two of it.
 */
static int check_chars(struct parse *p, const char *at, const char *end)
{
	size_t len = 0;

	for (; at < end; at++) {
		if ((*at < ' ' || *at > '~') && !is_blank(*at))
			return bad(p, "the line has a byte 0x%02x: only comments may have other than ASCII",
				   (unsigned char)*at);
		len = is_blank(*at) ? 0 : len + 1;
		if (len == WORD_MAX)
			return bad(p, "the line has a word of more than %d bytes",
				   WORD_MAX - 1);
	}
	return 0;
}

/* @at is not blank. */
static int parse_words(struct parse *p, const char *at, const char *end)
{
	char word[WORD_MAX];
	int ret;

	next_word(&at, end, word);
	if (!peer_name_ok(word))
		return bad(p, "\"%.80s\": a peer's name has 1 to %d letters, digits, dots, dashes, underscores",
			   word, PEER_NAME_MAX - 1);
	strcpy(p->peer.name, word);
	if (!next_word(&at, end, word))
		return bad(p, "%s has no public key", p->peer.name);
	ret = parse_key(p, word);
	while (!ret && next_word(&at, end, word))
		ret = parse_option(p, word);
	return ret;
}

/* FNV-1a: the file's owner is no adversary. */
static uint32_t tag_of(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t hash = 2166136261U;

	for (; bytes; bytes--)
		hash = (hash ^ *at++) * 16777619U;
	return hash;
}

static struct tags tags_of(const struct peer *peer)
{
	return (struct tags){
		.name = tag_of(peer->name, strlen(peer->name)),
		.key = tag_of(peer->key, KEY_SIZE),
		.address = tag_of(peer->address, strlen(peer->address)),
	};
}

/* What no two lines may share. */
static int check_unique(struct parse *p, const struct peers *others)
{
	const struct peer *o, *peer = &p->peer;
	const struct tags *t, tags = tags_of(peer);
	unsigned int i;

	for (i = 0; i < others->nr; i++) {
		o = &others->peer[i];
		t = &p->tags[i];
		if (t->name != tags.name && t->key != tags.key &&
		    (t->address != tags.address || !*peer->address))
			continue;
		if (!strcmp(o->name, peer->name))
			return bad(p, "%s is in line %u already", peer->name,
				   o->line);
		if (!memcmp(o->key, peer->key, KEY_SIZE))
			return bad(p, "%s has the key of %s in line %u",
				   peer->name, o->name, o->line);
		if (!peer->revoked && !o->revoked && *peer->address &&
		    !strcmp(o->address, peer->address))
			return bad(p, "%s has the address of %s in line %u: which key is to be expected there?",
				   peer->name, o->name, o->line);
	}
	return 0;
}

static int append(struct parse *p, struct peers *out)
{
	unsigned int room = out->room ? 2 * out->room : 16;
	struct peer *more;

	if (out->nr == PEERS_MAX)
		return bad(p, "more than %d peers", PEERS_MAX);
	if (out->nr == out->room) {
		more = realloc(out->peer, room * sizeof(*more));
		if (!more)
			return err_set(p->err, -ENOMEM, "%s: no memory",
				       p->file);
		out->peer = more;
		out->room = room;
	}
	p->tags[out->nr] = tags_of(&p->peer);
	out->peer[out->nr++] = p->peer;
	return 0;
}

static int parse_line(struct parse *p, struct peers *out, const char *at,
		      const char *end)
{
	const char *comment = memchr(at, '#', end - at);
	char word[WORD_MAX];
	const char *first = at;
	int ret;

	p->peer = (struct peer){ .line = p->line };
	p->seen = 0;
	if (comment)
		end = comment;
	ret = check_chars(p, at, end);
	if (ret || !next_word(&first, end, word))
		return ret;
	ret = parse_words(p, at, end);
	if (!ret)
		ret = check_unique(p, out);
	return ret ? ret : append(p, out);
}

int peers_parse(struct peers *out, const char *text, size_t bytes,
		const char *name, struct err *err)
{
	struct parse p = { .file = name, .err = err };
	const char *at = text, *end = text + bytes, *newline;
	int ret = 0;

	*out = (struct peers){ 0 };
	if (bytes > PEERS_BYTES_MAX)
		return err_set(err, -EFBIG, "%s: is larger than %u bytes",
			       name, PEERS_BYTES_MAX);
	while (!ret && at < end) {
		p.line++;
		newline = memchr(at, '\n', end - at);
		ret = parse_line(&p, out, at, newline ? newline : end);
		at = newline ? newline + 1 : end;
	}
	if (ret)
		peers_free(out);
	return ret;
}
