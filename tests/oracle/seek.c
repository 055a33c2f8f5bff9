/* Every picture of small files in many containers and codecs: a straight decode must give what the ffmpeg
 * program gives, and seeking to each N, in any order, what the straight decode gave. */
#include "media/video_reader.h"

#include "base/hash.h"
#include "tap.h"

#include <stdarg.h>

#include <stdlib.h>
#include <sys/stat.h>

#define MAX_PICTURES 128

static char folder[64];

struct picture {
    uint32_t hash;
    int64_t pts;
};

static uint32_t hash_image(const struct vsm_image *image, FILE *raw, bool *same)
{
    uint8_t expected[4096];
    uint32_t hash = 0;

    for (int p = 0; p < vsm_format_plane_count(image->format); p++) {
        size_t row = (size_t)vsm_format_plane_width(image->format, p, image->width) *
                     (size_t)vsm_format_bytes_per_sample(image->format);

        for (int y = 0; y < vsm_format_plane_height(image->format, p, image->height); y++) {
            const uint8_t *data = image->data[p] + y * image->stride[p];

            hash = vsm_hash_crc32(hash, data, row);
            if (raw && (row > sizeof(expected) || fread(expected, 1, row, raw) != row ||
                        memcmp(expected, data, row) != 0))
                *same = false;
        }
    }
    return hash;
}

/* Decodes all, comparing the pixels with the ffmpeg program's. */
static int decode_all(struct vsm_video_reader *reader, const char *raw_path, struct picture *pictures)
{
    struct vsm_frame *frame = vsm_frame_create();
    FILE *raw = fopen(raw_path, "rb");
    bool same = true;
    int count = 0, r;

    CHECK(raw != NULL);
    while ((r = vsm_video_reader_next(reader, frame)) == VSM_OK && count < MAX_PICTURES) {
        CHECK_INT(frame->index, count);
        CHECK(!frame->repeated);
        pictures[count].hash = hash_image(frame->source, raw, &same);
        pictures[count].pts = frame->pts;
        if (count > 0)
            CHECK(frame->pts > pictures[count - 1].pts);
        count++;
    }
    CHECK_INT(r, VSM_EOF);
    CHECK(same);
    if (raw) {
        CHECK(fgetc(raw) == EOF);
        fclose(raw);
    }
    vsm_frame_destroy(&frame);
    return count;
}

static void seek_to(struct vsm_video_reader *reader, const struct picture *pictures, int n)
{
    struct vsm_frame *frame = vsm_frame_create();
    bool same;

    CHECK_INT(vsm_video_reader_seek(reader, n), VSM_OK);
    CHECK_INT(vsm_video_reader_next(reader, frame), VSM_OK);
    if (frame->source) {
        CHECK_INT(frame->index, n);
        CHECK_INT(frame->pts, pictures[n].pts);
        CHECK_INT(hash_image(frame->source, NULL, &same), pictures[n].hash);
        CHECK(!frame->repeated);
    }
    vsm_frame_destroy(&frame);
}

static void check_file(const char *path, const char *raw_path, int expected, int threads)
{
    const struct vsm_video_reader_options options = {.threads = threads};
    static struct picture pictures[MAX_PICTURES];
    struct vsm_video_reader *reader, *fresh;
    int count;

    CHECK_INT(vsm_video_reader_open(path, &options, &reader), VSM_OK);
    if (!reader) {
        printf("# %s\n", vsm_error_message());
        return;
    }
    count = decode_all(reader, raw_path, pictures);
    CHECK_INT(count, expected);
    CHECK_INT(pictures[0].pts, vsm_video_reader_info(reader)->start_pts);
    if (vsm_video_reader_info(reader)->frames_exact)
        CHECK_INT(vsm_video_reader_info(reader)->frames, count);
    for (int i = 0; i < count; i++)
        seek_to(reader, pictures, (i * 37 + 11) % count);
    for (int i = count - 1; i >= 0; i--)
        seek_to(reader, pictures, i);
    CHECK_INT(vsm_video_reader_seek(reader, count), VSM_EOF);
    CHECK_INT(vsm_video_reader_damaged(reader), 0);
    vsm_video_reader_close(reader);
    CHECK_INT(vsm_video_reader_open(path, &options, &fresh), VSM_OK);
    seek_to(fresh, pictures, count * 3 / 4);
    vsm_video_reader_close(fresh);
}

