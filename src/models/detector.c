#include "models/detector.h"

#include "base/mem.h"
#include "image/cuda_tensors.h"
#include "models/detector_graph.h"
#include "models/known_files.h"

#define SIDE  VSM_DETECTOR_SIDE
#define CELLS (SIDE / VSM_DETECTOR_GRAPH_STRIDE)
#define HEADS 5

struct vsm_detector {
    struct vsm_session *session;
    enum vsm_device device;
    struct vsm_tensor *source;       /* [1, 3, SIDE, SIDE] */
    int width, height;               /* of the picture in it */
    struct vsm_tensor *heads[HEADS]; /* on a device: page-locked, for all looks; NULL: new ones each time */
};

static const struct {
    const char *name;
    int channels;
} heads[HEADS] = {{"centre", 1},
                  {"size", 2},
                  {"offset", 2},
                  {"keypoints", VSM_DETECTOR_KEYPOINTS},
                  {"regress", 2 * VSM_DETECTOR_KEYPOINTS}};

static const struct vsm_known_files known_files = {
    .what = "the detector's weights",
    .graph_sha256 = VSM_DETECTOR_GRAPH_SHA256,
    .shard = VSM_DETECTOR_SHARD,
    .shard_sha256 = VSM_DETECTOR_SHARD_SHA256,
};

static int make_session(struct vsm_detector *detector, const char *graph_path,
                        const struct vsm_session_options *options)
{
    const bool cuda = options->device == VSM_DEVICE_CUDA;
    struct vsm_session_options session = *options;
    struct vsm_tfjs *weights = NULL;
    struct vsm_graph *graph = NULL;
    struct vsm_sha256 hash;
    int status = vsm_known_files_open(&known_files, graph_path, &hash, &weights);

    if (cuda)
        session.backend = VSM_BACKEND_FUSED;
    if (!status)
        status = (cuda ? vsm_detector_graph_build_fused : vsm_detector_graph_build)(weights, SIDE, &graph);
    vsm_tfjs_close(weights);
    if (!status)
        status = vsm_session_create(graph, &session, &detector->session);
    vsm_graph_destroy(graph);
    return status;
}

int vsm_detector_check(const char *graph_path, struct vsm_sha256 *hash)
{
    return vsm_known_files_check(&known_files, graph_path, hash);
}

static int make_page_locked(int channels, int side, struct vsm_tensor **tensor)
{
    struct vsm_cuda_tensors *pool =
        vsm_cuda_tensors_create("detector", VSM_PLACE_HOST, 4, (const int64_t[]){1, channels, side, side});
    const int status = pool ? vsm_cuda_tensors_get(pool, tensor) : VSM_E_NOMEM;

    vsm_cuda_tensors_destroy(pool);
    return status;
}

static int make_tensors(struct vsm_detector *detector)
{
    int status;

    if (detector->device != VSM_DEVICE_CUDA) {
        detector->source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, SIDE, SIDE});
        return detector->source ? VSM_OK : VSM_E_NOMEM;
    }
    status = make_page_locked(3, SIDE, &detector->source);
    for (int i = 0; i < HEADS && !status; i++)
        status = make_page_locked(heads[i].channels, CELLS, &detector->heads[i]);
    return status;
}

int vsm_detector_create(const char *graph_path, const struct vsm_session_options *session,
                        struct vsm_detector **detector)
{
    struct vsm_detector *made = vsm_mem_alloc("detector", 1, sizeof(*made));
    int status;

    if (!made)
        return VSM_E_NOMEM;
    made->device = session->device;
    status = make_tensors(made);
    if (!status)
        status = make_session(made, graph_path, session);
    if (status) {
        vsm_detector_destroy(made);
        return status;
    }
    *detector = made;
    return VSM_OK;
}

void vsm_detector_destroy(struct vsm_detector *detector)
{
    if (!detector)
        return;
    vsm_session_destroy(detector->session);
    vsm_tensor_unref(&detector->source);
    for (int i = 0; i < HEADS; i++)
        vsm_tensor_unref(&detector->heads[i]);
    vsm_mem_free(detector);
}

enum vsm_device vsm_detector_device(const struct vsm_detector *detector)
{
    return detector->device;
}

void vsm_detector_interrupt(struct vsm_detector *detector)
{
    vsm_session_interrupt(detector->session);
}

void vsm_detector_fit(int width, int height, int *grid_width, int *grid_height)
{
    const int64_t longer = width > height ? width : height;
    const int w = (int)((2 * (int64_t)width * SIDE + longer) / (2 * longer));
    const int h = (int)((2 * (int64_t)height * SIDE + longer) / (2 * longer));

    *grid_width = w > 0 ? w : 1;
    *grid_height = h > 0 ? h : 1;
}

/* The network wants -1..1; what is beside the picture is black. */
static void letterbox(struct vsm_detector *detector, const float *rgb, int width, int height)
{
    const int left = (SIDE - width) / 2, top = (SIDE - height) / 2;
    float *source = vsm_tensor_f32(detector->source);

    if (detector->width != width || detector->height != height) {
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            source[i] = -1.0f;
    }
    detector->width = width;
    detector->height = height;
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < height; y++) {
            const float *from = rgb + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width;
            float *to = source + ((size_t)c * SIDE + (size_t)(top + y)) * SIDE + left;

            for (int x = 0; x < width; x++)
                to[x] = 2.0f * from[x] - 1.0f;
        }
    }
}

static float clamp_unit(float v)
{
    return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
}

/* From parts of the square to parts of the picture in its middle. */
static void undo_letterbox(struct vsm_person_box *box, int width, int height)
{
    const float left = (float)((SIDE - width) / 2), top = (float)((SIDE - height) / 2);

    box->left = clamp_unit((box->left * SIDE - left) / (float)width);
    box->right = clamp_unit((box->right * SIDE - left) / (float)width);
    box->top = clamp_unit((box->top * SIDE - top) / (float)height);
    box->bottom = clamp_unit((box->bottom * SIDE - top) / (float)height);
}

int vsm_detector_run(struct vsm_detector *detector, const float *rgb, int width, int height, float threshold,
                     struct vsm_detector_people *people)
{
    const struct vsm_binding in = {"src", detector->source};
    struct vsm_binding out[HEADS];
    int status;

    if (width < 1 || height < 1 || width > SIDE || height > SIDE)
        return vsm_fail(VSM_E_INTERNAL, "detector: picture of %dx%d; both sides must be 1 to %d", width,
                        height, SIDE);
    letterbox(detector, rgb, width, height);
    for (int i = 0; i < HEADS; i++)
        out[i] = (struct vsm_binding){heads[i].name,
                                      detector->heads[i] ? vsm_tensor_ref(detector->heads[i]) : NULL};
    status = vsm_session_run(detector->session, &in, 1, out, HEADS);
    if (!status) {
        const struct vsm_detector_heads maps = {.cells = CELLS,
                                                .centre = vsm_tensor_f32(out[0].tensor),
                                                .size = vsm_tensor_f32(out[1].tensor),
                                                .offset = vsm_tensor_f32(out[2].tensor),
                                                .keypoints = vsm_tensor_f32(out[3].tensor),
                                                .regress = vsm_tensor_f32(out[4].tensor)};

        vsm_detector_decode(&maps, threshold, people);
        for (int i = 0; i < people->count; i++)
            undo_letterbox(&people->person[i].box, width, height);
    }
    for (int i = 0; i < HEADS; i++)
        vsm_tensor_unref(&out[i].tensor);
    return status;
}
