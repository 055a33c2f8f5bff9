#include "models/sam2_net.h"

#include "base/log.h"
#include "base/mem.h"
#include "cuda/attention.h"
#include "cuda/device.h"
#include "models/sam2_bank.h"
#include "models/sam2_graphs.h"
#include "nn/device_pool.h"
#include "nn/graph_cache.h"
#include "nn/weights.h"

#include <string.h>
#include <sys/stat.h>

#define DEFAULT_SIZE 1024

/* Bytes of stored networks a byte of the checkpoint: 2.3 measured, for weights are there plain and packed. */
#define CACHE_FACTOR 3

struct vsm_sam2_net {
    struct vsm_weights *weights; /* the sessions use them in place */
    struct vsm_sam2_config config;
    struct vsm_sam2_learned learned;
    struct vsm_session *sessions[VSM_SAM2_STAGES];
    struct vsm_device_pool *pool; /* NULL on the CPU */
    struct vsm_sha256 hash;       /* of the checkpoint, if `hashed` */
    bool hashed;
    bool own; /* the graphs are for this program's operators on a device */
};

typedef void build_function(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                            const struct vsm_sam2_config *config);

static build_function *const builders[VSM_SAM2_STAGES] = {
    [VSM_SAM2_ENCODER] = vsm_sam2_encoder_graph, [VSM_SAM2_ATTENTION] = vsm_sam2_attention_graph,
    [VSM_SAM2_DECODER] = vsm_sam2_decoder_graph, [VSM_SAM2_PROMPT] = vsm_sam2_prompt_graph,
    [VSM_SAM2_MEMORY] = vsm_sam2_memory_graph,
};

static void copy(struct vsm_sam2_build *b, float *out, int64_t count, const char *key)
{
    float *data = vsm_sam2_build_read(b, count, "%s", key);

    if (data)
        memcpy(out, data, (size_t)count * sizeof(*out));
    vsm_mem_free(data);
}

static void copy_tokens(struct vsm_sam2_build *b, struct vsm_sam2_learned *l)
{
    static const char *const points[] = {"sam_prompt_encoder.point_embeddings.0.weight",
                                         "sam_prompt_encoder.point_embeddings.1.weight",
                                         "sam_prompt_encoder.point_embeddings.2.weight",
                                         "sam_prompt_encoder.point_embeddings.3.weight"};

    for (int i = 0; i < 4; i++)
        copy(b, l->point[i], VSM_SAM2_DIM, points[i]);
    copy(b, l->gaussian, 2 * 128, "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix");
    copy(b, l->not_a_point, VSM_SAM2_DIM, "sam_prompt_encoder.not_a_point_embed.weight");
    copy(b, l->no_mask, VSM_SAM2_DIM, "sam_prompt_encoder.no_mask_embed.weight");
    copy(b, l->tokens[0], VSM_SAM2_DIM, "sam_mask_decoder.obj_score_token.weight");
    copy(b, l->tokens[1], VSM_SAM2_DIM, "sam_mask_decoder.iou_token.weight");
    copy(b, l->tokens[2], 4 * VSM_SAM2_DIM, "sam_mask_decoder.mask_tokens.weight");
}

static int read_learned(struct vsm_sam2_net *net)
{
    struct vsm_sam2_learned *l = &net->learned;
    struct vsm_sam2_build b = {0};
    int status;

    vsm_sam2_build_start(&b, "learned", net->weights, &net->config);
    copy_tokens(&b, l);
    copy(&b, l->no_memory, VSM_SAM2_DIM, "no_mem_embed");
    copy(&b, l->no_object_pointer, VSM_SAM2_DIM, "no_obj_ptr");
    copy(&b, l->temporal[0], VSM_SAM2_TEMPORAL * VSM_SAM2_MEMORY_DIM, "maskmem_tpos_enc");
    copy(&b, l->mask_downsample, 16, "mask_downsample.weight");
    copy(&b, &l->mask_downsample_bias, 1, "mask_downsample.bias");
    if (net->config.family == VSM_SAM2_1) {
        copy(&b, l->no_object_memory, VSM_SAM2_MEMORY_DIM, "no_obj_embed_spatial");
        copy(&b, l->pointer_time[0], VSM_SAM2_MEMORY_DIM * VSM_SAM2_DIM, "obj_ptr_tpos_proj.weight");
        copy(&b, l->pointer_time_bias, VSM_SAM2_MEMORY_DIM, "obj_ptr_tpos_proj.bias");
    }
    for (int i = 0; i < VSM_SAM2_POINTERS; i++)
        vsm_sam2_bank_pointer_position(l, net->config.family, i, l->pointer_position[i]);
    status = vsm_sam2_build_status(&b);
    vsm_sam2_build_destroy(&b);
    return status;
}

