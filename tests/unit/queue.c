#include "pipeline/queue.h"

#include "base/mem.h"
#include "tap.h"

#include <pthread.h>
#include <unistd.h>

/* A frame that claims `width` bytes of picture; its release is counted. */
static _Atomic int released;

static void release(struct vsm_image *image)
{
    released++;
    vsm_mem_free(image);
}

static struct vsm_item frame_item(int64_t seq, int width)
{
    struct vsm_item item = {.frame = vsm_frame_create()};
    struct vsm_image *image = vsm_mem_alloc("test image", 1, sizeof(*image));

    image->format = (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = 8};
    image->width = width;
    image->height = 1;
    image->references = 1;
    image->release = release;
    item.frame->seq = seq;
    item.frame->source = image;
    return item;
}

static struct vsm_item barrier_item(int64_t after_seq)
{
    return (struct vsm_item){.barrier = vsm_barrier_create(after_seq)};
}

static int put_frame(struct vsm_queue *q, int64_t seq, int width)
{
    struct vsm_item item = frame_item(seq, width);
    uint64_t waited = 0;
    int status = vsm_queue_put(q, &item, &waited);

    if (status == VSM_OK)
        CHECK(!item.frame && !item.barrier);
    else
        CHECK(item.frame != NULL);
    vsm_item_destroy(&item);
    return status;
}

static int put_barrier(struct vsm_queue *q, int64_t after_seq)
{
    struct vsm_item item = barrier_item(after_seq);
    uint64_t waited = 0;
    int status = vsm_queue_put(q, &item, &waited);

    vsm_item_destroy(&item);
    return status;
}

/* The next frame's seq, 1000 + after_seq of a barrier, or the (negative) status. */
static int64_t get(struct vsm_queue *q)
{
    struct vsm_item item;
    uint64_t waited = 0;
    int status = vsm_queue_get(q, &item, &waited);
    int64_t what = status != VSM_OK ? status : item.frame ? item.frame->seq : 1000 + item.barrier->after_seq;

    CHECK(status != VSM_OK || !item.frame != !item.barrier);
    vsm_item_destroy(&item);
    return what;
}

static void test_order_and_drain(void)
{
    struct vsm_queue *q = vsm_queue_create(3, 1 << 20);

    CHECK_INT(put_frame(q, 1, 8), VSM_OK);
    CHECK_INT(put_barrier(q, 1), VSM_OK);
    CHECK_INT(put_frame(q, 2, 8), VSM_OK);
    vsm_queue_close_send(q);
    CHECK_INT(put_frame(q, 3, 8), VSM_E_INTERNAL);
    CHECK_INT(get(q), 1);
    CHECK_INT(get(q), 1001);
    CHECK_INT(get(q), 2);
    CHECK_INT(get(q), VSM_EOF);
    CHECK_INT(get(q), VSM_EOF);
    vsm_queue_destroy(q);
}

static void test_close_recv_frees_and_turns_away(void)
{
    struct vsm_queue *q = vsm_queue_create(3, 1 << 20);

    released = 0;
    CHECK_INT(put_frame(q, 1, 8), VSM_OK);
    CHECK_INT(put_barrier(q, 1), VSM_OK);
    vsm_queue_close_recv(q);
    CHECK_INT(released, 1);
    CHECK_INT(put_frame(q, 2, 8), VSM_EOF);
    CHECK_INT(get(q), VSM_EOF);
    vsm_queue_close_recv(q);
    vsm_queue_abort(q);
    CHECK_INT(put_frame(q, 3, 8), VSM_E_CANCELLED);
    vsm_queue_destroy(q);
}

static void test_abort_cuts(void)
{
    struct vsm_queue *q = vsm_queue_create(3, 1 << 20);

    released = 0;
    CHECK_INT(put_frame(q, 1, 8), VSM_OK);
    vsm_queue_close_send(q);
    vsm_queue_abort(q);
    CHECK_INT(released, 1);
    CHECK_INT(get(q), VSM_E_CANCELLED);
    vsm_queue_close_recv(q);
    CHECK_INT(get(q), VSM_E_CANCELLED);
    vsm_queue_destroy(q);
}

static void test_destroy_frees_queued(void)
{
    struct vsm_queue *q = vsm_queue_create(3, 1 << 20);

    released = 0;
    CHECK_INT(put_frame(q, 1, 8), VSM_OK);
    CHECK_INT(put_barrier(q, 1), VSM_OK);
    vsm_queue_destroy(q);
    CHECK_INT(released, 1);
    vsm_queue_destroy(NULL);
}

static void test_bad_bounds(void)
{
    CHECK(!vsm_queue_create(0, 1));
    CHECK_HAS(vsm_error_message(), "0 frames");
    CHECK(!vsm_queue_create(1, 0));
    CHECK(!vsm_queue_create(-1, 1));
}

