#include "base/parallel.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct worker {
    struct vsm_parallel *pool;
    pthread_t thread;
    int number;
};

struct vsm_parallel {
    pthread_mutex_t caller; /* held for a whole loop */
    pthread_mutex_t lock;   /* guards what follows, except next */
    pthread_cond_t start, finished;
    atomic_ulong loop; /* number of the current loop */
    bool open;         /* workers may still join it */
    atomic_int joined; /* workers in it */
    bool quit;
    uint64_t linger_ns;
    int count;
    void (*body)(void *context, int index, int worker);
    void *context;
    atomic_int next;
    int started;
    struct worker workers[];
};

static void run_loop(struct vsm_parallel *pool, int worker)
{
    int index;

    while ((index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < pool->count)
        pool->body(pool->context, index, worker);
}

/* Waking costs the waker more than a short loop takes: each wakes two, who wake others while there is work left. */
static void wake_two(struct vsm_parallel *pool)
{
    if (atomic_load_explicit(&pool->next, memory_order_relaxed) >= pool->count)
        return;
    pthread_cond_signal(&pool->start);
    pthread_cond_signal(&pool->start);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waits awake for a loop after the `seen`th. */
static void await_loop(struct vsm_parallel *pool, unsigned long seen)
{
    const uint64_t until = vsm_clock_ns() + pool->linger_ns;

    while (atomic_load(&pool->loop) == seen && vsm_clock_ns() < until)
        pause_briefly();
}

/* Waits awake until no worker is in the loop. */
static void await_workers(struct vsm_parallel *pool)
{
    const uint64_t until = vsm_clock_ns() + pool->linger_ns;

    while (atomic_load(&pool->joined) && vsm_clock_ns() < until)
        pause_briefly();
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct vsm_parallel *pool = worker->pool;
    unsigned long seen = 0;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->quit && (!pool->open || pool->loop == seen))
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->quit)
            break;
        seen = pool->loop;
        pool->joined++;
        wake_two(pool);
        pthread_mutex_unlock(&pool->lock);
        run_loop(pool, worker->number);
        pthread_mutex_lock(&pool->lock);
        if (--pool->joined == 0)
            pthread_cond_signal(&pool->finished);
        if (pool->linger_ns && !pool->quit) {
            pthread_mutex_unlock(&pool->lock);
            await_loop(pool, seen);
            pthread_mutex_lock(&pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct vsm_parallel *vsm_parallel_create(int threads)
{
    struct vsm_parallel *pool;

    if (threads < 1 || threads > VSM_PARALLEL_MAX_THREADS) {
        (void)vsm_fail(VSM_E_INTERNAL, "worker threads: %d is not in 1..%d", threads,
                       VSM_PARALLEL_MAX_THREADS);
        return NULL;
    }
    pool = vsm_mem_alloc("worker threads", 1, sizeof(*pool) + (size_t)threads * sizeof(pool->workers[0]));
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->caller, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finished, NULL);
    atomic_init(&pool->next, 0);
    atomic_init(&pool->loop, 0);
    atomic_init(&pool->joined, 0);
    for (int i = 0; i < threads - 1; i++) {
        struct worker *worker = &pool->workers[i];

        worker->pool = pool;
        worker->number = i + 1;
        if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
            vsm_parallel_destroy(pool);
            (void)vsm_fail(VSM_E_NOMEM, "worker threads: cannot start thread %d of %d; use fewer threads",
                           i + 2, threads);
            return NULL;
        }
        pool->started++;
    }
    return pool;
}

void vsm_parallel_linger(struct vsm_parallel *pool, uint64_t ns)
{
    pthread_mutex_lock(&pool->lock);
    pool->linger_ns = ns;
    pthread_mutex_unlock(&pool->lock);
}

void vsm_parallel_destroy(struct vsm_parallel *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->start);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->caller);
    vsm_mem_free(pool);
}

int vsm_parallel_threads(const struct vsm_parallel *pool)
{
    return pool ? pool->started + 1 : 1;
}

void vsm_parallel_for(struct vsm_parallel *pool, int count,
                      void (*body)(void *context, int index, int worker), void *context)
{
    if (!pool) {
        for (int i = 0; i < count; i++)
            body(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->caller);
    pthread_mutex_lock(&pool->lock);
    pool->count = count;
    pool->body = body;
    pool->context = context;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->open = true;
    pool->loop++;
    if (pool->started && count > 1)
        wake_two(pool);
    pthread_mutex_unlock(&pool->lock);
    run_loop(pool, 0);
    if (pool->linger_ns)
        await_workers(pool);
    pthread_mutex_lock(&pool->lock);
    pool->open = false; /* who has not come yet need not */
    while (pool->joined)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->caller);
}
