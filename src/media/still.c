#include "media/still.h"

#include "base/file.h"
#include "frame/format.h"
#include "media/ff.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include <string.h>

static const struct vsm_colour rgb_colour = {.primaries = 1, .transfer = 13, .matrix = 0, .full_range = true};

static int fail_read(const char *path, const char *what, int error)
{
    return vsm_ff_fail(VSM_E_INPUT, error, "%s: %s; give a JPEG or PNG picture", path, what);
}

static int open_decoder(const char *path, AVFormatContext *format, AVCodecContext **decoder)
{
    const AVCodec *codec = NULL;
    int stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    int error;

    if (stream < 0)
        return fail_read(path, "no picture in the file", stream);
    *decoder = avcodec_alloc_context3(codec);
    if (!*decoder)
        return vsm_fail_nomem("picture decoder", sizeof(**decoder));
    error = avcodec_parameters_to_context(*decoder, format->streams[stream]->codecpar);
    (*decoder)->max_pixels = (int64_t)VSM_STILL_MAX_SIDE * VSM_STILL_MAX_SIDE;
    (*decoder)->thread_count = 1;
    if (error >= 0)
        error = avcodec_open2(*decoder, codec, NULL);
    return error < 0 ? fail_read(path, "the picture's format is not supported", error) : stream;
}

/* Decodes until the first picture of `stream` is out. */
static int decode_first(const char *path, AVFormatContext *format, AVCodecContext *decoder, int stream,
                        AVFrame *frame)
{
    AVPacket *packet = av_packet_alloc();
    int error = packet ? AVERROR(EAGAIN) : AVERROR(ENOMEM);
    bool drained = false;

    while (error == AVERROR(EAGAIN) && !drained) {
        int read = av_read_frame(format, packet);

        if (read >= 0 && packet->stream_index != stream) {
            av_packet_unref(packet);
            continue;
        }
        drained = read < 0;
        error = avcodec_send_packet(decoder, drained ? NULL : packet);
        av_packet_unref(packet);
        if (error >= 0)
            error = avcodec_receive_frame(decoder, frame);
    }
    av_packet_free(&packet);
    return error < 0 ? fail_read(path, "the picture cannot be decoded", error) : VSM_OK;
}

static int decode_file(const char *path, AVFrame *frame)
{
    AVFormatContext *format = NULL;
    AVCodecContext *decoder = NULL;
    AVDictionary *options = NULL;
    int error, status;

    vsm_ff_init();
    /* A % in the path is a % in the name, not a numbered series. Other demuxers do not know the option. */
    error = av_dict_set(&options, "pattern_type", "none", 0);
    if (error >= 0)
        error = avformat_open_input(&format, path, NULL, &options);
    av_dict_free(&options);
    if (error < 0)
        return fail_read(path, "cannot be opened as a picture", error);
    status = open_decoder(path, format, &decoder);
    if (status >= 0)
        status = decode_first(path, format, decoder, status, frame);
    avcodec_free_context(&decoder);
    avformat_close_input(&format);
    return status;
}

/* swscale's own name of a deprecated full-range JPEG format, so that it does not warn and we
 * set the range. */
static enum AVPixelFormat without_j(enum AVPixelFormat format, bool *full)
{
    *full = true;
    switch (format) {
    case AV_PIX_FMT_YUVJ420P:
        return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
        return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
        return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
        return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
        return AV_PIX_FMT_YUV411P;
    default:
        *full = false;
        return format;
    }
}

static int convert(const char *path, const AVFrame *frame, enum AVPixelFormat to, struct vsm_image *image)
{
    const int flags = SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND | SWS_BITEXACT;
    bool full;
    enum AVPixelFormat from = without_j(frame->format, &full);
    struct SwsContext *scaler = sws_getContext(frame->width, frame->height, from, frame->width, frame->height,
                                               to, flags, NULL, NULL, NULL);
    const int *matrix =
        sws_getCoefficients(frame->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    int strides[4] = {(int)image->stride[0]};
    int rows;

    if (!scaler)
        return vsm_fail(VSM_E_INPUT, "%s: pixel format %s is not supported; save it as JPEG or PNG", path,
                        av_get_pix_fmt_name(frame->format));
    /* Fails for formats without a range, which need none. */
    sws_setColorspaceDetails(scaler, matrix, full || frame->color_range == AVCOL_RANGE_JPEG, matrix, 1, 0,
                             1 << 16, 1 << 16);
    rows = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                     image->data, strides);
    sws_freeContext(scaler);
    return rows == frame->height ? VSM_OK
                                 : vsm_fail(VSM_E_INTERNAL, "%s: colour conversion stopped early", path);
}

