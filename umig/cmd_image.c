// SPDX-License-Identifier: GPL-2.0
/*
 * umig image: images of guest memory, from which a migration can take pages.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "cmd.h"
#include "mem/domain_key.h"
#include "mem/image_index.h"

struct image_options {
	const char *key;
};

static const struct option_spec image_option_table[] = {
	{
		.name = "key", .arg = "FILE", .type = OPTION_STRING,
		.offset = offsetof(struct image_options, key),
		.help = "index: the domain key, as for umig index set-key\n"
			"(required); \"-\" reads it from stdin",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "image",
	.summary = "images of memory that pages are taken from",
	.args = "index|info IMAGE",
	.about =
		"An image is a raw file of a guest's RAM, page behind page.  umig listen\n"
		"--pages-from takes pages from it that then need not be sent, umig migrate\n"
		"--digests-from names pages by it.\n\n"
		"  index IMAGE --key FILE\n"
		"                make IMAGE.index, which both need: after every change of\n"
		"                the image.  Whoever can read it can tell which pages the\n"
		"                image has\n"
		"  info IMAGE    how many pages the index is of, and under which key",
	.tables = { image_option_table },
	.example = "umig image index web.ram --key domain.key",
};

static int image_index(const char *image, const char *key_path)
{
	uint8_t key[UMIG_KEY_SIZE];
	struct image_made made;
	struct err err = { 0 };
	int rc = domain_key_read(key_path, key, &err);

	if (!rc)
		rc = image_index_make(image, key, &made, &err);
	sodium_memzero(key, sizeof(key));
	if (rc)
		return cmd_failed(&err);
	printf("%s" IMAGE_INDEX_SUFFIX ": %llu pages, %llu of them zero\n",
	       image, (unsigned long long)made.pages,
	       (unsigned long long)made.zero);
	return EXIT_CODE_OK;
}

static int image_info(const char *image)
{
	char key_id[2 * UMIG_KEY_ID_SIZE + 1];
	struct image_index ix;
	struct err err = { 0 };

	if (image_index_open(&ix, image, &err))
		return cmd_failed(&err);
	sodium_bin2hex(key_id, sizeof(key_id), ix.head.key_id,
		       sizeof(ix.head.key_id));
	printf("%-18s %llu\n%-18s %s\n", "pages",
	       (unsigned long long)ix.head.pages, "key_id", key_id);
	image_index_close(&ix);
	return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
	struct image_options o = { 0 };
	struct err err = { 0 };
	int first, code = cmd_parse(&spec, argc, argv, &o, &first);
	const char *word;

	if (code != CMD_GO_ON)
		return code;
	word = argc - first == 2 ? argv[first] : "";
	if (!strcmp(word, "info") && !o.key)
		return image_info(argv[first + 1]);
	if (!strcmp(word, "index") && o.key)
		return image_index(argv[first + 1], o.key);
	err_set(&err, -EINVAL, strcmp(word, "index") ?
		"give index IMAGE --key FILE, or info IMAGE" :
		"give the domain key with --key FILE");
	return cmd_usage(&spec, &err);
}

const struct cmd cmd_image = { .spec = &spec, .run = run };
