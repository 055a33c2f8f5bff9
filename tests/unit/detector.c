#include "models/detector.h"

#include "base/mem.h"
#include "build_config.h"
#include "cuda/device.h"
#include "media/still.h"
#include "models/detector_graph.h"
#include "nn/fused.h"
#include "nn/graph_data.h"
#include "tap.h"

#include <unistd.h>

#define CELLS 64
#define MODEL VSM_MODELS_DIR "/movenet-multipose.json"
#define DEMO  VSM_MODELS_DIR "/../../face-api/demo/"

/* Heads of an empty picture. */
struct maps {
    float centre[CELLS * CELLS], size[2 * CELLS * CELLS], offset[2 * CELLS * CELLS];
    float keypoints[VSM_DETECTOR_KEYPOINTS * CELLS * CELLS],
        regress[2 * VSM_DETECTOR_KEYPOINTS * CELLS * CELLS];
};

static struct maps maps;

static struct vsm_detector_heads clear(void)
{
    memset(&maps, 0, sizeof(maps));
    return (struct vsm_detector_heads){CELLS,       maps.centre,    maps.size,
                                       maps.offset, maps.keypoints, maps.regress};
}

static void put(float *map, int channel, int y, int x, float value)
{
    map[(channel * CELLS + y) * CELLS + x] = value;
}

/* A person of h x w cells, all of whose keypoints are seen where they are expected, at the centre. */
static void put_person(int y, int x, float h, float w, float centre, float heat)
{
    put(maps.centre, 0, y, x, centre);
    put(maps.size, 0, y, x, h);
    put(maps.size, 1, y, x, w);
    for (int k = 0; k < VSM_DETECTOR_KEYPOINTS; k++)
        put(maps.keypoints, k, y, x, heat);
}

static bool near(float a, double b)
{
    return fabs((double)a - b) < 1e-5;
}

static void test_one_person(void)
{
    struct vsm_detector_heads heads = clear();
    struct vsm_detector_people people;

    vsm_detector_decode(&heads, 0.0f, &people);
    CHECK_INT(people.count, 0);
    put_person(30, 20, 16, 8, 0.8f, 0.5f);
    put(maps.offset, 0, 30, 20, 0.5f);
    put(maps.offset, 1, 30, 20, 0.25f);
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 1);
    CHECK(near(people.person[0].box.top, 22.5 / 64) && near(people.person[0].box.bottom, 38.5 / 64));
    CHECK(near(people.person[0].box.left, 16.25 / 64) && near(people.person[0].box.right, 24.25 / 64));
    CHECK(near(people.person[0].score, 0.4));
    vsm_detector_decode(&heads, 0.41f, &people);
    CHECK_INT(people.count, 0);
    put(maps.centre, 0, 30, 20, 0.49f);
    vsm_detector_decode(&heads, 0.0f, &people);
    CHECK_INT(people.count, 0);
    put(maps.centre, 0, 30, 20, NAN);
    vsm_detector_decode(&heads, 0.0f, &people);
    CHECK_INT(people.count, 0);
}

/* Weak keypoints do not count, and far ones count less. */
static void test_score(void)
{
    struct vsm_detector_heads heads = clear();
    struct vsm_detector_people people;

    put_person(30, 30, 40, 40, 1.0f, 0.1f);
    vsm_detector_decode(&heads, 0.0f, &people);
    CHECK_INT(people.count, 1);
    CHECK(near(people.person[0].score, 0.0));
    put(maps.keypoints, 3, 30, 30, 0.6f);
    vsm_detector_decode(&heads, 0.1f, &people);
    CHECK(people.count == 1 && near(people.person[0].score, 0.6));
    put(maps.regress, 6, 30, 30, 4.0f); /* dy of keypoint 3 */
    vsm_detector_decode(&heads, 0.1f, &people);
    CHECK(people.count == 1 && near(people.person[0].score, 0.6 * exp(-16.0 / (0.3 * CELLS))));
    put(maps.size, 0, 30, 30, 2.0f); /* the box ends above row 31: what is outside does not count */
    put(maps.keypoints, 3, 30, 30, 0.0f);
    put(maps.keypoints, 3, 32, 30, 1.0f);
    vsm_detector_decode(&heads, 0.1f, &people);
    CHECK_INT(people.count, 0);
}

static void test_neighbours_and_doubles(void)
{
    struct vsm_detector_heads heads = clear();
    struct vsm_detector_people people;

    put_person(30, 20, 16, 8, 0.8f, 0.5f);
    put_person(32, 21, 16, 8, 0.7f, 0.5f); /* within the peak's 5x5 cells */
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 1);
    put_person(30, 40, 16, 8, 0.9f, 0.5f); /* somebody else */
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 2);
    CHECK(people.person[0].score > people.person[1].score && people.person[0].box.left > 0.5f);
    put_person(30, 43, 16, 20, 0.95f, 0.5f); /* overlaps by 8 x 16 of 20 x 16: less than 0.7 */
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 3);
    put_person(30, 43, 16, 8, 0.95f, 0.5f);
    put(maps.offset, 1, 30, 43, -3.0f); /* the same box as its neighbour's */
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 2);
    CHECK(near(people.person[0].score, 0.475));
}

