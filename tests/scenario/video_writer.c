/* Whatever happens between two marks, a resumed output is the undisturbed one, byte by byte. */
#include "media/video_writer.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "media_source.h"
#include "tap.h"

#include <errno.h>
#include <sys/stat.h>

#define WIDTH  128
#define HEIGHT 64
#define FRAMES 40
#define MARK   15 /* marks behind pictures 15 and 30 */

static const struct vsm_format yuv420 = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};

/* One run's outside world: the options and what the last mark said. */
struct job {
    struct vsm_video_writer_options options;
    char path[256], source[256];
    struct vsm_bytes_out state; /* of the last mark */
    int marked;                 /* pictures before it */
};

static struct job job_of(const char *name, const char *codec, const char *source)
{
    struct job job = {
        .options = {.encoder = media_source_encoder(codec, yuv420, WIDTH, HEIGHT),
                    .end_pts = INT64_MAX,
                    .vr_boxes = VSM_VR_BOXES_SV3D,
                    .layout = VSM_LAYOUT_SBS},
    };

    job.options.encoder.time_base = (struct vsm_rational){1, 30000};
    snprintf(job.path, sizeof(job.path), "%s", media_source_path(name));
    if (source)
        snprintf(job.source, sizeof(job.source), "%s", source);
    return job;
}

static int mark(struct job *job, struct vsm_video_writer *writer, int pictures)
{
    struct vsm_bytes_out state = {0};
    int status = vsm_video_writer_mark(writer, &state);

    if (status != VSM_OK) {
        vsm_bytes_out_finish(&state);
        return status;
    }
    vsm_bytes_out_finish(&job->state);
    job->state = state;
    job->marked = pictures;
    return VSM_OK;
}

/* Puts pictures `first` .. end - 1 with the marks of the fixed grid. */
static int put(struct job *job, struct vsm_video_writer *writer, int first, int end)
{
    int status = VSM_OK;

    for (int n = first; status == VSM_OK && n < end; n++) {
        struct vsm_image *image = media_source_picture(yuv420, WIDTH, HEIGHT, n);

        status = vsm_video_writer_put(writer, &image, n * 1000 + (n % 4 == 1 ? 250 : 0), 1000);
        vsm_image_unref(&image);
        if (status == VSM_OK && (n + 1) % MARK == 0)
            status = mark(job, writer, n + 1);
    }
    return status;
}

/* Opens anew or from the last mark. */
static int begin(struct job *job, struct vsm_video_writer **writer)
{
    struct vsm_bytes_in state = vsm_bytes_in_of(job->state.data, job->state.size);

    job->options.path = job->path;
    job->options.source_path = job->source[0] ? job->source : NULL;
    return job->marked ? vsm_video_writer_resume(&job->options, &state, writer)
                       : vsm_video_writer_open(&job->options, writer);
}

/* Runs to the end from wherever the job is. */
static int complete(struct job *job)
{
    struct vsm_video_writer *writer = NULL;
    int status = begin(job, &writer);

    if (status == VSM_OK)
        status = put(job, writer, job->marked, FRAMES);
    if (status == VSM_OK)
        status = vsm_video_writer_finish(writer);
    vsm_video_writer_close(writer, true);
    return status;
}

/* Runs up to picture `stop` and drops everything. */
static void run_and_drop(struct job *job, int stop)
{
    struct vsm_video_writer *writer = NULL;

    CHECK_INT(begin(job, &writer), VSM_OK);
    if (writer)
        CHECK_INT(put(job, writer, job->marked, stop), VSM_OK);
    vsm_video_writer_close(writer, true);
}

/* Offset of the first difference, or -1. */
static long long first_difference(const char *a, const char *b)
{
    uint8_t *a_data = NULL, *b_data = NULL;
    size_t a_size = 0, b_size = 0, at = 0;
    bool read = vsm_file_read(a, 100 << 20, VSM_E_INPUT, (void **)&a_data, &a_size) == VSM_OK &&
                vsm_file_read(b, 100 << 20, VSM_E_INPUT, (void **)&b_data, &b_size) == VSM_OK;

    while (read && at < a_size && at < b_size && a_data[at] == b_data[at])
        at++;
    vsm_mem_free(a_data);
    vsm_mem_free(b_data);
    return read && at == a_size && at == b_size ? -1 : (long long)at;
}

