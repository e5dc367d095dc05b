// SPDX-License-Identifier: GPL-2.0
/*
 * How the processes of a VM live and end: powered off, crashed, quit, moved
 * away, not arrived, and not known whether moved.  Two processes, each with a
 * fake VM, migrate over loopback as umig run and umig listen do.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/exit_code.h"
#include "control/follow.h"
#include "control/report.h"
#include "migrate/handover.h"
#include "umig/control/fake_vmm.h"
#include "umig/control/proc.h"
#include "umig/raw_peer.h"
#include "wire/hello.h"
#include "wire/msgs.h"

static struct proc source, target;

static int setup(void **state)
{
	(void)state;
	proc_dir();
	source = target = (struct proc){ 0 };
	proc_run(&source, "source.sock");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	proc_kill(&source);
	proc_kill(&target);
	proc_dir_remove();
	return 0;
}

static json_t *to(const char *address)
{
	return json_pack("{s:o, s:b, s:b}", "uri",
			 json_sprintf("tcp:%s", address), "module", false,
			 "insecure", true);
}

static void assert_ask(struct control_client *c, const char *command,
		       json_t *arguments)
{
	struct err err;
	json_t *ret = proc_ask(c, command, arguments, &err);

	if (!ret)
		fail_msg("%s: %s", command, err_text(&err));
	json_decref(ret);
}

static void assert_refused(struct control_client *c, const char *command,
			   json_t *arguments, const char *why)
{
	struct err err;
	json_t *ret = proc_ask(c, command, arguments, &err);

	assert_null(ret);
	if (!strstr(err_text(&err), why))
		fail_msg("%s: \"%s\" does not say \"%s\"", command,
			 err_text(&err), why);
}

/* The data of the next such event says so. */
static void assert_event(struct control_client *c, const char *name,
			 const char *member, const char *value)
{
	json_t *data = proc_await(c, name, NULL);

	assert_non_null(data);
	assert_string_equal(report_text(data, member), value);
	json_decref(data);
}

static json_t *await_migration(struct control_client *c, const char *status)
{
	json_t *data = proc_await(c, "MIGRATION", status);

	if (!data)
		fail_msg("never came to status \"%s\"", status);
	return data;
}

static void a_guest_powers_off(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	kill(source.pid, PROC_GUEST_POWEROFF);
	assert_event(c, "SHUTDOWN", "reason", "guest-shutdown");
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	assert_int_equal(access(source.control, F_OK), -1);
}

static void a_guest_crashes(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	kill(source.pid, PROC_GUEST_CRASH);
	assert_event(c, "SHUTDOWN", "reason", "guest-panic");
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_CRASHED);
}

