#include "media/video_encoder.h"

#include "base/mem.h"
#include "media/container_form.h"
#include "media/device_encode.h"
#include "media/encoder_codec.h"
#include "media/encoder_picture.h"
#include "media/ff.h"
#include "media/packet.h"
#include "media/stamp_queue.h"
#include "media/video_reader_internal.h"

#include <libavutil/pixdesc.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct vsm_video_encoder {
    struct vsm_video_encoder_options options; /* strings owned */
    const AVCodec *codec;
    struct vsm_ff_static_data hdr; /* without a profile */
    enum AVPixelFormat pixel_format;
    int threads;
    AVCodecContext *context; /* the open segment; NULL between segments */
    AVCodecParameters *parameters;
    struct vsm_sha256 settings; /* that it was opened with */
    struct vsm_encoder_picture *pictures;
    AVPacket *received;
    struct vsm_packet_queue ready;
    struct vsm_stamp_queue stamps;
    struct vsm_device_encode *device; /* NULL: pictures are in host memory */
    int delay;                        /* D */
    uint64_t packets;                 /* given out to `ready` so far, whole stream */
    uint64_t segment_start;           /* number of the segment's first picture */
    uint64_t pictures_put;            /* whole stream */
};

static AVRational frame_rate_of(const struct vsm_video_encoder_options *options)
{
    struct vsm_rational rate = options->frame_rate;

    return rate.num > 0 && rate.den > 0 ? vsm_ff_rational_to(rate) : (AVRational){30, 1};
}

/* Distance of two pictures in the options' time base, at least 1. */
static int64_t frame_step(const struct vsm_video_encoder_options *options)
{
    AVRational rate = frame_rate_of(options);
    int64_t step = vsm_clock_rescale(1, (struct vsm_rational){rate.den, rate.num}, options->time_base);

    return step > 0 ? step : 1;
}

/* Codecs for editing keep gray; what players decode gets neutral chroma. */
static bool keeps_gray(const AVCodec *codec)
{
    return codec->id == AV_CODEC_ID_FFV1;
}

static int choose_pixel_format(struct vsm_video_encoder *encoder)
{
    const struct vsm_video_encoder_options *options = &encoder->options;
    const enum AVPixelFormat *offered = vsm_ff_encoder_formats(encoder->codec);
    bool known = !offered;

    if (!options->pix_fmt) {
        encoder->pixel_format =
            vsm_encoder_picture_choose(options->format, (const int *)offered, keeps_gray(encoder->codec));
        if (encoder->pixel_format == AV_PIX_FMT_NONE)
            return vsm_fail(VSM_E_USAGE,
                            "output.codec: %s takes no format near to the pictures'; choose another codec",
                            options->codec);
        return VSM_OK;
    }
    encoder->pixel_format = av_get_pix_fmt(options->pix_fmt);
    if (encoder->pixel_format == AV_PIX_FMT_NONE)
        return vsm_fail(VSM_E_USAGE,
                        "output.pix_fmt: '%s' is no pixel format that FFmpeg knows; leave it empty to encode "
                        "pictures as they come",
                        options->pix_fmt);
    for (; offered && *offered != AV_PIX_FMT_NONE; offered++)
        known = known || *offered == encoder->pixel_format;
    if (!known)
        return vsm_fail(VSM_E_USAGE, "output.pix_fmt: %s cannot encode %s; see ffmpeg -h encoder=%s",
                        options->codec, options->pix_fmt, options->codec);
    return VSM_OK;
}

static void set_picture_fields(struct vsm_video_encoder *encoder, AVCodecContext *context)
{
    const struct vsm_video_encoder_options *options = &encoder->options;
    AVRational rate = frame_rate_of(options);

    context->width = options->width;
    context->height = options->height;
    context->pix_fmt = encoder->pixel_format;
    context->time_base = av_inv_q(rate);
    context->framerate = rate;
    if (options->sample_aspect.num > 0)
        context->sample_aspect_ratio = vsm_ff_rational_to(options->sample_aspect);
    vsm_ff_colour_to_codec(options->colour, context);
    /* Bit-exact: no version strings that would make the same picture's bytes depend on the machine. */
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    /* Full-range 4:2:0 for MJPEG and the like is "unofficial" to libavcodec. */
    context->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
}

