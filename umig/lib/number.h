/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers as people write and read them: "256M" to bytes, bytes to "256 MiB".
 */
#ifndef UMIG_LIB_NUMBER_H
#define UMIG_LIB_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/**
 * number_parse() - A decimal number, all of @text.
 *
 * Return: 0, -EINVAL (not a number), -ERANGE (beyond 64 bits).
 */
int number_parse(const char *text, uint64_t *out);

/**
 * number_parse_size() - Bytes: a decimal number with K, M, G or T (powers of
 * 1024) or nothing behind it.
 *
 * Return: as number_parse().
 */
int number_parse_size(const char *text, uint64_t *bytes);

/** number_format_size() - "0 B", "640 KiB", "1.5 GiB"; returns @to. */
const char *number_format_size(char *to, size_t room, uint64_t bytes);

/** number_format_ns() - "850 us", "12.3 ms", "4.2 s"; returns @to. */
const char *number_format_ns(char *to, size_t room, uint64_t ns);

#endif
