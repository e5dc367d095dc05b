// SPDX-License-Identifier: GPL-2.0
/*
 * umig settle: say what became of a guest whose handover got no answer.
 */
#include <errno.h>

#include "cmd.h"
#include "control/ask.h"
#include "control/record.h"

struct settle_options {
	struct place_options place;
	bool moved;
	bool stayed;
};

#define FIELD(member) .offset = offsetof(struct settle_options, member)

static const struct option_spec settle_option_table[] = {
	{
		.name = "moved", .type = OPTION_FLAG, FIELD(moved),
		.help = "the guest runs at the destination: the copy here is\n"
			"given up and its process ends",
	}, {
		.name = "stayed", .type = OPTION_FLAG, FIELD(stayed),
		.help = "the guest does not run at the destination and never\n"
			"will: it runs on here.  Make sure that the process of\n"
			"umig listen there has ended",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "settle",
	.summary = "say what became of a guest in handover-unknown",
	.about =
		"When the destination was told to take over and its answer never came, nobody\n"
		"here can know whether the guest runs there.  It stays stopped at the source\n"
		"(state handover-unknown) until you have looked at the destination and say.\n"
		"\n"
		"If that process has ended, its record in the state directory keeps the VM from\n"
		"being started, and is settled by --name.\n"
		"\n"
		"A wrong answer does harm: --stayed while it runs there makes two guests that\n"
		"write to the same disks; --moved while it doesn't loses the only copy.",
	.tables = { place_option_table, settle_option_table },
	.example = "umig settle --control /run/web.sock --moved\n"
		   "  umig settle --name web --stayed",
};

static int run(int argc, char **argv)
{
	struct settle_options o = { 0 };
	struct err err = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	if (o.moved == o.stayed) {
		err_set(&err, -EINVAL,
			"give one of --moved and --stayed, after looking at the destination");
		return cmd_usage(&spec, &err);
	}
	if (place_check(&o.place, &err))
		return cmd_usage(&spec, &err);
	if (o.place.name)
		return record_settle(o.place.state_dir, o.place.name, o.moved,
				     o.place.json);
	return ask(o.place.control, "migrate-settle",
		   json_pack("{s:b}", "moved", o.moved), o.place.json);
}

const struct cmd cmd_settle = { .spec = &spec, .run = run };
