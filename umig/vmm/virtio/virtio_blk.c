// SPDX-License-Identifier: GPL-2.0
/*
 * A disk: see virtio_blk.h.
 *
 * DOC: Theory of operation
 *
 * One thread for each disk sits in an io_uring.  Three kinds of completions
 * wake it: the queue's eventfd (the guest has put something in), the control
 * eventfd (somebody changed @run or @quit), and I/O.  It takes requests while
 * @run is set and the bytes in flight are below a bound, starts their I/O, and
 * gives them back to the guest when that is done.
 *
 * Quiescing clears @run and waits until nothing is in flight; what the guest
 * has put into the queue and nobody has taken stays there, for this host or
 * another one.  Resuming sets @run and has the thread look at the queue.
 */
#include "vmm/virtio/virtio_blk.h"

#include <endian.h>
#include <errno.h>
#include <liburing.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "vmm/virtio/blk_image.h"
#include "vmm/virtio/blk_request.h"
#include "vmm/virtio/virtio_mmio.h"

#define QUEUE_SIZE 128
#define RING_ENTRIES (QUEUE_SIZE + 2)
#define IN_FLIGHT_BYTES_MAX (16U << 20)

/**
 * struct virtio_blk - A disk.
 *
 * @image: its descriptor changes only while the thread is at rest.
 *
 * Under v.lock:
 * @run: requests are to be taken.
 * @quit: the thread is to end.
 * @in_flight, @in_flight_bytes: requests taken and not given back.
 * @sync_error: a flush failed: data that the guest thinks safe may be lost,
 *	and asking again doesn't bring it back.
 * @rest: signalled when @in_flight becomes 0.
 *
 * The thread's own:
 * @ring, @kicks, @controls: the last two are read into.
 */
struct virtio_blk {
	struct virtio_mmio v;
	struct virtio_blk_config config;
	struct blk_image image;
	pthread_t thread;
	bool started;
	int control_fd;

	bool run;
	bool quit;
	unsigned int in_flight;
	uint64_t in_flight_bytes;
	int sync_error;
	pthread_cond_t rest;

	struct io_uring ring;
	uint64_t kicks;
	uint64_t controls;
};

static struct virtio_blk *to_blk(struct virtio_mmio *v)
{
	return (struct virtio_blk *)v;
}

static struct io_uring_sqe *get_sqe(struct virtio_blk *d)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&d->ring);
	return io_uring_get_sqe(&d->ring);
}

static void start_event(struct virtio_blk *d, int fd, uint64_t *to)
{
	struct io_uring_sqe *sqe = get_sqe(d);

	io_uring_prep_read(sqe, fd, to, sizeof(*to), 0);
	io_uring_sqe_set_data(sqe, to);
}

static void start_io(struct virtio_blk *d, struct blk_request *r)
{
	struct io_uring_sqe *sqe = get_sqe(d);
	uint8_t *data = r->data + r->done;
	uint32_t left = r->bytes - r->done;

	switch (r->action) {
	case BLK_READ:
		io_uring_prep_read(sqe, d->image.fd, data, left,
				   r->offset + r->done);
		break;
	case BLK_WRITE:
		io_uring_prep_write(sqe, d->image.fd, data, left,
				    r->offset + r->done);
		sqe->rw_flags = r->through ? RWF_DSYNC : 0;
		break;
	default:
		io_uring_prep_fsync(sqe, d->image.fd, IORING_FSYNC_DATASYNC);
	}
	io_uring_sqe_set_data(sqe, r);
}

/* Give @r back; under the lock. */
static void complete(struct virtio_blk *d, struct blk_request *r)
{
	uint64_t bytes = r->bytes;
	uint32_t written = blk_request_complete(r, &d->v.dev.host->mem);

	virtio_done(&d->v, 0, r->chain.head, written);
	free(r);
	d->in_flight_bytes -= bytes;
	if (!--d->in_flight)
		pthread_cond_broadcast(&d->rest);
}

/* Take one request; false: nothing more can be taken now.  Under the lock. */
static bool take_one(struct virtio_blk *d)
{
	struct blk_request *r;
	int ret;

	if (!d->run || !virtio_is_live(&d->v) || d->in_flight == QUEUE_SIZE ||
	    d->in_flight_bytes >= IN_FLIGHT_BYTES_MAX)
		return false;
	r = malloc(sizeof(*r));
	if (!r)
		return false;	/* when another one completes, again */
	ret = vq_pop(&d->v.queue[0], &d->v.dev.host->mem, &r->chain);
	if (ret == 1)
		ret = blk_request_parse(r, d->image.bytes, d->image.readonly) ?
		      : 1;
	if (ret != 1) {
		free(r);
		if (ret)
			virtio_broken(&d->v);
		return false;
	}
	/* A driver that doesn't know flushes expects none to be needed. */
	r->through = !(d->v.driver_features >> VIRTIO_BLK_F_FLUSH & 1);
	d->in_flight++;
	d->in_flight_bytes += r->bytes;
	if (r->action == BLK_NOTHING)
		complete(d, r);
	else
		start_io(d, r);
	return true;
}

