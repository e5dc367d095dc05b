# SPDX-License-Identifier: GPL-2.0
#
# make bench-seal     what encryption adds to a channel, and a handshake's cost

$(BUILD)/bench/seal_bench: bench/seal_bench.c $(BUILD)/libumig.a Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libumig.a $(LIBS)

-include $(BUILD)/bench/seal_bench.d

.PHONY: bench-seal
bench-seal: $(BUILD)/bench/seal_bench
	$< $(RESULT)
