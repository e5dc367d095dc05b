// SPDX-License-Identifier: GPL-2.0
/*
 * The model checker: see explore.h.
 *
 * Worlds are numbered in the order in which they are found; a table from world
 * to number is open-addressed.  Steps are kept as pairs of numbers, and when
 * all worlds are known those that aren't faults are followed backwards from
 * the settled worlds: a world that isn't met has no way out.
 */
#include "model/explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS (1U << 22)
#define NOBODY UINT32_MAX

struct edge {
	uint32_t from;
	uint32_t to;
};

/**
 * struct search - One exploration.
 * @world: by number; @parent: the number that it was found from.
 * @slot: number + 1 by hash of the world; 0: empty.
 * @edge: steps that are no faults.
 * @at: the number being expanded.
 */
struct search {
	const struct rules *rules;
	union world *world;
	uint32_t *parent;
	uint32_t *slot;
	struct edge *edge;
	size_t edges, edges_max;
	uint32_t nr, at;
	uint32_t flawed;
	struct explored out;
};

static uint32_t *slot_of(struct search *s, union world w)
{
	uint32_t i = (w.key * 0x9e3779b97f4a7c15ULL) >> 42;

	while (s->slot[i] && s->world[s->slot[i] - 1].key != w.key)
		i = (i + 1) % SLOTS;
	return &s->slot[i];
}

static uint32_t number_of(struct search *s, union world w)
{
	uint32_t *slot = slot_of(s, w);

	if (*slot)
		return *slot - 1;
	assert(s->nr < SLOTS / 2);
	s->world[s->nr] = w;
	s->parent[s->nr] = s->at;
	*slot = ++s->nr;
	s->out.seen |= 1U << w.source | 1U << w.target;
	s->out.settled += world_settled(w);
	return s->nr - 1;
}

static void add_edge(struct search *s, uint32_t to)
{
	if (s->edges == s->edges_max) {
		s->edges_max = s->edges_max ? 2 * s->edges_max : 1 << 16;
		s->edge = realloc(s->edge,
				  s->edges_max * sizeof(*s->edge));
		assert(s->edge);
	}
	s->edge[s->edges++] = (struct edge){ s->at, to };
}

static void found(void *arg, union world to, const char *label, bool fault)
{
	struct search *s = arg;
	uint32_t n = number_of(s, to);

	(void)label;
	s->out.transitions++;
	if (!fault)
		add_edge(s, n);
	if (to.flaw && s->flawed == NOBODY)
		s->flawed = n;
}

/* Mark what reaches a settled world; the first that doesn't, or NOBODY. */
static uint32_t find_stuck(struct search *s)
{
	bool *out = calloc(s->nr, sizeof(*out)), again = true;
	uint32_t i;
	size_t e;

	assert(out);
	for (i = 0; i < s->nr; i++)
		out[i] = world_settled(s->world[i]);
	while (again) {
		again = false;
		for (e = s->edges; e-- > 0;) {
			if (out[s->edge[e].from] || !out[s->edge[e].to])
				continue;
			out[s->edge[e].from] = again = true;
		}
	}
	for (i = 0; i < s->nr && out[i]; i++)
		;
	free(out);
	return i < s->nr ? i : NOBODY;
}

struct wanted {
	union world to;
	const char *label;
};

static void name_step(void *arg, union world to, const char *label,
		      bool fault)
{
	struct wanted *w = arg;

	(void)fault;
	if (to.key == w->to.key && !w->label)
		w->label = label;
}

static void print_trace(struct search *s, uint32_t to)
{
	struct wanted w = { .to = s->world[to] };

	if (s->parent[to] != NOBODY) {
		print_trace(s, s->parent[to]);
		world_expand(s->rules, s->world[s->parent[to]], name_step, &w);
	}
	printf("#   %s\n", w.label ? w.label : "PREPARE has been said");
	world_print(s->world[to]);
}

static void search_all(struct search *s)
{
	s->at = s->flawed = NOBODY;
	number_of(s, world_first(s->rules));
	for (s->at = 0; s->at < s->nr && s->flawed == NOBODY; s->at++)
		world_expand(s->rules, s->world[s->at], found, s);
	s->out.states = s->nr;
	if (s->flawed != NOBODY) {
		s->out.flaw = s->world[s->flawed].flaw;
		return;
	}
	s->flawed = find_stuck(s);
	if (s->flawed != NOBODY)
		s->out.flaw = FLAW_STUCK;
}

struct explored explore(const struct rules *rules)
{
	struct search s = { .rules = rules };

	s.world = calloc(SLOTS / 2, sizeof(*s.world));
	s.parent = calloc(SLOTS / 2, sizeof(*s.parent));
	s.slot = calloc(SLOTS, sizeof(*s.slot));
	assert(s.world && s.parent && s.slot);
	search_all(&s);
	if (s.out.flaw) {
		printf("# %s:\n", world_flaw(s.out.flaw));
		print_trace(&s, s.flawed);
	}
	free(s.world);
	free(s.parent);
	free(s.slot);
	free(s.edge);
	return s.out;
}
