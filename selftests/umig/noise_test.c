// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake: other people's numbers for this suite come out, and whatever
 * isn't what an honest peer sends ends it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/noise.h"

#define ROOM 256

/*
 * A vector for this suite from noise-c's tests (noise-c-basic.txt), which other
 * implementations carry as well; hexadecimal.
 */
#define PROLOGUE "Prologue123"
#define INIT_STATIC \
	"e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"
#define INIT_EPHEMERAL \
	"893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
#define RESP_STATIC \
	"4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"
#define RESP_STATIC_PUBLIC \
	"31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62"
#define RESP_EPHEMERAL \
	"bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"

static const char *const payload[] = {
	"Ludwig von Mises", "Murray Rothbard", "F. A. Hayek", "Carl Menger",
	"Jean-Baptiste Say", "Eugen B\xf6hm von Bawerk",
};

static const char hash_hex[] =
	"00e51d2aac81a9b8ebe441d6af3e1c8efc0f030cc608332edcb42588ff6a0ce2"
	"6415ddc106e95277a5e6d54132f1e5245976b89caf96d262f1fe5a7f0c55c078";
static const char message1_hex[] =
	"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
	"ba83a447b38c83e327ad936929812f624884847b7831e95e197b2f797088efdd"
	"232fe541af156ec6d0657602902a8c3e"
	"e64e470f4b6fcd9298ce0b56fe20f86e60d9d933ec6e103ffb09e6001d6abb64";
static const char message2_hex[] =
	"95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
	"9f069b267a06b3de3ecb1043bcb09807c6cd101f3826192a65f11ef3fe4317";
/* sealed with the split's keys, by turns, the initiator first */
static const char *const transport_hex[] = {
	"cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07",
	"a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2",
	"49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8a8b60586467aa02fc7",
	"8b9709d23b47e4639df7678d7a21741eba4ef1e9c60383001c7435549c20f9d5"
	"6f30e935d3",
};

/* struct ends - Both ends and what is on its way between them. */
struct ends {
	struct keypair i_key, r_key;
	struct noise i, r;
	uint8_t msg[ROOM];
	size_t bytes;
	uint8_t got[ROOM];
	size_t got_bytes;
};

static size_t unhex(uint8_t *to, const char *hex)
{
	size_t got;

	assert_int_equal(sodium_hex2bin(to, ROOM, hex, strlen(hex), NULL, &got,
					NULL), 0);
	return got;
}

static void key_of(struct keypair *kp, const char *hex)
{
	uint8_t secret[ROOM];

	assert_int_equal(unhex(secret, hex), KEY_SIZE);
	keypair_from_secret(kp, secret);
}

static void begin_with(struct ends *e, const char *i_prologue,
		       const char *r_prologue)
{
	assert_int_equal(noise_init(&e->i, true, &e->i_key, e->r_key.public,
				    i_prologue, strlen(i_prologue)), 0);
	assert_int_equal(noise_init(&e->r, false, &e->r_key, NULL, r_prologue,
				    strlen(r_prologue)), 0);
}

static void begin(struct ends *e)
{
	assert_int_equal(keypair_generate(&e->i_key, NULL), 0);
	assert_int_equal(keypair_generate(&e->r_key, NULL), 0);
	begin_with(e, PROLOGUE, PROLOGUE);
}

static int write_msg(struct ends *e, struct noise *n, const char *text)
{
	return noise_write(n, text, strlen(text), e->msg, ROOM, &e->bytes);
}

static int read_msg(struct ends *e, struct noise *n)
{
	return noise_read(n, e->msg, e->bytes, e->got, ROOM, &e->got_bytes);
}

static void assert_got(const struct ends *e, const char *text)
{
	assert_int_equal(e->got_bytes, strlen(text));
	assert_memory_equal(e->got, text, strlen(text));
}

static void assert_msg(const struct ends *e, const char *hex)
{
	uint8_t want[ROOM];

	assert_int_equal(e->bytes, unhex(want, hex));
	assert_memory_equal(e->msg, want, e->bytes);
}

/* Nothing is left in @n and it does nothing any more. */
static void assert_over(struct noise *n)
{
	struct noise wiped = { 0 };
	uint8_t buf[ROOM];
	size_t bytes;

	wiped.step = NOISE_OVER;
	assert_memory_equal(n, &wiped, sizeof(*n));
	assert_int_equal(noise_write(n, "", 0, buf, ROOM, &bytes), -EPROTO);
	assert_int_equal(noise_read(n, buf, ROOM, buf, ROOM, &bytes), -EPROTO);
	assert_int_equal(noise_split(n, &(struct noise_session){ 0 }), -EPROTO);
}

