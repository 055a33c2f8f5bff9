#include "media/video_writer.h"

#include "base/file.h"
#include "base/parallel.h"
#include "media/ff.h"
#include "media/vr_boxes.h"
#include "media/vr_boxes_write.h"
#include "media_source.h"
#include "stages/write_stage.h"
#include "tap.h"

#include <sys/stat.h>

#define WIDTH  64
#define HEIGHT 32
#define FRAMES 45
#define MAX    2000

static const struct vsm_format yuv420 = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};

static struct vsm_video_writer_options options_of(const char *path, const char *codec, const char *source)
{
    return (struct vsm_video_writer_options){
        .path = path,
        .encoder = media_source_encoder(codec, yuv420, WIDTH, HEIGHT),
        .source_path = source,
        .end_pts = INT64_MAX,
    };
}

/* Variable frame rate on a millisecond grid, so that Matroska can hold it too. */
static int64_t pts_of(int n)
{
    return 90 * (n * 33 + (n % 5 == 3 ? 11 : 0));
}

static int put(struct vsm_video_writer *writer, int first, int end)
{
    int status = VSM_OK;

    for (int n = first; status == VSM_OK && n < end; n++) {
        struct vsm_image *image = media_source_picture(yuv420, WIDTH, HEIGHT, n);

        status = vsm_video_writer_put(writer, &image, pts_of(n), 0);
        vsm_image_unref(&image);
    }
    return status;
}

static bool exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

/* Writes FRAMES pictures to `name`; returns the path. */
static const char *write_whole(const char *name, const char *codec, const char *source)
{
    const char *path = media_source_path(name);
    struct vsm_video_writer_options options = options_of(path, codec, source);
    struct vsm_video_writer *writer = NULL;
    int status;

    unlink(path);
    status = vsm_video_writer_open(&options, &writer);
    if (status == VSM_OK)
        status = put(writer, 0, FRAMES);
    CHECK(!exists(path));
    if (status == VSM_OK)
        status = vsm_video_writer_finish(writer);
    if (status != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s: %s", name, vsm_error_message());
    vsm_video_writer_close(writer, false);
    CHECK(exists(path));
    return path;
}

static void check_presentation_times(const char *name, const char *codec)
{
    static struct media_source_packet packets[MAX];
    const char *path = write_whole(name, codec, NULL);
    int count = media_source_packets(path, packets, MAX), seen = 0;
    bool reordered = false;

    CHECK_INT(count, FRAMES);
    for (int i = 0; i < count; i++) {
        for (int n = 0; n < FRAMES; n++)
            seen += packets[i].pts == pts_of(n) * 100 / 9;
        reordered = reordered || (i > 0 && packets[i].pts < packets[i - 1].pts);
    }
    CHECK_INT(seen, FRAMES);
    CHECK_INT(reordered, strcmp(codec, "libx264") == 0);
}

static void test_presentation_times_survive(void)
{
    check_presentation_times("times.mp4", "libx264");
    check_presentation_times("times.mov", "libx264");
    check_presentation_times("times.mkv", "libx264");
    check_presentation_times("times.webm", "libvpx-vp9");
}

static int of_stream(const struct media_source_packet *all, int count, int stream,
                     struct media_source_packet *found)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        if (all[i].stream == stream)
            found[n++] = all[i];
    return n;
}

/* Audio stream `from` of the source against `to` of the output: same payload, same times. */
static void check_copied(const char *source, int from, const char *output, int to, bool exact)
{
    static struct media_source_packet all[MAX], a[MAX], b[MAX];
    int a_count = of_stream(all, media_source_packets(source, all, MAX), from, a);
    int b_count = of_stream(all, media_source_packets(output, all, MAX), to, b);

    CHECK(a_count > 10);
    CHECK_INT(b_count, a_count);
    for (int i = 0; i < a_count && i < b_count; i++) {
        CHECK_INT(a[i].crc, b[i].crc);
        if (exact)
            CHECK_INT(a[i].pts, b[i].pts);
        else
            CHECK(llabs(a[i].pts - b[i].pts) <= 1000);
    }
}

