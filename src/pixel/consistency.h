/* What a pixel adds to the measure of how well two mattes agree (stereo/consistency.h). */
#ifndef VSM_PIXEL_CONSISTENCY_H
#define VSM_PIXEL_CONSISTENCY_H

#include "pixel/pixel.h"

#define VSM_CONSISTENCY_SOFT 0.02f /* alpha below is background */

/* Over pixels where somebody is: minimum and maximum, and by 0 = moved, 1 = own the alpha and its moments. */
struct vsm_consistency_sums {
    double both, either, area[2], x[2], y[2];
};

VSM_PIXEL void vsm_consistency_count(struct vsm_consistency_sums *sums, float moved, float own, int x, int y)
{
    const float alpha[2] = {moved, own};

    if (moved <= VSM_CONSISTENCY_SOFT && (moved < 0.0f || own <= VSM_CONSISTENCY_SOFT))
        return;
    sums->both += (double)(moved < own ? moved : own);
    sums->either += (double)(moved > own ? moved : own);
    for (int i = 0; i < 2; i++) {
        sums->area[i] += (double)alpha[i];
        sums->x[i] += (double)alpha[i] * x;
        sums->y[i] += (double)alpha[i] * y;
    }
}

VSM_PIXEL void vsm_consistency_join(struct vsm_consistency_sums *to, const struct vsm_consistency_sums *s)
{
    to->both += s->both;
    to->either += s->either;
    for (int i = 0; i < 2; i++) {
        to->area[i] += s->area[i];
        to->x[i] += s->x[i];
        to->y[i] += s->y[i];
    }
}

#endif
