// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A directory or an archive as a set of files; see source.h.
 *
 * Directories are read with openat2(RESOLVE_BENEATH), so that symbolic links inside may be used and none leads out. In an archive,
 * links are followed by name in the index, at most LINKS_MAX deep.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <archive_entry.h>
#include "cleanup.h"
#include "source.h"
#include "spool.h"

#define CHUNK		(256U << 10)
#define LINKS_MAX	8
#define MEMBERS_MAX	1000000

struct member {
	char *name;
	char *link;			/* the name it is a link to; NULL: a regular file */
	int64_t offset;			/* of its header */
	uint64_t size;
};

struct source {
	char *path;			/* for errors */
	int fd;				/* the directory or the (unpacked) archive */
	bool directory;
	char *single;			/* the name under which the whole file is the only member; NULL: it is an archive */
	struct member *members;
	size_t count;
};

struct blob {
	char *name;
	int fd;
	uint64_t size;
	struct archive *archive;	/* NULL: a plain file */
	char *buffer;			/* of CHUNK bytes; for a plain file */
};

struct archive *archive_new_raw(void)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		return NULL;
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	return archive;
}

struct archive *archive_new_tar(void)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		return NULL;
	archive_read_support_format_tar(archive);
	archive_read_support_format_empty(archive);
	return archive;
}

/* A name without "./", doubled slashes and ".." (taken by name); NULL when it leads out or is empty. */
static char *name_clean(const char *directory, size_t directory_length, const char *name)
{
	cleanup_free char *joined = NULL;
	char *out, *end, *part, *rest = NULL;

	if (asprintf(&joined, "%.*s/%s", (int)directory_length, directory, name) < 0) {
		joined = NULL;
		return NULL;
	}
	out = end = calloc(1, strlen(joined) + 1);
	if (!out)
		return NULL;
	for (part = strtok_r(joined, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			char *slash = strrchr(out, '/');

			if (end == out) {
				free(out);
				return NULL;
			}
			end = slash ? slash : out;
			*end = '\0';
			continue;
		}
		end += sprintf(end, "%s%s", end == out ? "" : "/", part);
	}
	if (end == out) {
		free(out);
		return NULL;
	}
	return out;
}

/* ------------------------------------------------------------------ the archive's index */

static int index_add(struct source *source, struct archive *archive, struct archive_entry *entry,
		     struct layerblk_error *err)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	bool hard = link != NULL;
	struct member *member, *more;
	const char *slash;

	if (!link && archive_entry_filetype(entry) == AE_IFLNK)
		link = archive_entry_symlink(entry);
	if (!name || (!link && archive_entry_filetype(entry) != AE_IFREG))
		return 0;
	if (source->count >= MEMBERS_MAX)
		return layerblk_error_set(err, EBADMSG, "read the archive", source->path,
					  "it has more than %d members: this is no image", MEMBERS_MAX);
	if ((source->count & (source->count - 1)) == 0) {
		more = reallocarray(source->members, source->count ? 2 * source->count : 1, sizeof(*more));
		if (!more)
			return layerblk_error_set(err, ENOMEM, "read the archive", source->path, "no memory");
		source->members = more;
	}
	member = &source->members[source->count];
	*member = (struct member){ .name = name_clean("", 0, name) };
	if (!member->name)
		return 0;	/* "./" or a way out: nothing that is ever asked for */
	member->offset = archive_read_header_position(archive);
	member->size = (uint64_t)archive_entry_size(entry);
	if (link) {
		slash = hard ? NULL : strrchr(member->name, '/');
		member->link = name_clean(member->name, slash ? (size_t)(slash - member->name) : 0, link);
		if (!member->link) {
			free(member->name);
			return 0;
		}
	}
	source->count++;
	return 0;
}

