#include "media/video_reader.h"

#include "base/fault.h"
#include "base/hash.h"
#include "media/ff_format.h"
#include "media/video_reader_internal.h"
#include "tap.h"
#include "tiny_video.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[64];
static const struct vsm_video_reader_options options = {.threads = 1};

static const char *in_folder(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    CHECK(f && fwrite(data, 1, size, f) == size);
    if (f)
        fclose(f);
}

static uint8_t *read_bytes(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc((size_t)1 << 20);

    *size = f ? fread(data, 1, (size_t)1 << 20, f) : 0;
    if (f)
        fclose(f);
    return data;
}

static void check_refused(const char *path, const char *words)
{
    struct vsm_video_reader *reader;

    CHECK_INT(vsm_video_reader_open(path, &options, &reader), VSM_E_INPUT);
    CHECK(!reader);
    CHECK_HAS(vsm_error_message(), path);
    CHECK_HAS(vsm_error_message(), words);
    vsm_video_reader_close(reader);
}

static void test_what_is_no_video(void)
{
    static const uint8_t wav[] =
        "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data";

    check_refused("/nonexistent/a.mp4", "cannot be opened: No such file");
    check_refused(folder, "is not a regular file");
    write_bytes(in_folder("empty.mp4"), "", 0);
    check_refused(in_folder("empty.mp4"), "is empty");
    write_bytes(in_folder("text.mp4"), "These are words and no video at all.\n", 37);
    check_refused(in_folder("text.mp4"), "is not a video");
    write_bytes(in_folder("sound.wav"), wav, sizeof(wav));
    check_refused(in_folder("sound.wav"), "is not a video");
    write_bytes(in_folder("list.m3u8"), "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n", 56);
    check_refused(in_folder("list.m3u8"), "is not a video");
}

static void test_huge_claims(void)
{
    const struct tiny_video video = {
        .codec = "ffv1", .pixel_format = AV_PIX_FMT_YUV420P, .width = 64, .height = 48, .frames = 2};
    /* A PNG header of 65,535 x 65,535 pixels. */
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', 13,  10, 26, 10,  0,   0,   0,   13, 'I', 'H', 'D',
                                  'R',  0,   0,   255, 255, 0,  0,  255, 255, 8,   2,   0,  0,   0,   1,
                                  2,    3,   4,   0,   0,   0,  0,  'I', 'D', 'A', 'T', 0,  0,   0,   0};
    uint8_t *data, *format;
    size_t size;

    write_bytes(in_folder("huge.png"), png, sizeof(png));
    check_refused(in_folder("huge.png"), "larger than 16384x16384");
    CHECK(tiny_video_write(in_folder("huge.avi"), &video));
    data = read_bytes(in_folder("huge.avi"), &size);
    format = memmem(data, size, "strf", 4);
    CHECK(format != NULL);
    if (format)
        memcpy(format + 12, "\0\0\1\0\0\0\1\0", 8);
    write_bytes(in_folder("huge.avi"), data, size);
    check_refused(in_folder("huge.avi"), "claims a picture size of 65536x65536; the limit is 16384x16384");
    free(data);
}

static void test_info_of_mp4(void)
{
    const struct tiny_video video = {
        .pixel_format = AV_PIX_FMT_YUV420P,
        .width = 70,
        .height = 46,
        .frames = 9,
        .colour = {.primaries = 9, .transfer = 16, .matrix = 9, .chroma_location = 1},
        .turned = true,
        .hdr = true,
    };
    const struct vsm_ff_static_data *data;
    const struct vsm_video_info *info;
    struct vsm_video_reader *reader;

    CHECK(tiny_video_write(in_folder("info.mp4"), &video));
    CHECK_INT(vsm_video_reader_open(in_folder("info.mp4"), &options, &reader), VSM_OK);
    info = vsm_video_reader_info(reader);
    CHECK_STR(info->container, "mov");
    CHECK_STR(info->codec, "mpeg4");
    CHECK_INT(info->width, 70);
    CHECK_INT(info->height, 46);
    CHECK_INT(info->rotation, 90);
    CHECK_INT(info->format.depth, 8);
    CHECK_INT(info->colour.primaries, 9);
    CHECK_INT(info->colour.transfer, 16);
    CHECK(!info->colour.full_range);
    CHECK_INT(info->frame_rate.num / info->frame_rate.den, 25);
    CHECK_INT(info->frames, 9);
    CHECK(info->frames_exact);
    CHECK(info->hdr);
    data = vsm_video_reader_static_data(reader);
    CHECK(data->has_light && data->has_mastering);
    CHECK_INT(data->light.MaxCLL, 1000);
    CHECK_INT(data->mastering.max_luminance.num / data->mastering.max_luminance.den, 1000);
    vsm_video_reader_close(reader);
}

