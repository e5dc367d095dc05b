// SPDX-License-Identifier: GPL-2.0
/*
 * The peers file: what it says is known, what it doesn't say clearly is
 * refused with its line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/peers.h"

#define KEY_A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define KEY_C "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
#define KEY_0 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static int parse(struct peers *p, const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return peers_parse(p, text, strlen(text), "peers", err);
}

static void parsed(struct peers *p, const char *text)
{
	struct err err;
	int ret = parse(p, text, &err);

	if (ret)
		print_error("%s\n", err.text);
	assert_int_equal(ret, 0);
}

static void what_a_line_says(void **state)
{
	static const uint8_t key_a[KEY_SIZE] = {
		[0 ... KEY_SIZE - 1] = 1
	};
	const struct peer *a, *b;
	struct peers p;

	(void)state;
	parsed(&p,
	       "# our hosts\n"
	       "\n"
	       "alpha " KEY_A "\n"
	       "\tbeta\t" KEY_B " address=Beta.Example.ORG from=192.0.2.0/24,2001:db8::/32"
	       " groups=web,db bandwidth=100M proof=full # ours, too: \xc3\xa9\r\n"
	       "gamma-3 " KEY_C " revoked proof=sampled");
	assert_int_equal(p.nr, 3);
	a = peers_by_name(&p, "alpha");
	assert_ptr_equal(a, peers_by_key(&p, key_a));
	assert_int_equal(a->line, 3);
	assert_string_equal(a->address, "");
	assert_int_equal(a->nr_nets, 0);
	assert_int_equal(a->nr_groups, 0);
	assert_int_equal(a->bandwidth, 0);
	assert_false(a->full_proof);
	assert_false(a->revoked);
	b = peers_by_name(&p, "beta");
	assert_ptr_equal(b, peers_by_address(&p, "beta.example.org"));
	assert_int_equal(b->line, 4);
	assert_int_equal(b->nr_nets, 2);
	assert_int_equal(b->bandwidth, 100 << 20);
	assert_true(b->full_proof);
	assert_true(peers_by_name(&p, "gamma-3")->revoked);
	assert_null(peers_by_name(&p, "delta"));
	assert_null(peers_by_address(&p, ""));
	assert_null(peers_by_address(&p, "192.0.2.1"));
	assert_null(peers_by_key(&p, (const uint8_t[KEY_SIZE]){ 9 }));
	peers_free(&p);
	peers_free(&p);
}

static void a_file_without_peers(void **state)
{
	static const char *const text[] = {
		"", "\n", "#", "# x\n#y", " \t\r\n\n  # z \x01",
	};
	struct peers p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		parsed(&p, text[i]);
		assert_int_equal(p.nr, 0);
		assert_null(peers_by_name(&p, "alpha"));
		peers_free(&p);
	}
}

static void groups_are_exact(void **state)
{
	struct peers p;

	(void)state;
	parsed(&p, "a " KEY_A " groups=web,db.2\nb " KEY_B);
	assert_true(peer_in_group(&p.peer[0], "web"));
	assert_true(peer_in_group(&p.peer[0], "db.2"));
	assert_true(peer_in_group(&p.peer[0], ""));
	assert_false(peer_in_group(&p.peer[0], "we"));
	assert_false(peer_in_group(&p.peer[0], "webs"));
	assert_false(peer_in_group(&p.peer[0], "db"));
	assert_false(peer_in_group(&p.peer[1], "web"));
	assert_true(peer_in_group(&p.peer[1], ""));
	peers_free(&p);
}

static bool from(const struct peer *peer, const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return peer_may_come_from(peer, (struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return peer_may_come_from(peer, (struct sockaddr *)&v6);
}

static void where_a_peer_may_come_from(void **state)
{
	const struct sockaddr unix_sa = { .sa_family = AF_UNIX };
	const struct peer *p;
	struct peers peers;

	(void)state;
	parsed(&peers,
	       "a " KEY_A " from=192.0.2.128/25,10.1.2.3,2001:db8:2::/47,::1\n"
	       "b " KEY_B " from=::/0\n"
	       "c " KEY_C " from=0.0.0.0/0");
	p = &peers.peer[0];
	assert_true(from(p, "192.0.2.128"));
	assert_true(from(p, "192.0.2.255"));
	assert_false(from(p, "192.0.2.127"));
	assert_false(from(p, "192.0.3.128"));
	assert_true(from(p, "::ffff:192.0.2.200"));
	assert_false(from(p, "::ffff:192.0.2.100"));
	assert_false(from(p, "::192.0.2.200"));
	assert_true(from(p, "10.1.2.3"));
	assert_false(from(p, "10.1.2.2"));
	assert_true(from(p, "2001:db8:3:ffff::1"));
	assert_true(from(p, "2001:db8:2:1::"));
	assert_false(from(p, "2001:db8:4::"));
	assert_true(from(p, "::1"));
	assert_false(from(p, "::2"));
	assert_false(peer_may_come_from(p, &unix_sa));
	assert_true(from(&peers.peer[1], "fe80::1"));
	assert_false(from(&peers.peer[1], "10.1.2.3"));
	assert_false(from(&peers.peer[1], "::ffff:10.1.2.3"));
	assert_true(from(&peers.peer[2], "::ffff:10.1.2.3"));
	assert_false(from(&peers.peer[2], "::1"));
	peers_free(&peers);
	parsed(&peers, "a " KEY_A);
	assert_true(from(&peers.peer[0], "203.0.113.9"));
	assert_true(peer_may_come_from(&peers.peer[0], &unix_sa));
	peers_free(&peers);
}

static void mapped_networks_are_ipv4(void **state)
{
	struct peers p;

	(void)state;
	parsed(&p, "a " KEY_A " from=::ffff:10.0.0.0/104");
	assert_true(from(&p.peer[0], "10.200.0.1"));
	assert_false(from(&p.peer[0], "11.0.0.1"));
	peers_free(&p);
}

static void addresses_in_any_spelling(void **state)
{
	const struct peer *a;
	struct peers p;

	(void)state;
	parsed(&p, "a " KEY_A " address=2001:DB8:0::0:1\n"
		   "b " KEY_B " address=::ffff:192.0.2.7\n"
		   "c " KEY_C " address=fe80::1%eth0");
	a = &p.peer[0];
	assert_ptr_equal(peers_by_address(&p, "2001:db8::1"), a);
	assert_ptr_equal(peers_by_address(&p, "2001:0db8:0000::0001"), a);
	assert_ptr_equal(peers_by_address(&p, "192.0.2.7"), a + 1);
	assert_ptr_equal(peers_by_address(&p, "FE80::1%eth0"), a + 2);
	assert_null(peers_by_address(&p, "fe80::1"));
	peers_free(&p);
}

static void a_revoked_peers_address(void **state)
{
	struct peers p;

	(void)state;
	/* a host's key was replaced: the old line says why it is refused */
	parsed(&p, "old " KEY_A " address=h revoked\nnew " KEY_B " address=H\n"
		   "gone " KEY_C " revoked address=g");
	assert_string_equal(peers_by_address(&p, "h")->name, "new");
	assert_string_equal(peers_by_address(&p, "g")->name, "gone");
	assert_true(peers_by_address(&p, "g")->revoked);
	peers_free(&p);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} wrong[] = {
		{ "a", "peers:1: a has no public key" },
		{ "\n\na \t", "peers:3: a has no public key" },
		{ "a/b " KEY_A, "peers:1: \"a/b\"" },
		{ "a#b " KEY_A, "peers:1: a has no public key" },
		{ "a x", "\"x\" is no public key" },
		{ "a " KEY_0, "is no public key" },
		{ "a A" KEY_A, "is no public key" },
		{ "a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=",
		  "is no public key" },
		{ "a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
		  "is no public key" },
		{ "a " KEY_A " speed=1", "no option \"speed\"" },
		{ "a " KEY_A " revoke", "no option \"revoke\"" },
		{ "a " KEY_A " =x", "no option \"\"" },
		{ "a " KEY_A " Revoked", "no option \"Revoked\"" },
		{ "a " KEY_A " revoked=no", "revoked takes no value" },
		{ "a " KEY_A " revoked=", "revoked takes no value" },
		{ "a " KEY_A " revoked revoked", "revoked is given twice" },
		{ "a " KEY_A " proof=full proof=full", "proof is given twice" },
		{ "a " KEY_A " address", "address has no value" },
		{ "a " KEY_A " address=", "address has no value" },
		{ "a " KEY_A " address=h/1", "address=\"h/1\"" },
		{ "a " KEY_A " address=[::1]", "address=" },
		{ "a " KEY_A " from=", "from has no value" },
		{ "a " KEY_A " from=10.0.0.1/8", "from=\"10.0.0.1/8\"" },
		{ "a " KEY_A " from=10.0.0.0/33", "from=" },
		{ "a " KEY_A " from=10.0.0.0/", "from=" },
		{ "a " KEY_A " from=10.0.0.0/+8", "from=" },
		{ "a " KEY_A " from=10.0.0.0/8/8", "from=" },
		{ "a " KEY_A " from=10.0.0/24", "from=" },
		{ "a " KEY_A " from=/8", "from=" },
		{ "a " KEY_A " from=::/129", "from=" },
		{ "a " KEY_A " from=::/99999999999999999999", "from=" },
		{ "a " KEY_A " from=2001:db8::1/64", "from=" },
		{ "a " KEY_A " from=::ffff:10.0.0.1/104", "from=" },
		{ "a " KEY_A " from=::ffff:0:0/80", "from=" },
		{ "a " KEY_A " from=host", "from=\"host\"" },
		{ "a " KEY_A " from=10.0.0.0/8,", "from=\"\"" },
		{ "a " KEY_A " from=1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20",
		  "from=" },
		{ "a " KEY_A " from=1,2", "from=\"1\"" },
		{ "a " KEY_A " groups=", "groups has no value" },
		{ "a " KEY_A " groups=a,,b", "group \"\"" },
		{ "a " KEY_A " groups=Web", "group \"Web\"" },
		{ "a " KEY_A " groups=a:b", "group \"a:b\"" },
		{ "a " KEY_A " groups=abcdefghijklmnopqrstuvwxyz0123456",
		  "group \"abc" },
		{ "a " KEY_A " groups=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
		  "more than 16 groups" },
		{ "a " KEY_A " from=::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1",
		  "more than 16 networks" },
		{ "a " KEY_A " bandwidth=0", "bandwidth=\"0\"" },
		{ "a " KEY_A " bandwidth=fast", "bandwidth=\"fast\"" },
		{ "a " KEY_A " bandwidth=-1", "bandwidth=" },
		{ "a " KEY_A " bandwidth=99999999999T", "bandwidth=" },
		{ "a " KEY_A " proof=none", "proof=\"none\"" },
		{ "a " KEY_A "\nb " KEY_B "\na " KEY_C,
		  "peers:3: a is in line 1 already" },
		{ "a " KEY_A "\n\nb " KEY_A,
		  "peers:3: b has the key of a in line 1" },
		{ "a " KEY_A " revoked\nb " KEY_A, "b has the key of a" },
		{ "a " KEY_A " address=h\nb " KEY_B " address=H",
		  "peers:2: b has the address of a in line 1" },
		{ "a " KEY_A " address=::1\nb " KEY_B " address=0::1",
		  "has the address of" },
		{ "a " KEY_A "\nb \x1b[2J" KEY_B, "peers:2: the line has a byte 0x1b" },
		{ "a\xc3\xa9 " KEY_A, "a byte 0xc3" },
	};
	struct peers p;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(&p, wrong[i].text, &err) != -EINVAL ||
		    !strstr(err.text, wrong[i].words))
			fail_msg("%s: %s", wrong[i].text, err.text);
		assert_null(p.peer);
		assert_int_equal(p.nr, 0);
	}
}

