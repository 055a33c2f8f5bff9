/* Checkpoint files of the SAM 2 family, good and bad, made from the reference recipe of EdgeTAM, the
 * smallest. */
#include "sam2_weights.h"

#include "base/file.h"
#include "base/mem.h"
#include "models/registry.h"
#include "models/sam2_correction.h"
#include "models/sam2_net.h"
#include "models/sam2_tracker.h"
#include "nn/weights.h"
#include "shared_data.h"
#include "tap.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE 256

static char recipe[1024], official[] = "/tmp/vsm-sam2-a-XXXXXX", other[] = "/tmp/vsm-sam2-b-XXXXXX";
static char damaged[] = "/tmp/vsm-sam2-c-XXXXXX";

static struct vsm_sam2_net *open_net(const char *path, int image_size)
{
    const struct vsm_sam2_net_options options = {.path = path,
                                                 .image_size = image_size,
                                                 .session.threads = 1};
    struct vsm_sam2_net *net;

    return vsm_sam2_net_create(&options, &net) ? NULL : net;
}

/* A copy of the good file with one change made to its bytes. */
static struct vsm_sam2_net *open_damaged(const char *from, const char *to, long byte, size_t cut)
{
    void *data;
    size_t size;
    char *at;

    if (vsm_file_read(official, (size_t)1 << 28, VSM_E_INPUT, &data, &size))
        return NULL;
    at = from ? memmem(data, 1 << 20, from, strlen(from)) : NULL;
    CHECK(!from || at);
    if (at)
        memcpy(at, to, strlen(to));
    if (byte)
        memset((char *)data + size - (size_t)byte, 0xff, 4);
    CHECK_INT(vsm_file_write_atomic(damaged, data, size - cut), VSM_OK);
    vsm_mem_free(data);
    return open_net(damaged, SIZE);
}

/* Some frames of tracking, everything that the file's weights do: the last logits, and all that a checkpoint
 * holds. */
static void track(struct vsm_sam2_net *net, bool offload, int frames, float *logits,
                  struct vsm_bytes_out *state)
{
    const struct vsm_sam2_tracker_options options = {.views = 1, .offload = offload};
    const struct vsm_sam2_click click = {100, 120, true};
    const struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};
    struct vsm_tensor *image = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, SIZE, SIZE});
    struct vsm_sam2_tracker *tracker = NULL;

    CHECK_INT(vsm_sam2_tracker_create(net, &options, &tracker), VSM_OK);
    for (int frame = 0; frame < frames; frame++) {
        sam2_weights_frame(SIZE, frame, vsm_tensor_f32(image));
        CHECK_INT(vsm_sam2_tracker_begin(tracker, image), VSM_OK);
        if (frame == 0)
            CHECK_INT(vsm_sam2_tracker_prompt(tracker, 0, 1, &prompt, NULL), VSM_OK);
        CHECK_INT(vsm_sam2_tracker_track(tracker), VSM_OK);
    }
    memcpy(logits, vsm_sam2_tracker_at(tracker, 0)->logits, SIZE / 4 * (SIZE / 4) * sizeof(*logits));
    if (state)
        CHECK_INT(vsm_sam2_tracker_save(tracker, state), VSM_OK);
    vsm_sam2_tracker_destroy(tracker);
    vsm_tensor_unref(&image);
}

static void run(struct vsm_sam2_net *net, float *logits)
{
    track(net, false, 3, logits, NULL);
}

static void test_transformers_names(void)
{
    static float a[SIZE / 4 * (SIZE / 4)], b[SIZE / 4 * (SIZE / 4)];
    struct vsm_sam2_net *first = open_net(official, SIZE), *second;

    CHECK(sam2_weights_write(recipe, true, other));
    second = open_net(other, SIZE);
    CHECK(first && second);
    if (first && second) {
        CHECK(!vsm_sam2_net_config(first)->hugging_face && vsm_sam2_net_config(second)->hugging_face);
        run(first, a);
        run(second, b);
        CHECK(memcmp(a, b, sizeof(a)) == 0);
    } else {
        printf("# %s\n", vsm_error_message());
    }
    vsm_sam2_net_destroy(first);
    vsm_sam2_net_destroy(second);
}

