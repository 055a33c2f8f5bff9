#include "tools/metrics.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GRAD_SIGMA  1.4
#define GRAD_RADIUS 4 /* where the Gaussian falls below 0.01, as in the benchmark's own code */
#define CONN_STEPS  10
#define CONN_IGNORE 0.15

double vsm_metrics_region(const float *matte, const float *truth, size_t count)
{
    size_t both = 0, either = 0;

    for (size_t i = 0; i < count; i++) {
        bool m = matte[i] > 0.5f, t = truth[i] > 0.5f;

        both += m && t;
        either += m || t;
    }
    return either ? (double)both / (double)either : 1.0;
}

double vsm_metrics_sad(const float *matte, const float *truth, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += fabs((double)matte[i] - truth[i]);
    return sum;
}

double vsm_metrics_mse(const float *matte, const float *truth, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += ((double)matte[i] - truth[i]) * ((double)matte[i] - truth[i]);
    return count ? sum / (double)count : 0.0;
}

double vsm_metrics_dtssd(const float *matte, const float *matte_before, const float *truth,
                         const float *truth_before, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++) {
        double change = ((double)matte[i] - matte_before[i]) - ((double)truth[i] - truth_before[i]);

        sum += change * change;
    }
    return count ? sqrt(sum / (double)count) : 0.0;
}

/* A pixel is on the boundary when its right, lower or lower right neighbour is on the other side. */
static void mark_boundary(const float *matte, int width, int height, uint8_t *boundary)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const float *at = matte + (size_t)y * (size_t)width + x;
            bool right = x + 1 < width, down = y + 1 < height, here = at[0] > 0.5f;

            boundary[at - matte] = (right && (at[1] > 0.5f) != here) ||
                                   (down && (at[width] > 0.5f) != here) ||
                                   (right && down && (at[width + 1] > 0.5f) != here);
        }
    }
}

/* Distance along the column to the nearest boundary pixel, at most `limit` + 1. */
static void column_distances(const uint8_t *boundary, int width, int height, int limit, int *distance)
{
    for (int x = 0; x < width; x++) {
        int last = limit + 1;

        for (int y = 0; y < height; y++) {
            size_t at = (size_t)y * (size_t)width + (size_t)x;

            last = boundary[at] ? 0 : last > limit ? last : last + 1;
            distance[at] = last;
        }
        last = limit + 1;
        for (int y = height - 1; y >= 0; y--) {
            size_t at = (size_t)y * (size_t)width + (size_t)x;

            last = boundary[at] ? 0 : last > limit ? last : last + 1;
            if (last < distance[at])
                distance[at] = last;
        }
    }
}

/* Share of `boundary` pixels that have one of the other boundary within `radius`; *count = their number. */
static double matched_share(const uint8_t *boundary, const int *other_distance, int width, int height,
                            int radius, size_t *count)
{
    size_t matched = 0;

    *count = 0;
    for (int y = 0; y < height; y++) {
        const int *row = other_distance + (size_t)y * (size_t)width;

        for (int x = 0; x < width; x++) {
            int from = x > radius ? x - radius : 0, to = x + radius < width ? x + radius : width - 1;

            if (!boundary[(size_t)y * (size_t)width + (size_t)x])
                continue;
            ++*count;
            for (int n = from; n <= to; n++) {
                if ((n - x) * (n - x) + row[n] * row[n] <= radius * radius) {
                    matched++;
                    break;
                }
            }
        }
    }
    return *count ? (double)matched / (double)*count : 1.0;
}

