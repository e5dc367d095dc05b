// SPDX-License-Identifier: GPL-2.0
/*
 * umig cancel: call a migration off.
 */
#include "cmd.h"
#include "control/ask.h"

static const struct command_spec spec = {
	.name = "cancel",
	.summary = "call a migration off",
	.about =
		"Calls the migration under way off: the guest goes on at the source.  Too late\n"
		"once it is being handed over.  Returns at once; umig migrate, or umig status,\n"
		"tells how it ended.",
	.tables = { control_option_table },
	.example = "umig cancel --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct control_options o = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	return ask(o.control, "migrate_cancel", NULL, o.json);
}

const struct cmd cmd_cancel = { .spec = &spec, .run = run };
