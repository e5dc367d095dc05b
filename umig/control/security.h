/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a migration's connection is protected, as people say it: the options of
 * umig listen and umig migrate, and the arguments of the control command.
 */
#ifndef UMIG_CONTROL_SECURITY_H
#define UMIG_CONTROL_SECURITY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/options.h"
#include "transport/credentials.h"

/**
 * struct security - As above.  Strings are borrowed.
 * @key: this host's key file,
 * @peers: and whom it knows.
 * @peer: source: the destination's name there; NULL: by its address.
 * @insecure: neither is used: anybody may be at the other end, and listen.
 */
struct security {
	const char *key;
	const char *peers;
	const char *peer;
	bool insecure;
};

#define SECURITY_INIT { .key = HOST_KEY_PATH, .peers = PEERS_PATH }

/** SECURITY_OPTIONS() - Options for a table that fills a @struct_type. */
#define SECURITY_OPTIONS(struct_type, member)				\
	{								\
		.name = "key", .arg = "FILE", .type = OPTION_STRING,	\
		.offset = offsetof(struct_type, member.key),			\
		.help = "this host's key, as umig keygen makes it\n"	\
			"(default: " HOST_KEY_PATH ")",			\
	}, {								\
		.name = "peers", .arg = "FILE", .type = OPTION_STRING,	\
		.offset = offsetof(struct_type, member.peers),			\
		.help = "the hosts that this one knows, see umig-peers(5)\n" \
			"(default: " PEERS_PATH ")",			\
	}, {								\
		.name = "insecure", .type = OPTION_FLAG,		\
		.offset = offsetof(struct_type, member.insecure),		\
		.help = "no keys: whoever reaches the port can put a guest\n" \
			"there, whoever sees the link reads its memory; must\n" \
			"be said at both ends",				\
	}

/**
 * security_load() - What the engine needs of it.
 *
 * Return: 0, or -errno with the file and the remedy in @err.  With @s->insecure
 * @out is left zeroed.
 */
int security_load(const struct security *s, struct credentials *out,
		  struct err *err);

#endif
