// SPDX-License-Identifier: GPL-2.0
/*
 * A connection's way: what has arrived is counted, and a reader who has no time
 * isn't.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "transport/tcp.h"
#include "transport/tcp_path.h"

#define BYTES (64U << 10)
#define PATIENCE_NS 30000000000ULL
#define STALL_MS 300

static void connect_pair(int end[2])
{
	struct err err = { 0 };
	struct sockaddr_storage from;
	char text[TCP_HOST_MAX], address[32];
	int fd = tcp_listen("127.0.0.1:0", &err);

	assert_true(fd >= 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", tcp_local_port(fd));
	end[0] = tcp_connect(address, -1, PATIENCE_NS, &err);
	assert_true(end[0] >= 0);
	assert_int_equal(tcp_wait(fd, POLLIN, -1, 30000), 0);
	end[1] = tcp_accept(fd, &from, text, sizeof(text), &err);
	assert_true(end[1] >= 0);
	close(fd);
}

static void what_has_arrived_is_counted(void **state)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	static char bytes[BYTES];
	struct tcp_path path = { 0 };
	int end[2];

	(void)state;
	connect_pair(end);
	assert_int_equal(write(end[0], bytes, BYTES), BYTES);
	while (path.bytes < BYTES && clock_now_ns() < until)
		assert_int_equal(tcp_path_read(end[0], &path), 0);
	/* the kernel counts the SYN, too */
	assert_in_range(path.bytes, BYTES, BYTES + 1);
	close(end[0]);
	close(end[1]);
}

static void a_reader_who_has_no_time_is_not_the_way(void **state)
{
	static char bytes[BYTES];
	struct tcp_path before, after;
	int end[2];

	(void)state;
	connect_pair(end);
	while (send(end[0], bytes, BYTES, MSG_DONTWAIT) > 0 ||
	       !tcp_wait(end[0], POLLOUT, -1, STALL_MS))
		;
	assert_int_equal(tcp_path_read(end[0], &before), 0);
	poll(NULL, 0, STALL_MS);
	assert_int_equal(tcp_path_read(end[0], &after), 0);
	assert_true(after.busy_ns - before.busy_ns < STALL_MS * 500000ULL);
	close(end[0]);
	close(end[1]);
}

static void what_is_no_tcp_has_no_way(void **state)
{
	struct tcp_path path;
	int end[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	assert_true(tcp_path_read(end[0], &path) < 0);
	close(end[0]);
	close(end[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_arrived_is_counted),
		cmocka_unit_test(a_reader_who_has_no_time_is_not_the_way),
		cmocka_unit_test(what_is_no_tcp_has_no_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
