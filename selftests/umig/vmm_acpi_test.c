// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables as a kernel finds them: from the RSDP on, each with its
 * length and its checksum; and the DSDT as ACPICA's disassembler reads it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"
#include "vmm/acpi.h"
#include "vmm/power.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"

#define CPUS 3
#define POWER_AT 0x600
#define DISK_AT 0xd0000000ULL
#define LOW_PAGES 256		/* 1 MiB */

static struct fake_host host;
static struct memslots slots;
static struct guest_mem mem;
static uint8_t *ram;
static struct bus bus;
static struct device disks[2];
static uint64_t rsdp;

static void no_disk(struct device *d)
{
	(void)d;
}

static const struct device_ops disk_ops = { .destroy = no_disk };

static void add_disk(unsigned int i)
{
	disks[i] = (struct device){
		.ops = &disk_ops,
		.host = &host.host,
		.space = DEVICE_MMIO,
		.base = DISK_AT + i * 0x1000,
		.bytes = 0x1000,
		.gsi = 16 + i,
	};
	snprintf(disks[i].name, sizeof(disks[i].name), "virtio-blk%u", i);
	assert_int_equal(bus_add(&bus, &disks[i]), 0);
}

static int setup(void **state)
{
	const struct acpi_machine m = {
		.bus = &bus,
		.cpus = CPUS,
		.power_port = POWER_AT,
	};
	struct err err = { 0 };
	struct device *d;

	(void)state;
	fake_host_init(&host);
	ram = aligned_alloc(UMIG_PAGE_SIZE, LOW_PAGES * UMIG_PAGE_SIZE);
	assert_non_null(ram);
	memset(ram, 0xaa, LOW_PAGES * UMIG_PAGE_SIZE);
	slots = (struct memslots){ 0 };
	assert_int_equal(memslots_add(&slots, 0, LOW_PAGES, ram), 0);
	mem = (struct guest_mem){ .slots = &slots };
	assert_int_equal(power_create(&d, &host.host, POWER_AT), 0);
	assert_int_equal(bus_add(&bus, d), 0);
	assert_int_equal(rtc_create(&d, &host.host), 0);
	assert_int_equal(bus_add(&bus, d), 0);
	assert_int_equal(serial_create(&d, &host.host, "none", &err), 0);
	assert_int_equal(bus_add(&bus, d), 0);
	add_disk(0);
	add_disk(1);
	assert_int_equal(acpi_write(&m, &mem, &rsdp, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bus_destroy(&bus);
	free(ram);
	fake_host_exit(&host);
	return 0;
}

static uint64_t get(const uint8_t *at, unsigned int bytes)
{
	uint64_t v = 0;

	memcpy(&v, at, bytes);
	return v;
}

static uint8_t sum(const uint8_t *at, size_t bytes)
{
	uint8_t s = 0;

	while (bytes--)
		s += *at++;
	return s;
}

/* A table at @gpa, inside of the tables' place and correct as such. */
static const uint8_t *table(uint64_t gpa, const char *signature)
{
	const uint8_t *t = ram + gpa;
	uint32_t bytes;

	assert_in_range(gpa, ACPI_TABLES_AT, ACPI_TABLES_END - 36);
	assert_memory_equal(t, signature, 4);
	bytes = get(t + 4, 4);
	assert_in_range(bytes, 36, ACPI_TABLES_END - gpa);
	assert_int_equal(sum(t, bytes), 0);
	return t;
}

static const uint8_t *from_xsdt(const char *signature)
{
	const uint8_t *xsdt = table(get(ram + rsdp + 24, 8), "XSDT");
	uint32_t i, nr = (get(xsdt + 4, 4) - 36) / 8;

	for (i = 0; i < nr; i++) {
		uint64_t gpa = get(xsdt + 36 + i * 8, 8);

		assert_in_range(gpa, ACPI_TABLES_AT, ACPI_TABLES_END - 36);
		if (!memcmp(ram + gpa, signature, 4))
			return table(gpa, signature);
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void rsdp_is_where_kernels_search(void **state)
{
	const uint8_t *r = ram + rsdp;

	(void)state;
	assert_in_range(rsdp, 0xe0000, 0xfffff);
	assert_int_equal(rsdp % 16, 0);
	assert_memory_equal(r, "RSD PTR ", 8);
	assert_int_equal(sum(r, 20), 0);
	assert_int_equal(r[15], 2);
	assert_int_equal(get(r + 20, 4), 36);
	assert_int_equal(sum(r, 36), 0);
	assert_int_equal((get(table(get(r + 24, 8), "XSDT") + 4, 4) - 36) % 8,
			 0);
}

static void check_register(const uint8_t *gas, uint64_t port)
{
	assert_int_equal(gas[0], 1);		/* I/O space */
	assert_int_equal(gas[1], 8);		/* bits */
	assert_int_equal(get(gas + 4, 8), port);
}

static void fadt_leads_to_the_switch(void **state)
{
	const uint8_t *f = from_xsdt("FACP");
	uint32_t flags = get(f + 112, 4);

	(void)state;
	assert_int_equal(f[8], 6);
	assert_int_equal(get(f + 4, 4), 276);
	assert_true(flags & 1 << 20);		/* hardware-reduced */
	assert_true(flags & 1 << 10);		/* a reset register */
	assert_int_equal(get(f + 109, 2) & (1 << 1), 0);	/* no i8042 */
	assert_int_equal(get(f + 109, 2) & (1 << 5), 0);	/* an RTC */
	check_register(f + 116, POWER_AT + POWER_RESET);
	assert_int_equal(f[128], POWER_RESET_VALUE);
	check_register(f + 244, POWER_AT + POWER_SLEEP_CONTROL);
	check_register(f + 256, POWER_AT + POWER_SLEEP_STATUS);
	table(get(f + 140, 8), "DSDT");
}

static void madt_lists_processors(void **state)
{
	const uint8_t *m = from_xsdt("APIC"), *e, *end = m + get(m + 4, 4);
	unsigned int cpus = 0, ioapics = 0;

	(void)state;
	assert_int_equal(get(m + 36, 4), 0xfee00000);
	for (e = m + 44; e < end; e += e[1]) {
		assert_true(e[1] >= 2 && e[1] <= end - e);
		if (e[0] == 0) {
			assert_int_equal(e[1], 8);
			assert_int_equal(e[3], cpus++);
			assert_int_equal(get(e + 4, 4), 1);
		} else if (e[0] == 1) {
			assert_int_equal(e[1], 12);
			assert_int_equal(get(e + 4, 4), 0xfec00000);
			assert_int_equal(get(e + 8, 4), 0);
			ioapics++;
		}
	}
	assert_ptr_equal(e, end);
	assert_int_equal(cpus, CPUS);
	assert_int_equal(ioapics, 1);
}

static void tables_do_not_overlap(void **state)
{
	const uint8_t *t[] = {
		table(get(ram + rsdp + 24, 8), "XSDT"),
		from_xsdt("FACP"),
		from_xsdt("APIC"),
		table(get(from_xsdt("FACP") + 140, 8), "DSDT"),
	};
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_true(t[i] >= ram + rsdp + 36);
		for (j = 0; j < 4; j++)
			assert_true(i == j || t[i] + get(t[i] + 4, 4) <= t[j] ||
				    t[j] + get(t[j] + 4, 4) <= t[i]);
	}
	/* Nothing was written outside of their place. */
	for (i = 0; i < ACPI_TABLES_AT; i++)
		assert_int_equal(ram[i], 0xaa);
}

static void memory_without_room_is_an_error(void **state)
{
	const struct acpi_machine m = { .bus = &bus, .cpus = 1 };
	struct guest_mem small = { .slots = &host.slots };
	struct err err = { 0 };
	uint64_t at;

	(void)state;
	assert_int_equal(acpi_write(&m, &small, &at, &err), -EFAULT);
	assert_non_null(strstr(err.text, "ACPI"));
}

static bool have_iasl(void)
{
	return !system("iasl -v >/dev/null 2>&1");
}

/* What the disassembler makes of the DSDT; in a directory of its own. */
static char *disassemble(void)
{
	const uint8_t *dsdt = table(get(from_xsdt("FACP") + 140, 8), "DSDT");
	char dir[] = "/tmp/umig-acpi-XXXXXX", cmd[128];
	char *text = calloc(1, 65536);
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd), "%s/dsdt.aml", dir);
	f = fopen(cmd, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(dsdt, get(dsdt + 4, 4), 1, f), 1);
	fclose(f);
	snprintf(cmd, sizeof(cmd),
		 "cd %s && iasl -d dsdt.aml >log 2>&1 && cat log dsdt.dsl",
		 dir);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 65535, f) > 0);
	assert_int_equal(pclose(f), 0);
	/* Names, values and lengths that don't fit show when it's assembled. */
	snprintf(cmd, sizeof(cmd),
		 "cd %s && iasl -we -p again dsdt.dsl >log 2>&1", dir);
	if (system(cmd)) {
		snprintf(cmd, sizeof(cmd), "cat %s/log >&2", dir);
		fail_msg("the DSDT can't be assembled again: %d",
			 system(cmd));
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
	return text;
}

static void dsdt_disassembles(void **state)
{
	static const char *const has[] = {
		"Name (\\_S5", "Device (COM1)", "EisaId (\"PNP0501\")",
		"EisaId (\"PNP0B00\")", "\"LNRO0005\"", "0xD0000000",
		"0xD0001000", "0x00000010,", "0x00000011,", "0x03F8",
		"Level, ActiveHigh, Exclusive", "Edge, ActiveHigh, Exclusive",
	};
	unsigned int i;
	char *text;

	(void)state;
	if (!have_iasl()) {
		print_message("no iasl here: install acpica-tools\n");
		skip();
	}
	text = disassemble();
	for (i = 0; i < sizeof(has) / sizeof(*has); i++)
		if (!strstr(text, has[i]))
			fail_msg("lacks %s in:\n%s", has[i], text);
	if (strstr(text, "rror") || strstr(text, "arning"))
		fail_msg("%s", text);
	free(text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsdp_is_where_kernels_search),
		TEST(fadt_leads_to_the_switch),
		TEST(madt_lists_processors),
		TEST(tables_do_not_overlap),
		TEST(memory_without_room_is_an_error),
		TEST(dsdt_disassembles),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
