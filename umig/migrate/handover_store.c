// SPDX-License-Identifier: GPL-2.0
/*
 * Locks and records of VMs on disk: see handover_store.h.
 */
#include "migrate/handover_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * struct handover_store - All but the last constant while it is open.
 * @dir_fd: the state directory.
 * @lock_fd: holds the lock.
 * @staged: what "fresh" holds on stable storage, owned; NULL: nothing.
 * @staged_ino: which file that is.
 * These two change.
 */
struct handover_store {
	char dir[PATH_MAX];
	char name[HANDOVER_NAME_MAX + 1];
	char lock[HANDOVER_NAME_MAX + 16];
	char record[HANDOVER_NAME_MAX + 16];
	char fresh[HANDOVER_NAME_MAX + 16];
	char last[HANDOVER_NAME_MAX + 16];
	int dir_fd;
	int lock_fd;
	char *staged;
	ino_t staged_ino;
};

/* UTF-8 without control characters: what the record and messages can say. */
static bool is_text(const char *name)
{
	json_t *text = json_string(name);
	bool is = text;

	json_decref(text);
	for (; is && *name; name++)
		is = (unsigned char)*name >= ' ' && *name != '\177';
	return is;
}

static int check_name(const char *name, struct err *err)
{
	if (!is_text(name))
		return err_set(err, -EINVAL,
			       "a VM's name must be UTF-8 without control characters");
	if (*name && *name != '.' && !strchr(name, '/') &&
	    strlen(name) <= HANDOVER_NAME_MAX)
		return 0;
	return err_set(err, -EINVAL,
		       "\"%.120s\" can't be a VM's name: it names files: 1 to %d bytes, no /, no . at its begin",
		       name, HANDOVER_NAME_MAX);
}

/* Root's state is the host's; any other user's is his own. */
static int default_dir(char *to, size_t room)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (!geteuid())
		n = snprintf(to, room, "%s", HANDOVER_STATE_DIR);
	else if (state && *state == '/')
		n = snprintf(to, room, "%s/umig", state);
	else if (home && *home == '/')
		n = snprintf(to, room, "%s/.local/state/umig", home);
	else
		return -ENOENT;
	return n >= 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

static int fill(struct handover_store *s, const char *dir, const char *name,
		struct err *err)
{
	int rc = check_name(name, err);

	if (rc)
		return rc;
	s->dir_fd = s->lock_fd = -1;
	if (!dir)
		rc = default_dir(s->dir, sizeof(s->dir));
	else if (snprintf(s->dir, sizeof(s->dir), "%s", dir) >=
		 (int)sizeof(s->dir))
		rc = -ENAMETOOLONG;
	if (rc)
		return err_set(err, rc,
			       "no state directory: %s: give one with --state-dir",
			       strerror(-rc));
	strcpy(s->name, name);
	snprintf(s->lock, sizeof(s->lock), "%s.lock", name);
	snprintf(s->record, sizeof(s->record), "%s.handover", name);
	snprintf(s->fresh, sizeof(s->fresh), "%s.handover.new", name);
	snprintf(s->last, sizeof(s->last), "%s.handover.last", name);
	return 0;
}

/* A directory that is there after a crash, too, if it wasn't there before. */
static int make_one(const char *path, mode_t mode)
{
	char up[PATH_MAX + 4];
	int fd, rc;

	if (mkdir(path, mode))
		return errno == EEXIST ? 0 : -errno;
	snprintf(up, sizeof(up), "%s/..", path);
	fd = open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

/* As mkdir -p. */
static int make_dir(const char *dir)
{
	char path[PATH_MAX], *slash;
	int rc;

	snprintf(path, sizeof(path), "%s", dir);
	for (slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		rc = make_one(path, 0755);
		if (rc)
			return rc;
		*slash = '/';
	}
	return make_one(path, 0700);
}

static int open_dir(struct handover_store *s, struct err *err)
{
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd >= 0)
		return 0;
	return err_set(err, -errno,
		       "state directory %s: %s: make it writable for this user, or give another with --state-dir",
		       s->dir, strerror(errno));
}

static int take_lock(struct handover_store *s, struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK };

	s->lock_fd = openat(s->dir_fd, s->lock,
			    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(err, -errno,
			       "%s/%s: %s: make it writable for this user, or give another --state-dir",
			       s->dir, s->lock, strerror(errno));
	if (!fcntl(s->lock_fd, F_OFD_SETLK, &whole))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(err, -EBUSY,
			       "another process of this host has a VM named \"%s\" (%s/%s is locked): give each VM its own --name",
			       s->name, s->dir, s->lock);
	return err_set(err, -errno, "%s/%s: can't be locked: %s", s->dir,
		       s->lock, strerror(errno));
}

