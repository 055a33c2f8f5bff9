/* Dense 1x1 and 3x3 convolutions on tensor cores, with everything that follows them point by point.
 *
 * Implicit matrix product: a block of 128 output pixels and up to 64 output channels; the input tile with its
 * border is copied to shared memory in pieces of 16 or 32 channels while the piece before is multiplied
 * (mma.sync m16n8k16, half in, float sums). Each tap reads the same tile at another place, so that an input
 * element comes from device memory about once, not nine times. Deterministic: the order of sums is fixed.
 *
 * Activations are NHWC half; a pixel has `pitch` channels of which a view takes some; channels are padded to
 * multiples of 8 and padding is zero.
 */
#ifndef VSM_CUDA_CONV_H
#define VSM_CUDA_CONV_H

#include "cuda/device.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A view of an activation: `channels` (a multiple of 8) of a pixel's `pitch`. Pointers are to half. */
struct vsm_cuda_view {
    void *data;
    int pitch, channels;
};

enum vsm_cuda_act {
    VSM_CUDA_ACT_NONE,
    VSM_CUDA_ACT_RELU,
    VSM_CUDA_ACT_HARDSWISH,
    VSM_CUDA_ACT_SIGMOID,
    VSM_CUDA_ACT_TANH,
    VSM_CUDA_ACT_HARDSIGMOID,
    VSM_CUDA_ACT_RELU6, /* cuda/full.h only */
};

/* What becomes of act(sum + bias): */
enum vsm_cuda_after {
    VSM_CUDA_AFTER_STORE,   /* times gate, plus residual, to `out` */
    VSM_CUDA_AFTER_FLOAT,   /* the first four channels as float to `out32` [batch, h, w, 4] */
    VSM_CUDA_AFTER_PROJECT, /* of 16 channels: four weighted sums of them, as float to `out32` */
    VSM_CUDA_AFTER_GATES,   /* first half r: r * state to `out`; second half z to `update` */
    VSM_CUDA_AFTER_STATE,   /* state + z * (result - state) to `next` and, as half, to `out`; not-finite ones
                               raise bad[image] */
};

struct vsm_cuda_conv {
    int batch, height, width;   /* of the input */
    int size, stride;           /* 1 or 3; 1 or 2 (3x3 only) */
    struct vsm_cuda_view in[2]; /* concatenated; channels 0 = none */
    const void *weights;        /* as vsm_cuda_conv_pack() */
    size_t weights_step;        /* bytes from one image's weights to the next's; 0 = the same */
    const float *bias;          /* [out channels], padded ones too */
    int out_channels;           /* a multiple of 8 */
    enum vsm_cuda_act act;
    enum vsm_cuda_after after;
    struct vsm_cuda_view out;
    struct vsm_cuda_view residual; /* data NULL = none */
    const float *gate;             /* [batch, out channels] or NULL */
    float *out32;
    const float *project, *project_bias; /* [4][16], [4] */
    const float *state;                  /* [batch, state_channels, h, w] */
    float *next;
    int state_channels; /* without padding */
    void *update;       /* half [batch, h, w, padded state channels] */
    int *bad;
};

/* Bytes of packed weights for this many channels (both padded to multiples of 8). */
size_t vsm_cuda_conv_weight_bytes(int size, int in_channels, int out_channels);

/* From [out][in][size][size] float (padded channels, zeros where nothing is) to the order in which the kernel
 * reads them. Host memory. */
void vsm_cuda_conv_pack(int size, int in_channels, int out_channels, const float *weights, void *packed);

/* packed[image] = packed of a 1x1 convolution with input channel c times gain[image][c], for each image: how
 * a squeeze-and-excite gain is applied without touching the activation. */
int vsm_cuda_conv_scale_weights(const void *packed, int in_channels, int out_channels, const float *gain,
                                int batch, void *scaled, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Queues the work on the stream; all memory stays the caller's and in use until it is done. VSM_E_INTERNAL
 * for sizes that no kernel takes, VSM_E_DEVICE. */
int vsm_cuda_conv_run(const struct vsm_cuda_conv *conv, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