#define SOURCE "-f lavfi -i testsrc2=size=96x64:rate=30 -frames:v 50 "
/* Every third picture is left out: a variable frame rate. */
#define VFR "-vf \"select='mod(n,3)+1*gt(n,30)'\" "

static const struct {
    const char *name, *file, *options;
    int pictures;
} cases[] = {
    {"H.264 with B-frames in MP4", "a.mp4", SOURCE "-c:v libx264 -g 12 -bf 3 -pix_fmt yuv420p", 50},
    {"H.264 open GOP in MP4", "b.mp4",
     SOURCE "-c:v libx264 -x264-params open-gop=1:keyint=12:bframes=3:b-adapt=0", 50},
    {"H.264 open GOP in Matroska", "c.mkv",
     SOURCE "-c:v libx264 -x264-params open-gop=1:keyint=12:bframes=3:b-adapt=0", 50},
    {"H.264 open GOP in a transport stream", "d.ts",
     SOURCE "-c:v libx264 -x264-params open-gop=1:keyint=12:bframes=3:b-adapt=0", 50},
    {"MPEG-2 in a transport stream", "e.ts", SOURCE "-c:v mpeg2video -g 10 -bf 2 -pix_fmt yuv420p", 50},
    {"H.264 of variable frame rate in Matroska", "f.mkv", SOURCE VFR "-fps_mode vfr -c:v libx264 -g 9 -bf 2",
     50},
    {"H.264 of variable frame rate in MP4", "g.mp4", SOURCE VFR "-fps_mode vfr -c:v libx264 -g 9 -bf 2", 50},
    {"HEVC 10 bit open GOP in MP4", "h.mp4",
     SOURCE "-c:v libx265 -pix_fmt yuv420p10 -x265-params log-level=error:open-gop=1:keyint=12:bframes=3",
     50},
    {"HEVC in Matroska", "i.mkv", SOURCE "-c:v libx265 -x265-params log-level=error:keyint=15:bframes=4", 50},
    {"HEVC in a transport stream", "j.ts",
     SOURCE "-c:v libx265 -x265-params log-level=error:keyint=15:bframes=4", 50},
    {"VP9 with hidden reference pictures in WebM", "k.webm",
     SOURCE
     "-c:v libvpx-vp9 -g 12 -deadline realtime -cpu-used 6 -auto-alt-ref 1 -lag-in-frames 12 -b:v 100k",
     50},
    {"VP8 with hidden reference pictures in WebM", "l.webm",
     SOURCE "-c:v libvpx -g 12 -deadline good -cpu-used 4 -auto-alt-ref 1 -lag-in-frames 12 -b:v 100k", 50},
    {"AV1 in MP4", "m.mp4", SOURCE "-c:v libaom-av1 -cpu-used 8 -g 12 -b:v 100k", 50},
    {"MJPEG in AVI", "n.avi", SOURCE "-c:v mjpeg -pix_fmt yuvj422p", 50},
    {"MJPEG in QuickTime", "o.mov", SOURCE "-c:v mjpeg -pix_fmt yuvj420p", 50},
    {"ProRes in QuickTime", "p.mov", SOURCE "-c:v prores_ks -profile:v 3", 50},
    {"FFV1 10 bit in Matroska", "q.mkv", SOURCE "-c:v ffv1 -pix_fmt yuv444p10", 50},
    {"H.264 with B-frames in AVI, without time stamps", "r.avi", SOURCE "-c:v libx264 -g 12 -bf 2", 50},
    {"H.264 elementary stream, without time stamps", "s.h264", SOURCE "-c:v libx264 -g 12 -bf 2", 50},
    {"H.264 in fragmented MP4", "t.mp4", SOURCE "-c:v libx264 -g 12 -bf 2 -movflags frag_keyframe+empty_moov",
     50},
    {"H.264 cropped on all sides", "v.mp4",
     SOURCE "-c:v libx264 -g 12 -bf 2 -bsf:v h264_metadata=crop_left=6:crop_right=4:crop_top=2:crop_bottom=8",
     50},
    {"HEVC 4:2:2 12 bit with B-pyramid", "w.mkv",
     SOURCE "-c:v libx265 -pix_fmt yuv422p12 -x265-params log-level=error:keyint=20:bframes=6:b-pyramid=1",
     50},
    {"H.264 with periodic intra refresh in a transport stream", "x.ts",
     SOURCE "-c:v libx264 -x264-params intra-refresh=1:keyint=12:bframes=0", 50},
    {"MPEG-4 with B-frames in AVI", "y.avi", SOURCE "-c:v mpeg4 -g 12 -bf 2", 50},
    {"H.264 gray in Matroska", "u.mkv", SOURCE "-c:v libx264 -g 12 -bf 2 -pix_fmt gray", 50},
};

