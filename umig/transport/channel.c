// SPDX-License-Identifier: GPL-2.0
/*
 * A channel: see channel.h.
 *
 * Sending: SEND_BUFFERS buffers of one frame each.  The caller fills one while
 * the kernel takes the others, in order: at most one write is in flight, since
 * a stream has but one order.  What a frame borrows (pieces.h) is never written
 * to its buffer.
 *
 *   free -> filling (channel_payload) -> queued (channel_send) -> free
 *
 * Receiving: one buffer of two frames' size.  A read is always in flight into
 * its tail while there is room; frames are handed out in place.
 *
 *   | frame handed out | next, perhaps torn | read in flight ...      |
 *   ^ head             ^ head + taken       ^ tail                    ^ size
 *
 * On a sealed connection a frame is sealed into its send buffer, what it borrows
 * from where that lies, and opened where it stands in the receive buffer: no copy
 * more.
 */
#include "transport/channel.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "transport/buffers.h"
#include "transport/pieces.h"
#include "transport/sealed.h"
#include "transport/session.h"
#include "wire/frame.h"

enum channel_op {
	CHANNEL_OP_SEND = 1,
	CHANNEL_OP_RECV = 2,
	CHANNEL_OP_CANCEL = 3,
};

struct channel {
	/* constant after open */
	int fd;
	int cancel_fd;
	size_t head_bytes;	/* before a frame: 0, or SEALED_HEAD_BYTES */
	struct buffers buffers;
	struct io_uring ring;
	bool sealed;

	bool cancelled;
	bool cancellable;
	uint64_t timeout_ns;
	uint64_t deadline_ns;	/* 0: none */

	/* sending: queued frames are [first, first + queued) mod SEND_BUFFERS */
	unsigned int first;
	unsigned int queued;
	size_t frame_bytes[SEND_BUFFERS];
	uint16_t frame_type[SEND_BUFFERS];
	uint64_t queued_ns[SEND_BUFFERS];
	struct pieces pieces[SEND_BUFFERS];
	struct msghdr msg;	/* the write in flight */
	channel_sent_fn *on_sent;
	void *on_sent_arg;
	uint64_t done_ns;	/* when the frame before was sent */
	size_t sent;		/* of the first queued frame */
	bool send_busy;
	bool sending;		/* the caller waits for it */
	int send_error;
	uint64_t send_sequence;
	uint64_t send_progress_ns;
	uint64_t bytes_tx;
	uint64_t rate;		/* bytes a second, 0: no limit */
	uint64_t send_from_ns;	/* not before, for @rate */
	struct record_key seal;

	/* receiving */
	size_t head;
	size_t taken;		/* bytes of the frame handed out */
	size_t tail;
	bool recv_busy;
	int recv_error;
	uint64_t recv_sequence;
	uint64_t recv_progress_ns;
	uint64_t bytes_rx;
	struct record_key open;
};

static uint8_t *send_buffer(struct channel *ch, unsigned int i)
{
	return ch->buffers.send + i % SEND_BUFFERS * SEND_BUFFER_BYTES;
}

static uint8_t *recv_buffer(struct channel *ch)
{
	return ch->buffers.recv;
}

/* The ring has room for the three operations that can be in flight. */
static struct io_uring_sqe *get_sqe(struct channel *ch)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ch->ring);

	assert(sqe);
	return sqe;
}

static void arm_send(struct channel *ch)
{
	struct pieces *p = &ch->pieces[ch->first];
	struct io_uring_sqe *sqe;

	if (ch->send_busy || !ch->queued || ch->send_error)
		return;
	if (ch->rate && clock_now_ns() < ch->send_from_ns)
		return;
	ch->msg.msg_iov = p->iov + p->first;
	ch->msg.msg_iovlen = p->nr - p->first;
	sqe = get_sqe(ch);
	io_uring_prep_sendmsg(sqe, ch->fd, &ch->msg, MSG_NOSIGNAL);
	io_uring_sqe_set_data64(sqe, CHANNEL_OP_SEND);
	ch->send_busy = true;
}

