// SPDX-License-Identifier: GPL-2.0
/*
 * The engine's front door (migrate.h), and what both ends need of a migration
 * (migration.h): its thread, its state, its report, its last words.
 */
#include "migrate/migration.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "transport/tcp.h"
#include "wire/frame.h"
#include "wire/msgs.h"

/* A last word is worth so much silence, and waiting so long for a slow link. */
#define GOODBYE_TIMEOUT_NS 2000000000ULL
#define GOODBYE_NS 5000000000ULL
/* A page takes no longer than this, on any link and any host: 256 KiB/s. */
#define SLOWEST_PAGE_NS 16000000ULL

const struct migrate_params MIGRATE_PARAMS_DEFAULT = {
	.downtime_limit_ns = 50000000ULL,
	.max_rounds = 30,
	.channels = 1,
	.on_timeout = MIGRATE_ON_TIMEOUT_ABORT,
	.throttle_floor = 25,
	.verify = true,
	.proof = PROOF_SAMPLED,
	.peer_timeout_ns = 30000000000ULL,
};

/* Copy what the engine's thread knows to what others see.  Lock held. */
static void publish_locked(struct migration *m)
{
	enum migrate_state state = m->report.state;

	m->live.total_ns = (m->ended_ns ? m->ended_ns : clock_now_ns()) -
			   m->begun_ns;
	if (m->ch) {
		m->live.bytes_tx = channel_bytes_tx(m->ch);
		m->live.bytes_rx = channel_bytes_rx(m->ch);
		if (m->incoming)
			m->live.bytes_rx += atomic_load(&m->lane_bytes);
		else
			m->live.bytes_tx += atomic_load(&m->lane_bytes);
	}
	m->report = m->live;
	m->report.state = state;
}

void migration_publish(struct migration *m)
{
	pthread_mutex_lock(&m->lock);
	publish_locked(m);
	pthread_mutex_unlock(&m->lock);
}

int migration_enter(struct migration *m, enum migrate_state to)
{
	struct migrate_report copy;

	pthread_mutex_lock(&m->lock);
	if (m->report.state == MIGRATE_CANCELLING && !migrate_state_final(to)) {
		pthread_mutex_unlock(&m->lock);
		return -ECANCELED;
	}
	assert(migrate_state_may(m->report.state, to));
	publish_locked(m);
	m->report.state = to;
	if (to == MIGRATE_FAILED || to == MIGRATE_CANCELLED ||
	    to == MIGRATE_HANDOVER_UNKNOWN)
		snprintf(m->report.error, sizeof(m->report.error), "%s",
			 m->err.code ? err_text(&m->err) : "cancelled");
	copy = m->report;
	pthread_mutex_unlock(&m->lock);
	if (m->event)
		m->event(m->event_arg, &copy);
	return 0;
}

uint64_t migration_bytes_tx(struct migration *m)
{
	return channel_bytes_tx(m->ch) + atomic_load(&m->lane_bytes);
}

void migration_warn(struct migration *m, const char *fmt, ...)
{
	va_list ap;

	if (m->live.warning[0])
		return;
	va_start(ap, fmt);
	vsnprintf(m->live.warning, sizeof(m->live.warning), fmt, ap);
	va_end(ap);
}

void migration_deadline_ns(struct migration *m, uint64_t work_ns)
{
	channel_set_deadline(m->ch, clock_now_ns() +
					    m->params.peer_timeout_ns +
					    work_ns);
}

void migration_deadline(struct migration *m, uint64_t pages)
{
	uint64_t page_ns = SLOWEST_PAGE_NS;

	/* we may be held to even less */
	if (m->rate)
		page_ns += 2 * UMIG_PAGE_SIZE * 1000000000ULL / m->rate;
	if (pages > CHANNEL_TIMEOUT_NEVER / page_ns)
		pages = CHANNEL_TIMEOUT_NEVER / page_ns;
	migration_deadline_ns(m, pages * page_ns);
}

