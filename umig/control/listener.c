// SPDX-License-Identifier: GPL-2.0
/*
 * The socket file of a control socket: see listener.h.
 */
#include "control/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 10

static int make_address(struct sockaddr_un *sa, const char *path,
			struct err *err)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(sa->sun_path))
		return err_set(err, -ENAMETOOLONG,
			       "control socket \"%s\": a socket's path has 1 to %zu bytes; choose a shorter one",
			       path, sizeof(sa->sun_path) - 1);
	strcpy(sa->sun_path, path);
	return 0;
}

/*
 * Whether a process answers.  A full backlog (EAGAIN) is an answer; only a
 * refused connection proves that nobody has the socket open.
 */
static int probe(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		ret = -errno;
	close(fd);
	return ret;
}

static int remove_stale(const struct sockaddr_un *sa, struct err *err)
{
	const char *path = sa->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 :
		       err_set(err, -errno, "control socket %s: %s", path,
			       strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
			       "control socket %s: a file that is no socket is there; remove it or choose another path",
			       path);
	if (probe(sa) != -ECONNREFUSED)
		return err_set(err, -EADDRINUSE,
			       "control socket %s: a live process has it open; choose another path, or end that VM (umig quit --control %s)",
			       path, path);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno,
			       "control socket %s: can't replace the stale one: %s",
			       path, strerror(errno));
	return 0;
}

int listener_open(const char *path, struct stat *id, struct err *err)
{
	struct sockaddr_un sa;
	int fd, ret;

	ret = make_address(&sa, path, err);
	if (!ret)
		ret = remove_stale(&sa, err);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "no socket: %s", strerror(errno));
	/* The mode of the socket becomes the mode of the file: never wider. */
	if (fchmod(fd, 0600) ||
	    bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, 16) || lstat(path, id)) {
		ret = err_set(err, -errno, "control socket %s: %s", path,
			      strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

void listener_unlink(const char *path, const struct stat *id)
{
	struct stat st;

	if (!lstat(path, &st) && st.st_dev == id->st_dev &&
	    st.st_ino == id->st_ino)
		unlink(path);
}

static int connect_failed(const char *path, int error, struct err *err)
{
	switch (error) {
	case -ENOENT:
		return err_set(err, error,
			       "control socket %s: there is none: is the VM running, and was it started with --control %s?",
			       path, path);
	case -ECONNREFUSED:
		return err_set(err, error,
			       "control socket %s: nobody answers: the VM's process has died",
			       path);
	case -EAGAIN:
		return err_set(err, -ETIMEDOUT,
			       "control socket %s: the VM's process doesn't answer",
			       path);
	case -EACCES:
		return err_set(err, error,
			       "control socket %s: permission denied: only the user who started the VM may control it",
			       path);
	default:
		return err_set(err, error, "control socket %s: %s", path,
			       strerror(-error));
	}
}

int listener_connect(const char *path, struct err *err)
{
	/* for the connection, too: a full backlog makes it wait */
	const struct timeval patience = { .tv_sec = CONNECT_TIMEOUT_S };
	struct sockaddr_un sa;
	int fd, ret;

	ret = make_address(&sa, path, err);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "no socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		       sizeof(patience)) ||
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa))) {
		ret = connect_failed(path, -errno, err);
		close(fd);
		return ret;
	}
	return fd;
}
