/* A list of all frames, one JSON object a line: how well the eyes agree and what was mended.
 *
 * {"frame": number in the input, "pair": of views, "measured": the eyes could be compared, "people": in
 *  either eye, "consistency": before mending, "after": mending, "area": slave over master, "residual": grid
 *  pixels, "matched": share of cells, "taken": [left, right] share of people, "faults": [left, right]}
 * Exact after a resume: a checkpoint records the size, and the file is cut to it.
 */
#ifndef VSM_STAGES_STEREO_LIST_H
#define VSM_STAGES_STEREO_LIST_H

#include "base/status.h"
#include "stereo/stereo_pair.h"

#include <stdint.h>
#include <stdio.h>

struct vsm_stereo_list {
    const char *path; /* borrowed; NULL: no list */
    FILE *file;       /* NULL until the first frame */
    int64_t size;     /* at the checkpoint that the job went on from */
};

/* Appends a frame; the first call creates the file, or cuts it to `size`. It is written at once, so that a
 * disk without space ends the job, not only the list. VSM_E_OUTPUT. */
int vsm_stereo_list_add(struct vsm_stereo_list *list, int64_t frame, int pair,
                        const enum vsm_eye_health_fault faults[2],
                        const struct vsm_stereo_pair_result *result) VSM_NODISCARD;

/* Makes it durable and says how long it is; 0 without a list. VSM_E_OUTPUT. */
int vsm_stereo_list_mark(struct vsm_stereo_list *list, int64_t *size) VSM_NODISCARD;
void vsm_stereo_list_close(struct vsm_stereo_list *list);

#endif
