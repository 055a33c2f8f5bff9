#include "cuda/conv.h"

#include "cuda/check.cuh"

#include <string.h>

#define THREADS 128
#define TILE_X  16 /* output columns of a 3x3 tile: one row of a matrix instruction */
#define TILE_Y  8
#define PIXELS  (TILE_X * TILE_Y)
#define MTILES  2   /* matrix rows of 16 pixels a warp */
#define FULL    264 /* blocks that occupy the largest devices: two for each multiprocessor */
#define ENTRY   8   /* bytes of packed weights a lane reads for one matrix instruction */
#define BLOCK_K 256 /* bytes of packed weights of 16 input and 8 output channels */

static int steps_of(int channels)
{
    return (channels + 15) / 16;
}

size_t vsm_cuda_conv_weight_bytes(int size, int in_channels, int out_channels)
{
    return (size_t)(out_channels / 8) * (size_t)steps_of(in_channels) * (size_t)(size * size) * BLOCK_K;
}

/* Lane l holds output channel l / 4 and input channels 2 (l % 4) + {0, 1, 8, 9} of each 16x8 block (PTX ISA,
 * matrix fragments of mma.m16n8k16). Blocks in the order output, input, tap. */
void vsm_cuda_conv_pack(int size, int in_channels, int out_channels, const float *weights, void *packed)
{
    __half *to = (__half *)packed;
    int taps = size * size, steps = steps_of(in_channels);

    for (int n8 = 0; n8 < out_channels / 8; n8++)
        for (int s = 0; s < steps; s++)
            for (int t = 0; t < taps; t++)
                for (int lane = 0; lane < 32; lane++)
                    for (int e = 0; e < 4; e++) {
                        int n = n8 * 8 + lane / 4, k = s * 16 + 2 * (lane % 4) + (e & 1) + 8 * (e >> 1);
                        float w = k < in_channels ? weights[((size_t)n * (size_t)in_channels + (size_t)k) *
                                                                (size_t)taps +
                                                            (size_t)t]
                                                  : 0;

                        *to++ = __float2half(w);
                    }
}

struct args {
    struct vsm_cuda_conv c;
    int out_height, out_width, in_channels, steps, tiles_x;
};

static __device__ __forceinline__ float activate(float v, int act)
{
    switch (act) {
    case VSM_CUDA_ACT_RELU:
        return fmaxf(v, 0);
    case VSM_CUDA_ACT_HARDSWISH:
        return v * __saturatef(v * (1.0f / 6.0f) + 0.5f);
    case VSM_CUDA_ACT_SIGMOID:
        return 1.0f / (1.0f + __expf(-v));
    case VSM_CUDA_ACT_TANH:
        return 2.0f / (1.0f + __expf(-2.0f * v)) - 1.0f;
    case VSM_CUDA_ACT_HARDSIGMOID:
        return __saturatef(v * (1.0f / 6.0f) + 0.5f);
    default:
        return v;
    }
}

/* 16 bytes to shared memory, zeros if not `valid`. */
static __device__ __forceinline__ void copy_async(unsigned to, const void *from, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0));
}

static __device__ __forceinline__ void matrix_load(unsigned a[4], unsigned from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
                 : "r"(from));
}

static __device__ __forceinline__ void multiply(float d[4], const unsigned a[4], uint2 b)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

static __device__ __forceinline__ __half2 *at(const struct vsm_cuda_view &view, size_t pixel, int n)
{
    return (__half2 *)((__half *)view.data + pixel * (size_t)view.pitch + n);
}

