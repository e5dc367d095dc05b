/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM's process as a child of the test: fake VM, real control socket, real
 * engine.  The test speaks to it through the socket and sees how it ends.
 */
#ifndef SELFTESTS_PROC_H
#define SELFTESTS_PROC_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "control/client.h"
#include "lib/err.h"
#include "umig/fake_vm.h"

/* Signals that the child's guest obeys. */
#define PROC_GUEST_POWEROFF SIGUSR1
#define PROC_GUEST_CRASH SIGUSR2

#define PROC_PAGES 64

struct proc {
	pid_t pid;
	char control[64];	/* its control socket */
	char state_dir[72];	/* its host's */
	char address[32];	/* listen: where it waits */
};

/** proc_dir() - A fresh directory for sockets; proc_dir_remove() it. */
const char *proc_dir(void);
void proc_dir_remove(void);

/** proc_run() - As umig run, the guest running. */
void proc_run(struct proc *p, const char *name);

/** proc_listen() - As umig listen. */
void proc_listen(struct proc *p, const char *name);

/** proc_on_start - Called in a child as its guest is about to be started. */
extern void (*proc_on_start)(struct fake_vm *vm);

/** proc_wait() - Its exit code; -1: killed by a signal, or not ended in time. */
int proc_wait(struct proc *p);

/** proc_kill() - End it, if it has not ended, by SIGKILL. */
void proc_kill(struct proc *p);

/** proc_client() - A connection to it. */
struct control_client *proc_client(const struct proc *p);

/** proc_ask() - One command; its answer, or NULL and the refusal in @err. */
json_t *proc_ask(struct control_client *c, const char *command,
		 json_t *arguments, struct err *err);

/** proc_status() - Whether query-status says @status. */
bool proc_status(const struct proc *p, const char *status);

/**
 * proc_await() - The data of the next event @name whose member "status" is
 * @status (NULL: any); NULL: it didn't come.
 */
json_t *proc_await(struct control_client *c, const char *name,
		   const char *status);

#endif
