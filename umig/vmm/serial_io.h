/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's end of a serial line: a thread that writes out what the guest
 * sends and reads what people type, so that no vCPU ever waits for a terminal.
 */
#ifndef UMIG_VMM_SERIAL_IO_H
#define UMIG_VMM_SERIAL_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "lib/err.h"

/* Output that nobody takes: this much is kept, what comes after is lost. */
#define SERIAL_IO_BUFFER_BYTES (256 * 1024)
#define SERIAL_IO_INPUT_BYTES 64

/**
 * struct serial_io_ops - Who is behind the line; called by its thread.
 * @room: how many bytes of input can be taken now.
 * @receive: take them.
 * @quit: the person at the console wants the guest to end.
 */
struct serial_io_ops {
	size_t (*room)(void *arg);
	void (*receive)(void *arg, const uint8_t *data, size_t bytes);
	void (*quit)(void *arg);
};

/**
 * struct serial_io - A line.
 *
 * Constant after serial_io_open():
 * @in_fd, @out_fd: -1: none.  @own_out: @out_fd is ours to close.
 * @wake_fd: eventfd: output, room for input or @stop.
 * @buf: the output ring.
 *
 * Between start and stop only: @thread, @started, @raw (the terminal is in
 * raw mode, @saved is what it was).
 *
 * The thread's: @escape (Ctrl-A was typed), @in_end (no more input), @in and
 * @in_len: input that the guest has no room for yet.
 *
 * Under @lock:
 * @head, @len: bytes in @buf.  @lost: bytes dropped.
 * @stop: the thread is to write what it can and end.
 */
struct serial_io {
	const struct serial_io_ops *ops;
	void *arg;
	int in_fd;
	int out_fd;
	bool own_out;
	int wake_fd;
	uint8_t *buf;

	pthread_t thread;
	bool started;
	bool raw;
	struct termios saved;

	bool escape;
	bool in_end;
	uint8_t in[SERIAL_IO_INPUT_BYTES];
	size_t in_len;

	pthread_mutex_t lock;
	size_t head;
	size_t len;
	uint64_t lost;
	bool stop;
};

int serial_io_open(struct serial_io *io, const char *spec,
		   const struct serial_io_ops *ops, void *arg,
		   struct err *err);
void serial_io_close(struct serial_io *io);

/** serial_io_start() - Begin to read and write.  Idempotent. */
int serial_io_start(struct serial_io *io);

/**
 * serial_io_stop() - Write what is left, as far as somebody takes it within
 * a moment, and rest.  Idempotent.  What wasn't taken stays for the next start.
 */
void serial_io_stop(struct serial_io *io);

/** serial_io_send() - Never waits; drops the byte if too many are waiting. */
void serial_io_send(struct serial_io *io, uint8_t byte);

/** serial_io_room() - There is room for input (again). */
void serial_io_room(struct serial_io *io);

#endif