/* Adds the bias and activates; the choice is outside the loops. */
template <int NT> static __device__ __forceinline__ void activate_all(const struct args &a, float sum[MTILES][NT][4])
{
#pragma unroll
    for (int nt = 0; nt < NT; nt++) {
        const int n = min(((int)blockIdx.y * NT + nt) * 8, a.c.out_channels - 8) + (threadIdx.x & 3) * 2;
        const float2 bias = __ldg((const float2 *)(a.c.bias + n));

#pragma unroll
        for (int m = 0; m < MTILES; m++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sum[m][nt][i] += i & 1 ? bias.y : bias.x;
    }
#define ALL(f)                                                                                                       \
    _Pragma("unroll") for (int m = 0; m < MTILES; m++) _Pragma("unroll") for (int nt = 0; nt < NT; nt++)             \
        _Pragma("unroll") for (int i = 0; i < 4; i++) sum[m][nt][i] = activate(sum[m][nt][i], f)
    switch (a.c.act) {
    case VSM_CUDA_ACT_NONE:
        break;
    case VSM_CUDA_ACT_RELU:
        ALL(VSM_CUDA_ACT_RELU);
        break;
    case VSM_CUDA_ACT_HARDSWISH:
        ALL(VSM_CUDA_ACT_HARDSWISH);
        break;
    case VSM_CUDA_ACT_SIGMOID:
        ALL(VSM_CUDA_ACT_SIGMOID);
        break;
    case VSM_CUDA_ACT_TANH:
        ALL(VSM_CUDA_ACT_TANH);
        break;
    default:
        ALL(VSM_CUDA_ACT_HARDSIGMOID);
    }
#undef ALL
}

/* Values of output channels n, n + 1 at one pixel: `cell` within the image, `pixel` within the batch. */
static __device__ __forceinline__ void finish(const struct args &a, int image, size_t cell, size_t pixel, int n,
                                              float v0, float v1)
{
    const struct vsm_cuda_conv &c = a.c;
    size_t plane = (size_t)a.out_height * (size_t)a.out_width;
    int half = c.out.channels, m = n < half ? n : n - half;
    const float *s = c.state + ((size_t)image * c.state_channels + m) * plane + cell;
    float s0 = m < c.state_channels ? s[0] : 0, s1 = m + 1 < c.state_channels ? s[plane] : 0;
    __half2 *update = (__half2 *)((__half *)c.update + pixel * (size_t)half + m);

    if (c.after == VSM_CUDA_AFTER_GATES) {
        if (n < half)
            *at(c.out, pixel, n) = __floats2half2_rn(v0 * s0, v1 * s1);
        else
            *update = __floats2half2_rn(v0, v1);
        return;
    }
    float2 z = __half22float2(*update);
    float *next = c.next + ((size_t)image * c.state_channels + m) * plane + cell;

    s0 += z.x * (v0 - s0);
    s1 += z.y * (v1 - s1);
    if (m < c.state_channels)
        next[0] = s0;
    else
        s0 = 0;
    if (m + 1 < c.state_channels)
        next[plane] = s1;
    else
        s1 = 0;
    if (!isfinite(s0 + s1))
        c.bad[image] = 1;
    *at(c.out, pixel, n) = __floats2half2_rn(s0, s1);
}

/* A row of the tile: gate, residual, and stores of 32 bytes a pixel, for which neighbours exchange their
 * parts of two blocks of 8 channels. All lanes of a warp come here together. */
template <int NT>
static __device__ __forceinline__ void store_row(const struct args &a, size_t pixel, bool valid,
                                                 float (*sum)[4], int h)
{
    const struct vsm_cuda_conv &c = a.c;
    const int lane = threadIdx.x & 31, quarter = lane & 3, from = (lane & ~3) | 2 * (quarter & 1);
    const int blocks = c.out_channels / 8, first = (int)blockIdx.y * NT;
    unsigned packed[NT];

#pragma unroll
    for (int nt = 0; nt < NT; nt++) {
        const int n = min(first + nt, blocks - 1) * 8 + quarter * 2;
        float v0 = sum[nt][2 * h], v1 = sum[nt][2 * h + 1];

        if (c.gate) {
            const float2 g = __ldg((const float2 *)(c.gate + blockIdx.z * c.out_channels + n));

            v0 *= g.x;
            v1 *= g.y;
        }
        if (c.residual.data && valid) {
            const float2 r = __half22float2(*at(c.residual, pixel, n));

            v0 += r.x;
            v1 += r.y;
        }
        const __half2 both = __floats2half2_rn(v0, v1);

        packed[nt] = *(const unsigned *)&both;
    }
#pragma unroll
    for (int nt = 0; nt + 1 < NT; nt += 2) {
        const unsigned low0 = __shfl_sync(0xffffffff, packed[nt], from);
        const unsigned high0 = __shfl_sync(0xffffffff, packed[nt], from + 1);
        const unsigned low1 = __shfl_sync(0xffffffff, packed[nt + 1], from);
        const unsigned high1 = __shfl_sync(0xffffffff, packed[nt + 1], from + 1);
        const int block = first + nt + (quarter >> 1);

        if (valid && block < blocks)
            *(uint2 *)at(c.out, pixel, block * 8 + (quarter & 1) * 4) =
                quarter >> 1 ? make_uint2(low1, high1) : make_uint2(low0, high0);
    }
    if (NT % 2 && valid && first + NT - 1 < blocks)
        *(unsigned *)at(c.out, pixel, (first + NT - 1) * 8 + quarter * 2) = packed[NT - 1];
}

/* Four sums over the 16 channels of a pixel, which lie with four lanes. */
static __device__ __forceinline__ void project_row(const struct args &a, size_t pixel, bool valid, float (*sum)[4],
                                                   int h)
{
    const int quarter = threadIdx.x & 3;
    float out[4];

#pragma unroll
    for (int o = 0; o < 4; o++) {
        const float *w = a.c.project + o * 16 + quarter * 2;

        out[o] = __ldg(w) * sum[0][2 * h] + __ldg(w + 1) * sum[0][2 * h + 1] + __ldg(w + 8) * sum[1][2 * h] +
                 __ldg(w + 9) * sum[1][2 * h + 1];
        out[o] += __shfl_xor_sync(0xffffffff, out[o], 1);
        out[o] += __shfl_xor_sync(0xffffffff, out[o], 2);
        out[o] += __ldg(a.c.project_bias + o);
    }
    if (valid && quarter == 0)
        *(float4 *)(a.c.out32 + pixel * 4) = make_float4(out[0], out[1], out[2], out[3]);
}

/* SIZE 1: the image is one row of pixels and a tile PIXELS of them. */
template <int SIZE, int STRIDE> struct tile {
    static constexpr int taps = SIZE * SIZE, pad = SIZE / 2;
    static constexpr int width = SIZE == 1 ? PIXELS : (TILE_X - 1) * STRIDE + SIZE;
    static constexpr int height = SIZE == 1 ? 1 : (TILE_Y - 1) * STRIDE + SIZE;
};

/* STEPS * 16 input channels at a time. Rows of STEPS * 32 + 16 bytes: ldmatrix meets no bank twice. */
template <int SIZE, int STRIDE, int NT, int STEPS> struct stage {
    static constexpr int pitch = STEPS * 32 + 16;
    static constexpr int input = tile<SIZE, STRIDE>::width * tile<SIZE, STRIDE>::height * pitch;
    static constexpr int weights = NT * STEPS * tile<SIZE, STRIDE>::taps * BLOCK_K;
    static constexpr int bytes = input + weights;
    static constexpr int depth = SIZE == 1 ? 4 : 2; /* pieces in shared memory at a time */
};

template <int SIZE, int STRIDE, int NT, int STEPS>
static __device__ __forceinline__ void load_stage(const struct args &a, unsigned shared, int chunk)
{
    typedef tile<SIZE, STRIDE> T;
    typedef stage<SIZE, STRIDE, NT, STEPS> S;
    const struct vsm_cuda_conv &c = a.c;
    const int image = blockIdx.z, plane = c.height * c.width;
    const int x0 = (int)(blockIdx.x % a.tiles_x) * TILE_X * STRIDE - T::pad;
    const int y0 = (int)(blockIdx.x / a.tiles_x) * TILE_Y * STRIDE - T::pad;

    for (int u = threadIdx.x; u < T::width * T::height * STEPS * 2; u += THREADS) {
        int p = u / (STEPS * 2), q = u % (STEPS * 2), channel = chunk * STEPS * 16 + q * 8, cell;
        bool valid = channel < a.in_channels;
        const __half *from;

        if (SIZE == 1) {
            cell = (int)blockIdx.x * PIXELS + p;
            valid = valid && cell < plane;
        } else {
            int y = y0 + p / T::width, x = x0 + p % T::width;

            cell = y * c.width + x;
            valid = valid && y >= 0 && y < c.height && x >= 0 && x < c.width;
        }
        if (channel < c.in[0].channels)
            from = (const __half *)c.in[0].data + ((size_t)image * plane + cell) * c.in[0].pitch + channel;
        else
            from = (const __half *)c.in[1].data + ((size_t)image * plane + cell) * c.in[1].pitch + channel -
                   c.in[0].channels;
        copy_async(shared + p * S::pitch + q * 16, valid ? from : (const __half *)c.in[0].data, valid);
    }
    const char *weights = (const char *)c.weights + image * c.weights_step;
    const int last = c.out_channels / 8 - 1;
    const int present = min(STEPS, a.steps - chunk * STEPS);

    for (int u = threadIdx.x; u < NT * present * T::taps * (BLOCK_K / 16); u += THREADS) {
        int nt = u / (present * T::taps * (BLOCK_K / 16)), rest = u % (present * T::taps * (BLOCK_K / 16));
        int n8 = min((int)blockIdx.y * NT + nt, last);

        copy_async(shared + S::input + nt * STEPS * T::taps * BLOCK_K + rest * 16,
                   weights + ((size_t)n8 * a.steps + chunk * STEPS) * T::taps * BLOCK_K + rest * 16, true);
    }
}

template <int SIZE, int STRIDE, int NT, int STEPS>
static __device__ __forceinline__ void multiply_stage(const struct args &a, unsigned shared, const char *memory,
                                                      int chunk, float sum[MTILES][NT][4])
{
    typedef tile<SIZE, STRIDE> T;
    typedef stage<SIZE, STRIDE, NT, STEPS> S;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    unsigned rows[MTILES];

#pragma unroll
    for (int m = 0; m < MTILES; m++) {
        int first = SIZE == 1 ? warp * 32 + m * 16 : (warp * MTILES + m) * STRIDE * T::width;

        rows[m] = shared + (first + (lane & 15) * STRIDE) * S::pitch + (lane >> 4) * 16;
    }
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
        if (chunk * STEPS + s >= a.steps)
            break;
#pragma unroll
        for (int t = 0; t < T::taps; t++) {
            unsigned in[MTILES][4];
            const int tap = (t / SIZE) * T::width + t % SIZE;

#pragma unroll
            for (int m = 0; m < MTILES; m++)
                matrix_load(in[m], rows[m] + tap * S::pitch + s * 32);
#pragma unroll
            for (int nt = 0; nt < NT; nt++) {
                uint2 b = *(const uint2 *)(memory + S::input + ((nt * STEPS + s) * T::taps + t) * BLOCK_K +
                                           lane * ENTRY);

#pragma unroll
                for (int m = 0; m < MTILES; m++)
                    multiply(sum[m][nt], in[m], b);
            }
        }
    }
}