static void a_nul_in_a_line(void **state)
{
	static const char text[] = "a " KEY_A " \0revoked\n";
	struct err err = { 0 };
	struct peers p;

	(void)state;
	assert_int_equal(peers_parse(&p, text, sizeof(text) - 1, "peers",
				     &err), -EINVAL);
	assert_non_null(strstr(err.text, "a byte 0x00"));
}

/* A word that is too long is not made into two, or into a shorter one. */
static void a_word_too_long(void **state)
{
	char text[3000] = "a " KEY_A " bandwidth=";
	struct peers p;
	struct err err;
	size_t len;

	(void)state;
	len = strlen(text);
	memset(text + len, '0', 1010);
	strcpy(text + len + 1010, "123 revoked");
	parsed(&p, text);
	assert_int_equal(p.peer[0].bandwidth, 123);
	peers_free(&p);
	strcpy(text + len + 1010, "1234 revoked");
	assert_int_equal(parse(&p, text, &err), -EINVAL);
	assert_non_null(strstr(err.text, "peers:1: the line has a word"));
}

/* @nr lines, as many keys. */
static char *many(unsigned int nr)
{
	char *text = malloc((size_t)nr * 80 + 1), *at = text;
	uint8_t key[KEY_SIZE] = { 0 };
	char b64[KEY_TEXT_MAX];
	unsigned int i;

	*text = 0;
	for (i = 1; i <= nr; i++) {
		memcpy(key, &i, sizeof(i));
		at += sprintf(at, "peer%u %s\n", i, key_to_text(b64, key));
	}
	return text;
}

