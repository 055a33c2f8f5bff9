#include "media/video_encoder.h"

#include "media/encoder_codec.h"
#include "media/ff.h"
#include "media/packet.h"
#include "media_source.h"
#include "tap.h"

#include <limits.h>

#define HEIGHT 64
#define FRAMES 30
#define SPLIT  15

static int width = 128;

static const struct vsm_format yuv420 = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};

struct recorded {
    int64_t pts, dts, duration;
    int size, flags;
    uint32_t crc;
};

static struct vsm_video_encoder_options options_of(const char *codec, struct vsm_format format)
{
    struct vsm_video_encoder_options options = media_source_encoder(codec, format, width, HEIGHT);

    options.threads = 2;
    options.sample_aspect = (struct vsm_rational){1, 1};
    return options;
}

/* Variable frame rate: every third picture comes late. */
static int64_t pts_of(int n)
{
    return n * 3000 + (n % 3 == 2 ? 700 : 0);
}

static int drain(struct vsm_video_encoder *encoder, struct recorded *packets, int count)
{
    struct vsm_packet *packet;

    while (vsm_video_encoder_get(encoder, &packet) == VSM_OK) {
        packets[count++] = (struct recorded){packet->av->pts,  packet->av->dts,   packet->av->duration,
                                             packet->av->size, packet->av->flags, 0};
        packets[count - 1].crc = vsm_hash_crc32(0, packet->av->data, (size_t)packet->av->size);
        vsm_packet_destroy(&packet);
    }
    return count;
}