template <int SIZE, int STRIDE, int NT, int STEPS>
static __device__ __forceinline__ void store_tile(const struct args &a, float sum[MTILES][NT][4])
{
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const size_t plane = (size_t)a.out_height * (size_t)a.out_width;

    activate_all<NT>(a, sum);
#pragma unroll
    for (int m = 0; m < MTILES; m++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            size_t cell, pixel;
            bool valid;

            if (SIZE == 1) {
                cell = (size_t)blockIdx.x * PIXELS + warp * 32 + m * 16 + h * 8 + lane / 4;
                valid = cell < plane;
            } else {
                int x = (int)(blockIdx.x % a.tiles_x) * TILE_X + h * 8 + lane / 4;
                int y = (int)(blockIdx.x / a.tiles_x) * TILE_Y + warp * MTILES + m;

                cell = (size_t)y * a.out_width + x;
                valid = x < a.out_width && y < a.out_height;
            }
            pixel = blockIdx.z * plane + cell;
            if (a.c.after == VSM_CUDA_AFTER_STORE) {
                store_row<NT>(a, pixel, valid, sum[m], h);
                continue;
            }
            if (a.c.after == VSM_CUDA_AFTER_PROJECT) {
                if (NT == 2)
                    project_row(a, pixel, valid, sum[m], h);
                continue;
            }
#pragma unroll
            for (int nt = 0; nt < NT; nt++) {
                int n = ((int)blockIdx.y * NT + nt) * 8 + (lane & 3) * 2;

                if (!valid || n >= a.c.out_channels)
                    continue;
                if (a.c.after != VSM_CUDA_AFTER_FLOAT)
                    finish(a, blockIdx.z, cell, pixel, n, sum[m][nt][2 * h], sum[m][nt][2 * h + 1]);
                else if (n < 4)
                    *(float2 *)(a.c.out32 + pixel * 4 + n) = make_float2(sum[m][nt][2 * h], sum[m][nt][2 * h + 1]);
            }
        }
}