/*
 * Make room: for a whole frame behind @head; and while nobody takes frames, since
 * we wait to send, behind @tail if there is none.  Where frames are taken that
 * comes by itself: moving what is here for each of them would cost more than all
 * else.  Not while a read is in flight, nor while a frame is handed out.
 */
static void compact(struct channel *ch)
{
	bool full = ch->sending && ch->tail == RECV_BUFFER_BYTES;

	if (ch->taken || !ch->head ||
	    (RECV_BUFFER_BYTES - ch->head >= FRAME_MAX && !full))
		return;
	memmove(recv_buffer(ch), recv_buffer(ch) + ch->head,
		ch->tail - ch->head);
	ch->tail -= ch->head;
	ch->head = 0;
}

static void arm_recv(struct channel *ch)
{
	struct io_uring_sqe *sqe;

	if (ch->recv_busy || ch->recv_error)
		return;
	compact(ch);
	if (ch->tail == RECV_BUFFER_BYTES)
		return;
	sqe = get_sqe(ch);
	io_uring_prep_recv(sqe, ch->fd, recv_buffer(ch) + ch->tail,
			   RECV_BUFFER_BYTES - ch->tail, 0);
	io_uring_sqe_set_data64(sqe, CHANNEL_OP_RECV);
	ch->recv_busy = true;
}

static void arm_cancel(struct channel *ch)
{
	struct io_uring_sqe *sqe;

	if (ch->cancel_fd < 0)
		return;
	sqe = get_sqe(ch);
	io_uring_prep_poll_add(sqe, ch->cancel_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, CHANNEL_OP_CANCEL);
}

static bool transient(int res)
{
	return res == -EINTR || res == -EAGAIN;
}

/* @bytes are on their way: when may the next be? */
static void pace(struct channel *ch, uint64_t bytes)
{
	uint64_t now = ch->send_progress_ns;

	if (!ch->rate)
		return;
	if (ch->send_from_ns < now)
		ch->send_from_ns = now;
	ch->send_from_ns += bytes * 1000000000ULL / ch->rate;
	/* to be held back is not to be stuck */
	ch->send_progress_ns = ch->send_from_ns;
}

static void tell_sent(struct channel *ch)
{
	uint64_t now = clock_now_ns(), since = ch->queued_ns[ch->first];

	if (since < ch->done_ns)
		since = ch->done_ns;
	ch->done_ns = now;
	if (ch->on_sent)
		ch->on_sent(ch->on_sent_arg, ch->frame_type[ch->first],
			    ch->frame_bytes[ch->first], now - since);
}

static void sent(struct channel *ch, int res)
{
	ch->send_busy = false;
	if (transient(res))
		return;
	if (res <= 0) {
		ch->send_error = res == -EPIPE || !res ? -ECONNRESET : res;
		return;
	}
	ch->bytes_tx += res;
	ch->sent += res;
	pieces_sent(&ch->pieces[ch->first], res);
	ch->send_progress_ns = clock_now_ns();
	pace(ch, res);
	if (ch->sent < ch->frame_bytes[ch->first])
		return;
	tell_sent(ch);
	ch->sent = 0;
	ch->first = (ch->first + 1) % SEND_BUFFERS;
	ch->queued--;
}

static void received(struct channel *ch, int res)
{
	ch->recv_busy = false;
	if (transient(res))
		return;
	if (res <= 0) {
		ch->recv_error = res ? res : -ECONNRESET;
		return;
	}
	ch->bytes_rx += res;
	ch->tail += res;
	ch->recv_progress_ns = clock_now_ns();
}

static void complete(struct channel *ch, const struct io_uring_cqe *cqe)
{
	switch (io_uring_cqe_get_data64(cqe)) {
	case CHANNEL_OP_SEND:
		sent(ch, cqe->res);
		break;
	case CHANNEL_OP_RECV:
		received(ch, cqe->res);
		break;
	case CHANNEL_OP_CANCEL:
		ch->cancelled = true;
		break;
	}
}

/* Whether a queued frame waits for nothing but its time. */
static bool paused_by_rate(const struct channel *ch)
{
	return ch->rate && ch->queued && !ch->send_busy && !ch->send_error;
}

