// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket against clients that are wrong, slow, many or dead: each
 * gets its error, nobody else notices, and the VM's process lives.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/listener.h"
#include "control/lines.h"
#include "control/protocol.h"
#include "control/report.h"
#include "control/server.h"
#include "umig/control/proc.h"

#define CAPABILITIES "{\"execute\":\"qmp_capabilities\"}\n"
#define STATUS "{\"execute\":\"query-status\"}\n"

static struct proc vm;

static int setup(void **state)
{
	(void)state;
	proc_dir();
	proc_run(&vm, "vm.sock");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	proc_kill(&vm);
	proc_dir_remove();
	return 0;
}

/* A raw connection: what the client library would never send. */
struct raw {
	int fd;
	struct lines in;
};

static void raw_open(struct raw *r)
{
	struct err err = { 0 };

	*r = (struct raw){ .in = { .max = 1 << 20 } };
	r->fd = listener_connect(vm.control, &err);
	assert_true(r->fd >= 0);
}

static void raw_close(struct raw *r)
{
	close(r->fd);
	lines_free(&r->in);
}

static void raw_say(struct raw *r, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(r->fd, text, bytes, MSG_NOSIGNAL);

		if (n < 0)
			return;	/* it hung up on us */
		text += n;
		bytes -= n;
	}
}

/* The next line as JSON; NULL: it hung up. */
static json_t *raw_hear(struct raw *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	size_t bytes;
	char *line;
	ssize_t n;

	while (!lines_next(&r->in, &line, &bytes)) {
		size_t room;
		char *at = lines_room(&r->in, &room);

		assert_int_equal(poll(&p, 1, 20000), 1);
		n = recv(r->fd, at, room, 0);
		if (n <= 0)
			return NULL;
		lines_added(&r->in, n);
	}
	return json_loadb(line, bytes, 0, NULL);
}

/* The class of the next answer's error, "" if it is none. */
static void assert_hear_error(struct raw *r, const char *class,
			      const char *desc)
{
	json_t *answer = raw_hear(r);
	json_t *error = json_object_get(answer, "error");

	assert_non_null(answer);
	assert_string_equal(report_text(error, "class"), class);
	if (!strstr(report_text(error, "desc"), desc))
		fail_msg("\"%s\" does not say \"%s\"",
			 report_text(error, "desc"), desc);
	json_decref(answer);
}

static void assert_hear_return(struct raw *r)
{
	json_t *answer = raw_hear(r);

	assert_non_null(json_object_get(answer, "return"));
	json_decref(answer);
}

static void raw_negotiate(struct raw *r)
{
	json_t *greeting;

	raw_open(r);
	greeting = raw_hear(r);
	assert_non_null(json_object_get(greeting, "QMP"));
	json_decref(greeting);
	raw_say(r, CAPABILITIES, strlen(CAPABILITIES));
	assert_hear_return(r);
}

static void assert_alive(void)
{
	assert_true(proc_status(&vm, "running"));
}

static void capabilities_come_first(void **state)
{
	struct raw r;

	(void)state;
	raw_open(&r);
	json_decref(raw_hear(&r));
	raw_say(&r, STATUS, strlen(STATUS));
	assert_hear_error(&r, "CommandNotFound", "qmp_capabilities");
	raw_say(&r, CAPABILITIES, strlen(CAPABILITIES));
	assert_hear_return(&r);
	raw_say(&r, STATUS, strlen(STATUS));
	assert_hear_return(&r);
	raw_close(&r);
}

