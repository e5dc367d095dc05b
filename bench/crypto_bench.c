// SPDX-License-Identifier: GPL-2.0
/*
 * What encryption costs: the record layer beside libsodium's AEAD over the same
 * bytes, and the CPU time of a handshake at each end.
 *
 * Prints a line each; with a file's name as argument, writes the numbers there
 * as JSON.  Exit code 1: a ratio is above RATIO_MAX, or a handshake takes more
 * than HANDSHAKE_MAX_NS.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/noise.h"
#include "crypto/record.h"
#include "measure.h"

#define ROUNDS 31
#define HANDSHAKES 101
#define RATIO_MAX 1.3
#define HANDSHAKE_MAX_NS 5000000
/* Bytes of a round: more than a cache has. */
#define ROUND_BYTES (64U << 20)
#define HEADER_BYTES 4

static const uint8_t secret[RECORD_SECRET_SIZE] = "measured, not kept";

/* struct load - Records of @record bytes, ROUND_BYTES in all. */
struct load {
	enum record_cipher cipher;
	size_t record;
	uint8_t *data;
	struct record_key tx, rx;
	crypto_aead_aes256gcm_state aes;
	uint64_t nonce;
};

static void fail(const char *what)
{
	fprintf(stderr, "crypto_bench: %s\n", what);
	exit(2);
}

static void run_records(void *arg)
{
	uint8_t header[HEADER_BYTES] = { 0 }, tag[RECORD_TAG_SIZE];
	struct load *l = arg;
	size_t at;

	for (at = 0; at < ROUND_BYTES; at += l->record)
		if (record_seal(&l->tx, header, sizeof(header), l->data + at,
				l->record, tag) ||
		    record_open(&l->rx, header, sizeof(header), l->data + at,
				l->record, tag))
			fail("a record doesn't open");
}

static int raw_aes(struct load *l, uint8_t *data, const uint8_t *nonce)
{
	uint8_t tag[RECORD_TAG_SIZE];

	crypto_aead_aes256gcm_encrypt_detached_afternm(
		data, tag, NULL, data, l->record, NULL, 0, NULL, nonce,
		&l->aes);
	return crypto_aead_aes256gcm_decrypt_detached_afternm(
		data, NULL, data, l->record, tag, NULL, 0, nonce, &l->aes);
}

static int raw_xchacha(struct load *l, uint8_t *data, const uint8_t *nonce)
{
	uint8_t tag[RECORD_TAG_SIZE];

	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
		data, tag, NULL, data, l->record, NULL, 0, NULL, nonce,
		secret);
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
		data, NULL, data, l->record, tag, NULL, 0, nonce, secret);
}

static void run_raw(void *arg)
{
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = { 0 };
	struct load *l = arg;
	size_t at;

	for (at = 0; at < ROUND_BYTES; at += l->record) {
		l->nonce++;
		memcpy(nonce, &l->nonce, sizeof(l->nonce));
		if (l->cipher == RECORD_AES256GCM ?
		    raw_aes(l, l->data + at, nonce) :
		    raw_xchacha(l, l->data + at, nonce))
			fail("libsodium's AEAD doesn't open its own");
	}
}

static void load_init(struct load *l, enum record_cipher cipher,
		      size_t record, uint8_t *data)
{
	*l = (struct load){ .cipher = cipher, .record = record, .data = data };
	if (record_init(&l->tx, cipher, secret, "bench", 0) ||
	    record_init(&l->rx, cipher, secret, "bench", 0))
		fail("no such cipher");
	if (cipher == RECORD_AES256GCM)
		crypto_aead_aes256gcm_beforenm(&l->aes, secret);
}

