// SPDX-License-Identifier: GPL-2.0
/*
 * Event loop: see loop.h.
 */
#include "lib/loop.h"

#include <errno.h>
#include <unistd.h>

int loop_open(struct loop *loop)
{
	loop->stopped = false;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

static int control(struct loop *loop, int op, struct loop_watch *watch,
		   uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, op, watch->fd, &ev) ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
	control(loop, EPOLL_CTL_DEL, watch, 0);
}

int loop_once(struct loop *loop, int timeout_ms)
{
	struct loop_watch *watch;
	struct epoll_event ev;
	int n = epoll_wait(loop->epoll_fd, &ev, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n) {
		watch = ev.data.ptr;
		watch->fn(watch->arg, ev.events);
	}
	return n;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	while (!loop->stopped && ret >= 0)
		ret = loop_once(loop, -1);
	return ret < 0 ? ret : 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
