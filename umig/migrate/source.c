// SPDX-License-Identifier: GPL-2.0
/*
 * The source of a migration, from connect to its last word.
 *
 *   connect, hello              SETUP
 *   rounds while it runs        PRECOPY
 *   stop, last round, state,    STOPPING
 *   memory compared, PREPARE
 *   GO, STARTED                 HANDOVER -> COMPLETED
 *
 * Whatever fails before GO ends with the guest running here as before.  After
 * GO the guest is started here only on the destination's word that it does not
 * and never will run there, or on its operator's.
 */
#include "migrate/migration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "migrate/handover.h"
#include "migrate/precopy.h"
#include "migrate/sender.h"
#include "migrate/verify.h"
#include "transport/dial.h"
#include "wire/frame.h"
#include "wire/msgs.h"
#include "wire/packed.h"

/* Five seconds, with the pauses in between. */
#define TAKE_BACK_TRIES 25

/**
 * struct source - One run of it.
 * @m: the migration.
 * @sender: pages.
 * @sender_ready: @sender is initialised.
 * @tracking: dirty tracking is on.
 * @stopped: the guest was stopped, at @stopped_ns.
 */
struct source {
	struct migration *m;
	struct sender sender;
	bool sender_ready;
	bool tracking;
	bool stopped;
	uint64_t stopped_ns;
};

static int open_channel(struct migration *m)
{
	uint64_t timeout_ns = m->params.peer_timeout_ns;
	struct session session = { 0 };
	int fd = dial(m->address, m->params.credentials, m->peer_wanted,
		      m->cancel_fd, timeout_ns, &session, &m->err);

	if (fd < 0)
		return fd;
	return migration_open_channel(m, fd, &session, timeout_ns);
}

static int send_hello(struct migration *m)
{
	struct digest_source *ds = m->params.digests;
	struct machine machine = { 0 };
	uint32_t flags = WIRE_HELLO_SOURCE;
	int rc = m->ops->machine(m->vm, &machine);

	if (m->params.verify)
		flags |= WIRE_HELLO_VERIFY;
	if (rc)
		err_set(&m->err, rc, "cannot describe the machine: %s",
			strerror(-rc));
	if (!rc)
		rc = migration_check_group(m, &machine);
	if (!rc)
		rc = migration_hello(m, &machine, flags,
				     ds ? ds->key_id : NULL);
	machine_free(&machine);
	return rc;
}

/* Whether digests may be offered to this peer; if not, the user is told. */
static bool may_offer(struct migration *m, const struct hello *peer)
{
	struct digest_source *ds = m->params.digests;

	if (m->params.no_digests)
		return false;
	if (!ds) {
		migration_warn(m,
			       "no umig module with a key, and no image, at the source: every page that isn't zero is sent");
		return false;
	}
	if (!(peer->flags & WIRE_HELLO_DIGESTS)) {
		migration_warn(m,
			       "the destination uses no umig module with a key, and no image: every page that isn't zero is sent");
		return false;
	}
	if (memcmp(peer->key_id, ds->key_id, sizeof(peer->key_id))) {
		migration_warn(m,
			       "source and destination have different index keys: every page that isn't zero is sent; load one key on both with umig index set-key, and make the indexes of images with it");
		return false;
	}
	return true;
}

static int recv_hello(struct migration *m, bool *offer)
{
	struct hello peer = { 0 };
	struct frame_in in;
	int rc = migration_recv(m, &in, true);

	if (rc)
		return rc;
	if (in.type != WIRE_HELLO)
		return migration_unexpected(m, &in, "HELLO");
	rc = hello_decode(&peer, in.payload, in.bytes, &m->err);
	if (!rc && peer.flags & WIRE_HELLO_SOURCE)
		rc = err_set(&m->err, -EPROTO,
			     "%s is the source of a migration, not umig listen",
			     m->address);
	if (!rc)
		*offer = may_offer(m, &peer);
	m->full_proof = peer.flags & WIRE_HELLO_FULL_PROOF;
	m->codecs = wire_codecs_of_hello(peer.flags);
	hello_free(&peer);
	return rc;
}

