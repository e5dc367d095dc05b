// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket of a VM's process: see server.h.
 *
 * Lifetime: a client is freed by its own watch's callback only (or when the
 * server closes).  Whoever else finds it broken shuts its socket down, which
 * makes that callback run.
 */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/lines.h"
#include "control/listener.h"
#include "control/protocol.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/log.h"

/* A client that has this much to read and doesn't is dropped. */
#define CLIENT_UNREAD_MAX (1 << 20)

/**
 * struct client - One connection.
 * @negotiated: qmp_capabilities was given: commands and events flow.
 * @eof: it has said all that it will.
 * @dead: to be freed by its callback.
 * @in: what it says.
 * @out: what it has not taken yet.
 */
struct client {
	struct control_server *server;
	struct client *next;
	struct loop_watch watch;
	bool negotiated;
	bool eof;
	bool dead;
	struct lines in;
	struct buf out;
};

/**
 * struct control_server - The socket and who is connected.
 * @spare_fd: given up for a moment to turn a client away when the process has
 *	no descriptor left; else that client would keep the loop spinning.
 */
struct control_server {
	struct loop *loop;
	struct control_handler handler;
	struct loop_watch watch;
	char *path;
	struct stat id;
	int spare_fd;
	struct client *clients;
	unsigned int nr_clients;
};

static void client_arm(struct client *c)
{
	uint32_t events = (c->eof ? 0 : EPOLLIN) | (c->out.len ? EPOLLOUT : 0);

	loop_change(c->server->loop, &c->watch, events);
}

static void client_break(struct client *c)
{
	c->dead = true;
	shutdown(c->watch.fd, SHUT_RDWR);
}

static void client_free(struct client *c)
{
	struct client **at = &c->server->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->nr_clients--;
	loop_remove(c->server->loop, &c->watch);
	close(c->watch.fd);
	lines_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void client_flush(struct client *c)
{
	ssize_t n;

	while (c->out.len && !c->dead) {
		n = send(c->watch.fd, c->out.data, c->out.len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			client_break(c);
		if (n < 0)
			return;
		memmove(c->out.data, c->out.data + n, c->out.len - n);
		c->out.len -= n;
	}
}

/* Takes @line; NULL: memory was short, and the client would wait in vain. */
static void client_send(struct client *c, char *line)
{
	if (c->dead)
		goto out;
	if (line)
		buf_put(&c->out, line, strlen(line));
	if (!line || c->out.error || c->out.len > CLIENT_UNREAD_MAX) {
		log_warn("control socket: dropped a client that doesn't read");
		client_break(c);
		goto out;
	}
	client_flush(c);
	client_arm(c);
out:
	free(line);
}

static void client_execute(struct client *c, const struct request *req)
{
	const struct control_handler *h = &c->server->handler;
	struct err err = { 0 };
	json_t *ret = NULL;
	int rc;

	if (!strcmp(req->execute, "qmp_capabilities")) {
		c->negotiated = true;
		client_send(c, protocol_return(json_object(), req->id));
		return;
	}
	if (!c->negotiated) {
		client_send(c, protocol_error("CommandNotFound",
			"the first command must be qmp_capabilities",
			req->id));
		return;
	}
	rc = h->execute(h->arg, req->execute, req->arguments, &ret, &err);
	if (!rc) {
		client_send(c, protocol_return(ret ? ret : json_object(),
					       req->id));
		return;
	}
	if (rc == -ENOSYS)
		err_set(&err, rc,
			"there is no command \"%.64s\"; query-commands lists them",
			req->execute);
	err_set(&err, rc, "%s", strerror(-rc));
	client_send(c, protocol_error(rc == -ENOSYS ? "CommandNotFound" : NULL,
				      err_text(&err), req->id));
}

static void client_line(struct client *c, const char *line, size_t bytes)
{
	struct err err = { 0 };
	struct request req;

	if (!bytes)
		return;
	if (request_parse(&req, line, bytes, &err))
		client_send(c, protocol_error(NULL, err_text(&err), req.id));
	else
		client_execute(c, &req);
	request_free(&req);
}

static void client_read(struct client *c)
{
	size_t bytes;
	char *at = lines_room(&c->in, &bytes);
	ssize_t n = at ? recv(c->watch.fd, at, bytes, MSG_DONTWAIT) : -1;
	int rc = 0;

	if (n < 0) {
		if (!at || (errno != EAGAIN && errno != EINTR))
			client_break(c);
		return;
	}
	if (!n) {
		c->eof = true;
		client_arm(c);
		return;
	}
	lines_added(&c->in, n);
	while (!c->dead && (rc = lines_next(&c->in, &at, &bytes)) > 0)
		client_line(c, at, bytes);
	if (!c->dead && rc < 0) {
		client_send(c, protocol_error(NULL,
			"the request is too long: the connection is closed",
			NULL));
		client_break(c);
	}
}

static void client_ready(void *arg, uint32_t events)
{
	struct client *c = arg;

	if (events & EPOLLIN && !c->eof && !c->dead)
		client_read(c);
	if (events & EPOLLOUT && !c->dead) {
		client_flush(c);
		client_arm(c);
	}
	/* Hung up, and whatever it had still to say has been read. */
	if (events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN))
		c->dead = true;
	if (c->dead || (c->eof && !c->out.len))
		client_free(c);
}

static int client_add(struct control_server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->in.max = PROTOCOL_LINE_MAX;
	c->watch = (struct loop_watch){ .fd = fd, .fn = client_ready, .arg = c };
	ret = loop_add(s->loop, &c->watch, EPOLLIN);
	if (ret) {
		free(c);
		return ret;
	}
	c->next = s->clients;
	s->clients = c;
	s->nr_clients++;
	client_send(c, protocol_greeting());
	return 0;
}

static void turn_away(struct control_server *s)
{
	int fd;

	close(s->spare_fd);
	fd = accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_warn("control socket %s: turned a client away: too many open files",
		 s->path);
}

static void server_ready(void *arg, uint32_t events)
{
	struct control_server *s = arg;
	int fd = accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(s);
		return;
	}
	if (s->nr_clients >= SERVER_CLIENTS_MAX || client_add(s, fd)) {
		log_warn("control socket %s: turned a client away: %u are connected",
			 s->path, s->nr_clients);
		close(fd);
	}
}

