// SPDX-License-Identifier: GPL-2.0
/*
 * Migrations over sealed connections, and what becomes of those who try to get
 * in between or in without a key: real sockets, a fake VM.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "transport/channel.h"
#include "transport/door.h"
#include "transport/sealed.h"
#include "transport/tcp.h"
#include "umig/end.h"

#define PAGES 2048
#define CALLERS 1000

/**
 * struct hosts - Two hosts that know each other.
 * @credentials: of the source [0], the destination [1].
 * @path: of their peers files.
 */
struct hosts {
	struct credentials credentials[2];
	char path[2][64];
	struct end source;
	struct end target;
	char address[32];
};

/* Host @i's peers file: @other's key, and @options. */
static void know(struct hosts *h, int i, const uint8_t *key,
		 const char *options)
{
	FILE *f = fopen(h->path[i], "w");
	char text[KEY_TEXT_MAX];

	assert_non_null(f);
	fprintf(f, "other %s address=127.0.0.1 %s\n", key_to_text(text, key),
		options);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct hosts *h = calloc(1, sizeof(*h));
	struct err err = { 0 };
	int i, fd;

	assert_non_null(h);
	for (i = 0; i < 2; i++) {
		strcpy(h->path[i], "/tmp/umig-peers-XXXXXX");
		fd = mkstemp(h->path[i]);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(keypair_generate(&h->credentials[i].own, &err),
				 0);
		h->credentials[i].peers_path = strdup(h->path[i]);
	}
	for (i = 0; i < 2; i++)
		know(h, i, h->credentials[!i].own.public, "");
	end_init(&h->source, PAGES / 2, PAGES / 2, true);
	end_init(&h->target, PAGES / 2, PAGES / 2, false);
	for (i = 1; i < PAGES; i += 2)
		fake_page(fake_vm_page(&h->source.vm, i), i);
	h->source.params.credentials = &h->credentials[0];
	h->target.params.credentials = &h->credentials[1];
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct hosts *h = *state;
	int i;

	end_exit(&h->source);
	end_exit(&h->target);
	for (i = 0; i < 2; i++) {
		credentials_free(&h->credentials[i]);
		unlink(h->path[i]);
	}
	free(h);
	return 0;
}

static void listen_here(struct hosts *h)
{
	end_start_target(&h->target, h->address, sizeof(h->address));
}

static void try_to_move(struct hosts *h)
{
	end_start_source(&h->source, h->address);
	assert_true(end_wait_final(&h->source));
}

static void assert_moves(struct hosts *h)
{
	try_to_move(h);
	assert_string_equal(h->source.last.error, "");
	assert_true(end_wait_final(&h->target));
	assert_int_equal(h->source.last.state, MIGRATE_COMPLETED);
	assert_int_equal(h->target.last.state, MIGRATE_COMPLETED);
	assert_true(h->source.last.verified);
	assert_true(h->target.vm.running);
	assert_memory_equal(h->source.vm.ram, h->target.vm.ram,
			    PAGES * UMIG_PAGE_SIZE);
}

static void assert_refused(struct hosts *h, const char *why)
{
	try_to_move(h);
	assert_int_equal(h->source.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(h->source.last.error, why));
	assert_true(h->source.vm.running);
	assert_false(h->target.vm.running);
	migration_free(h->source.m);
	h->source.m = NULL;
}

static void it_moves_sealed(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	assert_moves(h);
	assert_true(h->source.last.sealed && h->target.last.sealed);
	assert_string_not_equal(h->source.last.cipher, "");
	assert_string_equal(h->source.last.cipher, h->target.last.cipher);
	assert_string_equal(h->source.last.peer, "other");
	assert_string_equal(h->target.last.peer, "other");
}

static void a_key_that_is_revoked_while_it_listens_is_refused(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	know(h, 1, h->credentials[0].own.public, "revoked");
	assert_refused(h, "refuses");
	know(h, 1, h->credentials[0].own.public, "");
	assert_moves(h);
}

static void a_source_that_is_not_listed_is_refused(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	know(h, 1, h->credentials[1].own.public, "");
	assert_refused(h, "refuses");
	know(h, 1, h->credentials[0].own.public, "");
	assert_moves(h);
}

