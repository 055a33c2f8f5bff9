#include "base/relief.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct vsm_relief {
    pthread_mutex_t lock;
    atomic_int_fast64_t given; /* how often something was given up; changed under the lock */
    int (*give)(void *self);
    void *self;
};

int vsm_relief_create(int (*give)(void *self), void *self, struct vsm_relief **relief)
{
    struct vsm_relief *r = vsm_mem_alloc("relief", 1, sizeof(*r));

    if (!r)
        return VSM_E_NOMEM;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        vsm_mem_free(r);
        return vsm_fail(VSM_E_INTERNAL, "relief: no mutex");
    }
    atomic_init(&r->given, 0);
    r->give = give;
    r->self = self;
    *relief = r;
    return VSM_OK;
}

void vsm_relief_destroy(struct vsm_relief *relief)
{
    if (!relief)
        return;
    pthread_mutex_destroy(&relief->lock);
    vsm_mem_free(relief);
}

void vsm_relief_lock(struct vsm_relief *relief)
{
    pthread_mutex_lock(&relief->lock);
}

void vsm_relief_unlock(struct vsm_relief *relief)
{
    pthread_mutex_unlock(&relief->lock);
}

int vsm_relief_give(struct vsm_relief *relief)
{
    int status = relief->give(relief->self);

    if (status == VSM_OK)
        vsm_relief_note(relief);
    return status;
}

void vsm_relief_note(struct vsm_relief *relief)
{
    atomic_fetch_add(&relief->given, 1);
}

/* `seen`: how often something had been given up before the attempt that failed. */
static int ask(struct vsm_relief *relief, int_fast64_t seen)
{
    int status = VSM_OK;

    vsm_relief_lock(relief);
    if (atomic_load(&relief->given) == seen)
        status = vsm_relief_give(relief);
    vsm_relief_unlock(relief);
    return status;
}

int vsm_relief_try(struct vsm_relief *relief, int (*attempt)(void *opaque), void *opaque)
{
    for (;;) {
        const int_fast64_t seen = relief ? atomic_load(&relief->given) : 0;
        int status = attempt(opaque);

        if (status != VSM_E_NOMEM || !relief)
            return status;
        status = ask(relief, seen);
        if (status != VSM_OK)
            return status;
    }
}
