#include "cuda/refine.h"

#include "cuda/check.cuh"

#define THREADS_X 32
#define THREADS_Y 8

/* The eight maps at one point: A, then b, of R, G, B, alpha. */
struct __align__(16) maps {
    float a[4], b[4];
};

/* Between grid cells low and high, `share` of the way. `centre` and `extent` in half and whole
 * samples of the eye. */
struct spot {
    int at; /* of low, -1 before the first */
    int low, high;
    float share;
};

static __device__ __forceinline__ struct spot locate(int centre, int extent, int cells)
{
    const int scaled = centre * cells - extent, unit = 2 * extent;
    const int at = scaled < 0 ? -1 : scaled / unit;
    struct spot s;

    s.share = (float)(scaled - at * unit) / (float)unit;
    s.at = at;
    s.low = max(at, 0);
    s.high = min(at + 1, cells - 1);
    return s;
}

static __device__ __forceinline__ float4 lerp(float4 a, float4 b, float t)
{
    return make_float4(a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z), a.w + t * (b.w - a.w));
}

static __device__ __forceinline__ struct maps interpolate(const struct vsm_cuda_refine_maps &v, struct spot x,
                                                          struct spot y)
{
    const float4 *top = (const float4 *)v.fit + (size_t)y.low * v.grid_width * 2;
    const float4 *bottom = (const float4 *)v.fit + (size_t)y.high * v.grid_width * 2;
    struct maps m;

    *(float4 *)m.a = lerp(lerp(__ldg(top + 2 * x.low), __ldg(top + 2 * x.high), x.share),
                          lerp(__ldg(bottom + 2 * x.low), __ldg(bottom + 2 * x.high), x.share), y.share);
    *(float4 *)m.b = lerp(lerp(__ldg(top + 2 * x.low + 1), __ldg(top + 2 * x.high + 1), x.share),
                          lerp(__ldg(bottom + 2 * x.low + 1), __ldg(bottom + 2 * x.high + 1), x.share), y.share);
    return m;
}

static __device__ __forceinline__ float mix(const float w[3], const float m[4])
{
    return w[0] * m[0] + w[1] * m[1] + w[2] * m[2];
}

static __device__ __forceinline__ float read_sample(const struct vsm_cuda_picture &p, int plane, int x, int y)
{
    const uint8_t *row = p.data[plane] + y * p.stride[plane];

    return p.bytes == 1 ? (float)__ldg(row + x) : (float)(__ldg((const uint16_t *)row + x) >> p.shift);
}

static __device__ __forceinline__ void write_code(const struct vsm_cuda_picture &p, int plane, int x, int y, int code)
{
    uint8_t *row = p.data[plane] + y * p.stride[plane];

    if (p.bytes == 1)
        row[x] = (uint8_t)code;
    else
        ((uint16_t *)row)[x] = (uint16_t)(code << p.shift);
}

static __device__ __forceinline__ int code_of(float value, float scale, float offset, int maximum)
{
    return min(max(__float2int_rn(value * scale + offset), 0), maximum);
}

/* Two samples of a row, the second only if `both`. */
static __device__ __forceinline__ void write_pair(const struct vsm_cuda_picture &p, int x, int y, int first,
                                                  int second, bool both)
{
    uint8_t *row = p.data[0] + y * p.stride[0];

    if (!both) {
        write_code(p, 0, x, y, first);
    } else if (p.bytes == 1) {
        *(uchar2 *)(row + x) = make_uchar2((unsigned char)first, (unsigned char)second);
    } else {
        *(ushort2 *)(row + 2 * x) =
            make_ushort2((unsigned short)(first << p.shift), (unsigned short)(second << p.shift));
    }
}

static __device__ __forceinline__ void write_chroma(const struct vsm_cuda_picture &p, int x, int y, int u, int v)
{
    if (p.planes == 3) {
        write_code(p, 1, x, y, u);
        write_code(p, 2, x, y, v);
    } else if (p.bytes == 1) {
        *(uchar2 *)(p.data[1] + y * p.stride[1] + 2 * x) = make_uchar2((unsigned char)u, (unsigned char)v);
    } else {
        *(ushort2 *)(p.data[1] + y * p.stride[1] + 4 * x) =
            make_ushort2((unsigned short)(u << p.shift), (unsigned short)(v << p.shift));
    }
}

