/* Transform stage: tells where scenes begin, and who is in the picture (frame/people.h). Runs before the
 * matter.
 *
 * Per frame: both eyes on small grids, a look for a scene cut in both together, everybody's box carried on.
 * The detector runs on the master eye only, in the first frame, in the first frame of every scene, at every
 * multiple of `correction` frames from there, and every `interval` frames in between, or 3 while somebody is
 * new; its boxes go over to the slave eye by disparity (stereo/box_transfer.h) and continue known people
 * (people/roster.h); then the rule of matting.people marks who is wanted (people/choice.h). Without a
 * detector only scene cuts are told and people stay unknown. The grids of a picture that is not in host
 * memory are the frame's thumbnails, which are dropped; without them it passes untouched. Barrier records:
 * "scene" (the cut detector and its count), "people" (the roster and the counts). A job that was begun
 * without the stage has no "people": then everybody is new.
 */
#ifndef VSM_STAGES_PEOPLE_STAGE_H
#define VSM_STAGES_PEOPLE_STAGE_H

#include "base/parallel.h"
#include "base/status.h"
#include "config/people_rule.h"
#include "frame/view.h"
#include "models/detector.h"
#include "pipeline/stage.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_people_stage_options {
    struct vsm_detector *detector; /* borrowed; NULL: people are not looked for */
    struct vsm_rect eyes[2];       /* in the picture, by enum vsm_eye */
    int eye_count;
    enum vsm_eye master; /* left if there is one eye */
    enum vsm_projection projection;
    double field_of_view;        /* degrees, of an eye */
    double baseline;             /* metres */
    int interval, correction;    /* frames, >= 1 */
    struct vsm_people_rule rule; /* who is chosen */
    struct vsm_parallel *pool;
};

/* Persons that are listed one by one; later ones are only counted. */
#define VSM_PEOPLE_STAGE_LISTED 64

struct vsm_people_stage_person {
    int64_t scene;  /* 0, 1 ... */
    int64_t frames; /* in which they were in sight */
    bool chosen;
};

/* Over the whole job, earlier runs included. */
struct vsm_people_stage_numbers {
    int64_t scene_cuts;
    int64_t detections;   /* runs of the detector */
    int64_t people;       /* persons told apart */
    int64_t most_at_once; /* in sight in one frame */
    int64_t frames_with_any;
    struct vsm_people_stage_person listed[VSM_PEOPLE_STAGE_LISTED]; /* listed[i] has the number i + 1 */
};

struct vsm_people_stage;

/* The grids: each eye as the detector takes it; the left one's size counts for both. */
void vsm_people_stage_views(const struct vsm_rect *eyes, int eye_count, struct vsm_view views[2]);

/* Errors as of vsm_box_transfer_create(). Memory: 6 MB a grid of VSM_DETECTOR_SIDE, besides the
 * detector's. */
int vsm_people_stage_create(const struct vsm_people_stage_options *options,
                            struct vsm_people_stage **stage) VSM_NODISCARD;
void vsm_people_stage_destroy(struct vsm_people_stage *stage);
int vsm_people_stage_restore(struct vsm_people_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
/* Only when the pipeline does not run. */
struct vsm_people_stage_numbers vsm_people_stage_numbers(const struct vsm_people_stage *stage);
struct vsm_stage vsm_people_stage_describe(struct vsm_people_stage *stage);

#endif
