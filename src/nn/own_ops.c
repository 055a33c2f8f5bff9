#include "nn/own_ops.h"

#include "cuda/attention.h"
#include "cuda/linear.h"
#include "cuda/norm.h"
#include "cuda/patches.h"
#include "cuda/planes.h"
#include "cuda/tokens.h"
#include "nn/ops_reference.h"

#include <string.h>

int64_t vsm_own_ops_count(const struct vsm_own_ops_operand *o)
{
    int64_t n = 1;

    for (size_t i = 0; i < o->rank; i++)
        n *= o->dims[i];
    return n;
}

static struct vsm_cuda_linear_layer layer_of(const struct vsm_own_ops_node *node,
                                             const struct vsm_own_ops_operand *in)
{
    const size_t inner = node->attributes[VSM_OWN_OPS_BY_COLUMNS] ? 0 : 1;

    return (struct vsm_cuda_linear_layer){.rows = vsm_own_ops_count(&in[0]) / in[1].dims[inner],
                                          .in = in[1].dims[inner],
                                          .out = in[1].dims[1 - inner],
                                          .by_columns = node->attributes[VSM_OWN_OPS_BY_COLUMNS] != 0,
                                          .full = node->op->output == 'F',
                                          .act = (enum vsm_cuda_linear_act)node->attributes[VSM_OWN_OPS_ACT]};
}

static bool infer_linear(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                         struct vsm_own_ops_operand *out)
{
    const size_t inner = node->attributes[VSM_OWN_OPS_BY_COLUMNS] ? 0 : 1;
    struct vsm_cuda_linear_layer layer;

    if (in[0].rank < 1 || in[1].rank != 2 || in[1].dims[inner] == 0 ||
        in[0].dims[in[0].rank - 1] != in[1].dims[inner])
        return false;
    layer = layer_of(node, in);
    *out = in[0];
    out->dims[in[0].rank - 1] = layer.out;
    return (!in[2].data || vsm_own_ops_count(&in[2]) == layer.out) &&
           (!in[3].data || vsm_own_ops_count(&in[3]) == layer.rows * layer.out);
}

static int run_linear(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                      void *stream)
{
    const struct vsm_cuda_linear_layer layer = layer_of(node, in);

    if (node->device->cuda)
        return vsm_cuda_linear_run(node->device->linear, &layer, in[0].data, in[1].data, in[2].data,
                                   in[3].data, out, stream);
    vsm_ops_reference_linear(&layer, in[0].data, in[1].data, in[2].data, in[3].data, out);
    return VSM_OK;
}

static bool infer_norm(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                       struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    return in[0].rank > 0 && vsm_own_ops_count(&in[1]) == in[0].dims[in[0].rank - 1] &&
           vsm_own_ops_count(&in[2]) == vsm_own_ops_count(&in[1]);
}

