#include "media/video_convert.h"

#include "base/mem.h"
#include "media/ff_format.h"

#include <libswscale/swscale.h>

struct vsm_video_convert {
    struct SwsContext *scaler;
    struct vsm_image_pool *pool;
    enum AVPixelFormat from;
    int width, height;
};

bool vsm_video_convert_needed(enum AVPixelFormat pixel_format)
{
    struct vsm_format format;

    return !vsm_ff_format_from(pixel_format, &format) || format.planes == VSM_PLANES_RGB ||
           format.planes == VSM_PLANES_RGBA;
}

static void set_colours(struct SwsContext *scaler, const AVFrame *frame, bool rgb, struct vsm_colour *colour)
{
    int standard = rgb || frame->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709
                   : frame->colorspace == AVCOL_SPC_BT2020_NCL ? SWS_CS_BT2020
                                                               : SWS_CS_DEFAULT;
    const int *table = sws_getCoefficients(standard);

    *colour = vsm_ff_colour_of_frame(frame);
    if (rgb) {
        colour->matrix = AVCOL_SPC_BT709;
        colour->full_range = false;
        colour->chroma_location = 0;
    }
    /* Refused for conversions without a matrix, where there is nothing to set. */
    (void)sws_setColorspaceDetails(scaler, table, rgb || colour->full_range, table, colour->full_range, 0,
                                   1 << 16, 1 << 16);
}

int vsm_video_convert_open(const AVFrame *frame, struct vsm_video_convert **convert)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    struct vsm_format format = vsm_ff_format_nearest(frame->format);
    struct vsm_video_convert *c = vsm_mem_alloc("picture converter", 1, sizeof(*c));
    struct vsm_colour colour;

    *convert = NULL;
    if (!c)
        return VSM_E_NOMEM;
    c->from = frame->format;
    c->width = frame->width;
    c->height = frame->height;
    c->scaler = sws_getContext(c->width, c->height, c->from, c->width, c->height, vsm_ff_format_to(format),
                               SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!c->scaler) {
        vsm_video_convert_close(c);
        return vsm_fail(VSM_E_INPUT,
                        "pictures of format %s cannot be converted; convert the video to yuv420p first",
                        d ? d->name : "unknown");
    }
    set_colours(c->scaler, frame, d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)), &colour);
    c->pool = vsm_image_pool_create(format, c->width, c->height, colour);
    if (!c->pool) {
        vsm_video_convert_close(c);
        return VSM_E_NOMEM;
    }
    *convert = c;
    return VSM_OK;
}

void vsm_video_convert_close(struct vsm_video_convert *c)
{
    if (!c)
        return;
    sws_freeContext(c->scaler);
    vsm_image_pool_destroy(c->pool);
    vsm_mem_free(c);
}

int vsm_video_convert_run(struct vsm_video_convert *c, const AVFrame *frame, struct vsm_image **image)
{
    int strides[4] = {0};

    if (frame->format != c->from || frame->width != c->width || frame->height != c->height)
        return vsm_fail(VSM_E_INPUT, "pictures change their format or size; convert the video first");
    *image = vsm_image_pool_get(c->pool);
    if (!*image)
        return VSM_E_NOMEM;
    for (int p = 0; p < 4; p++)
        strides[p] = (int)(*image)->stride[p];
    if (sws_scale(c->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                  (*image)->data, strides) < 0) {
        vsm_image_unref(image);
        return vsm_fail(VSM_E_INPUT, "a picture cannot be converted by swscale");
    }
    return VSM_OK;
}
