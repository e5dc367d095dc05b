/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The peers file: which hosts this one speaks with, and what each may do.  A
 * line a peer, "#" begins a comment:
 *
 *   NAME PUBLIC-KEY [option[=value]]...
 *
 *   address=HOST         how a source finds the key that it must meet there
 *   from=CIDR[,CIDR]...  where the peer may come from; default: anywhere
 *   groups=G[,G]...      trust groups whose VMs may be exchanged with it
 *   bandwidth=RATE       bytes a second that it is sent at most (K, M, G)
 *   proof=sampled|full   how much of a held page it must prove
 *   revoked              it may nothing; the line says why it is refused
 *
 * The parser is a function of bytes; nothing here decides, it only knows.
 */
#ifndef UMIG_CRYPTO_PEERS_H
#define UMIG_CRYPTO_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "crypto/keys.h"
#include "lib/cidr.h"
#include "lib/err.h"

#define PEERS_PATH "/etc/umig/peers"
#define PEERS_BYTES_MAX (1U << 20)
#define PEERS_MAX 4096
#define PEER_NAME_MAX 64	/* with its NUL, as the next two */
#define PEER_ADDRESS_MAX 256
#define PEER_GROUP_MAX 33
#define PEER_GROUPS_MAX 16
#define PEER_NETS_MAX 16

/**
 * struct peer - A line.
 * @name: for people.
 * @key: who it is.
 * @address: "" if none is given; in the spelling that peer_address() makes.
 * @nr_nets: of @nets; 0: it may come from anywhere.
 * @nr_groups: of @groups.
 * @bandwidth: bytes a second, 0: no limit.
 * @full_proof: proof=full.
 * @revoked: refuse it.
 * @line: where in the file.
 */
struct peer {
	char name[PEER_NAME_MAX];
	uint8_t key[KEY_SIZE];
	char address[PEER_ADDRESS_MAX];
	struct cidr nets[PEER_NETS_MAX];
	unsigned int nr_nets;
	char groups[PEER_GROUPS_MAX][PEER_GROUP_MAX];
	unsigned int nr_groups;
	uint64_t bandwidth;
	bool full_proof;
	bool revoked;
	unsigned int line;
};

/** struct peers - A file.  Zero-initialise; free with peers_free(). */
struct peers {
	struct peer *peer;
	unsigned int nr;
	unsigned int room;
};

/**
 * peers_parse() - A file's bytes.
 * @name: the file's, for messages.
 *
 * Return: 0; -EINVAL, with "NAME:LINE: ..." in @err; -EFBIG; -ENOMEM.  @out is
 * empty unless 0.
 */
int peers_parse(struct peers *out, const char *text, size_t bytes,
		const char *name, struct err *err);

/**
 * peers_load() - Read a file.
 *
 * Return: as peers_parse(); -EPERM: others than its owner may write it; or why
 * it can't be read.
 */
int peers_load(struct peers *out, const char *path, struct err *err);

void peers_free(struct peers *p);

/** peer_name_ok() - Whether a peer may be called @name. */
bool peer_name_ok(const char *name);

/** peers_by_key() - NULL: no such peer. */
const struct peer *peers_by_key(const struct peers *p,
				const uint8_t key[KEY_SIZE]);

const struct peer *peers_by_name(const struct peers *p, const char *name);

/** peer_address() - The one spelling of a host's name or address. */
void peer_address(char to[PEER_ADDRESS_MAX], const char *host);

/**
 * peers_by_address() - The peer whose address= is @host: a name in any case, or
 * an address in any spelling, without a port.
 *
 * A revoked peer is found only if no other has the address.
 */
const struct peer *peers_by_address(const struct peers *p, const char *host);

/**
 * peer_may_come_from() - Whether its from= has @sa, an IPv4 or IPv6 address;
 * of any other family nothing is in a net.
 */
bool peer_may_come_from(const struct peer *peer, const struct sockaddr *sa);

/** peer_in_group() - Whether VMs of @group go to it; those of "" always do. */
bool peer_in_group(const struct peer *peer, const char *group);

#endif