static bool bench_records(enum record_cipher cipher, size_t record,
			  uint8_t *data, json_t *results)
{
	struct load ours, raw;
	struct measured m[] = {
		{ .name = "records", .run = run_records, .arg = &ours },
		{ .name = "libsodium", .run = run_raw, .arg = &raw },
	};
	double ratio;

	load_init(&ours, cipher, record, data);
	load_init(&raw, cipher, record, data);
	if (measure(m, 2, ROUNDS))
		fail("no memory");
	ratio = (double)m[0].median_ns / m[1].median_ns;
	printf("%-18s %4zu KiB records: %.3f ns a byte, libsodium %.3f: ratio %.3f (at most %.1f)\n",
	       record_cipher_name(cipher), record >> 10,
	       (double)m[0].median_ns / ROUND_BYTES,
	       (double)m[1].median_ns / ROUND_BYTES, ratio, RATIO_MAX);
	json_array_append_new(results, json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:f}",
		"cipher", record_cipher_name(cipher),
		"record-bytes", (json_int_t)record,
		"bytes", (json_int_t)ROUND_BYTES,
		"records-ns", (json_int_t)m[0].median_ns,
		"libsodium-ns", (json_int_t)m[1].median_ns, "ratio", ratio));
	return ratio <= RATIO_MAX;
}

/* One handshake; the CPU time of each end. */
static void handshake(const struct keypair *i_key, const struct keypair *r_key,
		      uint64_t *i_ns, uint64_t *r_ns)
{
	uint8_t msg[256], got[256];
	uint64_t t[4];
	struct noise_session s;
	struct noise i, r;
	size_t bytes;
	int ret;

	t[0] = cpu_ns();
	ret = noise_init(&i, true, i_key, r_key->public, "bench", 5);
	ret |= noise_write(&i, "hello", 5, msg, sizeof(msg), &bytes);
	t[1] = cpu_ns();
	ret |= noise_init(&r, false, r_key, NULL, "bench", 5);
	ret |= noise_read(&r, msg, bytes, got, sizeof(got), &bytes);
	ret |= noise_write(&r, "hello", 5, msg, sizeof(msg), &bytes);
	ret |= noise_split(&r, &s);
	t[2] = cpu_ns();
	ret |= noise_read(&i, msg, bytes, got, sizeof(got), &bytes);
	ret |= noise_split(&i, &s);
	t[3] = cpu_ns();
	if (ret)
		fail("the handshake fails");
	*i_ns = t[1] - t[0] + t[3] - t[2];
	*r_ns = t[2] - t[1];
}

static bool bench_handshake(json_t *result)
{
	uint64_t i_ns[HANDSHAKES], r_ns[HANDSHAKES], i_median, r_median;
	struct keypair i_key, r_key;
	unsigned int n;

	if (keypair_generate(&i_key, NULL) || keypair_generate(&r_key, NULL))
		fail("no random numbers");
	for (n = 0; n < HANDSHAKES; n++)
		handshake(&i_key, &r_key, &i_ns[n], &r_ns[n]);
	i_median = median(i_ns, HANDSHAKES);
	r_median = median(r_ns, HANDSHAKES);
	printf("handshake: initiator %.3f ms, responder %.3f ms of CPU (at most %d)\n",
	       i_median / 1e6, r_median / 1e6, HANDSHAKE_MAX_NS / 1000000);
	json_object_set_new(result, "handshake", json_pack(
		"{s:I, s:I}", "initiator-ns", (json_int_t)i_median,
		"responder-ns", (json_int_t)r_median));
	return i_median <= HANDSHAKE_MAX_NS && r_median <= HANDSHAKE_MAX_NS;
}

static bool bench_all_records(json_t *result)
{
	static const enum record_cipher ciphers[] = {
		RECORD_AES256GCM, RECORD_XCHACHA20,
	};
	static const size_t sizes[] = { 1U << 20, 2U << 20 };
	json_t *results = json_array();
	uint8_t *data = malloc(ROUND_BYTES);
	bool good = true;
	size_t c, s;

	if (!data)
		fail("no memory");
	randombytes_buf(data, ROUND_BYTES);
	for (c = 0; c < 2; c++)
		for (s = 0; s < 2; s++)
			if (record_ciphers() & RECORD_CIPHER_BIT(ciphers[c]) &&
			    !bench_records(ciphers[c], sizes[s], data, results))
				good = false;
	free(data);
	json_object_set_new(result, "records", results);
	return good;
}

int main(int argc, char **argv)
{
	json_t *result = json_object();
	bool good;

	if (sodium_init() < 0)
		fail("libsodium has no random numbers");
	good = bench_all_records(result);
	good &= bench_handshake(result);
	if (argc > 1 && json_dump_file(result, argv[1], JSON_INDENT(2)))
		fail("can't write the result");
	json_decref(result);
	return good ? 0 : 1;
}
