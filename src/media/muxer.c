#include "media/muxer.h"

#include "base/mem.h"
#include "media/ff.h"
#include "media/output_file.h"
#include "media/packet.h"
#include "media/packet_index.h"
#include "media/vr_boxes.h"

#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include <string.h>
#include <strings.h>

#define MAX_STREAMS  64
#define BUFFER_BYTES (256 * 1024)

struct vsm_muxer {
    AVFormatContext *context;
    AVIOContext *io;
    struct vsm_output_file file;
    AVRational time_bases[MAX_STREAMS]; /* of the packets that come in */
    int64_t last_dts[MAX_STREAMS];
    AVPacket *scratch;
    uint8_t *zeros; /* payload for replay */
    size_t zeros_size;
    int64_t resume_size; /* < 0: not replaying */
    int64_t header_size;
};

const char *vsm_muxer_format_of(const char *path)
{
    static const char *const known[][2] = {
        {".mp4", "mp4"}, {".m4v", "mp4"}, {".mov", "mov"}, {".mkv", "matroska"}, {".webm", "webm"}};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(dot, known[i][0]) == 0)
            return known[i][1];
    return NULL;
}

static bool can_hold(const char *format, enum AVCodecID id)
{
    const AVOutputFormat *output = av_guess_format(format, NULL, NULL);

    return output && id != AV_CODEC_ID_NONE && avformat_query_codec(output, id, FF_COMPLIANCE_NORMAL) == 1;
}

int vsm_muxer_check_codec(const char *format, int codec_id)
{
    static const char *const all[] = {"mp4", "mov", "matroska", "webm"};
    static const char *const extensions[] = {".mp4", ".mov", ".mkv", ".webm"};
    char able[64] = "";

    if (can_hold(format, codec_id))
        return VSM_OK;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!can_hold(all[i], codec_id))
            continue;
        if (able[0])
            strcat(able, ", ");
        strcat(able, extensions[i]);
    }
    return vsm_fail(VSM_E_USAGE, "output: %s files cannot hold %s video; choose another codec or %s%s",
                    format, avcodec_get_name(codec_id), able[0] ? "an output named " : "another container",
                    able);
}

bool vsm_muxer_can_copy(const char *format, const AVStream *stream)
{
    /* Matroska says yes to anything that it has a name for; binary tracks without one are refused
     * by its header. */
    if (stream->codecpar->codec_id == AV_CODEC_ID_BIN_DATA && strcmp(format, "mov") != 0 &&
        strcmp(format, "mp4") != 0)
        return false;
    return can_hold(format, stream->codecpar->codec_id);
}

static int write_bytes(void *opaque, const uint8_t *data, int size)
{
    struct vsm_muxer *muxer = opaque;

    return vsm_output_file_write(&muxer->file, data, (size_t)size) == VSM_OK ? size : AVERROR(EIO);
}

#if LIBAVFORMAT_VERSION_MAJOR < 61
static int write_packet_callback(void *opaque, uint8_t *data, int size)
#else
static int write_packet_callback(void *opaque, const uint8_t *data, int size)
#endif
{
    return write_bytes(opaque, data, size);
}

static int64_t seek_callback(void *opaque, int64_t offset, int whence)
{
    struct vsm_muxer *muxer = opaque;

    if (whence == AVSEEK_SIZE)
        return muxer->file.size;
    if (whence == SEEK_CUR)
        offset += muxer->file.position;
    else if (whence == SEEK_END)
        offset += muxer->file.size;
    if (offset < 0)
        return AVERROR(EINVAL);
    vsm_output_file_seek(&muxer->file, offset);
    return offset;
}

/* Our file's failure says more than FFmpeg's. */
static int fail(const struct vsm_muxer *muxer, int error, const char *what)
{
    int status = vsm_output_file_status(&muxer->file);

    return status != VSM_OK ? status : vsm_ff_fail(VSM_E_OUTPUT, error, "%s: %s", muxer->file.path, what);
}