static void as_many_as_there_may_be(void **state)
{
	char *text = many(PEERS_MAX);
	struct peers p;
	struct err err;

	(void)state;
	parsed(&p, text);
	assert_int_equal(p.nr, PEERS_MAX);
	assert_int_equal(peers_by_name(&p, "peer4096")->line, 4096);
	peers_free(&p);
	free(text);
	text = many(PEERS_MAX + 1);
	assert_int_equal(parse(&p, text, &err), -EINVAL);
	assert_non_null(strstr(err.text, "peers:4097: more than 4096 peers"));
	free(text);
}

static void a_file_too_large(void **state)
{
	char *text = malloc(PEERS_BYTES_MAX + 1);
	struct err err = { 0 };
	struct peers p;

	(void)state;
	memset(text, '\n', PEERS_BYTES_MAX + 1);
	assert_int_equal(peers_parse(&p, text, PEERS_BYTES_MAX + 1, "peers",
				     &err), -EFBIG);
	assert_non_null(strstr(err.text, "peers: is larger than"));
	assert_int_equal(peers_parse(&p, text, PEERS_BYTES_MAX, "peers",
				     &err), 0);
	free(text);
}

static int load_of(uid_t owner, const char *text, size_t bytes, mode_t mode,
		   struct err *err)
{
	char path[] = "/tmp/umig-peers-XXXXXX";
	int fd = mkstemp(path), ret;
	struct peers p = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(fchown(fd, owner, -1), 0);
	close(fd);
	*err = (struct err){ 0 };
	ret = peers_load(&p, path, err);
	if (ret)
		assert_non_null(strstr(err->text, path));
	else
		assert_int_equal(p.nr, 1);
	peers_free(&p);
	unlink(path);
	return ret;
}

