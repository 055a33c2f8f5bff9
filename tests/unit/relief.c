/* Memory that a holder gives up for others: a network that takes what its grid needs of a device's memory,
 * and steps down the ladder of stages/scaling.h for stages that find none. */
#include "base/relief.h"

#include "stages/scaling.h"
#include "tap.h"

#include <pthread.h>

/* The device and the stage with the network. */
struct card {
    pthread_mutex_t lock; /* over free */
    int free;
    struct vsm_relief *relief;
    struct vsm_scaling scaling;
    int64_t next;
    bool breaks; /* giving fails */
};

static int network_blocks(const struct card *c)
{
    return vsm_scaling_current(&c->scaling).width;
}

static int step_down(void *self)
{
    struct card *c = self;
    const int before = network_blocks(c);

    if (c->breaks)
        return vsm_fail(VSM_E_DEVICE, "the device is lost");
    if (!vsm_scaling_out_of_memory(&c->scaling, c->next))
        return VSM_E_NOMEM;
    pthread_mutex_lock(&c->lock);
    c->free += before - network_blocks(c);
    pthread_mutex_unlock(&c->lock);
    return VSM_OK;
}

/* Grids that take 10, 20, ... 50 blocks, the largest first; `free` blocks besides. */
static void insert(struct card *c, int free)
{
    struct vsm_scaling_options options = {.count = 5, .first = 4};

    for (int i = 0; i < options.count; i++)
        options.rungs[i] = (struct vsm_scaling_grid){10 * (i + 1), 16};
    *c = (struct card){.free = free, .next = 7};
    pthread_mutex_init(&c->lock, NULL);
    vsm_scaling_init(&c->scaling, &options);
    CHECK_INT(vsm_relief_create(step_down, c, &c->relief), VSM_OK);
}

static void pull_out(struct card *c)
{
    vsm_relief_destroy(c->relief);
    pthread_mutex_destroy(&c->lock);
}

struct wish {
    struct card *card;
    int blocks, attempts;
};

static int take(void *opaque)
{
    struct wish *wish = opaque;
    int left;

    wish->attempts++;
    pthread_mutex_lock(&wish->card->lock);
    left = wish->card->free - wish->blocks;
    if (left >= 0)
        wish->card->free = left;
    pthread_mutex_unlock(&wish->card->lock);
    return left >= 0 ? VSM_OK : vsm_fail(VSM_E_NOMEM, "picture: out of memory");
}

static void test_steps_down_as_far_as_needed(void)
{
    struct card c;
    struct wish small = {&c, 5, 0}, large = {&c, 25, 0}, too_large = {&c, 25, 0};

    insert(&c, 5);
    CHECK_INT(vsm_relief_try(c.relief, take, &small), VSM_OK);
    CHECK_INT((intmax_t)c.scaling.change_count, 0);
    CHECK_INT(vsm_relief_try(c.relief, take, &large), VSM_OK); /* three steps of 10 blocks */
    CHECK_INT(large.attempts, 4);
    CHECK_INT((intmax_t)c.scaling.change_count, 3);
    CHECK_INT(c.scaling.changes[0].reason, VSM_SCALING_MEMORY);
    CHECK_INT((intmax_t)c.scaling.changes[2].frame, 7);
    CHECK_INT(c.free, 5);
    vsm_fail(VSM_E_INTERNAL, "another message");
    CHECK_INT(vsm_relief_try(c.relief, take, &too_large), VSM_E_NOMEM); /* 10 blocks more, then the end */
    CHECK_INT(c.scaling.current, 0);
    CHECK_INT(too_large.attempts, 2);
    CHECK_HAS(vsm_error_message(), "picture: out of memory");
    pull_out(&c);
}

static void test_nobody_to_ask(void)
{
    struct card c;
    struct wish wish = {&c, 6, 0};

    insert(&c, 5);
    CHECK_INT(vsm_relief_try(NULL, take, &wish), VSM_E_NOMEM);
    CHECK_INT(wish.attempts, 1);
    CHECK_INT((intmax_t)c.scaling.change_count, 0);
    pull_out(&c);
}

static int fail_otherwise(void *opaque)
{
    ++*(int *)opaque;
    return vsm_fail(VSM_E_DEVICE, "picture: the device is lost");
}