static const char *peer_name(const struct migration *m)
{
	return m->incoming ? "source" : "destination";
}

int migration_lost(struct migration *m, int rc)
{
	switch (rc) {
	case -ECANCELED:
		return err_set(&m->err, rc, "cancelled");
	case -ECONNRESET:
		return err_set(&m->err, rc,
			       "the %s closed the connection unexpectedly: did its process end?",
			       peer_name(m));
	case -ETIMEDOUT:
		return err_set(&m->err, rc,
			       "the %s has been silent for %llu s: is it, or the network, down?",
			       peer_name(m),
			       (unsigned long long)channel_timeout(m->ch) /
				       1000000000);
	case -ETIME:
		return err_set(&m->err, rc,
			       "the %s did not answer in time: is it, or the network, down or overloaded?",
			       peer_name(m));
	case -EBADMSG:
		return err_set(&m->err, rc,
			       "a record from the %s does not open: it was changed, repeated, moved or cut on the way: is somebody in the network between?",
			       peer_name(m));
	case -EPROTO:
		return err_set(&m->err, rc,
			       "the %s sent something that is not umig's protocol",
			       peer_name(m));
	default:
		return err_set(&m->err, rc,
			       "connection to the %s: %s: is it, or the network, down?",
			       peer_name(m), strerror(-rc));
	}
}

int migration_recv(struct migration *m, struct frame_in *in, bool wait)
{
	char text[WIRE_TEXT_MAX + 1];
	int rc = channel_recv(m->ch, in, wait);

	if (rc == -EAGAIN)
		return rc;
	if (rc)
		return migration_lost(m, rc);
	if (in->type == WIRE_ERROR) {
		msg_text_decode(text, in->payload, in->bytes);
		return err_set(&m->err, -EREMOTEIO, "the %s says: %s",
			       peer_name(m), text);
	}
	if (in->type == WIRE_CANCEL)
		return err_set(&m->err, -EREMOTEIO,
			       "the migration was cancelled at the %s",
			       peer_name(m));
	return 0;
}

int migration_unexpected(struct migration *m, const struct frame_in *in,
			 const char *expected)
{
	return err_set(&m->err, -EPROTO,
		       "the %s sent %s (%zu bytes) where %s was due",
		       peer_name(m), wire_type_name(in->type), in->bytes,
		       expected);
}

int migration_keep_alive(struct migration *m)
{
	uint64_t now = clock_now_ns();
	int rc;

	if (now - m->told_ns < MIGRATION_KEEPALIVE_NS)
		return 0;
	m->told_ns = now;
	rc = channel_send_copy(m->ch, WIRE_KEEPALIVE, NULL, 0);
	return rc ? migration_lost(m, rc) : 0;
}

void migration_goodbye(struct migration *m, int rc)
{
	uint16_t type = rc == -ECANCELED ? WIRE_CANCEL : WIRE_ERROR;
	const char *text = rc == -ECANCELED ? "" : err_text(&m->err);
	size_t n = strlen(text);

	/* gone, or has said its own last word */
	if (!m->ch || rc == -ECONNRESET || rc == -EREMOTEIO)
		return;
	channel_set_cancellable(m->ch, false);
	channel_set_timeout(m->ch, GOODBYE_TIMEOUT_NS);
	channel_set_deadline(m->ch, clock_now_ns() + GOODBYE_NS);
	if (!channel_send_copy(m->ch, type, text,
			       n < WIRE_TEXT_MAX ? n : WIRE_TEXT_MAX))
		channel_flush(m->ch);
}

/* The lower of what the user and the peers file allow. */
static uint64_t rate_limit(const struct migration *m)
{
	uint64_t ours = m->params.bandwidth, theirs = m->peer.bandwidth;

	if (!ours || !theirs)
		return ours ? ours : theirs;
	return ours < theirs ? ours : theirs;
}

