// SPDX-License-Identifier: GPL-2.0
/*
 * umig listen: wait for a guest, and be its VM's process from then on.
 */
#include <errno.h>
#include <string.h>

#include "cmd.h"

#include <unistd.h>

#include "control/ksm_warning.h"
#include "control/machine_options.h"
#include "control/vmproc.h"
#include "lib/log.h"
#include "mem/group.h"
#include "vmm/vm.h"

struct listen_options {
	struct machine_options machine;
	struct security security;
	const char *address;
	bool no_module;
	struct held held;
	const char *proof;
	bool overcommit;
};

static int parse_image(void *field, const char *value, struct err *err)
{
	struct held *held = field;

	if (held->nr_images == HELD_IMAGES_MAX)
		return err_set(err, -ENOSPC, "at most %d images are used",
			       HELD_IMAGES_MAX);
	held->image[held->nr_images++] = value;
	return 0;
}

static const char *const proof_choices[] = { "sampled", "full", NULL };

#define FIELD(member) .offset = offsetof(struct listen_options, member)

static const struct option_spec listen_option_table[] = {
	{
		.name = "listen", .arg = "ADDR:PORT", .type = OPTION_STRING,
		FIELD(address),
		.help = "where to wait for the source, e.g. 10.0.0.2:7000 or\n"
			"[fd00::2]:7000 (default: 127.0.0.1:7000)",
	},
	SECURITY_OPTIONS(struct listen_options, security),
	{
		.name = "no-module", .type = OPTION_FLAG, FIELD(no_module),
		.help = "don't use the kernel module: every page that isn't\n"
			"zero is sent",
	}, {
		.name = "pages-from", .arg = "IMAGE", .type = OPTION_CALL,
		FIELD(held), .parse = parse_image,
		.help = "take pages from this image of memory, too, which needs\n"
			"its index (umig image); may be given up to 15 times.\n"
			"The source learns which pages of its guest are in it",
	}, {
		.name = "proof", .arg = "HOW", .type = OPTION_CHOICE,
		FIELD(proof), .choices = proof_choices,
		.help = "how the source must prove to have a page that it names\n"
			"instead of sending it: sampled: by two cache lines,\n"
			"which notices a stale index; full: by every byte, for\n"
			"a source that must not get pages which it doesn't have\n"
			"(default: sampled)",
	}, {
		.name = "overcommit", .type = OPTION_FLAG, FIELD(overcommit),
		.help = "take a guest that is larger than the memory that is\n"
			"free here",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "listen",
	.summary = "wait for a VM that migrates here",
	.about =
		"Makes a machine and waits for a guest to arrive in it.  The machine must be\n"
		"the one that the guest left: give the options that umig run was given there;\n"
		"a difference is refused by name.  Once the guest runs here this process is its\n"
		"VM's, as if umig run had started it.  If the migration fails after memory has\n"
		"begun to arrive, it ends (exit code 3) and the guest is at the source.",
	.tables = { machine_option_table, listen_option_table },
	.example =
		"umig listen --name web --memory 1G --cpus 2 --disk web.img \\\n"
		"    --control /run/web.sock --listen 10.0.0.2:7000",
};

static int start(struct vmproc *proc, const struct listen_options *o,
		 struct err *err)
{
	struct migrate_params params = MIGRATE_PARAMS_DEFAULT;
	int ret = vm_launch_incoming(proc->vm, err);

	params.address = o->address;
	params.overcommit = o->overcommit;
	params.proof = strcmp(o->proof, "full") ? PROOF_SAMPLED : PROOF_FULL;
	return ret ? ret : vmproc_listen(proc, &params, &o->security,
					   &o->held, err);
}

static int own_vm(struct vm *vm, struct handover_store *store,
		  const struct listen_options *o)
{
	struct err err = { 0 };
	struct vmproc proc;
	int code;

	if (vmproc_open(&proc, vm, store, o->machine.control, &err))
		return cmd_failed(&err);
	code = start(&proc, o, &err) ? cmd_failed(&err) : (int)vmproc_run(&proc);
	vmproc_close(&proc);
	return code;
}

static int run(int argc, char **argv)
{
	struct listen_options o = {
		.machine = MACHINE_OPTIONS_INIT,
		.security = SECURITY_INIT,
		.address = "127.0.0.1:7000",
		.proof = "sampled",
	};
	struct vm_config config;
	struct err err = { 0 };
	struct handover_store *store = NULL;
	struct vm *vm = NULL;
	int group = -1;
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		goto out;
	o.held.module = !o.no_module;
	machine_options_config(&o.machine, &config);
	if (o.held.module)
		ksm_warn(config.memory_bytes);
	vmproc_block_signals();
	if (machine_options_claim(&o.machine, false, &store, &err) ||
	    group_enter(config.group, &group, &err) ||
	    vm_create(&vm, &config, &err))
		code = cmd_failed(&err);
	else
		code = own_vm(vm, store, &o);
	vm_destroy(vm);
	handover_store_close(store);
	if (group >= 0)
		close(group);
out:
	machine_options_free(&o.machine);
	return code;
}

const struct cmd cmd_listen = { .spec = &spec, .run = run };
