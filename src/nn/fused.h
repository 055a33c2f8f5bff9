/* Operators of fused graphs: what nn/cuda_net.c executes as one or two kernels each. Values have the logical
 * shapes of the same network in ONNX operators; how they lie in memory is the back end's affair.
 *
 *   vsm:Image      src, mean, gain -> 6 channels: src, (src - mean) * gain
 *   vsm:Halve      x -> means of 2x2 cells
 *   vsm:Conv       weight, bias, residual, gate, squeeze, part0 .. part3 -> act(conv + bias) * gate +
 *                  residual
 *                  The convolution's input is channels firsts[i] .. firsts[i] + counts[i] - 1 of each part,
 *                  one after the other; parts of half the size of the largest are doubled (bilinear,
 *                  half-pixel). squeeze is a factor for each input channel, gate for each output channel,
 *                  both vectors; bias, residual, gate and squeeze are optional. On a vector it is a dense
 *                  layer. With two outputs: the two halves of the output channels. "same" padding.
 *                  Attributes: stride, activation, firsts, counts
 *   vsm:Depthwise  x, weight, bias; attributes: stride, dilation, activation. "same" padding
 *   vsm:FullConv   x, weight, bias, residual -> act(conv + bias) + residual, all in float: 1x1, 3x3 of a
 *                  picture, or 3x3 depthwise; bias and residual (1x1 only) are optional, a residual of half
 *                  the size is doubled. "same" padding, all round or, with stride 2 and `even`, below and to
 *                  the right only. Its input is the source or another one's result, which may be an output of
 *                  the graph. Activations none, ReLU, ReLU6, sigmoid.
 *                  Attributes: depthwise, stride, even, activation
 *   vsm:Gru        x, state, gates' weight and bias (reset, update), candidate's weight and bias -> new state
 *   vsm:Fit        src, matte -> [batch, 8, h, w]; attribute: eps (cuda/fit.h)
 *   GlobalAveragePool x -> a vector
 */
#ifndef VSM_NN_FUSED_H
#define VSM_NN_FUSED_H

#define VSM_FUSED_IMAGE     "vsm:Image"
#define VSM_FUSED_HALVE     "vsm:Halve"
#define VSM_FUSED_CONV      "vsm:Conv"
#define VSM_FUSED_DEPTHWISE "vsm:Depthwise"
#define VSM_FUSED_FULL_CONV "vsm:FullConv"
#define VSM_FUSED_GRU       "vsm:Gru"
#define VSM_FUSED_FIT       "vsm:Fit"
#define VSM_FUSED_MEAN      "GlobalAveragePool"

/* Inputs of vsm:Conv before its parts. */
enum {
    VSM_FUSED_WEIGHT,
    VSM_FUSED_BIAS,
    VSM_FUSED_RESIDUAL,
    VSM_FUSED_GATE,
    VSM_FUSED_SQUEEZE,
    VSM_FUSED_FIRST_PART
};

#define VSM_FUSED_MAX_PARTS 4

/* Attribute "activation". */
enum vsm_fused_activation {
    VSM_FUSED_NONE,
    VSM_FUSED_RELU,
    VSM_FUSED_HARDSWISH,
    VSM_FUSED_SIGMOID,
    VSM_FUSED_TANH,
    VSM_FUSED_HARDSIGMOID,
    VSM_FUSED_RELU6, /* vsm:FullConv only */
};

#endif
