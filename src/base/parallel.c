#include "base/parallel.h"

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
    pthread_mutex_t lock;   /* of threads that sleep, and of `quit` */
    pthread_cond_t start, finished;
    bool quit;
    /* A thread that joins looks at `open` afterwards, and a caller that closes at `joined` afterwards: what
     * follows them does not change while somebody is in. */
    atomic_bool open;  /* threads may still join the loop */
    atomic_int joined; /* threads in it */
    atomic_ulong loop; /* number of the current loop */
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

static bool is_new(const struct vsm_parallel *pool, unsigned long seen)
{
    return atomic_load(&pool->open) && atomic_load(&pool->loop) != seen;
}

/* Works in the loop, unless it is over. */
static void join(struct vsm_parallel *pool, int worker, unsigned long *seen)
{
    atomic_fetch_add(&pool->joined, 1);
    if (is_new(pool, *seen)) {
        *seen = atomic_load(&pool->loop);
        run_loop(pool, worker);
    }
    if (atomic_fetch_sub(&pool->joined, 1) == 1) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->lock);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct vsm_parallel *pool = worker->pool;
    unsigned long seen = 0;
    bool quit = false;

    while (!quit) {
        pthread_mutex_lock(&pool->lock);
        while (!pool->quit && !is_new(pool, seen))
            pthread_cond_wait(&pool->start, &pool->lock);
        quit = pool->quit;
        pthread_mutex_unlock(&pool->lock);
        if (!quit && is_new(pool, seen))
            join(pool, worker->number, &seen);
    }
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
    atomic_init(&pool->open, false);
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

static void await_end(struct vsm_parallel *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->joined) > 0)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void open_loop(struct vsm_parallel *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->loop, 1);
    atomic_store(&pool->open, true);
    for (int i = 0; i < pool->started && i < pool->count - 1; i++)
        pthread_cond_signal(&pool->start);
    pthread_mutex_unlock(&pool->lock);
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
    pool->count = count;
    pool->body = body;
    pool->context = context;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    open_loop(pool);
    run_loop(pool, 0);
    atomic_store(&pool->open, false); /* nothing is left for threads that wake now */
    await_end(pool);
    pthread_mutex_unlock(&pool->caller);
}