static int check_unused(const struct vsm_video_encoder *encoder, const AVDictionary *dictionary)
{
    const AVDictionaryEntry *unused = av_dict_get(dictionary, "", NULL, AV_DICT_IGNORE_SUFFIX);

    if (unused)
        return vsm_fail(VSM_E_USAGE, "output.codec: %s does not know the option %s=%s; choose another codec",
                        encoder->options.codec, unused->key, unused->value);
    return VSM_OK;
}

static int open_context(struct vsm_video_encoder *encoder)
{
    AVCodecContext *context = avcodec_alloc_context3(encoder->codec);
    AVDictionary *dictionary = NULL;
    int status, error;

    if (!context)
        return vsm_fail_nomem("encoder", sizeof(*context));
    set_picture_fields(encoder, context);
    status = encoder->device ? vsm_device_encode_ask(encoder->device, context) : VSM_OK;
    if (status == VSM_OK)
        status =
            vsm_encoder_codec_setup(&encoder->options, &encoder->hdr, encoder->threads, context, &dictionary);
    if (status == VSM_OK)
        status = vsm_encoder_codec_settings(context, dictionary, &encoder->settings);
    if (status == VSM_OK) {
        error = avcodec_open2(context, encoder->codec, &dictionary);
        if (error < 0)
            status = vsm_ff_fail(VSM_E_USAGE, error,
                                 "output.codec: %s refuses to encode %dx%d in %s with these settings "
                                 "(--verbose shows its reasons)",
                                 encoder->options.codec, context->width, context->height,
                                 av_get_pix_fmt_name(context->pix_fmt));
        else
            status = check_unused(encoder, dictionary);
    }
    av_dict_free(&dictionary);
    if (status != VSM_OK) {
        avcodec_free_context(&context);
        return status;
    }
    encoder->context = context;
    return VSM_OK;
}

/* libx265's wrapper in FFmpeg 5.1 does not say how deep it reorders: a pyramid of B pictures is two deep. */
static int reorder_depth(const AVCodecContext *context)
{
    int own = context->max_b_frames > 1 ? 2 : context->max_b_frames > 0 ? 1 : 0;

    return context->has_b_frames > own ? context->has_b_frames : own;
}

/* Takes the stream's parameters from the first segment; every later one must have the same headers, or
 * packets of it could not be decoded with what the container holds. */
static int take_parameters(struct vsm_video_encoder *encoder)
{
    AVCodecParameters *fresh = avcodec_parameters_alloc();
    int error = fresh ? avcodec_parameters_from_context(fresh, encoder->context) : AVERROR(ENOMEM);
    int status = error < 0
                     ? vsm_ff_fail(VSM_E_OUTPUT, error, "%s: no stream parameters", encoder->options.codec)
                     : vsm_container_form_headers(fresh);

    if (status == VSM_OK && !encoder->parameters) {
        encoder->parameters = fresh;
        encoder->delay = reorder_depth(encoder->context);
        if (encoder->delay < 0 || encoder->delay > VSM_STAMP_QUEUE_MAX_DELAY)
            return vsm_fail(VSM_E_OUTPUT, "%s: reorders %d pictures, more than any codec allows",
                            encoder->options.codec, encoder->delay);
        return VSM_OK;
    }
    if (status == VSM_OK &&
        (fresh->extradata_size != encoder->parameters->extradata_size ||
         (fresh->extradata_size > 0 &&
          memcmp(fresh->extradata, encoder->parameters->extradata, (size_t)fresh->extradata_size) != 0)))
        status = vsm_fail(VSM_E_INTERNAL, "%s: gives other headers for each segment; use another codec",
                          encoder->options.codec);
    avcodec_parameters_free(&fresh);
    return status;
}

static int begin_segment(struct vsm_video_encoder *encoder)
{
    int status = open_context(encoder);

    if (status == VSM_OK)
        status = take_parameters(encoder);
    encoder->segment_start = encoder->pictures_put;
    return status;
}

static int processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    if (count < 1)
        return 1;
    return count > VSM_VIDEO_ENCODER_MAX_AUTO_THREADS ? VSM_VIDEO_ENCODER_MAX_AUTO_THREADS : (int)count;
}

int vsm_video_encoder_most_threads(const char *codec, int width, int height)
{
    return vsm_encoder_codec_most_threads(codec, width, height);
}

double vsm_video_encoder_cost(const char *codec)
{
    return vsm_encoder_codec_cost(codec);
}