static void check_transport(const struct noise_session *i, unsigned int at)
{
	const char *text = payload[2 + at];
	uint8_t want[ROOM], sealed[ROOM], nonce[12] = { 0 };
	unsigned long long bytes;

	nonce[4] = at / 2;
	crypto_aead_chacha20poly1305_ietf_encrypt(
		sealed, &bytes, (const uint8_t *)text, strlen(text), NULL, 0,
		NULL, nonce, at % 2 ? i->recv : i->send);
	assert_int_equal(bytes, unhex(want, transport_hex[at]));
	assert_memory_equal(sealed, want, bytes);
}

static void published_numbers_come_out(void **state)
{
	struct keypair i_eph, r_eph;
	struct noise_session i, r;
	uint8_t want[ROOM];
	struct ends e;
	unsigned int at;

	(void)state;
	key_of(&e.i_key, INIT_STATIC);
	key_of(&e.r_key, RESP_STATIC);
	key_of(&i_eph, INIT_EPHEMERAL);
	key_of(&r_eph, RESP_EPHEMERAL);
	unhex(want, RESP_STATIC_PUBLIC);
	assert_memory_equal(e.r_key.public, want, KEY_SIZE);
	noise_init_ephemeral(&e.i, true, &e.i_key, e.r_key.public, PROLOGUE,
			     strlen(PROLOGUE), &i_eph);
	noise_init_ephemeral(&e.r, false, &e.r_key, NULL, PROLOGUE,
			     strlen(PROLOGUE), &r_eph);
	assert_int_equal(write_msg(&e, &e.i, payload[0]), 0);
	assert_msg(&e, message1_hex);
	assert_int_equal(read_msg(&e, &e.r), 0);
	assert_got(&e, payload[0]);
	assert_memory_equal(e.r.peer_public, e.i_key.public, KEY_SIZE);
	assert_int_equal(write_msg(&e, &e.r, payload[1]), 0);
	assert_msg(&e, message2_hex);
	assert_int_equal(read_msg(&e, &e.i), 0);
	assert_got(&e, payload[1]);
	assert_int_equal(noise_split(&e.i, &i), 0);
	assert_int_equal(noise_split(&e.r, &r), 0);
	unhex(want, hash_hex);
	assert_memory_equal(i.id, want, sizeof(i.id));
	assert_memory_equal(r.id, want, sizeof(r.id));
	assert_memory_equal(i.send, r.recv, KEY_SIZE);
	assert_memory_equal(i.recv, r.send, KEY_SIZE);
	for (at = 0; at < 4; at++)
		check_transport(&i, at);
}

static void shake(struct ends *e, struct noise_session *i,
		  struct noise_session *r)
{
	assert_int_equal(write_msg(e, &e->i, ""), 0);
	assert_int_equal(e->bytes, NOISE_MSG1_OVERHEAD);
	assert_int_equal(read_msg(e, &e->r), 0);
	assert_got(e, "");
	assert_int_equal(write_msg(e, &e->r, ""), 0);
	assert_int_equal(e->bytes, NOISE_MSG2_OVERHEAD);
	assert_int_equal(read_msg(e, &e->i), 0);
	assert_int_equal(noise_split(&e->i, i), 0);
	assert_int_equal(noise_split(&e->r, r), 0);
}

static void no_two_sessions_are_alike(void **state)
{
	struct noise_session i, r, i2, r2;
	struct ends e;

	(void)state;
	begin(&e);
	shake(&e, &i, &r);
	assert_over(&e.i);
	assert_over(&e.r);
	assert_memory_equal(i.send, r.recv, KEY_SIZE);
	assert_memory_equal(i.recv, r.send, KEY_SIZE);
	assert_memory_equal(i.id, r.id, sizeof(i.id));
	assert_memory_not_equal(i.send, i.recv, KEY_SIZE);
	begin_with(&e, PROLOGUE, PROLOGUE);
	shake(&e, &i2, &r2);
	assert_memory_not_equal(i.send, i2.send, KEY_SIZE);
	assert_memory_not_equal(i.recv, i2.recv, KEY_SIZE);
	assert_memory_not_equal(i.id, i2.id, sizeof(i.id));
}

