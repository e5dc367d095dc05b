// SPDX-License-Identifier: GPL-2.0
/*
 * umig status: how a VM stands.
 */
#include "cmd.h"
#include "control/ask.h"
#include "control/record.h"

static const struct command_spec spec = {
	.name = "status",
	.summary = "show how a VM and its migration stand",
	.about =
		"Prints the state of a VM: running, paused (and by whom), inmigrate (it waits for\n"
		"its guest), finish-migrate, postmigrate; and of its migration, if there was one.\n"
		"By name: whether a process of the VM is alive on this host, and what became of\n"
		"the VM's last handover from or to here.",
	.tables = { place_option_table },
	.example = "umig status --control /run/web.sock",
};

static int run(int argc, char **argv)
{
	struct place_options o = { 0 };
	struct err err = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		return code;
	if (place_check(&o, &err))
		return cmd_usage(&spec, &err);
	if (o.name)
		return record_show(o.state_dir, o.name, o.json);
	return ask(o.control, NULL, NULL, o.json);
}

const struct cmd cmd_status = { .spec = &spec, .run = run };
