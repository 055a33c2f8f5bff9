#include "base/mem.h"
#include "models/sam2_bank.h"
#include "models/sam2_config.h"
#include "models/sam2_constants.h"
#include "models/sam2_holes.h"
#include "models/sam2_mask.h"
#include "models/sam2_names.h"
#include "models/sam2_prompt.h"
#include "shared_data.h"
#include "tap.h"

static void test_resize(void)
{
    static const float from[4] = {0, 1, 2, 3}, expected[4] = {0, 0.25f, 0.75f, 1};
    float to[16], back[4];

    vsm_sam2_mask_resize(from, 2, 2, to, 4, 4);
    for (int x = 0; x < 4; x++)
        CHECK_NEAR(to[x], expected[x], 1e-7);
    CHECK_NEAR(to[15], 3, 0);
    CHECK_INT(vsm_sam2_mask_resize_smooth(to, 4, 4, back, 2, 2), VSM_OK);
    CHECK_NEAR(back[0] + back[3], 3, 1e-6); /* symmetric */
}

/* In the interior a reduction by 4 weighs 8 pixels with 1 3 5 7 7 5 3 1. */
static void test_resize_smooth_weights(void)
{
    static const float weights[8] = {1, 3, 5, 7, 7, 5, 3, 1};
    float from[16] = {0}, to[4];

    for (int i = 0; i < 8; i++) {
        memset(from, 0, sizeof(from));
        from[2 + i] = 32;
        CHECK_INT(vsm_sam2_mask_resize_smooth(from, 1, 16, to, 1, 4), VSM_OK);
        CHECK_NEAR(to[1], weights[i], 1e-5);
    }
}

static void test_memory_input(void)
{
    float logits[3] = {-1000, 0, 1e-6f}, binary[3] = {-1, 0, 1e-6f};

    vsm_sam2_mask_memory_input(logits, 3, false);
    vsm_sam2_mask_memory_input(binary, 3, true);
    CHECK_NEAR(logits[0], -10, 0);
    CHECK_NEAR(logits[1], 0, 0);
    CHECK_NEAR(binary[1], -10, 0);
    CHECK_NEAR(binary[2], 10, 0);
}

static void test_stability(void)
{
    static const float none[2] = {-1, -2}, half[4] = {1, 0, -0.04f, 1};

    CHECK_NEAR(vsm_sam2_mask_stability(none, 2), 1, 0);
    CHECK_NEAR(vsm_sam2_mask_stability(half, 4), 0.5, 0);
}

/* A hole of 3 pixels touching corner to corner, and an outside of more than 8. */
static void test_fill_holes(void)
{
    static const char *const picture[8] = {"........", ".xxxxxx.", ".x.xxxx.", ".xx.xxx.",
                                           ".x.xxxx.", ".xxxxxx.", ".xxxxxx.", "........"};
    float logits[64];
    int inside = 0;

    for (int i = 0; i < 64; i++)
        logits[i] = picture[i / 8][i % 8] == 'x' ? 5 : -5;
    CHECK_INT(vsm_sam2_holes_fill(logits, 8, 8, 2), VSM_OK);
    CHECK_INT(vsm_sam2_mask_area(logits, 64), 33);
    CHECK_INT(vsm_sam2_holes_fill(logits, 8, 8, 8), VSM_OK);
    for (int i = 0; i < 64; i++)
        inside += logits[i] > 0;
    CHECK_INT(inside, 36);
    CHECK_NEAR(logits[2 * 8 + 2], 0.1, 1e-7);
    CHECK_NEAR(logits[0], -5, 0);
}

/* Pixels of the region of `at` that are not inside, by looking everywhere again and again. */
static int region(const float *logits, int h, int w, int at, bool *taken)
{
    int count = 1;

    memset(taken, 0, (size_t)(h * w) * sizeof(*taken));
    taken[at] = true;
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < h * w * 9; i++) {
            const int from = i / 9, y = from / w + i % 9 / 3 - 1, x = from % w + i % 3 - 1;

            if (!taken[from] || y < 0 || x < 0 || y >= h || x >= w || taken[y * w + x] ||
                logits[y * w + x] > 0)
                continue;
            taken[y * w + x] = more = true;
            count++;
        }
    }
    return count;
}

