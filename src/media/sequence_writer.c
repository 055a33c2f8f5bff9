#include "media/sequence_writer.h"

#include "base/file.h"
#include "base/mem.h"
#include "media/packet.h"

#include <libavcodec/packet.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* State at a mark, little-endian: u32 magic, u64 pictures, then the encoder's state. */
#define STATE_MAGIC 0x32715356u /* "VSq2" */

struct vsm_sequence_writer {
    char *path, *temporary_path, *extension;
    struct vsm_video_encoder *encoder;
    uint64_t pictures; /* files written */
    bool created;      /* the temporary folder is ours */
    bool finished;
};

static int fail_folder(const char *path, const char *what)
{
    return vsm_fail(VSM_E_OUTPUT, "%s: %s: %s", path, what, strerror(errno));
}

static char *file_name(const struct vsm_sequence_writer *writer, const char *folder, uint64_t number)
{
    return vsm_mem_format("path", "%s/%08llu.%s", folder, (unsigned long long)number, writer->extension);
}

/* The number of a file of ours that is finished, or -1. */
static int64_t number_of(const struct vsm_sequence_writer *writer, const char *name)
{
    size_t digits = strspn(name, "0123456789");

    if (digits < 8 || digits > 18 || name[digits] != '.' || strcmp(name + digits + 1, writer->extension) != 0)
        return -1;
    return strtoll(name, NULL, 10);
}

/* Files that we wrote or began to write, and nobody else's. */
static bool is_ours(const struct vsm_sequence_writer *writer, const char *name)
{
    size_t digits = strspn(name, "0123456789");

    return digits >= 8 && name[digits] == '.' &&
           strncmp(name + digits + 1, writer->extension, strlen(writer->extension)) == 0;
}

/* Removes our files from number `first` on, and unfinished ones. */
static int remove_files(const struct vsm_sequence_writer *writer, uint64_t first)
{
    DIR *folder = opendir(writer->temporary_path);
    const struct dirent *entry;
    int status = VSM_OK;

    if (!folder)
        return fail_folder(writer->temporary_path, "the folder cannot be read");
    while (status == VSM_OK && (entry = readdir(folder))) {
        int64_t number = number_of(writer, entry->d_name);

        if (!is_ours(writer, entry->d_name) || (number >= 0 && (uint64_t)number < first))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            status = fail_folder(writer->temporary_path, "an old picture cannot be removed");
    }
    closedir(folder);
    return status;
}

static int create_folder(struct vsm_sequence_writer *writer)
{
    if (mkdir(writer->temporary_path, 0777) != 0 && errno != EEXIST)
        return fail_folder(writer->temporary_path, "the folder cannot be made");
    writer->created = true;
    return remove_files(writer, 0);
}

static int create(const struct vsm_video_writer_options *options, struct vsm_sequence_writer **result)
{
    struct vsm_sequence_writer *writer = vsm_mem_alloc("sequence writer", 1, sizeof(*writer));

    if (!writer)
        return VSM_E_NOMEM;
    *result = writer;
    writer->path = vsm_mem_string("path", options->path);
    writer->temporary_path = options->temporary_path ? vsm_mem_string("path", options->temporary_path)
                                                     : vsm_mem_format("path", "%s.part", options->path);
    writer->extension = vsm_mem_string("extension", options->encoder.codec);
    if (!writer->path || !writer->temporary_path || !writer->extension)
        return VSM_E_NOMEM;
    return vsm_video_encoder_open(&options->encoder, &writer->encoder);
}

int vsm_sequence_writer_open(const struct vsm_video_writer_options *options,
                             struct vsm_sequence_writer **result)
{
    struct vsm_sequence_writer *writer = NULL;
    int status = create(options, &writer);

    if (status == VSM_OK && access(options->path, F_OK) == 0)
        status = vsm_fail(VSM_E_OUTPUT,
                          "%s: is there already; a folder of pictures is not overwritten: remove it or "
                          "choose another name",
                          options->path);
    if (status == VSM_OK)
        status = create_folder(writer);
    if (status != VSM_OK) {
        vsm_sequence_writer_close(writer, false);
        return status;
    }
    *result = writer;
    return VSM_OK;
}

