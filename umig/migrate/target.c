// SPDX-License-Identifier: GPL-2.0
/*
 * The destination of a migration, from listen to its last word.
 *
 *   listen, hello               SETUP    a peer that fails here is dropped,
 *                                        and the next one is waited for
 *   pages, offers, state        PRECOPY  the VM is fresh no more: a failure
 *                                        is final
 *   PREPARE, READY              STOPPING
 *   GO, start, STARTED          HANDOVER -> COMPLETED
 *
 * The guest is started here by GO and nothing else, and GO is heard only
 * behind READY.  Every last word but STARTED means: it does not run here and
 * never will.
 */
#include "migrate/migration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "migrate/handover.h"
#include "migrate/inlets.h"
#include "migrate/pack.h"
#include "migrate/place.h"
#include "migrate/verify.h"
#include "transport/tcp.h"
#include "wire/frame.h"
#include "wire/msgs.h"

#define HELLO_TIMEOUT_NS 10000000000ULL
/* So many pages without a proof, and more than with one, are no accident. */
#define UNPROVEN_SUSPECT 1024
/*
 * The source has long silent spells: flushing a disk, setting up a dirty log.
 * Waiting for it costs nobody anything: it has the guest.
 */
#define SOURCE_TIMEOUTS 5

/**
 * struct target - One run of it.
 * @m: the migration.
 * @placer: pages.
 * @inlets: further connections.
 * @unpacker: of those that are packed, to @unpacked.
 * @state: the machine state as far as it has come; its size in @state_total.
 * @state_loaded: it was complete, and is loaded.
 * @digested: all of memory, for the source to compare.
 * @handover: from PREPARE on.
 * @fishing: the user was told of a source that names what it can't prove.
 */
struct target {
	struct migration *m;
	struct placer placer;
	struct inlets inlets;
	struct unpacker unpacker;
	uint8_t *unpacked;
	struct buf state;
	uint32_t state_total;
	bool state_loaded;
	bool digested;
	struct handover_target handover;
	bool fishing;
};

static int bad_frame(struct target *t, const struct frame_in *in)
{
	return err_set(&t->m->err, -EPROTO, "the source sent a malformed %s",
		       wire_type_name(in->type));
}

static int reply(struct target *t, uint16_t type, const void *payload,
		 size_t bytes)
{
	int rc = channel_send_copy(t->m->ch, type, payload, bytes);

	return rc ? migration_lost(t->m, rc) : 0;
}

/* A source that waits for an ACK must see that what it sent is being read. */
static int keep_alive(struct target *t)
{
	return handover_target_ready(&t->handover) ? 0 :
						     migration_keep_alive(t->m);
}

static int on_offer(struct target *t, const struct frame_in *in)
{
	uint8_t bitmap[WIRE_BATCH_PAGES / 8];
	uint8_t answer[sizeof(struct wire_answer) + sizeof(bitmap)];
	uint8_t nonce[PROOF_NONCE_BYTES];
	struct offer_msg msg;
	int rc;

	if (msg_offer_decode(&msg, in->payload, in->bytes))
		return bad_frame(t, in);
	rc = placer_offer(&t->placer, &msg, nonce, bitmap, &t->m->err);
	if (rc)
		return rc;
	return reply(t, WIRE_ANSWER, answer,
		     msg_answer_encode(answer, msg.first, msg.count, nonce,
				       bitmap));
}

/* Not fatal: it gets none of them. */
static void note_unproven(struct target *t)
{
	const struct placer *p = &t->placer;
	uint64_t named = p->proven + p->unproven;
	struct err why = { 0 };

	if (t->fishing || p->unproven <= UNPROVEN_SUSPECT ||
	    p->unproven < p->proven)
		return;
	t->fishing = true;
	err_set(&why, -EACCES,
		"the source named %llu pages that this host holds, and could not prove to have %llu of them, which it didn't get: its index is stale (umig index show there), or it fishes for the pages of others",
		(unsigned long long)named, (unsigned long long)p->unproven);
	log_warn("%s", err_text(&why));
	migration_warn(t->m, "%s", err_text(&why));
}

static int place_pages(struct target *t, const void *payload, size_t bytes)
{
	struct placer *p = &t->placer;
	uint32_t at, n;
	void *room;
	int rc = placer_pages(p, payload, bytes, &t->m->err);

	note_unproven(t);
	for (at = 0; !rc && at < p->nr_refused; at += n) {
		n = p->nr_refused - at;
		if (n > WIRE_BATCH_PAGES)
			n = WIRE_BATCH_PAGES;
		rc = channel_payload(t->m->ch, &room);
		if (!rc)
			rc = channel_send(t->m->ch, WIRE_REFUSED,
					  msg_refused_encode(
						  room, p->refused_round,
						  p->refused + at, n));
		if (rc)
			migration_lost(t->m, rc);
		t->m->live.index_refused += n;
	}
	return rc;
}