static int copy_options(struct vsm_video_encoder *encoder, const struct vsm_video_encoder_options *options)
{
    struct vsm_video_encoder_options *own = &encoder->options;

    *own = *options;
    own->codec = vsm_mem_string("codec name", options->codec);
    own->preset = vsm_mem_string("preset", options->preset);
    own->pix_fmt = vsm_mem_string("pixel format", options->pix_fmt);
    if (!own->codec || (options->preset && !own->preset) || (options->pix_fmt && !own->pix_fmt))
        return VSM_E_NOMEM;
    if (!own->picture_width || !own->picture_height) {
        own->picture_width = own->width;
        own->picture_height = own->height;
    }
    encoder->threads = options->threads > 0 ? options->threads : processors();
    if (options->source) {
        encoder->hdr = *vsm_video_reader_static_data(options->source);
        encoder->hdr.icc_profile = NULL;
        encoder->hdr.icc_size = 0;
    }
    own->source = NULL;
    return VSM_OK;
}

int vsm_video_encoder_open(const struct vsm_video_encoder_options *options, struct vsm_video_encoder **result)
{
    struct vsm_video_encoder *encoder = vsm_mem_alloc("video encoder", 1, sizeof(*encoder));
    int status;

    if (!encoder)
        return VSM_E_NOMEM;
    vsm_ff_init();
    status = copy_options(encoder, options);
    if (status == VSM_OK) {
        encoder->codec = avcodec_find_encoder_by_name(options->codec);
        encoder->received = av_packet_alloc();
        if (!encoder->codec || encoder->codec->type != AVMEDIA_TYPE_VIDEO)
            status =
                vsm_fail(VSM_E_USAGE,
                         "output.codec: the FFmpeg libraries here have no video encoder '%s'; auto picks one "
                         "that is there",
                         options->codec);
        else if (!encoder->received)
            status = vsm_fail_nomem("packet", sizeof(AVPacket));
    }
    if (status == VSM_OK)
        status = choose_pixel_format(encoder);
    if (status == VSM_OK)
        status = vsm_encoder_picture_create(&encoder->options, encoder->pixel_format, &encoder->pictures);
    if (status == VSM_OK && options->on_device)
        status = vsm_device_encode_create(options->width, options->height, encoder->pixel_format,
                                          &encoder->device);
    if (status == VSM_OK)
        status = begin_segment(encoder);
    if (status != VSM_OK) {
        vsm_video_encoder_close(encoder);
        return status;
    }
    *result = encoder;
    return VSM_OK;
}

void vsm_video_encoder_close(struct vsm_video_encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->context);
    avcodec_parameters_free(&encoder->parameters);
    av_packet_free(&encoder->received);
    vsm_encoder_picture_destroy(encoder->pictures);
    vsm_device_encode_destroy(encoder->device);
    vsm_packet_queue_clear(&encoder->ready);
    vsm_stamp_queue_finish(&encoder->stamps);
    vsm_mem_free((char *)encoder->options.codec);
    vsm_mem_free((char *)encoder->options.preset);
    vsm_mem_free((char *)encoder->options.pix_fmt);
    vsm_mem_free(encoder);
}

const AVCodecParameters *vsm_video_encoder_parameters(const struct vsm_video_encoder *encoder)
{
    return encoder->parameters;
}

/* Sets our time stamps: encoder->received is packet number encoder->packets of the stream. */
static int set_stamps(struct vsm_video_encoder *encoder, AVPacket *packet)
{
    uint64_t picture = encoder->segment_start + (uint64_t)packet->pts;
    struct vsm_stamp stamp, decode;

    if (packet->pts < 0 || !vsm_stamp_queue_get(&encoder->stamps, picture, &stamp))
        return vsm_fail(VSM_E_INTERNAL, "%s: gave a packet for picture %lld, which it was not given",
                        encoder->options.codec, (long long)packet->pts);
    packet->pts = stamp.pts;
    packet->duration = stamp.duration > 0 ? stamp.duration : frame_step(&encoder->options);
    if (encoder->packets < (uint64_t)encoder->delay) {
        if (!vsm_stamp_queue_get(&encoder->stamps, 0, &decode))
            return vsm_fail(VSM_E_INTERNAL, "%s: gave a packet before a picture", encoder->options.codec);
        decode.pts -= (encoder->delay - (int64_t)encoder->packets) * frame_step(&encoder->options);
    } else if (!vsm_stamp_queue_get(&encoder->stamps, encoder->packets - (uint64_t)encoder->delay, &decode)) {
        return vsm_fail(VSM_E_INTERNAL, "%s: gave more packets than pictures", encoder->options.codec);
    }
    packet->dts = decode.pts;
    if (packet->dts > packet->pts)
        return vsm_fail(VSM_E_INTERNAL, "%s: reorders more pictures than the %d it announced",
                        encoder->options.codec, encoder->delay);
    return VSM_OK;
}

