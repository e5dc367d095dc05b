/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One thread's event loop over epoll: descriptors and what to call when they
 * are ready.  Events are taken one at a time, so that a callback may remove
 * any watch, its own included, without another stale event being in flight.
 */
#ifndef UMIG_LIB_LOOP_H
#define UMIG_LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/** struct loop - Initialise with LOOP_INIT. */
struct loop {
	int epoll_fd;
	bool stopped;
};

#define LOOP_INIT { .epoll_fd = -1 }

/**
 * struct loop_watch - A watched descriptor.  Lives until it is removed.
 * @fd: the descriptor, the owner's.
 * @fn: called with @arg and the EPOLL* bits that are set.
 */
struct loop_watch {
	int fd;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
};

int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/** loop_add() - Watch @watch->fd for @events (level triggered). */
int loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events);

/** loop_change() - Watch for other events. */
int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events);

/** loop_remove() - Stop watching, before the descriptor is closed. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/** loop_run() - Dispatch until loop_stop().  0 or -errno. */
int loop_run(struct loop *loop);

/** loop_once() - Dispatch what is ready within @timeout_ms: 1, 0 or -errno. */
int loop_once(struct loop *loop, int timeout_ms);

/** loop_stop() - Make loop_run() return; from a callback. */
void loop_stop(struct loop *loop);

#endif
