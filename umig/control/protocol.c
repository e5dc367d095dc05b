// SPDX-License-Identifier: GPL-2.0
/*
 * The control protocol's lines: see protocol.h.
 */
#include "control/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/report.h"

static int parse_object(struct request *out, struct err *err)
{
	json_t *execute;
	const char *key;
	json_t *value;

	out->id = json_object_get(out->root, "id");
	json_object_foreach(out->root, key, value) {
		if (strcmp(key, "execute") && strcmp(key, "arguments") &&
		    strcmp(key, "id"))
			return err_set(err, -EINVAL,
				       "unknown member \"%.64s\": a request has execute, arguments and id",
				       key);
	}
	execute = json_object_get(out->root, "execute");
	out->execute = json_string_value(execute);
	if (!out->execute)
		return err_set(err, -EINVAL, execute ?
			       "\"execute\" must be a string" :
			       "\"execute\" is missing: it names the command");
	out->arguments = json_object_get(out->root, "arguments");
	if (out->arguments && !json_is_object(out->arguments))
		return err_set(err, -EINVAL, "\"arguments\" must be an object");
	return 0;
}

int request_parse(struct request *out, const char *line, size_t bytes,
		  struct err *err)
{
	json_error_t why;

	*out = (struct request){ 0 };
	if (bytes >= PROTOCOL_LINE_MAX)
		return err_set(err, -EINVAL,
			       "a request may have %d bytes at most",
			       PROTOCOL_LINE_MAX - 1);
	out->root = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &why);
	if (!out->root)
		return err_set(err, -EINVAL, "not JSON: %s", why.text);
	if (!json_is_object(out->root))
		return err_set(err, -EINVAL, "a request must be an object");
	return parse_object(out, err);
}

void request_free(struct request *r)
{
	json_decref(r->root);
	*r = (struct request){ 0 };
}

/* Takes @json, which may be NULL: memory was short further down. */
static char *line_of(json_t *json)
{
	char *text = json_dumps(json, REPORT_JSON_FLAGS);
	size_t bytes = text ? strlen(text) : 0;
	char *line = text ? realloc(text, bytes + 2) : NULL;

	json_decref(json);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + bytes, "\n", 2);
	return line;
}

json_t *protocol_text(const char *text)
{
	json_t *json = json_string(text);
	char *ascii, *p;

	if (json)
		return json;
	ascii = strdup(text);
	if (!ascii)
		return NULL;
	for (p = ascii; *p; p++)
		if (*p & 0x80)
			*p = '?';
	json = json_string(ascii);
	free(ascii);
	return json;
}

json_t *protocol_version(void)
{
	int major = 0, minor = 0;

	sscanf(UMIG_VERSION, "%d.%d", &major, &minor);
	return json_pack("{s:{s:i, s:i}, s:s}", "umig", "major", major,
			 "minor", minor, "package", "umig " UMIG_VERSION);
}

char *protocol_greeting(void)
{
	return line_of(json_pack("{s:{s:o, s:[]}}", "QMP", "version",
				 protocol_version(), "capabilities"));
}

char *protocol_return(json_t *taken, json_t *id)
{
	return line_of(json_pack("{s:o, s:O*}", "return", taken, "id", id));
}

char *protocol_error(const char *class, const char *desc, json_t *id)
{
	return line_of(json_pack("{s:{s:s, s:o}, s:O*}", "error",
				 "class", class ? class : "GenericError",
				 "desc", protocol_text(desc), "id", id));
}

char *protocol_event(const char *name, json_t *taken)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return line_of(json_pack("{s:s, s:o, s:{s:I, s:I}}", "event", name,
				 "data", taken, "timestamp",
				 "seconds", (json_int_t)now.tv_sec,
				 "microseconds",
				 (json_int_t)now.tv_nsec / 1000));
}
