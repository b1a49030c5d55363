/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write and read them. */
#ifndef COMMON_SIZE_H
#define COMMON_SIZE_H

#include <stdint.h>
#include <layerblk.h>

/*
 * Bytes from "4096", "512M", "1.5G", "10GiB", "2kB": K, M, G, T, P, E alone or followed by B or iB are powers of 1024,
 * whatever their case (as Docker reads them). -EINVAL when it is no size, -ERANGE when it is over 2^63 - 1. what and err
 * as in layerblk_error_set(); the subject is the text.
 */
int size_parse(const char *text, uint64_t *bytes, const char *what, struct layerblk_error *err);

/* As size_parse(), for a volume: not 0, up to LB_VOLUME_SIZE_MAX, a multiple of LB_BLOCK_SIZE (never rounded). */
int size_parse_volume(const char *text, uint64_t *bytes, const char *what, struct layerblk_error *err);

#define SIZE_TEXT 32

/* "1.5GiB", "512MiB", "17B": four significant digits at most, powers of 1024. Gives buffer. */
char *size_format(uint64_t bytes, char buffer[SIZE_TEXT]);

/* A number without a unit, decimal; -EINVAL or -ERANGE (over max). */
int number_parse(const char *text, uint64_t max, uint64_t *value, const char *what, struct layerblk_error *err);

/* "250ms", "5s", "10m", "1h", "1h30m", a number alone is seconds; in milliseconds. */
int duration_parse(const char *text, uint64_t *ms, const char *what, struct layerblk_error *err);

#endif
