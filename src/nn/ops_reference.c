#include "nn/ops_reference.h"

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
