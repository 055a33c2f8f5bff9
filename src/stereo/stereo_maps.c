#include "stereo/stereo_maps.h"

#include "image/guided_fit.h"
#include "pixel/stereo_maps.h"

#include <stddef.h>

#define ROWS 16 /* for one call of a worker */

static void replace_cell(const struct vsm_stereo_maps *m, size_t n, size_t i)
{
    const float *rgb = m->rgb + i;

    m->alpha[i] = vsm_stereo_maps_replace_cell(m->maps + i, n, rgb[0] + rgb[n] + rgb[2 * n], m->target[i],
                                               m->weight[i], m->fitted[i], m->fitted[n + i]);
}

static void replace_rows(void *context, int index, int worker)
{
    const struct vsm_stereo_maps *m = context;
    const size_t width = (size_t)m->width, n = width * (size_t)m->height, from = (size_t)index * ROWS * width;
    const size_t end = from + ROWS * width < n ? from + ROWS * width : n;

    (void)worker;
    for (size_t i = from; i < end; i++) {
        if (m->weight[i] > 0.0f)
            replace_cell(m, n, i);
    }
}

void vsm_stereo_maps_replace(const struct vsm_stereo_maps *maps, struct vsm_parallel *pool)
{
    struct vsm_stereo_maps m = *maps;

    vsm_guided_fit_alpha(m.rgb, m.target, m.weight, m.width, m.height, m.fitted, pool);
    vsm_parallel_for(pool, (m.height + ROWS - 1) / ROWS, replace_rows, &m);
}
