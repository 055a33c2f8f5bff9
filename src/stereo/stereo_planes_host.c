#include "stereo/stereo_planes_host.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "image/coefficients.h"
#include "pixel/cell.h"
#include "stereo/alignment.h"
#include "stereo/stereo_maps.h"
#include "stereo/transfer.h"

struct host {
    struct vsm_stereo_planes_options options;
    struct vsm_mend_grid grid;
    size_t pixels;
    uint8_t need[VSM_MEND_CELLS];
    /* Of a frame: */
    bool matched; /* once already */
    const float *rgb[2];
    float *maps[2];
    void *scratch;
    float *alpha[2], *moved[2], *settled[2];
    float *target[2], *weight[2], *fitted; /* where the disparity's memory was */
};

static int look(void *self, const float *const rgb[2], struct vsm_eye_health_look looks[2])
{
    const struct host *h = self;

    vsm_eye_health_look(rgb, h->grid.width, h->grid.height, looks, h->options.pool);
    return VSM_OK;
}

/* What lives as long as the frame, and then what matching needs, and after it mending. */
static int take_memory(struct host *h)
{
    const size_t matching = vsm_disparity_bytes(h->options.disparity[0]);
    const size_t mending = 6 * h->pixels * sizeof(float);
    const size_t bytes = 6 * h->pixels * sizeof(float) + (matching > mending ? matching : mending);
    float *planes = vsm_scratch_alloc("stereo", bytes, 1);

    if (!planes)
        return VSM_E_NOMEM;
    h->scratch = planes;
    for (size_t eye = 0; eye < 2; eye++) {
        h->alpha[eye] = planes + eye * h->pixels;
        h->moved[eye] = planes + (2 + eye) * h->pixels;
        h->settled[eye] = planes + (4 + eye) * h->pixels;
        h->target[eye] = planes + (6 + eye) * h->pixels;
        h->weight[eye] = planes + (8 + eye) * h->pixels;
    }
    h->fitted = planes + 10 * h->pixels;
    vsm_disparity_lend(h->options.disparity[0], planes + 6 * h->pixels);
    vsm_disparity_lend(h->options.disparity[1], NULL);
    return VSM_OK;
}

static int begin(void *self, const float *const rgb[2], float *const maps[2])
{
    struct host *h = self;

    vsm_scratch_begin();
    if (take_memory(h) != VSM_OK)
        return VSM_E_NOMEM;
    h->matched = false;
    for (int eye = 0; eye < 2; eye++) {
        h->rgb[eye] = rgb[eye];
        h->maps[eye] = maps[eye];
        vsm_coefficients_fill_alpha(maps[eye], rgb[eye], h->pixels, h->alpha[eye], h->options.pool);
    }
    return VSM_OK;
}

static int match(void *self, int eye, const struct vsm_disparity_search *search, bool needed,
                 struct vsm_disparity_map *map)
{
    struct host *h = self;
    const struct vsm_disparity_picture from = {h->rgb[eye], h->alpha[eye]};
    const struct vsm_disparity_picture to = {h->rgb[!eye], h->alpha[!eye]};
    struct vsm_disparity_search own = *search;

    own.only = needed ? h->need : NULL;
    own.turned = h->matched;
    h->matched = true;
    vsm_disparity_match(h->options.disparity[eye], &from, &to, &own, map);
    return VSM_OK;
}

static int can_match(void *self, int eye, bool *can)
{
    const struct host *h = self;

    *can = vsm_disparity_can(h->options.disparity[eye], h->alpha[eye]);
    return VSM_OK;
}

static int light(void *self, int eye, const struct vsm_disparity_map *map, double sums[2][3])
{
    const struct host *h = self;

    vsm_alignment_light(map, h->rgb[eye], h->rgb[!eye], h->grid.width, h->grid.height, sums, h->options.pool);
    return VSM_OK;
}

static int move(void *self, int eye, const struct vsm_disparity_map *map)
{
    struct host *h = self;

    vsm_transfer_alpha(map, h->alpha[eye], h->alpha[!eye], h->grid.width, h->grid.height, h->moved[!eye],
                       h->options.pool);
    vsm_transfer_settle(h->moved[!eye], h->alpha[!eye], h->grid.width, h->grid.height, h->settled[!eye],
                        h->options.pool);
    return VSM_OK;
}

static int agree(void *self, int eye, struct vsm_consistency_sums *sums)
{
    const struct host *h = self;

    vsm_consistency_sum(h->settled[eye], h->alpha[eye], h->grid.width, h->grid.height, sums, h->options.pool);
    return VSM_OK;
}