/* Two by two luma samples at x, y and their chroma sample, as far as they are in the picture. */
struct block {
    int x, y, columns, rows;
    float alpha[2][2], foreground[2][2], alpha_mean, u, v;
};

static __device__ __forceinline__ void write_background(const struct vsm_cuda_refine_output &o, const struct block &b)
{
    for (int j = 0; j < b.rows; j++)
        write_pair(o.picture, b.x, b.y + j, o.background[0], o.background[0], b.columns == 2);
    if (o.picture.planes > 1)
        write_chroma(o.picture, b.x / 2, b.y / 2, o.background[1], o.background[2]);
}

static __device__ __forceinline__ void write_block(const struct vsm_cuda_refine_output &o, const struct block &b)
{
#pragma unroll
    for (int j = 0; j < 2; j++) {
        int code[2];

        if (j >= b.rows)
            break;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float v = o.matte ? b.alpha[j][i] : o.key_luma + b.alpha[j][i] * (b.foreground[j][i] - o.key_luma);

            code[i] = code_of(v, o.luma_scale, o.luma_offset, o.maximum);
        }
        write_pair(o.picture, b.x, b.y + j, code[0], code[1], b.columns == 2);
    }
    if (o.picture.planes == 1)
        return;
    if (o.matte) {
        write_chroma(o.picture, b.x / 2, b.y / 2, o.background[1], o.background[2]);
        return;
    }
    const float along = b.u * o.direction_u + b.v * o.direction_v;
    const float spill = fmaxf(along, 0) * ((1 - b.alpha_mean) * o.despill);
    const float u = b.u - spill * o.direction_u, v = b.v - spill * o.direction_v;

    write_chroma(o.picture, b.x / 2, b.y / 2,
                 code_of(o.key_u + b.alpha_mean * (u - o.key_u), o.chroma_scale, o.chroma_offset, o.maximum),
                 code_of(o.key_v + b.alpha_mean * (v - o.key_v), o.chroma_scale, o.chroma_offset, o.maximum));
}

/* What alpha and luma need, mixed from a cell's maps. */
static __device__ __forceinline__ float4 luma_of(const struct vsm_cuda_refine &r, float4 a, float4 b)
{
    return make_float4(r.alpha_y * a.w, b.w, r.luma_y[0] * a.x + r.luma_y[1] * a.y + r.luma_y[2] * a.z,
                       r.luma_1[0] * b.x + r.luma_1[1] * b.y + r.luma_1[2] * b.z);
}

/* Maps at the chroma sample and luma planes at the four luma samples. */
struct solution {
    struct maps chroma;
    float4 luma[2][2];
};