static int on_packed(struct target *t, const struct frame_in *in)
{
	size_t bytes;

	if (unpack(&t->unpacker, in->payload, in->bytes, t->unpacked,
		   WIRE_PAYLOAD_MAX, &bytes))
		return bad_frame(t, in);
	return place_pages(t, t->unpacked, bytes);
}

static int on_round_end(struct target *t, const struct frame_in *in)
{
	uint8_t ack[sizeof(struct wire_round)];
	uint32_t round;
	int rc;

	if (msg_round_decode(&round, in->payload, in->bytes))
		return bad_frame(t, in);
	rc = inlets_wait(&t->inlets, round);
	if (rc)
		return rc;
	t->m->live.rounds = round;
	placer_count(&t->placer, &t->m->live);
	migration_publish(t->m);
	return reply(t, WIRE_ROUND_ACK, ack, msg_round_encode(ack, round));
}

static int on_state(struct target *t, const struct frame_in *in)
{
	struct migration *m = t->m;
	struct state_msg msg;
	int rc;

	if (msg_state_decode(&msg, in->payload, in->bytes) ||
	    t->state_loaded || msg.offset != t->state.len ||
	    (t->state.len && msg.total != t->state_total))
		return bad_frame(t, in);
	t->state_total = msg.total;
	buf_put(&t->state, msg.bytes, msg.nr);
	if (t->state.error)
		return err_set(&m->err, t->state.error,
			       "out of memory for %u bytes of machine state",
			       msg.total);
	if (t->state.len < t->state_total)
		return 0;
	rc = m->ops->state_load(m->vm, t->state.data, t->state.len, &m->err);
	if (rc)
		return err_set(&m->err, rc,
			       "cannot load the machine state: %s",
			       strerror(-rc));
	t->state_loaded = true;
	return 0;
}

static int on_verify(struct target *t)
{
	struct migration *m = t->m;
	uint32_t i, n = verify_chunks(m->ms);
	digest_t *digests = calloc(n, sizeof(*digests));
	uint64_t began = clock_now_ns();
	void *room;
	int rc = 0;

	if (!digests)
		return err_set(&m->err, -ENOMEM, "out of memory");
	for (i = 0; i < n && !rc; i++) {
		verify_digest(m->ms, i, &digests[i]);
		rc = keep_alive(t);
	}
	if (!rc)
		rc = channel_payload(m->ch, &room);
	if (!rc)
		rc = channel_send(m->ch, WIRE_DIGESTS,
				  msg_digests_encode(room, digests, n));
	free(digests);
	m->live.verify_ns = clock_now_ns() - began;
	t->digested = !rc;
	return rc ? migration_lost(m, rc) : 0;
}

/* -errno with words: it could not run now. */
static int is_fit(struct target *t)
{
	struct migration *m = t->m;
	const struct received *r = &t->placer.received;
	int rc;

	if (!received_complete(r))
		return err_set(&m->err, -ENODATA,
			       "%llu pages never came, first 0x%llx",
			       (unsigned long long)(r->pages - r->placed),
			       (unsigned long long)memslots_gfn(
				       m->ms, received_first_missing(r)));
	if (!t->state_loaded)
		return err_set(&m->err, -ENODATA,
			       "the machine state never came");
	rc = m->ops->prepare(m->vm, &m->err);
	return rc ? err_set(&m->err, rc, "cannot run the guest: %s",
			    strerror(-rc)) : 0;
}

static int on_prepare(struct target *t, const struct frame_in *in)
{
	int rc;

	if (in->bytes != HANDOVER_ID_BYTES)
		return bad_frame(t, in);
	/* else the source would have ended it */
	t->m->live.verified = t->digested;
	rc = is_fit(t);
	return rc ? rc : handover_target_prepare(&t->handover, in->payload);
}

/* Pages by this frame and further connections: still to come? */
static bool is_of_rounds(uint16_t type)
{
	return type == WIRE_OFFER || type == WIRE_PAGES ||
	       type == WIRE_PACKED || type == WIRE_ROUND_END;
}

