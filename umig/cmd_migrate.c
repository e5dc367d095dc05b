// SPDX-License-Identifier: GPL-2.0
/*
 * umig migrate: have a VM's process move its guest, and watch it.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "control/client.h"
#include "control/follow.h"
#include "control/limits.h"
#include "control/security.h"
#include "lib/number.h"

struct migrate_options {
	struct control_options control;
	struct security security;
	const char *to;
	uint64_t downtime_limit_ms;
	uint64_t max_rounds;
	const char *on_timeout;
	const char *compress;
	const char *channels;
	bool no_verify;
	bool no_module;
	const char *digests_from;
	const char *page_classes;
	uint64_t timeout_s;
	uint64_t peer_timeout_s;
	uint64_t bandwidth;
	uint64_t throttle_floor;
};

static const char *const on_timeout_choices[] = { "abort", "stop", NULL };

#define FIELD(member) .offset = offsetof(struct migrate_options, member)

static const struct option_spec migrate_option_table[] = {
	{
		.name = "to", .arg = "ADDR:PORT", .type = OPTION_STRING,
		FIELD(to), .required = true,
		.help = "where umig listen waits (required)",
	}, {
		.name = "peer", .arg = "NAME", .type = OPTION_STRING,
		FIELD(security.peer),
		.help = "the destination's name in the peers file (default: the\n"
			"peer that has the address given with --to)",
	},
	SECURITY_OPTIONS(struct migrate_options, security),
	{
		.name = "downtime-limit", .arg = "MS", .type = OPTION_NUMBER,
		FIELD(downtime_limit_ms), .min = DOWNTIME_LIMIT_MIN_MS,
		.max = DOWNTIME_LIMIT_MAX_MS,
		.help = "stop the guest when what remains is predicted to take\n"
			"no longer than this (default: 50)",
	}, {
		.name = "max-rounds", .arg = "N", .type = OPTION_NUMBER,
		FIELD(max_rounds), .min = 1, .max = ROUNDS_MAX,
		.help = "after so many rounds it counts as not converging\n"
			"(default: 30)",
	}, {
		.name = "on-timeout", .arg = "WHAT", .type = OPTION_CHOICE,
		FIELD(on_timeout), .choices = on_timeout_choices,
		.help = "then, or after --timeout: abort: the guest stays here;\n"
			"stop: stop it and send the rest, however long that\n"
			"takes (default: abort)",
	}, {
		.name = "timeout", .arg = "S", .type = OPTION_NUMBER,
		FIELD(timeout_s), .min = 1, .max = TIMEOUT_MAX_S,
		.help = "after so many seconds it counts as not converging,\n"
			"whatever the rounds (default: any time)",
	}, {
		.name = "bandwidth", .arg = "RATE", .type = OPTION_SIZE,
		FIELD(bandwidth), .min = BANDWIDTH_MIN, .max = BANDWIDTH_MAX,
		.help = "send at most so many bytes a second, with K, M or G\n"
			"(default: what the peers file says, or no limit)",
	}, {
		.name = "throttle-floor", .arg = "PERCENT",
		.type = OPTION_NUMBER, FIELD(throttle_floor),
		.min = THROTTLE_FLOOR_MIN, .max = 100,
		.help = "a vCPU that writes memory faster than it can be sent\n"
			"keeps so much of its speed; 100: none is slowed down;\n"
			"needs the dirty ring (default: 25)",
	}, {
		.name = "compress", .arg = "HOW", .type = OPTION_STRING,
		FIELD(compress),
		.help = "compress pages: auto: as it pays on this link; none,\n"
			"lz4, zstd or zstd:LEVEL, 1 to 9 (default: none)",
	}, {
		.name = "channels", .arg = "N", .type = OPTION_STRING,
		FIELD(channels),
		.help = "so many connections at a time, 1 to 16, or auto: while\n"
			"one more makes it faster (default: 1)",
	}, {
		.name = "no-verify", .type = OPTION_FLAG, FIELD(no_verify),
		.help = "don't compare all memory at both ends before the\n"
			"handover",
	}, {
		.name = "no-module", .type = OPTION_FLAG, FIELD(no_module),
		.help = "don't use the kernel module: every page that isn't\n"
			"zero is sent, and no warning says so",
	}, {
		.name = "digests-from", .arg = "IMAGE", .type = OPTION_STRING,
		FIELD(digests_from),
		.help = "name pages by IMAGE.index (umig image), too, where they\n"
			"still are what this image of the guest's RAM has at\n"
			"their place",
	}, {
		.name = "page-classes", .arg = "FILE", .type = OPTION_STRING,
		FIELD(page_classes),
		.help = "write how each page went, a byte a page: 0 not sent,\n"
			"1 zero, 2 held, 3 duplicate, 4 plain",
	}, {
		.name = "peer-timeout", .arg = "S", .type = OPTION_NUMBER,
		FIELD(peer_timeout_s), .min = PEER_TIMEOUT_MIN_S,
		.max = TIMEOUT_MAX_S,
		.help = "a destination that is silent for so many seconds is\n"
			"lost; so is one that, with the guest stopped, takes\n"
			"so much longer than its work should take; 5 or more\n"
			"(default: 30)",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "migrate",
	.summary = "move a VM to another host while it runs",
	.about =
		"Has the VM's process move its guest to where umig listen waits, and shows how\n"
		"it goes.  Until the handover any failure leaves the guest running here.  Ctrl-C\n"
		"cancels.  Exit codes: 0: it runs there, the process here has ended; 3: failed or\n"
		"cancelled, it runs here; 4: the answer to the handover was lost, see umig\n"
		"settle.",
	.tables = { control_option_table, migrate_option_table },
	.example = "umig migrate --control /run/web.sock --to 10.0.0.2:7000",
};

/* The VM's process may have another working directory: NULL with @err set. */
static json_t *absolute(const char *option, const char *path, struct err *err)
{
	const char *slash = "";
	char cwd[PATH_MAX] = "";

	if (*path != '/') {
		if (!getcwd(cwd, sizeof(cwd))) {
			err_set(err, -errno, "no working directory");
			return NULL;
		}
		slash = "/";
	}
	if (strlen(cwd) + strlen(path) + 1 >= PATH_MAX) {
		err_set(err, -ENAMETOOLONG, "--%s: too long", option);
		return NULL;
	}
	return json_sprintf("%s%s%s", cwd, slash, path);
}

