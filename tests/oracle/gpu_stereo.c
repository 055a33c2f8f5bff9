/* Comparing and mending the eyes on a CUDA device against the host, call by call (both_planes.h): rendered
 * scenes of real people through the whole of stages/stereo_manager.h, with mattes that are wrong here and
 * there, and made-up planes, which reach what scenes seldom show. Skipped without a device.
 *
 * Equal bits: what eyes look like, matches, cells of alpha and of moved and settled alpha. Sums in double may
 * differ by the order of additions (1e-10), and what follows from those: maps (1e-4; A divides by 1e-5),
 * means of alpha (1e-6) and agreement after mending (1e-5).
 *
 * oracle_gpu_stereo [small]     small: one scene and made-up planes on small grids, for compute-sanitizer */
#include "both_planes.h"

#include "base/mem.h"
#include "cuda/review.h"
#include "device.h"
#include "image/coefficients.h"
#include "shared_data.h"
#include "spoilt_scene.h"
#include "stages/stereo_manager.h"
#include "tap.h"

#include <math.h>
#include <string.h>

static bool small;

/* The host's planes are both. */
int __wrap_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes) VSM_NODISCARD;
int __wrap_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes)
{
    return both_planes_create(options, planes);
}

/* Every kind of number was compared as often as it must be, and nothing was too far apart. */
static void check_tallies(const char *name, long calls)
{
    for (int what = 0; what < BOTH_PLANES_WHATS; what++) {
        const struct both_planes_tally *t = &both_planes_tallies[what];

        printf("# %s: %s: %ld calls, %ld values, %ld with other bits, at most %.2g, %ld too far apart\n",
               name, both_planes_names[what], t->calls, t->values, t->apart, t->most, t->beyond);
        CHECK_INT((int)t->beyond, 0);
        if (what != BOTH_PLANES_CAN_MATCH)
            CHECK(t->calls >= calls);
    }
    CHECK(both_planes_replaced > 0);
    both_planes_clear();
}

struct shot {
    struct spoilt_scene_options scene;
    const char *then; /* a scene that is cut to; NULL: none */
    int frames;       /* of each */
    enum vsm_eye master;
};

static const struct shot shots[] = {
    {{.scene = "portrait-tilted", .eye = 256, .width = 256, .height = 256}, .frames = 6},
    {{.scene = "two-swapped", .eye = 512, .width = 320, .height = 320}, .frames = 5},
    {{.scene = "three-in-a-row", .eye = 512, .width = 512, .height = 512}, .frames = 5, .master = VSM_RIGHT},
    {{.scene = "two-crossing-tilted", .eye = 512, .width = 500, .height = 300},
     .then = "walker-2m",
     .frames = 4},
    {{.scene = "portrait-near", .fault = "black:22:2", .eye = 256, .width = 192, .height = 192}, .frames = 6},
    {{.scene = "portrait-near", .fault = "left:frozen:22:3", .eye = 256, .width = 64, .height = 64},
     .frames = 6},
    {{.scene = "portrait-1m", .fault = "finger:21:3", .eye = 512, .width = 128, .height = 1024}, .frames = 6},
    {{.scene = "two-side-by-side",
      .fault = "blurred:21:2",
      .eye = 512,
      .width = 256,
      .height = 256,
      .turned = true},
     .frames = 5},
    {{.scene = "two-crossing", .eye = 1024, .width = 1024, .height = 1024}, .frames = 3},
};

static const struct shot small_shot = {{.scene = "portrait-1m", .eye = 128, .width = 96, .height = 80},
                                       .frames = 4};

static void show(const struct spoilt_scene_options *options, int frames, bool cut,
                 struct vsm_stereo_manager *manager)
{
    const struct vsm_matte_review review = vsm_stereo_manager_review(manager);
    struct spoilt_scene scene;

    CHECK_INT(spoilt_scene_create(options, &scene), VSM_OK);
    for (int i = 0; i < frames; i++) {
        struct vsm_frame *frame = NULL;

        CHECK_INT(spoilt_scene_show(&scene, i, &frame), VSM_OK);
        frame->scene_cut = cut && i == 0;
        CHECK_INT(review.run(review.self, frame, (const float *const *)scene.rgb, NULL), VSM_OK);
        vsm_frame_destroy(&frame);
    }
    spoilt_scene_destroy(&scene);
}

