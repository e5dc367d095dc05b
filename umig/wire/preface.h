/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first bytes of a connection, before any frame: what is spoken here, and
 * whether what follows is sealed.  Pure functions over bytes.
 *
 *   0       8         10            12     13       14       16
 *   | magic | version | version_min | mode | status | length | length bytes
 *
 * The connecting end (the source) speaks first; behind its preface comes, if
 * it asks for a sealed connection, the handshake's first message.  The other
 * end answers with a preface of its own: behind it the handshake's second
 * message, or, refusing, a text for a person.
 *
 * Both handshake messages carry &struct wire_abilities, encrypted; the preface
 * of the connecting end is the handshake's prologue.  So neither versions nor
 * ciphers can be talked down on the way.
 */
#ifndef UMIG_WIRE_PREFACE_H
#define UMIG_WIRE_PREFACE_H

#include <stdint.h>

#define WIRE_PREFACE_BYTES 16
#define WIRE_ABILITIES_BYTES 12
#define WIRE_REFUSAL_MAX 200

/**
 * enum wire_mode - What follows the prefaces.
 * @WIRE_MODE_PLAIN: frames, as they are: --insecure.
 * @WIRE_MODE_SEALED: the handshake, then records.
 */
enum wire_mode {
	WIRE_MODE_PLAIN = 1,
	WIRE_MODE_SEALED = 2,
};

/**
 * enum wire_status - The answering end's decision.
 * @WIRE_STATUS_OK: go on; in the connecting end's preface always.
 * @WIRE_STATUS_REFUSED: a text follows, then the connection ends.
 */
enum wire_status {
	WIRE_STATUS_OK = 1,
	WIRE_STATUS_REFUSED = 2,
};

/**
 * struct preface - A preface.
 * @version: newest version of the protocol that its sender speaks,
 * @version_min: and oldest.
 * @mode: &enum wire_mode.
 * @status: &enum wire_status.
 * @length: bytes that follow before the other end's turn.
 */
struct preface {
	uint16_t version;
	uint16_t version_min;
	uint8_t mode;
	uint8_t status;
	uint16_t length;
};

/**
 * struct abilities - What an end can do, inside the handshake's messages.
 * @version: as in its preface,
 * @version_min: and this.
 * @features: none in this version: 0.
 * @ciphers: bitmask of 1 << &enum record_cipher.
 * @cipher: answering end: the one that is used; else 0.
 */
struct abilities {
	uint16_t version;
	uint16_t version_min;
	uint32_t features;
	uint8_t ciphers;
	uint8_t cipher;
};

/** preface_encode() - Write WIRE_PREFACE_BYTES to @to. */
void preface_encode(void *to, const struct preface *p);

/**
 * preface_decode() - Read WIRE_PREFACE_BYTES.
 *
 * Return: 0; -EPROTO: not umig, or an impossible preface; -EPROTONOSUPPORT: no
 * version in common, @p is set all the same.
 */
int preface_decode(struct preface *p, const void *from);

/** abilities_encode() - Write WIRE_ABILITIES_BYTES to @to. */
void abilities_encode(void *to, const struct abilities *a);

/**
 * abilities_decode() - Read WIRE_ABILITIES_BYTES.
 *
 * Return: 0, -EPROTO; -EPROTONOSUPPORT: no version in common.
 */
int abilities_decode(struct abilities *a, const void *from);

#endif
