// SPDX-License-Identifier: GPL-2.0
/*
 * umig index: the kernel module's index of merged pages, and its key.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "cmd.h"
#include "control/index_show.h"
#include "lib/log.h"
#include "mem/domain_key.h"
#include "mem/umigdev.h"

struct index_options {
	bool json;
};

static const struct option_spec index_option_table[] = {
	{
		.name = "json", .type = OPTION_FLAG,
		.offset = offsetof(struct index_options, json),
		.help = "info, stat, list: print one JSON object",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "index",
	.summary = "the kernel module's index and its key",
	.args = "info|stat|list|set-key FILE|gen-key",
	.about =
		"  info          what the module is, which key it has, how full its index is\n"
		"  stat          counters since it was loaded\n"
		"  list          every entry: digest and how many mappings share the page\n"
		"  set-key FILE  load the domain key: 32 raw bytes or 64 hexadecimal digits;\n"
		"                \"-\" reads them from stdin.  Hosts with the same key can ask\n"
		"                each other for pages by digest, so give it to those only that\n"
		"                may know each other's page contents\n"
		"  gen-key       print a new random key",
	.tables = { index_option_table },
	.example =
		"(umask 077; umig index gen-key > domain.key)\n"
		"  umig index set-key domain.key",
};

static int index_info(int fd, const struct index_options *o, struct err *err)
{
	struct umig_info info;
	int rc = umigdev_info(fd, &info);

	return rc ? err_set(err, rc, UMIGDEV_PATH ": INFO: %s", strerror(-rc)) :
		    index_show_info(&info, o->json);
}

static int index_stat(int fd, const struct index_options *o, struct err *err)
{
	struct umig_stat stat;
	int rc = umigdev_stat(fd, &stat);

	return rc ? err_set(err, rc, UMIGDEV_PATH ": STAT: %s", strerror(-rc)) :
		    index_show_stat(&stat, o->json);
}

static int index_list(int fd, const struct index_options *o, struct err *err)
{
	return index_show_records(fd, o->json, err);
}

static int with_device(int (*fn)(int fd, const struct index_options *o,
				 struct err *err),
		       const struct index_options *o)
{
	struct err err = { 0 };
	int fd = umigdev_open(&err);
	int rc = fd < 0 ? fd : fn(fd, o, &err);

	if (fd >= 0)
		close(fd);
	if (!rc && fflush(stdout))
		rc = err_set(&err, -errno, "stdout: %s", strerror(errno));
	if (!rc)
		return EXIT_CODE_OK;
	err_set(&err, rc, "%s", strerror(-rc));
	return cmd_failed(&err);
}

static int set_key(const char *path)
{
	uint8_t key[UMIG_KEY_SIZE];
	struct err err = { 0 };
	int fd, rc;

	rc = domain_key_read(path, key, &err);
	fd = rc ? rc : umigdev_open(&err);
	if (fd >= 0) {
		rc = umigdev_set_key(fd, key, &err);
		close(fd);
	}
	sodium_memzero(key, sizeof(key));
	return fd < 0 || rc ? cmd_failed(&err) : EXIT_CODE_OK;
}

static int gen_key(void)
{
	char hex[DOMAIN_KEY_HEX_MAX];
	struct err err = { 0 };
	int rc = domain_key_generate(hex, &err);

	/* not through stdio, whose buffer nobody wipes */
	if (!rc && (write(STDOUT_FILENO, hex, strlen(hex)) < 0 ||
		    write(STDOUT_FILENO, "\n", 1) < 0))
		rc = err_set(&err, -errno, "stdout: %s", strerror(errno));
	sodium_memzero(hex, sizeof(hex));
	return rc ? cmd_failed(&err) : EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
	struct index_options o = { 0 };
	struct err err = { 0 };
	int first, words;
	int code = cmd_parse(&spec, argc, argv, &o, &first);
	const char *word;

	if (code != CMD_GO_ON)
		return code;
	words = argc - first;
	word = words ? argv[first] : "";
	if (words == 1 && !strcmp(word, "info"))
		return with_device(index_info, &o);
	if (words == 1 && !strcmp(word, "stat"))
		return with_device(index_stat, &o);
	if (words == 1 && !strcmp(word, "list"))
		return with_device(index_list, &o);
	if (words == 2 && !strcmp(word, "set-key"))
		return set_key(argv[first + 1]);
	if (words == 1 && !strcmp(word, "gen-key"))
		return gen_key();
	err_set(&err, -EINVAL, "%s%s%sgive info, stat, list, set-key FILE or gen-key",
		words ? "\"" : "", word, words ? "\" is not understood: " : "");
	return cmd_usage(&spec, &err);
}

const struct cmd cmd_index = { .spec = &spec, .run = run };
