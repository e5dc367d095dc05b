// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake, both ends of it as machines over bytes: every byte on the way
 * is changed once, messages are replayed, keys are unknown, wrong, revoked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/handshake.h"
#include "transport/sealed.h"

#define WORDS_MAX 512

/**
 * struct talk - Two ends, and what has been said.
 * @said: by the source [0], the destination [1]; @bytes of them.
 * @flip: change this byte of what @flip_by says; -1: none.
 * @step: deliver so many bytes at a time.
 */
struct talk {
	struct keypair keys[2];
	struct keypair stranger;
	struct peer peer[2];
	struct handshake source;
	struct handshake target;
	uint8_t said[2][WORDS_MAX];
	size_t bytes[2];
	int flip;
	int flip_by;
	size_t step;
	int source_rc;
	int target_rc;
};

static int admit(void *arg, const uint8_t *key, struct peer *peer,
		 struct err *err)
{
	struct talk *t = arg;

	if (memcmp(key, t->peer[0].key, KEY_SIZE))
		return err_set(err, -EACCES, "who are you?");
	if (t->peer[0].revoked)
		return err_set(err, -EACCES, "revoked");
	*peer = t->peer[0];
	return 0;
}

static int setup(void **state)
{
	struct talk *t = calloc(1, sizeof(*t));
	struct err err = { 0 };
	int i;

	assert_non_null(t);
	for (i = 0; i < 2; i++) {
		assert_int_equal(keypair_generate(&t->keys[i], &err), 0);
		memcpy(t->peer[i].key, t->keys[i].public, KEY_SIZE);
		strcpy(t->peer[i].name, i ? "destination" : "source");
	}
	assert_int_equal(keypair_generate(&t->stranger, &err), 0);
	t->flip = -1;
	t->step = WORDS_MAX;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* Give @bytes to an end, as it asks for them; what it returned last. */
static int give(struct handshake *h, const uint8_t *data, size_t bytes,
		size_t step)
{
	size_t want, at = 0;
	uint8_t *room;
	int rc = 0;

	while (!rc && at < bytes) {
		room = handshake_room(h, &want);
		if (want > step)
			want = step;
		if (want > bytes - at)
			want = bytes - at;
		memcpy(room, data + at, want);
		at += want;
		rc = handshake_took(h, want);
	}
	return rc;
}

/* What @by has to say goes to the other end; false: nothing. */
static bool deliver(struct talk *t, int by)
{
	struct handshake *from = by ? &t->target : &t->source;
	struct handshake *to = by ? &t->source : &t->target;
	int *rc = by ? &t->source_rc : &t->target_rc;
	uint8_t *at = t->said[by] + t->bytes[by];
	size_t n = from->out_bytes;

	if (!n || to->step >= HANDSHAKE_DONE)
		return false;
	assert_true(t->bytes[by] + n <= WORDS_MAX);
	memcpy(at, from->out, n);
	from->out_bytes = 0;
	t->bytes[by] += n;
	if (t->flip_by == by && t->flip >= 0 &&
	    (size_t)t->flip < t->bytes[by] &&
	    (size_t)t->flip >= t->bytes[by] - n)
		t->said[by][t->flip] ^= 0x10;
	*rc = give(to, at, n, t->step);
	return true;
}

static void converse(struct talk *t)
{
	t->bytes[0] = t->bytes[1] = 0;
	t->source_rc = t->target_rc = 0;
	while (deliver(t, 0) || deliver(t, 1))
		;
}

static void begin_sealed(struct talk *t)
{
	assert_int_equal(handshake_connect(&t->source, &t->keys[0],
					   &t->peer[1]), 0);
	handshake_accept(&t->target, &t->keys[1], admit, t);
}

static void sealed(struct talk *t)
{
	begin_sealed(t);
	converse(t);
}

/* A frame from one end opens at the other. */
static void assert_speaks(struct session *from, struct session *to)
{
	uint8_t record[SEALED_OVERHEAD + sizeof(struct wire_frame)];
	size_t bytes;

	wire_frame_encode(record + SEALED_HEAD_BYTES, WIRE_GO, 0, 77);
	assert_int_equal(sealed_seal(&from->tx, record,
				     sizeof(struct wire_frame)), 0);
	assert_int_equal(sealed_frame_bytes(record, &bytes), 0);
	assert_int_equal(bytes, sizeof(struct wire_frame));
	assert_int_equal(sealed_open(&to->rx, record, bytes), 0);
}

static void assert_through(struct talk *t)
{
	assert_string_equal(t->source.err.text, "");
	assert_string_equal(t->target.err.text, "");
	assert_int_equal(t->source.step, HANDSHAKE_DONE);
	assert_int_equal(t->target.step, HANDSHAKE_DONE);
	assert_int_equal(t->target_rc, 1);
}

static void assert_target_refused(struct talk *t, int rc, const char *why)
{
	assert_int_equal(t->target.step, HANDSHAKE_FAILED);
	assert_int_equal(t->target_rc, rc);
	assert_non_null(strstr(t->target.err.text, why));
	assert_int_not_equal(t->source.step, HANDSHAKE_DONE);
}

static void both_ends_know_each_other_afterwards(void **state)
{
	struct talk *t = *state;

	sealed(t);
	assert_through(t);
	assert_true(t->source.session.sealed && t->target.session.sealed);
	assert_int_equal(t->source.session.version, WIRE_VERSION);
	assert_string_equal(t->source.session.peer.name, "destination");
	assert_string_equal(t->target.session.peer.name, "source");
	assert_int_equal(t->source.session.tx.cipher,
			 t->target.session.rx.cipher);
	assert_speaks(&t->source.session, &t->target.session);
	assert_speaks(&t->target.session, &t->source.session);
}

static void it_may_come_byte_by_byte(void **state)
{
	struct talk *t = *state;

	t->step = 1;
	sealed(t);
	assert_through(t);
}

static void two_handshakes_share_no_key(void **state)
{
	struct talk *t = *state;
	struct session first;
	uint8_t record[SEALED_OVERHEAD + sizeof(struct wire_frame)];

	sealed(t);
	assert_through(t);
	first = t->source.session;
	sealed(t);
	assert_through(t);
	wire_frame_encode(record + SEALED_HEAD_BYTES, WIRE_GO, 0, 1);
	assert_int_equal(sealed_seal(&first.tx, record,
				     sizeof(struct wire_frame)), 0);
	assert_int_equal(sealed_open(&t->target.session.rx, record,
				     sizeof(struct wire_frame)), -EBADMSG);
}

static void no_byte_can_be_changed_on_the_way(void **state)
{
	struct talk *t = *state;
	size_t bytes[2];

	sealed(t);
	assert_through(t);
	memcpy(bytes, t->bytes, sizeof(bytes));
	assert_int_equal(bytes[0], WIRE_PREFACE_BYTES + WIRE_ABILITIES_BYTES +
				   NOISE_MSG1_OVERHEAD +
				   SEALED_KEEPALIVE_BYTES);
	assert_int_equal(bytes[1], WIRE_PREFACE_BYTES + WIRE_ABILITIES_BYTES +
				   NOISE_MSG2_OVERHEAD);
	for (t->flip_by = 0; t->flip_by < 2; t->flip_by++)
		for (t->flip = 0; (size_t)t->flip < bytes[t->flip_by];
		     t->flip++) {
			sealed(t);
			/* the end that is lied to notices, or waits for more */
			if (t->flip_by)
				assert_int_not_equal(t->source.step,
						     HANDSHAKE_DONE);
			assert_int_not_equal(t->target.step, HANDSHAKE_DONE);
			assert_false(t->target_rc == 1);
		}
}

static void a_replayed_source_does_not_get_in(void **state)
{
	struct talk *t = *state;
	struct handshake again;

	sealed(t);
	assert_through(t);
	handshake_accept(&again, &t->keys[1], admit, t);
	assert_int_equal(give(&again, t->said[0], t->bytes[0], WORDS_MAX),
			 -EBADMSG);
	assert_non_null(strstr(again.err.text, "replay"));
	assert_int_equal(again.step, HANDSHAKE_FAILED);
}

static void a_replayed_destination_is_not_believed(void **state)
{
	struct talk *t = *state;
	struct handshake again;

	sealed(t);
	assert_through(t);
	assert_int_equal(handshake_connect(&again, &t->keys[0], &t->peer[1]),
			 0);
	assert_int_equal(give(&again, t->said[1], t->bytes[1], WORDS_MAX),
			 -EBADMSG);
}

static void a_source_without_an_entry_is_refused(void **state)
{
	struct talk *t = *state;

	assert_int_equal(handshake_connect(&t->source, &t->stranger,
					   &t->peer[1]), 0);
	handshake_accept(&t->target, &t->keys[1], admit, t);
	converse(t);
	assert_target_refused(t, -EACCES, "who are you?");
	/* which is our affair, not the stranger's */
	assert_int_equal(t->source_rc, -ECONNREFUSED);
	assert_null(strstr(t->source.err.text, "who are you?"));
}

static void a_revoked_key_is_refused(void **state)
{
	struct talk *t = *state;

	t->peer[0].revoked = true;
	sealed(t);
	assert_target_refused(t, -EACCES, "revoked");
}

static void a_source_with_the_wrong_key_of_ours_is_refused(void **state)
{
	struct talk *t = *state;

	memcpy(t->peer[1].key, t->stranger.public, KEY_SIZE);
	sealed(t);
	assert_target_refused(t, -EBADMSG, "not for this host's key");
	assert_int_equal(t->source_rc, -ECONNREFUSED);
}

static void a_destination_that_lacks_its_key_is_noticed(void **state)
{
	struct talk *t = *state;
	struct handshake fake;
	struct preface p = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.mode = WIRE_MODE_SEALED, .status = WIRE_STATUS_OK,
		.length = WIRE_ABILITIES_BYTES + NOISE_MSG2_OVERHEAD,
	};
	uint8_t answer[WIRE_PREFACE_BYTES + WIRE_ABILITIES_BYTES +
		       NOISE_MSG2_OVERHEAD];

	assert_int_equal(handshake_connect(&fake, &t->keys[0], &t->peer[1]),
			 0);
	memset(answer, 9, sizeof(answer));
	preface_encode(answer, &p);
	assert_int_equal(give(&fake, answer, sizeof(answer), WORDS_MAX),
			 -EBADMSG);
}

