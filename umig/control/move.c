// SPDX-License-Identifier: GPL-2.0
/*
 * The migrations of a VM's process: started here, watched here, and what each
 * outcome means for the process.  See vmproc.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/protocol.h"
#include "control/report.h"
#include "control/vmproc.h"
#include "lib/log.h"

/* The engine knows that it has no digests; we know why, and the remedy. */
static void add_note(const struct vmproc *p, struct migrate_report *r)
{
	if (p->note[0] && !r->incoming)
		snprintf(r->warning, sizeof(r->warning), "%s", p->note);
}

bool vmproc_report(struct vmproc *p, struct migrate_report *out)
{
	if (p->migration)
		migration_query(p->migration, out);
	else if (p->reported)
		*out = p->report;
	else
		return false;
	add_note(p, out);
	return true;
}

int vmproc_handing_over(struct vmproc *p, struct err *err)
{
	struct migrate_report r;

	if (!p->migration)
		return 0;
	migration_query(p->migration, &r);
	switch (r.state) {
	case MIGRATE_HANDOVER:
		return err_set(err, -EBUSY,
			       "the guest is being handed over to the destination; ask again when that has ended");
	case MIGRATE_HANDOVER_UNKNOWN:
		return err_set(err, -EBUSY,
			       "the guest may be running at the destination: look there; if it does, umig settle --moved; if not, end umig listen there first, then umig settle --stayed");
	case MIGRATE_COMPLETED:
		return err_set(err, -EBUSY,
			       "the guest runs at the destination");
	default:
		return 0;
	}
}

static void log_state(struct vmproc *p, const struct migrate_report *r)
{
	const char *way = r->incoming ? "incoming migration" : "migration";

	switch (r->state) {
	case MIGRATE_FAILED:
	case MIGRATE_CANCELLED:
		log_msg(r->incoming ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
			"%s: %s %s: %s", vm_name(p->vm), way,
			migrate_state_name(r->state), r->error);
		break;
	case MIGRATE_HANDOVER_UNKNOWN:
		log_error("%s: %s; the guest stays stopped here until it is settled: look at the destination; if it runs there, umig settle --moved; if not, end umig listen there first, then umig settle --stayed",
			  vm_name(p->vm), r->error);
		break;
	default:
		log_info("%s: %s: %s", vm_name(p->vm), way,
			 migrate_state_name(r->state));
	}
}

/* The migration is over and freed: what now? */
static void move_ended(struct vmproc *p, enum migrate_state state)
{
	bool was_incoming = p->incoming;

	p->incoming = false;
	if (state == MIGRATE_COMPLETED && !was_incoming) {
		p->ending = true;
		p->exit_code = EXIT_CODE_OK;
	}
	if (state != MIGRATE_COMPLETED && was_incoming && !p->ending) {
		p->ending = true;
		p->exit_code = EXIT_CODE_MIGRATION;
	}
	if (p->ending)
		loop_stop(&p->loop);
	else
		/* A guest that ended during its handover could not be heard. */
		vmproc_look_at_vm(p);
}

static void tell(struct vmproc *p, struct migrate_report told)
{
	add_note(p, &told);
	control_server_event(p->server, "MIGRATION",
			     report_to_json(&told, false));
}

/* Whether there is something to be told of once a second. */
static void set_ticks(struct vmproc *p, bool on)
{
	const struct itimerspec every = {
		.it_value.tv_sec = on, .it_interval.tv_sec = on,
	};

	if (timerfd_settime(p->ticks.fd, 0, &every, NULL))
		log_warn("%s: no progress will be told: %s", vm_name(p->vm),
			 strerror(errno));
}

void vmproc_tick(void *arg, uint32_t events)
{
	struct migrate_report r;
	struct vmproc *p = arg;
	uint64_t n;

	(void)events;
	if (read(p->ticks.fd, &n, sizeof(n)) != sizeof(n) || !p->migration)
		return;
	migration_query(p->migration, &r);
	if (r.state != MIGRATE_PRECOPY)
		return;
	add_note(p, &r);
	control_server_event(p->server, "MIGRATION_PROGRESS",
			     report_to_json(&r, true));
}

static void take_report(struct vmproc *p, const struct migrate_report *r)
{
	p->report = *r;
	p->reported = true;
	log_state(p, r);
	if (migrate_state_final(r->state)) {
		migration_free(p->migration);
		p->migration = NULL;
		set_ticks(p, false);
		credentials_free(&p->credentials);
	} else if (r->state == MIGRATE_HANDOVER_UNKNOWN) {
		p->ending = false;
	}
	tell(p, *r);
	if (migrate_state_final(r->state))
		move_ended(p, r->state);
}