static int index_build(struct source *source, struct layerblk_error *err)
{
	struct archive *archive = archive_new_tar();
	struct archive_entry *entry;
	int rc = 0, got;

	if (!archive)
		return layerblk_error_set(err, ENOMEM, "read the archive", source->path, "no memory");
	got = lseek(source->fd, 0, SEEK_SET) < 0 ? ARCHIVE_FATAL : archive_read_open_fd(archive, source->fd, CHUNK);
	while (!rc && got >= ARCHIVE_WARN) {
		got = archive_read_next_header(archive, &entry);
		if (got == ARCHIVE_EOF)
			break;
		if (got >= ARCHIVE_WARN)
			rc = index_add(source, archive, entry, err);
	}
	if (!rc && got < ARCHIVE_WARN)
		rc = layerblk_error_set(err, EBADMSG, "read the archive", source->path, "%s",
					archive_error_string(archive) ? archive_error_string(archive) :
					"it is not a tar archive");
	archive_read_free(archive);
	return rc;
}

/* The last member of a name counts, as when the tar is unpacked. Links are followed. */
static const struct member *index_find(const struct source *source, const char *name)
{
	cleanup_free char *clean = name_clean("", 0, name);
	const char *wanted = clean;
	const struct member *found;

	for (int links = 0; wanted && links <= LINKS_MAX; links++) {
		found = NULL;
		for (size_t i = source->count; i-- > 0 && !found;)
			if (strcmp(source->members[i].name, wanted) == 0)
				found = &source->members[i];
		if (!found || !found->link)
			return found;
		wanted = found->link;
	}
	return NULL;
}

/* ------------------------------------------------------------------ opening */

/* Unpacks what `raw` gives into a temporary file that takes the place of source->fd. */
static int spool(struct source *source, struct archive *raw, struct layerblk_error *err)
{
	cleanup_fd int fd = spool_open();
	const void *data;
	size_t size;
	int64_t offset;
	int got, rc;

	if (fd < 0)
		return layerblk_error_set(err, errno, "make a temporary file for", source->path, "%s", strerror(errno));
	while ((got = archive_read_data_block(raw, &data, &size, &offset)) == ARCHIVE_OK) {
		rc = write_all(fd, data, size);
		if (rc) {
			layerblk_error_set(err, -rc, "unpack the archive", source->path, "%s", strerror(-rc));
			return layerblk_error_hint(err, "Set TMPDIR to a directory with more room");
		}
	}
	if (got != ARCHIVE_EOF)
		return layerblk_error_set(err, EBADMSG, "unpack the archive", source->path, "%s",
					  archive_error_string(raw));
	close(source->fd);
	source->fd = take_fd(&fd);
	return 0;
}

static int open_archive(struct source *source, struct layerblk_error *err)
{
	struct archive *raw = archive_new_raw();
	struct archive_entry *entry;
	bool seekable = lseek(source->fd, 0, SEEK_CUR) >= 0;
	int rc = 0, got;

	if (!raw)
		return layerblk_error_set(err, ENOMEM, "read the archive", source->path, "no memory");
	got = archive_read_open_fd(raw, source->fd, CHUNK);
	if (got == ARCHIVE_OK)
		got = archive_read_next_header(raw, &entry);
	if (got == ARCHIVE_EOF)
		rc = layerblk_error_set(err, EBADMSG, "read the archive", source->path, "it is empty");
	else if (got < ARCHIVE_WARN)
		rc = layerblk_error_set(err, EBADMSG, "read the archive", source->path, "%s", archive_error_string(raw));
	else if (!seekable || archive_filter_count(raw) > 1)	/* the last filter is "none" */
		rc = spool(source, raw, err);
	archive_read_free(raw);
	return rc ? rc : index_build(source, err);
}

/* What comes through a pipe, in a file. */
static int spool_pipe(struct source *source, struct layerblk_error *err)
{
	cleanup_fd int fd = spool_open();
	cleanup_free char *buffer = malloc(CHUNK);
	struct sink sink = { spool_sink, &fd };
	ssize_t got;
	int rc = 0;

	if (fd < 0)
		return layerblk_error_set(err, errno, "make a temporary file for", source->path, "%s", strerror(errno));
	if (!buffer)
		return layerblk_error_set(err, ENOMEM, "read", source->path, "no memory");
	while (!rc && (got = read(source->fd, buffer, CHUNK)) != 0) {
		if (got > 0)
			rc = sink_write(&sink, buffer, (size_t)got, err);
		else if (errno != EINTR)
			rc = layerblk_error_set(err, errno, "read", source->path, "%s", strerror(errno));
	}
	if (rc)
		return rc;
	close(source->fd);
	source->fd = take_fd(&fd);
	return 0;
}