static int setup(struct source *src)
{
	struct migration *m = src->m;
	bool offer = false;
	int rc = open_channel(m);

	if (!rc) {
		migration_deadline(m, 0);
		rc = send_hello(m);
	}
	if (!rc)
		rc = recv_hello(m, &offer);
	if (rc)
		return rc;
	channel_set_deadline(m->ch, 0);
	if (offer && m->params.digests->coverage)
		m->params.digests->coverage(m->params.digests,
					    &m->live.index_hashed,
					    &m->live.index_merged);
	rc = sender_init(&src->sender, m, offer ? m->params.digests : NULL);
	if (rc)
		return rc;
	src->sender_ready = true;
	src->tracking = true;
	rc = m->ops->dirty_start(m->vm, &m->err);
	if (rc)
		return err_set(&m->err, rc, "cannot track dirty pages: %s",
			       strerror(-rc));
	strncpy(m->live.dirty_source, m->ops->dirty_source(m->vm),
		sizeof(m->live.dirty_source) - 1);
	m->live.setup_ns = clock_now_ns() - m->begun_ns;
	return 0;
}

static int stop_guest(struct source *src)
{
	struct migration *m = src->m;
	int rc = migration_enter(m, MIGRATE_STOPPING);

	if (rc)
		return rc;
	src->stopped = true;
	src->stopped_ns = clock_now_ns();
	rc = m->ops->stop(m->vm, &m->err);
	m->live.stop_ns = clock_now_ns() - src->stopped_ns;
	if (rc)
		return err_set(&m->err, rc, "cannot stop the guest: %s",
			       strerror(-rc));
	return 0;
}

static int send_state(struct migration *m)
{
	struct buf state = { 0 };
	size_t at = 0;
	void *room;
	int rc = m->ops->state_save(m->vm, &state, &m->err);

	migration_deadline(m, state.len / UMIG_PAGE_SIZE);
	if (!rc)
		rc = state.error;
	if (!rc && (!state.len || state.len > WIRE_STATE_MAX))
		rc = -EFBIG;
	if (rc)
		err_set(&m->err, rc, "cannot save the machine state: %s",
			strerror(-rc));
	while (!rc && at < state.len) {
		size_t n = state.len - at;

		if (n > WIRE_STATE_CHUNK)
			n = WIRE_STATE_CHUNK;
		rc = channel_payload(m->ch, &room);
		if (!rc)
			rc = channel_send(m->ch, WIRE_STATE,
					  msg_state_encode(room, state.len, at,
							   state.data + at,
							   n));
		if (rc)
			migration_lost(m, rc);
		at += n;
	}
	m->state_bytes = state.len;
	buf_free(&state);
	return rc;
}

/* Digesting takes the destination, too, about as long as it took us. */
#define SLOWER_PEER 10

/* Digest our memory while the destination does the same. */
static int digest_memory(struct migration *m, digest_t *ours)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < verify_chunks(m->ms) && !rc; i++) {
		verify_digest(m->ms, i, &ours[i]);
		rc = migration_keep_alive(m);
	}
	return rc;
}

static int report_difference(struct migration *m, uint32_t chunk)
{
	uint64_t first = chunk * verify_chunk_pages(m->ms);
	uint64_t last = first + verify_chunk_pages(m->ms) - 1;

	if (last >= m->ms->pages)
		last = m->ms->pages - 1;
	return err_set(&m->err, -EBADE,
		       "memory differs after the last round, first within pages 0x%llx to 0x%llx: the guest stays here; this is a bug in umig or bad hardware, please report it",
		       (unsigned long long)memslots_gfn(m->ms, first),
		       (unsigned long long)memslots_gfn(m->ms, last));
}

static int compare_digests(struct migration *m, const digest_t *ours)
{
	const uint8_t *theirs;
	struct frame_in in;
	uint32_t i, n;
	int rc = migration_recv(m, &in, true);

	if (rc)
		return rc;
	if (in.type != WIRE_DIGESTS)
		return migration_unexpected(m, &in, "DIGESTS");
	if (msg_digests_decode(&theirs, &n, in.payload, in.bytes) ||
	    n != verify_chunks(m->ms))
		return err_set(&m->err, -EPROTO,
			       "the destination sent malformed DIGESTS");
	for (i = 0; i < n; i++)
		if (memcmp(theirs + i * DIGEST_BYTES, ours[i].b, DIGEST_BYTES))
			return report_difference(m, i);
	m->live.verified = true;
	return 0;
}

