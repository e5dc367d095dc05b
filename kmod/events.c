// SPDX-License-Identifier: GPL-2.0
/*
 * EVENTS and poll(2).  An event is a difference between what is and what the
 * file has been told last, so none needs a queue and none gets lost: several of
 * a kind become one.  Who changes something wakes all who poll; each looks for
 * itself whether it concerns its file.
 */
#include "events.h"

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/wait.h>

#include <linux/umig.h>

#include "chardev.h"
#include "health.h"
#include "index.h"

static DECLARE_WAIT_QUEUE_HEAD(events_wait);

static u32 mode_now(void)
{
	return umig_health_check() ? UMIG_MODE_HOOKS : UMIG_MODE_SCAN;
}

/** umig_seen_init() - A file is opened: what is now is no event for it. */
void umig_seen_init(struct umig_seen *seen)
{
	seen->mode = mode_now();
	seen->generation = umig_index_generation();
}

/**
 * umig_events_wake() - There may be something new.
 *
 * From any context but a hook.
 */
void umig_events_wake(void)
{
	wake_up_all(&events_wait);
}

static bool has_events(struct umig_file *f)
{
	return atomic_read(&f->leases.lost) ||
	       READ_ONCE(f->seen.mode) != mode_now() ||
	       READ_ONCE(f->seen.generation) != umig_index_generation();
}

/**
 * umig_events_poll() - poll(2).
 * @file: the device, open.
 * @wait: what poll(2) waits with.
 *
 * read(2) never waits, so there is always EPOLLIN; an event is EPOLLPRI.
 */
__poll_t umig_events_poll(struct file *file, poll_table *wait)
{
	__poll_t mask = EPOLLIN | EPOLLRDNORM;

	poll_wait(file, &events_wait, wait);
	if (has_events(file->private_data))
		mask |= EPOLLPRI;
	return mask;
}

/** umig_ioctl_events() - What has happened since the last call? */
int umig_ioctl_events(struct umig_ucmd *ucmd)
{
	struct umig_events *cmd = ucmd->cmd;
	struct umig_file *f = ucmd->file;

	if (cmd->flags)
		return -EINVAL;
	cmd->mode = mode_now();
	cmd->generation = umig_index_generation();
	cmd->leases_lost = atomic_xchg(&f->leases.lost, 0);
	cmd->events = 0;
	cmd->reserved = 0;
	if (cmd->leases_lost)
		cmd->events |= UMIG_EVENT_LEASES;
	if (xchg(&f->seen.mode, cmd->mode) != cmd->mode)
		cmd->events |= UMIG_EVENT_MODE;
	if (xchg(&f->seen.generation, cmd->generation) != cmd->generation)
		cmd->events |= UMIG_EVENT_GENERATION;
	if (!umig_ucmd_respond(ucmd))
		return 0;
	/* Nobody has been told: all of it is still new. */
	atomic_add(cmd->leases_lost, &f->leases.lost);
	WRITE_ONCE(f->seen.mode, 0);
	WRITE_ONCE(f->seen.generation, 0);
	return -EFAULT;
}
