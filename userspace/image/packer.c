// SPDX-License-Identifier: GPL-2.0-or-later
/* See packer.h: libarchive's filters under its "raw" format. A failure of `to` is kept, since libarchive has only its own words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <archive.h>
#include <archive_entry.h>
#include "packer.h"

struct packer {
	struct archive *archive;
	const struct sink *to;
	struct layerblk_error failure;
};

int packing_parse(const char *word, enum packing *out, struct layerblk_error *err)
{
	static const char *const words[] = { "none", "gzip", "zstd" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum packing)i;
			return 0;
		}
	}
	return layerblk_error_set(err, EINVAL, "use the compression", word, "it is not one of: %s", PACKING_WORDS);
}

const char *packing_suffix(enum packing packing)
{
	return packing == PACKING_GZIP ? "+gzip" : packing == PACKING_ZSTD ? "+zstd" : "";
}

static la_ssize_t take(struct archive *archive, void *arg, const void *data, size_t size)
{
	struct packer *packer = arg;

	(void)archive;
	if (packer->failure.code)	/* libarchive tries again when it is freed */
		return -1;
	return sink_write(packer->to, data, size, &packer->failure) == 0 ? (la_ssize_t)size : -1;
}

static int failed(struct packer *packer, struct layerblk_error *err)
{
	const char *text = archive_error_string(packer->archive);

	if (packer->failure.code) {
		if (err)
			*err = packer->failure;
		return -packer->failure.code;
	}
	return layerblk_error_set(err, EIO, "compress", "", "%s", text ? text : "libarchive failed");
}

static int open_archive(struct packer *packer, enum packing packing)
{
	struct archive *archive = packer->archive;
	struct archive_entry *entry;
	int got;

	got = archive_write_set_format_raw(archive);
	if (got == ARCHIVE_OK)
		got = packing == PACKING_GZIP ? archive_write_add_filter_gzip(archive) :
		      packing == PACKING_ZSTD ? archive_write_add_filter_zstd(archive) : archive_write_add_filter_none(archive);
	if (got == ARCHIVE_OK && packing == PACKING_GZIP)
		got = archive_write_set_options(archive, "gzip:!timestamp");
	if (got == ARCHIVE_OK)
		got = archive_write_set_bytes_in_last_block(archive, 1);
	if (got == ARCHIVE_OK)
		got = archive_write_open(archive, packer, NULL, take, NULL);
	entry = archive_entry_new();
	if (!entry)
		return ARCHIVE_FATAL;
	archive_entry_set_filetype(entry, AE_IFREG);
	if (got == ARCHIVE_OK)
		got = archive_write_header(archive, entry);
	archive_entry_free(entry);
	return got;
}

int packer_new(enum packing packing, const struct sink *to, struct packer **out, struct layerblk_error *err)
{
	struct packer *packer = calloc(1, sizeof(*packer));
	int rc;

	if (packer)
		packer->archive = archive_write_new();
	if (!packer || !packer->archive) {
		free(packer);
		return layerblk_error_set(err, ENOMEM, "compress", "", "no memory");
	}
	packer->to = to;
	if (open_archive(packer, packing) != ARCHIVE_OK) {
		rc = failed(packer, err);
		packer_free(packer);
		return rc;
	}
	*out = packer;
	return 0;
}

int packer_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct packer *packer = arg;
	const char *at = data;

	while (size > 0) {
		la_ssize_t wrote = archive_write_data(packer->archive, at, size);

		if (wrote <= 0)
			return failed(packer, err);
		at += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

int packer_finish(struct packer *packer, struct layerblk_error *err)
{
	return archive_write_close(packer->archive) == ARCHIVE_OK ? 0 : failed(packer, err);
}

void packer_free(struct packer *packer)
{
	if (!packer)
		return;
	archive_write_free(packer->archive);
	free(packer);
}
