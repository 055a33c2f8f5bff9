#include "media/ff.h"

#include "base/log.h"
#include "base/mem.h"
#include "media/ff_format.h"

#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HAS_FRAME_DURATION   (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100))
#define HAS_HALF_EQUIRECT    (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(59, 39, 100))
#define HAS_CODED_SIDE_DATA  (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 100))
#define HAS_FRAME_CROPPING   (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 19, 100))
#define HAS_SUPPORTED_CONFIG (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100))

/* 0.32 fixed point: the quarter of the sphere that VR180 cuts off at the left and at the right. */
#define QUARTER 0x3FFFFFFFu

static void log_line(void *object, int level, const char *format, va_list args)
{
    static _Thread_local int at_line_start = 1;
    char line[1024];
    size_t length;

    if (level > AV_LOG_INFO)
        return;
    av_log_format_line2(object, level, format, args, line, sizeof(line), &at_line_start);
    length = strcspn(line, "\r\n");
    line[length] = 0;
    if (length)
        vsm_log(VSM_LOG_DEBUG, "ffmpeg", "%s", line);
}

static void set_log_callback(void)
{
    av_log_set_callback(log_line);
}

void vsm_ff_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_log_callback);
}

int vsm_ff_fail(enum vsm_status status, int error, const char *format, ...)
{
    char text[768], reason[AV_ERROR_MAX_STRING_SIZE];
    va_list args;

    if (error == AVERROR(ENOMEM))
        status = VSM_E_NOMEM;
    else if (error == AVERROR_EXIT)
        status = VSM_E_CANCELLED;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    av_strerror(error, reason, sizeof(reason));
    return vsm_fail(status, "%s: %s", text, reason);
}

int vsm_ff_check_size(const char *path, int width, int height)
{
    if (width < 1 || height < 1)
        return vsm_fail(VSM_E_INPUT, "%s: claims a picture size of %dx%d; the file is damaged or is no video",
                        path, width, height);
    if (width > VSM_FF_MAX_SIDE || height > VSM_FF_MAX_SIDE || (int64_t)width * height > VSM_FF_MAX_PIXELS)
        return vsm_fail(VSM_E_INPUT, "%s: claims a picture size of %dx%d; the limit is %dx%d", path, width,
                        height, VSM_FF_MAX_SIDE, VSM_FF_MAX_SIDE);
    return VSM_OK;
}

struct vsm_colour vsm_ff_colour_of_frame(const AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);

    return (struct vsm_colour){
        .primaries = (uint8_t)frame->color_primaries,
        .transfer = (uint8_t)frame->color_trc,
        .matrix = (uint8_t)frame->colorspace,
        .full_range = frame->color_range == AVCOL_RANGE_JPEG || (d && strncmp(d->name, "yuvj", 4) == 0),
        .chroma_location = (uint8_t)frame->chroma_location,
    };
}

void vsm_ff_colour_to_frame(struct vsm_colour colour, AVFrame *frame)
{
    frame->color_primaries = colour.primaries;
    frame->color_trc = colour.transfer;
    frame->colorspace = colour.matrix;
    frame->color_range = colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->chroma_location = colour.chroma_location;
}

void vsm_ff_colour_to_codec(struct vsm_colour colour, AVCodecContext *codec)
{
    codec->color_primaries = colour.primaries;
    codec->color_trc = colour.transfer;
    codec->colorspace = colour.matrix;
    codec->color_range = colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    codec->chroma_sample_location = colour.chroma_location;
}

struct vsm_rational vsm_ff_rational_from(AVRational r)
{
    return r.den == 0 ? (struct vsm_rational){0, 1} : (struct vsm_rational){r.num, r.den};
}

AVRational vsm_ff_rational_to(struct vsm_rational r)
{
    return (AVRational){r.num, r.den};
}

static void release_frame(struct vsm_image *image)
{
    AVFrame *frame = image->opaque;

    av_frame_free(&frame);
    vsm_mem_free(image);
}

