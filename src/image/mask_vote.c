#include "image/mask_vote.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define NOBODY   (-1024.0f)
#define DIAGONAL 1.41421356f
#define FAR      1e6f

int vsm_mask_vote_create(int side, struct vsm_mask_vote *vote)
{
    const size_t cells = (size_t)side * (size_t)side;
    float *memory = vsm_mem_alloc("mask vote", cells, 4 * sizeof(*memory));

    if (!memory)
        return VSM_E_NOMEM;
    *vote = (struct vsm_mask_vote){side, memory, memory + cells, memory + 2 * cells, memory + 3 * cells};
    return VSM_OK;
}

void vsm_mask_vote_destroy(struct vsm_mask_vote *vote)
{
    vsm_mem_free(vote->gate);
    *vote = (struct vsm_mask_vote){0};
}

static float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static void pass_cell(float *d, int side, int x, int y, int back)
{
    float *at = d + (ptrdiff_t)y * side + x, best = *at;
    const int before = x - back, row = y - back;

    if (before >= 0 && before < side)
        best = fminf(best, at[-back] + 1);
    if (row >= 0 && row < side) {
        const float *line = d + (ptrdiff_t)row * side;

        best = fminf(best, line[x] + 1);
        if (x > 0)
            best = fminf(best, line[x - 1] + DIAGONAL);
        if (x < side - 1)
            best = fminf(best, line[x + 1] + DIAGONAL);
    }
    *at = best;
}

/* From 0 at the seeds and FAR elsewhere to distances from the seeds, in cells. */
static void spread_distance(float *d, int side)
{
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            pass_cell(d, side, x, y, 1);
    for (int y = side - 1; y >= 0; y--)
        for (int x = side - 1; x >= 0; x--)
            pass_cell(d, side, x, y, -1);
}

/* Rows that the mask spans. */
static int height_of(const float *logits, int side)
{
    int first = -1, last = -2;

    for (int i = 0; i < side * side; i++)
        if (logits[i] > 0) {
            first = first < 0 ? i / side : first;
            last = i / side;
        }
    return first < 0 ? 0 : last - first + 1;
}

static void open_gate(struct vsm_mask_vote *vote, const float *logits)
{
    const int side = vote->side, height = height_of(logits, side);
    const float reach =
        fmaxf(VSM_MASK_VOTE_MIN_REACH * (float)side / 256, VSM_MASK_VOTE_REACH * (float)height);

    if (height == 0)
        return;
    for (int i = 0; i < side * side; i++)
        vote->scratch[i] = logits[i] > 0 ? 0 : FAR;
    spread_distance(vote->scratch, side);
    for (int i = 0; i < side * side; i++)
        vote->gate[i] = fmaxf(vote->gate[i],
                              clamp01((reach + VSM_MASK_VOTE_SOFT - vote->scratch[i]) / VSM_MASK_VOTE_SOFT));
}

/* Shuts the gate where others are likelier, and weighs the chosen against them. `others`: the largest
 * logit. */
static void shut_gate(struct vsm_mask_vote *vote, float *others)
{
    const int side = vote->side;

    for (int i = 0; i < side * side; i++) {
        const bool theirs = others[i] > 0 && others[i] > vote->logit[i];

        if (others[i] > 0)
            vote->logit[i] -= others[i];
        others[i] = theirs ? 0 : FAR;
    }
    spread_distance(others, side);
    for (int i = 0; i < side * side; i++)
        vote->gate[i] *= clamp01(others[i] / VSM_MASK_VOTE_SOFT);
}

static void find_sure(struct vsm_mask_vote *vote)
{
    const int side = vote->side;

    for (int i = 0; i < side * side; i++)
        vote->sure[i] = vote->logit[i] > VSM_MASK_VOTE_SURE ? FAR : 0;
    spread_distance(vote->sure, side);
    for (int i = 0; i < side * side; i++)
        vote->sure[i] = clamp01((vote->sure[i] - VSM_MASK_VOTE_INSIDE) / VSM_MASK_VOTE_SOFT);
}

static bool collect(float *largest, const struct vsm_mask_person *people, int count, bool chosen, int cells)
{
    bool any = false;

    for (int i = 0; i < cells; i++)
        largest[i] = NOBODY;
    for (int p = 0; p < count; p++) {
        if (people[p].chosen != chosen)
            continue;
        any = true;
        for (int i = 0; i < cells; i++)
            largest[i] = fmaxf(largest[i], people[p].logits[i]);
    }
    return any;
}

void vsm_mask_vote_take(struct vsm_mask_vote *vote, const struct vsm_mask_person *people, int count)
{
    const int cells = vote->side * vote->side;

    memset(vote->gate, 0, (size_t)cells * sizeof(*vote->gate));
    if (!collect(vote->logit, people, count, true, cells)) {
        memset(vote->sure, 0, (size_t)cells * sizeof(*vote->sure));
        return;
    }
    for (int p = 0; p < count; p++)
        if (people[p].chosen)
            open_gate(vote, people[p].logits);
    if (collect(vote->scratch, people, count, false, cells))
        shut_gate(vote, vote->scratch);
    find_sure(vote);
}
