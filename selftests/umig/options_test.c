// SPDX-License-Identifier: GPL-2.0
/*
 * Command lines: what is taken, what is refused and in which words, and that
 * the help speaks of every option.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/machine_options.h"
#include "lib/number.h"
#include "lib/options.h"

#define ARGS_MAX 24

struct values {
	bool flag;
	const char *text;
	uint64_t number;
	uint64_t size;
	const char *choice;
	unsigned int calls;
};

static int count_calls(void *field, const char *value, struct err *err)
{
	if (!strcmp(value, "bad"))
		return err_set(err, -EINVAL, "this is bad");
	++*(unsigned int *)field;
	return 0;
}

static const char *const choices[] = { "red", "green", "blue", NULL };

#define FIELD(member) .offset = offsetof(struct values, member)

static const struct option_spec first_table[] = {
	{ .name = "flag", .type = OPTION_FLAG, FIELD(flag), .help = "a flag" },
	{ .name = "text", .arg = "TEXT", .type = OPTION_STRING, FIELD(text),
	  .help = "a text" },
	{ .name = "number", .arg = "N", .type = OPTION_NUMBER, FIELD(number),
	  .min = 2, .max = 9, .required = true, .help = "a number" },
	{ 0 }
};

static const struct option_spec second_table[] = {
	{ .name = "size", .arg = "SIZE", .type = OPTION_SIZE, FIELD(size),
	  .min = 1 << 20, .max = 1 << 30, .help = "a size" },
	{ .name = "choice", .arg = "HOW", .type = OPTION_CHOICE,
	  FIELD(choice), .choices = choices, .help = "a choice" },
	{ .name = "call", .arg = "ANY", .type = OPTION_CALL, FIELD(calls),
	  .parse = count_calls, .help = "a call\nof two lines" },
	{ 0 }
};

static const struct command_spec spec = {
	.name = "test",
	.about = "About it.",
	.tables = { first_table, second_table },
	.example = "umig test --number 3",
};

static const struct command_spec spec_with_args = {
	.name = "test",
	.args = "FILE",
	.about = "About it.",
	.tables = { first_table },
	.example = "umig test --number 3 file",
};

/* Parses a command line given as words between blanks. */
static int parse(const struct command_spec *s, const char *line, void *into,
		 int *first, struct err *err)
{
	static char copy[256];
	char *argv[ARGS_MAX] = { NULL };
	int argc = 0;
	char *word;

	*err = (struct err){ 0 };
	strcpy(copy, line);
	for (word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	assert_true(argc < ARGS_MAX);
	return options_parse(s, argc, argv, into, first, err);
}

static void everything_is_taken(void **state)
{
	struct values v = { 0 };
	struct err err;
	int first;

	(void)state;
	assert_int_equal(parse(&spec, "test --flag --text=a=b --number 9 --size 16M --choice green --call x --call y",
			       &v, &first, &err), 0);
	assert_true(v.flag);
	assert_string_equal(v.text, "a=b");
	assert_int_equal(v.number, 9);
	assert_int_equal(v.size, 16 << 20);
	assert_string_equal(v.choice, "green");
	assert_int_equal(v.calls, 2);
}

static void what_is_absent_is_left_alone(void **state)
{
	struct values v = { .text = "default", .size = 7 };
	struct err err;
	int first;

	(void)state;
	assert_int_equal(parse(&spec, "test --number 2", &v, &first, &err), 0);
	assert_string_equal(v.text, "default");
	assert_int_equal(v.size, 7);
	assert_false(v.flag);
}

static void refusals_name_option_and_value(void **state)
{
	static const struct {
		const char *line;
		const char *words;
	} wrong[] = {
		{ "test", "--number N is missing" },
		{ "test --nothing", "unknown option \"--nothing\"" },
		{ "test --nothing=1", "unknown option \"--nothing=1\"" },
		{ "test -z", "unknown option \"-z\"" },
		{ "test --number", "--number needs a value" },
		{ "test --number 1", "\"1\" is not a number from 2 to 9" },
		{ "test --number 10", "\"10\" is not a number from 2 to 9" },
		{ "test --number x", "\"x\" is not a number" },
		{ "test --number 3x", "\"3x\" is not a number" },
		{ "test --number -3", "\"-3\" is not a number" },
		{ "test --number 0x3", "\"0x3\" is not a number" },
		{ "test --number 99999999999999999999999", "is not a number" },
		{ "test --number 3 --number 4", "--number is given twice" },
		{ "test --number=", "the value is empty" },
		{ "test --size 1", "\"1\" is out of range: from 1 MiB to 1 GiB" },
		{ "test --size 2G", "out of range" },
		{ "test --size 99999999999999T", "out of range" },
		{ "test --size 5X", "\"5X\" is not a size" },
		{ "test --size 5MB", "\"5MB\" is not a size" },
		{ "test --size M", "\"M\" is not a size" },
		{ "test --choice pink", "\"pink\" is none of red, green or blue" },
		{ "test --call bad", "--call: \"bad\": this is bad" },
		{ "test --flag=yes", "--flag takes no value" },
		{ "test --number 3 word", "unexpected argument \"word\"" },
	};
	struct values v = { 0 };
	struct err err;
	int first;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(&spec, wrong[i].line, &v, &first, &err),
				 -EINVAL);
		if (!strstr(err.text, wrong[i].words))
			fail_msg("%s: \"%s\" does not say \"%s\"",
				 wrong[i].line, err.text, wrong[i].words);
	}
}