static void test_vr_boxes(void)
{
    static const char *const names[] = {"vr.mp4", "vr.mkv"};

    for (int i = 0; i < 2; i++) {
        const struct tiny_video video = {
            .pixel_format = AV_PIX_FMT_YUV420P, .width = 64, .height = 32, .frames = 3, .vr = 1 + i};
        const struct vsm_vr_boxes *boxes;
        struct vsm_video_reader *reader;

        CHECK(tiny_video_write(in_folder(names[i]), &video));
        CHECK_INT(vsm_video_reader_open(in_folder(names[i]), &options, &reader), VSM_OK);
        boxes = &vsm_video_reader_info(reader)->boxes;
        CHECK(boxes->has_stereo && boxes->has_projection && boxes->equirect);
        CHECK_INT(boxes->stereo, VSM_LAYOUT_SBS);
        CHECK_INT(boxes->right_left, i);
        CHECK_INT(boxes->bound_left, 0x3FFFFFFF);
        CHECK_INT(boxes->bound_right, 0x3FFFFFFF);
        vsm_video_reader_close(reader);
    }
}

static void test_second_layer_is_refused(void)
{
    size_t size;
    uint8_t *data = read_bytes(in_folder("vr.mp4"), &size), *box = memmem(data, size, "btrt", 4);

    CHECK(box != NULL);
    if (box)
        memcpy(box, "lhvC", 4);
    write_bytes(in_folder("layers.mp4"), data, size);
    check_refused(in_folder("layers.mp4"), "has two views coded as MV-HEVC");
    free(data);
}

static void check_format(const char *name, const char *codec, enum AVPixelFormat pixel_format,
                         const char *expected)
{
    const struct tiny_video video = {
        .codec = codec, .pixel_format = pixel_format, .width = 34, .height = 18, .frames = 3};
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader;

    if (!tiny_video_write(in_folder(name), &video)) {
        printf("# %s with %s cannot be written\n", name, codec);
        vsm_frame_destroy(&frame);
        return;
    }
    CHECK_INT(vsm_video_reader_open(in_folder(name), &options, &reader), VSM_OK);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_OK);
    if (frame->source) {
        CHECK_STR(av_get_pix_fmt_name(vsm_ff_format_to(frame->source->format)), expected);
        CHECK_INT(frame->source->width, 34);
        CHECK_INT(frame->source->height, 18);
    }
    vsm_frame_destroy(&frame);
    vsm_video_reader_close(reader);
}

static void test_formats(void)
{
    check_format("gray.mkv", "ffv1", AV_PIX_FMT_GRAY8, "gray");
    check_format("deep.mkv", "ffv1", AV_PIX_FMT_YUV420P16LE, "yuv420p16le");
    check_format("alpha.mkv", "ffv1", AV_PIX_FMT_YUVA420P, "yuv420p");
    check_format("rgb.mkv", "ffv1", AV_PIX_FMT_GBRP10LE, "yuv444p10le");
    check_format("packed.mkv", "rawvideo", AV_PIX_FMT_RGB24, "yuv444p");
    check_format("quarter.mkv", "ffv1", AV_PIX_FMT_YUV411P, "yuv420p");
    check_format("nv.nut", "rawvideo", AV_PIX_FMT_NV12, "nv12");
    check_format("422.mov", "prores_ks", AV_PIX_FMT_YUV422P10LE, "yuv422p10le");
    check_format("4444.mov", "prores_ks", AV_PIX_FMT_YUVA444P10LE, "yuv444p12le");
    check_format("jpeg.avi", "mjpeg", AV_PIX_FMT_YUVJ444P, "yuv444p");
}