static void a_source_from_elsewhere_is_refused(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	know(h, 1, h->credentials[0].own.public, "from=10.0.0.0/8");
	assert_refused(h, "refuses");
	know(h, 1, h->credentials[0].own.public, "from=127.0.0.0/8");
	assert_moves(h);
}

static void a_destination_with_another_key_is_refused(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	know(h, 0, h->credentials[0].own.public, "");
	assert_refused(h, "refuses");
	know(h, 0, h->credentials[1].own.public, "revoked");
	assert_refused(h, "revoked");
	know(h, 0, h->credentials[1].own.public, "");
	assert_moves(h);
}

static void plain_is_not_taken_for_sealed(void **state)
{
	struct hosts *h = *state;

	listen_here(h);
	h->source.params.credentials = NULL;
	assert_refused(h, "--insecure");
	h->source.params.credentials = &h->credentials[0];
	assert_moves(h);
}

/* Each end looks into its own file. */
static void a_vm_of_a_group_goes_only_to_peers_of_that_group(void **state)
{
	struct hosts *h = *state;
	int i;

	h->source.vm.group = h->target.vm.group = "red";
	listen_here(h);
	for (i = 0; i < 2; i++) {
		know(h, !i, h->credentials[i].own.public, "groups=blue,red");
		know(h, i, h->credentials[!i].own.public, "groups=blue");
		assert_refused(h, "trust group \"red\"");
		know(h, i, h->credentials[!i].own.public, "");
		assert_refused(h, "has no groups=red");
	}
	know(h, 1, h->credentials[0].own.public, "groups=blue,red");
	assert_moves(h);
}

static void a_vm_of_a_group_does_not_go_plain(void **state)
{
	struct hosts *h = *state;

	h->source.vm.group = h->target.vm.group = "red";
	h->source.params.credentials = h->target.params.credentials = NULL;
	listen_here(h);
	assert_refused(h, "--insecure");
}

static void a_destination_of_another_group_is_refused(void **state)
{
	struct hosts *h = *state;

	know(h, 0, h->credentials[1].own.public, "groups=blue,red");
	know(h, 1, h->credentials[0].own.public, "groups=blue,red");
	h->source.vm.group = "red";
	h->target.vm.group = "blue";
	listen_here(h);
	assert_refused(h, "group");
}

static void bandwidth_of_the_peers_file_is_kept(void **state)
{
	struct hosts *h = *state;
	uint64_t began;

	/* 4 MiB of pages, one burst of which is free */
	know(h, 0, h->credentials[1].own.public, "bandwidth=4M");
	listen_here(h);
	began = clock_now_ns();
	assert_moves(h);
	assert_true(clock_now_ns() - began > 300000000ULL);
}

/* ---- the door ---- */

static void more_files(void)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(r.rlim_cur > 2 * CALLERS);
}

static int call(const char *address)
{
	struct err err = { 0 };
	int fd = tcp_connect(address, -1, 5000000000ULL, &err);

	assert_true(fd >= 0);
	return fd;
}

static void a_thousand_callers_that_say_nothing_keep_nobody_out(void **state)
{
	struct hosts *h = *state;
	int i, fds[CALLERS];

	more_files();
	listen_here(h);
	for (i = 0; i < CALLERS; i++)
		fds[i] = call(h->address);
	assert_moves(h);
	for (i = 0; i < CALLERS; i++)
		close(fds[i]);
}

/* Somebody calls as fast as it can while the migration goes on. */
struct caller {
	const char *address;
	bool stop;
	unsigned int called;
};

static void *call_on(void *arg)
{
	struct caller *c = arg;
	int fds[CALLERS], i = 0;
	struct err err = { 0 };

	for (i = 0; i < CALLERS && !__atomic_load_n(&c->stop, __ATOMIC_RELAXED);
	     i++) {
		fds[i] = tcp_connect(c->address, -1, 100000000ULL, &err);
		if (fds[i] >= 0 && i % 2)
			(void)!write(fds[i], "UMIGWIRE", 8);
	}
	c->called = i;
	while (i--)
		if (fds[i] >= 0)
			close(fds[i]);
	return NULL;
}

