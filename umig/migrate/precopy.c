// SPDX-License-Identifier: GPL-2.0
/*
 * Pre-copy: see precopy.h.  After Clark et al., "Live Migration of Virtual
 * Machines", NSDI 2005; what is dirty comes from KVM's dirty ring.
 */
#include "migrate/precopy.h"

#include <errno.h>
#include <string.h>

#include "lib/bitmap.h"
#include "lib/clock.h"

/*
 * Within a round the log is harvested each so many batches of 512 pages, and so
 * many times at most: a harvest looks at all of the log.
 */
#define HARVEST_BATCHES 16
#define HARVESTS_MAX 64
/* What a page that must be sent whole takes on the wire. */
#define WHOLE_PAGE_BYTES (4096 + 16)
/*
 * A few rounds of refusals are possible in the last round: a page that is
 * refused is sent whole next, which can't be refused.
 */
#define FINAL_ROUNDS 3
/* At the end of a round, what may not have arrived yet: the link's buffers. */
#define IN_FLIGHT_PAGES 4096

static int harvest(struct sender *s)
{
	struct migration *m = s->m;
	int rc = m->ops->dirty_harvest(m->vm, sender_written, s);

	if (rc == -EOVERFLOW) {
		migration_warn(m,
			       "the dirty log lost pages: all memory is sent again; start the VM with --dirty bitmap");
		sender_written_all(s);
		return 0;
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
		bitmap_count(s->todo, m->ms->pages) + s->offers.waiting;
	m->live.rounds = s->round;
	sender_count(s, &m->live);
	migration_publish(m);
}

static uint64_t harvest_batches(const struct sender *s)
{
	uint64_t n = s->m->ms->pages / SENDER_BATCH / HARVESTS_MAX;

	return n > HARVEST_BATCHES ? n : HARVEST_BATCHES;
}

static uint64_t in_flight(const struct sender *s)
{
	uint64_t n = s->m->ms->pages;

	return n < IN_FLIGHT_PAGES ? n : IN_FLIGHT_PAGES;
}

/* Send one round.  @live: the guest runs and goes on writing. */
static int send_round(struct sender *s, bool live)
{
	uint64_t batches = 0;
	int rc;

	sender_begin_round(s);
	progress(s);
	do {
		rc = sender_batch(s);
		if (rc < 0 || ++batches % harvest_batches(s))
			continue;
		progress(s);
		if (live && harvest(s))
			return s->m->err.code;
	} while (rc > 0);
	if (!rc)
		rc = sender_settle(s);
	if (live)
		migration_deadline(s->m, in_flight(s));
	if (!rc)
		rc = sender_end_round(s);
	if (live)
		channel_set_deadline(s->m->ch, 0);
	progress(s);
	return rc;
}

/*
 * How long the pages of @next would take if each had to be sent whole, at the
 * rate of the round that took @ns for @bytes.  After a round of pages that were
 * named rather than sent that is too long, which costs one round more; it is
 * never too short for that reason.
 */
static uint64_t predict_ns(const struct sender *s, uint64_t bytes, uint64_t ns)
{
	uint64_t left = bitmap_count(s->next, s->m->ms->pages);
	unsigned __int128 total = (unsigned __int128)left * WHOLE_PAGE_BYTES;

	total = total * ns / (bytes ? bytes : 1);
	return total < UINT64_MAX ? total : UINT64_MAX;
}

static int not_converging(struct sender *s, uint64_t predicted_ns)
{
	struct migration *m = s->m;

	return err_set(&m->err, -ETIME,
		       "the guest writes memory faster than it can be sent: after %u rounds %llu pages are left, which would take %llu ms: raise --downtime-limit (%llu ms) or use --on-timeout stop",
		       s->round,
		       (unsigned long long)bitmap_count(s->next, m->ms->pages),
		       (unsigned long long)predicted_ns / 1000000,
		       (unsigned long long)m->params.downtime_limit_ns /
			       1000000);
}

int precopy_live(struct sender *s)
{
	struct migration *m = s->m;
	uint64_t began_ns, began_bytes, predicted_ns;
	int rc;

	bitmap_set_run(s->next, 0, m->ms->pages);
	for (;;) {
		began_ns = clock_now_ns();
		began_bytes = migration_bytes_tx(m);
		rc = send_round(s, true);
		if (!rc)
			rc = harvest(s);
		if (rc)
			return rc;
		predicted_ns = predict_ns(s, migration_bytes_tx(m) -
						     began_bytes,
					  clock_now_ns() - began_ns);
		if (predicted_ns <= m->params.downtime_limit_ns)
			return 0;
		if (s->round < m->params.max_rounds)
			continue;
		if (m->params.on_timeout == MIGRATE_ON_TIMEOUT_STOP)
			return 0;
		return not_converging(s, predicted_ns);
	}
}

int precopy_final(struct sender *s)
{
	unsigned int i;
	int rc = harvest(s);

	/* the guest stands still: nobody may draw this out */
	migration_deadline(s->m, bitmap_count(s->next, s->m->ms->pages));

	for (i = 0; i < FINAL_ROUNDS && !rc; i++) {
		rc = send_round(s, false);
		if (!rc && bitmap_next(s->next, s->m->ms->pages, 0) ==
				   s->m->ms->pages)
			return 0;
	}
	return rc ? rc :
		    err_set(&s->m->err, -EPROTO,
			    "the destination goes on refusing pages that were sent whole");
}
