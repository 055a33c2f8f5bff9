/* What stage "people" costs beside the detector, as a GPU job has it: both eyes come as thumbnails, one
 * thread, somebody is looked for every 8 frames. Processor time by frame; what the detector itself takes on
 * this processor is measured and left out. The checksum is over everything that the stage tells of people
 * and scenes: a change of speed alone leaves it as it is.
 *
 *   bench_people CLIP [ROUNDS [PEOPLE]]
 *
 * CLIP: VR180, side by side, such as make demo's. ROUNDS: times that it is read, 3. PEOPLE: so many are found
 * in every look, side by side in the middle, whatever is there; 0: the detector looks.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/scratch.h"
#include "build_config.h"
#include "image/preprocess.h"
#include "media/video_reader.h"
#include "spread.h"
#include "stages/people_stage.h"

#include <stdio.h>
#include <string.h>

#define MOST_FRAMES 100000

/* Where people are put, parts of the eye. */
#define ROW_LEFT   0.25f
#define ROW_RIGHT  0.75f
#define ROW_TOP    0.35f
#define ROW_BOTTOM 0.75f

/* Processor time of one kind of frames, ms. */
struct times {
    double *ms;
    int count;
};

struct bench {
    struct vsm_video_reader *reader;
    struct vsm_view views[2];
    struct vsm_detector *detector;
    struct vsm_people_stage *people;
    struct vsm_tensor *thumbnails; /* of one frame after the other, as out of a pool */
    struct times looked, between;  /* frames with a look, and those between them */
    uint32_t crc;
};

static uint64_t detector_ns;
static int put; /* people, in place of the detector's */

int __real_vsm_detector_run(struct vsm_detector *detector, const float *rgb, int width, int height,
                            float threshold, struct vsm_detector_people *people);
int __wrap_vsm_detector_run(struct vsm_detector *detector, const float *rgb, int width, int height,
                            float threshold, struct vsm_detector_people *people);

static void put_people(struct vsm_detector_people *people)
{
    const float wide = (ROW_RIGHT - ROW_LEFT) / (float)put;

    *people = (struct vsm_detector_people){.count = put};
    for (int i = 0; i < put; i++) {
        const float left = ROW_LEFT + wide * (float)i;

        people->person[i].box = (struct vsm_person_box){left, ROW_TOP, left + wide, ROW_BOTTOM};
        people->person[i].score = 0.5f;
    }
}

/* In place of the detector's, by the linker (--wrap). */
int __wrap_vsm_detector_run(struct vsm_detector *detector, const float *rgb, int width, int height,
                            float threshold, struct vsm_detector_people *people)
{
    const uint64_t start = vsm_clock_thread_cpu_ns();
    int status = VSM_OK;

    if (put > 0)
        put_people(people);
    else
        status = __real_vsm_detector_run(detector, rgb, width, height, threshold, people);

    detector_ns += vsm_clock_thread_cpu_ns() - start;
    return status;
}

static void add_crc(struct bench *b, const struct vsm_person *persons, int count)
{
    b->crc = vsm_hash_crc32(b->crc, &count, sizeof(count));
    for (int i = 0; i < count; i++) {
        const struct vsm_person *p = &persons[i];

        b->crc = vsm_hash_crc32(b->crc, &p->id, sizeof(p->id));
        b->crc = vsm_hash_crc32(b->crc, p->box, sizeof(p->box));
        b->crc = vsm_hash_crc32(b->crc, (const float[]){p->score, p->parallax, p->match}, 3 * sizeof(float));
    }
}

static int make_thumbnails(struct bench *b, struct vsm_frame *frame)
{
    const size_t eye = 3 * (size_t)b->views[0].height * (size_t)b->views[0].width;
    int status = VSM_OK;

    for (size_t i = 0; status == VSM_OK && i < 2; i++)
        status = vsm_preprocess(frame->source, &b->views[i], vsm_tensor_f32(b->thumbnails) + i * eye, NULL);
    frame->thumbnails = vsm_tensor_ref(b->thumbnails);
    return status;
}