int vsm_still_read(const char *path, struct vsm_image **image)
{
    AVFrame *frame = av_frame_alloc();
    const AVPixFmtDescriptor *source;
    struct vsm_format format = {.planes = VSM_PLANES_RGB, .depth = 8};
    struct vsm_image *made = NULL;
    int status = frame ? decode_file(path, frame) : vsm_fail_nomem("picture", sizeof(*frame));
    bool alpha;

    if (status == VSM_OK && (frame->width > VSM_STILL_MAX_SIDE || frame->height > VSM_STILL_MAX_SIDE))
        status = vsm_fail(VSM_E_INPUT, "%s: %dx%d pixels; at most %d a side are read", path, frame->width,
                          frame->height, VSM_STILL_MAX_SIDE);
    if (status != VSM_OK) {
        av_frame_free(&frame);
        return status;
    }
    source = av_pix_fmt_desc_get(frame->format);
    alpha = source->flags & AV_PIX_FMT_FLAG_ALPHA || frame->format == AV_PIX_FMT_PAL8;
    if (alpha)
        format.planes = VSM_PLANES_RGBA;
    if (source->comp[0].depth > 8)
        format.depth = 16;
    made = vsm_image_create(format, frame->width, frame->height, rgb_colour);
    status = !made ? VSM_E_NOMEM
             : format.depth == 8
                 ? convert(path, frame, alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24, made)
                 : convert(path, frame, alpha ? AV_PIX_FMT_RGBA64LE : AV_PIX_FMT_RGB48LE, made);
    av_frame_free(&frame);
    if (status != VSM_OK) {
        vsm_image_unref(&made);
        return status;
    }
    *image = made;
    return VSM_OK;
}

static enum AVPixelFormat png_format(struct vsm_format format)
{
    bool wide = format.depth == 16;

    if (format.shift != 0 || (format.depth != 8 && !wide))
        return AV_PIX_FMT_NONE;
    switch (format.planes) {
    case VSM_PLANES_GRAY:
        return wide ? AV_PIX_FMT_GRAY16BE : AV_PIX_FMT_GRAY8;
    case VSM_PLANES_RGB:
        return wide ? AV_PIX_FMT_RGB48BE : AV_PIX_FMT_RGB24;
    case VSM_PLANES_RGBA:
        return wide ? AV_PIX_FMT_RGBA64BE : AV_PIX_FMT_RGBA;
    default:
        return AV_PIX_FMT_NONE;
    }
}

/* PNG's 16-bit samples are big-endian, ours little-endian. */
static void copy_rows(const struct vsm_image *image, AVFrame *frame)
{
    size_t samples = (size_t)vsm_format_plane_width(image->format, 0, image->width);

    for (int y = 0; y < image->height; y++) {
        const uint8_t *from = image->data[0] + y * image->stride[0];
        uint8_t *to = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];

        if (image->format.depth == 8) {
            memcpy(to, from, samples);
            continue;
        }
        for (size_t i = 0; i < samples; i++) {
            to[2 * i] = from[2 * i + 1];
            to[2 * i + 1] = from[2 * i];
        }
    }
}

static int encode_png(const struct vsm_image *image, AVCodecContext *encoder, AVFrame *frame,
                      AVPacket *packet)
{
    int error;

    encoder->width = frame->width = image->width;
    encoder->height = frame->height = image->height;
    encoder->pix_fmt = png_format(image->format);
    frame->format = encoder->pix_fmt;
    encoder->time_base = (AVRational){1, 1};
    encoder->thread_count = 1;
    av_opt_set(encoder->priv_data, "pred", "mixed", 0);
    error = av_frame_get_buffer(frame, 0);
    if (error < 0)
        return error;
    copy_rows(image, frame);
    error = avcodec_open2(encoder, encoder->codec, NULL);
    if (error >= 0)
        error = avcodec_send_frame(encoder, frame);
    if (error >= 0)
        error = avcodec_send_frame(encoder, NULL);
    return error >= 0 ? avcodec_receive_packet(encoder, packet) : error;
}

int vsm_still_write_png(const char *path, const struct vsm_image *image)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int status = VSM_OK;

    if (!codec)
        status = vsm_fail(VSM_E_OUTPUT, "%s: the linked FFmpeg has no PNG encoder", path);
    else if (png_format(image->format) == AV_PIX_FMT_NONE)
        status = vsm_fail(VSM_E_INTERNAL, "%s: only 8- and 16-bit grey, RGB and RGBA become PNG", path);
    else if (!encoder || !frame || !packet)
        status = vsm_fail_nomem("PNG encoder", sizeof(*encoder));
    if (status == VSM_OK) {
        int error = encode_png(image, encoder, frame, packet);

        if (error < 0)
            status = vsm_ff_fail(VSM_E_OUTPUT, error, "%s: PNG encoding failed", path);
    }
    if (status == VSM_OK)
        status = vsm_file_write_atomic(path, packet->data, (size_t)packet->size);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return status;
}
