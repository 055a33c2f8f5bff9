#include "pipeline/stage_pair.h"

static int run(void *self, struct vsm_frame *frame)
{
    const struct vsm_stage_pair *pair = self;

    return pair->first.run(pair->first.self, frame);
}

static int rest(void *self, struct vsm_frame *frame)
{
    const struct vsm_stage_pair *pair = self;

    return pair->second.run(pair->second.self, frame);
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_stage_pair *pair = self;
    int status = VSM_OK;

    if (pair->first.barrier)
        status = pair->first.barrier(pair->first.self, after_seq, state);
    if (status == VSM_OK && pair->second.barrier)
        status = pair->second.barrier(pair->second.self, after_seq, state);
    return status;
}

static int finish(void *self)
{
    const struct vsm_stage_pair *pair = self;

    return pair->second.finish ? pair->second.finish(pair->second.self) : VSM_OK;
}

static void interrupt(void *self)
{
    const struct vsm_stage_pair *pair = self;

    if (pair->first.interrupt)
        pair->first.interrupt(pair->first.self);
    if (pair->second.interrupt)
        pair->second.interrupt(pair->second.self);
}

struct vsm_stage vsm_stage_pair_describe(struct vsm_stage_pair *pair)
{
    return (struct vsm_stage){.name = pair->second.name,
                              .self = pair,
                              .run = run,
                              .rest = rest,
                              .barrier = barrier,
                              .finish = finish,
                              .interrupt = interrupt};
}
