#include "models/tfjs_layers.h"

#include <string.h>

static bool fits(const struct vsm_tensor *tensor, int rank, const int64_t *dims)
{
    if (tensor->dtype != VSM_F32 || tensor->rank != rank)
        return false;
    for (int i = 0; dims && i < rank; i++) {
        if (dims[i] >= 0 && tensor->dims[i] != dims[i])
            return false;
    }
    return true;
}

struct vsm_tensor *vsm_tfjs_layers_load(const struct vsm_tfjs_layers *layers, const char *name, int rank,
                                        const int64_t *dims)
{
    struct vsm_tensor *tensor;
    int status;

    if (vsm_graph_status(layers->graph))
        return NULL;
    tensor = vsm_tfjs_tensor(layers->weights, name, &status);
    if (tensor && !fits(tensor, rank, dims)) {
        status = vsm_fail(VSM_E_MODEL, "tensor \"%s\": unexpected type or shape; it is another model", name);
        vsm_tensor_unref(&tensor);
    }
    vsm_graph_fail(layers->graph, status);
    return tensor;
}

vsm_value vsm_tfjs_layers_add(const struct vsm_tfjs_layers *layers, struct vsm_tensor *tensor)
{
    vsm_value value;

    if (!tensor) {
        if (!vsm_graph_status(layers->graph))
            vsm_graph_fail(layers->graph, VSM_E_NOMEM);
        return VSM_VALUE_NONE;
    }
    value = vsm_graph_weight_tensor(layers->graph, tensor);
    vsm_tensor_unref(&tensor);
    return value;
}

static bool has_channels(const struct vsm_tfjs_layers *layers, const char *name, int64_t from, int64_t count,
                         int64_t channels)
{
    if (from >= 0 && count >= 0 && from + count <= channels)
        return true;
    vsm_graph_fail(layers->graph,
                   vsm_fail(VSM_E_MODEL,
                            "tensor \"%s\": has %lld channels, %lld are wanted; it is another model", name,
                            (long long)channels, (long long)(from + count)));
    return false;
}

vsm_value vsm_tfjs_layers_kernel(const struct vsm_tfjs_layers *layers, const char *name,
                                 const struct vsm_tensor *stored, const struct vsm_tfjs_layers_part *part)
{
    const int64_t h = stored->dims[0], w = stored->dims[1], ins = stored->dims[2], outs = stored->dims[3];
    struct vsm_tensor *oihw;
    float *to;

    if (!has_channels(layers, name, part->in_from, part->in_count, ins) ||
        !has_channels(layers, name, part->out_from, part->out_count, outs))
        return VSM_VALUE_NONE;
    oihw = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){part->out_count, part->in_count, h, w});
    if (!oihw)
        return vsm_tfjs_layers_add(layers, NULL);
    to = vsm_tensor_f32(oihw);
    for (int64_t o = part->out_from; o < part->out_from + part->out_count; o++) {
        for (int64_t i = part->in_from; i < part->in_from + part->in_count; i++) {
            for (int64_t p = 0; p < h * w; p++)
                *to++ = vsm_tensor_f32(stored)[(p * ins + i) * outs + o];
        }
    }
    return vsm_tfjs_layers_add(layers, oihw);
}

vsm_value vsm_tfjs_layers_depthwise(const struct vsm_tfjs_layers *layers, const struct vsm_tensor *stored,
                                    const struct vsm_tensor *factor)
{
    const int64_t h = stored->dims[0], w = stored->dims[1], channels = stored->dims[2];
    struct vsm_tensor *chw = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){channels, 1, h, w});

    for (int64_t c = 0; chw && c < channels; c++) {
        for (int64_t p = 0; p < h * w; p++)
            vsm_tensor_f32(chw)[c * h * w + p] =
                vsm_tensor_f32(stored)[p * channels + c] * (factor ? vsm_tensor_f32(factor)[c] : 1.0f);
    }
    return vsm_tfjs_layers_add(layers, chw);
}

vsm_value vsm_tfjs_layers_conv(const struct vsm_tfjs_layers *layers, vsm_value x, vsm_value kernel,
                               vsm_value bias, const struct vsm_tfjs_layers_conv *conv)
{
    const int64_t pad = (conv->size / 2) * conv->dilation, before = conv->even ? 0 : pad;
    const int64_t pads[] = {before, before, pad, pad}, strides[] = {conv->stride, conv->stride};
    const int64_t dilations[] = {conv->dilation, conv->dilation};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("pads", pads, 4), VSM_ATTR_IS("strides", strides, 2),
                                     VSM_ATTR_IS("dilations", dilations, 2),
                                     VSM_ATTR_I("group", conv->groups)};

    return vsm_graph_node(layers->graph, "Conv", (const vsm_value[]){x, kernel, bias},
                          bias == VSM_VALUE_NONE ? 2 : 3, attrs, 4);
}

vsm_value vsm_tfjs_layers_double(const struct vsm_tfjs_layers *layers, vsm_value x)
{
    static const float scales[] = {1, 1, 2, 2};
    static const int64_t four = 4;
    const struct vsm_attr attrs[] = {VSM_ATTR_S("mode", "linear"),
                                     VSM_ATTR_S("coordinate_transformation_mode", "half_pixel")};
    const vsm_value factors = vsm_graph_weight_copy(layers->graph, VSM_F32, 1, &four, scales);

    return vsm_graph_node(layers->graph, "Resize", (const vsm_value[]){x, VSM_VALUE_NONE, factors}, 3, attrs,
                          2);
}

static vsm_value hard_sigmoid(struct vsm_graph *graph, vsm_value x)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_F("alpha", 1.0f / 6.0f), VSM_ATTR_F("beta", 0.5f)};

    return vsm_graph_node(graph, "HardSigmoid", &x, 1, attrs, 2);
}

vsm_value vsm_tfjs_layers_activate(const struct vsm_tfjs_layers *layers, vsm_value x,
                                   enum vsm_fused_activation activation)
{
    struct vsm_graph *graph = layers->graph;

    switch (activation) {
    case VSM_FUSED_RELU:
        return vsm_graph_op(graph, "Relu", x);
    case VSM_FUSED_RELU6:
        return vsm_graph_op(graph, "Clip", x, vsm_graph_scalar(graph, 0.0f), vsm_graph_scalar(graph, 6.0f));
    case VSM_FUSED_HARDSWISH:
        return vsm_graph_op(graph, "Mul", x, hard_sigmoid(graph, x));
    case VSM_FUSED_SIGMOID:
        return vsm_graph_op(graph, "Sigmoid", x);
    case VSM_FUSED_TANH:
        return vsm_graph_op(graph, "Tanh", x);
    case VSM_FUSED_HARDSIGMOID:
        return hard_sigmoid(graph, x);
    case VSM_FUSED_NONE:
        break;
    }
    return x;
}
