#include "nn/replay.h"

#include <string.h>

enum vsm_replay_step vsm_replay_next(struct vsm_replay *replay, const struct vsm_replay_signature *signature)
{
    if (!signature || memcmp(&replay->signature, signature, sizeof(*signature)) != 0) {
        *replay = (struct vsm_replay){0};
        if (signature) {
            replay->signature = *signature;
            replay->runs = 1;
        }
        return VSM_REPLAY_RUN;
    }
    if (replay->recorded)
        return VSM_REPLAY_PLAY;
    if (replay->refusals == VSM_REPLAY_ATTEMPTS || replay->runs++ < VSM_REPLAY_WARM_RUNS)
        return VSM_REPLAY_RUN;
    return VSM_REPLAY_RECORD;
}

void vsm_replay_record(struct vsm_replay *replay, bool good)
{
    replay->recorded = good;
    replay->refusals += !good;
    replay->runs = 0;
}