static void run_shot(const char *data, const struct shot *shot)
{
    struct spoilt_scene_options options = shot->scene;
    struct vsm_stereo_manager *manager = NULL;
    struct vsm_stereo_manager_options managing = {.master = shot->master,
                                                  .baseline = VSM_TRUTH_FILM_BASELINE,
                                                  .threshold = 0.95,
                                                  .mend = true};
    struct spoilt_scene scene;
    char name[128];

    options.data = data;
    CHECK_INT(spoilt_scene_create(&options, &scene), VSM_OK);
    managing.views = scene.views;
    managing.view_count = scene.view_count;
    CHECK_INT(vsm_stereo_manager_create(&managing, &manager), VSM_OK);
    spoilt_scene_destroy(&scene);
    show(&options, shot->frames, false, manager);
    if (shot->then) {
        options.scene = shot->then;
        show(&options, shot->frames, true, manager);
    }
    snprintf(name, sizeof(name), "%s%s%s, %dx%d", shot->scene.scene, shot->scene.fault ? " " : "",
             shot->scene.fault ? shot->scene.fault : "", options.width, options.height);
    check_tallies(name, 3);
    vsm_stereo_manager_destroy(manager);
}

static void test_scenes(void)
{
    char data[512];

    if (no_device())
        return;
    if (!shared_path("data", data, sizeof(data))) {
        tap_skip("no shared data");
        return;
    }
    for (size_t i = 0; i < sizeof(shots) / sizeof(shots[0]) && !small; i++)
        run_shot(data, &shots[i]);
    if (small)
        run_shot(data, &small_shot);
}

static uint32_t dice_state;

static float dice(void)
{
    dice_state = dice_state * 1664525u + 1013904223u;
    return (float)(dice_state >> 8) / (float)(1 << 24);
}

/* Planes that nobody filmed. */
struct made_up {
    int width, height;
    float *rgb[2], *maps[2];
    struct vsm_disparity *disparity[2];
    struct vsm_disparity_map map[2];
    struct vsm_consensus consensus;
    struct vsm_mend mend;
    struct vsm_stereo_planes planes;
};

/* Pictures that are much alike, and alpha with hard and soft borders, flat parts, and some dirt. */
static void make_up(struct made_up *m, int number)
{
    const size_t n = (size_t)m->width * (size_t)m->height;

    for (int eye = 0; eye < 2; eye++) {
        memset(m->maps[eye], 0, VSM_COEFFICIENT_MAPS * n * sizeof(float));
        for (int y = 0; y < m->height; y++) {
            for (int x = 0; x < m->width; x++) {
                const size_t at = (size_t)y * (size_t)m->width + (size_t)x;
                const float u = (float)x + (float)(3 * eye), v = (float)y;
                const float body =
                    sinf(0.061f * u + (float)number) * cosf(0.043f * v) + 0.3f * (dice() - 0.5f);

                for (size_t c = 0; c < 3; c++)
                    m->rgb[eye][c * n + at] =
                        0.5f + 0.3f * sinf(0.31f * u + (float)c) * cosf(0.17f * v) + 0.2f * (dice() - 0.5f);
                m->maps[eye][VSM_COEFFICIENT_ALPHA_A * n + at] = dice() < 0.1f ? dice() - 0.5f : 0.0f;
                m->maps[eye][VSM_COEFFICIENT_ALPHA_B * n + at] =
                    dice() < 0.02f ? dice() : 3.0f * body * (body > 0.0f);
            }
        }
    }
}

/* Parallax by patches, at times far too large, with holes. */
static void make_up_map(struct made_up *m, int eye)
{
    struct vsm_disparity_map *map = &m->map[eye];
    const float reach = (float)m->width / 16.0f;

    for (int i = 0; i < map->columns * map->rows; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];
        const float patch = sinf((float)(i % map->columns / 5 + i / map->columns / 4 * 3));

        c->people = dice();
        c->du = (eye ? 3.0f : -3.0f) + (patch > 0.7f ? reach * patch : 0.4f * dice());
        if (dice() < 0.02f)
            c->du = (dice() - 0.5f) * 3.0f * (float)m->width;
        c->dv = dice() - 0.5f;
        c->known = dice() < 0.9f;
        c->confidence = c->known && dice() < 0.8f ? dice() : 0.0f;
        m->consensus.share[eye][i] = dice() < 0.6f ? dice() : 0.0f;
        m->mend.share[eye][i] = dice() < 0.15f ? dice() : 0.0f;
    }
}

