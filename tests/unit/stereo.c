#include "stereo/alignment.h"
#include "stereo/disparity_match.h"

#include "base/cpu.h"
#include "tap.h"

#include <stdlib.h>

#define SIDE   128
#define PIXELS (SIDE * SIDE)

static float rgb[2][3 * PIXELS], alpha[2][PIXELS];
static struct vsm_disparity_map map;

/* Smooth, irregular light in every direction. */
static float light(const double d[3])
{
    return (float)(0.5 + 0.15 * sin(19 * d[0] + 7 * d[1]) + 0.15 * sin(13 * d[1] - 17 * d[0] + 2) +
                   0.1 * sin(29 * d[0] + 3) * cos(23 * d[1]));
}

/* Fills the eye's picture of a sphere of this parallax round the master eye: a person wherever
 * |x|, |y| < 0.4. */
static void paint(const struct vsm_projection_eye *eye, int slave, double parallax, double gain)
{
    for (int i = 0; i < PIXELS; i++) {
        double d[3] = {0, 0, 1};
        bool person;

        (void)vsm_projection_to_direction(eye, i % SIDE + 0.5, i / SIDE + 0.5, d); /* or straight ahead */
        if (slave) {
            /* The master's direction m with m - parallax X = t d, of unit length: a quadratic in t. */
            const double b = d[0] * parallax, t = -b + sqrt(b * b + 1 - parallax * parallax);

            d[0] = t * d[0] + parallax;
            d[1] *= t;
            d[2] *= t;
        }
        person = fabs(d[0]) < 0.4 && fabs(d[1]) < 0.4;
        for (int c = 0; c < 3; c++)
            rgb[slave][c * PIXELS + i] = (person ? light(d) : 0.5f) * (float)(slave ? gain : 1.0);
        alpha[slave][i] = person ? 1.0f : 0.0f;
    }
}

static struct vsm_disparity *open_for(enum vsm_projection kind, double field_of_view, enum vsm_eye master,
                                      struct vsm_disparity_options *options)
{
    struct vsm_disparity *d = NULL;

    *options = (struct vsm_disparity_options){.master = master, .baseline = 0.064};
    CHECK_INT(vsm_projection_eye(kind, SIDE, SIDE, field_of_view, &options->eye), VSM_OK);
    CHECK_INT(vsm_disparity_create(options, &d), VSM_OK);
    return d;
}

static const struct vsm_disparity_picture pictures[2] = {{rgb[0], alpha[0]}, {rgb[1], alpha[1]}};

static void check_projection(enum vsm_projection kind, double field_of_view)
{
    const struct vsm_disparity_search search = {0};
    struct vsm_disparity_options options;
    struct vsm_disparity *d = open_for(kind, field_of_view, VSM_LEFT, &options);
    int close = 0, level = 0;

    paint(&options.eye, 0, 0.064, 1.0);
    paint(&options.eye, 1, 0.064, 0.8);
    vsm_disparity_measure(d, &pictures[0], &pictures[1], &search, &map);
    CHECK(map.tried > 50 && map.matched > map.tried * 9 / 10);
    for (int i = 0; i < map.columns * map.rows; i++) {
        const struct vsm_disparity_cell *c = &map.cells[i];

        if (c->confidence <= 0.0f)
            continue;
        close += fabsf(c->parallax - 0.064f) < 0.5f * 2.0f * (float)options.eye.half_view / SIDE;
        level += fabsf(c->residual) < 0.5f;
    }
    printf("# %d tried, %d matched, %d within 1/2 pixel across, %d down\n", map.tried, map.matched, close,
           level);
    CHECK(close > map.matched * 8 / 10 && level > map.matched * 8 / 10);
    vsm_disparity_destroy(d);
}

/* Exactly to the margin, and not a pixel beyond, in each direction; a whole plane, so that a
 * checker of memory sees it. */