int handover_store_open(struct handover_store **out, const char *dir,
			const char *name, struct err *err)
{
	struct handover_store *s = calloc(1, sizeof(*s));
	int rc, made;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	rc = fill(s, dir, name, err);
	if (rc) {
		free(s);
		return rc;
	}
	made = make_dir(s->dir);
	/* if there is none, this says why */
	rc = open_dir(s, err);
	if (!rc && made)
		rc = err_set(err, made,
			     "state directory %s: it was made, but may be gone after a crash: %s: make it yourself, or give another with --state-dir",
			     s->dir, strerror(-made));
	if (!rc)
		rc = take_lock(s, err);
	if (rc)
		handover_store_close(s);
	else
		*out = s;
	return rc;
}

void handover_store_close(struct handover_store *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->staged)
		unlinkat(s->dir_fd, s->fresh, 0);
	free(s->staged);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s);
}

const char *handover_store_name(const struct handover_store *s)
{
	return s->name;
}

/* All of @text to a new file, on stable storage. */
static int write_fresh(struct handover_store *s, const char *text)
{
	int fd = openat(s->dir_fd, s->fresh, O_WRONLY | O_CREAT | O_TRUNC |
			O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t at = 0, bytes = strlen(text);
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return -errno;
	while (!rc && at < bytes) {
		n = write(fd, text + at, bytes - at);
		if (n >= 0)
			at += n;
		else if (errno != EINTR)
			rc = -errno;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int sync_dir(struct handover_store *s)
{
	return fsync(s->dir_fd) ? -errno : 0;
}

static int cannot(struct handover_store *s, int rc, struct err *err)
{
	return err_set(err, rc,
		       "the handover's record %s/%s can't be written: %s: make room there, or make it writable",
		       s->dir, s->record, strerror(-rc));
}

static int unlink_if_there(struct handover_store *s, const char *name)
{
	return unlinkat(s->dir_fd, name, 0) && errno != ENOENT ? -errno : 0;
}

/*
 * Before an unsettled record takes a settled one's place: keep that, by a
 * second name, so that there is a record at every instant.
 */
static int keep_last(struct handover_store *s)
{
	struct handover_record now;
	int rc = handover_store_read(s, &now, NULL);

	if (rc == -ENOENT)
		return unlink_if_there(s, s->last);
	if (rc || !handover_record_settled(&now))
		return rc;
	rc = unlink_if_there(s, s->last);
	if (!rc && linkat(s->dir_fd, s->record, s->dir_fd, s->last, 0))
		rc = -errno;
	return rc;
}

static ino_t fresh_ino(struct handover_store *s)
{
	struct stat st;

	if (fstatat(s->dir_fd, s->fresh, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode))
		return 0;
	return st.st_ino;
}

/* Whether "fresh" is what was staged, and that is @text. */
static bool is_staged(struct handover_store *s, const char *text)
{
	return s->staged && !strcmp(s->staged, text) &&
	       fresh_ino(s) == s->staged_ino;
}

/* Have "fresh" hold @r's text, which it may do already.  @keep: and know it. */
static int make_fresh(struct handover_store *s,
		      const struct handover_record *r, bool keep)
{
	char *text = handover_record_text(r);
	int rc = 0;

	if (!text)
		return -ENOMEM;
	if (!is_staged(s, text))
		rc = write_fresh(s, text);
	free(s->staged);
	s->staged_ino = rc ? 0 : fresh_ino(s);
	s->staged = keep && s->staged_ino ? text : NULL;
	if (!s->staged)
		free(text);
	return rc;
}

int handover_store_stage(struct handover_store *s,
			 const struct handover_record *r, struct err *err)
{
	int rc = make_fresh(s, r, true);

	return rc ? cannot(s, rc, err) : 0;
}

int handover_store_write(struct handover_store *s,
			 const struct handover_record *r, struct err *err)
{
	int rc = make_fresh(s, r, false);

	if (!rc && !handover_record_settled(r))
		rc = keep_last(s);
	if (!rc && renameat(s->dir_fd, s->fresh, s->dir_fd, s->record))
		rc = -errno;
	if (!rc && handover_record_settled(r))
		rc = unlink_if_there(s, s->last);
	if (!rc)
		rc = sync_dir(s);
	return rc ? cannot(s, rc, err) : 0;
}

int handover_store_check(struct handover_store *s, struct err *err)
{
	char text[HANDOVER_RECORD_MAX];
	int rc;

	free(s->staged);
	s->staged = NULL;
	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rc = write_fresh(s, text);
	if (unlinkat(s->dir_fd, s->fresh, 0) && !rc)
		rc = -errno;
	if (!rc)
		rc = sync_dir(s);
	return rc ? cannot(s, rc, err) : 0;
}

/*
 * What a settled record took the place of is over.  It goes first: two names of
 * one file, which a crash may leave, can't be renamed to each other.
 */
static int drop_last(struct handover_store *s)
{
	struct handover_record now;

	if (handover_store_read(s, &now, NULL) ||
	    !handover_record_settled(&now))
		return 0;
	return unlink_if_there(s, s->last);
}

int handover_store_remove(struct handover_store *s, struct err *err)
{
	int rc = drop_last(s);

	if (!rc && renameat(s->dir_fd, s->last, s->dir_fd, s->record))
		rc = errno == ENOENT ? unlink_if_there(s, s->record) : -errno;
	if (!rc)
		rc = sync_dir(s);
	return rc ? err_set(err, rc, "%s/%s can't be removed: %s", s->dir,
			    s->record, strerror(-rc)) : 0;
}

/* The file's bytes; one more than HANDOVER_RECORD_MAX if it is too long. */
static ssize_t read_file(struct handover_store *s, char *to)
{
	int fd = openat(s->dir_fd, s->record,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t at = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && at <= HANDOVER_RECORD_MAX) {
		n = read(fd, to + at, HANDOVER_RECORD_MAX + 1 - at);
		at += n > 0 ? n : 0;
	}
	n = n < 0 ? -errno : (ssize_t)at;
	if (fd >= 0)
		close(fd);
	return n;
}

int handover_store_read(struct handover_store *s, struct handover_record *r,
			struct err *err)
{
	char text[HANDOVER_RECORD_MAX + 1];
	ssize_t n = read_file(s, text);
	struct err why = { 0 };
	int rc = n < 0 ? n : 0;

	if (rc == -ENOENT)
		return rc;
	if (rc)
		return err_set(err, rc,
			       "the handover's record %s/%s can't be read: %s",
			       s->dir, s->record, strerror(-rc));
	rc = handover_record_parse(r, text, n, &why);
	if (!rc && strcmp(r->name, s->name))
		rc = err_set(&why, -EBADMSG, "it is of a VM named \"%s\"",
			     r->name);
	if (rc)
		err_set(err, rc,
			"the handover's record %s/%s makes no sense (%s): find out where the VM runs, then remove it",
			s->dir, s->record, err_text(&why));
	return rc;
}

int handover_store_undo(struct handover_store *s, struct err *err)
{
	struct handover_record now;
	int rc = handover_store_read(s, &now, err);

	if (rc == -ENOENT || (!rc && handover_record_settled(&now)))
		return 0;
	return rc ? rc : handover_store_remove(s, err);
}

/*
 * Who looks, and reads that there is no process and no record, takes the guest
 * back: so that must not be what he reads if he looked in the wrong place.  A
 * lock is never removed: where there is none nobody has ever had the name.
 */
static int unknown(struct handover_store *s, struct err *err)
{
	return err_set(err, -ENXIO,
		       "state directory %s has never had a VM named \"%s\": look as the user who runs it, with its --name and --state-dir",
		       s->dir, s->name);
}

/* Whether somebody holds the lock, without taking it; -ENOENT: there is none. */
static int see_lock(struct handover_store *s, bool *locked, struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK };

	*locked = false;
	s->lock_fd = openat(s->dir_fd, s->lock,
			    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (s->lock_fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (s->lock_fd < 0 || fcntl(s->lock_fd, F_OFD_GETLK, &whole))
		return err_set(err, -errno,
			       "%s/%s: can't see whether a process has that VM: %s: ask as the user who runs it",
			       s->dir, s->lock, strerror(errno));
	*locked = whole.l_type != F_UNLCK;
	return 0;
}

/* In this order: who is gone writes no record any more. */
static int peek(struct handover_store *s, struct handover_record *r,
		bool *alive, struct err *err)
{
	int seen, rc = open_dir(s, err);

	if (rc)
		return rc == -ENOENT ? -ENXIO : rc;
	seen = see_lock(s, alive, err);
	if (seen && seen != -ENOENT)
		return seen;
	rc = handover_store_read(s, r, err);
	return rc == -ENOENT && seen ? unknown(s, err) : rc;
}

int handover_store_peek(const char *dir, const char *name,
			struct handover_record *r, bool *alive,
			struct err *err)
{
	struct handover_store *s = calloc(1, sizeof(*s));
	int rc = s ? fill(s, dir, name, err) : -ENOMEM;

	if (rc) {
		free(s);
		return err_set(err, rc, "out of memory");
	}
	rc = peek(s, r, alive, err);
	handover_store_close(s);
	return rc;
}

int handover_store_admit(struct handover_store *s, bool boot, struct err *err)
{
	struct handover_record r;
	int rc = handover_store_read(s, &r, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return handover_record_refuse(&r, boot, err);
}
