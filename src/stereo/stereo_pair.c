#include "stereo/stereo_pair.h"

#include "base/mem.h"
#include "stereo/mend.h"
#include "stereo/stereo_planes_cuda.h"
#include "stereo/stereo_planes_host.h"

#include <string.h>

/* Frames at the beginning of a scene that are searched for swapped eyes. */
#define BOTH_WAYS 3

/* Share of a cell that was taken from the other eye, from which on its memory is too once the
 * cell is given back. */
#define REPAIR 0.5f

struct vsm_stereo_pair {
    struct vsm_stereo_pair_options options;
    struct vsm_mend_grid grid;
    struct vsm_disparity *disparity[2]; /* measured from each eye */
    struct vsm_stereo_planes planes;
    struct vsm_disparity_memory memory[2];
    struct vsm_alignment alignment;
    struct vsm_mend mend;
    struct vsm_consensus consensus;
    float released[2][VSM_MEND_CELLS]; /* the last frame's repair, by cell */
    /* Of a frame: */
    struct vsm_disparity_map map[2]; /* measured from each eye; from the slave's only while mending */
    struct vsm_disparity_known known;
    struct vsm_mend_sums cells[2][VSM_MEND_CELLS];
    float means[2][VSM_MEND_CELLS];
};

static int make_planes(struct vsm_stereo_pair *p)
{
    const struct vsm_stereo_planes_options options = {.disparity = {p->disparity[0], p->disparity[1]},
                                                      .pool = p->options.pool,
                                                      .stream = p->options.stream};

    vsm_disparity_cells(p->disparity[0], &p->grid.side, &p->grid.columns, &p->grid.rows);
    vsm_disparity_grid(p->disparity[0], &p->grid.width, &p->grid.height);
    return options.stream ? vsm_stereo_planes_cuda_create(&options, &p->planes)
                          : vsm_stereo_planes_host_create(&options, &p->planes);
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
    if (status == VSM_OK)
        status = make_planes(p);
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
    if (pair->planes.kind)
        pair->planes.kind->destroy(pair->planes.self);
    vsm_disparity_destroy(pair->disparity[1]);
    vsm_disparity_destroy(pair->disparity[0]);
    vsm_mem_free(pair);
}

int vsm_stereo_pair_look(struct vsm_stereo_pair *pair, const float *const rgb[2],
                         struct vsm_eye_health_look looks[2])
{
    return pair->planes.kind->look(pair->planes.self, rgb, looks);
}

static bool lost(enum vsm_eye_health_fault fault)
{
    return fault == VSM_EYE_HEALTH_BLACK || fault == VSM_EYE_HEALTH_FROZEN;
}

/* How what `from` shows agrees with the other eye. */
static int agree(struct vsm_stereo_pair *pair, int from, struct vsm_consistency *agreement)
{
    struct vsm_consistency_sums sums;
    int status = pair->planes.kind->agree(pair->planes.self, !from, &sums);

    if (status == VSM_OK)
        *agreement = vsm_consistency_judge(&pair->map[from], &sums);
    return status;
}

static int move(struct vsm_stereo_pair *pair, int from)
{
    return pair->planes.kind->move(pair->planes.self, from, &pair->map[from]);
}

/* Whether in neither eye anything could have been matched: what a black eye lacks, the other has. */
static int find_blind(struct vsm_stereo_pair *pair, bool *blind)
{
    bool can = false;
    int status = VSM_OK;

    for (int eye = 0; eye < 2 && status == VSM_OK && !can; eye++)
        status = pair->planes.kind->can_match(pair->planes.self, eye, &can);
    *blind = !can;
    return status;
}

static int match_from_master(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame, int m,
                             struct vsm_disparity_search *search)
{
    const struct vsm_alignment_result known = vsm_alignment_judge(&pair->alignment, pair->grid.height);
    int status;

