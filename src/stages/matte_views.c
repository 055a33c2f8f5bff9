#include "stages/matte_views.h"

#include "geometry/view_map.h"
#include "models/rvm_turn.h"

#include <string.h>

void vsm_matte_views_reset(struct vsm_matte_view_set *set)
{
    for (int i = 0; i < set->count; i++)
        vsm_rvm_state_reset(&set->states[i]);
}

void vsm_matte_views_finish(struct vsm_matte_views *views)
{
    vsm_matte_views_reset(&views->now);
    vsm_matte_views_reset(&views->old);
}

/* The states of one eye's new views, from those of its old ones. to[]: the states of all new views. */
static int turn_eye(const struct vsm_matte_view_set *set, const struct vsm_view_group *group,
                    enum vsm_eye eye, struct vsm_rvm_state *to)
{
    const struct vsm_rvm_state *from[VSM_MAX_VIEWS];
    struct vsm_rvm_state *new[VSM_MAX_VIEWS];
    struct vsm_view_map maps[VSM_MAX_VIEWS], views[VSM_MAX_VIEWS];
    int count = 0, view_count = 0, status = VSM_OK;

    for (int i = 0; i < set->count && status == VSM_OK; i++) {
        if (set->views[i].eye != eye)
            continue;
        from[count] = &set->states[i];
        status = vsm_view_map_init(&maps[count++], &set->views[i]);
    }
    for (int i = 0; i < group->count && status == VSM_OK; i++) {
        if (group->views[i].eye != eye)
            continue;
        new[view_count] = &to[i];
        status = vsm_view_map_init(&views[view_count++], &group->views[i]);
    }
    return status == VSM_OK && view_count > 0 ? vsm_rvm_state_turn(from, maps, count, views, view_count, new)
                                              : status;
}

/* Views that only turn keep their states' memory; others get new states, and the old ones fade
 * out or are dropped. */
static int turn_states(struct vsm_matte_views *views, const struct vsm_view_choice *choice)
{
    const bool in_place = !choice->replaced && choice->now.count == views->now.count;
    struct vsm_matte_view_set next = {.count = choice->now.count};
    struct vsm_rvm_state *states = in_place ? views->now.states : next.states;
    int status = VSM_OK;

    memcpy(next.views, choice->now.views, sizeof(next.views));
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++)
        status = turn_eye(&views->now, &choice->now, (enum vsm_eye)eye, states);
    if (in_place) {
        memcpy(views->now.views, next.views, sizeof(next.views));
        return status;
    }
    vsm_matte_views_reset(choice->replaced ? &views->old : &views->now);
    if (choice->replaced)
        views->old = views->now;
    views->now = next;
    return status;
}

int vsm_matte_views_choose(struct vsm_matte_views *views, const struct vsm_frame *frame)
{
    int status = VSM_OK;

    if (views->director)
        status = vsm_view_director_next(views->director, frame, frame->scene_cut, &views->choice);
    if (status == VSM_OK && views->choice && views->choice->changed)
        status = turn_states(views, views->choice);
    if (views->choice && views->choice->old.count == 0) {
        vsm_matte_views_reset(&views->old);
        views->old.count = 0;
    }
    return status;
}

int vsm_matte_views_again(struct vsm_matte_views *views)
{
    vsm_matte_views_reset(&views->now);
    return turn_states(views, views->choice);
}

static void resize_views(struct vsm_matte_view_set *set, struct vsm_scaling_grid grid)
{
    for (int i = 0; i < set->count; i++) {
        set->views[i].width = grid.width;
        set->views[i].height = grid.height;
    }
}

static int resize_directed(struct vsm_matte_views *views, struct vsm_scaling_grid grid, const int sides[])
{
    const struct vsm_view_choice *choice = vsm_view_director_choice(views->director);
    int status = vsm_view_director_resize(views->director, grid.width, grid.height, sides);

    if (status != VSM_OK)
        return status;
    if (choice->now.count > 0)
        memcpy(views->now.views, choice->now.views, sizeof(views->now.views));
    else
        resize_views(&views->now, grid);
    memcpy(views->old.views, choice->old.views, sizeof(views->old.views));
    return VSM_OK;
}

int vsm_matte_views_resize(struct vsm_matte_views *views, struct vsm_scaling_grid grid,
                           const int sides[VSM_VIEW_PLACE_MAX])
{
    if (views->director)
        return resize_directed(views, grid, sides);
    resize_views(&views->now, grid);
    return VSM_OK;
}

static int resample_states(struct vsm_matte_view_set *set)
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && status == VSM_OK; i++)
        status = vsm_rvm_state_resample(&set->states[i], set->views[i].width, set->views[i].height);
    return status;
}

int vsm_matte_views_resample(struct vsm_matte_views *views)
{
    int status = resample_states(&views->now);

    return status == VSM_OK ? resample_states(&views->old) : status;
}

void vsm_matte_views_share(struct vsm_matte_view_set *to, const struct vsm_matte_view_set *from)
{
    to->count = from->count;
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_rvm_state_share(&to->states[i], &from->states[i]);
}

/* The director's views are these from here on. */
int vsm_matte_views_load(struct vsm_matte_views *views, struct vsm_bytes_in *in)
{
    const struct vsm_view_choice *choice = vsm_view_director_choice(views->director);
    int status = vsm_view_director_load(views->director, in);

    if (status != VSM_OK || choice->now.count == 0)
        return status;
    views->choice = choice;
    views->now.count = choice->now.count;
    views->old.count = choice->old.count;
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        views->now.views[i] = choice->now.views[i];
        views->old.views[i] = choice->old.views[i];
    }
    return VSM_OK;
}
