// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU model: see cpuid.h.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kvm.h"

#define BIT(n) (1U << (n))

/* Bits of 0xd.0: EAX and of 0xd.1: ECX (XSS) that can be migrated. */
#define XCR0_KEEP 0x2e7U	/* x87, SSE, AVX, AVX-512 (3), PKRU */

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t function,
				    uint32_t index)
{
	struct kvm_cpuid_entry2 *e;

	for (e = t->entry; e < t->entry + t->nr; e++)
		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     e->index == index))
			return e;
	return NULL;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *e, enum cpuid_reg reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &e->eax;
	case CPUID_EBX:
		return &e->ebx;
	case CPUID_ECX:
		return &e->ecx;
	default:
		return &e->edx;
	}
}

static void clear_bits(struct cpuid_table *t, uint32_t function,
		       uint32_t index, enum cpuid_reg reg, uint32_t bits)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(t, function, index);

	if (e)
		*reg_of(e, reg) &= ~bits;
}

static void drop_leaf(struct cpuid_table *t, uint32_t function)
{
	unsigned int i, kept = 0;

	for (i = 0; i < t->nr; i++)
		if (t->entry[i].function != function)
			t->entry[kept++] = t->entry[i];
	t->nr = kept;
}

static void drop_xsave_component(struct cpuid_table *t, uint32_t index)
{
	unsigned int i, kept = 0;

	for (i = 0; i < t->nr; i++)
		if (t->entry[i].function != 0xd || t->entry[i].index != index)
			t->entry[kept++] = t->entry[i];
	t->nr = kept;
}

/* What would need state that isn't saved, or that another host can't give. */
static void drop_unmigratable(struct cpuid_table *t)
{
	static const uint32_t leaves[] = {
		0xa,		/* performance counters */
		0x12,		/* SGX */
		0x14,		/* processor trace */
		0x1c,		/* last branch records */
		0x1d, 0x1e,	/* AMX */
		0x8000000a,	/* SVM */
		0x80000022,	/* AMD performance counters */
	};
	unsigned int i;

	for (i = 0; i < sizeof(leaves) / sizeof(*leaves); i++)
		drop_leaf(t, leaves[i]);
	/* DTES64, MONITOR, DS-CPL, VMX, SMX, PDCM */
	clear_bits(t, 0x1, 0, CPUID_ECX, BIT(2) | BIT(3) | BIT(4) | BIT(5) |
		   BIT(6) | BIT(15));
	/* SGX, MPX, PT */
	clear_bits(t, 0x7, 0, CPUID_EBX, BIT(2) | BIT(14) | BIT(25));
	/* SHSTK, SGX_LC, PKS */
	clear_bits(t, 0x7, 0, CPUID_ECX, BIT(7) | BIT(30) | BIT(31));
	/* arch LBR, IBT, AMX-BF16, AMX-TILE, AMX-INT8 */
	clear_bits(t, 0x7, 0, CPUID_EDX, BIT(19) | BIT(20) | BIT(22) |
		   BIT(24) | BIT(25));
	clear_bits(t, 0x7, 1, CPUID_EAX, BIT(21));	/* AMX-FP16 */
	/* AMX-COMPLEX, AVX10, CET-SSS */
	clear_bits(t, 0x7, 1, CPUID_EDX, BIT(8) | BIT(18) | BIT(19));
	/* SVM, PERFCTR_CORE, PERFCTR_NB, PERFCTR_LLC */
	clear_bits(t, 0x80000001, 0, CPUID_ECX, BIT(2) | BIT(23) | BIT(24) |
		   BIT(28));
	clear_bits(t, 0x80000007, 0, CPUID_EDX, BIT(8));	/* invariant TSC */
	clear_bits(t, 0xd, 0, CPUID_EAX, ~XCR0_KEEP);
	clear_bits(t, 0xd, 0, CPUID_EDX, ~0U);
	clear_bits(t, 0xd, 1, CPUID_EAX, BIT(4));	/* XFD */
	clear_bits(t, 0xd, 1, CPUID_ECX, ~0U);
	clear_bits(t, 0xd, 1, CPUID_EDX, ~0U);
	for (i = 2; i < 63; i++)
		if (i > 31 || !(XCR0_KEEP & BIT(i)))
			drop_xsave_component(t, i);
}

static unsigned int bits_for(unsigned int n)
{
	unsigned int bits = 0;

	while ((1U << bits) < n)
		bits++;
	return bits;
}

