// SPDX-License-Identifier: GPL-2.0
/*
 * Pre-copy: see precopy.h.  After Clark et al., "Live Migration of Virtual
 * Machines", NSDI 2005; what is dirty comes from KVM's dirty ring.
 */
#include "migrate/precopy.h"

#include <errno.h>
#include <string.h>

#include "lib/clock.h"
#include "migrate/converge.h"

/* Saving, loading and starting, beside records and round trips. */
#define STATE_NS 5000000ULL
/*
 * A few rounds of refusals are possible in the last round: a page that is
 * refused is sent whole next, which can't be refused.
 */
#define FINAL_ROUNDS 3
/*
 * At the end of a round, what may not have arrived yet: of each connection, what
 * both ends' buffers hold; of a lane, its queue, too.
 */
#define IN_FLIGHT_PAGES 4096
#define IN_FLIGHT_LANE_PAGES \
	(IN_FLIGHT_PAGES + LANE_BATCHES * WIRE_BATCH_PAGES)

/**
 * struct precopy - Live rounds.
 * @s: the sender.
 * @c: what is known of link and guest.
 * @harvested_ns: when the last harvest was,
 * @cost_ns: and what it took.
 * @overflowed: the dirty log has lost pages, so that all of them had to be sent
 *	again.
 * @told_ns: when @c was told of what is sent, and what had been by then:
 * @told_pages, @told_bytes.
 */
struct precopy {
	struct sender *s;
	struct converge c;
	uint64_t harvested_ns;
	uint64_t cost_ns;
	bool overflowed;
	uint64_t told_ns;
	uint64_t told_pages;
	uint64_t told_bytes;
};

/* All pages count as written, but not as the guest's doing. */
static void lose_log(struct sender *s)
{
	uint64_t dirtied = s->m->live.pages_dirtied;

	migration_warn(s->m,
		       "the dirty log lost pages: all memory is sent again; start the VM with --dirty bitmap");
	sender_written_all(s);
	s->m->live.pages_dirtied = dirtied;
}

/* 0; 1: the log has lost pages; or -errno. */
static int harvest(struct sender *s)
{
	struct migration *m = s->m;
	int rc = m->ops->dirty_harvest(m->vm, sender_written, s);

	if (rc == -EOVERFLOW) {
		lose_log(s);
		return 1;
	}
	if (rc)
		return err_set(&m->err, rc, "cannot read the dirty log: %s",
			       strerror(-rc));
	return 0;
}

static void progress(struct sender *s)
{
	struct migration *m = s->m;

	m->live.pages_remaining =
		todo_count(&s->todo) + offering_waiting(&s->offering);
	m->live.rounds = s->todo.round;
	sender_count(s, &m->live);
	migration_publish(m);
}

static void tell_sent(struct precopy *p, uint64_t now_ns)
{
	struct migration *m = p->s->m;
	uint64_t bytes = migration_bytes_tx(m), sent = p->s->out.sent;

	converge_sent(&p->c, now_ns - p->told_ns, sent - p->told_pages,
		      bytes - p->told_bytes);
	m->live.bytes_s = p->c.byte_ps;
	m->live.dirtied_s = p->c.dirty_ps;
	m->live.end_ns = p->overflowed ? 0 :
			 converge_end_ns(&p->c, m->live.pages_remaining);
	p->told_ns = now_ns;
	p->told_pages = sent;
	p->told_bytes = bytes;
}

/* A harvest while the guest runs, and what it and the time since tell. */
static int harvest_live(struct precopy *p)
{
	uint64_t dirtied = p->s->m->live.pages_dirtied;
	uint64_t began_ns = clock_now_ns();
	int rc = harvest(p->s);

	if (rc < 0)
		return rc;
	if (rc) {
		p->overflowed = true;
		/* nobody knows any more who writes how much */
		p->c.limits.can_throttle = false;
	}
	converge_dirtied(&p->c, began_ns - p->harvested_ns,
			 p->s->m->live.pages_dirtied - dirtied);
	tell_sent(p, began_ns);
	p->harvested_ns = began_ns;
	p->cost_ns = clock_now_ns() - began_ns;
	progress(p->s);
	return 0;
}

