#include "nn/cuda_arena.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "nn/cuda_plan.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* No device has memory up there. */
#define STAND_IN ((uintptr_t)1 << 60)

/* As cudaMalloc() aligns. */
#define ALIGN 256

void *vsm_cuda_arena_take(struct vsm_cuda_arena *arena, size_t bytes)
{
    if (arena->count == arena->capacity) {
        const int capacity = arena->capacity ? 2 * arena->capacity : 64;
        struct vsm_cuda_arena_block *more = vsm_mem_alloc("CUDA plan", (size_t)capacity, sizeof(*more));

        if (!more)
            return NULL;
        if (arena->count)
            memcpy(more, arena->blocks, (size_t)arena->count * sizeof(*more));
        vsm_mem_free(arena->blocks);
        arena->blocks = more;
        arena->capacity = capacity;
    }
    arena->blocks[arena->count] =
        (struct vsm_cuda_arena_block){arena->end, (bytes + ALIGN - 1) / ALIGN * ALIGN, INT_MAX, -1, 0};
    arena->end += arena->blocks[arena->count].size;
    return (void *)(STAND_IN + arena->blocks[arena->count++].at);
}

void vsm_cuda_arena_free(struct vsm_cuda_arena *arena)
{
    vsm_mem_free(arena->blocks);
    *arena = (struct vsm_cuda_arena){0};
}

static struct vsm_cuda_arena_block *block_of(const struct vsm_cuda_arena *arena, const void *pointer)
{
    const size_t at = (uintptr_t)pointer - STAND_IN;

    if ((uintptr_t)pointer < STAND_IN)
        return NULL;
    for (int i = 0; i < arena->count; i++)
        if (at >= arena->blocks[i].at && at - arena->blocks[i].at < arena->blocks[i].size)
            return &arena->blocks[i];
    return NULL;
}

/* Notes that step `step` uses the address or, when the arena has its memory, gives the true one. */
static void *see(const struct vsm_cuda_arena *arena, int step, const void *pointer)
{
    struct vsm_cuda_arena_block *block = block_of(arena, pointer);

    if (!block)
        return (void *)(uintptr_t)pointer;
    if (arena->base)
        return (char *)arena->base + block->place + ((uintptr_t)pointer - STAND_IN - block->at);
    if (step < block->first)
        block->first = step;
    if (step > block->last)
        block->last = step;
    return (void *)(uintptr_t)pointer;
}

/* Every address in a step that may lie in the arena. */
static void see_step(const struct vsm_cuda_arena *arena, int i, struct vsm_cuda_step *step)
{
    struct vsm_cuda_conv *conv = &step->conv;

    for (int p = 0; p < VSM_CUDA_MAX_PARTS; p++)
        step->in[p].data = see(arena, i, step->in[p].data);
    step->out.data = see(arena, i, step->out.data);
    step->from = see(arena, i, step->from);
    step->to = see(arena, i, step->to);
    step->scaled = see(arena, i, step->scaled);
    for (int p = 0; p < 2; p++)
        conv->in[p].data = see(arena, i, conv->in[p].data);
    conv->weights = see(arena, i, conv->weights);
    conv->out.data = see(arena, i, conv->out.data);
    conv->residual.data = see(arena, i, conv->residual.data);
    conv->gate = see(arena, i, conv->gate);
    conv->update = see(arena, i, conv->update);
    step->depthwise.in.data = see(arena, i, step->depthwise.in.data);
    step->depthwise.out.data = see(arena, i, step->depthwise.out.data);
    step->full.in = see(arena, i, step->full.in);
    step->full.residual = see(arena, i, step->full.residual);
    step->full.out = see(arena, i, step->full.out);
}

static int larger_first(const void *a, const void *b)
{
    const struct vsm_cuda_arena_block *x = *(struct vsm_cuda_arena_block *const *)a,
                                      *y = *(struct vsm_cuda_arena_block *const *)b;

    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->at < y->at ? -1 : 1;
}

/* The lowest place where the block meets none of those placed before it that live at the same time. */
static size_t find_place(struct vsm_cuda_arena_block *const *placed, int count,
                         const struct vsm_cuda_arena_block *block)
{
    size_t place = 0;
    bool moved = true;

    while (moved) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct vsm_cuda_arena_block *other = placed[i];

            if (other->first > block->last || block->first > other->last ||
                other->place >= place + block->size || place >= other->place + other->size)
                continue;
            place = other->place + other->size;
            moved = true;
        }
    }
    return place;
}

static int place_blocks(struct vsm_cuda_arena *arena, size_t *bytes)
{
    struct vsm_cuda_arena_block **order =
        vsm_mem_alloc("CUDA plan", (size_t)arena->count + 1, sizeof(struct vsm_cuda_arena_block *));
    int used = 0;

    if (!order)
        return VSM_E_NOMEM;
    for (int i = 0; i < arena->count; i++)
        if (arena->blocks[i].first <= arena->blocks[i].last)
            order[used++] = &arena->blocks[i];
    qsort(order, (size_t)used, sizeof(struct vsm_cuda_arena_block *), larger_first);
    *bytes = 0;
    for (int i = 0; i < used; i++) {
        order[i]->place = find_place(order, i, order[i]);
        if (order[i]->place + order[i]->size > *bytes)
            *bytes = order[i]->place + order[i]->size;
    }
    vsm_mem_free(order);
    return VSM_OK;
}

int vsm_cuda_arena_place(struct vsm_cuda_arena *arena, struct vsm_cuda_plan *plan, void **memory,
                         size_t *bytes)
{
    int status;

    for (int i = 0; i < plan->step_count; i++)
        see_step(arena, i, &plan->steps[i]);
    status = place_blocks(arena, bytes);
    if (!status)
        status = vsm_cuda_alloc("memory of the network", *bytes, memory);
    if (status)
        return status;
    arena->base = *memory;
    for (int i = 0; i < plan->step_count; i++)
        see_step(arena, i, &plan->steps[i]);
    return VSM_OK;
}
