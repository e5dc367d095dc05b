// SPDX-License-Identifier: GPL-2.0
/*
 * The module's answers for people and for machines: see index_show.h.
 */
#include "control/index_show.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "mem/umigdev.h"

int index_show(json_t *object, bool json)
{
	const char *name;
	json_t *value;

	if (!object)
		return -ENOMEM;
	if (json) {
		json_dumpf(object, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_object_foreach(object, name, value) {
			printf("%-18s ", name);
			if (json_is_integer(value))
				printf("%" JSON_INTEGER_FORMAT "\n",
				       json_integer_value(value));
			else
				puts(json_is_null(value) ? "none" :
				     json_string_value(value));
		}
	}
	json_decref(object);
	return 0;
}

static const char *mode_name(uint32_t mode)
{
	switch (mode) {
	case UMIG_MODE_HOOKS:
		return "hooks";
	case UMIG_MODE_SCAN:
		return "scan";
	default:
		return "unknown";
	}
}

int index_show_info(const struct umig_info *info, bool json)
{
	char key_id[2 * UMIG_KEY_ID_SIZE + 1];

	sodium_bin2hex(key_id, sizeof(key_id), info->key_id,
		       sizeof(info->key_id));
	return index_show(json_pack(
		"{s:i, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:s, s:s}",
		"abi_version", (int)info->abi_version,
		"mode", mode_name(info->mode),
		"hash", "keyed BLAKE2b-256",
		"key_id", umigdev_has_key(info) ? key_id : NULL,
		"generation", (json_int_t)info->generation,
		"hashed_pages", (json_int_t)info->hashed_pages,
		"merged_pages", (json_int_t)info->merged_pages,
		"index_bytes", (json_int_t)info->index_bytes,
		"index_limit_bytes", (json_int_t)info->index_limit_bytes,
		"max_batch", (int)info->max_batch,
		"lease_ttl_ms", (int)info->lease_ttl_ms,
		"groups", info->features & UMIG_FEATURE_GROUPS ?
			  "yes" : "no",
		"share", info->features & UMIG_FEATURE_SHARE ?
			 "yes" : "no"), json);
}

int index_show_stat(const struct umig_stat *stat, bool json)
{
#define COUNTER(name) { #name, stat->name }
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		COUNTER(hook_inserts), COUNTER(hook_removes),
		COUNTER(hook_moves), COUNTER(hook_misses),
		COUNTER(queue_lost), COUNTER(queue_len), COUNTER(rescans),
		COUNTER(canary_fails), COUNTER(hashed), COUNTER(hash_stale),
		COUNTER(evicted), COUNTER(range_pages), COUNTER(range_merged),
		COUNTER(confirm_asked), COUNTER(confirm_held),
		COUNTER(lease_rehashed), COUNTER(lease_mismatch),
		COUNTER(leases), COUNTER(lease_expired),
		COUNTER(lease_released), COUNTER(lease_converted),
		COUNTER(filled), COUNTER(fill_failed),
		COUNTER(confirm_other_group), COUNTER(confirm_busy),
		COUNTER(group_members), COUNTER(confirm_throttled),
		COUNTER(lease_refused), COUNTER(lease_reclaimed),
		COUNTER(shared), COUNTER(share_copied),
		COUNTER(share_retried), COUNTER(share_adopted),
		COUNTER(crosscheck_fails),
	};
#undef COUNTER
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(object, counters[i].name,
				    json_integer(counters[i].value));
	return index_show(object, json);
}

static void show_record(const struct umig_record *r, bool json, bool first)
{
	char digest[2 * UMIG_DIGEST_SIZE + 1];

	sodium_bin2hex(digest, sizeof(digest), r->digest, sizeof(r->digest));
	if (json)
		printf("%s\n  {\"digest\": \"%s\", \"sharers\": %u}",
		       first ? "" : ",", digest, r->sharers);
	else
		printf("%s %u\n", digest, r->sharers);
}

int index_read_failed(int rc, struct err *err)
{
	return err_set(err, rc, UMIGDEV_PATH ": read: %s%s", strerror(-rc),
		       rc == -ENOKEY ?
		       " (load one with: umig index set-key)" : "");
}

/* Written as it is read: an index may be larger than we'd hold as JSON. */
int index_show_records(int fd, bool json, struct err *err)
{
	struct umig_record batch[256];
	bool first = true;
	ssize_t n;
	size_t i;

	if (json)
		printf("{\"records\": [");
	while ((n = read(fd, batch, sizeof(batch))) > 0) {
		for (i = 0; i < n / sizeof(batch[0]); i++) {
			show_record(&batch[i], json, first);
			first = false;
		}
	}
	if (n < 0)
		return index_read_failed(-errno, err);
	if (json)
		printf("\n]}\n");
	return 0;
}
