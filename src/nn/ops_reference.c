#include "nn/ops_reference.h"

#include "base/mem.h"
#include "nn/graph_half.h"
#include "nn/half.h"

#include <math.h>

static double gelu(double v)
{
    return 0.5 * v * (1 + erf(v * 0.70710678118654752));
}

static double activate(enum vsm_cuda_linear_act act, double v)
{
    switch (act) {
    case VSM_CUDA_LINEAR_RELU:
        return v > 0 ? v : 0;
    case VSM_CUDA_LINEAR_GELU:
        return gelu(v);
    case VSM_CUDA_LINEAR_NONE:
        break;
    }
    return v;
}

void vsm_ops_reference_linear(const struct vsm_cuda_linear_layer *layer, const uint16_t *x,
                              const uint16_t *weights, const void *bias, const float *residual, void *out)
{
    const int64_t in = layer->in, outputs = layer->out;

    for (int64_t i = 0; i < layer->rows * outputs; i++) {
        const int64_t row = i / outputs, o = i % outputs;
        double sum = 0;

        for (int64_t k = 0; k < in; k++)
            sum += (double)vsm_half_to_float(x[row * in + k]) *
                   (double)vsm_half_to_float(weights[layer->by_columns ? k * outputs + o : o * in + k]);
        if (bias)
            sum += layer->full ? (double)((const float *)bias)[o]
                               : (double)vsm_half_to_float(((const uint16_t *)bias)[o]);
        sum = activate(layer->act, sum);
        if (layer->full)
            ((float *)out)[i] = (float)(sum + (residual ? (double)residual[i] : 0));
        else
            ((uint16_t *)out)[i] = vsm_graph_half_from_float((float)sum);
    }
}

void vsm_ops_reference_norm(const struct vsm_cuda_norm *norm, const void *x, const uint16_t *scale,
                            const uint16_t *bias, uint16_t *out)
{
    const float *full = x;
    const uint16_t *half = x;

    for (int64_t row = 0; row < norm->rows; row++) {
        const int64_t at = row * norm->channels;
        double mean = 0, variance = 0;

        for (int i = 0; i < norm->channels; i++)
            mean += (double)(norm->full ? full[at + i] : vsm_half_to_float(half[at + i]));
        mean /= norm->channels;
        for (int i = 0; i < norm->channels; i++) {
            const double d = (double)(norm->full ? full[at + i] : vsm_half_to_float(half[at + i])) - mean;

            variance += d * d;
        }
        variance /= norm->channels;
        for (int i = 0; i < norm->channels; i++) {
            double v = (double)(norm->full ? full[at + i] : vsm_half_to_float(half[at + i])) - mean;

            v = v / sqrt(variance + (double)norm->epsilon) * (double)vsm_half_to_float(scale[i]) +
                (double)vsm_half_to_float(bias[i]);
            out[at + i] = vsm_graph_half_from_float((float)(norm->gelu ? gelu(v) : v));
        }
    }
}

static double number(uint16_t half)
{
    return (double)vsm_half_to_float(half);
}

static uint16_t half_of(double v)
{
    return vsm_graph_half_from_float((float)v);
}

void vsm_ops_reference_finish(const struct vsm_cuda_planes *planes, const uint16_t *x, const uint16_t *bias,
                              const uint16_t *residual, uint16_t *out)
{
    for (int64_t i = 0; i < planes->batch * planes->channels * planes->pixels; i++) {
        const double v = number(x[i]) + number(bias[i / planes->pixels % planes->channels]);

        out[i] = half_of((planes->gelu ? gelu(v) : v) + (residual ? number(residual[i]) : 0));
    }
}

void vsm_ops_reference_means(const struct vsm_cuda_planes *planes, const uint16_t *x, uint16_t *out)
{
    for (int64_t i = 0; i < planes->batch * planes->channels; i++) {
        double sum = 0;

        for (int64_t k = 0; k < planes->pixels; k++)
            sum += number(x[i * planes->pixels + k]);
        out[i] = half_of(sum / (double)planes->pixels);
    }
}

void vsm_ops_reference_pool(int64_t batch, int64_t height, int64_t width, int64_t channels, const uint16_t *x,
                            uint16_t *out)
{
    const int64_t count = batch * (height / 2) * (width / 2) * channels;

    for (int64_t i = 0; i < count; i++) {
        const int64_t channel = i % channels, token = i / channels, row = token / (width / 2);
        const uint16_t *at = x + (2 * row * width + 2 * (token % (width / 2))) * channels + channel;
        const double upper = fmax(number(at[0]), number(at[channels])),
                     lower = fmax(number(at[width * channels]), number(at[(width + 1) * channels]));

        out[i] = half_of(fmax(upper, lower));
    }
}

void vsm_ops_reference_rotate(const struct vsm_cuda_tokens_rotation *rotation, const uint16_t *x,
                              const uint16_t *cosine, const uint16_t *sine, const uint16_t *still,
                              uint16_t *out)
{
    const int64_t channels = rotation->channels, pairs = channels / 2;

    for (int64_t b = 0; b < rotation->batch; b++) {
        for (int64_t i = 0; i < rotation->rows * pairs; i++, x += 2, out += 2) {
            const int64_t at = i / pairs % rotation->period * pairs + i % pairs;
            const double c = number(cosine[at]), s = number(sine[at]);

            out[0] = half_of(number(x[0]) * c - number(x[1]) * s);
            out[1] = half_of(number(x[1]) * c + number(x[0]) * s);
        }
        for (int64_t i = 0; i < rotation->still * channels; i++)
            *out++ = *still++;
    }
}

