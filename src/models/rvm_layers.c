#include "models/rvm_layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *vsm_rvm_layers_name(struct vsm_rvm_layers *layers, char *text, size_t size, const char *format,
                                ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, size, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= size)
        vsm_graph_fail(layers->base.graph,
                       vsm_fail(VSM_E_INTERNAL, "RVM: the layer name \"%s\" is too long", text));
    return text;
}

const char *vsm_rvm_layers_numbered(struct vsm_rvm_layers *layers, char text[48], const char *name,
                                    int number)
{
    return number ? vsm_rvm_layers_name(layers, text, 48, "%s_%d", name, number)
                  : vsm_rvm_layers_name(layers, text, 48, "%s", name);
}

struct vsm_rvm_conv vsm_rvm_layers_next(struct vsm_rvm_layers *layers, const char *path, bool folded,
                                        enum vsm_fused_activation activation)
{
    struct vsm_rvm_conv c = {.stride = 1,
                             .dilation = 1,
                             .activation = activation,
                             .residual = VSM_VALUE_NONE,
                             .gate = VSM_VALUE_NONE,
                             .squeeze = VSM_VALUE_NONE};
    char layer[48];

    vsm_rvm_layers_numbered(layers, layer, "conv2d", layers->conv++);
    vsm_rvm_layers_name(layers, c.kernel, sizeof(c.kernel), VSM_RVM_LAYERS_NETWORK "%s%s/%s", path, layer,
                        folded ? "Conv2D_weights" : "Conv2D/ReadVariableOp");
    vsm_rvm_layers_name(layers, c.bias, sizeof(c.bias), VSM_RVM_LAYERS_NETWORK "%s%s/%s", path, layer,
                        folded ? "Conv2D_bn_offset" : "BiasAdd/ReadVariableOp");
    return c;
}

static struct vsm_tensor *load_kernel(const struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *c)
{
    return vsm_tfjs_layers_load(&layers->base, c->kernel, 4, NULL);
}

static vsm_value kernel_part(const struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *c,
                             const struct vsm_tensor *kernel, int64_t from, int64_t count)
{
    const int64_t outs = c->out_count ? c->out_count : kernel->dims[3];

    return vsm_tfjs_layers_kernel(&layers->base, c->kernel, kernel,
                                  &(const struct vsm_tfjs_layers_part){from, count, c->out_from, outs});
}

vsm_value vsm_rvm_layers_weight(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv)
{
    struct vsm_tensor *kernel = load_kernel(layers, conv);
    vsm_value weight = kernel ? kernel_part(layers, conv, kernel, 0, kernel->dims[2]) : VSM_VALUE_NONE;

    vsm_tensor_unref(&kernel);
    return weight;
}

vsm_value vsm_rvm_layers_bias(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv)
{
    struct vsm_tensor *all = vsm_tfjs_layers_load(&layers->base, conv->bias, 1, NULL), *some = NULL;
    const int64_t count = all && !conv->out_count ? all->dims[0] : conv->out_count;

    if (!all)
        return VSM_VALUE_NONE;
    if (conv->out_from + count <= all->dims[0])
        some = vsm_tensor_create(VSM_F32, 1, &count);
    else
        vsm_graph_fail(layers->base.graph,
                       vsm_fail(VSM_E_MODEL,
                                "tensor \"%s\": has %lld channels, %lld are wanted; it is another model",
                                conv->bias, (long long)all->dims[0], (long long)(conv->out_from + count)));
    if (some)
        memcpy(some->data, vsm_tensor_f32(all) + conv->out_from, (size_t)count * sizeof(float));
    vsm_tensor_unref(&all);
    return vsm_tfjs_layers_add(&layers->base, some);
}

vsm_value vsm_rvm_layers_enlarge(struct vsm_rvm_layers *layers, vsm_value x, int low_width, int low_height,
                                 int width, int height)
{
    static const int64_t starts[] = {0, 0}, axes[] = {2, 3};
    const int64_t ends[] = {height, width};
    struct vsm_graph *graph = layers->base.graph;

    if (layers->fused)
        return x;
    x = vsm_tfjs_layers_double(&layers->base, x);
    if (height == 2 * low_height && width == 2 * low_width)
        return x;
    return vsm_graph_op(graph, "Slice", x, vsm_graph_ints(graph, starts, 2), vsm_graph_ints(graph, ends, 2),
                        vsm_graph_ints(graph, axes, 2));
}