static void garbage_is_refused_and_forgiven(void **state)
{
	static const struct {
		const char *line;
		const char *desc;
	} wrong[] = {
		{ "garbage", "not JSON" },
		{ "{", "not JSON" },
		{ "\xff\xfe\xfd", "not JSON" },
		{ "{\"execute\":\"\\u0000\"}", "not JSON" },
		{ "{\"execute\":\"stop\"} {}", "not JSON" },
		{ "{\"execute\":\"stop\",\"execute\":\"cont\"}", "not JSON" },
		{ "[]", "must be an object" },
		{ "{}", "\"execute\" is missing" },
		{ "{\"execute\":1}", "must be a string" },
		{ "{\"execute\":\"stop\",\"arguments\":[]}",
		  "must be an object" },
		{ "{\"execute\":\"stop\",\"argument\":{}}", "unknown member" },
		{ "{\"execute\":\"stop\",\"arguments\":{\"a\":1}}",
		  "no argument \"a\"" },
		{ "{\"execute\":\"migrate\"}", "uri" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"x\"}}",
		  "tcp:" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"max-rounds\":0}}", "max-rounds" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"max-rounds\":-1}}", "max-rounds" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"verify\":1}}", "verify" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"on-timeout\":\"x\"}}", "on-timeout" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"bandwidth\":1}}", "bandwidth" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"peer-timeout\":4}}", "peer-timeout" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"compress\":\"zip\"}}", "compress" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"channels\":17}}", "channels" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"page-classes\":\"x\"}}", "absolute" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"digests-from\":\"x\"}}", "absolute" },
		{ "{\"execute\":\"migrate\",\"arguments\":{\"uri\":"
		  "\"tcp:h:1\",\"insecure\":true,\"digests-from\":"
		  "\"/no/image\"}}", "/no/image.index" },
		{ "{\"execute\":\"migrate-settle\"}", "moved" },
		{ "{\"execute\":\"migrate-settle\",\"arguments\":"
		  "{\"moved\":true}}", "nothing to settle" },
	};
	struct raw r;
	size_t i;

	(void)state;
	raw_negotiate(&r);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		raw_say(&r, wrong[i].line, strlen(wrong[i].line));
		raw_say(&r, "\n", 1);
		assert_hear_error(&r, "GenericError", wrong[i].desc);
	}
	raw_say(&r, "{\"execute\":\"fly\"}\n", 18);
	assert_hear_error(&r, "CommandNotFound", "fly");
	raw_say(&r, "\0\0\n", 3);
	assert_hear_error(&r, "GenericError", "not JSON");
	raw_say(&r, "\n\r\n" STATUS, 3 + strlen(STATUS));
	assert_hear_return(&r);
	raw_close(&r);
}

static void deep_nesting_is_refused(void **state)
{
	char *line = malloc(PROTOCOL_LINE_MAX);
	struct raw r;

	(void)state;
	assert_non_null(line);
	memset(line, '[', PROTOCOL_LINE_MAX - 1);
	line[PROTOCOL_LINE_MAX - 2] = '\n';
	raw_negotiate(&r);
	raw_say(&r, line, PROTOCOL_LINE_MAX - 1);
	assert_hear_error(&r, "GenericError", "not JSON");
	raw_say(&r, STATUS, strlen(STATUS));
	assert_hear_return(&r);
	raw_close(&r);
	free(line);
}

static void ids_come_back(void **state)
{
	static const char asked[] =
		"{\"execute\":\"query-version\",\"id\":{\"a\":[1,null]}}\n"
		"{\"execute\":\"fly\",\"id\":7}\n"
		"{\"id\":\"x\"}\n";
	struct raw r;
	json_t *a;

	(void)state;
	raw_negotiate(&r);
	raw_say(&r, asked, strlen(asked));
	a = raw_hear(&r);
	assert_true(json_is_null(json_array_get(json_object_get(
		json_object_get(a, "id"), "a"), 1)));
	json_decref(a);
	a = raw_hear(&r);
	assert_int_equal(json_integer_value(json_object_get(a, "id")), 7);
	json_decref(a);
	a = raw_hear(&r);
	assert_string_equal(report_text(a, "id"), "x");
	json_decref(a);
	raw_close(&r);
}

/* The longest line that is allowed, and one byte more. */
static void long_lines_are_bounded(void **state)
{
	char *line = malloc(PROTOCOL_LINE_MAX + 1);
	struct raw r;

	(void)state;
	assert_non_null(line);
	memset(line, ' ', PROTOCOL_LINE_MAX + 1);
	memcpy(line, STATUS, strlen(STATUS) - 1);
	line[PROTOCOL_LINE_MAX - 1] = '\n';
	raw_negotiate(&r);
	raw_say(&r, line, PROTOCOL_LINE_MAX);
	assert_hear_return(&r);
	line[PROTOCOL_LINE_MAX - 1] = ' ';
	line[PROTOCOL_LINE_MAX] = '\n';
	raw_say(&r, line, PROTOCOL_LINE_MAX + 1);
	assert_hear_error(&r, "GenericError", "too long");
	assert_null(raw_hear(&r));
	raw_close(&r);
	assert_alive();
	free(line);
}

