#include "stages/stereo_grids.h"

#include "base/mem.h"
#include "base/scratch.h"

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

static void close_pair(struct vsm_stereo_grids_pair *pair)
{
    vsm_stereo_pair_destroy(pair->stereo);
    *pair = (struct vsm_stereo_grids_pair){0};
}

void vsm_stereo_grids_clear(struct vsm_stereo_grids *grids)
{
    for (int k = 0; k < grids->pair_count; k++)
        close_pair(&grids->pairs[k]);
    grids->pair_count = 0;
}

static int open_pair(const struct vsm_stereo_grids *grids, const struct vsm_view views[2],
                     struct vsm_stereo_grids_pair *pair)
{
    struct vsm_stereo_pair_options options = grids->options;
    int status = VSM_OK;

    pair->pixels = (size_t)views[0].width * (size_t)views[0].height;
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        pair->views[eye] = views[eye];
        status = vsm_view_map_init(&options.views[eye], &views[eye]);
    }
    if (status == VSM_OK)
        status = vsm_stereo_pair_create(&options, &pair->stereo);
    return status;
}

int vsm_stereo_grids_begin(struct vsm_stereo_grids_pair *pair)
{
    const size_t pixels = pair->pixels;
    const size_t looking = vsm_stereo_pair_look_floats(pair->stereo);
    float *planes =
        vsm_scratch_alloc("stereo",
                          (4 * pixels + looking) * sizeof(float) + vsm_stereo_pair_bytes(pair->stereo), 1);

    if (!planes)
        return VSM_E_NOMEM;
    pair->scratch = planes;
    pair->alpha[0] = planes;
    pair->alpha[1] = planes + pixels;
    pair->fitted = planes + 2 * pixels;
    pair->looking = planes + 4 * pixels;
    vsm_stereo_pair_lend(pair->stereo, pair->looking + looking);
    return VSM_OK;
}

void vsm_stereo_grids_end(struct vsm_stereo_grids_pair *pair)
{
    vsm_scratch_free(pair->scratch);
    pair->scratch = NULL;
}

static int open_pairs(struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count)
{
    int status = VSM_OK;

    for (int i = 0; i < view_count && status == VSM_OK; i += 2)
        status = open_pair(grids, &views[i], &grids->pairs[grids->pair_count++]);
    if (status != VSM_OK)
        vsm_stereo_grids_clear(grids);
    return status;
}

static bool are_these(const struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count)
{
    bool same = grids->pair_count == view_count / 2;

    for (int i = 0; same && i < view_count; i++)
        same = same_view(&grids->pairs[i / 2].views[i % 2], &views[i]);
    return same;
}

/* The old ones go first, for there may not be memory for both. */
int vsm_stereo_grids_set(struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count,
                         bool *changed)
{
    const int count = grids->pair_count;
    struct vsm_stereo_past *pasts = NULL;
    int status;

    *changed = !are_these(grids, views, view_count);
    if (!*changed)
        return VSM_OK;
    if (count > 0 && !(pasts = vsm_mem_alloc("stereo manager", (size_t)count, sizeof(*pasts))))
        return VSM_E_NOMEM;
    for (int k = 0; k < count; k++)
        vsm_stereo_pair_past(grids->pairs[k].stereo, &pasts[k]);
    vsm_stereo_grids_clear(grids);
    status = open_pairs(grids, views, view_count);
    for (int k = 0; k < grids->pair_count && count > 0 && status == VSM_OK; k++)
        status = vsm_stereo_pair_go_on(grids->pairs[k].stereo, pasts, count);
    vsm_mem_free(pasts);
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
    int status = VSM_OK;

    vsm_stereo_grids_clear(grids);
    for (int k = 0; k < count && k < VSM_STEREO_GRIDS_PAIRS; k++) {
        views[2 * k] = eyes[0];
        load_view(&views[2 * k], in);
        views[2 * k + 1] = views[2 * k];
        views[2 * k + 1].eye = eyes[1].eye;
        views[2 * k + 1].source = eyes[1].source;
        views[2 * k + 1].lens = eyes[1].lens;
    }
    if (in->failed || count > VSM_STEREO_GRIDS_PAIRS ||
        (count > 0 && !vsm_stereo_grids_fit(views, 2 * count)))
        return vsm_fail(VSM_E_INPUT, "checkpoint: the views in which eyes are compared are damaged; start "
                                     "again with --restart");
    status = open_pairs(grids, views, 2 * count);
    for (int k = 0; k < grids->pair_count && status == VSM_OK; k++)
        status = vsm_stereo_pair_load(grids->pairs[k].stereo, in);
    return status;
}