vsm_value vsm_rvm_layers_blocked_copy(struct vsm_rvm_layers *layers, vsm_value x, int64_t channels)
{
    static const struct vsm_tfjs_layers_conv copy = {.size = 1, .stride = 1, .dilation = 1, .groups = 1};
    struct vsm_tensor *identity = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){channels, channels, 1, 1});

    for (int64_t i = 0; identity && i < channels; i++)
        vsm_tensor_f32(identity)[i * channels + i] = 1.0f;
    return vsm_tfjs_layers_conv(&layers->base, x, vsm_tfjs_layers_add(&layers->base, identity),
                                VSM_VALUE_NONE, &copy);
}

static void check_inputs(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *c,
                         const struct vsm_tensor *kernel, int64_t channels)
{
    if (kernel && channels != kernel->dims[2])
        vsm_graph_fail(
            layers->base.graph,
            vsm_fail(VSM_E_MODEL,
                     "tensor \"%s\": has %lld input channels, %lld are wanted; it is another model",
                     c->kernel, (long long)kernel->dims[2], (long long)channels));
}

/* One node over all parts. */
static void fused_conv(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *c,
                       const struct vsm_rvm_part *parts, size_t count, vsm_value *outputs,
                       size_t output_count)
{
    struct vsm_tensor *kernel = load_kernel(layers, c);
    vsm_value inputs[VSM_FUSED_FIRST_PART + VSM_RVM_LAYERS_PARTS];
    int64_t firsts[VSM_RVM_LAYERS_PARTS] = {0}, counts[VSM_RVM_LAYERS_PARTS], channels = 0;

    for (size_t i = 0; i < count; i++) {
        inputs[VSM_FUSED_FIRST_PART + i] = parts[i].input;
        counts[i] = parts[i].count;
        channels += parts[i].count;
    }
    firsts[0] = c->first;
    check_inputs(layers, c, kernel, channels);
    if (kernel) {
        const struct vsm_attr attrs[] = {VSM_ATTR_I("stride", c->stride),
                                         VSM_ATTR_I("activation", c->activation),
                                         VSM_ATTR_IS("firsts", firsts, count),
                                         VSM_ATTR_IS("counts", counts, count)};

        inputs[VSM_FUSED_WEIGHT] = kernel_part(layers, c, kernel, 0, channels);
        inputs[VSM_FUSED_BIAS] = c->bias[0] ? vsm_rvm_layers_bias(layers, c) : VSM_VALUE_NONE;
        inputs[VSM_FUSED_RESIDUAL] = c->residual;
        inputs[VSM_FUSED_GATE] = c->gate;
        inputs[VSM_FUSED_SQUEEZE] = c->squeeze;
        vsm_graph_node_multi(layers->base.graph, VSM_FUSED_CONV, inputs, VSM_FUSED_FIRST_PART + count, attrs,
                             4, outputs, output_count);
    }
    vsm_tensor_unref(&kernel);
}

static vsm_value conv_part(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *c,
                           const struct vsm_tensor *kernel, const struct vsm_rvm_part *part, bool first)
{
    const struct vsm_tfjs_layers_conv options = {.size = (int)kernel->dims[0],
                                                 .stride = c->stride,
                                                 .dilation = c->dilation,
                                                 .groups = 1};
    const vsm_value weight = kernel_part(layers, c, kernel, part->from, part->count);
    const vsm_value bias = first && c->bias[0] ? vsm_rvm_layers_bias(layers, c) : VSM_VALUE_NONE;
    vsm_value input = part->input;

    if (part->width)
        input = vsm_rvm_layers_enlarge(layers, input, part->low_width, part->low_height, part->width,
                                       part->height);
    return vsm_tfjs_layers_conv(&layers->base, input, weight, bias, &options);
}

/* A sum of convolutions needs no concatenated copy, leaves each input in the blocked layout whatever its
 * channel count, and the library adds in place. The last part is made first, so that the library enlarges one
 * input after the other and not all at once. */
vsm_value vsm_rvm_layers_conv(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv,
                              const struct vsm_rvm_part *parts, size_t count)
{
    vsm_value nodes[VSM_RVM_LAYERS_PARTS] = {VSM_VALUE_NONE}, sum = VSM_VALUE_NONE;
    struct vsm_tensor *kernel;
    int64_t channels = 0;

    if (layers->fused) {
        fused_conv(layers, conv, parts, count, &sum, 1);
        return sum;
    }
    kernel = load_kernel(layers, conv);
    for (size_t i = count; kernel && i-- > 0; channels += parts[i].count)
        nodes[i] = conv_part(layers, conv, kernel, &parts[i], i == 0);
    check_inputs(layers, conv, kernel, channels);
    vsm_tensor_unref(&kernel);
    sum = nodes[0];
    for (size_t i = 1; i < count; i++)
        sum = vsm_graph_op(layers->base.graph, "Add", sum, nodes[i]);
    return vsm_tfjs_layers_activate(&layers->base, sum, conv->activation);
}

