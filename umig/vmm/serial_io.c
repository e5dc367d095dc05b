// SPDX-License-Identifier: GPL-2.0
/*
 * The host's end of a serial line: see serial_io.h.
 *
 * stdin and stdout are shared with whoever started us, so they are never made
 * non-blocking: poll says when a write of up to PIPE_BUF bytes doesn't wait.
 */
#include "vmm/serial_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define CTRL_A 0x01
#define LAST_WORDS_NS 200000000ULL	/* what a stop grants to the output */

static void wake(struct serial_io *io)
{
	uint64_t one = 1;

	while (write(io->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static int open_spec(struct serial_io *io, const char *spec, struct err *err)
{
	if (!spec || !strcmp(spec, "stdio")) {
		io->in_fd = STDIN_FILENO;
		io->out_fd = STDOUT_FILENO;
		return 0;
	}
	if (!strcmp(spec, "none"))
		return 0;
	if (strncmp(spec, "file:", 5) || !spec[5])
		return err_set(err, -EINVAL,
			       "serial line '%s': give stdio, none or file:PATH",
			       spec);
	io->out_fd = open(spec + 5, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			  0644);
	if (io->out_fd < 0)
		return err_set(err, -errno, "serial line: can't write %s: %s",
			       spec + 5, strerror(errno));
	io->own_out = true;
	return 0;
}

int serial_io_open(struct serial_io *io, const char *spec,
		   const struct serial_io_ops *ops, void *arg, struct err *err)
{
	int ret;

	*io = (struct serial_io){
		.ops = ops,
		.arg = arg,
		.in_fd = -1,
		.out_fd = -1,
		.wake_fd = -1,
	};
	pthread_mutex_init(&io->lock, NULL);
	ret = open_spec(io, spec, err);
	if (ret)
		goto out;
	io->buf = malloc(SERIAL_IO_BUFFER_BYTES);
	io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!io->buf || io->wake_fd < 0)
		ret = err_set(err, -ENOMEM, "serial line: out of memory or of "
			      "file descriptors");
out:
	if (ret)
		serial_io_close(io);
	return ret;
}

void serial_io_close(struct serial_io *io)
{
	serial_io_stop(io);
	if (io->own_out)
		close(io->out_fd);
	if (io->wake_fd >= 0)
		close(io->wake_fd);
	free(io->buf);
	pthread_mutex_destroy(&io->lock);
}

void serial_io_send(struct serial_io *io, uint8_t byte)
{
	bool first, lost = false;

	if (io->out_fd < 0)
		return;
	pthread_mutex_lock(&io->lock);
	first = !io->len;
	if (io->len < SERIAL_IO_BUFFER_BYTES)
		io->buf[(io->head + io->len++) % SERIAL_IO_BUFFER_BYTES] = byte;
	else
		lost = !io->lost++;
	pthread_mutex_unlock(&io->lock);
	if (lost)
		log_warn("serial line: output is lost: nobody reads it");
	if (first)
		wake(io);
}

void serial_io_room(struct serial_io *io)
{
	if (io->in_fd >= 0)
		wake(io);
}

/* A writable file is given one contiguous run, no longer than it may take. */
static void write_some(struct serial_io *io)
{
	size_t run;
	ssize_t n;

	pthread_mutex_lock(&io->lock);
	run = SERIAL_IO_BUFFER_BYTES - io->head;
	if (run > io->len)
		run = io->len;
	pthread_mutex_unlock(&io->lock);
	if (run > PIPE_BUF)
		run = PIPE_BUF;
	if (!run)
		return;
	n = write(io->out_fd, io->buf + io->head, run);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* A closed pipe or a full disk doesn't stop a guest. */
	if (n < 0)
		n = run;
	pthread_mutex_lock(&io->lock);
	io->head = (io->head + n) % SERIAL_IO_BUFFER_BYTES;
	io->len -= n;
	pthread_mutex_unlock(&io->lock);
}

/* Keep a byte for the guest, unless it belongs to an escape sequence. */
static void take_input(struct serial_io *io, uint8_t byte)
{
	bool escaped = io->escape;

	io->escape = io->raw && !escaped && byte == CTRL_A;
	if (escaped && byte == 'x')
		io->ops->quit(io->arg);
	else if (!io->escape && io->in_len < sizeof(io->in))
		io->in[io->in_len++] = byte;
}

/*
 * A terminal is always read, so that a guest that doesn't listen can still be
 * ended; a pipe only while there is room.
 */
static bool wants_input(const struct serial_io *io)
{
	return io->in_fd >= 0 && !io->in_end &&
	       (io->raw || io->in_len < sizeof(io->in));
}

static void read_some(struct serial_io *io)
{
	size_t room = io->raw ? sizeof(io->in) : sizeof(io->in) - io->in_len;
	uint8_t in[sizeof(io->in)];
	ssize_t n, i;

	n = read(io->in_fd, in, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	io->in_end = n <= 0;
	for (i = 0; i < n; i++)
		take_input(io, in[i]);
}

static void deliver(struct serial_io *io)
{
	size_t n = io->in_len ? io->ops->room(io->arg) : 0;

	if (n > io->in_len)
		n = io->in_len;
	if (!n)
		return;
	io->ops->receive(io->arg, io->in, n);
	io->in_len -= n;
	memmove(io->in, io->in + n, io->in_len);
}

static bool pending(struct serial_io *io, bool *stop)
{
	bool some;

	pthread_mutex_lock(&io->lock);
	some = io->len > 0;
	*stop = io->stop;
	pthread_mutex_unlock(&io->lock);
	return some;
}

static void *serial_io_thread(void *arg)
{
	struct serial_io *io = arg;
	uint64_t count, now, last = 0;
	struct pollfd p[3];
	bool output, stop;
	int wait;

	for (;;) {
		deliver(io);
		output = pending(io, &stop);
		now = clock_now_ns();
		if (stop && !last)
			last = now + LAST_WORDS_NS;
		if (stop && (!output || now >= last))
			return NULL;
		wait = stop ? 1 + (int)((last - clock_now_ns()) / 1000000) : -1;
		p[0] = (struct pollfd){ io->wake_fd, POLLIN, 0 };
		p[1] = (struct pollfd){ output ? io->out_fd : -1, POLLOUT, 0 };
		p[2] = (struct pollfd){ !stop && wants_input(io) ? io->in_fd :
					-1, POLLIN, 0 };
		if (poll(p, 3, wait) < 0)
			continue;
		if (p[0].revents && read(io->wake_fd, &count, 8) < 0)
			continue;
		if (p[1].revents)
			write_some(io);
		if (p[2].revents)
			read_some(io);
	}
}

/* Not in the background: a job that touches its terminal there is stopped. */
static bool in_foreground(const struct serial_io *io)
{
	return tcgetpgrp(io->in_fd) == getpgrp();
}

static void terminal_raw(struct serial_io *io)
{
	struct termios t;

	if (io->in_fd < 0 || !isatty(io->in_fd))
		return;
	io->in_end = !in_foreground(io);
	if (io->in_end || tcgetattr(io->in_fd, &io->saved))
		return;
	t = io->saved;
	cfmakeraw(&t);
	io->raw = !tcsetattr(io->in_fd, TCSANOW, &t);
}

static void terminal_restore(struct serial_io *io)
{
	if (io->raw && in_foreground(io))
		tcsetattr(io->in_fd, TCSANOW, &io->saved);
	io->raw = false;
}

/* The thread takes no signals: those are for others. */
static int start_thread(struct serial_io *io)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&io->thread, NULL, serial_io_thread, io);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	io->started = !ret;
	return -ret;
}

int serial_io_start(struct serial_io *io)
{
	int ret;

	if (io->started || (io->in_fd < 0 && io->out_fd < 0))
		return 0;
	io->stop = false;
	terminal_raw(io);
	ret = start_thread(io);
	if (ret)
		terminal_restore(io);
	return ret;
}

void serial_io_stop(struct serial_io *io)
{
	if (!io->started)
		return;
	pthread_mutex_lock(&io->lock);
	io->stop = true;
	pthread_mutex_unlock(&io->lock);
	wake(io);
	pthread_join(io->thread, NULL);
	io->started = false;
	terminal_restore(io);
}