static void set_topology_leaf(struct cpuid_table *t, uint32_t function,
			      unsigned int cpus)
{
	unsigned int level;

	if (!cpuid_find(t, function, 0))
		return;
	drop_leaf(t, function);
	for (level = 0; level < 2 && t->nr < CPUID_ENTRIES_MAX; level++)
		t->entry[t->nr++] = (struct kvm_cpuid_entry2){
			.function = function,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = level ? bits_for(cpus) : 0,
			.ebx = level ? cpus : 1,
			.ecx = (level ? 2U : 1U) << 8 | level,
		};
}

/* One socket of @cpus cores with one thread each and caches of their own. */
static void set_topology(struct cpuid_table *t, unsigned int cpus)
{
	struct kvm_cpuid_entry2 *e;

	for (e = t->entry; e < t->entry + t->nr; e++) {
		switch (e->function) {
		case 0x1:
			e->ebx = (e->ebx & 0x0000ff00) | cpus << 16;
			e->edx &= ~BIT(28);
			if (cpus > 1)
				e->edx |= BIT(28);
			break;
		case 0x4:
			e->eax &= 0x3fff;
			e->eax |= (cpus - 1) << 26;
			break;
		case 0x80000001:
			e->ecx &= ~BIT(1);
			if (cpus > 1)
				e->ecx |= BIT(1);
			break;
		case 0x80000008:
			e->ecx = bits_for(cpus) << 12 | (cpus - 1);
			break;
		case 0x8000001d:
			e->eax &= 0x3fff;
			break;
		case 0x8000001e:
			e->eax = 0;
			e->ebx = 0;
			e->ecx = 0;
			break;
		}
	}
	set_topology_leaf(t, 0xb, cpus);
	set_topology_leaf(t, 0x1f, cpus);
}

void cpuid_limit(struct cpuid_table *t, unsigned int cpus)
{
	struct kvm_cpuid_entry2 *e;

	drop_unmigratable(t);
	set_topology(t, cpus);
	e = cpuid_find(t, 0x1, 0);
	if (e) {
		e->ecx |= BIT(31);	/* a hypervisor */
		e->ecx &= ~BIT(27);	/* OSXSAVE follows CR4 */
	}
	clear_bits(t, 0x7, 0, CPUID_ECX, BIT(4));	/* OSPKE, too */
}

int cpuid_host(int kvm_fd, unsigned int cpus, struct cpuid_table *out,
	       struct err *err)
{
	size_t bytes = sizeof(struct kvm_cpuid2) + sizeof(out->entry);
	struct kvm_cpuid2 *list = calloc(1, bytes);
	struct kvm_cpuid_entry2 *e;
	int ret;

	if (!list)
		return err_set(err, -ENOMEM, "out of memory");
	list->nent = CPUID_ENTRIES_MAX;
	ret = kvm_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, list);
	if (!ret) {
		out->nr = list->nent;
		memcpy(out->entry, list->entries, out->nr * sizeof(*list->entries));
	}
	free(list);
	if (ret)
		return err_set(err, ret, "KVM_GET_SUPPORTED_CPUID: %s",
			       strerror(-ret));
	e = cpuid_find(out, 0x1, 0);
	if (e) {
		e->ecx |= BIT(21);	/* x2APIC: KVM emulates it anywhere */
		if (kvm_has(kvm_fd, KVM_CAP_TSC_DEADLINE_TIMER))
			e->ecx |= BIT(24);
	}
	cpuid_limit(out, cpus);
	return 0;
}

void cpuid_for_vcpu(const struct cpuid_table *t, unsigned int id,
		    struct cpuid_table *out)
{
	struct kvm_cpuid_entry2 *e;

	*out = *t;
	for (e = out->entry; e < out->entry + out->nr; e++) {
		switch (e->function) {
		case 0x1:
			e->ebx = (e->ebx & 0x00ffffff) | id << 24;
			break;
		case 0xb:
		case 0x1f:
			e->edx = id;
			break;
		case 0x8000001e:
			e->eax = id;
			e->ebx = (e->ebx & ~0xffU) | id;
			break;
		}
	}
}