static int create_context(struct vsm_muxer *muxer, const char *format)
{
    uint8_t *buffer;
    int error = avformat_alloc_output_context2(&muxer->context, NULL, format, NULL);

    if (error < 0)
        return vsm_ff_fail(VSM_E_OUTPUT, error, "%s: no muxer '%s' here", muxer->file.path, format);
    buffer = av_malloc(BUFFER_BYTES);
    if (buffer)
        muxer->io =
            avio_alloc_context(buffer, BUFFER_BYTES, 1, muxer, NULL, write_packet_callback, seek_callback);
    muxer->scratch = av_packet_alloc();
    if (!muxer->io || !muxer->scratch) {
        if (!muxer->io)
            av_free(buffer);
        return vsm_fail_nomem("muxer", BUFFER_BYTES);
    }
    muxer->context->pb = muxer->io;
    muxer->context->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    muxer->context->flags &= ~AVFMT_FLAG_AUTO_BSF;
    muxer->context->avoid_negative_ts = 0;
    muxer->context->max_interleave_delta = 0;
    return VSM_OK;
}

int vsm_muxer_mark_check(const char *path, const struct vsm_muxer_mark *mark)
{
    struct vsm_output_file file = {0};
    int status = vsm_output_file_open(path, true, &file);
    uint32_t crc = 0;

    if (status == VSM_OK)
        status = vsm_output_file_check_size(&file, mark->size);
    if (status == VSM_OK)
        status = vsm_output_file_crc(&file, mark->size - mark->tail, mark->tail, &crc);
    if (status == VSM_OK && crc != mark->crc)
        status = vsm_fail(VSM_E_INPUT, "%s: is not what was written before byte %lld; start anew", path,
                          (long long)mark->size);
    vsm_output_file_close(&file);
    return status;
}

int vsm_muxer_create(const char *path, const char *format, const struct vsm_muxer_mark *mark,
                     struct vsm_muxer **result)
{
    struct vsm_muxer *muxer = vsm_mem_alloc("muxer", 1, sizeof(*muxer));
    int status = mark ? vsm_muxer_mark_check(path, mark) : VSM_OK;

    if (!muxer)
        return VSM_E_NOMEM;
    vsm_ff_init();
    muxer->resume_size = mark ? mark->size : -1;
    if (status == VSM_OK)
        status = vsm_output_file_open(path, mark != NULL, &muxer->file);
    if (status == VSM_OK)
        status = create_context(muxer, format);
    if (status != VSM_OK) {
        vsm_muxer_destroy(muxer);
        return status;
    }
    *result = muxer;
    return VSM_OK;
}

void vsm_muxer_destroy(struct vsm_muxer *muxer)
{
    if (!muxer)
        return;
    /* Freeing must not write what an abandoned muxer still holds. */
    muxer->file.suppressed = true;
    avformat_free_context(muxer->context);
    if (muxer->io)
        av_freep(&muxer->io->buffer);
    avio_context_free(&muxer->io);
    av_packet_free(&muxer->scratch);
    vsm_output_file_close(&muxer->file);
    vsm_mem_free(muxer->zeros);
    vsm_mem_free(muxer);
}

static AVStream *add_stream(struct vsm_muxer *muxer, const AVCodecParameters *parameters,
                            AVRational time_base)
{
    unsigned index = muxer->context->nb_streams;
    AVStream *stream;

    if (index >= MAX_STREAMS) {
        vsm_fail(VSM_E_INPUT, "%s: more than %d streams", muxer->file.path, MAX_STREAMS);
        return NULL;
    }
    stream = avformat_new_stream(muxer->context, NULL);
    if (!stream || avcodec_parameters_copy(stream->codecpar, parameters) < 0) {
        vsm_fail_nomem("output stream", sizeof(*stream));
        return NULL;
    }
    stream->codecpar->codec_tag = 0;
    stream->time_base = time_base;
    muxer->time_bases[index] = time_base;
    muxer->last_dts[index] = AV_NOPTS_VALUE;
    return stream;
}