/* Of patch `row`, number `column`; 0 outside. */
static uint16_t patch_number(const struct vsm_cuda_patches *p, const uint16_t *x, int64_t row, int64_t column)
{
    const int64_t across = vsm_cuda_patches_along(p, p->width), down = vsm_cuda_patches_along(p, p->height),
                  tap = column / p->channels, c = column % p->channels, image = row / across / down,
                  i = row / across % down * p->stride - p->pad + tap / p->kernel,
                  k = row % across * p->stride - p->pad + tap % p->kernel;

    if (tap >= (int64_t)p->kernel * p->kernel || i < 0 || k < 0 || i >= p->height || k >= p->width)
        return 0;
    return p->planar ? x[((image * p->channels + c) * p->height + i) * p->width + k]
                     : x[((image * p->height + i) * p->width + k) * p->channels + c];
}

static int64_t patch_count(const struct vsm_cuda_patches *p)
{
    return p->batch * vsm_cuda_patches_along(p, p->height) * vsm_cuda_patches_along(p, p->width);
}

void vsm_ops_reference_unfold(const struct vsm_cuda_patches *patches, const uint16_t *x, uint16_t *out)
{
    for (int64_t i = 0; i < patch_count(patches) * patches->columns; i++)
        out[i] = patch_number(patches, x, i / patches->columns, i % patches->columns);
}

void vsm_ops_reference_small(const struct vsm_cuda_patches *patches, int64_t outputs, const uint16_t *x,
                             const uint16_t *weights, const uint16_t *bias, uint16_t *out)
{
    for (int64_t i = 0; i < patch_count(patches) * outputs; i++) {
        double sum = number(bias[i % outputs]);

        for (int64_t k = 0; k < patches->columns; k++)
            sum += number(patch_number(patches, x, i / outputs, k)) *
                   number(weights[i % outputs * patches->columns + k]);
        out[i] = half_of(sum);
    }
}

void vsm_ops_reference_depthwise(int64_t batch, int64_t height, int64_t width, int64_t channels,
                                 const uint16_t *x, const uint16_t *weights, const uint16_t *bias,
                                 uint16_t *out)
{
    const struct vsm_cuda_patches p = {.batch = batch,
                                       .height = height,
                                       .width = width,
                                       .channels = channels,
                                       .kernel = 7,
                                       .stride = 1,
                                       .pad = 3,
                                       .columns = 49 * channels};

    for (int64_t i = 0; i < batch * height * width * channels; i++) {
        const int64_t c = i % channels;
        double sum = number(bias[c]);

        for (int64_t tap = 0; tap < 49; tap++)
            sum += number(patch_number(&p, x, i / channels, tap * channels + c)) *
                   number(weights[tap * channels + c]);
        out[i] = half_of(sum);
    }
}

static int attention(int64_t batch, int64_t queries, int64_t keys, int dim, int values, const uint16_t *q,
                     const uint16_t *k, const uint16_t *v, uint16_t *out)
{
    double *weights = vsm_mem_alloc("attention", (size_t)keys, sizeof(*weights));

    if (!weights)
        return VSM_E_NOMEM;
    for (int64_t row = 0; row < batch * queries; row++) {
        const uint16_t *own_keys = k + row / queries * keys * dim,
                       *own_values = v + row / queries * keys * values;
        double largest = -INFINITY, sum = 0;

        for (int64_t i = 0; i < keys; i++) {
            weights[i] = 0;
            for (int c = 0; c < dim; c++)
                weights[i] += number(q[row * dim + c]) * number(own_keys[i * dim + c]);
            weights[i] /= sqrt((double)dim);
            largest = fmax(largest, weights[i]);
        }
        for (int64_t i = 0; i < keys; i++)
            sum += weights[i] = exp(weights[i] - largest);
        for (int c = 0; c < values; c++) {
            double total = 0;

            for (int64_t i = 0; i < keys; i++)
                total += weights[i] * number(own_values[i * values + c]);
            out[row * values + c] = half_of(total / sum);
        }
    }
    vsm_mem_free(weights);
    return VSM_OK;
}

int vsm_ops_reference_attention(int64_t batch, int64_t queries, int64_t keys, const uint16_t *q,
                                const uint16_t *k, const uint16_t *v, uint16_t *out)
{
    return attention(batch, queries, keys, VSM_CUDA_ATTENTION_DIM, VSM_CUDA_ATTENTION_VALUES, q, k, v, out);
}

int vsm_ops_reference_latent(int64_t groups, int64_t rows, const uint16_t *q, const uint16_t *k,
                             const uint16_t *v, uint16_t *out)
{
    return attention(groups, 1, rows, VSM_CUDA_TOKENS_LATENT, VSM_CUDA_TOKENS_LATENT, q, k, v, out);
}
