// SPDX-License-Identifier: GPL-2.0
/*
 * Host keys: what is stored is loaded, by nobody else, and what is no key is
 * refused; and keys as text.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/keys.h"

/* RFC 7748, 6.1: Alice's. */
#define SECRET "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static char dir[] = "/tmp/umig-keys-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/host.key", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void put_file(const char *text, size_t bytes, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), bytes);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int load(const char *text, mode_t mode, struct keypair *kp,
		struct err *err)
{
	*err = (struct err){ 0 };
	put_file(text, strlen(text), mode);
	return keypair_load(kp, path, err);
}

static void a_published_pair(void **state)
{
	char text[KEY_TEXT_MAX], brief[KEY_SHORT_MAX];
	struct keypair kp;
	struct err err;

	(void)state;
	assert_int_equal(load(SECRET "\n", 0600, &kp, &err), 0);
	assert_string_equal(key_to_text(text, kp.public), PUBLIC);
	assert_string_equal(key_to_text(text, kp.secret), SECRET);
	assert_string_equal(key_short(brief, kp.public), "hSDwCYkwp1");
	assert_int_equal(load(SECRET, 0400, &kp, &err), 0);
	keypair_wipe(&kp);
	assert_string_equal(key_to_text(text, kp.secret),
			    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
}

static void what_is_stored_is_loaded(void **state)
{
	struct keypair one, two, back;
	struct err err = { 0 };
	struct stat st;

	(void)state;
	unlink(path);
	assert_int_equal(keypair_generate(&one, &err), 0);
	assert_int_equal(keypair_generate(&two, &err), 0);
	assert_memory_not_equal(one.secret, two.secret, KEY_SIZE);
	umask(0);
	assert_int_equal(keypair_store(&one, path, &err), 0);
	umask(022);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keypair_load(&back, path, &err), 0);
	assert_memory_equal(&back, &one, sizeof(one));

	/* and stays what it is */
	assert_int_equal(keypair_store(&two, path, &err), -EEXIST);
	assert_non_null(strstr(err.text, path));
	err = (struct err){ 0 };
	assert_int_equal(keypair_load(&back, path, &err), 0);
	assert_memory_equal(&back, &one, sizeof(one));
}

static void a_link_is_not_followed(void **state)
{
	struct err err = { 0 };
	struct keypair kp;

	(void)state;
	unlink(path);
	assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
	keypair_generate(&kp, &err);
	assert_int_equal(keypair_store(&kp, path, &err), -EEXIST);
}

static void nowhere_to_store(void **state)
{
	struct err err = { 0 };
	struct keypair kp;

	(void)state;
	keypair_generate(&kp, &err);
	assert_int_equal(keypair_store(&kp, "/nonexistent/host.key", &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/host.key"));
}

/* A file that can't be written whole is not left behind. */
static void no_room_to_store(void **state)
{
	struct rlimit old, none;
	struct err err = { 0 };
	struct keypair kp;

	(void)state;
	unlink(path);
	keypair_generate(&kp, &err);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(keypair_store(&kp, path, &err), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(access(path, F_OK), -1);
}

static void others_may_not_read_it(void **state)
{
	static const mode_t modes[] = {
		0640, 0620, 0610, 0604, 0602, 0601, 0777, 0444,
	};
	struct keypair kp;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(load(SECRET "\n", modes[i], &kp, &err),
				 -EPERM);
		assert_non_null(strstr(err.text, "chmod 600"));
		assert_non_null(strstr(err.text, path));
	}
}

/* Only root can make a file that belongs to somebody else. */
static void it_may_not_belong_to_others(void **state)
{
	struct err err = { 0 };
	struct keypair kp;

	(void)state;
	put_file(SECRET "\n", strlen(SECRET "\n"), 0600);
	if (chown(path, 65534, -1)) {
		print_message("# not root: not looked at\n");
		return;
	}
	assert_int_equal(keypair_load(&kp, path, &err), -EPERM);
	assert_non_null(strstr(err.text, "belongs to user 65534"));
}

static void what_is_no_key_file(void **state)
{
	static const char *const wrong[] = {
		"", "\n", "x\n", "\n" SECRET, SECRET "\n\n", SECRET " ",
		SECRET "=", SECRET "\n" SECRET "\n", " " SECRET,
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo\n",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp=\n",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC==\n",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25_Co=\n",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
	};
	struct keypair kp;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(load(wrong[i], 0600, &kp, &err), -EINVAL);
		assert_non_null(strstr(err.text, "umig keygen"));
		/* never what may be nearly a key */
		assert_null(strstr(err.text, "dwdtCn"));
	}
}

static void files_that_are_not_there(void **state)
{
	struct err err = { 0 };
	struct keypair kp;

	(void)state;
	assert_int_equal(keypair_load(&kp, "/nonexistent/key", &err), -ENOENT);
	assert_non_null(strstr(err.text, "umig keygen"));
	err = (struct err){ 0 };
	assert_int_equal(keypair_load(&kp, "/dev/null", &err), -EINVAL);
	assert_non_null(strstr(err.text, "no regular file"));
	err = (struct err){ 0 };
	assert_int_equal(keypair_load(&kp, dir, &err), -EINVAL);
}

static void keys_as_text(void **state)
{
	static const char *const wrong[] = {
		"", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbT===",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoA",
		"hSDwCYkwp1R0i33ctD73 g2/Og0mOBr066SpjqqbTmo=",
	};
	uint8_t key[KEY_SIZE];
	char text[KEY_TEXT_MAX];
	size_t i;

	(void)state;
	assert_int_equal(key_from_text(key, PUBLIC "more", KEY_TEXT_MAX - 1),
			 0);
	assert_string_equal(key_to_text(text, key), PUBLIC);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(key_from_text(key, wrong[i],
					       strlen(wrong[i])), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_published_pair),
		cmocka_unit_test(what_is_stored_is_loaded),
		cmocka_unit_test(a_link_is_not_followed),
		cmocka_unit_test(nowhere_to_store),
		cmocka_unit_test(no_room_to_store),
		cmocka_unit_test(others_may_not_read_it),
		cmocka_unit_test(it_may_not_belong_to_others),
		cmocka_unit_test(what_is_no_key_file),
		cmocka_unit_test(files_that_are_not_there),
		cmocka_unit_test(keys_as_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
