// SPDX-License-Identifier: GPL-2.0
/*
 * Machine state, the whole: which sections there are, and in which order they
 * are loaded.  That order matters: the interrupt controllers before the vCPUs'
 * local APICs, the clock last, so that the least time passes after it was set.
 */
#include "vmm/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/state_format.h"

#define VERSION 1

/* Of the VM itself: whether its operator has paused it. */
static int run_save(struct vm *vm, struct buf *out, struct err *err)
{
	(void)err;
	pthread_mutex_lock(&vm->lock);
	buf_put_u8(out, vm->reasons & VM_PAUSE_OPERATOR ? 1 : 0);
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

static int run_load(struct vm *vm, struct reader *in, struct err *err)
{
	uint8_t paused = reader_u8(in);

	(void)err;
	if (paused > 1)
		return -EBADMSG;
	pthread_mutex_lock(&vm->lock);
	if (paused)
		vm->reasons |= VM_PAUSE_OPERATOR;
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

struct part {
	const char *name;
	int (*save)(struct vm *vm, struct buf *out, struct err *err);
	int (*load)(struct vm *vm, struct reader *in, struct err *err);
};

static const struct part early_parts[] = {
	{ "run", run_save, run_load },
	{ "irqchip", state_irqchip_save, state_irqchip_load },
	{ "pit", state_pit_save, state_pit_load },
};

static const struct part clock_part = {
	"clock", state_clock_save, state_clock_load,
};

#define NR_EARLY (sizeof(early_parts) / sizeof(*early_parts))

static int save_part(struct vm *vm, const struct part *p, struct buf *out,
		     struct err *err)
{
	size_t mark = state_begin(out, p->name, VERSION);
	int ret = p->save(vm, out, err);

	state_end(out, mark);
	return ret;
}

static int save_vcpu(struct vcpu *v, struct buf *out, struct err *err)
{
	char name[STATE_NAME_MAX];
	size_t mark;
	int ret;

	snprintf(name, sizeof(name), "cpu%u", v->id);
	mark = state_begin(out, name, VERSION);
	ret = state_vcpu_save(v, out, err);
	state_end(out, mark);
	return ret;
}

static void save_device(struct device *d, struct buf *out)
{
	size_t mark;

	if (!d->ops->save)
		return;
	mark = state_begin(out, d->name, d->ops->version);
	d->ops->save(d, out);
	state_end(out, mark);
}

int vm_state_save(struct vm *vm, struct buf *out, struct err *err)
{
	unsigned int i;
	/* First: what is saved later belongs to a later moment. */
	int ret = save_part(vm, &clock_part, out, err);

	for (i = 0; i < NR_EARLY && !ret; i++)
		ret = save_part(vm, &early_parts[i], out, err);
	for (i = 0; i < vm->nr_vcpus && !ret; i++)
		ret = save_vcpu(&vm->vcpu[i], out, err);
	for (i = 0; i < vm->bus.nr && !ret; i++)
		save_device(vm->bus.device[i], out);
	if (!ret)
		ret = out->error;
	return ret ? err_set(err, ret, "%s: the machine state can't be saved: %s",
			     vm->name, strerror(-ret)) : 0;
}

/* A loader took @ret from section @s, read by @r. */
static int loaded(const struct state_section *s, struct reader *r, int ret,
		  struct err *err)
{
	if (!ret)
		ret = reader_end(r);
	if (ret == -EBADMSG)
		return err_set(err, ret,
			       "machine state: section %s is malformed at offset %zu",
			       s->name, s->offset + r->pos);
	return ret ? err_set(err, ret, "machine state: section %s: %s", s->name,
			     strerror(-ret)) : 0;
}

static int load_part(struct vm *vm, const struct part *p,
		     struct state_index *index, struct err *err)
{
	struct state_section *s = state_take(index, p->name, VERSION, err);
	struct reader r;

	if (!s)
		return -EBADMSG;
	reader_init(&r, s->data, s->bytes);
	return loaded(s, &r, p->load(vm, &r, err), err);
}

static int load_vcpu(struct vcpu *v, struct state_index *index,
		     struct err *err)
{
	char name[STATE_NAME_MAX];
	struct state_section *s;
	struct reader r;

	snprintf(name, sizeof(name), "cpu%u", v->id);
	s = state_take(index, name, VERSION, err);
	if (!s)
		return -EBADMSG;
	reader_init(&r, s->data, s->bytes);
	return loaded(s, &r, state_vcpu_load(v, &r, err), err);
}

static int load_device(struct device *d, struct state_index *index,
		       struct err *err)
{
	struct state_section *s;
	struct reader r;

	if (!d->ops->load)
		return 0;
	s = state_take(index, d->name, d->ops->version, err);
	if (!s)
		return -EBADMSG;
	reader_init(&r, s->data, s->bytes);
	return loaded(s, &r, d->ops->load(d, &r), err);
}

static int load_all(struct vm *vm, struct state_index *index, struct err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_EARLY && !ret; i++)
		ret = load_part(vm, &early_parts[i], index, err);
	for (i = 0; i < vm->nr_vcpus && !ret; i++)
		ret = load_vcpu(&vm->vcpu[i], index, err);
	for (i = 0; i < vm->bus.nr && !ret; i++)
		ret = load_device(vm->bus.device[i], index, err);
	if (!ret)
		ret = load_part(vm, &clock_part, index, err);
	return ret ? ret : state_all_used(index, err);
}

int vm_state_load(struct vm *vm, const void *data, size_t bytes,
		  struct err *err)
{
	struct state_index *index;
	int ret;

	if (!vm->incoming)
		return err_set(err, -EBUSY,
			       "%s: this VM doesn't wait for a migration",
			       vm->name);
	index = malloc(sizeof(*index));
	if (!index)
		return err_set(err, -ENOMEM, "out of memory");
	ret = state_parse(data, bytes, index, err);
	if (!ret)
		ret = load_all(vm, index, err);
	free(index);
	vm->loaded = !ret;
	return ret;
}
