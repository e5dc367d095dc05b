/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's front door: start a migration out of, or into, a VM; watch it;
 * cancel it; settle it.  Several may exist in one process.  Every function may
 * be called from any thread but the engine's own.
 */
#ifndef UMIG_MIGRATE_MIGRATE_H
#define UMIG_MIGRATE_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/proof.h"
#include "lib/err.h"
#include "mem/digest_source.h"
#include "mem/page_source.h"
#include "migrate/handover_store.h"
#include "migrate/pack_policy.h"
#include "migrate/state.h"
#include "migrate/vm_ops.h"
#include "transport/credentials.h"

/**
 * struct migrate_report - What is known of a migration, at any time.
 * @state: where it stands.
 * @error: why it failed, was cancelled, or is unknown; else empty.
 * @warning: something that the user should know, e.g. why no page is taken
 *	from what the destination holds; else empty.
 * @incoming: this is the destination's view.
 * @sealed: the connection is authenticated and encrypted,
 * @cipher: with this; empty if not.
 * @peer: the name of the other host in the peers file; empty if not sealed.
 * @verified: both ends digested all memory and the digests were equal, or, at the
 *	destination, the source went on as if they were.
 * @total_ns: from the command to the destination's word that the guest runs.
 * @setup_ns: of it, until the first page could be sent.
 * @downtime_ns: the guest stood still this long, @verify_ns taken off; also where
 *	it runs on at the source.  The destination knows of @start_ns only.
 * @verify_ns: of the standstill, comparing memory.
 * @stop_ns: of the downtime: bringing vCPUs and devices to rest,
 * @last_round_ns: what was written and not sent yet,
 * @state_ns: saving and sending the machine state,
 * @handover_ns: PREPARE until STARTED was heard, which includes loading the
 *	state and both records, without
 * @start_ns: the destination's start of the guest, as it says.
 * @predicted_ns: after the last live round: the downtime, were it to begin.
 * @stop_reason: why the guest was stopped, or given up on, as
 *	converge_reason_name() says; empty: not yet.
 * @rounds: rounds begun, the final one included.
 * @throttle_pages_s: what the guest was, or is, held to; 0: it wasn't.
 * @bytes_s: sent a second, of late,
 * @dirtied_s: and pages dirtied.
 * @end_ns: pre-copy will end in about this time; 0: nobody can tell.
 * @dirty_source: "ring" or "bitmap"; empty before tracking began.
 * @pages_total: RAM of the VM.
 * @pages_zero: pages by how their final content went: known to be zero,
 * @pages_held: by a digest that the destination holds,
 * @pages_duplicate: by naming an earlier page of the same content,
 * @pages_plain: whole.
 * @pages_resent: times a page was sent again because the guest wrote it.
 * @pages_delta: source: times that it went as its changes only.
 * @pages_dirtied: pages that harvests reported, all rounds together; not those
 *	that had to be taken as written because the log lost some.
 * @pages_remaining: still to send in this round, about.
 * @bytes_tx: written to the connection.
 * @bytes_rx: read from it.
 * @bytes_plain_equivalent: what plain pre-copy would have written for the same
 *	sends: 4096 + 8 bytes for each page that isn't zero, 9 for each that
 *	is (QEMU's encoding), and the machine state.
 * @index_offered: unique digests that the destination was asked for.
 * @index_confirmed: of these, held.
 * @index_refused: pages that the destination could not place after all.
 * @index_unproven: destination: of these, because the source failed to prove
 *	that it has them.
 * @index_shared: destination: times that a held page was placed without taking
 *	memory, as the one page of all who have it.
 * @index_cancelled: pages whose offer was pending when they were written.
 * @index_hashed: at the start, source: merged pages with a digest,
 * @index_merged: and all merged pages, host-wide: the index's coverage.
 */
struct migrate_report {
	enum migrate_state state;
	char error[ERR_TEXT_MAX];
	char warning[ERR_TEXT_MAX];
	bool incoming;
	bool verified;
	bool sealed;
	char cipher[24];
	char peer[PEER_NAME_MAX];
	uint64_t total_ns;
	uint64_t setup_ns;
	uint64_t downtime_ns;
	uint64_t verify_ns;
	uint64_t stop_ns;
	uint64_t last_round_ns;
	uint64_t state_ns;
	uint64_t handover_ns;
	uint64_t start_ns;
	uint64_t predicted_ns;
	char stop_reason[16];
	uint64_t rounds;
	uint64_t throttle_pages_s;
	uint64_t bytes_s;
	uint64_t dirtied_s;
	uint64_t end_ns;
	char dirty_source[8];
	uint64_t pages_total;
	uint64_t pages_zero;
	uint64_t pages_held;
	uint64_t pages_duplicate;
	uint64_t pages_plain;
	uint64_t pages_resent;
	uint64_t pages_delta;
	uint64_t pages_dirtied;
	uint64_t pages_remaining;
	uint64_t bytes_tx;
	uint64_t bytes_rx;
	uint64_t bytes_plain_equivalent;
	uint64_t index_offered;
	uint64_t index_confirmed;
	uint64_t index_refused;
	uint64_t index_unproven;
	uint64_t index_shared;
	uint64_t index_cancelled;
	uint64_t index_hashed;
	uint64_t index_merged;
};

