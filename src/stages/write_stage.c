#include "stages/write_stage.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <stdio.h>

void vsm_write_stage_record_name(int output, char name[VSM_STATE_NAME_SIZE])
{
    snprintf(name, VSM_STATE_NAME_SIZE, "write.%d", output);
}

/* One frame on its way to all writers; messages live in the threads that made them. */
struct delivery {
    const struct vsm_write_stage *stage;
    struct vsm_frame *frame;
    int status[VSM_MAX_OUTPUTS];
    char *message[VSM_MAX_OUTPUTS];
};

static void put_one(void *context, int i, int worker)
{
    struct delivery *d = context;

    (void)worker;
    d->status[i] =
        vsm_video_writer_put(d->stage->writers[i], &d->frame->outputs[i], d->frame->pts, d->frame->duration);
    if (d->status[i] != VSM_OK)
        d->message[i] = vsm_mem_string("message", vsm_error_message());
}

static int put(struct vsm_write_stage *stage, struct vsm_frame *frame)
{
    struct delivery d = {.stage = stage, .frame = frame};
    int status = VSM_OK;

    vsm_parallel_for(stage->pool, stage->count, put_one, &d);
    for (int i = 0; i < stage->count; i++) {
        if (d.status[i] != VSM_OK && status == VSM_OK) {
            status = d.status[i];
            vsm_error_set_message(d.message[i] ? d.message[i] : "");
        }
        vsm_mem_free(d.message[i]);
    }
    return status;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_write_stage *stage = self;
    int status;

    if (frame->seq != stage->next_seq)
        return vsm_fail(VSM_E_INTERNAL, "writer: frame %lld arrived where %lld was due",
                        (long long)frame->seq, (long long)stage->next_seq);
    status = put(stage, frame);
    if (status != VSM_OK)
        return status;
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