static int verify(struct migration *m)
{
	digest_t *ours = calloc(verify_chunks(m->ms), sizeof(*ours));
	uint64_t began = clock_now_ns();
	int rc;

	if (!ours)
		return err_set(&m->err, -ENOMEM, "out of memory");
	migration_deadline(m, 0);
	rc = channel_send_copy(m->ch, WIRE_VERIFY, NULL, 0);
	if (rc)
		migration_lost(m, rc);
	if (!rc)
		rc = digest_memory(m, ours);
	if (!rc)
		migration_deadline_ns(m, SLOWER_PEER *
					 (clock_now_ns() - began));
	if (!rc)
		rc = compare_digests(m, ours);
	free(ours);
	m->live.verify_ns = clock_now_ns() - began;
	return rc;
}

/* The last round and the state, each with the time it takes. */
static int send_rest(struct source *src)
{
	struct migration *m = src->m;
	uint64_t began_ns = clock_now_ns();
	int rc = precopy_final(&src->sender);

	m->live.last_round_ns = clock_now_ns() - began_ns;
	began_ns = clock_now_ns();
	if (!rc) {
		sender_end_rounds(&src->sender);
		rc = send_state(m);
	}
	m->live.state_ns = clock_now_ns() - began_ns;
	return rc;
}

static int migrate(struct source *src)
{
	struct migration *m = src->m;
	int rc = setup(src);

	if (!rc)
		rc = migration_enter(m, MIGRATE_PRECOPY);
	if (!rc)
		rc = precopy_live(&src->sender);
	if (!rc)
		handover_stage(m);
	if (!rc)
		rc = stop_guest(src);
	if (!rc)
		rc = send_rest(src);
	if (!rc && m->params.verify)
		rc = verify(m);
	if (!rc)
		rc = handover_source(m, src->stopped_ns);
	return rc;
}

/* What it needs may be on its way back only now: a lock on a disk. */
static int start_again(struct migration *m, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	unsigned int tries;
	int rc = 0;

	for (tries = 0; tries < TAKE_BACK_TRIES; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		*err = (struct err){ 0 };
		rc = m->ops->start(m->vm, err);
		/* it runs, or has ended for good */
		if (!rc || rc == -ESHUTDOWN)
			break;
	}
	return rc ? err_set(err, rc, "%s", strerror(-rc)) : 0;
}

/* The guest is ours: let it run as before. */
static void take_back(struct source *src)
{
	struct migration *m = src->m;
	struct err why = m->err, err;
	int rc;

	if (src->tracking)
		m->ops->dirty_stop(m->vm);
	if (!src->stopped)
		return;
	rc = start_again(m, &err);
	m->ended_ns = clock_now_ns();
	m->live.downtime_ns = m->ended_ns - src->stopped_ns -
			      m->live.verify_ns;
	if (!rc)
		return;
	m->err = (struct err){ 0 };
	if (rc == -ESHUTDOWN)
		err_set(&m->err, rc,
			"the guest ended at the source as it was stopped: %.200s (the migration failed: %.200s)",
			err_text(&err), err_text(&why));
	else
		err_set(&m->err, rc,
			"the guest is STOPPED at the source and could not be started again: %.200s: mend that, then umig resume (the migration failed: %.200s)",
			err_text(&err), err_text(&why));
}

static void write_page_classes(struct source *src)
{
	struct migration *m = src->m;
	int fd = open(m->page_classes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0600);
	uint64_t at = 0;
	ssize_t n = 0;

	while (fd >= 0 && at < m->ms->pages && n >= 0) {
		n = write(fd, src->sender.out.class + at, m->ms->pages - at);
		at += n > 0 ? n : 0;
	}
	if (fd < 0 || n < 0)
		migration_warn(m, "cannot write %s: %s", m->page_classes,
			       strerror(errno));
	if (fd >= 0)
		close(fd);
}

void migrate_source(struct migration *m)
{
	struct source src = { .m = m };
	int rc = migrate(&src);

	if (rc && !m->abandoned) {
		take_back(&src);
		migration_goodbye(m, rc);
	}
	if (src.sender_ready)
		sender_count(&src.sender, &m->live);
	if (!rc && m->page_classes)
		write_page_classes(&src);
	m->live.pages_remaining = 0;
	migration_publish(m);
	if (src.sender_ready)
		sender_exit(&src.sender);
	channel_close(m->ch);
	m->ch = NULL;
	if (m->params.digests)
		m->params.digests->close(m->params.digests);
	if (m->abandoned)
		return;		/* in HANDOVER_UNKNOWN, the guest stopped */
	migration_enter(m, !rc ? MIGRATE_COMPLETED :
			   rc == -ECANCELED ? MIGRATE_CANCELLED :
					      MIGRATE_FAILED);
}
