/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Command lines as tables: one entry an option says its name, what it takes,
 * which field it fills and how --help speaks of it, so that parser and help
 * can't differ.  Errors name the option, the value and what is allowed.
 */
#ifndef UMIG_LIB_OPTIONS_H
#define UMIG_LIB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

/**
 * enum option_type - What an option takes and which field it fills.
 * @OPTION_FLAG: nothing; bool, set to true.
 * @OPTION_STRING: any text but the empty one; const char *.
 * @OPTION_NUMBER: a number in [min, max]; uint64_t.
 * @OPTION_SIZE: a size in [min, max] bytes; uint64_t.
 * @OPTION_CHOICE: one of @choices; const char *, pointing into them.
 * @OPTION_CALL: whatever @parse takes; may be given several times.
 */
enum option_type {
	OPTION_FLAG = 1,
	OPTION_STRING = 2,
	OPTION_NUMBER = 3,
	OPTION_SIZE = 4,
	OPTION_CHOICE = 5,
	OPTION_CALL = 6,
};

/**
 * struct option_spec - One option.  A table of these ends with @name == NULL.
 * @name: without the dashes.
 * @arg: what the help calls its value; NULL for a flag.
 * @type: as above.
 * @required: its absence is an error.
 * @offset: of the field in the structure that options_parse() fills.
 * @min: smallest value of a NUMBER or SIZE,
 * @max: and the largest.
 * @choices: NULL-terminated, for CHOICE.
 * @parse: for CALL: take @value into the field; -errno and what is allowed
 *	in @err.
 * @help: what it does and what its default is; lines are broken by '\n'.
 */
struct option_spec {
	const char *name;
	const char *arg;
	enum option_type type;
	bool required;
	size_t offset;
	uint64_t min;
	uint64_t max;
	const char *const *choices;
	int (*parse)(void *field, const char *value, struct err *err);
	const char *help;
};

#define OPTION_TABLES_MAX 3

/**
 * struct command_spec - One command.
 * @name: as typed: "run", "index set-key".
 * @summary: half a line for the list of commands.
 * @args: positional arguments as the help shows them; NULL: none are taken.
 * @about: what it does, for --help; lines are broken by '\n'.
 * @tables: its options; unused entries are NULL.
 * @example: a command line.
 */
struct command_spec {
	const char *name;
	const char *summary;
	const char *args;
	const char *about;
	const struct option_spec *tables[OPTION_TABLES_MAX];
	const char *example;
};

/** options_help() - Print the whole --help of @spec. */
void options_help(const struct command_spec *spec, FILE *out);

#define OPTIONS_HELP 1

/**
 * options_parse() - Fill @into from a command line.
 * @argv: argv[0] is the command's name; the rest is parsed.
 * @into: the structure that the tables' offsets refer to, with the defaults
 *	filled in.  Strings point into @argv.
 * @first: set to the index of the first positional argument, @argc if none.
 *
 * Return: 0; OPTIONS_HELP: --help was asked for; -EINVAL with words in @err.
 */
int options_parse(const struct command_spec *spec, int argc, char **argv,
		  void *into, int *first, struct err *err);

#endif