/* The official file with all weights cut to bfloat16, stored as such or as float32; extra: with a tensor that
 * no model has. */
static bool write_rounded(const char *path, bool half, bool extra)
{
    struct vsm_weights *w;
    json_t *header = json_object();
    FILE *f = fopen(path, "wb");
    uint64_t length, at = 0;
    char *text;

    if (!f || vsm_weights_open(official, &w))
        return false;
    for (size_t i = 0; i < vsm_weights_count(w); i++) {
        const struct vsm_weight *t = vsm_weights_at(w, i);
        uint64_t size = (uint64_t)vsm_weight_count(t) * (half ? 2 : 4);
        json_t *shape = json_array();

        for (int k = 0; k < t->rank; k++)
            json_array_append_new(shape, json_integer(t->dims[k]));
        json_object_set_new(header, t->name,
                            json_pack("{s:s, s:o, s:[I,I]}", "dtype", half ? "BF16" : "F32", "shape", shape,
                                      "data_offsets", (json_int_t)at, (json_int_t)(at + size)));
        at += size;
    }
    if (extra)
        json_object_set_new(header, "optimizer.momentum",
                            json_pack("{s:s, s:[I], s:[I,I]}", "dtype", "F32", "shape", (json_int_t)1,
                                      "data_offsets", (json_int_t)at, (json_int_t)(at + 4)));
    text = json_dumps(header, JSON_COMPACT);
    length = (strlen(text) + 7) / 8 * 8;
    fwrite(&length, 8, 1, f);
    fprintf(f, "%-*s", (int)length, text);
    for (size_t i = 0; i < vsm_weights_count(w); i++) {
        size_t count = (size_t)vsm_weight_count(vsm_weights_at(w, i));
        float *values = vsm_mem_alloc("values", count, sizeof(*values));

        vsm_weight_read_f32(vsm_weights_at(w, i), values);
        for (size_t k = 0; k < count; k++) {
            uint32_t bits;

            memcpy(&bits, &values[k], 4);
            bits &= 0xffff0000;
            if (half)
                fwrite((char *)&bits + 2, 2, 1, f);
            else
                fwrite(&bits, 4, 1, f);
        }
        vsm_mem_free(values);
    }
    if (extra)
        fwrite("\0\0\x80\x3f", 4, 1, f);
    free(text);
    json_decref(header);
    vsm_weights_close(w);
    return fclose(f) == 0;
}

/* Rounded weights as they are, against the same stored in half precision or with extra tensors beside
 * them. */
static void check_same_answer(bool halves, bool extra)
{
    static float a[SIZE / 4 * (SIZE / 4)], b[SIZE / 4 * (SIZE / 4)];
    struct vsm_sam2_net *plain = NULL, *stored = NULL;

    CHECK(write_rounded(other, false, false) && write_rounded(damaged, halves, extra));
    plain = open_net(other, SIZE);
    stored = open_net(damaged, SIZE);
    CHECK(plain && stored);
    if (plain && stored) {
        run(plain, a);
        run(stored, b);
        CHECK(memcmp(a, b, sizeof(a)) == 0);
    }
    vsm_sam2_net_destroy(plain);
    vsm_sam2_net_destroy(stored);
}

static void test_half_precision(void)
{
    check_same_answer(true, false);
}

/* A training checkpoint, say: what nobody asks for is left alone. */
static void test_extra_tensors(void)
{
    check_same_answer(false, true);
}

