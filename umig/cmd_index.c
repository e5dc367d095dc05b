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
#include "control/coverage.h"
#include "control/index_show.h"
#include "control/index_top.h"
#include "lib/log.h"
#include "mem/domain_key.h"
#include "mem/ksm_state.h"
#include "mem/umigdev.h"

struct index_options {
	bool json;
	uint64_t count;
};

static const struct option_spec index_option_table[] = {
	{
		.name = "json", .type = OPTION_FLAG,
		.offset = offsetof(struct index_options, json),
		.help = "info, stat, list, top, coverage: print one JSON object",
	}, {
		.name = "count", .arg = "N", .type = OPTION_NUMBER,
		.offset = offsetof(struct index_options, count),
		.min = 1, .max = 1000000,
		.help = "top: how many contents (default: 20)",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "index",
	.summary = "the kernel module's index and its key",
	.args = "info|stat|list|top|coverage|rescan|set-key FILE|gen-key",
	.about =
		"  info          what the module is, which key it has, how full its index is\n"
		"  stat          counters since it was loaded\n"
		"  list          every entry: digest and how many mappings share the page\n"
		"  top           the contents that most mappings share\n"
		"  coverage      how much KSM has merged, how soon it comes by, what of that\n"
		"                is hashed; and what to do where that is of little use\n"
		"  rescan        have the module look through all memory once more\n"
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

static int index_top(int fd, const struct index_options *o, struct err *err)
{
	return index_top_show(fd, o->count, o->json, err);
}

static int index_coverage(int fd, const struct index_options *o,
			  struct err *err)
{
	struct ksm_state ksm;
	struct umig_info info;
	struct umig_stat stat;
	int rc = ksm_state_read(KSM_DIR, &ksm, err);

	if (rc)
		return rc;
	rc = umigdev_info(fd, &info);
	if (!rc)
		rc = umigdev_stat(fd, &stat);
	if (rc)
		return err_set(err, rc, UMIGDEV_PATH ": %s", strerror(-rc));
	return coverage_show(&ksm, &info, stat.evicted, o->json);
}

static int rescan(void)
{
	struct err err = { 0 };

	return umigdev_rescan(UMIGDEV_RESCAN, &err) ? cmd_failed(&err) :
						      EXIT_CODE_OK;
}

typedef int (*device_fn)(int fd, const struct index_options *o,
			 struct err *err);

static int with_device(device_fn fn, const struct index_options *o)
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

/* The words that ask the device. */
static device_fn device_word(const char *word)
{
	static const struct {
		const char *word;
		device_fn fn;
	} words[] = {
		{ "info", index_info },
		{ "stat", index_stat },
		{ "list", index_list },
		{ "top", index_top },
		{ "coverage", index_coverage },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i].word))
			return words[i].fn;
	return NULL;
}

static int run(int argc, char **argv)
{
	struct index_options o = { .count = 20 };
	struct err err = { 0 };
	int first, words;
	int code = cmd_parse(&spec, argc, argv, &o, &first);
	const char *word;

	if (code != CMD_GO_ON)
		return code;
	words = argc - first;
	word = words ? argv[first] : "";
	if (words == 1 && device_word(word))
		return with_device(device_word(word), &o);
	if (words == 1 && !strcmp(word, "rescan"))
		return rescan();
	if (words == 2 && !strcmp(word, "set-key"))
		return set_key(argv[first + 1]);
	if (words == 1 && !strcmp(word, "gen-key"))
		return gen_key();
	err_set(&err, -EINVAL, "%s%s%sgive info, stat, list, top, coverage, rescan, set-key FILE or gen-key",
		words ? "\"" : "", word, words ? "\" is not understood: " : "");
	return cmd_usage(&spec, &err);
}

const struct cmd cmd_index = { .spec = &spec, .run = run };
