#include "media/video_writer.h"

#include "base/file.h"
#include "base/mem.h"
#include "media/ff.h"
#include "media/muxer.h"
#include "media/packet.h"
#include "media/packet_index.h"
#include "media/sequence_writer.h"
#include "media/stream_copier.h"
#include "media/video_reader_internal.h"
#include "media/vr_boxes_write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* State at a mark, little-endian: u32 magic, u64 pictures, u64 file bytes, u32 tail bytes, u32
 * tail CRC-32 (struct vsm_muxer_mark), u64 index entries, u32 index CRC-32, u64 copied packets,
 * then the encoder's state. */
#define STATE_MAGIC 0x33775356u /* "VSw3" */

#define VIDEO_STREAM 0 /* the copied ones follow */

struct vsm_video_writer {
    struct vsm_video_writer_options options; /* strings owned, except the encoder's */
    struct vsm_sequence_writer *sequence;    /* does everything, if the output is a folder of pictures */
    const char *format;                      /* muxer name */
    char *index_path;
    struct vsm_video_encoder *encoder;
    char *codec;
    struct vsm_stream_copier *copier; /* NULL = nothing is copied */
    struct vsm_muxer *muxer;
    struct vsm_packet_index index;
    uint64_t pictures;
    uint64_t copied; /* packets of the copier that were muxed */
    bool created;    /* the temporary file is ours */
    bool finished;
    /* Resumed after it was finished: pictures are passed over, and marks say this. */
    struct vsm_bytes_out known_state;
};

struct state {
    struct vsm_muxer_mark mark;
    uint64_t pictures, entries, copied;
    uint32_t crc;
};

static int copy_options(struct vsm_video_writer *writer, const struct vsm_video_writer_options *options)
{
    struct vsm_video_writer_options *own = &writer->options;

    *own = *options;
    own->path = vsm_mem_string("path", options->path);
    own->temporary_path = options->temporary_path ? vsm_mem_string("path", options->temporary_path)
                                                  : vsm_mem_format("path", "%s.part", options->path);
    own->source_path = vsm_mem_string("path", options->source_path);
    if (!own->path || !own->temporary_path || (options->source_path && !own->source_path))
        return VSM_E_NOMEM;
    writer->index_path = vsm_mem_format("path", "%s.index", own->temporary_path);
    return writer->index_path ? VSM_OK : VSM_E_NOMEM;
}

static int choose_codec(struct vsm_video_writer *writer)
{
    struct vsm_video_encoder_options *encoder = &writer->options.encoder;
    const char *name = encoder->codec;

    writer->format = vsm_muxer_format_of(writer->options.path);
    if (!writer->format)
        return vsm_fail(VSM_E_USAGE,
                        "%s: the container is chosen by the name's end; use .mp4, .mov, .mkv or .webm",
                        writer->options.path);
    if (!name || strcmp(name, "auto") == 0)
        name = vsm_video_encoder_auto(writer->options.path, encoder->format.depth, encoder->width,
                                      writer->options.cuda);
    if (!name)
        return vsm_fail(VSM_E_USAGE,
                        "output.codec: the FFmpeg libraries here have no encoder for %s; set output.codec",
                        writer->options.path);
    writer->codec = vsm_mem_string("codec name", name);
    encoder->codec = writer->codec;
    return writer->codec ? VSM_OK : VSM_E_NOMEM;
}

static int open_encoder(struct vsm_video_writer *writer)
{
    int status = vsm_video_encoder_open(&writer->options.encoder, &writer->encoder);

    if (status == VSM_OK)
        status =
            vsm_muxer_check_codec(writer->format, vsm_video_encoder_parameters(writer->encoder)->codec_id);
    return status;
}

static int open_copier(struct vsm_video_writer *writer)
{
    struct vsm_stream_copier_options options = {
        .path = writer->options.source_path,
        .format = writer->format,
        .time_base = writer->options.encoder.time_base,
        .first_pts = writer->options.first_pts,
        .end_pts = writer->options.end_pts,
    };

    return options.path ? vsm_stream_copier_open(&options, &writer->copier) : VSM_OK;
}