/* The samples' format, also of pictures in device memory. */
static enum AVPixelFormat sample_format(const AVFrame *frame)
{
    if (frame->format != AV_PIX_FMT_CUDA || !frame->hw_frames_ctx)
        return frame->format;
    return ((const AVHWFramesContext *)(const void *)frame->hw_frames_ctx->data)->sw_format;
}

/* What libavutil leaves to do for device pictures: the first row and column. */
static void crop_device(const AVFrame *frame, struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++) {
        const int x = p ? 2 * (int)(frame->crop_left >> image->format.chroma_x) : (int)frame->crop_left;
        const int y = (int)(p ? frame->crop_top >> image->format.chroma_y : frame->crop_top);

        image->data[p] += y * image->stride[p] + (ptrdiff_t)x * vsm_format_bytes_per_sample(image->format);
    }
    image->width -= (int)frame->crop_left;
    image->height -= (int)frame->crop_top;
}

struct vsm_image *vsm_ff_image_wrap(AVFrame **frame)
{
    struct vsm_image *image;
    struct vsm_format format;

    if (!vsm_ff_format_from(sample_format(*frame), &format) ||
        av_frame_apply_cropping(*frame, AV_FRAME_CROP_UNALIGNED) < 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "decoded picture of format %d cannot be wrapped", (*frame)->format);
        return NULL;
    }
    if (format.planes == VSM_PLANES_YUVA)
        format.planes = VSM_PLANES_YUV;
    image = vsm_mem_alloc("image", 1, sizeof(*image));
    if (!image)
        return NULL;
    image->format = format;
    image->colour = vsm_ff_colour_of_frame(*frame);
    image->place = (*frame)->format == AV_PIX_FMT_CUDA ? VSM_PLACE_CUDA : VSM_PLACE_HOST;
    image->width = (*frame)->width;
    image->height = (*frame)->height;
    for (int p = 0; p < vsm_format_plane_count(format); p++) {
        image->data[p] = (*frame)->data[p];
        image->stride[p] = (*frame)->linesize[p];
    }
    if (image->place == VSM_PLACE_CUDA)
        crop_device(*frame, image);
    image->release = release_frame;
    image->opaque = *frame;
    atomic_init(&image->references, 1);
    *frame = NULL;
    return image;
}

static void release_image(void *opaque, uint8_t *data)
{
    struct vsm_image *image = opaque;

    (void)data;
    vsm_image_unref(&image);
}

AVFrame *vsm_ff_frame_wrap(struct vsm_image *image)
{
    AVFrame *frame = av_frame_alloc();

    if (!frame) {
        (void)vsm_fail_nomem("frame", sizeof(*frame));
        return NULL;
    }
    frame->format = vsm_ff_format_to(image->format);
    frame->width = image->width;
    frame->height = image->height;
    vsm_ff_colour_to_frame(image->colour, frame);
    for (int p = 0; p < vsm_format_plane_count(image->format); p++) {
        frame->data[p] = image->data[p];
        frame->linesize[p] = (int)image->stride[p];
    }
    /* One buffer stands for all planes: it is only counted, never looked into. */
    frame->buf[0] = av_buffer_create(image->data[0], 1, release_image, image, AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0]) {
        av_frame_free(&frame);
        (void)vsm_fail_nomem("frame reference", sizeof(*frame));
        return NULL;
    }
    (void)vsm_image_ref(image);
    return frame;
}

void vsm_ff_codec_threads_call_back(AVCodecContext *codec)
{
#if defined(FF_API_THREAD_SAFE_CALLBACKS) && FF_API_THREAD_SAFE_CALLBACKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    codec->thread_safe_callbacks = 1;
#pragma GCC diagnostic pop
#else
    (void)codec;
#endif
}

void vsm_ff_frame_set_duration(AVFrame *frame, int64_t duration)
{
#if HAS_FRAME_DURATION
    frame->duration = duration;
#else
    frame->pkt_duration = duration;
#endif
}

