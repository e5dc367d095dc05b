/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who this host is and whom it knows: its key, and the peers file, which is
 * read anew for every connection, so that a revoked key is revoked at once.
 */
#ifndef UMIG_TRANSPORT_CREDENTIALS_H
#define UMIG_TRANSPORT_CREDENTIALS_H

#include <sys/socket.h>

#include "crypto/keys.h"
#include "crypto/peers.h"
#include "lib/err.h"

/**
 * struct credentials - As above.
 * @own: this host's keys.
 * @peers_path: the peers file.
 */
struct credentials {
	struct keypair own;
	char *peers_path;
};

/**
 * credentials_load() - Read both files.
 *
 * Return: 0, or -errno with the file and the remedy in @err.
 */
int credentials_load(struct credentials *c, const char *key_path,
		     const char *peers_path, struct err *err);

/** credentials_free() - Forget the key.  A zeroed one is fine. */
void credentials_free(struct credentials *c);

/**
 * credentials_find() - The peer to expect at the other end of a connection
 * that we make.
 * @name: its name, or NULL: the peer whose address is that of @address.
 * @address: "HOST:PORT".
 */
int credentials_find(const struct credentials *c, const char *name,
		     const char *address, struct peer *out, struct err *err);

/**
 * credentials_admit() - Whether the owner of @key may connect to us.
 * @from: where it comes from.
 *
 * Return: 0 with @out set; -EACCES, or why the peers file could not be read.
 */
int credentials_admit(const struct credentials *c, const uint8_t *key,
		      const struct sockaddr *from, struct peer *out,
		      struct err *err);

#endif
