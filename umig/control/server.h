/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket of a VM's process: a unix socket that only its owner may
 * open, several clients at once, each in QMP's order (greeting,
 * qmp_capabilities, commands).  It runs inside the owner's event loop and knows
 * nothing of VMs: commands go to a handler, events come from the owner.
 *
 * A client that sends garbage gets an error and may go on; one that sends an
 * endless line, doesn't read, or dies is dropped.  None can block the loop.
 */
#ifndef UMIG_CONTROL_SERVER_H
#define UMIG_CONTROL_SERVER_H

#include <jansson.h>

#include "lib/err.h"
#include "lib/loop.h"

#define SERVER_CLIENTS_MAX 32

struct control_server;

/**
 * struct control_handler - Who carries commands out.
 * @execute: @arguments is an object or NULL.  0 and the answer in *@ret
 *	(NULL: an empty object), -ENOSYS: there is no such command, or -errno
 *	with words in @err.
 */
struct control_handler {
	int (*execute)(void *arg, const char *name, const json_t *arguments,
		       json_t **ret, struct err *err);
	void *arg;
};

/**
 * control_server_open() - Listen at @path, mode 0600.
 *
 * A socket file that nobody listens at any more is replaced; one that somebody
 * does, or a file that isn't a socket, is refused.
 */
int control_server_open(struct control_server **out, struct loop *loop,
			const char *path,
			const struct control_handler *handler,
			struct err *err);

/** control_server_event() - Tell all clients; @taken is consumed. */
void control_server_event(struct control_server *s, const char *name,
			  json_t *taken);

/**
 * control_server_close() - Hang up and remove the socket file.
 * @flush_ms: how long to wait for clients to take what they were told.
 */
void control_server_close(struct control_server *s, unsigned int flush_ms);

#endif
