// SPDX-License-Identifier: GPL-2.0
/*
 * The engine and a raw peer: see facing.h.
 */
#include "umig/facing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/hello.h"
#include "wire/msgs.h"

static void open_end(struct facing *f, uint64_t low, uint64_t high,
		     bool source)
{
	memset(f, 0, sizeof(*f));
	end_init(&f->end, low, high, source);
	f->listen_fd = -1;
	f->peer.fd = -1;
}

void facing_open_source(struct facing *f, uint64_t low, uint64_t high)
{
	open_end(f, low, high, true);
	f->listen_fd = raw_peer_listen(f->address, sizeof(f->address));
}

void facing_open_target(struct facing *f, uint64_t low, uint64_t high)
{
	open_end(f, low, high, false);
}

static void close_peer(struct facing *f)
{
	if (f->peer.fd >= 0)
		raw_peer_close(&f->peer);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	f->listen_fd = -1;
}

void facing_hang_up(struct facing *f)
{
	close_peer(f);
	if (f->end.m)
		assert_true(end_wait_final(&f->end));
}

void facing_close(struct facing *f)
{
	close_peer(f);
	end_exit(&f->end);
}

static struct facing *new_facing(void)
{
	struct facing *f = malloc(sizeof(*f));

	assert_non_null(f);
	return f;
}

int facing_init_source(void **state)
{
	struct facing *f = new_facing();
	uint64_t i;

	facing_open_source(f, FACING_LOW, FACING_HIGH);
	f->end.params.peer_timeout_ns = 2000000000ULL;
	for (i = 0; i < FACING_PAGES; i += 2)
		fake_vm_write(&f->end.vm, i, 1 + i % 10);
	*state = f;
	return 0;
}

int facing_init_target(void **state)
{
	struct facing *f = new_facing();

	facing_open_target(f, FACING_LOW, FACING_HIGH);
	f->end.params.peer_timeout_ns = 2000000000ULL;
	fake_pages_init(&f->pages, 5);
	f->end.params.pages = &f->pages.ps;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

int facing_init_hasty_target(void **state)
{
	struct facing *f = new_facing();

	facing_open_target(f, FACING_LOW, FACING_HIGH);
	/* five times that */
	f->end.params.peer_timeout_ns = 600000000ULL;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

int facing_exit(void **state)
{
	facing_close(*state);
	free(*state);
	return 0;
}

void facing_meet_source(struct facing *f)
{
	end_start_source(&f->end, f->address);
	raw_peer_accept(&f->peer, f->listen_fd);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
}

void facing_answer_hello(struct facing *f)
{
	facing_meet_source(f);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_DIGESTS);
}

void facing_meet_target(struct facing *f)
{
	raw_peer_connect(&f->peer, f->address);
	raw_peer_hello(&f->peer, &f->end.vm.ms, f->end.vm.model,
		       WIRE_HELLO_SOURCE);
	assert_true(raw_peer_recv(&f->peer));
	assert_int_equal(f->peer.type, WIRE_HELLO);
}

void facing_acknowledge(struct facing *f, uint32_t round)
{
	uint8_t msg[sizeof(struct wire_round)];

	raw_peer_send(&f->peer, WIRE_ROUND_ACK, msg,
		      msg_round_encode(msg, round));
}

void facing_play_along(struct facing *f)
{
	uint32_t round;

	switch (f->peer.type) {
	case WIRE_ROUND_END:
		msg_round_decode(&round, f->peer.payload, f->peer.bytes);
		facing_acknowledge(f, round);
		break;
	case WIRE_PREPARE:
		raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
		break;
	}
}

void facing_play_until(struct facing *f, uint16_t stage)
{
	while (raw_peer_recv(&f->peer)) {
		if (f->peer.type == stage)
			return;
		facing_play_along(f);
	}
	fail_msg("the source never sent %s", wire_type_name(stage));
}

void facing_assert_says(struct facing *f, const char *error)
{
	if (!strstr(f->end.last.error, error))
		fail_msg("\"%s\" does not say \"%s\"", f->end.last.error,
			 error);
}

void facing_assert_stayed(struct facing *f, const char *error)
{
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_true(f->end.vm.running);
	assert_false(f->end.vm.tracking);
	facing_assert_says(f, error);
}
