/* SAM 2 as a true stream: follows any number of people in one or several views, one frame at a
 * time, for ever.
 *
 * For every frame: vsm_sam2_tracker_begin() with the pictures of all views; then any prompts for people
 * whose place is known; then vsm_sam2_tracker_track(), which finds everybody else by memory and remembers
 * the frame. After that the frame may still be corrected: prompt again and call track() again. All objects
 * are independent of each other.
 *
 * This follows the official video predictor frame by frame, as if the clip had no end: 16 pointers,
 * distances divided by 15. Ours: conditioning frames are capped (sam2_bank.h), a prompt on a frame that is
 * already a conditioning frame refines it instead of getting lost, and a correction may be made a
 * conditioning frame. Source: arXiv 2408.00714 and the official predictor of December 2024; verified
 * against its tensors in tests/golden.
 *
 * Memory: per object and view as in sam2_bank.h plus one mask; per view the features of one frame. None of it
 * grows. With a net on a device, features and memories stay there; masks, scores and pointers come to the
 * host, which decides. Not thread-safe, except vsm_sam2_net_interrupt() on the net.
 */
#ifndef VSM_MODELS_SAM2_TRACKER_H
#define VSM_MODELS_SAM2_TRACKER_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/tensor.h"
#include "models/sam2_net.h"

#include <stdbool.h>
#include <stdint.h>

/* Clicks on one object in one frame, a box counting as two. More are refused. */
#define VSM_SAM2_MAX_CLICKS 32

/* In all views together; more are refused. */
#define VSM_SAM2_TRACKER_MAX_OBJECTS 256

struct vsm_sam2_tracker_options {
    int views;                   /* pictures a frame: 1, or 2 eyes */
    int max_conditioning_frames; /* 2 to VSM_SAM2_BANK_MAX_CONDITIONING; 0 = 4 */
    bool offload;                /* memories in host memory, also where the networks run on a device */
    int fill_hole_area;          /* holes of up to so many pixels of the mask grid are filled; official: 8 */
};

struct vsm_sam2_click {
    float x, y; /* in pixels of the network's picture, 0 to image_size */
    bool positive;
};

/* What is known about an object on the present frame: a mask, or clicks and perhaps a box. */
struct vsm_sam2_prompt {
    const struct vsm_sam2_click *clicks;
    int click_count;
    bool has_box;
    float box[4]; /* left, top, right, bottom, as clicks */
    const float
        *mask; /* [mask_height][mask_width], 1 inside and 0 outside, covering the whole picture; or NULL */
    int mask_height, mask_width;
    bool add;          /* clicks are added to the earlier ones of this frame; no box then */
    bool conditioning; /* remember a correction of a tracked frame as a conditioning frame */
};

/* What the tracker holds of an object on the present frame. */
struct vsm_sam2_result {
    int view, id;
    int64_t frame; /* present frame, or -1 if the object has not been looked at */
    bool prompted;
    bool absent;      /* score <= 0: not visible */
    float score;      /* logit */
    float iou;        /* predicted quality of the mask, 0 to 1 */
    float ious[4];    /* of all candidates; {1, 0, 0, 0} for a mask prompt */
    int mask;         /* which candidate: 0 single, 1 to 3 ambiguous; -1 for a mask prompt */
    int token;        /* whose pointer is remembered */
    double stability; /* of candidate 0, where that was decided by it, else -1 */
    float pointer[VSM_SAM2_DIM];
    int64_t last_seen;              /* newest frame with a mask that is not empty, -1 = none */
    float last_box[4];              /* round that mask: left, top, right, bottom, pixels of the picture */
    float appearance[VSM_SAM2_DIM]; /* pointer of the last prompt that showed the object, else zeros */
    const float *logits; /* [side][side], holes filled; the tracker's, valid until it is called again */
    int side;            /* image_size / 4 */
};

struct vsm_parallel;
struct vsm_sam2_tracker;