/* For grids not finer than the picture: all five points lie between three columns and three rows of cells. */
static __device__ __forceinline__ void gather(const struct vsm_cuda_refine &r, const struct vsm_cuda_refine_maps &v,
                                              const struct spot x[2], const struct spot y[2], struct spot cx,
                                              struct spot cy, struct solution *s)
{
    const int columns[3] = {x[0].low, x[0].high, min(x[0].at + 2, v.grid_width - 1)};
    const int rows[3] = {y[0].low, y[0].high, min(y[0].at + 2, v.grid_height - 1)};
    const bool next_x = x[1].at != x[0].at, next_y = y[1].at != y[0].at;
    const bool chroma_x = cx.at != x[0].at, chroma_y = cy.at != y[0].at;
    float4 luma[3][2], a[3], b[3];

#pragma unroll
    for (int j = 0; j < 3; j++) {
        const float4 *row = (const float4 *)v.fit + (size_t)rows[j] * v.grid_width * 2;
        float4 ca[3], cb[3], l[3];

#pragma unroll
        for (int i = 0; i < 3; i++) {
            ca[i] = __ldg(row + 2 * columns[i]);
            cb[i] = __ldg(row + 2 * columns[i] + 1);
            l[i] = luma_of(r, ca[i], cb[i]);
        }
        luma[j][0] = lerp(l[0], l[1], x[0].share);
        luma[j][1] = next_x ? lerp(l[1], l[2], x[1].share) : lerp(l[0], l[1], x[1].share);
        a[j] = chroma_x ? lerp(ca[1], ca[2], cx.share) : lerp(ca[0], ca[1], cx.share);
        b[j] = chroma_x ? lerp(cb[1], cb[2], cx.share) : lerp(cb[0], cb[1], cx.share);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s->luma[0][i] = lerp(luma[0][i], luma[1][i], y[0].share);
        s->luma[1][i] =
            next_y ? lerp(luma[1][i], luma[2][i], y[1].share) : lerp(luma[0][i], luma[1][i], y[1].share);
    }
    *(float4 *)s->chroma.a = chroma_y ? lerp(a[1], a[2], cy.share) : lerp(a[0], a[1], cy.share);
    *(float4 *)s->chroma.b = chroma_y ? lerp(b[1], b[2], cy.share) : lerp(b[0], b[1], cy.share);
}

static __device__ __forceinline__ void sample_maps(const struct vsm_cuda_refine &r,
                                                   const struct vsm_cuda_refine_view &view, int x, int y,
                                                   struct solution *s)
{
    const struct vsm_cuda_refine_maps &maps = view.maps[0];
    const struct spot sx[2] = {locate(2 * x + 1, view.width, maps.grid_width),
                               locate(2 * x + 3, view.width, maps.grid_width)};
    const struct spot sy[2] = {locate(2 * y + 1, view.height, maps.grid_height),
                               locate(2 * y + 3, view.height, maps.grid_height)};
    const struct spot cx = locate(2 * x + 2, view.width, maps.grid_width);
    const struct spot cy = locate(2 * y + 2, view.height, maps.grid_height);

    if (maps.grid_width <= view.width && maps.grid_height <= view.height) {
        gather(r, maps, sx, sy, cx, cy, s);
        return;
    }
    s->chroma = interpolate(maps, cx, cy);
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++) {
            const struct maps m = interpolate(maps, sx[i], sy[j]);

            s->luma[j][i] = luma_of(r, *(const float4 *)m.a, *(const float4 *)m.b);
        }
}

/* Weight of a view at its very edge, in cells, as in image/refine_warp.c. */
#define EDGE 0.001f

/* Where a turned view's grid sees the point that many half luma samples from the eye's edges, and how far
 * from its own edges that is; weight 0 outside. */
struct reach {
    float x, y, weight;
};

static __device__ __forceinline__ struct reach find(const struct vsm_cuda_refine_maps &v, int x, int y)
{
    const int unit = 2 * v.step, column = min(x / unit, v.columns - 2), row = min(y / unit, v.rows - 2);
    const float fx = (float)(x - unit * column) / (float)unit, fy = (float)(y - unit * row) / (float)unit;
    const float2 *a = (const float2 *)v.nodes + (size_t)row * v.columns + column, *b = a + v.columns;
    const float2 a0 = __ldg(a), a1 = __ldg(a + 1), b0 = __ldg(b), b1 = __ldg(b + 1);
    const float2 left = make_float2(a0.x + fy * (b0.x - a0.x), a0.y + fy * (b0.y - a0.y));
    const float2 right = make_float2(a1.x + fy * (b1.x - a1.x), a1.y + fy * (b1.y - a1.y));
    struct reach p = {left.x + fx * (right.x - left.x), left.y + fx * (right.y - left.y), 0};
    const float across = (float)v.grid_width - p.x, down = (float)v.grid_height - p.y;
    const bool inside = p.x >= 0 && p.y >= 0 && across >= 0 && down >= 0; /* not where a node is NaN */

    p.weight = inside ? fminf(fminf(p.x, across), fminf(p.y, down)) + EDGE : 0;
    return p;
}