static void test_fill_holes_anywhere(void)
{
    uint32_t random = 7;

    for (int round = 0; round < 300; round++) {
        const bool wide = round % 20 == 7; /* over several words of bits */
        const int h = wide ? 3 : 1 + round % 9, w = wide ? 63 + round / 3 : 1 + round / 9 % 11;
        const int area = wide && round > 200 ? 80 : 1 + round % 6;
        float logits[3 * 170], filled[3 * 170];
        bool taken[3 * 170];

        for (int i = 0; i < h * w; i++) {
            random = random * 1664525 + 1013904223;
            logits[i] = filled[i] = (random >> 20) % 10 < (uint32_t)(round % 10) ? 1 : -1;
        }
        CHECK_INT(vsm_sam2_holes_fill(filled, h, w, area), VSM_OK);
        for (int i = 0; i < h * w; i++) {
            const bool hole = !(logits[i] > 0) && region(logits, h, w, i, taken) <= area;

            CHECK_NEAR(filled[i], hole ? 0.1f : logits[i], 0);
        }
    }
}

static void test_box(void)
{
    float logits[20] = {0};
    int box[4];

    CHECK(!vsm_sam2_mask_box(logits, 4, 5, box));
    CHECK_INT(box[0] + box[1] + box[2] + box[3], 0);
    logits[1 * 5 + 3] = logits[2 * 5 + 1] = 1;
    CHECK(vsm_sam2_mask_box(logits, 4, 5, box));
    CHECK(box[0] == 1 && box[1] == 1 && box[2] == 4 && box[3] == 3);
}

#define TOKENS 2

static void store(struct vsm_sam2_bank *bank, int64_t frame, bool conditioning)
{
    float memory[TOKENS * 64], pointer[256];

    for (int i = 0; i < TOKENS * 64; i++)
        memory[i] = (float)frame;
    for (int i = 0; i < 256; i++)
        pointer[i] = (float)frame + 0.5f;
    vsm_sam2_bank_store(bank, frame, conditioning, memory, pointer);
}

/* Frames of the memories and pointers in use, as text: "0c 5:0 | 0@7 ...". */
static const char *describe(const struct vsm_sam2_bank *bank, int64_t frame)
{
    static struct vsm_sam2_learned learned;
    static char text[1024];
    static float memory[64 * TOKENS * 64], temporal[64 * 64], pointers[256 * 64], position[256 * 64];
    struct vsm_sam2_bank_size size = vsm_sam2_bank_size(bank, frame);
    size_t at = 0;

    for (int i = 0; i < VSM_SAM2_TEMPORAL; i++)
        learned.temporal[i][0] = (float)i;
    vsm_sam2_bank_gather(bank, &learned, VSM_SAM2_0, frame, memory, temporal, pointers, position);
    for (int i = 0; i < size.memories; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%g:%g ", (double)memory[i * TOKENS * 64 + 64],
                               (double)temporal[i * 64]);
    at += (size_t)snprintf(text + at, sizeof(text) - at, "|");
    for (int i = 0; i < size.pointers; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, " %g", (double)pointers[i * 256 + 255] - 0.5);
    return text;
}

static void test_bank_window(void)
{
    struct vsm_sam2_bank *bank = vsm_sam2_bank_create(TOKENS, 3, NULL);

    CHECK(!vsm_sam2_bank_usable(bank, 5));
    store(bank, 0, true);
    CHECK_STR(describe(bank, 1), "0:6 | 0");
    for (int i = 1; i <= 20; i++)
        store(bank, i, false);
    CHECK_STR(describe(bank, 21),
              "0:6 15:5 16:4 17:3 18:2 19:1 20:0 | 0 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6");
    /* a correction of frame 20 sees the frames before it */
    CHECK_STR(describe(bank, 20),
              "0:6 14:5 15:4 16:3 17:2 18:1 19:0 | 0 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5");
    vsm_sam2_bank_destroy(bank);
}

