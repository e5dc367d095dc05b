// SPDX-License-Identifier: GPL-2.0
/*
 * umig: the table of commands and nothing else.  Each command is in the file
 * of its name, cmd_*.c.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct cmd *const commands[] = {
	&cmd_run, &cmd_listen, &cmd_migrate, &cmd_status, &cmd_pause,
	&cmd_resume, &cmd_cancel, &cmd_settle, &cmd_quit, &cmd_index,
	&cmd_image, &cmd_keygen, &cmd_pubkey,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *out)
{
	size_t i;

	fprintf(out,
		"Usage: umig COMMAND [options]\n\n"
		"Runs KVM virtual machines and moves them between hosts while they run;\n"
		"what the destination holds already is not sent.\n\n"
		"Commands:\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->spec->name,
			commands[i]->spec->summary);
	fprintf(out,
		"\n  umig COMMAND --help lists a command's options.\n"
		"  umig --version prints the version.\n\n"
		"Exit codes:\n"
		"  0  done\n"
		"  1  not done; the message says why\n"
		"  2  the command line makes no sense; nothing was tried\n"
		"  3  the migration failed or was cancelled; the guest is at the source\n"
		"  4  it is not known at which end the guest is: look before you act\n"
		"  5  the guest crashed\n");
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		help(stderr);
		return EXIT_CODE_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return EXIT_CODE_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("umig " UMIG_VERSION);
		return EXIT_CODE_OK;
	}
	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i]->spec->name))
			return commands[i]->run(argc - 1, argv + 1);
	fprintf(stderr, "umig: there is no command \"%s\"\nTry: umig --help\n",
		argv[1]);
	return EXIT_CODE_USAGE;
}
