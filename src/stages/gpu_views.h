/* The networks of stages/gpu_stage.h on a CUDA device: for sets of views that are run together.
 *
 * A set's views have one grid. Every `batch` of them, one an eye, go through a network of their own, which
 * holds their recurrent states; a network that a set gives back serves the next one on the same grid. So two
 * sets, one fading into the other, do not disturb each other. Used by one thread at a time. Fault point
 * "gpu.memory": no memory for a new network.
 */
#ifndef VSM_STAGES_GPU_VIEWS_H
#define VSM_STAGES_GPU_VIEWS_H

#include "base/status.h"
#include "cuda/device.h"
#include "frame/frame.h"
#include "models/rvm.h"

/* Two sets of two networks, and as many of other grids that wait. */
#define VSM_GPU_VIEWS_NETS 6

struct vsm_gpu_net;

struct vsm_gpu_views {
    struct vsm_rvm_options options; /* but for the grid */
    struct vsm_image source;        /* what sources are like */
    struct vsm_cuda_stream *stream; /* borrowed */
    struct vsm_gpu_net *nets[VSM_GPU_VIEWS_NETS];
};

/* count 0: none. */
struct vsm_gpu_set {
    int count;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_gpu_net *nets[VSM_MAX_VIEWS]; /* one for each batch */
};

/* Gives set->views (as many as set->count) their networks, whose states are left over. On failure the set is
 * empty. Cost: 0.3 s for a network that is not there yet, else the tables of turned views, 2 ms each. */
int vsm_gpu_views_open(struct vsm_gpu_views *views, struct vsm_gpu_set *set) VSM_NODISCARD;
void vsm_gpu_views_close(struct vsm_gpu_set *set);
/* Destroys all networks; no set may be open. */
void vsm_gpu_views_clear(struct vsm_gpu_views *views);
/* Destroys those that no set has; false: there were none. */
bool vsm_gpu_views_trim(struct vsm_gpu_views *views);

/* SHA-256 of the weights; of an open set. */
struct vsm_sha256 vsm_gpu_views_hash(const struct vsm_gpu_set *set);

/* All views' states from and to host memory, as vsm_rvm_cuda_get_state(). */
int vsm_gpu_views_get_states(const struct vsm_gpu_set *set,
                             struct vsm_rvm_state states[VSM_MAX_VIEWS]) VSM_NODISCARD;
int vsm_gpu_views_set_states(const struct vsm_gpu_set *set,
                             const struct vsm_rvm_state states[VSM_MAX_VIEWS]) VSM_NODISCARD;

/* Mattes with room for the maps, on the device. */
int vsm_gpu_views_take_room(const struct vsm_gpu_set *set, struct vsm_matte *mattes) VSM_NODISCARD;

/* Gives the stream one frame's work: averaging, network, and the way of the maps into mattes that have
 * room. */
int vsm_gpu_views_run(const struct vsm_gpu_set *set, const struct vsm_image *source,
                      const struct vsm_matte *mattes) VSM_NODISCARD;
/* Again only the last: after vsm_gpu_views_check() has repeated a run. */
int vsm_gpu_views_collect(const struct vsm_gpu_set *set, const struct vsm_matte *mattes) VSM_NODISCARD;
/* What the networks saw in that frame, on the device: R, G, B planes in 0..1 of every view's grid. */
void vsm_gpu_views_pictures(const struct vsm_gpu_set *set, const float *rgb[VSM_MAX_VIEWS]);
/* As vsm_rvm_cuda_check(), over all networks. */
int vsm_gpu_views_check(const struct vsm_gpu_set *set, int *reset_count, bool *repeated) VSM_NODISCARD;

#endif
