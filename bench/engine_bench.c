// SPDX-License-Identifier: GPL-2.0
/*
 * What the engine itself takes to move memory: a VM without KVM, whose memory
 * is one quarter zeroes, one quarter random, the rest such that it compresses by
 * half, migrates between two processes over loopback, in several ways by turns.
 * Time, CPU of each end, a GiB of what isn't zero; medians.  A page that arrives wrong fails it.
 *
 *   engine_bench [MIB [RUNS]]
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "mem/image_index.h"
#include "migrate/migrate.h"
#include "migrate/vm_ops.h"

#define RUNS_MAX 99
#define ZERO_EACH 4		/* one run of pages in so many is zero */
#define RUN_PAGES 16
#define RANDOM_OF 3		/* one of so many other pages is random */
#define PAGES_GIB (1 << 18)

/** struct still_vm - Memory that nobody writes. */
struct still_vm {
	struct memslots ms;
	uint8_t *ram;
};

/** struct spent - By one end; @ok: its migration, and its memory. */
struct spent {
	uint64_t user_ns;
	uint64_t sys_ns;
	uint64_t wall_ns;
	uint64_t bytes;
	bool ok;
};

/** struct host - Keys and state directory of one end, and its image. */
struct host {
	struct credentials credentials;
	char dir[32];
	char peers[64];
	char image[64];
};

/** struct samples - Of one way to migrate, a run each. */
struct samples {
	const char *name;
	bool sealed;
	const char *compress;
	unsigned int channels;
	bool held;
	uint64_t bytes[RUNS_MAX];
	uint64_t wall[RUNS_MAX];
	uint64_t source[RUNS_MAX];
	uint64_t target[RUNS_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "engine_bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static const struct memslots *still_memory(void *vm)
{
	return &((struct still_vm *)vm)->ms;
}

static int still_machine(void *vm, struct machine *out)
{
	(void)vm;
	return machine_set(out, "model", "still");
}

static int still_accept(void *vm, const struct machine *source,
			struct err *err)
{
	(void)vm, (void)source, (void)err;
	return 0;
}

static int nothing(void *vm, struct err *err)
{
	(void)vm, (void)err;
	return 0;
}

static int still_harvest(void *vm, vm_dirty_fn *fn, void *arg)
{
	(void)vm, (void)fn, (void)arg;
	return 0;
}

static void still_dirty_stop(void *vm)
{
	(void)vm;
}

static const char *still_dirty_source(void *vm)
{
	(void)vm;
	return "bitmap";
}

static int still_save(void *vm, struct buf *out, struct err *err)
{
	(void)vm, (void)err;
	buf_put_u64(out, 1);
	return out->error;
}

static int still_load(void *vm, const void *data, size_t bytes,
		      struct err *err)
{
	(void)vm, (void)data, (void)bytes, (void)err;
	return 0;
}

static const struct vm_ops still_ops = {
	.memory = still_memory,
	.machine = still_machine,
	.machine_accept = still_accept,
	.stop = nothing,
	.start = nothing,
	.dirty_start = nothing,
	.dirty_harvest = still_harvest,
	.dirty_stop = still_dirty_stop,
	.dirty_source = still_dirty_source,
	.state_save = still_save,
	.state_load = still_load,
	.prepare = nothing,
};

static void still_init(struct still_vm *vm, uint64_t pages)
{
	vm->ms = (struct memslots){ 0 };
	vm->ram = mmap(NULL, pages * UMIG_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->ram == MAP_FAILED || memslots_add(&vm->ms, 0, pages, vm->ram))
		die("no memory");
	/* as umig listen has it */
	madvise(vm->ram, pages * UMIG_PAGE_SIZE, MADV_NOHUGEPAGE);
}

/* Runs of 8 bytes as old as the page: about what code and heaps are like. */
static void soften(uint8_t *page)
{
	unsigned int i;

	for (i = 1024; i < UMIG_PAGE_SIZE; i += 16)
		memcpy(page + i, page + page[i] * 4, 8);
}

static void still_fill(struct still_vm *vm)
{
	uint8_t seed[randombytes_SEEDBYTES] = { 0 };
	uint64_t i;

	for (i = 0; i < vm->ms.pages; i++) {
		if (i / RUN_PAGES % ZERO_EACH == 0)
			continue;
		memcpy(seed, &i, sizeof(i));
		randombytes_buf_deterministic(vm->ram + i * UMIG_PAGE_SIZE,
					      UMIG_PAGE_SIZE, seed);
		if (i % RANDOM_OF)
			soften(vm->ram + i * UMIG_PAGE_SIZE);
	}
}

static void host_init(struct host *h)
{
	strcpy(h->dir, "/tmp/umig-bench-XXXXXX");
	if (!mkdtemp(h->dir) ||
	    keypair_generate(&h->credentials.own, NULL))
		die("no directory, or no keys");
	snprintf(h->peers, sizeof(h->peers), "%s/peers", h->dir);
	snprintf(h->image, sizeof(h->image), "%s/image", h->dir);
	h->credentials.peers_path = h->peers;
}

static void host_knows(struct host *h, const struct host *other)
{
	FILE *f = fopen(h->peers, "w");
	char text[KEY_TEXT_MAX];

	if (!f)
		die("no peers file");
	fprintf(f, "other %s address=127.0.0.1\n",
		key_to_text(text, other->credentials.own.public));
	if (fclose(f))
		die("no peers file");
}

/* An image of the source's memory, with its index. */
static void host_hold(struct host *h, const struct still_vm *vm)
{
	static const uint8_t key[UMIG_KEY_SIZE] = { 1 };
	struct image_made made;
	struct err err = { 0 };
	FILE *f = fopen(h->image, "w");

	if (!f || fwrite(vm->ram, UMIG_PAGE_SIZE, vm->ms.pages, f) !=
			  vm->ms.pages || fclose(f))
		die("no image");
	if (image_index_make(h->image, key, &made, &err))
		die(err_text(&err));
}

static void host_remove(struct host *h)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", h->dir);
	if (system(command))
		die("cannot clean up");
}

static uint64_t ns_of(struct timeval tv)
{
	return tv.tv_sec * 1000000000ULL + tv.tv_usec * 1000ULL;
}

static void begin(struct spent *s)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	s->user_ns = ns_of(ru.ru_utime);
	s->sys_ns = ns_of(ru.ru_stime);
}