int control_server_open(struct control_server **out, struct loop *loop,
			const char *path,
			const struct control_handler *handler,
			struct err *err)
{
	struct control_server *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->handler = *handler;
	s->path = strdup(path);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->watch = (struct loop_watch){ .fn = server_ready, .arg = s };
	s->watch.fd = s->path ? listener_open(path, &s->id, err) : -ENOMEM;
	if (s->watch.fd < 0) {
		ret = err_set(err, s->watch.fd, "out of memory");
		goto out_free;
	}
	ret = loop_add(loop, &s->watch, EPOLLIN);
	if (ret)
		goto out_close;
	*out = s;
	return 0;

out_close:
	listener_unlink(path, &s->id);
	close(s->watch.fd);
out_free:
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->path);
	free(s);
	return ret;
}

void control_server_event(struct control_server *s, const char *name,
			  json_t *taken)
{
	char *line = protocol_event(name, taken);
	struct client *c;

	for (c = s->clients; c; c = c->next)
		if (c->negotiated)
			client_send(c, line ? strdup(line) : NULL);
	free(line);
}

static void flush_until(struct client *c, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = c->watch.fd, .events = POLLOUT };
	uint64_t now;

	client_flush(c);
	while (c->out.len && !c->dead) {
		now = clock_now_ns();
		if (now >= deadline_ns)
			return;
		poll(&p, 1, (deadline_ns - now) / 1000000 + 1);
		client_flush(c);
	}
}

void control_server_close(struct control_server *s, unsigned int flush_ms)
{
	uint64_t deadline_ns = clock_now_ns() + flush_ms * 1000000ULL;
	struct client *c, *next;

	if (!s)
		return;
	loop_remove(s->loop, &s->watch);
	listener_unlink(s->path, &s->id);
	close(s->watch.fd);
	for (c = s->clients; c; c = next) {
		next = c->next;
		flush_until(c, deadline_ns);
		client_free(c);
	}
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->path);
	free(s);
}
