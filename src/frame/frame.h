/* The frame envelope: one unit of work on its way from the reader to the writer.
 *
 * A frame has exactly one owner at a time (the stage or queue that holds it). Its pictures and tensors are
 * shared by reference. Stages add layers; nobody changes a layer that is already there, but for coefficient
 * maps, which stages between matter and composite may change in place: no other frame shares them.
 */
#ifndef VSM_FRAME_FRAME_H
#define VSM_FRAME_FRAME_H

#include "base/status.h"
#include "frame/image.h"
#include "frame/people.h"
#include "frame/tensor.h"
#include "frame/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_MAX_OUTPUTS 8 /* pictures made from one source picture; measured need: 3 */
#define VSM_MAX_VIEWS   4 /* two eyes, at most two views each */

/* What the matter found in one view. */
struct vsm_matte {
    struct vsm_view view;
    /* [8, height, width] float32: A_R, A_G, A_B, A_alpha, b_R, b_G, b_B, b_alpha on the view's grid. With
     * x the full-size source in 0..1: alpha = clamp(A_alpha * mean(x) + b_alpha), F_c = clamp(x_c + A_c *
     * x_c + b_c). On a device (VSM_PLACE_CUDA): [height, width, 8]. */
    struct vsm_tensor *coefficients;
    /* Turned views: the inverse mapping, vsm_view_map_inverse_table() (geometry/view_map.h), float32 [rows,
     * columns, 2] with a node every `step` luma samples of the eye. Direct views: NULL. */
    struct vsm_tensor *inverse;
    int inverse_step;
};

struct vsm_frame {
    int64_t seq;      /* 0, 1, 2 ... over the frames of the job; the writer asserts it */
    int64_t index;    /* number of the frame in the input, 0-based */
    int64_t pts;      /* in the input video stream's time base, as in the input */
    int64_t duration; /* likewise; 0 = unknown */
    bool repeated;    /* the source could not be decoded here; the last good picture stands in */
    bool scene_cut;   /* first frame of a new scene */
    struct vsm_image *source;
    /* Only where the source is on a device, and only for who works on the host: both eyes as
     * stages/people_stage.h wants them, [eyes, 3, height, width] float32 RGB 0..1; and the mattes' alpha on
     * their grid, and that of those that fade, [views, height, width] float32. Host memory; else NULL. */
    struct vsm_tensor *thumbnails, *alpha, *fading_alpha;
    struct vsm_people people;
    /* One or two views an eye. With two eyes, mattes[2k] is the left one and mattes[2k + 1] the right one of
     * the same direction, field of view and grid. */
    int view_count;
    struct vsm_matte mattes[VSM_MAX_VIEWS];
    /* On a device, while views replace others: what the old ones found, to be mixed with the mattes
     * (image/view_fade.h), which count `fading_weight`. fading_stays: the old views are those that the
     * full-size pass is to get. */
    int fading_count;
    struct vsm_matte fading[VSM_MAX_VIEWS];
    float fading_weight;
    bool fading_stays;
    struct vsm_image *outputs[VSM_MAX_OUTPUTS]; /* by output number; NULL where not made */
};

/* An empty frame; NULL on failure (message set). */
struct vsm_frame *vsm_frame_create(void) VSM_NODISCARD;

/* Releases all layers and the frame, and nulls the pointer. NULL and a pointer to NULL are allowed. */
void vsm_frame_destroy(struct vsm_frame **frame);

/* One view's plane of a frame's alpha, of either kind. */
const float *vsm_frame_alpha_plane(const struct vsm_tensor *alpha, int view);

/* Bytes held by all layers (shared ones counted in full): the measure by which queues are bounded. */
size_t vsm_frame_bytes(const struct vsm_frame *frame);

#endif