static void test_refused(void)
{
    CHECK(!open_damaged("\"no_obj_ptr\"", "\"no_xbj_ptr\"", 0, 0));
    CHECK_HAS(vsm_error_message(), "no_obj_ptr");
    CHECK_HAS(vsm_error_message(), "missing");
    CHECK(!open_damaged(NULL, NULL, 4000000, 0));
    CHECK_HAS(vsm_error_message(), "NaN");
    CHECK(!open_damaged(NULL, NULL, 0, 1000));
    CHECK_HAS(vsm_error_message(), "cut");
    CHECK(!open_net(official, 512 + 32));
    CHECK_HAS(vsm_error_message(), "multiple of 256");
    CHECK(!open_net("/nowhere/edgetam.pt", SIZE));
    CHECK_HAS(vsm_error_message(), "/nowhere/edgetam.pt");
}

/* With memories on the device or offloaded. */
static void run_as_device(bool offload, float *logits, struct vsm_bytes_out *state)
{
    const struct vsm_sam2_net_options options = {.path = official,
                                                 .image_size = SIZE,
                                                 .session.threads = 1,
                                                 .as_device = true};
    struct vsm_sam2_net *net = NULL;

    CHECK_INT(vsm_sam2_net_create(&options, &net), VSM_OK);
    track(net, offload, 4, logits, state);
    vsm_sam2_net_destroy(net);
}

/* matting.memory_offload changes where memories are kept, and nothing else. */
static void test_offloaded_memories(void)
{
    static float a[SIZE / 4 * (SIZE / 4)], b[SIZE / 4 * (SIZE / 4)];
    struct vsm_bytes_out kept = {0}, offloaded = {0};

    run_as_device(false, a, &kept);
    run_as_device(true, b, &offloaded);
    CHECK(memcmp(a, b, sizeof(a)) == 0);
    CHECK(kept.size == offloaded.size && memcmp(kept.data, offloaded.data, kept.size) == 0);
    CHECK(kept.size > 4 * 512 * 64 * sizeof(uint16_t)); /* the memories are in it */
    vsm_bytes_out_finish(&kept);
    vsm_bytes_out_finish(&offloaded);
}

static void test_import_of_known_family(void)
{
    char folder[] = "/tmp/vsm-sam2-d-XXXXXX", *path;
    const struct vsm_registry_entry *entry;

    CHECK(mkdtemp(folder) != NULL);
    CHECK_INT(vsm_registry_import(folder, official, &entry, &path), VSM_OK);
    CHECK(!entry && path && access(path, R_OK) == 0);
    CHECK(path && unlink(path) == 0 && rmdir(folder) == 0);
    vsm_mem_free(path);
}

