/* Sink stage: gives every output's picture to its writer, and commits checkpoints.
 *
 * Writers may work side by side: then each encoder's own threads are kept few enough by app/encoder_shares.
 * Of several failures the first output's is told. Asserts that frames arrive once each and in order. Barrier
 * records "write.0", "write.1" ...: each writer's mark.
 */
#ifndef VSM_STAGES_WRITE_STAGE_H
#define VSM_STAGES_WRITE_STAGE_H

#include "base/status.h"
#include "media/video_writer.h"
#include "pipeline/stage.h"

#include <stdatomic.h>
#include <stdint.h>

struct vsm_parallel;

struct vsm_write_stage {
    struct vsm_video_writer *writers[VSM_MAX_OUTPUTS]; /* borrowed, by output number */
    int count;
    struct vsm_parallel
        *pool; /* borrowed: the writers take their pictures side by side; NULL = one after the other */
    int64_t next_seq;
    atomic_llong written; /* frames given to all writers; for the progress line */
    /* Makes the complete state durable, and may add records of its own; called at each barrier after all
     * writers have marked. NULL = none. */
    int (*commit)(void *opaque, int64_t after_seq, struct vsm_state *state);
    void *opaque;
};

/* Name of output `output`'s record, for vsm_video_writer_resume(). */
void vsm_write_stage_record_name(int output, char name[VSM_STATE_NAME_SIZE]);

/* The stage for the runner; it refers to *stage. */
struct vsm_stage vsm_write_stage_describe(struct vsm_write_stage *stage);

#endif
