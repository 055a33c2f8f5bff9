/* Planes of two eyes on the host, by three threads, against the functions that they are made of, by one. The
 * other kind is compared with this one in tests/oracle/gpu_stereo.c. */
#include "stereo/stereo_planes_host.h"

#include "image/coefficients.h"
#include "stereo/alignment.h"
#include "stereo/transfer.h"
#include "tap.h"

#define SIDE   128
#define PIXELS (SIDE * SIDE)
#define SHIFT  5 /* pixels to the left in the right eye: 0.5 m from lenses 64 mm apart */

static float pictures[2][3 * PIXELS], coefficients[2][VSM_COEFFICIENT_MAPS * PIXELS], alpha[2][PIXELS];
static const float *const rgb[2] = {pictures[0], pictures[1]};
static float *const maps[2] = {coefficients[0], coefficients[1]};
static struct vsm_disparity *disparity[2], *direct[2]; /* lent memory, and their own */
static struct vsm_stereo_planes planes;
static struct vsm_parallel *pool;
static const struct vsm_disparity_search search = {.pitch = 0.0};

/* Irregular blocks of 3 x 3. */
static float light_at(int x, int y)
{
    uint32_t h = (uint32_t)((x + 300) / 3) * 2654435761u ^ (uint32_t)((y + 300) / 3) * 2246822519u;

    h = (h ^ h >> 15) * 2246822519u;
    return 0.2f + 0.6f * (float)(h >> 8) / (float)(1 << 24);
}

/* Somebody before a wall, whom the left eye's matte has from row `top` on and the right one's up to row
 * `bottom`; everything is darker in the right eye. */
static void paint(int top, int bottom)
{
    memset(coefficients, 0, sizeof(coefficients));
    for (int i = 0; i < 2 * PIXELS; i++) {
        const int eye = i / PIXELS, at = i % PIXELS, x = at % SIDE + (eye ? SHIFT : 0), y = at / SIDE;
        const bool person = x >= 44 && x < 84 && y >= 40 && y < 88;

        for (int c = 0; c < 3; c++)
            pictures[eye][c * PIXELS + at] =
                (person ? light_at(x, y) : 0.4f + 0.1f * light_at(x / 4, y / 4)) * (eye ? 0.8f : 1.0f);
        coefficients[eye][VSM_COEFFICIENT_ALPHA_A * PIXELS + at] = 0.01f;
        coefficients[eye][VSM_COEFFICIENT_ALPHA_B * PIXELS + at] =
            person && (eye == 0 ? y >= top : y < bottom) ? 0.995f : 0.0f;
    }
    for (int eye = 0; eye < 2; eye++)
        vsm_coefficients_fill_alpha(maps[eye], rgb[eye], PIXELS, alpha[eye], NULL);
}

static struct vsm_disparity *open_eye(int eye, struct vsm_disparity *share, bool lent)
{
    struct vsm_disparity_options options = {.master = (enum vsm_eye)eye,
                                            .baseline = 0.064,
                                            .share = share,
                                            .lent = lent,
                                            .pool = lent ? pool : NULL};
    struct vsm_disparity *d = NULL;

    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, SIDE, SIDE, 180, &options.eye), VSM_OK);
    CHECK_INT(vsm_disparity_create(&options, &d), VSM_OK);
    return d;
}

static void open_planes(void)
{
    struct vsm_stereo_planes_options options = {.pool = pool = vsm_parallel_create(3)};

    for (int eye = 0; eye < 2; eye++) {
        options.disparity[eye] = disparity[eye] = open_eye(eye, disparity[0], true);
        direct[eye] = open_eye(eye, NULL, false);
    }
    CHECK_INT(vsm_stereo_planes_host_create(&options, &planes), VSM_OK);
    paint(0, 60);
}

static void close_planes(void)
{
    planes.kind->destroy(planes.self);
    for (int eye = 1; eye >= 0; eye--) {
        vsm_disparity_destroy(disparity[eye]);
        vsm_disparity_destroy(direct[eye]);
        disparity[eye] = direct[eye] = NULL;
    }
    vsm_parallel_destroy(pool);
}

static struct vsm_mend_grid grid_of(void)
{
    struct vsm_mend_grid g = {.width = SIDE, .height = SIDE};

