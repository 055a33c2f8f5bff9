#include "models/sam2_build.h"

#include "base/mem.h"
#include "models/sam2_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_SIZE 192

/* Formats a key from the variable arguments after `key`. */
#define FORMAT_KEY(text, key)                                                                                \
    do {                                                                                                     \
        va_list format_arguments;                                                                            \
        va_start(format_arguments, key);                                                                     \
        vsnprintf(text, sizeof(text), key, format_arguments);                                                \
        va_end(format_arguments);                                                                            \
    } while (0)

static void fail(struct vsm_sam2_build *b, int status)
{
    if (b->status)
        return;
    b->status = status;
    b->message = vsm_mem_string("model message", vsm_error_message());
}

void vsm_sam2_build_start(struct vsm_sam2_build *b, const char *name, const struct vsm_weights *weights,
                          const struct vsm_sam2_config *config)
{
    b->weights = weights;
    b->config = config;
    b->graph = vsm_graph_create(name, VSM_SAM2_OPSET);
    if (!b->graph)
        fail(b, VSM_E_NOMEM);
}

int vsm_sam2_build_status(struct vsm_sam2_build *b)
{
    if (b->status && b->message)
        vsm_error_set_message(b->message);
    return b->status ? b->status : vsm_graph_status(b->graph);
}

void vsm_sam2_build_destroy(struct vsm_sam2_build *b)
{
    vsm_graph_destroy(b->graph);
    vsm_mem_free(b->message);
    *b = (struct vsm_sam2_build){0};
}

/* Elements [first, first + used) of the official parameter `key`: which tensor, and where in it. */
struct place {
    const struct vsm_weight *weight;
    int64_t first;
    bool regrouped; /* the file cuts this parameter differently */
};

static struct place lookup(const struct vsm_sam2_build *b, const char *key, int64_t first)
{
    struct place place = {.first = first};
    char other[KEY_SIZE];

    if (!b->config->hugging_face) {
        place.weight = vsm_weights_find(b->weights, key);
        return place;
    }
    place.regrouped = vsm_sam2_names_transformers(key, b->config->family == VSM_SAM2_EDGETAM, &place.first,
                                                  other, sizeof(other));
    place.weight = vsm_weights_find(b->weights, other);
    return place;
}

/* As lookup(), with the sizes checked: the parameter has `count` elements. weight is NULL after a failure. */
static struct place find(struct vsm_sam2_build *b, int64_t count, int64_t first, int64_t used,
                         const char *key)
{
    struct place place = {0};
    int64_t there;

    if (b->status)
        return place;
    place = lookup(b, key, first);
    there = place.weight ? vsm_weight_count(place.weight) : 0;
    if (!place.weight)
        fail(b, vsm_fail(VSM_E_MODEL, "%s: tensor %s of %s is missing; not a complete checkpoint",
                         vsm_weights_path(b->weights), key, b->config->name));
    else if (place.regrouped ? there - place.first < used : there != count)
        fail(b, vsm_fail(VSM_E_MODEL, "%s: tensor %s has %lld elements where %s has %lld",
                         vsm_weights_path(b->weights), key, (long long)there, b->config->name,
                         (long long)count));
    if (b->status)
        place.weight = NULL;
    return place;
}

/* Elements [first, first + used) as float32 in memory of its own. */
static float *read_f32(struct vsm_sam2_build *b, struct place place, int64_t used)
{
    int64_t count = place.weight ? vsm_weight_count(place.weight) : 0;
    float *data = place.weight ? vsm_mem_alloc_raw("model parameter", (size_t)count, sizeof(*data)) : NULL;

    if (data) {
        vsm_weight_read_f32(place.weight, data);
        memmove(data, data + place.first, (size_t)used * sizeof(*data));
    } else if (place.weight) {
        fail(b, VSM_E_NOMEM);
    }
    return data;
}

float *vsm_sam2_build_read(struct vsm_sam2_build *b, int64_t count, const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    return read_f32(b, find(b, count, 0, count, text), count);
}

static int64_t product(int rank, const int64_t *dims)
{
    int64_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= dims[i];
    return n;
}

/* Elements from `first` on of a parameter of `count` elements, as many as the given shape has. */
static vsm_value constant_of(struct vsm_sam2_build *b, int64_t count, int64_t first, int rank,
                             const int64_t *dims, const char *key)
{
    struct place place = find(b, count, first, product(rank, dims), key);
    const float *at;
    float *copy;
    vsm_value v;

    if (!place.weight)
        return VSM_VALUE_NONE;
    at = (const float *)place.weight->data + place.first;
    if (place.weight->dtype == VSM_F32 && vsm_weight_packed(place.weight) &&
        (uintptr_t)at % sizeof(float) == 0)
        return vsm_graph_weight(b->graph, VSM_F32, rank, dims, at);
    copy = read_f32(b, place, product(rank, dims));
    v = copy ? vsm_graph_weight_copy(b->graph, VSM_F32, rank, dims, copy) : VSM_VALUE_NONE;
    vsm_mem_free(copy);
    return v;
}

