#include "pipeline/stage_pair.h"

#include "base/clock.h"

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_stage_pair *pair = self;
    const uint64_t start = vsm_clock_ns(), cpu_start = vsm_clock_thread_cpu_ns();
    const int status = pair->first.run(pair->first.self, frame);

    pair->busy_ns += vsm_clock_ns() - start;
    pair->cpu_ns += vsm_clock_thread_cpu_ns() - cpu_start;
    pair->frames += status == VSM_OK;
    return status;
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

void vsm_stage_pair_part(const struct vsm_stage_pair *pair, const struct vsm_stage_stats *both,
                         struct vsm_stage_stats parts[2])
{
    parts[0] = (struct vsm_stage_stats){.name = pair->first.name,
                                        .busy_ns = pair->busy_ns,
                                        .cpu_ns = pair->cpu_ns,
                                        .wait_in_ns = both->wait_in_ns,
                                        .frames = pair->frames};
    parts[1] = *both;
    parts[1].busy_ns -= pair->busy_ns;
    parts[1].cpu_ns -= pair->cpu_ns;
    parts[1].wait_in_ns = 0;
}
