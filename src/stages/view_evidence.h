/* A person whom the detector does not know but the matter sees: close-ups without a head.
 *
 * While nobody is detected, the mattes of a frame are marked on a coarse grid of each eye, and the largest
 * connected patch is taken for a person when it has been large and in its place for VSM_VIEW_EVIDENCE_FRAMES
 * frames running; it is one until it is nearly gone. Plain state, exactly resumable. Cost: 3 ms a frame for
 * two grids of 768x768.
 */
#ifndef VSM_STAGES_VIEW_EVIDENCE_H
#define VSM_STAGES_VIEW_EVIDENCE_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"

#include <stdbool.h>

#define VSM_VIEW_EVIDENCE_FRAMES 6
/* Parts of an eye's picture that a patch covers, to begin with and at least. A person's hands at half a
 * metre: 0.02. */
#define VSM_VIEW_EVIDENCE_FIRST 0.01
#define VSM_VIEW_EVIDENCE_LEAST 0.003

struct vsm_view_evidence {
    bool active;                  /* box is somebody */
    int32_t running;              /* frames for which it has been in its place */
    struct vsm_person_box box[2]; /* by enum vsm_eye, of the last frame */
};

/* What the frame's mattes show: mattes[i] of `count` views, of which only the view is read, with alpha[i] on
 * its grid. */
int vsm_view_evidence_note(struct vsm_view_evidence *evidence, const struct vsm_matte *mattes, int count,
                           const float *const alpha[]) VSM_NODISCARD;

/* As people of a frame: one, or nobody. */
struct vsm_people vsm_view_evidence_people(const struct vsm_view_evidence *evidence);

void vsm_view_evidence_save(const struct vsm_view_evidence *evidence, struct vsm_bytes_out *out);
/* False if the bytes are impossible. */
bool vsm_view_evidence_load(struct vsm_view_evidence *evidence, struct vsm_bytes_in *in);

#endif
