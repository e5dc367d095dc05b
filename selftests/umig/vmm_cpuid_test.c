// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU model: what is left out, what differs among vCPUs, and that a
 * feature which a host lacks is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "vmm/cpuid.h"

static const struct kvm_cpuid_entry2 host_entries[] = {
	{ .function = 0, .eax = 0x1f, .ebx = 0x68747541, .edx = 0x69746e65,
	  .ecx = 0x444d4163 },
	{ .function = 1, .ebx = 0x05040800, .ecx = 0xfffa3223 | 1 << 5,
	  .edx = 0x178bfbff },
	{ .function = 7, .index = 0, .flags = 1, .ebx = 0x219c97a9 | 1 << 25,
	  .ecx = 0x40075c | 1 << 7 | 1 << 4 },
	{ .function = 0xa, .eax = 0x7300402 },
	{ .function = 0xb, .index = 0, .flags = 1, .eax = 1, .ebx = 2 },
	{ .function = 0xb, .index = 1, .flags = 1, .eax = 7, .ebx = 64 },
	{ .function = 0xd, .index = 0, .flags = 1, .eax = 0x602e7,
	  .ecx = 0x2b00 },
	{ .function = 0xd, .index = 1, .flags = 1, .eax = 0x1f, .ecx = 0x1800 },
	{ .function = 0xd, .index = 2, .flags = 1, .eax = 0x100, .ebx = 0x240 },
	{ .function = 0xd, .index = 18, .flags = 1, .eax = 0x2000,
	  .ebx = 0xb00 },
	{ .function = 0x40000001, .eax = 0x1007efb },
	{ .function = 0x80000001, .ecx = 0x75c237ff, .edx = 0x2fd3fbff },
	{ .function = 0x80000007, .edx = 1 << 8 },
	{ .function = 0x80000008, .eax = 0x3030, .ebx = 0x1 },
	{ .function = 0x8000000a, .edx = 1 },
};

#define NR_HOST (sizeof(host_entries) / sizeof(*host_entries))

static void host_table(struct cpuid_table *t, unsigned int cpus)
{
	t->nr = NR_HOST;
	memcpy(t->entry, host_entries, sizeof(host_entries));
	cpuid_limit(t, cpus);
}

static void unmigratable_is_left_out(void **state)
{
	struct cpuid_table t;

	(void)state;
	host_table(&t, 2);
	assert_null(cpuid_find(&t, 0xa, 0));
	assert_null(cpuid_find(&t, 0x8000000a, 0));
	assert_int_equal(cpuid_find(&t, 1, 0)->ecx & 1 << 5, 0);
	assert_int_equal(cpuid_find(&t, 1, 0)->ecx & 1 << 27, 0);
	assert_int_equal(cpuid_find(&t, 7, 0)->ebx & 1 << 25, 0);
	assert_int_equal(cpuid_find(&t, 7, 0)->ecx & (1 << 7 | 1 << 4), 0);
	assert_int_equal(cpuid_find(&t, 0x80000001, 0)->ecx & 1 << 2, 0);
	assert_int_equal(cpuid_find(&t, 0x80000007, 0)->edx, 0);
	assert_int_equal(cpuid_find(&t, 0xd, 0)->eax, 0x2e7);
	assert_int_equal(cpuid_find(&t, 0xd, 1)->eax, 0xf);
	assert_int_equal(cpuid_find(&t, 0xd, 1)->ecx, 0);
	assert_non_null(cpuid_find(&t, 0xd, 2));
	assert_null(cpuid_find(&t, 0xd, 18));
	/* and a hypervisor is told */
	assert_true(cpuid_find(&t, 1, 0)->ecx & 1U << 31);
}

static void vcpus_differ_in_their_apic_id(void **state)
{
	struct cpuid_table t, own;

	(void)state;
	host_table(&t, 3);
	cpuid_for_vcpu(&t, 2, &own);
	assert_int_equal(cpuid_find(&own, 1, 0)->ebx, 0x02030800);
	assert_int_equal(cpuid_find(&own, 0xb, 0)->edx, 2);
	assert_int_equal(cpuid_find(&own, 0xb, 1)->edx, 2);
	assert_int_equal(cpuid_find(&own, 0xb, 1)->ebx, 3);
	assert_int_equal(cpuid_find(&own, 0xb, 1)->eax, 2);
	assert_int_equal(cpuid_find(&own, 0x80000008, 0)->ecx, 0x2002);
	assert_int_equal(cpuid_find(&t, 0xb, 0)->edx, 0);
}

