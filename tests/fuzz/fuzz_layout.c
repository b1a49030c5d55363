// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images as they come: an OCI layout or a "docker save", as a directory or as a tar, or any bytes as an archive; read, and all layers of all images applied.
 *
 *   byte 0: the form, FORM_*; bits 3-4 compression. Then pieces of text, between lines of "%%". Piece n is the file "pn" and the blob of its digest; the last one is index.json or
 *   manifest.json. In a piece, @n stands for the digest of an earlier piece, #n for its size, $n for the digest's digits; n is L for a layer that is there always, unpacked, and Z for the
 *   same compressed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "image/jail.h"
#include "image/tarball.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SKIPPED		77
#define PIECES		10u
#define LAYER		PIECES
#define LAYER_ZSTD	(PIECES + 1)

enum form { FORM_OCI, FORM_DOCKER, FORM_OCI_TAR, FORM_DOCKER_TAR, FORM_ARCHIVE, FORMS };

struct piece {
	uint8_t *bytes;
	size_t size;
	char digest[DIGEST_TEXT];
};

static struct piece pieces[PIECES + 2];
static unsigned int form, compression;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct tarball t = { 0 };

	tarball_add(&t, "etc/made", "by the layer\n", 13);
	tarball_add(&t, "etc/.wh.passwd", "", 0);
	tarball_end(&t);
	pieces[LAYER].bytes = t.bytes;
	pieces[LAYER].size = t.size;
	pieces[LAYER_ZSTD].bytes = tar_compress(t.bytes, t.size, 2, &pieces[LAYER_ZSTD].size);
	digest_of(t.bytes, t.size, pieces[LAYER].digest);
	digest_of(pieces[LAYER_ZSTD].bytes, pieces[LAYER_ZSTD].size, pieces[LAYER_ZSTD].digest);
	if (!jail_init(*argc, *argv))
		_exit(SKIPPED);
	return 0;
}

/* ------------------------------------------------------------------ pieces */

/* What a mark stands for; 0: it stands for itself. */
static int expand(const char *mark, unsigned int known, char *out, size_t room)
{
	unsigned int n = mark[1] == 'L' ? LAYER : mark[1] == 'Z' ? LAYER_ZSTD : (unsigned int)(mark[1] - '0');

	if (n >= known && n < LAYER)
		return 0;
	if (n > LAYER_ZSTD)
		return 0;
	switch (mark[0]) {
	case '@':
		return snprintf(out, room, "%s", pieces[n].digest);
	case '$':
		return snprintf(out, room, "%s", digest_hex(pieces[n].digest));
	case '#':
		return snprintf(out, room, "%zu", pieces[n].size);
	default:
		return 0;
	}
}

static void piece_make(unsigned int n, const char *text, size_t size)
{
	struct piece *p = &pieces[n];
	char more[DIGEST_TEXT + 8];
	size_t i, room = size + 1;
	int len;

	p->size = 0;
	p->bytes = malloc(room);
	for (i = 0; p->bytes && i < size; i++) {
		len = i + 1 < size ? expand(text + i, n, more, sizeof(more)) : 0;
		if (len) {
			i++;
		} else {
			more[0] = text[i];
			len = 1;
		}
		if (p->size + (size_t)len > room) {
			room = 2 * (room + sizeof(more));
			p->bytes = realloc(p->bytes, room);
			if (!p->bytes)
				break;
		}
		memcpy(p->bytes + p->size, more, (size_t)len);
		p->size += (size_t)len;
	}
	if (!p->bytes || digest_of(p->bytes, p->size, p->digest))
		abort();
}

static unsigned int pieces_make(const char *text, size_t size)
{
	static const char border[] = "\n%%\n";
	unsigned int n = 0;
	const char *end;
	size_t len;

	for (; n < PIECES; n++) {
		end = memmem(text, size, border, 4);
		len = end ? (size_t)(end - text) : size;
		piece_make(n, text, len);
		if (!end)
			return n + 1;
		text += len + 4;
		size -= len + 4;
	}
	return n;
}

