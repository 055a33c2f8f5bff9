#include "media/encoder_picture.h"

#include "base/mem.h"
#include "media/ff.h"
#include "media/ff_format.h"

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include <limits.h>
#include <string.h>

struct vsm_encoder_picture {
    struct vsm_format format;
    enum AVPixelFormat source, target;
    int width, height;               /* of the pictures that come */
    int target_width, target_height; /* of the frames that go */
    AVBufferRef *neutral;            /* gray given as 4:2:0: one constant chroma plane */
    ptrdiff_t neutral_stride;
    struct SwsContext *scaler; /* NULL = pictures are wrapped */
    struct vsm_colour scaler_colour;
};

static bool is_offered(enum AVPixelFormat format, const int *offered)
{
    if (format == AV_PIX_FMT_NONE)
        return false;
    for (; offered && *offered != AV_PIX_FMT_NONE; offered++)
        if ((enum AVPixelFormat) * offered == format)
            return true;
    return !offered;
}

/* Cost of giving `format` as `candidate`: lost depth weighs most, then lost colour resolution, then waste. */
static int conversion_cost(struct vsm_format format, enum AVPixelFormat candidate)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(candidate);
    bool gray = format.planes == VSM_PLANES_GRAY, rgb = format.planes >= VSM_PLANES_RGB;
    bool alpha = format.planes == VSM_PLANES_YUVA || format.planes == VSM_PLANES_RGBA;
    int depth, cost = 0;

    if (!d || d->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE))
        return INT_MAX;
    depth = d->comp[0].depth;
    if (depth < 8)
        return INT_MAX;
    cost += depth < format.depth ? 1000 * (format.depth - depth) : 10 * (depth - format.depth);
    if (d->nb_components < 3 && !gray)
        cost += 5000;
    if (alpha && !(d->flags & AV_PIX_FMT_FLAG_ALPHA))
        cost += 500;
    if (!alpha && d->flags & AV_PIX_FMT_FLAG_ALPHA)
        cost += 50;
    if (((d->flags & AV_PIX_FMT_FLAG_RGB) != 0) != rgb)
        cost += rgb ? 100 : 700;
    if (!gray && !rgb) {
        cost += 200 * (d->log2_chroma_w > format.chroma_x) + 3 * (d->log2_chroma_w < format.chroma_x);
        cost += 200 * (d->log2_chroma_h > format.chroma_y) + 3 * (d->log2_chroma_h < format.chroma_y);
    } else if (gray) {
        cost += 2 - d->log2_chroma_w - d->log2_chroma_h;
    } else {
        cost += 60 * (d->log2_chroma_w + d->log2_chroma_h);
    }
    return cost + !(d->flags & AV_PIX_FMT_FLAG_PLANAR);
}

int vsm_encoder_picture_choose(struct vsm_format format, const int *offered, bool keep_gray)
{
    struct vsm_format neutral = {.planes = VSM_PLANES_YUV,
                                 .depth = format.depth,
                                 .chroma_x = 1,
                                 .chroma_y = 1};
    int best = AV_PIX_FMT_NONE, best_cost = INT_MAX;

    if (format.planes == VSM_PLANES_GRAY && !keep_gray && is_offered(vsm_ff_format_to(neutral), offered))
        return vsm_ff_format_to(neutral);
    if (is_offered(vsm_ff_format_to(format), offered))
        return vsm_ff_format_to(format);
    for (; offered && *offered != AV_PIX_FMT_NONE; offered++) {
        int cost = conversion_cost(format, *offered);

        if (cost < best_cost) {
            best = *offered;
            best_cost = cost;
        }
    }
    return best;
}

/* The plain format of a deprecated "full-range" one, which lies in memory alike. */
static enum AVPixelFormat plain_format(enum AVPixelFormat format)
{
    struct vsm_format ours;

    return vsm_ff_format_from(format, &ours) ? vsm_ff_format_to(ours) : format;
}

static int create_neutral(struct vsm_encoder_picture *maker)
{
    int width = (maker->width + 1) / 2, height = (maker->height + 1) / 2;
    ptrdiff_t stride = ((ptrdiff_t)width * vsm_format_bytes_per_sample(maker->format) + 63) / 64 * 64;
    size_t size = (size_t)stride * (size_t)height;

    maker->neutral = av_buffer_alloc(size + 64);
    if (!maker->neutral)
        return vsm_fail_nomem("neutral chroma", size);
    maker->neutral_stride = stride;
    if (maker->format.depth == 8) {
        memset(maker->neutral->data, 128, size);
    } else {
        uint16_t *samples = (uint16_t *)maker->neutral->data;

        for (size_t i = 0; i < size / 2; i++)
            samples[i] = (uint16_t)(1u << (maker->format.depth - 1));
    }
    return VSM_OK;
}

static bool is_neutral_gray(const struct vsm_encoder_picture *maker)
{
    struct vsm_format target;

    return maker->format.planes == VSM_PLANES_GRAY && maker->format.shift == 0 &&
           vsm_ff_format_from(maker->target, &target) && target.planes == VSM_PLANES_YUV &&
           target.chroma_x == 1 && target.chroma_y == 1 && target.depth == maker->format.depth &&
           target.shift == 0;
}

