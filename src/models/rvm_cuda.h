/* RVM with its pictures, coefficients and recurrent states on a CUDA device; the counterpart of models/rvm.h
 * for the frame path. Same weights, half-precision activations, states in float.
 */
#ifndef VSM_MODELS_RVM_CUDA_H
#define VSM_MODELS_RVM_CUDA_H

#include "cuda/device.h"
#include "models/rvm.h"

struct vsm_rvm_cuda;

/* Loads the weights and records the network; options->session is not used. Work goes to `stream`, which is
 * borrowed. Errors as vsm_rvm_create(), and VSM_E_DEVICE. */
int vsm_rvm_cuda_create(const struct vsm_rvm_options *options, struct vsm_cuda_stream *stream,
                        struct vsm_rvm_cuda **rvm) VSM_NODISCARD;
void vsm_rvm_cuda_destroy(struct vsm_rvm_cuda *rvm);

/* As vsm_rvm_hash(); bytes of device memory in use. */
struct vsm_sha256 vsm_rvm_cuda_hash(const struct vsm_rvm_cuda *rvm);
size_t vsm_rvm_cuda_bytes(const struct vsm_rvm_cuda *rvm);

/* Device memory: where the pictures [batch, 3, height, width] go before a run, and where view i's fit
 * [height, width, 8] is after it. */
float *vsm_rvm_cuda_source(const struct vsm_rvm_cuda *rvm);
const float *vsm_rvm_cuda_fit(const struct vsm_rvm_cuda *rvm, int view);

/* Gives one frame to the stream and returns. The states are advanced. */
int vsm_rvm_cuda_run(struct vsm_rvm_cuda *rvm) VSM_NODISCARD;

/* To be called after the stream has been waited for, before the next run: if a state is not finite, runs the
 * frame again with that view's states reset, waits, and adds the number of such views to *reset_count.
 * *repeated tells whether results changed. VSM_E_DEVICE if a fresh start is not finite either. */
int vsm_rvm_cuda_check(struct vsm_rvm_cuda *rvm, int *reset_count, bool *repeated) VSM_NODISCARD;

/* States of a view from and to host memory, in the form of models/rvm.h, so that a job can go on on another
 * device. An empty state means zeros. save makes a new state. Both wait for the stream. */
int vsm_rvm_cuda_set_state(struct vsm_rvm_cuda *rvm, int view,
                           const struct vsm_rvm_state *state) VSM_NODISCARD;
int vsm_rvm_cuda_get_state(struct vsm_rvm_cuda *rvm, int view, struct vsm_rvm_state *state) VSM_NODISCARD;

/* See nn/cuda_net.h. */
int vsm_rvm_cuda_profile(struct vsm_rvm_cuda *rvm, int rounds) VSM_NODISCARD;

#endif