bool vsm_ff_frame_is_damaged(const AVFrame *frame)
{
    return (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags;
}

/* Borrowed; NULL if absent. */
static const void *side_data_of(const AVStream *stream, enum AVPacketSideDataType type, size_t *size)
{
#if HAS_CODED_SIDE_DATA
    const AVPacketSideData *found = av_packet_side_data_get(stream->codecpar->coded_side_data,
                                                            stream->codecpar->nb_coded_side_data, type);

    *size = found ? found->size : 0;
    return found ? found->data : NULL;
#else
    *size = 0;
    return av_stream_get_side_data(stream, type, size);
#endif
}

int vsm_ff_stream_set_side_data(AVStream *stream, enum AVPacketSideDataType type, const void *data,
                                size_t size)
{
    uint8_t *copy = av_memdup(data, size);
    bool added = false;

    if (copy) {
#if HAS_CODED_SIDE_DATA
        added = av_packet_side_data_add(&stream->codecpar->coded_side_data,
                                        &stream->codecpar->nb_coded_side_data, type, copy, size, 0);
#else
        added = av_stream_add_side_data(stream, type, copy, size) >= 0;
#endif
    }
    if (added)
        return VSM_OK;
    av_free(copy);
    return vsm_fail_nomem("stream side data", size);
}

int vsm_ff_stream_copy_side_data(AVStream *to, const AVStream *from)
{
#if HAS_CODED_SIDE_DATA
    const AVPacketSideData *list = from->codecpar->coded_side_data;
    int count = from->codecpar->nb_coded_side_data;
#else
    const AVPacketSideData *list = from->side_data;
    int count = from->nb_side_data;
#endif
    int r = VSM_OK;

    for (int i = 0; i < count && !r; i++)
        r = vsm_ff_stream_set_side_data(to, list[i].type, list[i].data, list[i].size);
    return r;
}

const enum AVPixelFormat *vsm_ff_encoder_formats(const AVCodec *codec)
{
#if HAS_SUPPORTED_CONFIG
    const void *formats = NULL;

    return avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &formats, NULL) < 0
               ? NULL
               : formats;
#else
    return codec->pix_fmts;
#endif
}

static void take_stereo(const AVStereo3D *stereo, struct vsm_vr_boxes *boxes)
{
    boxes->has_stereo = true;
    boxes->right_left = stereo->flags & AV_STEREO3D_FLAG_INVERT;
    if (stereo->type == AV_STEREO3D_SIDEBYSIDE)
        boxes->stereo = VSM_LAYOUT_SBS;
    else if (stereo->type == AV_STEREO3D_TOPBOTTOM)
        boxes->stereo = VSM_LAYOUT_TB;
    else if (stereo->type == AV_STEREO3D_2D)
        boxes->stereo = VSM_LAYOUT_MONO;
    else
        boxes->has_stereo = false;
}

static void take_sphere(const AVSphericalMapping *sphere, struct vsm_vr_boxes *boxes)
{
    const char *name = "";

    boxes->has_projection = true;
    if (sphere->projection == AV_SPHERICAL_EQUIRECTANGULAR ||
        sphere->projection == AV_SPHERICAL_EQUIRECTANGULAR_TILE) {
        boxes->equirect = true;
        boxes->bound_top = sphere->bound_top;
        boxes->bound_bottom = sphere->bound_bottom;
        boxes->bound_left = sphere->bound_left;
        boxes->bound_right = sphere->bound_right;
        name = "equi";
    } else if (sphere->projection == AV_SPHERICAL_CUBEMAP) {
        name = "cbmp";
    }
#if HAS_HALF_EQUIRECT
    if (sphere->projection == AV_SPHERICAL_HALF_EQUIRECTANGULAR) {
        boxes->equirect = true;
        boxes->bound_left = boxes->bound_right = QUARTER;
        name = "hequ";
    } else if (sphere->projection == AV_SPHERICAL_FISHEYE) {
        name = "fish";
    } else if (sphere->projection == AV_SPHERICAL_RECTILINEAR) {
        name = "rect";
    }
#endif
    snprintf(boxes->projection_name, sizeof(boxes->projection_name), "%s", name);
    if (!name[0])
        boxes->has_projection = false;
}

