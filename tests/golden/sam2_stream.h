/* The tracker running freely through a set of the SAM 2 reference data. */
#ifndef GOLDEN_SAM2_STREAM_H
#define GOLDEN_SAM2_STREAM_H

#include "models/sam2_net.h"
#include "sam2_set.h"

/* Replays the set's prompts frame by frame and compares masks, scores, pointers and discrete choices of every
 * event; half way the state is saved, loaded into a second tracker, and both must go on bit by bit alike.
 * Differences may be `slack` times as large as in float32; beyond 1, candidates may be chosen otherwise and
 * pixels are not counted. */
void sam2_stream_run(const struct sam2_set *set, struct vsm_sam2_net *net, double slack);

#endif
