/* Prompts: what the user says about who is where, for the tracker (matting.prompts).
 *
 * A text of prompts separated by `;`, each `FRAME EYE PERSON WHAT`:
 *   FRAME   number of the frame in the input, from 0
 *   EYE     left, right or both; a mono picture has the left eye only
 *   PERSON  1 to 999, the user's own numbering; the same in both eyes
 *   WHAT    box LEFT TOP RIGHT BOTTOM   round the person, in pixels of the eye's own picture, x to the
 *                                       right, y down
 *           points +X,Y -X,Y ...        + on the person, - beside it; at least one +, at most 16 in all
 *           mask FILE                   a picture of any size that covers the eye: bright is the person
 *           remove                      the person is not followed any more
 * Whether a prompt lies within picture and video is for the caller to check, who knows both.
 */
#ifndef VSM_CONFIG_PROMPTS_H
#define VSM_CONFIG_PROMPTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_PROMPTS_MAX        1000 /* in one text */
#define VSM_PROMPTS_MAX_POINTS 16   /* in one prompt */
#define VSM_PROMPTS_MAX_PERSON 999

enum vsm_prompt_kind { VSM_PROMPT_BOX, VSM_PROMPT_POINTS, VSM_PROMPT_MASK, VSM_PROMPT_REMOVE };

struct vsm_prompt_point {
    double x, y;
    bool on_person;
};

struct vsm_prompt {
    int number; /* of the prompt in the text, from 1, for messages */
    int64_t frame;
    bool eye[2]; /* left, right */
    int person;
    enum vsm_prompt_kind kind;
    double box[4]; /* left, top, right, bottom */
    struct vsm_prompt_point points[VSM_PROMPTS_MAX_POINTS];
    int point_count;
    char *path; /* of the mask; owned by the list */
};

struct vsm_prompts {
    struct vsm_prompt *items; /* in the order of the text; owned */
    int count;
};

/* NULL and an empty text make an empty list. VSM_E_USAGE with "prompt N: what is wrong", VSM_E_NOMEM; the
 * list is empty then. */
int vsm_prompts_parse(const char *text, struct vsm_prompts *prompts) VSM_NODISCARD;
void vsm_prompts_finish(struct vsm_prompts *prompts);

/* Whether the text can be parsed; as vsm_prompts_parse(). */
int vsm_prompts_check(const char *text) VSM_NODISCARD;

#endif
