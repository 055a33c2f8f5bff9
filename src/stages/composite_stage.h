/* Transform stage: makes every output's picture from the source and the coefficient maps, in one fused pass.
 *
 * Has no state, hence no barrier record.
 */
#ifndef VSM_STAGES_COMPOSITE_STAGE_H
#define VSM_STAGES_COMPOSITE_STAGE_H

#include "base/status.h"
#include "image/refine.h"
#include "pipeline/stage.h"

/* Fisheye circles, alpha-packed or not, or half-equirect eyes made of fisheyes (geometry/reprojection.h), as
 * a target. */
struct vsm_composite_packing {
    struct vsm_rect eyes[2]; /* left, right */
    struct vsm_lens lens;    /* of both: half-equirect or fisheye */
    bool half_equirect;      /* then without mattes */
    double field_of_view;    /* degrees; 180 for half-equirect */
    int height;              /* the picture is 2 * height x height */
    bool mattes; /* in discs beside the circles; else the circles alone, round them the key colour */
    bool red;    /* mattes in red instead of grey */
};

/* One picture to be made of every frame. */
struct vsm_composite_target {
    enum vsm_composite kind;
    struct vsm_format format;
    struct vsm_colour colour;
    uint8_t key[3]; /* R, G, B */
    /* NULL: the picture is as the source lies. Else it is packed: the format is planar. Borrowed during
     * create(). */
    const struct vsm_composite_packing *packing;
    bool on_device; /* made on a CUDA device, it stays there for the encoder (stages/gpu_refine_stage.h) */
};

struct vsm_composite_stage;

/* `width` x `height` is the source picture's size. */
int vsm_composite_stage_create(const struct vsm_composite_target *targets, int count, int width, int height,
                               const struct vsm_refine_options *options, struct vsm_parallel *pool,
                               struct vsm_composite_stage **stage) VSM_NODISCARD;
void vsm_composite_stage_destroy(struct vsm_composite_stage *stage);
struct vsm_stage vsm_composite_stage_describe(struct vsm_composite_stage *stage);

#endif