/* mark as in vsm_muxer_create(). */
static int open_muxer(struct vsm_video_writer *writer, const struct vsm_muxer_mark *mark)
{
    const struct vsm_video_writer_options *options = &writer->options;
    struct vsm_muxer_video video = {
        .parameters = vsm_video_encoder_parameters(writer->encoder),
        .time_base = options->encoder.time_base,
        .frame_rate = options->encoder.frame_rate,
        .hdr = options->encoder.source ? vsm_video_reader_static_data(options->encoder.source) : NULL,
        .vr = options->vr_boxes == VSM_VR_BOXES_SV3D,
        .right_left = options->right_left,
        .layout = options->layout,
    };
    int count = writer->copier ? vsm_stream_copier_count(writer->copier) : 0;
    int status = vsm_muxer_create(options->temporary_path, writer->format, mark, &writer->muxer);

    writer->created = status == VSM_OK;
    if (status == VSM_OK)
        status = vsm_muxer_add_video(writer->muxer, &video);
    for (int i = 0; status == VSM_OK && i < count; i++)
        status = vsm_muxer_add_copy(writer->muxer, vsm_stream_copier_stream(writer->copier, i));
    return status == VSM_OK ? vsm_muxer_begin(writer->muxer) : status;
}

/* All parts but muxer and index. On failure *result, if set, is to be closed. */
static int create(const struct vsm_video_writer_options *options, struct vsm_video_writer **result)
{
    struct vsm_video_writer *writer = vsm_mem_alloc("video writer", 1, sizeof(*writer));
    int status;

    if (!writer)
        return VSM_E_NOMEM;
    *result = writer;
    status = copy_options(writer, options);
    if (status == VSM_OK)
        status = choose_codec(writer);
    if (status == VSM_OK)
        status = open_encoder(writer);
    if (status == VSM_OK)
        status = open_copier(writer);
    return status;
}

/* A writer around a sequence's, opened or (in) resumed. */
static int open_sequence(const struct vsm_video_writer_options *options, struct vsm_bytes_in *in,
                         struct vsm_video_writer **result)
{
    struct vsm_video_writer *writer = vsm_mem_alloc("video writer", 1, sizeof(*writer));
    int status = !writer ? VSM_E_NOMEM
                 : in    ? vsm_sequence_writer_resume(options, in, &writer->sequence)
                         : vsm_sequence_writer_open(options, &writer->sequence);

    if (status != VSM_OK) {
        vsm_mem_free(writer);
        return status;
    }
    *result = writer;
    return VSM_OK;
}

int vsm_video_writer_open(const struct vsm_video_writer_options *options, struct vsm_video_writer **result)
{
    struct vsm_video_writer *writer = NULL;
    int status = options->sequence ? VSM_OK : create(options, &writer);

    if (options->sequence)
        return open_sequence(options, NULL, result);

    if (status == VSM_OK)
        status = open_muxer(writer, NULL);
    if (status == VSM_OK)
        status = vsm_packet_index_create(writer->index_path, &writer->index);
    if (status != VSM_OK) {
        vsm_video_writer_close(writer, false);
        return status;
    }
    *result = writer;
    return VSM_OK;
}

/* Muxes all copied packets that are decoded before `limit`. */
static int copy_until(struct vsm_video_writer *writer, int64_t limit)
{
    struct vsm_packet *packet = NULL;
    int status = VSM_OK, stream = 0;

    while (writer->copier && status == VSM_OK) {
        status = vsm_stream_copier_next(writer->copier, limit, &packet, &stream);
        if (status == VSM_EOF)
            return VSM_OK;
        if (status == VSM_OK)
            status = vsm_muxer_write(writer->muxer, VIDEO_STREAM + 1 + stream, packet);
        writer->copied += status == VSM_OK;
        vsm_packet_destroy(&packet);
    }
    return status;
}

/* Muxes all packets that the encoder has ready. */
static int write_ready(struct vsm_video_writer *writer)
{
    struct vsm_packet *packet = NULL;
    int status;

    while ((status = vsm_video_encoder_get(writer->encoder, &packet)) == VSM_OK) {
        struct vsm_packet_entry entry = {
            .pts = packet->av->pts,
            .dts = packet->av->dts,
            .duration = packet->av->duration,
            .size = (uint32_t)packet->av->size,
            .flags = (uint32_t)packet->av->flags,
            .alpha = vsm_packet_alpha_size(packet),
        };

        status = copy_until(writer, entry.dts);
        if (status == VSM_OK)
            status = vsm_muxer_write(writer->muxer, VIDEO_STREAM, packet);
        if (status == VSM_OK)
            status = vsm_packet_index_add(&writer->index, &entry);
        vsm_packet_destroy(&packet);
        if (status != VSM_OK)
            return status;
    }
    return status == VSM_EOF ? VSM_OK : status;
}