static bool is_matroska(const struct vsm_muxer *muxer)
{
    const char *name = muxer->context->oformat->name;

    return strcmp(name, "matroska") == 0 || strcmp(name, "webm") == 0;
}

static int set_vr(AVStream *stream, const struct vsm_muxer_video *video)
{
    AVStereo3D *stereo = av_stereo3d_alloc();
    size_t spherical_size;
    AVSphericalMapping *sphere = av_spherical_alloc(&spherical_size);
    int status = VSM_E_NOMEM;

    if (stereo && sphere) {
        stereo->type = video->layout == VSM_LAYOUT_SBS  ? AV_STEREO3D_SIDEBYSIDE
                       : video->layout == VSM_LAYOUT_TB ? AV_STEREO3D_TOPBOTTOM
                                                        : AV_STEREO3D_2D;
        stereo->flags = video->right_left ? AV_STEREO3D_FLAG_INVERT : 0;
        sphere->projection = AV_SPHERICAL_EQUIRECTANGULAR_TILE;
        sphere->bound_left = sphere->bound_right = VSM_VR_BOXES_QUARTER;
        status = vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_STEREO3D, stereo, sizeof(*stereo));
        if (status == VSM_OK)
            status = vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_SPHERICAL, sphere, spherical_size);
    } else {
        vsm_fail_nomem("stream side data", sizeof(*stereo));
    }
    av_free(stereo);
    av_free(sphere);
    return status;
}

static int set_hdr(AVStream *stream, const struct vsm_ff_static_data *hdr)
{
    int status = VSM_OK;

    if (hdr->has_mastering)
        status = vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &hdr->mastering,
                                             sizeof(hdr->mastering));
    if (status == VSM_OK && hdr->has_light)
        status = vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &hdr->light,
                                             sizeof(hdr->light));
    if (status == VSM_OK && hdr->icc_profile)
        status =
            vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_ICC_PROFILE, hdr->icc_profile, hdr->icc_size);
    return status;
}

int vsm_muxer_add_video(struct vsm_muxer *muxer, const struct vsm_muxer_video *video)
{
    AVStream *stream = add_stream(muxer, video->parameters, vsm_ff_rational_to(video->time_base));
    int status = VSM_OK;

    if (!stream)
        return VSM_E_NOMEM;
    stream->sample_aspect_ratio = video->parameters->sample_aspect_ratio;
    if (video->frame_rate.num > 0 && video->frame_rate.den > 0)
        stream->avg_frame_rate = vsm_ff_rational_to(video->frame_rate);
    stream->disposition = AV_DISPOSITION_DEFAULT;
    /* Apple's players take HEVC only under this name. */
    if (stream->codecpar->codec_id == AV_CODEC_ID_HEVC && !is_matroska(muxer))
        stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
    /* Tells the profile, without which readers take 4444 for 422. */
    if (stream->codecpar->codec_id == AV_CODEC_ID_PRORES)
        stream->codecpar->codec_tag = video->parameters->codec_tag;
    /* Tells readers that blocks have alpha pictures beside them. */
    if (video->parameters->codec_id == AV_CODEC_ID_VP9 && video->parameters->format == AV_PIX_FMT_YUVA420P &&
        av_dict_set(&stream->metadata, "alpha_mode", "1", 0) < 0)
        status = vsm_fail_nomem("output stream", sizeof(*stream));
    if (status == VSM_OK && video->vr && is_matroska(muxer))
        status = set_vr(stream, video);
    if (status == VSM_OK && video->hdr)
        status = set_hdr(stream, video->hdr);
    return status;
}

