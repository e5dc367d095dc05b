/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of the control socket: what the commands that act on a running
 * VM speak through.
 */
#ifndef UMIG_CONTROL_CLIENT_H
#define UMIG_CONTROL_CLIENT_H

#include <jansson.h>

#include "lib/err.h"

struct control_client;

/** client_open() - Connect to @path and get past the greeting. */
int client_open(struct control_client **out, const char *path,
		struct err *err);

/** client_close() - NULL is fine. */
void client_close(struct control_client *c);

/**
 * client_call() - Give a command and wait for its answer.
 * @taken: its arguments, consumed; NULL: none.
 * @ret: set to a new reference to the answer; may be NULL.
 *
 * Events that arrive meanwhile are kept for client_event().
 *
 * Return: 0; -EREMOTEIO: the VM's process refused, in its words; -EPIPE: the
 * connection is lost; -ETIMEDOUT; else -errno; with words in @err.
 */
int client_call(struct control_client *c, const char *command, json_t *taken,
		json_t **ret, struct err *err);

/**
 * client_event() - The next event, waited for at most @timeout_ms.
 * @wake_fd: return early (0) when this is readable; -1: none.
 *
 * Return: 1 and a new reference in *@event, 0: none came, or as client_call().
 */
int client_event(struct control_client *c, int wake_fd, int timeout_ms,
		 json_t **event, struct err *err);

/** client_forget_events() - Drop the events that client_call() kept. */
void client_forget_events(struct control_client *c);

#endif