static void half_a_line_and_death(void **state)
{
	struct raw r;

	(void)state;
	raw_negotiate(&r);
	raw_say(&r, "{\"execute\":\"qu", 14);
	raw_close(&r);
	raw_open(&r);
	raw_close(&r);
	assert_alive();
}

/* A request in single bytes, and two in one write. */
static void lines_are_cut_right(void **state)
{
	struct raw r;
	size_t i;

	(void)state;
	raw_negotiate(&r);
	for (i = 0; i < strlen(STATUS); i++)
		raw_say(&r, &STATUS[i], 1);
	assert_hear_return(&r);
	raw_say(&r, STATUS STATUS, 2 * strlen(STATUS));
	assert_hear_return(&r);
	assert_hear_return(&r);
	raw_close(&r);
}

/* It says all that it has to say and shuts that way: it is still answered. */
static void half_closed_clients_are_answered(void **state)
{
	struct raw r;

	(void)state;
	raw_open(&r);
	raw_say(&r, CAPABILITIES STATUS, strlen(CAPABILITIES STATUS));
	shutdown(r.fd, SHUT_WR);
	json_decref(raw_hear(&r));
	assert_hear_return(&r);
	assert_hear_return(&r);
	assert_null(raw_hear(&r));
	raw_close(&r);
}

