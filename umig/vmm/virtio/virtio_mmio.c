// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio-mmio transport: see virtio_mmio.h.
 */
#include "vmm/virtio/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"

#define MAGIC 0x74726976	/* "virt" */
#define VERSION 2
#define VENDOR 0x47494d55	/* "UMIG" */
#define STATE_VERSION 1

/* What a driver says of itself, and what else may stand in its register. */
#define STATUS_DRIVER (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
		       VIRTIO_CONFIG_S_DRIVER_OK | \
		       VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)
#define STATUS_ALL (STATUS_DRIVER | VIRTIO_CONFIG_S_NEEDS_RESET)
#define INTERRUPTS (VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG)

static struct virtio_mmio *to_virtio(struct device *d)
{
	return (struct virtio_mmio *)d;
}

static void update_irq(struct virtio_mmio *v)
{
	v->dev.host->irq(v->dev.host, v->dev.gsi, v->interrupt_status);
}

/* Requests that end while the driver hasn't looked yet need no system call. */
static void raise_irq(struct virtio_mmio *v, uint32_t why)
{
	bool high = v->interrupt_status;

	v->interrupt_status |= why;
	if (!high)
		update_irq(v);
}

bool virtio_is_live(const struct virtio_mmio *v)
{
	return v->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void virtio_done(struct virtio_mmio *v, unsigned int queue, uint16_t head,
		 uint32_t bytes)
{
	struct virtqueue *q = &v->queue[queue];

	if (!q->ready || q->broken)
		return;
	vq_push(q, &v->dev.host->mem, head, bytes);
	if (vq_wants_interrupt(q, &v->dev.host->mem))
		raise_irq(v, VIRTIO_MMIO_INT_VRING);
}

void virtio_broken(struct virtio_mmio *v)
{
	if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	log_warn("%s: the guest's driver broke the rules of its queue; the device waits to be reset",
		 v->dev.name);
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	raise_irq(v, VIRTIO_MMIO_INT_CONFIG);
}

/* The selected queue, NULL if there is no such. */
static struct virtqueue *selected(struct virtio_mmio *v)
{
	return v->queue_sel < v->nr_queues ? &v->queue[v->queue_sel] : NULL;
}

static uint32_t half(uint64_t value, uint32_t sel)
{
	return sel == 0 ? value : sel == 1 ? value >> 32 : 0;
}

static uint32_t read_register(struct virtio_mmio *v, uint64_t offset)
{
	const struct virtqueue *q = selected(v);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return v->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return half(v->features, v->features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? q->max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q ? q->ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return v->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return v->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
		return ~0U;	/* there are no shared memory regions */
	default:
		return 0;	/* the config's generation: it never changes */
	}
}

static void read_config(struct virtio_mmio *v, uint64_t offset, uint8_t *data,
			unsigned int len)
{
	memset(data, 0, len);
	if (offset >= v->config_bytes)
		return;
	if (len > v->config_bytes - offset)
		len = v->config_bytes - offset;
	memcpy(data, (const uint8_t *)v->config + offset, len);
}

static void virtio_read(struct device *d, uint64_t offset, uint8_t *data,
			unsigned int len)
{
	struct virtio_mmio *v = to_virtio(d);
	uint32_t value = 0;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		read_config(v, offset - VIRTIO_MMIO_CONFIG, data, len);
		return;
	}
	memset(data, 0, len);
	if (len != sizeof(value))
		return;
	pthread_mutex_lock(&v->lock);
	value = read_register(v, offset);
	pthread_mutex_unlock(&v->lock);
	memcpy(data, &value, sizeof(value));
}

static void set_half(uint64_t *to, bool high, uint32_t value)
{
	if (high)
		*to = (*to & 0xffffffffULL) | (uint64_t)value << 32;
	else
		*to = (*to & ~0xffffffffULL) | value;
}

/* A queue's place and size are fixed while it is in use. */
static void write_queue(struct virtio_mmio *v, uint64_t offset, uint32_t value)
{
	struct virtqueue *q = selected(v);

	if (!q || (q->ready && offset != VIRTIO_MMIO_QUEUE_READY))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value <= q->max ? value : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH,
			 value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
			 value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH,
			 value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (value && !q->ready)
			vq_enable(q, &v->dev.host->mem);
		else if (!value)
			q->ready = false;
		break;
	}
}