/* Writes all pictures that the encoder has ready. */
static int write_ready(struct vsm_sequence_writer *writer)
{
    struct vsm_packet *packet = NULL;
    int status;

    while ((status = vsm_video_encoder_get(writer->encoder, &packet)) == VSM_OK) {
        char *name = file_name(writer, writer->temporary_path, writer->pictures);

        status = name ? vsm_file_write_atomic(name, packet->av->data, (size_t)packet->av->size) : VSM_E_NOMEM;
        vsm_mem_free(name);
        vsm_packet_destroy(&packet);
        if (status != VSM_OK)
            return status;
        writer->pictures++;
    }
    return status == VSM_EOF ? VSM_OK : status;
}

int vsm_sequence_writer_put(struct vsm_sequence_writer *writer, struct vsm_image **image, int64_t pts)
{
    int status;

    if (writer->finished)
        return VSM_OK;
    status = vsm_video_encoder_put(writer->encoder, image, pts, 0);
    return status == VSM_OK ? write_ready(writer) : status;
}

static int drain(struct vsm_sequence_writer *writer)
{
    int status = vsm_video_encoder_end_segment(writer->encoder);

    return status == VSM_OK ? write_ready(writer) : status;
}

int vsm_sequence_writer_mark(struct vsm_sequence_writer *writer, struct vsm_bytes_out *state)
{
    int status = writer->finished ? VSM_OK : drain(writer);

    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le32(state, STATE_MAGIC);
    vsm_bytes_put_le64(state, writer->pictures);
    return vsm_video_encoder_save(writer->encoder, state);
}

/* Whether the pictures 0..count-1 are all in a folder. */
static bool has_pictures(const struct vsm_sequence_writer *writer, const char *path, uint64_t count)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    uint64_t found = 0;

    while (folder && (entry = readdir(folder))) {
        int64_t number = number_of(writer, entry->d_name);

        found += number >= 0 && (uint64_t)number < count;
    }
    if (folder)
        closedir(folder);
    return found == count;
}

static int restore(struct vsm_sequence_writer *writer)
{
    if (access(writer->temporary_path, F_OK) != 0 && errno == ENOENT &&
        has_pictures(writer, writer->path, writer->pictures)) {
        writer->finished = true; /* the folder got its final name, but the job ended before it could say so */
        return VSM_OK;
    }
    if (!has_pictures(writer, writer->temporary_path, writer->pictures))
        return vsm_fail(VSM_E_INPUT, "%s: pictures are missing that were there at the checkpoint; start anew",
                        writer->temporary_path);
    writer->created = true;
    return remove_files(writer, writer->pictures);
}

int vsm_sequence_writer_resume(const struct vsm_video_writer_options *options, struct vsm_bytes_in *in,
                               struct vsm_sequence_writer **result)
{
    uint32_t magic = vsm_bytes_get_le32(in);
    uint64_t pictures = vsm_bytes_get_le64(in);
    struct vsm_sequence_writer *writer = NULL;
    int status;

    if (in->failed || magic != STATE_MAGIC)
        return vsm_fail(VSM_E_INPUT, "%s: the state to resume from is damaged; start anew", options->path);
    status = create(options, &writer);
    if (status == VSM_OK) {
        writer->pictures = pictures;
        status = vsm_video_encoder_load(writer->encoder, in);
    }
    if (status == VSM_OK)
        status = restore(writer);
    if (status != VSM_OK) {
        vsm_sequence_writer_close(writer, true);
        return status;
    }
    *result = writer;
    return VSM_OK;
}

int vsm_sequence_writer_finish(struct vsm_sequence_writer *writer)
{
    int status;

    if (writer->finished)
        return VSM_OK;
    status = drain(writer);
    if (status == VSM_OK)
        status = vsm_file_rename(writer->temporary_path, writer->path);
    if (status != VSM_OK)
        return status;
    writer->finished = true;
    return vsm_file_sync_folder_of(writer->path);
}

void vsm_sequence_writer_close(struct vsm_sequence_writer *writer, bool keep)
{
    if (!writer)
        return;
    if (writer->created && !writer->finished && !keep && remove_files(writer, 0) == VSM_OK)
        rmdir(writer->temporary_path);
    vsm_video_encoder_close(writer->encoder);
    vsm_mem_free(writer->path);
    vsm_mem_free(writer->temporary_path);
    vsm_mem_free(writer->extension);
    vsm_mem_free(writer);
}
