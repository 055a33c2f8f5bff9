/* How the eyes stand to each other, scene by scene: for the report, and for checkpoints.
 *
 * A scene's entry is what all its frames so far say together (stereo/alignment.h), told of the right eye
 * against the left one, whichever is the master. The first VSM_STEREO_SCENES_LISTED are kept, the others
 * counted.
 */
#ifndef VSM_STAGES_STEREO_SCENES_H
#define VSM_STAGES_STEREO_SCENES_H

#include "base/bytes.h"
#include "frame/view.h"
#include "stereo/alignment.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_STEREO_SCENES_LISTED 1000

struct vsm_stereo_scene {
    int64_t first;  /* number of its first frame in the input */
    int64_t frames; /* that were compared */
    enum vsm_alignment_eyes order;
    bool unrelated; /* the eyes show different things */
    bool known;     /* something was matched; else the rest is as if nothing differed */
    double pitch;   /* radians by which the right picture is too low */
    double gain[3]; /* the right eye's light over the left one's, R, G, B as coded */
};

/* All zero = no frame yet. */
struct vsm_stereo_scenes {
    int64_t count;
    struct vsm_stereo_scene listed[VSM_STEREO_SCENES_LISTED];
};

/* Adds a frame by its number in the input; `cut`: the first of a scene. */
void vsm_stereo_scenes_add(struct vsm_stereo_scenes *scenes, int64_t frame, bool cut, enum vsm_eye master,
                           const struct vsm_alignment_result *alignment);

/* For checkpoints: every bit of those that are listed. false: the bytes are no scenes. */
void vsm_stereo_scenes_save(const struct vsm_stereo_scenes *scenes, struct vsm_bytes_out *out);
bool vsm_stereo_scenes_load(struct vsm_stereo_scenes *scenes, struct vsm_bytes_in *in);

#endif