static void end(struct spent *s)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	s->user_ns = ns_of(ru.ru_utime) - s->user_ns;
	s->sys_ns = ns_of(ru.ru_stime) - s->sys_ns;
}

static void on_event(void *arg, const struct migrate_report *r)
{
	int *done = arg;

	if (migrate_state_final(r->state) &&
	    write(done[1], &r->state, sizeof(r->state)) < 0)
		die("no pipe");
}

static void open_image(struct migrate_params *p, const struct host *h,
		       const struct still_vm *vm, bool incoming)
{
	struct err err = { 0 };

	if (incoming ? page_source_file_open(&p->pages, h->image, &err) :
		       digest_source_file_open(&p->digests, h->image, &vm->ms,
					       &err))
		die(err_text(&err));
}

/* Run one end to its end. @port: the target's own is written there. */
static void run_end(struct host *h, struct still_vm *vm, bool incoming,
		    const struct samples *way, int port, int port_fd,
		    struct spent *spent)
{
	struct migrate_params p = MIGRATE_PARAMS_DEFAULT;
	struct migrate_report report;
	enum migrate_state state;
	struct migration *m;
	struct err err = { 0 };
	char address[32];
	int rc, done[2];

	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	p.address = address;
	p.credentials = way->sealed ? &h->credentials : NULL;
	p.verify = false;
	p.overcommit = true;
	p.channels = way->channels;
	if (pack_option_parse(way->compress, &p.pack, &err))
		die(err_text(&err));
	if (way->held)
		open_image(&p, h, vm, incoming);
	if (pipe(done) || handover_store_open(&p.store, h->dir, "vm", &err))
		die(err_text(&err));
	begin(spent);
	rc = (incoming ? migration_start_target : migration_start_source)(
		&m, &still_ops, vm, &p, on_event, done, &err);
	if (rc)
		die(err_text(&err));
	port = incoming ? migration_port(m) : 0;
	if (incoming && write(port_fd, &port, sizeof(port)) < 0)
		die("no pipe");
	if (read(done[0], &state, sizeof(state)) != sizeof(state))
		die("no pipe");
	end(spent);
	migration_query(m, &report);
	spent->wall_ns = report.total_ns;
	spent->bytes = report.bytes_tx;
	spent->ok = state == MIGRATE_COMPLETED;
	if (!spent->ok)
		fprintf(stderr, "engine_bench: %s\n", report.error);
	migration_free(m);
	handover_store_close(p.store);
	close(done[0]);
	close(done[1]);
}