static void callers_do_not_disturb_a_running_migration(void **state)
{
	struct hosts *h = *state;
	struct caller c = { .address = h->address };
	pthread_t thread;

	more_files();
	/* slow enough that all of them call while it runs */
	know(h, 0, h->credentials[1].own.public, "bandwidth=4M");
	listen_here(h);
	end_start_source(&h->source, h->address);
	assert_true(end_wait_state(&h->source, MIGRATE_PRECOPY));
	assert_int_equal(pthread_create(&thread, NULL, call_on, &c), 0);
	assert_true(end_wait_final(&h->source));
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(c.called > 0);
	assert_int_equal(h->source.last.state, MIGRATE_COMPLETED);
	assert_true(end_wait_final(&h->target));
	assert_true(h->target.vm.running);
}

static void a_caller_that_is_slow_does_not_hold_up_others(void **state)
{
	struct hosts *h = *state;
	int fd;

	listen_here(h);
	fd = call(h->address);
	assert_int_equal(write(fd, "UMIG", 4), 4);
	assert_moves(h);
	close(fd);
}

static void callers_without_a_key_are_sent_away(void **state)
{
	static const char *const words[] = {
		"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-OpenSSH_9.2 and more\r\n",
	};
	struct hosts *h = *state;
	char byte;
	size_t i;
	int fd;

	listen_here(h);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		fd = call(h->address);
		assert_true(write(fd, words[i], strlen(words[i])) > 0);
		assert_true(read(fd, &byte, 1) <= 0);
		close(fd);
	}
	assert_moves(h);
}

/* ---- somebody in between: a sealed channel's records, handled ---- */

/**
 * struct wire - A channel's writing end, its reading end, and we between.
 * @out: what the writer's socket gives us; @in: what the reader is given.
 */
struct wire {
	struct channel *writer;
	struct channel *reader;
	int out;
	int in;
	uint8_t record[4][512];
	size_t bytes[4];
};

static void make_session(struct session *s, uint8_t tx, uint8_t rx)
{
	uint8_t secret[2][32];

	memset(secret[0], tx, 32);
	memset(secret[1], rx, 32);
	memset(s, 0, sizeof(*s));
	s->sealed = true;
	assert_int_equal(record_init(&s->tx, RECORD_XCHACHA20, secret[0], "t",
				     0), 0);
	assert_int_equal(record_init(&s->rx, RECORD_XCHACHA20, secret[1], "t",
				     0), 0);
}

static int setup_wire(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct err err = { 0 };
	struct session s;
	int a[2], b[2], i;

	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	make_session(&s, 1, 2);
	assert_int_equal(channel_open(&w->writer, a[0], &s, -1, 2000000000ULL,
				      &err), 0);
	make_session(&s, 2, 1);
	assert_int_equal(channel_open(&w->reader, b[0], &s, -1, 2000000000ULL,
				      &err), 0);
	w->out = a[1];
	w->in = b[1];
	for (i = 0; i < 4; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "record %d", i);

		assert_int_equal(channel_send_copy(w->writer, WIRE_ERROR, text,
						   n), 0);
		assert_int_equal(channel_flush(w->writer), 0);
		w->bytes[i] = read(w->out, w->record[i], sizeof(w->record[i]));
		assert_int_equal(w->bytes[i], SEALED_OVERHEAD +
					      sizeof(struct wire_frame) + n);
		/* nothing of it can be read on the way */
		assert_null(memmem(w->record[i], w->bytes[i], "record", 6));
	}
	*state = w;
	return 0;
}

static int teardown_wire(void **state)
{
	struct wire *w = *state;

	channel_close(w->writer);
	channel_close(w->reader);
	close(w->out);
	if (w->in >= 0)
		close(w->in);
	free(w);
	return 0;
}

static void pass(struct wire *w, int i)
{
	assert_int_equal(write(w->in, w->record[i], w->bytes[i]), w->bytes[i]);
}

static void assert_reads(struct wire *w, int i)
{
	struct frame_in in;

	assert_int_equal(channel_recv(w->reader, &in, true), 0);
	assert_int_equal(in.type, WIRE_ERROR);
	assert_int_equal(in.payload[7], '0' + i);
}

static void assert_noticed(struct wire *w, int rc)
{
	struct frame_in in;

	assert_int_equal(channel_recv(w->reader, &in, true), rc);
	/* and for good */
	assert_int_not_equal(channel_recv(w->reader, &in, true), 0);
}

static void records_in_order_are_read(void **state)
{
	struct wire *w = *state;
	int i;

	for (i = 0; i < 4; i++) {
		pass(w, i);
		assert_reads(w, i);
	}
}