/* ------------------------------------------------------------------ files */

static void put(struct tarball *t, const char *name, const struct piece *p)
{
	if (t)
		tarball_add(t, name, p->bytes, p->size);
	else
		jail_write(name, p->bytes, p->size);
}

static void put_all(struct tarball *t, unsigned int count, bool oci)
{
	static const struct piece mark = { .bytes = (uint8_t *)"{\"imageLayoutVersion\":\"1.0.0\"}", .size = 30 };
	char name[256];
	unsigned int i;

	for (i = 0; i <= LAYER_ZSTD; i++) {
		if (i >= count && i < LAYER)
			continue;
		snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(pieces[i].digest));
		if (!oci)
			snprintf(name, sizeof(name), "%s.json", digest_hex(pieces[i].digest));
		put(t, name, &pieces[i]);
		snprintf(name, sizeof(name), i == LAYER ? "layer.tar" : i == LAYER_ZSTD ? "layer.zst" : "p%u", i);
		put(t, name, &pieces[i]);
	}
	put(t, oci ? "index.json" : "manifest.json", &pieces[count - 1]);
	if (oci)
		put(t, "oci-layout", &mark);
}

/* ------------------------------------------------------------------ the import */

static void must_explain(const struct layerblk_error *err, int rc)
{
	char text[2048];

	layerblk_error_format(err, text, sizeof(text));
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%d: %s\n", rc, text);
	if (rc > 0 || err->code != -rc || !*text)
		abort();
}

static int apply_image(struct source *source, const struct bundle_image *image, int root, struct layerblk_error *err)
{
	struct stream *stream = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < image->layer_count && i < 6; i++) {
		rc = stream_open(source, &image->layers[i], NULL, NULL, &stream, err);
		if (rc)
			break;
		rc = apply_layer(root, stream, NULL, err);
		if (!rc)
			rc = stream_finish(stream, err);
		stream_close(stream);
	}
	return rc;
}

static void import(const char *path)
{
	static const struct platform platform = { .os = "linux", .architecture = "amd64" };
	struct source *source = NULL;
	struct bundle bundle = { 0 };
	struct layerblk_error err = { 0 };
	int root = open(JAIL_TARGET, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = source_open(path, &source, &err);
	size_t i;

	if (!rc)
		rc = bundle_read(source, path, &platform, NULL, &bundle, &err);
	if (rc)
		must_explain(&err, rc);
	for (i = 0; i < bundle.count && i < 4; i++) {
		memset(&err, 0, sizeof(err));
		rc = apply_image(source, &bundle.images[i], root, &err);
		if (rc)
			must_explain(&err, rc);
	}
	bundle_clear(&bundle);
	source_close(source);
	close(root);
}

static void run(const uint8_t *data, size_t size)
{
	struct tarball t = { 0 };
	uint8_t *archive;
	unsigned int count, i;
	bool oci = form == FORM_OCI || form == FORM_OCI_TAR, tar = form >= FORM_OCI_TAR;

	if (form == FORM_ARCHIVE) {
		archive = tar_compress(data, size, compression, &size);
		jail_write("archive", archive, size);
		free(archive);
		import(JAIL_IN "/archive");
		return;
	}
	count = pieces_make((const char *)data, size);
	put_all(tar ? &t : NULL, count, oci);
	if (tar) {
		tarball_end(&t);
		archive = tar_compress(t.bytes, t.size, compression, &size);
		jail_write("archive", archive, size);
		free(archive);
		free(t.bytes);
	}
	import(tar ? JAIL_IN "/archive" : JAIL_IN);
	for (i = 0; i < count; i++)
		free(pieces[i].bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return -1;
	form = (data[0] & 7) % FORMS;
	compression = data[0] >> 3 & 3;
	jail_run(run, data + 1, size - 1, 1);
	return 0;
}
