// SPDX-License-Identifier: GPL-2.0
/*
 * Trust groups by name: see group.h.
 */
#include "mem/group.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/log.h"
#include "mem/umigdev.h"

_Static_assert(GROUP_ID_BYTES == UMIG_GROUP_SIZE, "one size of a group's id");
_Static_assert(GROUP_ID_BYTES >= crypto_generichash_BYTES_MIN, "BLAKE2b's least");

bool group_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n && n <= GROUP_NAME_MAX && !name[n];
}

void group_id(const char *name, uint8_t id[GROUP_ID_BYTES])
{
	static const char domain[] = "umig trust group 1:";
	crypto_generichash_state hash;

	memset(id, 0, GROUP_ID_BYTES);
	if (!name)
		return;
	crypto_generichash_init(&hash, NULL, 0, GROUP_ID_BYTES);
	crypto_generichash_update(&hash, (const uint8_t *)domain,
				  strlen(domain));
	crypto_generichash_update(&hash, (const uint8_t *)name, strlen(name));
	crypto_generichash_final(&hash, id, GROUP_ID_BYTES);
}

int group_enter(const char *name, int *fd, struct err *err)
{
	uint8_t id[GROUP_ID_BYTES];
	int ret;

	*fd = -1;
	if (!name)
		return 0;
	ret = umigdev_open(err);
	if (ret == -ENOENT) {
		log_warn("group %s: the kernel module isn't loaded, so nothing is told of this VM's pages; a module that is loaded later would tell all who ask, so restart the VM then",
			 name);
		return 0;
	}
	if (ret < 0)
		return ret;
	*fd = ret;
	group_id(name, id);
	ret = umigdev_join(*fd, name, id, err);
	if (!ret)
		return 0;
	close(*fd);
	*fd = -1;
	return ret;
}
