#include "stages/write_stage.h"

#include <stdio.h>

void vsm_write_stage_record_name(int output, char name[VSM_STATE_NAME_SIZE])
{
    snprintf(name, VSM_STATE_NAME_SIZE, "write.%d", output);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_write_stage *stage = self;

    if (frame->seq != stage->next_seq)
        return vsm_fail(VSM_E_INTERNAL, "writer: frame %lld arrived where %lld was due",
                        (long long)frame->seq, (long long)stage->next_seq);
    for (int i = 0; i < stage->count; i++) {
        int status = vsm_video_writer_put(stage->writers[i], frame->outputs[i], frame->pts, frame->duration);

        if (status != VSM_OK)
            return status;
    }
    stage->next_seq++;
    atomic_fetch_add(&stage->written, 1);
    return VSM_OK;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    struct vsm_write_stage *stage = self;

    for (int i = 0; i < stage->count; i++) {
        struct vsm_bytes_out out = {0};
        char name[VSM_STATE_NAME_SIZE];
        int status = vsm_video_writer_mark(stage->writers[i], &out);

        if (status != VSM_OK) {
            vsm_bytes_out_finish(&out);
            return status;
        }
        vsm_write_stage_record_name(i, name);
        status = vsm_state_add_bytes(state, name, &out);
        if (status != VSM_OK)
            return status;
    }
    return stage->commit ? stage->commit(stage->opaque, after_seq, state) : VSM_OK;
}

static int finish(void *self)
{
    struct vsm_write_stage *stage = self;

    for (int i = 0; i < stage->count; i++) {
        int status = vsm_video_writer_finish(stage->writers[i]);

        if (status != VSM_OK)
            return status;
    }
    return VSM_OK;
}

struct vsm_stage vsm_write_stage_describe(struct vsm_write_stage *stage)
{
    return (
        struct vsm_stage){.name = "write", .self = stage, .run = run, .barrier = barrier, .finish = finish};
}
