// SPDX-License-Identifier: GPL-2.0
/*
 * What encryption costs a channel: the CPU time, both ends and the kernel's part
 * together, that it needs more when it is sealed, beside libsodium's own AEAD
 * over the same bytes.  All in one run, interleaved, medians; the ratios hold on
 * other machines, the times do not.
 *
 *   channel_bench [RESULT.json]
 */
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "transport/channel.h"
#include "transport/session.h"
#include "wire/frame.h"

#define FRAMES 200
#define PAYLOAD (WIRE_BATCH_PAGES * 4096)
#define RUNS 9

/** struct costs - CPU ms of each run, for FRAMES frames. */
struct costs {
	double plain[RUNS];
	double sealed[RUNS];
	double raw[RUNS];
};

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "channel_bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *drain(void *arg)
{
	struct channel *ch = arg;
	struct frame_in in;
	int i;

	for (i = 0; i < FRAMES; i++)
		if (channel_recv(ch, &in, true))
			die("receiving failed");
	return NULL;
}

static void make_session(struct session *s, enum record_cipher cipher,
			 bool sealed, bool first)
{
	static const uint8_t secret[2][RECORD_SECRET_SIZE] = { { 1 }, { 2 } };

	memset(s, 0, sizeof(*s));
	s->sealed = sealed;
	if (record_init(&s->tx, cipher, secret[first], "bench", 0) ||
	    record_init(&s->rx, cipher, secret[!first], "bench", 0))
		die("no such cipher here");
}

/* CPU of sending FRAMES frames through a channel, both ends. */
static double channel_cost(enum record_cipher cipher, bool sealed)
{
	struct channel *ch[2];
	struct session s;
	pthread_t thread;
	double began;
	void *room;
	int i, fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		die("no sockets");
	for (i = 0; i < 2; i++) {
		make_session(&s, cipher, sealed, i);
		if (channel_open(&ch[i], fd[i], &s, -1, 10000000000ULL, NULL))
			die("no channel");
	}
	began = cpu_ms();
	if (pthread_create(&thread, NULL, drain, ch[1]))
		die("no thread");
	for (i = 0; i < FRAMES; i++) {
		if (channel_payload(ch[0], &room))
			die("sending failed");
		memset(room, i, PAYLOAD);
		if (channel_send(ch[0], WIRE_PAGES, PAYLOAD))
			die("sending failed");
	}
	if (channel_flush(ch[0]))
		die("sending failed");
	pthread_join(thread, NULL);
	began = cpu_ms() - began;
	channel_close(ch[0]);
	channel_close(ch[1]);
	return began;
}

/* CPU of libsodium's AEAD alone over as many bytes, sealing and opening. */
static double raw_cost(enum record_cipher cipher)
{
	static uint8_t data[PAYLOAD + 16], nonce[24], key[32];
	crypto_aead_aes256gcm_state aes;
	double began;
	int i, rc = 0;

	if (cipher == RECORD_AES256GCM)
		crypto_aead_aes256gcm_beforenm(&aes, key);
	began = cpu_ms();
	for (i = 0; i < FRAMES && !rc; i++) {
		nonce[0] = i;
		if (cipher == RECORD_AES256GCM) {
			crypto_aead_aes256gcm_encrypt_afternm(
				data, NULL, data, PAYLOAD, NULL, 0, NULL,
				nonce, &aes);
			rc = crypto_aead_aes256gcm_decrypt_afternm(
				data, NULL, NULL, data, sizeof(data), NULL, 0,
				nonce, &aes);
		} else {
			crypto_aead_xchacha20poly1305_ietf_encrypt(
				data, NULL, data, PAYLOAD, NULL, 0, NULL,
				nonce, key);
			rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
				data, NULL, NULL, data, sizeof(data), NULL, 0,
				nonce, key);
		}
	}
	if (rc)
		die("the AEAD failed");
	return cpu_ms() - began;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, RUNS, sizeof(*v), compare);
	return v[RUNS / 2];
}

/* The ratio: what sealing adds, of the AEAD alone.  Pairs of one moment. */
static double measure(enum record_cipher cipher, struct costs *c)
{
	double ratio[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		c->plain[i] = channel_cost(cipher, false);
		c->raw[i] = raw_cost(cipher);
		c->sealed[i] = channel_cost(cipher, true);
		ratio[i] = (c->sealed[i] - c->plain[i]) / c->raw[i];
	}
	return median(ratio);
}

int main(int argc, char **argv)
{
	static const enum record_cipher ciphers[] = { RECORD_AES256GCM,
						      RECORD_XCHACHA20 };
	FILE *json = argc > 1 ? fopen(argv[1], "w") : NULL;
	const char *comma = "";
	struct costs c;
	double ratio;
	size_t i;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	printf("%d frames of %d KiB, medians of %d interleaved runs, CPU of both ends\n",
	       FRAMES, PAYLOAD / 1024, RUNS);
	printf("%-22s %10s %10s %10s %18s\n", "cipher", "plain ms", "sealed ms",
	       "AEAD ms", "added / AEAD alone");
	if (json)
		fprintf(json, "{\"ciphers\": {");
	for (i = 0; i < 2; i++) {
		const char *name = record_cipher_name(ciphers[i]);

		if (!(record_ciphers() & RECORD_CIPHER_BIT(ciphers[i]))) {
			printf("%-22s not done by this CPU\n", name);
			continue;
		}
		ratio = measure(ciphers[i], &c);
		printf("%-22s %10.1f %10.1f %10.1f %18.2f\n", name,
		       median(c.plain), median(c.sealed), median(c.raw),
		       ratio);
		if (json)
			fprintf(json, "%s\"%s\": {\"added_of_aead\": %.3f}",
				comma, name, ratio);
		comma = ", ";
	}
	if (json)
		fprintf(json, "}}\n");
	return json && fclose(json) ? EXIT_FAILURE : EXIT_SUCCESS;
}
