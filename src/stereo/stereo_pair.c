#include "stereo/stereo_pair.h"

#include "base/mem.h"
#include "stereo/mend.h"
#include "stereo/transfer.h"

#include <string.h>

/* Frames at the beginning of a scene that are searched for swapped eyes. */
#define BOTH_WAYS 3

#define COVERED   0.5f  /* share of a cell's people that the other eye must show to need no own search */
#define MIN_ALPHA 0.10f /* mean alpha of a cell with people that are searched */

/* Share of a cell that was taken from the other eye, from which on its memory is too once the
 * cell is given back. */
#define REPAIR 0.5f

struct vsm_stereo_pair {
    struct vsm_stereo_pair_options options;
    struct vsm_mend_grid grid;
    struct vsm_disparity *disparity[2]; /* measured from each eye */
    struct vsm_disparity_memory memory[2];
    struct vsm_disparity_known known;
    struct vsm_alignment alignment;
    struct vsm_mend mend;
    struct vsm_consensus consensus;
    float released[2][VSM_MEND_CELLS]; /* the last frame's repair, by cell */
    uint8_t need[VSM_MEND_CELLS];
    struct vsm_stereo_pair_look *settled; /* the last one; borrowed */
    float *target[2];                     /* lent */
    float *weight[2];                     /* own: read after the frame; NULL unless mending */
};

