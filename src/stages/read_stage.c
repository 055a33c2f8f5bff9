#include "stages/read_stage.h"

#define RECORD "read"

int vsm_read_stage_init(struct vsm_read_stage *stage, struct vsm_video_reader *reader, int64_t first,
                        int64_t end)
{
    int status = first > 0 ? vsm_video_reader_seek(reader, first) : VSM_OK;

    *stage = (struct vsm_read_stage){.reader = reader, .next = first, .end = end};
    if (status == VSM_EOF)
        return vsm_fail(VSM_E_INPUT,
                        "input: there is no frame %lld; the video has %lld; choose a lower start frame",
                        (long long)first, (long long)vsm_video_reader_info(reader)->frames);
    return status;
}

int vsm_read_stage_restore(struct vsm_read_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status;

    stage->next = (int64_t)vsm_bytes_get_le64(&in);
    stage->repeated = (int64_t)vsm_bytes_get_le64(&in);
    if (in.failed || vsm_bytes_left(&in) != 0 || stage->next < 0)
        return vsm_fail(VSM_E_INPUT,
                        "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    status = vsm_video_reader_seek(stage->reader, stage->next);
    if (status != VSM_EOF)
        return status;
    stage->end = stage->next; /* the barrier was behind the last picture */
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_read_stage *stage = self;
    int status;

    if (stage->next >= stage->end)
        return VSM_EOF;
    status = vsm_video_reader_next(stage->reader, frame);
    if (status != VSM_OK)
        return status;
    stage->next++;
    stage->repeated += frame->repeated;
    return VSM_OK;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_read_stage *stage = self;
    struct vsm_bytes_out out = {0};

    (void)after_seq;
    vsm_bytes_put_le64(&out, (uint64_t)stage->next);
    vsm_bytes_put_le64(&out, (uint64_t)stage->repeated);
    return vsm_state_add_bytes(state, RECORD, &out);
}

static void interrupt(void *self)
{
    const struct vsm_read_stage *stage = self;

    vsm_video_reader_interrupt(stage->reader);
}

struct vsm_stage vsm_read_stage_describe(struct vsm_read_stage *stage)
{
    return (struct vsm_stage){
        .name = "read", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