/* single NULL: a directory or an archive. */
static int open_source(const char *path, const char *single, struct source **out, struct layerblk_error *err)
{
	bool piped = strcmp(path, "-") == 0;
	struct source *source = calloc(1, sizeof(*source));
	struct stat st;
	int rc = 0;

	if (!source || !(source->path = strdup(piped ? "(standard input)" : path))) {
		free(source);
		return layerblk_error_set(err, ENOMEM, "open", path, "no memory");
	}
	source->fd = piped ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (source->fd < 0 || fstat(source->fd, &st) != 0) {
		rc = layerblk_error_set(err, errno, "open the image", path, "%s", strerror(errno));
	} else if (single && !S_ISDIR(st.st_mode)) {
		source->single = strdup(single);
		rc = !source->single ? layerblk_error_set(err, ENOMEM, "open", path, "no memory") :
		     S_ISREG(st.st_mode) ? 0 : spool_pipe(source, err);
	} else if (S_ISDIR(st.st_mode) && !single) {
		source->directory = true;
	} else if (S_ISREG(st.st_mode) || piped || S_ISFIFO(st.st_mode)) {
		if (!piped)
			fcntl(source->fd, F_SETFL, 0);	/* a FIFO's reader waits for its writer */
		rc = open_archive(source, err);
	} else {
		rc = layerblk_error_set(err, EINVAL, "open the image", path, "it is neither a directory nor a file");
	}
	if (rc) {
		source_close(source);
		return rc;
	}
	*out = source;
	return 0;
}

int source_open(const char *path, struct source **out, struct layerblk_error *err)
{
	return open_source(path, NULL, out, err);
}

int source_open_single(const char *path, const char *name, struct source **out, struct layerblk_error *err)
{
	return open_source(path, name, out, err);
}

int source_open_pipe(int fd, const char *name, struct source **out, struct layerblk_error *err)
{
	struct source *source = calloc(1, sizeof(*source));

	if (source) {
		source->fd = fd;
		source->path = strdup("(pipe)");
		source->single = strdup(name);
	}
	if (source && source->path && source->single) {
		*out = source;
		return 0;
	}
	if (source)
		source_close(source);
	else
		close(fd);
	return layerblk_error_set(err, ENOMEM, "open", name, "no memory");
}

void source_close(struct source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < source->count; i++) {
		free(source->members[i].name);
		free(source->members[i].link);
	}
	free(source->members);
	if (source->fd >= 0)
		close(source->fd);
	free(source->path);
	free(source->single);
	free(source);
}

/* ------------------------------------------------------------------ reading */

/* A file beneath the directory; -1 with errno. */
static int open_beneath(const struct source *source, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, source->fd, name, &how, sizeof(how));
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

bool source_has(struct source *source, const char *name)
{
	cleanup_fd int fd = -1;

	if (source->single)
		return strcmp(source->single, name) == 0;
	if (!source->directory)
		return index_find(source, name) != NULL;
	fd = open_beneath(source, name);
	return fd >= 0;
}

static int blob_open_member(struct source *source, const char *name, struct blob *blob, struct layerblk_error *err)
{
	const struct member *member = index_find(source, name);
	struct archive_entry *entry;
	char self[32];

	if (!member)
		return layerblk_error_set(err, ENOENT, "read", name, "the archive %s has no such file", source->path);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", source->fd);
	blob->fd = open(self, O_RDONLY | O_CLOEXEC);	/* with a position of its own */
	if (blob->fd < 0 || lseek(blob->fd, member->offset, SEEK_SET) < 0)
		return layerblk_error_set(err, errno, "read", name, "%s", strerror(errno));
	blob->archive = archive_new_tar();
	if (!blob->archive)
		return layerblk_error_set(err, ENOMEM, "read", name, "no memory");
	if (archive_read_open_fd(blob->archive, blob->fd, CHUNK) != ARCHIVE_OK ||
	    archive_read_next_header(blob->archive, &entry) < ARCHIVE_WARN)
		return layerblk_error_set(err, EBADMSG, "read", name, "%s", archive_error_string(blob->archive));
	blob->size = member->size;
	return 0;
}