static int make_weights(struct vsm_stereo_pair *pair)
{
    for (int eye = 0; pair->options.mend && eye < 2; eye++) {
        pair->weight[eye] =
            vsm_mem_alloc("stereo pair", (size_t)pair->grid.width * (size_t)pair->grid.height, sizeof(float));
        if (!pair->weight[eye])
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

int vsm_stereo_pair_create(const struct vsm_stereo_pair_options *options, struct vsm_stereo_pair **pair)
{
    struct vsm_stereo_pair *p = vsm_mem_alloc("stereo pair", 1, sizeof(*p));
    int status = VSM_OK;

    if (!p)
        return VSM_E_NOMEM;
    p->options = *options;
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        const struct vsm_disparity_options from = {.view = &options->views[eye],
                                                   .other = &options->views[!eye],
                                                   .master = (enum vsm_eye)eye,
                                                   .baseline = options->baseline,
                                                   .share = p->disparity[0],
                                                   .pool = options->pool,
                                                   .lent = true};

        status = vsm_disparity_create(&from, &p->disparity[eye]);
    }
    if (status == VSM_OK) {
        vsm_disparity_cells(p->disparity[0], &p->grid.side, &p->grid.columns, &p->grid.rows);
        vsm_disparity_grid(p->disparity[0], &p->grid.width, &p->grid.height);
        status = make_weights(p);
    }
    if (status != VSM_OK) {
        vsm_stereo_pair_destroy(p);
        return status;
    }
    *pair = p;
    return VSM_OK;
}

void vsm_stereo_pair_destroy(struct vsm_stereo_pair *pair)
{
    if (!pair)
        return;
    for (int eye = 1; eye >= 0; eye--) {
        vsm_disparity_destroy(pair->disparity[eye]);
        vsm_mem_free(pair->weight[eye]);
    }
    vsm_mem_free(pair);
}

size_t vsm_stereo_pair_bytes(const struct vsm_stereo_pair *pair)
{
    return vsm_disparity_bytes(pair->disparity[0]) +
           2 * (size_t)pair->grid.width * (size_t)pair->grid.height * sizeof(float);
}

void vsm_stereo_pair_lend(struct vsm_stereo_pair *pair, void *memory)
{
    const size_t pixels = (size_t)pair->grid.width * (size_t)pair->grid.height;
    float *planes = memory;

    for (int eye = 0; eye < 2; eye++, planes += pixels)
        pair->target[eye] = planes;
    vsm_disparity_lend(pair->disparity[0], planes);
    vsm_disparity_lend(pair->disparity[1], NULL);
}

size_t vsm_stereo_pair_look_floats(const struct vsm_stereo_pair *pair)
{
    return 4 * (size_t)pair->grid.width * (size_t)pair->grid.height;
}

struct needing {
    struct vsm_stereo_pair *pair;
    const float *alpha, *moved;
};

/* Cells of a row where the slave shows people that the master's do not reach. */
static void find_needs(void *context, int index, int worker)
{
    const struct needing *n = context;
    const struct vsm_mend_grid *g = &n->pair->grid;

    (void)worker;
    for (int i = index * g->columns; i < (index + 1) * g->columns; i++) {
        const int x0 = i % g->columns * g->side, y0 = i / g->columns * g->side;
        const int x1 = x0 + g->side < g->width ? x0 + g->side : g->width;
        const int y1 = y0 + g->side < g->height ? y0 + g->side : g->height;
        float people = 0.0f, covered = 0.0f;

        for (int y = y0; y < y1; y++) {
            for (int x = x0; x < x1; x++) {
                const size_t at = (size_t)y * (size_t)g->width + (size_t)x;
                const float own = n->alpha[at], there = n->moved[at];

                people += own;
                covered += there < own ? (there > 0.0f ? there : 0.0f) : own;
            }
        }
        n->pair->need[i] = people > MIN_ALPHA * (float)((x1 - x0) * (y1 - y0)) && covered < COVERED * people;
    }
}

static bool lost(enum vsm_eye_health_fault fault)
{
    return fault == VSM_EYE_HEALTH_BLACK || fault == VSM_EYE_HEALTH_FROZEN;
}

static void move(const struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                 struct vsm_stereo_pair_look *look, int from)
{
    vsm_transfer_alpha(&look->map[from], frame->alpha[from], frame->alpha[!from], pair->grid.width,
                       pair->grid.height, look->moved[!from], pair->options.pool);
    vsm_transfer_settle(look->moved[!from], frame->alpha[!from], pair->grid.width, pair->grid.height,
                        look->settled[!from], pair->options.pool);
}

static struct vsm_consistency agree(const struct vsm_stereo_pair *pair,
                                    const struct vsm_stereo_pair_frame *frame,
                                    const struct vsm_stereo_pair_look *look, int m)
{
    return vsm_consistency_measure(&look->map[m], look->settled[!m], frame->alpha[!m], pair->grid.width,
                                   pair->grid.height, pair->options.pool);
}

/* Whether nothing could be matched and in neither eye anything could have been: what a black eye lacks, the
 * other has. */
static bool is_blind(const struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                     const struct vsm_stereo_pair_look *look, int m)
{
    return look->map[m].tried == 0 && !vsm_disparity_can(pair->disparity[m], frame->alpha[m]) &&
           !vsm_disparity_can(pair->disparity[!m], frame->alpha[!m]);
}

/* Returns the search that it made. */
static struct vsm_disparity_search measure_from_master(struct vsm_stereo_pair *pair,
                                                       const struct vsm_stereo_pair_frame *frame,
                                                       struct vsm_stereo_pair_look *look, int m)
{
    const struct vsm_disparity_picture master = {frame->rgb[m], frame->alpha[m]};
    const struct vsm_disparity_picture slave = {frame->rgb[!m], frame->alpha[!m]};
    const bool usable = !lost(frame->faults[0]) && !lost(frame->faults[1]);
    struct vsm_disparity_search search = {.memory = &pair->memory[m]};

    look->alignment = vsm_alignment_judge(&pair->alignment, pair->grid.height);
    search.pitch = look->alignment.pitch;
    search.both_ways = pair->alignment.frames < BOTH_WAYS || look->alignment.eyes == VSM_ALIGNMENT_SWAPPED;
    vsm_disparity_measure(pair->disparity[m], &master, &slave, &search, &look->map[m]);
    if (usable) {
        vsm_alignment_add(&pair->alignment, pair->disparity[m], &look->map[m], &search, &master, &slave,
                          pair->options.pool);
        look->alignment = vsm_alignment_judge(&pair->alignment, pair->grid.height);
    }
    return search;
}

static void measure_from_slave(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                               struct vsm_stereo_pair_look *look, int m, struct vsm_disparity_search search)
{
    const struct vsm_disparity_picture master = {frame->rgb[m], frame->alpha[m]};
    const struct vsm_disparity_picture slave = {frame->rgb[!m], frame->alpha[!m]};
    struct needing needing = {pair, slave.alpha, look->moved[!m]};

    vsm_disparity_map_invert(&look->map[m], &pair->known);
    vsm_parallel_for(pair->options.pool, pair->grid.rows, find_needs, &needing);
    search.pitch = -search.pitch;
    search.only = pair->need;
    search.known = &pair->known;
    search.memory = &pair->memory[!m];
    search.turned = true;
    vsm_disparity_measure(pair->disparity[!m], &slave, &master, &search, &look->map[!m]);
}

void vsm_stereo_pair_look(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                          struct vsm_stereo_pair_look *look)
{
    const size_t pixels = (size_t)pair->grid.width * (size_t)pair->grid.height;
    const int m = pair->options.master == VSM_RIGHT;
    const bool frozen =
        frame->faults[0] == VSM_EYE_HEALTH_FROZEN || frame->faults[1] == VSM_EYE_HEALTH_FROZEN;
    struct vsm_disparity_search search;

    if (frame->scene_cut) {
        memset(pair->memory, 0, sizeof(pair->memory));
        memset(&pair->alignment, 0, sizeof(pair->alignment));
    }
    for (size_t eye = 0; eye < 2; eye++) {
        look->moved[eye] = look->planes + 2 * eye * pixels;
        look->settled[eye] = look->moved[eye] + pixels;
    }
    search = measure_from_master(pair, frame, look, m);
    move(pair, frame, look, m);
    look->agreement = agree(pair, frame, look, m);
    look->measured =
        !look->alignment.unrelated && !frozen && !(look->agreement.people && is_blind(pair, frame, look, m));
    if (look->measured && pair->options.mend) {
        measure_from_slave(pair, frame, look, m, search);
        move(pair, frame, look, !m);
    }
    memcpy(look->memory, pair->memory, sizeof(look->memory));
    look->evidence = pair->alignment;
}

/* What brings the eyes to a common value, into their weights. */
static void find_common(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                        const struct vsm_stereo_pair_look *look, const struct vsm_mend_eye signs[2])
{
    struct vsm_consensus_eyes eyes = {.width = pair->grid.width, .height = pair->grid.height};
    const int m = pair->options.master == VSM_RIGHT;

    for (int eye = 0; eye < 2; eye++) {
        eyes.maps[eye] = &look->map[eye];
        eyes.rgb[eye] = frame->rgb[eye];
        eyes.own[eye] = signs[eye].own;
        eyes.settled[eye] = signs[eye].settled;
        for (int c = 0; c < 3; c++)
            eyes.gain[eye][c] = (float)(eye == m ? look->alignment.gain[c] : 1.0 / look->alignment.gain[c]);
    }
    vsm_consensus_find(&pair->consensus, &eyes, pair->target, pair->weight, pair->options.pool);
}

/* The places of which less is taken than the frame before. Not sooner: while the eye's picture
 * does not show its people, states that say it does make the network guess, and what it
 * guesses passes for the eye's own. */
static bool find_released(struct vsm_stereo_pair *pair, int eye, const float *before)
{
    bool any = false;

    for (int i = 0; i < VSM_MEND_CELLS; i++) {
        const bool released = before[i] > REPAIR && pair->mend.share[eye][i] < before[i];

        pair->released[eye][i] = released ? before[i] : 0.0f;
        any = any || released;
    }
    return any;
}

static void mend(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                 const struct vsm_stereo_pair_look *look, struct vsm_stereo_pair_result *result)
{
    const float doubt =
        (float)((frame->faults[1] != VSM_EYE_HEALTH_GOOD) - (frame->faults[0] != VSM_EYE_HEALTH_GOOD));
    const struct vsm_disparity_map *const maps[2] = {&look->map[0], &look->map[1]};
    const float *const mended[2] = {pair->mend.share[0], pair->mend.share[1]};
    struct vsm_mend_eye signs[2];
    float common;

    for (int eye = 0; eye < 2; eye++) {
        float before[VSM_MEND_CELLS];

        memcpy(before, pair->mend.share[eye], sizeof(before));
        signs[eye] = (struct vsm_mend_eye){.own = frame->alpha[eye],
                                           .moved = look->moved[eye],
                                           .settled = look->settled[eye],
                                           .doubt = eye == 1 ? doubt : -doubt,
                                           .least = (float)pair->options.threshold};
        result->taken[eye] = vsm_mend_judge(&pair->mend, eye, &pair->grid, &signs[eye], pair->options.pool);
        result->recovers[eye] = find_released(pair, eye, before);
    }
    common = vsm_consensus_judge(&pair->consensus, maps, mended);
    if (result->taken[0] <= 0.0f && result->taken[1] <= 0.0f && common <= 0.0f)
        return;
    find_common(pair, frame, look, signs);
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_mend_planes planes = {frame->alpha[eye], pair->target[eye], pair->weight[eye]};

        if (!vsm_mend_blend(&pair->mend, eye, &pair->grid, &signs[eye], &planes, pair->options.pool))
            continue;
        result->weight[eye] = pair->weight[eye];
        result->target[eye] = pair->target[eye];
    }
}