static void plain_needs_both_ends_to_say_so(void **state)
{
	struct talk *t = *state;

	assert_int_equal(handshake_connect(&t->source, NULL, NULL), 0);
	handshake_accept(&t->target, NULL, NULL, NULL);
	converse(t);
	assert_through(t);
	assert_false(t->source.session.sealed || t->target.session.sealed);

	assert_int_equal(handshake_connect(&t->source, NULL, NULL), 0);
	handshake_accept(&t->target, &t->keys[1], admit, t);
	converse(t);
	assert_target_refused(t, -EACCES, "--insecure");
	assert_int_equal(t->source_rc, -ECONNREFUSED);
	assert_non_null(strstr(t->source.err.text, "leave out --insecure"));

	assert_int_equal(handshake_connect(&t->source, &t->keys[0],
					   &t->peer[1]), 0);
	handshake_accept(&t->target, NULL, NULL, NULL);
	converse(t);
	assert_target_refused(t, -EACCES, "--insecure");
	assert_int_equal(t->source_rc, -ECONNREFUSED);
}

static void an_older_or_newer_release_is_told_the_remedy(void **state)
{
	struct talk *t = *state;
	struct preface p = {
		.version = WIRE_VERSION + 2, .version_min = WIRE_VERSION + 1,
		.mode = 7, .status = 7,
	};
	uint8_t words[WIRE_PREFACE_BYTES];

	preface_encode(words, &p);
	begin_sealed(t);
	assert_int_equal(give(&t->target, words, sizeof(words), WORDS_MAX),
			 -EPROTONOSUPPORT);
	assert_non_null(strstr(t->target.err.text, "same release"));
	assert_true(t->target.out_bytes > WIRE_PREFACE_BYTES);
	assert_int_equal(give(&t->source, words, sizeof(words), WORDS_MAX),
			 -EPROTONOSUPPORT);
	assert_non_null(strstr(t->source.err.text, "same release"));
}