    vsm_disparity_cells(disparity[0], &g.side, &g.columns, &g.rows);
    return g;
}

static bool same_maps(const struct vsm_disparity_map *a, const struct vsm_disparity_map *b)
{
    bool same = a->columns == b->columns && a->rows == b->rows && a->side == b->side &&
                a->tried == b->tried && a->matched == b->matched;

    for (int i = 0; same && i < a->columns * a->rows; i++) {
        const struct vsm_disparity_cell *x = &a->cells[i], *y = &b->cells[i];

        same = x->people == y->people && x->confidence == y->confidence &&
               (x->confidence <= 0.0f || (x->parallax == y->parallax && x->residual == y->residual));
    }
    return same;
}

static void test_numbers_of_a_frame(void)
{
    static struct vsm_disparity_map map, expected;
    static struct vsm_mend_sums cells[2][VSM_MEND_CELLS], own[VSM_MEND_CELLS];
    static float moved[PIXELS], settled[PIXELS];
    const struct vsm_disparity_picture left = {rgb[0], alpha[0]}, right = {rgb[1], alpha[1]};
    struct vsm_consistency_sums sums, sums_expected;
    struct vsm_mend_grid grid;
    double light[2][3], light_expected[2][3];
    bool can[2];

    open_planes();
    grid = grid_of();
    CHECK_INT(planes.kind->begin(planes.self, rgb, maps), VSM_OK);
    for (int eye = 0; eye < 2; eye++)
        CHECK_INT(planes.kind->can_match(planes.self, eye, &can[eye]), VSM_OK);
    CHECK(can[0] && can[1] == vsm_disparity_can(direct[1], alpha[1]));
    CHECK_INT(planes.kind->match(planes.self, 0, &search, false, &map), VSM_OK);
    vsm_disparity_match(direct[0], &left, &right, &search, &expected);
    CHECK(map.matched > 50 && same_maps(&map, &expected));
    vsm_disparity_settle(disparity[0], &search, &map);

    CHECK_INT(planes.kind->light(planes.self, 0, &map, light), VSM_OK);
    vsm_alignment_light(&map, rgb[0], rgb[1], SIDE, SIDE, light_expected, NULL);
    CHECK(memcmp(light, light_expected, sizeof(light)) == 0);
    CHECK_NEAR(light[1][1] / light[0][1], 0.8, 0.02);

    CHECK_INT(planes.kind->move(planes.self, 0, &map), VSM_OK);
    vsm_transfer_alpha(&map, alpha[0], alpha[1], SIDE, SIDE, moved, NULL);
    vsm_transfer_settle(moved, alpha[1], SIDE, SIDE, settled, NULL);
    CHECK_INT(planes.kind->agree(planes.self, 1, &sums), VSM_OK);
    vsm_consistency_sum(settled, alpha[1], SIDE, SIDE, &sums_expected, NULL);
    CHECK(memcmp(&sums, &sums_expected, sizeof(sums)) == 0);
    CHECK(vsm_consistency_judge(&map, &sums).overlap < 0.6f);

    CHECK_INT(planes.kind->move(planes.self, 1, &map), VSM_OK); /* to have something there */
    CHECK_INT(planes.kind->measure(planes.self, cells), VSM_OK);
    vsm_mend_measure(&grid, alpha[1], settled, own, NULL);
    CHECK(memcmp(cells[1], own, (size_t)(grid.columns * grid.rows) * sizeof(own[0])) == 0);
    planes.kind->end(planes.self);
    close_planes();
}