void vsm_stereo_pair_settle(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                            struct vsm_stereo_pair_look *look, struct vsm_stereo_pair_result *result)
{
    if (frame->scene_cut) {
        memset(&pair->mend, 0, sizeof(pair->mend));
        memset(&pair->consensus, 0, sizeof(pair->consensus));
    }
    pair->settled = look;
    memcpy(pair->memory, look->memory, sizeof(pair->memory));
    pair->alignment = look->evidence;
    *result = (struct vsm_stereo_pair_result){.before = look->agreement,
                                              .after = look->agreement,
                                              .alignment = look->alignment,
                                              .scene_frames = pair->mend.frames,
                                              .measured = look->measured};
    if (look->measured && pair->options.mend) {
        mend(pair, frame, look, result);
    } else {
        vsm_mend_release(&pair->mend, 0);
        vsm_mend_release(&pair->mend, 1);
        memset(pair->consensus.share, 0, sizeof(pair->consensus.share));
    }
}

void vsm_stereo_pair_end(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                         struct vsm_stereo_pair_result *result)
{
    const int m = pair->options.master == VSM_RIGHT;
    /* From the eye that gave more: of people whom the master had lost it has no disparity. */
    const int giver = result->taken[m] > result->taken[!m] ? !m : m;

    if (result->weight[0] || result->weight[1]) {
        move(pair, frame, pair->settled, giver);
        result->after = agree(pair, frame, pair->settled, giver);
    }
    for (int eye = 0; eye < 2; eye++)
        vsm_mend_note(&pair->mend, eye, &pair->grid, frame->alpha[eye], pair->options.pool);
}

