// SPDX-License-Identifier: GPL-2.0
/*
 * Holding vCPUs to a rate: see dirty_pace.h.
 */
#include "mem/dirty_pace.h"

#include <stddef.h>

#define NS_PER_S 1e9
/* Rates follow what is measured within about this time. */
#define RATE_MEMORY_NS 50e6
/* Credit and debt are of no more than this time's pages. */
#define CREDIT_NS 20e6
#define DEBT_NS 200e6
/* Of a hold, what waking up takes on top of it: a tenth is kept back. */
#define WAKE_PART 0.9

void pace_init(struct pace *p, unsigned int nr, uint64_t now_ns)
{
	unsigned int i;

	*p = (struct pace){ .nr = nr, .at_ns = now_ns };
	for (i = 0; i < nr; i++)
		p->vcpu[i].free_ns = now_ns;
}

/* What those get that want more than @share, if nobody else uses more. */
static double next_share(const struct pace *p, double share)
{
	double room = p->pages_s;
	unsigned int i, greedy = 0;

	for (i = 0; i < p->nr; i++) {
		if (p->vcpu[i].rate_ps > share)
			greedy++;
		else
			room -= p->vcpu[i].rate_ps;
	}
	return greedy ? room / greedy : share;
}

/* What all want, if that is less than they may: the largest may have the rest. */
static double spare_share(const struct pace *p)
{
	double sum = 0, most = 0;
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		sum += p->vcpu[i].rate_ps;
		if (p->vcpu[i].rate_ps > most)
			most = p->vcpu[i].rate_ps;
	}
	return sum <= p->pages_s ? most + p->pages_s - sum : 0;
}

/* From an even share upwards: each step frees what somebody doesn't use. */
double pace_share(const struct pace *p)
{
	double next, share = spare_share(p);
	unsigned int i;

	if (share > 0)
		return share;
	share = (double)p->pages_s / p->nr;
	for (i = 0; i < p->nr; i++) {
		next = next_share(p, share);
		if (next <= share)
			break;
		share = next;
	}
	return share;
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* How long a vCPU that owes has to stand still. */
static uint64_t hold_ns(const struct pace *p, const struct pace_vcpu *v,
			double share, uint64_t now_ns)
{
	double ran_ns = now_ns > v->free_ns ? now_ns - v->free_ns : 0;
	double most_ns = ran_ns * (100 - p->floor) / p->floor * WAKE_PART;
	double ns = -v->credit / share * NS_PER_S;

	if (ns > most_ns)
		ns = most_ns;
	return clamp(ns, 0, PACE_HOLD_MAX_NS);
}

void pace_tick(struct pace *p, uint64_t now_ns, const uint64_t *pages,
	       uint64_t *hold)
{
	double share, ns = now_ns - p->at_ns;
	struct pace_vcpu *v;
	unsigned int i;

	if (now_ns <= p->at_ns)
		ns = 1;
	p->at_ns = now_ns;
	for (v = p->vcpu; v < p->vcpu + p->nr; v++)
		v->rate_ps += (pages[v - p->vcpu] * NS_PER_S / ns -
			       v->rate_ps) * (ns / (ns + RATE_MEMORY_NS));
	share = pace_share(p);
	for (i = 0; i < p->nr; i++) {
		v = &p->vcpu[i];
		hold[i] = 0;
		v->credit = clamp(v->credit + share * ns / NS_PER_S - pages[i],
				  -share * DEBT_NS / NS_PER_S,
				  share * CREDIT_NS / NS_PER_S);
		if (v->credit >= 0 || now_ns < v->free_ns)
			continue;
		hold[i] = hold_ns(p, v, share, now_ns);
		v->free_ns = now_ns + hold[i];
	}
}
