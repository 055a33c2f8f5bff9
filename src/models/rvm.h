/* Robust Video Matting (MobileNetV3): recurrent soft mattes of people.
 *
 * Source: Lin et al., "Robust High-Resolution Video Matting with Temporal Guidance", arXiv 2108.11515.
 * Weights are GPL-3.0 data, read at run time from the TensorFlow.js files rvm.json and rvm.bin. The network
 * and the guided filter's fit run on the view's grid; the filter's last line (alpha = A x + b) is applied at
 * full size by image/refine.h, so the outputs here are coefficient maps.
 */
#ifndef VSM_MODELS_RVM_H
#define VSM_MODELS_RVM_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"
#include "frame/tensor.h"
#include "nn/session.h"

#include <stdbool.h>

/* The grid must be a multiple of this in both directions, so that no level of the network has an odd size,
 * and at most so large: 4096x4096 wants 15 GiB. */
#define VSM_RVM_GRID     16
#define VSM_RVM_GRID_MAX 4096

/* Recurrent states, at 1/2, 1/4, 1/8 and 1/16 of the grid. */
#define VSM_RVM_STATES 4

struct vsm_rvm;

struct vsm_rvm_options {
    const char *graph_path; /* rvm.json; rvm.bin lies beside it */
    int width, height;      /* grid, multiples of VSM_RVM_GRID */
    int batch;              /* views in one run: 1 or 2 */
    struct vsm_session_options session;
};

/* Whether size and batch are within the limits and the files the known ones; *hash as vsm_rvm_hash(). Errors
 * as vsm_rvm_create(). */
int vsm_rvm_check(const struct vsm_rvm_options *options, struct vsm_sha256 *hash) VSM_NODISCARD;

/* Loads the weights and builds the session. VSM_E_MODEL with the file's name if they are not the known ones
 * (by SHA-256), VSM_E_USAGE for a grid or batch outside the limits. */
int vsm_rvm_create(const struct vsm_rvm_options *options, struct vsm_rvm **rvm) VSM_NODISCARD;
void vsm_rvm_destroy(struct vsm_rvm *rvm);

/* SHA-256 over the hashes of both weight files. */
struct vsm_sha256 vsm_rvm_hash(const struct vsm_rvm *rvm);

/* The recurrent state of one view: VSM_RVM_STATES float32 tensors [C, h, w], C = 16, 20, 40, 64; all NULL =
 * start of a sequence (zeros). */
struct vsm_rvm_state {
    struct vsm_tensor *r[VSM_RVM_STATES];
};

/* Back to the start of a sequence; the tensors are released. */
void vsm_rvm_state_reset(struct vsm_rvm_state *state);

/* Makes `to` the same state as `from`; the values are shared. */
void vsm_rvm_state_share(struct vsm_rvm_state *to, const struct vsm_rvm_state *from);

/* Whether all values are finite. Cost: one read of the state, 0.3 ms a view at 512x512. */
bool vsm_rvm_state_is_finite(const struct vsm_rvm_state *state);

/* Appends the exact values for a checkpoint, little-endian: a byte 0 (start of a sequence) or 1, then for
 * each tensor its three dimensions as 32-bit numbers and its float32 bits. Failures stay in the writer. */
void vsm_rvm_state_save(const struct vsm_rvm_state *state, struct vsm_bytes_out *out);

/* Replaces the state by what was saved. VSM_E_INPUT if the bytes are not a state for a grid of width x
 * height; the state is unchanged then. */
int vsm_rvm_state_load(struct vsm_rvm_state *state, int width, int height,
                       struct vsm_bytes_in *in) VSM_NODISCARD;

/* Replaces the state by the same one on a grid of width x height, interpolated bilinearly; VSM_E_NOMEM, the
 * state unchanged. For grids that differ by up to a half; tests/oracle/scaling says how little the next alpha
 * changes. */
int vsm_rvm_state_resample(struct vsm_rvm_state *state, int width, int height) VSM_NODISCARD;

/* Runs one frame for `batch` views. source: [batch, 3, height, width] float32 RGB 0..1. states: `batch` of
 * them, replaced by the new ones. coefficients: `batch` new tensors [8, height, width] as in frame.h, owned
 * by the caller. If a new state has a value that is not finite, that view's states are reset, the view is run
 * again from zeros, and *reset_count is incremented. VSM_E_DEVICE if even a fresh start is not finite,
 * VSM_E_CANCELLED after an interrupt. On failure states are unchanged if they are shared
 * (vsm_rvm_state_share), for a retry; a single view's state that nobody else holds is overwritten by a run,
 * and reset if that fails. */
int vsm_rvm_run(struct vsm_rvm *rvm, struct vsm_tensor *source, struct vsm_rvm_state *states,
                struct vsm_tensor **coefficients, int *reset_count) VSM_NODISCARD;

/* As vsm_session_interrupt(). */
void vsm_rvm_interrupt(struct vsm_rvm *rvm);

#endif