int vsm_muxer_add_copy(struct vsm_muxer *muxer, const AVStream *source)
{
    static const char *const kept[] = {"language", "title", "handler_name"};
    const struct AVCodecTag *const *tags = muxer->context->oformat->codec_tag;
    uint32_t tag = source->codecpar->codec_tag;
    AVStream *stream = add_stream(muxer, source->codecpar, source->time_base);

    if (!stream)
        return VSM_E_NOMEM;
    if (tags && av_codec_get_id(tags, tag) == source->codecpar->codec_id)
        stream->codecpar->codec_tag = tag;
    stream->disposition = source->disposition;
    stream->avg_frame_rate = source->avg_frame_rate;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        const AVDictionaryEntry *entry = av_dict_get(source->metadata, kept[i], NULL, 0);

        if (entry && av_dict_set(&stream->metadata, kept[i], entry->value, 0) < 0)
            return vsm_fail_nomem("output stream", sizeof(*stream));
    }
    return vsm_ff_stream_copy_side_data(stream, source);
}

static int64_t least_multiple(int64_t a, int64_t b)
{
    return a / av_gcd(a, b) * b;
}

/* Edit lists say in movie time where a track begins: a multiple of all tracks' scales makes that exact.
 * Players hold it in 32 bits, and some in floating point: beyond ten million a multiple is not worth it. */
static int64_t movie_scale(const struct vsm_muxer *muxer)
{
    int64_t scale = 0, multiple = 1;

    for (unsigned i = 0; i < muxer->context->nb_streams; i++) {
        const AVCodecParameters *parameters = muxer->context->streams[i]->codecpar;
        int64_t own = parameters->codec_type == AVMEDIA_TYPE_AUDIO
                          ? parameters->sample_rate
                          : muxer->context->streams[i]->time_base.den;

        if (own <= 0)
            continue;
        if (scale == 0)
            scale = own;
        multiple = least_multiple(multiple, own);
        if (multiple > 10000000)
            break;
    }
    return multiple <= 10000000 ? multiple : scale;
}

int vsm_muxer_begin(struct vsm_muxer *muxer)
{
    int64_t scale = movie_scale(muxer);
    int error;

    if (!is_matroska(muxer) && scale >= 1000)
        av_opt_set_int(muxer->context->priv_data, "movie_timescale", scale, 0);
    error = avformat_write_header(muxer->context, NULL);
    if (error < 0)
        return fail(muxer, error, "the header cannot be written");
    avio_flush(muxer->io);
    muxer->header_size = avio_tell(muxer->io);
    /* The header is written again when resuming: a finish that was cut short may have changed sizes in it. */
    muxer->file.suppressed = muxer->resume_size >= 0;
    return vsm_output_file_status(&muxer->file);
}

/* Matroska stores Opus packets later by their priming, and readers take it off again. libavformat's muxer
 * does so itself since version 60. */
static int64_t priming(const struct vsm_muxer *muxer, const AVStream *stream)
{
    const AVCodecParameters *parameters = stream->codecpar;

    if (LIBAVFORMAT_VERSION_MAJOR >= 60 || !is_matroska(muxer) || parameters->codec_id != AV_CODEC_ID_OPUS ||
        parameters->sample_rate <= 0)
        return 0;
    return av_rescale_q(parameters->initial_padding, (AVRational){1, parameters->sample_rate},
                        stream->time_base);
}

/* Hands muxer->scratch over. */
static int write_scratch(struct vsm_muxer *muxer, int index)
{
    AVStream *stream = muxer->context->streams[index];
    AVPacket *packet = muxer->scratch;
    int error;

    av_packet_rescale_ts(packet, muxer->time_bases[index], stream->time_base);
    packet->pts += priming(muxer, stream);
    packet->dts += priming(muxer, stream);
    /* A coarser time base can make stamps equal, which MP4 refuses. */
    if (muxer->last_dts[index] != AV_NOPTS_VALUE && packet->dts <= muxer->last_dts[index]) {
        packet->dts = muxer->last_dts[index] + 1;
        if (packet->pts < packet->dts)
            packet->pts = packet->dts;
    }
    muxer->last_dts[index] = packet->dts;
    packet->stream_index = index;
    packet->pos = -1;
    error = av_write_frame(muxer->context, packet);
    av_packet_unref(packet);
    return error < 0 ? fail(muxer, error, "a packet cannot be written")
                     : vsm_output_file_status(&muxer->file);
}

