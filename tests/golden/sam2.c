/* The networks of the SAM 2 family against reference data, each stage fed with the reference's inputs.
 *
 * Arguments: the name of a set, and how to run the free run: nothing, "device" (on the CPU in the forms for a
 * device), "cuda" or "half" (on a GPU, in float32 and in half precision; "device half" on the CPU). Weights
 * are made from the set's recipe. Prints the largest differences. */
#include "sam2_set.h"
#include "sam2_stream.h"
#include "sam2_weights.h"

#include "base/clock.h"
#include "models/sam2_constants.h"
#include "models/sam2_net.h"
#include "shared_data.h"
#include "tap.h"

#include <unistd.h>

/* Relative to the standard deviation of each tensor; the reference data's README, section 4. */
#define RELATIVE 1e-4
#define FLOOR    1e-6

/* Of half precision, measured: 8 frames of SAM 2.1 tiny. */
#define HALF_SLACK 100

static struct sam2_set set;
static struct vsm_sam2_net *net;
static bool as_device, half, cuda;
static int size, pixels; /* of a side; of the feature grid */

static void make_net(void)
{
    char recipe[1024], relative[256], path[] = "/tmp/vsm-sam2-XXXXXX";
    struct vsm_sam2_net_options options = {.path = path,
                                           .image_size = size,
                                           .session = {.device = cuda ? VSM_DEVICE_CUDA : VSM_DEVICE_CPU,
                                                       .half = half},
                                           .as_device = as_device,
                                           .trace = !as_device && !cuda};
    uint64_t start = vsm_clock_ns(), made;
    int fd = mkstemp(path);

    /* Threads that wait for each other are slow where many tests run at once. */
    options.session.threads = getenv("VSM_SLOW_TESTS") ? 2 : 1;

    snprintf(relative, sizeof(relative), "golden/sam2/%s",
             json_string_value(json_object_get(set.manifest, "weights")));
    CHECK(fd >= 0 && shared_path(relative, recipe, sizeof(recipe)));
    CHECK(sam2_weights_write(recipe, false, path));
    made = vsm_clock_ns();
    if (vsm_sam2_net_create(&options, &net) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    unlink(path);
    close(fd);
    if (net)
        printf("# %s: weights in %.1f s, sessions in %.1f s\n", vsm_sam2_net_config(net)->name,
               (double)(made - start) * 1e-9, (double)(vsm_clock_ns() - made) * 1e-9);
}

static struct vsm_tensor *tensor(int rank, const int64_t *dims, const float *data)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, rank, dims);

    if (data)
        memcpy(t->data, data, vsm_tensor_bytes(t));
    return t;
}

/* An array [C, H, W] of the set as tokens [1, H * W, C]; NULL if it is not there whole. */
static struct vsm_tensor *load_tokens(const char *stage, int event, int frame, int channels)
{
    struct sam2_array a;
    struct vsm_tensor *t;
    size_t rows;

    if (!sam2_set_load(&set, stage, event, frame, &a))
        return NULL;
    if (json_object_get(a.entry, "full_shape")) {
        sam2_array_free(&a);
        return NULL;
    }
    rows = a.count / (size_t)channels;
    t = tensor(3, (const int64_t[]){1, (int64_t)rows, channels}, NULL);
    for (size_t c = 0; c < (size_t)channels; c++)
        for (size_t i = 0; i < rows; i++)
            vsm_tensor_f32(t)[i * (size_t)channels + c] = ((const float *)a.data)[c * rows + i];
    sam2_array_free(&a);
    return t;
}

/* An array of the set in its own layout, with the given shape; NULL if it is not there whole. */
static struct vsm_tensor *load_plain(const char *stage, int event, int rank, const int64_t *dims)
{
    struct sam2_array a;
    struct vsm_tensor *t = NULL;

    if (!sam2_set_load(&set, stage, event, -1, &a))
        return NULL;
    if (!json_object_get(a.entry, "full_shape")) {
        t = tensor(rank, dims, NULL);
        CHECK_INT(vsm_tensor_count(t), a.count);
        memcpy(t->data, a.data, vsm_tensor_bytes(t));
    }
    sam2_array_free(&a);
    return t;
}

