// SPDX-License-Identifier: GPL-2.0
/*
 * The other end of the control socket: see client.h.
 */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/lines.h"
#include "control/listener.h"
#include "lib/clock.h"

#define GREETING_TIMEOUT_MS 10000
/* stop waits for the guest's disks. */
#define CALL_TIMEOUT_MS 120000
#define ANSWER_MAX (1 << 20)

/**
 * struct control_client - A connection.
 * @path: for messages.
 * @in: what the server says.
 * @events: array of events not yet asked for.
 */
struct control_client {
	int fd;
	char *path;
	struct lines in;
	json_t *events;
};

static int lost(struct control_client *c, struct err *err)
{
	return err_set(err, -EPIPE,
		       "control socket %s: the connection is lost: the VM's process has ended",
		       c->path);
}

static int receive(struct control_client *c, struct err *err)
{
	size_t room;
	char *at = lines_room(&c->in, &room);
	ssize_t n;

	if (!at)
		return err_set(err, -ENOMEM, "out of memory");
	do {
		n = recv(c->fd, at, room, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return lost(c, err);
	lines_added(&c->in, n);
	return 0;
}

/* 1: bytes are there; 0: woken up or out of time. */
static int wait_bytes(struct control_client *c, int wake_fd, int timeout_ms,
		      struct err *err)
{
	struct pollfd p[2] = {
		{ .fd = c->fd, .events = POLLIN },
		{ .fd = wake_fd, .events = POLLIN },
	};
	int n = poll(p, 2, timeout_ms);

	if (n < 0 && errno != EINTR)
		return err_set(err, -errno, "poll: %s", strerror(errno));
	return n > 0 && p[0].revents;
}

/* The next object that the server sends: 1, 0: none in time, -errno. */
static int next_object(struct control_client *c, int wake_fd, int timeout_ms,
		       json_t **out, struct err *err)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ms * 1000000ULL;
	json_error_t why;
	size_t bytes;
	char *line;
	int ret;

	while (!(ret = lines_next(&c->in, &line, &bytes))) {
		uint64_t now = clock_now_ns();
		int left = now < deadline_ns ?
			   (int)((deadline_ns - now) / 1000000) + 1 : 0;

		ret = wait_bytes(c, wake_fd, left, err);
		if (ret <= 0)
			return ret;
		ret = receive(c, err);
		if (ret)
			return ret;
	}
	*out = ret > 0 ? json_loadb(line, bytes, 0, &why) : NULL;
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		return err_set(err, -EPROTO,
			       "control socket %s: what answers there is no umig",
			       c->path);
	}
	return 1;
}

static int send_all(struct control_client *c, const char *text, size_t bytes,
		    struct err *err)
{
	ssize_t n;

	while (bytes) {
		n = send(c->fd, text, bytes, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return lost(c, err);
		text += n;
		bytes -= n;
	}
	return 0;
}

static int send_request(struct control_client *c, const char *command,
			json_t *taken, struct err *err)
{
	json_t *request = json_pack("{s:s, s:o*}", "execute", command,
				    "arguments", taken);
	char *text = json_dumps(request, JSON_COMPACT);
	int ret;

	json_decref(request);
	if (!text)
		return err_set(err, -ENOMEM, "%s: can't be written as JSON",
			       command);
	ret = send_all(c, text, strlen(text), err);
	free(text);
	return ret ? ret : send_all(c, "\n", 1, err);
}

/* Whether @object answers the call; takes it. */
static int take_answer(json_t *object, json_t **ret, struct err *err)
{
	json_t *value = json_object_get(object, "return");
	json_t *desc = json_object_get(json_object_get(object, "error"),
				       "desc");
	int rc;

	if (value) {
		if (ret)
			*ret = json_incref(value);
		rc = 0;
	} else {
		rc = err_set(err, -EREMOTEIO, "%s",
			     json_is_string(desc) ? json_string_value(desc) :
			     "refused without a reason");
	}
	json_decref(object);
	return rc;
}

int client_call(struct control_client *c, const char *command, json_t *taken,
		json_t **ret, struct err *err)
{
	json_t *object;
	int rc = send_request(c, command, taken, err);

	while (!rc) {
		rc = next_object(c, -1, CALL_TIMEOUT_MS, &object, err);
		if (rc < 0)
			return rc;
		if (!rc)
			return err_set(err, -ETIMEDOUT,
				       "control socket %s: no answer to %s for %d s",
				       c->path, command,
				       CALL_TIMEOUT_MS / 1000);
		if (!json_object_get(object, "event"))
			return take_answer(object, ret, err);
		rc = json_array_append_new(c->events, object) ?
		     err_set(err, -ENOMEM, "out of memory") : 0;
	}
	return rc;
}

int client_event(struct control_client *c, int wake_fd, int timeout_ms,
		 json_t **event, struct err *err)
{
	int rc;

	if (json_array_size(c->events)) {
		*event = json_incref(json_array_get(c->events, 0));
		json_array_remove(c->events, 0);
		return 1;
	}
	rc = next_object(c, wake_fd, timeout_ms, event, err);
	if (rc == 1 && !json_object_get(*event, "event")) {
		json_decref(*event);	/* a late answer: nobody waits */
		return 0;
	}
	return rc;
}

void client_forget_events(struct control_client *c)
{
	json_array_clear(c->events);
}

static int greet(struct control_client *c, struct err *err)
{
	json_t *greeting = NULL;
	struct err why = { 0 };
	int rc = next_object(c, -1, GREETING_TIMEOUT_MS, &greeting, &why);

	if (rc == -EPIPE)
		return err_set(err, rc,
			       "control socket %s: the VM's process hung up: it is ending, or has too many clients",
			       c->path);
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	if (!rc)
		return err_set(err, -ETIMEDOUT,
			       "control socket %s: the VM's process doesn't answer",
			       c->path);
	rc = json_object_get(greeting, "QMP") ? 0 :
	     err_set(err, -EPROTO,
		     "control socket %s: what answers there is no umig",
		     c->path);
	json_decref(greeting);
	return rc ? rc : client_call(c, "qmp_capabilities", NULL, NULL, err);
}

int client_open(struct control_client **out, const char *path,
		struct err *err)
{
	struct control_client *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->fd = -1;
	c->in.max = ANSWER_MAX;
	c->path = strdup(path);
	c->events = json_array();
	rc = c->path && c->events ? 0 : err_set(err, -ENOMEM, "out of memory");
	if (!rc) {
		c->fd = listener_connect(path, err);
		rc = c->fd < 0 ? c->fd : greet(c, err);
	}
	if (rc) {
		client_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

void client_close(struct control_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	lines_free(&c->in);
	json_decref(c->events);
	free(c->path);
	free(c);
}
