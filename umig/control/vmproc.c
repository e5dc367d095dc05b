// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a process that owns a VM: see vmproc.h.
 */
#include "control/vmproc.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/protocol.h"
#include "lib/log.h"

/* How long clients have to take the last news. */
#define LAST_NEWS_MS 2000

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

void vmproc_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void shutdown_event(struct vmproc *p, const char *reason, bool guest)
{
	control_server_event(p->server, "SHUTDOWN",
			     json_pack("{s:b, s:s}", "guest", guest,
				       "reason", reason));
}

int vmproc_end(struct vmproc *p, enum exit_code code, const char *reason,
	       bool guest, struct err *err)
{
	int ret = vmproc_handing_over(p, err);

	if (ret)
		return ret;
	if (p->ending)
		return 0;
	/* The cancel decides: the handover may have begun just now. */
	ret = p->migration ? migration_cancel(p->migration) : 0;
	if (ret == -EBUSY || (ret == -EALREADY && vmproc_handing_over(p, err)))
		return err_set(err, -EBUSY,
			       "the guest is being handed over; ask again when that has ended");
	p->ending = true;
	p->exit_code = code;
	shutdown_event(p, reason, guest);
	/* Its final event decides. */
	if (!p->migration)
		loop_stop(&p->loop);
	return 0;
}

static void signals_ready(void *arg, uint32_t events)
{
	struct signalfd_siginfo info;
	struct vmproc *p = arg;
	struct err err = { 0 };

	(void)events;
	if (read(p->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (vmproc_end(p, EXIT_CODE_OK, "host-signal", false, &err))
		log_warn("%s: %s is not obeyed: %s", vm_name(p->vm),
			 info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT",
			 err_text(&err));
	else
		log_info("%s: ending: %s", vm_name(p->vm),
			 info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void guest_ended(struct vmproc *p, const struct vm_status *status)
{
	if (status->state == VM_STATE_CRASHED) {
		log_error("%s: the guest crashed: %s", vm_name(p->vm),
			  status->why);
		vmproc_end(p, EXIT_CODE_CRASHED, "guest-panic", true, NULL);
		return;
	}
	log_info("%s: %s", vm_name(p->vm), status->why);
	vmproc_end(p, EXIT_CODE_OK,
		   status->reset ? "guest-reset" : "guest-shutdown", true,
		   NULL);
}

void vmproc_look_at_vm(struct vmproc *p)
{
	struct vm_status status;
	bool news;

	vm_status(p->vm, &status);
	news = status.state != p->vm_state;
	p->vm_state = status.state;
	switch (status.state) {
	case VM_STATE_RUNNING:
		if (news)
			control_server_event(p->server, "RESUME",
					     json_object());
		break;
	case VM_STATE_PAUSED:
		if (news)
			control_server_event(p->server, "STOP", json_object());
		break;
	case VM_STATE_SHUTDOWN:
	case VM_STATE_CRASHED:
		if (!p->ending)
			guest_ended(p, &status);
		break;
	}
}

static void vm_ready(void *arg, uint32_t events)
{
	struct vmproc *p = arg;
	eventfd_t ignored;

	(void)events;
	eventfd_read(p->vm_events.fd, &ignored);
	vmproc_look_at_vm(p);
}

static int watch_signals(struct vmproc *p)
{
	sigset_t set;

	signal_set(&set);
	p->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals.fd < 0)
		return -errno;
	return loop_add(&p->loop, &p->signals, EPOLLIN);
}

static int watch_ticks(struct vmproc *p)
{
	p->ticks.fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->ticks.fd < 0)
		return -errno;
	return loop_add(&p->loop, &p->ticks, EPOLLIN);
}

static int watch_all(struct vmproc *p)
{
	struct vm_status status;
	int ret;

	vm_status(p->vm, &status);
	p->vm_state = status.state;
	ret = loop_open(&p->loop);
	if (!ret)
		ret = watch_signals(p);
	if (!ret)
		ret = watch_ticks(p);
	if (!ret)
		ret = loop_add(&p->loop, &p->vm_events, EPOLLIN);
	if (!ret)
		ret = mailbox_open(&p->mailbox);
	p->engine.fd = p->mailbox.fd;
	if (!ret)
		ret = loop_add(&p->loop, &p->engine, EPOLLIN);
	return ret;
}

int vmproc_open(struct vmproc *p, struct vm *vm, struct handover_store *store,
		const char *control, struct err *err)
{
	const struct control_handler handler = {
		.execute = vmproc_execute,
		.arg = p,
	};
	int ret;

	*p = (struct vmproc){
		.vm = vm,
		.store = store,
		.loop = LOOP_INIT,
		.signals = { .fd = -1, .fn = signals_ready, .arg = p },
		.vm_events = { .fd = vm_event_fd(vm), .fn = vm_ready,
			       .arg = p },
		.engine = { .fn = vmproc_engine_ready, .arg = p },
		.ticks = { .fd = -1, .fn = vmproc_tick, .arg = p },
		.mailbox = { .fd = -1 },
	};
	ret = watch_all(p);
	if (ret)
		err_set(err, ret, "%s: no event loop: %s", vm_name(vm),
			strerror(-ret));
	else
		ret = control_server_open(&p->server, &p->loop, control,
					  &handler, err);
	if (ret)
		vmproc_close(p);
	return ret;
}

enum exit_code vmproc_run(struct vmproc *p)
{
	int ret = loop_run(&p->loop);

	if (ret) {
		log_error("%s: the event loop failed: %s", vm_name(p->vm),
			  strerror(-ret));
		return EXIT_CODE_FAILED;
	}
	return p->exit_code;
}

void vmproc_close(struct vmproc *p)
{
	if (p->migration)
		migration_free(p->migration);
	credentials_free(&p->credentials);
	control_server_close(p->server, LAST_NEWS_MS);
	mailbox_close(&p->mailbox);
	if (p->ticks.fd >= 0)
		close(p->ticks.fd);
	if (p->signals.fd >= 0)
		close(p->signals.fd);
	loop_close(&p->loop);
}
