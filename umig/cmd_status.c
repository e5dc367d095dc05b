// SPDX-License-Identifier: GPL-2.0
/*
 * umig status: how a VM stands.
 */
#include "cmd.h"
#include "control/ask.h"

static const struct command_spec spec = {
	.name = "status",
	.summary = "show how a VM and its migration stand",
	.about =
		"Prints the state of a VM: running, paused (and by whom), inmigrate (it waits for\n"
		"its guest), finish-migrate, postmigrate; and of its migration, if there was one.",
	.tables = { control_option_table },
	.example = "umig status --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct control_options o = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	return ask(o.control, NULL, NULL, o.json);
}

const struct cmd cmd_status = { .spec = &spec, .run = run };
