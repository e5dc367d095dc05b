/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The socket file of a control socket: making it, for the owner only, in place
 * of one that a dead process left behind; connecting to it; removing it.
 */
#ifndef UMIG_CONTROL_LISTENER_H
#define UMIG_CONTROL_LISTENER_H

#include <sys/stat.h>

#include "lib/err.h"

/**
 * listener_open() - Bind and listen, non-blocking.
 * @id: set to the file's identity, for listener_unlink().
 *
 * Return: a socket; -EADDRINUSE: a live process answers there; -EEXIST: a file
 * that isn't a socket; else -errno; with words in @err.
 */
int listener_open(const char *path, struct stat *id, struct err *err);

/** listener_unlink() - Remove the file if it still is the one we made. */
void listener_unlink(const char *path, const struct stat *id);

/** listener_connect() - A blocking connection to @path, or -errno. */
int listener_connect(const char *path, struct err *err);

#endif
