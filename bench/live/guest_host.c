// SPDX-License-Identifier: GPL-2.0
/*
 * umig run for the bench's bare guest: a VM's process with its control socket,
 * all of it umig's own, but with raw code where umig run has a kernel.  The VM
 * stands still until `cont`, so that its memory can be filled first; and when
 * it has ended the process stays, memory and all, until SIGTERM, so that what
 * it took can be read.  What each vCPU was held for it tells on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/machine_options.h"
#include "control/vmproc.h"
#include "lib/log.h"
#include "vmm/vm.h"

#define CODE_GPA 0x10000
#define CODE_MAX 4096

struct host_options {
	struct machine_options machine;
	const char *code;
};

static const struct option_spec host_option_table[] = {
	{
		.name = "code", .arg = "FILE", .type = OPTION_STRING,
		.offset = offsetof(struct host_options, code),
		.required = true,
		.help = "raw 32-bit code, loaded and entered at 0x10000 (required)",
	},
	{ 0 }
};

static const struct command_spec spec = {
	.name = "guest_host",
	.summary = "a VM's process for bare code",
	.about = "Makes a VM with bare code in it, paused; for bench/run.",
	.tables = { machine_option_table, host_option_table },
	.example = "guest_host --memory 1G --serial none --control s --code guest.bin",
};

static int read_code(const char *path, uint8_t *code, size_t *bytes,
		     struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	got = read(fd, code, CODE_MAX);
	close(fd);
	if (got <= 0)
		return err_set(err, -EIO, "%s: can't be read", path);
	*bytes = got;
	return 0;
}

static int boot(struct vm *vm, const char *path, struct err *err)
{
	uint8_t code[CODE_MAX];
	size_t bytes = 0;
	int ret = read_code(path, code, &bytes, err);

	if (!ret)
		ret = vm_boot_flat(vm, code, bytes, CODE_GPA, VM_FLAT_PROT32,
				   err);
	if (!ret)
		ret = vm_pause(vm, VM_PAUSE_OPERATOR, err);
	return ret ? ret : vm_start(vm, err);
}

static void wait_for_sigterm(void)
{
	sigset_t set;
	int which;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &which);
}

/* umig.py reads these lines. */
static void tell_vcpus(struct vm *vm)
{
	struct vm_vcpu_counters c;
	unsigned int i;

	for (i = 0; vm_vcpu_counters(vm, i, &c); i++)
		fprintf(stderr, "vcpu %u: ring-full %llu, held %llu ns\n", i,
			(unsigned long long)c.exits_ring_full,
			(unsigned long long)c.held_ns);
}

static int own_vm(struct vm *vm, struct handover_store *store,
		  const struct host_options *o, struct err *err)
{
	struct vmproc proc;
	int ret = vmproc_open(&proc, vm, store, o->machine.control, err);

	if (ret)
		return ret;
	ret = boot(vm, o->code, err);
	if (!ret)
		ret = vmproc_run(&proc);
	vmproc_close(&proc);
	tell_vcpus(vm);
	if (ret >= 0)
		wait_for_sigterm();
	return ret;
}

static int serve(const struct host_options *o, struct err *err)
{
	struct handover_store *store = NULL;
	struct vm_config config;
	struct vm *vm = NULL;
	int ret;

	machine_options_config(&o->machine, &config);
	vmproc_block_signals();
	ret = machine_options_claim(&o->machine, true, &store, err);
	if (!ret)
		ret = vm_create(&vm, &config, err);
	if (!ret)
		ret = own_vm(vm, store, o, err);
	vm_destroy(vm);
	handover_store_close(store);
	return ret;
}

int main(int argc, char **argv)
{
	struct host_options o = { .machine = MACHINE_OPTIONS_INIT };
	struct err err = { 0 };
	int first;
	int ret = options_parse(&spec, argc, argv, &o, &first, &err);

	if (ret == OPTIONS_HELP) {
		options_help(&spec, stdout);
		return 0;
	}
	if (!ret)
		ret = serve(&o, &err);
	if (ret < 0)
		log_error("%s", err_text(&err));
	machine_options_free(&o.machine);
	return ret ? 1 : 0;
}