void vsm_stereo_pair_repair(const struct vsm_stereo_pair *pair, enum vsm_eye eye,
                            struct vsm_stereo_repair *repair)
{
    repair->grid_width = pair->grid.width;
    repair->map = pair->settled->map[eye];
    memcpy(repair->share, pair->released[eye], sizeof(repair->share));
}

void vsm_stereo_pair_past(const struct vsm_stereo_pair *pair, struct vsm_stereo_past *past)
{
    *past = (struct vsm_stereo_past){.views = {pair->options.views[0], pair->options.views[1]},
                                     .grid = pair->grid,
                                     .memory = {pair->memory[0], pair->memory[1]},
                                     .alignment = pair->alignment,
                                     .mend = pair->mend,
                                     .consensus = pair->consensus};
}

int vsm_stereo_pair_go_on(struct vsm_stereo_pair *pair, const struct vsm_stereo_past *pasts, int count)
{
    struct vsm_stereo_past *past = vsm_mem_alloc("stereo pair", 1, sizeof(*past));

    if (!past)
        return VSM_E_NOMEM;
    past->views[0] = pair->options.views[0];
    past->views[1] = pair->options.views[1];
    past->grid = pair->grid;
    vsm_stereo_past_carry(pasts, count, past);
    memcpy(pair->memory, past->memory, sizeof(pair->memory));
    pair->alignment = past->alignment;
    pair->mend = past->mend;
    pair->consensus = past->consensus;
    vsm_mem_free(past);
    return VSM_OK;
}

static void save_memory(const struct vsm_disparity_memory *memory, struct vsm_bytes_out *out)
{
    vsm_bytes_put_f32(out, memory->trust, VSM_MEND_CELLS);
    vsm_bytes_put_f32(out, memory->parallax, VSM_MEND_CELLS);
}

void vsm_stereo_pair_save(const struct vsm_stereo_pair *pair, struct vsm_bytes_out *out)
{
    vsm_alignment_save(&pair->alignment, out);
    vsm_mend_save(&pair->mend, out);
    vsm_consensus_save(&pair->consensus, out);
    save_memory(&pair->memory[0], out);
    save_memory(&pair->memory[1], out);
}

int vsm_stereo_pair_load(struct vsm_stereo_pair *pair, struct vsm_bytes_in *in)
{
    int status = vsm_alignment_load(&pair->alignment, in);

    if (status == VSM_OK)
        status = vsm_mend_load(&pair->mend, in);
    if (status == VSM_OK)
        status = vsm_consensus_load(&pair->consensus, in);
    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_get_f32(in, pair->memory[eye].trust, VSM_MEND_CELLS);
        vsm_bytes_get_f32(in, pair->memory[eye].parallax, VSM_MEND_CELLS);
    }
    if (status == VSM_OK && in->failed)
        status = vsm_fail(VSM_E_INPUT, "checkpoint: the memory of disparity is cut off");
    return status;
}