/* Encodes pictures first .. end - 1 as one segment. */
static int encode(struct vsm_video_encoder *encoder, struct vsm_format format, int first, int end,
                  struct recorded *packets, int count)
{
    for (int n = first; n < end; n++) {
        struct vsm_image *image = media_source_picture(format, width, HEIGHT, n);

        CHECK_INT(vsm_video_encoder_put(encoder, &image, pts_of(n), 3000), VSM_OK);
        vsm_image_unref(&image);
        count = drain(encoder, packets, count);
    }
    if (vsm_video_encoder_end_segment(encoder) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    return drain(encoder, packets, count);
}

static void check_segments(const char *codec, struct vsm_format format)
{
    struct vsm_video_encoder_options options = options_of(codec, format);
    struct recorded whole[FRAMES + 1] = {0}, rest[FRAMES + 1] = {0};
    struct vsm_video_encoder *encoder = NULL;
    struct vsm_bytes_out state = {0};
    struct vsm_bytes_in in;
    int count, seen = 0;

    if (!avcodec_find_encoder_by_name(codec)) {
        tap_skip("encoder not in this FFmpeg");
        return;
    }
    CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
    if (!encoder) {
        printf("# %s\n", vsm_error_message());
        return;
    }
    count = encode(encoder, format, 0, SPLIT, whole, 0);
    CHECK_INT(count, SPLIT);
    CHECK_INT(vsm_video_encoder_save(encoder, &state), VSM_OK);
    count = encode(encoder, format, SPLIT, FRAMES, whole, count);
    CHECK_INT(count, FRAMES);
    CHECK(whole[0].flags & AV_PKT_FLAG_KEY);
    CHECK(whole[SPLIT].flags & AV_PKT_FLAG_KEY);
    for (int i = 0; i < FRAMES; i++) {
        CHECK(whole[i].dts <= whole[i].pts);
        CHECK(i == 0 || whole[i].dts > whole[i - 1].dts);
        for (int n = 0; n < FRAMES; n++)
            seen += whole[i].pts == pts_of(n);
        /* Nothing crosses the joint. */
        CHECK_INT(whole[i].pts >= pts_of(SPLIT), i >= SPLIT);
    }
    CHECK_INT(seen, FRAMES);
    vsm_video_encoder_close(encoder);

    options.threads = 1; /* the state brings the count back */
    CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
    in = vsm_bytes_in_of(state.data, state.size);
    CHECK_INT(vsm_video_encoder_load(encoder, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    count = encode(encoder, format, SPLIT, FRAMES, rest, 0);
    CHECK_INT(count, FRAMES - SPLIT);
    CHECK(memcmp(rest, whole + SPLIT, (FRAMES - SPLIT) * sizeof(rest[0])) == 0);
    vsm_video_encoder_close(encoder);
    vsm_bytes_out_finish(&state);
}

static void test_x264_segments(void)
{
    check_segments("libx264", yuv420);
}

static void test_x265_segments(void)
{
    check_segments("libx265", yuv420);
}

static void test_x265_narrow(void)
{
    width = 64;
    check_segments("libx265", yuv420);
    width = 128;
}

static void test_x265_ten_bits(void)
{
    check_segments("libx265",
                   (struct vsm_format){.planes = VSM_PLANES_YUV, .depth = 10, .chroma_x = 1, .chroma_y = 1});
}

static void test_ffv1_gray_segments(void)
{
    check_segments("ffv1", (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = 8});
}

static void test_vp9_segments(void)
{
    check_segments("libvpx-vp9", yuv420);
}

static void test_prores_segments(void)
{
    check_segments("prores_ks", yuv420);
}

static void test_mjpeg_segments(void)
{
    check_segments("mjpeg", yuv420);
}

static void test_gray_becomes_neutral_420(void)
{
    struct vsm_format gray = {.planes = VSM_PLANES_GRAY, .depth = 8};

    check_segments("libx264", gray);
}

static void test_depth_survives(void)
{
    static const struct {
        const char *codec;
        struct vsm_format format;
        int expected;
    } cases[] = {
        {"libx264", {VSM_PLANES_YUV, 8, 0, 1, 1}, AV_PIX_FMT_YUV420P},
        {"libx264", {VSM_PLANES_YUV, 10, 0, 1, 0}, AV_PIX_FMT_YUV422P10},
        {"libx264", {VSM_PLANES_GRAY, 8, 0, 0, 0}, AV_PIX_FMT_YUV420P},
        {"libx265", {VSM_PLANES_NV, 10, 6, 1, 1}, AV_PIX_FMT_YUV420P10},
        {"libx265", {VSM_PLANES_NV, 8, 0, 1, 1}, AV_PIX_FMT_YUV420P},
        {"ffv1", {VSM_PLANES_GRAY, 16, 0, 0, 0}, AV_PIX_FMT_GRAY16},
        {"prores_ks", {VSM_PLANES_YUV, 8, 0, 1, 1}, AV_PIX_FMT_YUV422P10},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vsm_video_encoder_options options = options_of(cases[i].codec, cases[i].format);
        struct vsm_video_encoder *encoder = NULL;

        if (!avcodec_find_encoder_by_name(cases[i].codec))
            continue;
        CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
        if (encoder)
            CHECK_INT(vsm_video_encoder_parameters(encoder)->format, cases[i].expected);
        vsm_video_encoder_close(encoder);
    }
}

static void expect_refusal(struct vsm_video_encoder_options options, const char *part, const char *other)
{
    struct vsm_video_encoder *encoder = NULL;

    CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), part);
    CHECK_HAS(vsm_error_message(), other);
}

static void test_refusals_name_both_sides(void)
{
    struct vsm_video_encoder_options options = options_of("libx999", yuv420);

    expect_refusal(options, "output.codec", "libx999");
    options = options_of("ffv1", yuv420);
    options.crf = 20;
    expect_refusal(options, "output.crf", "ffv1");
    options = options_of("ffv1", yuv420);
    options.preset = "slow";
    expect_refusal(options, "output.preset", "ffv1");
    options = options_of("libx264", yuv420);
    options.preset = "snail";
    expect_refusal(options, "libx264", "128x64");
    options = options_of("libx264", yuv420);
    options.pix_fmt = "rgb48be";
    expect_refusal(options, "output.pix_fmt", "rgb48be");
    options.pix_fmt = "nonsense";
    expect_refusal(options, "output.pix_fmt", "nonsense");
}

static void test_time_must_increase(void)
{
    struct vsm_video_encoder_options options = options_of("ffv1", yuv420);
    struct vsm_image *first = media_source_picture(yuv420, width, HEIGHT, 0);
    struct vsm_image *second = media_source_picture(yuv420, width, HEIGHT, 0);
    struct vsm_video_encoder *encoder = NULL;

    CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
    CHECK_INT(vsm_video_encoder_put(encoder, &first, 10, 0), VSM_OK);
    CHECK(!first);
    CHECK_INT(vsm_video_encoder_put(encoder, &second, 10, 0), VSM_E_INTERNAL);
    vsm_video_encoder_close(encoder);
    vsm_image_unref(&second);
}

static void test_damaged_state_is_refused(void)
{
    struct vsm_video_encoder_options options = options_of("ffv1", yuv420);
    static const uint8_t zeros[16];

    for (size_t size = 0; size <= sizeof(zeros); size++) {
        struct vsm_bytes_in in = vsm_bytes_in_of(zeros, size);
        struct vsm_video_encoder *encoder = NULL;

        CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
        CHECK_INT(vsm_video_encoder_load(encoder, &in), VSM_E_INPUT);
        vsm_video_encoder_close(encoder);
    }
}

/* As an older program, which had other defaults, would have begun the stream. */
static void test_other_settings_are_refused(void)
{
    struct vsm_video_encoder_options options = options_of("libx264", yuv420);
    const double others[] = {-1, 17, 18};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct vsm_video_encoder *encoder = NULL;
        struct vsm_bytes_out state = {0};
        struct vsm_bytes_in in;

        options.crf = -1;
        CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
        CHECK_INT(vsm_video_encoder_save(encoder, &state), VSM_OK);
        vsm_video_encoder_close(encoder);
        options.crf = others[i];
        CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
        in = vsm_bytes_in_of(state.data, state.size);
        CHECK_INT(vsm_video_encoder_load(encoder, &in), i < 2 ? VSM_OK : VSM_E_INPUT);
        if (i == 2)
            CHECK_HAS(vsm_error_message(), "--restart");
        vsm_video_encoder_close(encoder);
        vsm_bytes_out_finish(&state);
    }
}