static void compare(const char *stage, int event, int frame, const struct vsm_tensor *t, bool tokens)
{
    struct sam2_array a;

    if (!t || !sam2_set_load(&set, stage, event, frame, &a))
        return;
    sam2_set_compare(&set, &a, stage, vsm_tensor_f32(t), tokens, RELATIVE, FLOOR);
    sam2_array_free(&a);
}

static void run(enum vsm_sam2_stage stage, const struct vsm_binding *in, size_t ins, struct vsm_binding *out,
                size_t outs)
{
    if (vsm_sam2_net_run(net, stage, in, ins, out, outs) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
}

static void release(struct vsm_binding *bindings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vsm_tensor_unref(&bindings[i].tensor);
}

static void test_constants(void)
{
    const struct vsm_sam2_learned *l = vsm_sam2_net_learned(net);
    int n = size / 16;
    struct vsm_tensor *t = tensor(2, (const int64_t[]){pixels, 256}, NULL);

    vsm_sam2_constants_sine(n, n, 256, vsm_tensor_f32(t));
    compare("const.vision_pos", -1, -1, t, true);
    vsm_sam2_constants_dense(l->gaussian, n, vsm_tensor_f32(t));
    compare("const.dense_pe", -1, -1, t, true);
    vsm_tensor_unref(&t);
    t = tensor(2, (const int64_t[]){pixels, 64}, NULL);
    vsm_sam2_constants_sine(n, n, 64, vsm_tensor_f32(t));
    compare("const.memory_pos", -1, -1, t, true);
    vsm_tensor_unref(&t);
    sam2_set_report(set.name);
}

static void test_frames(void)
{
    const json_t *hashes = json_object_get(set.manifest, "frame_sha256");
    struct vsm_tensor *t = tensor(3, (const int64_t[]){3, size, size}, NULL);

    for (int frame = 0; frame < 5 && frame < sam2_set_int(&set, "frames"); frame++) {
        char hex[VSM_SHA256_HEX];
        struct vsm_sha256 hash;

        sam2_weights_frame(size, frame, vsm_tensor_f32(t));
        CHECK_INT(vsm_hash_sha256(t->data, vsm_tensor_bytes(t), &hash), VSM_OK);
        vsm_hash_hex(&hash, hex);
        CHECK_STR(hex, json_string_value(json_array_get(hashes, (size_t)frame)));
    }
    vsm_tensor_unref(&t);
}

static void test_encoder(void)
{
    static const char *const stages[] = {"trunk.0", "trunk.1", "trunk.2", "trunk.3",
                                         "enc.f0",  "enc.f1",  "enc.feat"};
    struct vsm_tensor *image = tensor(4, (const int64_t[]){1, 3, size, size}, NULL);
    uint64_t spent = 0, start;
    int frames = sam2_set_int(&set, "frames");

    frames = frames > 3 ? 3 : frames;
    for (int frame = 0; frame < frames; frame++) {
        const struct vsm_binding in = {"image", image};
        struct vsm_binding out[] = {{"trunk.0", NULL}, {"trunk.1", NULL}, {"trunk.2", NULL},
                                    {"trunk.3", NULL}, {"f0", NULL},      {"f1", NULL},
                                    {"feat", NULL}};

        sam2_weights_frame(size, frame, vsm_tensor_f32(image));
        start = vsm_clock_ns();
        run(VSM_SAM2_ENCODER, &in, 1, out, 7);
        spent += vsm_clock_ns() - start;
        for (int i = 0; i < 7; i++)
            compare(stages[i], -1, frame, out[i].tensor, true);
        release(out, 7);
    }
    vsm_tensor_unref(&image);
    printf("# %s encoder: %.0f ms a frame\n", set.name, (double)spent * 1e-6 / frames);
    sam2_set_report(set.name);
}

/* Memories and pointers of one event's bank; false if the set has only crops of them. */
static bool load_bank(const json_t *event, struct vsm_binding bank[4])
{
    const struct vsm_sam2_learned *l = vsm_sam2_net_learned(net);
    const json_t *order = json_object_get(event, "memory_order"), *item;
    int id = (int)json_integer_value(json_object_get(event, "id")),
        tokens = vsm_sam2_net_config(net)->memory_tokens;
    int64_t memories = 0, pointers = 0;
    struct sam2_array memory, position;
    float *out;
    size_t i;

    json_array_foreach(order, i, item)
    {
        bool spatial = strcmp(json_string_value(json_object_get(item, "kind")), "spatial") == 0;

        memories += spatial;
        pointers += !spatial;
    }
    if (memories == 0 || !sam2_set_load(&set, "memattn.memory", id, -1, &memory))
        return false;
    if (json_object_get(memory.entry, "full_shape")) {
        sam2_array_free(&memory);
        return false;
    }
    CHECK(sam2_set_load(&set, "memattn.memory_pos", id, -1, &position));
    CHECK_INT(memory.count, (memories * tokens + 4 * pointers) * 64);
    bank[0] =
        (struct vsm_binding){"memory", tensor(4, (const int64_t[]){1, memories, tokens, 64}, memory.data)};
    bank[1] = (struct vsm_binding){"temporal", tensor(4, (const int64_t[]){1, memories, 1, 64}, NULL)};
    out = vsm_tensor_f32(bank[1].tensor);
    for (i = 0; i < (size_t)memories; i++, out += 64)
        memcpy(out, l->temporal[json_integer_value(json_object_get(json_array_get(order, i), "tpos_index"))],
               64 * sizeof(float));
    bank[2] = (struct vsm_binding){"pointers", tensor(3, (const int64_t[]){1, 4 * pointers, 64},
                                                      (const float *)memory.data + memories * tokens * 64)};
    bank[3] = (struct vsm_binding){"pointer_position",
                                   tensor(3, (const int64_t[]){1, 4 * pointers, 64},
                                          (const float *)position.data + memories * tokens * 64)};
    sam2_array_free(&memory);
    sam2_array_free(&position);
    return true;
}

static void test_attention(void)
{
    int layers = vsm_sam2_net_config(net)->attention_layers, done = 0;
    const json_t *event;
    uint64_t spent = 0, start;
    size_t i;

    json_array_foreach(json_object_get(set.manifest, "events"), i, event)
    {
        int id = (int)json_integer_value(json_object_get(event, "id"));
        int frame = (int)json_integer_value(json_object_get(event, "frame"));
        struct vsm_binding in[5] = {{0}};
        struct vsm_binding out[] = {
            {"conditioned", NULL}, {"layer0", NULL}, {"layer1", NULL}, {"layer2", NULL}, {"layer3", NULL}};

        in[4] = (struct vsm_binding){"feat", load_tokens("enc.feat", -1, frame, 256)};
        if (!in[4].tensor || !load_bank(event, in)) {
            release(in, 5);
            continue;
        }
        start = vsm_clock_ns();
        run(VSM_SAM2_ATTENTION, in, 5, out, (size_t)layers + 1);
        spent += vsm_clock_ns() - start;
        compare("memattn.out", id, -1, out[0].tensor, false);
        for (int k = 0; k < layers; k++) {
            char stage[32];

            snprintf(stage, sizeof(stage), "memattn.layer%d", k);
            compare(stage, id, -1, out[1 + k].tensor, false);
        }
        release(in, 5);
        release(out, 5);
        done++;
    }
    if (done == 0)
        tap_skip("the set has no whole tensors of this stage");
    else
        printf("# %s attention: %d events, %.0f ms each\n", set.name, done, (double)spent * 1e-6 / done);
    sam2_set_report(set.name);
}

/* Tokens of the decoder: six learned ones, then the prompt's. */
static struct vsm_tensor *decoder_tokens(const struct vsm_tensor *sparse)
{
    const struct vsm_sam2_learned *l = vsm_sam2_net_learned(net);
    int64_t count = sparse ? sparse->dims[1] : 2;
    struct vsm_tensor *t = tensor(3, (const int64_t[]){1, 6 + count, 256}, NULL);
    float *out = vsm_tensor_f32(t);

    memcpy(out, l->tokens, sizeof(l->tokens));
    for (int64_t i = 0; i < count; i++)
        memcpy(out + (6 + i) * 256, sparse ? vsm_tensor_f32(sparse) + i * 256 : l->not_a_point,
               256 * sizeof(float));
    return t;
}

static void check_decoded(const json_t *event, int id, const struct vsm_binding out[7])
{
    int row = (int)json_integer_value(json_object_get(event, "row"));
    int token = (int)json_integer_value(json_object_get(event, "pointer_token"));
    const json_t *iou = json_object_get(event, "iou4");

    compare("dec.queries", id, -1, out[0].tensor, false);
    compare("dec.keys", id, -1, out[1].tensor, false);
    compare("dec.masks4", id, -1, out[2].tensor, false);
    for (size_t i = 0; i < 4; i++)
        CHECK_NEAR(vsm_tensor_f32(out[3].tensor)[i], json_number_value(json_array_get(iou, i)), 2e-5);
    CHECK_NEAR(vsm_tensor_f32(out[4].tensor)[0], json_number_value(json_object_get(event, "object_score")),
               1e-4);
    if (!json_is_true(json_object_get(event, "absent"))) {
        struct sam2_array all;

        CHECK(sam2_set_load(&set, "all.ptr", -1, -1, &all));
        for (int c = 0; c < 256; c++)
            CHECK_NEAR(vsm_tensor_f32(out[5].tensor)[token * 256 + c],
                       ((const float *)all.data)[row * 256 + c], 1e-4);
        sam2_array_free(&all);
    }
}

static void test_decoder(void)
{
    const struct vsm_sam2_learned *l = vsm_sam2_net_learned(net);
    int done = 0;
    const json_t *event;
    size_t i;

    json_array_foreach(json_object_get(set.manifest, "events"), i, event)
    {
        int id = (int)json_integer_value(json_object_get(event, "id")), n = size / 16;
        int frame = (int)json_integer_value(json_object_get(event, "frame"));
        size_t labels = json_array_size(json_object_get(event, "labels"));
        bool init = json_is_true(json_object_get(event, "init"));
        struct vsm_tensor *sparse =
            load_plain("prompt.sparse", id, 3, (const int64_t[]){1, (int64_t)labels + 1, 256});
        struct vsm_tensor *mask = load_plain("prompt.mask_in", id, 4, (const int64_t[]){1, 1, 4 * n, 4 * n});
        struct vsm_binding in[5] = {
            {"image", load_plain("memattn.out", id, 3, (const int64_t[]){1, pixels, 256})},
            {"dense", load_tokens("prompt.dense", id, -1, 256)},
            {"tokens", decoder_tokens(sparse)},
            {"f0", load_tokens("enc.f0", -1, frame, 32)},
            {"f1", load_tokens("enc.f1", -1, frame, 64)},
        };
        struct vsm_binding out[] = {{"queries", NULL},    {"keys", NULL},  {"masks", NULL},
                                    {"iou", NULL},        {"score", NULL}, {"pointers", NULL},
                                    {"mask_tokens", NULL}};

        if (init) {
            vsm_tensor_unref(&in[0].tensor);
            in[0].tensor = load_tokens("enc.feat", -1, frame, 256);
            for (int k = 0; in[0].tensor && k < pixels * 256; k++)
                vsm_tensor_f32(in[0].tensor)[k] += l->no_memory[k % 256];
            compare("dec.in", id, -1, in[0].tensor, true);
        }
        if (mask) {
            struct vsm_binding from = {"mask", mask}, to = {"dense", NULL};

            run(VSM_SAM2_PROMPT, &from, 1, &to, 1);
            compare("prompt.dense", id, -1, to.tensor, true);
            vsm_tensor_unref(&to.tensor);
        } else if (!in[1].tensor) {
            in[1].tensor = tensor(3, (const int64_t[]){1, 1, 256}, l->no_mask);
        }
        if (in[0].tensor && in[1].tensor && in[3].tensor && in[4].tensor &&
            strcmp(json_string_value(json_object_get(event, "kind")), "memory_of_prompt") != 0) {
            run(VSM_SAM2_DECODER, in, 5, out, 7);
            check_decoded(event, id, out);
            done++;
        }
        release(in, 5);
        release(out, 7);
        vsm_tensor_unref(&sparse);
        vsm_tensor_unref(&mask);
    }
    if (done == 0)
        tap_skip("the set has no whole tensors of this stage");
    sam2_set_report(set.name);
}

static void test_memory(void)
{
    const struct vsm_sam2_learned *l = vsm_sam2_net_learned(net);
    bool edgetam = vsm_sam2_net_config(net)->family == VSM_SAM2_EDGETAM;
    const json_t *event;
    int done = 0;
    size_t i;

    json_array_foreach(json_object_get(set.manifest, "events"), i, event)
    {
        int id = (int)json_integer_value(json_object_get(event, "id"));
        int frame = (int)json_integer_value(json_object_get(event, "frame"));
        struct vsm_binding in[2] = {{"feat", load_tokens("enc.feat", -1, frame, 256)},
                                    {"mask", load_plain("memenc.mask_in", id, 4,
                                                        (const int64_t[]){1, 1, size, size})}};
        struct vsm_binding out[] = {{"memory", NULL}, {"mask_downsampled", NULL}, {"raw", NULL}};

        if (in[0].tensor && in[1].tensor) {
            run(VSM_SAM2_MEMORY, in, 2, out, edgetam ? 3 : 2);
            compare("memenc.mask_downsampled", id, -1, out[1].tensor, true);
            if (edgetam) {
                compare("memenc.raw", id, -1, out[2].tensor, true);
                compare("perceiver.latents", id, -1, out[0].tensor, false);
            } else {
                compare("memenc.raw", id, -1, out[0].tensor, true);
                if (json_number_value(json_object_get(event, "object_score")) <= 0)
                    for (int k = 0; k < pixels * 64; k++)
                        vsm_tensor_f32(out[0].tensor)[k] += l->no_object_memory[k % 64];
                compare("memenc.out", id, -1, out[0].tensor, true);
            }
            done++;
        }
        release(in, 2);
        release(out, 3);
    }
    if (done == 0)
        tap_skip("the set has no whole tensors of this stage");
    sam2_set_report(set.name);
}

static void test_stream(void)
{
    sam2_stream_run(&set, net, half ? HALF_SLACK : 1);
}

/* Sets that take long: many frames, large pictures, large models. */
static bool is_slow(const char *name)
{
    return strstr(name, "1024") || strstr(name, "large") || strstr(name, "base_plus") ||
           strcmp(name, "edgetam512_long") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !sam2_set_open(&set, argv[1])) {
        printf("1..0 # SKIP no golden data\n");
        return 0;
    }
    if (is_slow(argv[1]) && !getenv("VSM_SLOW_TESTS")) {
        printf("1..0 # SKIP slow: set VSM_SLOW_TESTS=1\n");
        sam2_set_close(&set);
        return 0;
    }
    for (int i = 2; i < argc; i++) {
        as_device = as_device || strcmp(argv[i], "device") == 0;
        half = half || strcmp(argv[i], "half") == 0;
        cuda = cuda || strcmp(argv[i], "cuda") == 0;
    }
    cuda = cuda || (half && !as_device);
    size = sam2_set_int(&set, "image_size");
    pixels = size / 16 * (size / 16);
    RUN(make_net);
    if (net) {
        RUN(test_constants);
        RUN(test_frames);
        if (!strstr(argv[1], "_long") && !as_device && !cuda) {
            RUN(test_encoder);
            RUN(test_attention);
            RUN(test_decoder);
            RUN(test_memory);
        }
        RUN(test_stream);
    }
    vsm_sam2_net_destroy(net);
    sam2_set_close(&set);
    return tap_done();
}