void vsm_ff_stream_boxes(const AVStream *stream, struct vsm_vr_boxes *boxes)
{
    size_t size;
    const void *data = side_data_of(stream, AV_PKT_DATA_STEREO3D, &size);

    memset(boxes, 0, sizeof(*boxes));
    if (data && size >= sizeof(AVStereo3D))
        take_stereo(data, boxes);
    data = side_data_of(stream, AV_PKT_DATA_SPHERICAL, &size);
    if (data && size >= sizeof(AVSphericalMapping))
        take_sphere(data, boxes);
}

void vsm_ff_stream_crop(const AVStream *stream, AVFrame *frame)
{
#if HAS_FRAME_CROPPING
    size_t size;
    const uint8_t *data = side_data_of(stream, AV_PKT_DATA_FRAME_CROPPING, &size);

    if (!data || size < 16)
        return;
    frame->crop_top += AV_RL32(data);
    frame->crop_bottom += AV_RL32(data + 4);
    frame->crop_left += AV_RL32(data + 8);
    frame->crop_right += AV_RL32(data + 12);
#else
    (void)stream;
    (void)frame;
#endif
}

int vsm_ff_stream_rotation(const AVStream *stream)
{
    size_t size;
    const int32_t *matrix = side_data_of(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    double angle;

    if (!matrix || size < 9 * sizeof(*matrix))
        return 0;
    angle = av_display_rotation_get(matrix); /* counterclockwise; NaN for a singular matrix */
    if (!isfinite(angle))
        return 0;
    return (((int)lround(-angle / 90) % 4 + 4) % 4) * 90;
}

static void take_light_data(struct vsm_ff_static_data *data, const void *mastering, size_t mastering_size,
                            const void *light, size_t light_size)
{
    if (mastering && mastering_size >= sizeof(data->mastering)) {
        memcpy(&data->mastering, mastering, sizeof(data->mastering));
        data->has_mastering = true;
    }
    if (light && light_size >= sizeof(data->light)) {
        memcpy(&data->light, light, sizeof(data->light));
        data->has_light = true;
    }
}

static int take_icc(struct vsm_ff_static_data *data, const void *profile, size_t size)
{
    uint8_t *copy;

    if (!profile || size == 0)
        return VSM_OK;
    copy = vsm_mem_copy("ICC profile", profile, size);
    if (!copy)
        return VSM_E_NOMEM;
    vsm_mem_free(data->icc_profile);
    data->icc_profile = copy;
    data->icc_size = size;
    return VSM_OK;
}

int vsm_ff_static_data_add(struct vsm_ff_static_data *data, const AVStream *stream, const AVFrame *frame)
{
    int r = VSM_OK;

    if (stream) {
        size_t mastering_size, light_size;
        const void *mastering = side_data_of(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &mastering_size);
        const void *light = side_data_of(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &light_size);

        take_light_data(data, mastering, mastering_size, light, light_size);
    }
    if (frame) {
        const AVFrameSideData *mastering =
            av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
        const AVFrameSideData *light = av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
        const AVFrameSideData *icc = av_frame_get_side_data(frame, AV_FRAME_DATA_ICC_PROFILE);

        take_light_data(data, mastering ? mastering->data : NULL, mastering ? mastering->size : 0,
                        light ? light->data : NULL, light ? light->size : 0);
        r = take_icc(data, icc ? icc->data : NULL, icc ? icc->size : 0);
    }
    return r;
}

void vsm_ff_static_data_finish(struct vsm_ff_static_data *data)
{
    vsm_mem_free(data->icc_profile);
    memset(data, 0, sizeof(*data));
}