static int make_session(struct vsm_sam2_net *net, enum vsm_sam2_stage stage,
                        const struct vsm_sam2_net_options *options, const struct vsm_graph_cache *cache)
{
    struct vsm_session_options session = options->session;
    struct vsm_sam2_build b = {.trace = options->trace,
                               .device = net->pool != NULL,
                               .narrow = net->own && vsm_cuda_attention_available(),
                               .own = net->own};
    int status;

    session.pool = net->pool;
    session.few_queries = stage != VSM_SAM2_ENCODER && stage != VSM_SAM2_ATTENTION;
    builders[stage](&b, net->weights, &net->config);
    status = vsm_sam2_build_status(&b);
    if (!status && cache)
        status = vsm_graph_cache_session(cache, b.graph, &session, &net->sessions[stage]);
    else if (!status)
        status = vsm_session_create(b.graph, &session, &net->sessions[stage]);
    vsm_sam2_build_destroy(&b);
    return status;
}

static void drop_sessions(struct vsm_sam2_net *net)
{
    for (int i = 0; i < VSM_SAM2_STAGES; i++) {
        vsm_session_destroy(net->sessions[i]);
        net->sessions[i] = NULL;
    }
}

/* All or none of them. cache: NULL = without. */
static int make_sessions(struct vsm_sam2_net *net, const struct vsm_sam2_net_options *options,
                         const struct vsm_graph_cache *cache)
{
    int status = VSM_OK;

    for (int i = 0; !status && i < VSM_SAM2_STAGES; i++)
        status = make_session(net, (enum vsm_sam2_stage)i, options, cache);
    if (status)
        drop_sessions(net);
    return status;
}

/* All that optimised networks depend on, but what nn/graph_cache.h adds. */
static int key_of(const struct vsm_sam2_net *net, const struct vsm_session_options *session,
                  struct vsm_sha256 *hash)
{
    struct key {
        struct vsm_sha256 checkpoint;
        int32_t image_size, device, half, pooled;
        int32_t major, minor; /* of the GPU */
    } key = {.checkpoint = net->hash,
             .image_size = net->config.image_size,
             .device = (int32_t)session->device,
             .half = session->half,
             .pooled = net->pool != NULL};
    struct vsm_cuda_info gpu;

    if (session->device == VSM_DEVICE_CUDA) {
        int status = vsm_cuda_device_info(&gpu);

        if (status)
            return status;
        key.major = gpu.major;
        key.minor = gpu.minor;
    }
    return vsm_hash_sha256(&key, sizeof(key), hash);
}

/* NULL: without one. */
static struct vsm_graph_cache *open_cache(struct vsm_sam2_net *net,
                                          const struct vsm_sam2_net_options *options)
{
    const struct vsm_session_options *session = &options->session;
    struct vsm_sha256 hash;
    struct stat info;

    if (!options->cache || options->trace || session->backend != VSM_BACKEND_ORT ||
        stat(options->path, &info) < 0 || vsm_sam2_net_hash(net, &net->hash) != VSM_OK)
        return NULL;
    net->hashed = true;
    if (key_of(net, session, &hash) != VSM_OK)
        return NULL;
    return vsm_graph_cache_open(options->cache, &hash, (uint64_t)info.st_size * CACHE_FACTOR);
}

/* From the cache, or else through it: what has just been optimised is read back, for the
 * mapped form takes less memory. */