static __device__ __forceinline__ int cell_before(float position, int cells, float *fraction)
{
    const float at = fmaxf(fminf(position - 0.5f, (float)(cells - 1)), 0);
    const int cell = min((int)at, cells - 2);

    *fraction = at - (float)cell;
    return cell;
}

/* Maps at a point, views blended by how far from their edges it is; zeros, background, where none looks. */
static __device__ __forceinline__ struct maps turned_maps(const struct vsm_cuda_refine_view &view, int x, int y)
{
    struct maps sum = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    struct reach at[VSM_CUDA_REFINE_WARPS];
    float total = 0;

    for (int k = 0; k < view.map_count; k++) {
        at[k] = find(view.maps[k], x, y);
        total += at[k].weight;
    }
    for (int k = 0; k < view.map_count; k++) {
        const struct vsm_cuda_refine_maps &v = view.maps[k];
        const float weight = at[k].weight / total;
        struct spot sx, sy;

        if (!(at[k].weight > 0))
            continue;
        sx.low = cell_before(at[k].x, v.grid_width, &sx.share);
        sy.low = cell_before(at[k].y, v.grid_height, &sy.share);
        sx.high = sx.low + 1;
        sy.high = sy.low + 1;
        const struct maps m = interpolate(v, sx, sy);

#pragma unroll
        for (int c = 0; c < 4; c++) {
            sum.a[c] += weight * m.a[c];
            sum.b[c] += weight * m.b[c];
        }
    }
    return sum;
}

static __device__ __forceinline__ void sample_turned(const struct vsm_cuda_refine &r,
                                                     const struct vsm_cuda_refine_view &view, int x, int y,
                                                     struct solution *s)
{
    s->chroma = turned_maps(view, 2 * x + 2, 2 * y + 2);
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++) {
            const struct maps m = turned_maps(view, 2 * (x + i) + 1, 2 * (y + j) + 1);

            s->luma[j][i] = luma_of(r, *(const float4 *)m.a, *(const float4 *)m.b);
        }
}

template <bool TURNED>
static __device__ __forceinline__ void solve(const struct vsm_cuda_refine &r, const struct vsm_cuda_refine_view &view,
                                             struct block *b)
{
    struct solution s;
    float luma[2][2], u = 0, v = 0, mean, tint, luma_mean;

    if (TURNED)
        sample_turned(r, view, b->x - view.x, b->y - view.y, &s);
    else
        sample_maps(r, view, b->x - view.x, b->y - view.y, &s);
    if (r.source.planes == 2) {
        u = read_sample(r.source, 1, b->x, b->y / 2) - r.chroma_offset;
        v = read_sample(r.source, 1, b->x + 1, b->y / 2) - r.chroma_offset;
    } else if (r.source.planes == 3) {
        u = read_sample(r.source, 1, b->x / 2, b->y / 2) - r.chroma_offset;
        v = read_sample(r.source, 2, b->x / 2, b->y / 2) - r.chroma_offset;
    }
    mean = r.mean_u * u + r.mean_v * v;
    tint = mix(r.tint_u, s.chroma.a) * u + mix(r.tint_v, s.chroma.a) * v;
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const float4 m = s.luma[j][i];
            /* A sample beyond the edge repeats the last one. */
            const float l = read_sample(r.source, 0, b->x + min(i, b->columns - 1), b->y + min(j, b->rows - 1)) -
                            r.luma_offset;
            const float residual = m.z * l + m.w;
            float a = m.x * (l + mean) + m.y, f = l + (residual + tint);