static void take_all(struct virtio_blk *d)
{
	pthread_mutex_lock(&d->v.lock);
	while (take_one(d))
		;
	pthread_mutex_unlock(&d->v.lock);
}

static const char *action_name(enum blk_action action)
{
	return action == BLK_READ ? "read" :
	       action == BLK_WRITE ? "write" : "flush";
}

static void io_failed(struct virtio_blk *d, struct blk_request *r, int error)
{
	log_warn("%s: disk %s: %s of %u bytes at %llu: %s", d->v.dev.name,
		 d->image.path, action_name(r->action), r->bytes,
		 (unsigned long long)r->offset, strerror(-error));
	r->status = VIRTIO_BLK_S_IOERR;
	if (r->action == BLK_FLUSH)
		d->sync_error = error;
}

/* An I/O has ended: with all of it, a part, or an error. */
static void io_done(struct virtio_blk *d, struct blk_request *r, int result)
{
	if (result == -EAGAIN || result == -EINTR) {
		start_io(d, r);
		return;
	}
	if (result > 0) {
		r->done += result;
		if (r->done < r->bytes) {
			start_io(d, r);
			return;
		}
	}
	pthread_mutex_lock(&d->v.lock);
	if (result < 0)
		io_failed(d, r, result);
	else if (r->done < r->bytes)
		io_failed(d, r, -EIO);	/* the image ends too soon */
	complete(d, r);
	pthread_mutex_unlock(&d->v.lock);
}

static void handle(struct virtio_blk *d, struct io_uring_cqe *cqe)
{
	void *data = io_uring_cqe_get_data(cqe);

	if (data == &d->kicks)
		start_event(d, d->v.notify_fd[0], &d->kicks);
	else if (data == &d->controls)
		start_event(d, d->control_fd, &d->controls);
	else
		io_done(d, data, cqe->res);
}

static bool is_over(struct virtio_blk *d)
{
	bool over;

	pthread_mutex_lock(&d->v.lock);
	over = d->quit && !d->in_flight;
	pthread_mutex_unlock(&d->v.lock);
	return over;
}

static void *blk_thread(void *arg)
{
	struct virtio_blk *d = arg;
	struct io_uring_cqe *cqe;
	int ret;

	start_event(d, d->v.notify_fd[0], &d->kicks);
	start_event(d, d->control_fd, &d->controls);
	while (!is_over(d)) {
		ret = io_uring_submit_and_wait(&d->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EBUSY &&
		    ret != -EAGAIN) {
			d->v.dev.host->fail(d->v.dev.host,
					    "a disk's io_uring failed");
			return NULL;
		}
		while (!io_uring_peek_cqe(&d->ring, &cqe)) {
			handle(d, cqe);
			io_uring_cqe_seen(&d->ring, cqe);
		}
		take_all(d);
	}
	return NULL;
}

/* Stop taking requests, wait for those that were taken.  Under the lock. */
static void drain(struct virtio_blk *d)
{
	d->run = false;
	while (d->in_flight)
		pthread_cond_wait(&d->rest, &d->v.lock);
}

static void blk_resume(struct virtio_mmio *v)
{
	struct virtio_blk *d = to_blk(v);

	pthread_mutex_lock(&v->lock);
	d->run = true;
	pthread_mutex_unlock(&v->lock);
	eventfd_write(d->control_fd, 1);
}

static int blk_quiesce(struct virtio_mmio *v, struct err *err)
{
	struct virtio_blk *d = to_blk(v);
	int ret;

	pthread_mutex_lock(&v->lock);
	drain(d);
	if (!d->sync_error && d->image.fd >= 0 && !d->image.readonly &&
	    fdatasync(d->image.fd))
		d->sync_error = -errno;
	ret = d->sync_error;
	pthread_mutex_unlock(&v->lock);
	return ret ? err_set(err, ret,
			     "disk %s: what the guest has written could not be made stable: %s",
			     d->image.path, strerror(-ret)) : 0;
}

static void blk_reset(struct virtio_mmio *v)
{
	struct virtio_blk *d = to_blk(v);
	bool run;

	pthread_mutex_lock(&v->lock);
	run = d->run;
	drain(d);
	d->run = run;
	pthread_mutex_unlock(&v->lock);
}

