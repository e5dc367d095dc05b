// SPDX-License-Identifier: GPL-2.0
/*
 * Who this host is and whom it knows: see credentials.h.
 */
#include "transport/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport/tcp.h"

int credentials_load(struct credentials *c, const char *key_path,
		     const char *peers_path, struct err *err)
{
	struct peers peers = { 0 };
	int rc = keypair_load(&c->own, key_path, err);

	if (rc)
		return rc;
	rc = peers_load(&peers, peers_path, err);
	peers_free(&peers);
	c->peers_path = rc ? NULL : strdup(peers_path);
	if (!rc && !c->peers_path)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc)
		keypair_wipe(&c->own);
	return rc;
}

void credentials_free(struct credentials *c)
{
	keypair_wipe(&c->own);
	free(c->peers_path);
	c->peers_path = NULL;
}

static int not_found(const struct credentials *c, const char *name,
		     const char *host, struct err *err)
{
	if (name)
		return err_set(err, -ENOENT,
			       "%s has no peer \"%s\": add a line for it, with the key that umig pubkey prints there",
			       c->peers_path, name);
	return err_set(err, -ENOENT,
		       "%s has no peer with address=%s: add a line for it, with the key that umig pubkey prints there, or name one with --peer",
		       c->peers_path, host);
}

int credentials_find(const struct credentials *c, const char *name,
		     const char *address, struct peer *out, struct err *err)
{
	struct peers peers = { 0 };
	char host[TCP_HOST_MAX];
	const struct peer *p;
	int rc = tcp_host(address, host, err);

	if (!rc)
		rc = peers_load(&peers, c->peers_path, err);
	if (rc)
		return rc;
	p = name ? peers_by_name(&peers, name) :
		   peers_by_address(&peers, host);
	if (!p)
		rc = not_found(c, name, host, err);
	else if (p->revoked)
		rc = err_set(err, -EACCES,
			     "%s:%u: the key of peer \"%s\" is revoked",
			     c->peers_path, p->line, p->name);
	else
		*out = *p;
	peers_free(&peers);
	return rc;
}

static int judge(const struct credentials *c, const struct peer *p,
		 const struct sockaddr *from, struct err *err)
{
	if (p->revoked)
		return err_set(err, -EACCES,
			       "%s:%u: the key of peer \"%s\" is revoked",
			       c->peers_path, p->line, p->name);
	if (!peer_may_come_from(p, from))
		return err_set(err, -EACCES,
			       "%s:%u: peer \"%s\" may not come from that address (from=)",
			       c->peers_path, p->line, p->name);
	return 0;
}

int credentials_admit(const struct credentials *c, const uint8_t *key,
		      const struct sockaddr *from, struct peer *out,
		      struct err *err)
{
	struct peers peers = { 0 };
	char text[KEY_TEXT_MAX];
	const struct peer *p;
	int rc = peers_load(&peers, c->peers_path, err);

	if (rc)
		return rc;
	p = peers_by_key(&peers, key);
	if (p)
		rc = judge(c, p, from, err);
	else
		rc = err_set(err, -EACCES,
			     "its key %s is not in %s: add a line for it if you know whose it is",
			     key_to_text(text, key), c->peers_path);
	if (!rc)
		*out = *p;
	peers_free(&peers);
	return rc;
}
