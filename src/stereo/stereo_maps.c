#include "stereo/stereo_maps.h"

#include "image/coefficients.h"
#include "image/guided_fit.h"

#include <stddef.h>

#define ROWS 16 /* for one call of a worker */

/* Alpha that is gained by mending, from which on the matter's foreground colour is not believed at all. */
#define NEW_PERSON 0.25f

static float unit(float v)
{
    return v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f;
}

/* What b lacks where a fit does not go through what it was fitted to; beyond 0 and 1 alpha is
 * clamped anyway. */
static float rest(float fitted, float wanted)
{
    return (wanted <= 0.0f && fitted < wanted) || (wanted >= 1.0f && fitted > wanted) ? 0.0f
                                                                                      : wanted - fitted;
}

static void replace_cell(const struct vsm_stereo_maps *m, size_t n, size_t i)
{
    float *a = m->maps + VSM_COEFFICIENT_ALPHA_A * n + i, *b = m->maps + VSM_COEFFICIENT_ALPHA_B * n + i;
    const float w = m->weight[i], sum = m->rgb[i] + m->rgb[n + i] + m->rgb[2 * n + i],
                grey = sum * (1.0f / 3.0f);
    const float own = unit(*a * sum * (1.0f / 3.0f) + *b);
    const float keep = 1.0f - unit(w * (m->target[i] - own) * (1.0f / NEW_PERSON));

    *a += w * (m->fitted[i] - *a);
    *b += w * (m->fitted[n + i] - *b);
    *b += rest(*a * grey + *b, own + w * (m->target[i] - own));
    for (size_t c = 0; c < 3; c++) {
        m->maps[c * n + i] *= keep;
        m->maps[(VSM_COEFFICIENT_ALPHA_A + 1 + c) * n + i] *= keep;
    }
    m->alpha[i] = unit(*a * sum * (1.0f / 3.0f) + *b);
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