template <int SIZE, int STRIDE, int NT, int STEPS>
__global__ void __launch_bounds__(THREADS) conv_kernel(const __grid_constant__ struct args a)
{
    typedef stage<SIZE, STRIDE, NT, STEPS> S;
    extern __shared__ __align__(128) char memory[];
    const unsigned shared = (unsigned)__cvta_generic_to_shared(memory);
    const int chunks = (a.steps + STEPS - 1) / STEPS;
    float sum[MTILES][NT][4] = {};

#pragma unroll
    for (int i = 0; i < S::depth - 1; i++) {
        if (i < chunks)
            load_stage<SIZE, STRIDE, NT, STEPS>(a, shared + i * S::bytes, i);
        asm volatile("cp.async.commit_group;");
    }
    for (int i = 0; i < chunks; i++) {
        const int ahead = i + S::depth - 1;

        asm volatile("cp.async.wait_group %0;" ::"n"(S::depth - 2));
        __syncthreads();
        if (ahead < chunks)
            load_stage<SIZE, STRIDE, NT, STEPS>(a, shared + ahead % S::depth * S::bytes, ahead);
        asm volatile("cp.async.commit_group;");
        multiply_stage<SIZE, STRIDE, NT, STEPS>(a, shared + i % S::depth * S::bytes,
                                                memory + i % S::depth * S::bytes, i, sum);
    }
    store_tile<SIZE, STRIDE, NT, STEPS>(a, sum);
}