    *search = (struct vsm_disparity_search){.pitch = known.pitch,
                                            .both_ways = pair->alignment.frames < BOTH_WAYS ||
                                                         known.eyes == VSM_ALIGNMENT_SWAPPED,
                                            .memory = &pair->memory[m]};
    status = pair->planes.kind->match(pair->planes.self, m, search, false, &pair->map[m]);
    if (status != VSM_OK)
        return status;
    vsm_disparity_settle(pair->disparity[m], search, &pair->map[m]);
    status = move(pair, m); /* a device is at it while the host goes on */
    if (!lost(frame->faults[0]) && !lost(frame->faults[1]))
        vsm_alignment_add(&pair->alignment, pair->disparity[m], &pair->map[m], search);
    return status;
}

/* What the slave shows beyond that; nothing of it is known to the master. */
static int match_from_slave(struct vsm_stereo_pair *pair, int m, struct vsm_disparity_search search)
{
    const struct vsm_stereo_planes *p = &pair->planes;
    int status;

    search.pitch = -search.pitch;
    search.known = &pair->known;
    search.memory = &pair->memory[!m];
    status = p->kind->need(p->self, !m);
    vsm_disparity_map_invert(&pair->map[m], &pair->known);
    if (status == VSM_OK)
        status = p->kind->match(p->self, !m, &search, true, &pair->map[!m]);
    if (status != VSM_OK)
        return status;
    vsm_disparity_settle(pair->disparity[!m], &search, &pair->map[!m]);
    return move(pair, !m);
}

/* Where nothing is matched it matters whether somebody is there, and anybody could have been. */
static int judge_measured(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame, int m,
                          struct vsm_stereo_pair_result *result)
{
    const bool frozen =
        frame->faults[0] == VSM_EYE_HEALTH_FROZEN || frame->faults[1] == VSM_EYE_HEALTH_FROZEN;
    bool blind = false;
    int status = VSM_OK;

    if (pair->map[m].tried == 0) {
        status = agree(pair, m, &result->before);
        if (status == VSM_OK && result->before.people)
            status = find_blind(pair, &blind);
    }
    result->measured =
        !frozen && !blind && !vsm_alignment_judge(&pair->alignment, pair->grid.height).unrelated;
    return status;
}

/* Numbers that nothing on the device waits for come last. */
static int find_light(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame, int m,
                      struct vsm_stereo_pair_result *result)
{
    double light[2][3];
    int status = VSM_OK;

    if (!lost(frame->faults[0]) && !lost(frame->faults[1])) {
        status = pair->planes.kind->light(pair->planes.self, m, &pair->map[m], light);
        if (status == VSM_OK)
            vsm_alignment_add_light(&pair->alignment, light);
    }
    result->alignment = vsm_alignment_judge(&pair->alignment, pair->grid.height);
    return status;
}

static int look(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame, int m,
                struct vsm_stereo_pair_result *result)
{
    struct vsm_disparity_search search;
    int status = match_from_master(pair, frame, m, &search);

    if (status == VSM_OK)
        status = judge_measured(pair, frame, m, result);
    if (status == VSM_OK && result->measured && pair->options.mend)
        status = match_from_slave(pair, m, search);
    if (status == VSM_OK)
        status = find_light(pair, frame, m, result);
    if (status == VSM_OK && pair->map[m].tried > 0)
        status = agree(pair, m, &result->before);
    result->after = result->before;
    return status;
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

/* Decides what is taken from the other eye, and where both come to a common value. Returns whether anything
 * is to be done. */
static bool judge_cells(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                        struct vsm_stereo_pair_result *result)
{
    const float doubt =
        (float)((frame->faults[1] != VSM_EYE_HEALTH_GOOD) - (frame->faults[0] != VSM_EYE_HEALTH_GOOD));
    const struct vsm_disparity_map *const maps[2] = {&pair->map[0], &pair->map[1]};
    const float *const mended[2] = {pair->mend.share[0], pair->mend.share[1]};

    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_mend_signs signs = {.doubt = eye == 1 ? doubt : -doubt,
                                             .least = (float)pair->options.threshold};
        float before[VSM_MEND_CELLS];

        memcpy(before, pair->mend.share[eye], sizeof(before));
        result->taken[eye] = vsm_mend_judge(&pair->mend, eye, &pair->grid, &signs, pair->cells[eye]);
        result->recovers[eye] = find_released(pair, eye, before);
    }
    return vsm_consensus_judge(&pair->consensus, maps, mended) > 0.0f || result->taken[0] > 0.0f ||
           result->taken[1] > 0.0f;
}