static void a_signal_ends_it(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	kill(source.pid, SIGINT);
	assert_event(c, "SHUTDOWN", "reason", "host-signal");
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

static void quit_ends_it(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	assert_ask(c, "quit", NULL);
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

static void quit_ends_a_listener(void **state)
{
	struct control_client *c;

	(void)state;
	proc_listen(&target, "target.sock");
	assert_true(proc_status(&target, "inmigrate"));
	c = proc_client(&target);
	assert_ask(c, "quit", NULL);
	client_close(c);
	assert_int_equal(proc_wait(&target), EXIT_CODE_OK);
}

static void it_moves(void **state)
{
	struct control_client *c = proc_client(&source), *there;
	json_t *data;

	(void)state;
	proc_listen(&target, "target.sock");
	there = proc_client(&target);
	assert_ask(c, "migrate", to(target.address));
	data = await_migration(c, "completed");
	assert_true(json_is_true(json_object_get(data, "verified")));
	/* no module was asked for: that it is not used is no news */
	assert_string_equal(report_text(data, "warning"), "");
	assert_int_equal(report_number(data, "pages", "total"), PROC_PAGES);
	assert_int_equal(report_number(data, "pages", "plain"),
			 PROC_PAGES / 2);
	json_decref(data);
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	/* the destination's process hears of it a little later */
	json_decref(await_migration(there, "completed"));
	client_close(there);
	assert_true(proc_status(&target, "running"));

	/* and is a VM like any other there: it can move on */
	source = target;
	proc_listen(&target, "back.sock");
	c = proc_client(&source);
	assert_ask(c, "migrate", to(target.address));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	assert_true(proc_status(&target, "running"));
}

static void without_the_module_the_user_is_told(void **state)
{
	struct control_client *c = proc_client(&source);
	json_t *data;

	(void)state;
	if (!access("/dev/umig", F_OK)) {
		client_close(c);
		skip();
	}
	proc_listen(&target, "target.sock");
	assert_ask(c, "migrate",
		   json_pack("{s:o, s:b}", "uri",
			     json_sprintf("tcp:%s", target.address),
			     "insecure", true));
	data = await_migration(c, "completed");
	assert_non_null(strstr(report_text(data, "warning"), "/dev/umig"));
	assert_non_null(strstr(report_text(data, "warning"), "modprobe"));
	json_decref(data);
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

static void nobody_listens(void **state)
{
	struct control_client *c = proc_client(&source);
	struct err err;
	json_t *data;

	(void)state;
	assert_ask(c, "migrate", to("127.0.0.1:1"));
	data = await_migration(c, "failed");
	assert_non_null(strstr(report_text(data, "error"), "127.0.0.1:1"));
	json_decref(data);
	assert_true(proc_status(&source, "running"));
	data = proc_ask(c, "query-migrate", NULL, &err);
	assert_string_equal(report_status(data), "failed");
	json_decref(data);

	/* and then somebody does */
	proc_listen(&target, "target.sock");
	assert_ask(c, "migrate", to(target.address));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

/* A destination that accepts and says nothing holds it in setup. */
static int migrate_into_silence(struct control_client *c)
{
	char address[32];
	int fd = raw_peer_listen(address, sizeof(address));

	assert_ask(c, "migrate", to(address));
	json_decref(await_migration(c, "setup"));
	return fd;
}

static void it_is_cancelled(void **state)
{
	struct control_client *c = proc_client(&source);
	int fd = migrate_into_silence(c);

	(void)state;
	assert_refused(c, "migrate", to("127.0.0.1:1"), "under way already");
	assert_ask(c, "migrate_cancel", NULL);
	json_decref(await_migration(c, "cancelled"));
	assert_true(proc_status(&source, "running"));
	assert_ask(c, "migrate_cancel", NULL);	/* nothing left to cancel */
	client_close(c);
	close(fd);
}

/* At this rate it can't get far. */
static void progress_is_told(void **state)
{
	struct control_client *c = proc_client(&source);
	json_t *arguments, *data;

	(void)state;
	proc_listen(&target, "target.sock");
	arguments = to(target.address);
	json_object_set_new(arguments, "bandwidth", json_integer(65536));
	assert_ask(c, "migrate", arguments);
	data = proc_await(c, "MIGRATION_PROGRESS", "precopy");
	assert_non_null(data);
	assert_int_equal(report_number(data, "pages", "total"), PROC_PAGES);
	assert_non_null(json_object_get(json_object_get(data, "pages"),
					"remaining"));
	json_decref(data);
	assert_ask(c, "migrate_cancel", NULL);
	json_decref(await_migration(c, "cancelled"));
	client_close(c);
}

static void quit_cancels_first(void **state)
{
	struct control_client *c = proc_client(&source);
	int fd = migrate_into_silence(c);

	(void)state;
	assert_ask(c, "quit", NULL);
	json_decref(await_migration(c, "cancelled"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	close(fd);
}

static void a_guest_ends_while_it_migrates(void **state)
{
	struct control_client *c = proc_client(&source);
	int fd = migrate_into_silence(c);

	(void)state;
	kill(source.pid, PROC_GUEST_POWEROFF);
	json_decref(await_migration(c, "cancelled"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	close(fd);
}

/* The source dies in the middle: what was to be a VM ends with 3. */
static void a_guest_that_does_not_arrive(void **state)
{
	struct raw_peer peer = { 0 };
	struct vm *shape = fake_vmm_create(PROC_PAGES);
	uint8_t round[sizeof(struct wire_round)];

	(void)state;
	proc_listen(&target, "target.sock");
	raw_peer_connect(&peer, target.address);
	raw_peer_hello(&peer, vm_memory(shape), fake_vmm_guest(shape)->model,
		       WIRE_HELLO_SOURCE);
	assert_true(raw_peer_skip_to(&peer, WIRE_HELLO));
	raw_peer_send(&peer, WIRE_ROUND_END, round,
		      msg_round_encode(round, 1));
	assert_true(raw_peer_skip_to(&peer, WIRE_ROUND_ACK));
	raw_peer_close(&peer);
	assert_int_equal(proc_wait(&target), EXIT_CODE_MIGRATION);
	vm_destroy(shape);
}

/* Play the destination until the source says @stage. */
static void play_until(struct control_client *c, struct raw_peer *peer,
		       uint16_t stage)
{
	struct vm *shape = fake_vmm_create(PROC_PAGES);
	uint8_t round[sizeof(struct wire_round)];
	char address[32];
	uint32_t n;
	int fd = raw_peer_listen(address, sizeof(address));

	assert_ask(c, "migrate",
		   json_pack("{s:o, s:b, s:b, s:b, s:i}", "uri",
			     json_sprintf("tcp:%s", address), "module", false,
			     "verify", false, "insecure", true,
			     "channels", 1));
	raw_peer_accept(peer, fd);
	raw_peer_hello(peer, vm_memory(shape), fake_vmm_guest(shape)->model,
		       0);
	for (;;) {
		assert_true(raw_peer_recv(peer));
		if (peer->type == stage)
			break;
		if (peer->type == WIRE_ROUND_END) {
			msg_round_decode(&n, peer->payload, peer->bytes);
			raw_peer_send(peer, WIRE_ROUND_ACK, round,
				      msg_round_encode(round, n));
		} else if (peer->type == WIRE_PREPARE) {
			raw_peer_send(peer, WIRE_READY, NULL, 0);
		}
	}
	close(fd);
	vm_destroy(shape);
}

/* Play the destination up to GO, and vanish. */
static void handover_without_an_answer(struct control_client *c)
{
	struct raw_peer peer = { 0 };

	play_until(c, &peer, WIRE_GO);
	raw_peer_close(&peer);
	json_decref(await_migration(c, "handover-unknown"));
}

/* The guest's state is on its way: it is not to change any more. */
static void no_pause_once_the_state_is_sent(void **state)
{
	struct control_client *c = proc_client(&source);
	struct raw_peer peer = { 0 };

	(void)state;
	play_until(c, &peer, WIRE_PREPARE);
	assert_refused(c, "stop", NULL, "being sent");
	assert_refused(c, "cont", NULL, "being sent");
	assert_ask(c, "migrate_cancel", NULL);
	json_decref(await_migration(c, "cancelled"));
	assert_true(proc_status(&source, "running"));
	client_close(c);
	raw_peer_close(&peer);
}

/* Settle what a dead process left, if @settle; may its VM be booted then? */
static int admit(const struct proc *p, bool settle, bool moved)
{
	struct handover_store *s = NULL;
	int rc;

	assert_int_equal(handover_store_open(&s, p->state_dir, "fake", NULL),
			 0);
	if (settle)
		assert_int_equal(handover_settle(s, moved, NULL), 0);
	rc = handover_store_admit(s, true, NULL);
	handover_store_close(s);
	return rc;
}

static void die(struct fake_vm *vm)
{
	(void)vm;
	raise(SIGKILL);
}

/* It dies with GO in its hand: nobody knows how far it came. */
static void a_destination_that_dies_as_it_starts_is_settled(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	proc_on_start = die;
	proc_listen(&target, "target.sock");
	proc_on_start = NULL;
	assert_ask(c, "migrate", to(target.address));
	json_decref(await_migration(c, "handover-unknown"));
	assert_int_equal(proc_wait(&target), -1);
	assert_int_equal(admit(&target, false, false), -EBUSY);
	/* it may have run there; the source first, then the destination */
	assert_ask(c, "migrate-settle", json_pack("{s:b}", "moved", true));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	assert_int_equal(admit(&source, false, false), -EBUSY);
	assert_int_equal(admit(&target, true, true), 0);
}

/* Whoever starts a killed VM again must not start a second copy. */
static void killed_in_the_handover_it_is_not_started_again(void **state)
{
	struct control_client *c = proc_client(&source);
	struct raw_peer peer = { 0 };

	(void)state;
	play_until(c, &peer, WIRE_GO);
	client_close(c);
	proc_kill(&source);
	raw_peer_close(&peer);
	assert_int_equal(admit(&source, false, false), -EBUSY);
	assert_int_equal(admit(&source, true, false), 0);
	proc_run(&source, "source.sock");
	assert_true(proc_status(&source, "running"));
}

static void killed_and_settled_as_moved_it_stays_away(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	handover_without_an_answer(c);
	client_close(c);
	proc_kill(&source);
	assert_int_equal(admit(&source, true, true), -EBUSY);
}

/* Nor is one that has moved, however its process ended. */
static void who_has_moved_is_not_started_again(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	proc_listen(&target, "target.sock");
	assert_ask(c, "migrate", to(target.address));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
	assert_int_equal(admit(&source, false, false), -EBUSY);
}

static void an_unknown_handover_binds_everybody(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	handover_without_an_answer(c);
	assert_true(proc_status(&source, "postmigrate"));
	assert_refused(c, "cont", NULL, "settle");
	assert_refused(c, "stop", NULL, "settle");
	assert_refused(c, "quit", NULL, "settle");
	assert_refused(c, "migrate_cancel", NULL, "too late");
	assert_refused(c, "migrate", to("127.0.0.1:1"), "under way");
	kill(source.pid, SIGTERM);
	assert_true(proc_status(&source, "postmigrate"));

	assert_ask(c, "migrate-settle", json_pack("{s:b}", "moved", false));
	json_decref(await_migration(c, "failed"));
	assert_true(proc_status(&source, "running"));
	client_close(c);
}

static void settled_as_moved_it_ends(void **state)
{
	struct control_client *c = proc_client(&source);

	(void)state;
	handover_without_an_answer(c);
	assert_ask(c, "migrate-settle", json_pack("{s:b}", "moved", true));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

static void a_pause_is_the_operators(void **state)
{
	struct control_client *c = proc_client(&source);
	int fd;

	(void)state;
	assert_ask(c, "stop", NULL);
	assert_true(proc_status(&source, "paused"));
	fd = migrate_into_silence(c);
	assert_ask(c, "cont", NULL);
	assert_true(proc_status(&source, "running"));
	assert_ask(c, "stop", NULL);
	assert_ask(c, "migrate_cancel", NULL);
	json_decref(await_migration(c, "cancelled"));
	assert_true(proc_status(&source, "paused"));
	client_close(c);
	close(fd);
}

static void who_left_paused_arrives_paused(void **state)
{
	struct control_client *c = proc_client(&source), *there;

	(void)state;
	proc_listen(&target, "target.sock");
	there = proc_client(&target);
	assert_ask(c, "stop", NULL);
	assert_ask(c, "migrate", to(target.address));
	json_decref(await_migration(c, "completed"));
	client_close(c);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);

	c = there;
	json_decref(await_migration(c, "completed"));
	assert_true(proc_status(&target, "paused"));
	assert_ask(c, "cont", NULL);
	assert_true(proc_status(&target, "running"));
	client_close(c);
}

/* follow_migration() in a child, its stdout to a pipe. */
static int follow(const char *address, char *out, size_t room, int signal_no)
{
	int pipe_fd[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct control_client *c = proc_client(&source);
		sigset_t set;

		if (!getenv("V") && !freopen("/dev/null", "w", stderr))
			_exit(99);
		dup2(pipe_fd[1], STDOUT_FILENO);
		close(pipe_fd[1]);
		close(pipe_fd[0]);
		if (signal_no) {
			/* pending from the start: taken when it watches */
			sigemptyset(&set);
			sigaddset(&set, signal_no);
			sigprocmask(SIG_BLOCK, &set, NULL);
			raise(signal_no);
		}
		_exit(follow_migration(c, to(address), true));
	}
	close(pipe_fd[1]);
	while ((n = read(pipe_fd[0], out + got, room - 1 - got)) > 0)
		got += n;
	out[got] = '\0';
	close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *one_object(const char *text)
{
	json_error_t why;
	json_t *object = json_loads(text, 0, &why);

	if (!json_is_object(object))
		fail_msg("not one object: %s: %s", why.text, text);
	return object;
}

static void followed_to_its_end(void **state)
{
	char out[4096];
	json_t *object;

	(void)state;
	proc_listen(&target, "target.sock");
	assert_int_equal(follow(target.address, out, sizeof(out), 0),
			 EXIT_CODE_OK);
	object = one_object(out);
	assert_string_equal(report_status(object), "completed");
	json_decref(object);
	assert_int_equal(proc_wait(&source), EXIT_CODE_OK);
}

static void followed_to_its_failure(void **state)
{
	char out[4096];
	json_t *object;

	(void)state;
	assert_int_equal(follow("127.0.0.1:1", out, sizeof(out), 0),
			 EXIT_CODE_MIGRATION);
	object = one_object(out);
	assert_string_equal(report_status(object), "failed");
	assert_true(*report_text(object, "error"));
	json_decref(object);
	assert_true(proc_status(&source, "running"));
}

static void interrupted_it_cancels(void **state)
{
	char address[32], out[4096];
	int fd = raw_peer_listen(address, sizeof(address));
	json_t *object;

	(void)state;
	assert_int_equal(follow(address, out, sizeof(out), SIGINT),
			 EXIT_CODE_MIGRATION);
	object = one_object(out);
	assert_string_equal(report_status(object), "cancelled");
	json_decref(object);
	assert_true(proc_status(&source, "running"));
	close(fd);
}

/* The VM's process dies while it is watched. */
static void the_connection_is_lost(void **state)
{
	struct control_client *c = proc_client(&source);
	struct err err = { 0 };
	json_t *event;
	int fd = migrate_into_silence(c);

	(void)state;
	kill(source.pid, SIGKILL);
	assert_int_equal(proc_wait(&source), -1);
	assert_true(client_event(c, -1, 20000, &event, &err) < 0);
	assert_non_null(strstr(err_text(&err), source.control));
	assert_non_null(strstr(err_text(&err), "lost"));
	client_close(c);
	close(fd);
}

int main(void)
{
#define LIFE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		LIFE(a_guest_powers_off),
		LIFE(a_guest_crashes),
		LIFE(a_signal_ends_it),
		LIFE(quit_ends_it),
		LIFE(quit_ends_a_listener),
		LIFE(it_moves),
		LIFE(without_the_module_the_user_is_told),
		LIFE(nobody_listens),
		LIFE(it_is_cancelled),
		LIFE(progress_is_told),
		LIFE(quit_cancels_first),
		LIFE(a_guest_ends_while_it_migrates),
		LIFE(a_guest_that_does_not_arrive),
		LIFE(an_unknown_handover_binds_everybody),
		LIFE(settled_as_moved_it_ends),
		LIFE(no_pause_once_the_state_is_sent),
		LIFE(killed_in_the_handover_it_is_not_started_again),
		LIFE(killed_and_settled_as_moved_it_stays_away),
		LIFE(who_has_moved_is_not_started_again),
		LIFE(a_destination_that_dies_as_it_starts_is_settled),
		LIFE(a_pause_is_the_operators),
		LIFE(who_left_paused_arrives_paused),
		LIFE(followed_to_its_end),
		LIFE(followed_to_its_failure),
		LIFE(interrupted_it_cancels),
		LIFE(the_connection_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