/*
 * Move bytes: reap what is done, start what can be.  With @deadline_ns wait
 * for one completion until then.
 */
static int pump(struct channel *ch, uint64_t deadline_ns)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	uint64_t now = clock_now_ns();
	unsigned int head, n = 0;
	int rc;

	arm_send(ch);
	arm_recv(ch);
	if (paused_by_rate(ch) && ch->send_from_ns < deadline_ns)
		deadline_ns = ch->send_from_ns;
	if (deadline_ns > now) {
		ts.tv_sec = (deadline_ns - now) / 1000000000ULL;
		ts.tv_nsec = (deadline_ns - now) % 1000000000ULL;
		rc = io_uring_submit_and_wait_timeout(&ch->ring, &cqe, 1, &ts,
						      NULL);
	} else {
		rc = io_uring_submit(&ch->ring);
	}
	if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN &&
	    rc != -EBUSY)
		return rc;
	io_uring_for_each_cqe(&ch->ring, head, cqe) {
		complete(ch, cqe);
		n++;
	}
	io_uring_cq_advance(&ch->ring, n);
	arm_send(ch);
	arm_recv(ch);
	rc = io_uring_submit(&ch->ring);
	return rc < 0 && rc != -EAGAIN && rc != -EBUSY ? rc : 0;
}

static bool is_cancelled(const struct channel *ch)
{
	return ch->cancelled && ch->cancellable;
}

/* Wait for progress, the last of which was at @progress_ns. */
static int wait_progress(struct channel *ch, uint64_t since_ns,
			 uint64_t progress_ns)
{
	uint64_t from = progress_ns > since_ns ? progress_ns : since_ns;
	uint64_t until = from + ch->timeout_ns;
	bool last = ch->deadline_ns && ch->deadline_ns < until;

	if (last)
		until = ch->deadline_ns;
	if (is_cancelled(ch))
		return -ECANCELED;
	if (clock_now_ns() >= until)
		return last ? -ETIME : -ETIMEDOUT;
	return pump(ch, until);
}

static int open_ring(struct channel *ch, struct err *err)
{
	int rc = io_uring_queue_init(8, &ch->ring, 0);

	if (rc)
		return err_set(err, rc,
			       "io_uring is not usable here (%s): umig needs it; see sysctl kernel.io_uring_disabled and RLIMIT_MEMLOCK",
			       strerror(-rc));
	return 0;
}

/* Record 0 of the end that connected was the handshake's (handshake.c). */
static void use_session(struct channel *ch, const struct session *session)
{
	ch->sealed = true;
	ch->head_bytes = SEALED_HEAD_BYTES;
	ch->seal = session->tx;
	ch->open = session->rx;
	record_speed_up(&ch->seal);
	record_speed_up(&ch->open);
	ch->send_sequence = session->tx.counter;
	ch->recv_sequence = session->rx.counter;
}

int channel_open(struct channel **out, int fd, const struct session *session,
		 int cancel_fd, uint64_t timeout_ns, struct err *err)
{
	struct channel *ch = calloc(1, sizeof(*ch));
	int rc;

	if (!ch)
		return err_set(err, -ENOMEM, "out of memory for a channel");
	rc = buffers_init(&ch->buffers);
	if (rc) {
		err_set(err, rc, "no address space for a channel's buffers");
		goto free_channel;
	}
	ch->fd = fd;
	ch->cancel_fd = cancel_fd;
	ch->cancellable = true;
	ch->timeout_ns = timeout_ns;
	if (session && session->sealed)
		use_session(ch, session);
	rc = open_ring(ch, err);
	if (rc)
		goto free_buffers;
	arm_cancel(ch);
	*out = ch;
	return 0;

free_buffers:
	record_wipe(&ch->seal);
	record_wipe(&ch->open);
	buffers_exit(&ch->buffers);
free_channel:
	free(ch);
	return rc;
}