int vsm_video_writer_put(struct vsm_video_writer *writer, struct vsm_image **image, int64_t pts,
                         int64_t duration)
{
    int status = VSM_OK;

    if (writer->sequence)
        return vsm_sequence_writer_put(writer->sequence, image, pts - writer->options.first_pts);
    if (!writer->finished)
        status = vsm_video_encoder_put(writer->encoder, image, pts - writer->options.first_pts, duration);
    writer->pictures += status == VSM_OK;
    return status == VSM_OK && !writer->finished ? write_ready(writer) : status;
}

static int end_segment(struct vsm_video_writer *writer)
{
    int status = vsm_video_encoder_end_segment(writer->encoder);

    return status == VSM_OK ? write_ready(writer) : status;
}

int vsm_video_writer_mark(struct vsm_video_writer *writer, struct vsm_bytes_out *state)
{
    static const struct vsm_packet_entry flush = {.size = VSM_PACKET_INDEX_FLUSH};
    struct vsm_muxer_mark mark;
    int status;

    if (writer->sequence)
        return vsm_sequence_writer_mark(writer->sequence, state);
    if (writer->finished) {
        vsm_bytes_put(state, writer->known_state.data, writer->known_state.size);
        return state->failed ? VSM_E_NOMEM : VSM_OK;
    }
    status = end_segment(writer);
    if (status == VSM_OK)
        status = vsm_muxer_flush(writer->muxer, &mark);
    if (status == VSM_OK)
        status = vsm_packet_index_add(&writer->index, &flush);
    if (status == VSM_OK)
        status = vsm_packet_index_sync(&writer->index);
    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le32(state, STATE_MAGIC);
    vsm_bytes_put_le64(state, writer->pictures);
    vsm_bytes_put_le64(state, (uint64_t)mark.size);
    vsm_bytes_put_le32(state, mark.tail);
    vsm_bytes_put_le32(state, mark.crc);
    vsm_bytes_put_le64(state, writer->index.count);
    vsm_bytes_put_le32(state, writer->index.crc);
    vsm_bytes_put_le64(state, writer->copied);
    return vsm_video_encoder_save(writer->encoder, state);
}

static int read_state(const char *path, struct vsm_bytes_in *in, struct state *state)
{
    uint32_t magic = vsm_bytes_get_le32(in);

    state->pictures = vsm_bytes_get_le64(in);
    state->mark.size = (int64_t)vsm_bytes_get_le64(in);
    state->mark.tail = vsm_bytes_get_le32(in);
    state->mark.crc = vsm_bytes_get_le32(in);
    state->entries = vsm_bytes_get_le64(in);
    state->crc = vsm_bytes_get_le32(in);
    state->copied = vsm_bytes_get_le64(in);
    if (in->failed || magic != STATE_MAGIC || state->mark.size < 0 || state->mark.tail > state->mark.size ||
        state->mark.tail > VSM_MUXER_TAIL || state->entries < state->pictures)
        return vsm_fail(VSM_E_INPUT, "%s: the state to resume from is damaged; start anew", path);
    return VSM_OK;
}

static int replay_entry(void *opaque, const struct vsm_packet_entry *entry)
{
    struct vsm_video_writer *writer = opaque;
    int status;

    if (entry->size == VSM_PACKET_INDEX_FLUSH)
        return vsm_muxer_replay_flush(writer->muxer);
    status = copy_until(writer, entry->dts);
    return status == VSM_OK ? vsm_muxer_replay(writer->muxer, VIDEO_STREAM, entry) : status;
}

static int replay(struct vsm_video_writer *writer, const struct state *state)
{
    int status = vsm_packet_index_resume(writer->index_path, state->entries, state->crc, replay_entry, writer,
                                         &writer->index);

    if (status == VSM_OK && writer->copied != state->copied)
        status =
            vsm_fail(VSM_E_INPUT, "%s: gave %llu audio and data packets up to the mark, now %llu; start anew",
                     writer->options.source_path, (unsigned long long)state->copied,
                     (unsigned long long)writer->copied);
    if (status == VSM_OK)
        status = vsm_muxer_end_replay(writer->muxer);
    writer->pictures = state->pictures;
    return status;
}

