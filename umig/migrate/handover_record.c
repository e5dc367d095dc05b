// SPDX-License-Identifier: GPL-2.0
/*
 * A handover's record: see handover_record.h.
 */
#include "migrate/handover_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#define RECORD_VERSION 1
#define RECORD_MEMBERS 7

static const struct {
	const char *name;
	const char *role;
	enum handover_state state;
} phases[] = {
	[HANDOVER_PHASE_HANDOVER] = { "handover", "source", SOURCE_RECORDED },
	[HANDOVER_PHASE_MOVED] = { "moved", "source", SOURCE_MOVED },
	[HANDOVER_PHASE_STARTING] = { "starting", "destination",
				      TARGET_RECORDED },
	[HANDOVER_PHASE_STARTED] = { "started", "destination",
				     TARGET_RUNNING },
};

_Static_assert(sizeof(phases) / sizeof(phases[0]) == HANDOVER_PHASES,
	       "a name, a role and a state for each phase");

const char *handover_phase_name(enum handover_phase phase)
{
	return phase > 0 && phase < HANDOVER_PHASES ? phases[phase].name :
						      "invalid";
}

enum handover_state handover_record_state(const struct handover_record *r)
{
	return phases[r->phase].state;
}

bool handover_record_settled(const struct handover_record *r)
{
	return handover_final(phases[r->phase].state);
}

void handover_record_name(struct handover_record *r, const char *name,
			  const char *host, const char *address)
{
	snprintf(r->name, sizeof(r->name), "%s", name);
	if (*host)
		snprintf(r->peer, sizeof(r->peer), "%s (%s)", host, address);
	else
		snprintf(r->peer, sizeof(r->peer), "%s", address);
}

static int take_text(char *to, size_t room, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text || json_string_length(value) >= room ||
	    strlen(text) != json_string_length(value))
		return -EBADMSG;
	strcpy(to, text);
	return 0;
}

static int take_id(uint8_t *id, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t bytes;

	if (!text || json_string_length(value) != 2 * HANDOVER_ID_BYTES ||
	    sodium_hex2bin(id, HANDOVER_ID_BYTES, text, 2 * HANDOVER_ID_BYTES,
			   NULL, &bytes, NULL) || bytes != HANDOVER_ID_BYTES)
		return -EBADMSG;
	return 0;
}

static int take_phase(enum handover_phase *phase, const json_t *value,
		      const json_t *role)
{
	int i;

	for (i = 1; i < HANDOVER_PHASES; i++) {
		if (!json_is_string(value) || !json_is_string(role) ||
		    strcmp(json_string_value(value), phases[i].name) ||
		    strcmp(json_string_value(role), phases[i].role))
			continue;
		*phase = i;
		return 0;
	}
	return -EBADMSG;
}

static int take_time(uint64_t *time_s, const json_t *value)
{
	/* below the year 10000, so that it can be printed */
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > 253402300799LL)
		return -EBADMSG;
	*time_s = json_integer_value(value);
	return 0;
}

static int bad(struct err *err, const char *member)
{
	return err_set(err, -EBADMSG, "\"%s\" is missing or malformed",
		       member);
}

static int take_all(struct handover_record *r, const json_t *o,
		    struct err *err)
{
	const json_t *version = json_object_get(o, "version");

	if (!json_is_integer(version) ||
	    json_integer_value(version) != RECORD_VERSION)
		return err_set(err, -EBADMSG,
			       "it is not of version %d, which this umig writes",
			       RECORD_VERSION);
	if (take_text(r->name, sizeof(r->name), json_object_get(o, "name")))
		return bad(err, "name");
	if (take_phase(&r->phase, json_object_get(o, "phase"),
		       json_object_get(o, "role")))
		return bad(err, "phase");
	if (take_id(r->id, json_object_get(o, "migration")))
		return bad(err, "migration");
	if (take_text(r->peer, sizeof(r->peer), json_object_get(o, "peer")))
		return bad(err, "peer");
	if (take_time(&r->time_s, json_object_get(o, "time")))
		return bad(err, "time");
	if (json_object_size(o) != RECORD_MEMBERS)
		return err_set(err, -EBADMSG, "it has unknown members");
	return 0;
}

int handover_record_parse(struct handover_record *r, const char *text,
			  size_t bytes, struct err *err)
{
	json_error_t why;
	json_t *o;
	int rc;

	*r = (struct handover_record){ 0 };
	if (bytes > HANDOVER_RECORD_MAX)
		return err_set(err, -EBADMSG, "it is longer than %d bytes",
			       HANDOVER_RECORD_MAX);
	o = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(err, -EBADMSG, "it is no JSON object");
	}
	rc = take_all(r, o, err);
	json_decref(o);
	return rc;
}

json_t *handover_record_json(const struct handover_record *r)
{
	char id[2 * HANDOVER_ID_BYTES + 1];

	sodium_bin2hex(id, sizeof(id), r->id, sizeof(r->id));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:I}",
			 "version", RECORD_VERSION, "name", r->name,
			 "role", phases[r->phase].role,
			 "phase", phases[r->phase].name,
			 "migration", id, "peer", r->peer,
			 "time", (json_int_t)r->time_s);
}

char *handover_record_text(const struct handover_record *r)
{
	json_t *o = handover_record_json(r);
	char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;

	json_decref(o);
	return text;
}

static const char *when(const struct handover_record *r, char *to,
			size_t room)
{
	time_t t = r->time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(to, room, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(to, room, "%llu s after 1970",
			 (unsigned long long)r->time_s);
	return to;
}

void handover_record_tell(const struct handover_record *r, char *to,
			  size_t room)
{
	static const struct {
		const char *what;
		const char *more;
	} text[HANDOVER_PHASES] = {
		[HANDOVER_PHASE_HANDOVER] = { "it was handed over to",
					      ", and no answer was heard" },
		[HANDOVER_PHASE_MOVED] = { "it moved to", "" },
		[HANDOVER_PHASE_STARTING] = { "it was taken over from",
					      ", and may have run here" },
		[HANDOVER_PHASE_STARTED] = { "it arrived from", "" },
	};
	char at[64];

	snprintf(to, room, "%s %s at %s%s", text[r->phase].what, r->peer,
		 when(r, at, sizeof(at)), text[r->phase].more);
}

int handover_record_refuse(const struct handover_record *r, bool boot,
			   struct err *err)
{
	char what[256];

	handover_record_tell(r, what, sizeof(what));
	switch (r->phase) {
	case HANDOVER_PHASE_HANDOVER:
		return err_set(err, -EBUSY,
			       "%s: %s: look there; if it runs or ran there, umig settle --moved --name %s; if not, end umig listen there first, then umig settle --stayed --name %s",
			       r->name, what, r->name, r->name);
	case HANDOVER_PHASE_STARTING:
		return err_set(err, -EBUSY,
			       "%s: %s: settle it at the source first, then here likewise: umig settle --moved (or --stayed) --name %s",
			       r->name, what, r->name);
	case HANDOVER_PHASE_MOVED:
		if (!boot)
			return 0;	/* it comes back */
		return err_set(err, -EBUSY,
			       "%s: %s, and is that host's: migrate it back; or, if it has ended there and is to be started here again, umig settle --stayed --name %s",
			       r->name, what, r->name);
	default:
		return 0;
	}
}
