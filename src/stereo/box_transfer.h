/* From people's boxes in the master eye to the same people's boxes in the slave eye.
 *
 * The parallax of a person is the median of what stereo/disparity.h measures in the middle of the box, where
 * the body is; between overlapping boxes each place belongs to the one whose middle is nearest. The box then
 * shifts edge by edge through the eye's projection. No state from picture to picture.
 */
#ifndef VSM_STEREO_BOX_TRANSFER_H
#define VSM_STEREO_BOX_TRANSFER_H

#include "base/status.h"
#include "frame/people.h"
#include "stereo/disparity.h"

/* Height of a person, metres, from which the parallax of an unmatched one is guessed. */
#define VSM_BOX_TRANSFER_HEIGHT 1.7

/* Measured in one person's box. */
struct vsm_box_transfer_match {
    float parallax;   /* radians */
    float rise;       /* by how much the person is lower than parallax says, parts of the eye */
    float confidence; /* 0..1; 0 = not matched, then the others are 0 too */
};

struct vsm_box_transfer;

/* Options as of vsm_disparity_create(), and its errors. Memory: 1 MB, and 45 bytes a grid pixel of scratch
 * while it measures. */
int vsm_box_transfer_create(const struct vsm_disparity_options *options,
                            struct vsm_box_transfer **transfer) VSM_NODISCARD;
void vsm_box_transfer_destroy(struct vsm_box_transfer *transfer);

/* rgb: both eyes on the grid, by enum vsm_eye (image/preprocess.h). Swapped eyes, whose parallax is negative,
 * are matched as well. VSM_E_NOMEM. Cost: 8 ms a person of a tenth of the eye on a grid of 512. */
int vsm_box_transfer_measure(struct vsm_box_transfer *transfer, const float *const rgb[2],
                             const struct vsm_person_box *boxes, int count,
                             struct vsm_box_transfer_match *matches) VSM_NODISCARD;

/* The box in the slave eye, within the eye. */
struct vsm_person_box vsm_box_transfer_shift(const struct vsm_box_transfer *transfer,
                                             const struct vsm_person_box *box, float parallax, float rise);

/* Parallax of a person of usual height who fills this box. */
float vsm_box_transfer_guess(const struct vsm_box_transfer *transfer, const struct vsm_person_box *box);

#endif