static void a_repeated_record_is_noticed(void **state)
{
	struct wire *w = *state;

	pass(w, 0);
	pass(w, 0);
	assert_reads(w, 0);
	assert_noticed(w, -EBADMSG);
}

static void a_missing_record_is_noticed(void **state)
{
	struct wire *w = *state;

	pass(w, 1);
	assert_noticed(w, -EBADMSG);
}

static void reordered_records_are_noticed(void **state)
{
	struct wire *w = *state;

	pass(w, 0);
	pass(w, 2);
	pass(w, 1);
	assert_reads(w, 0);
	assert_noticed(w, -EBADMSG);
}

static void a_record_cut_short_is_noticed(void **state)
{
	struct wire *w = *state;

	assert_int_equal(write(w->in, w->record[0], w->bytes[0] - 1),
			 w->bytes[0] - 1);
	close(w->in);
	w->in = -1;
	assert_noticed(w, -ECONNRESET);
}

static void a_record_cut_and_continued_is_noticed(void **state)
{
	struct wire *w = *state;

	assert_int_equal(write(w->in, w->record[0], w->bytes[0] - 1),
			 w->bytes[0] - 1);
	pass(w, 1);
	assert_noticed(w, -EBADMSG);
}

static void a_record_of_the_other_direction_is_noticed(void **state)
{
	struct wire *w = *state;

	assert_int_equal(channel_send_copy(w->reader, WIRE_GO, NULL, 0), 0);
	assert_int_equal(channel_flush(w->reader), 0);
	w->bytes[0] = read(w->in, w->record[0], sizeof(w->record[0]));
	pass(w, 0);
	assert_noticed(w, -EBADMSG);
}

static void an_impossible_length_is_noticed_at_once(void **state)
{
	struct wire *w = *state;
	static const uint8_t head[4] = { 0xff, 0xff, 0xff, 0x7f };

	assert_int_equal(write(w->in, head, sizeof(head)), sizeof(head));
	assert_noticed(w, -EPROTO);
}

static void every_changed_byte_is_noticed(void **state)
{
	struct wire *w = *state;
	size_t i;

	/* a length that grew waits for more; the rest is told at once */
	for (i = 4; i < w->bytes[0]; i++) {
		w->record[0][i] ^= 1;
		pass(w, 0);
		assert_noticed(w, -EBADMSG);
		teardown_wire(state);
		setup_wire(state);
		w = *state;
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WIRE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup_wire, teardown_wire)

/* Each connection has a handshake and keys of its own. */
static void moves_over_several_connections(void **state)
{
	struct hosts *h = *state;

	h->source.params.channels = 4;
	listen_here(h);
	assert_moves(h);
	assert_true(h->source.last.sealed);
	assert_true(h->source.last.bytes_tx > PAGES / 2 * UMIG_PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_moves_sealed),
		TEST(moves_over_several_connections),
		TEST(a_key_that_is_revoked_while_it_listens_is_refused),
		TEST(a_source_that_is_not_listed_is_refused),
		TEST(a_source_from_elsewhere_is_refused),
		TEST(a_destination_with_another_key_is_refused),
		TEST(plain_is_not_taken_for_sealed),
		TEST(a_vm_of_a_group_goes_only_to_peers_of_that_group),
		TEST(a_vm_of_a_group_does_not_go_plain),
		TEST(a_destination_of_another_group_is_refused),
		TEST(bandwidth_of_the_peers_file_is_kept),
		TEST(a_thousand_callers_that_say_nothing_keep_nobody_out),
		TEST(callers_do_not_disturb_a_running_migration),
		TEST(a_caller_that_is_slow_does_not_hold_up_others),
		TEST(callers_without_a_key_are_sent_away),
		WIRE_TEST(records_in_order_are_read),
		WIRE_TEST(a_repeated_record_is_noticed),
		WIRE_TEST(a_missing_record_is_noticed),
		WIRE_TEST(reordered_records_are_noticed),
		WIRE_TEST(a_record_cut_short_is_noticed),
		WIRE_TEST(a_record_cut_and_continued_is_noticed),
		WIRE_TEST(a_record_of_the_other_direction_is_noticed),
		WIRE_TEST(an_impossible_length_is_noticed_at_once),
		WIRE_TEST(every_changed_byte_is_noticed),
	};

	return cmocka_run_group_tests_name("secure", tests, NULL, NULL);
}
