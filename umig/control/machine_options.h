/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The options that describe a machine, the same for `umig run` and `umig
 * listen`: a guest can only arrive at a machine like the one that it left.
 */
#ifndef UMIG_CONTROL_MACHINE_OPTIONS_H
#define UMIG_CONTROL_MACHINE_OPTIONS_H

#include <stdint.h>

#include "lib/options.h"
#include "migrate/handover_store.h"
#include "vmm/vm.h"

/** struct machine_disks - Disks in the order given; paths are owned. */
struct machine_disks {
	unsigned int nr;
	struct {
		char *path;
		bool readonly;
	} disk[VM_DISKS_MAX];
};

/**
 * struct machine_options - Initialise with MACHINE_OPTIONS_INIT.
 * Members are the options of the same names; --control belongs to them since
 * a machine can't be without.
 */
struct machine_options {
	const char *name;
	uint64_t memory;
	uint64_t cpus;
	struct machine_disks disks;
	const char *serial;
	const char *control;
	const char *dirty;
	const char *state_dir;
	const char *group;
};

#define MACHINE_OPTIONS_INIT \
	{ .name = "vm", .cpus = 1, .serial = "stdio", .dirty = "auto" }

/**
 * machine_option_table - Fills a struct machine_options, which must be the
 * first member of what options_parse() fills.
 */
extern const struct option_spec machine_option_table[];

/** machine_options_config() - The same for vm_create(); borrows strings. */
void machine_options_config(const struct machine_options *o,
			    struct vm_config *config);

/**
 * machine_options_claim() - Lock the VM's name, and see whether its last
 * handover lets a process of it begin.
 * @boot: it is to be booted here; else to arrive here.
 */
int machine_options_claim(const struct machine_options *o, bool boot,
			  struct handover_store **out, struct err *err);

void machine_options_free(struct machine_options *o);

#endif
