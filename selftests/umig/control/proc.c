// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's process as a child of the test: see proc.h.
 */
#include "umig/control/proc.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/report.h"
#include "control/vmproc.h"
#include "umig/control/fake_vmm.h"
#include "umig/scratch.h"

#define WAIT_MS 20000

void (*proc_on_start)(struct fake_vm *vm);

static char dir[32];
static struct vm *child_vm;
static struct handover_store *child_store;

const char *proc_dir(void)
{
	strcpy(dir, "/tmp/umig-test-XXXXXX");
	assert(mkdtemp(dir));
	return dir;
}

/* Each process has a state directory there, as if on a host of its own. */
void proc_dir_remove(void)
{
	DIR *d = opendir(dir);
	char path[512];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (!strstr(e->d_name, ".state"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		scratch_remove(strdup(path));
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void on_signal(int signal)
{
	fake_vmm_end(child_vm, signal == PROC_GUEST_CRASH ?
				       VM_STATE_CRASHED : VM_STATE_SHUTDOWN);
}

static void fill(struct vm *vm)
{
	uint64_t i;

	for (i = 0; i < PROC_PAGES; i += 2)
		fake_page(fake_vm_page(fake_vmm_guest(vm), i), i + 1);
}

static int child_start(struct vmproc *p, bool incoming, struct err *err)
{
	const struct security insecure = { .insecure = true };
	struct migrate_params params = MIGRATE_PARAMS_DEFAULT;
	const struct held none = { 0 };

	if (!incoming) {
		fill(p->vm);
		return vm_start(p->vm, err);
	}
	params.address = "127.0.0.1:0";
	return vmproc_listen(p, &params, &insecure, &none, err);
}

/* Tells its port on @ready_fd when it can be spoken to. */
static int child(const struct proc *proc, bool incoming, int ready_fd)
{
	struct err err = { 0 };
	struct vmproc p;
	int port = 0, code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!getenv("V"))
		assert(freopen("/dev/null", "w", stderr));
	vmproc_block_signals();
	child_vm = fake_vmm_create(PROC_PAGES);
	fake_vmm_guest(child_vm)->on_start = proc_on_start;
	signal(PROC_GUEST_POWEROFF, on_signal);
	signal(PROC_GUEST_CRASH, on_signal);
	if (handover_store_open(&child_store, proc->state_dir, "fake", &err) ||
	    handover_store_admit(child_store, !incoming, &err) ||
	    vmproc_open(&p, child_vm, child_store, proc->control, &err) ||
	    child_start(&p, incoming, &err)) {
		fprintf(stderr, "# %s\n", err_text(&err));
		return EXIT_CODE_FAILED;
	}
	if (incoming)
		port = migration_port(p.migration);
	assert(write(ready_fd, &port, sizeof(port)) == sizeof(port));
	code = vmproc_run(&p);
	vmproc_close(&p);
	vm_destroy(child_vm);
	handover_store_close(child_store);
	return code;
}

static void start(struct proc *p, const char *name, bool incoming)
{
	int ready[2], port;

	snprintf(p->control, sizeof(p->control), "%s/%s", dir, name);
	snprintf(p->state_dir, sizeof(p->state_dir), "%s.state", p->control);
	assert(!pipe(ready));
	fflush(NULL);
	p->pid = fork();
	assert(p->pid >= 0);
	if (!p->pid) {
		close(ready[0]);
		exit(child(p, incoming, ready[1]));
	}
	close(ready[1]);
	assert(read(ready[0], &port, sizeof(port)) == sizeof(port));
	close(ready[0]);
	snprintf(p->address, sizeof(p->address), "127.0.0.1:%d", port);
}

void proc_run(struct proc *p, const char *name)
{
	start(p, name, false);
}

void proc_listen(struct proc *p, const char *name)
{
	start(p, name, true);
}

int proc_wait(struct proc *p)
{
	struct pollfd fd = { .events = POLLIN };
	int status, n;

	fd.fd = syscall(SYS_pidfd_open, p->pid, 0);
	assert(fd.fd >= 0);
	n = poll(&fd, 1, WAIT_MS);
	close(fd.fd);
	if (n != 1)
		return -1;
	assert(waitpid(p->pid, &status, 0) == p->pid);
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void proc_kill(struct proc *p)
{
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
	unlink(p->control);
}

struct control_client *proc_client(const struct proc *p)
{
	struct control_client *c = NULL;
	struct err err = { 0 };

	if (client_open(&c, p->control, &err))
		fprintf(stderr, "# %s\n", err_text(&err));
	assert(c);
	return c;
}

json_t *proc_ask(struct control_client *c, const char *command,
		 json_t *arguments, struct err *err)
{
	json_t *ret = NULL;

	*err = (struct err){ 0 };
	return client_call(c, command, arguments, &ret, err) ? NULL : ret;
}

bool proc_status(const struct proc *p, const char *status)
{
	struct control_client *c = proc_client(p);
	struct err err;
	json_t *ret = proc_ask(c, "query-status", NULL, &err);
	bool is = !strcmp(report_status(ret), status);

	if (!is)
		fprintf(stderr, "# status is \"%s\"\n", report_status(ret));
	json_decref(ret);
	client_close(c);
	return is;
}

json_t *proc_await(struct control_client *c, const char *name,
		   const char *status)
{
	json_t *event, *data;

	while (client_event(c, -1, WAIT_MS, &event, NULL) == 1) {
		data = json_incref(json_object_get(event, "data"));
		if (!strcmp(report_text(event, "event"), name) &&
		    (!status || !strcmp(report_status(data), status))) {
			json_decref(event);
			return data;
		}
		json_decref(event);
		json_decref(data);
	}
	return NULL;
}