/* The other eye's light over this one's, by that of the slave over the master's. */
static float gain_of(double slave, bool master)
{
    return (float)(master ? slave : 1.0 / slave);
}

static int blend(struct vsm_stereo_pair *pair, int m, const double slave[3])
{
    const struct vsm_disparity_map *const maps[2] = {&pair->map[0], &pair->map[1]};
    const float gain[2][3] = {{gain_of(slave[0], !m), gain_of(slave[1], !m), gain_of(slave[2], !m)},
                              {gain_of(slave[0], m), gain_of(slave[1], m), gain_of(slave[2], m)}};

    return pair->planes.kind->blend(pair->planes.self, maps, &pair->consensus, &pair->mend, gain);
}

static int mend(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame, int m,
                struct vsm_stereo_pair_result *result)
{
    const struct vsm_stereo_planes *p = &pair->planes;
    int status = p->kind->measure(p->self, pair->cells);
    int giver;

    if (status != VSM_OK || !judge_cells(pair, frame, result))
        return status;
    /* From the eye that gave more: of people whom the master had lost it has no disparity. */
    giver = result->taken[m] > result->taken[!m] ? !m : m;
    status = blend(pair, m, result->alignment.gain);
    if (status == VSM_OK)
        status = p->kind->replace(p->self);
    if (status == VSM_OK)
        status = move(pair, giver);
    return status == VSM_OK ? agree(pair, giver, &result->after) : status;
}

static void forget_scene(struct vsm_stereo_pair *pair)
{
    memset(pair->memory, 0, sizeof(pair->memory));
    memset(&pair->alignment, 0, sizeof(pair->alignment));
    memset(&pair->mend, 0, sizeof(pair->mend));
    memset(&pair->consensus, 0, sizeof(pair->consensus));
}

static int run(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
               struct vsm_stereo_pair_result *result)
{
    const int m = pair->options.master == VSM_RIGHT;
    int status = look(pair, frame, m, result);

    if (status == VSM_OK && result->measured && pair->options.mend) {
        status = mend(pair, frame, m, result);
    } else {
        vsm_mend_release(&pair->mend, 0);
        vsm_mend_release(&pair->mend, 1);
        memset(pair->consensus.share, 0, sizeof(pair->consensus.share));
    }
    if (status == VSM_OK)
        status = pair->planes.kind->note(pair->planes.self, pair->means);
    if (status == VSM_OK)
        vsm_mend_note(&pair->mend, &pair->grid, pair->means);
    return status;
}

int vsm_stereo_pair_run(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                        struct vsm_stereo_pair_result *result)
{
    const struct vsm_stereo_planes *p = &pair->planes;
    int status;

    if (frame->scene_cut)
        forget_scene(pair);
    *result = (struct vsm_stereo_pair_result){.scene_frames = pair->mend.frames};
    status = p->kind->begin(p->self, frame->rgb, frame->maps);
    if (status == VSM_OK)
        status = run(pair, frame, result);
    p->kind->end(p->self);
    return status;
}

void vsm_stereo_pair_repair(const struct vsm_stereo_pair *pair, enum vsm_eye eye,
                            struct vsm_stereo_repair *repair)
{
    repair->grid_width = pair->grid.width;
    repair->map = pair->map[eye];
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
