// SPDX-License-Identifier: GPL-2.0
/*
 * umig resume: let a paused guest run on.
 */
#include "cmd.h"
#include "control/ask.h"

static const struct command_spec spec = {
	.name = "resume",
	.summary = "let a paused VM run on",
	.about =
		"Takes back umig pause (or umig run --paused).  A guest that stands still because\n"
		"it is being migrated is not started by this, and one that has been handed over\n"
		"is refused.",
	.tables = { control_option_table },
	.example = "umig resume --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct control_options o = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	return ask(o.control, "cont", NULL, o.json);
}

const struct cmd cmd_resume = { .spec = &spec, .run = run };