int vsm_muxer_write(struct vsm_muxer *muxer, int stream, const struct vsm_packet *packet)
{
    int error = av_packet_ref(muxer->scratch, packet->av);

    if (error < 0)
        return vsm_ff_fail(VSM_E_OUTPUT, error, "%s: packet", muxer->file.path);
    return write_scratch(muxer, stream);
}

int vsm_muxer_replay(struct vsm_muxer *muxer, int stream, const struct vsm_packet_entry *entry)
{
    size_t need = (size_t)entry->size + AV_INPUT_BUFFER_PADDING_SIZE;

    if (!muxer->file.suppressed || entry->size > INT32_MAX / 2 || entry->alpha > INT32_MAX / 2)
        return vsm_fail(VSM_E_INTERNAL, "%s: replay of a packet of %u bytes refused", muxer->file.path,
                        entry->size);
    if (need > muxer->zeros_size) {
        vsm_mem_free(muxer->zeros);
        muxer->zeros = vsm_mem_alloc("replay payload", need, 1);
        muxer->zeros_size = muxer->zeros ? need : 0;
        if (!muxer->zeros)
            return VSM_E_NOMEM;
    }
    if (entry->alpha > 0 && vsm_packet_set_alpha(muxer->scratch, NULL, entry->alpha) != VSM_OK)
        return VSM_E_NOMEM;
    muxer->scratch->data = muxer->zeros;
    muxer->scratch->size = (int)entry->size;
    muxer->scratch->pts = entry->pts;
    muxer->scratch->dts = entry->dts;
    muxer->scratch->duration = entry->duration;
    muxer->scratch->flags = (int)entry->flags;
    return write_scratch(muxer, stream);
}

static int flush_muxer(struct vsm_muxer *muxer)
{
    int error = av_write_frame(muxer->context, NULL);

    if (error < 0)
        return fail(muxer, error, "cannot be flushed");
    avio_flush(muxer->io);
    return vsm_output_file_status(&muxer->file);
}

int vsm_muxer_replay_flush(struct vsm_muxer *muxer)
{
    return flush_muxer(muxer);
}

int vsm_muxer_end_replay(struct vsm_muxer *muxer)
{
    int status = flush_muxer(muxer);

    if (status != VSM_OK)
        return status;
    if (avio_tell(muxer->io) != muxer->resume_size || muxer->file.size != muxer->resume_size)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: its packets lead to byte %lld, but the mark is at %lld: the source or the FFmpeg "
            "libraries changed; start anew",
            muxer->file.path, (long long)avio_tell(muxer->io), (long long)muxer->resume_size);
    muxer->file.suppressed = false;
    vsm_mem_free(muxer->zeros);
    muxer->zeros = NULL;
    muxer->zeros_size = 0;
    status = vsm_output_file_truncate(&muxer->file, muxer->resume_size);
    muxer->resume_size = -1;
    return status;
}

int vsm_muxer_flush(struct vsm_muxer *muxer, struct vsm_muxer_mark *mark)
{
    int status = flush_muxer(muxer);
    int64_t tail;

    if (status == VSM_OK)
        status = vsm_output_file_sync(&muxer->file);
    if (status != VSM_OK)
        return status;
    tail = muxer->file.size - muxer->header_size;
    mark->size = muxer->file.size;
    mark->tail = tail < VSM_MUXER_TAIL ? (uint32_t)tail : VSM_MUXER_TAIL;
    return vsm_output_file_crc(&muxer->file, mark->size - mark->tail, mark->tail, &mark->crc);
}

int vsm_muxer_finish(struct vsm_muxer *muxer)
{
    int error = av_write_trailer(muxer->context), status;

    avio_flush(muxer->io);
    if (error < 0)
        return fail(muxer, error, "cannot be completed");
    status = vsm_output_file_status(&muxer->file);
    if (status == VSM_OK)
        status = vsm_output_file_publish_mode(&muxer->file);
    if (status == VSM_OK)
        status = vsm_output_file_sync(&muxer->file);
    return status;
}
