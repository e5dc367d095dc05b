// SPDX-License-Identifier: GPL-2.0
/*
 * umig quit: end a VM.
 */
#include "cmd.h"
#include "control/ask.h"

static const struct command_spec spec = {
	.name = "quit",
	.summary = "end a VM, as if its plug were pulled",
	.about =
		"Ends the VM and its process: the guest is not asked.  A migration under way is\n"
		"cancelled first; refused while the guest is, or may have been, handed over.\n"
		"Returns when the process has ended.",
	.tables = { control_option_table },
	.example = "umig quit --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct control_options o = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	return ask_quit(o.control, o.json);
}

const struct cmd cmd_quit = { .spec = &spec, .run = run };
