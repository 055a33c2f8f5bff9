#include "models/sam2_net.h"

#include "base/mem.h"
#include "models/sam2_graphs.h"
#include "nn/weights.h"

#include <string.h>

#define DEFAULT_SIZE 1024

struct vsm_sam2_net {
    struct vsm_weights *weights; /* the sessions use them in place */
    struct vsm_sam2_config config;
    struct vsm_sam2_learned learned;
    struct vsm_session *sessions[VSM_SAM2_STAGES];
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
    status = vsm_sam2_build_status(&b);
    vsm_sam2_build_destroy(&b);
    return status;
}

static int make_session(struct vsm_sam2_net *net, enum vsm_sam2_stage stage,
                        const struct vsm_sam2_net_options *options)
{
    struct vsm_sam2_build b = {.trace = options->trace};
    int status;

    builders[stage](&b, net->weights, &net->config);
    status = vsm_sam2_build_status(&b);
    if (!status)
        status = vsm_session_create(b.graph, &options->session, &net->sessions[stage]);
    vsm_sam2_build_destroy(&b);
    return status;
}

int vsm_sam2_net_create(const struct vsm_sam2_net_options *options, struct vsm_sam2_net **net)
{
    struct vsm_sam2_net *n = vsm_mem_alloc("SAM 2", 1, sizeof(*n));
    int status = n ? vsm_weights_open(options->path, &n->weights) : VSM_E_NOMEM;

    *net = NULL;
    if (!status)
        status = vsm_sam2_config_detect(n->weights, options->image_size ? options->image_size : DEFAULT_SIZE,
                                        &n->config);
    if (!status)
        status = vsm_weights_verify(n->weights);
    if (!status)
        status = read_learned(n);
    for (int i = 0; !status && i < VSM_SAM2_STAGES; i++)
        status = make_session(n, (enum vsm_sam2_stage)i, options);
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
    for (int i = 0; i < VSM_SAM2_STAGES; i++)
        vsm_session_destroy(net->sessions[i]);
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

int vsm_sam2_net_hash(const struct vsm_sam2_net *net, struct vsm_sha256 *hash)
{
    return vsm_hash_sha256_path(vsm_weights_path(net->weights), hash);
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