static int blob_open_file(struct source *source, const char *name, struct blob *blob, struct layerblk_error *err)
{
	char self[32];
	struct stat st;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", source->fd);
	blob->fd = source->single ? open(self, O_RDONLY | O_CLOEXEC) : open_beneath(source, name);
	if (blob->fd < 0 && errno == ENOENT)
		return layerblk_error_set(err, ENOENT, "read", name, "the directory %s has no such file", source->path);
	if (blob->fd < 0 && errno == EXDEV)
		return layerblk_error_set(err, EXDEV, "read", name, "it leads out of the directory %s", source->path);
	if (blob->fd < 0 || fstat(blob->fd, &st) != 0)
		return layerblk_error_set(err, errno, "read", name, "%s",
					  errno == EINVAL ? "it is not a regular file" : strerror(errno));
	blob->buffer = malloc(CHUNK);
	if (!blob->buffer)
		return layerblk_error_set(err, ENOMEM, "read", name, "no memory");
	blob->size = (uint64_t)st.st_size;
	return 0;
}

int blob_open(struct source *source, const char *name, struct blob **out, struct layerblk_error *err)
{
	struct blob *blob = calloc(1, sizeof(*blob));
	int rc;

	if (!blob || !(blob->name = strdup(name))) {
		free(blob);
		return layerblk_error_set(err, ENOMEM, "read", name, "no memory");
	}
	blob->fd = -1;
	rc = source->directory || source->single ? blob_open_file(source, name, blob, err) : blob_open_member(source, name, blob, err);
	if (rc) {
		blob_close(blob);
		return rc;
	}
	*out = blob;
	return 0;
}

uint64_t blob_size(const struct blob *blob)
{
	return blob->size;
}

ssize_t blob_read(struct blob *blob, const void **data, struct layerblk_error *err)
{
	int64_t offset;
	ssize_t got;
	size_t size;

	if (!blob->archive) {
		do
			got = read(blob->fd, blob->buffer, CHUNK);
		while (got < 0 && errno == EINTR);
		*data = blob->buffer;
		return got >= 0 ? got : layerblk_error_set(err, errno, "read", blob->name, "%s", strerror(errno));
	}
	do {
		switch (archive_read_data_block(blob->archive, data, &size, &offset)) {
		case ARCHIVE_EOF:
			return 0;
		case ARCHIVE_OK:
			break;
		default:
			return layerblk_error_set(err, EBADMSG, "read", blob->name, "%s",
						  archive_error_string(blob->archive));
		}
	} while (size == 0);
	return (ssize_t)size;
}

void blob_close(struct blob *blob)
{
	if (!blob)
		return;
	if (blob->archive)
		archive_read_free(blob->archive);
	if (blob->fd >= 0)
		close(blob->fd);
	free(blob->buffer);
	free(blob->name);
	free(blob);
}

int source_load(struct source *source, const char *name, size_t max, char **data, size_t *size,
		struct layerblk_error *err)
{
	struct blob *blob = NULL;
	cleanup_free char *all = NULL;
	const void *part;
	size_t used = 0;
	ssize_t got;
	int rc;

	rc = blob_open(source, name, &blob, err);
	if (rc || !blob)
		return rc;
	if (blob->size > max) {
		rc = layerblk_error_set(err, EFBIG, "read", name, "it has %llu bytes, at most %zu are expected",
					(unsigned long long)blob->size, max);
		goto out;
	}
	all = malloc(blob->size + 1);
	if (!all) {
		rc = layerblk_error_set(err, ENOMEM, "read", name, "no memory");
		goto out;
	}
	while ((got = blob_read(blob, &part, err)) > 0) {
		if ((size_t)got > blob->size - used) {
			rc = layerblk_error_set(err, EBADMSG, "read", name, "it grew while it was read");
			goto out;
		}
		memcpy(all + used, part, (size_t)got);
		used += (size_t)got;
	}
	rc = (int)got;
	if (!rc) {
		all[used] = '\0';
		*size = used;
		*data = take_ptr(all);
	}
out:
	blob_close(blob);
	return rc;
}