static void test_picture_edges_and_crowds(void)
{
    struct vsm_detector_heads heads = clear();
    struct vsm_detector_people people;

    put_person(0, 63, 10, 10, 0.9f, 0.9f);
    put(maps.regress, 1, 0, 63, 1e30f);
    put(maps.regress, 2, 0, 63, -INFINITY);
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, 1);
    CHECK(near(people.person[0].box.top, 0) && near(people.person[0].box.right, 1));
    for (int y = 1; y < CELLS; y += 4)
        for (int x = 1; x < CELLS; x += 4)
            put_person(y, x, 2, 2, 0.5f + (float)(y * CELLS + x) / 10000.0f, 0.9f);
    vsm_detector_decode(&heads, 0.15f, &people);
    CHECK_INT(people.count, VSM_DETECTOR_MAX_PEOPLE);
    CHECK(people.person[0].score >= people.person[VSM_DETECTOR_MAX_PEOPLE - 1].score);
    CHECK(people.person[VSM_DETECTOR_MAX_PEOPLE - 1].box.top > 0.5f);
}

static void test_fit(void)
{
    int w, h;

    vsm_detector_fit(4096, 4096, &w, &h);
    CHECK(w == 512 && h == 512);
    vsm_detector_fit(1920, 1280, &w, &h);
    CHECK(w == 512 && h == 341);
    vsm_detector_fit(1, 100000, &w, &h);
    CHECK(w == 1 && h == 512);
}

static void test_unknown_files_are_refused(void)
{
    const struct vsm_session_options session = {.threads = 1};
    struct vsm_detector *detector = NULL;

    CHECK_INT(vsm_detector_create("/nowhere/movenet-multipose.json", &session, &detector), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "make setup");
    if (access(MODEL, R_OK) != 0)
        return;
    CHECK_INT(vsm_detector_create(VSM_MODELS_DIR "/rvm.json", &session, &detector), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "not the known file");
}

/* Averages an RGB picture onto the detector's grid. */
static float *shrink(const struct vsm_image *image, int width, int height)
{
    float *rgb = vsm_mem_alloc("grid", 3 * (size_t)width * (size_t)height, sizeof(float));

    for (int i = 0; i < width * height; i++) {
        const int x0 = i % width * image->width / width, x1 = (i % width + 1) * image->width / width;
        const int y0 = i / width * image->height / height, y1 = (i / width + 1) * image->height / height;

        for (int y = y0; y < y1; y++)
            for (int x = x0; x < x1; x++)
                for (int c = 0; c < 3; c++)
                    rgb[c * width * height + i] += (float)image->data[0][y * image->stride[0] + 3 * x + c] /
                                                   (255.0f * (float)((x1 - x0) * (y1 - y0)));
    }
    return rgb;
}

/* Where the photograph's people have their faces, as seen by eye; x and y as parts of the picture. */
struct photograph {
    const char *name;
    int count;
    float faces[4][2];
};

static const struct photograph photographs[] = {
    {DEMO "sample1.jpg", 3, {{0.25f, 0.36f}, {0.48f, 0.46f}, {0.81f, 0.25f}}},
    {DEMO "sample6.jpg", 4, {{0.18f, 0.42f}, {0.42f, 0.28f}, {0.64f, 0.28f}, {0.83f, 0.28f}}},
};

/* People in VR180 do not fill the eye, hence half of the network's side. */
static void detect(struct vsm_detector *detector, const struct photograph *photograph)
{
    struct vsm_detector_people people = {.count = 0};
    struct vsm_image *image = NULL;
    int width, height;
    float *rgb;

    CHECK_INT(vsm_still_read(photograph->name, &image), VSM_OK);
    if (!image)
        return;
    vsm_detector_fit(image->width, image->height, &width, &height);
    rgb = shrink(image, width / 2, height / 2);
    CHECK_INT(vsm_detector_run(detector, rgb, width / 2, height / 2, VSM_DETECTOR_FIRST, &people), VSM_OK);
    CHECK_INT(people.count, photograph->count);
    for (int f = 0; f < photograph->count; f++) {
        int found = 0;

        for (int i = 0; i < people.count; i++) {
            const struct vsm_person_box *box = &people.person[i].box;

            found += photograph->faces[f][0] > box->left && photograph->faces[f][0] < box->right &&
                     photograph->faces[f][1] > box->top && photograph->faces[f][1] < box->bottom;
        }
        CHECK(found >= 1);
    }
    CHECK_INT(vsm_detector_run(detector, rgb, VSM_DETECTOR_SIDE + 1, height, 0.15f, &people), VSM_E_INTERNAL);
    vsm_detector_interrupt(detector);
    CHECK_INT(vsm_detector_run(detector, rgb, width / 2, height / 2, 0.15f, &people), VSM_E_CANCELLED);
    vsm_mem_free(rgb);
    vsm_image_unref(&image);
}