static void expect_complete(struct job *job, const char *whole)
{
    int marked = job->marked, status = complete(job);

    if (status != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s %s: %s", job->options.encoder.codec, job->path,
                       vsm_error_message());
    else if (first_difference(whole, job->path) >= 0)
        tap_fail_check(__FILE__, __LINE__,
                       "%s %s resumed at %d differs from the undisturbed run at byte %lld",
                       job->options.encoder.codec, job->path, marked, first_difference(whole, job->path));
    vsm_bytes_out_finish(&job->state);
    job->marked = 0;
    unlink(job->path);
}

static void check_resume(const char *extension, const char *codec, const char *source)
{
    static const int stops[] = {15, 16, 22, 30, 37, 40};
    char whole_name[32], cut_name[32];
    struct job whole, cut;

    if (!avcodec_find_encoder_by_name(codec)) {
        tap_skip("encoder not in this FFmpeg");
        return;
    }
    snprintf(whole_name, sizeof(whole_name), "whole.%s", extension);
    snprintf(cut_name, sizeof(cut_name), "cut.%s", extension);
    whole = job_of(whole_name, codec, source);
    unlink(whole.path);
    if (complete(&whole) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    vsm_bytes_out_finish(&whole.state);
    cut = job_of(cut_name, codec, source);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        run_and_drop(&cut, stops[i]);
        expect_complete(&cut, whole.path);
    }
    /* Again and again, also before anything new was marked. */
    for (int stop = 15; stop < FRAMES; stop += 5)
        run_and_drop(&cut, stop);
    expect_complete(&cut, whole.path);
}

static const char *make(const char *name, const struct media_source_audio *audio, int count,
                        const char *flags)
{
    const char *path = media_source_path(name);

    CHECK(media_source_make(path, FRAMES / 30.0, audio, count, flags));
    return path;
}

static const struct media_source_audio two_aac[] = {{"aac", 44100, 2}, {"aac", 48000, 1}};
static const struct media_source_audio pcm[] = {{"pcm_s16le", 48000, 2}};
static const struct media_source_audio opus[] = {{"libopus", 48000, 2}};
static const struct media_source_audio dolby[] = {{"ac3", 48000, 2}, {"eac3", 48000, 2}};

static void test_mp4(void)
{
    const char *source = make("aac.mp4", two_aac, 2, NULL);

    check_resume("mp4", "libx264", source);
    check_resume("mp4", "libx265", source);
    check_resume("mp4", "libvpx-vp9", source);
}

/* Codecs whose packets the MP4 muxer reads. */
static void test_mp4_with_parsed_audio(void)
{
    check_resume("mp4", "libx264", make("dolby.mp4", dolby, 2, NULL));
}

static void test_mov(void)
{
    const char *source = make("pcm.mov", pcm, 1, "timecode");

    check_resume("mov", "libx264", source);
    check_resume("mov", "prores_ks", source);
    check_resume("mov", "mjpeg", source);
}

static void test_mkv(void)
{
    const char *source = make("opus.mkv", opus, 1, NULL);

    check_resume("mkv", "libx264", source);
    check_resume("mkv", "libx265", source);
    check_resume("mkv", "ffv1", source);
    check_resume("mkv", "prores_ks", source);
    check_resume("mkv", "libx264", make("aac.ts", two_aac, 1, NULL));
}

static void test_webm(void)
{
    check_resume("webm", "libvpx-vp9", make("opus.mkv", opus, 1, NULL));
}

static void test_av1(void)
{
    const char *source = make("opus.mkv", opus, 1, NULL);

    check_resume("mkv", "libsvtav1", source);
    check_resume("mp4", "libsvtav1", source);
}

static void test_no_audio(void)
{
    check_resume("mp4", "libx264", NULL);
    check_resume("mkv", "libx264", NULL);
}

/* Killed when the file had its final name already, but the job did not know. */
static void test_resume_of_a_finished_file(void)
{
    struct job whole = job_of("whole.mp4", "libx264", NULL), job = job_of("finished.mp4", "libx264", NULL);

    CHECK_INT(complete(&whole), VSM_OK);
    CHECK_INT(complete(&job), VSM_OK);
    CHECK_INT(job.marked, 30);
    CHECK_INT(complete(&job), VSM_OK);
    expect_complete(&job, whole.path);
    /* Another file of that name is not taken for it. */
    CHECK_INT(complete(&job), VSM_OK);
    CHECK_INT(truncate(job.path, 0), 0);
    CHECK_INT(truncate(job.path, 1 << 20), 0);
    CHECK_INT(complete(&job), VSM_E_OUTPUT);
    vsm_bytes_out_finish(&job.state);
    vsm_bytes_out_finish(&whole.state);
}

