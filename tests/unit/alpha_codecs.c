#include "media/video_writer.h"

#include "media_source.h"
#include "pictures.h"
#include "tap.h"

#include <libavutil/pixdesc.h>

#include <math.h>
#include <unistd.h>

#define WIDTH  96
#define HEIGHT 64

static const struct vsm_colour bt709 = {1, 1, 1, false, 1};

static struct vsm_image *noise(int depth)
{
    struct vsm_format format = {.planes = VSM_PLANES_YUVA, .depth = (uint8_t)depth};
    struct vsm_image *image = vsm_image_create(format, WIDTH, HEIGHT, bt709);

    picture_noise(image);
    return image;
}

static AVFrame *decode_first(const char *path)
{
    AVFormatContext *input = NULL;
    AVCodecContext *decoder = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int got = AVERROR(EAGAIN);

    CHECK_INT(avformat_open_input(&input, path, NULL, NULL), 0);
    CHECK(avformat_find_stream_info(input, NULL) >= 0);
    decoder = avcodec_alloc_context3(avcodec_find_decoder(input->streams[0]->codecpar->codec_id));
    CHECK(avcodec_parameters_to_context(decoder, input->streams[0]->codecpar) >= 0);
    CHECK_INT(avcodec_open2(decoder, NULL, NULL), 0);
    while (got == AVERROR(EAGAIN) && av_read_frame(input, packet) >= 0) {
        CHECK_INT(avcodec_send_packet(decoder, packet), 0);
        av_packet_unref(packet);
        got = avcodec_receive_frame(decoder, frame);
    }
    CHECK_INT(got, 0);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    avformat_close_input(&input);
    return frame;
}

static struct vsm_video_writer_options one_picture(const char *codec, const char *path,
                                                   const struct vsm_image *image)
{
    struct vsm_video_writer_options options = {
        .path = path,
        .encoder = media_source_encoder(codec, image->format, WIDTH, HEIGHT),
    };

    options.encoder.time_base = (struct vsm_rational){1, 30};
    options.encoder.sample_aspect = (struct vsm_rational){1, 1};
    return options;
}

/* Writes one picture and lets FFmpeg itself read it back: our reader leaves alpha out. NULL where the
 * codec is not there. */
static AVFrame *round_trip(const char *codec, const char *profile, const char *path, struct vsm_image *image)
{
    struct vsm_video_writer_options target = one_picture(codec, path, image);
    struct vsm_video_writer *writer = NULL;

    target.encoder.preset = profile;
    target.end_pts = INT64_MAX;
    if (vsm_video_writer_open(&target, &writer) == VSM_E_USAGE) {
        tap_skip("the codec is not there");
        return NULL;
    }
    CHECK_INT(vsm_video_writer_put(writer, &(struct vsm_image *){vsm_image_ref(image)}, 0, 1), VSM_OK);
    CHECK_INT(vsm_video_writer_finish(writer), VSM_OK);
    vsm_video_writer_close(writer, false);
    return decode_first(path);
}

/* ProRes 4444 is decoded to more bits than it was made from. */
static int differences(const AVFrame *a, const struct vsm_image *b, int plane)
{
    int shift = av_pix_fmt_desc_get(a->format)->comp[plane].depth - b->format.depth, count = 0;

    for (int y = 0; y < HEIGHT; y++) {
        const uint16_t *row = (const uint16_t *)(a->data[plane] + y * a->linesize[plane]);

        for (int x = 0; x < WIDTH; x++)
            count += row[x] >> shift != picture_get(b, plane, x, y);
    }
    return count;
}

static void check_ffv1(int depth)
{
    struct vsm_image *image = noise(depth);
    AVFrame *back = round_trip("ffv1", NULL, media_source_path("alpha.mkv"), image);

    if (back) {
        CHECK_INT(back->format, depth == 10 ? AV_PIX_FMT_YUVA444P10LE : AV_PIX_FMT_YUVA444P16LE);
        for (int p = 0; p < 4; p++)
            CHECK_INT(differences(back, image, p), 0);
    }
    av_frame_free(&back);
    vsm_image_unref(&image);
}

static void test_ffv1_is_exact(void)
{
    check_ffv1(10);
    check_ffv1(16);
}