/* Quality must rise and fall with crf, and 0 be lossless, though x264 is given a quantiser. */
static void test_x264_follows_crf(void)
{
    struct vsm_video_encoder_options options = options_of("libx264", yuv420);
    struct recorded packets[FRAMES + 1];
    const double qualities[] = {0, 10, -1, 30};
    int last = INT_MAX;

    for (size_t i = 0; i < sizeof(qualities) / sizeof(qualities[0]); i++) {
        struct vsm_video_encoder *encoder = NULL;
        int bytes = 0, count;

        options.crf = qualities[i];
        CHECK_INT(vsm_video_encoder_open(&options, &encoder), VSM_OK);
        count = encode(encoder, yuv420, 0, FRAMES, packets, 0);
        CHECK_INT(count, FRAMES);
        for (int n = 0; n < count; n++)
            bytes += packets[n].size;
        CHECK(bytes < last);
        last = bytes;
        vsm_video_encoder_close(encoder);
    }
}

struct quantiser {
    int width, height, depth;
    bool matte;
    double crf;
    int64_t bitrate;
    const char *want; /* NULL: none */
};

static void check_quantiser(const struct quantiser *q)
{
    struct vsm_video_encoder_options options = options_of("libx264", yuv420);
    const struct vsm_ff_static_data none = {0};
    AVCodecContext *codec = avcodec_alloc_context3(NULL);
    AVDictionary *dictionary = NULL;
    const AVDictionaryEntry *got;

    options.width = q->width;
    options.height = q->height;
    options.crf = q->crf;
    options.bitrate = q->bitrate;
    if (q->matte)
        options.format = (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = 8};
    codec->pix_fmt = q->depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10;
    CHECK_INT(vsm_encoder_codec_setup(&options, &none, 2, codec, &dictionary), VSM_OK);
    got = av_dict_get(dictionary, "qp", NULL, 0);
    CHECK(!got == !q->want);
    if (got && q->want)
        CHECK_STR(got->value, q->want);
    CHECK(av_dict_get(dictionary, "crf", NULL, 0) == NULL);
    av_dict_free(&dictionary);
    avcodec_free_context(&codec);
}