/* Shorter or altered leftovers are refused, and stay as they are. */
static void test_altered_leftovers_are_refused(void)
{
    struct job job = job_of("altered.mp4", "libx264", NULL);
    char part[300], index[320], byte = 1;
    struct stat before, after;
    FILE *file;

    run_and_drop(&job, 20);
    snprintf(part, sizeof(part), "%s.part", job.path);
    snprintf(index, sizeof(index), "%s.part.index", job.path);
    file = fopen(index, "r+b");
    fseek(file, 40, SEEK_SET);
    fwrite(&byte, 1, 1, file);
    fclose(file);
    stat(part, &before);
    CHECK_INT(complete(&job), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "altered.mp4.part.index");
    CHECK_HAS(vsm_error_message(), "damaged");
    stat(part, &after);
    CHECK_INT(before.st_size, after.st_size);
    CHECK_INT(truncate(part, 100), 0);
    CHECK_INT(complete(&job), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "it was cut");
    for (size_t size = 0; size < job.state.size; size++) {
        struct vsm_bytes_in in = vsm_bytes_in_of(job.state.data, size);
        struct vsm_video_writer *writer = NULL;

        CHECK_INT(vsm_video_writer_resume(&job.options, &in, &writer), VSM_E_INPUT);
    }
    vsm_bytes_out_finish(&job.state);
}

/* The n-th write, fsync, truncate ... fails, for every n until none does: a clear error, and the
 * last mark holds. */
static void check_faults(const char *extension, const char *codec, const char *source, const char *point,
                         int error)
{
#ifdef VSM_FAULT_POINTS
    char name[32];
    struct job whole, job;
    int status = VSM_E_OUTPUT, rounds = 0;

    snprintf(name, sizeof(name), "fault_whole.%s", extension);
    whole = job_of(name, codec, source);
    CHECK_INT(complete(&whole), VSM_OK);
    snprintf(name, sizeof(name), "fault.%s", extension);
    for (unsigned long n = 1; status != VSM_OK && n < 500; n += 1 + n / 8, rounds++) {
        job = job_of(name, codec, whole.source[0] ? whole.source : NULL);
        vsm_fault_arm(point, n, error, 0);
        status = complete(&job);
        vsm_fault_arm(NULL, 0, 0, 0);
        if (status == VSM_OK)
            break;
        CHECK_INT(status, VSM_E_OUTPUT);
        CHECK_HAS(vsm_error_message(), "fault.");
        CHECK_HAS(vsm_error_message(), strerror(error));
        if (access(job.path, F_OK) == 0 && strcmp(point, "file.fsync") != 0)
            tap_fail_check(__FILE__, __LINE__, "%s looks finished after fault %lu", job.path, n);
        expect_complete(&job, whole.path);
    }
    printf("# %s %s: %d places\n", extension, point, rounds);
    CHECK(status == VSM_OK && rounds > 0);
    CHECK_INT(first_difference(whole.path, job.path), -1);
    vsm_bytes_out_finish(&job.state);
    vsm_bytes_out_finish(&whole.state);
    unlink(job.path);
#else
    (void)extension, (void)codec, (void)source, (void)point, (void)error;
    tap_skip("built without fault points");
#endif
}

static void test_faults(void)
{
    char mp4[256], mkv[256];

    snprintf(mp4, sizeof(mp4), "%s", make("aac.mp4", two_aac, 2, NULL));
    snprintf(mkv, sizeof(mkv), "%s", make("opus.mkv", opus, 1, NULL));
    check_faults("mp4", "libx264", mp4, "mux.write", ENOSPC);
    check_faults("mp4", "libx264", mp4, "mux.fsync", EIO);
    check_faults("mp4", "libx264", mp4, "mux.open", EACCES);
    check_faults("mp4", "libx264", mp4, "mux.truncate", EIO);
    check_faults("mp4", "libx264", mp4, "file.rename", EIO);
    check_faults("mp4", "libx264", mp4, "file.fsync", EIO);
    check_faults("mkv", "ffv1", mkv, "mux.write", EIO);
    check_faults("mkv", "ffv1", mkv, "mux.fsync", ENOSPC);
}

int main(void)
{
    RUN(test_mp4);
    RUN(test_mp4_with_parsed_audio);
    RUN(test_mov);
    RUN(test_mkv);
    RUN(test_webm);
    RUN(test_av1);
    RUN(test_no_audio);
    RUN(test_resume_of_a_finished_file);
    RUN(test_altered_leftovers_are_refused);
    RUN(test_faults);
    media_source_clean();
    return tap_done();
}