void channel_close(struct channel *ch)
{
	if (!ch)
		return;
	/* ends what is in flight before its buffers go */
	shutdown(ch->fd, SHUT_RDWR);
	io_uring_queue_exit(&ch->ring);
	close(ch->fd);
	record_wipe(&ch->seal);
	record_wipe(&ch->open);
	buffers_exit(&ch->buffers);
	free(ch);
}

void channel_abort(struct channel *ch)
{
	/* dissolves the association: RST, and what is queued is dropped */
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)connect(ch->fd, &nobody, sizeof(nobody));
	ch->send_error = -ECONNRESET;
	ch->recv_error = -ECONNRESET;
}

void channel_shutdown(struct channel *ch)
{
	shutdown(ch->fd, SHUT_RDWR);
}

uint64_t channel_deadline(const struct channel *ch)
{
	return ch->deadline_ns;
}

void channel_set_cancellable(struct channel *ch, bool cancellable)
{
	ch->cancellable = cancellable;
}

void channel_set_timeout(struct channel *ch, uint64_t timeout_ns)
{
	ch->timeout_ns = timeout_ns;
}

uint64_t channel_timeout(const struct channel *ch)
{
	return ch->timeout_ns;
}

void channel_set_deadline(struct channel *ch, uint64_t deadline_ns)
{
	ch->deadline_ns = deadline_ns;
}

/* Of the frame that is being written. */
static struct pieces *filling(struct channel *ch)
{
	return &ch->pieces[(ch->first + ch->queued) % SEND_BUFFERS];
}

/* Wait for the kernel to take something. */
static int wait_sent(struct channel *ch, uint64_t since_ns)
{
	int rc;

	ch->sending = true;
	rc = wait_progress(ch, since_ns, ch->send_progress_ns);
	ch->sending = false;
	return rc;
}

int channel_payload(struct channel *ch, void **room)
{
	uint64_t since = clock_now_ns();
	uint8_t *at;
	int rc;

	while (ch->queued == SEND_BUFFERS && !ch->send_error) {
		rc = wait_sent(ch, since);
		if (rc)
			return rc;
	}
	if (ch->send_error)
		return ch->send_error;
	at = send_buffer(ch, ch->first + ch->queued);
	at += ch->head_bytes;
	pieces_begin(filling(ch), at);
	*room = at + sizeof(struct wire_frame);
	return 0;
}

bool channel_borrow(struct channel *ch, void *at, const void *from,
		    size_t bytes)
{
	return pieces_borrow(filling(ch), at, from, bytes);
}

/* What is in pieces goes out as one, sealed. */
static int seal(struct channel *ch, struct pieces *p, uint8_t *at,
		size_t frame_bytes)
{
	int rc = sealed_seal_pieces(&ch->seal, at, frame_bytes, p->iov, p->nr);

	pieces_begin(p, at);
	pieces_end(p, at + frame_bytes + SEALED_OVERHEAD);
	return rc;
}

int channel_send(struct channel *ch, uint16_t type, size_t bytes)
{
	unsigned int i = (ch->first + ch->queued) % SEND_BUFFERS;
	size_t frame_bytes = sizeof(struct wire_frame) + bytes;
	uint8_t *at = send_buffer(ch, i), *frame = at + ch->head_bytes;
	int rc;

	assert(ch->queued < SEND_BUFFERS && bytes <= WIRE_PAYLOAD_MAX);
	if (is_cancelled(ch))
		return -ECANCELED;
	wire_frame_encode(frame, type, bytes, ch->send_sequence++);
	pieces_end(&ch->pieces[i], frame + frame_bytes);
	ch->frame_bytes[i] = frame_bytes;
	ch->frame_type[i] = type;
	if (ch->sealed) {
		ch->frame_bytes[i] += SEALED_OVERHEAD;
		rc = seal(ch, &ch->pieces[i], at, frame_bytes);
		if (rc)
			return rc;
	}
	ch->queued_ns[i] = clock_now_ns();
	ch->queued++;
	return pump(ch, 0);
}

void channel_on_sent(struct channel *ch, channel_sent_fn *fn, void *arg)
{
	ch->on_sent = fn;
	ch->on_sent_arg = arg;
}

