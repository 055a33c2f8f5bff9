#include "image/scene_cut.h"
#include "pictures.h"
#include "tap.h"

#define W 96
#define H 80

/* A made-up photograph: coloured waves and boxes, fixed by `seed`; all have the same mean brightness. */
struct photo {
    float wave[12][4], box[10][4], tone[10][3], ground[3];
};

static struct photo take_photo(uint64_t seed)
{
    struct photo p;

    picture_seed = seed * 2654435761u + 88172645463325252u;
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 4; k++)
            p.wave[i][k] = picture_unit();
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 4; k++)
            p.box[i][k] = picture_unit();
    for (int i = 0; i < 10; i++)
        for (int c = 0; c < 3; c++)
            p.tone[i][c] = 0.3f * picture_unit() - 0.15f;
    for (int c = 0; c < 3; c++)
        p.ground[c] = 0.45f + 0.1f * picture_unit();
    return p;
}

/* The photograph moved by (dx, dy) shares of its width, then value * gain + offset, clipped,
 * with sensor noise. */
static void show(const struct photo *p, float dx, float dy, float gain, float offset, float *rgb)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            float u = (float)x / W + dx, v = (float)y / H + dy, base = 0, tone[3] = {0};

            for (int i = 0; i < 12; i++)
                base += 0.03f * sinf((p->wave[i][0] - 0.5f) * 60 * u + (p->wave[i][1] - 0.5f) * 60 * v +
                                     6.28f * p->wave[i][2]);
            for (int i = 0; i < 10; i++)
                if (fabsf(u - 1.4f * p->box[i][0] + 0.2f) < 0.02f + 0.15f * p->box[i][2] &&
                    fabsf(v - p->box[i][1]) < 0.02f + 0.2f * p->box[i][3])
                    for (int c = 0; c < 3; c++)
                        tone[c] += p->tone[i][c];
            for (int c = 0; c < 3; c++) {
                float value =
                    (p->ground[c] + base + tone[c]) * gain + offset + 0.01f * (picture_unit() - 0.5f);

                rgb[c * W * H + y * W + x] = fminf(fmaxf(value, 0), 1);
            }
        }
}

static struct vsm_scene_cut state;

/* Shows both eyes the photograph (the right one with a disparity) and gives the verdict. */
static bool next(const struct photo *p, float dx, float dy, float gain, float offset)
{
    static float left[3 * W * H], right[3 * W * H];
    const float *eyes[2] = {left, right};

    show(p, dx, dy, gain, offset, left);
    show(p, dx + 0.01f, dy, gain, offset, right);
    return vsm_scene_cut_next(&state, eyes, 2, W, H);
}

static void restart(void)
{
    memset(&state, 0, sizeof(state));
}

static void test_hard_cuts_fire_once(void)
{
    restart();
    for (uint64_t scene = 0; scene < 12; scene++) {
        struct photo p = take_photo(scene);

        for (int i = 0; i < 4; i++) {
            bool cut = next(&p, 0.01f * (float)i, 0, 1, 0);

            if (cut != (i == 0 && scene > 0))
                printf("# scene %d picture %d: change %.2f histogram %.2f\n", (int)scene, i,
                       state.last_change, state.last_histogram);
            CHECK_INT(cut, i == 0 && scene > 0);
        }
    }
}

static void test_pan_is_no_cut(void)
{
    struct photo p = take_photo(3);

    restart();
    for (int i = 0; i < 20; i++)
        CHECK(!next(&p, 0.03f * (float)i - 0.3f, 0.01f * sinf((float)i), 1, 0));
}

static void test_flash_is_no_cut(void)
{
    struct photo p = take_photo(4);

    restart();
    for (int i = 0; i < 12; i++) {
        float flash = i == 4 ? 0.35f : i == 8 ? 2 : 0; /* one that bleaches, one that whites out */

        CHECK(!next(&p, 0, 0, 1, flash));
    }
}

static void test_fade_through_black(void)
{
    struct photo a = take_photo(5), b = take_photo(6);
    int cuts = 0;

    restart();
    for (int i = 0; i <= 10; i++)
        CHECK(!next(&a, 0, 0, 1 - 0.1f * (float)i, 0));
    CHECK(!next(&a, 0, 0, 0, 0));
    for (int i = 1; i <= 10; i++)
        cuts += next(&b, 0, 0, 0.1f * (float)i, 0);
    CHECK_INT(cuts, 1);
    for (int i = 0; i <= 10; i++)
        CHECK(!next(&b, 0, 0, 1 - 0.1f * (float)i, 0));
    for (int i = 1; i <= 10; i++)
        CHECK(!next(&b, 0, 0, 0.1f * (float)i, 0));
}

static void test_exposure_and_noise_are_no_cuts(void)
{
    struct photo p = take_photo(7);

    restart();
    for (int i = 0; i < 30; i++)
        CHECK(!next(&p, 0, 0, i % 2 ? 0.7f : 1.1f, i % 3 ? 0 : 0.1f));
}

/* The state is all there is: a copy in the middle goes on alike. */
static void test_copied_state_continues(void)
{
    struct photo p = take_photo(8), q = take_photo(9);
    struct vsm_scene_cut copy;

    restart();
    for (int i = 0; i < 3; i++)
        CHECK(!next(&p, 0, 0, 1, 0));
    copy = state;
    CHECK(next(&q, 0, 0, 1, 0));
    state = copy;
    CHECK(next(&q, 0, 0, 1, 0));
    state = copy;
    CHECK(!next(&p, 0, 0, 1, 0));
}

static void test_black_and_tiny_pictures(void)
{
    float rgb[3 * 2 * 3] = {0};
    const float *eyes[1] = {rgb};

    restart();
    for (int i = 0; i < 3; i++)
        CHECK(!vsm_scene_cut_next(&state, eyes, 1, 2, 3));
    CHECK_INT(state.pictures, 0);
}

static void test_saved_state_is_exact(void)
{
    static struct vsm_scene_cut saved, loaded;
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    for (int i = 0; i < VSM_SCENE_SIDE * VSM_SCENE_SIDE; i++)
        saved.luma[1][i] = (float)i / 3;
    saved.usual = 0.125f;
    saved.pictures = 7;
    saved.eyes = 2;
    vsm_scene_cut_save(&saved, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_scene_cut_load(&loaded, &in), VSM_OK);
    CHECK(memcmp(&saved, &loaded, sizeof(saved)) == 0);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK_INT(vsm_scene_cut_load(&loaded, &in), VSM_E_INPUT);
    vsm_bytes_out_finish(&out);
}

int main(void)
{
    RUN(test_saved_state_is_exact);
    RUN(test_hard_cuts_fire_once);
    RUN(test_pan_is_no_cut);
    RUN(test_flash_is_no_cut);
    RUN(test_fade_through_black);
    RUN(test_exposure_and_noise_are_no_cuts);
    RUN(test_copied_state_continues);
    RUN(test_black_and_tiny_pictures);
    return tap_done();
}
