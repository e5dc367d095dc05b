// SPDX-License-Identifier: GPL-2.0
/*
 * umig run: a VM in the foreground, until its guest ends or has moved.
 */
#include "cmd.h"

#include <unistd.h>

#include "control/ksm_warning.h"
#include "control/machine_options.h"
#include "control/vmproc.h"
#include "lib/log.h"
#include "mem/group.h"
#include "vmm/vm.h"

struct run_options {
	struct machine_options machine;
	const char *kernel;
	const char *initrd;
	const char *cmdline;
	bool paused;
};

#define FIELD(member) .offset = offsetof(struct run_options, member)

static const struct option_spec run_option_table[] = {
	{
		.name = "kernel", .arg = "BZIMAGE", .type = OPTION_STRING,
		FIELD(kernel), .required = true,
		.help = "Linux kernel to boot (required)",
	}, {
		.name = "initrd", .arg = "FILE", .type = OPTION_STRING,
		FIELD(initrd),
		.help = "its initial RAM disk (default: none)",
	}, {
		.name = "cmdline", .arg = "STRING", .type = OPTION_STRING,
		FIELD(cmdline),
		.help = "its command line (default:\n" VM_CMDLINE_DEFAULT ")",
	}, {
		.name = "paused", .type = OPTION_FLAG, FIELD(paused),
		.help = "don't let it run until umig resume",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "run",
	.summary = "boot a VM and stay with it",
	.about =
		"Boots a Linux guest and stays in the foreground until the guest powers off\n"
		"(exit code 0), crashes (5), is quit, or has moved to another host (0).\n"
		"SIGTERM and SIGINT quit it.  Guest RAM is offered to KSM for merging.",
	.tables = { machine_option_table, run_option_table },
	.example =
		"umig run --name web --memory 1G --cpus 2 --kernel vmlinuz \\\n"
		"    --initrd initrd.img --disk web.img --control /run/web.sock",
};

static int boot(struct vm *vm, const struct run_options *o, struct err *err)
{
	int ret = vm_boot(vm, err);

	if (!ret && o->paused)
		ret = vm_pause(vm, VM_PAUSE_OPERATOR, err);
	return ret ? ret : vm_start(vm, err);
}

static int own_vm(struct vm *vm, struct handover_store *store,
		  const struct run_options *o)
{
	struct err err = { 0 };
	struct vmproc proc;
	int code;

	if (vmproc_open(&proc, vm, store, o->machine.control, &err))
		return cmd_failed(&err);
	if (boot(vm, o, &err)) {
		code = cmd_failed(&err);
	} else {
		log_info("%s: %s, dirty pages by %s, control socket %s",
			 vm_name(vm), o->paused ? "paused" : "running",
			 vm_ops_kvm.dirty_source(vm), o->machine.control);
		code = vmproc_run(&proc);
	}
	vmproc_close(&proc);
	return code;
}

static int run(int argc, char **argv)
{
	struct run_options o = { .machine = MACHINE_OPTIONS_INIT };
	struct vm_config config;
	struct err err = { 0 };
	struct handover_store *store = NULL;
	struct vm *vm = NULL;
	int group = -1;
	int code = cmd_parse(&spec, argc, argv, &o, NULL);

	if (code != CMD_GO_ON)
		goto out;
	machine_options_config(&o.machine, &config);
	config.kernel = o.kernel;
	config.initrd = o.initrd;
	config.cmdline = o.cmdline;
	ksm_warn(config.memory_bytes);
	vmproc_block_signals();
	if (machine_options_claim(&o.machine, true, &store, &err) ||
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

const struct cmd cmd_run = { .spec = &spec, .run = run };
