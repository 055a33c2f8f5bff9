/* Source stage: pictures of a frame range of one video, in order.
 *
 * Barrier record "read": the number of the next picture and the count of repeated ones, so that a resumed job
 * seeks to exactly the picture it would have read next.
 */
#ifndef VSM_STAGES_READ_STAGE_H
#define VSM_STAGES_READ_STAGE_H

#include "base/status.h"
#include "media/video_reader.h"
#include "pipeline/stage.h"

#include <stdint.h>

struct vsm_read_stage {
    struct vsm_video_reader *reader; /* borrowed */
    int64_t next;                    /* number of the picture to be read next */
    int64_t end;                     /* behind the last one wanted; INT64_MAX = to the end of the video */
    int64_t repeated;                /* pictures repeated because of damage, over the whole job */
};

/* Seeks to picture `first`. VSM_E_INPUT if the video has no such picture. */
int vsm_read_stage_init(struct vsm_read_stage *stage, struct vsm_video_reader *reader, int64_t first,
                        int64_t end) VSM_NODISCARD;

/* Continues from a barrier's record; one behind the last picture leaves nothing to read. */
int vsm_read_stage_restore(struct vsm_read_stage *stage, const struct vsm_state *state) VSM_NODISCARD;

/* The stage for the runner; it refers to *stage. */
struct vsm_stage vsm_read_stage_describe(struct vsm_read_stage *stage);

#endif