/* The file got its final name, but the job ended before it could say so. */
static bool is_complete(const struct vsm_video_writer *writer, const struct state *state)
{
    return access(writer->options.temporary_path, F_OK) != 0 && errno == ENOENT &&
           vsm_muxer_mark_check(writer->options.path, &state->mark) == VSM_OK;
}

static int resume(struct vsm_video_writer *writer, const struct state *state, struct vsm_bytes_in *in)
{
    int status = vsm_video_encoder_load(writer->encoder, in);

    if (status == VSM_OK)
        status = open_muxer(writer, &state->mark);
    return status == VSM_OK ? replay(writer, state) : status;
}

int vsm_video_writer_resume(const struct vsm_video_writer_options *options, struct vsm_bytes_in *in,
                            struct vsm_video_writer **result)
{
    struct vsm_bytes_in whole = *in;
    struct vsm_video_writer *writer = NULL;
    struct state state;
    int status = options->sequence ? VSM_OK : read_state(options->path, in, &state);

    if (options->sequence)
        return open_sequence(options, in, result);
    if (status == VSM_OK)
        status = create(options, &writer);
    if (status == VSM_OK && is_complete(writer, &state)) {
        writer->finished = true;
        vsm_bytes_put(&writer->known_state, whole.data + whole.pos, whole.size - whole.pos);
        status = writer->known_state.failed ? VSM_E_NOMEM : VSM_OK;
    } else if (status == VSM_OK) {
        status = resume(writer, &state, in);
    }
    if (status != VSM_OK) {
        vsm_video_writer_close(writer, true);
        return status;
    }
    *result = writer;
    return VSM_OK;
}

/* Matroska's elements are written by the muxer. */
static bool has_boxes(const struct vsm_video_writer *writer)
{
    return strcmp(writer->format, "mp4") == 0 || strcmp(writer->format, "mov") == 0;
}

int vsm_video_writer_finish(struct vsm_video_writer *writer)
{
    const struct vsm_video_writer_options *options = &writer->options;
    int status;

    if (writer->sequence)
        return vsm_sequence_writer_finish(writer->sequence);
    if (writer->finished)
        return VSM_OK;
    status = end_segment(writer);
    if (status == VSM_OK)
        status = copy_until(writer, INT64_MAX);
    if (status == VSM_OK)
        status = vsm_muxer_finish(writer->muxer);
    vsm_muxer_destroy(writer->muxer);
    writer->muxer = NULL;
    if (status == VSM_OK && options->vr_boxes != VSM_VR_BOXES_NONE && has_boxes(writer))
        status = vsm_vr_boxes_write(options->temporary_path, options->vr_boxes, options->layout,
                                    options->right_left);
    if (status == VSM_OK)
        status = vsm_file_rename(options->temporary_path, options->path);
    if (status != VSM_OK)
        return status;
    writer->finished = true;
    return vsm_file_sync_folder_of(options->path);
}

void vsm_video_writer_close(struct vsm_video_writer *writer, bool keep)
{
    if (!writer)
        return;
    if (writer->created && !writer->finished && !keep)
        unlink(writer->options.temporary_path);
    if (writer->finished || (writer->created && !keep))
        unlink(writer->index_path);
    vsm_sequence_writer_close(writer->sequence, keep);
    vsm_video_encoder_close(writer->encoder);
    vsm_stream_copier_close(writer->copier);
    vsm_muxer_destroy(writer->muxer);
    vsm_packet_index_close(&writer->index);
    vsm_bytes_out_finish(&writer->known_state);
    vsm_mem_free((char *)writer->options.path);
    vsm_mem_free((char *)writer->options.temporary_path);
    vsm_mem_free((char *)writer->options.source_path);
    vsm_mem_free(writer->index_path);
    vsm_mem_free(writer->codec);
    vsm_mem_free(writer);
}

const char *vsm_video_writer_remarks(const struct vsm_video_writer *writer)
{
    return writer->copier ? vsm_stream_copier_remarks(writer->copier) : "";
}
