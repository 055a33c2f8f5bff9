#include "base/parallel.h"
#include "tap.h"

#include <pthread.h>
#include <stdatomic.h>

#define COUNT 1000

struct tally {
    atomic_int hits[COUNT];
    atomic_int working[8]; /* bodies running as this worker right now */
    atomic_int collisions;
    int workers;
};

static void body(void *context, int index, int worker)
{
    struct tally *tally = context;

    if (worker < 0 || worker >= tally->workers || atomic_fetch_add(&tally->working[worker], 1))
        atomic_fetch_add(&tally->collisions, 1);
    atomic_fetch_add(&tally->hits[index], 1);
    atomic_fetch_sub(&tally->working[worker & 7], 1);
}

static void check_loop(struct vsm_parallel *pool, int count)
{
    static struct tally tally;

    memset(&tally, 0, sizeof(tally));
    tally.workers = vsm_parallel_threads(pool);
    vsm_parallel_for(pool, count, body, &tally);
    for (int i = 0; i < COUNT; i++)
        if (tally.hits[i] != (i < count))
            CHECK_INT(tally.hits[i], i < count);
    CHECK_INT(tally.collisions, 0);
}

static void test_each_index_once(void)
{
    for (int threads = 1; threads <= 5; threads += 2) {
        struct vsm_parallel *pool = vsm_parallel_create(threads);

        CHECK_INT(vsm_parallel_threads(pool), threads);
        for (int again = 0; again < 200; again++)
            check_loop(pool, again % 7);
        check_loop(pool, COUNT);
        vsm_parallel_destroy(pool);
    }
    CHECK_INT(vsm_parallel_threads(NULL), 1);
    check_loop(NULL, COUNT);
}

static void add(void *context, int index, int worker)
{
    (void)worker;
    atomic_fetch_add((atomic_int *)context, index);
}

static void *caller(void *pool)
{
    atomic_int sum = 0;

    for (int i = 0; i < 100; i++)
        vsm_parallel_for(pool, 10, add, &sum);
    return atomic_load(&sum) == 4500 ? pool : NULL;
}

static void test_callers_take_turns(void)
{
    struct vsm_parallel *pool = vsm_parallel_create(3);
    pthread_t threads[3];
    void *result;

    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, caller, pool), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &result);
        CHECK(result == pool);
    }
    vsm_parallel_destroy(pool);
}

static void test_bounds(void)
{
    CHECK(!vsm_parallel_create(0));
    CHECK_HAS(vsm_error_message(), "1..256");
    CHECK(!vsm_parallel_create(VSM_PARALLEL_MAX_THREADS + 1));
    vsm_parallel_destroy(NULL);
}

int main(void)
{
    RUN(test_each_index_once);
    RUN(test_callers_take_turns);
    RUN(test_bounds);
    return tap_done();
}
