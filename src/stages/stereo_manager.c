#include "stages/stereo_manager.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "image/coefficients.h"
#include "stages/stereo_grids.h"
#include "stages/stereo_list.h"
#include "stages/stereo_maps.h"

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
    struct vsm_stereo_look look;      /* of run() */
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
                                                        .pool = options->pool};
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

static struct vsm_stereo_pair_frame frame_of(const struct vsm_stereo_manager *m, int k,
                                             const struct vsm_frame *frame, const float *const rgb[],
                                             const struct vsm_stereo_look *look)
{
    const struct vsm_stereo_grids_pair *pair = &m->grids.pairs[k];

    for (int eye = 0; eye < 2; eye++)
        vsm_coefficients_fill_alpha(vsm_tensor_f32(frame->mattes[2 * k + eye].coefficients), rgb[2 * k + eye],
                                    pair->pixels, pair->alpha[eye], m->options.pool);
    return (struct vsm_stereo_pair_frame){.rgb = {rgb[2 * k], rgb[2 * k + 1]},
                                          .alpha = {pair->alpha[0], pair->alpha[1]},
                                          .faults = {look->faults[0], look->faults[1]},
                                          .scene_cut = look->scene_cut};
}

/* The eye goes on from what the other one remembers of the same people. */
static int want_repair(struct vsm_stereo_manager *m, const struct vsm_frame *frame, int k, int eye)
{
    struct vsm_stereo_repair *repair = vsm_state_repairs_add(&m->repairs, frame, 2 * k + eye);

    if (!repair)
        return VSM_E_NOMEM;
    vsm_stereo_pair_repair(m->grids.pairs[k].stereo, (enum vsm_eye)eye, repair);
    return VSM_OK;
}

