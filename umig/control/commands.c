// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of the control socket, one function each, and their table.
 * Names and meanings are QEMU's where it has the command.
 * Documentation/control.rst describes them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/args.h"
#include "control/limits.h"
#include "control/protocol.h"
#include "control/report.h"
#include "control/vmproc.h"

#define NS_PER_MS 1000000ULL

/* QEMU's RunState names, as far as we have the state. */
static const char *run_state(struct vmproc *p, const struct vm_status *status)
{
	switch (status->state) {
	case VM_STATE_RUNNING:
		return "running";
	case VM_STATE_SHUTDOWN:
		return "shutdown";
	case VM_STATE_CRASHED:
		return "internal-error";
	case VM_STATE_PAUSED:
		break;
	}
	if (p->incoming)
		return "inmigrate";
	if (vmproc_handing_over(p, NULL))
		return "postmigrate";
	if (status->reasons & VM_PAUSE_MIGRATION)
		return "finish-migrate";
	return "paused";
}

static json_t *reasons_json(unsigned int reasons)
{
	json_t *list = json_array();

	if (reasons & VM_PAUSE_OPERATOR)
		json_array_append_new(list, json_string("operator"));
	if (reasons & VM_PAUSE_MIGRATION)
		json_array_append_new(list, json_string("migration"));
	if (reasons & VM_PAUSE_SETUP)
		json_array_append_new(list, json_string("setup"));
	return list;
}

static int query_status(struct vmproc *p, const json_t *args, json_t **ret,
			struct err *err)
{
	struct vm_status status;

	(void)args;
	(void)err;
	vm_status(p->vm, &status);
	*ret = json_pack("{s:s, s:b, s:o, s:o, s:o, s:s?, s:i}",
			 "status", run_state(p, &status),
			 "running", status.state == VM_STATE_RUNNING,
			 "reasons", reasons_json(status.reasons),
			 "why", protocol_text(status.why),
			 "name", protocol_text(vm_name(p->vm)),
			 "group", vm_group(p->vm),
			 "pid", (int)getpid());
	return *ret ? 0 : -ENOMEM;
}

/*
 * Whether the operator may pause or resume now: not while the guest is another
 * host's, and not once its state may have been saved, of which that is a part.
 */
static int may_pause(struct vmproc *p, struct err *err)
{
	struct migrate_report r;
	int rc = vmproc_handing_over(p, err);

	if (rc || !p->migration)
		return rc;
	migration_query(p->migration, &r);
	if (r.state != MIGRATE_STOPPING)
		return 0;
	return err_set(err, -EBUSY,
		       "the guest's state is being sent: cancel the migration, or ask again when it has ended");
}

static int stop(struct vmproc *p, const json_t *args, json_t **ret,
		struct err *err)
{
	int rc = may_pause(p, err);

	(void)args;
	(void)ret;
	return rc ? rc : vm_pause(p->vm, VM_PAUSE_OPERATOR, err);
}

/*
 * Takes back the operator's own reason and no other.  A guest that arrived
 * paused was never started here: that is then to be done.
 */
static int cont(struct vmproc *p, const json_t *args, json_t **ret,
		struct err *err)
{
	struct vm_status status;
	int rc = may_pause(p, err);

	(void)args;
	(void)ret;
	if (!rc)
		rc = vm_resume(p->vm, VM_PAUSE_OPERATOR, err);
	if (rc || p->incoming)
		return rc;
	vm_status(p->vm, &status);
	/* It could not be started again after a migration that failed. */
	if (status.reasons & VM_PAUSE_MIGRATION && !p->migration && !p->ending)
		return vm_ops_kvm.start(p->vm, err);
	return status.reasons & VM_PAUSE_SETUP ? vm_start(p->vm, err) : 0;
}

static int quit(struct vmproc *p, const json_t *args, json_t **ret,
		struct err *err)
{
	(void)args;
	(void)ret;
	return vmproc_end(p, EXIT_CODE_OK, "host-qmp-quit", false, err);
}

static int migrate_on_timeout(const json_t *args,
			      struct migrate_params *params, struct err *err)
{
	const char *choice = NULL;
	int rc = args_string(args, "on-timeout", &choice, err);