vsm_value vsm_sam2_build_weight(struct vsm_sam2_build *b, int rank, const int64_t *dims, const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    return constant_of(b, product(rank, dims), 0, rank, dims, text);
}

vsm_value vsm_sam2_build_rows(struct vsm_sam2_build *b, int64_t all, int64_t columns, int64_t first,
                              int64_t rows, const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    if (columns == 1)
        return constant_of(b, all, first, 1, &rows, text);
    return constant_of(b, all * columns, first * columns, 2, VSM_DIMS(rows, columns), text);
}

vsm_value vsm_sam2_build_constant(struct vsm_sam2_build *b, int rank, const int64_t *dims, const float *data)
{
    if (!b->status && !data)
        fail(b, VSM_E_NOMEM);
    return b->status ? VSM_VALUE_NONE : vsm_graph_weight_copy(b->graph, VSM_F32, rank, dims, data);
}

static vsm_value node(struct vsm_sam2_build *b, const char *op, const vsm_value *inputs, size_t input_count,
                      const struct vsm_attr *attrs, size_t attr_count)
{
    return b->status ? VSM_VALUE_NONE : vsm_graph_node(b->graph, op, inputs, input_count, attrs, attr_count);
}

vsm_value vsm_sam2_build_gemm(struct vsm_sam2_build *b, vsm_value x, vsm_value weight, vsm_value bias)
{
    const vsm_value inputs[] = {x, weight, bias};
    const struct vsm_attr attr = VSM_ATTR_I("transB", 1);

    return node(b, "Gemm", inputs, bias == VSM_VALUE_NONE ? 2 : 3, &attr, 1);
}

static vsm_value linear(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, bool has_bias,
                        const char *key)
{
    vsm_value weight = vsm_sam2_build_weight(b, 2, VSM_DIMS(out, in), "%s.weight", key);
    vsm_value bias = has_bias ? vsm_sam2_build_weight(b, 1, &out, "%s.bias", key) : VSM_VALUE_NONE;

    return vsm_sam2_build_gemm(b, x, weight, bias);
}

vsm_value vsm_sam2_build_linear(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    return linear(b, x, in, out, true, text);
}

vsm_value vsm_sam2_build_linear_no_bias(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                        const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    return linear(b, x, in, out, false, text);
}

vsm_value vsm_sam2_build_matmul(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                const char *key, ...)
{
    char text[KEY_SIZE];
    vsm_value weight = VSM_VALUE_NONE, bias;
    float *w, *turned;

    FORMAT_KEY(text, key);
    w = vsm_sam2_build_read(b, in * out, "%s.weight", text);
    turned = vsm_mem_alloc_raw("model parameter", (size_t)(in * out), sizeof(*turned));
    for (int64_t i = 0; w && turned && i < in; i++)
        for (int64_t o = 0; o < out; o++)
            turned[i * out + o] = w[o * in + i];
    weight = vsm_sam2_build_constant(b, 2, VSM_DIMS(in, out), turned);
    bias = vsm_sam2_build_weight(b, 1, &out, "%s.bias", text);
    vsm_mem_free(w);
    vsm_mem_free(turned);
    return vsm_sam2_build_add(b, node(b, "MatMul", (const vsm_value[]){x, weight}, 2, NULL, 0), bias);
}

vsm_value vsm_sam2_build_norm(struct vsm_sam2_build *b, vsm_value x, int64_t dim, float epsilon,
                              const char *key, ...)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_I("axis", -1), VSM_ATTR_F("epsilon", epsilon)};
    char text[KEY_SIZE];
    vsm_value inputs[3] = {x};

    FORMAT_KEY(text, key);
    inputs[1] = vsm_sam2_build_weight(b, 1, &dim, "%s.weight", text);
    inputs[2] = vsm_sam2_build_weight(b, 1, &dim, "%s.bias", text);
    return node(b, "LayerNormalization", inputs, 3, attrs, 2);
}

