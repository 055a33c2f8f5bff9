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
    pthread_mutex_t lock;   /* guards what follows, except next */
    pthread_cond_t start, finished;
    unsigned long loop; /* number of the current loop */
    bool open;          /* threads may still join it */
    int joined;         /* threads in it */
    bool quit;
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
        pthread_mutex_unlock(&pool->lock);
        run_loop(pool, worker->number);
        pthread_mutex_lock(&pool->lock);
        if (--pool->joined == 0)
            pthread_cond_signal(&pool->finished);
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
    for (int i = 0; i < pool->started && i < count - 1; i++)
        pthread_cond_signal(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    run_loop(pool, 0);
    pthread_mutex_lock(&pool->lock);
    pool->open = false; /* nothing is left for threads that wake now */
    while (pool->joined)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->caller);
}