/* People come and go; prompts on nothing and outside are answered, not obeyed. */
static void test_objects(void)
{
    const struct vsm_sam2_click click = {100, 120, true}, outside = {300, 10, true};
    struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};
    struct vsm_tensor *image = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, 3, SIZE, SIZE});
    struct vsm_sam2_net *net = open_net(official, SIZE);
    const struct vsm_sam2_result *r;
    struct vsm_sam2_tracker *t;
    static float empty[64];

    CHECK(net != NULL);
    if (!net)
        return;
    CHECK_INT(vsm_sam2_tracker_create(net, &(struct vsm_sam2_tracker_options){.views = 2}, &t), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_track(t), VSM_E_INTERNAL);
    for (int frame = 0; frame < 4; frame++) {
        for (int view = 0; view < 2; view++)
            sam2_weights_frame(SIZE, frame + view, vsm_tensor_f32(image) + view * 3 * SIZE * SIZE);
        CHECK_INT(vsm_sam2_tracker_begin(t, image), VSM_OK);
        if (frame == 1) {
            CHECK_INT(vsm_sam2_tracker_prompt(t, 0, 7, &prompt, &r), VSM_OK);
            CHECK_INT(vsm_sam2_tracker_begin(t, image), VSM_E_INTERNAL);
            CHECK_HAS(vsm_error_message(), "track()");
            CHECK_INT(vsm_sam2_tracker_prompt(t, 1, 7, &prompt, &r), VSM_OK);
        }
        if (frame == 2) {
            prompt.clicks = &outside;
            CHECK_INT(vsm_sam2_tracker_prompt(t, 1, 8, &prompt, NULL), VSM_E_USAGE);
            CHECK_INT(vsm_sam2_tracker_count(t), 2);
            prompt = (struct vsm_sam2_prompt){.mask = empty, .mask_height = 8, .mask_width = 8};
            CHECK_INT(vsm_sam2_tracker_prompt(t, 1, 8, &prompt, &r), VSM_OK);
            CHECK(r->absent && r->score == -10 && r->logits[0] == -10);
            CHECK_INT(vsm_sam2_tracker_prompt(t, 2, 8, &prompt, &r), VSM_E_INTERNAL);
        }
        CHECK_INT(vsm_sam2_tracker_track(t), VSM_OK);
        for (int i = 0; i < vsm_sam2_tracker_count(t); i++)
            CHECK_INT(vsm_sam2_tracker_at(t, i)->frame, frame);
    }
    CHECK_INT(vsm_sam2_tracker_count(t), 3);
    vsm_sam2_tracker_remove(t, 0, 7);
    CHECK(!vsm_sam2_tracker_find(t, 0, 7) && vsm_sam2_tracker_find(t, 1, 7));
    vsm_sam2_tracker_clear(t);
    CHECK_INT(vsm_sam2_tracker_track(t), VSM_OK);
    vsm_sam2_tracker_destroy(t);
    vsm_sam2_net_destroy(net);
    vsm_tensor_unref(&image);
}

static void next_frame(struct vsm_sam2_tracker *t, struct vsm_tensor *image, int frame)
{
    sam2_weights_frame(SIZE, frame, vsm_tensor_f32(image));
    CHECK_INT(vsm_sam2_tracker_begin(t, image), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_track(t), VSM_OK);
}

static int correct(struct vsm_sam2_tracker *t, const float box[4],
                   struct vsm_sam2_correction_options *options, struct vsm_sam2_correction *c)
{
    struct vsm_sam2_sighting sighting = {.id = -1};
    int made = -1;

    memcpy(sighting.box, box, sizeof(sighting.box));
    CHECK_INT(vsm_sam2_correction_run(t, 0, &sighting, 1, options, c, 1, &made), VSM_OK);
    CHECK(!made || (sighting.known && sighting.id == c->id));
    return made;
}