/* Only what the left eye's people do not reach is matched from the right one. */
static void test_only_needed_cells_are_matched(void)
{
    static struct vsm_disparity_map map, all, needed, none;
    int more = 0;

    open_planes();
    paint(64, SIDE);
    CHECK_INT(planes.kind->begin(planes.self, rgb, maps), VSM_OK);
    CHECK_INT(planes.kind->match(planes.self, 0, &search, false, &map), VSM_OK);
    vsm_disparity_settle(disparity[0], &search, &map);
    CHECK_INT(planes.kind->move(planes.self, 0, &map), VSM_OK);
    CHECK_INT(planes.kind->need(planes.self, 1), VSM_OK);
    CHECK_INT(planes.kind->match(planes.self, 1, &search, true, &needed), VSM_OK);
    CHECK_INT(planes.kind->match(planes.self, 1, &search, false, &all), VSM_OK);
    CHECK(needed.tried > 10 && needed.tried < all.tried);
    for (int i = 0; i < all.columns * all.rows; i++) {
        CHECK(needed.cells[i].people == all.cells[i].people);
        more += needed.cells[i].confidence > 0.0f && i / all.columns * all.side >= 72;
    }
    CHECK(needed.matched > 100 && more < needed.matched / 20); /* at the person's edges */
    planes.kind->end(planes.self);

    paint(SIDE, SIDE); /* nobody in the left eye: everybody is needed */
    CHECK_INT(planes.kind->begin(planes.self, rgb, maps), VSM_OK);
    CHECK_INT(planes.kind->match(planes.self, 0, &search, false, &none), VSM_OK);
    CHECK_INT(none.tried, 0);
    vsm_disparity_settle(disparity[0], &search, &none);
    CHECK_INT(planes.kind->move(planes.self, 0, &none), VSM_OK);
    CHECK_INT(planes.kind->need(planes.self, 1), VSM_OK);
    CHECK_INT(planes.kind->match(planes.self, 1, &search, true, &needed), VSM_OK);
    CHECK_INT(needed.tried, all.tried);
    planes.kind->end(planes.self);
    close_planes();
}

/* What is taken from the other eye is what the maps say afterwards, and what is noted. */
static void test_maps_give_way(void)
{
    static struct vsm_disparity_map both[2];
    static struct vsm_mend mend;
    static struct vsm_consensus consensus;
    static float means[2][VSM_MEND_CELLS], after[2][PIXELS], expected[VSM_MEND_CELLS];
    const struct vsm_disparity_map *const from[2] = {&both[0], &both[1]};
    const float gain[2][3] = {{0.8f, 0.8f, 0.8f}, {1.25f, 1.25f, 1.25f}};
    struct vsm_mend_grid grid;
    double left = 0.0, right = 0.0;

    open_planes();
    grid = grid_of();
    for (int i = 0; i < grid.columns * grid.rows; i++)
        mend.share[1][i] = 1.0f; /* all of the right eye */
    CHECK_INT(planes.kind->begin(planes.self, rgb, maps), VSM_OK);
    for (int eye = 0; eye < 2; eye++) {
        CHECK_INT(planes.kind->match(planes.self, eye, &search, false, &both[eye]), VSM_OK);
        vsm_disparity_settle(disparity[eye], &search, &both[eye]);
        CHECK_INT(planes.kind->move(planes.self, eye, &both[eye]), VSM_OK);
    }
    CHECK_INT(planes.kind->blend(planes.self, from, &consensus, &mend, gain), VSM_OK);
    CHECK_INT(planes.kind->replace(planes.self), VSM_OK);
    CHECK_INT(planes.kind->note(planes.self, means), VSM_OK);
    planes.kind->end(planes.self);
    for (int eye = 0; eye < 2; eye++) {
        vsm_coefficients_fill_alpha(maps[eye], rgb[eye], PIXELS, after[eye], NULL);
        vsm_mend_means(&grid, after[eye], expected, NULL);
        for (int i = 0; i < grid.columns * grid.rows; i++)
            CHECK_NEAR(means[eye][i], expected[i], 1e-6);
    }
    CHECK(memcmp(after[0], alpha[0], sizeof(after[0])) == 0);
    for (int i = 0; i < PIXELS; i++) {
        left += (double)after[0][i];
        right += (double)after[1][i];
    }
    CHECK_NEAR(right / left, 1.0, 0.05);
    close_planes();
}

static void test_look(void)
{
    struct vsm_eye_health_look looks[2], expected[2];

    open_planes();
    CHECK_INT(planes.kind->look(planes.self, rgb, looks), VSM_OK);
    vsm_eye_health_look(rgb, SIDE, SIDE, expected, NULL);
    CHECK(memcmp(looks, expected, sizeof(looks)) == 0);
    CHECK(looks[1].edges < 0.9 * looks[0].edges && looks[1].edges > 0.7 * looks[0].edges);
    close_planes();
}

int main(void)
{
    RUN(test_numbers_of_a_frame);
    RUN(test_only_needed_cells_are_matched);
    RUN(test_maps_give_way);
    RUN(test_look);
    return tap_done();
}
