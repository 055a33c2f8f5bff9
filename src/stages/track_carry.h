/* Carries a user's prompt from the eye it was given for to the other eye, by the person's parallax. Part of
 * stages/track_stage.h.
 *
 * The parallax of what is in the prompt's box is measured in both pictures on the detector's grid
 * (stereo/box_transfer.h); where nothing matches it is guessed from the box's height, as that of a person.
 * Boxes, points and masks shift by it through the eyes' projection: a mask row by row. No state from frame to
 * frame.
 */
#ifndef VSM_STAGES_TRACK_CARRY_H
#define VSM_STAGES_TRACK_CARRY_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"
#include "geometry/projection.h"
#include "stages/track_people.h"

#include <stdbool.h>

struct vsm_track_carry_options {
    struct vsm_rect eyes[2]; /* in the picture, by enum vsm_eye */
    enum vsm_projection projection;
    double field_of_view; /* degrees, of an eye */
    double baseline;      /* metres */
    struct vsm_parallel *pool;
};

struct vsm_track_carry;

/* Errors as of vsm_box_transfer_create(). Memory: 3 MB a grid of VSM_DETECTOR_SIDE, and 2 MB. */
int vsm_track_carry_create(const struct vsm_track_carry_options *options,
                           struct vsm_track_carry **carry) VSM_NODISCARD;
void vsm_track_carry_destroy(struct vsm_track_carry *carry);

/* given: no removal. box: round the person in that eye; it, clicks and boxes are in pixels of a picture of
 * size x size, as in struct vsm_track_prompt. *there: whether anything of the prompt lies in the other eye;
 * then *carried is it (its mask is the carry's until the next call), and *match how sure the parallax is, 0
 * to 1: 0 = guessed. Cost: 20 ms in a frame. */
int vsm_track_carry_prompt(struct vsm_track_carry *carry, const struct vsm_frame *frame,
                           const struct vsm_track_prompt *given, const float box[4], int size,
                           struct vsm_track_prompt *carried, bool *there, float *match) VSM_NODISCARD;

#endif