/* Handle one frame: 0: go on; 1: the guest runs here; -errno. */
static int handle(struct target *t, const struct frame_in *in)
{
	if (!is_of_rounds(in->type) && inlets_close(&t->inlets))
		return t->m->err.code;
	if (handover_target_ready(&t->handover))
		return in->type == WIRE_GO && !in->bytes ?
			       handover_target_go(&t->handover) :
			       migration_unexpected(t->m, in, "GO");
	switch (in->type) {
	case WIRE_OFFER:
		return on_offer(t, in);
	case WIRE_PAGES:
		return place_pages(t, in->payload, in->bytes);
	case WIRE_PACKED:
		return on_packed(t, in);
	case WIRE_ROUND_END:
		return on_round_end(t, in);
	case WIRE_STATE:
		return on_state(t, in);
	case WIRE_VERIFY:
		return on_verify(t);
	case WIRE_PREPARE:
		return on_prepare(t, in);
	default:
		return migration_unexpected(t->m, in, "memory or state");
	}
}

static int check_slots(const struct memslots *theirs,
		       const struct memslots *ours, struct err *err)
{
	unsigned int i;

	if (theirs->pages != ours->pages)
		return err_set(err, -EXDEV,
			       "the machines differ in \"memory\": source has %llu MiB, destination has %llu MiB: start umig listen with the source's options",
			       (unsigned long long)theirs->pages >> 8,
			       (unsigned long long)ours->pages >> 8);
	for (i = 0; i < theirs->nr && i < ours->nr; i++)
		if (theirs->slot[i].gfn != ours->slot[i].gfn ||
		    theirs->slot[i].pages != ours->slot[i].pages)
			break;
	if (theirs->nr != ours->nr || i < ours->nr)
		return err_set(err, -EXDEV,
			       "the machines differ in their memory layout (slot %u): run the same umig release on both hosts",
			       i);
	return 0;
}

/* MemAvailable and SwapFree in KiB, together; 0 if it can't be told. */
static uint64_t free_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib, sum = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1 ||
		    sscanf(line, "SwapFree: %llu", &kib) == 1)
			sum += kib;
	if (f)
		fclose(f);
	return sum;
}

static int check_memory(struct migration *m)
{
	uint64_t need = m->ms->pages * (UMIG_PAGE_SIZE / 1024);
	uint64_t have = free_kib();

	if (m->params.overcommit || !have || have >= need)
		return 0;
	return err_set(&m->err, -ENOMEM,
		       "this host has %llu MiB of memory free and the VM may need %llu MiB: free some, or start umig listen with --overcommit",
		       (unsigned long long)have / 1024,
		       (unsigned long long)need / 1024);
}

static int check_hello(struct migration *m, const struct frame_in *in)
{
	struct hello peer = { 0 };
	int rc = hello_decode(&peer, in->payload, in->bytes, &m->err);

	if (!rc && !(peer.flags & WIRE_HELLO_SOURCE))
		rc = err_set(&m->err, -EPROTO,
			     "the peer is not the source of a migration");
	if (!rc)
		rc = check_slots(&peer.slots, m->ms, &m->err);
	if (!rc)
		rc = check_memory(m);
	if (!rc)
		rc = migration_check_group(m, &peer.machine);
	/* last: it adopts what the source's guest sees */
	if (!rc)
		rc = m->ops->machine_accept(m->vm, &peer.machine, &m->err);
	hello_free(&peer);
	return rc;
}

static int greet(struct migration *m)
{
	uint32_t flags = WIRE_HELLO_CODECS;
	struct page_source *ps = m->params.pages;
	struct machine machine = { 0 };
	struct frame_in in;
	int rc = migration_recv(m, &in, true);

	if (rc)
		return rc;
	if (in.type != WIRE_HELLO)
		return migration_unexpected(m, &in, "HELLO");
	rc = check_hello(m, &in);
	if (rc)
		return rc;
	m->full_proof = m->params.proof == PROOF_FULL || m->peer.full_proof;
	if (m->full_proof)
		flags |= WIRE_HELLO_FULL_PROOF;
	rc = m->ops->machine(m->vm, &machine);
	if (rc)
		err_set(&m->err, rc, "cannot describe the machine: %s",
			strerror(-rc));
	else
		rc = migration_hello(m, &machine, flags,
				     ps ? ps->key_id : NULL);
	machine_free(&machine);
	return rc;
}

