// SPDX-License-Identifier: GPL-2.0
/*
 * What commands have in common: see cmd.h.
 */
#include "cmd.h"

#include <stdio.h>

#include "lib/log.h"

#define FIELD(member) .offset = offsetof(struct control_options, member)

const struct option_spec control_option_table[] = {
	{
		.name = "control", .arg = "SOCKET", .type = OPTION_STRING,
		FIELD(control), .required = true,
		.help = "the VM's control socket (required)",
	}, {
		.name = "json", .type = OPTION_FLAG, FIELD(json),
		.help = "print the outcome as one JSON object on stdout",
	},
	{ 0 }
};

int cmd_usage(const struct command_spec *spec, const struct err *err)
{
	fprintf(stderr, "umig %s: %s\nTry: umig %s --help\n", spec->name,
		err_text(err), spec->name);
	return EXIT_CODE_USAGE;
}

int cmd_failed(const struct err *err)
{
	log_error("%s", err_text(err));
	return EXIT_CODE_FAILED;
}

int cmd_parse(const struct command_spec *spec, int argc, char **argv,
	      void *into, int *first)
{
	struct err err = { 0 };
	int at;

	switch (options_parse(spec, argc, argv, into, first ? first : &at,
			      &err)) {
	case 0:
		return CMD_GO_ON;
	case OPTIONS_HELP:
		options_help(spec, stdout);
		return fflush(stdout) ? EXIT_CODE_FAILED : EXIT_CODE_OK;
	default:
		return cmd_usage(spec, &err);
	}
}
