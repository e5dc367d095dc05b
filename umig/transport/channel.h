/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A channel: frames in, frames out, over one connected stream socket, driven
 * by an io_uring of its own.  Guest memory is never pinned, which would un-merge
 * it: pages are copied or encrypted into the channel's send buffers, or, where
 * nothing is to be done to them, copied by the kernel into the socket.
 *
 * One thread owns a channel; nothing here is locked.  Whatever call waits also
 * moves bytes in the other direction, as far as there is room: who has asked for
 * frames until there was none has room for the bytes of a whole one.  Two ends
 * that both send can't wedge each other as long as one of them asks again before
 * the other has more than that to say.
 */
#ifndef UMIG_TRANSPORT_CHANNEL_H
#define UMIG_TRANSPORT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "transport/tcp_path.h"

struct channel;
struct session;

/** struct frame_in - A received frame; the payload is the channel's. */
struct frame_in {
	uint16_t type;
	const uint8_t *payload;
	size_t bytes;
};

/**
 * channel_open() - Make a channel of a connected stream socket.
 * @fd: the socket, the channel's from now on (on failure, still yours).
 * @session: sealed: every frame travels in a record (sealed.h).  Copied, with
 *	its keys.
 * @cancel_fd: an eventfd: once readable, waits end with -ECANCELED; -1: none.
 * @timeout_ns: how long the peer may refuse bytes, or be silent without having
 *	taken any.
 */
int channel_open(struct channel **out, int fd, const struct session *session,
		 int cancel_fd, uint64_t timeout_ns, struct err *err);

/** channel_close() - Close at once; unsent frames are lost.  NULL is fine. */
void channel_close(struct channel *ch);

/**
 * channel_set_cancellable() - Whether @cancel_fd ends waits; true at first.
 *
 * An end that has been cancelled still has a last word to say.
 */
void channel_set_cancellable(struct channel *ch, bool cancellable);

/* No peer is that silent. */
#define CHANNEL_TIMEOUT_NEVER (1ULL << 60)

/**
 * channel_abort() - End the connection, and see to it that nothing that has been
 * sent, but not acknowledged by the peer's kernel, arrives any more.
 *
 * Sending, and waiting for a frame, fails with -ECONNRESET from now on.  The
 * channel is still to be closed.
 */
void channel_abort(struct channel *ch);

/**
 * channel_shutdown() - From any thread, while the channel is open: no byte comes
 * or goes any more; waits end with -ECONNRESET.
 */
void channel_shutdown(struct channel *ch);

/** channel_deadline() - As channel_set_deadline() was told. */
uint64_t channel_deadline(const struct channel *ch);

/** channel_set_timeout() - Change the peer's timeout. */
void channel_set_timeout(struct channel *ch, uint64_t timeout_ns);

/** channel_timeout() - What it is. */
uint64_t channel_timeout(const struct channel *ch);

/**
 * channel_set_rate() - Send no more than @bytes_per_s, but for bursts of a
 * frame; 0: as fast as it goes.
 */
void channel_set_rate(struct channel *ch, uint64_t bytes_per_s);

/** channel_rate() - As channel_set_rate() was told. */
uint64_t channel_rate(const struct channel *ch);

/**
 * channel_set_deadline() - Waits end with -ETIME at @deadline_ns (of
 * clock_now_ns()), whatever the peer does; 0, as at first: never.
 */
void channel_set_deadline(struct channel *ch, uint64_t deadline_ns);

/**
 * channel_payload() - Room for the payload of the next frame.
 * @room: set to WIRE_PAYLOAD_MAX bytes.
 *
 * Waits for a send buffer.  Asking twice without channel_send() between gives
 * the same room, in which nothing is borrowed.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -ECONNRESET, or what the socket said.
 */
int channel_payload(struct channel *ch, void **room);

/**
 * channel_borrow() - Let part of the payload that is being written be what lies
 * elsewhere.
 * @at: in the room of channel_payload(), behind all that was borrowed before.
 * @from: the bytes, which must stay mapped until the channel is closed.  They
 *	are read by channel_send() if it seals, else when the frame is sent,
 *	which may be any time until then.
 *
 * Return: false: they can't be borrowed: write them to @at.
 */
bool channel_borrow(struct channel *ch, void *at, const void *from,
		    size_t bytes);

/** channel_send() - Queue the frame whose payload was written. */
int channel_send(struct channel *ch, uint16_t type, size_t bytes);

/** channel_send_copy() - channel_payload(), copy, channel_send(). */
int channel_send_copy(struct channel *ch, uint16_t type, const void *payload,
		      size_t bytes);

/**
 * typedef channel_sent_fn - Told of each frame that the kernel has taken.
 * @bytes: of it, as it travels.
 * @busy_ns: for how long it, and nothing before it, was what the link, or the
 *	rate, kept waiting.
 */
typedef void channel_sent_fn(void *arg, uint16_t type, size_t bytes,
			     uint64_t busy_ns);

/**
 * channel_on_sent() - Call @fn, on the channel's thread and out of the other
 * calls, for the frames that are sent from now on, in their order; NULL: don't.
 */
void channel_on_sent(struct channel *ch, channel_sent_fn *fn, void *arg);

/** channel_path() - tcp_path_read() of the channel's connection. */
int channel_path(const struct channel *ch, struct tcp_path *out);

/** channel_flush() - Wait until the kernel has taken all queued frames. */
int channel_flush(struct channel *ch);

/**
 * channel_recv() - The next frame.
 * @wait: false: -EAGAIN if no whole frame is here yet.
 *
 * KEEPALIVE frames reset the timer and are passed over.  The previous frame's
 * payload is gone with this call.
 *
 * Return: 0; -EAGAIN; -EPROTO: the peer sent something that is no frame;
 * -EBADMSG: a record that was changed, repeated or moved on the way;
 * -ECONNRESET: it closed the connection; or as channel_payload().
 */
int channel_recv(struct channel *ch, struct frame_in *in, bool wait);

/** channel_bytes_tx() - Bytes that the kernel has taken. */
uint64_t channel_bytes_tx(const struct channel *ch);

/** channel_bytes_rx() - Bytes received. */
uint64_t channel_bytes_rx(const struct channel *ch);

#endif
