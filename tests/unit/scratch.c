/* Scratch memory: blocks of their size from one region, the same bytes for one user after the other, turns in
 * order. */
#include "base/scratch.h"
#include "base/fault.h"
#include "base/mem.h"

#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* Resident bytes of the process. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size, pages = 0;

    if (!file || fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void test_blocks_are_aligned_and_apart(void)
{
    unsigned char *blocks[40];

    for (int i = 0; i < 40; i++) {
        const size_t size = (size_t)i * 37;

        blocks[i] = vsm_scratch_alloc("block", 1, size);
        CHECK(blocks[i] != NULL);
        CHECK_INT((uintptr_t)blocks[i] % VSM_MEM_ALIGN, 0);
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < i * 37; k++)
            CHECK(blocks[i][k] == i);
    }
    for (int i = 0; i < 40; i++)
        vsm_scratch_free(blocks[(i * 7) % 40]);
    vsm_scratch_free(NULL);
}

/* The hole that fits best is taken, and neighbouring holes become one. */
static void test_holes_are_used(void)
{
    char *a = vsm_scratch_take(3 * MIB), *wall = vsm_scratch_take(64), *b = vsm_scratch_take(2 * MIB);
    char *roof = vsm_scratch_take(64), *c;

    vsm_scratch_free(a);
    vsm_scratch_free(b);
    c = vsm_scratch_take(2 * MIB);
    CHECK(c == b);
    vsm_scratch_free(c);
    vsm_scratch_free(wall);
    c = vsm_scratch_take(5 * MIB);
    CHECK(c == a);
    vsm_scratch_free(c);
    vsm_scratch_free(roof);
}

/* The same blocks again and again need no more memory, and the last free gives all of it back. */
static void test_memory_is_used_again_and_given_back(void)
{
    const size_t before = resident();
    char *stays = vsm_scratch_take(64), *first = NULL;

    for (int round = 0; round < 20; round++) {
        char *a = vsm_scratch_take(4 * MIB), *b = vsm_scratch_take(8 * MIB);

        memset(a, 1, 4 * MIB);
        memset(b, 2, 8 * MIB);
        CHECK(!first || a == first);
        first = a;
        vsm_scratch_free(a);
        vsm_scratch_free(b);
    }
    CHECK(resident() > before + 11 * MIB && resident() < before + 16 * MIB);
    vsm_scratch_free(stays);
    CHECK(resident() < before + 4 * MIB);
}

static void test_impossible_sizes_fail(void)
{
    CHECK(!vsm_scratch_take(SIZE_MAX));
    CHECK(!vsm_scratch_take(VSM_SCRATCH_REGION));
    CHECK(!vsm_scratch_alloc("planes", SIZE_MAX / 2, 3));
    CHECK_HAS(vsm_error_message(), "planes: out of memory");
#ifdef VSM_FAULT_POINTS
    vsm_fault_arm("mem.alloc", 1, ENOMEM, 0);
    CHECK(!vsm_scratch_alloc("planes", 1, 3));
    vsm_fault_arm(NULL, 0, 0, 0);
#endif
}

struct order {
    atomic_int inside, most;
    int turns[2];
    int last, repeated; /* the holder before, and how often it came again though the other one waited */
};

struct asker {
    struct order *order;
    int index;
};

static void *ask(void *argument)
{
    const struct asker *asker = argument;
    struct order *o = asker->order;

    for (int i = 0; i < 50; i++) {
        vsm_scratch_begin();
        vsm_scratch_begin();
        if (atomic_fetch_add(&o->inside, 1) > 0)
            o->most = 2;
        o->repeated += o->last == asker->index && o->turns[!asker->index] > 0 && o->turns[!asker->index] < 50;
        o->last = asker->index;
        o->turns[asker->index]++;
        usleep(500);
        atomic_fetch_sub(&o->inside, 1);
        vsm_scratch_end();
        vsm_scratch_end();
    }
    return NULL;
}

/* One at a time, and nobody twice while another one waits: a thread may hardly be late for its own turn. */
static void test_turns_go_round(void)
{
    struct order order = {.last = -1};
    struct asker askers[2] = {{&order, 0}, {&order, 1}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ask, &askers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(order.most, 0);
    CHECK_INT(order.turns[0] + order.turns[1], 100);
    CHECK(order.repeated < 40);
}

int main(void)
{
    RUN(test_blocks_are_aligned_and_apart);
    RUN(test_holes_are_used);
    RUN(test_memory_is_used_again_and_given_back);
    RUN(test_impossible_sizes_fail);
    RUN(test_turns_go_round);
    return tap_done();
}