static int take_packet(struct vsm_video_encoder *encoder)
{
    struct vsm_packet *packet = vsm_packet_create();
    int status;

    if (!packet)
        return VSM_E_NOMEM;
    av_packet_move_ref(packet->av, encoder->received);
    status = vsm_packet_keep_alpha(packet);
    packet->av->flags &= AV_PKT_FLAG_KEY | AV_PKT_FLAG_DISPOSABLE;
    if (status == VSM_OK)
        status = set_stamps(encoder, packet->av);
    if (status == VSM_OK)
        status = vsm_container_form_payload(encoder->parameters->codec_id, packet->av);
    if (status != VSM_OK) {
        vsm_packet_destroy(&packet);
        return status;
    }
    vsm_packet_queue_put(&encoder->ready, packet);
    encoder->packets++;
    if (encoder->packets > (uint64_t)encoder->delay)
        vsm_stamp_queue_drop_before(&encoder->stamps, encoder->packets - (uint64_t)encoder->delay);
    return VSM_OK;
}

/* Sends a frame (NULL = drain) and takes all packets that are ready. */
static int run(struct vsm_video_encoder *encoder, const AVFrame *frame)
{
    int error = avcodec_send_frame(encoder->context, frame);
    int status;

    if (error < 0)
        return vsm_ff_fail(VSM_E_OUTPUT, error, "%s: picture %llu cannot be encoded", encoder->options.codec,
                           (unsigned long long)encoder->pictures_put);
    for (;;) {
        error = avcodec_receive_packet(encoder->context, encoder->received);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return VSM_OK;
        if (error < 0)
            return vsm_ff_fail(VSM_E_OUTPUT, error, "%s: encoding failed near picture %llu",
                               encoder->options.codec, (unsigned long long)encoder->pictures_put);
        status = take_packet(encoder);
        if (status != VSM_OK)
            return status;
    }
}

int vsm_video_encoder_put(struct vsm_video_encoder *encoder, struct vsm_image **image, int64_t pts,
                          int64_t duration)
{
    AVFrame *frame = NULL;
    int status = encoder->context ? VSM_OK : begin_segment(encoder);

    if (status == VSM_OK)
        status = encoder->device ? vsm_device_encode_make(encoder->device, image, &frame)
                                 : vsm_encoder_picture_make(encoder->pictures, image, &frame);
    if (status == VSM_OK)
        status = vsm_stamp_queue_put(&encoder->stamps, (struct vsm_stamp){pts, duration});
    if (status == VSM_OK) {
        frame->pts = (int64_t)(encoder->pictures_put - encoder->segment_start);
        vsm_ff_frame_set_duration(frame, 1);
        frame->sample_aspect_ratio = encoder->context->sample_aspect_ratio;
        frame->pict_type = AV_PICTURE_TYPE_NONE;
        encoder->pictures_put++;
        status = run(encoder, frame);
    }
    av_frame_free(&frame);
    return status;
}

int vsm_video_encoder_get(struct vsm_video_encoder *encoder, struct vsm_packet **packet)
{
    *packet = vsm_packet_queue_get(&encoder->ready);
    return *packet ? VSM_OK : VSM_EOF;
}

int vsm_video_encoder_end_segment(struct vsm_video_encoder *encoder)
{
    int status;

    if (!encoder->context || encoder->pictures_put == encoder->segment_start)
        return VSM_OK;
    status = run(encoder, NULL);
    if (status == VSM_OK && encoder->packets != encoder->pictures_put)
        status = vsm_fail(VSM_E_INTERNAL, "%s: gave %llu packets for %llu pictures", encoder->options.codec,
                          (unsigned long long)encoder->packets, (unsigned long long)encoder->pictures_put);
    avcodec_free_context(&encoder->context);
    return status;
}

/* State: u32 threads, u32 D, SHA-256 of the settings, u64 packets, then min(D, packets) times i64 pts, all
 * little-endian. */
