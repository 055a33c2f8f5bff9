#include "pipeline/permits.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdbool.h>

struct vsm_permits {
    pthread_mutex_t lock;
    pthread_cond_t given;
    int left;
    bool open;
};

struct vsm_permits *vsm_permits_create(int count)
{
    struct vsm_permits *permits = vsm_mem_alloc("permits", 1, sizeof(*permits));

    if (!permits)
        return NULL;
    pthread_mutex_init(&permits->lock, NULL);
    pthread_cond_init(&permits->given, NULL);
    permits->left = count;
    return permits;
}

void vsm_permits_destroy(struct vsm_permits *permits)
{
    if (!permits)
        return;
    pthread_cond_destroy(&permits->given);
    pthread_mutex_destroy(&permits->lock);
    vsm_mem_free(permits);
}

void vsm_permits_take(struct vsm_permits *permits, uint64_t *waited_ns)
{
    const uint64_t start = vsm_clock_ns();

    pthread_mutex_lock(&permits->lock);
    while (permits->left == 0 && !permits->open)
        pthread_cond_wait(&permits->given, &permits->lock);
    if (permits->left > 0)
        permits->left--;
    pthread_mutex_unlock(&permits->lock);
    *waited_ns += vsm_clock_ns() - start;
}

void vsm_permits_give(struct vsm_permits *permits)
{
    pthread_mutex_lock(&permits->lock);
    permits->left++;
    pthread_cond_signal(&permits->given);
    pthread_mutex_unlock(&permits->lock);
}

void vsm_permits_open(struct vsm_permits *permits)
{
    pthread_mutex_lock(&permits->lock);
    permits->open = true;
    pthread_cond_broadcast(&permits->given);
    pthread_mutex_unlock(&permits->lock);
}