/* One peer up to the hello.  0: it may send; -EAGAIN: wait for the next. */
static int meet(struct migration *m)
{
	struct session session = { 0 };
	char from[128];
	int rc, fd = door_wait(m->door, m->cancel_fd, &session, from,
			       sizeof(from), &m->err);

	if (fd == -ECANCELED)
		return fd;
	if (fd < 0) {
		log_warn("%s", err_text(&m->err));
		sleep(1);	/* out of descriptors, a network that is down */
		return -EAGAIN;
	}
	snprintf(m->from, sizeof(m->from), "%s", from);
	rc = migration_open_channel(m, fd, &session, HELLO_TIMEOUT_NS);
	if (rc)
		return rc;
	channel_set_deadline(m->ch, clock_now_ns() + HELLO_TIMEOUT_NS);
	rc = greet(m);
	if (!rc) {
		channel_set_deadline(m->ch, 0);
		tcp_set_timeout(fd, SOURCE_TIMEOUTS *
					    m->params.peer_timeout_ns);
		channel_set_timeout(m->ch, SOURCE_TIMEOUTS *
						   m->params.peer_timeout_ns);
		return 0;
	}
	if (rc != -ECANCELED)
		log_warn("%s: refused: %s", from, err_text(&m->err));
	migration_goodbye(m, rc);
	channel_close(m->ch);
	m->ch = NULL;
	return rc == -ECANCELED ? rc : -EAGAIN;
}

static int wait_for_source(struct target *t, struct frame_in *first)
{
	struct migration *m = t->m;
	int rc;

	for (;;) {
		m->err = (struct err){ 0 };
		rc = meet(m);
		if (rc == -EAGAIN)
			continue;
		if (rc)
			return rc;
		rc = migration_recv(m, first, true);
		if (!rc || rc == -ECANCELED)
			return rc;
		log_warn("the source went away before it sent anything: %s",
			 err_text(&m->err));
		channel_close(m->ch);
		m->ch = NULL;
	}
}

/* Time is counted from a source's arrival on. */
static void begin(struct migration *m)
{
	pthread_mutex_lock(&m->lock);
	m->begun_ns = clock_now_ns();
	pthread_mutex_unlock(&m->lock);
}

static int migrate(struct target *t)
{
	struct migration *m = t->m;
	struct frame_in in;
	int rc = placer_init(&t->placer, m->ms, m->params.pages);

	if (!rc)
		rc = unpacker_init(&t->unpacker);
	t->unpacked = malloc(WIRE_PAYLOAD_MAX);
	if (rc || !t->unpacked)
		return err_set(&m->err, -ENOMEM,
			       "out of memory for the state of %llu pages",
			       (unsigned long long)m->ms->pages);
	rc = wait_for_source(t, &in);
	if (rc)
		return rc;
	if (in.type == WIRE_CHANNELS)
		rc = inlets_open(&t->inlets, &in);
	door_close(m->door);
	m->door = NULL;
	begin(m);
	t->placer.proof = migration_proof_mode(m);
	t->placer.brief = migration_brief_proofs(m);
	t->placer.dense = migration_dense_runs(m);
	if (!rc)
		rc = migration_enter(m, MIGRATE_PRECOPY);
	if (!rc && in.type == WIRE_CHANNELS)
		rc = migration_recv(m, &in, true);
	while (!rc) {
		rc = handle(t, &in);
		if (!rc)
			rc = keep_alive(t);
		if (!rc)
			rc = migration_recv(m, &in, true);
	}
	return rc == 1 ? 0 : rc;
}

#define GIVE_WAY_NICE 5

/* The guest runs in this process now: what is left to do must not hold it up. */
static void give_way(void)
{
	/* of this thread alone, on Linux; that it fails costs a little time */
	(void)setpriority(PRIO_PROCESS, 0, GIVE_WAY_NICE);
}

void migrate_target(struct migration *m)
{
	struct target t = { .m = m };
	int rc;

	handover_target_init(&t.handover, m);
	inlets_init(&t.inlets, m, &t.placer);
	rc = migrate(&t);
	if (!rc)
		give_way();
	if (inlets_close(&t.inlets) && rc)
		rc = m->err.code;
	if (rc)
		handover_target_fail(&t.handover, rc);
	if (t.placer.class)
		placer_count(&t.placer, &m->live);
	migration_publish(m);
	channel_close(m->ch);
	m->ch = NULL;
	buf_free(&t.state);
	inlets_exit(&t.inlets);
	placer_exit(&t.placer);
	unpacker_exit(&t.unpacker);
	free(t.unpacked);
	if (m->params.pages)
		m->params.pages->close(m->params.pages);
	migration_enter(m, !rc ? MIGRATE_COMPLETED :
			   rc == -ECANCELED ? MIGRATE_CANCELLED :
					      MIGRATE_FAILED);
}
