/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands: each has a description, which its options are parsed by, and a
 * function, which returns an exit code.
 */
#ifndef UMIG_CMD_H
#define UMIG_CMD_H

#include "control/exit_code.h"
#include "lib/options.h"

/**
 * struct cmd - A command.
 * @spec: its options and help.
 * @run: argv[0] is the command's name.
 */
struct cmd {
	const struct command_spec *spec;
	int (*run)(int argc, char **argv);
};

extern const struct cmd cmd_run;
extern const struct cmd cmd_listen;
extern const struct cmd cmd_migrate;
extern const struct cmd cmd_status;
extern const struct cmd cmd_pause;
extern const struct cmd cmd_resume;
extern const struct cmd cmd_cancel;
extern const struct cmd cmd_settle;
extern const struct cmd cmd_quit;
extern const struct cmd cmd_index;
extern const struct cmd cmd_image;
extern const struct cmd cmd_keygen;
extern const struct cmd cmd_pubkey;

#define CMD_GO_ON (-1)

/**
 * cmd_parse() - options_parse(), with its help and its complaints printed.
 * @first: may be NULL.
 *
 * Return: CMD_GO_ON, or the exit code to end with.
 */
int cmd_parse(const struct command_spec *spec, int argc, char **argv,
	      void *into, int *first);

/** cmd_usage() - Print what is wrong with the command line: exit code 2. */
int cmd_usage(const struct command_spec *spec, const struct err *err);

/** cmd_failed() - Print @err: exit code 1. */
int cmd_failed(const struct err *err);

/** struct control_options - For commands that act on a running VM. */
struct control_options {
	const char *control;
	bool json;
};

/** control_option_table - Fills a struct control_options, as first member. */
extern const struct option_spec control_option_table[];

/**
 * struct place_options - For commands that act on a VM's process, or, when none
 * is left, on what it left in the state directory.
 */
struct place_options {
	const char *control;
	const char *name;
	const char *state_dir;
	bool json;
};

/** place_option_table - Fills a struct place_options, as first member. */
extern const struct option_spec place_option_table[];

/** place_check() - One of --control and --name: 0, or -EINVAL and words. */
int place_check(const struct place_options *o, struct err *err);

#endif
