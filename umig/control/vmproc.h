/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a process that owns a VM, the same for `umig run` and `umig
 * listen`: one thread that waits for the control socket, for signals, for the
 * VM's own news and for the engine's, and decides when the process ends.
 *
 * It ends when the guest powers off or crashes, when somebody says so (quit,
 * SIGTERM, SIGINT), when the guest has moved away, and when the guest that it
 * waited for doesn't come.  It never ends, and never runs the guest, while the
 * guest may be running at the destination: from HANDOVER on only the engine, or
 * in HANDOVER_UNKNOWN a person (migrate-settle), decides.
 *
 * DOC: Who ends the process
 *
 *   vmproc_end() ---- no migration ----------------------> loop stops
 *        |
 *        '-- migration under way: cancel it, and wait for its final event
 *                 |-- cancelled, failed, completed ------> loop stops
 *                 '-- handover-unknown: the end is off; settle first
 */
#ifndef UMIG_CONTROL_VMPROC_H
#define UMIG_CONTROL_VMPROC_H

#include <stdbool.h>

#include "control/exit_code.h"
#include "control/held.h"
#include "control/mailbox.h"
#include "control/security.h"
#include "control/server.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "migrate/handover_store.h"
#include "migrate/migrate.h"
#include "vmm/vm.h"

/**
 * struct vmproc - One VM's process.  All of it belongs to the loop's thread
 *	but for @mailbox, which the engine's thread fills.
 * @vm: borrowed.
 * @store: the VM's lock and record; borrowed.
 * @loop: what it waits in.
 * @server: the control socket.
 * @signals: SIGTERM and SIGINT, by signalfd.
 * @vm_events: the VM's eventfd.
 * @engine: the mailbox's eventfd.
 * @ticks: a timerfd, once a second while there is a migration.
 * @mailbox: the engine's news.
 * @vm_state: the VM's state as last told to clients.
 * @migration: the migration under way, or NULL.
 * @credentials: what it shows and trusts; zeroed if it is insecure.
 * @incoming: it brings the guest here: there is none yet.
 * @report: the newest report of it, or of the last one; valid if @reported.
 * @reported: there is one.
 * @note: why the kernel module's index is not used, for the user; or empty.
 * @ending: the process is to end as soon as no migration stands in the way,
 * @exit_code: and with this.
 */
struct vmproc {
	struct vm *vm;
	struct handover_store *store;
	struct loop loop;
	struct control_server *server;
	struct loop_watch signals;
	struct loop_watch vm_events;
	struct loop_watch engine;
	struct loop_watch ticks;
	struct mailbox mailbox;
	enum vm_state vm_state;
	struct migration *migration;
	struct credentials credentials;
	bool incoming;
	struct migrate_report report;
	bool reported;
	char note[ERR_TEXT_MAX];
	bool ending;
	enum exit_code exit_code;
};

/**
 * vmproc_block_signals() - Before any thread is made: SIGTERM and SIGINT are
 * taken from a signalfd, SIGPIPE is nothing.
 */
void vmproc_block_signals(void);

/** vmproc_open() - Listen at @control for commands on @vm. */
int vmproc_open(struct vmproc *p, struct vm *vm, struct handover_store *store,
		const char *control, struct err *err);

/** vmproc_run() - Wait and serve until the process has to end, and how. */
enum exit_code vmproc_run(struct vmproc *p);

/** vmproc_close() - Tell clients the last news, and hang up. */
void vmproc_close(struct vmproc *p);

/**
 * vmproc_end() - Begin to end the process.
 * @reason: for the SHUTDOWN event: QEMU's ShutdownCause where it has one.
 * @guest: the guest asked for it.
 *
 * Return: 0, or -EBUSY if the guest is being, or may have been, handed over.
 */
int vmproc_end(struct vmproc *p, enum exit_code code, const char *reason,
	       bool guest, struct err *err);

/** vmproc_look_at_vm() - Tell clients what has changed; end with the guest. */
void vmproc_look_at_vm(struct vmproc *p);

/* The migrations of a VM's process: move.c. */

/** vmproc_migrate() - Begin to move the guest away.  Consumes nothing. */
int vmproc_migrate(struct vmproc *p, const struct migrate_params *params,
		   const struct security *security, const struct held *held,
		   struct err *err);

/** vmproc_listen() - Begin to wait for a guest. */
int vmproc_listen(struct vmproc *p, const struct migrate_params *params,
		  const struct security *security, const struct held *held,
		  struct err *err);

/** vmproc_report() - The newest report; false if there never was one. */
bool vmproc_report(struct vmproc *p, struct migrate_report *out);

/**
 * vmproc_handing_over() - Whether the guest is, or may be, the destination's:
 * -EBUSY and which in @err.
 */
int vmproc_handing_over(struct vmproc *p, struct err *err);

/** vmproc_engine_ready() - The engine has news: the callback of @p->engine. */
void vmproc_engine_ready(void *arg, uint32_t events);

/** vmproc_tick() - Tell how the migration goes: the callback of @p->ticks. */
void vmproc_tick(void *arg, uint32_t events);

/* Commands of the control socket: commands.c. */

/** vmproc_execute() - A &control_handler; @arg is the vmproc. */
int vmproc_execute(void *arg, const char *name, const json_t *arguments,
		   json_t **ret, struct err *err);

#endif