static void run_frame(struct made_up *m)
{
    const struct vsm_stereo_planes_kind *kind = m->planes.kind;
    const struct vsm_disparity_map *const maps[2] = {&m->map[0], &m->map[1]};
    const struct vsm_disparity_search search = {.pitch = 0.001, .both_ways = dice() < 0.5f},
                                      back = {.pitch = -search.pitch, .both_ways = search.both_ways};
    const float gain[2][3] = {{1.1f, 0.9f, 1.0f}, {1.0f / 1.1f, 1.0f / 0.9f, 1.0f}};
    static struct vsm_eye_health_look looks[2];
    static struct vsm_mend_sums cells[2][VSM_MEND_CELLS];
    static float means[2][VSM_MEND_CELLS];
    struct vsm_consistency_sums sums;
    void *self = m->planes.self;
    double light[2][3];
    bool can;

    CHECK_INT(kind->look(self, (const float *const *)m->rgb, looks), VSM_OK);
    CHECK_INT(kind->begin(self, (const float *const *)m->rgb, m->maps), VSM_OK);
    CHECK_INT(kind->match(self, 0, &search, false, &m->map[0]), VSM_OK);
    CHECK_INT(kind->can_match(self, 0, &can), VSM_OK);
    CHECK_INT(kind->can_match(self, 1, &can), VSM_OK);
    make_up_map(m, 0);
    CHECK_INT(kind->light(self, 0, &m->map[0], light), VSM_OK);
    CHECK_INT(kind->move(self, 0, &m->map[0]), VSM_OK);
    CHECK_INT(kind->agree(self, 1, &sums), VSM_OK);
    CHECK_INT(kind->need(self, 1), VSM_OK);
    CHECK_INT(kind->match(self, 1, &back, true, &m->map[1]), VSM_OK);
    make_up_map(m, 1);
    CHECK_INT(kind->move(self, 1, &m->map[1]), VSM_OK);
    CHECK_INT(kind->measure(self, cells), VSM_OK);
    CHECK_INT(kind->blend(self, maps, &m->consensus, &m->mend, gain), VSM_OK);
    CHECK_INT(kind->replace(self), VSM_OK);
    CHECK_INT(kind->move(self, 1, &m->map[1]), VSM_OK);
    CHECK_INT(kind->agree(self, 0, &sums), VSM_OK);
    CHECK_INT(kind->note(self, means), VSM_OK);
    kind->end(self);
}

static void run_made_up(int width, int height)
{
    const size_t n = (size_t)width * (size_t)height;
    struct made_up *m = vsm_mem_alloc("planes", 1, sizeof(*m));
    struct vsm_stereo_planes_options options = {.pool = NULL};
    char name[64];

    m->width = width;
    m->height = height;
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_disparity_options measuring = {.eye = {VSM_HALF_EQUIRECT, (double)width,
                                                                (double)height, M_PI_2, 0.0},
                                                        .master = (enum vsm_eye)eye,
                                                        .baseline = VSM_TRUTH_FILM_BASELINE,
                                                        .share = m->disparity[0],
                                                        .lent = true};

        CHECK_INT(vsm_disparity_create(&measuring, &m->disparity[eye]), VSM_OK);
        options.disparity[eye] = m->disparity[eye];
        vsm_disparity_cells(m->disparity[eye], &m->map[eye].side, &m->map[eye].columns, &m->map[eye].rows);
        m->rgb[eye] = vsm_mem_alloc("rgb", 3 * n, sizeof(float));
        m->maps[eye] = vsm_mem_alloc("maps", VSM_COEFFICIENT_MAPS * n, sizeof(float));
    }
    CHECK_INT(both_planes_create(&options, &m->planes), VSM_OK);
    for (int i = 0; i < (small ? 2 : 3) && m->planes.kind; i++) {
        make_up(m, i);
        run_frame(m);
    }
    snprintf(name, sizeof(name), "made up, %dx%d", width, height);
    check_tallies(name, 2);
    if (m->planes.kind)
        m->planes.kind->destroy(m->planes.self);
    for (int eye = 1; eye >= 0; eye--) {
        vsm_disparity_destroy(m->disparity[eye]);
        vsm_mem_free(m->rgb[eye]);
        vsm_mem_free(m->maps[eye]);
    }
    vsm_mem_free(m);
}

