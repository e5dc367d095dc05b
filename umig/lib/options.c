// SPDX-License-Identifier: GPL-2.0
/*
 * Command lines as tables: see options.h.
 */
#include "lib/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "lib/number.h"

#define OPTIONS_MAX 48
#define HELP_COLUMN 26

/* What getopt_long() returns for an option: OPT_BASE + its index. */
#define OPT_BASE 256
#define OPT_HELP 1

/**
 * struct parser - One command line being parsed.
 * @flat: all tables' options, in order.
 * @seen: which of them were given.
 * @nr: how many there are.
 * @getopt: the same for getopt_long(), with --help behind, and the end.
 */
struct parser {
	const struct option_spec *flat[OPTIONS_MAX];
	bool seen[OPTIONS_MAX];
	size_t nr;
	struct option getopt[OPTIONS_MAX + 2];
};

static int parser_init(struct parser *p, const struct command_spec *spec,
		       struct err *err)
{
	const struct option_spec *o;
	size_t t;

	*p = (struct parser){ 0 };
	for (t = 0; t < OPTION_TABLES_MAX && spec->tables[t]; t++) {
		for (o = spec->tables[t]; o->name; o++) {
			if (p->nr == OPTIONS_MAX)
				return err_set(err, -E2BIG,
					       "%s: more than %d options",
					       spec->name, OPTIONS_MAX);
			p->getopt[p->nr] = (struct option){
				.name = o->name,
				.has_arg = o->arg ? required_argument :
						    no_argument,
				.val = OPT_BASE + p->nr,
			};
			p->flat[p->nr++] = o;
		}
	}
	p->getopt[p->nr] = (struct option){ .name = "help", .val = OPT_HELP };
	return 0;
}

static int set_number(const struct option_spec *o, void *field,
		      const char *value, struct err *err)
{
	uint64_t v = 0;
	int ret = number_parse(value, &v);

	if (ret || v < o->min || v > o->max)
		return err_set(err, -EINVAL,
			       "--%s: \"%s\" is not a number from %llu to %llu",
			       o->name, value, (unsigned long long)o->min,
			       (unsigned long long)o->max);
	*(uint64_t *)field = v;
	return 0;
}

static int set_size(const struct option_spec *o, void *field,
		    const char *value, struct err *err)
{
	char min[32], max[32];
	uint64_t v = 0;
	int ret = number_parse_size(value, &v);

	if (ret == -EINVAL)
		return err_set(err, -EINVAL,
			       "--%s: \"%s\" is not a size: give a number with K, M, G or T behind it, e.g. 512M",
			       o->name, value);
	if (ret || v < o->min || v > o->max)
		return err_set(err, -EINVAL,
			       "--%s: \"%s\" is out of range: from %s to %s",
			       o->name, value,
			       number_format_size(min, sizeof(min), o->min),
			       number_format_size(max, sizeof(max), o->max));
	*(uint64_t *)field = v;
	return 0;
}

static int set_choice(const struct option_spec *o, void *field,
		      const char *value, struct err *err)
{
	const char *const *c;
	char all[128] = "";

	for (c = o->choices; *c; c++) {
		if (!strcmp(*c, value)) {
			*(const char **)field = *c;
			return 0;
		}
		if (c != o->choices)
			strncat(all, c[1] ? ", " : " or ",
				sizeof(all) - strlen(all) - 1);
		strncat(all, *c, sizeof(all) - strlen(all) - 1);
	}
	return err_set(err, -EINVAL, "--%s: \"%s\" is none of %s", o->name,
		       value, all);
}

static int set_call(const struct option_spec *o, void *field,
		    const char *value, struct err *err)
{
	struct err why = { 0 };

	if (!o->parse(field, value, &why))
		return 0;
	return err_set(err, -EINVAL, "--%s: \"%s\": %s", o->name, value,
		       err_text(&why));
}

