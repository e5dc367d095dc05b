// SPDX-License-Identifier: GPL-2.0
/*
 * umig index coverage: see coverage.h.
 */
#include "control/coverage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "control/index_show.h"
#include "lib/log.h"
#include "mem/memslots.h"
#include "mem/umigdev.h"

#define ADVICE_MAX 300

static json_t *advice_on_index(const struct umig_info *info, uint64_t evicted)
{
	if (info->mode == UMIG_MODE_SCAN)
		return json_string(
			"the module's hooks don't work: the kernel's log says why (dmesg)");
	if (!umigdev_has_key(info))
		return json_string(
			"no key is loaded, no page is hashed: umig index set-key FILE");
	if (evicted && info->index_bytes > info->index_limit_bytes / 10 * 9)
		return json_sprintf(
			"the index is full, %" PRIu64 " entries were given up: load the module with a larger index_limit_mb than %" PRIu64,
			evicted, (uint64_t)(info->index_limit_bytes >> 20));
	return NULL;
}

static json_t *all_advice(const struct ksm_state *ksm,
			  const struct umig_info *info, uint64_t evicted)
{
	json_t *index = advice_on_index(info, evicted);
	json_t *list = json_array();
	char text[ADVICE_MAX];

	if (ksm_state_advice(ksm, text, sizeof(text)))
		json_array_append_new(list, json_string(text));
	if (index)
		json_array_append_new(list, index);
	return list;
}

static json_int_t percent(uint64_t part, uint64_t whole)
{
	return whole ? (json_int_t)((double)part * 100 / (double)whole) : 0;
}

static json_t *describe(const struct ksm_state *ksm,
			const struct umig_info *info)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"ksm_run", (json_int_t)ksm->run,
		"ksm_pages", (json_int_t)ksm_state_pages(ksm),
		"pages_shared", (json_int_t)ksm->pages_shared,
		"pages_sharing", (json_int_t)ksm->pages_sharing,
		"saved_bytes",
		(json_int_t)ksm->pages_sharing * UMIG_PAGE_SIZE,
		"pages_unshared", (json_int_t)ksm->pages_unshared,
		"pages_volatile", (json_int_t)ksm->pages_volatile,
		"full_scans", (json_int_t)ksm->full_scans,
		"pass_s", (json_int_t)ksm_state_pass_s(ksm),
		"merged_pages", (json_int_t)info->merged_pages,
		"hashed_pages", (json_int_t)info->hashed_pages,
		"hashed_percent", percent(info->hashed_pages,
					  info->merged_pages));
}

int coverage_show(const struct ksm_state *ksm, const struct umig_info *info,
		  uint64_t evicted, bool json)
{
	json_t *advice = all_advice(ksm, info, evicted);
	json_t *object = describe(ksm, info);
	json_t *line;
	size_t i;

	if (!advice || !object) {
		json_decref(advice);
		json_decref(object);
		return -ENOMEM;
	}
	if (json) {
		json_object_set(object, "advice", advice);
	} else {
		json_array_foreach(advice, i, line)
			log_warn("%s", json_string_value(line));
	}
	json_decref(advice);
	return index_show(object, json);
}
