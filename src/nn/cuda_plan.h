/* From a fused graph to a list of kernels over device memory, for nn/cuda_net.c. */
#ifndef VSM_NN_CUDA_PLAN_H
#define VSM_NN_CUDA_PLAN_H

#include "cuda/conv.h"
#include "cuda/depthwise.h"
#include "cuda/full.h"
#include "cuda/resample.h"
#include "nn/graph_data.h"

#define VSM_CUDA_PLAN_STATES  8
#define VSM_CUDA_PLAN_OUTPUTS 8

/* Most channels of a convolution in float. */
#define VSM_CUDA_PLAN_FULL_CHANNELS 4096

enum vsm_cuda_step_kind {
    VSM_CUDA_STEP_IMAGE,
    VSM_CUDA_STEP_HALVE,
    VSM_CUDA_STEP_JOIN,
    VSM_CUDA_STEP_CONV,
    VSM_CUDA_STEP_SCALE,
    VSM_CUDA_STEP_DEPTHWISE,
    VSM_CUDA_STEP_MEAN,
    VSM_CUDA_STEP_DENSE,
    VSM_CUDA_STEP_FIT,
    VSM_CUDA_STEP_FULL,
};

struct vsm_cuda_step {
    enum vsm_cuda_step_kind kind;
    char name[48];
    double bytes, flops; /* the least that must be moved, and multiply-adds times two */
    int state;           /* CONV: the recurrent state it reads or writes, -1 = none */
    struct vsm_cuda_conv conv;
    struct vsm_cuda_depthwise depthwise;
    struct vsm_cuda_full full;
    /* The other kinds: */
    struct vsm_cuda_view in[VSM_CUDA_MAX_PARTS], out;
    int doubled[VSM_CUDA_MAX_PARTS], count;
    int height, width; /* IMAGE, MEAN, FIT: of input; HALVE: of input; JOIN: of output */
    float mean[3], gain[3], eps;
    const float *from, *weights, *bias;
    float *to;
    const void *packed;
    void *scaled;
    int parts, channels, outputs;
    enum vsm_cuda_act act;
};

struct vsm_cuda_plan_state {
    int channels, height, width;
    float *sides[2];           /* [batch, channels, height, width] */
    struct vsm_cuda_view half; /* the current one for the convolutions */
};

/* A result of a convolution in float that is an output of the graph. */
struct vsm_cuda_plan_output {
    size_t port;         /* among the graph's outputs */
    const float *planes; /* [batch, channels, height, width] */
};

struct vsm_cuda_plan {
    int batch, height, width;
    struct vsm_cuda_step *steps;
    int step_count, step_capacity;
    struct vsm_cuda_plan_state states[VSM_CUDA_PLAN_STATES];
    int state_count;
    struct vsm_cuda_plan_output outputs[VSM_CUDA_PLAN_OUTPUTS];
    int output_count;
    float *source, *fit, *matte; /* fit and matte NULL: the graph has none */
    int *bad;
    void **memory; /* every block of device memory */
    int memory_count, memory_capacity;
    size_t bytes;
};

/* Allocates and fills device memory. vsm_cuda_plan_free() also after failure. */
int vsm_cuda_plan_init(struct vsm_cuda_plan *plan, const struct vsm_graph *graph) VSM_NODISCARD;
void vsm_cuda_plan_free(struct vsm_cuda_plan *plan);

#endif
