#include "stages/gpu_sets.h"

#include "geometry/view_map.h"
#include "geometry/view_place.h"
#include "models/rvm_turn.h"

static void reset(struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_rvm_state_reset(&states[i]);
}

static void set_of(struct vsm_gpu_set *set, const struct vsm_view *views, int count)
{
    *set = (struct vsm_gpu_set){.count = count};
    for (int i = 0; i < count; i++)
        set->views[i] = views[i];
}

static void show_direct(struct vsm_gpu_sets *sets)
{
    set_of(&sets->now, sets->direct, sets->direct_count);
    set_of(&sets->old, NULL, 0);
}

static void show_choice(struct vsm_gpu_sets *sets, const struct vsm_view_choice *choice)
{
    set_of(&sets->now, choice->now.views, choice->now.count);
    set_of(&sets->old, choice->old.views, choice->old.count);
}

void vsm_gpu_sets_begin(struct vsm_gpu_sets *sets)
{
    show_direct(sets);
    sets->resting = true;
}

/* Networks go, views stay. */
static void shut(struct vsm_gpu_sets *sets)
{
    const int now = sets->now.count, old = sets->old.count;

    vsm_gpu_views_close(&sets->now);
    vsm_gpu_views_close(&sets->old);
    vsm_gpu_views_clear(&sets->networks);
    sets->now.count = now;
    sets->old.count = old;
    sets->resting = true;
}

void vsm_gpu_sets_finish(struct vsm_gpu_sets *sets)
{
    shut(sets);
    reset(sets->now_states);
    reset(sets->old_states);
}

int vsm_gpu_sets_rest(struct vsm_gpu_sets *sets)
{
    int status;

    if (sets->resting)
        return VSM_OK;
    status = vsm_gpu_views_get_states(&sets->now, sets->now_states);
    if (!status)
        status = vsm_gpu_views_get_states(&sets->old, sets->old_states);
    shut(sets);
    return status;
}

int vsm_gpu_sets_resize(struct vsm_gpu_sets *sets, struct vsm_scaling_grid grid)
{
    int sides[VSM_VIEW_PLACE_MAX], status;
    const struct vsm_view_choice *choice;

    for (int i = 0; i < sets->direct_count; i++) {
        sets->direct[i].width = grid.width;
        sets->direct[i].height = grid.height;
    }
    if (!sets->director) {
        show_direct(sets);
        return VSM_OK;
    }
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        sides[k] = vsm_view_place_side((int64_t)grid.width * grid.height, k + 1, VSM_RVM_GRID);
    status = vsm_view_director_resize(sets->director, grid.width, grid.height, sides);
    choice = vsm_view_director_choice(sets->director);
    if (!status && choice->now.count > 0)
        show_choice(sets, choice);
    else if (!status)
        show_direct(sets);
    return status;
}

static int resample(const struct vsm_gpu_set *set, struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && !status; i++)
        status = vsm_rvm_state_resample(&states[i], set->views[i].width, set->views[i].height);
    return status;
}

static int open_sets(struct vsm_gpu_sets *sets)
{
    const struct vsm_gpu_set now = sets->now, old = sets->old;
    int status = vsm_gpu_views_open(&sets->networks, &sets->now);

    if (!status)
        status = vsm_gpu_views_open(&sets->networks, &sets->old);
    if (status) {
        sets->now.count = now.count;
        sets->old.count = old.count;
    }
    return status;
}

int vsm_gpu_sets_wake(struct vsm_gpu_sets *sets)
{
    int status = resample(&sets->now, sets->now_states);

    if (!status)
        status = resample(&sets->old, sets->old_states);
    if (!status)
        status = open_sets(sets);
    if (!status)
        status = vsm_gpu_views_set_states(&sets->now, sets->now_states);
    if (!status)
        status = vsm_gpu_views_set_states(&sets->old, sets->old_states);
    if (status) {
        shut(sets);
        return status;
    }
    reset(sets->now_states);
    reset(sets->old_states);
    sets->resting = false;
    return VSM_OK;
}

bool vsm_gpu_sets_trim(struct vsm_gpu_sets *sets)
{
    return vsm_gpu_views_trim(&sets->networks);
}

