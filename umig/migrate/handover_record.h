/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A handover's record: what has to be known of it when the process that did it
 * is gone.  Its text form is a JSON object of one version; reading refuses
 * whatever it doesn't know, since a record that is passed over lets a guest run
 * twice.  Pure functions; handover_store.h keeps records on disk.
 *
 *	{ "version": 1, "name": "web", "role": "source", "phase": "handover",
 *	  "migration": "00112233445566778899aabbccddeeff",
 *	  "peer": "10.0.0.2:7000", "time": 1770000000 }
 */
#ifndef UMIG_MIGRATE_HANDOVER_RECORD_H
#define UMIG_MIGRATE_HANDOVER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/err.h"
#include "migrate/handover_sm.h"

#define HANDOVER_ID_BYTES 16
/* so that "NAME.handover.new" is a file name everywhere */
#define HANDOVER_NAME_MAX 100
#define HANDOVER_PEER_MAX 127
/* No record is that long. */
#define HANDOVER_RECORD_MAX 4096

/**
 * enum handover_phase - What a record says.
 * @HANDOVER_PHASE_HANDOVER: source: GO may have been said.
 * @HANDOVER_PHASE_MOVED: source: the guest is the destination's.
 * @HANDOVER_PHASE_STARTING: destination: GO was heard, the guest may have run.
 * @HANDOVER_PHASE_STARTED: destination: the guest is this host's.
 */
enum handover_phase {
	HANDOVER_PHASE_HANDOVER = 1,
	HANDOVER_PHASE_MOVED = 2,
	HANDOVER_PHASE_STARTING = 3,
	HANDOVER_PHASE_STARTED = 4,
	HANDOVER_PHASES
};

/**
 * struct handover_record - A record.
 * @name: the VM's, as --name says.
 * @phase: which also says the role.
 * @id: of the migration: the same at both ends.
 * @peer: the other end: an address, a name; not a promise.
 * @time_s: when it was first written, since 1970.
 */
struct handover_record {
	char name[HANDOVER_NAME_MAX + 1];
	enum handover_phase phase;
	uint8_t id[HANDOVER_ID_BYTES];
	char peer[HANDOVER_PEER_MAX + 1];
	uint64_t time_s;
};

/**
 * handover_record_name() - Set name and peer; of the peer what fits.
 * @host: what the peers file calls the other end; empty: it is not known.
 * @address: its address.
 */
void handover_record_name(struct handover_record *r, const char *name,
			  const char *host, const char *address);

/** handover_record_parse() - Read @bytes of @text: 0, or -EBADMSG and why. */
int handover_record_parse(struct handover_record *r, const char *text,
			  size_t bytes, struct err *err);

/** handover_record_json() - As an object; NULL: no memory. */
json_t *handover_record_json(const struct handover_record *r);

/** handover_record_text() - As text, to be freed; NULL: no memory. */
char *handover_record_text(const struct handover_record *r);

/** handover_record_state() - Where a machine stands that left this record. */
enum handover_state handover_record_state(const struct handover_record *r);

/** handover_record_settled() - MOVED or STARTED. */
bool handover_record_settled(const struct handover_record *r);

/**
 * handover_record_refuse() - May a process of this VM begin?
 * @boot: it would boot the VM; else it would wait for it to arrive.
 *
 * Return: 0, or -EBUSY and, in @err, what happened, when, with whom, and what
 * to do.
 */
int handover_record_refuse(const struct handover_record *r, bool boot,
			   struct err *err);

/** handover_record_tell() - In a sentence, for umig status. */
void handover_record_tell(const struct handover_record *r, char *to,
			  size_t room);

/** handover_phase_name() - "handover", ...; "invalid" for others. */
const char *handover_phase_name(enum handover_phase phase);

#endif
