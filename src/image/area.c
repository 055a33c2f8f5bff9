#include "image/area.h"

#include "base/mem.h"

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

struct axis {
    int64_t origin, extent, span, cells;
};

/* Overlaps of cell j with the samples, in units of 1/cells luma samples. */
static int average(const struct axis *a, int64_t j, int64_t *first, uint32_t *weight)
{
    int64_t begin = a->origin * a->cells + j * a->extent, end = begin + a->extent, size = a->span * a->cells;
    int64_t last = floor_div(end - 1, size);

    *first = floor_div(begin, size);
    for (int64_t k = *first; k <= last; k++) {
        int64_t from = k * size > begin ? k * size : begin, to = (k + 1) * size < end ? (k + 1) * size : end;

        weight[k - *first] = (uint32_t)(to - from);
    }
    return (int)(last - *first + 1);
}

/* Distances of the centre of cell j from the centres of its two neighbours, in units of 1/(2
 * span cells) samples. */
static int interpolate(const struct axis *a, int64_t j, int64_t *first, uint32_t *weight)
{
    int64_t unit = 2 * a->span * a->cells;
    int64_t position = 2 * a->origin * a->cells + (2 * j + 1) * a->extent - a->span * a->cells;
    int64_t low = a->origin / a->span, high = (a->origin + a->extent - 1) / a->span;
    int64_t k = floor_div(position, unit), rest = position - k * unit;

    if (k < low || k >= high || rest == 0) {
        *first = k < low ? low : k > high ? high : k;
        weight[0] = (uint32_t)unit;
        return 1;
    }
    *first = k;
    weight[0] = (uint32_t)(unit - rest);
    weight[1] = (uint32_t)rest;
    return 2;
}

static int cell(const struct axis *a, int64_t j, int64_t *first, uint32_t *weight)
{
    return a->extent >= a->span * a->cells ? average(a, j, first, weight) : interpolate(a, j, first, weight);
}

static int whole_samples(const struct vsm_area *area)
{
    const int n = area->count[0];

    for (int j = 0; j < area->cells; j++)
        if (area->count[j] != n || area->first[j] != n * j)
            return 0;
    return area->largest == 1 ? n : 0;
}

static int fill(struct vsm_area *area, const struct axis *a, uint32_t *weight)
{
    uint32_t unit = 0;
    int64_t first;
    int widest = 0;

    for (int j = 0; j < area->cells; j++) {
        int count = cell(a, j, &first, weight);

        for (int t = 0; t < count; t++)
            unit = gcd(unit, weight[t]);
        widest = count > widest ? count : widest;
    }
    area->taps = (widest + VSM_AREA_BLOCK - 1) / VSM_AREA_BLOCK * VSM_AREA_BLOCK;
    area->weight =
        vsm_mem_alloc("resampling weights", (size_t)area->cells * (size_t)area->taps, sizeof(*area->weight));
    if (!area->weight)
        return VSM_E_NOMEM;
    for (int j = 0; j < area->cells; j++) {
        int count = cell(a, j, &first, weight);

        area->total = 0;
        area->first[j] = (int32_t)(first - area->start);
        area->count[j] = count;
        for (int t = 0; t < count; t++) {
            uint32_t reduced = weight[t] / unit;

            area->weight[(size_t)j * (size_t)area->taps + (size_t)t] = (uint16_t)reduced;
            area->total += reduced;
            area->largest = (int)reduced > area->largest ? (int)reduced : area->largest;
        }
    }
    area->whole = whole_samples(area);
    return VSM_OK;
}

int vsm_area_init(struct vsm_area *area, int origin, int extent, int span, int cells)
{
    struct axis a = {origin, extent, span, cells};
    uint32_t *weight;
    int status;

    *area = (struct vsm_area){.cells = cells};
    if (origin < 0 || extent < 1 || extent > VSM_AREA_MAX_EXTENT - origin || cells < 1 ||
        cells > VSM_AREA_MAX_CELLS)
        return vsm_fail(VSM_E_INTERNAL, "preprocess: %d samples from %d cannot become %d grid cells", extent,
                        origin, cells);
    area->start = origin / span;
    area->samples = (origin + extent - 1) / span - area->start + 1;
    area->first = vsm_mem_alloc("resampling positions", (size_t)cells, sizeof(*area->first));
    area->count = vsm_mem_alloc("resampling counts", (size_t)cells, sizeof(*area->count));
    weight = vsm_mem_alloc("resampling row", (size_t)extent + 2, sizeof(*weight));
    status = area->first && area->count && weight ? fill(area, &a, weight) : VSM_E_NOMEM;
    vsm_mem_free(weight);
    return status;
}

void vsm_area_free(struct vsm_area *area)
{
    vsm_mem_free(area->first);
    vsm_mem_free(area->count);
    vsm_mem_free(area->weight);
    *area = (struct vsm_area){0};
}