/* The child: it has the source's memory, too, to compare with. */
static void target_process(struct host *h, const struct still_vm *source,
			   const struct samples *way, int fd)
{
	struct still_vm vm;
	struct spent spent;

	still_init(&vm, source->ms.pages);
	run_end(h, &vm, true, way, 0, fd, &spent);
	if (memcmp(vm.ram, source->ram, vm.ms.pages * UMIG_PAGE_SIZE)) {
		fprintf(stderr, "engine_bench: memory differs\n");
		spent.ok = false;
	}
	if (write(fd, &spent, sizeof(spent)) < 0)
		die("no pipe");
	_exit(EXIT_SUCCESS);
}

static void forget_handover(struct host *h)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s/vm*", h->dir);
	if (system(command))
		die("cannot clean up");
}

static void run(struct host host[2], struct still_vm *vm, struct samples *s,
		unsigned int i)
{
	struct spent source, target;
	int port, fd[2];
	pid_t child;

	forget_handover(&host[0]);
	forget_handover(&host[1]);
	if (pipe(fd))
		die("no pipe");
	child = fork();
	if (child < 0)
		die("no process");
	if (!child)
		target_process(&host[1], vm, s, fd[1]);
	if (read(fd[0], &port, sizeof(port)) != sizeof(port))
		die("no destination");
	run_end(&host[0], vm, false, s, port, -1, &source);
	if (read(fd[0], &target, sizeof(target)) != sizeof(target) ||
	    !source.ok || !target.ok)
		die("a migration failed");
	waitpid(child, NULL, 0);
	close(fd[0]);
	close(fd[1]);
	s->wall[i] = source.wall_ns;
	s->bytes[i] = source.bytes;
	s->source[i] = source.user_ns + source.sys_ns;
	s->target[i] = target.user_ns + target.sys_ns;
}

static void show(struct samples *s, unsigned int runs, double gib)
{
	double wall = median(s->wall, runs) / 1e6 / gib;
	double source = median(s->source, runs) / 1e6 / gib;
	double target = median(s->target, runs) / 1e6 / gib;
	double bytes = median(s->bytes, runs) / (gib * PAGES_GIB);

	printf("%-12s %10.0f %12.0f %12.0f %10.0f %12.1f\n", s->name, wall,
	       source, target, source + target, bytes);
}

static bool is_asked_for(const struct samples *s, int argc, char **argv)
{
	return argc < 4 || !strncmp(s->name, argv[3], strlen(argv[3]));
}

int main(int argc, char **argv)
{
	static struct samples samples[] = {
		{ "plain", false, "none", 1 },
		{ "plain x2", false, "none", 2 },
		{ "plain auto", false, "auto", 1 },
		{ "sealed", true, "none", 1 },
		{ "sealed x2", true, "none", 2 },
		{ "sealed auto", true, "auto", 1 },
		{ "zstd", true, "zstd", 1 },
		{ "zstd x2", true, "zstd", 2 },
		{ "held", false, "none", 1, true },
		{ "held sealed", true, "none", 1, true },
	};
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
	unsigned int i, j, runs = argc > 2 ? atoi(argv[2]) : 5;
	double gib = mib / 1024.0 * (ZERO_EACH - 1) / ZERO_EACH;
	const size_t ways = sizeof(samples) / sizeof(samples[0]);
	struct host host[2];
	struct still_vm vm;

	if (!mib || !runs || runs > RUNS_MAX || sodium_init() < 0)
		die("usage: engine_bench [MIB [RUNS [WAY]]]");
	signal(SIGPIPE, SIG_IGN);
	still_init(&vm, mib << (20 - UMIG_PAGE_SHIFT));
	still_fill(&vm);
	for (i = 0; i < 2; i++)
		host_init(&host[i]);
	for (i = 0; i < 2; i++) {
		host_knows(&host[i], &host[!i]);
		host_hold(&host[i], &vm);
	}
	for (i = 0; i < runs; i++)
		for (j = 0; j < ways; j++)
			if (is_asked_for(&samples[j], argc, argv))
				run(host, &vm, &samples[j], i);
	printf("%llu MiB, 1/%d of it zero, medians of %u interleaved runs, ms a GiB that isn't zero\n",
	       (unsigned long long)mib, ZERO_EACH, runs);
	printf("%-12s %10s %12s %12s %10s %12s\n", "way", "time", "source CPU",
	       "target CPU", "both", "bytes a page");
	for (j = 0; j < ways; j++)
		if (is_asked_for(&samples[j], argc, argv))
			show(&samples[j], runs, gib);
	for (i = 0; i < 2; i++)
		host_remove(&host[i]);
	return EXIT_SUCCESS;
}