static void test_windows_at_the_margin(void)
{
    enum { MARGIN = 20, REACH = 5, ROW = 16, STRIDE = 32 + 2 * MARGIN };
    static const int sides[][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    struct vsm_disparity_match_window *window = malloc(sizeof(*window));
    float *values = malloc(sizeof(*values) * STRIDE * STRIDE),
          *ones = malloc(sizeof(*ones) * STRIDE * STRIDE);
    struct vsm_disparity_match_plane plane = {.stride = STRIDE, .width = 32, .height = 32, .margin = MARGIN};
    struct vsm_disparity_match_plane weights = plane;

    for (int i = 0; window && values && ones && i < STRIDE * STRIDE; i++) {
        values[i] = (float)(i * 7919 % 1009) / 1009;
        ones[i] = 1;
    }
    plane.origin = values + MARGIN * (STRIDE + 1);
    weights.origin = ones + MARGIN * (STRIDE + 1);
    for (int i = 0; window && values && ones && i < 4; i++) {
        const int dx = sides[i][0], dy = sides[i][1];
        const int far = dx < 0 || dy < 0 ? MARGIN - REACH : 31 + MARGIN - REACH;
        const struct vsm_match_place last = {dx ? dx * far : 16, dy ? dy * far : 16};
        const struct vsm_match_place beyond = {last.x + dx, last.y + dy};
        const struct vsm_match_place scored = {dx > 0 ? last.x - (ROW - 2 * REACH - 1) : last.x, last.y};

        CHECK(!vsm_disparity_match_cut(&plane, beyond, &weights, last, REACH, 1, window));
        CHECK(!vsm_disparity_match_cut(&plane, last, &weights, beyond, REACH, 1, window));
        CHECK(vsm_disparity_match_cut(&plane, last, &weights, last, REACH, 1, window));
        CHECK(vsm_disparity_match_cut(&plane, scored, &weights, scored, REACH, 1, window));
        CHECK_NEAR(vsm_disparity_match_score(window, &plane, scored.x, scored.y), 1, 1e-4);
        CHECK_NEAR(vsm_disparity_match_score(window, &plane, scored.x + dx, scored.y + dy), -1, 0);
    }
    free(ones);
    free(values);
    free(window);
}

static void test_projections(void)
{
    check_projection(VSM_HALF_EQUIRECT, 180);
    check_projection(VSM_FISHEYE, 150);
    check_projection(VSM_RECTILINEAR, 90);
}

static void test_swapped_eyes_and_gain(void)
{
    const struct vsm_disparity_search search = {.both_ways = true};
    struct vsm_disparity_options options;
    struct vsm_disparity *d = open_for(VSM_HALF_EQUIRECT, 180, VSM_RIGHT, &options);
    struct vsm_alignment alignment = {0}, loaded = {0};
    struct vsm_alignment_result r = vsm_alignment_judge(&alignment, SIDE);
    struct vsm_bytes_out out = {0}, again = {0};
    struct vsm_bytes_in in;
    double light_of[2][3];

    CHECK_INT(r.eyes, VSM_ALIGNMENT_UNKNOWN);
    CHECK(r.gain[0] == 1.0 && r.pitch == 0.0 && !r.unrelated);
    paint(&options.eye, 0, 0.064, 1.0);
    paint(&options.eye, 1, 0.064, 0.8);
    vsm_disparity_measure(d, &pictures[0], &pictures[1], &search, &map);
    vsm_alignment_add(&alignment, d, &map, &search);
    vsm_alignment_light(&map, rgb[0], rgb[1], SIDE, SIDE, light_of, NULL);
    vsm_alignment_add_light(&alignment, light_of);
    r = vsm_alignment_judge(&alignment, SIDE);
    CHECK_INT(r.eyes, VSM_ALIGNMENT_SWAPPED); /* painted for a left master, measured as a right one */
    CHECK(fabs(r.gain[1] - 0.8) < 0.02);
    CHECK(fabs(r.offset) < 0.25);

    vsm_alignment_save(&alignment, &out);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK_INT(vsm_alignment_load(&loaded, &in), VSM_E_INPUT);
    CHECK_INT(loaded.frames, 0);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_alignment_load(&loaded, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    vsm_alignment_save(&loaded, &again);
    CHECK(again.size == out.size && memcmp(again.data, out.data, out.size) == 0);
    vsm_bytes_out_finish(&again);
    vsm_bytes_out_finish(&out);
    vsm_disparity_destroy(d);
}

/* A fault does not make strangers of eyes that belonged together, unless it lasts; matching
 * again undoes it. */
static void test_eyes_become_strangers(void)
{
    const struct vsm_disparity_search search = {0};
    struct vsm_disparity_options options;
    struct vsm_disparity *d = open_for(VSM_HALF_EQUIRECT, 180, VSM_LEFT, &options);
    struct vsm_disparity_map strange;
    struct vsm_alignment alignment = {0}, loaded = {0};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;
    int frames = 0;

    paint(&options.eye, 0, 0.064, 1.0);
    paint(&options.eye, 1, 0.064, 1.0);
    vsm_disparity_measure(d, &pictures[0], &pictures[1], &search, &map);
    strange = map;
    strange.matched = strange.tried / 5;
    for (int i = 0; i < 30; i++)
        vsm_alignment_add(&alignment, d, &map, &search);
    for (int i = 0; i < VSM_ALIGNMENT_STRANGE - 1; i++)
        vsm_alignment_add(&alignment, d, &strange, &search);
    CHECK(!vsm_alignment_judge(&alignment, SIDE).unrelated);
    vsm_alignment_save(&alignment, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_alignment_load(&loaded, &in), VSM_OK);
    vsm_alignment_add(&loaded, d, &strange, &search);
    CHECK(vsm_alignment_judge(&loaded, SIDE).unrelated);
    vsm_alignment_add(&alignment, d, &map, &search); /* one good frame: counted anew */
    vsm_alignment_add(&alignment, d, &strange, &search);
    CHECK(!vsm_alignment_judge(&alignment, SIDE).unrelated);
    for (int i = 0; i < VSM_ALIGNMENT_STRANGE; i++)
        vsm_alignment_add(&alignment, d, &strange, &search);
    CHECK(vsm_alignment_judge(&alignment, SIDE).unrelated);
    for (; frames < 200 && !alignment.related; frames++)
        vsm_alignment_add(&alignment, d, &map, &search);
    CHECK(frames < 100 && !vsm_alignment_judge(&alignment, SIDE).unrelated);
    vsm_bytes_out_finish(&out);
    vsm_disparity_destroy(d);
}

static void test_nothing_to_match(void)
{
    const struct vsm_disparity_search search = {0};
    struct vsm_disparity_options options;
    struct vsm_disparity *d = open_for(VSM_HALF_EQUIRECT, 180, VSM_LEFT, &options);
    struct vsm_alignment alignment = {0};
    float du, dv;

    paint(&options.eye, 0, 0.064, 1.0);
    memset(rgb[1], 0, sizeof(rgb[1])); /* a black eye */
    vsm_disparity_measure(d, &pictures[0], &pictures[1], &search, &map);
    CHECK(map.tried > 50 && map.matched == 0);
    CHECK(!vsm_disparity_map_at(&map, SIDE / 2, SIDE / 2, &du, &dv));
    vsm_alignment_add(&alignment, d, &map, &search);
    CHECK(vsm_alignment_judge(&alignment, SIDE).unrelated);
    memset(alpha[0], 0, sizeof(alpha[0])); /* nobody there */
    vsm_disparity_measure(d, &pictures[0], &pictures[1], &search, &map);
    CHECK_INT(map.tried, 0);
    CHECK(!vsm_disparity_map_at(&map, -5, 3, &du, &dv));
    vsm_disparity_destroy(d);
}

/* Who is large enough, and not where every shift leads too far. */
static void test_who_can_be_matched(void)
{
    struct vsm_disparity_options options;
    struct vsm_disparity *d = open_for(VSM_HALF_EQUIRECT, 180, VSM_LEFT, &options), *wide = NULL;

    paint(&options.eye, 0, 0.064, 1.0);
    CHECK(vsm_disparity_can(d, alpha[0]));
    options.baseline = 0.9;
    CHECK_INT(vsm_disparity_create(&options, &wide), VSM_OK);
    CHECK(!vsm_disparity_can(wide, alpha[0]));
    for (int i = 0; i < SIDE * SIDE; i++)
        alpha[0][i] = i % SIDE == SIDE / 2;
    CHECK(!vsm_disparity_can(d, alpha[0]));
    for (int i = 0; i < SIDE * SIDE; i++)
        alpha[0][i] = i / SIDE < SIDE / 32; /* overhead */
    CHECK(!vsm_disparity_can(d, alpha[0]));
    vsm_disparity_destroy(wide);
    vsm_disparity_destroy(d);
}

/* Measured right behind the other direction, out of the same memory and by several threads,
 * nothing is different. */
static void test_the_other_way_round(void)
{
    static struct vsm_disparity_map back;
    struct vsm_disparity_search search = {0};
    struct vsm_disparity_options options;
    struct vsm_disparity *alone = open_for(VSM_HALF_EQUIRECT, 180, VSM_RIGHT, &options), *d[2] = {NULL, NULL};

    paint(&options.eye, 0, 0.064, 1.0);
    paint(&options.eye, 1, 0.064, 1.0);
    vsm_disparity_measure(alone, &pictures[1], &pictures[0], &search, &back);
    options.pool = vsm_parallel_create(3);
    options.master = VSM_LEFT;
    CHECK_INT(vsm_disparity_create(&options, &d[0]), VSM_OK);
    options.master = VSM_RIGHT;
    options.share = d[0];
    CHECK_INT(vsm_disparity_create(&options, &d[1]), VSM_OK);
    vsm_disparity_measure(d[0], &pictures[0], &pictures[1], &search, &map);
    search.turned = true;
    vsm_disparity_measure(d[1], &pictures[1], &pictures[0], &search, &map);
    CHECK(map.matched > 50);
    CHECK(memcmp(map.cells, back.cells, sizeof(map.cells)) == 0);
    vsm_disparity_destroy(d[1]);
    vsm_disparity_destroy(d[0]);
    vsm_disparity_destroy(alone);
    vsm_parallel_destroy(options.pool);
}

static void test_options_are_checked(void)
{
    struct vsm_disparity_options o = {.eye = {VSM_HALF_EQUIRECT, 32, 128, M_PI_2, 0}, .baseline = 0.064};
    struct vsm_disparity *d = NULL;

    CHECK_INT(vsm_disparity_create(&o, &d), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "32x128");
    o.eye.width = 128;
    o.baseline = 0;
    CHECK_INT(vsm_disparity_create(&o, &d), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "baseline");
}

static void test_sums_are_the_same_bits(void)
{
#if defined(__x86_64__)
    static struct vsm_disparity_match_window window;
    static float picture[64 * 100];
    struct vsm_disparity_match_sums plain, vectors;

    if (!vsm_cpu_has_avx2())
        return;
    for (int i = 0; i < VSM_MATCH_ROW * VSM_MATCH_ROW; i++) {
        window.weight[i] = (float)(i * 7919 % 1000) / 999.0f;
        window.product[i] = (float)(i * 104729 % 2001) / 1000.0f - 1.0f;
    }
    for (int i = 0; i < 64 * 100; i++)
        picture[i] = (float)(i * 6151 % 4001) / 4000.0f;
    for (int length = 8; length <= VSM_MATCH_ROW; length += 8) {
        window.step = length > 24 ? 2 : 1;
        window.row_count = length - 1;
        window.row_length = length;
        vsm_disparity_match_sum_plain(&window, picture + length, 64, &plain);
        vsm_disparity_match_sum_avx2(&window, picture + length, 64, &vectors);
        CHECK(memcmp(&plain, &vectors, sizeof(plain)) == 0);
        CHECK(plain.value[3] > 0.0f && plain.square[3] > 0.0f && plain.product[3] != 0.0f);
    }
#endif
}

int main(void)
{
    RUN(test_sums_are_the_same_bits);
    RUN(test_windows_at_the_margin);
    RUN(test_projections);
    RUN(test_swapped_eyes_and_gain);
    RUN(test_eyes_become_strangers);
    RUN(test_nothing_to_match);
    RUN(test_who_can_be_matched);
    RUN(test_the_other_way_round);
    RUN(test_options_are_checked);
    return tap_done();
}
