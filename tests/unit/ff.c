#include "media/ff.h"
#include "media/ff_format.h"
#include "tap.h"

static void test_formats_go_both_ways(void)
{
    static const enum AVPixelFormat formats[] = {
        AV_PIX_FMT_GRAY8,       AV_PIX_FMT_GRAY10LE,    AV_PIX_FMT_GRAY16LE,    AV_PIX_FMT_YUV420P,
        AV_PIX_FMT_YUV422P,     AV_PIX_FMT_YUV444P,     AV_PIX_FMT_YUV440P,     AV_PIX_FMT_YUV420P10LE,
        AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV444P12LE, AV_PIX_FMT_YUV444P16LE, AV_PIX_FMT_NV12,
        AV_PIX_FMT_P010LE,      AV_PIX_FMT_P016LE,      AV_PIX_FMT_NV16,        AV_PIX_FMT_YUVA444P10LE,
        AV_PIX_FMT_RGB24,       AV_PIX_FMT_RGBA,        AV_PIX_FMT_RGB48LE,
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct vsm_format format;

        CHECK(vsm_ff_format_from(formats[i], &format));
        CHECK_STR(av_get_pix_fmt_name(vsm_ff_format_to(format)), av_get_pix_fmt_name(formats[i]));
    }
}

static void test_p010_is_shifted(void)
{
    struct vsm_format format;

    CHECK(vsm_ff_format_from(AV_PIX_FMT_P010LE, &format));
    CHECK_INT(format.planes, VSM_PLANES_NV);
    CHECK_INT(format.depth, 10);
    CHECK_INT(format.shift, 6);
    CHECK(vsm_ff_format_from(AV_PIX_FMT_YUVJ420P, &format));
    CHECK_INT(vsm_ff_format_to(format), AV_PIX_FMT_YUV420P);
}

static void test_other_formats_have_a_nearest(void)
{
    static const struct {
        enum AVPixelFormat from, nearest;
    } table[] = {
        {AV_PIX_FMT_GBRP, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_GBRP12LE, AV_PIX_FMT_YUV444P12LE},
        {AV_PIX_FMT_BGRA, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_RGB48BE, AV_PIX_FMT_YUV444P16LE},
        {AV_PIX_FMT_PAL8, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_YUV411P, AV_PIX_FMT_YUV420P},
        {AV_PIX_FMT_YUYV422, AV_PIX_FMT_YUV422P},
        {AV_PIX_FMT_MONOBLACK, AV_PIX_FMT_GRAY8},
        {AV_PIX_FMT_YA8, AV_PIX_FMT_GRAY8},
        {AV_PIX_FMT_YUV420P10BE, AV_PIX_FMT_YUV420P10LE},
        {AV_PIX_FMT_YUV422P14BE, AV_PIX_FMT_YUV422P16LE},
        {AV_PIX_FMT_NV21, AV_PIX_FMT_YUV420P},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct vsm_format format;

        CHECK(!vsm_ff_format_from(table[i].from, &format));
        CHECK_STR(av_get_pix_fmt_name(vsm_ff_format_to(vsm_ff_format_nearest(table[i].from))),
                  av_get_pix_fmt_name(table[i].nearest));
    }
}

static void test_wraps_without_copying(void)
{
    const struct vsm_format format = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};
    const struct vsm_colour colour = {.primaries = 9, .transfer = 16, .matrix = 9, .chroma_location = 3};
    struct vsm_image *image = vsm_image_create(format, 64, 32, colour), *again;
    AVFrame *frame = vsm_ff_frame_wrap(image);
    uint8_t *pixels = image->data[0];

    CHECK(frame->data[0] == pixels);
    CHECK_INT(atomic_load(&image->references), 2);
    vsm_image_unref(&image);
    frame->crop_left = 2;
    frame->crop_top = 4;
    frame->crop_right = 10;
    again = vsm_ff_image_wrap(&frame);
    CHECK(!frame);
    CHECK_INT(again->width, 52);
    CHECK_INT(again->height, 28);
    CHECK(again->data[0] == pixels + 4 * again->stride[0] + 2);
    CHECK_INT(again->colour.transfer, 16);
    CHECK_INT(again->colour.chroma_location, 3);
    CHECK(!again->colour.full_range);
    vsm_image_unref(&again);
}

static void test_failures_are_classified(void)
{
    CHECK_INT(vsm_ff_fail(VSM_E_INPUT, AVERROR(ENOMEM), "a.mp4"), VSM_E_NOMEM);
    CHECK_INT(vsm_ff_fail(VSM_E_INPUT, AVERROR_EXIT, "a.mp4"), VSM_E_CANCELLED);
    CHECK_INT(vsm_ff_fail(VSM_E_OUTPUT, AVERROR(ENOSPC), "a.mp4: packet %d", 7), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "a.mp4: packet 7: No space left");
    CHECK_INT(vsm_ff_check_size("b.mkv", 16384, 16384), VSM_OK);
    CHECK_INT(vsm_ff_check_size("b.mkv", 16385, 16), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "b.mkv: claims a picture size of 16385x16");
    CHECK_INT(vsm_ff_check_size("b.mkv", 0, 16), VSM_E_INPUT);
}

int main(void)
{
    RUN(test_formats_go_both_ways);
    RUN(test_p010_is_shifted);
    RUN(test_other_formats_have_a_nearest);
    RUN(test_wraps_without_copying);
    RUN(test_failures_are_classified);
    return tap_done();
}
