/* The pool over host memory: the order of addresses is what the pool over device memory has, too. */
#include "nn/device_pool.h"

#include "tap.h"

static struct vsm_tensor *floats(struct vsm_device_pool *pool, int64_t count)
{
    return vsm_device_pool_tensor(pool, VSM_F32, 1, &count);
}

static void test_addresses_come_back(void)
{
    struct vsm_device_pool *pool;
    struct vsm_tensor *a, *b, *c;
    void *first, *second;

    CHECK_INT(vsm_device_pool_create_host(&pool), VSM_OK);
    a = floats(pool, 10);
    b = floats(pool, 10);
    first = a->data;
    second = b->data;
    CHECK(first != second);
    vsm_tensor_unref(&a);
    vsm_tensor_unref(&b);
    c = floats(pool, 11); /* another size: neither */
    CHECK(c->data != first && c->data != second);
    vsm_tensor_unref(&c);
    a = floats(pool, 10);
    b = floats(pool, 10);
    CHECK(a->data == second && b->data == first); /* the last released first */
    vsm_tensor_unref(&b);
    vsm_tensor_unref(&a);
    vsm_device_pool_destroy(pool);
}

/* Released in the reverse order of their making, tensors of one size find their own places again. */
static void test_reverse_order_keeps_places(void)
{
    struct vsm_device_pool *pool;
    struct vsm_tensor *t[3];
    const void *places[3];

    CHECK_INT(vsm_device_pool_create_host(&pool), VSM_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            t[i] = floats(pool, 10);
        for (int i = 2; i >= 0; i--) {
            CHECK(round == 0 || t[i]->data == places[i]);
            places[i] = t[i]->data;
            vsm_tensor_unref(&t[i]);
        }
    }
    vsm_device_pool_destroy(pool);
}

static void test_copies(void)
{
    const float from[] = {1, 2, 3};
    float to[3] = {0};
    struct vsm_device_pool *pool;
    struct vsm_tensor *t;

    CHECK_INT(vsm_device_pool_create_host(&pool), VSM_OK);
    t = floats(pool, 3);
    vsm_device_pool_copy(pool, t->data, from, sizeof(from));
    vsm_device_pool_copy(pool, to, t->data, sizeof(to));
    CHECK_INT(vsm_device_pool_wait(pool), VSM_OK);
    CHECK_NEAR(to[2], 3, 0);
    vsm_tensor_unref(&t);
    vsm_device_pool_destroy(pool);
}

static void test_more_than_are_kept(void)
{
    struct vsm_device_pool *pool;
    struct vsm_tensor *t[100];

    CHECK_INT(vsm_device_pool_create_host(&pool), VSM_OK);
    for (int i = 0; i < 100; i++)
        t[i] = floats(pool, 4);
    for (int i = 0; i < 100; i++)
        vsm_tensor_unref(&t[i]);
    vsm_device_pool_destroy(pool);
}

int main(void)
{
    RUN(test_addresses_come_back);
    RUN(test_reverse_order_keeps_places);
    RUN(test_copies);
    RUN(test_more_than_are_kept);
    return tap_done();
}