/* RGB becomes BT.709 of limited range: white and primary red by the standard's numbers. */
static void test_rgb_values(void)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader;
    static uint8_t ppm[26 + 54 + 3 * 64] = {0};
    int white_y, red_v;

    /* 8x8 BMP: 24 bits, bottom-up, left half white, right half red. */
    static const uint8_t header[54] = {'B', 'M', 246, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0,  0,
                                       8,   0,   0,   0, 8, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0,  0, 192};

    memcpy(ppm, header, sizeof(header));
    for (int i = 0; i < 64; i++)
        memcpy(ppm + 54 + 3 * i, i % 8 < 4 ? "\xff\xff\xff" : "\0\0\xff", 3);
    write_bytes(in_folder("still.bmp"), ppm, 54 + 192);
    CHECK_INT(vsm_video_reader_open(in_folder("still.bmp"), &options, &reader), VSM_OK);
    CHECK_INT(vsm_video_reader_info(reader)->frames, 1);
    CHECK(vsm_video_reader_info(reader)->frames_exact);
    CHECK_INT(vsm_video_reader_info(reader)->colour.matrix, 1);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_OK);
    white_y = frame->source->data[0][0];
    red_v = frame->source->data[2][7];
    CHECK_NEAR(white_y, 235, 1);
    CHECK_NEAR(red_v, 240, 1);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_EOF);
    CHECK_INT(vsm_video_reader_seek(reader, 0), VSM_OK);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_OK);
    CHECK_INT(frame->index, 0);
    CHECK_INT(vsm_video_reader_seek(reader, 1), VSM_EOF);
    CHECK_INT(vsm_video_reader_seek(reader, -1), VSM_E_USAGE);
    vsm_frame_destroy(&frame);
    vsm_video_reader_close(reader);
}

/* Images must outlive the reader: the pipeline drains after the reader stage is gone. */
static void test_images_outlive_the_reader(void)
{
    const struct tiny_video video = {.pixel_format = AV_PIX_FMT_YUV420P,
                                     .width = 64,
                                     .height = 48,
                                     .frames = 5};
    struct vsm_frame *a = vsm_frame_create(), *b = vsm_frame_create();
    struct vsm_video_reader *reader;
    uint32_t before;

    CHECK(tiny_video_write(in_folder("five.mkv"), &video));
    CHECK_INT(vsm_video_reader_open(in_folder("five.mkv"), &options, &reader), VSM_OK);
    CHECK_INT(vsm_video_reader_next(reader, a), VSM_OK);
    before = vsm_hash_crc32(0, a->source->data[0], 64);
    CHECK_INT(vsm_video_reader_next(reader, b), VSM_OK);
    CHECK_INT(vsm_hash_crc32(0, a->source->data[0], 64), before);
    vsm_video_reader_close(reader);
    CHECK_INT(vsm_hash_crc32(0, a->source->data[0], 64), before);
    CHECK_INT(b->index, 1);
    vsm_frame_destroy(&a);
    vsm_frame_destroy(&b);
}

static void test_interrupt(void)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader;

    CHECK_INT(vsm_video_reader_open(in_folder("five.mkv"), &options, &reader), VSM_OK);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_OK);
    vsm_video_reader_interrupt(reader);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_E_CANCELLED);
    CHECK_INT(vsm_video_reader_seek(reader, 0), VSM_E_CANCELLED);
    vsm_frame_destroy(&frame);
    vsm_video_reader_close(reader);
}

struct walk {
    int pictures, repeated;
    int64_t pts[64];
    uint32_t hash[64];
};

/* Reads to the end; numbers must run on without gaps. -1 if it cannot be opened. */
static int walk(const char *path, struct walk *w)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader;
    int r = vsm_video_reader_open(path, &options, &reader);

    memset(w, 0, sizeof(*w));
    if (r == VSM_OK) {
        while (w->pictures < 64 && (r = vsm_video_reader_next(reader, frame)) == VSM_OK) {
            CHECK_INT(frame->index, w->pictures);
            w->repeated += frame->repeated;
            w->hash[w->pictures] = vsm_hash_crc32(0, frame->source->data[0], (size_t)frame->source->width);
            w->pts[w->pictures++] = frame->pts;
        }
        CHECK_INT(vsm_video_reader_damaged(reader), w->repeated);
        vsm_video_reader_close(reader);
    }
    vsm_frame_destroy(&frame);
    return r;
}

/* reported: the decoder tells of damage. FFmpeg 5.1's FFV1 decoder fills from the last picture silently. */
static void check_damage(const char *name, const char *codec, enum AVPixelFormat pixel_format, bool reported)
{
    const struct tiny_video video = {
        .codec = codec, .pixel_format = pixel_format, .width = 64, .height = 48, .frames = 40, .b_frames = 0};
    static struct walk good, bad;
    uint8_t *data;
    size_t size;

    CHECK(tiny_video_write(in_folder(name), &video));
    CHECK_INT(walk(in_folder(name), &good), VSM_EOF);
    CHECK_INT(good.pictures, 40);
    CHECK_INT(good.repeated, 0);
    data = read_bytes(in_folder(name), &size);
    for (size_t i = 6; i < 12; i++)
        memset(data + size * i / 20, 0xff, 24);
    write_bytes(in_folder(name), data, size);
    CHECK_INT(walk(in_folder(name), &bad), VSM_EOF);
    CHECK_INT(bad.pictures, 40);
    CHECK((bad.repeated > 0 || !reported) && bad.repeated < 20);
    CHECK(memcmp(good.pts, bad.pts, sizeof(good.pts)) == 0);
    CHECK(good.hash[39] == bad.hash[39]);
    free(data);
}

