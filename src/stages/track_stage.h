/* Transform stage: follows the people of both eyes with SAM 2 (models/sam2_tracker.h) and lets its masks
 * decide who is in the mattes (image/mask_fusion.h). Between matter and stereo; needs stages/people_stage.h
 * or prompts before it.
 *
 * Per frame: each whole eye, squeezed to the network's square; prompts and newcomers; tracking; now and then
 * a correction; then every matte of the frame is gated and mended, in place, on its own grid. Without a
 * matter the stage makes the mattes. The encoder rests while there is nobody to follow: then the mattes are
 * empty. Barrier record "track": counters, names, and the tracker's memory bit by bit:
 * (max_conditioning_frames + 7) memories a person and eye, of 512 KiB at 1024 (EdgeTAM 64 KiB), whatever the
 * length of the video.
 */
#ifndef VSM_STAGES_TRACK_STAGE_H
#define VSM_STAGES_TRACK_STAGE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/view.h"
#include "models/sam2_net.h"
#include "pipeline/stage.h"
#include "stages/matte_stage.h"
#include "stages/track_carry.h"
#include "stages/track_people.h"

struct vsm_track_stage_options {
    struct vsm_sam2_net *net;     /* borrowed */
    struct vsm_view eyes[2];      /* direct views of whole eyes; their grids are set here */
    const struct vsm_view *views; /* without a matter: views to make mattes for; borrowed during create() */
    int view_count;               /* 0: the frame's mattes are there */
    int max_conditioning_frames;
    bool offload; /* vsm_sam2_tracker_options */
    const struct vsm_track_carry_options
        *carry; /* NULL: prompts of one eye stay there. Borrowed during create() */
    struct vsm_track_people_options people; /* prompts are borrowed for the stage's life */
    struct vsm_parallel *pool;
};

struct vsm_track_stage;

/* Errors as of vsm_sam2_tracker_create(). */
int vsm_track_stage_create(const struct vsm_track_stage_options *options,
                           struct vsm_track_stage **stage) VSM_NODISCARD;
/* Without a matter: compares the mattes that the masks give (stages/stereo_manager.h, measuring only). Its
 * record follows this stage's. Before the pipeline runs; copied. */
void vsm_track_stage_set_review(struct vsm_track_stage *stage, const struct vsm_matte_review *review);
void vsm_track_stage_destroy(struct vsm_track_stage *stage);
int vsm_track_stage_restore(struct vsm_track_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
/* Only when the pipeline does not run; valid as long as the stage. */
const struct vsm_track_numbers *vsm_track_stage_numbers(const struct vsm_track_stage *stage);
struct vsm_stage vsm_track_stage_describe(struct vsm_track_stage *stage);

#endif
