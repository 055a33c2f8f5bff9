#include "media/video_writer.h"

#include "base/file.h"
#include "base/mem.h"
#include "media_source.h"
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
        .encoder = {.codec = codec,
                    .crf = -1,
                    .threads = 1,
                    .width = WIDTH,
                    .height = HEIGHT,
                    .format = yuv420,
                    .colour = {1, 1, 1, false, 1},
                    .time_base = {1, 90000},
                    .frame_rate = {30, 1}},
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

        status = vsm_video_writer_put(writer, image, pts_of(n), 0);
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

    CHECK(media_source_make(source, 1.5, &aac, 1, false));
    check_copied(source, 1, write_whole("out.mp4", "libx264", source), 1, true);
    source = media_source_path("two.mp4");
    CHECK(media_source_make(source, 1.5, two, 2, false));
    check_copied(source, 1, write_whole("out.mp4", "libx264", source), 1, true);
    check_copied(source, 2, media_source_path("out.mp4"), 2, true);
    source = media_source_path("pcm.mov");
    CHECK(media_source_make(source, 1.5, &pcm, 1, false));
    check_copied(source, 1, write_whole("out.mov", "libx264", source), 1, true);
    source = media_source_path("opus.mkv");
    if (!media_source_make(source, 1.5, &opus, 1, false)) {
        tap_skip("no Opus encoder");
        return;
    }
    check_copied(source, 1, write_whole("out.mkv", "libx264", source), 1, true);
    check_copied(source, 1, write_whole("out.webm", "libvpx-vp9", source), 1, true);
}

int main(void)
{
    RUN(test_presentation_times_survive);
    RUN(test_audio_is_copied);
    media_source_clean();
    return tap_done();
}
