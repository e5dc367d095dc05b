// SPDX-License-Identifier: GPL-2.0
/*
 * Dispatching: see dispatch.h.
 */
#include "migrate/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "mem/huge.h"
#include "migrate/offers.h"

#define CHANNELS_AUTO 4

/* As many as there are processors, but no more than pay. */
static unsigned int auto_channels(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > CHANNELS_AUTO ? CHANNELS_AUTO : n;
}

/*
 * Further channels: a link with a limit needs none.
 */
static unsigned int further(const struct migration *m)
{
	unsigned int n = m->params.channels;

	if (channel_rate(m->ch))
		return 0;
	if (!n)
		n = auto_channels();
	return n - 1;
}

/* The policy, or NULL if nothing can be, or shall be, compressed. */
static struct packing *policy(struct dispatch *d)
{
	const struct pack_option *option = &d->m->params.pack;

	return d->m->codecs && (option->automatic || option->plan.codec) ?
		       &d->packing : NULL;
}

int dispatch_init(struct dispatch *d, struct migration *m)
{
	memset(d, 0, sizeof(*d));
	d->m = m;
	lanes_init(&d->lanes, m);
	packing_init(&d->packing, &m->params.pack, m->codecs, 1 + further(m));
	d->class = calloc(m->ms->pages, 1);
	d->refused = bitmap_alloc(m->ms->pages);
	if (!d->class || !d->refused || deltas_init(&d->deltas) ||
	    encoder_init(&d->encoder, m->ms, m->ch, d->class, policy(d)))
		return -ENOMEM;
	d->encoder.deltas = &d->deltas;
	return 0;
}

void dispatch_exit(struct dispatch *d)
{
	lanes_exit(&d->lanes);
	encoder_exit(&d->encoder);
	deltas_exit(&d->deltas);
	packing_exit(&d->packing);
	free(d->class);
	free(d->refused);
}

int dispatch_open(struct dispatch *d)
{
	unsigned int n = further(d->m);
	int rc = n ? lanes_open(&d->lanes, n, d->class, policy(d)) : 0;

	climb_init(&d->climb, d->lanes.nr);
	return rc;
}

void dispatch_begin_round(struct dispatch *d, uint32_t round)
{
	d->round = round;
	encoder_begin_round(&d->encoder, round);
}

static int lost(struct dispatch *d, int rc)
{
	return rc ? migration_lost(d->m, rc) : 0;
}

/* @n pages from @first on go out now, in this round. */
static void claim_run(struct dispatch *d, uint64_t first, unsigned int n)
{
	uint64_t i;

	for (i = first; i < first + n; i++)
		if (d->class[i] && dispatch_may_name(d, i))
			d->m->live.pages_resent++;
	d->sent += n;
}

static void claim(struct dispatch *d, uint64_t index)
{
	claim_run(d, index, 1);
}

int dispatch_dense(struct dispatch *d, uint64_t first, unsigned int n)
{
	int rc;

	if (n < HUGE_PAGES || !migration_dense_runs(d->m))
		return 0;
	rc = encoder_dense(&d->encoder, first, n);
	/* before the pages that go by other channels */
	if (!rc && d->lanes.active)
		rc = encoder_flush(&d->encoder);
	return lost(d, rc);
}

int dispatch_zero(struct dispatch *d, uint64_t first, unsigned int n)
{
	claim_run(d, first, n);
	return lost(d, encoder_zero(&d->encoder, first, n));
}

int dispatch_held(struct dispatch *d, uint64_t index,
		  const struct wire_held *held)
{
	claim(d, index);
	return lost(d, encoder_held(&d->encoder, index, held,
				    migration_brief_proofs(d->m)));
}

int dispatch_own(struct dispatch *d, uint64_t index, uint32_t refused)
{
	claim(d, index);
	return lost(d, encoder_bytes(&d->encoder, index, refused));
}

/* What was gathered goes by a lane, or if all are busy, by our own channel. */
static int flush_gathered(struct dispatch *d)
{
	unsigned int i, n = d->nr_gathered;
	int rc = 0;

	d->nr_gathered = 0;
	if (!n || lanes_put(&d->lanes, d->round, d->gathered, n))
		return 0;
	for (i = 0; i < n && !rc; i++)
		rc = encoder_bytes(&d->encoder, d->gathered[i], OFFERS_NONE);
	return lost(d, rc);
}

int dispatch_any(struct dispatch *d, uint64_t index)
{
	/* a delta can only be ours */
	if (!d->lanes.active || deltas_wants(&d->deltas, index))
		return dispatch_own(d, index, OFFERS_NONE);
	claim(d, index);
	d->gathered[d->nr_gathered++] = index;
	return d->nr_gathered < WIRE_BATCH_PAGES ? 0 : flush_gathered(d);
}

int dispatch_spread(struct dispatch *d, uint64_t first, unsigned int n)
{
	unsigned int i;
	int rc = 0;

	dispatch_climb(d, n);
	for (i = 0; i < n && !rc; i++)
		rc = dispatch_any(d, first + i);
	return rc;
}

void dispatch_climb(struct dispatch *d, unsigned int n)
{
	d->spreadable += n;
	if (n && !d->m->params.channels)
		d->lanes.active = climb_step(&d->climb, d->spreadable,
					     clock_now_ns());
}

int dispatch_flush(struct dispatch *d)
{
	return lost(d, encoder_flush(&d->encoder));
}

int dispatch_flush_all(struct dispatch *d)
{
	int rc = flush_gathered(d);

	return rc ? rc : dispatch_flush(d);
}

int dispatch_end_round(struct dispatch *d)
{
	return lost(d, lanes_fence(&d->lanes, d->round));
}

int dispatch_error(struct dispatch *d)
{
	return lost(d, lanes_error(&d->lanes));
}

void dispatch_close(struct dispatch *d)
{
	lanes_close(&d->lanes);
}

void dispatch_refused(struct dispatch *d, uint64_t index)
{
	bitmap_set(d->refused, index);
	deltas_forget(&d->deltas, index);
}

void dispatch_count(struct dispatch *d, struct migrate_report *r)
{
	uint64_t plain = d->encoder.bytes_plain_equivalent;
	int64_t count[PAGE_CLASSES];

	memcpy(count, d->encoder.count, sizeof(count));
	lanes_count(&d->lanes, count, &plain);
	r->pages_zero = count[PAGE_CLASS_ZERO];
	r->pages_held = count[PAGE_CLASS_HELD];
	r->pages_duplicate = count[PAGE_CLASS_DUPLICATE];
	r->pages_plain = count[PAGE_CLASS_PLAIN];
	r->pages_delta = d->deltas.sent;
	r->bytes_plain_equivalent = plain + d->m->state_bytes;
}