static uint64_t in_flight(const struct sender *s)
{
	uint64_t n = IN_FLIGHT_PAGES + s->out.lanes.nr * IN_FLIGHT_LANE_PAGES;

	return n < s->m->ms->pages ? n : s->m->ms->pages;
}

/* In the midst of a round. */
static int harvest_due(struct precopy *p)
{
	uint64_t since_ns = clock_now_ns() - p->harvested_ns;

	return since_ns < converge_harvest_ns(p->cost_ns) ? 0 :
							    harvest_live(p);
}

/* What waits for answers; 0 or -errno. */
static int settle(struct precopy *p)
{
	int rc;

	while ((rc = sender_settle(p->s)) > 0) {
		rc = harvest_due(p);
		if (rc)
			break;
	}
	return rc;
}

/* Send the pages of a live round, and harvest meanwhile. */
static int send_pages(struct precopy *p)
{
	struct sender *s = p->s;
	int rc;

	while ((rc = sender_batch(s)) > 0) {
		if (converge_expired(&p->c, clock_now_ns()))
			break;
		rc = harvest_due(p);
		if (rc)
			return rc;
	}
	if (rc < 0)
		return rc;
	todo_leave_round(&s->todo);
	/* pages that were written since need not be named in vain */
	if (offering_waiting(&s->offering) && harvest_live(p))
		return s->m->err.code;
	/* what still waits for its answer may have to be sent whole */
	migration_deadline(s->m,
			   in_flight(s) + offering_waiting(&s->offering));
	return settle(p);
}

/* Send one live round, and fill what is known of it. */
static int live_round(struct precopy *p, struct converge_round *r)
{
	struct sender *s = p->s;
	struct migration *m = s->m;
	uint64_t began_ns = clock_now_ns(), sent_ns, acked_ns;
	uint64_t bytes = migration_bytes_tx(m), pages = s->out.sent;
	int rc;

	sender_begin_round(s);
	progress(s);
	rc = send_pages(p);
	sent_ns = clock_now_ns();
	migration_deadline(m, in_flight(s));
	if (!rc)
		rc = sender_end_round(s);
	channel_set_deadline(m->ch, 0);
	acked_ns = clock_now_ns();
	if (!rc)
		rc = harvest_live(p);
	*r = (struct converge_round){
		.number = s->todo.round,
		.now_ns = clock_now_ns(),
		.ns = acked_ns - began_ns,
		.ack_ns = acked_ns - sent_ns,
		.pages = s->out.sent - pages,
		.bytes = migration_bytes_tx(m) - bytes,
		.pages_left = todo_count_next(&s->todo),
	};
	return rc;
}

static int not_converging(struct precopy *p, const struct converge_round *r)
{
	struct migration *m = p->s->m;
	unsigned long long left = r->pages_left;
	unsigned long long ms = p->c.predicted_ns / 1000000;
	unsigned long long limit_ms = m->params.downtime_limit_ns / 1000000;

	if (p->overflowed)
		return err_set(&m->err, -ETIME,
			       "the dirty log lost pages, and all memory was sent again: after %u rounds %llu pages are left, the guest would stand still for %llu ms: start the VM with --dirty bitmap, raise --downtime-limit (%llu ms) or use --on-timeout stop",
			       r->number, left, ms, limit_ms);
	if (p->c.reason == CONVERGE_TIMEOUT)
		return err_set(&m->err, -ETIME,
			       "not done within --timeout (%llu s): after %u rounds %llu pages are left, the guest would stand still for %llu ms: raise --timeout or --downtime-limit (%llu ms), or use --on-timeout stop",
			       (unsigned long long)m->params.timeout_ns /
				       1000000000,
			       r->number, left, ms, limit_ms);
	return err_set(&m->err, -ETIME,
		       "the guest writes memory faster than it can be sent: after %u rounds %llu pages are left, it would stand still for %llu ms: raise --downtime-limit (%llu ms) or use --on-timeout stop%s",
		       r->number, left, ms, limit_ms,
		       p->c.limits.can_throttle ? "" :
		       "; it was not slowed down, which needs the dirty ring and --throttle-floor below 100");
}