int channel_send_copy(struct channel *ch, uint16_t type, const void *payload,
		      size_t bytes)
{
	void *room;
	int rc = channel_payload(ch, &room);

	if (rc)
		return rc;
	if (bytes)
		memcpy(room, payload, bytes);
	return channel_send(ch, type, bytes);
}

int channel_flush(struct channel *ch)
{
	uint64_t since = clock_now_ns();
	int rc;

	while (ch->queued && !ch->send_error) {
		rc = wait_sent(ch, since);
		if (rc)
			return rc;
	}
	return ch->send_error;
}

/*
 * How much of the frame at @head is here; a record must be whole, and is opened
 * for that: 0, -EAGAIN, -EPROTO, -EBADMSG.
 */
static int frame_here(struct channel *ch, size_t *bytes)
{
	uint8_t *at = recv_buffer(ch) + ch->head;
	size_t here = ch->tail - ch->head;
	int rc;

	*bytes = here;
	if (!ch->sealed)
		return 0;
	if (here < SEALED_HEAD_BYTES)
		return -EAGAIN;
	rc = sealed_frame_bytes(at, bytes);
	if (rc)
		return rc;
	if (here < *bytes + SEALED_OVERHEAD)
		return -EAGAIN;
	return sealed_open(&ch->open, at, *bytes);
}

/* Hand out the frame at @head: 0, -EAGAIN if it isn't whole, or as above. */
static int take_frame(struct channel *ch, struct frame_in *in)
{
	const uint8_t *at = recv_buffer(ch) + ch->head + ch->head_bytes;
	struct wire_frame f;
	size_t here;
	int rc = frame_here(ch, &here);

	if (rc)
		return rc;
	if (here < sizeof(f))
		return -EAGAIN;
	rc = wire_frame_decode(at, ch->recv_sequence, &f);
	if (rc)
		return rc;
	if (here < sizeof(f) + f.length)
		return ch->sealed ? -EPROTO : -EAGAIN;
	if (ch->sealed && here > sizeof(f) + f.length)
		return -EPROTO;		/* a record is one frame */
	ch->recv_sequence++;
	ch->taken = sizeof(f) + f.length + (ch->sealed ? SEALED_OVERHEAD : 0);
	in->type = f.type;
	in->payload = at + sizeof(f);
	in->bytes = f.length;
	return 0;
}

static void drop_frame(struct channel *ch)
{
	ch->head += ch->taken;
	ch->taken = 0;
	if (ch->head == ch->tail && !ch->recv_busy)
		ch->head = ch->tail = 0;
}

/* A peer that takes long to take what it is to answer isn't silent. */
static int wait_frame(struct channel *ch, uint64_t since_ns)
{
	uint64_t progress_ns = ch->recv_progress_ns;

	if (progress_ns < ch->send_progress_ns)
		progress_ns = ch->send_progress_ns;
	return wait_progress(ch, since_ns, progress_ns);
}

int channel_recv(struct channel *ch, struct frame_in *in, bool wait)
{
	uint64_t since = clock_now_ns();
	bool polled = false;
	int rc;

	for (;;) {
		drop_frame(ch);
		rc = take_frame(ch, in);
		if (!rc && in->type == WIRE_KEEPALIVE)
			continue;
		if (rc != -EAGAIN)
			return rc;
		if (ch->recv_error)
			return ch->recv_error;
		if (!wait && polled)
			return -EAGAIN;
		if (wait)
			rc = wait_frame(ch, since);
		else
			rc = pump(ch, 0);
		if (rc)
			return rc;
		polled = true;
	}
}

void channel_set_rate(struct channel *ch, uint64_t bytes_per_s)
{
	ch->rate = bytes_per_s;
	ch->send_from_ns = 0;
}

uint64_t channel_rate(const struct channel *ch)
{
	return ch->rate;
}

int channel_path(const struct channel *ch, struct tcp_path *out)
{
	return tcp_path_read(ch->fd, out);
}

uint64_t channel_bytes_tx(const struct channel *ch)
{
	return ch->bytes_tx;
}

uint64_t channel_bytes_rx(const struct channel *ch)
{
	return ch->bytes_rx;
}
