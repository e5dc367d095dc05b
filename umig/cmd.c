// SPDX-License-Identifier: GPL-2.0
/*
 * What commands have in common: see cmd.h.
 */
#include "cmd.h"

#include <errno.h>
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

#undef FIELD
#define FIELD(member) .offset = offsetof(struct place_options, member)

const struct option_spec place_option_table[] = {
	{
		.name = "control", .arg = "SOCKET", .type = OPTION_STRING,
		FIELD(control),
		.help = "the VM's control socket",
	}, {
		.name = "name", .arg = "NAME", .type = OPTION_STRING,
		FIELD(name),
		.help = "the VM's name, in place of --control, when no process\n"
			"of it is left: what the state directory says",
	}, {
		.name = "state-dir", .arg = "DIR", .type = OPTION_STRING,
		FIELD(state_dir),
		.help = "the state directory (default: /var/lib/umig for root,\n"
			"~/.local/state/umig for others)",
	}, {
		.name = "json", .type = OPTION_FLAG, FIELD(json),
		.help = "print the outcome as one JSON object on stdout",
	},
	{ 0 }
};

int place_check(const struct place_options *o, struct err *err)
{
	if (!o->control != !o->name)
		return 0;
	return err_set(err, -EINVAL, "give one of --control and --name");
}

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