static int run_norm(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                    void *stream)
{
    const struct vsm_cuda_norm norm = {.rows = vsm_own_ops_count(&in[0]) / vsm_own_ops_count(&in[1]),
                                       .channels = (int)vsm_own_ops_count(&in[1]),
                                       .full = node->op->inputs[0] == 'F',
                                       .gelu = node->attributes[VSM_OWN_OPS_GELU] != 0,
                                       .epsilon = node->epsilon};

    if (node->device->cuda)
        return vsm_cuda_norm_run(&norm, in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_norm(&norm, in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_finish(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                         struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    return in[0].rank == 4 && vsm_own_ops_count(&in[1]) == in[0].dims[1] &&
           (!in[2].data || vsm_own_ops_count(&in[2]) == vsm_own_ops_count(&in[0]));
}

static struct vsm_cuda_planes planes_of(const struct vsm_own_ops_node *node,
                                        const struct vsm_own_ops_operand *in)
{
    return (struct vsm_cuda_planes){.batch = in->dims[0],
                                    .channels = in->dims[1],
                                    .pixels = in->dims[2] * in->dims[3],
                                    .gelu = node->attributes[VSM_OWN_OPS_GELU] != 0};
}

static int run_finish(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                      void *stream)
{
    const struct vsm_cuda_planes planes = planes_of(node, in);

    if (node->device->cuda)
        return vsm_cuda_planes_finish(&planes, in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_finish(&planes, in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_means(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                        struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    out->dims[2] = out->dims[3] = 1;
    return in[0].rank == 4;
}

static int run_means(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                     void *stream)
{
    const struct vsm_cuda_planes planes = planes_of(node, in);

    if (node->device->cuda)
        return vsm_cuda_planes_mean(&planes, in[0].data, out, stream);
    vsm_ops_reference_means(&planes, in[0].data, out);
    return VSM_OK;
}

static bool infer_pool(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                       struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    out->dims[1] /= 2;
    out->dims[2] /= 2;
    return in[0].rank == 4 && in[0].dims[1] % 2 == 0 && in[0].dims[2] % 2 == 0;
}

static int run_pool(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                    void *stream)
{
    const int64_t *d = in[0].dims;

    if (node->device->cuda)
        return vsm_cuda_tokens_pool(d[0], d[1], d[2], d[3], in[0].data, out, stream);
    vsm_ops_reference_pool(d[0], d[1], d[2], d[3], in[0].data, out);
    return VSM_OK;
}

static struct vsm_cuda_tokens_rotation rotation_of(const struct vsm_own_ops_operand *in)
{
    const int64_t batch = in[0].dims[0], channels = in[0].dims[in[0].rank - 1];

    return (struct vsm_cuda_tokens_rotation){.batch = batch,
                                             .rows = vsm_own_ops_count(&in[0]) / batch / channels,
                                             .period = in[1].dims[0],
                                             .still = in[3].data ? in[3].dims[1] : 0,
                                             .channels = channels};
}

static bool infer_rotate(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                         struct vsm_own_ops_operand *out)
{
    struct vsm_cuda_tokens_rotation r;

    (void)node;
    if (in[0].rank < 3 || in[1].rank != 2 || in[1].dims[0] == 0 || vsm_own_ops_count(&in[0]) == 0 ||
        (in[3].data && in[3].rank != 3))
        return false;
    r = rotation_of(in);
    *out = (struct vsm_own_ops_operand){.rank = 3, .dims = {r.batch, r.rows + r.still, r.channels}};
    return vsm_own_ops_count(&in[1]) == r.period * r.channels / 2 &&
           vsm_own_ops_count(&in[2]) == vsm_own_ops_count(&in[1]) &&
           (!in[3].data || vsm_own_ops_count(&in[3]) == r.batch * r.still * r.channels);
}

static int run_rotate(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                      void *stream)
{
    const struct vsm_cuda_tokens_rotation r = rotation_of(in);

    if (node->device->cuda)
        return vsm_cuda_tokens_rotate(&r, in[0].data, in[1].data, in[2].data, in[3].data, out, stream);
    vsm_ops_reference_rotate(&r, in[0].data, in[1].data, in[2].data, in[3].data, out);
    return VSM_OK;
}

static bool infer_attention(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                            struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    out->dims[2] = VSM_CUDA_ATTENTION_VALUES;
    return in[0].rank == 3 && in[1].rank == 3 && in[2].rank == 3 && in[0].dims[2] == VSM_CUDA_ATTENTION_DIM &&
           in[1].dims[2] == VSM_CUDA_ATTENTION_DIM && in[2].dims[2] == VSM_CUDA_ATTENTION_VALUES &&
           in[1].dims[0] == in[0].dims[0] && in[2].dims[0] == in[0].dims[0] &&
           in[2].dims[1] == in[1].dims[1] && in[1].dims[1] > 0;
}

static int run_attention(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                         void *stream)
{
    const int64_t batch = in[0].dims[0], queries = in[0].dims[1], keys = in[1].dims[1];

    if (!node->device->cuda)
        return vsm_ops_reference_attention(batch, queries, keys, in[0].data, in[1].data, in[2].data, out);
    if (!node->device->attention)
        return vsm_fail(VSM_E_DEVICE, "CUDA: no narrow attention on this device");
    return vsm_cuda_attention_run(node->device->attention, batch, queries, keys, in[0].data, in[1].data,
                                  in[2].data, out, stream);
}

static bool infer_latent(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                         struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    return in[0].rank == 3 && in[1].rank == 3 && in[2].rank == 3 && in[0].dims[1] == 1 &&
           in[0].dims[2] == VSM_CUDA_TOKENS_LATENT && in[1].dims[2] == VSM_CUDA_TOKENS_LATENT &&
           in[1].dims[0] == in[0].dims[0] && in[1].dims[1] > 0 &&
           memcmp(in[1].dims, in[2].dims, 3 * sizeof(in[1].dims[0])) == 0;
}

static int run_latent(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                      void *stream)
{
    const int64_t groups = in[1].dims[0], rows = in[1].dims[1];

    if (node->device->cuda)
        return vsm_cuda_tokens_latent(groups, rows, in[0].data, in[1].data, in[2].data, out, stream);
    return vsm_ops_reference_latent(groups, rows, in[0].data, in[1].data, in[2].data, out);
}

static struct vsm_cuda_patches patches_of(const struct vsm_own_ops_node *node,
                                          const struct vsm_own_ops_operand *in)
{
    const int shift = node->attributes[VSM_OWN_OPS_PLANAR] ? 1 : 0;

    return (struct vsm_cuda_patches){.batch = in->dims[0],
                                     .height = in->dims[1 + shift],
                                     .width = in->dims[2 + shift],
                                     .channels = in->dims[node->attributes[VSM_OWN_OPS_PLANAR] ? 1 : 3],
                                     .kernel = (int)node->attributes[VSM_OWN_OPS_KERNEL],
                                     .stride = (int)node->attributes[VSM_OWN_OPS_STRIDE],
                                     .pad = (int)node->attributes[VSM_OWN_OPS_PAD],
                                     .planar = node->attributes[VSM_OWN_OPS_PLANAR] != 0,
                                     .columns = node->attributes[VSM_OWN_OPS_DEPTH]};
}

static int64_t patch_count(const struct vsm_cuda_patches *p)
{
    return p->batch * vsm_cuda_patches_along(p, p->height) * vsm_cuda_patches_along(p, p->width);
}

static bool infer_unfold(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                         struct vsm_own_ops_operand *out)
{
    const struct vsm_cuda_patches p = patches_of(node, in);

    if (in[0].rank != 4 || p.stride < 1 || p.kernel < 1)
        return false;
    *out = (struct vsm_own_ops_operand){.rank = 2, .dims = {patch_count(&p), p.columns}};
    return p.columns >= (int64_t)p.kernel * p.kernel * p.channels;
}

static int run_unfold(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                      void *stream)
{
    const struct vsm_cuda_patches p = patches_of(node, in);

    if (node->device->cuda)
        return vsm_cuda_patches_unfold(&p, in[0].data, out, stream);
    vsm_ops_reference_unfold(&p, in[0].data, out);
    return VSM_OK;
}

/* Of the convolution of 3 x 3 with stride 2. */
static struct vsm_cuda_patches small_of(const struct vsm_own_ops_operand *in)
{
    return (struct vsm_cuda_patches){.batch = in->dims[0],
                                     .height = in->dims[1],
                                     .width = in->dims[2],
                                     .channels = in->dims[3],
                                     .kernel = 3,
                                     .stride = 2,
                                     .pad = 1,
                                     .columns = 9 * in->dims[3]};
}

static bool infer_small(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                        struct vsm_own_ops_operand *out)
{
    struct vsm_cuda_patches p;

    (void)node;
    if (in[0].rank != 4 || in[1].rank != 2)
        return false;
    p = small_of(in);
    *out = (struct vsm_own_ops_operand){.rank = 2, .dims = {patch_count(&p), in[1].dims[0]}};
    return in[1].dims[1] == p.columns && vsm_own_ops_count(&in[2]) == in[1].dims[0];
}

static int run_small(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                     void *stream)
{
    const struct vsm_cuda_patches p = small_of(in);

    if (node->device->cuda)
        return vsm_cuda_patches_small(&p, in[1].dims[0], in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_small(&p, in[1].dims[0], in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_depthwise(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                            struct vsm_own_ops_operand *out)
{
    (void)node;
    *out = in[0];
    return in[0].rank == 4 && in[1].rank == 2 && in[1].dims[0] == 49 && in[1].dims[1] == in[0].dims[3] &&
           vsm_own_ops_count(&in[2]) == in[0].dims[3];
}

static int run_depthwise(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
                         void *stream)
{
    const int64_t *d = in[0].dims;

    if (node->device->cuda)
        return vsm_cuda_patches_depthwise(d[0], d[1], d[2], d[3], in[0].data, in[1].data, in[2].data, out,
                                          stream);
    vsm_ops_reference_depthwise(d[0], d[1], d[2], d[3], in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

const struct vsm_own_ops_operator vsm_own_ops[] = {
    {"LinearHalf", "HHH", 2, 'H', 1u << VSM_OWN_OPS_ACT | 1u << VSM_OWN_OPS_BY_COLUMNS, false, infer_linear,
     run_linear},
    {"LinearFull", "HHFF", 2, 'F', 1u << VSM_OWN_OPS_ACT | 1u << VSM_OWN_OPS_BY_COLUMNS, false, infer_linear,
     run_linear},
    {"NormFull", "FHH", 3, 'H', 1u << VSM_OWN_OPS_GELU, true, infer_norm, run_norm},
    {"NormHalf", "HHH", 3, 'H', 1u << VSM_OWN_OPS_GELU, true, infer_norm, run_norm},
    {"FinishPlanes", "HHH", 2, 'H', 1u << VSM_OWN_OPS_GELU, false, infer_finish, run_finish},
    {"PlaneMeans", "H", 1, 'H', 0, false, infer_means, run_means},
    {"PoolTokens", "H", 1, 'H', 0, false, infer_pool, run_pool},
    {"Rotate", "HHHH", 3, 'H', 0, false, infer_rotate, run_rotate},
    {"Attention", "HHH", 3, 'H', 0, false, infer_attention, run_attention},
    {"LatentAttention", "HHH", 3, 'H', 0, false, infer_latent, run_latent},
    {"Unfold", "H", 1, 'H',
     1u << VSM_OWN_OPS_KERNEL | 1u << VSM_OWN_OPS_STRIDE | 1u << VSM_OWN_OPS_PAD | 1u << VSM_OWN_OPS_PLANAR |
         1u << VSM_OWN_OPS_DEPTH,
     false, infer_unfold, run_unfold},
    {"SmallConv", "HHH", 3, 'H', 0, false, infer_small, run_small},
    {"DepthwiseTokens", "HHH", 3, 'H', 0, false, infer_depthwise, run_depthwise},
    {0},
};

const char *vsm_own_ops_attribute_name(enum vsm_own_ops_attribute attribute)
{
    static const char *const names[VSM_OWN_OPS_ATTRIBUTES] = {
        [VSM_OWN_OPS_ACT] = "act",       [VSM_OWN_OPS_BY_COLUMNS] = "by_columns",
        [VSM_OWN_OPS_GELU] = "gelu",     [VSM_OWN_OPS_KERNEL] = "kernel",
        [VSM_OWN_OPS_STRIDE] = "stride", [VSM_OWN_OPS_PAD] = "pad",
        [VSM_OWN_OPS_PLANAR] = "planar", [VSM_OWN_OPS_DEPTH] = "depth"};

    return names[attribute];
}