template <int SIZE, int STRIDE, int NT, int STEPS> static int launch(const struct args *a, cudaStream_t stream)
{
    typedef stage<SIZE, STRIDE, NT, STEPS> S;
    const int chunks = (a->steps + STEPS - 1) / STEPS, bytes = (chunks < S::depth ? chunks : S::depth) * S::bytes;
    const int tiles_y = (a->out_height + TILE_Y - 1) / TILE_Y;
    const unsigned tiles =
        SIZE == 1 ? vsm_cuda_blocks((long long)a->out_height * a->out_width, PIXELS) : (unsigned)(a->tiles_x * tiles_y);
    const dim3 grid(tiles, vsm_cuda_blocks(a->c.out_channels / 8, NT), (unsigned)a->c.batch);
    int status = vsm_cuda_status(cudaFuncSetAttribute(conv_kernel<SIZE, STRIDE, NT, STEPS>,
                                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                      S::depth * S::bytes),
                                 "convolution");

    if (status)
        return status;
    conv_kernel<SIZE, STRIDE, NT, STEPS><<<grid, THREADS, (size_t)bytes, stream>>>(*a);
    return vsm_cuda_launched("convolution");
}

/* Output channels / 8 that a block takes: as few passes over the input and as little waste as possible, but
 * enough blocks to occupy the device. */
