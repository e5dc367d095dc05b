// SPDX-License-Identifier: GPL-2.0
/*
 * What digests and pages are taken from: see held.h.
 */
#include "control/held.h"

#include "lib/log.h"

/* The module is no error to be without; but who has named images may wonder. */
static void without_module(const struct held *held, const struct err *module,
			   struct err *why)
{
	if (held->nr_images)
		log_info("without the kernel module, with images alone: %s",
			 err_text(module));
	else
		*why = *module;
}

/* One of one is that one. */
static int join_digests(struct digest_source **list, unsigned int nr,
			struct digest_source **out, struct err *err)
{
	if (nr > 1)
		return digest_source_many_open(out, list, nr, err);
	*out = nr ? list[0] : NULL;
	return 0;
}

int held_digests_open(const struct held *held, const struct memslots *ms,
		      struct digest_source **out, struct err *why,
		      struct err *err)
{
	struct digest_source *list[DIGEST_SOURCES_MAX];
	struct err module = { 0 };
	unsigned int nr = 0;
	int rc = 0;

	if (held->module && digest_source_module_open(&list[nr], &module))
		without_module(held, &module, why);
	else if (held->module)
		nr++;
	if (held->nr_images)
		rc = digest_source_file_open(&list[nr], held->image[0], ms,
					     err);
	if (!rc && held->nr_images)
		nr++;
	if (!rc)
		rc = join_digests(list, nr, out, err);
	while (rc && nr--)
		list[nr]->close(list[nr]);
	return rc;
}

static int join_pages(struct page_source **list, unsigned int nr,
		      struct page_source **out, struct err *err)
{
	if (nr > 1)
		return page_source_many_open(out, list, nr, err);
	*out = nr ? list[0] : NULL;
	return 0;
}

int held_pages_open(const struct held *held, const char *group,
		    struct page_source **out, struct err *why, struct err *err)
{
	struct page_source *list[PAGE_SOURCES_MAX];
	struct err module = { 0 };
	unsigned int nr = 0, i;
	int rc = 0;

	if (held->module &&
	    page_source_module_open(&list[nr], group, &module))
		without_module(held, &module, why);
	else if (held->module)
		nr++;
	for (i = 0; i < held->nr_images && !rc; i++) {
		rc = page_source_file_open(&list[nr], held->image[i], err);
		nr += !rc;
	}
	if (!rc)
		rc = join_pages(list, nr, out, err);
	while (rc && nr--)
		list[nr]->close(list[nr]);
	return rc;
}