/* By the size of the picture that is encoded, and never beyond what x264 has: 51, and 6 more
 * for each further bit. */
static void test_x264_quantiser(void)
{
    static const struct quantiser cases[] = {
        {2048, 1024, 8, false, -1, 0, "23"},       {2050, 1024, 8, false, -1, 0, "22"},
        {4096, 2048, 8, false, 20, 0, "25"},       {8192, 4096, 8, false, 17, 0, "19"},
        {2048, 1024, 8, true, -1, 0, "26"},        {8192, 4096, 8, true, 17, 0, "26"},
        {2048, 1024, 10, false, 17, 0, "35"},      {2048, 1024, 8, false, 0, 0, "0"},
        {2048, 1024, 10, false, 0, 0, "0"},        {2048, 1024, 8, false, 0.5, 0, "7"},
        {2048, 1024, 8, false, 45, 0, "51"},       {2048, 1024, 8, false, 46, 0, "51"},
        {2048, 1024, 8, true, 63, 0, "51"},        {2048, 1024, 10, false, 63, 0, "63"},
        {2048, 1024, 8, false, -1, 1000000, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_quantiser(&cases[i]);
}

/* Short of memory at any of its allocations, a set-up fails or is whole; it never leaves an option out. */
static void test_setup_without_memory(void)
{
    static const char *const codecs[] = {"libx264",    "libx265",   "libsvtav1", "libvpx-vp9",
                                         "h264_nvenc", "prores_ks", "png"};
    const struct vsm_ff_static_data none = {0};

    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        const struct vsm_video_encoder_options options = options_of(codecs[i], yuv420);
        int failures = 0, whole = 0;

        /* The largest allocation that FFmpeg grants: short texts fit earlier than long ones. */
        for (size_t most = 512; most >= 1; most--) {
            AVCodecContext *codec = avcodec_alloc_context3(NULL);
            AVDictionary *dictionary = NULL;
            int status;

            codec->pix_fmt = AV_PIX_FMT_YUV420P;
            av_max_alloc(most);
            status = vsm_encoder_codec_setup(&options, &none, 2, codec, &dictionary);
            av_max_alloc(INT_MAX);
            if (status == VSM_OK && most == 512)
                whole = av_dict_count(dictionary);
            if (status == VSM_OK)
                CHECK_INT(av_dict_count(dictionary), whole);
            else
                CHECK_INT(status, VSM_E_NOMEM);
            failures += status != VSM_OK;
            av_dict_free(&dictionary);
            avcodec_free_context(&codec);
        }
        CHECK(whole > 0 && failures > 0 && failures < 512);
    }
}

static void test_auto_by_size_and_container(void)
{
    CHECK_STR(vsm_video_encoder_auto("a.webm", 8, 2048, false), "libvpx-vp9");
    CHECK_STR(vsm_video_encoder_auto("a.mp4", 8, 4096, false), "libx264");
    CHECK_STR(vsm_video_encoder_auto("a.mp4", 8, 5760, false), "libx265");
    CHECK_STR(vsm_video_encoder_auto("a.mkv", 10, 2048, false), "libx265");
}

int main(void)
{
    RUN(test_x264_segments);
    RUN(test_x265_segments);
    RUN(test_x265_narrow);
    RUN(test_x265_ten_bits);
    RUN(test_ffv1_gray_segments);
    RUN(test_vp9_segments);
    RUN(test_prores_segments);
    RUN(test_mjpeg_segments);
    RUN(test_gray_becomes_neutral_420);
    RUN(test_depth_survives);
    RUN(test_refusals_name_both_sides);
    RUN(test_time_must_increase);
    RUN(test_damaged_state_is_refused);
    RUN(test_other_settings_are_refused);
    RUN(test_x264_follows_crf);
    RUN(test_x264_quantiser);
    RUN(test_setup_without_memory);
    RUN(test_auto_by_size_and_container);
    return tap_done();
}