	if (rc || !choice)
		return rc;
	if (!strcmp(choice, "abort"))
		params->on_timeout = MIGRATE_ON_TIMEOUT_ABORT;
	else if (!strcmp(choice, "stop"))
		params->on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	else
		return err_set(err, -EINVAL,
			       "argument \"on-timeout\" must be abort or stop");
	return 0;
}

static int migrate_compress(const json_t *args, struct migrate_params *params,
			    struct err *err)
{
	const char *how = NULL;
	int rc = args_string(args, "compress", &how, err);

	return rc || !how ? rc : pack_option_parse(how, &params->pack, err);
}

/* A number, or "auto". */
static int migrate_channels(const json_t *args, struct migrate_params *params,
			    struct err *err)
{
	const json_t *value = json_object_get(args, "channels");
	uint64_t n = 0;
	int rc = 0;

	if (json_is_string(value) &&
	    !strcmp(json_string_value(value), "auto"))
		value = NULL;
	if (value)
		rc = args_number(args, "channels", 1, MIGRATE_CHANNELS_MAX, &n,
				 err);
	params->channels = n;
	return rc;
}

static int migrate_numbers(const json_t *args, struct migrate_params *params,
			   struct err *err)
{
	uint64_t downtime_ms = params->downtime_limit_ns / NS_PER_MS;
	uint64_t peer_s = params->peer_timeout_ns / NS_PER_MS / 1000;
	uint64_t floor = params->throttle_floor;
	uint64_t timeout_s = 0;
	uint64_t rounds = params->max_rounds;
	int rc;

	rc = args_number(args, "downtime-limit", DOWNTIME_LIMIT_MIN_MS,
			 DOWNTIME_LIMIT_MAX_MS, &downtime_ms, err);
	if (!rc)
		rc = args_number(args, "max-rounds", 1, ROUNDS_MAX, &rounds,
				 err);
	if (!rc)
		rc = args_number(args, "timeout", 0, TIMEOUT_MAX_S, &timeout_s,
				 err);
	if (!rc)
		rc = args_number(args, "peer-timeout", PEER_TIMEOUT_MIN_S,
				 TIMEOUT_MAX_S, &peer_s, err);
	if (!rc)
		rc = args_number(args, "throttle-floor", THROTTLE_FLOOR_MIN,
				 100, &floor, err);
	if (!rc)
		rc = args_number(args, "bandwidth", 0, BANDWIDTH_MAX,
				 &params->bandwidth, err);
	if (!rc && params->bandwidth && params->bandwidth < BANDWIDTH_MIN)
		rc = err_set(err, -EINVAL,
			     "argument \"bandwidth\" must be 0 or at least %llu",
			     BANDWIDTH_MIN);
	params->downtime_limit_ns = downtime_ms * NS_PER_MS;
	params->max_rounds = rounds;
	params->throttle_floor = floor;
	params->timeout_ns = timeout_s * 1000 * NS_PER_MS;
	params->peer_timeout_ns = peer_s * 1000 * NS_PER_MS;
	return rc;
}

static int migrate_strings(const json_t *args, struct migrate_params *params,
			   struct err *err)
{
	const char *uri = NULL;
	int rc = args_string(args, "uri", &uri, err);

	if (!rc)
		rc = args_string(args, "page-classes", &params->page_classes,
				 err);
	if (rc)
		return rc;
	if (!uri || strncmp(uri, "tcp:", 4) || !uri[4])
		return err_set(err, -EINVAL,
			       "argument \"uri\" must be \"tcp:HOST:PORT\"");
	params->address = uri + 4;
	if (params->page_classes && *params->page_classes != '/')
		return err_set(err, -EINVAL,
			       "argument \"page-classes\" must be an absolute path");
	return 0;
}

static int migrate_security(const json_t *args, struct security *s,
			    struct err *err)
{
	int rc = args_bool(args, "insecure", &s->insecure, err);

