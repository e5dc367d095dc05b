/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest can see of its machine, as name = value pairs that two hosts
 * can compare and a person can read.  Values that are long or binary (the
 * CPUID table) travel as blobs under a name of their own.
 */
#ifndef UMIG_WIRE_MACHINE_H
#define UMIG_WIRE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

#define MACHINE_PROPS_MAX 64
#define MACHINE_NAME_MAX 48
#define MACHINE_VALUE_MAX 256
#define MACHINE_BLOB_MAX 16384

/* The property that names the VM's trust group; a VM of none hasn't got it. */
#define MACHINE_GROUP "group"

struct machine_prop {
	char name[MACHINE_NAME_MAX];
	char value[MACHINE_VALUE_MAX];
};

/**
 * struct machine - A machine's description.  Zero-initialise.
 * @nr: properties in use.
 * @prop: e.g. "memory" = "268435456", "cpus" = "2", "virtio-blk0" = "...".
 *	Order doesn't matter; names are unique.
 * @cpuid: struct kvm_cpuid_entry2 array as the guest sees it, or NULL: owned.
 * @cpuid_bytes: its length.
 */
struct machine {
	unsigned int nr;
	struct machine_prop prop[MACHINE_PROPS_MAX];
	uint8_t *cpuid;
	size_t cpuid_bytes;
};

/** machine_set() - Add a property.  -ENOSPC, -EEXIST, -EINVAL (too long). */
int machine_set(struct machine *m, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** machine_get() - A property's value, or NULL. */
const char *machine_get(const struct machine *m, const char *name);

/**
 * machine_group() - The trust group that the machine's VM is of, or NULL.
 *
 * Of a machine that came over the wire it may be any printable string.
 */
static inline const char *machine_group(const struct machine *m)
{
	return machine_get(m, MACHINE_GROUP);
}

/** machine_set_cpuid() - Take a copy of the CPUID table. */
int machine_set_cpuid(struct machine *m, const void *table, size_t bytes);

/**
 * machine_compare() - Whether two machines have the same properties.
 *
 * The CPUID table isn't compared: whoever knows CPUs does that.
 *
 * Return: 0, or -EXDEV with the name and both values of the first difference
 * in @err.
 */
int machine_compare(const struct machine *source, const struct machine *here,
		    struct err *err);

void machine_encode(const struct machine *m, struct buf *out);
/** machine_decode() - -EBADMSG on malformed input, -ENOMEM. */
int machine_decode(struct machine *m, struct reader *in);
void machine_free(struct machine *m);

#endif