int vsm_video_encoder_save(struct vsm_video_encoder *encoder, struct vsm_bytes_out *out)
{
    uint64_t kept = encoder->packets < (uint64_t)encoder->delay ? encoder->packets : (uint64_t)encoder->delay;

    if (encoder->packets != encoder->pictures_put || encoder->ready.first)
        return vsm_fail(VSM_E_INTERNAL, "%s: its state can be saved only between segments",
                        encoder->options.codec);
    vsm_bytes_put_le32(out, (uint32_t)encoder->threads);
    vsm_bytes_put_le32(out, (uint32_t)encoder->delay);
    vsm_bytes_put(out, encoder->settings.bytes, sizeof(encoder->settings.bytes));
    vsm_bytes_put_le64(out, encoder->packets);
    for (uint64_t i = encoder->packets - kept; i < encoder->packets; i++) {
        struct vsm_stamp stamp = {0};

        if (!vsm_stamp_queue_get(&encoder->stamps, i, &stamp))
            return vsm_fail(VSM_E_INTERNAL, "%s: lost the time stamp of picture %llu", encoder->options.codec,
                            (unsigned long long)i);
        vsm_bytes_put_le64(out, (uint64_t)stamp.pts);
    }
    return out->failed ? VSM_E_NOMEM : VSM_OK;
}

static int load_stamps(struct vsm_video_encoder *encoder, uint64_t packets, struct vsm_bytes_in *in)
{
    uint64_t kept = packets < (uint64_t)encoder->delay ? packets : (uint64_t)encoder->delay;
    int64_t last = INT64_MIN;

    vsm_stamp_queue_restart(&encoder->stamps, packets - kept);
    for (uint64_t i = 0; i < kept; i++) {
        int64_t pts = (int64_t)vsm_bytes_get_le64(in);
        int status;

        if (in->failed || pts <= last)
            return vsm_fail(VSM_E_INPUT, "encoder state: its time stamps are damaged");
        last = pts;
        status = vsm_stamp_queue_put(&encoder->stamps, (struct vsm_stamp){pts, 0});
        if (status != VSM_OK)
            return status;
    }
    return VSM_OK;
}

int vsm_video_encoder_load(struct vsm_video_encoder *encoder, struct vsm_bytes_in *in)
{
    uint32_t threads = vsm_bytes_get_le32(in), delay = vsm_bytes_get_le32(in);
    const void *settings = vsm_bytes_get(in, sizeof(encoder->settings.bytes));
    uint64_t packets = vsm_bytes_get_le64(in);
    int status;

    if (encoder->pictures_put > 0)
        return vsm_fail(VSM_E_INTERNAL, "%s: state loaded into an encoder in use", encoder->options.codec);
    if (in->failed || threads < 1 || threads > 1024 || packets > INT64_MAX)
        return vsm_fail(VSM_E_INPUT, "encoder state: damaged");
    if (threads != (uint32_t)encoder->threads) {
        encoder->threads = (int)threads;
        avcodec_free_context(&encoder->context);
        avcodec_parameters_free(&encoder->parameters);
        status = begin_segment(encoder);
        if (status != VSM_OK)
            return status;
    }
    if (delay != (uint32_t)encoder->delay ||
        memcmp(settings, encoder->settings.bytes, sizeof(encoder->settings.bytes)) != 0)
        return vsm_fail(
            VSM_E_INPUT,
            "output.codec: this program gives %s other settings than the one that began the job, and "
            "one file cannot hold both; finish it with that one, or begin anew with --restart",
            encoder->options.codec);
    status = load_stamps(encoder, packets, in);
    encoder->packets = encoder->pictures_put = encoder->segment_start = packets;
    return status;
}

static bool exists(const char *name)
{
    return avcodec_find_encoder_by_name(name) != NULL;
}

int vsm_video_encoder_depth(const char *pix_fmt)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(av_get_pix_fmt(pix_fmt));

    return format ? format->comp[0].depth : 0;
}

const char *vsm_video_encoder_auto(const char *path, int depth, int width, bool cuda)
{
    static const char *const webm[] = {"libvpx-vp9", "libsvtav1", "libaom-av1", NULL};
    static const char *const small[] = {"libx264", "libx265", "libopenh264", "mpeg4", NULL};
    static const char *const large[] = {"libx265", "libx264", "libsvtav1", NULL};
    const char *dot = strrchr(path, '.');
    bool is_webm = dot && strcasecmp(dot, ".webm") == 0, is_large = depth > 8 || width > 4096;
    const char *const *names = is_webm ? webm : is_large ? large : small;
    const char *nvenc = is_large ? "hevc_nvenc" : "h264_nvenc";

    if (cuda && !is_webm && exists(nvenc))
        return nvenc;
    for (; *names; names++)
        if (exists(*names))
            return *names;
    return NULL;
}
