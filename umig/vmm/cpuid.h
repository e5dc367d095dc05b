/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CPU model: what CPUID tells the guest, whether a host can provide it,
 * and how to say what is missing.  Pure functions over tables, but for
 * cpuid_host().
 */
#ifndef UMIG_VMM_CPUID_H
#define UMIG_VMM_CPUID_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define CPUID_ENTRIES_MAX 256

/** struct cpuid_table - CPUID as a vCPU answers it. */
struct cpuid_table {
	unsigned int nr;
	struct kvm_cpuid_entry2 entry[CPUID_ENTRIES_MAX];
};

/**
 * cpuid_host() - What this host's KVM can give a guest of @cpus vCPUs.
 *
 * That is KVM's own list without what can't be migrated: nested
 * virtualization, performance counters, tracing, shadow stacks, SGX, and an
 * invariant TSC, which another host could not keep.
 */
int cpuid_host(int kvm_fd, unsigned int cpus, struct cpuid_table *out,
	       struct err *err);

/** cpuid_limit() - cpuid_host() without KVM: from its list to a guest's. */
void cpuid_limit(struct cpuid_table *t, unsigned int cpus);

/** cpuid_find() - An entry, or NULL.  @index counts where it matters. */
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t function,
				    uint32_t index);

/** cpuid_for_vcpu() - @t with vCPU @id's APIC id. */
void cpuid_for_vcpu(const struct cpuid_table *t, unsigned int id,
		    struct cpuid_table *out);

/**
 * cpuid_parse() - A table that came from a peer.  -EBADMSG if it isn't one.
 */
int cpuid_parse(const void *data, size_t bytes, struct cpuid_table *out);

/**
 * cpuid_compatible() - Whether a guest that saw @source runs where @here is
 * on offer.
 *
 * Return: 0, or -EXDEV naming the first thing that is missing in @err.
 */
int cpuid_compatible(struct cpuid_table *source, struct cpuid_table *here,
		     struct err *err);

/* cpuid_names.c */

enum cpuid_reg {
	CPUID_EAX = 0,
	CPUID_EBX = 1,
	CPUID_ECX = 2,
	CPUID_EDX = 3,
};

/** struct cpuid_word - A register each bit of which is a feature. */
struct cpuid_word {
	uint32_t function;
	uint32_t index;
	enum cpuid_reg reg;
	const char *const *names;	/* 32, each may be NULL; or NULL */
};

extern const struct cpuid_word cpuid_words[];
extern const unsigned int cpuid_nr_words;

#endif
