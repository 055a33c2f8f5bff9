/* How far people moved from one picture to the next, by their upper bodies: a small search that costs next to
 * nothing, for the frames in which no detector looks.
 *
 * The eye is reduced to a luma picture of at most VSM_DRIFT_SIDE cells a side. For each box the patch of its
 * torso in the last picture is searched in this one by the variance of differences, which ignores exposure;
 * between cells by a parabola. A patch without texture, or one that reappears nowhere well, gives no answer.
 */
#ifndef VSM_PEOPLE_DRIFT_H
#define VSM_PEOPLE_DRIFT_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/people.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_DRIFT_SIDE 256

/* A person's movement, parts of the eye a frame. */
struct vsm_drift_move {
    float x, y;
    bool known;
};

/* The last picture. Plain and of fixed size: a copy of it continues exactly. All zero = there was none. */
struct vsm_drift {
    int32_t width, height;
    uint8_t luma[VSM_DRIFT_SIDE * VSM_DRIFT_SIDE];
};

/* Makes the small picture of an eye: rgb as of image/preprocess.h, width and height at most 4
 * VSM_DRIFT_SIDE. */
void vsm_drift_reduce(const float *rgb, int width, int height, struct vsm_drift *picture);

/* Where the person in `box` of `before` has gone in `now`, searched round the expected movement (x, y). No
 * answer for pictures of different sizes. Cost: 0.02 ms, up to 0.2 ms for somebody large who is not found. */
struct vsm_drift_move vsm_drift_find(const struct vsm_drift *before, const struct vsm_drift *now,
                                     const struct vsm_person_box *box, float x, float y);

/* The exact state for a checkpoint. load: VSM_E_INPUT, the picture unchanged, if it cannot be one. */
void vsm_drift_save(const struct vsm_drift *picture, struct vsm_bytes_out *out);
int vsm_drift_load(struct vsm_drift *picture, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
