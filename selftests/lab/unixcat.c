// SPDX-License-Identifier: GPL-2.0
/*
 * Connects its input and output to a unix socket: control sockets for the lab.
 *
 *	unixcat PATH
 *
 * ends when either the socket or the input does.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Returns false when there is no more. */
static int relay(int from, int to)
{
	char data[65536];
	ssize_t n = read(from, data, sizeof(data)), done = 0, m;

	if (n <= 0)
		return 0;
	while (done < n) {
		m = write(to, data + done, n - done);
		if (m < 0)
			return 0;
		done += m;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct pollfd p[2];
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(sun.sun_path)) {
		fprintf(stderr, "usage: unixcat PATH\n");
		return 2;
	}
	strcpy(sun.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (void *)&sun, sizeof(sun))) {
		fprintf(stderr, "unixcat: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (;;) {
		p[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents && !relay(fd, 1))
			return 0;
		if (p[0].revents && !relay(0, fd))
			return 0;
	}
}