/* Set @key of @arguments to @path, if there is one. */
static int add_path(json_t *arguments, const char *key, const char *path,
		    struct err *err)
{
	json_t *value = path ? absolute(key, path, err) : NULL;

	if (!path)
		return 0;
	if (!value || json_object_set_new(arguments, key, value))
		return err_set(err, -EINVAL, "--%s must be UTF-8", key);
	return 0;
}

/* A number, or the text: the VM's process says what is wrong with it. */
static json_t *channels(const char *text)
{
	uint64_t n;

	return number_parse(text, &n) ? json_string(text) : json_integer(n);
}

static int make_arguments(const struct migrate_options *o, json_t **out,
			  struct err *err)
{
	json_t *arguments = json_pack(
		"{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:o, s:b, s:b, s:b, s:s*}",
		"uri", json_sprintf("tcp:%s", o->to),
		"downtime-limit", (json_int_t)o->downtime_limit_ms,
		"max-rounds", (json_int_t)o->max_rounds,
		"timeout", (json_int_t)o->timeout_s,
		"peer-timeout", (json_int_t)o->peer_timeout_s,
		"bandwidth", (json_int_t)o->bandwidth,
		"throttle-floor", (json_int_t)o->throttle_floor,
		"on-timeout", o->on_timeout, "compress", o->compress,
		"channels", channels(o->channels),
		"verify", !o->no_verify, "module", !o->no_module,
		"insecure", o->security.insecure, "peer", o->security.peer);
	int rc = arguments ? 0 : err_set(err, -EINVAL,
					 "--to, --peer, --compress and --channels must be UTF-8");

	if (!rc)
		rc = add_path(arguments, "page-classes", o->page_classes, err);
	if (!rc)
		rc = add_path(arguments, "digests-from", o->digests_from, err);
	if (!rc)
		rc = add_path(arguments, "key", o->security.key, err);
	if (!rc)
		rc = add_path(arguments, "peers", o->security.peers, err);
	if (rc)
		json_decref(arguments);
	else
		*out = arguments;
	return rc;
}

static int run(int argc, char **argv)
{
	struct migrate_options o = {
		.security = SECURITY_INIT,
		.downtime_limit_ms = 50,
		.max_rounds = 30,
		.on_timeout = "abort",
		.compress = "none",
		.channels = "1",
		.peer_timeout_s = 30,
		.throttle_floor = 25,
	};
	struct control_client *client = NULL;
	struct err err = { 0 };
	json_t *arguments = NULL;
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	if (make_arguments(&o, &arguments, &err))
		return cmd_usage(&spec, &err);
	if (client_open(&client, o.control.control, &err)) {
		json_decref(arguments);
		return follow_failed(&err, false, o.control.json);
	}
	code = follow_migration(client, arguments, o.control.json);
	client_close(client);
	return code;
}

const struct cmd cmd_migrate = { .spec = &spec, .run = run };