static void test_photographs(void)
{
    const struct vsm_session_options session = {.threads = 1};

    if (access(MODEL, R_OK) != 0 || access(photographs[0].name, R_OK) != 0) {
        tap_skip("no detector weights or photographs");
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct vsm_detector *detector = NULL;

        CHECK_INT(vsm_detector_create(MODEL, &session, &detector), VSM_OK);
        if (detector)
            detect(detector, &photographs[i]);
        vsm_detector_destroy(detector);
    }
}

/* Sums of absolute values as TensorFlow.js 4.22 gives them for the same pattern. */
static void test_network_equals_the_original(void)
{
    static const double expected[] = {4.3574, 27929.8408, 41.4286, 115176.3772, 1045.7684};
    const struct vsm_session_options options = {.threads = 1};
    const int side = 128;
    struct vsm_binding out[] = {{"centre"}, {"size"}, {"keypoints"}, {"regress"}, {"offset"}};
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, side, side});
    const struct vsm_binding in = {"src", source};
    struct vsm_tfjs *weights = NULL;
    struct vsm_graph *graph = NULL;
    struct vsm_session *session = NULL;

    if (access(MODEL, R_OK) != 0) {
        tap_skip("no detector weights");
        vsm_tensor_unref(&source);
        return;
    }
    for (int i = 0; i < 3 * side * side; i++) {
        const int c = i / (side * side), y = i / side % side, x = i % side;

        vsm_tensor_f32(source)[i] = (float)((x * (3 + c) + y * (5 - c) + (x * y >> 4)) % 256) / 127.5f - 1.0f;
    }
    CHECK_INT(vsm_tfjs_open(MODEL, &weights), VSM_OK);
    CHECK_INT(vsm_detector_graph_build(weights, side, &graph), VSM_OK);
    CHECK_INT(vsm_session_create(graph, &options, &session), VSM_OK);
    CHECK_INT(vsm_session_run(session, &in, 1, out, 5), VSM_OK);
    for (int i = 0; i < 5 && out[i].tensor; i++) {
        double sum = 0.0;

        for (int64_t k = 0; k < vsm_tensor_count(out[i].tensor); k++)
            sum += fabs((double)vsm_tensor_f32(out[i].tensor)[k]);
        CHECK(fabs(sum / expected[i] - 1.0) < 1e-4);
        vsm_tensor_unref(&out[i].tensor);
    }
    vsm_session_destroy(session);
    vsm_graph_destroy(graph);
    vsm_tfjs_close(weights);
    vsm_tensor_unref(&source);
}

/* Of the CUDA back end's convolutions alone, with the same ports and as many weights. */
static void test_fused_graph(void)
{
    int64_t numbers[2] = {0, 0};
    struct vsm_graph *graphs[2] = {NULL, NULL};
    struct vsm_tfjs *weights = NULL;

    if (access(MODEL, R_OK) != 0) {
        tap_skip("no detector weights");
        return;
    }
    CHECK_INT(vsm_tfjs_open(MODEL, &weights), VSM_OK);
    CHECK_INT(vsm_detector_graph_build(weights, 128, &graphs[0]), VSM_OK);
    CHECK_INT(vsm_detector_graph_build_fused(weights, 128, &graphs[1]), VSM_OK);
    CHECK_INT(graphs[1]->output_count, graphs[0]->output_count);
    for (size_t i = 0; i < graphs[0]->output_count; i++) {
        const struct vsm_graph_port *a = &graphs[0]->outputs[i], *b = &graphs[1]->outputs[i];

        CHECK_STR(b->name, a->name);
        CHECK(memcmp(a->dims, b->dims, sizeof(a->dims)) == 0);
    }
    for (size_t i = 0; i < graphs[1]->node_count; i++)
        CHECK_STR(graphs[1]->nodes[i].op, VSM_FUSED_FULL_CONV);
    for (int g = 0; g < 2; g++) {
        for (size_t i = 0; i < graphs[g]->value_count; i++) {
            const struct vsm_tensor *weight = graphs[g]->values[i].weight;

            numbers[g] += weight && weight->rank == 4 ? vsm_tensor_count(weight) : 0;
        }
        vsm_graph_destroy(graphs[g]);
    }
    CHECK(numbers[0] > 1000000);
    CHECK_INT(numbers[1], numbers[0]);
    vsm_tfjs_close(weights);
}

static void test_no_device(void)
{
    const struct vsm_session_options session = {.device = VSM_DEVICE_CUDA, .threads = 1};
    struct vsm_detector *detector = NULL;
    struct vsm_cuda_info info;

    if (access(MODEL, R_OK) != 0 || vsm_cuda_device_info(&info) == VSM_OK) {
        tap_skip("no detector weights, or a device");
        return;
    }
    CHECK_INT(vsm_detector_create(MODEL, &session, &detector), VSM_E_DEVICE);
    CHECK(!detector);
}

int main(void)
{
    RUN(test_one_person);
    RUN(test_score);
    RUN(test_neighbours_and_doubles);
    RUN(test_picture_edges_and_crowds);
    RUN(test_fit);
    RUN(test_unknown_files_are_refused);
    RUN(test_network_equals_the_original);
    RUN(test_fused_graph);
    RUN(test_no_device);
    RUN(test_photographs);
    return tap_done();
}