/**
 * typedef migrate_event_fn - Told of every change of state.
 *
 * Called on the engine's thread; it must not call back into the migration but
 * for migration_query().  A final state is the last event.
 */
typedef void migrate_event_fn(void *arg, const struct migrate_report *report);

/**
 * enum migrate_on_timeout - What to do when pre-copy doesn't converge.
 * @MIGRATE_ON_TIMEOUT_ABORT: fail; the guest stays.
 * @MIGRATE_ON_TIMEOUT_STOP: stop the guest and send the rest, however long it
 *	takes.
 */
enum migrate_on_timeout {
	MIGRATE_ON_TIMEOUT_ABORT = 1,
	MIGRATE_ON_TIMEOUT_STOP = 2,
};

#define MIGRATE_CHANNELS_MAX 16

/**
 * struct migrate_params - How to migrate.
 * @address: numeric "HOST:PORT" or "[V6]:PORT".
 * @credentials: this host's key and whom it knows, borrowed until the migration
 *	is freed; NULL: the connection is neither authenticated nor encrypted,
 *	and the other end must have been told the same.
 * @peer: source: the destination's name in the peers file; NULL: the peer that
 *	has that address.
 * @downtime_limit_ns: stop the guest when what remains is predicted to take no
 *	longer.
 * @max_rounds: pre-copy rounds before it counts as not converging, >= 1.
 * @timeout_ns: time, from the command on, before it counts as such; 0: any.
 * @on_timeout: and what then.
 * @throttle_floor: percent of its speed that a vCPU keeps which dirties faster
 *	than the link takes; 100: none is held.
 * @verify: source: compare all memory at both ends before GO.
 * @no_digests: source: every page that isn't zero shall be sent, which is no
 *	reason for a warning.
 * @channels: source: connections, at most MIGRATE_CHANNELS_MAX; 0: as many as
 *	make it faster.
 * @pack: source: how pages are compressed.
 * @proof: destination: how a source must prove that it has a page which it
 *	names by its digest.
 * @overcommit: destination: take a VM larger than the memory that is free.
 * @page_classes: path of a file to write how each page's final content went,
 *	a byte a page in dense order (&enum page_class), or NULL.
 * @bandwidth: source: bytes a second at most, 0: no limit; the peers file may
 *	have a lower one.
 * @peer_timeout_ns: a peer that is silent this long is lost.
 * @store: where the handover is recorded: the VM's, which this process has
 *	locked.  Borrowed.
 * @digests: the source's digests, or NULL: everything that isn't zero is sent.
 *	The migration closes it.
 * @pages: the destination's held pages, or NULL.  The migration closes it.
 */
struct migrate_params {
	const char *address;
	const struct credentials *credentials;
	const char *peer;
	uint64_t downtime_limit_ns;
	unsigned int max_rounds;
	uint64_t timeout_ns;
	enum migrate_on_timeout on_timeout;
	unsigned int throttle_floor;
	bool verify;
	bool no_digests;
	unsigned int channels;
	struct pack_option pack;
	enum proof_mode proof;
	bool overcommit;
	const char *page_classes;
	uint64_t bandwidth;
	uint64_t peer_timeout_ns;
	struct handover_store *store;
	struct digest_source *digests;
	struct page_source *pages;
};

/**
 * MIGRATE_PARAMS_DEFAULT - 50 ms, 30 rounds, one channel, abort, verify, nothing
 * compressed, sampled proofs, 30 s.
 */
extern const struct migrate_params MIGRATE_PARAMS_DEFAULT;

struct migration;

/**
 * migration_start_source() - Begin to move a VM away.
 *
 * Returns once the engine's thread runs; everything else is told by events.
 * @params is copied.  On failure nothing was started, and nothing closed.
 */
int migration_start_source(struct migration **out, const struct vm_ops *ops,
			   void *vm, const struct migrate_params *params,
			   migrate_event_fn *event, void *arg,
			   struct err *err);

/**
 * migration_start_target() - Wait at @params->address for a VM.
 *
 * Listens when it returns.  Peers that don't get past the hello are logged and
 * dropped and it goes on waiting; once memory has begun to arrive, a failure
 * is final, since @vm is not fresh any more.
 */
int migration_start_target(struct migration **out, const struct vm_ops *ops,
			   void *vm, const struct migrate_params *params,
			   migrate_event_fn *event, void *arg,
			   struct err *err);

/** migration_port() - Destination: the port that it listens at. */
int migration_port(const struct migration *m);

/** migration_query() - A snapshot. */
void migration_query(struct migration *m, struct migrate_report *out);

/**
 * migration_cancel() - Ask it to end with the guest at the source.
 *
 * Return: 0, -EBUSY from HANDOVER on, -EALREADY when it has ended.
 */
int migration_cancel(struct migration *m);

/**
 * migration_settle() - Say what became of the guest in HANDOVER_UNKNOWN.
 * @moved: it runs at the destination: this end is COMPLETED.  Else it doesn't
 *	and never will there: the guest is started again here.
 *
 * Return: 0, or -EINVAL in any other state.
 */
int migration_settle(struct migration *m, bool moved);

/** migration_free() - Cancel if need be, wait for the thread, free. */
void migration_free(struct migration *m);

#endif
