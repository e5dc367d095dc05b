// SPDX-License-Identifier: GPL-2.0
/*
 * Another process's memory, by an open /proc/PID/mem: whoever could open it for
 * reading may read all of that memory, so the kernel has asked the question
 * whether he may already, with all that security modules have to say, and no
 * reuse of process numbers can answer it wrongly.  The open file holds the
 * mm_struct that it was opened for, and no other after an exec.
 *
 * Such a file is told from others by its operations, which are the kernel's own
 * and the same for all of them: seen once, on loading, of the loader's own memory.
 * What stands under that name is believed only if it is procfs's and knows the
 * loader's mm_struct.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "procmem.h"

#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

/* Immutable after init; NULL: not known. */
static const struct file_operations *mem_fops;

static bool is_my_mem(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == PROC_SUPER_MAGIC &&
	       file->private_data == current->mm;
}

/** umig_procmem_init() - Learn to know such files. */
void umig_procmem_init(void)
{
	struct file *file = filp_open("/proc/self/mem", O_RDONLY, 0);

	if (IS_ERR(file)) {
		pr_info("/proc/self/mem can't be opened (%ld): no RANGE of other processes\n",
			PTR_ERR(file));
		return;
	}
	if (is_my_mem(file))
		mem_fops = file->f_op;
	else
		pr_warn("/proc/self/mem isn't procfs's, or not as this version knows it: no RANGE of other processes; load the module where /proc is mounted\n");
	filp_close(file, NULL);
}

/**
 * umig_procmem_get() - The memory behind a file descriptor.
 * @fd: of the caller's.
 *
 * Return: to be given back with mmput(); -EBADF: not /proc/PID/mem, opened for
 * reading; -ESRCH: the process has ended, or executed another program;
 * -EOPNOTSUPP: such files aren't known.
 */
struct mm_struct *umig_procmem_get(int fd)
{
	struct mm_struct *mm = ERR_PTR(-EBADF);
	struct file *file;

	if (!mem_fops)
		return ERR_PTR(-EOPNOTSUPP);
	file = fget(fd);
	if (!file)
		return mm;
	if (file->f_op == mem_fops && file->f_mode & FMODE_READ) {
		mm = file->private_data;
		if (!mm || !mmget_not_zero(mm))
			mm = ERR_PTR(-ESRCH);
	}
	fput(file);
	return mm;
}

struct errand {
	struct work_struct work;
	struct mm_struct *mm;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

static void run_errand(struct work_struct *work)
{
	struct errand *e = container_of(work, struct errand, work);

	kthread_use_mm(e->mm);
	e->ret = e->fn(e->arg);
	kthread_unuse_mm(e->mm);
}

/**
 * umig_procmem_run() - Run a function with that memory as its own.
 * @mm: current->mm there, on a worker of the kernel's.
 * @fn: must not wait for the process.
 * @arg: for it.
 *
 * Return: its result.
 */
int umig_procmem_run(struct mm_struct *mm, int (*fn)(void *arg), void *arg)
{
	struct errand e = { .mm = mm, .fn = fn, .arg = arg };

	INIT_WORK_ONSTACK(&e.work, run_errand);
	queue_work(system_unbound_wq, &e.work);
	flush_work(&e.work);
	destroy_work_on_stack(&e.work);
	return e.ret;
}