/* Whether it is known who dirties how much. */
static bool can_throttle(struct migration *m)
{
	return m->params.throttle_floor < 100 && m->ops->throttle &&
	       !m->ops->throttle(m->vm, 0, m->params.throttle_floor);
}

/* As the decision says; that it fails costs time, and nothing else. */
static void throttle(struct precopy *p)
{
	struct migration *m = p->s->m;
	int rc;

	if (p->c.throttle_pages_s == m->live.throttle_pages_s)
		return;
	m->live.throttle_pages_s = p->c.throttle_pages_s;
	rc = m->ops->throttle(m->vm, p->c.throttle_pages_s,
			      m->params.throttle_floor);
	if (!rc)
		return;
	migration_warn(m, "the guest can't be slowed down: %s", strerror(-rc));
	p->c.limits.can_throttle = false;
}

static void precopy_init(struct precopy *p, struct sender *s)
{
	const struct migrate_params *params = &s->m->params;
	struct converge_limits limits = {
		.downtime_ns = params->downtime_limit_ns,
		.timeout_at_ns = params->timeout_ns ?
			s->m->begun_ns + params->timeout_ns : 0,
		.max_rounds = params->max_rounds,
		.stop_anyway = params->on_timeout == MIGRATE_ON_TIMEOUT_STOP,
		.can_throttle = can_throttle(s->m),
	};

	*p = (struct precopy){ .s = s };
	/* each end writes its record with the guest stopped */
	converge_init(&p->c, &limits, 2 * s->m->record_ns + STATE_NS);
	p->harvested_ns = p->told_ns = clock_now_ns();
	p->told_bytes = migration_bytes_tx(s->m);
}

static void tell_reason(struct precopy *p)
{
	struct migrate_report *live = &p->s->m->live;

	live->predicted_ns = p->c.predicted_ns;
	strncpy(live->stop_reason, converge_reason_name(p->c.reason),
		sizeof(live->stop_reason) - 1);
}

int precopy_live(struct sender *s)
{
	struct converge_round r;
	enum converge_next next;
	struct precopy p;
	int rc;

	precopy_init(&p, s);
	todo_add(&s->todo, 0, s->m->ms->pages);
	do {
		rc = live_round(&p, &r);
		if (rc)
			return rc;
		next = converge_round_ended(&p.c, &r);
		tell_reason(&p);
		throttle(&p);
	} while (next == CONVERGE_ROUND);
	return next == CONVERGE_STOP ? 0 : not_converging(&p, &r);
}

static int final_round(struct sender *s)
{
	int rc;

	sender_begin_round(s);
	progress(s);
	do {
		rc = sender_batch(s);
	} while (rc > 0);
	if (!rc) {
		do {
			rc = sender_settle(s);
		} while (rc > 0);
	}
	if (!rc)
		rc = sender_end_round(s);
	progress(s);
	return rc;
}

/* The last harvest.  The guest was stopped for the pages that were left then. */
static int harvest_final(struct sender *s)
{
	const struct migrate_params *params = &s->m->params;
	uint64_t pages = s->m->ms->pages;
	uint64_t left = todo_count_next(&s->todo);
	int rc = harvest(s);

	if (rc <= 0)
		return rc;
	if (left == pages || params->on_timeout == MIGRATE_ON_TIMEOUT_STOP)
		return 0;
	return err_set(&s->m->err, -EOVERFLOW,
		       "the dirty log lost pages when the guest was stopped, which would stand still until all memory was sent again: start the VM with --dirty bitmap, or use --on-timeout stop");
}

int precopy_final(struct sender *s)
{
	unsigned int i;
	int rc = harvest_final(s);

	/* the guest stands still: nobody may draw this out */
	migration_deadline(s->m, todo_count_next(&s->todo));

	for (i = 0; i < FINAL_ROUNDS && !rc; i++) {
		rc = final_round(s);
		if (!rc && !todo_count_next(&s->todo))
			return 0;
	}
	return rc ? rc :
		    err_set(&s->m->err, -EPROTO,
			    "the destination goes on refusing pages that were sent whole");
}