/* The states of new views from those of the old views of the same eyes. */
static int turn_states(const struct vsm_gpu_set *from, const struct vsm_rvm_state *states,
                       const struct vsm_view_group *group, struct vsm_rvm_state *turned)
{
    int status = VSM_OK;

    for (int i = 0; i < group->count && !status; i++) {
        const struct vsm_rvm_state *old[VSM_MAX_VIEWS];
        struct vsm_view_map maps[VSM_MAX_VIEWS], map;
        int count = 0;

        status = vsm_view_map_init(&map, &group->views[i]);
        for (int k = 0; k < from->count && !status; k++) {
            if (from->views[k].eye != group->views[i].eye)
                continue;
            old[count] = &states[k];
            status = vsm_view_map_init(&maps[count++], &from->views[k]);
        }
        if (!status)
            status = vsm_rvm_state_turn(old, maps, count, &map, 1, (struct vsm_rvm_state *[]){&turned[i]});
    }
    return status;
}

/* The new views' networks, beside those of the views that they replace. */
static int open_now(struct vsm_gpu_sets *sets, const struct vsm_view_choice *choice)
{
    int status;

    set_of(&sets->now, choice->now.views, choice->now.count);
    status = vsm_gpu_views_open(&sets->networks, &sets->now);
    if (!status)
        status = vsm_gpu_views_set_states(&sets->now, sets->now_states);
    if (!status) {
        reset(sets->now_states);
        return VSM_OK;
    }
    sets->now.count = choice->now.count;
    if (status == VSM_E_NOMEM && vsm_gpu_views_get_states(&sets->old, sets->old_states))
        status = VSM_E_DEVICE;
    shut(sets);
    return status;
}

/* The director's views, with what the views so far remember of the same directions. */
static int change_views(struct vsm_gpu_sets *sets, const struct vsm_view_choice *choice)
{
    struct vsm_rvm_state before[VSM_MAX_VIEWS] = {0};
    int status = vsm_gpu_views_get_states(&sets->now, before);

    if (!status)
        status = turn_states(&sets->now, before, &choice->now, sets->now_states);
    reset(before);
    if (status)
        return status;
    if (choice->replaced) {
        vsm_gpu_views_close(&sets->old);
        sets->old = sets->now;
    } else {
        vsm_gpu_views_close(&sets->now);
    }
    return open_now(sets, choice);
}

int vsm_gpu_sets_choose(struct vsm_gpu_sets *sets, const struct vsm_frame *frame)
{
    int status = VSM_OK;

    if (!sets->director)
        return VSM_OK;
    status = vsm_view_director_next(sets->director, frame, frame->scene_cut, &sets->choice);
    if (!status && sets->choice->old.count == 0)
        vsm_gpu_views_close(&sets->old);
    return !status && sets->choice->changed ? change_views(sets, sets->choice) : status;
}

int vsm_gpu_sets_forget(struct vsm_gpu_sets *sets)
{
    const struct vsm_rvm_state fresh[VSM_MAX_VIEWS] = {0};

    return vsm_gpu_views_set_states(&sets->now, fresh);
}

int vsm_gpu_sets_repair(struct vsm_gpu_sets *sets, const struct vsm_state_repairs *repairs)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    int status;

    if (!vsm_state_repairs_any(repairs))
        return VSM_OK;
    status = vsm_gpu_views_get_states(&sets->now, states);
    if (!status) {
        vsm_state_repairs_apply(repairs, states);
        status = vsm_gpu_views_set_states(&sets->now, states);
    }
    reset(states);
    return status;
}

/* Appends a set's states. */
static int save_states(const struct vsm_gpu_set *set, struct vsm_bytes_out *out)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    const int status = vsm_gpu_views_get_states(set, states);

    vsm_matte_record_put_states(states, set->count, out);
    reset(states);
    return status;
}

int vsm_gpu_sets_save(const struct vsm_gpu_sets *sets, struct vsm_bytes_out *out)
{
    int status;

    if (sets->director)
        vsm_view_director_save(sets->director, out);
    status = save_states(&sets->now, out);
    return status ? status : save_states(&sets->old, out);
}

int vsm_gpu_sets_load(struct vsm_gpu_sets *sets, struct vsm_bytes_in *in)
{
    int status = VSM_OK;

    reset(sets->now_states);
    reset(sets->old_states);
    if (sets->director) {
        const struct vsm_view_choice *choice = vsm_view_director_choice(sets->director);

        status = vsm_view_director_load(sets->director, in);
        if (!status && choice->now.count > 0) {
            sets->choice = choice;
            show_choice(sets, choice);
        }
    }
    if (!status)
        status = vsm_matte_record_get_states(sets->now_states, sets->now.views, sets->now.count, in);
    return status ? status
                  : vsm_matte_record_get_states(sets->old_states, sets->old.views, sets->old.count, in);
}