	if (!rc)
		rc = args_string(args, "key", &s->key, err);
	if (!rc)
		rc = args_string(args, "peers", &s->peers, err);
	if (!rc)
		rc = args_string(args, "peer", &s->peer, err);
	if (!rc && (*s->key != '/' || *s->peers != '/'))
		rc = err_set(err, -EINVAL,
			     "arguments \"key\" and \"peers\" must be absolute paths");
	return rc;
}

static int migrate_held(const json_t *args, struct held *held,
			struct err *err)
{
	int rc = args_bool(args, "module", &held->module, err);

	if (!rc)
		rc = args_string(args, "digests-from", &held->image[0], err);
	if (rc || !held->image[0])
		return rc;
	held->nr_images = 1;
	if (*held->image[0] == '/')
		return 0;
	return err_set(err, -EINVAL,
		       "argument \"digests-from\" must be an absolute path");
}

static int migrate(struct vmproc *p, const json_t *args, json_t **ret,
		   struct err *err)
{
	static const char *const known[] = {
		"uri", "downtime-limit", "max-rounds", "on-timeout", "timeout",
		"peer-timeout", "bandwidth", "throttle-floor", "verify",
		"module", "digests-from", "page-classes", "insecure", "key",
		"peers", "peer", "compress", "channels", NULL
	};
	struct migrate_params params = MIGRATE_PARAMS_DEFAULT;
	struct security security = SECURITY_INIT;
	struct held held = { .module = true };
	int rc = args_known(args, known, err);

	(void)ret;
	if (!rc)
		rc = migrate_strings(args, &params, err);
	if (!rc)
		rc = migrate_numbers(args, &params, err);
	if (!rc)
		rc = migrate_on_timeout(args, &params, err);
	if (!rc)
		rc = migrate_compress(args, &params, err);
	if (!rc)
		rc = migrate_channels(args, &params, err);
	if (!rc)
		rc = migrate_security(args, &security, err);
	if (!rc)
		rc = args_bool(args, "verify", &params.verify, err);
	if (!rc)
		rc = migrate_held(args, &held, err);
	if (!rc && p->ending)
		rc = err_set(err, -ESHUTDOWN, "the VM's process is ending");
	return rc ? rc : vmproc_migrate(p, &params, &security, &held, err);
}

/* As QEMU: without a migration there is nothing to cancel, and no error. */
static int migrate_cancel(struct vmproc *p, const json_t *args, json_t **ret,
			  struct err *err)
{
	int rc;

	(void)args;
	(void)ret;
	if (!p->migration)
		return 0;
	rc = migration_cancel(p->migration);
	if (rc == -EBUSY)
		return err_set(err, rc,
			       "too late to cancel: the guest is being, or has been, handed over");
	return rc == -EALREADY ? 0 : rc;
}

static int query_migrate(struct vmproc *p, const json_t *args, json_t **ret,
			 struct err *err)
{
	struct migrate_report report;

	(void)args;
	(void)err;
	if (!vmproc_report(p, &report))
		return 0;
	*ret = report_to_json(&report, true);
	return *ret ? 0 : -ENOMEM;
}

static int migrate_settle(struct vmproc *p, const json_t *args, json_t **ret,
			  struct err *err)
{
	static const char *const known[] = { "moved", NULL };
	bool moved = false;
	int rc = args_known(args, known, err);

	(void)ret;
	if (!rc)
		rc = args_bool(args, "moved", &moved, err);
	if (!rc && !json_object_get(args, "moved"))
		rc = err_set(err, -EINVAL,
			     "argument \"moved\" is missing: true: the guest runs at the destination; false: it doesn't and never will");
	if (!rc && (!p->migration || migration_settle(p->migration, moved)))
		rc = err_set(err, -EINVAL,
			     "there is nothing to settle: no migration is in state handover-unknown");
	return rc;
}

static json_t *vcpus_json(struct vm *vm)
{
	json_t *list = json_array();
	struct vm_vcpu_counters c;
	unsigned int i;

	for (i = 0; vm_vcpu_counters(vm, i, &c); i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I, s:I, s:I}",
					"dirtied", (json_int_t)c.dirtied,
					"exits-ring-full",
					(json_int_t)c.exits_ring_full,
					"holds", (json_int_t)c.holds,
					"held-ns", (json_int_t)c.held_ns,
					"held-longest-ns",
					(json_int_t)c.held_longest_ns));
	return list;
}