static int settle_pair(struct vsm_stereo_manager *m, int k, struct vsm_frame *whole,
                       const struct vsm_stereo_pair_frame *frame, struct vsm_stereo_pair_look *look)
{
    struct vsm_stereo_grids_pair *pair = &m->grids.pairs[k];
    const struct vsm_stereo_pair_result *r = &pair->result;
    int status = VSM_OK;

    vsm_stereo_pair_settle(pair->stereo, frame, look, &pair->result);
    for (int eye = 0; eye < 2; eye++) {
        float *maps = vsm_tensor_f32(whole->mattes[2 * k + eye].coefficients);

        if (r->weight[eye])
            vsm_stereo_maps_replace(&(struct vsm_stereo_maps){.rgb = frame->rgb[eye],
                                                              .target = r->target[eye],
                                                              .weight = r->weight[eye],
                                                              .width = pair->views[0].width,
                                                              .height = pair->views[0].height,
                                                              .maps = maps,
                                                              .alpha = pair->alpha[eye],
                                                              .fitted = pair->fitted},
                                    m->options.pool);
        if (status == VSM_OK && r->recovers[eye] && r->taken[eye] > REPAIR)
            status = want_repair(m, whole, k, eye);
    }
    vsm_stereo_pair_end(pair->stereo, frame, &pair->result);
    return status;
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

/* The pairs of this frame's views; false: they cannot be compared. */
static int follow_views(struct vsm_stereo_manager *m, const struct vsm_frame *frame, bool *comparable)
{
    struct vsm_view views[VSM_MAX_VIEWS];
    bool changed;
    int status;

    *comparable = true;
    for (int i = 0; i < frame->view_count; i++) {
        views[i] = frame->mattes[i].view;
        *comparable = *comparable && frame->mattes[i].coefficients->place == VSM_PLACE_HOST;
    }
    *comparable = *comparable && vsm_stereo_grids_fit(views, frame->view_count);
    for (int k = 0; k < m->grids.pair_count && !*comparable; k++)
        m->grids.pairs[k].result = (struct vsm_stereo_pair_result){0};
    if (!*comparable)
        return VSM_OK;
    status = vsm_stereo_grids_set(&m->grids, views, frame->view_count, &changed);
    if (changed)
        vsm_eye_health_turn(&m->health);
    return status;
}

static int begin_look(struct vsm_stereo_manager *m, const struct vsm_frame *frame, const float *const rgb[],
                      struct vsm_stereo_look *look)
{
    const struct vsm_view *view = &m->grids.pairs[0].views[0];
    int status = follow_views(m, frame, &look->comparable);

    m->cut = m->cut || frame->scene_cut;
    if (status != VSM_OK || !look->comparable)
        return status;
    look->scene_cut = m->cut;
    m->cut = false;
    if (look->scene_cut)
        m->health = (struct vsm_eye_health){0};
    vsm_eye_health_next(&m->health, rgb, view->width, view->height, look->faults, m->options.pool);
    look->health = m->health;
    return VSM_OK;
}

int vsm_stereo_manager_look(struct vsm_stereo_manager *manager, const struct vsm_frame *frame,
                            const float *const rgb[], struct vsm_stereo_look *look)
{
    struct vsm_stereo_grids_pair *pairs = manager->grids.pairs;
    int status = begin_look(manager, frame, rgb, look);

    if (status != VSM_OK || !look->comparable)
        return status;
    vsm_scratch_begin();
    for (int k = 0; k < manager->grids.pair_count && status == VSM_OK; k++) {
        struct vsm_stereo_pair_frame f;

        status = vsm_stereo_grids_begin(&pairs[k]);
        if (status != VSM_OK)
            break;
        f = frame_of(manager, k, frame, rgb, look);
        vsm_stereo_pair_look(pairs[k].stereo, &f, &look->pairs[k]);
        vsm_stereo_grids_end(&pairs[k]);
    }
    vsm_scratch_end();
    return status;
}

/* look: of another manager, or, with `own`, begun by this one. */
static int settle(struct vsm_stereo_manager *m, struct vsm_frame *frame, const float *const rgb[],
                  struct vsm_stereo_look *look, bool own)
{
    struct vsm_stereo_grids_pair *pairs = m->grids.pairs;
    int status = VSM_OK;

    vsm_scratch_begin();
    for (int k = 0; k < m->grids.pair_count && status == VSM_OK; k++) {
        struct vsm_stereo_pair_frame f;

        status = vsm_stereo_grids_begin(&pairs[k]);
        if (status != VSM_OK)
            break;
        f = frame_of(m, k, frame, rgb, look);
        if (own) {
            look->pairs[k].planes = pairs[k].looking;
            vsm_stereo_pair_look(pairs[k].stereo, &f, &look->pairs[k]);
        }
        status = settle_pair(m, k, frame, &f, &look->pairs[k]);
        vsm_stereo_tally_add(&m->tally, frame->index, m->options.threshold, look->faults, &pairs[k].result);
        if (status == VSM_OK)
            status = vsm_stereo_list_add(&m->list, frame->index, k, look->faults, &pairs[k].result);
        vsm_stereo_grids_end(&pairs[k]);
    }
    vsm_scratch_end();
    if (status == VSM_OK)
        vsm_stereo_scenes_add(&m->tally.scenes, frame->index, look->scene_cut, m->options.master,
                              alignment_of(m));
    publish_mean(m);
    return status;
}

int vsm_stereo_manager_settle(struct vsm_stereo_manager *manager, struct vsm_frame *frame,
                              const float *const rgb[], struct vsm_stereo_look *look)
{
    bool comparable;
    int status = follow_views(manager, frame, &comparable);

    vsm_state_repairs_clear(&manager->repairs);
    manager->cut = !look->comparable && (manager->cut || frame->scene_cut);
    if (status != VSM_OK || !look->comparable)
        return status;
    manager->health = look->health;
    return settle(manager, frame, rgb, look, false);
}

static int run(void *self, struct vsm_frame *frame, const float *const rgb[], struct vsm_rvm_state *states)
{
    struct vsm_stereo_manager *m = self;
    int status = begin_look(m, frame, rgb, &m->look);

    vsm_state_repairs_clear(&m->repairs);
    if (status == VSM_OK && m->look.comparable)
        status = settle(m, frame, rgb, &m->look, true);
    if (status == VSM_OK)
        vsm_state_repairs_apply(&m->repairs, states);
    return status;
}

struct vsm_state_repairs *vsm_stereo_manager_repairs(struct vsm_stereo_manager *manager)
{
    return &manager->repairs;
}

static void save(const struct vsm_stereo_manager *m, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, m->cut);
    vsm_eye_health_save(&m->health, out);
    vsm_stereo_tally_save(&m->tally, out);
    vsm_stereo_grids_save(&m->grids, out);
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
    save(m, &out);
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

int vsm_stereo_manager_twin(const struct vsm_stereo_manager *manager, struct vsm_parallel *pool,
                            struct vsm_stereo_manager **twin)
{
    struct vsm_stereo_manager *t = vsm_mem_alloc("stereo manager", 1, sizeof(*t));
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;
    int status;

    if (!t)
        return VSM_E_NOMEM;
    t->options = manager->options;
    t->options.list = NULL;
    t->options.pool = pool;
    t->eyes[0] = manager->eyes[0];
    t->eyes[1] = manager->eyes[1];
    t->grids.options = manager->grids.options;
    t->grids.options.pool = pool;
    atomic_init(&t->mean, -1);
    save(manager, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    status = out.failed ? VSM_E_NOMEM : load(t, &in);
    vsm_bytes_out_finish(&out);
    if (status != VSM_OK) {
        vsm_stereo_manager_destroy(t);
        return status;
    }
    *twin = t;
    return VSM_OK;
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
