#include "stages/stereo_grids.h"

#include "base/mem.h"

#include <string.h>

static bool same_direction(const struct vsm_view *a, const struct vsm_view *b)
{
    return a->kind == b->kind && (a->kind == VSM_VIEW_DIRECT ||
                                  (a->projection == b->projection && a->field_of_view == b->field_of_view &&
                                   a->yaw == b->yaw && a->pitch == b->pitch && a->roll == b->roll));
}

static bool same_view(const struct vsm_view *a, const struct vsm_view *b)
{
    return same_direction(a, b) && a->width == b->width && a->height == b->height;
}

static bool pair_fits(const struct vsm_view *a, const struct vsm_view *b)
{
    return same_view(a, b) && a->eye == VSM_LEFT && b->eye == VSM_RIGHT &&
           a->width >= VSM_DISPARITY_MIN_GRID && a->height >= VSM_DISPARITY_MIN_GRID &&
           a->width <= VSM_DISPARITY_MAX_GRID && a->height <= VSM_DISPARITY_MAX_GRID;
}

bool vsm_stereo_grids_fit(const struct vsm_view *views, int view_count)
{
    bool fits = view_count >= 2 && view_count % 2 == 0;

    for (int i = 0; fits && i < view_count; i += 2)
        fits = pair_fits(&views[i], &views[i + 1]);
    return fits;
}

static void close_pairs(struct vsm_stereo_grids *grids)
{
    for (int k = 0; k < grids->pair_count; k++) {
        vsm_stereo_pair_destroy(grids->pairs[k].stereo);
        grids->pairs[k] = (struct vsm_stereo_grids_pair){0};
    }
    grids->pair_count = 0;
}

static void forget_pasts(struct vsm_stereo_grids *grids)
{
    vsm_mem_free(grids->pasts);
    grids->pasts = NULL;
    grids->past_count = 0;
}

void vsm_stereo_grids_clear(struct vsm_stereo_grids *grids)
{
    close_pairs(grids);
    forget_pasts(grids);
}

static int open_pair(const struct vsm_stereo_grids *grids, const struct vsm_view views[2],
                     struct vsm_stereo_grids_pair *pair)
{
    struct vsm_stereo_pair_options options = grids->options;
    int status = VSM_OK;

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        pair->views[eye] = views[eye];
        status = vsm_view_map_init(&options.views[eye], &views[eye]);
    }
    if (status == VSM_OK)
        status = vsm_stereo_pair_create(&options, &pair->stereo);
    return status;
}

static int open_pairs(struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count)
{
    int status = VSM_OK;

    for (int i = 0; i < view_count && status == VSM_OK; i += 2)
        status = open_pair(grids, &views[i], &grids->pairs[grids->pair_count++]);
    if (status != VSM_OK)
        close_pairs(grids);
    return status;
}

static bool are_these(const struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count)
{
    bool same = grids->pair_count == view_count / 2;

    for (int i = 0; same && i < view_count; i++)
        same = same_view(&grids->pairs[i / 2].views[i % 2], &views[i]);
    return same;
}

/* What the pairs know, before they go: there may not be memory for old and new ones. */
static int keep_pasts(struct vsm_stereo_grids *grids)
{
    const int count = grids->pair_count;

    if (count == 0)
        return VSM_OK;
    forget_pasts(grids);
    grids->pasts = vsm_mem_alloc("stereo manager", (size_t)count, sizeof(*grids->pasts));
    if (!grids->pasts)
        return VSM_E_NOMEM;
    grids->past_count = count;
    for (int k = 0; k < count; k++)
        vsm_stereo_pair_past(grids->pairs[k].stereo, &grids->pasts[k]);
    return VSM_OK;
}

int vsm_stereo_grids_set(struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count,
                         bool *changed)
{
    int status;

    *changed = !are_these(grids, views, view_count);
    if (!*changed)
        return VSM_OK;
    status = keep_pasts(grids);
    if (status != VSM_OK)
        return status;
    close_pairs(grids);
    status = open_pairs(grids, views, view_count);
    for (int k = 0; k < grids->pair_count && grids->past_count > 0 && status == VSM_OK; k++)
        status = vsm_stereo_pair_go_on(grids->pairs[k].stereo, grids->pasts, grids->past_count);
    if (status == VSM_OK)
        forget_pasts(grids);
    else
        close_pairs(grids);
    return status;
}

static void save_view(const struct vsm_view *view, struct vsm_bytes_out *out)
{
    const double turn[4] = {view->field_of_view, view->yaw, view->pitch, view->roll};

    vsm_bytes_put_u8(out, (uint8_t)view->kind);
    vsm_bytes_put_u8(out, (uint8_t)view->projection);
    vsm_bytes_put_le32(out, (uint32_t)view->width);
    vsm_bytes_put_le32(out, (uint32_t)view->height);
    for (int i = 0; i < 4; i++)
        vsm_bytes_put_f64(out, turn[i]);
}

static void load_view(struct vsm_view *view, struct vsm_bytes_in *in)
{
    view->kind = vsm_bytes_get_u8(in) ? VSM_VIEW_TURNED : VSM_VIEW_DIRECT;
    view->projection = (enum vsm_projection)(vsm_bytes_get_u8(in) % (VSM_RECTILINEAR + 1));
    view->width = (int)(vsm_bytes_get_le32(in) & INT32_MAX);
    view->height = (int)(vsm_bytes_get_le32(in) & INT32_MAX);
    view->field_of_view = vsm_bytes_get_f64(in);
    view->yaw = vsm_bytes_get_f64(in);
    view->pitch = vsm_bytes_get_f64(in);
    view->roll = vsm_bytes_get_f64(in);
}

void vsm_stereo_grids_save(const struct vsm_stereo_grids *grids, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, (uint8_t)grids->pair_count);
    for (int k = 0; k < grids->pair_count; k++)
        save_view(&grids->pairs[k].views[0], out);
    for (int k = 0; k < grids->pair_count; k++)
        vsm_stereo_pair_save(grids->pairs[k].stereo, out);
}

int vsm_stereo_grids_load(struct vsm_stereo_grids *grids, const struct vsm_view eyes[2],
                          struct vsm_bytes_in *in)
{
    struct vsm_view views[VSM_MAX_VIEWS];
    const int count = vsm_bytes_get_u8(in);
    int status = VSM_E_USAGE;

    vsm_stereo_grids_clear(grids);
    for (int k = 0; k < count && k < VSM_STEREO_GRIDS_PAIRS; k++) {
        views[2 * k] = eyes[0];
        load_view(&views[2 * k], in);
        views[2 * k + 1] = views[2 * k];
        views[2 * k + 1].eye = eyes[1].eye;
        views[2 * k + 1].source = eyes[1].source;
        views[2 * k + 1].lens = eyes[1].lens;
    }
    if (!in->failed && count <= VSM_STEREO_GRIDS_PAIRS &&
        (count == 0 || vsm_stereo_grids_fit(views, 2 * count)))
        status = open_pairs(grids, views, 2 * count);
    if (status == VSM_E_USAGE) /* or the views themselves are impossible */
        return vsm_fail(VSM_E_INPUT, "checkpoint: the views in which eyes are compared are damaged; start "
                                     "again with --restart");
    for (int k = 0; k < grids->pair_count && status == VSM_OK; k++)
        status = vsm_stereo_pair_load(grids->pairs[k].stereo, in);
    return status;
}