static void who_does_not_read_is_dropped(void **state)
{
	struct timeval patience = { .tv_sec = 20 };
	size_t bytes = strlen(STATUS), sent = 0;
	struct raw r;
	ssize_t n;

	(void)state;
	raw_negotiate(&r);
	setsockopt(r.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do {
		n = send(r.fd, STATUS, bytes, MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
	} while (n > 0 && sent < 64 << 20);
	assert_int_equal(n, -1);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	raw_close(&r);
	assert_alive();
}

static void one_too_many_is_turned_away(void **state)
{
	struct raw r[SERVER_CLIENTS_MAX], more;
	struct control_client *c = NULL;
	struct err err = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < SERVER_CLIENTS_MAX; i++)
		raw_negotiate(&r[i]);
	raw_open(&more);
	assert_null(raw_hear(&more));
	raw_close(&more);
	assert_int_equal(client_open(&c, vm.control, &err), -EPIPE);
	assert_non_null(strstr(err.text, "too many clients"));
	for (i = 0; i < SERVER_CLIENTS_MAX; i++) {
		raw_say(&r[i], STATUS, strlen(STATUS));
		assert_hear_return(&r[i]);
		raw_close(&r[i]);
	}
	assert_alive();
}

static void all_hear_of_events(void **state)
{
	struct control_client *a = proc_client(&vm), *b = proc_client(&vm);
	struct raw deaf;	/* before qmp_capabilities: no events */
	struct err err;
	json_t *data;

	(void)state;
	raw_open(&deaf);
	json_decref(raw_hear(&deaf));
	json_decref(proc_ask(a, "stop", NULL, &err));
	assert_true(proc_status(&vm, "paused"));
	data = proc_await(b, "STOP", NULL);
	assert_non_null(data);
	json_decref(data);
	json_decref(proc_ask(b, "cont", NULL, &err));
	data = proc_await(a, "RESUME", NULL);
	assert_non_null(data);
	json_decref(data);
	raw_say(&deaf, CAPABILITIES, strlen(CAPABILITIES));
	assert_hear_return(&deaf);
	raw_close(&deaf);
	client_close(a);
	client_close(b);
	assert_alive();
}

static void the_status_names_vm_and_group(void **state)
{
	struct control_client *c = proc_client(&vm);
	struct err err;
	json_t *status = proc_ask(c, "query-status", NULL, &err);

	(void)state;
	assert_string_equal(report_text(status, "name"), "fake");
	assert_string_equal(report_text(status, "group"), "fakes");
	json_decref(status);
	client_close(c);
}

static void each_vcpu_is_counted_for_itself(void **state)
{
	struct control_client *c = proc_client(&vm);
	struct err err;
	json_t *dirty = proc_ask(c, "query-dirty", NULL, &err);
	json_t *vcpus = json_object_get(dirty, "vcpus");
	json_int_t full[2];

	(void)state;
	assert_int_equal(json_array_size(vcpus), 2);
	full[0] = json_integer_value(json_object_get(
		json_array_get(vcpus, 0), "exits-ring-full"));
	full[1] = json_integer_value(json_object_get(
		json_array_get(vcpus, 1), "exits-ring-full"));
	assert_int_equal(full[0], 7);
	assert_int_equal(full[1], 0);
	json_decref(dirty);
	client_close(c);
}

static void every_listed_command_exists(void **state)
{
	struct control_client *c = proc_client(&vm);
	struct err err;
	json_t *list = proc_ask(c, "query-commands", NULL, &err);
	json_t *entry, *bad;
	size_t i;

	(void)state;
	assert_true(json_array_size(list) >= 12);
	json_array_foreach(list, i, entry) {
		/* no command takes this: none is carried out */
		bad = json_pack("{s:i}", "no-such-argument", 1);
		if (!strcmp(report_text(entry, "name"), "qmp_capabilities")) {
			json_decref(bad);
			continue;
		}
		assert_null(proc_ask(c, report_text(entry, "name"), bad,
				     &err));
		assert_non_null(strstr(err.text, "no-such-argument"));
	}
	json_decref(list);
	client_close(c);
	assert_alive();
}

static void the_socket_is_its_owners(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(vm.control, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_live_socket_is_refused(void **state)
{
	struct err err = { 0 };
	struct stat id;

	(void)state;
	assert_int_equal(listener_open(vm.control, &id, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, vm.control));
	assert_alive();
}

static void a_dead_socket_is_replaced(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(kill(vm.pid, SIGKILL), 0);
	assert_int_equal(proc_wait(&vm), -1);
	assert_int_equal(stat(vm.control, &st), 0);
	proc_run(&vm, "vm.sock");
	assert_alive();
}

static void a_file_is_not_replaced(void **state)
{
	char path[80];
	struct err err = { 0 };
	struct stat id;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s.txt", vm.control);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(listener_open(path, &id, &err), -EEXIST);
	assert_int_equal(unlink(path), 0);
}

static void a_long_path_is_refused(void **state)
{
	char path[200];
	struct err err = { 0 };
	struct stat id;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(listener_open(path, &id, &err), -ENAMETOOLONG);
	err = (struct err){ 0 };
	assert_int_equal(listener_connect(path, &err), -ENAMETOOLONG);
}

/* Somebody has put another socket there: it isn't ours to remove. */
static void only_its_own_socket_is_removed(void **state)
{
	struct err err = { 0 };
	struct stat id;
	int fd;

	(void)state;
	assert_int_equal(unlink(vm.control), 0);
	fd = listener_open(vm.control, &id, &err);
	assert_true(fd >= 0);
	assert_int_equal(kill(vm.pid, SIGTERM), 0);
	assert_int_equal(proc_wait(&vm), 0);
	assert_int_equal(access(vm.control, F_OK), 0);
	close(fd);
	proc_run(&vm, "vm.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_come_first),
		cmocka_unit_test(garbage_is_refused_and_forgiven),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(ids_come_back),
		cmocka_unit_test(long_lines_are_bounded),
		cmocka_unit_test(half_a_line_and_death),
		cmocka_unit_test(lines_are_cut_right),
		cmocka_unit_test(half_closed_clients_are_answered),
		cmocka_unit_test(who_does_not_read_is_dropped),
		cmocka_unit_test(one_too_many_is_turned_away),
		cmocka_unit_test(all_hear_of_events),
		cmocka_unit_test(the_status_names_vm_and_group),
		cmocka_unit_test(each_vcpu_is_counted_for_itself),
		cmocka_unit_test(every_listed_command_exists),
		cmocka_unit_test(the_socket_is_its_owners),
		cmocka_unit_test(a_live_socket_is_refused),
		cmocka_unit_test(a_dead_socket_is_replaced),
		cmocka_unit_test(a_file_is_not_replaced),
		cmocka_unit_test(a_long_path_is_refused),
		cmocka_unit_test(only_its_own_socket_is_removed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
