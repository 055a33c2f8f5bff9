/* The detector on the CUDA device against ONNX Runtime on the CPU: the same heads but for the order of sums,
 * and the same people. Skipped without a device. By hand: oracle_gpu_detector FILE...: people of some 16
 * frames of each video; of VR180 ("_LR_" in its name) the left eye. */
#include "base/mem.h"
#include "device.h"
#include "image/preprocess.h"
#include "media/video_reader.h"
#include "models/detector.h"
#include "models/detector_graph.h"
#include "npy.h"
#include "tap.h"

#include <math.h>
#include <unistd.h>

#define MODEL VSM_MODELS_DIR "/" VSM_DETECTOR_GRAPH
#define HEADS 5

/* How far the order of sums may move a score, a side of a box (of a picture that fills the network's grid),
 * and the mean of a head, as a part of its mean value. Measured: doc/performance.md. */
#define SCORE_BOUND 0.0005
#define BOX_BOUND   (0.05 / VSM_DETECTOR_SIDE)
#define HEAD_BOUND  1e-4

/* Of one person on both devices. */
#define SAME_BOX (8.0 / VSM_DETECTOR_SIDE)

static const char *const heads[HEADS] = {"centre", "size", "offset", "keypoints", "regress"};

static bool not_here(void)
{
    if (access(MODEL, R_OK) == 0)
        return no_device();
    tap_skip("no detector weights");
    return true;
}

static struct vsm_session *create_session(const struct vsm_tfjs *weights, int side, bool cuda)
{
    const struct vsm_session_options options = {.backend = cuda ? VSM_BACKEND_FUSED : VSM_BACKEND_ORT,
                                                .device = cuda ? VSM_DEVICE_CUDA : VSM_DEVICE_CPU,
                                                .threads = 4};
    struct vsm_session *session = NULL;
    struct vsm_graph *graph = NULL;

    CHECK_INT((cuda ? vsm_detector_graph_build_fused : vsm_detector_graph_build)(weights, side, &graph),
              VSM_OK);
    CHECK_INT(vsm_session_create(graph, &options, &session), VSM_OK);
    if (!session)
        printf("# %s\n", vsm_error_message());
    vsm_graph_destroy(graph);
    return session;
}

static void run_session(struct vsm_session *session, struct vsm_tensor *source, struct vsm_tensor **maps)
{
    const struct vsm_binding in = {"src", source};
    struct vsm_binding out[HEADS];

    for (int i = 0; i < HEADS; i++)
        out[i] = (struct vsm_binding){heads[i], NULL};
    CHECK_INT(vsm_session_run(session, &in, 1, out, HEADS), VSM_OK);
    for (int i = 0; i < HEADS; i++)
        maps[i] = out[i].tensor;
}

static void compare_heads(struct vsm_tensor **expected, struct vsm_tensor **found)
{
    for (int i = 0; i < HEADS; i++) {
        double worst = 0, sum = 0, mean = 0;
        const int64_t count = vsm_tensor_count(expected[i]);

        for (int64_t k = 0; k < count; k++) {
            const double e = (double)vsm_tensor_f32(expected[i])[k],
                         d = fabs(e - (double)vsm_tensor_f32(found[i])[k]);

            worst = !(d <= worst) ? d : worst;
            sum += d;
            mean += fabs(e);
        }
        printf("# %-9s at most %.6f apart, %.8f in the mean, of %.4f\n", heads[i], worst, sum / (double)count,
               mean / (double)count);
        CHECK(sum < HEAD_BOUND * mean);
        CHECK(worst < 0.01);
    }
}

/* At a side other than the detector's, and again with the same bits. */
static void check_heads(int side)
{
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, side, side}),
                      *maps[3][HEADS] = {0};
    struct vsm_session *sessions[2];
    struct vsm_tfjs *weights = NULL;

    for (int i = 0; i < 3 * side * side; i++) {
        const int c = i / (side * side), y = i / side % side, x = i % side;

        vsm_tensor_f32(source)[i] = (float)((x * (3 + c) + y * (5 - c) + (x * y >> 4)) % 256) / 127.5f - 1.0f;
    }
    CHECK_INT(vsm_tfjs_open(MODEL, &weights), VSM_OK);
    for (int i = 0; i < 2; i++)
        sessions[i] = create_session(weights, side, i == 1);
    if (sessions[0] && sessions[1]) {
        for (int i = 0; i < 3; i++)
            run_session(sessions[i > 0], source, maps[i]);
        compare_heads(maps[0], maps[1]);
        for (int i = 0; i < HEADS; i++)
            CHECK(memcmp(maps[1][i]->data, maps[2][i]->data, vsm_tensor_bytes(maps[1][i])) == 0);
    }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < HEADS; k++)
            vsm_tensor_unref(&maps[i][k]);
    for (int i = 0; i < 2; i++)
        vsm_session_destroy(sessions[i]);
    vsm_tfjs_close(weights);
    vsm_tensor_unref(&source);
}

static void test_heads(void)
{
    if (not_here())
        return;
    check_heads(128);
    check_heads(224);
}

struct pair {
    struct vsm_detector *on[2]; /* CPU, device */
    int frames, people, unequal;
    double score, box; /* largest differences */
};

static bool create_pair(struct pair *pair)
{
    struct vsm_session_options options = {.device = VSM_DEVICE_CPU, .threads = 4};

    *pair = (struct pair){0};
    CHECK_INT(vsm_detector_create(MODEL, &options, &pair->on[0]), VSM_OK);
    options.device = VSM_DEVICE_CUDA;
    CHECK_INT(vsm_detector_create(MODEL, &options, &pair->on[1]), VSM_OK);
    return pair->on[0] && pair->on[1];
}

