// SPDX-License-Identifier: GPL-2.0
/*
 * What a frame borrows arrives with it, in its place, on a plain connection and
 * on sealed ones, also while somebody writes to it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "crypto/gcm.h"
#include "transport/channel.h"
#include "transport/session.h"
#include "wire/frame.h"

#define TIMEOUT_NS 5000000000ULL
#define PAGE_BYTES 4096
#define PAGES 5
/* A header's length, so that pages are nowhere at a cipher's boundary. */
#define OWN_BYTES 20
#define SLOT_BYTES (OWN_BYTES + PAGE_BYTES)
#define FRAME_BYTES (PAGES * SLOT_BYTES + 3)
#define FRAMES 2000

static const uint8_t secret[2][RECORD_SECRET_SIZE] = { "there", "back" };

static uint8_t memory[PAGES * PAGE_BYTES] __attribute__((aligned(64)));

/** struct pair - Two channels that face each other. */
struct pair {
	struct channel *tx, *rx;
};

static void open_end(struct channel **ch, int fd, enum record_cipher cipher,
		     unsigned int end)
{
	struct session s = { .sealed = cipher };
	struct err err = { 0 };

	if (cipher) {
		assert_int_equal(record_init(&s.tx, cipher, secret[end], "t",
					     0), 0);
		assert_int_equal(record_init(&s.rx, cipher, secret[!end], "t",
					     0), 0);
	}
	assert_int_equal(channel_open(ch, fd, &s, -1, TIMEOUT_NS, &err), 0);
}

static void pair_init(struct pair *p, enum record_cipher cipher)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	open_end(&p->tx, fd[0], cipher, 0);
	open_end(&p->rx, fd[1], cipher, 1);
}

static void pair_exit(struct pair *p)
{
	channel_close(p->tx);
	channel_close(p->rx);
}

/* Own bytes before each page, pages that are borrowed, and own ones behind. */
static void send_frame(struct pair *p)
{
	uint8_t *at;
	void *room;
	int i;

	assert_int_equal(channel_payload(p->tx, &room), 0);
	at = room;
	for (i = 0; i < PAGES; i++) {
		memset(at, i, OWN_BYTES);
		at += OWN_BYTES;
		assert_true(channel_borrow(p->tx, at, memory + i * PAGE_BYTES,
					   PAGE_BYTES));
		at += PAGE_BYTES;
	}
	memcpy(at, "end", 3);
	assert_int_equal(channel_send(p->tx, WIRE_PAGES, FRAME_BYTES), 0);
	assert_int_equal(channel_flush(p->tx), 0);
}

static const uint8_t *receive(struct pair *p)
{
	struct frame_in in;

	assert_int_equal(channel_recv(p->rx, &in, true), 0);
	assert_int_equal(in.type, WIRE_PAGES);
	assert_int_equal(in.bytes, FRAME_BYTES);
	return in.payload;
}

static void assert_own(const uint8_t *got)
{
	uint8_t own[OWN_BYTES];
	int i;

	for (i = 0; i < PAGES; i++) {
		memset(own, i, OWN_BYTES);
		assert_memory_equal(got + i * SLOT_BYTES, own, OWN_BYTES);
	}
	assert_memory_equal(got + PAGES * SLOT_BYTES, "end", 3);
}

static void borrowed_pages_arrive(enum record_cipher cipher)
{
	const uint8_t *got;
	struct pair p;
	size_t i;
	int n;

	for (i = 0; i < sizeof(memory); i++)
		memory[i] = i * 31 >> 3;
	pair_init(&p, cipher);
	for (n = 0; n < 5; n++) {
		memory[n] ^= 1;
		send_frame(&p);
		got = receive(&p);
		assert_own(got);
		for (i = 0; i < PAGES; i++)
			assert_memory_equal(got + i * SLOT_BYTES + OWN_BYTES,
					    memory + i * PAGE_BYTES,
					    PAGE_BYTES);
	}
	pair_exit(&p);
}

static void *scribble(void *arg)
{
	_Atomic uint64_t *words = (void *)memory;
	const atomic_bool *stop = arg;
	uint64_t n = 0;

	while (!atomic_load_explicit(stop, memory_order_relaxed)) {
		n++;
		atomic_store_explicit(words + n % (sizeof(memory) / 8), n,
				      memory_order_relaxed);
	}
	return NULL;
}

/* A record whose bytes are read twice would not open. */
static void written_pages_arrive(enum record_cipher cipher)
{
	atomic_bool stop = false;
	struct pair p;
	pthread_t writer;
	int n;

	pair_init(&p, cipher);
	assert_int_equal(pthread_create(&writer, NULL, scribble, &stop), 0);
	for (n = 0; n < FRAMES; n++) {
		send_frame(&p);
		assert_own(receive(&p));
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	pair_exit(&p);
}

static bool aes(void)
{
	bool can = record_ciphers() & RECORD_CIPHER_BIT(RECORD_AES256GCM);
	struct gcm *g = gcm_alloc();

	if (!can)
		print_message("skipped: this CPU has no AES-GCM\n");
	/* or libsodium would be tested, which has a copy */
	assert_int_equal(can, !!g);
	gcm_free(g);
	return can;
}

static void what_is_borrowed_arrives(void **state)
{
	(void)state;
	borrowed_pages_arrive(0);
}

static void what_is_borrowed_arrives_by_xchacha20(void **state)
{
	(void)state;
	borrowed_pages_arrive(RECORD_XCHACHA20);
}

static void what_is_borrowed_arrives_by_aes(void **state)
{
	(void)state;
	if (!aes())
		skip();
	borrowed_pages_arrive(RECORD_AES256GCM);
}

static void pages_being_written_arrive(void **state)
{
	(void)state;
	written_pages_arrive(0);
}

static void pages_being_written_arrive_by_xchacha20(void **state)
{
	(void)state;
	written_pages_arrive(RECORD_XCHACHA20);
}

static void pages_being_written_arrive_by_aes(void **state)
{
	(void)state;
	if (!aes())
		skip();
	written_pages_arrive(RECORD_AES256GCM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_borrowed_arrives),
		cmocka_unit_test(what_is_borrowed_arrives_by_xchacha20),
		cmocka_unit_test(what_is_borrowed_arrives_by_aes),
		cmocka_unit_test(pages_being_written_arrive),
		cmocka_unit_test(pages_being_written_arrive_by_xchacha20),
		cmocka_unit_test(pages_being_written_arrive_by_aes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
