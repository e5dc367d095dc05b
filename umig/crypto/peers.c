// SPDX-License-Identifier: GPL-2.0
/*
 * Peers: the file, and who is in it; see peers.h.  The lines are peers_parse.c's.
 */
#include "crypto/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, -errno, "peers file %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL,
			       "peers file %s: is no regular file", path);
	if (st.st_uid && st.st_uid != geteuid())
		return err_set(err, -EPERM,
			       "peers file %s: belongs to user %u, who may say who comes in, but is neither root nor who runs umig: look it over, then chown it",
			       path, (unsigned int)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EPERM,
			       "peers file %s: mode %04o lets others than its owner say who may come in: look it over, then chmod go-w %s",
			       path, (unsigned int)(st.st_mode & 07777), path);
	return 0;
}

/* Up to @room bytes; -errno. */
static ssize_t read_all(int fd, char *to, size_t room)
{
	size_t at = 0;
	ssize_t n;

	while (at < room) {
		n = read(fd, to + at, room - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		at += n;
	}
	return at;
}

static int load_fd(struct peers *out, int fd, const char *path,
		   struct err *err)
{
	/* one byte more shows that there is more */
	char *text = malloc(PEERS_BYTES_MAX + 1);
	ssize_t n;
	int ret;

	if (!text)
		return err_set(err, -ENOMEM, "peers file %s: no memory", path);
	n = read_all(fd, text, PEERS_BYTES_MAX + 1);
	ret = n < 0 ? err_set(err, n, "peers file %s: %s", path,
			      strerror(-n)) :
		      peers_parse(out, text, n, path, err);
	free(text);
	return ret;
}

int peers_load(struct peers *out, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "peers file %s: %s%s", path,
			       strerror(errno), errno == ENOENT ?
			       " (a line a peer: NAME PUBLIC-KEY; see umig-peers(5))" :
			       "");
	ret = check_file(fd, path, err);
	if (!ret)
		ret = load_fd(out, fd, path, err);
	close(fd);
	return ret;
}

void peers_free(struct peers *p)
{
	free(p->peer);
	*p = (struct peers){ 0 };
}

const struct peer *peers_by_key(const struct peers *p,
				const uint8_t key[KEY_SIZE])
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (!memcmp(p->peer[i].key, key, KEY_SIZE))
			return &p->peer[i];
	return NULL;
}

const struct peer *peers_by_name(const struct peers *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (!strcmp(p->peer[i].name, name))
			return &p->peer[i];
	return NULL;
}

void peer_address(char to[PEER_ADDRESS_MAX], const char *host)
{
	size_t i;

	if (address_canonical(to, host))
		return;
	for (i = 0; i < PEER_ADDRESS_MAX - 1 && host[i]; i++)
		to[i] = host[i] >= 'A' && host[i] <= 'Z' ?
			host[i] - 'A' + 'a' : host[i];
	to[i] = 0;
}

const struct peer *peers_by_address(const struct peers *p, const char *host)
{
	const struct peer *revoked = NULL;
	char address[PEER_ADDRESS_MAX];
	unsigned int i;

	if (!*host || strlen(host) >= sizeof(address))
		return NULL;
	peer_address(address, host);
	for (i = 0; i < p->nr; i++) {
		if (strcmp(p->peer[i].address, address))
			continue;
		if (!p->peer[i].revoked)
			return &p->peer[i];
		revoked = &p->peer[i];
	}
	return revoked;
}

bool peer_may_come_from(const struct peer *peer, const struct sockaddr *sa)
{
	unsigned int i;

	if (!peer->nr_nets)
		return true;
	for (i = 0; i < peer->nr_nets; i++)
		if (cidr_has(&peer->nets[i], sa))
			return true;
	return false;
}

bool peer_in_group(const struct peer *peer, const char *group)
{
	unsigned int i;

	if (!*group)
		return true;
	for (i = 0; i < peer->nr_groups; i++)
		if (!strcmp(peer->groups[i], group))
			return true;
	return false;
}