/* The first conditioning frame is kept, the second oldest goes, but stays in use while it is recent. */
static void test_bank_conditioning_cap(void)
{
    struct vsm_sam2_bank *bank = vsm_sam2_bank_create(TOKENS, 3, NULL);

    store(bank, 0, true);
    store(bank, 10, true);
    store(bank, 11, false);
    store(bank, 12, true);
    store(bank, 13, true);
    CHECK(vsm_sam2_bank_has_conditioning(bank, 0) && !vsm_sam2_bank_has_conditioning(bank, 10));
    CHECK_STR(describe(bank, 14), "0:6 12:6 13:6 10:3 11:2 | 0 12 13 11 10");
    CHECK_STR(describe(bank, 17), "0:6 12:6 13:6 11:5 | 0 12 13 11 10");
    /* a conditioning frame stays one when it is stored again */
    store(bank, 13, false);
    CHECK_STR(describe(bank, 14), "0:6 12:6 13:6 10:3 11:2 | 0 12 13 11 10");
    vsm_sam2_bank_destroy(bank);
}

static void test_bank_saved(void)
{
    struct vsm_sam2_bank *bank = vsm_sam2_bank_create(TOKENS, 3, NULL),
                         *other = vsm_sam2_bank_create(TOKENS, 3, NULL);
    struct vsm_bytes_out saved = {0}, again = {0};
    struct vsm_bytes_in in;

    store(bank, 3, true);
    for (int i = 4; i < 12; i++)
        store(bank, i, i == 7);
    CHECK_INT(vsm_sam2_bank_save(bank, &saved), VSM_OK);
    in = vsm_bytes_in_of(saved.data, saved.size);
    CHECK_INT(vsm_sam2_bank_load(other, &in), VSM_OK);
    CHECK_INT(vsm_sam2_bank_save(other, &again), VSM_OK);
    CHECK(saved.size == again.size && memcmp(saved.data, again.data, saved.size) == 0);
    for (size_t cut = 0; cut < saved.size; cut += 7) {
        in = vsm_bytes_in_of(saved.data, cut);
        CHECK_INT(vsm_sam2_bank_load(other, &in), VSM_E_INPUT);
    }
    vsm_sam2_bank_destroy(other);
    other = vsm_sam2_bank_create(TOKENS + 1, 3, NULL);
    in = vsm_bytes_in_of(saved.data, saved.size);
    CHECK_INT(vsm_sam2_bank_load(other, &in), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "tokens");
    vsm_sam2_bank_destroy(other);
    vsm_sam2_bank_destroy(bank);
    vsm_bytes_out_finish(&saved);
    vsm_bytes_out_finish(&again);
}

static void test_bank_rounds_to_even(void)
{
    struct vsm_sam2_bank *bank = vsm_sam2_bank_create(1, 2, NULL);
    static struct vsm_sam2_learned learned;
    float memory[64] = {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.1p-8f, -3.4e38f}, pointer[256] = {0}, out[64],
          t[64];
    float pointers[256], position[256];

    vsm_sam2_bank_store(bank, 0, true, memory, pointer);
    vsm_sam2_bank_gather(bank, &learned, VSM_SAM2_0, 1, out, t, pointers, position);
    CHECK_NEAR(out[0], 1, 0);
    CHECK_NEAR(out[1], 1 + 0x1p-6, 0);
    CHECK_NEAR(out[2], 1 + 0x1p-7, 0);
    vsm_sam2_bank_destroy(bank);
}

static void test_prompts(void)
{
    const struct vsm_sam2_click in[2] = {{10, 20, true}, {255, 0, false}}, out[1] = {{10, 257, true}};
    struct vsm_sam2_prompt p = {.clicks = in, .click_count = 2, .has_box = true, .box = {1, 2, 3, 4}};
    struct vsm_sam2_points points = {0};

    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_OK);
    CHECK_INT(points.count, 4);
    CHECK_INT(points.label[0], 2);
    CHECK_INT(points.label[1], 3);
    CHECK_INT(points.label[2], 1);
    CHECK_INT(points.label[3], 0);
    p = (struct vsm_sam2_prompt){.clicks = in, .click_count = 1, .add = true};
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_OK);
    CHECK_INT(points.count, 5);
    p.add = false;
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_OK);
    CHECK_INT(points.count, 1);
    p.clicks = out;
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "outside");
    CHECK_INT(points.count, 1);
    p = (struct vsm_sam2_prompt){.has_box = true, .box = {5, 5, 5, 9}};
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "empty");
    p = (struct vsm_sam2_prompt){.click_count = 0};
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_E_USAGE);
    p = (struct vsm_sam2_prompt){.clicks = in, .click_count = 2, .add = true};
    for (int i = 0; i < 15; i++)
        CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_OK);
    CHECK_INT(vsm_sam2_prompt_points(&points, &p, 256), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "more than");
}