vsm_value vsm_sam2_build_conv_values(struct vsm_sam2_build *b, vsm_value x, vsm_value weight, vsm_value bias,
                                     int kernel, int stride, int groups)
{
    const int64_t pad = kernel == stride ? 0 : kernel / 2;
    const int64_t kernels[] = {kernel, kernel}, strides[] = {stride, stride}, pads[] = {pad, pad, pad, pad};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("kernel_shape", kernels, 2),
                                     VSM_ATTR_IS("strides", strides, 2), VSM_ATTR_IS("pads", pads, 4),
                                     VSM_ATTR_I("group", groups)};
    const vsm_value inputs[] = {x, weight, bias};

    return node(b, "Conv", inputs, bias == VSM_VALUE_NONE ? 2 : 3, attrs, 4);
}

vsm_value vsm_sam2_build_conv(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int kernel,
                              int stride, int groups, const char *key, ...)
{
    char text[KEY_SIZE];
    vsm_value weight, bias;

    FORMAT_KEY(text, key);
    weight = vsm_sam2_build_weight(b, 4, VSM_DIMS(out, in / groups, kernel, kernel), "%s.weight", text);
    bias = vsm_sam2_build_weight(b, 1, &out, "%s.bias", text);
    return vsm_sam2_build_conv_values(b, x, weight, bias, kernel, stride, groups);
}

/* KEY.weight [out, in, kernel, kernel] as [out, columns], rows (ky, kx, in), zeros behind. */
static vsm_value patch_weights(struct vsm_sam2_build *b, int64_t in, int64_t out, int64_t taps,
                               int64_t columns, const char *key)
{
    float *from = vsm_sam2_build_read(b, out * in * taps, "%s.weight", key);
    float *to = from ? vsm_mem_alloc("model parameter", (size_t)(out * columns), sizeof(*to)) : NULL;
    vsm_value v;

    for (int64_t i = 0; to && i < out * in * taps; i++)
        to[i / taps / in * columns + i % taps * in + i / taps % in] = from[i];
    v = vsm_sam2_build_constant(b, 2, VSM_DIMS(out, columns), to);
    vsm_mem_free(to);
    vsm_mem_free(from);
    return v;
}

vsm_value vsm_sam2_build_patches(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int kernel,
                                 int stride, int pad, bool planar, const char *key, ...)
{
    const int64_t taps = (int64_t)kernel * kernel, columns = (taps * in + 7) / 8 * 8;
    const struct vsm_attr attrs[] = {VSM_ATTR_I("kernel", kernel), VSM_ATTR_I("stride", stride),
                                     VSM_ATTR_I("pad", pad), VSM_ATTR_I("planar", planar),
                                     VSM_ATTR_I("depth", columns)};
    char text[KEY_SIZE];
    vsm_value weight, bias;

    FORMAT_KEY(text, key);
    weight = patch_weights(b, in, out, taps, columns, text);
    bias = vsm_sam2_build_weight(b, 1, &out, "%s.bias", text);
    return vsm_sam2_build_gemm(b, node(b, "vsm:Unfold", &x, 1, attrs, 5), weight, bias);
}

vsm_value vsm_sam2_build_small(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                               const char *key, ...)
{
    char text[KEY_SIZE];
    vsm_value inputs[3] = {x};

    FORMAT_KEY(text, key);
    inputs[1] = patch_weights(b, in, out, 9, 9 * in, text);
    inputs[2] = vsm_sam2_build_weight(b, 1, &out, "%s.bias", text);
    return node(b, "vsm:SmallConv", inputs, 3, NULL, 0);
}

vsm_value vsm_sam2_build_attention(struct vsm_sam2_build *b, vsm_value q, vsm_value k, vsm_value v, int heads)
{
    const struct vsm_attr attr = VSM_ATTR_I("num_heads", heads);

    return node(b, "com.microsoft:MultiHeadAttention", (const vsm_value[]){q, k, v}, 3, &attr, 1);
}

vsm_value vsm_sam2_build_mlp(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t hidden, int64_t out,
                             int layers, const char *key, ...)
{
    char text[KEY_SIZE];

    FORMAT_KEY(text, key);
    for (int i = 0; i < layers; i++) {
        if (i > 0)
            x = vsm_sam2_build_relu(b, x);
        x = vsm_sam2_build_linear(b, x, i ? hidden : in, i + 1 < layers ? hidden : out, "%s.layers.%d", text,
                                  i);
    }
    return x;
}

vsm_value vsm_sam2_build_reshape(struct vsm_sam2_build *b, vsm_value x, int rank, const int64_t *dims)
{
    vsm_value shape = b->status ? VSM_VALUE_NONE : vsm_graph_ints(b->graph, dims, (size_t)rank);

    return node(b, "Reshape", (const vsm_value[]){x, shape}, 2, NULL, 0);
}