static void test_audio_is_copied(void)
{
    static const struct media_source_audio aac = {"aac", 44100, 2}, opus = {"libopus", 48000, 2},
                                           pcm = {"pcm_s16le", 48000, 2};
    const struct media_source_audio two[] = {aac, {"aac", 48000, 1}};
    const char *source = media_source_path("aac.mp4");

    CHECK(media_source_make(source, 1.5, &aac, 1, NULL));
    check_copied(source, 1, write_whole("out.mp4", "libx264", source), 1, true);
    source = media_source_path("two.mp4");
    CHECK(media_source_make(source, 1.5, two, 2, NULL));
    check_copied(source, 1, write_whole("out.mp4", "libx264", source), 1, true);
    check_copied(source, 2, media_source_path("out.mp4"), 2, true);
    source = media_source_path("pcm.mov");
    CHECK(media_source_make(source, 1.5, &pcm, 1, NULL));
    check_copied(source, 1, write_whole("out.mov", "libx264", source), 1, true);
    source = media_source_path("opus.mkv");
    if (!media_source_make(source, 1.5, &opus, 1, NULL)) {
        tap_skip("no Opus encoder");
        return;
    }
    check_copied(source, 1, write_whole("out.mkv", "libx264", source), 1, true);
    check_copied(source, 1, write_whole("out.webm", "libvpx-vp9", source), 1, true);
}

static void test_uncopyable_streams_are_named(void)
{
    static const struct media_source_audio pcm = {"pcm_s16le", 48000, 2};
    const char *source = media_source_path("timecode.mov"), *path = media_source_path("remarks.mp4");
    struct vsm_video_writer_options options = options_of(path, "libx264", source);
    struct vsm_video_writer *writer = NULL;

    CHECK(media_source_make(source, 1, &pcm, 1, "timecode"));
    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_OK);
    CHECK_HAS(vsm_video_writer_remarks(writer), "data stream 2 (tmcd)");
    CHECK_HAS(vsm_video_writer_remarks(writer), "container cannot hold it");
    CHECK_INT(put(writer, 0, 3), VSM_OK);
    vsm_video_writer_close(writer, false);
    CHECK(!exists(path));
    CHECK(!exists(media_source_path("remarks.mp4.part")));
    CHECK(!exists(media_source_path("remarks.mp4.part.index")));
}

/* From 0.5 s to 1 s of a source of 1.5 s. */
/* Outputs side by side: the first that fails is told, in whichever thread it did; pictures that were not
 * taken stay the frame's. */
static void test_failures_side_by_side(void)
{
    static const int widths[][2] = {{WIDTH, 34}, {36, WIDTH}, {38, 40}, {WIDTH, WIDTH}};
    static const char *const words[] = {"34x32", "36x32", "38x32"};
    struct vsm_write_stage stage = {.count = 2, .pool = vsm_parallel_create(2)};
    const struct vsm_stage described = vsm_write_stage_describe(&stage);

    CHECK(stage.pool != NULL);
    for (int i = 0; i < 2; i++) {
        const char *path = media_source_path(i ? "beside.mkv" : "side.mkv");
        const struct vsm_video_writer_options options = options_of(path, "ffv1", NULL);

        unlink(path);
        CHECK_INT(vsm_video_writer_open(&options, &stage.writers[i]), VSM_OK);
    }
    for (int n = 0; n < 40; n++) {
        struct vsm_frame *frame = vsm_frame_create();
        const int kind = n % 4;

        frame->seq = stage.next_seq;
        frame->pts = pts_of(n);
        for (int i = 0; i < 2; i++)
            frame->outputs[i] = media_source_picture(yuv420, widths[kind][i], HEIGHT, n);
        CHECK_INT(described.run(described.self, frame), kind < 3 ? VSM_E_INTERNAL : VSM_OK);
        for (int i = 0; i < 2; i++)
            CHECK((frame->outputs[i] == NULL) == (widths[kind][i] == WIDTH));
        if (kind < 3)
            CHECK_HAS(vsm_error_message(), words[kind]);
        vsm_frame_destroy(&frame);
    }
    CHECK_INT(stage.next_seq, 10);
    vsm_video_writer_close(stage.writers[0], false);
    vsm_video_writer_close(stage.writers[1], false);
    vsm_parallel_destroy(stage.pool);
}