static int query_dirty(struct vmproc *p, const json_t *args, json_t **ret,
		       struct err *err)
{
	struct vm_counters c;

	(void)args;
	(void)err;
	vm_counters(p->vm, &c);
	*ret = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"source", vm_ops_kvm.dirty_source(p->vm),
		"exits", (json_int_t)c.exits,
		"exits-io", (json_int_t)c.exits_io,
		"exits-mmio", (json_int_t)c.exits_mmio,
		"exits-intr", (json_int_t)c.exits_intr,
		"exits-other", (json_int_t)c.exits_other,
		"exits-ring-full", (json_int_t)c.exits_ring_full,
		"ring-harvested", (json_int_t)c.ring_harvested,
		"ring-resets", (json_int_t)c.ring_resets,
		"ring-overflows", (json_int_t)c.ring_overflows,
		"log-gets", (json_int_t)c.log_gets,
		"device-marked", (json_int_t)c.device_marked,
		"harvests", (json_int_t)c.harvests,
		"harvested-pages", (json_int_t)c.harvested_pages,
		"vcpus", vcpus_json(p->vm));
	return *ret ? 0 : -ENOMEM;
}

static json_t *slots_json(const struct memslots *ms)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < ms->nr; i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I}",
					"gfn", (json_int_t)ms->slot[i].gfn,
					"pages", (json_int_t)ms->slot[i].pages,
					"hva", (json_int_t)(uintptr_t)
						ms->slot[i].hva));
	return list;
}

static int query_memory_map(struct vmproc *p, const json_t *args,
			    json_t **ret, struct err *err)
{
	(void)args;
	(void)err;
	*ret = json_pack("{s:i, s:i, s:o}", "pid", (int)getpid(),
			 "page-size", (int)UMIG_PAGE_SIZE,
			 "slots", slots_json(vm_memory(p->vm)));
	return *ret ? 0 : -ENOMEM;
}

static int query_version(struct vmproc *p, const json_t *args, json_t **ret,
			 struct err *err)
{
	(void)p;
	(void)args;
	(void)err;
	*ret = protocol_version();
	return *ret ? 0 : -ENOMEM;
}

static int query_commands(struct vmproc *p, const json_t *args, json_t **ret,
			  struct err *err);

/**
 * struct command - A command of the control socket.
 * @has_arguments: it checks its arguments itself; else it takes none.
 */
static const struct command {
	const char *name;
	bool has_arguments;
	int (*run)(struct vmproc *p, const json_t *args, json_t **ret,
		   struct err *err);
} commands[] = {
	{ "cont", false, cont },
	{ "migrate", true, migrate },
	{ "migrate-settle", true, migrate_settle },
	{ "migrate_cancel", false, migrate_cancel },
	{ "query-commands", false, query_commands },
	{ "query-dirty", false, query_dirty },
	{ "query-memory-map", false, query_memory_map },
	{ "query-migrate", false, query_migrate },
	{ "query-status", false, query_status },
	{ "query-version", false, query_version },
	{ "quit", false, quit },
	{ "stop", false, stop },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int query_commands(struct vmproc *p, const json_t *args, json_t **ret,
			  struct err *err)
{
	size_t i;

	(void)p;
	(void)args;
	(void)err;
	*ret = json_pack("[{s:s}]", "name", "qmp_capabilities");
	for (i = 0; i < COMMANDS; i++)
		json_array_append_new(*ret, json_pack("{s:s}", "name",
						      commands[i].name));
	return *ret ? 0 : -ENOMEM;
}

int vmproc_execute(void *arg, const char *name, const json_t *arguments,
		   json_t **ret, struct err *err)
{
	static const char *const none[] = { NULL };
	size_t i;
	int rc;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		rc = commands[i].has_arguments ? 0 :
		     args_known(arguments, none, err);
		return rc ? rc : commands[i].run(arg, arguments, ret, err);
	}
	return -ENOSYS;
}
