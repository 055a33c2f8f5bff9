/* Keeps both eyes' mattes consistent: reviews every frame's mattes behind the network, on the host
 * (stages/matte_stage.h) or on a CUDA device (stages/gpu_stage.h).
 *
 * Per frame and pair of views: alpha from the coefficient maps, the pictures' health, disparity, agreement,
 * and, where the eyes disagree and mending is on, new maps for the eye that is wrong: alpha moved from the
 * other eye by disparity, fitted to the eye's own picture by the guided filter, so that it has its own edges.
 * When a mended eye recovers, its recurrent states are taken from the other eye too, moved likewise, so that
 * it does not fall back; not sooner, for while an eye's picture hides its people such states make the network
 * guess. Views may turn and grids may change from frame to frame: what is known of a scene goes over to the
 * new ones (stages/stereo_grids.h). Barrier record "stereo": the views, all state and running numbers, bit by
 * bit.
 */
#ifndef VSM_STAGES_STEREO_MANAGER_H
#define VSM_STAGES_STEREO_MANAGER_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"
#include "stages/matte_stage.h"
#include "stages/state_repairs.h"
#include "stages/stereo_grids.h"
#include "stages/stereo_tally.h"

#include <stdbool.h>

struct vsm_stereo_manager_options {
    const struct vsm_view *views; /* views[2k] of the left eye, views[2k + 1] of the right one: the same
                                   * direction. Until frames have others; borrowed until creation is done */
    int view_count;
    enum vsm_eye master;
    double baseline;  /* metres */
    double threshold; /* of agreement, 0..1 */
    bool mend;        /* else only measure */
    const char *list; /* path of stages/stereo_list.h; NULL: none. Borrowed */
    struct vsm_parallel *pool;
    /* Of the device on which frames' maps and pictures are, and in whose order they are written there; NULL:
     * they are on the host. Borrowed. */
    struct vsm_cuda_stream *stream;
};

struct vsm_stereo_manager;

/* Whether these views can be compared: pairs of eyes that look in the same direction, with equal grids within
 * the limits of stereo/disparity.h. */
bool vsm_stereo_manager_fits(const struct vsm_view *views, int view_count);

int vsm_stereo_manager_create(const struct vsm_stereo_manager_options *options,
                              struct vsm_stereo_manager **manager) VSM_NODISCARD;
void vsm_stereo_manager_destroy(struct vsm_stereo_manager *manager);
int vsm_stereo_manager_restore(struct vsm_stereo_manager *manager,
                               const struct vsm_state *state) VSM_NODISCARD;

/* Only when the pipeline does not run; valid as long as the manager. */
const struct vsm_stereo_tally *vsm_stereo_manager_tally(const struct vsm_stereo_manager *manager);

/* Mean agreement so far, as the mattes are given out, in millionths; -1 = nothing measured yet. Any
 * thread. */
int vsm_stereo_manager_mean(const struct vsm_stereo_manager *manager);

/* What it found in the last frame, of a pair of views. For the thread that has it review frames, or when none
 * does. */
const struct vsm_stereo_pair_result *vsm_stereo_manager_last(const struct vsm_stereo_manager *manager,
                                                             int pair);

/* Takes the memory for frames of these views, all of it on a device, before they come; where they cannot be
 * compared nothing changes. After an error, VSM_E_NOMEM above all, it may be called again with smaller
 * views: what is known of the scene is kept. */
int vsm_stereo_manager_follow(struct vsm_stereo_manager *manager, const struct vsm_view *views,
                              int view_count) VSM_NODISCARD;

/* Reviews a frame: struct vsm_matte_review of stages/matte_stage.h. rgb, by view, is where the maps are.
 * states NULL: those of the network are not on the host, and what is wanted of them is left for
 * vsm_stereo_manager_repairs(). */
int vsm_stereo_manager_run(struct vsm_stereo_manager *manager, struct vsm_frame *frame,
                           const float *const rgb[], struct vsm_rvm_state *states) VSM_NODISCARD;

/* What the last frame wants of the states; until the next frame. */
const struct vsm_state_repairs *vsm_stereo_manager_repairs(const struct vsm_stereo_manager *manager);

struct vsm_matte_review vsm_stereo_manager_review(struct vsm_stereo_manager *manager);

#endif
