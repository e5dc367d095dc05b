/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A migration as the engine's files share it.  The engine's thread owns it;
 * what other threads may touch is under @lock.
 */
#ifndef UMIG_MIGRATE_MIGRATION_H
#define UMIG_MIGRATE_MIGRATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "migrate/migrate.h"
#include "transport/channel.h"
#include "transport/door.h"
#include "wire/hello.h"
#include "wire/frame.h"

/**
 * enum migrate_settled - What became of the guest after HANDOVER_UNKNOWN.
 * @MIGRATE_SETTLED_NOT: nobody has said yet.
 * @MIGRATE_SETTLED_MOVED: migration_settle() said so,
 * @MIGRATE_SETTLED_STAYED: or so.
 * @MIGRATE_SETTLED_ABANDONED: the process ends: the guest stays stopped.
 */
enum migrate_settled {
	MIGRATE_SETTLED_NOT = 0,
	MIGRATE_SETTLED_MOVED = 1,
	MIGRATE_SETTLED_STAYED = 2,
	MIGRATE_SETTLED_ABANDONED = 3,
};

struct migration {
	/* constant while the thread runs */
	const struct vm_ops *ops;
	void *vm;
	struct migrate_params params;
	char *address;
	char *page_classes;
	char *peer_wanted;	/* NULL: by address */
	migrate_event_fn *event;
	void *event_arg;
	bool incoming;
	int cancel_fd;		/* readable once cancel was asked for */
	int port;		/* destination: that it listens at */
	uint64_t begun_ns;
	pthread_t thread;

	/* any thread */
	atomic_ullong lane_bytes;	/* that went by further connections */

	/* the engine's thread only, once it runs */
	uint64_t rate;		/* bytes a second at most, 0: no limit */
	uint64_t record_ns;	/* what a record takes to be written */
	struct door *door;	/* destination, until a source is in */
	struct peer peer;	/* who is at the other end; zero: anybody */
	uint64_t ended_ns;	/* 0: not yet */
	const struct memslots *ms;
	char from[128];		/* destination: the source's address */
	uint16_t version;	/* of the wire, that both ends speak */
	bool full_proof;	/* pages that are named are proved whole */
	struct channel *ch;
	uint64_t told_ns;	/* when it last carried our KEEPALIVE */
	struct err err;
	unsigned int codecs;	/* source: WIRE_CODEC_BIT()s of its peer's */
	uint64_t state_bytes;	/* source: of the machine state sent */
	struct handover_record record;	/* source: handover_stage() */
	bool abandoned;		/* the process ends in HANDOVER_UNKNOWN */
	struct migrate_report live;	/* all but the state */

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t settled_cond;
	enum migrate_settled settled;
	struct migrate_report report;	/* what others see */
};

/**
 * migration_enter() - Go to another state, publish, tell.
 *
 * Return: 0, or -ECANCELED: somebody cancelled first, nothing changed.  Never
 * fails for a final state.
 */
int migration_enter(struct migration *m, enum migrate_state to);

/**
 * migration_open_channel() - Make the channel of a connection that is through
 * its handshake.
 * @fd: the channel's, or closed.
 * @session: used up.
 */
int migration_open_channel(struct migration *m, int fd,
			   struct session *session, uint64_t timeout_ns);

/**
 * migration_check_group() - Whether the VM of @machine, by its trust group, may
 * go to, or come from, the peer: 0, or -EACCES in words.
 */
int migration_check_group(struct migration *m, const struct machine *machine);

/** migration_publish() - Let others see @m->live. */
void migration_publish(struct migration *m);

/** migration_bytes_tx() - Bytes that the kernel has taken, on all channels. */
uint64_t migration_bytes_tx(struct migration *m);

/** migration_warn() - Set the report's warning, unless there is one. */
void migration_warn(struct migration *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * migration_recv() - The next frame, with the peer's last words understood.
 *
 * ERROR and CANCEL become errors here; @wait as in channel_recv().
 *
 * Return: 0; -EAGAIN; -EREMOTEIO: the peer gave up, its text in @m->err;
 * -ECANCELED: cancelled at this end; or what the channel said.
 */
int migration_recv(struct migration *m, struct frame_in *in, bool wait);

/**
 * migration_deadline() - All that is waited for from now on has to come in
 * time, however alive the peer shows itself meanwhile.
 * @pages: so many have to be moved, or looked at, at the peer.
 */
void migration_deadline(struct migration *m, uint64_t pages);

/** migration_deadline_ns() - The same, for work that should take so long. */
void migration_deadline_ns(struct migration *m, uint64_t work_ns);

/** migration_lost() - Word an error of the channel for the user. */
int migration_lost(struct migration *m, int rc);

/** migration_unexpected() - Word a frame that has no place here: -EPROTO. */
int migration_unexpected(struct migration *m, const struct frame_in *in,
			 const char *expected);

#define MIGRATION_KEEPALIVE_NS 1000000000ULL

/**
 * migration_keep_alive() - Show the peer that this end is busy, not gone; for
 * whoever works, or waits for somebody else, for long.  Once a second at most.
 *
 * Return: 0, or -errno in words.
 */
int migration_keep_alive(struct migration *m);

/**
 * migration_goodbye() - Best effort, for a few seconds: tell the peer why this
 * end gives up.  If much is queued before it on a slow link, the peer only sees
 * the connection end.
 */
void migration_goodbye(struct migration *m, int rc);

/** migration_proof_mode() - What both ends' HELLOs made of it. */
static inline enum proof_mode migration_proof_mode(const struct migration *m)
{
	return m->full_proof ? PROOF_FULL : PROOF_SAMPLED;
}

/** migration_brief_proofs() - Whether half a proof will do. */
static inline bool migration_brief_proofs(const struct migration *m)
{
	return m->version >= WIRE_VERSION_BRIEF && !m->full_proof;
}

/** migration_dense_runs() - Whether the peer cares what memory is dense. */
static inline bool migration_dense_runs(const struct migration *m)
{
	return m->version >= WIRE_VERSION_DENSE;
}

/** migration_hello() - Fill and send our HELLO. */
int migration_hello(struct migration *m, const struct machine *machine,
		    uint32_t flags, const uint8_t *key_id);

/* The two threads' bodies.  They leave the final state entered. */
void migrate_source(struct migration *m);
void migrate_target(struct migration *m);

#endif