static int provide_sessions(struct vsm_sam2_net *net, const struct vsm_sam2_net_options *options,
                            struct vsm_graph_cache *cache)
{
    int status = VSM_E_MODEL;

    if (vsm_graph_cache_is_whole(cache)) {
        status = make_sessions(net, options, cache);
        if (status == VSM_OK || status == VSM_E_NOMEM || status == VSM_E_DEVICE)
            return status; /* not the entry's fault */
        vsm_graph_cache_reject(cache);
    }
    status = vsm_weights_verify(net->weights);
    if (!status && vsm_graph_cache_is_ready(cache)) {
        status = make_sessions(net, options, cache);
        if (!status && vsm_graph_cache_finish(cache)) {
            drop_sessions(net);
            status = make_sessions(net, options, cache);
        }
        if (!status || status == VSM_E_NOMEM)
            return status;
        if (vsm_graph_cache_is_whole(cache))
            vsm_graph_cache_reject(cache);
        else
            vsm_log(VSM_LOG_WARN, options->path, "the optimised networks cannot be stored: %s",
                    vsm_error_message());
        status = VSM_OK;
    }
    return status ? status : make_sessions(net, options, NULL);
}

int vsm_sam2_net_create(const struct vsm_sam2_net_options *options, struct vsm_sam2_net **net)
{
    struct vsm_sam2_net *n = vsm_mem_alloc("SAM 2", 1, sizeof(*n));
    int status = n ? vsm_weights_open(options->path, &n->weights) : VSM_E_NOMEM;

    *net = NULL;
    if (!status)
        n->own = options->session.device == VSM_DEVICE_CUDA && options->session.half &&
                 options->session.backend == VSM_BACKEND_ORT;
    if (!status)
        status = vsm_sam2_config_detect(n->weights, options->image_size ? options->image_size : DEFAULT_SIZE,
                                        &n->config);
    if (!status)
        status = read_learned(n);
    if (!status && options->session.device == VSM_DEVICE_CUDA && options->session.backend == VSM_BACKEND_ORT)
        status = vsm_device_pool_create(&n->pool);
    else if (!status && options->as_device)
        status = vsm_device_pool_create_host(&n->pool);
    if (!status) {
        struct vsm_graph_cache *cache = open_cache(n, options);

        status = provide_sessions(n, options, cache);
        vsm_graph_cache_close(cache);
    }
    if (status) {
        vsm_sam2_net_destroy(n);
        return status;
    }
    vsm_weights_drop_pages(n->weights);
    *net = n;
    return VSM_OK;
}

void vsm_sam2_net_destroy(struct vsm_sam2_net *net)
{
    if (!net)
        return;
    drop_sessions(net);
    vsm_device_pool_destroy(net->pool);
    vsm_weights_close(net->weights);
    vsm_mem_free(net);
}

const struct vsm_sam2_config *vsm_sam2_net_config(const struct vsm_sam2_net *net)
{
    return &net->config;
}

const struct vsm_sam2_learned *vsm_sam2_net_learned(const struct vsm_sam2_net *net)
{
    return &net->learned;
}

enum vsm_dtype vsm_sam2_net_image_type(const struct vsm_sam2_net *net)
{
    return net->own ? VSM_F16 : VSM_F32;
}

int vsm_sam2_net_hash(const struct vsm_sam2_net *net, struct vsm_sha256 *hash)
{
    if (!net->hashed)
        return vsm_hash_sha256_path(vsm_weights_path(net->weights), hash);
    *hash = net->hash;
    return VSM_OK;
}

struct vsm_device_pool *vsm_sam2_net_pool(const struct vsm_sam2_net *net)
{
    return net->pool;
}

int vsm_sam2_net_run(struct vsm_sam2_net *net, enum vsm_sam2_stage stage, const struct vsm_binding *inputs,
                     size_t input_count, struct vsm_binding *outputs, size_t output_count)
{
    return vsm_session_run(net->sessions[stage], inputs, input_count, outputs, output_count);
}

void vsm_sam2_net_interrupt(struct vsm_sam2_net *net)
{
    for (int i = 0; i < VSM_SAM2_STAGES; i++)
        vsm_session_interrupt(net->sessions[i]);
}
