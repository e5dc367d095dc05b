# SPDX-License-Identifier: GPL-2.0
#
# make bench-proof    what a possession proof costs a page

$(BUILD)/bench/proof_bench: bench/proof_bench.c $(BUILD)/libumig.a Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libumig.a $(LIBS)

-include $(BUILD)/bench/proof_bench.d

.PHONY: bench-proof
bench-proof: $(BUILD)/bench/proof_bench
	$<