static void test_made_up(void)
{
    static const int sizes[][2] = {{65, 67},    {96, 80},   {256, 256}, {500, 300},
                                   {129, 1031}, {1100, 90}, {4096, 64}};

    if (no_device())
        return;
    dice_state = 1;
    for (size_t i = 0; i < (small ? 2 : sizeof(sizes) / sizeof(sizes[0])); i++)
        run_made_up(sizes[i][0], sizes[i][1]);
}

/* The alpha that the host gets of maps on a device, and its gate, which it puts into them. */
static void test_review(void)
{
    enum { CELLS = 63 * 65 };
    static float rgb[2][3 * CELLS], fit[2][8 * CELLS], maps[8 * CELLS], alpha[CELLS], found[2][CELLS],
        open[CELLS], closed[8 * CELLS];
    void *rgb_there = NULL, *fit_there = NULL, *alpha_there = NULL, *open_there = NULL;
    long apart = 0;

    if (no_device())
        return;
    CHECK_INT(vsm_cuda_alloc("rgb", sizeof(rgb), &rgb_there), VSM_OK);
    CHECK_INT(vsm_cuda_alloc("fit", sizeof(fit), &fit_there), VSM_OK);
    CHECK_INT(vsm_cuda_alloc("alpha", sizeof(found), &alpha_there), VSM_OK);
    CHECK_INT(vsm_cuda_alloc("gate", sizeof(open), &open_there), VSM_OK);
    for (size_t i = 0; i < sizeof(rgb) / sizeof(float); i++)
        rgb[i / (3 * CELLS)][i % (3 * CELLS)] = dice();
    for (size_t i = 0; i < sizeof(fit) / sizeof(float); i++)
        fit[i / (8 * CELLS)][i % (8 * CELLS)] = 3.0f * (dice() - 0.5f);
    for (size_t i = 0; i < CELLS; i++)
        open[i] = dice() < 0.3f ? 0.0f : dice();
    CHECK_INT(vsm_cuda_copy(rgb_there, rgb, sizeof(rgb), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(fit_there, fit, sizeof(fit), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(open_there, open, sizeof(open), NULL), VSM_OK);
    for (int view = 0; view < 2; view++)
        CHECK_INT(vsm_cuda_review_alpha((const float *)rgb_there + view * 3 * CELLS,
                                        (const float *)fit_there + view * 8 * CELLS, CELLS,
                                        (float *)alpha_there + view * CELLS, NULL),
                  VSM_OK);
    CHECK_INT(vsm_cuda_review_close(open_there, (float *)fit_there + 8 * CELLS, CELLS, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(found, alpha_there, sizeof(found), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(closed, (float *)fit_there + 8 * CELLS, sizeof(closed), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    for (int view = 0; view < 2; view++) {
        for (size_t i = 0; i < 8 * CELLS; i++)
            maps[i % 8 * CELLS + i / 8] = fit[view][i];
        vsm_coefficients_fill_alpha(maps, rgb[view], CELLS, alpha, NULL);
        for (size_t i = 0; i < CELLS; i++)
            apart += memcmp(&alpha[i], &found[view][i], sizeof(float)) != 0;
    }
    CHECK_INT((int)apart, 0);
    for (size_t i = 0; i < 8 * CELLS; i++) {
        const float wanted = i % 4 == 3 ? fit[1][i] * open[i / 8] : fit[1][i];

        apart += memcmp(&wanted, &closed[i], sizeof(float)) != 0;
    }
    CHECK_INT((int)apart, 0);
    vsm_cuda_free(rgb_there);
    vsm_cuda_free(fit_there);
    vsm_cuda_free(alpha_there);
    vsm_cuda_free(open_there);
}

int main(int argc, char **argv)
{
    small = argc > 1 && strcmp(argv[1], "small") == 0;
    RUN(test_review);
    RUN(test_made_up);
    RUN(test_scenes);
    return tap_done();
}
