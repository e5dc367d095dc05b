// SPDX-License-Identifier: GPL-2.0
/*
 * The agent: process 1 of a lab host once its /init is done.  It runs commands
 * for the lab, several at once, over a virtio-serial port: their output goes
 * back as it comes, their input comes from the lab, and their exit status ends
 * them.  It reaps whatever else becomes its child.  When the lab hangs up, the
 * host powers off.
 *
 * Both directions carry frames, little endian:
 *
 *	u32 type | u32 id | u32 length | length bytes
 *
 * The id is chosen by the lab, one per command.  An EXIT is the last frame of
 * its id: what a command's own children write after its end is dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"

#define PROTOCOL 1
#define COMMANDS_MAX 64
#define ARGS_MAX 1024
#define FRAME_MAX (256u << 10)
#define OUT_HIGH (256u << 10)	/* above: leave output in the pipes */

enum frame_type {
	/* from the lab */
	FRAME_RUN = 1,		/* arguments, each ended by a NUL */
	FRAME_STDIN = 2,	/* bytes; none: end of input */
	FRAME_SIGNAL = 3,	/* u32 number, to the command's group */
	/* to the lab */
	FRAME_HELLO = 16,	/* u32 PROTOCOL */
	FRAME_STDOUT = 17,
	FRAME_STDERR = 18,
	FRAME_EXIT = 19,	/* u32 wait status */
	FRAME_STDIN_TAKEN = 20,	/* u32 bytes that the command has read */
	FRAME_STARTED = 21,	/* u32 process number */
};

struct frame {
	uint32_t type;
	uint32_t id;
	uint32_t len;
};

struct command {
	uint32_t id;
	pid_t pid;		/* 0: free slot */
	int in;
	int out[2];		/* stdout, stderr */
	bool in_ends;		/* close in once the backlog is written */
	struct bytes backlog;	/* input that the command hasn't read yet */
};

static struct command commands[COMMANDS_MAX];
static struct bytes to_lab;
static int port = -1;

static void die(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

static void send_frame(uint32_t type, uint32_t id, const void *data,
		       uint32_t len)
{
	const struct frame f = { .type = type, .id = id, .len = len };

	bytes_add(&to_lab, &f, sizeof(f));
	bytes_add(&to_lab, data, len);
}

static void send_u32(uint32_t type, uint32_t id, uint32_t value)
{
	send_frame(type, id, &value, sizeof(value));
}

static struct command *command_find(uint32_t id)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (commands[i].pid && commands[i].id == id)
			return &commands[i];
	return NULL;
}

static struct command *command_slot(void)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (!commands[i].pid)
			return &commands[i];
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void exec_child(char **argv, int in, int out, int err)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Says why on the command's stderr, and ends it as a shell would. */
static void refuse_run(uint32_t id, const char *why)
{
	send_frame(FRAME_STDERR, id, why, strlen(why));
	send_u32(FRAME_EXIT, id, 126 << 8);
}

static void command_start(uint32_t id, char **argv)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	struct command *c = command_slot();
	pid_t pid;

	if (!c) {
		refuse_run(id, "agent: too many commands at once\n");
		return;
	}
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) ||
	    pipe2(err, O_CLOEXEC) || set_nonblock(in[1]) ||
	    set_nonblock(out[0]) || set_nonblock(err[0]))
		die("pipe");
	pid = fork();
	if (!pid)
		exec_child(argv, in[0], out[1], err[1]);
	/* here too: a signal to the group may come before the child has run */
	if (pid > 0)
		setpgid(pid, pid);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (pid < 0) {
		close(in[1]);
		close(out[0]);
		close(err[0]);
		refuse_run(id, "agent: fork failed\n");
		return;
	}
	*c = (struct command){
		.id = id, .pid = pid, .in = in[1], .out = { out[0], err[0] },
	};
	send_u32(FRAME_STARTED, id, pid);
}

static void handle_run(uint32_t id, char *data, uint32_t len)
{
	static char *argv[ARGS_MAX + 1];
	size_t n = 0;

	if (!len || data[len - 1]) {
		refuse_run(id, "agent: malformed command\n");
		return;
	}
	for (char *p = data; p < data + len; p += strlen(p) + 1) {
		if (n == ARGS_MAX) {
			refuse_run(id, "agent: too many arguments\n");
			return;
		}
		argv[n++] = p;
	}
	argv[n] = NULL;
	command_start(id, argv);
}

/* A frame for a command that has ended meanwhile is no error. */
static void handle_frame(const struct frame *f, uint8_t *data)
{
	struct command *c = command_find(f->id);
	uint32_t signal;

	switch (f->type) {
	case FRAME_RUN:
		handle_run(f->id, (char *)data, f->len);
		break;
	case FRAME_STDIN:
		if (!c)
			break;
		if (f->len)
			bytes_add(&c->backlog, data, f->len);
		else
			c->in_ends = true;
		break;
	case FRAME_SIGNAL:
		if (!c || f->len != sizeof(signal))
			break;
		memcpy(&signal, data, sizeof(signal));
		kill(-c->pid, signal);
		break;
	default:
		errno = EPROTO;
		die("unknown frame");
	}
}