int migration_open_channel(struct migration *m, int fd,
			   struct session *session, uint64_t timeout_ns)
{
	int rc;

	tcp_set_timeout(fd, timeout_ns);
	m->peer = session->peer;
	m->version = session->version;
	m->live.sealed = session->sealed;
	m->live.cipher[0] = '\0';
	if (session->sealed)
		snprintf(m->live.cipher, sizeof(m->live.cipher), "%s",
			 record_cipher_name(session->tx.cipher));
	memcpy(m->live.peer, m->peer.name, sizeof(m->live.peer));
	rc = channel_open(&m->ch, fd, session, m->cancel_fd, timeout_ns,
			  &m->err);
	session_wipe(session);
	if (rc) {
		close(fd);
		return rc;
	}
	m->told_ns = clock_now_ns();
	m->rate = rate_limit(m);
	channel_set_rate(m->ch, m->rate);
	return 0;
}

int migration_check_group(struct migration *m, const struct machine *machine)
{
	const char *group = machine_group(machine);

	if (!group || peer_in_group(&m->peer, group))
		return 0;
	if (!m->live.sealed)
		return err_set(&m->err, -EACCES,
			       "a VM of trust group \"%s\" needs a connection with keys: leave --insecure away",
			       group);
	return err_set(&m->err, -EACCES,
		       "VMs of trust group \"%s\" may not be exchanged with peer \"%s\": its line in the peers file has no groups=%s",
		       group, m->peer.name, group);
}

int migration_hello(struct migration *m, const struct machine *machine,
		    uint32_t flags, const uint8_t *key_id)
{
	struct hello h = {
		.flags = flags,
		.slots = *m->ms,
		.machine = *machine,	/* borrowed */
	};
	struct buf b = { 0 };
	int rc;

	if (key_id) {
		h.flags |= WIRE_HELLO_DIGESTS;
		memcpy(h.key_id, key_id, sizeof(h.key_id));
	}
	hello_encode(&h, &b);
	rc = b.error;
	if (!rc)
		rc = channel_send_copy(m->ch, WIRE_HELLO, b.data, b.len);
	buf_free(&b);
	return rc ? migration_lost(m, rc) : 0;
}

static void *run(void *arg)
{
	struct migration *m = arg;
	sigset_t set;

	/* a peer that went away is an error to return, not a signal */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (m->incoming)
		migrate_target(m);
	else
		migrate_source(m);
	return NULL;
}

static void destroy(struct migration *m)
{
	door_close(m->door);
	if (m->cancel_fd >= 0)
		close(m->cancel_fd);
	pthread_cond_destroy(&m->settled_cond);
	pthread_mutex_destroy(&m->lock);
	free(m->address);
	free(m->page_classes);
	free(m->peer_wanted);
	free(m);
}

/* What can fail of creating: libsodium, strings and the eventfd. */
static int create_rest(struct migration *m, struct err *err)
{
	const struct migrate_params *params = &m->params;

	/* before it the slow implementations are used */
	if (sodium_init() < 0)
		return err_set(err, -ENOSYS, "libsodium does not work here");
	m->address = strdup(params->address);
	m->page_classes = params->page_classes ?
				  strdup(params->page_classes) : NULL;
	m->peer_wanted = params->peer ? strdup(params->peer) : NULL;
	if (!m->address || (params->page_classes && !m->page_classes) ||
	    (params->peer && !m->peer_wanted))
		return err_set(err, -ENOMEM, "out of memory");
	m->cancel_fd = eventfd(0, EFD_CLOEXEC);
	if (m->cancel_fd < 0)
		return err_set(err, -errno, "no eventfd: %s", strerror(errno));
	return 0;
}

