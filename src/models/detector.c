#include "models/detector.h"

#include "base/mem.h"
#include "models/detector_graph.h"
#include "models/known_files.h"

#define SIDE  VSM_DETECTOR_SIDE
#define CELLS (SIDE / VSM_DETECTOR_GRAPH_STRIDE)

struct vsm_detector {
    struct vsm_session *session;
    enum vsm_device device;
    struct vsm_tensor *source; /* [1, 3, SIDE, SIDE] */
};

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

int vsm_detector_create(const char *graph_path, const struct vsm_session_options *session,
                        struct vsm_detector **detector)
{
    struct vsm_detector *made = vsm_mem_alloc("detector", 1, sizeof(*made));
    int status;

    if (!made)
        return VSM_E_NOMEM;
    made->device = session->device;
    made->source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, SIDE, SIDE});
    status = made->source ? make_session(made, graph_path, session) : VSM_E_NOMEM;
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
static void letterbox(const float *rgb, int width, int height, float *source)
{
    const int left = (SIDE - width) / 2, top = (SIDE - height) / 2;

    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        source[i] = -1.0f;
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
    struct vsm_binding out[] = {{"centre"}, {"size"}, {"offset"}, {"keypoints"}, {"regress"}};
    const int count = (int)(sizeof(out) / sizeof(out[0]));
    int status;

    if (width < 1 || height < 1 || width > SIDE || height > SIDE)
        return vsm_fail(VSM_E_INTERNAL, "detector: picture of %dx%d; both sides must be 1 to %d", width,
                        height, SIDE);
    letterbox(rgb, width, height, vsm_tensor_f32(detector->source));
    status = vsm_session_run(detector->session, &in, 1, out, (size_t)count);
    if (!status) {
        const struct vsm_detector_heads heads = {.cells = CELLS,
                                                 .centre = vsm_tensor_f32(out[0].tensor),
                                                 .size = vsm_tensor_f32(out[1].tensor),
                                                 .offset = vsm_tensor_f32(out[2].tensor),
                                                 .keypoints = vsm_tensor_f32(out[3].tensor),
                                                 .regress = vsm_tensor_f32(out[4].tensor)};

        vsm_detector_decode(&heads, threshold, people);
        for (int i = 0; i < people->count; i++)
            undo_letterbox(&people->person[i].box, width, height);
    }
    for (int i = 0; i < count; i++)
        vsm_tensor_unref(&out[i].tensor);
    return status;
}
