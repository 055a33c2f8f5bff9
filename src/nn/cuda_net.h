/* A fused graph (nn/fused.h) on a CUDA device: weights packed once, activations in NHWC half
 * (those of vsm:FullConv in planes of floats), recurrent states in float, all kernels of a run
 * recorded in one CUDA graph.
 *
 * The recurrent states stay on the device: graph input i + 1 and output i + 1 (in the order of the ports
 * behind the source) are state i's old and new value. There are two sets of them; a run reads one, writes the
 * other and makes it the current one, so that vsm_cuda_net_undo() can take a run back. The first graph input
 * is the source; outputs called "coefficients" and "matte" are the fit and what it is fitted to; results of
 * vsm:FullConv may be outputs of any name. Batch and sizes are fixed by the graph. Used by one thread at a
 * time. Results repeat bit by bit on one kind of device.
 */
#ifndef VSM_NN_CUDA_NET_H
#define VSM_NN_CUDA_NET_H

#include "base/status.h"
#include "cuda/device.h"
#include "nn/graph.h"

#include <stdbool.h>
#include <stddef.h>

struct vsm_cuda_net;

/* Copies the graph's weights. All work goes to `stream`, which is borrowed. VSM_E_MODEL if the graph has
 * something else than fused operators in the shapes that are expected, VSM_E_DEVICE, VSM_E_NOMEM. */
int vsm_cuda_net_create(const struct vsm_graph *graph, struct vsm_cuda_stream *stream,
                        struct vsm_cuda_net **net) VSM_NODISCARD;
void vsm_cuda_net_destroy(struct vsm_cuda_net *net);

/* Device memory: [batch, 3, height, width] float, RGB 0..1, to be written before a run; [batch, height,
 * width, 8] float, the fit, valid from a run to the next. */
float *vsm_cuda_net_source(const struct vsm_cuda_net *net);
const float *vsm_cuda_net_fit(const struct vsm_cuda_net *net);

/* Device memory in use. */
size_t vsm_cuda_net_bytes(const struct vsm_cuda_net *net);

/* Values of one image's state `level`: [channels, h, w] float. load: NULL = zeros. load takes effect before
 * the next run; save waits for the stream. Host memory. */
size_t vsm_cuda_net_state_bytes(const struct vsm_cuda_net *net, int level);
int vsm_cuda_net_load_state(struct vsm_cuda_net *net, int level, int image,
                            const float *values) VSM_NODISCARD;
int vsm_cuda_net_save_state(struct vsm_cuda_net *net, int level, int image, float *values) VSM_NODISCARD;

/* Gives one run to the stream and returns. */
int vsm_cuda_net_run(struct vsm_cuda_net *net) VSM_NODISCARD;

/* After the run's end (wait for the stream first): whether image's new state has a value that is not
 * finite. */
bool vsm_cuda_net_bad(const struct vsm_cuda_net *net, int image);

/* Makes the states before the last run current again. */
void vsm_cuda_net_undo(struct vsm_cuda_net *net);

/* Runs the kernels one by one, `rounds` times, and prints the median time of each with the bytes that it must
 * at least move. For benchmarks; the states are advanced. */
int vsm_cuda_net_profile(struct vsm_cuda_net *net, int rounds) VSM_NODISCARD;

#endif
