/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The wire format, all of it on two screens.  Little endian, packed, no
 * implicit padding; Documentation/wire.rst draws and explains it.  Nothing
 * here does I/O; run-time types never travel, these types are never computed
 * with.
 *
 *   0        4      6       8               16
 *   | length | type | flags |   sequence    | payload (length bytes) ...
 *
 * The sequence counts the frames of one direction from 0, so that a lost,
 * repeated or torn frame is noticed at once.
 */
#ifndef UMIG_WIRE_FRAME_H
#define UMIG_WIRE_FRAME_H

#include <stdint.h>

#define WIRE_MAGIC "UMIGWIRE"
#define WIRE_VERSION 3
#define WIRE_VERSION_MIN 1
#define WIRE_VERSION_BRIEF 2	/* from this on there is WIRE_RUN_BRIEF, */
#define WIRE_VERSION_DENSE 3	/* and from this on WIRE_RUN_DENSE */
#define WIRE_BATCH_PAGES 512
/* a batch of plain pages, each a run of its own, and the batch's header */
#define WIRE_PAYLOAD_MAX (WIRE_BATCH_PAGES * (4096 + 16) + 4096)
#define WIRE_STATE_MAX (64U << 20)
#define WIRE_STATE_CHUNK (1U << 20)
#define WIRE_TEXT_MAX 480
#define WIRE_CHANNELS_MAX 16
#define WIRE_TOKEN_BYTES 16

/**
 * enum wire_type - What a frame is.  (S: source sends it, T: target.)
 * @WIRE_HELLO: S, T: who I am, what my machine looks like.  First frame.
 * @WIRE_ERROR: S, T: I give up, and why.  Last frame.  Never sent by T after
 *	GO: NOT_STARTED is.
 * @WIRE_CANCEL: S, T: somebody asked to end this.  Last frame.
 * @WIRE_KEEPALIVE: S, T: still busy; resets the peer's timer.
 * @WIRE_OFFER: S: digests of pages that I could name instead of sending.
 * @WIRE_ANSWER: T: which of an OFFER are held.
 * @WIRE_PAGES: S: a batch of runs.
 * @WIRE_REFUSED: T: pages whose HELD, BRIEF, DUPLICATE or DELTA could not be
 *	placed.
 * @WIRE_ROUND_END: S: all of a round has been sent.
 * @WIRE_ROUND_ACK: T: and placed or refused.
 * @WIRE_STATE: S: a piece of the machine state.
 * @WIRE_VERIFY: S: digest all of memory, as I do.
 * @WIRE_DIGESTS: T: the digests.
 * @WIRE_PREPARE: S: can you take over?  The migration's id: 16 bytes.
 * @WIRE_READY: T: I have everything and could run.
 * @WIRE_GO: S: run.  I never will again, unless you say NOT_STARTED.
 * @WIRE_STARTED: T: the guest runs here.  Last frame.  It counts whatever it
 *	carries: how long the start took in ns (u64), or nothing.
 * @WIRE_NOT_STARTED: T: it does not and never will here.  Last frame.
 * @WIRE_PACKED: S: a PAGES, compressed (packed.h); if T's HELLO has the codec.
 * @WIRE_CHANNELS: S: I would like so many connections; T: come, with this
 *	token.
 * @WIRE_JOIN: S: first and only on another connection than the first: its
 *	number, and the token.
 */
enum wire_type {
	WIRE_HELLO = 1,
	WIRE_ERROR = 2,
	WIRE_CANCEL = 3,
	WIRE_KEEPALIVE = 4,
	WIRE_OFFER = 5,
	WIRE_ANSWER = 6,
	WIRE_PAGES = 7,
	WIRE_REFUSED = 8,
	WIRE_ROUND_END = 9,
	WIRE_ROUND_ACK = 10,
	WIRE_STATE = 11,
	WIRE_VERIFY = 12,
	WIRE_DIGESTS = 13,
	WIRE_PREPARE = 14,
	WIRE_READY = 15,
	WIRE_GO = 16,
	WIRE_STARTED = 17,
	WIRE_NOT_STARTED = 18,
	WIRE_PACKED = 19,
	WIRE_CHANNELS = 20,
	WIRE_JOIN = 21,
	WIRE_TYPES
};

struct wire_frame {
	uint32_t length;
	uint16_t type;
	uint16_t flags;		/* 0 */
	uint64_t sequence;
} __attribute__((packed));

/* PAGES: this header, then runs. */
struct wire_pages {
	uint32_t round;		/* from 1 */
	uint32_t runs;		/* how many follow */
} __attribute__((packed));

/**
 * enum wire_run_class - What a run of pages carries behind its header.
 * @WIRE_RUN_ZERO: nothing.
 * @WIRE_RUN_HELD: for each page a &struct wire_held.
 * @WIRE_RUN_DUPLICATE: for each page a &struct wire_duplicate.
 * @WIRE_RUN_PLAIN: for each page its 4096 bytes.
 * @WIRE_RUN_BRIEF: for each page a &struct wire_brief.
 * @WIRE_RUN_DELTA: one page: a &struct wire_delta, then a delta (delta.h).
 * @WIRE_RUN_DENSE: nothing.  It brings no page: all of the run have memory at
 *	the source, and will come.
 */
