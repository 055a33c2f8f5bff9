/* Whom a view's edge cuts: opaque matte that runs out of turned views where the eye's picture goes on.
 *
 * The detector may know fewer people than the matter sees, or have boxes narrower than they are. A strip
 * along each side of every view is looked at in every frame. Matte in it counts unless another view of that
 * eye sees on there, the eye's own picture ends there, or it lies in the box of somebody who is not chosen.
 * When that is VSM_VIEW_BORDER_LEAST of a side in either eye, it is somebody: a box round it in both eyes'
 * pictures that goes on beyond the side by VSM_VIEW_BORDER_BEYOND, grows with what is cut later, and stays
 * until nothing opaque has been in it for VSM_VIEW_BORDER_QUIET frames. Plain state, exactly resumable. Cost:
 * at most some hundred points a side and, while somebody is cut, about 128 x 128 a view.
 */
#ifndef VSM_STAGES_VIEW_BORDER_H
#define VSM_STAGES_VIEW_BORDER_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"

#include <stdbool.h>

/* Of a side. */
#define VSM_VIEW_BORDER_LEAST 0.03
/* Of the eye's picture: 7 degrees; views keep room for themselves as well. */
#define VSM_VIEW_BORDER_BEYOND 0.04
#define VSM_VIEW_BORDER_EDGE   0.03 /* of the eye's picture: nearer to its edge nobody is cut by views */
#define VSM_VIEW_BORDER_QUIET  3    /* frames: a flicker is over before views follow it */

struct vsm_view_border {
    bool active;               /* box is somebody */
    int32_t quiet;             /* frames for which it has been empty */
    struct vsm_person_box box; /* in both eyes */
};

/* What the frame's mattes show: as vsm_view_evidence_note(). */
int vsm_view_border_note(struct vsm_view_border *border, const struct vsm_people *people,
                         const struct vsm_matte *mattes, int count, const float *const alpha[]) VSM_NODISCARD;

/* `people` with who is cut among them, if anybody is known. */
struct vsm_people vsm_view_border_people(const struct vsm_view_border *border,
                                         const struct vsm_people *people);

void vsm_view_border_save(const struct vsm_view_border *border, struct vsm_bytes_out *out);
/* False if the bytes are impossible. */
bool vsm_view_border_load(struct vsm_view_border *border, struct vsm_bytes_in *in);

#endif
