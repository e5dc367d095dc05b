/* SPDX-License-Identifier: GPL-2.0 */
/* How a page's content goes over the wire. */
#ifndef UMIG_MIGRATE_PAGE_CLASS_H
#define UMIG_MIGRATE_PAGE_CLASS_H

/**
 * enum page_class - How a page's content went.
 * @PAGE_CLASS_NONE: it has not been sent.
 * @PAGE_CLASS_ZERO: known to be zero.
 * @PAGE_CLASS_HELD: by a digest that the destination holds.
 * @PAGE_CLASS_DUPLICATE: by naming another page sent before.
 * @PAGE_CLASS_PLAIN: whole.
 */
enum page_class {
	PAGE_CLASS_NONE = 0,
	PAGE_CLASS_ZERO = 1,
	PAGE_CLASS_HELD = 2,
	PAGE_CLASS_DUPLICATE = 3,
	PAGE_CLASS_PLAIN = 4,
	PAGE_CLASSES
};

#endif