vsm_value vsm_sam2_build_transpose(struct vsm_sam2_build *b, vsm_value x, int rank, const int64_t *order)
{
    const struct vsm_attr attr = VSM_ATTR_IS("perm", order, (size_t)rank);

    return node(b, "Transpose", &x, 1, &attr, 1);
}

vsm_value vsm_sam2_build_concat(struct vsm_sam2_build *b, vsm_value first, vsm_value second, int axis)
{
    const struct vsm_attr attr = VSM_ATTR_I("axis", axis);

    return node(b, "Concat", (const vsm_value[]){first, second}, 2, &attr, 1);
}

vsm_value vsm_sam2_build_slice(struct vsm_sam2_build *b, vsm_value x, int64_t axis, int64_t from, int64_t to)
{
    vsm_value inputs[4] = {x};

    if (b->status)
        return VSM_VALUE_NONE;
    inputs[1] = vsm_graph_ints(b->graph, &from, 1);
    inputs[2] = vsm_graph_ints(b->graph, &to, 1);
    inputs[3] = vsm_graph_ints(b->graph, &axis, 1);
    return node(b, "Slice", inputs, 4, NULL, 0);
}

vsm_value vsm_sam2_build_pad(struct vsm_sam2_build *b, vsm_value x, int64_t rows)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, rows, rows, 0};
    vsm_value amount = b->status ? VSM_VALUE_NONE : vsm_graph_ints(b->graph, pads, 8);

    return node(b, "Pad", (const vsm_value[]){x, amount}, 2, NULL, 0);
}

vsm_value vsm_sam2_build_max_pool(struct vsm_sam2_build *b, vsm_value x, int64_t height, int64_t width,
                                  int64_t channels)
{
    const int64_t two[] = {2, 2};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("kernel_shape", two, 2), VSM_ATTR_IS("strides", two, 2)};

    x = vsm_sam2_build_to_nchw(b, x, height, width, channels);
    x = node(b, "MaxPool", &x, 1, attrs, 2);
    return vsm_sam2_build_to_tokens(b, x, channels);
}

vsm_value vsm_sam2_build_to_nchw(struct vsm_sam2_build *b, vsm_value tokens, int64_t height, int64_t width,
                                 int64_t channels)
{
    tokens = vsm_sam2_build_reshape(b, tokens, 4, VSM_DIMS(-1, height, width, channels));
    return vsm_sam2_build_transpose(b, tokens, 4, VSM_DIMS(0, 3, 1, 2));
}

vsm_value vsm_sam2_build_to_tokens(struct vsm_sam2_build *b, vsm_value nchw, int64_t channels)
{
    nchw = vsm_sam2_build_transpose(b, nchw, 4, VSM_DIMS(0, 2, 3, 1));
    return vsm_sam2_build_flat(b, nchw, channels);
}

vsm_value vsm_sam2_build_batched(struct vsm_sam2_build *b, vsm_value x, int64_t rows, int64_t channels)
{
    return vsm_sam2_build_reshape(b, x, 3, VSM_DIMS(-1, rows, channels));
}

vsm_value vsm_sam2_build_flat(struct vsm_sam2_build *b, vsm_value x, int64_t channels)
{
    return vsm_sam2_build_reshape(b, x, 2, VSM_DIMS(-1, channels));
}

vsm_value vsm_sam2_build_gelu(struct vsm_sam2_build *b, vsm_value x)
{
    return node(b, "Gelu", &x, 1, NULL, 0);
}

vsm_value vsm_sam2_build_relu(struct vsm_sam2_build *b, vsm_value x)
{
    return node(b, "Relu", &x, 1, NULL, 0);
}

vsm_value vsm_sam2_build_add(struct vsm_sam2_build *b, vsm_value x, vsm_value y)
{
    return node(b, "Add", (const vsm_value[]){x, y}, 2, NULL, 0);
}

vsm_value vsm_sam2_build_cast(struct vsm_sam2_build *b, vsm_value x, int type)
{
    const struct vsm_attr attr = VSM_ATTR_I("to", type);

    return node(b, "Cast", &x, 1, &attr, 1);
}

void vsm_sam2_build_input(struct vsm_sam2_build *b, vsm_value *value, const char *name, int rank,
                          const int64_t *dims)
{
    *value = b->status ? VSM_VALUE_NONE : vsm_graph_input(b->graph, name, VSM_F32, rank, dims);
}

void vsm_sam2_build_output(struct vsm_sam2_build *b, vsm_value value, const char *name, int rank,
                           const int64_t *dims)
{
    if (!b->status)
        vsm_graph_output(b->graph, value, name, VSM_F32, rank, dims);
}