static void test_other_failures(void)
{
    struct card c;
    struct wish wish = {&c, 6, 0};
    int attempts = 0;

    insert(&c, 5);
    CHECK_INT(vsm_relief_try(c.relief, fail_otherwise, &attempts), VSM_E_DEVICE);
    CHECK_INT(attempts, 1);
    c.breaks = true;
    CHECK_INT(vsm_relief_try(c.relief, take, &wish), VSM_E_DEVICE);
    CHECK_HAS(vsm_error_message(), "the device is lost");
    CHECK_INT(wish.attempts, 1);
    pull_out(&c);
}

/* Somebody else has the holder step down between another's attempt and its asking. */
static int take_while_another_asks(void *opaque)
{
    struct wish *wish = opaque;
    struct wish other = {wish->card, 8, 0};
    int status = take(wish);

    if (wish->attempts == 1) {
        CHECK_INT(status, VSM_E_NOMEM);
        CHECK_INT(vsm_relief_try(wish->card->relief, take, &other), VSM_OK);
        CHECK_INT((intmax_t)wish->card->scaling.change_count, 1);
    }
    return status;
}

static void test_one_step_serves_all(void)
{
    struct card c;
    struct wish wish = {&c, 6, 0};

    insert(&c, 5);
    CHECK_INT(vsm_relief_try(c.relief, take_while_another_asks, &wish), VSM_OK);
    CHECK_INT(wish.attempts, 2);
    CHECK_INT((intmax_t)c.scaling.change_count, 1);
    CHECK_INT(c.free, 1);
    pull_out(&c);
}

/* The holder steps down by itself between another's attempt and its asking. */
static int take_while_the_holder_steps(void *opaque)
{
    struct wish *wish = opaque;
    int status = take(wish);

    if (wish->attempts == 1) {
        vsm_relief_lock(wish->card->relief);
        CHECK_INT(step_down(wish->card), VSM_OK);
        vsm_relief_note(wish->card->relief);
        vsm_relief_unlock(wish->card->relief);
    }
    return status;
}

static void test_the_holders_own_step_serves_too(void)
{
    struct card c;
    struct wish wish = {&c, 6, 0};

    insert(&c, 5);
    CHECK_INT(vsm_relief_try(c.relief, take_while_the_holder_steps, &wish), VSM_OK);
    CHECK_INT(wish.attempts, 2);
    CHECK_INT((intmax_t)c.scaling.change_count, 1);
    pull_out(&c);
}

static void test_holder_itself(void)
{
    struct card c;
    struct wish wish = {&c, 6, 0};

    insert(&c, 5);
    vsm_relief_lock(c.relief);
    CHECK_INT(take(&wish), VSM_E_NOMEM);
    CHECK_INT(vsm_relief_give(c.relief), VSM_OK);
    CHECK_INT(take(&wish), VSM_OK);
    vsm_relief_unlock(c.relief);
    CHECK_INT((intmax_t)c.scaling.change_count, 1);
    pull_out(&c);
}

#define STAGES 4
#define TIMES  2000

static void *work_beside(void *opaque)
{
    struct card *c = opaque;
    intptr_t failures = 0;

    for (int i = 0; i < TIMES; i++) {
        struct wish wish = {c, 1 + i % 2, 0};

        if (vsm_relief_try(c->relief, take, &wish) != VSM_OK)
            failures++;
        else {
            pthread_mutex_lock(&c->lock);
            c->free += wish.blocks;
            pthread_mutex_unlock(&c->lock);
        }
    }
    return (void *)failures;
}

/* Stages that take and return, beside a holder at work that never waits for them: all come to an end, all get
 * what they want, and no more is given up than all want at once. */
static void test_stages_at_once(void)
{
    pthread_t threads[STAGES];
    struct card c;

    insert(&c, 1);
    for (int i = 0; i < STAGES; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, work_beside, &c), 0);
    for (int i = 0; i < TIMES; i++) {
        vsm_relief_lock(c.relief);
        c.next++;
        vsm_relief_unlock(c.relief);
    }
    for (int i = 0; i < STAGES; i++) {
        void *failures;

        pthread_join(threads[i], &failures);
        CHECK_INT((intptr_t)failures, 0);
    }
    CHECK(c.scaling.change_count <= 1); /* 11 blocks are enough for 4 stages */
    CHECK_INT(c.free + network_blocks(&c), 51);
    pull_out(&c);
}

int main(void)
{
    RUN(test_steps_down_as_far_as_needed);
    RUN(test_nobody_to_ask);
    RUN(test_other_failures);
    RUN(test_one_step_serves_all);
    RUN(test_the_holders_own_step_serves_too);
    RUN(test_holder_itself);
    RUN(test_stages_at_once);
    return tap_done();
}