static void test_trimming(void)
{
    static const struct media_source_audio aac = {"aac", 48000, 2};
    static struct media_source_packet all[MAX], audio[MAX], before[MAX];
    const char *source = media_source_path("trim.mp4"), *path = media_source_path("trimmed.mp4");
    struct vsm_video_writer_options options = options_of(path, "libx264", source);
    struct vsm_video_writer *writer = NULL;
    int count, source_count, at = 0;

    CHECK(media_source_make(source, 1.5, &aac, 1, NULL));
    options.first_pts = 45000;
    options.end_pts = 90000;
    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_OK);
    for (int n = 0; n < 15; n++) {
        struct vsm_image *image = media_source_picture(yuv420, WIDTH, HEIGHT, n);

        CHECK_INT(vsm_video_writer_put(writer, &image, 45000 + n * 3000, 3000), VSM_OK);
        vsm_image_unref(&image);
    }
    CHECK_INT(vsm_video_writer_finish(writer), VSM_OK);
    vsm_video_writer_close(writer, false);
    count = media_source_packets(path, all, MAX);
    CHECK_INT(of_stream(all, count, 0, audio), 15);
    CHECK_INT(audio[0].pts, 0);
    count = of_stream(all, count, 1, audio);
    CHECK(count >= 22 && count <= 24);
    source_count = of_stream(all, media_source_packets(source, all, MAX), 1, before);
    while (at < source_count && before[at].crc != audio[0].crc)
        at++;
    for (int i = 0; i < count; i++) {
        CHECK(at + i < source_count && audio[i].crc == before[at + i].crc);
        CHECK(llabs(audio[i].pts - (before[at + i].pts - 500000)) <= 1);
        CHECK(audio[i].pts >= 0 && audio[i].pts < 500000);
    }
}

static void refuse(const char *name, const char *codec, const char *part, const char *other)
{
    const char *path = media_source_path(name);
    struct vsm_video_writer_options options = options_of(path, codec, NULL);
    struct vsm_video_writer *writer = NULL;

    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), part);
    CHECK_HAS(vsm_error_message(), other);
    CHECK(!exists(path));
}

static void test_containers_refuse_what_they_cannot_hold(void)
{
    refuse("a.mp4", "ffv1", "ffv1", ".mkv");
    refuse("a.webm", "libx264", "h264", ".mp4");
    refuse("a.mp4", "prores_ks", "prores", ".mov");
    refuse("a.avi", "libx264", "a.avi", ".mkv");
}

static void test_output_folder_missing(void)
{
    struct vsm_video_writer_options options = options_of(media_source_path("no/such.mp4"), "libx264", NULL);
    struct vsm_video_writer *writer = NULL;

    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "no/such.mp4.part");
    CHECK_HAS(vsm_error_message(), "No such file");
}

static void test_symbolic_link_is_not_followed(void)
{
    const char *target = media_source_path("target"), *link_path = media_source_path("linked.mp4.part");
    struct vsm_video_writer_options options = options_of(media_source_path("linked.mp4"), "libx264", NULL);
    struct vsm_video_writer *writer = NULL;

    CHECK_INT(symlink(target, link_path), 0);
    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_OK);
    vsm_video_writer_close(writer, false);
    CHECK(!exists(target));
}

static const AVStream *open_video(const char *path, AVFormatContext **in)
{
    *in = NULL;
    if (avformat_open_input(in, path, NULL, NULL) < 0 || avformat_find_stream_info(*in, NULL) < 0)
        return NULL;
    return (*in)->streams[0];
}

static void check_boxes(const struct vsm_vr_boxes *boxes, enum vsm_layout layout, bool right_left)
{
    CHECK(boxes->has_stereo && boxes->has_projection && boxes->equirect);
    CHECK_INT(boxes->stereo, layout);
    CHECK_INT(boxes->right_left, right_left);
    CHECK_INT(boxes->bound_left, VSM_VR_BOXES_QUARTER);
    CHECK_INT(boxes->bound_right, VSM_VR_BOXES_QUARTER);
    CHECK_INT(boxes->bound_top | boxes->bound_bottom, 0);
}