int vsm_metrics_boundary(const float *matte, const float *truth, int width, int height, double *f)
{
    size_t count = (size_t)width * (size_t)height, matte_count, truth_count;
    int radius = (int)ceil(0.008 * hypot(width, height));
    uint8_t *boundaries = vsm_mem_alloc_raw("boundaries", 2 * count, 1);
    int *distance = vsm_mem_alloc_raw("boundary distances", count, sizeof(*distance));
    double precision, recall;

    if (!boundaries || !distance) {
        vsm_mem_free(boundaries);
        vsm_mem_free(distance);
        return VSM_E_NOMEM;
    }
    mark_boundary(matte, width, height, boundaries);
    mark_boundary(truth, width, height, boundaries + count);
    column_distances(boundaries + count, width, height, radius, distance);
    precision = matched_share(boundaries, distance, width, height, radius, &matte_count);
    column_distances(boundaries, width, height, radius, distance);
    recall = matched_share(boundaries + count, distance, width, height, radius, &truth_count);
    *f = precision + recall > 0.0 ? 2.0 * precision * recall / (precision + recall) : 0.0;
    vsm_mem_free(boundaries);
    vsm_mem_free(distance);
    return VSM_OK;
}

/* One direction of the gradient: `along` differentiates, `across` smooths. step = distance of neighbours. */
static float filter_at(const float *line, int at, int length, ptrdiff_t step, const float *kernel)
{
    float sum = 0.0f;

    for (int k = -GRAD_RADIUS; k <= GRAD_RADIUS; k++) {
        int n = at + k < 0 ? 0 : at + k >= length ? length - 1 : at + k;

        sum += kernel[k + GRAD_RADIUS] * line[n * step];
    }
    return sum;
}

static void make_kernels(float smooth[2 * GRAD_RADIUS + 1], float derive[2 * GRAD_RADIUS + 1])
{
    double smooth_energy = 0.0, derive_energy = 0.0;

    for (int k = -GRAD_RADIUS; k <= GRAD_RADIUS; k++) {
        double g = exp(-k * k / (2.0 * GRAD_SIGMA * GRAD_SIGMA)), d = k * g;

        smooth_energy += g * g;
        derive_energy += d * d;
    }
    for (int k = -GRAD_RADIUS; k <= GRAD_RADIUS; k++) {
        double g = exp(-k * k / (2.0 * GRAD_SIGMA * GRAD_SIGMA));

        smooth[k + GRAD_RADIUS] = (float)(g / sqrt(smooth_energy));
        derive[k + GRAD_RADIUS] = (float)(k * g / sqrt(derive_energy));
    }
}

/* Writes gradient magnitudes of `matte` to `magnitude`; `rows` has room for two pictures. */
static void gradient(const float *matte, int width, int height, float *rows, float *magnitude)
{
    float smooth[2 * GRAD_RADIUS + 1], derive[2 * GRAD_RADIUS + 1];
    size_t count = (size_t)width * (size_t)height;

    make_kernels(smooth, derive);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const float *row = matte + (size_t)y * (size_t)width;
            size_t at = (size_t)y * (size_t)width + (size_t)x;

            rows[at] = filter_at(row, x, width, 1, derive);
            rows[count + at] = filter_at(row, x, width, 1, smooth);
        }
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float dx = filter_at(rows + x, y, height, width, smooth);
            float dy = filter_at(rows + count + x, y, height, width, derive);

            magnitude[(size_t)y * (size_t)width + (size_t)x] = sqrtf(dx * dx + dy * dy);
        }
    }
}

int vsm_metrics_grad(const float *matte, const float *truth, int width, int height, double *sum)
{
    size_t count = (size_t)width * (size_t)height;
    float *work = vsm_mem_alloc_raw("gradients", 4 * count, sizeof(*work));

    if (!work)
        return VSM_E_NOMEM;
    gradient(matte, width, height, work, work + 2 * count);
    gradient(truth, width, height, work, work + 3 * count);
    *sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)work[2 * count + i] - work[3 * count + i];

        *sum += d * d;
    }
    vsm_mem_free(work);
    return VSM_OK;
}

/* Room for finding the largest region. */
struct regions {
    uint8_t *inside; /* 1 = in the set, not visited yet */
    int *stack;      /* pixels found; a region is a stretch of it, in the order of discovery */
    uint8_t *largest;
};