static void test_prores_alpha_is_exact(void)
{
    struct vsm_image *image = noise(10);
    const char *path = media_source_path("alpha.mov");
    AVFrame *back = round_trip("prores_ks", "4444", path, image);

    if (back) {
        FILE *file = fopen(path, "rb");
        static char bytes[1 << 20];
        size_t size = fread(bytes, 1, sizeof(bytes), file), tags = 0;

        fclose(file);
        CHECK_INT(differences(back, image, 3), 0);
        for (size_t i = 0; i + 4 <= size; i++)
            tags += memcmp(bytes + i, "ap4h", 4) == 0;
        CHECK(tags >= 1);
    }
    av_frame_free(&back);
    vsm_image_unref(&image);
}

/* An output of one picture in a folder, with the codec's own pixel format. */
static AVFrame *sequence_round_trip(const char *codec, const char *pix_fmt, struct vsm_image *image)
{
    char folder[400] = "", file[440];
    struct vsm_video_writer_options target = one_picture(codec, folder, image);
    struct vsm_video_writer *writer = NULL;
    AVFrame *back;

    target.sequence = true;
    target.encoder.pix_fmt = pix_fmt;
    snprintf(folder, sizeof(folder), "%s", media_source_path(codec));
    snprintf(file, sizeof(file), "%s/00000000.%s", folder, codec);
    if (vsm_video_writer_open(&target, &writer) == VSM_E_USAGE) {
        tap_skip("the codec is not there");
        return NULL;
    }
    CHECK_INT(vsm_video_writer_put(writer, &(struct vsm_image *){vsm_image_ref(image)}, 0, 1), VSM_OK);
    CHECK_INT(access(folder, F_OK), -1);
    CHECK_INT(vsm_video_writer_finish(writer), VSM_OK);
    vsm_video_writer_close(writer, false);
    CHECK_INT(vsm_video_writer_open(&target, &writer), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "already");
    back = decode_first(file);
    unlink(file);
    rmdir(folder);
    return back;
}

static void test_png_keeps_16_bits_of_alpha(void)
{
    struct vsm_image *image = noise(16);
    AVFrame *back = sequence_round_trip("png", "rgba64be", image);
    int worst = 0;

    for (int y = 0; back && y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const uint8_t *pixel = back->data[0] + y * back->linesize[0] + 8 * (ptrdiff_t)x;
            int error = abs((pixel[6] << 8 | pixel[7]) - picture_get(image, 3, x, y));

            worst = error > worst ? error : worst;
        }
    printf("# alpha in PNG: off by %d of 65535 at most\n", worst);
    CHECK(worst <= 2);
    av_frame_free(&back);
    vsm_image_unref(&image);
}

static void test_exr_keeps_half_floats_of_alpha(void)
{
    struct vsm_image *image = noise(16);
    AVFrame *back = sequence_round_trip("exr", "gbrapf32le", image);
    double worst = 0;

    for (int y = 0; back && y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const float *row = (const float *)(const void *)(back->data[3] + y * back->linesize[3]);

            worst = fmax(worst, fabs(row[x] - picture_get(image, 3, x, y) / 65535.0));
        }
    printf("# alpha in OpenEXR: off by %.5f at most\n", worst);
    CHECK(worst <= 1.0 / 2048);
    av_frame_free(&back);
    vsm_image_unref(&image);
}

static void check_grey(int depth, enum AVPixelFormat wanted)
{
    const struct vsm_format format = {.planes = VSM_PLANES_GRAY, .depth = (uint8_t)depth};
    struct vsm_image *image = vsm_image_create(format, WIDTH, HEIGHT, bt709);
    AVFrame *back;

    picture_noise(image);
    back = round_trip("ffv1", NULL, media_source_path("matte.mkv"), image);
    if (back) {
        CHECK_INT(back->format, wanted);
        CHECK_INT(differences(back, image, 0), 0);
    }
    av_frame_free(&back);
    vsm_image_unref(&image);
}

static void test_grey_mattes_are_exact(void)
{
    check_grey(10, AV_PIX_FMT_GRAY10LE);
    check_grey(16, AV_PIX_FMT_GRAY16LE);
}

int main(void)
{
    RUN(test_ffv1_is_exact);
    RUN(test_prores_alpha_is_exact);
    RUN(test_png_keeps_16_bits_of_alpha);
    RUN(test_exr_keeps_half_floats_of_alpha);
    RUN(test_grey_mattes_are_exact);
    media_source_clean();
    return tap_done();
}