enum wire_run_class {
	WIRE_RUN_ZERO = 1,
	WIRE_RUN_HELD = 2,
	WIRE_RUN_DUPLICATE = 3,
	WIRE_RUN_PLAIN = 4,
	WIRE_RUN_DELTA = 5,
	WIRE_RUN_BRIEF = 6,
	WIRE_RUN_DENSE = 7,
};

struct wire_run {
	uint64_t gfn;
	uint32_t pages;		/* ZERO: any number; DELTA: 1; else 1 .. 512 */
	uint8_t class;
	uint8_t reserved[3];	/* 0 */
} __attribute__((packed));

/* A page by an offered digest, with a proof that the source has the page. */
struct wire_held {
	uint32_t number;	/* of the offer */
	uint8_t proof[16];	/* see crypto/proof.h */
} __attribute__((packed));

/* The same with the first half of a sampled proof. */
struct wire_brief {
	uint32_t number;
	uint8_t proof[8];
} __attribute__((packed));

/* Content is named by page and round: the receiver refuses any other. */
struct wire_duplicate {
	uint64_t gfn;
	uint32_t round;
	uint32_t reserved;	/* 0 */
} __attribute__((packed));

/* PACKED: this header, then what unpacks to a PAGES payload. */
struct wire_packed {
	uint8_t codec;		/* enum wire_codec */
	uint8_t reserved[3];	/* 0 */
	uint32_t raw_bytes;	/* of the PAGES payload; more than come here */
} __attribute__((packed));

/* Changes to what the page was when it was sent in @base: or it is refused. */
struct wire_delta {
	uint32_t base;		/* a round */
	uint16_t bytes;		/* of the delta that follows; 0: no change */
	uint16_t reserved;	/* 0 */
} __attribute__((packed));

/* OFFER: this header, then @count digests of 32 bytes. */
struct wire_offer {
	uint32_t first;		/* number of the first; they ascend from 0 */
	uint32_t count;		/* 1 .. 512 */
} __attribute__((packed));

/* ANSWER: this header, then a bitmap of @count bits, 1: held. */
struct wire_answer {
	uint32_t first;
	uint32_t count;
	uint8_t nonce[16];	/* for proofs of these; new in each ANSWER */
} __attribute__((packed));

/* REFUSED: this header, then @count gfns of 8 bytes. */
struct wire_refused {
	uint32_t round;
	uint32_t count;		/* 1 .. 512 */
} __attribute__((packed));

/* ROUND_END, ROUND_ACK */
struct wire_round {
	uint32_t round;
	uint32_t reserved;	/* 0 */
} __attribute__((packed));

/* CHANNELS: how many, the first included; JOIN: which, from 1 */
struct wire_channels {
	uint32_t number;
	uint32_t reserved;	/* 0 */
	uint8_t token[16];	/* CHANNELS of S: 0 */
} __attribute__((packed));

/* STATE: this header, then bytes @offset .. of @total. */
struct wire_state {
	uint32_t total;
	uint32_t offset;
} __attribute__((packed));

/* DIGESTS: @count digests of 32 bytes follow, one for each 4096 pages. */
struct wire_digests {
	uint32_t count;
	uint32_t reserved;	/* 0 */
} __attribute__((packed));

_Static_assert(sizeof(struct wire_frame) == 16, "wire");
_Static_assert(sizeof(struct wire_pages) == 8, "wire");
_Static_assert(sizeof(struct wire_run) == 16, "wire");
_Static_assert(sizeof(struct wire_held) == 20, "wire");
_Static_assert(sizeof(struct wire_brief) == 12, "wire");
_Static_assert(sizeof(struct wire_duplicate) == 16, "wire");
_Static_assert(sizeof(struct wire_delta) == 8, "wire");
_Static_assert(sizeof(struct wire_offer) == 8, "wire");
_Static_assert(sizeof(struct wire_answer) == 24, "wire");
_Static_assert(sizeof(struct wire_refused) == 8, "wire");
_Static_assert(sizeof(struct wire_round) == 8, "wire");
_Static_assert(sizeof(struct wire_channels) == 24, "wire");
_Static_assert(sizeof(struct wire_state) == 8, "wire");
_Static_assert(sizeof(struct wire_digests) == 8, "wire");

/** wire_type_name() - "HELLO", ...; "unknown" for others. */
const char *wire_type_name(unsigned int type);

/** wire_frame_encode() - Write a frame's header to @to, 16 bytes. */
void wire_frame_encode(void *to, uint16_t type, uint32_t length,
		       uint64_t sequence);

/**
 * wire_frame_decode() - Check and read a frame's header.
 * @from: 16 bytes.
 * @sequence: what this frame's number must be.
 *
 * Return: 0; -EPROTO: not a frame of this protocol: an unknown type, a length
 * above WIRE_PAYLOAD_MAX, flags, or another sequence.
 */
int wire_frame_decode(const void *from, uint64_t sequence,
		      struct wire_frame *out);

#endif