static int load_with(const char *text, size_t bytes, mode_t mode,
		     struct err *err)
{
	return load_of(geteuid(), text, bytes, mode, err);
}

static void others_may_not_own_the_file(void **state)
{
	static const char text[] = "a " KEY_A "\n";
	struct err err;

	(void)state;
	if (geteuid()) {
		print_message("# not root: not looked at\n");
		return;
	}
	assert_int_equal(load_of(65534, text, sizeof(text) - 1, 0600, &err),
			 -EPERM);
	assert_non_null(strstr(err.text, "belongs to user 65534"));
}

static void files(void **state)
{
	static const char text[] = "a " KEY_A "\n";
	struct peers p = { 0 };
	struct err err;
	char *large;

	(void)state;
	assert_int_equal(load_with(text, sizeof(text) - 1, 0644, &err), 0);
	assert_int_equal(load_with(text, sizeof(text) - 1, 0600, &err), 0);
	assert_int_equal(load_with(text, sizeof(text) - 1, 0664, &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod go-w"));
	assert_int_equal(load_with(text, sizeof(text) - 1, 0646, &err), -EPERM);
	assert_int_equal(load_with("a", 1, 0600, &err), -EINVAL);
	large = calloc(1, PEERS_BYTES_MAX + 1);
	assert_int_equal(load_with(large, PEERS_BYTES_MAX + 1, 0600, &err),
			 -EFBIG);
	free(large);
	err = (struct err){ 0 };
	assert_int_equal(peers_load(&p, "/nonexistent/peers", &err), -ENOENT);
	assert_non_null(strstr(err.text, "umig-peers(5)"));
	err = (struct err){ 0 };
	assert_int_equal(peers_load(&p, "/dev/zero", &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_line_says),
		cmocka_unit_test(a_file_without_peers),
		cmocka_unit_test(groups_are_exact),
		cmocka_unit_test(where_a_peer_may_come_from),
		cmocka_unit_test(mapped_networks_are_ipv4),
		cmocka_unit_test(addresses_in_any_spelling),
		cmocka_unit_test(a_revoked_peers_address),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(a_nul_in_a_line),
		cmocka_unit_test(a_word_too_long),
		cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(a_file_too_large),
		cmocka_unit_test(others_may_not_own_the_file),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