void vmproc_engine_ready(void *arg, uint32_t events)
{
	struct migrate_report r;
	struct vmproc *p = arg;

	(void)events;
	while (mailbox_take(&p->mailbox, &r))
		take_report(p, &r);
}

/* Load the keys that the migration will use; @own is told. */
static int set_security(struct vmproc *p, struct migrate_params *own,
			const struct security *security, struct err *err)
{
	int ret = security_load(security, &p->credentials, err);

	if (ret)
		return ret;
	own->credentials = security->insecure ? NULL : &p->credentials;
	own->peer = security->peer;
	return 0;
}

/* The source's digests; that there are none from the module is noted. */
static int set_digests(struct vmproc *p, struct migrate_params *own,
		       const struct held *held, struct err *err)
{
	struct err why = { 0 };
	int ret = held_digests_open(held, vm_memory(p->vm), &own->digests,
				    &why, err);

	p->note[0] = '\0';
	own->no_digests = !held->module && !own->digests;
	if (!why.code)
		return ret;
	snprintf(p->note, sizeof(p->note),
		 "every page that isn't zero is sent: %s", err_text(&why));
	log_warn("%s: %s", vm_name(p->vm), p->note);
	return ret;
}

int vmproc_migrate(struct vmproc *p, const struct migrate_params *params,
		   const struct security *security, const struct held *held,
		   struct err *err)
{
	struct migrate_params own = *params;
	struct migrate_report r;
	int ret;

	if (p->migration)
		return err_set(err, -EBUSY, p->incoming ?
			       "the guest has not arrived yet" :
			       "a migration is under way already");
	ret = set_security(p, &own, security, err);
	if (ret)
		return ret;
	own.store = p->store;
	ret = set_digests(p, &own, held, err);
	if (!ret)
		ret = migration_start_source(&p->migration, &vm_ops_kvm, p->vm,
					     &own, mailbox_put, &p->mailbox,
					     err);
	if (ret && own.digests)
		own.digests->close(own.digests);
	if (ret) {
		credentials_free(&p->credentials);
		return ret;
	}
	set_ticks(p, true);
	/* From here on the engine tells each change; this is the first. */
	migration_query(p->migration, &r);
	log_info("%s: migrating to %s", vm_name(p->vm), own.address);
	r.state = MIGRATE_SETUP;
	tell(p, r);
	return 0;
}

/*
 * By its spelling: a loopback address written in another way earns a warning
 * too many, and no other address one too few.
 */
static bool is_loopback(const char *address)
{
	return !strncmp(address, "127.", 4) ||
	       !strncmp(address, "localhost:", 10) ||
	       !strncmp(address, "[::1]:", 6);
}

static void log_listening(struct vmproc *p, const char *address,
			  const struct security *security)
{
	const char *port = strrchr(address, ':');
	char key[KEY_TEXT_MAX];

	/* with port 0 the kernel has chosen one */
	log_info("%s: waiting for a guest at %.*s:%d", vm_name(p->vm),
		 (int)(port - address), address, migration_port(p->migration));
	if (!security->insecure)
		log_info("%s: from peers of %s; this host's key is %s",
			 vm_name(p->vm), security->peers,
			 key_to_text(key, p->credentials.own.public));
	else if (!is_loopback(address))
		log_warn("%s: --insecure: whoever reaches %s can put a guest here, whoever sees the link reads its memory",
			 vm_name(p->vm), address);
}

int vmproc_listen(struct vmproc *p, const struct migrate_params *params,
		  const struct security *security, const struct held *held,
		  struct err *err)
{
	struct migrate_params own = *params;
	struct err why = { 0 };
	int ret = set_security(p, &own, security, err);

	if (ret)
		return ret;
	own.store = p->store;
	ret = held_pages_open(held, vm_group(p->vm), &own.pages, &why, err);
	if (ret)
		return ret;
	if (why.code)
		log_warn("%s: nothing that this host holds can be used, every page that isn't zero will be sent: %s",
			 vm_name(p->vm), err_text(&why));
	ret = migration_start_target(&p->migration, &vm_ops_kvm, p->vm, &own,
				     mailbox_put, &p->mailbox, err);
	if (ret && own.pages)
		own.pages->close(own.pages);
	if (ret)
		return ret;
	p->incoming = true;
	set_ticks(p, true);
	log_listening(p, params->address, security);
	return 0;
}