struct needing {
    struct host *host;
    const float *own, *moved;
};

static void find_needs(void *context, int index, int worker)
{
    const struct needing *n = context;
    const struct vsm_mend_grid *g = &n->host->grid;

    (void)worker;
    for (int i = index * g->columns; i < (index + 1) * g->columns; i++) {
        const struct vsm_cell cell = vsm_cell_of(g, i);
        struct vsm_cell_reach reach = {0.0f, 0.0f};

        vsm_cell_cover(&reach, n->own, n->moved, g->width, cell);
        n->host->need[i] = vsm_cell_needs(reach, vsm_cell_pixels(cell));
    }
}

static int need(void *self, int eye)
{
    struct host *h = self;
    struct needing needing = {h, h->alpha[eye], h->moved[eye]};

    vsm_parallel_for(h->options.pool, h->grid.rows, find_needs, &needing);
    return VSM_OK;
}

static int measure(void *self, struct vsm_mend_sums cells[2][VSM_MEND_CELLS])
{
    const struct host *h = self;

    for (int eye = 0; eye < 2; eye++)
        vsm_mend_measure(&h->grid, h->alpha[eye], h->settled[eye], cells[eye], h->options.pool);
    return VSM_OK;
}

static int blend(void *self, const struct vsm_disparity_map *const maps[2],
                 const struct vsm_consensus *consensus, const struct vsm_mend *mend, const float gain[2][3])
{
    struct host *h = self;
    struct vsm_consensus_eyes eyes = {.width = h->grid.width, .height = h->grid.height};

    for (int eye = 0; eye < 2; eye++) {
        eyes.maps[eye] = maps[eye];
        eyes.rgb[eye] = h->rgb[eye];
        eyes.own[eye] = h->alpha[eye];
        eyes.settled[eye] = h->settled[eye];
        for (int c = 0; c < 3; c++)
            eyes.gain[eye][c] = gain[eye][c];
    }
    vsm_consensus_find(consensus, &eyes, h->target, h->weight, h->options.pool);
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_mend_eye own = {h->alpha[eye], h->moved[eye], h->settled[eye]};
        const struct vsm_mend_planes planes = {h->alpha[eye], h->target[eye], h->weight[eye]};

        vsm_mend_blend(mend, eye, &h->grid, &own, &planes, h->options.pool);
    }
    return VSM_OK;
}

static int replace(void *self)
{
    struct host *h = self;

    for (int eye = 0; eye < 2; eye++)
        vsm_stereo_maps_replace(&(struct vsm_stereo_maps){.rgb = h->rgb[eye],
                                                          .target = h->target[eye],
                                                          .weight = h->weight[eye],
                                                          .width = h->grid.width,
                                                          .height = h->grid.height,
                                                          .maps = h->maps[eye],
                                                          .alpha = h->alpha[eye],
                                                          .fitted = h->fitted},
                                h->options.pool);
    return VSM_OK;
}

static int note(void *self, float means[2][VSM_MEND_CELLS])
{
    const struct host *h = self;

    for (int eye = 0; eye < 2; eye++)
        vsm_mend_means(&h->grid, h->alpha[eye], means[eye], h->options.pool);
    return VSM_OK;
}

static void end(void *self)
{
    struct host *h = self;

    vsm_scratch_free(h->scratch);
    h->scratch = NULL;
    vsm_scratch_end();
}

static void destroy(void *self)
{
    vsm_mem_free(self);
}

int vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                  struct vsm_stereo_planes *planes)
{
    static const struct vsm_stereo_planes_kind kind = {.look = look,
                                                       .begin = begin,
                                                       .match = match,
                                                       .can_match = can_match,
                                                       .light = light,
                                                       .move = move,
                                                       .agree = agree,
                                                       .need = need,
                                                       .measure = measure,
                                                       .blend = blend,
                                                       .replace = replace,
                                                       .note = note,
                                                       .end = end,
                                                       .destroy = destroy};
    struct host *h = vsm_mem_alloc("stereo planes", 1, sizeof(*h));

    if (!h)
        return VSM_E_NOMEM;
    h->options = *options;
    vsm_disparity_grid(options->disparity[0], &h->grid.width, &h->grid.height);
    vsm_disparity_cells(options->disparity[0], &h->grid.side, &h->grid.columns, &h->grid.rows);
    h->pixels = (size_t)h->grid.width * (size_t)h->grid.height;
    *planes = (struct vsm_stereo_planes){&kind, h};
    return VSM_OK;
}
