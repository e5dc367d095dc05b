/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An error in words.  Functions return -errno; where the user must be told
 * more than a number they also take a struct err and say which object, which
 * offset, which remedy.  The first message stays: callers further up add
 * nothing, whoever owns the user's attention prints it once.
 */
#ifndef UMIG_LIB_ERR_H
#define UMIG_LIB_ERR_H

#define ERR_TEXT_MAX 512

struct err {
	int code;		/* -errno, 0: no error */
	char text[ERR_TEXT_MAX];
};

/**
 * err_set() - Record an error unless one is recorded already.
 * @err: may be NULL.
 * @code: -errno, returned, so that `return err_set(err, -EIO, ...)` works.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** err_text() - The message, or strerror of the code if there is none. */
const char *err_text(const struct err *err);

#endif