static int blk_acquire(struct virtio_mmio *v, struct err *err)
{
	return blk_image_acquire(&to_blk(v)->image, err);
}

static void blk_release(struct virtio_mmio *v)
{
	blk_image_release(&to_blk(v)->image);
}

static int blk_check(struct virtio_mmio *v, struct err *err)
{
	return blk_image_check(&to_blk(v)->image, err);
}

static int blk_describe(struct virtio_mmio *v, struct machine *out)
{
	const struct virtio_blk *d = to_blk(v);

	return machine_set(out, v->dev.name, "%llu bytes%s",
			   (unsigned long long)d->image.bytes,
			   d->image.readonly ? ", readonly" : "");
}

static void stop_thread(struct virtio_blk *d)
{
	if (!d->started)
		return;
	pthread_mutex_lock(&d->v.lock);
	d->run = false;
	d->quit = true;
	pthread_mutex_unlock(&d->v.lock);
	eventfd_write(d->control_fd, 1);
	pthread_join(d->thread, NULL);
}

static void blk_destroy(struct virtio_mmio *v)
{
	struct virtio_blk *d = to_blk(v);

	stop_thread(d);
	if (d->image.fd >= 0 && !d->image.readonly && fdatasync(d->image.fd))
		log_error("disk %s: what the guest has written could not be made stable: %s",
			  d->image.path, strerror(errno));
	io_uring_queue_exit(&d->ring);
	close(d->control_fd);
	blk_image_exit(&d->image);
	virtio_mmio_exit(v);
	pthread_cond_destroy(&d->rest);
	free(d);
}

static const struct virtio_ops blk_ops = {
	.reset = blk_reset,
	.acquire = blk_acquire,
	.release = blk_release,
	.resume = blk_resume,
	.quiesce = blk_quiesce,
	.check = blk_check,
	.describe = blk_describe,
	.destroy = blk_destroy,
};

/* The thread takes no signals: those are for others. */
static int start_thread(struct virtio_blk *d)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&d->thread, NULL, blk_thread, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	d->started = !ret;
	return -ret;
}

static void set_config(struct virtio_blk *d)
{
	d->v.features = 1ULL << VIRTIO_BLK_F_SEG_MAX |
			1ULL << VIRTIO_BLK_F_SIZE_MAX |
			1ULL << VIRTIO_BLK_F_BLK_SIZE |
			1ULL << VIRTIO_BLK_F_FLUSH |
			1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (d->image.readonly)
		d->v.features |= 1ULL << VIRTIO_BLK_F_RO;
	d->config = (struct virtio_blk_config){
		.capacity = htole64(d->image.bytes / SECTOR_BYTES),
		.size_max = htole32(BLK_SEGMENT_BYTES_MAX),
		.seg_max = htole32(BLK_SEGMENTS_MAX),
		.blk_size = htole32(SECTOR_BYTES),
	};
	d->v.config = &d->config;
	d->v.config_bytes = sizeof(d->config);
}

/* Everything behind the image; undoes itself on error. */
static int start(struct virtio_blk *d)
{
	int ret = io_uring_queue_init(RING_ENTRIES, &d->ring, 0);

	if (ret)
		return ret;
	d->control_fd = eventfd(0, EFD_CLOEXEC);
	if (d->control_fd < 0) {
		ret = -errno;
		goto out_ring;
	}
	ret = virtio_mmio_init(&d->v, QUEUE_SIZE);
	if (ret)
		goto out_control;
	ret = start_thread(d);
	if (!ret)
		return 0;
	virtio_mmio_exit(&d->v);
out_control:
	close(d->control_fd);
out_ring:
	io_uring_queue_exit(&d->ring);
	return ret;
}

int virtio_blk_create(struct device **out, struct device_host *host,
		      const struct virtio_blk_place *place, const char *path,
		      bool readonly, struct err *err)
{
	struct virtio_blk *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return err_set(err, -ENOMEM, "out of memory");
	d->v.ops = &blk_ops;
	d->v.device_id = VIRTIO_ID_BLOCK;
	d->v.nr_queues = 1;
	d->v.dev.host = host;
	d->v.dev.base = place->base;
	d->v.dev.gsi = place->gsi;
	snprintf(d->v.dev.name, sizeof(d->v.dev.name), "virtio-blk%u",
		 place->nr);
	pthread_cond_init(&d->rest, NULL);
	ret = blk_image_init(&d->image, path, readonly, err);
	if (!ret) {
		set_config(d);
		ret = start(d);
	}
	if (ret) {
		err_set(err, ret, "disk %s: %s", path, strerror(-ret));
		blk_image_exit(&d->image);
		pthread_cond_destroy(&d->rest);
		free(d);
		return ret;
	}
	*out = &d->v.dev;
	return 0;
}