static void a_refusal_is_shown_without_its_control_characters(void **state)
{
	struct talk *t = *state;
	struct preface p = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.mode = WIRE_MODE_SEALED, .status = WIRE_STATUS_REFUSED,
		.length = 6,
	};
	uint8_t words[WIRE_PREFACE_BYTES + 6] = { 0 };

	preface_encode(words, &p);
	memcpy(words + WIRE_PREFACE_BYTES, "no\033[2J", 6);
	begin_sealed(t);
	assert_int_equal(give(&t->source, words, sizeof(words), WORDS_MAX),
			 -ECONNREFUSED);
	assert_non_null(strstr(t->source.err.text, "no?[2J"));
}

static void a_refusal_without_end_is_not_waited_for(void **state)
{
	struct talk *t = *state;
	struct preface p = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.mode = WIRE_MODE_SEALED, .status = WIRE_STATUS_REFUSED,
		.length = WIRE_REFUSAL_MAX + 1,
	};
	uint8_t words[WIRE_PREFACE_BYTES];

	preface_encode(words, &p);
	begin_sealed(t);
	assert_int_equal(give(&t->source, words, sizeof(words), WORDS_MAX),
			 -EPROTO);
}

static void no_secret_stays_behind(void **state)
{
	struct talk *t = *state;
	static const struct session nothing;

	t->peer[0].revoked = true;
	sealed(t);
	assert_int_equal(t->target.step, HANDSHAKE_FAILED);
	assert_memory_equal(&t->target.session, &nothing, sizeof(nothing));
	assert_int_equal(t->target.noise.step, NOISE_OVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_know_each_other_afterwards),
		TEST(it_may_come_byte_by_byte),
		TEST(two_handshakes_share_no_key),
		TEST(no_byte_can_be_changed_on_the_way),
		TEST(a_replayed_source_does_not_get_in),
		TEST(a_replayed_destination_is_not_believed),
		TEST(a_source_without_an_entry_is_refused),
		TEST(a_revoked_key_is_refused),
		TEST(a_source_with_the_wrong_key_of_ours_is_refused),
		TEST(a_destination_that_lacks_its_key_is_noticed),
		TEST(plain_needs_both_ends_to_say_so),
		TEST(an_older_or_newer_release_is_told_the_remedy),
		TEST(a_refusal_is_shown_without_its_control_characters),
		TEST(a_refusal_without_end_is_not_waited_for),
		TEST(no_secret_stays_behind),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
