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

static struct facing *new_facing(bool source)
{
	struct facing *f = calloc(1, sizeof(*f));
	uint64_t i;

	end_init(&f->end, FACING_LOW, FACING_HIGH, source);
	f->end.params.peer_timeout_ns = 2000000000ULL;
	f->listen_fd = -1;
	f->peer.fd = -1;
	for (i = 0; source && i < FACING_PAGES; i += 2)
		fake_vm_write(&f->end.vm, i, 1 + i % 10);
	return f;
}

int facing_init_source(void **state)
{
	struct facing *f = new_facing(true);

	f->listen_fd = raw_peer_listen(f->address, sizeof(f->address));
	*state = f;
	return 0;
}

int facing_init_target(void **state)
{
	struct facing *f = new_facing(false);

	fake_pages_init(&f->pages, 5);
	f->end.params.pages = &f->pages.ps;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

int facing_init_hasty_target(void **state)
{
	struct facing *f = new_facing(false);

	/* five times that */
	f->end.params.peer_timeout_ns = 600000000ULL;
	end_start_target(&f->end, f->address, sizeof(f->address));
	*state = f;
	return 0;
}

int facing_exit(void **state)
{
	struct facing *f = *state;

	if (f->peer.fd >= 0)
		raw_peer_close(&f->peer);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	end_exit(&f->end);
	free(f);
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

void facing_play_until(struct facing *f, uint16_t stage)
{
	uint8_t round[sizeof(struct wire_round)];
	uint32_t n;

	while (raw_peer_recv(&f->peer)) {
		if (f->peer.type == stage)
			return;
		switch (f->peer.type) {
		case WIRE_ROUND_END:
			msg_round_decode(&n, f->peer.payload, f->peer.bytes);
			raw_peer_send(&f->peer, WIRE_ROUND_ACK, round,
				      msg_round_encode(round, n));
			break;
		case WIRE_PREPARE:
			raw_peer_send(&f->peer, WIRE_READY, NULL, 0);
			break;
		}
	}
	fail_msg("the source never sent %s", wire_type_name(stage));
}

void facing_assert_stayed(struct facing *f, const char *error)
{
	assert_true(end_wait_final(&f->end));
	assert_int_equal(f->end.last.state, MIGRATE_FAILED);
	assert_true(f->end.vm.running);
	assert_false(f->end.vm.tracking);
	if (!strstr(f->end.last.error, error))
		fail_msg("\"%s\" does not say \"%s\"", f->end.last.error,
			 error);
}