static int time_frame(struct bench *b, struct vsm_frame *frame)
{
    const struct vsm_stage stage = vsm_people_stage_describe(b->people);
    struct times *times;
    uint64_t start;
    int status = make_thumbnails(b, frame);

    if (status != VSM_OK)
        return status;
    detector_ns = 0;
    start = vsm_clock_thread_cpu_ns();
    status = stage.run(stage.self, frame);
    times = frame->people.detected ? &b->looked : &b->between;
    if (times->count < MOST_FRAMES)
        times->ms[times->count++] = (double)(vsm_clock_thread_cpu_ns() - start - detector_ns) / 1e6;
    b->crc = vsm_hash_crc32(b->crc, &frame->scene_cut, sizeof(frame->scene_cut));
    add_crc(b, frame->people.person, frame->people.count);
    add_crc(b, frame->people.rival, frame->people.rival_count);
    return status;
}

static int run_round(struct bench *b)
{
    int status = vsm_video_reader_seek(b->reader, 0);

    while (status == VSM_OK) {
        struct vsm_frame *frame = vsm_frame_create();

        status = frame ? vsm_video_reader_next(b->reader, frame) : VSM_E_NOMEM;
        if (status == VSM_OK)
            status = time_frame(b, frame);
        vsm_frame_destroy(&frame);
    }
    return status == VSM_EOF ? VSM_OK : status;
}

static void print(const char *what, struct times *times)
{
    const struct spread spread = spread_of(times->ms, times->count);

    printf("people, %s: %.2f ms (%.2f to %.2f), %d frames\n", what, spread.median, spread.low, spread.high,
           times->count);
}

static int set_up(struct bench *b, const char *clip)
{
    const struct vsm_video_reader_options reading = {.threads = 1};
    const struct vsm_session_options session = {.device = VSM_DEVICE_CPU, .threads = 1};
    struct vsm_people_stage_options people = {
        .eye_count = 2, .field_of_view = 180, .baseline = 0.064, .interval = 8, .correction = 60};
    const struct vsm_video_info *info;
    int status = vsm_video_reader_open(clip, &reading, &b->reader);

    if (status != VSM_OK)
        return status;
    info = vsm_video_reader_info(b->reader);
    people.eyes[0] = (struct vsm_rect){0, 0, info->width / 2, info->height};
    people.eyes[1] = (struct vsm_rect){info->width / 2, 0, info->width / 2, info->height};
    vsm_people_stage_views(people.eyes, 2, b->views);
    b->thumbnails =
        vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, 3, b->views[0].height, b->views[0].width});
    if (!b->thumbnails)
        return VSM_E_NOMEM;
    status = vsm_detector_create(VSM_MODELS_DIR "/" VSM_DETECTOR_GRAPH, &session, &b->detector);
    people.detector = b->detector;
    return status == VSM_OK ? vsm_people_stage_create(&people, &b->people) : status;
}

int main(int argc, char **argv)
{
    const int rounds = argc > 2 ? atoi(argv[2]) : 3;
    struct bench b = {.looked.ms = malloc(MOST_FRAMES * sizeof(double)),
                      .between.ms = malloc(MOST_FRAMES * sizeof(double))};
    int status;

    put = argc > 3 ? atoi(argv[3]) : 0;
    if (argc < 2 || put < 0 || put > VSM_DETECTOR_MAX_PEOPLE || !b.looked.ms || !b.between.ms) {
        fprintf(stderr, "usage: bench_people CLIP [ROUNDS [PEOPLE]]\n");
        return 1;
    }
    vsm_scratch_share();
    status = set_up(&b, argv[1]);
    for (int i = 0; i < rounds && status == VSM_OK; i++)
        status = run_round(&b);
    if (status == VSM_OK) {
        print("with a look, without the detector", &b.looked);
        print("between looks", &b.between);
        printf("most people at once %lld, scenes %lld, checksum %08x\n",
               (long long)vsm_people_stage_numbers(b.people).most_at_once,
               (long long)vsm_people_stage_numbers(b.people).scene_cuts + 1, b.crc);
    } else {
        fprintf(stderr, "bench_people: %s\n", vsm_error_message());
    }
    vsm_tensor_unref(&b.thumbnails);
    vsm_people_stage_destroy(b.people);
    vsm_detector_destroy(b.detector);
    vsm_video_reader_close(b.reader);
    free(b.looked.ms);
    free(b.between.ms);
    return (int)vsm_status_exit_code(status);
}