static int set_option(const struct option_spec *o, void *into,
		      const char *value, struct err *err)
{
	void *field = (char *)into + o->offset;

	if (value && !*value)
		return err_set(err, -EINVAL, "--%s: the value is empty",
			       o->name);
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_STRING:
		*(const char **)field = value;
		return 0;
	case OPTION_NUMBER:
		return set_number(o, field, value, err);
	case OPTION_SIZE:
		return set_size(o, field, value, err);
	case OPTION_CHOICE:
		return set_choice(o, field, value, err);
	case OPTION_CALL:
		return set_call(o, field, value, err);
	}
	return err_set(err, -EINVAL, "--%s: of no known type", o->name);
}

/* optopt is what getopt_long() found wrong: our value, a letter, or nothing. */
static int bad_option(const struct parser *p, int c, char **argv,
		      struct err *err)
{
	const char *word = argv[optind - 1];

	if (optopt >= OPT_BASE && (size_t)optopt < OPT_BASE + p->nr) {
		const struct option_spec *o = p->flat[optopt - OPT_BASE];

		if (c == ':')
			return err_set(err, -EINVAL, "--%s needs a value: --%s %s",
				       o->name, o->name, o->arg);
		return err_set(err, -EINVAL, "--%s takes no value", o->name);
	}
	if (optopt && optopt < OPT_BASE && optopt != OPT_HELP)
		return err_set(err, -EINVAL, "unknown option \"-%c\"", optopt);
	return err_set(err, -EINVAL, "unknown option \"%s\"", word);
}

static int parse_one(struct parser *p, int c, char **argv, void *into,
		     struct err *err)
{
	const struct option_spec *o;

	if (c < OPT_BASE || (size_t)c >= OPT_BASE + p->nr)
		return bad_option(p, c, argv, err);
	o = p->flat[c - OPT_BASE];
	if (p->seen[c - OPT_BASE] && o->type != OPTION_CALL)
		return err_set(err, -EINVAL, "--%s is given twice", o->name);
	p->seen[c - OPT_BASE] = true;
	return set_option(o, into, optarg, err);
}

static int check_required(const struct parser *p, struct err *err)
{
	size_t i;

	for (i = 0; i < p->nr; i++) {
		const struct option_spec *o = p->flat[i];

		if (o->required && !p->seen[i])
			return err_set(err, -EINVAL, "--%s %s is missing",
				       o->name, o->arg ? o->arg : "");
	}
	return 0;
}

int options_parse(const struct command_spec *spec, int argc, char **argv,
		  void *into, int *first, struct err *err)
{
	struct parser p;
	int c, ret = parser_init(&p, spec, err);

	if (ret)
		return ret;
	opterr = 0;
	optind = 0;	/* start over: a test parses more than once */
	while ((c = getopt_long(argc, argv, ":h", p.getopt, NULL)) != -1) {
		if (c == OPT_HELP || c == 'h')
			return OPTIONS_HELP;
		ret = parse_one(&p, c, argv, into, err);
		if (ret)
			return ret;
	}
	*first = optind;
	if (!spec->args && optind < argc)
		return err_set(err, -EINVAL, "unexpected argument \"%s\"",
			       argv[optind]);
	return check_required(&p, err);
}

static void help_option(const char *name, const char *arg, const char *help,
			FILE *out)
{
	int n = fprintf(out, "  --%s%s%s", name, arg ? " " : "",
			arg ? arg : "");

	if (n >= HELP_COLUMN - 1) {
		fputc('\n', out);
		n = 0;
	}
	fprintf(out, "%*s", HELP_COLUMN - n, "");
	for (; *help; help++) {
		fputc(*help, out);
		if (*help == '\n')
			fprintf(out, "%*s", HELP_COLUMN, "");
	}
	fputc('\n', out);
}

void options_help(const struct command_spec *spec, FILE *out)
{
	const struct option_spec *o;
	size_t t;

	fprintf(out, "Usage: umig %s [options]%s%s\n\n%s\n\nOptions:\n",
		spec->name, spec->args ? " " : "",
		spec->args ? spec->args : "", spec->about);
	for (t = 0; t < OPTION_TABLES_MAX && spec->tables[t]; t++)
		for (o = spec->tables[t]; o->name; o++)
			help_option(o->name, o->arg, o->help, out);
	help_option("help", NULL, "print this and exit", out);
	fprintf(out, "\nExample:\n  %s\n", spec->example);
}