static void same_host_is_compatible(void **state)
{
	struct cpuid_table a, b;

	(void)state;
	host_table(&a, 2);
	host_table(&b, 2);
	assert_int_equal(cpuid_compatible(&a, &b, NULL), 0);
	/* More here than there is fine. */
	cpuid_find(&a, 1, 0)->edx &= ~(1U << 25);
	assert_int_equal(cpuid_compatible(&a, &b, NULL), 0);
}

static void lacks(struct cpuid_table *here, const char *says)
{
	struct cpuid_table source;
	struct err err = { 0 };

	host_table(&source, 2);
	assert_int_equal(cpuid_compatible(&source, here, &err), -EXDEV);
	if (!strstr(err.text, says))
		fail_msg("\"%s\" lacks \"%s\"", err.text, says);
}

static void missing_features_are_named(void **state)
{
	struct cpuid_table t;

	(void)state;
	host_table(&t, 2);
	cpuid_find(&t, 7, 0)->ebx &= ~(1U << 5);
	lacks(&t, "CPUID 0x7.0 EBX bit 5 (avx2)");
	host_table(&t, 2);
	cpuid_find(&t, 0x40000001, 0)->eax &= ~(1U << 3);
	lacks(&t, "kvmclock2");
	host_table(&t, 2);
	cpuid_find(&t, 0xd, 0)->eax &= ~4U;
	lacks(&t, "CPUID 0xd.0 EAX bit 2");
	host_table(&t, 2);
	cpuid_find(&t, 0xd, 2)->ebx += 64;
	lacks(&t, "XSAVE component 2");
	host_table(&t, 2);
	cpuid_find(&t, 0x80000008, 0)->eax = 0x3028;
	lacks(&t, "48 physical address bits, this host's has 40");
	host_table(&t, 2);
	cpuid_find(&t, 0, 0)->ebx = 0x756e6547;
	lacks(&t, "vendor is AuthenticAMD");
	/* A whole leaf that isn't there lacks all of it. */
	host_table(&t, 2);
	cpuid_find(&t, 0x80000001, 0)->function = 0x80000099;
	lacks(&t, "CPUID 0x80000001.0 ECX");
}

static void vendors_are_printable(void **state)
{
	struct cpuid_table source, here;
	struct err err = { 0 };

	(void)state;
	host_table(&source, 2);
	host_table(&here, 2);
	cpuid_find(&source, 0, 0)->ebx = 0x4a325b1b;
	assert_int_equal(cpuid_compatible(&source, &here, &err), -EXDEV);
	assert_null(strchr(err.text, '\033'));
}

static void malformed_tables_are_refused(void **state)
{
	static struct kvm_cpuid_entry2 many[CPUID_ENTRIES_MAX + 1];
	struct cpuid_table t;

	(void)state;
	assert_int_equal(cpuid_parse(host_entries, sizeof(host_entries), &t),
			 0);
	assert_int_equal(t.nr, NR_HOST);
	assert_int_equal(cpuid_parse(NULL, 0, &t), -EBADMSG);
	assert_int_equal(cpuid_parse(host_entries, sizeof(host_entries) - 1,
				     &t), -EBADMSG);
	assert_int_equal(cpuid_parse(many, sizeof(many), &t), -EBADMSG);
	/* without leaf 1 */
	assert_int_equal(cpuid_parse(host_entries, sizeof(*host_entries), &t),
			 -EBADMSG);
	memcpy(many, host_entries, sizeof(host_entries));
	many[0].flags = 0x80;
	assert_int_equal(cpuid_parse(many, sizeof(host_entries), &t),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmigratable_is_left_out),
		cmocka_unit_test(vcpus_differ_in_their_apic_id),
		cmocka_unit_test(same_host_is_compatible),
		cmocka_unit_test(missing_features_are_named),
		cmocka_unit_test(vendors_are_printable),
		cmocka_unit_test(malformed_tables_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
