#include "stereo/disparity.h"

#include "base/mem.h"
#include "stereo/cell_match.h"
#include "stereo/parallax.h"
#include "stereo/stereo_pyramid.h"

struct vsm_disparity {
    struct vsm_parallax parallax;
    struct vsm_stereo_pyramid pyramid;
    struct vsm_parallel *pool;
    const struct vsm_disparity *share;
    float *memory; /* of the pyramid; NULL: shared or lent */
};

static int check(const struct vsm_disparity_options *options)
{
    const double w = options->view ? options->view->width : options->eye.width;
    const double h = options->view ? options->view->height : options->eye.height;

    if (w < VSM_DISPARITY_MIN_GRID || h < VSM_DISPARITY_MIN_GRID || w > VSM_DISPARITY_MAX_GRID ||
        h > VSM_DISPARITY_MAX_GRID)
        return vsm_fail(VSM_E_USAGE, "disparity: grid %gx%g; both sides must be %d to %d", w, h,
                        VSM_DISPARITY_MIN_GRID, VSM_DISPARITY_MAX_GRID);
    if (!(options->baseline > 0.0 && options->baseline < 1.0))
        return vsm_fail(VSM_E_USAGE, "disparity: baseline of %g m; it must be between 0 and 1",
                        options->baseline);
    if (options->share &&
        (options->share->parallax.width != (int)w || options->share->parallax.height != (int)h))
        return vsm_fail(VSM_E_INTERNAL, "disparity: grid %gx%g shares memory of one of %dx%d", w, h,
                        options->share->parallax.width, options->share->parallax.height);
    return VSM_OK;
}

size_t vsm_disparity_bytes(const struct vsm_disparity *disparity)
{
    return disparity->share ? 0 : vsm_stereo_pyramid_bytes(&disparity->pyramid);
}

void vsm_disparity_lend(struct vsm_disparity *disparity, void *memory)
{
    if (memory)
        vsm_stereo_pyramid_place(&disparity->pyramid, memory);
    else
        disparity->pyramid = disparity->share->pyramid;
}

static int make_pyramid(struct vsm_disparity *d, bool lent)
{
    vsm_stereo_pyramid_init(&d->pyramid, d->parallax.width, d->parallax.height);
    if (lent)
        return VSM_OK;
    if (!d->share) {
        d->memory = vsm_mem_alloc("stereo pictures", vsm_disparity_bytes(d), 1);
        if (!d->memory)
            return VSM_E_NOMEM;
    }
    vsm_disparity_lend(d, d->memory);
    return VSM_OK;
}

int vsm_disparity_create(const struct vsm_disparity_options *options, struct vsm_disparity **disparity)
{
    struct vsm_disparity *d;
    int status = check(options);

    if (status)
        return status;
    d = vsm_mem_alloc("disparity", 1, sizeof(*d));
    if (!d)
        return VSM_E_NOMEM;
    d->pool = options->pool;
    d->share = options->share;
    status = vsm_parallax_init(options, &d->parallax);
    if (status == VSM_OK)
        status = make_pyramid(d, options->lent);
    if (status) {
        vsm_disparity_destroy(d);
        return status;
    }
    *disparity = d;
    return VSM_OK;
}

void vsm_disparity_destroy(struct vsm_disparity *disparity)
{
    if (!disparity)
        return;
    vsm_mem_free(disparity->memory);
    vsm_parallax_finish(&disparity->parallax);
    vsm_mem_free(disparity);
}

bool vsm_disparity_can(const struct vsm_disparity *disparity, const float *alpha)
{
    return vsm_cell_match_can(&disparity->parallax, alpha);
}

void vsm_disparity_grid(const struct vsm_disparity *disparity, int *width, int *height)
{
    *width = disparity->parallax.width;
    *height = disparity->parallax.height;
}

const struct vsm_parallax *vsm_disparity_parallax(const struct vsm_disparity *disparity)
{
    return &disparity->parallax;
}

void vsm_disparity_cells(const struct vsm_disparity *disparity, int *side, int *columns, int *rows)
{
    *side = disparity->parallax.side;
    *columns = disparity->parallax.columns;
    *rows = disparity->parallax.rows;
}

void vsm_disparity_shift(const struct vsm_disparity *disparity, int index, double parallax, double pitch,
                         float *du, float *dv)
{
    const struct vsm_parallax_shift s = vsm_parallax_shift(&disparity->parallax, index, parallax, pitch);

    *du = s.u;
    *dv = s.v;
}

void vsm_disparity_match(struct vsm_disparity *disparity, const struct vsm_disparity_picture *master,
                         const struct vsm_disparity_picture *slave, const struct vsm_disparity_search *search,
                         struct vsm_disparity_map *map)
{
    const struct vsm_disparity *d = disparity;
    const struct vsm_parallax *p = &d->parallax;
    struct vsm_stereo_pyramid pyramid = d->pyramid;

    if (search->turned)
        vsm_stereo_pyramid_turn(&pyramid, master->alpha, d->pool);
    else
        vsm_stereo_pyramid_load(&pyramid, master, slave, d->pool);
    *map = (struct vsm_disparity_map){.columns = p->columns, .rows = p->rows, .side = p->side};
    vsm_cell_match_run(p, &pyramid, search, d->pool, map);
}

void vsm_disparity_settle(const struct vsm_disparity *disparity, const struct vsm_disparity_search *search,
                          struct vsm_disparity_map *map)
{
    const struct vsm_parallax *p = &disparity->parallax;

    vsm_disparity_map_settle(map, p->pixel);
    if (search->known)
        vsm_disparity_map_take(map, search->known);
    if (search->memory)
        vsm_disparity_map_remember(map, search->memory, p->pixel);
    vsm_disparity_map_spread(map);
    for (int i = 0; i < p->columns * p->rows; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];

        if (c->known && p->cells[i].usable)
            vsm_disparity_shift(disparity, i, c->parallax, search->pitch, &c->du, &c->dv);
        else
            c->known = false;
    }
    if (search->memory)
        vsm_disparity_map_learn(map, search->memory);
}

void vsm_disparity_measure(struct vsm_disparity *disparity, const struct vsm_disparity_picture *master,
                           const struct vsm_disparity_picture *slave,
                           const struct vsm_disparity_search *search, struct vsm_disparity_map *map)
{
    vsm_disparity_match(disparity, master, slave, search, map);
    vsm_disparity_settle(disparity, search, map);
}
