// SPDX-License-Identifier: GPL-2.0
/*
 * umig keygen: make this host's key.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "crypto/keys.h"
#include "crypto/peers.h"

struct keygen_options {
	const char *key;
};

static const struct option_spec keygen_option_table[] = {
	{
		.name = "key", .arg = "FILE", .type = OPTION_STRING,
		.offset = offsetof(struct keygen_options, key),
		.help = "where to put it (default: " HOST_KEY_PATH ")",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "keygen",
	.summary = "make this host's key",
	.about =
		"Makes a key pair, which is this host's identity to others, and puts the secret\n"
		"half into a file that nobody else may read.  Prints the public half, as a line\n"
		"for the peers files (umig-peers(5)) of hosts that are to speak with this one.\n"
		"A key that is there already is left alone.",
	.tables = { keygen_option_table },
	.example = "umig keygen",
};

/* The directory of the usual place is ours to make; any other is not. */
static int make_directory(const char *key, struct err *err)
{
	if (strcmp(key, HOST_KEY_PATH) || !mkdir(HOST_KEY_DIR, 0755) ||
	    errno == EEXIST)
		return 0;
	return err_set(err, -errno, HOST_KEY_DIR ": %s", strerror(errno));
}

static int print_line(const struct keypair *kp, struct err *err)
{
	struct utsname host = { 0 };
	char text[KEY_TEXT_MAX];

	if (uname(&host) || !peer_name_ok(host.nodename))
		strcpy(host.nodename, "NAME");
	printf("# for " PEERS_PATH " of this host's peers:\n%s %s address=%s\n",
	       host.nodename, key_to_text(text, kp->public), host.nodename);
	return fflush(stdout) ? err_set(err, -errno, "stdout: %s",
					strerror(errno)) : 0;
}

static int run(int argc, char **argv)
{
	struct keygen_options o = { .key = HOST_KEY_PATH };
	struct err err = { 0 };
	struct keypair kp = { 0 };
	int code = cmd_parse(&spec, argc, argv, &o, NULL);
	int rc;

	if (code != CMD_GO_ON)
		return code;
	rc = keypair_generate(&kp, &err);
	if (!rc)
		rc = make_directory(o.key, &err);
	if (!rc)
		rc = keypair_store(&kp, o.key, &err);
	if (!rc)
		rc = print_line(&kp, &err);
	keypair_wipe(&kp);
	return rc ? cmd_failed(&err) : EXIT_CODE_OK;
}

const struct cmd cmd_keygen = { .spec = &spec, .run = run };
