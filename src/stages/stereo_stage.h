/* Transform stage: measures in every frame how well the eyes' mattes agree, and changes nothing.
 *
 * Per frame: both eyes on the network's grid again, their alpha from the coefficient maps, disparity of the people,
 * evidence on how the eyes stand to each other (begun anew with every scene), and the consistency. Barrier record
 * "stereo": the alignment and all running numbers, bit by bit, so that a resumed job reports the same.
 */
#ifndef VSM_STAGES_STEREO_STAGE_H
#define VSM_STAGES_STEREO_STAGE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/view.h"
#include "pipeline/stage.h"
#include "stereo/disparity.h"

#include <stdbool.h>
#include <stdint.h>

/* Runs of frames below the threshold that are kept by number; later ones are only counted. */
#define VSM_STEREO_STAGE_MAX_RANGES 64

struct vsm_stereo_stage_range {
    int64_t first, last; /* numbers in the input */
};

/* Over the whole job, earlier runs included. */
struct vsm_stereo_stage_numbers {
    int64_t frames;          /* measured: with people, and with eyes that belong together */
    int64_t unrelated;       /* frames whose eyes show different things, which are not measured */
    double sum;              /* of overlap; the mean is sum / frames */
    double minimum;          /* 1 while frames is 0 */
    int64_t minimum_frame;   /* its number in the input */
    double largest_area;     /* largest ratio of the eyes' areas, >= 1 */
    double largest_residual; /* of the centroids, grid pixels */
    int64_t below;           /* frames under the threshold */
    int64_t swapped_scenes;  /* scenes whose eyes seem exchanged, by their last frame so far */
    double largest_offset;   /* vertical, of a scene's eyes, grid pixels, without sign */
    struct vsm_stereo_stage_range ranges[VSM_STEREO_STAGE_MAX_RANGES];
    int32_t range_count;
};

struct vsm_stereo_stage_options {
    const struct vsm_view *views; /* left eye, right eye; direct, of equal grids */
    enum vsm_projection projection;
    double field_of_view; /* degrees, of an eye */
    enum vsm_eye master;
    double baseline;  /* metres */
    double threshold; /* of overlap, 0..1 */
    struct vsm_parallel *pool;
};

struct vsm_stereo_stage;

/* Whether these views can be measured: two direct eyes with equal grids within the limits of stereo/disparity.h. */
bool vsm_stereo_stage_fits(const struct vsm_view *views, int view_count);

int vsm_stereo_stage_create(const struct vsm_stereo_stage_options *options,
                            struct vsm_stereo_stage **stage) VSM_NODISCARD;
void vsm_stereo_stage_destroy(struct vsm_stereo_stage *stage);
int vsm_stereo_stage_restore(struct vsm_stereo_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
/* Only when the pipeline does not run; valid as long as the stage. */
const struct vsm_stereo_stage_numbers *vsm_stereo_stage_numbers(const struct vsm_stereo_stage *stage);
struct vsm_stage vsm_stereo_stage_describe(struct vsm_stereo_stage *stage);

#endif
