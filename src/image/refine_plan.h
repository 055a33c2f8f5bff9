/* Everything about one refine call that does not depend on pixels: checked arguments, colour constants,
 * positions on the grids, scratch memory. Built once a frame, then read by all workers. */
#ifndef VSM_IMAGE_REFINE_PLAN_H
#define VSM_IMAGE_REFINE_PLAN_H

#include "image/colour.h"
#include "image/refine.h"
#include "image/sampler.h"

#define VSM_REFINE_STRIP  256 /* luma columns worked on at a time; measured: bench_fullres */
#define VSM_REFINE_PASSES 4   /* chroma resolutions there are */

/* Chroma subsampling, log2. */
struct vsm_refine_grid {
    int x, y;
};

/* One output: how alpha and foreground become samples. */
struct vsm_refine_output {
    enum vsm_composite kind;
    struct vsm_image *image;
    struct vsm_refine_code luma, chroma, alpha;
    float key_luma;
    struct vsm_refine_key key;
    int background[4]; /* code values where alpha is 0 */
    int pass;          /* which chroma pass feeds it; -1: no chroma that depends on pixels */
};

#define VSM_REFINE_AXES (2 + VSM_REFINE_PASSES) /* of luma, tint and the passes */

/* One eye: what one direct view or up to two turned views say of it. */
struct vsm_refine_view {
    struct vsm_rect rect;
    int base; /* rect.x rounded down to even: sample 0 of the axes */
    /* Direct: */
    const float *maps;
    int width, height; /* grid */
    struct vsm_sampler_axis luma, tint, pass[VSM_REFINE_PASSES];
    /* Turned: */
    int warp_count;
    struct vsm_refine_warp warps[VSM_REFINE_WARPS];
    struct vsm_refine_warp_axis axes[VSM_REFINE_WARPS][VSM_REFINE_AXES];
};

/* One worker's scratch memory: samplers and rows of one strip. */
struct vsm_refine_worker {
    struct vsm_sampler luma, tint, pass[VSM_REFINE_PASSES];
    struct vsm_refine_warp_scratch warp;
    float *y[2], *alpha[2];    /* of the two rows of a pair */
    float *u[2], *v[2];        /* at the source's chroma resolution */
    float *mean, *tint_row;    /* chroma's part of alpha's mean and of foreground luma */
    float *foreground, *blend; /* luma */
    float *pass_y, *pass_alpha, *pass_u, *pass_v, *pass_fu, *pass_fv, *spare;
    float *weight; /* of the foreground over the background, where that is not alpha */
};

struct vsm_refine_plan {
    const struct vsm_refine_kernels *kernels;
    const struct vsm_image *source;
    struct vsm_refine_samples samples;
    struct vsm_colour_model model;
    struct vsm_coefficients coefficients;
    struct vsm_refine_grid grid; /* the source's chroma; 1, 1 without chroma */
    struct vsm_refine_grid pass[VSM_REFINE_PASSES];
    int pass_count;
    float chroma_low, chroma_high; /* centred */
    float mean_low, mean_high;     /* bounds of the mean of R, G, B of any code values, legal or not */
    struct vsm_refine_output outputs[2 * VSM_MAX_OUTPUTS];
    int output_count;
    struct vsm_refine_view views[VSM_MAX_VIEWS];
    int view_count;
    struct vsm_refine_worker *workers;
    float *positions, *rows; /* memory behind axes and workers */
    uint8_t *cells;          /* scratch memory behind warps; NULL without turned views */
};

/* Alpha below this becomes 0 for certain, rounding included. */
#define VSM_REFINE_EMPTY (VSM_REFINE_SNAP - 1e-4f)

/* Arguments as vsm_refine(), `pool` gives the number of workers. vsm_refine_plan_free() also after failure,
 * by the same thread: with turned views the plan has the turn of base/scratch.h until then. */
int vsm_refine_plan_init(struct vsm_refine_plan *plan, const struct vsm_image *source,
                         const struct vsm_matte *mattes, int matte_count,
                         const struct vsm_composite_output *outputs, int output_count,
                         const struct vsm_refine_options *options, struct vsm_parallel *pool) VSM_NODISCARD;
void vsm_refine_plan_free(struct vsm_refine_plan *plan);

#endif
