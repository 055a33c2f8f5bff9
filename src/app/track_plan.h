/* The part of the plan that follows people: which checkpoint, the size of its picture, the user's prompts
 * checked against picture and video, and the stage made of them.
 */
#ifndef VSM_APP_TRACK_PLAN_H
#define VSM_APP_TRACK_PLAN_H

#include "app/plan.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/status.h"
#include "models/sam2_net.h"
#include "stages/track_stage.h"

/* Finds the checkpoint and reads the prompts' masks, if matting.model has a tracker; layout and range must be
 * planned. VSM_E_MODEL if no checkpoint is there, VSM_E_USAGE for a prompt outside picture or video, or a
 * file that the models folder does not have; VSM_E_INPUT for a mask that cannot be read. */
int vsm_track_plan_choose(struct vsm_plan *plan) VSM_NODISCARD;
void vsm_track_plan_finish(struct vsm_plan_track *track);

/* Whether matting.model has a tracker. */
bool vsm_track_plan_wants(const struct vsm_config *config);

/* The network, on the device that processing.device asks for (auto: the GPU if it can, with a line in the log
 * that says why not), and its hash joined to *hash. may_store: by way of the stored networks
 * (nn/graph_cache.h), if the user lets them be. VSM_E_DEVICE if he insists on a GPU that cannot be used. */
int vsm_track_plan_create_net(const struct vsm_plan *plan, bool may_store, struct vsm_sam2_net **net,
                              struct vsm_sha256 *hash) VSM_NODISCARD;
int vsm_track_plan_create_stage(const struct vsm_plan *plan, struct vsm_sam2_net *net,
                                struct vsm_parallel *pool, struct vsm_track_stage **stage) VSM_NODISCARD;

/* Estimated memory of the tracker with two people in each eye, bytes. */
size_t vsm_track_plan_bytes(const struct vsm_plan *plan);

#endif
