#include "models/sam2_holes.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HOLE_LOGIT 0.1f
#define WORD       64

/* Sweeps over all rows, down and up in turn, that spread what is large; what they do not reach, the slow
 * way does. */
#define SWEEPS 6

/* Bit x % 64 of word x / 64 of a row is pixel x. */
struct holes {
    int h, w, words, area;
    uint64_t *open;  /* not inside the mask */
    uint64_t *large; /* of these, known to be of regions of more than `area` pixels */
    uint64_t *small; /* looked at: of regions that have been filled, unless they turned out large */
    int *found;      /* [area] pixels of a region */
};

static bool is_set(const struct holes *k, const uint64_t *bits, int y, int x)
{
    return bits[y * k->words + x / WORD] >> x % WORD & 1;
}

static void set(const struct holes *k, uint64_t *bits, int pixel)
{
    const int y = pixel / k->w, x = pixel % k->w;

    bits[y * k->words + x / WORD] |= (uint64_t)1 << x % WORD;
}

/* Up to 64 pixels. Bytes first, which compilers do side by side. */
static uint64_t open_word(const float *logits, int count)
{
    uint8_t bytes[WORD] = {0};
    uint64_t word = 0, eight;

    for (int i = 0; i < count; i++)
        bytes[i] = !(logits[i] > 0);
    for (int i = 0; i < WORD; i += 8) {
        /* Byte j's lowest bit becomes bit j of the topmost byte. */
        eight = 0;
        for (int j = 0; j < 8; j++)
            eight |= (uint64_t)bytes[i + j] << (8 * j);
        word |= (eight * 0x0102040810204080u >> 56) << i;
    }
    return word;
}

static void mark_open(const struct holes *k, const float *logits)
{
    for (int y = 0; y < k->h; y++)
        for (int i = 0; i < k->words; i++) {
            const int x = i * WORD;

            k->open[y * k->words + i] =
                open_word(logits + (int64_t)y * k->w + x, k->w - x < WORD ? k->w - x : WORD);
        }
}

/* Open pixels with `area` more open ones to their right belong to a large region. */
static void mark_long(const struct holes *k, int y)
{
    uint64_t *row = k->large + y * k->words;

    memcpy(row, k->open + y * k->words, (size_t)k->words * sizeof(*row));
    for (int n = 0; n < k->area; n++)
        for (int i = 0; i < k->words; i++)
            row[i] &= row[i] >> 1 | (i + 1 < k->words ? row[i + 1] << (WORD - 1) : 0);
}

/* Spreads large pixels over the open ones beside them, to both ends. */
static void spread_along(const struct holes *k, int y)
{
    const uint64_t *open = k->open + y * k->words;
    uint64_t *large = k->large + y * k->words, carry = 0;

    for (int i = 0; i < k->words; i++) {
        /* A sum's carry runs up through ones, which it turns to zeros. */
        const uint64_t from = large[i] | (carry & open[i]), sum = open[i] + from;

        large[i] = from | (open[i] & ~sum);
        carry = large[i] >> (WORD - 1);
    }
    carry = 0;
    for (int i = k->words; i-- > 0;) {
        uint64_t way = open[i], all = large[i] | (carry << (WORD - 1) & way);

        for (int step = 1; step < WORD; step *= 2) {
            all |= way & all >> step;
            way &= way >> step;
        }
        large[i] = all;
        carry = all & 1;
    }
}

/* From a row to the open pixels of the next that touch it. Returns whether that was anything new. */
static bool spread_across(const struct holes *k, int from, int to)
{
    const uint64_t *above = k->large + from * k->words, *open = k->open + to * k->words;
    uint64_t *large = k->large + to * k->words, more = 0;

    for (int i = 0; i < k->words; i++) {
        const uint64_t left = i > 0 ? above[i - 1] >> (WORD - 1) : 0,
                       right = i + 1 < k->words ? above[i + 1] << (WORD - 1) : 0;
        const uint64_t wide = (above[i] | above[i] << 1 | above[i] >> 1 | left | right) & open[i];

        more |= wide & ~large[i];
        large[i] |= wide;
    }
    if (more)
        spread_along(k, to);
    return more != 0;
}

static void mark_large(const struct holes *k)
{
    bool more = k->area < WORD;

    for (int y = 0; more && y < k->h; y++) {
        mark_long(k, y);
        spread_along(k, y);
    }
    for (int sweep = 0; more && sweep < SWEEPS; sweep++) {
        more = false;
        for (int y = 1; y < k->h; y++)
            more |= sweep % 2 ? spread_across(k, k->h - y, k->h - y - 1) : spread_across(k, y - 1, y);
        more |= sweep == 0;
    }
}

/* Pixels of the seed's region, in found[]; 0 if there are more than `area`, which is known as soon as it
 * has so many or touches large ones: no more than `area` pixels are looked at. */
static int flood(const struct holes *k, int seed)
{
    bool large = false;
    int count = 0;

    k->found[count++] = seed;
    set(k, k->small, seed);
    for (int done = 0; done < count && !large; done++) {
        const int y = k->found[done] / k->w, x = k->found[done] % k->w;

        for (int i = 0; i < 9 && !large; i++) {
            const int ny = y + i / 3 - 1, nx = x + i % 3 - 1;

            if (ny < 0 || nx < 0 || ny >= k->h || nx >= k->w || !is_set(k, k->open, ny, nx))
                continue;
            large = is_set(k, k->large, ny, nx);
            if (large || is_set(k, k->small, ny, nx))
                continue;
            large = count == k->area;
            if (large)
                continue;
            k->found[count] = ny * k->w + nx;
            set(k, k->small, k->found[count++]);
        }
    }
    for (int i = 0; large && i < count; i++)
        set(k, k->large, k->found[i]);
    return large ? 0 : count;
}

static void fill(const struct holes *k, float *logits)
{
    for (int at = 0; at < k->h * k->words; at++) {
        uint64_t rest;

        while ((rest = k->open[at] & ~k->large[at] & ~k->small[at]) != 0) {
            const int x = at % k->words * WORD + __builtin_ctzll(rest);
            const int count = flood(k, at / k->words * k->w + x);

            for (int i = 0; i < count; i++)
                logits[k->found[i]] = HOLE_LOGIT;
        }
    }
}

int vsm_sam2_holes_fill(float *logits, int h, int w, int area)
{
    struct holes k = {.h = h, .w = w, .words = (w + WORD - 1) / WORD, .area = area};
    const size_t words = (size_t)h * (size_t)k.words;

    if (area <= 0)
        return VSM_OK;
    k.open = vsm_mem_alloc("hole filling", 3 * words, sizeof(*k.open));
    k.found = vsm_mem_alloc_raw("hole filling", (size_t)area, sizeof(*k.found));
    if (k.open && k.found) {
        k.large = k.open + words;
        k.small = k.large + words;
        mark_open(&k, logits);
        mark_large(&k);
        fill(&k, logits);
    }
    vsm_mem_free(k.open);
    vsm_mem_free(k.found);
    return k.open && k.found ? VSM_OK : VSM_E_NOMEM;
}