static void arguments_may_stand_anywhere(void **state)
{
	struct values v = { 0 };
	struct err err;
	int first;

	(void)state;
	assert_int_equal(parse(&spec_with_args, "test file --number 3 -", &v,
			       &first, &err), 0);
	assert_int_equal(first, 3);
	assert_int_equal(v.number, 3);
}

static void help_is_asked_for(void **state)
{
	struct values v = { 0 };
	struct err err;
	int first;

	(void)state;
	assert_int_equal(parse(&spec, "test --help", &v, &first, &err),
			 OPTIONS_HELP);
	assert_int_equal(parse(&spec, "test -h", &v, &first, &err),
			 OPTIONS_HELP);
}

static void help_speaks_of_every_option(void **state)
{
	static const char *const all[] = {
		"--flag ", "--text TEXT ", "--number N ", "--size SIZE ",
		"--choice HOW ", "--call ANY ", "--help ", "About it.",
		"umig test --number 3", "of two lines",
	};
	char *text = NULL;
	size_t bytes, i;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	options_help(&spec, out);
	fclose(out);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strstr(text, all[i]))
			fail_msg("the help has no \"%s\"", all[i]);
	free(text);
}

static const struct command_spec machine_spec = {
	.name = "machine",
	.about = "A machine.",
	.tables = { machine_option_table },
	.example = "",
};

static void a_machine_is_described(void **state)
{
	struct machine_options o = MACHINE_OPTIONS_INIT;
	struct vm_config c;
	struct err err;
	int first;

	(void)state;
	assert_int_equal(parse(&machine_spec, "machine --memory 256M --cpus 2 --control s --disk a.img --disk b,c.img,readonly --serial file:log --dirty ring --group web-1",
			       &o, &first, &err), 0);
	machine_options_config(&o, &c);
	assert_string_equal(c.name, "vm");
	assert_int_equal(c.memory_bytes, 256 << 20);
	assert_int_equal(c.cpus, 2);
	assert_int_equal(c.nr_disks, 2);
	assert_string_equal(c.disks[0].path, "a.img");
	assert_false(c.disks[0].readonly);
	assert_string_equal(c.disks[1].path, "b,c.img");
	assert_true(c.disks[1].readonly);
	assert_string_equal(c.serial, "file:log");
	assert_string_equal(c.dirty, "ring");
	assert_string_equal(c.group, "web-1");
	machine_options_free(&o);
}

static void a_wrong_machine_is_refused(void **state)
{
	static const char *const wrong[] = {
		"machine --control s", "machine --memory 1M --control s",
		"machine --memory 64M",
		"machine --memory 64M --control s --cpus 0",
		"machine --memory 64M --control s --cpus 65",
		"machine --memory 64M --control s --disk ,readonly",
		"machine --memory 64M --control s --serial file:",
		"machine --memory 64M --control s --serial tty",
		"machine --memory 64M --control s --dirty maybe",
		"machine --memory 64M --control s --group Web",
		"machine --memory 64M --control s --group a,b",
	};
	struct machine_options o = MACHINE_OPTIONS_INIT;
	struct err err;
	int first;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(&machine_spec, wrong[i], &o, &first,
				       &err), -EINVAL);
		assert_true(err.text[0]);
	}
	machine_options_free(&o);
}

static void too_many_disks_are_refused(void **state)
{
	struct machine_options o = MACHINE_OPTIONS_INIT;
	const struct option_spec *disk = machine_option_table;
	struct err err = { 0 };
	int i;

	(void)state;
	while (strcmp(disk->name, "disk"))
		disk++;
	for (i = 0; i < VM_DISKS_MAX; i++)
		assert_int_equal(disk->parse(&o.disks, "x", &err), 0);
	assert_int_equal(disk->parse(&o.disks, "x", &err), -ENOSPC);
	machine_options_free(&o);
}

static void numbers_read_well(void **state)
{
	char to[32];

	(void)state;
	assert_string_equal(number_format_size(to, sizeof(to), 0), "0 B");
	assert_string_equal(number_format_size(to, sizeof(to), 1023),
			    "1023 B");
	assert_string_equal(number_format_size(to, sizeof(to), 1536),
			    "1.5 KiB");
	assert_string_equal(number_format_size(to, sizeof(to), 64 << 20),
			    "64 MiB");
	assert_string_equal(number_format_size(to, sizeof(to), UINT64_MAX),
			    "16777216 TiB");
	assert_string_equal(number_format_ns(to, sizeof(to), 850000),
			    "850 us");
	assert_string_equal(number_format_ns(to, sizeof(to), 12345678),
			    "12.3 ms");
	assert_string_equal(number_format_ns(to, sizeof(to), 4200000000ULL),
			    "4.20 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_taken),
		cmocka_unit_test(what_is_absent_is_left_alone),
		cmocka_unit_test(refusals_name_option_and_value),
		cmocka_unit_test(arguments_may_stand_anywhere),
		cmocka_unit_test(help_is_asked_for),
		cmocka_unit_test(help_speaks_of_every_option),
		cmocka_unit_test(a_machine_is_described),
		cmocka_unit_test(a_wrong_machine_is_refused),
		cmocka_unit_test(too_many_disks_are_refused),
		cmocka_unit_test(numbers_read_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
