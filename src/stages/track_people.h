/* Whom the tracker is to follow, frame by frame: what the user's prompts, the people layer and the policy of
 * correction (models/sam2_correction.h) come to. Part of stages/track_stage.h.
 *
 * Without prompts, everybody in the people layer becomes an object of the same number, in both eyes, on the
 * frame on which the detector first sees him; with correction, after a look whether he is one who was lost.
 * With prompts, the user's people alone are followed, by his numbers; a prompt for one eye is carried to the
 * other one unless the user says something of that person there on the same frame. The detector may give a
 * person it lost a new number: a table of names says which object he is. Objects are at most VSM_MAX_PEOPLE
 * in an eye; whoever has not been seen for VSM_TRACK_FORGET frames is forgotten, unless the user asked for
 * him. A scene cut forgets everybody; the user's prompts on later frames still count.
 */
#ifndef VSM_STAGES_TRACK_PEOPLE_H
#define VSM_STAGES_TRACK_PEOPLE_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"
#include "models/sam2_correction.h"
#include "models/sam2_tracker.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_TRACK_FORGET      900 /* frames: half a minute at 30 a second. A choice */
#define VSM_TRACK_NAMES       64  /* the oldest make room */
#define VSM_TRACK_CORRECTIONS 64  /* kept one by one for the report; later ones are only counted */

/* One prompt of the user for one eye, in pixels of the network's picture. */
struct vsm_track_prompt {
    int number; /* of the user's prompt, for messages */
    int64_t frame;
    int eye, person;
    bool remove;
    bool has_box;
    float box[4];
    struct vsm_sam2_click clicks[VSM_SAM2_MAX_CLICKS];
    int click_count;
    const float *mask; /* [mask_side][mask_side], 0 or 1, of the whole eye; NULL: none */
    int mask_side;
};

struct vsm_track_carry;

struct vsm_track_people_options {
    int eyes;
    struct vsm_track_carry
        *carry; /* for prompts of one eye, stages/track_carry.h; borrowed. NULL: they stay there */
    const struct vsm_track_prompt *prompts; /* borrowed, sorted as they are to be obeyed */
    int prompt_count;
    bool correct;
    int correction_interval; /* frames */
};

struct vsm_track_name {
    int32_t person, object; /* the people layer's number, the tracker's */
    bool chosen;
};

/* Over the whole job, earlier runs included. */
struct vsm_track_numbers {
    int64_t frames;         /* with somebody to follow */
    int64_t nobody;         /* without */
    int64_t filled;         /* in which masks filled what the matter had missed */
    int64_t carried;        /* prompts of one eye that were carried to the other */
    int64_t guessed;        /* those of them whose parallax was guessed */
    int64_t corrections[3]; /* by enum vsm_sam2_correction_kind */
    struct vsm_sam2_correction list[VSM_TRACK_CORRECTIONS]; /* `frame` is the number in the input */
    int32_t listed;
};

struct vsm_track_people {
    struct vsm_track_people_options options;
    struct vsm_track_name names[VSM_TRACK_NAMES];
    int32_t name_count;
    int64_t since_correction; /* frames; counted from the first one */
    bool recognise;           /* on this frame: newcomers who may be objects that nobody claims */
    struct vsm_track_numbers numbers;
};

/* Before the tracker begins: forgets everybody after a cut, removes whom the user removes, notes who is
 * chosen. True if there is anybody to follow or to prompt on this frame, so that it is worth to begin. */
bool vsm_track_people_prepare(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                              const struct vsm_frame *frame);

/* Between begin() and track(): the user's prompts of this frame and the people who are new. */
int vsm_track_people_prompt(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                            const struct vsm_frame *frame) VSM_NODISCARD;

/* After track(): whether a correction is due, and to make it. alpha: each eye's matte on the masks' grid, or
 * NULL. */
bool vsm_track_people_is_due(const struct vsm_track_people *people, const struct vsm_frame *frame);
int vsm_track_people_correct(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                             const struct vsm_frame *frame, const float *const alpha[2]) VSM_NODISCARD;

/* At the end of a frame: forgets whom nobody has seen for long, and warns of prompts that show nobody. */
void vsm_track_people_finish(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                             const struct vsm_frame *frame);

/* Whether an object is to be kept, not removed like background. */
bool vsm_track_people_chosen(const struct vsm_track_people *people, int object);

/* The exact state for a checkpoint. load: VSM_E_INPUT if it cannot be one. */
void vsm_track_people_save(const struct vsm_track_people *people, struct vsm_bytes_out *out);
int vsm_track_people_load(struct vsm_track_people *people, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
