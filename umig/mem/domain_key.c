// SPDX-License-Identifier: GPL-2.0
/*
 * The domain key outside the kernel: see domain_key.h.
 */
#include "mem/domain_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "mem/memslots.h"

/* Room for the digits, blanks around them, and to see that there is more. */
#define FILE_MAX (4 * UMIG_KEY_SIZE)

/* Up to @room bytes; a plain read(2) leaves no copy in a stdio buffer. */
static ssize_t read_all(int fd, uint8_t *to, size_t room)
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

static ssize_t read_file(const char *path, uint8_t *to, size_t room,
			 struct err *err)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) :
				     STDIN_FILENO;
	ssize_t n;

	if (fd < 0)
		return err_set(err, -errno, "key file %s: %s", path,
			       strerror(errno));
	n = read_all(fd, to, room);
	if (n < 0)
		err_set(err, n, "key file %s: %s", path, strerror(-n));
	if (fd != STDIN_FILENO)
		close(fd);
	return n;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int decode(const uint8_t *text, size_t bytes,
		  uint8_t key[UMIG_KEY_SIZE])
{
	size_t got;

	if (bytes == UMIG_KEY_SIZE) {
		memcpy(key, text, bytes);
		return 0;
	}
	while (bytes && is_blank(*text)) {
		text++;
		bytes--;
	}
	while (bytes && is_blank(text[bytes - 1]))
		bytes--;
	if (bytes != 2 * UMIG_KEY_SIZE ||
	    sodium_hex2bin(key, UMIG_KEY_SIZE, (const char *)text, bytes, NULL,
			   &got, NULL) || got != UMIG_KEY_SIZE)
		return -EINVAL;
	return 0;
}

int domain_key_read(const char *path, uint8_t key[UMIG_KEY_SIZE],
		    struct err *err)
{
	uint8_t text[FILE_MAX];
	ssize_t n;
	int rc;

	sodium_mlock(text, sizeof(text));
	n = read_file(path, text, sizeof(text), err);
	rc = n < 0 ? n : decode(text, n, key);
	sodium_munlock(text, sizeof(text));	/* wipes it, too */
	if (rc == -EINVAL)
		err_set(err, rc,
			"key file %s: is no key: %d raw bytes or %d hexadecimal digits are one (make one with: umig index gen-key)",
			path, UMIG_KEY_SIZE, 2 * UMIG_KEY_SIZE);
	return rc;
}

void domain_key_digest(const uint8_t key[UMIG_KEY_SIZE], const void *page,
		       uint8_t digest[UMIG_DIGEST_SIZE])
{
	crypto_generichash(digest, UMIG_DIGEST_SIZE, page, UMIG_PAGE_SIZE, key,
			   UMIG_KEY_SIZE);
}

void domain_key_id(const uint8_t key[UMIG_KEY_SIZE],
		   uint8_t id[UMIG_KEY_ID_SIZE])
{
	static const char label[] = "umig key id";
	uint8_t digest[UMIG_DIGEST_SIZE];

	crypto_generichash(digest, sizeof(digest), (const uint8_t *)label,
			   strlen(label), key, UMIG_KEY_SIZE);
	memcpy(id, digest, UMIG_KEY_ID_SIZE);
}

int domain_key_same(const char *a, const uint8_t a_id[UMIG_KEY_ID_SIZE],
		    const char *b, const uint8_t b_id[UMIG_KEY_ID_SIZE],
		    struct err *err)
{
	if (!memcmp(a_id, b_id, UMIG_KEY_ID_SIZE))
		return 0;
	return err_set(err, -EXDEV,
		       "the digests of %s and of %s are made with different keys: make the image's index with the fleet's: umig image index FILE --key FILE",
		       a, b);
}

int domain_key_generate(char hex[DOMAIN_KEY_HEX_MAX], struct err *err)
{
	uint8_t key[UMIG_KEY_SIZE];

	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium has no random numbers");
	randombytes_buf(key, sizeof(key));
	sodium_bin2hex(hex, DOMAIN_KEY_HEX_MAX, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
	return 0;
}