static void check_vr(const char *name, const char *codec, enum vsm_layout layout, bool right_left)
{
    const char *path = media_source_path(name);
    struct vsm_video_writer_options options = options_of(path, codec, NULL);
    struct vsm_video_writer *writer = NULL;
    struct vsm_vr_boxes boxes = {0};
    struct vsm_vr_boxes_found found;
    AVFormatContext *in;
    const AVStream *stream;

    options.vr_boxes = VSM_VR_BOXES_SV3D;
    options.layout = layout;
    options.right_left = right_left;
    CHECK_INT(vsm_video_writer_open(&options, &writer), VSM_OK);
    CHECK_INT(put(writer, 0, 20), VSM_OK);
    CHECK_INT(vsm_video_writer_finish(writer), VSM_OK);
    vsm_video_writer_close(writer, false);
    if (strstr(name, ".m") && !strstr(name, ".mkv")) {
        CHECK_INT(vsm_vr_boxes_read_path(path, 0, &found), VSM_OK);
        CHECK(found.video);
        check_boxes(&found.boxes, layout, right_left);
        if (right_left) /* not known to FFmpeg */
            return;
    }
    stream = open_video(path, &in);
    CHECK(stream != NULL);
    if (stream)
        vsm_ff_stream_boxes(stream, &boxes);
    avformat_close_input(&in);
    check_boxes(&boxes, layout, right_left);
}

static void test_vr_boxes_in_every_container(void)
{
    check_vr("vr.mp4", "libx264", VSM_LAYOUT_SBS, false);
    check_vr("vr.mov", "libx264", VSM_LAYOUT_SBS, true);
    check_vr("vr5.mp4", "libx265", VSM_LAYOUT_TB, false);
    check_vr("vr.mkv", "libx264", VSM_LAYOUT_SBS, true);
    check_vr("vr.webm", "libvpx-vp9", VSM_LAYOUT_TB, false);
}

/* Any place of moov: the packets stay where they are and as they were. */
static void check_moov_place(const char *movflags)
{
    static const struct media_source_audio aac = {"aac", 48000, 2};
    static struct media_source_packet before[MAX], after[MAX];
    const char *path = media_source_path("moov.mp4");
    struct vsm_vr_boxes_found found;
    int count;

    CHECK(media_source_make(path, 1, &aac, 1, movflags));
    count = media_source_packets(path, before, MAX);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(vsm_vr_boxes_write(path, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, round == 1), VSM_OK);
        CHECK_INT(media_source_packets(path, after, MAX), count);
        CHECK(count > 40 && memcmp(before, after, (size_t)count * sizeof(before[0])) == 0);
        CHECK_INT(vsm_vr_boxes_read_path(path, 0, &found), VSM_OK);
        CHECK(found.boxes.equirect && found.boxes.has_stereo);
        CHECK_INT(found.boxes.right_left, round == 1);
    }
}

static void test_vr_boxes_wherever_moov_is(void)
{
    check_moov_place(NULL);
    check_moov_place("faststart");
}

static void test_vr_boxes_refuse_other_files(void)
{
    const char *path = media_source_path("frag.mp4");

    CHECK(media_source_make(path, 1, NULL, 0, "frag_keyframe+empty_moov"));
    CHECK_INT(vsm_vr_boxes_write(path, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, false), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "fragmented");
    path = media_source_path("text.mp4");
    CHECK_INT(vsm_file_write_atomic(path, "\0\0\0\10free", 8), VSM_OK);
    CHECK_INT(vsm_vr_boxes_write(path, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, false), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "no moov");
}

int main(void)
{
    RUN(test_uncopyable_streams_are_named);
    RUN(test_failures_side_by_side);
    RUN(test_trimming);
    RUN(test_containers_refuse_what_they_cannot_hold);
    RUN(test_output_folder_missing);
    RUN(test_symbolic_link_is_not_followed);
    RUN(test_vr_boxes_in_every_container);
    RUN(test_vr_boxes_wherever_moov_is);
    RUN(test_vr_boxes_refuse_other_files);
    RUN(test_presentation_times_survive);
    RUN(test_audio_is_copied);
    media_source_clean();
    return tap_done();
}