static void test_damaged_packets(void)
{
    check_damage("damage.avi", "ffv1", AV_PIX_FMT_YUV420P, false);
    check_damage("damage.mov", "mjpeg", AV_PIX_FMT_YUVJ420P, true);
    check_damage("damage.mp4", "mpeg4", AV_PIX_FMT_YUV420P, true);
}

static void check_cuts(const char *name, const char *codec, int b_frames)
{
    const struct tiny_video video = {.codec = codec,
                                     .pixel_format = AV_PIX_FMT_YUV420P,
                                     .width = 32,
                                     .height = 32,
                                     .frames = 30,
                                     .gop = 10,
                                     .b_frames = b_frames};
    static struct walk whole, part;
    char path[128];
    uint8_t *data;
    size_t size;

    CHECK(tiny_video_write(in_folder(name), &video));
    snprintf(path, sizeof(path), "%s/cut.%s", folder, strrchr(name, '.') + 1);
    CHECK_INT(walk(in_folder(name), &whole), VSM_EOF);
    CHECK_INT(whole.pictures, 30);
    data = read_bytes(in_folder(name), &size);
    for (int i = 1; i < 40; i++) {
        int r;

        write_bytes(path, data, size * (size_t)i / 40);
        r = walk(path, &part);
        CHECK(r == VSM_EOF || r == VSM_E_INPUT);
        CHECK(part.pictures <= 30);
        if (r == VSM_E_INPUT)
            CHECK_HAS(vsm_error_message(), path);
        for (int n = 0; n < part.pictures - 1 - part.repeated; n++)
            CHECK_INT(part.pts[n], whole.pts[n]);
    }
    free(data);
}

static void test_cut_files(void)
{
    check_cuts("whole.mp4", "mpeg4", 2);
    check_cuts("whole.mkv", "mpeg4", 2);
    check_cuts("whole.ts", "mpeg2video", 2);
    check_cuts("whole.avi", "mpeg4", 2);
}

#ifdef VSM_FAULT_POINTS

/* Opens, reads, seeks and reads while the n-th allocation fails. false when none failed. */
static bool fail_allocation(const char *path, unsigned long n)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader;
    int r;
    bool hit;

    vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
    r = vsm_video_reader_open(path, &options, &reader);
    if (r == VSM_OK)
        r = vsm_video_reader_next(reader, frame);
    if (r == VSM_OK)
        r = vsm_video_reader_seek(reader, 25);
    if (r == VSM_OK)
        r = vsm_video_reader_next(reader, frame);
    if (r == VSM_OK)
        r = vsm_video_reader_seek(reader, 2);
    hit = vsm_fault_hits() >= n;
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK_INT(r, hit ? VSM_E_NOMEM : VSM_OK);
    vsm_video_reader_close(reader);
    vsm_frame_destroy(&frame);
    return hit;
}

static void test_failing_allocations(void)
{
    static const char *const names[] = {"whole.mp4", "whole.mkv", "still.bmp"};

    for (int i = 0; i < 2; i++)
        for (unsigned long n = 1; fail_allocation(in_folder(names[i]), n); n++)
            CHECK(n < 1000);
}

#else

static void test_failing_allocations(void)
{
    tap_skip("needs -Dfault_points=true");
}

#endif

int main(void)
{
    const char *base = getenv("TMPDIR");
    char command[128];

    snprintf(folder, sizeof(folder), "%.40s/vsm_reader_XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    RUN(test_what_is_no_video);
    RUN(test_huge_claims);
    RUN(test_info_of_mp4);
    RUN(test_vr_boxes);
    RUN(test_second_layer_is_refused);
    RUN(test_formats);
    RUN(test_rgb_values);
    RUN(test_images_outlive_the_reader);
    RUN(test_interrupt);
    RUN(test_damaged_packets);
    RUN(test_cut_files);
    RUN(test_failing_allocations);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    if (system(command) != 0)
        printf("# %s is left behind\n", folder);
    return tap_done();
}