static bool features_ok(const struct virtio_mmio *v)
{
	return !(v->driver_features & ~v->features) &&
	       v->driver_features >> VIRTIO_F_VERSION_1 & 1;
}

/*
 * The driver takes what it understands; what isn't offered fails FEATURES_OK,
 * and without that nothing is served.
 */
static void write_status(struct virtio_mmio *v, uint32_t value)
{
	value &= STATUS_DRIVER;
	if (!features_ok(v))
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(value & VIRTIO_CONFIG_S_FEATURES_OK))
		value &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	v->status = value | (v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void write_register(struct virtio_mmio *v, uint64_t offset,
			   uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		v->features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		v->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (v->driver_features_sel < 2 &&
		    !(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&v->driver_features, v->driver_features_sel,
				 value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		v->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* Only values that no eventfd takes come here. */
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		v->interrupt_status &= ~value;
		update_irq(v);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(v, value);
		break;
	default:
		write_queue(v, offset, value);
	}
}

/*
 * Status first, so that the back-end takes no more; then the back-end, which
 * must not touch what is forgotten last.
 */
static void reset(struct virtio_mmio *v)
{
	unsigned int i;

	pthread_mutex_lock(&v->lock);
	v->status = 0;
	pthread_mutex_unlock(&v->lock);
	v->ops->reset(v);
	pthread_mutex_lock(&v->lock);
	v->interrupt_status = 0;
	v->driver_features = 0;
	for (i = 0; i < v->nr_queues; i++)
		vq_init(&v->queue[i], v->queue[i].max);
	update_irq(v);
	pthread_mutex_unlock(&v->lock);
}

/* DRIVER_OK: what was put into a queue before it must be looked at. */
static void kick_all(struct virtio_mmio *v)
{
	unsigned int i;

	for (i = 0; i < v->nr_queues; i++)
		eventfd_write(v->notify_fd[i], 1);
}

static void virtio_write(struct device *d, uint64_t offset,
			 const uint8_t *data, unsigned int len)
{
	struct virtio_mmio *v = to_virtio(d);
	uint32_t value;

	/* No device of ours has config fields to write. */
	if (len != sizeof(value) || offset >= VIRTIO_MMIO_CONFIG)
		return;
	memcpy(&value, data, sizeof(value));
	if (offset == VIRTIO_MMIO_STATUS && !value) {
		reset(v);
		return;
	}
	pthread_mutex_lock(&v->lock);
	write_register(v, offset, value);
	pthread_mutex_unlock(&v->lock);
	if (offset == VIRTIO_MMIO_STATUS && value & VIRTIO_CONFIG_S_DRIVER_OK)
		kick_all(v);
	/* The driver takes back a queue's memory when the write has returned. */
	if (offset == VIRTIO_MMIO_QUEUE_READY && !value)
		v->ops->reset(v);
}

static int virtio_acquire(struct device *d, struct err *err)
{
	struct virtio_mmio *v = to_virtio(d);

	return v->ops->acquire ? v->ops->acquire(v, err) : 0;
}

static void virtio_release(struct device *d)
{
	struct virtio_mmio *v = to_virtio(d);

	if (v->ops->release)
		v->ops->release(v);
}

/*
 * Another host's interrupt controller doesn't know the line's level, and
 * another host's eventfd was never signalled.
 */
static void virtio_resume(struct device *d)
{
	struct virtio_mmio *v = to_virtio(d);

	pthread_mutex_lock(&v->lock);
	update_irq(v);
	pthread_mutex_unlock(&v->lock);
	if (v->ops->resume)
		v->ops->resume(v);
	kick_all(v);
}

static int virtio_quiesce(struct device *d, struct err *err)
{
	struct virtio_mmio *v = to_virtio(d);

	return v->ops->quiesce ? v->ops->quiesce(v, err) : 0;
}

static int virtio_check(struct device *d, struct err *err)
{
	struct virtio_mmio *v = to_virtio(d);

	return v->ops->check ? v->ops->check(v, err) : 0;
}

static int virtio_describe(struct device *d, struct machine *out)
{
	struct virtio_mmio *v = to_virtio(d);

	return v->ops->describe ? v->ops->describe(v, out) : 0;
}

static void virtio_destroy(struct device *d)
{
	struct virtio_mmio *v = to_virtio(d);

	v->ops->destroy(v);
}

static void virtio_save(struct device *d, struct buf *out)
{
	struct virtio_mmio *v = to_virtio(d);
	unsigned int i;

	buf_put_u32(out, v->device_id);
	buf_put_u32(out, v->nr_queues);
	buf_put_u64(out, v->driver_features);
	buf_put_u32(out, v->features_sel);
	buf_put_u32(out, v->driver_features_sel);
	buf_put_u32(out, v->queue_sel);
	buf_put_u32(out, v->interrupt_status);
	buf_put_u32(out, v->status);
	for (i = 0; i < v->nr_queues; i++)
		vq_save(&v->queue[i], out);
}

/* Features chosen but not offered here can't be served. */
static bool registers_ok(const struct virtio_mmio *v)
{
	if (v->status & ~STATUS_ALL || v->interrupt_status & ~INTERRUPTS)
		return false;
	if (v->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return features_ok(v);
	return !(v->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static int virtio_load(struct device *d, struct reader *in)
{
	struct virtio_mmio *v = to_virtio(d);
	unsigned int i;
	int ret = 0;

	if (reader_u32(in) != v->device_id || reader_u32(in) != v->nr_queues)
		return -EBADMSG;
	v->driver_features = reader_u64(in);
	v->features_sel = reader_u32(in);
	v->driver_features_sel = reader_u32(in);
	v->queue_sel = reader_u32(in);
	v->interrupt_status = reader_u32(in);
	v->status = reader_u32(in);
	if (!registers_ok(v))
		return -EBADMSG;
	for (i = 0; i < v->nr_queues && !ret; i++)
		ret = vq_load(&v->queue[i], &v->dev.host->mem, in);
	return ret;
}

static const struct device_ops virtio_device_ops = {
	.read = virtio_read,
	.write = virtio_write,
	.acquire = virtio_acquire,
	.release = virtio_release,
	.resume = virtio_resume,
	.quiesce = virtio_quiesce,
	.check = virtio_check,
	.save = virtio_save,
	.load = virtio_load,
	.describe = virtio_describe,
	.destroy = virtio_destroy,
	.version = STATE_VERSION,
};

static int open_notify(struct virtio_mmio *v, unsigned int queue)
{
	v->notify_fd[queue] = eventfd(0, EFD_CLOEXEC);
	if (v->notify_fd[queue] < 0)
		return -errno;
	return v->dev.host->notify_fd(v->dev.host, v->notify_fd[queue],
				      v->dev.base + VIRTIO_MMIO_QUEUE_NOTIFY,
				      queue);
}

int virtio_mmio_init(struct virtio_mmio *v, uint16_t queue_size)
{
	unsigned int i;
	int ret = 0;

	v->dev.ops = &virtio_device_ops;
	v->dev.space = DEVICE_MMIO;
	v->dev.bytes = VIRTIO_MMIO_BYTES;
	v->features |= 1ULL << VIRTIO_F_VERSION_1;
	pthread_mutex_init(&v->lock, NULL);
	for (i = 0; i < VIRTIO_QUEUES_MAX; i++)
		v->notify_fd[i] = -1;
	for (i = 0; i < v->nr_queues && !ret; i++) {
		vq_init(&v->queue[i], queue_size);
		ret = open_notify(v, i);
	}
	if (ret)
		virtio_mmio_exit(v);
	return ret;
}

void virtio_mmio_exit(struct virtio_mmio *v)
{
	unsigned int i;

	for (i = 0; i < v->nr_queues; i++)
		if (v->notify_fd[i] >= 0)
			close(v->notify_fd[i]);
	pthread_mutex_destroy(&v->lock);
}
