// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of an image's index: see image_format.h.
 */
#include "mem/image_format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#define VERSION 1
#define CHECK_BYTES 32

static const uint8_t magic[8] = { 'U', 'M', 'I', 'G', 'I', 'D', 'X', '\n' };

/** struct file_head - The first bytes of the file, little endian. */
struct file_head {
	uint8_t magic[8];
	uint32_t version;
	uint32_t record_bytes;
	uint64_t pages;
	uint8_t key_id[16];
	uint8_t seed[PAGE_SUM_SEED_BYTES];
	uint8_t reserved[24];
	uint8_t check[CHECK_BYTES];
} __attribute__((packed));

_Static_assert(sizeof(struct file_head) == IMAGE_HEAD_BYTES, "a format");

static void make_check(const struct file_head *h, uint8_t check[CHECK_BYTES])
{
	crypto_generichash(check, CHECK_BYTES, (const uint8_t *)h,
			   offsetof(struct file_head, check), NULL, 0);
}

void image_head_encode(uint8_t to[IMAGE_HEAD_BYTES],
		       const struct image_head *head)
{
	struct file_head h = {
		.version = htole32(VERSION),
		.record_bytes = htole32(sizeof(struct image_record)),
		.pages = htole64(head->pages),
	};

	memcpy(h.magic, magic, sizeof(h.magic));
	memcpy(h.key_id, head->key_id, sizeof(h.key_id));
	memcpy(h.seed, head->seed, sizeof(h.seed));
	make_check(&h, h.check);
	memcpy(to, &h, sizeof(h));
}

static int check_head(const struct file_head *h, struct err *err)
{
	static const uint8_t none[sizeof(h->reserved)];
	uint8_t check[CHECK_BYTES];

	if (memcmp(h->magic, magic, sizeof(magic)))
		return err_set(err, -EBADMSG, "is no index of an image");
	if (le32toh(h->version) != VERSION)
		return err_set(err, -EPROTO,
			       "is of version %u, this umig reads %u: make it again with: umig image index",
			       le32toh(h->version), VERSION);
	make_check(h, check);
	if (memcmp(check, h->check, sizeof(check)) ||
	    le32toh(h->record_bytes) != sizeof(struct image_record) ||
	    memcmp(h->reserved, none, sizeof(none)))
		return err_set(err, -EBADMSG,
			       "is damaged: make it again with: umig image index");
	return 0;
}

int image_head_decode(const void *data, size_t bytes, uint64_t file_bytes,
		      struct image_head *out, struct err *err)
{
	struct file_head h;
	uint64_t pages;
	int rc;

	if (bytes < sizeof(h))
		return err_set(err, -EBADMSG, "is no index of an image");
	memcpy(&h, data, sizeof(h));
	rc = check_head(&h, err);
	if (rc)
		return rc;
	pages = le64toh(h.pages);
	if (!pages || pages > IMAGE_PAGES_MAX ||
	    file_bytes != sizeof(h) + pages * sizeof(struct image_record))
		return err_set(err, -EBADMSG,
			       "has %llu bytes, which is not what %llu pages need: make it again with: umig image index",
			       (unsigned long long)file_bytes,
			       (unsigned long long)pages);
	out->pages = pages;
	memcpy(out->key_id, h.key_id, sizeof(out->key_id));
	memcpy(out->seed, h.seed, sizeof(out->seed));
	return 0;
}

bool image_record_empty(const struct image_record *record)
{
	static const struct image_record none;

	return !memcmp(record, &none, sizeof(none));
}
