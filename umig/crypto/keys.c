// SPDX-License-Identifier: GPL-2.0
/*
 * A host's identity: see keys.h.
 */
#include "crypto/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define BASE64 sodium_base64_VARIANT_ORIGINAL

_Static_assert(KEY_SIZE == crypto_scalarmult_BYTES, "X25519's keys");
_Static_assert(KEY_SIZE == crypto_scalarmult_SCALARBYTES, "X25519's keys");

int keypair_generate(struct keypair *kp, struct err *err)
{
	uint8_t secret[KEY_SIZE];

	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium has no random numbers");
	randombytes_buf(secret, sizeof(secret));
	keypair_from_secret(kp, secret);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

void keypair_from_secret(struct keypair *kp, const uint8_t secret[KEY_SIZE])
{
	memcpy(kp->secret, secret, KEY_SIZE);
	crypto_scalarmult_base(kp->public, kp->secret);
}

void keypair_wipe(struct keypair *kp)
{
	sodium_memzero(kp, sizeof(*kp));
}

const char *key_to_text(char text[KEY_TEXT_MAX], const uint8_t key[KEY_SIZE])
{
	return sodium_bin2base64(text, KEY_TEXT_MAX, key, KEY_SIZE, BASE64);
}

const char *key_short(char text[KEY_SHORT_MAX], const uint8_t key[KEY_SIZE])
{
	char whole[KEY_TEXT_MAX];

	memcpy(text, key_to_text(whole, key), KEY_SHORT_MAX - 1);
	text[KEY_SHORT_MAX - 1] = 0;
	return text;
}

int key_from_text(uint8_t key[KEY_SIZE], const char *text, size_t bytes)
{
	size_t got;

	if (bytes != KEY_TEXT_MAX - 1 ||
	    sodium_base642bin(key, KEY_SIZE, text, bytes, NULL, &got, NULL,
			      BASE64) ||
	    got != KEY_SIZE)
		return -EINVAL;
	return 0;
}

static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, -errno, "host key %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "host key %s: is no regular file",
			       path);
	if (st.st_uid && st.st_uid != geteuid())
		return err_set(err, -EPERM,
			       "host key %s: belongs to user %u, neither to root nor to who runs umig: chown it, and make a new key if somebody may have read it",
			       path, (unsigned int)st.st_uid);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, -EPERM,
			       "host key %s: mode %04o lets others than its owner in: chmod 600 %s, and make a new key if somebody may have read it",
			       path, (unsigned int)(st.st_mode & 07777), path);
	return 0;
}

/* A plain read(2) leaves no copy in a stdio buffer. */
static ssize_t read_some(int fd, char *to, size_t room)
{
	ssize_t n;

	do {
		n = read(fd, to, room);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int read_secret(int fd, const char *path, uint8_t secret[KEY_SIZE],
		       struct err *err)
{
	char text[KEY_TEXT_MAX + 1];	/* the newline, and one to see more */
	ssize_t n = read_some(fd, text, sizeof(text));
	int ret = -EINVAL;

	if (n == KEY_TEXT_MAX && text[n - 1] == '\n')
		n--;
	if (n < 0)
		ret = err_set(err, n, "host key %s: %s", path, strerror(-n));
	else if (key_from_text(secret, text, n))
		err_set(err, -EINVAL,
			"host key %s: has no key, which is %d characters of base64 and a newline (make one with: umig keygen)",
			path, KEY_TEXT_MAX - 1);
	else
		ret = 0;
	sodium_memzero(text, sizeof(text));
	return ret;
}

int keypair_load(struct keypair *kp, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t secret[KEY_SIZE];
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "host key %s: %s%s", path,
			       strerror(errno), errno == ENOENT ?
			       " (make one with: umig keygen)" : "");
	ret = check_file(fd, path, err);
	if (!ret)
		ret = read_secret(fd, path, secret, err);
	close(fd);
	if (!ret)
		keypair_from_secret(kp, secret);
	sodium_memzero(secret, sizeof(secret));
	return ret;
}

/* The file's name is durable once its directory is. */
static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, ret = 0;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	strcpy(copy, path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

static int write_secret(int fd, const struct keypair *kp)
{
	char text[KEY_TEXT_MAX];
	ssize_t n;
	int ret = 0;

	key_to_text(text, kp->secret);
	text[KEY_TEXT_MAX - 1] = '\n';
	n = write(fd, text, sizeof(text));
	if (n < 0 || fsync(fd))
		ret = -errno;
	else if (n != sizeof(text))
		ret = -ENOSPC;
	sodium_memzero(text, sizeof(text));
	return ret;
}

int keypair_store(const struct keypair *kp, const char *path,
		  struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0 && errno == EEXIST)
		return err_set(err, -EEXIST,
			       "host key %s: is there already; a new key is a new identity, which every peer has to be told: move the file away first",
			       path);
	if (fd < 0)
		return err_set(err, -errno, "host key %s: %s", path,
			       strerror(errno));
	ret = write_secret(fd, kp);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret)
		ret = sync_directory(path);
	if (!ret)
		return 0;
	unlink(path);
	return err_set(err, ret, "host key %s: %s", path, strerror(-ret));
}