static void read_port(void)
{
	static struct bytes from_lab;
	static uint8_t chunk[64 << 10];
	struct frame f;
	ssize_t n;

	n = read(port, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		die("the lab has hung up");
	bytes_add(&from_lab, chunk, n);
	while (from_lab.len >= sizeof(f)) {
		memcpy(&f, from_lab.data, sizeof(f));
		if (f.len > FRAME_MAX) {
			errno = EMSGSIZE;
			die("frame");
		}
		if (from_lab.len < sizeof(f) + f.len)
			break;
		handle_frame(&f, from_lab.data + sizeof(f));
		bytes_drop(&from_lab, sizeof(f) + f.len);
	}
}

static void write_port(void)
{
	size_t len = to_lab.len > (32u << 10) ? 32u << 10 : to_lab.len;
	ssize_t n = write(port, to_lab.data, len);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("write to the lab");
	if (n > 0)
		bytes_drop(&to_lab, n);
}

/* Returns whether there may be more. */
static bool read_output(struct command *c, int which)
{
	static uint8_t chunk[32 << 10];
	ssize_t n;

	if (c->out[which] < 0)
		return false;
	n = read(c->out[which], chunk, sizeof(chunk));
	if (n > 0) {
		send_frame(FRAME_STDOUT + which, c->id, chunk, n);
		return true;
	}
	if (!n || (errno != EAGAIN && errno != EINTR))
		close_fd(&c->out[which]);
	return false;
}

static void write_input(struct command *c)
{
	size_t len = c->backlog.len;
	ssize_t n;

	if (len) {
		n = write(c->in, c->backlog.data, len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			/* Nobody reads it: take and drop, the lab may go on. */
			n = len;
			c->in_ends = true;
		}
		bytes_drop(&c->backlog, n);
		send_u32(FRAME_STDIN_TAKEN, c->id, n);
	}
	if (c->in_ends && !c->backlog.len)
		close_fd(&c->in);
}

static void reap(int sigfd)
{
	struct signalfd_siginfo info;
	struct command *c;
	int status;
	pid_t pid;

	while (read(sigfd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = commands; c < commands + COMMANDS_MAX; c++)
			if (c->pid == pid)
				break;
		if (c == commands + COMMANDS_MAX)
			continue;
		while (read_output(c, 0) || read_output(c, 1))
			;
		close_fd(&c->in);
		close_fd(&c->out[0]);
		close_fd(&c->out[1]);
		bytes_free(&c->backlog);
		send_u32(FRAME_EXIT, c->id, status);
		c->pid = 0;
	}
}

static void watch(struct pollfd *p, nfds_t *n, int fd, short events)
{
	p[(*n)++] = (struct pollfd){ .fd = fd, .events = events };
}

static void loop(int sigfd)
{
	struct pollfd p[2 + 3 * COMMANDS_MAX];
	struct command *c;
	bool room;
	nfds_t n;

	for (;;) {
		room = to_lab.len < OUT_HIGH;
		n = 0;
		watch(p, &n, port, POLLIN | (to_lab.len ? POLLOUT : 0));
		watch(p, &n, sigfd, POLLIN);
		for (c = commands; c < commands + COMMANDS_MAX; c++) {
			if (!c->pid)
				continue;
			if (c->in >= 0 && (c->backlog.len || c->in_ends))
				watch(p, &n, c->in, POLLOUT);
			if (c->out[0] >= 0 && room)
				watch(p, &n, c->out[0], POLLIN);
			if (c->out[1] >= 0 && room)
				watch(p, &n, c->out[1], POLLIN);
		}
		if (poll(p, n, -1) < 0 && errno != EINTR)
			die("poll");
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
			read_port();
		/* All are non-blocking: trying each is simpler than matching. */
		for (c = commands; c < commands + COMMANDS_MAX; c++) {
			if (!c->pid)
				continue;
			if (c->in >= 0)
				write_input(c);
			if (room) {
				read_output(c, 0);
				read_output(c, 1);
			}
		}
		if (p[1].revents)
			reap(sigfd);
		if (to_lab.len)
			write_port();
	}
}

/* Until something is new in /dev; a kernel without inotify is polled. */
static void wait_dev(int notify)
{
	char event[4096] __attribute__((aligned(8)));

	if (notify < 0)
		poll(NULL, 0, 20);
	else if (read(notify, event, sizeof(event)) < 0)
		die("inotify on /dev");
}

/* The driver makes the port's node in its own time: wait for it to appear. */
static int open_port(const char *path)
{
	int notify, fd;

	notify = inotify_init1(IN_CLOEXEC);
	if (notify < 0 ? errno != ENOSYS :
			 inotify_add_watch(notify, "/dev", IN_CREATE) < 0)
		die("inotify on /dev");
	for (;;) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			break;
		wait_dev(notify);
	}
	if (notify >= 0)
		close(notify);
	return fd;
}

int main(int argc, char **argv)
{
	const struct frame hello = {
		.type = FRAME_HELLO, .len = sizeof(uint32_t),
	};
	const uint32_t protocol = PROTOCOL;
	uint8_t first[sizeof(hello) + sizeof(protocol)];
	sigset_t mask;
	int sigfd;

	if (argc != 2) {
		fprintf(stderr, "usage: agent PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	port = open_port(argv[1]);
	if (sigfd < 0 || port < 0)
		die(argv[1]);

	/* A blocking write waits until the lab's end of the port is open. */
	memcpy(first, &hello, sizeof(hello));
	memcpy(first + sizeof(hello), &protocol, sizeof(protocol));
	if (write(port, first, sizeof(first)) != sizeof(first) ||
	    set_nonblock(port))
		die(argv[1]);
	loop(sigfd);
	return 0;
}