/* Visits the region of `start`; its pixels are appended to the stack at `begin`. Returns its size. */
static int flood(struct regions *r, int start, int begin, int width, int height)
{
    int end = begin;

    r->stack[end++] = start;
    r->inside[start] = 0;
    for (int next = begin; next < end; next++) {
        int at = r->stack[next], x = at % width, y = at / width;
        const int neighbours[4] = {x > 0 ? at - 1 : -1, x + 1 < width ? at + 1 : -1, y > 0 ? at - width : -1,
                                   y + 1 < height ? at + width : -1};

        for (int n = 0; n < 4; n++) {
            if (neighbours[n] >= 0 && r->inside[neighbours[n]]) {
                r->inside[neighbours[n]] = 0;
                r->stack[end++] = neighbours[n];
            }
        }
    }
    return end - begin;
}

/* Marks the largest 4-connected region of `inside` in `largest`. */
static void find_largest(struct regions *r, int width, int height)
{
    int count = width * height, used = 0, best_begin = 0, best_size = 0;

    for (int i = 0; i < count; i++) {
        int size;

        if (!r->inside[i])
            continue;
        size = flood(r, i, used, width, height);
        if (size > best_size) {
            best_begin = used;
            best_size = size;
        }
        used += size;
    }
    memset(r->largest, 0, (size_t)width * (size_t)height);
    for (int i = 0; i < best_size; i++)
        r->largest[r->stack[best_begin + i]] = 1;
}

static double connectivity(double alpha, double level)
{
    double above = alpha - level;

    return above >= CONN_IGNORE ? 1.0 - above : 1.0;
}

int vsm_metrics_conn(const float *matte, const float *truth, int width, int height, double *sum)
{
    size_t count = (size_t)width * (size_t)height;
    struct regions r = {.inside = vsm_mem_alloc_raw("region", count, 1),
                        .stack = vsm_mem_alloc_raw("region pixels", count, sizeof(*r.stack)),
                        .largest = vsm_mem_alloc_raw("largest region", count, 1)};
    int8_t *level = vsm_mem_alloc_raw("connected levels", count, 1);
    int status = r.inside && r.stack && r.largest && level ? VSM_OK : VSM_E_NOMEM;

    if (status == VSM_OK)
        memset(level, -1, count);
    for (int step = 1; status == VSM_OK && step <= CONN_STEPS; step++) {
        float threshold = (float)step / CONN_STEPS;

        for (size_t i = 0; i < count; i++)
            r.inside[i] = matte[i] >= threshold && truth[i] >= threshold;
        find_largest(&r, width, height);
        for (size_t i = 0; i < count; i++) {
            if (level[i] < 0 && !r.largest[i])
                level[i] = (int8_t)(step - 1);
        }
    }
    *sum = 0.0;
    for (size_t i = 0; status == VSM_OK && i < count; i++) {
        double reached = level[i] < 0 ? 1.0 : (double)level[i] / CONN_STEPS;

        *sum += fabs(connectivity(matte[i], reached) - connectivity(truth[i], reached));
    }
    vsm_mem_free(r.inside);
    vsm_mem_free(r.stack);
    vsm_mem_free(r.largest);
    vsm_mem_free(level);
    return status;
}

void vsm_metrics_difference_add(struct vsm_metrics_difference *d, const float *matte, const float *other,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float apart = fminf(fabsf(matte[i] - other[i]), 1.0f);

        d->bins[(size_t)(apart * (VSM_METRICS_DIFFERENCE_BINS - 1) + 0.5f)]++;
        d->sum += apart;
        d->largest = fmaxf(d->largest, apart);
    }
    d->count += count;
}

double vsm_metrics_difference_quantile(const struct vsm_metrics_difference *d, double share)
{
    const double wanted = share * (double)d->count;
    uint64_t passed = 0;
    size_t bin = 0;

    while (bin + 1 < VSM_METRICS_DIFFERENCE_BINS && (double)(passed += d->bins[bin]) < wanted)
        bin++;
    return (double)bin / (VSM_METRICS_DIFFERENCE_BINS - 1);
}