int cpuid_parse(const void *data, size_t bytes, struct cpuid_table *out)
{
	unsigned int i;

	if (!bytes || bytes % sizeof(*out->entry) || bytes > sizeof(out->entry))
		return -EBADMSG;
	out->nr = bytes / sizeof(*out->entry);
	memcpy(out->entry, data, bytes);
	for (i = 0; i < out->nr; i++) {
		memset(out->entry[i].padding, 0, sizeof(out->entry[i].padding));
		if (out->entry[i].flags & ~KVM_CPUID_FLAG_SIGNIFCANT_INDEX)
			return -EBADMSG;
	}
	return cpuid_find(out, 0, 0) && cpuid_find(out, 1, 0) ? 0 : -EBADMSG;
}

static int missing_bit(const struct cpuid_word *w, uint32_t missing,
		       struct err *err)
{
	static const char *const regs[] = { "EAX", "EBX", "ECX", "EDX" };
	unsigned int bit = __builtin_ctz(missing);
	const char *name = w->names ? w->names[bit] : NULL;

	return err_set(err, -EXDEV,
		       "the guest's CPU has a feature that this host can't give it: CPUID 0x%x.%u %s bit %u%s%s%s",
		       w->function, w->index, regs[w->reg], bit,
		       name ? " (" : "", name ? name : "", name ? ")" : "");
}

static int compare_words(struct cpuid_table *source, struct cpuid_table *here,
			 struct err *err)
{
	const struct cpuid_word *w;

	for (w = cpuid_words; w < cpuid_words + cpuid_nr_words; w++) {
		struct kvm_cpuid_entry2 *s, *h;
		uint32_t missing;

		s = cpuid_find(source, w->function, w->index);
		h = cpuid_find(here, w->function, w->index);
		if (!s)
			continue;
		missing = *reg_of(s, w->reg);
		if (h)
			missing &= ~*reg_of(h, w->reg);
		if (missing)
			return missing_bit(w, missing, err);
	}
	return 0;
}

/* Where XSAVE puts a component must be the same: saved state has that form. */
static int compare_xsave(struct cpuid_table *source, struct cpuid_table *here,
			 struct err *err)
{
	struct kvm_cpuid_entry2 *s, *h;
	uint32_t i;

	for (i = 2; i < 32; i++) {
		s = cpuid_find(source, 0xd, i);
		if (!s || !s->eax)
			continue;
		h = cpuid_find(here, 0xd, i);
		if (!h || h->eax != s->eax || h->ebx != s->ebx)
			return err_set(err, -EXDEV,
				       "this host's CPU keeps XSAVE component %u elsewhere or not at all (CPUID 0xd.%u)",
				       i, i);
	}
	return 0;
}

/* Twelve characters in three registers; the peer's may be anything. */
static const char *vendor(const struct kvm_cpuid_entry2 *e, char *text)
{
	size_t i;

	memcpy(text, &e->ebx, 4);
	memcpy(text + 4, &e->edx, 4);
	memcpy(text + 8, &e->ecx, 4);
	for (i = 0; i < 12; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	text[12] = '\0';
	return text;
}

static int compare_vendor(struct cpuid_table *source, struct cpuid_table *here,
			  struct err *err)
{
	const struct kvm_cpuid_entry2 *s = cpuid_find(source, 0, 0);
	const struct kvm_cpuid_entry2 *h = cpuid_find(here, 0, 0);
	char text_s[13], text_h[13];

	if (!s || !h)
		return err_set(err, -EXDEV, "a CPU has no CPUID leaf 0");
	if (s->ebx == h->ebx && s->ecx == h->ecx && s->edx == h->edx)
		return 0;
	return err_set(err, -EXDEV,
		       "the guest's CPU vendor is %s, this host's is %s",
		       vendor(s, text_s), vendor(h, text_h));
}

static int compare_address_bits(struct cpuid_table *source,
				struct cpuid_table *here, struct err *err)
{
	struct kvm_cpuid_entry2 *s = cpuid_find(source, 0x80000008, 0);
	struct kvm_cpuid_entry2 *h = cpuid_find(here, 0x80000008, 0);

	if (!s || (h && (s->eax & 0xff) <= (h->eax & 0xff)))
		return 0;
	return err_set(err, -EXDEV,
		       "the guest's CPU has %u physical address bits, this host's has %u",
		       s->eax & 0xff, h ? h->eax & 0xff : 0);
}

int cpuid_compatible(struct cpuid_table *source, struct cpuid_table *here,
		     struct err *err)
{
	int ret = compare_vendor(source, here, err);

	if (!ret)
		ret = compare_words(source, here, err);
	if (!ret)
		ret = compare_xsave(source, here, err);
	if (!ret)
		ret = compare_address_bits(source, here, err);
	return ret;
}