static int choose_width(int n8, long long tiles)
{
    static const int widths[] = {1, 2, 3, 4, 5, 6, 8};
    int best = widths[0];
    long long best_cost = 1LL << 60;

    for (int i = 0; i < 7; i++) {
        const long long blocks = (n8 + widths[i] - 1) / widths[i] * tiles;
        const long long cost = (blocks > FULL ? blocks : FULL) * (widths[i] + 2);

        if (cost < best_cost) {
            best = widths[i];
            best_cost = cost;
        }
    }
    return best;
}

template <int SIZE> static int launch_width(const struct args *a, int width, cudaStream_t stream)
{
    switch (width) {
    case 1:
        return launch<SIZE, 1, 1, 2>(a, stream);
    case 2:
        return launch<SIZE, 1, 2, 2>(a, stream);
    case 3:
        return launch<SIZE, 1, 3, 2>(a, stream);
    case 4:
        return launch<SIZE, 1, 4, 2>(a, stream);
    case 5:
        return launch<SIZE, 1, 5, 2>(a, stream);
    case 6:
        return launch<SIZE, 1, 6, 2>(a, stream);
    default:
        return launch<SIZE, 1, 8, 2>(a, stream);
    }
}

int vsm_cuda_conv_run(const struct vsm_cuda_conv *conv, struct vsm_cuda_stream *stream)
{
    struct args a = {};
    int width;

    a.c = *conv;
    a.out_height = (conv->height + conv->stride - 1) / conv->stride;
    a.out_width = (conv->width + conv->stride - 1) / conv->stride;
    a.in_channels = conv->in[0].channels + conv->in[1].channels;
    a.steps = steps_of(a.in_channels);
    a.tiles_x = (a.out_width + TILE_X - 1) / TILE_X;
    width = conv->after == VSM_CUDA_AFTER_PROJECT
                ? 2
                : choose_width(conv->out_channels / 8,
                               (long long)conv->batch * vsm_cuda_blocks((long long)a.out_height * a.out_width, PIXELS));
    if (conv->size == 3 && conv->stride == 2)
        return launch<3, 2, 2, 1>(&a, vsm_cuda_raw(stream));
    if (conv->stride != 1 || (conv->size != 1 && conv->size != 3))
        return vsm_fail(VSM_E_INTERNAL, "CUDA: no convolution of size %d with stride %d", conv->size,
                        conv->stride);
    return conv->size == 3 ? launch_width<3>(&a, width, vsm_cuda_raw(stream))
                           : launch_width<1>(&a, width, vsm_cuda_raw(stream));
}

static __global__ void scale_kernel(const uint2 *packed, int steps, int in_channels, int entries,
                                    const float *gain, uint2 *scaled)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x), image = blockIdx.y;
    int k = i / 32 % steps * 16 + 2 * (i % 4);
    const float *g = gain + (size_t)image * in_channels;
    __half2 b[2];
    float2 v;

    if (i >= entries)
        return;
    *(uint2 *)b = packed[i];
    for (int e = 0; e < 2; e++, k += 8) {
        if (k >= in_channels)
            continue;
        v = __half22float2(b[e]);
        b[e] = __floats2half2_rn(v.x * g[k], v.y * g[k + 1]);
    }
    scaled[(size_t)image * entries + i] = *(uint2 *)b;
}

int vsm_cuda_conv_scale_weights(const void *packed, int in_channels, int out_channels, const float *gain, int batch,
                                void *scaled, struct vsm_cuda_stream *stream)
{
    int entries = (int)(vsm_cuda_conv_weight_bytes(1, in_channels, out_channels) / ENTRY);

    scale_kernel<<<dim3(vsm_cuda_blocks(entries, 256), (unsigned)batch), 256, 0, vsm_cuda_raw(stream)>>>(
        (const uint2 *)packed, steps_of(in_channels), in_channels, entries, gain, (uint2 *)scaled);
    return vsm_cuda_launched("scaling weights");
}