static int shell(const char *format, ...) VSM_PRINTF(1, 2);

static int shell(const char *format, ...)
{
    char command[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

static void check_with_threads(const char *path, const char *raw, int pictures)
{
    check_file(path, raw, pictures, 1);
    check_file(path, raw, pictures, 3);
}

static int current;

static void test_case(void)
{
    char path[128], raw[128];

    snprintf(path, sizeof(path), "%s/%s", folder, cases[current].file);
    snprintf(raw, sizeof(raw), "%s/raw.yuv", folder);
    if (shell("ffmpeg -nostdin -v error %s -threads 2 -y %s 2>/dev/null", cases[current].options, path) !=
        0) {
        tap_skip("this ffmpeg cannot encode it");
        return;
    }
    CHECK_INT(shell("ffmpeg -nostdin -v error -flags unaligned -i %s -fps_mode passthrough -f rawvideo -y %s",
                    path, raw),
              0);
    check_with_threads(path, raw, cases[current].pictures);
}

/* Cut without re-encoding, not at a key picture: the edit list hides what comes before. */
static void test_edit_list(void)
{
    char path[128], raw[128];

    snprintf(path, sizeof(path), "%s/edit.mp4", folder);
    snprintf(raw, sizeof(raw), "%s/raw.yuv", folder);
    if (shell("ffmpeg -nostdin -v error -ss 0.6 -i %s/a.mp4 -c copy -y %s", folder, path) != 0) {
        tap_skip("this ffmpeg cannot encode it");
        return;
    }
    CHECK_INT(shell("ffmpeg -nostdin -v error -flags unaligned -i %s -fps_mode passthrough -f rawvideo -y %s",
                    path, raw),
              0);
    check_with_threads(path, raw, 32);
}

/* Two transport streams one behind the other: time stamps begin anew in the middle. */
static void test_joined_streams(void)
{
    char path[128], raw[128];

    snprintf(path, sizeof(path), "%s/joined.ts", folder);
    snprintf(raw, sizeof(raw), "%s/raw.yuv", folder);
    if (shell("cat %s/e.ts %s/e.ts > %s", folder, folder, path) != 0) {
        tap_skip("no transport stream");
        return;
    }
    CHECK_INT(shell("ffmpeg -nostdin -v error -flags unaligned -i %s -fps_mode passthrough -f rawvideo -y %s "
                    "2>/dev/null",
                    path, raw),
              0);
    check_with_threads(path, raw, 100);
}

int main(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof(folder), "%.40s/vsm_seek_XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    if (shell("ffmpeg -version >/dev/null 2>&1") != 0) {
        printf("1..0 # SKIP the ffmpeg program is not installed\n");
        return 0;
    }
    for (current = 0; current < (int)(sizeof(cases) / sizeof(cases[0])); current++)
        tap_run(cases[current].name, test_case);
    RUN(test_edit_list);
    RUN(test_joined_streams);
    if (shell("rm -r %s", folder) != 0)
        printf("# %s is left behind\n", folder);
    return tap_done();
}