/* NULL with *@rc and @err set, or a migration that hasn't begun. */
static struct migration *create(const struct vm_ops *ops, void *vm,
				const struct migrate_params *params,
				bool incoming, migrate_event_fn *event,
				void *arg, int *rc, struct err *err)
{
	struct migration *m = calloc(1, sizeof(*m));
	uint64_t checked_ns;

	if (!m) {
		*rc = err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	assert(params->store);
	m->ops = ops;
	m->vm = vm;
	m->ms = ops->memory(vm);
	m->params = *params;
	m->incoming = incoming;
	m->event = event;
	m->event_arg = arg;
	m->cancel_fd = -1;
	m->begun_ns = clock_now_ns();
	m->live.incoming = incoming;
	m->live.pages_total = m->ms->pages;
	m->report = m->live;
	m->report.state = MIGRATE_SETUP;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->settled_cond, NULL);
	*rc = create_rest(m, err);
	/* rather now than with the guest stopped */
	checked_ns = clock_now_ns();
	if (!*rc)
		*rc = handover_store_check(m->params.store, err);
	m->record_ns = clock_now_ns() - checked_ns;
	if (!*rc)
		return m;
	destroy(m);
	return NULL;
}

/* Let its thread run; on failure it is gone. */
static int start(struct migration **out, struct migration *m, struct err *err)
{
	int rc = pthread_create(&m->thread, NULL, run, m);

	if (rc) {
		destroy(m);
		return err_set(err, -rc, "no thread for the engine: %s",
			       strerror(rc));
	}
	*out = m;
	return 0;
}

int migration_start_source(struct migration **out, const struct vm_ops *ops,
			   void *vm, const struct migrate_params *params,
			   migrate_event_fn *event, void *arg,
			   struct err *err)
{
	int rc;
	struct migration *m = create(ops, vm, params, false, event, arg, &rc,
				     err);

	return m ? start(out, m, err) : rc;
}

int migration_start_target(struct migration **out, const struct vm_ops *ops,
			   void *vm, const struct migrate_params *params,
			   migrate_event_fn *event, void *arg,
			   struct err *err)
{
	int rc;
	struct migration *m = create(ops, vm, params, true, event, arg, &rc,
				     err);

	if (!m)
		return rc;
	rc = door_open(&m->door, m->address, params->credentials, err);
	if (rc) {
		destroy(m);
		return rc;
	}
	m->port = door_port(m->door);
	return start(out, m, err);
}

int migration_port(const struct migration *m)
{
	return m->port;
}

void migration_query(struct migration *m, struct migrate_report *out)
{
	pthread_mutex_lock(&m->lock);
	*out = m->report;
	if (!migrate_state_final(out->state))
		out->total_ns = clock_now_ns() - m->begun_ns;
	pthread_mutex_unlock(&m->lock);
}

int migration_cancel(struct migration *m)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (migrate_state_final(m->report.state))
		rc = -EALREADY;
	else if (m->report.state == MIGRATE_HANDOVER ||
		 m->report.state == MIGRATE_HANDOVER_UNKNOWN)
		rc = -EBUSY;
	else
		m->report.state = MIGRATE_CANCELLING;
	pthread_mutex_unlock(&m->lock);
	if (!rc && eventfd_write(m->cancel_fd, 1))
		rc = -errno;
	return rc;
}

/* Tell the engine's thread, which waits for this or for a late answer. */
static void settle_locked(struct migration *m, enum migrate_settled how)
{
	m->settled = how;
	pthread_cond_signal(&m->settled_cond);
	eventfd_write(m->cancel_fd, 1);
}

int migration_settle(struct migration *m, bool moved)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (m->report.state != MIGRATE_HANDOVER_UNKNOWN || m->settled)
		rc = -EINVAL;
	else
		settle_locked(m, moved ? MIGRATE_SETTLED_MOVED :
					 MIGRATE_SETTLED_STAYED);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

void migration_free(struct migration *m)
{
	if (!m)
		return;
	migration_cancel(m);
	pthread_mutex_lock(&m->lock);
	if (!m->settled)
		settle_locked(m, MIGRATE_SETTLED_ABANDONED);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	destroy(m);
}
