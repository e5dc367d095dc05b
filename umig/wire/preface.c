// SPDX-License-Identifier: GPL-2.0
/*
 * The first bytes of a connection: see preface.h.
 */
#include "wire/preface.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "wire/frame.h"

struct wire_preface {
	uint8_t magic[8];
	uint16_t version;
	uint16_t version_min;
	uint8_t mode;
	uint8_t status;
	uint16_t length;
} __attribute__((packed));

struct wire_abilities {
	uint16_t version;
	uint16_t version_min;
	uint32_t features;	/* 0 */
	uint8_t ciphers;
	uint8_t cipher;
	uint16_t reserved;	/* 0 */
} __attribute__((packed));

_Static_assert(sizeof(struct wire_preface) == WIRE_PREFACE_BYTES, "wire");
_Static_assert(sizeof(struct wire_abilities) == WIRE_ABILITIES_BYTES, "wire");

void preface_encode(void *to, const struct preface *p)
{
	struct wire_preface w = {
		.version = htole16(p->version),
		.version_min = htole16(p->version_min),
		.mode = p->mode,
		.status = p->status,
		.length = htole16(p->length),
	};

	memcpy(w.magic, WIRE_MAGIC, sizeof(w.magic));
	memcpy(to, &w, sizeof(w));
}

static int check_versions(uint16_t version, uint16_t version_min)
{
	if (!version_min || version_min > version)
		return -EPROTO;
	if (version < WIRE_VERSION_MIN || version_min > WIRE_VERSION)
		return -EPROTONOSUPPORT;
	return 0;
}

int preface_decode(struct preface *p, const void *from)
{
	struct wire_preface w;
	int rc;

	memcpy(&w, from, sizeof(w));
	p->version = le16toh(w.version);
	p->version_min = le16toh(w.version_min);
	p->mode = w.mode;
	p->status = w.status;
	p->length = le16toh(w.length);
	if (memcmp(w.magic, WIRE_MAGIC, sizeof(w.magic)))
		return -EPROTO;
	/* first: what else a later version's preface says is its own affair */
	rc = check_versions(p->version, p->version_min);
	if (rc)
		return rc;
	if (p->mode != WIRE_MODE_PLAIN && p->mode != WIRE_MODE_SEALED)
		return -EPROTO;
	if (p->status != WIRE_STATUS_OK && p->status != WIRE_STATUS_REFUSED)
		return -EPROTO;
	return 0;
}

void abilities_encode(void *to, const struct abilities *a)
{
	struct wire_abilities w = {
		.version = htole16(a->version),
		.version_min = htole16(a->version_min),
		.features = htole32(a->features),
		.ciphers = a->ciphers,
		.cipher = a->cipher,
	};

	memcpy(to, &w, sizeof(w));
}

int abilities_decode(struct abilities *a, const void *from)
{
	struct wire_abilities w;

	memcpy(&w, from, sizeof(w));
	a->version = le16toh(w.version);
	a->version_min = le16toh(w.version_min);
	a->features = le32toh(w.features);
	a->ciphers = w.ciphers;
	a->cipher = w.cipher;
	/* what a later version may offer is passed over, and not answered */
	if (w.reserved || (a->features && a->version <= WIRE_VERSION))
		return -EPROTO;
	return check_versions(a->version, a->version_min);
}