/* From one convolution: two would keep the enlarged inputs until the GRU is done, 55 MB at 768x768. */
void vsm_rvm_layers_conv_halves(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv,
                                const struct vsm_rvm_part *parts, size_t count, vsm_value halves[2])
{
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);
    vsm_value whole;

    halves[0] = halves[1] = VSM_VALUE_NONE;
    if (layers->fused) {
        fused_conv(layers, conv, parts, count, halves, 2);
        return;
    }
    whole = vsm_rvm_layers_conv(layers, conv, parts, count);
    vsm_graph_node_multi(layers->base.graph, "Split", &whole, 1, &axis, 1, halves, 2);
}

static vsm_value depthwise_node(struct vsm_rvm_layers *layers, const struct vsm_rvm_depthwise *layer,
                                vsm_value x, vsm_value weight, vsm_value bias)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_I("stride", layer->stride),
                                     VSM_ATTR_I("dilation", layer->dilation),
                                     VSM_ATTR_I("activation", layer->activation)};
    const struct vsm_tfjs_layers_conv options = {.size = layer->kernel,
                                                 .stride = layer->stride,
                                                 .dilation = layer->dilation,
                                                 .groups = layer->channels};

    if (layers->fused)
        return vsm_graph_node(layers->base.graph, VSM_FUSED_DEPTHWISE, (const vsm_value[]){x, weight, bias},
                              3, attrs, 3);
    return vsm_tfjs_layers_activate(&layers->base,
                                    vsm_tfjs_layers_conv(&layers->base, x, weight, bias, &options),
                                    layer->activation);
}

/* The dilated ones were converted without folding their batch normalisation. */
vsm_value vsm_rvm_layers_depthwise(struct vsm_rvm_layers *layers, const struct vsm_rvm_depthwise *layer,
                                   vsm_value x)
{
    const int64_t channels = layer->channels, kernel_dims[] = {layer->kernel, layer->kernel, channels, 1};
    const bool folded = layer->dilation == 1;
    const int number = layers->conv_bn++;
    char path[VSM_RVM_LAYERS_NAME / 2], scope[48], name[VSM_RVM_LAYERS_NAME];
    struct vsm_tensor *kernel, *factor = NULL, *offset;
    vsm_value result = VSM_VALUE_NONE;

    vsm_rvm_layers_name(layers, path, sizeof(path), "mobile_net_v3_encoder/%s%s/", layer->scope,
                        vsm_rvm_layers_numbered(layers, scope, "conv_bn_activation", number));
    vsm_rvm_layers_numbered(layers, scope, "depthwise_conv2d", layers->depthwise++);
    vsm_rvm_layers_name(layers, name, sizeof(name), VSM_RVM_LAYERS_NETWORK "%s%s/%s", path, scope,
                        folded ? "depthwise_weights" : "depthwise/ReadVariableOp");
    kernel = vsm_tfjs_layers_load(&layers->base, name, 4, kernel_dims);
    if (folded) {
        vsm_rvm_layers_name(layers, name, sizeof(name), VSM_RVM_LAYERS_NETWORK "%s%s/depthwise_bn_offset",
                            path, scope);
    } else {
        vsm_rvm_layers_name(layers, name, sizeof(name),
                            VSM_RVM_LAYERS_NETWORK "%sbatch_normalization_%d/FusedBatchNormV3/Scaled", path,
                            number);
        factor = vsm_tfjs_layers_load(&layers->base, name, 1, &channels);
        vsm_rvm_layers_name(layers, name, sizeof(name),
                            VSM_RVM_LAYERS_NETWORK "%sbatch_normalization_%d/FusedBatchNormV3/Offset", path,
                            number);
    }
    offset = vsm_tfjs_layers_load(&layers->base, name, 1, &channels);
    if (kernel && offset && (folded || factor)) {
        const vsm_value weight = vsm_tfjs_layers_depthwise(&layers->base, kernel, factor);

        result =
            depthwise_node(layers, layer, x, weight, vsm_graph_weight_tensor(layers->base.graph, offset));
    }
    vsm_tensor_unref(&kernel);
    vsm_tensor_unref(&factor);
    vsm_tensor_unref(&offset);
    return result;
}

vsm_value vsm_rvm_layers_channels(struct vsm_rvm_layers *layers, const char *name)
{
    struct vsm_tensor *t = vsm_tfjs_layers_load(&layers->base, name, 1, (const int64_t[]){3});

    if (!t)
        return VSM_VALUE_NONE;
    t->rank = 4;
    memcpy(t->dims, (const int64_t[]){1, 3, 1, 1}, 4 * sizeof(int64_t));
    return vsm_tfjs_layers_add(&layers->base, t);
}
