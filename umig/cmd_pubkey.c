// SPDX-License-Identifier: GPL-2.0
/*
 * umig pubkey: print this host's public key.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "crypto/keys.h"

struct pubkey_options {
	const char *key;
};

static const struct option_spec pubkey_option_table[] = {
	{
		.name = "key", .arg = "FILE", .type = OPTION_STRING,
		.offset = offsetof(struct pubkey_options, key),
		.help = "the host's key (default: " HOST_KEY_PATH ")",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "pubkey",
	.summary = "print this host's public key",
	.about =
		"Prints the public half of this host's key, in base64, and nothing else.",
	.tables = { pubkey_option_table },
	.example = "umig pubkey",
};

static int run(int argc, char **argv)
{
	struct pubkey_options o = { .key = HOST_KEY_PATH };
	struct err err = { 0 };
	char text[KEY_TEXT_MAX];
	struct keypair kp;
	int code = cmd_parse(&spec, argc, argv, &o, NULL);
	int rc;

	if (code != CMD_GO_ON)
		return code;
	rc = keypair_load(&kp, o.key, &err);
	if (rc)
		return cmd_failed(&err);
	puts(key_to_text(text, kp.public));
	keypair_wipe(&kp);
	if (!fflush(stdout))
		return EXIT_CODE_OK;
	err_set(&err, -errno, "stdout: %s", strerror(errno));
	return cmd_failed(&err);
}

const struct cmd cmd_pubkey = { .spec = &spec, .run = run };