static void destroy_pair(struct pair *pair)
{
    vsm_detector_destroy(pair->on[0]);
    vsm_detector_destroy(pair->on[1]);
}

static double box_distance(const struct vsm_person_box *a, const struct vsm_person_box *b)
{
    const double x = fmax(fabs((double)(a->left - b->left)), fabs((double)(a->right - b->right)));
    const double y = fmax(fabs((double)(a->top - b->top)), fabs((double)(a->bottom - b->bottom)));

    return fmax(x, y);
}

/* Whoever is in one of the lists and clearly above the least score is in the other. */
static void match(struct pair *pair, const struct vsm_detector_people *from,
                  const struct vsm_detector_people *to)
{
    for (int i = 0; i < from->count; i++) {
        const struct vsm_detector_person *p = &from->person[i];
        int nearest = -1;
        double least = INFINITY;

        for (int k = 0; k < to->count; k++) {
            const double d = box_distance(&p->box, &to->person[k].box);

            if (d < least) {
                least = d;
                nearest = k;
            }
        }
        if (least < SAME_BOX) {
            pair->box = fmax(pair->box, least);
            pair->score = fmax(pair->score, fabs((double)(p->score - to->person[nearest].score)));
        } else if (p->score > VSM_DETECTOR_FIRST + (float)SCORE_BOUND) {
            pair->unequal++;
            printf("# frame %d: a person of score %.4f is not there on the other device\n", pair->frames,
                   (double)p->score);
        }
    }
}

static void compare_people(struct pair *pair, const float *rgb, int width, int height)
{
    struct vsm_detector_people people[2];

    for (int i = 0; i < 2; i++)
        CHECK_INT(vsm_detector_run(pair->on[i], rgb, width, height, VSM_DETECTOR_FIRST, &people[i]), VSM_OK);
    pair->people += people[0].count;
    match(pair, &people[0], &people[1]);
    match(pair, &people[1], &people[0]);
    pair->frames++;
}

static void judge(const struct pair *pair, const char *what)
{
    printf("# %s: %d frames, %d people: scores at most %.5f apart, boxes %.4f of the grid's pixels, "
           "%d people only on one device\n",
           what, pair->frames, pair->people, pair->score, pair->box * VSM_DETECTOR_SIDE, pair->unequal);
    CHECK(pair->score < SCORE_BOUND);
    CHECK(pair->box < BOX_BOUND);
    CHECK_INT(pair->unequal, 0);
}

static void test_people(void)
{
    struct vsm_tensor *footage;
    struct pair pair;

    if (not_here())
        return;
    footage = npy_shared("golden/rvm/512x288_r0.375/src.npy.xz");
    if (!footage) {
        tap_skip("no footage");
        return;
    }
    if (create_pair(&pair)) {
        const int height = (int)footage->dims[1], width = (int)footage->dims[2], cells = height * width;
        float *rgb = vsm_mem_alloc("grid", 3 * (size_t)cells, sizeof(float));

        for (int64_t n = 0; rgb && n < footage->dims[0]; n++) {
            const uint8_t *from = (const uint8_t *)footage->data + n * 3 * cells;

            for (int i = 0; i < 3 * cells; i++)
                rgb[i % 3 * cells + i / 3] = (float)from[i] / 255.0f;
            compare_people(&pair, rgb, width, height);
        }
        judge(&pair, "footage");
        CHECK(pair.people > 0);
        vsm_mem_free(rgb);
    }
    destroy_pair(&pair);
    vsm_tensor_unref(&footage);
}

static void compare_file(struct pair *pair, const char *path)
{
    static const struct vsm_video_reader_options options = {.threads = 2};
    struct vsm_video_reader *reader = NULL;
    const struct vsm_video_info *info;
    struct vsm_view view = {.kind = VSM_VIEW_DIRECT};
    struct vsm_frame *frame = vsm_frame_create();
    float *rgb = vsm_mem_alloc("grid", 3 * VSM_DETECTOR_SIDE * VSM_DETECTOR_SIDE, sizeof(float));
    int64_t step;

    CHECK_INT(vsm_video_reader_open(path, &options, &reader), VSM_OK);
    if (!reader || !frame || !rgb)
        return;
    info = vsm_video_reader_info(reader);
    view.source = (struct vsm_rect){0, 0, strstr(path, "_LR_") ? info->width / 2 : info->width, info->height};
    vsm_detector_fit(view.source.width, view.source.height, &view.width, &view.height);
    step = info->frames > 16 ? info->frames / 16 : 1;
    for (int64_t n = 0; vsm_video_reader_next(reader, frame) == VSM_OK; n++) {
        if (n % step)
            continue;
        CHECK_INT(vsm_preprocess(frame->source, &view, rgb, NULL), VSM_OK);
        compare_people(pair, rgb, view.width, view.height);
    }
    judge(pair, path);
    vsm_mem_free(rgb);
    vsm_frame_destroy(&frame);
    vsm_video_reader_close(reader);
}

/* "small": only what runs every kernel, for tools under which everything takes a thousand times as long. */
int main(int argc, char **argv)
{
    const bool small = argc > 1 && strcmp(argv[1], "small") == 0;

    RUN(test_heads);
    if (!small)
        RUN(test_people);
    for (int i = 1; i < argc && !small; i++) {
        struct pair pair;

        if (create_pair(&pair))
            compare_file(&pair, argv[i]);
        destroy_pair(&pair);
    }
    return tap_done();
}
