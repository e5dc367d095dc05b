// SPDX-License-Identifier: GPL-2.0
/*
 * umig pause: stop a guest's CPUs and devices.
 */
#include "cmd.h"
#include "control/ask.h"

static const struct command_spec spec = {
	.name = "pause",
	.summary = "let a VM stand still",
	.about =
		"Stops the guest's CPUs and devices until umig resume.  A VM that is paused\n"
		"migrates paused, and stays so at the destination.",
	.tables = { control_option_table },
	.example = "umig pause --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct control_options o = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	return ask(o.control, "stop", NULL, o.json);
}

const struct cmd cmd_pause = { .spec = &spec, .run = run };