/* A thread that puts `count` frames and then `barriers` barriers, and says what it got. */
struct producer {
    struct vsm_queue *q;
    int frames, barriers, width;
    _Atomic int done;
    int status;
    uint64_t waited;
};

static void *produce(void *argument)
{
    struct producer *p = argument;

    for (int i = 0; p->status == VSM_OK && i < p->frames + p->barriers; i++) {
        struct vsm_item item = i < p->frames ? frame_item(i, p->width) : barrier_item(i);

        p->status = vsm_queue_put(p->q, &item, &p->waited);
        vsm_item_destroy(&item);
        p->done += p->status == VSM_OK;
    }
    return NULL;
}

/* Waits until the producer has put `count` items, then a little longer to see that it puts no more. */
static void check_blocks_after(struct producer *p, int count)
{
    while (p->done < count)
        usleep(100);
    usleep(3000);
    CHECK_INT(p->done, count);
}

static void test_frame_bound(void)
{
    struct producer p = {.q = vsm_queue_create(2, 1 << 20), .frames = 4, .width = 8};
    pthread_t thread;
    int frames;
    size_t bytes;

    pthread_create(&thread, NULL, produce, &p);
    check_blocks_after(&p, 2);
    CHECK_INT(get(p.q), 0);
    check_blocks_after(&p, 3);
    for (int i = 1; i < 4; i++)
        CHECK_INT(get(p.q), i);
    pthread_join(thread, NULL);
    CHECK(p.waited > 3000000);
    vsm_queue_high_water(p.q, &frames, &bytes);
    CHECK_INT(frames, 2);
    CHECK_INT(bytes, 2 * (sizeof(struct vsm_frame) + 8));
    vsm_queue_destroy(p.q);
}

static void test_byte_bound_admits_one_giant(void)
{
    struct producer p = {.q = vsm_queue_create(5, 2 * sizeof(struct vsm_frame) + 100),
                         .frames = 3,
                         .width = 40};
    struct producer giant = {.q = vsm_queue_create(5, 10), .frames = 2, .barriers = 1, .width = 1 << 20};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &p);
    check_blocks_after(&p, 2);
    for (int i = 0; i < 3; i++)
        CHECK_INT(get(p.q), i);
    pthread_join(thread, NULL);
    vsm_queue_destroy(p.q);
    pthread_create(&thread, NULL, produce, &giant);
    check_blocks_after(&giant, 1);
    CHECK_INT(get(giant.q), 0);
    CHECK_INT(get(giant.q), 1);
    CHECK_INT(get(giant.q), 1002);
    pthread_join(thread, NULL);
    vsm_queue_destroy(giant.q);
}

static void test_barriers_pass_a_full_queue_but_not_endlessly(void)
{
    struct producer p = {.q = vsm_queue_create(2, 1 << 20), .frames = 2, .barriers = 5, .width = 8};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &p);
    check_blocks_after(&p, 2 + 3);
    vsm_queue_close_recv(p.q);
    pthread_join(thread, NULL);
    CHECK_INT(p.status, VSM_EOF);
    vsm_queue_destroy(p.q);
}

static void test_blocked_put_and_get_end_by_abort(void)
{
    struct producer p = {.q = vsm_queue_create(1, 1 << 20), .frames = 3, .width = 8};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &p);
    check_blocks_after(&p, 1);
    vsm_queue_abort(p.q);
    pthread_join(thread, NULL);
    CHECK_INT(p.status, VSM_E_CANCELLED);
    CHECK_INT(get(p.q), VSM_E_CANCELLED);
    vsm_queue_destroy(p.q);
}

static void *close_later(void *q)
{
    usleep(3000);
    vsm_queue_close_send(q);
    return NULL;
}

static void test_blocked_get_ends_by_close(void)
{
    struct vsm_queue *q = vsm_queue_create(1, 1);
    pthread_t thread;

    pthread_create(&thread, NULL, close_later, q);
    CHECK_INT(get(q), VSM_EOF);
    pthread_join(thread, NULL);
    vsm_queue_destroy(q);
}

int main(void)
{
    alarm(60);
    RUN(test_order_and_drain);
    RUN(test_close_recv_frees_and_turns_away);
    RUN(test_abort_cuts);
    RUN(test_destroy_frees_queued);
    RUN(test_bad_bounds);
    RUN(test_frame_bound);
    RUN(test_byte_bound_admits_one_giant);
    RUN(test_barriers_pass_a_full_queue_but_not_endlessly);
    RUN(test_blocked_put_and_get_end_by_abort);
    RUN(test_blocked_get_ends_by_close);
    return tap_done();
}
