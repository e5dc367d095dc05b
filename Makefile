# SPDX-License-Identifier: GPL-2.0
#
# make            umig, the migrator (build/bin/umig)
# make module     build/umig.ko for the kernel whose headers are in KDIR
# make demo       two hosts in emulation, one live migration, a report
# make check      every test; make check-unit|check-engine|check-lab: a part
# make install    to $(DESTDIR)$(PREFIX); make uninstall takes it away
# make help       all targets
#
# Objects go to build/; downloads and host images to $UMIG_CACHE.

BUILD ?= build
# The running kernel's headers, or else the newest that are installed.
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -d /lib/modules/*/build 2>/dev/null | sort -rV))
PREFIX ?= /usr/local
VERSION := 0.1

CC ?= gcc
CSTD := -std=gnu11
WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wdeclaration-after-statement -Wvla -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
ALL_CFLAGS := $(CSTD) $(WARN) -D_GNU_SOURCE -DUMIG_VERSION='"$(VERSION)"' \
	-pthread -Iumig -Iuapi -MMD -MP $(SANITIZE) $(CFLAGS)
LIBS := -luring -lsodium -lIPSec_MB -ljansson -llz4 -lzstd
ALL_LDFLAGS := -pthread $(SANITIZE) $(LDFLAGS)

# Everything below umig/ but the commands is a library, which tests link too.
CMD_SRC := $(wildcard umig/*.c)
LIB_SRC := $(wildcard umig/*/*.c umig/*/*/*.c)
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/%.o)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)

.PHONY: all
all: $(BUILD)/bin/umig

$(BUILD)/bin/umig: $(CMD_OBJ) $(BUILD)/libumig.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libumig.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(CMD_OBJ:.o=.d) $(LIB_OBJ:.o=.d)

# Kbuild leaves its objects beside the sources, so it gets links to them: in
# build/kmod-<kernel>/, and the module is build/umig.ko.  UMIG_DEBUG=1 makes
# build/umig-debug.ko, which can switch off its own guards for the tests.
KVER = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
KMOD_DEBUG = $(if $(UMIG_DEBUG),-debug)
KMOD_DIR = $(BUILD)/kmod-$(KVER)$(KMOD_DEBUG)

.PHONY: module
module:
	@test -n "$(KVER)" || { echo "KDIR=$(KDIR): no kernel headers there:" \
		"install linux-headers-amd64, or give KDIR=..." >&2; exit 1; }
	@mkdir -p $(KMOD_DIR)
	@cp -asf $(CURDIR)/Kbuild $(CURDIR)/kmod $(CURDIR)/uapi $(KMOD_DIR)/
	$(MAKE) -C $(KDIR) M=$(abspath $(KMOD_DIR)) MO= \
		$(if $(UMIG_DEBUG),UMIG_DEBUG=$(UMIG_DEBUG)) modules
	@cp -f $(KMOD_DIR)/umig.ko $(BUILD)/umig$(KMOD_DEBUG).ko

INSTALL ?= install
MANDIR := $(PREFIX)/share/man
COMPDIR := $(PREFIX)/share/bash-completion/completions
MAN1 := $(wildcard Documentation/man/*.1)
MAN4 := $(wildcard Documentation/man/*.4)
MAN5 := $(wildcard Documentation/man/*.5)

UDEV_RULE := lib/udev/rules.d/60-umig.rules
SYSUSERS := lib/sysusers.d/umig.conf
MODPROBE := share/doc/umig/modprobe.conf
KEY_UNIT := lib/systemd/system/umig-key.service
DIST_DIRS := $(sort $(dir $(UDEV_RULE) $(SYSUSERS) $(MODPROBE) $(KEY_UNIT)))

# The module is DKMS's, or insmod's: it belongs to a kernel, not to a prefix.
.PHONY: install
install: $(BUILD)/bin/umig
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man4 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(COMPDIR) \
		$(DESTDIR)$(PREFIX)/include/linux
	$(INSTALL) -m 755 $(BUILD)/bin/umig $(DESTDIR)$(PREFIX)/bin/umig
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(MAN4) $(DESTDIR)$(MANDIR)/man4
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 contrib/umig.bash-completion \
		$(DESTDIR)$(COMPDIR)/umig
	$(INSTALL) -m 644 uapi/linux/umig.h \
		$(DESTDIR)$(PREFIX)/include/linux/umig.h
	$(INSTALL) -d $(addprefix $(DESTDIR)$(PREFIX)/,$(DIST_DIRS))
	$(INSTALL) -m 644 dist/60-umig.rules $(DESTDIR)$(PREFIX)/$(UDEV_RULE)
	$(INSTALL) -m 644 dist/umig.sysusers $(DESTDIR)$(PREFIX)/$(SYSUSERS)
	$(INSTALL) -m 644 dist/umig.modprobe $(DESTDIR)$(PREFIX)/$(MODPROBE)
	sed 's|@BINDIR@|$(PREFIX)/bin|' dist/umig-key.service > \
		$(DESTDIR)$(PREFIX)/$(KEY_UNIT)

# make install-dkms   the module's sources to /usr/src, for dkms install
DKMSDIR := $(DESTDIR)/usr/src/umig-$(VERSION)

.PHONY: install-dkms
install-dkms:
	$(INSTALL) -d $(DKMSDIR)/kmod/compat $(DKMSDIR)/uapi/linux
	$(INSTALL) -m 644 dkms.conf Kbuild COPYING $(DKMSDIR)
	$(INSTALL) -m 644 kmod/*.c kmod/*.h $(DKMSDIR)/kmod
	$(INSTALL) -m 644 kmod/compat/*.c kmod/compat/*.h $(DKMSDIR)/kmod/compat
	$(INSTALL) -m 644 uapi/linux/*.h $(DKMSDIR)/uapi/linux

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/umig $(DESTDIR)$(COMPDIR)/umig \
		$(DESTDIR)$(PREFIX)/include/linux/umig.h \
		$(addprefix $(DESTDIR)$(PREFIX)/,$(UDEV_RULE) $(SYSUSERS) \
			$(MODPROBE) $(KEY_UNIT)) \
		$(MAN1:Documentation/man/%=$(DESTDIR)$(MANDIR)/man1/%) \
		$(MAN4:Documentation/man/%=$(DESTDIR)$(MANDIR)/man4/%) \
		$(MAN5:Documentation/man/%=$(DESTDIR)$(MANDIR)/man5/%)

.PHONY: clean
clean:
	rm -rf $(BUILD)

include selftests/Makefile
include fuzz/Makefile
include bench/Makefile

.PHONY: help
help:
	@sed -n 's/^# \(make.*\)/\1/p' Makefile selftests/Makefile \
		selftests/kmod/Makefile fuzz/Makefile bench/Makefile