            a = fminf(fmaxf(a, 0), 1);
            a = a < r.snap ? 0 : a;
            b->alpha[j][i] = a > 1 - r.snap ? 1 : a;
            b->foreground[j][i] = fminf(fmaxf(f, fminf(l, 0)), fmaxf(l, r.luma_range));
            luma[j][i] = l;
        }
    if (b->columns == 1)
        b->alpha[0][1] = b->alpha[0][0], b->alpha[1][1] = b->alpha[1][0];
    if (b->rows == 1)
        b->alpha[1][0] = b->alpha[0][0], b->alpha[1][1] = b->alpha[0][1];
    b->alpha_mean = ((b->alpha[0][0] + b->alpha[1][0]) + (b->alpha[0][1] + b->alpha[1][1])) * 0.25f;
    luma_mean = ((luma[0][0] + luma[1][0]) + (luma[0][1] + luma[1][1])) * 0.25f;
    const float ru = mix(r.chroma_y[0], s.chroma.a) * luma_mean + mix(r.chroma_u[0], s.chroma.a) * u + mix(r.chroma_v[0], s.chroma.a) * v +
                     mix(r.chroma_1[0], s.chroma.b);
    const float rv = mix(r.chroma_y[1], s.chroma.a) * luma_mean + mix(r.chroma_u[1], s.chroma.a) * u + mix(r.chroma_v[1], s.chroma.a) * v +
                     mix(r.chroma_1[1], s.chroma.b);

    b->u = fminf(fmaxf(u + ru, fminf(u, r.chroma_low)), fmaxf(u, r.chroma_high));
    b->v = fminf(fmaxf(v + rv, fminf(v, r.chroma_low)), fmaxf(v, r.chroma_high));
}

template <bool TURNED>
static __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    refine_kernel(const __grid_constant__ struct vsm_cuda_refine r)
{
    struct block b;
    int view = 0;

    b.x = 2 * (int)(blockIdx.x * THREADS_X + threadIdx.x);
    b.y = 2 * (int)(blockIdx.y * THREADS_Y + threadIdx.y);
    if (b.x >= r.width || b.y >= r.height)
        return;
    while (view < r.view_count &&
           (b.x < r.views[view].x || b.x >= r.views[view].x + r.views[view].width || b.y < r.views[view].y ||
            b.y >= r.views[view].y + r.views[view].height))
        view++;
    b.columns = min(2, (view < r.view_count ? r.views[view].x + r.views[view].width : r.width) - b.x);
    b.rows = min(2, (view < r.view_count ? r.views[view].y + r.views[view].height : r.height) - b.y);
    if (view < r.view_count)
        solve<TURNED>(r, r.views[view], &b);
    for (int i = 0; i < r.output_count; i++) {
        if (view < r.view_count)
            write_block(r.outputs[i], b);
        else
            write_background(r.outputs[i], b);
    }
}

int vsm_cuda_refine_run(const struct vsm_cuda_refine *r, struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks((r->width + 1) / 2, THREADS_X), vsm_cuda_blocks((r->height + 1) / 2, THREADS_Y));

    const dim3 block(THREADS_X, THREADS_Y);
    bool turned = false;

    for (int i = 0; i < r->view_count; i++)
        turned = turned || r->views[i].maps[0].nodes;
    if (turned)
        refine_kernel<true><<<grid, block, 0, vsm_cuda_raw(stream)>>>(*r);
    else
        refine_kernel<false><<<grid, block, 0, vsm_cuda_raw(stream)>>>(*r);
    return vsm_cuda_launched("refine");
}

static __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    fade_kernel(const __grid_constant__ struct vsm_cuda_refine_view view, float keep, float *fit)
{
    const int x = (int)(blockIdx.x * THREADS_X + threadIdx.x), y = (int)(blockIdx.y * THREADS_Y + threadIdx.y);

    if (x >= view.width || y >= view.height)
        return;
    const struct maps m = turned_maps(view, 2 * x + 1, 2 * y + 1);
    float4 *to = (float4 *)fit + ((size_t)y * view.width + x) * 2;

    to[0] = lerp(*(const float4 *)m.a, to[0], keep);
    to[1] = lerp(*(const float4 *)m.b, to[1], keep);
}

int vsm_cuda_refine_fade(const struct vsm_cuda_refine_view *view, float keep, float *fit,
                         struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks(view->width, THREADS_X), vsm_cuda_blocks(view->height, THREADS_Y));

    fade_kernel<<<grid, dim3(THREADS_X, THREADS_Y), 0, vsm_cuda_raw(stream)>>>(*view, keep, fit);
    return vsm_cuda_launched("fading views");
}