/* Synthetic weights segment nothing, so this shows what is done about a box, not that masks get better. */
static void test_corrections(void)
{
    static const float first[4] = {10, 20, 100, 110}, empty[4] = {300, 10, 400, 90};
    struct vsm_sam2_correction_options options = {.add_new = true, .next_id = 5};
    struct vsm_tensor *image = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, SIZE, SIZE});
    struct vsm_sam2_net *net = open_net(official, SIZE);
    const struct vsm_sam2_result *r;
    struct vsm_sam2_correction c;
    static float alpha[SIZE / 4 * (SIZE / 4)];
    struct vsm_sam2_tracker *t;
    float box[4];

    CHECK_INT(vsm_sam2_tracker_create(net, &(struct vsm_sam2_tracker_options){.views = 1}, &t), VSM_OK);
    next_frame(t, image, 0);
    CHECK_INT(correct(t, empty, &options, &c), 0);
    CHECK_INT(correct(t, first, &options, &c), 1);
    CHECK_INT(c.kind, VSM_SAM2_NEW);
    CHECK_INT(c.id, 5);
    CHECK_INT(options.next_id, 6);

    next_frame(t, image, 1);
    r = vsm_sam2_tracker_find(t, 0, 5);
    CHECK(r && r->frame == 1 && r->last_seen == 1);
    if (!r)
        return;
    memcpy(box, r->last_box, sizeof(box)); /* what the tracker says itself: nothing to do */
    CHECK_INT(correct(t, box, &options, &c), 0);
    CHECK_INT(correct(t, first, &options, &c), 1); /* its mask is far larger */
    CHECK_INT(c.kind, VSM_SAM2_DRIFTED);
    CHECK_NEAR(c.overlap, vsm_sam2_correction_overlap(box, first), 0);
    CHECK_INT(c.frame, 1);
    CHECK_INT(vsm_sam2_tracker_count(t), 1);

    /* the matter sees somebody in the box where the mask is not */
    memset(alpha, 0, sizeof(alpha));
    for (int i = 0; i < SIZE / 4 * (SIZE / 4); i++)
        alpha[i] = r->logits[i] > 0 ? 0 : 0.9f;
    memcpy(box, r->last_box, sizeof(box));
    options.alpha = alpha;
    CHECK_INT(correct(t, box, &options, &c), 1);
    CHECK_INT(c.kind, VSM_SAM2_DRIFTED);
    CHECK_NEAR(c.overlap, 1, 0);
    CHECK_NEAR(c.agreement, 0, 0);
    r = vsm_sam2_tracker_find(t, 0, 5);
    for (int i = 0; i < SIZE / 4 * (SIZE / 4); i++)
        alpha[i] = r->logits[i] > 0 ? 0.9f : 0;
    memcpy(box, r->last_box, sizeof(box));
    CHECK_INT(correct(t, box, &options, &c), 0);
    options.alpha = NULL;

    /* a mask that went astray: what is in the box looks like the one we know (anything does) */
    options.min_similarity = -1;
    next_frame(t, image, 2);
    memcpy(box, first, sizeof(box));
    box[2] = box[0] + 75;
    box[3] = box[1] + 85;
    CHECK_INT(correct(t, box, &options, &c), 1);
    CHECK_INT(c.kind, VSM_SAM2_FOUND_AGAIN);
    CHECK_INT(c.id, 5);
    CHECK(c.similarity > -1 && c.similarity <= 1);

    /* after a cut nobody is known */
    vsm_sam2_tracker_clear(t);
    next_frame(t, image, 3);
    CHECK_INT(correct(t, first, &options, &c), 1);
    CHECK_INT(c.kind, VSM_SAM2_NEW);
    CHECK_INT(c.id, 6);
    vsm_sam2_tracker_destroy(t);
    vsm_sam2_net_destroy(net);
    vsm_tensor_unref(&image);
}

static void test_overlap(void)
{
    static const float a[4] = {0, 0, 2, 2}, b[4] = {1, 0, 3, 2}, far[4] = {9, 9, 10, 10},
                       none[4] = {1, 1, 1, 1};

    CHECK_NEAR(vsm_sam2_correction_overlap(a, a), 1, 0);
    CHECK_NEAR(vsm_sam2_correction_overlap(a, b), 1.0 / 3, 1e-6);
    CHECK_NEAR(vsm_sam2_correction_overlap(a, far), 0, 0);
    CHECK_NEAR(vsm_sam2_correction_overlap(none, none), 0, 0);
}

int main(void)
{
    int a = mkstemp(official), b = mkstemp(other), c = mkstemp(damaged);

    if (!shared_path("golden/sam2/weights/edgetam.json", recipe, sizeof(recipe)) ||
        !sam2_weights_write(recipe, false, official)) {
        printf("1..0 # SKIP no golden data\n");
    } else {
        RUN(test_transformers_names);
        RUN(test_half_precision);
        RUN(test_extra_tensors);
        RUN(test_refused);
        RUN(test_offloaded_memories);
        RUN(test_import_of_known_family);
        RUN(test_objects);
        RUN(test_overlap);
        RUN(test_corrections);
    }
    unlink(official);
    unlink(other);
    unlink(damaged);
    close(a);
    close(b);
    close(c);
    return tap_count ? tap_done() : 0;
}
