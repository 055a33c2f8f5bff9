#include "stages/stereo_manager.h"

#include "base/mem.h"
#include "stages/stereo_grids.h"
#include "stages/stereo_list.h"

#include <stdatomic.h>

#define RECORD "stereo"

#define REPAIR 0.02f /* share of an eye's people that must be mended for its network's state to be repaired */

struct vsm_stereo_manager {
    struct vsm_stereo_manager_options options;
    struct vsm_view eyes[2]; /* for restoring: their rectangles and lenses */
    struct vsm_stereo_grids grids;
    struct vsm_eye_health health;
    struct vsm_stereo_tally tally;
    struct vsm_stereo_list list;
    struct vsm_state_repairs repairs; /* of the last frame */
    bool cut;                         /* a scene has begun in a frame that could not be compared */
    atomic_int mean;                  /* for vsm_stereo_manager_mean() */
};

bool vsm_stereo_manager_fits(const struct vsm_view *views, int view_count)
{
    return vsm_stereo_grids_fit(views, view_count);
}

int vsm_stereo_manager_create(const struct vsm_stereo_manager_options *options,
                              struct vsm_stereo_manager **manager)
{
    struct vsm_stereo_manager *m = vsm_mem_alloc("stereo manager", 1, sizeof(*m));
    bool changed;
    int status;

    if (!m)
        return VSM_E_NOMEM;
    m->options = *options;
    m->eyes[0] = options->views[0];
    m->eyes[1] = options->views[1];
    m->grids.options = (struct vsm_stereo_pair_options){.master = options->master,
                                                        .baseline = options->baseline,
                                                        .threshold = options->threshold,
                                                        .mend = options->mend,
                                                        .pool = options->pool,
                                                        .stream = options->stream};
    m->list.path = options->list;
    atomic_init(&m->mean, -1);
    status = vsm_stereo_grids_set(&m->grids, options->views, options->view_count, &changed);
    if (status != VSM_OK) {
        vsm_stereo_manager_destroy(m);
        return status;
    }
    *manager = m;
    return VSM_OK;
}

void vsm_stereo_manager_destroy(struct vsm_stereo_manager *manager)
{
    if (!manager)
        return;
    vsm_stereo_list_close(&manager->list);
    vsm_state_repairs_clear(&manager->repairs);
    vsm_stereo_grids_clear(&manager->grids);
    vsm_mem_free(manager);
}

const struct vsm_stereo_tally *vsm_stereo_manager_tally(const struct vsm_stereo_manager *manager)
{
    return &manager->tally;
}

const struct vsm_stereo_pair_result *vsm_stereo_manager_last(const struct vsm_stereo_manager *manager,
                                                             int pair)
{
    return &manager->grids.pairs[pair].result;
}

/* The eye goes on from what the other one remembers of the same people. */
static int want_repair(struct vsm_stereo_manager *m, int k, int eye)
{
    struct vsm_stereo_repair *repair = vsm_state_repairs_add(&m->repairs, 2 * k + eye);

    if (!repair)
        return VSM_E_NOMEM;
    vsm_stereo_pair_repair(m->grids.pairs[k].stereo, (enum vsm_eye)eye, repair);
    return VSM_OK;
}

static int run_pair(struct vsm_stereo_manager *m, int k, struct vsm_frame *frame, const float *const rgb[],
                    const enum vsm_eye_health_fault faults[2], bool scene_cut)
{
    struct vsm_stereo_grids_pair *pair = &m->grids.pairs[k];
    const struct vsm_stereo_pair_frame f = {.rgb = {rgb[2 * k], rgb[2 * k + 1]},
                                            .maps = {frame->mattes[2 * k].coefficients->data,
                                                     frame->mattes[2 * k + 1].coefficients->data},
                                            .faults = {faults[0], faults[1]},
                                            .scene_cut = scene_cut};
    int status = vsm_stereo_pair_run(pair->stereo, &f, &pair->result);

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        if (pair->result.recovers[eye] && pair->result.taken[eye] > REPAIR)
            status = want_repair(m, k, eye);
    }
    if (status != VSM_OK)
        return status;
    vsm_stereo_tally_add(&m->tally, frame->index, m->options.threshold, faults, &pair->result);
    return vsm_stereo_list_add(&m->list, frame->index, k, faults, &pair->result);
}

/* By the first pair of views that has matched anything. */
static const struct vsm_alignment_result *alignment_of(const struct vsm_stereo_manager *m)
{
    const struct vsm_stereo_grids_pair *pairs = m->grids.pairs;

    for (int k = 0; k < m->grids.pair_count; k++) {
        if (pairs[k].result.alignment.known)
            return &pairs[k].result.alignment;
    }
    return &pairs[0].result.alignment;
}

static void publish_mean(struct vsm_stereo_manager *m)
{
    if (m->tally.frames > 0)
        atomic_store(&m->mean, (int)(m->tally.sum_after / (double)m->tally.frames * 1e6));
}

int vsm_stereo_manager_mean(const struct vsm_stereo_manager *manager)
{
    return atomic_load(&manager->mean);
}

