// SPDX-License-Identifier: GPL-2.0
/*
 * The options that describe a machine: see machine_options.h.
 */
#include "control/machine_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/group.h"

static int parse_disk(void *field, const char *value, struct err *err)
{
	static const char suffix[] = ",readonly";
	struct machine_disks *disks = field;
	size_t bytes = strlen(value);
	bool readonly = false;
	char *path;

	if (disks->nr == VM_DISKS_MAX)
		return err_set(err, -ENOSPC, "a VM has at most %d disks",
			       VM_DISKS_MAX);
	if (bytes >= strlen(suffix) &&
	    !strcmp(value + bytes - strlen(suffix), suffix)) {
		readonly = true;
		bytes -= strlen(suffix);
	}
	if (!bytes)
		return err_set(err, -EINVAL, "there is no path in it");
	path = strndup(value, bytes);
	if (!path)
		return err_set(err, -ENOMEM, "out of memory");
	disks->disk[disks->nr].path = path;
	disks->disk[disks->nr++].readonly = readonly;
	return 0;
}

static int parse_serial(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "stdio") && strcmp(value, "none") &&
	    (strncmp(value, "file:", 5) || !value[5]))
		return err_set(err, -EINVAL,
			       "give stdio, none or file:PATH");
	*(const char **)field = value;
	return 0;
}

static int parse_group(void *field, const char *value, struct err *err)
{
	if (!group_name_ok(value))
		return err_set(err, -EINVAL,
			       "give 1 to %d characters of a-z 0-9 . _ -",
			       GROUP_NAME_MAX);
	*(const char **)field = value;
	return 0;
}

static const char *const dirty_choices[] = { "auto", "ring", "bitmap", NULL };

#define FIELD(member) .offset = offsetof(struct machine_options, member)

const struct option_spec machine_option_table[] = {
	{
		.name = "name", .arg = "NAME", .type = OPTION_STRING,
		FIELD(name),
		.help = "what the VM is called in messages and in the state\n"
			"directory; no two of a host may have one name (default:\n"
			"vm)",
	}, {
		.name = "memory", .arg = "SIZE", .type = OPTION_SIZE,
		FIELD(memory), .required = true,
		.min = 32ULL << 20, .max = 16ULL << 40,
		.help = "guest RAM, e.g. 512M or 4G; a multiple of 2M (required)",
	}, {
		.name = "cpus", .arg = "N", .type = OPTION_NUMBER,
		FIELD(cpus), .min = 1, .max = VM_CPUS_MAX,
		.help = "virtual CPUs, 1 to 64 (default: 1)",
	}, {
		.name = "disk", .arg = "PATH[,readonly]", .type = OPTION_CALL,
		FIELD(disks), .parse = parse_disk,
		.help = "a raw image or block device as the next virtio disk\n"
			"(vda, vdb, ...); may be given up to 8 times.  To\n"
			"migrate, both hosts must reach the same storage",
	}, {
		.name = "serial", .arg = "WHERE", .type = OPTION_CALL,
		FIELD(serial), .parse = parse_serial,
		.help = "the guest's ttyS0: stdio, none or file:PATH, which is\n"
			"appended to (default: stdio)",
	}, {
		.name = "control", .arg = "SOCKET", .type = OPTION_STRING,
		FIELD(control), .required = true,
		.help = "where to make the control socket, which the other\n"
			"commands are given (required)",
	}, {
		.name = "dirty", .arg = "HOW", .type = OPTION_CHOICE,
		FIELD(dirty), .choices = dirty_choices,
		.help = "how KVM logs written pages: ring, bitmap, or auto:\n"
			"ring where a test at the start finds it sound, else\n"
			"bitmap (default: auto)",
	}, {
		.name = "state-dir", .arg = "DIR", .type = OPTION_STRING,
		FIELD(state_dir),
		.help = "where the VM's lock and the record of its handover are\n"
			"kept; it must survive the host's reboot (default:\n"
			"/var/lib/umig for root, ~/.local/state/umig for others)",
	}, {
		.name = "group", .arg = "NAME", .type = OPTION_CALL,
		FIELD(group), .parse = parse_group,
		.help = "the VM's trust group: what pages it has is told by the\n"
			"kernel module only to VMs of the same group, here and\n"
			"on other hosts (default: none: the common group)",
	},
	{ 0 }
};

void machine_options_config(const struct machine_options *o,
			    struct vm_config *config)
{
	unsigned int i;

	*config = (struct vm_config){
		.name = o->name,
		.memory_bytes = o->memory,
		.cpus = o->cpus,
		.serial = o->serial,
		.dirty = o->dirty,
		.group = o->group,
		.nr_disks = o->disks.nr,
	};
	for (i = 0; i < o->disks.nr; i++) {
		config->disks[i].path = o->disks.disk[i].path;
		config->disks[i].readonly = o->disks.disk[i].readonly;
	}
}

int machine_options_claim(const struct machine_options *o, bool boot,
			  struct handover_store **out, struct err *err)
{
	int ret = handover_store_open(out, o->state_dir, o->name, err);

	if (ret)
		return ret;
	ret = handover_store_admit(*out, boot, err);
	if (ret) {
		handover_store_close(*out);
		*out = NULL;
	}
	return ret;
}

void machine_options_free(struct machine_options *o)
{
	while (o->disks.nr)
		free(o->disks.disk[--o->disks.nr].path);
}
