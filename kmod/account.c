// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts.  Limits by open file alone are none, because a file more is easily
 * opened; so leases are also counted by user, and CONFIRM is paced by user: who
 * asks faster than confirm_rate waits in the call.  A user is the real uid of
 * who opened the file, whoever uses it.
 *
 * An account lives as long as its user has a file open, and after that until
 * what was asked is paid for: closing and opening again gains nothing.
 */
#include "account.h"

#include <linux/errno.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "params.h"
#include "stats.h"

/* Who hasn't asked for so long may ask for so much at once. */
#define BURST_NS	NSEC_PER_SEC

static DEFINE_MUTEX(accounts_lock);
static DEFINE_HASHTABLE(accounts, 6);

static struct umig_account *find_locked(kuid_t uid)
{
	struct umig_account *a;

	hash_for_each_possible(accounts, a, link, __kuid_val(uid))
		if (uid_eq(a->uid, uid))
			return a;
	return NULL;
}

static struct umig_account *find_or_make_locked(kuid_t uid)
{
	struct umig_account *a = find_locked(uid);

	if (a)
		return a;
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return NULL;
	a->uid = uid;
	hash_add(accounts, &a->link, __kuid_val(uid));
	return a;
}

/**
 * umig_account_get() - The account of a user who opens a file.
 * @uid: who.
 *
 * Return: NULL: out of memory.
 */
struct umig_account *umig_account_get(kuid_t uid)
{
	struct umig_account *a;

	mutex_lock(&accounts_lock);
	a = find_or_make_locked(uid);
	if (a)
		a->files++;
	mutex_unlock(&accounts_lock);
	return a;
}

/** umig_account_put() - The file is closed; its leases have been given back. */
void umig_account_put(struct umig_account *account)
{
	mutex_lock(&accounts_lock);
	account->files--;
	mutex_unlock(&accounts_lock);
}

/* Returns how long to wait; 0: not at all. */
static u64 charge_locked(struct umig_account *a, unsigned int nr, u64 rate)
{
	u64 now = ktime_get_ns();
	u64 start = max(a->paid_until_ns, now > BURST_NS ? now - BURST_NS : 0);

	a->paid_until_ns = start + div64_u64((u64)nr * NSEC_PER_SEC, rate);
	return start > now ? start - now : 0;
}

static u64 charge(struct umig_account *a, unsigned int nr)
{
	unsigned int rate = READ_ONCE(umig_confirm_rate);
	u64 wait_ns;

	if (!rate)
		return 0;
	mutex_lock(&accounts_lock);
	wait_ns = charge_locked(a, nr, rate);
	mutex_unlock(&accounts_lock);
	return wait_ns;
}

/**
 * umig_account_pace() - Wait until as much may be asked.
 * @account: the file's.
 * @nr: digests.
 *
 * Until what the user has asked before is paid for, at confirm_rate.  What is
 * asked now is on the bill whether it is waited for or not.
 *
 * Return: 0 or -EINTR: killed.
 */
int umig_account_pace(struct umig_account *account, unsigned int nr)
{
	u64 wait_ns = charge(account, nr);
	signed long left;

	if (!wait_ns)
		return 0;
	umig_count(UMIG_CONFIRM_THROTTLED);
	left = nsecs_to_jiffies(wait_ns) + 1;
	while (left && !fatal_signal_pending(current))
		left = schedule_timeout_killable(left);
	return left ? -EINTR : 0;
}

static void free_locked(struct umig_account *a)
{
	WARN_ON(a->leases);
	hash_del(&a->link);
	kfree(a);
}

/** umig_account_reap() - Once a second: forget who owes nothing. */
void umig_account_reap(void)
{
	u64 now = ktime_get_ns();
	struct hlist_node *next;
	struct umig_account *a;
	int i;

	mutex_lock(&accounts_lock);
	hash_for_each_safe(accounts, i, next, a, link)
		if (!a->files && a->paid_until_ns + BURST_NS <= now)
			free_locked(a);
	mutex_unlock(&accounts_lock);
}

/** umig_account_exit() - No file is open. */
void umig_account_exit(void)
{
	struct hlist_node *next;
	struct umig_account *a;
	int i;

	hash_for_each_safe(accounts, i, next, a, link)
		free_locked(a);
}