int vsm_stereo_manager_follow(struct vsm_stereo_manager *manager, const struct vsm_view *views,
                              int view_count)
{
    bool changed;
    int status;

    if (!vsm_stereo_grids_fit(views, view_count))
        return VSM_OK;
    status = vsm_stereo_grids_set(&manager->grids, views, view_count, &changed);
    if (changed)
        vsm_eye_health_turn(&manager->health);
    return status;
}

/* Whether the frame's views are pairs, and its maps where they are worked on. */
static bool is_comparable(const struct vsm_stereo_manager *m, const struct vsm_frame *frame,
                          struct vsm_view views[VSM_MAX_VIEWS])
{
    const enum vsm_place place = m->options.stream ? VSM_PLACE_CUDA : VSM_PLACE_HOST;
    bool there = true;

    for (int i = 0; i < frame->view_count; i++) {
        views[i] = frame->mattes[i].view;
        there = there && frame->mattes[i].coefficients->place == place;
    }
    return there && vsm_stereo_grids_fit(views, frame->view_count);
}

static int judge_health(struct vsm_stereo_manager *m, const float *const rgb[], bool scene_cut,
                        enum vsm_eye_health_fault faults[2])
{
    const struct vsm_stereo_grids_pair *pair = &m->grids.pairs[0];
    struct vsm_eye_health_look looks[2];
    int status = vsm_stereo_pair_look(pair->stereo, rgb, looks);

    if (status != VSM_OK)
        return status;
    if (scene_cut)
        m->health = (struct vsm_eye_health){0};
    vsm_eye_health_next(&m->health, looks, pair->views[0].width, pair->views[0].height, faults);
    return VSM_OK;
}

static int compare(struct vsm_stereo_manager *m, struct vsm_frame *frame, const float *const rgb[])
{
    const bool scene_cut = m->cut; /* in this frame, or in one before it that could not be compared */
    enum vsm_eye_health_fault faults[2];
    int status = judge_health(m, rgb, scene_cut, faults);

    m->cut = false;
    for (int k = 0; k < m->grids.pair_count && status == VSM_OK; k++)
        status = run_pair(m, k, frame, rgb, faults, scene_cut);
    if (status == VSM_OK)
        vsm_stereo_scenes_add(&m->tally.scenes, frame->index, scene_cut, m->options.master, alignment_of(m));
    publish_mean(m);
    return status;
}

int vsm_stereo_manager_run(struct vsm_stereo_manager *manager, struct vsm_frame *frame,
                           const float *const rgb[], struct vsm_rvm_state *states)
{
    struct vsm_stereo_manager *m = manager;
    struct vsm_view views[VSM_MAX_VIEWS];
    int status = VSM_OK;

    vsm_state_repairs_clear(&m->repairs);
    m->cut = m->cut || frame->scene_cut;
    if (is_comparable(m, frame, views)) {
        status = vsm_stereo_manager_follow(m, views, frame->view_count);
        if (status == VSM_OK)
            status = compare(m, frame, rgb);
    } else {
        for (int k = 0; k < m->grids.pair_count; k++)
            m->grids.pairs[k].result = (struct vsm_stereo_pair_result){0};
    }
    if (status == VSM_OK && states)
        vsm_state_repairs_apply(&m->repairs, states);
    return status;
}

static int run(void *self, struct vsm_frame *frame, const float *const rgb[], struct vsm_rvm_state *states)
{
    return vsm_stereo_manager_run(self, frame, rgb, states);
}

const struct vsm_state_repairs *vsm_stereo_manager_repairs(const struct vsm_stereo_manager *manager)
{
    return &manager->repairs;
}

static int barrier(void *self, struct vsm_state *state)
{
    struct vsm_stereo_manager *m = self;
    struct vsm_bytes_out out = {0};
    int64_t size;
    int status = vsm_stereo_list_mark(&m->list, &size);

    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le64(&out, (uint64_t)size);
    vsm_bytes_put_u8(&out, m->cut);
    vsm_eye_health_save(&m->health, &out);
    vsm_stereo_tally_save(&m->tally, &out);
    vsm_stereo_grids_save(&m->grids, &out);
    return vsm_state_add_bytes(state, RECORD, &out);
}

static int load(struct vsm_stereo_manager *m, struct vsm_bytes_in *in)
{
    int status;

    m->cut = vsm_bytes_get_u8(in);
    status = vsm_eye_health_load(&m->health, in);
    if (status == VSM_OK && !vsm_stereo_tally_load(&m->tally, in))
        status =
            vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    return status == VSM_OK ? vsm_stereo_grids_load(&m->grids, m->eyes, in) : status;
}

int vsm_stereo_manager_restore(struct vsm_stereo_manager *manager, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status;

    manager->list.size = (int64_t)vsm_bytes_get_le64(&in);
    status = load(manager, &in);
    if (status == VSM_OK && vsm_bytes_left(&in) != 0)
        status = vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is too long; start again with "
                                       "--restart");
    publish_mean(manager);
    return status;
}

struct vsm_matte_review vsm_stereo_manager_review(struct vsm_stereo_manager *manager)
{
    return (struct vsm_matte_review){.self = manager, .run = run, .barrier = barrier};
}