/* `net` is borrowed. */
int vsm_sam2_tracker_create(struct vsm_sam2_net *net, const struct vsm_sam2_tracker_options *options,
                            struct vsm_sam2_tracker **tracker) VSM_NODISCARD;
void vsm_sam2_tracker_destroy(struct vsm_sam2_tracker *tracker);

/* Pictures [views, 3, S, S] for vsm_sam2_tracker_begin(), of vsm_sam2_net_image_type(), where the device
 * reads them quickly. The caller's; NULL on failure (message set). */
struct vsm_tensor *vsm_sam2_tracker_new_images(const struct vsm_sam2_tracker *tracker) VSM_NODISCARD;

/* Normalises a view's RGB 0..1 planes [3, S, S], in place, and rounds them into float16 `images`; float32
 * ones are not written to: the planes must be that view's numbers in them. */
void vsm_sam2_tracker_put_picture(float *planes, struct vsm_tensor *images, int view,
                                  struct vsm_parallel *pool);

/* Waits until the device no longer reads the pictures of the last frame. */
int vsm_sam2_tracker_wait(const struct vsm_sam2_tracker *tracker) VSM_NODISCARD;

/* Next frame. images: as vsm_sam2_tracker_new_images() makes them, not to be changed before
 * vsm_sam2_tracker_wait(); or other tensors like them, also float32, RGB normalised by
 * vsm_sam2_tracker_normalise(), borrowed during the call. VSM_E_INTERNAL if prompts of the last frame were
 * not followed by track(). Cost: one run of the encoder. */
int vsm_sam2_tracker_begin(struct vsm_sam2_tracker *tracker, struct vsm_tensor *images) VSM_NODISCARD;

/* RGB 0..1 planes [3][count] to what the network wants, in place: minus the ImageNet mean,
 * over its deviation. */
void vsm_sam2_tracker_normalise(float *planes, int64_t count);

/* Tells where object `id` of a view is on the present frame; a new id makes a new object. *result is the
 * outcome (valid as said there). VSM_E_USAGE for a prompt outside the picture, an empty one or too many
 * clicks. On failure the object is as before. */
int vsm_sam2_tracker_prompt(struct vsm_sam2_tracker *tracker, int view, int id,
                            const struct vsm_sam2_prompt *prompt,
                            const struct vsm_sam2_result **result) VSM_NODISCARD;

/* Tracks every object that has no result on this frame yet, and remembers all results. */
int vsm_sam2_tracker_track(struct vsm_sam2_tracker *tracker) VSM_NODISCARD;

/* Objects in the order of their making; the result of one, NULL if there is no such object. */
int vsm_sam2_tracker_count(const struct vsm_sam2_tracker *tracker);
const struct vsm_sam2_result *vsm_sam2_tracker_at(const struct vsm_sam2_tracker *tracker, int index);
const struct vsm_sam2_result *vsm_sam2_tracker_find(const struct vsm_sam2_tracker *tracker, int view, int id);

/* Whether an object's memory of a frame is a conditioning one. */
bool vsm_sam2_tracker_is_conditioned(const struct vsm_sam2_tracker *tracker, int view, int id, int64_t frame);

/* Forgets an object (no error if there is none), or all of them, after a scene cut. */
void vsm_sam2_tracker_remove(struct vsm_sam2_tracker *tracker, int view, int id);
void vsm_sam2_tracker_clear(struct vsm_sam2_tracker *tracker);

/* Side of the network's square picture. */
int vsm_sam2_tracker_image_size(const struct vsm_sam2_tracker *tracker);

/* Frames begun so far; the present frame is one less. */
int64_t vsm_sam2_tracker_frames(const struct vsm_sam2_tracker *tracker);

/* The state after a frame's last track(), exactly, for a checkpoint; it contains no features, so that the
 * next call after loading must be begin(). VSM_E_INPUT if the bytes are damaged or come from another kind of
 * model; the tracker is then empty. */
int vsm_sam2_tracker_save(const struct vsm_sam2_tracker *tracker, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_sam2_tracker_load(struct vsm_sam2_tracker *tracker, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