static void the_largest_payload(void **state)
{
	static uint8_t big[NOISE_PAYLOAD_MAX + 1], msg[NOISE_MESSAGE_MAX],
		got[NOISE_PAYLOAD_MAX];
	struct ends e;
	size_t bytes;

	(void)state;
	begin(&e);
	memset(big, 0x5a, sizeof(big));
	assert_int_equal(noise_write(&e.i, big, NOISE_PAYLOAD_MAX + 1, msg,
				     SIZE_MAX, &bytes), -EMSGSIZE);
	assert_int_equal(noise_write(&e.i, big, NOISE_PAYLOAD_MAX, msg,
				     sizeof(msg) - 1, &bytes), -EMSGSIZE);
	/* neither was an end */
	assert_int_equal(noise_write(&e.i, big, NOISE_PAYLOAD_MAX, msg,
				     sizeof(msg), &bytes), 0);
	assert_int_equal(bytes, NOISE_MESSAGE_MAX);
	assert_int_equal(noise_read(&e.r, msg, bytes, got, sizeof(got),
				    &bytes), 0);
	assert_int_equal(bytes, NOISE_PAYLOAD_MAX);
	assert_memory_equal(got, big, bytes);
}

static void a_payload_without_room(void **state)
{
	struct ends e;

	(void)state;
	begin(&e);
	write_msg(&e, &e.i, "four");
	assert_int_equal(noise_read(&e.r, e.msg, e.bytes, e.got, 3,
				    &e.got_bytes), -EMSGSIZE);
	assert_over(&e.r);
}

static void the_wrong_responder(void **state)
{
	struct keypair other;
	struct ends e;

	(void)state;
	begin(&e);
	keypair_generate(&other, NULL);
	write_msg(&e, &e.i, "hello");
	noise_init(&e.r, false, &other, NULL, PROLOGUE, strlen(PROLOGUE));
	assert_int_equal(read_msg(&e, &e.r), -EBADMSG);
	assert_over(&e.r);
}

/* Somebody in the middle answers with a key of his own. */
static void an_impostor_answers(void **state)
{
	struct keypair other;
	struct ends e, mallory;

	(void)state;
	begin(&e);
	keypair_generate(&other, NULL);
	write_msg(&e, &e.i, "");
	mallory.i_key = e.i_key;
	mallory.r_key = other;
	begin_with(&mallory, PROLOGUE, PROLOGUE);
	write_msg(&mallory, &mallory.i, "");
	assert_int_equal(read_msg(&mallory, &mallory.r), 0);
	write_msg(&mallory, &mallory.r, "");
	memcpy(e.msg, mallory.msg, mallory.bytes);
	e.bytes = mallory.bytes;
	assert_int_equal(read_msg(&e, &e.i), -EBADMSG);
	assert_over(&e.i);
}

static void another_prologue(void **state)
{
	struct ends e;

	(void)state;
	begin(&e);
	begin_with(&e, "version 1", "version 2");
	write_msg(&e, &e.i, "hello");
	assert_int_equal(read_msg(&e, &e.r), -EBADMSG);
	assert_over(&e.r);
}

/* Every byte of message 1 counts, and of message 2. */
static void any_changed_byte(void **state)
{
	struct noise fresh_r, fresh_i;
	struct ends e;
	size_t at;

	(void)state;
	begin(&e);
	write_msg(&e, &e.i, "hello");
	fresh_r = e.r;
	for (at = 0; at < e.bytes; at++) {
		e.r = fresh_r;
		e.msg[at] ^= 1 << at % 7;
		assert_int_equal(read_msg(&e, &e.r), -EBADMSG);
		assert_over(&e.r);
		e.msg[at] ^= 1 << at % 7;
	}
	e.r = fresh_r;
	assert_int_equal(read_msg(&e, &e.r), 0);
	write_msg(&e, &e.r, "hello yourself");
	fresh_i = e.i;
	for (at = 0; at < e.bytes; at++) {
		e.i = fresh_i;
		e.msg[at] ^= 1 << at % 7;
		assert_int_equal(read_msg(&e, &e.i), -EBADMSG);
		assert_over(&e.i);
		e.msg[at] ^= 1 << at % 7;
	}
	e.i = fresh_i;
	assert_int_equal(read_msg(&e, &e.i), 0);
	assert_got(&e, "hello yourself");
}

static void any_other_length(void **state)
{
	struct noise fresh_r, fresh_i;
	size_t whole, cut;
	struct ends e = { 0 };

	(void)state;
	begin(&e);
	write_msg(&e, &e.i, "hello");
	fresh_r = e.r;
	whole = e.bytes;
	for (cut = 0; cut < whole + 2; cut++) {
		e.r = fresh_r;
		e.bytes = cut;
		assert_int_equal(read_msg(&e, &e.r),
				 cut == whole ? 0 : -EBADMSG);
	}
	e.r = fresh_r;
	e.bytes = whole;
	read_msg(&e, &e.r);
	write_msg(&e, &e.r, "hello");
	fresh_i = e.i;
	whole = e.bytes;
	for (cut = 0; cut < whole + 2; cut++) {
		e.i = fresh_i;
		e.bytes = cut;
		assert_int_equal(read_msg(&e, &e.i),
				 cut == whole ? 0 : -EBADMSG);
	}
	e.i = fresh_i;
	e.bytes = NOISE_MESSAGE_MAX + 1;
	assert_int_equal(read_msg(&e, &e.i), -EBADMSG);
}

