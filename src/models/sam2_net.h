/* The networks of one SAM 2 family checkpoint, ready to run: five sessions over one mapped file, and the
 * learned vectors that the state machine needs outside of them.
 *
 * One net is used by one thread at a time; vsm_sam2_net_interrupt() may come from any thread.
 */
#ifndef VSM_MODELS_SAM2_NET_H
#define VSM_MODELS_SAM2_NET_H

#include "base/hash.h"
#include "base/status.h"
#include "frame/tensor.h"
#include "models/sam2_config.h"
#include "nn/session.h"

/* See sam2_graphs.h for the inputs and outputs of each. */
enum vsm_sam2_stage {
    VSM_SAM2_ENCODER,
    VSM_SAM2_ATTENTION,
    VSM_SAM2_DECODER,
    VSM_SAM2_PROMPT,
    VSM_SAM2_MEMORY,
    VSM_SAM2_STAGES,
};

/* Learned numbers, by their official names. Absent ones (2.0, EdgeTAM) are zeros. */
struct vsm_sam2_learned {
    float gaussian[2 * 128];
    float point[4][VSM_SAM2_DIM]; /* negative, positive, top left, bottom right */
    float not_a_point[VSM_SAM2_DIM];
    float no_mask[VSM_SAM2_DIM];
    float no_memory[VSM_SAM2_DIM];
    float no_object_pointer[VSM_SAM2_DIM];
    float no_object_memory[VSM_SAM2_MEMORY_DIM];
    float temporal[VSM_SAM2_TEMPORAL][VSM_SAM2_MEMORY_DIM];
    float pointer_time[VSM_SAM2_MEMORY_DIM]
                      [VSM_SAM2_DIM]; /* projection of temporal positions, and its bias */
    float pointer_time_bias[VSM_SAM2_MEMORY_DIM];
    float pointer_position[VSM_SAM2_POINTERS]
                          [VSM_SAM2_MEMORY_DIM]; /* what both make of so many frames back */
    float tokens[6][VSM_SAM2_DIM];               /* object score, IoU, four masks */
    float mask_downsample[16];                   /* 4 x 4, stride 4 */
    float mask_downsample_bias;
};

struct vsm_sam2_net_options {
    const char *path;                   /* checkpoint: .pt or safetensors */
    int image_size;                     /* 0 = 1024 */
    struct vsm_session_options session; /* VSM_DEVICE_CUDA: the pool is the net's own */
    bool as_device;                     /* on the CPU, with graphs and memory as for a device; for tests */
    const char *cache;                  /* folder of optimised networks, nn/graph_cache.h; NULL: none */
    bool trace;                         /* inner values as outputs too, for tests */
};

struct vsm_sam2_net;

struct vsm_device_pool;

/* Reads and verifies the checkpoint and builds the sessions, or takes them from the cache: then the
 * checkpoint's hash stands for its verification. The networks of a cache give the same bits. VSM_E_MODEL with
 * the file and tensor if it is not what is expected. Cost: seconds. */
int vsm_sam2_net_create(const struct vsm_sam2_net_options *options, struct vsm_sam2_net **net) VSM_NODISCARD;
void vsm_sam2_net_destroy(struct vsm_sam2_net *net);

const struct vsm_sam2_config *vsm_sam2_net_config(const struct vsm_sam2_net *net);
const struct vsm_sam2_learned *vsm_sam2_net_learned(const struct vsm_sam2_net *net);

/* What the encoder wants pictures in: float16 where it would round them first anyway, half as much to send
 * to a device; else float32. */
enum vsm_dtype vsm_sam2_net_image_type(const struct vsm_sam2_net *net);

/* SHA-256 of the checkpoint file. Reads it all, unless the cache wanted it already: about 1 s a GiB. */
int vsm_sam2_net_hash(const struct vsm_sam2_net *net, struct vsm_sha256 *hash) VSM_NODISCARD;

/* Where tensors that networks hand to each other live; NULL: in host memory. The net's. */
struct vsm_device_pool *vsm_sam2_net_pool(const struct vsm_sam2_net *net);

/* Runs one stage; as vsm_session_run(). */
int vsm_sam2_net_run(struct vsm_sam2_net *net, enum vsm_sam2_stage stage, const struct vsm_binding *inputs,
                     size_t input_count, struct vsm_binding *outputs, size_t output_count) VSM_NODISCARD;

void vsm_sam2_net_interrupt(struct vsm_sam2_net *net);

#endif