static int create_scaler(struct vsm_encoder_picture *maker)
{
    /* Where sizes are equal nothing is interpolated but chroma; accurate rounding keeps the result the same
     * on every processor. */
    bool same = maker->width == maker->target_width && maker->height == maker->target_height;

    maker->scaler =
        sws_getContext(maker->width, maker->height, maker->source, maker->target_width, maker->target_height,
                       maker->target,
                       (same ? SWS_BICUBIC : SWS_AREA) | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP,
                       NULL, NULL, NULL);
    if (!maker->scaler)
        return vsm_fail(VSM_E_USAGE,
                        "encoder: pictures in %s cannot be converted to %s; choose another pix_fmt",
                        av_get_pix_fmt_name(maker->source), av_get_pix_fmt_name(maker->target));
    return VSM_OK;
}

int vsm_encoder_picture_create(const struct vsm_video_encoder_options *options, int target,
                               struct vsm_encoder_picture **result)
{
    struct vsm_encoder_picture *maker = vsm_mem_alloc("encoder picture", 1, sizeof(*maker));
    int status = VSM_OK;

    if (!maker)
        return VSM_E_NOMEM;
    maker->format = options->format;
    maker->source = vsm_ff_format_to(options->format);
    maker->target = target;
    maker->width = options->picture_width;
    maker->height = options->picture_height;
    maker->target_width = options->width;
    maker->target_height = options->height;
    if (maker->source == AV_PIX_FMT_NONE)
        status = vsm_fail(VSM_E_USAGE, "encoder: pictures of %d bits in this arrangement cannot be encoded",
                          options->format.depth);
    else if (maker->width != maker->target_width || maker->height != maker->target_height)
        status = create_scaler(maker);
    else if (is_neutral_gray(maker))
        status = create_neutral(maker);
    else if (plain_format(maker->target) != maker->source)
        status = create_scaler(maker);
    if (status != VSM_OK) {
        vsm_encoder_picture_destroy(maker);
        return status;
    }
    *result = maker;
    return VSM_OK;
}

void vsm_encoder_picture_destroy(struct vsm_encoder_picture *maker)
{
    if (!maker)
        return;
    av_buffer_unref(&maker->neutral);
    sws_freeContext(maker->scaler);
    vsm_mem_free(maker);
}

static int add_neutral(struct vsm_encoder_picture *maker, AVFrame *frame)
{
    for (int p = 1; p < 3; p++) {
        frame->buf[p] = av_buffer_ref(maker->neutral);
        if (!frame->buf[p])
            return vsm_fail_nomem("encoder picture", sizeof(AVBufferRef));
        frame->data[p] = maker->neutral->data;
        frame->linesize[p] = (int)maker->neutral_stride;
    }
    return VSM_OK;
}

/* RGB needs the matrix, and every conversion the range, of the picture's own colour tags. */
static void set_scaler_colour(struct vsm_encoder_picture *maker, struct vsm_colour colour)
{
    const int *table =
        sws_getCoefficients(colour.matrix == AVCOL_SPC_UNSPECIFIED ? SWS_CS_ITU709 : colour.matrix);
    bool rgb = maker->format.planes == VSM_PLANES_RGB || maker->format.planes == VSM_PLANES_RGBA;
    const struct vsm_colour *last = &maker->scaler_colour;

    if (last->matrix == colour.matrix && last->full_range == colour.full_range && last->primaries)
        return;
    sws_setColorspaceDetails(maker->scaler, table, rgb || colour.full_range, table, colour.full_range, 0,
                             1 << 16, 1 << 16);
    maker->scaler_colour = colour;
    maker->scaler_colour.primaries = 2;
}

static int convert(struct vsm_encoder_picture *maker, const AVFrame *from, struct vsm_colour colour,
                   AVFrame **result)
{
    AVFrame *to = av_frame_alloc();
    int error;

    if (!to)
        return vsm_fail_nomem("encoder picture", sizeof(*to));
    to->format = maker->target;
    to->width = maker->target_width;
    to->height = maker->target_height;
    error = av_frame_get_buffer(to, 64);
    if (error >= 0) {
        set_scaler_colour(maker, colour);
        error = sws_scale(maker->scaler, (const uint8_t *const *)from->data, from->linesize, 0, maker->height,
                          to->data, to->linesize);
    }
    if (error < 0) {
        av_frame_free(&to);
        return vsm_ff_fail(VSM_E_OUTPUT, error, "encoder: the picture cannot be converted");
    }
    vsm_ff_colour_to_frame(colour, to);
    *result = to;
    return VSM_OK;
}

int vsm_encoder_picture_make(struct vsm_encoder_picture *maker, struct vsm_image **taken, AVFrame **result)
{
    struct vsm_image *image = *taken;
    AVFrame *frame;
    int status = VSM_OK;

    if (image->width != maker->width || image->height != maker->height ||
        !vsm_format_equal(image->format, maker->format))
        return vsm_fail(VSM_E_INTERNAL,
                        "encoder: got a %dx%d picture of another format than announced (%dx%d)", image->width,
                        image->height, maker->width, maker->height);
    frame = vsm_ff_frame_wrap(image);
    if (!frame)
        return VSM_E_NOMEM;
    if (maker->neutral) {
        status = add_neutral(maker, frame);
        frame->format = maker->target;
    } else if (maker->scaler) {
        AVFrame *converted = NULL;

        status = convert(maker, frame, image->colour, &converted);
        av_frame_free(&frame);
        frame = converted;
    } else {
        frame->format = maker->target;
    }
    if (status != VSM_OK) {
        av_frame_free(&frame);
        return status;
    }
    vsm_image_unref(taken);
    *result = frame;
    return VSM_OK;
}