/* Points whose multiples anybody knows: 0, 1, and one of order 8. */
static void keys_of_small_order(void **state)
{
	static const char *const point[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	uint8_t bad[ROOM];
	struct ends e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(point) / sizeof(point[0]); i++) {
		unhex(bad, point[i]);
		begin(&e);
		write_msg(&e, &e.i, "");
		memcpy(e.msg, bad, KEY_SIZE);
		assert_int_equal(read_msg(&e, &e.r), -EBADMSG);
		assert_over(&e.r);

		begin(&e);
		write_msg(&e, &e.i, "");
		read_msg(&e, &e.r);
		write_msg(&e, &e.r, "");
		memcpy(e.msg, bad, KEY_SIZE);
		assert_int_equal(read_msg(&e, &e.i), -EBADMSG);
		assert_over(&e.i);

		/* as the responder's static key */
		noise_init(&e.i, true, &e.i_key, bad, "", 0);
		assert_int_equal(write_msg(&e, &e.i, ""), -EBADMSG);
		assert_over(&e.i);

		/* as the initiator's, which message 1 seals */
		begin(&e);
		memcpy(e.i.own.public, bad, KEY_SIZE);
		write_msg(&e, &e.i, "");
		assert_int_equal(read_msg(&e, &e.r), -EBADMSG);
		assert_over(&e.r);
	}
}

/* A replay is not seen in message 1, and of no use to who replays it. */
static void a_replayed_first_message(void **state)
{
	struct noise_session i, r, r2;
	struct ends e, again;

	(void)state;
	begin(&e);
	write_msg(&e, &e.i, "hello");
	again = e;
	begin_with(&again, PROLOGUE, PROLOGUE);
	memcpy(again.msg, e.msg, e.bytes);
	again.bytes = e.bytes;
	read_msg(&e, &e.r);
	write_msg(&e, &e.r, "");
	assert_int_equal(read_msg(&e, &e.i), 0);
	noise_split(&e.i, &i);
	noise_split(&e.r, &r);
	assert_int_equal(read_msg(&again, &again.r), 0);
	write_msg(&again, &again.r, "");
	noise_split(&again.r, &r2);
	assert_memory_not_equal(r2.recv, r.recv, KEY_SIZE);
	assert_memory_not_equal(r2.send, r.send, KEY_SIZE);
	/* nor does the answer fit another first message */
	assert_int_equal(read_msg(&again, &again.i), -EPROTO);
	noise_write(&again.i, "", 0, e.msg, ROOM, &e.bytes);
	assert_int_equal(read_msg(&again, &again.i), -EBADMSG);
}

static void each_has_its_turn(void **state)
{
	struct noise_session s;
	struct ends e;

	(void)state;
	begin(&e);
	assert_int_equal(read_msg(&e, &e.i), -EPROTO);
	assert_int_equal(write_msg(&e, &e.r, ""), -EPROTO);
	assert_int_equal(noise_split(&e.i, &s), -EPROTO);
	assert_int_equal(write_msg(&e, &e.i, ""), 0);
	assert_int_equal(write_msg(&e, &e.i, ""), -EPROTO);
	assert_int_equal(noise_split(&e.i, &s), -EPROTO);
	assert_int_equal(read_msg(&e, &e.r), 0);
	assert_int_equal(read_msg(&e, &e.r), -EPROTO);
	assert_int_equal(noise_split(&e.r, &s), -EPROTO);
	noise_wipe(&e.r);
	noise_wipe(&e.r);
	assert_over(&e.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_numbers_come_out),
		cmocka_unit_test(no_two_sessions_are_alike),
		cmocka_unit_test(the_largest_payload),
		cmocka_unit_test(a_payload_without_room),
		cmocka_unit_test(the_wrong_responder),
		cmocka_unit_test(an_impostor_answers),
		cmocka_unit_test(another_prologue),
		cmocka_unit_test(any_changed_byte),
		cmocka_unit_test(any_other_length),
		cmocka_unit_test(keys_of_small_order),
		cmocka_unit_test(a_replayed_first_message),
		cmocka_unit_test(each_has_its_turn),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