static void test_rotary(void)
{
    float cosine[4 * 128], sine[4 * 128];

    vsm_sam2_constants_rotary(2, cosine, sine);
    CHECK_NEAR(sine[0], 0, 0);
    CHECK_NEAR(sine[128], sin(1.0), 1e-7); /* x = 1, y = 0 */
    CHECK_NEAR(sine[128 + 64], 0, 0);
    CHECK_NEAR(sine[2 * 128 + 64 + 1], sin(pow(10000, -4.0 / 256)), 1e-7); /* x = 0, y = 1 */
}

/* Every official name that the fact sheets list, to its transformers name. */
static void test_names(void)
{
    static const char *const files[] = {"2.1_tiny", "2.1_large", "edgetam"};
    char path[1024], line[512], relative[128], name[256];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int wrong = 0, count = 0;
        FILE *f;

        snprintf(relative, sizeof(relative), "facts/sam2_keys/%s.tsv", files[i]);
        if (!shared_path(relative, path, sizeof(path))) {
            tap_skip("no name lists");
            return;
        }
        f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f)) {
            char key[256], expected[256];
            int64_t first = 0;

            if (sscanf(line, "%255s\t%*[^\t]\t%*s\t%255s", key, expected) != 2 ||
                strcmp(key, "official_key") == 0)
                continue;
            count++;
            if (vsm_sam2_names_transformers(key, i == 2, &first, name, sizeof(name)))
                continue; /* cut differently; the list has no name for it */
            if (strcmp(name, expected) != 0 && wrong++ < 10)
                tap_fail_check(__FILE__, __LINE__, "%s is called %s, expected %s", key, name, expected);
        }
        CHECK(count > 400);
        if (f)
            fclose(f);
    }
}

static void test_regrouped_names(void)
{
    int64_t first = 0;
    char name[128];

    CHECK(vsm_sam2_names_transformers("sam_prompt_encoder.point_embeddings.2.weight", false, &first, name,
                                      sizeof(name)));
    CHECK_STR(name, "prompt_encoder.point_embed.weight");
    CHECK_INT(first, 512);
    first = 64 * 64;
    CHECK(vsm_sam2_names_transformers("spatial_perceiver.layers.1.self_attn.to_kv.weight", true, &first, name,
                                      sizeof(name)));
    CHECK_STR(name, "spatial_perceiver.layers.1.self_attention.v_proj.weight");
    CHECK_INT(first, 0);
}

static void test_unknown_checkpoint(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    uint8_t file[8 + sizeof(header) - 1 + 4] = {sizeof(header) - 1};
    struct vsm_sam2_config config;
    struct vsm_weights *w;

    memcpy(file + 8, header, sizeof(header) - 1);
    CHECK_INT(vsm_weights_parse("other.safetensors", file, sizeof(file), &w), VSM_OK);
    CHECK_INT(vsm_sam2_config_detect(w, 1024, &config), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "neither SAM 2");
    vsm_weights_close(w);
}

int main(void)
{
    RUN(test_resize);
    RUN(test_resize_smooth_weights);
    RUN(test_memory_input);
    RUN(test_stability);
    RUN(test_fill_holes);
    RUN(test_fill_holes_anywhere);
    RUN(test_box);
    RUN(test_bank_window);
    RUN(test_bank_conditioning_cap);
    RUN(test_bank_saved);
    RUN(test_bank_rounds_to_even);
    RUN(test_prompts);
    RUN(test_rotary);
    RUN(test_names);
    RUN(test_regrouped_names);
    RUN(test_unknown_checkpoint);
    return tap_done();
}
