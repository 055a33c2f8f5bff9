#include "stages/scaling.h"

#include "tap.h"

#include <stdlib.h>

static struct vsm_scaling_options ladder(double usage, double fps)
{
    struct vsm_scaling_options o = {.target_usage = usage, .target_fps = fps, .bytes_per_cell = 600};

    CHECK_INT(vsm_scaling_ladder(4096, 4096, 0.0625, 0.375, 0.1875, 16, &o), VSM_OK);
    return o;
}

static double cells(const struct vsm_scaling *s)
{
    const struct vsm_scaling_grid g = vsm_scaling_current(s);

    return (double)g.width * g.height;
}

/* A pipeline whose network needs `ns` a cell and whose slowest other stage needs `other` ms. Counts the
 * changes. */
static int simulate(struct vsm_scaling *s, int64_t *frame, int frames, double ns, double other)
{
    const int64_t before = s->change_count;

    for (int i = 0; i < frames; i++) {
        const double noise = 1 + 0.06 * ((double)(rand() % 1000) / 1000 - 0.5),
                     busy = cells(s) * ns * 1e-6 * noise;
        const struct vsm_scaling_sample sample = {busy, busy > other ? busy : other, -1, 0};

        (void)vsm_scaling_note(s, (*frame)++, &sample);
    }
    return (int)(s->change_count - before);
}

static void test_ladder(void)
{
    struct vsm_scaling_options o = ladder(0.7, 0);
    struct vsm_scaling_options small = {0};

    CHECK_INT(o.count, 11);
    CHECK_INT(o.rungs[0].width, 256);
    CHECK_INT(o.rungs[o.count - 1].width, 1536);
    CHECK_INT(o.rungs[o.first].width, 768);
    for (int i = 1; i < o.count; i++)
        CHECK(o.rungs[i].width > o.rungs[i - 1].width && o.rungs[i].width % 16 == 0);
    /* An eye smaller than the smallest grid still has one. */
    CHECK_INT(vsm_scaling_ladder(200, 100, 0.25, 1, 1, 16, &small), VSM_OK);
    CHECK_INT(small.count, 1);
    CHECK_INT(small.rungs[0].width, 256);
    CHECK_INT(small.rungs[0].height, 128);
    CHECK_INT(vsm_scaling_ladder(1024, 512, 0.5, 0.25, 1, 16, &small), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "min_scale");
    /* The largest allowed size is a rung of its own. */
    CHECK_INT(vsm_scaling_ladder(1000, 1000, 0.3, 0.7, 0.7, 16, &small), VSM_OK);
    CHECK_INT(small.rungs[small.count - 1].width, 704);
    CHECK_INT(small.first, small.count - 1);
}

/* The encoder needs 20 ms: the grid rises while the device has time left, and then stays. */
static void test_rises_when_idle(void)
{
    const struct vsm_scaling_options o = ladder(0.7, 0);
    struct vsm_scaling s;
    int64_t frame = 0;

    vsm_scaling_init(&s, &o);
    CHECK(simulate(&s, &frame, 600, 6, 20) > 0);
    CHECK(cells(&s) * 6e-6 < 0.7 * 20);
    CHECK(cells(&s) * 6e-6 > 0.3 * 20);
    CHECK_INT(simulate(&s, &frame, 6000, 6, 20), 0);
    for (int64_t i = 0; i < s.change_count; i++)
        CHECK(s.changes[i].reason == VSM_SCALING_IDLE && s.changes[i].to == s.changes[i].from + 1);
}

/* The device is the slowest: the grid falls until something else limits. */
static void test_falls_when_busy(void)
{
    const struct vsm_scaling_options o = ladder(0.7, 0);
    struct vsm_scaling s;
    int64_t frame = 0;

    vsm_scaling_init(&s, &o);
    simulate(&s, &frame, 1000, 60, 20);
    CHECK(cells(&s) * 60e-6 < 20);
    CHECK_INT(s.changes[0].reason, VSM_SCALING_BUSY);
    /* The first frames and the first window are waited for. */
    CHECK_INT(s.changes[0].frame, VSM_SCALING_SETTLE + VSM_SCALING_WINDOW);
    CHECK(simulate(&s, &frame, 6000, 60, 20) <= 2);
}

static void test_holds_frames_a_second(void)
{
    const struct vsm_scaling_options o = ladder(0, 10);
    struct vsm_scaling s;
    int64_t frame = 0;

    vsm_scaling_init(&s, &o);
    simulate(&s, &frame, 1500, 400, 5);
    CHECK(cells(&s) * 400e-6 <= 100 * 1.05);
    CHECK(cells(&s) * 400e-6 > 40);
    CHECK(simulate(&s, &frame, 6000, 400, 5) <= 2);
    /* A faster machine: room again. */
    simulate(&s, &frame, 1500, 40, 5);
    CHECK_INT(vsm_scaling_current(&s).width, 1280);
    /* Where the network is not what takes the time, a smaller grid would not help. */
    CHECK_INT(simulate(&s, &frame, 500, 10, 400), 0);
}

/* A prediction that is always wrong: each raise must be taken back. It happens ever more rarely. */
static void test_patience(void)
{
    const struct vsm_scaling_options o = ladder(0.7, 0);
    struct vsm_scaling s;
    int64_t frame = 0, swings[2];

    vsm_scaling_init(&s, &o);
    for (int part = 0; part < 2; part++) {
        const int64_t before = s.change_count;

        for (int i = 0; i < 5000; i++) {
            const bool high = s.current > o.first;
            const struct vsm_scaling_sample sample = {high ? 30 : 2, high ? 30 : 20, -1, 0};

            (void)vsm_scaling_note(&s, frame++, &sample);
        }
        swings[part] = s.change_count - before;
    }
    CHECK(swings[0] >= 4);
    CHECK(swings[1] < swings[0] && swings[1] <= 6);
}

static void test_memory(void)
{
    const struct vsm_scaling_options o = ladder(0.9, 0);
    const struct vsm_scaling_sample idle = {1, 50, 0.02, (size_t)100 << 20};
    struct vsm_scaling s;
    char text[160];

    vsm_scaling_init(&s, &o);
    for (int i = 0; i < 200 && !s.change_count; i++)
        (void)vsm_scaling_note(&s, i, &idle);
    CHECK_INT(s.changes[0].reason, VSM_SCALING_MEMORY);
    CHECK_INT(s.current, o.first - 1);
    /* 300 MB are left, the next grid would take more than that leaves. */
    vsm_scaling_init(&s, &o);
    for (int i = 0; i < 2000; i++)
        (void)vsm_scaling_note(&s, i, &(struct vsm_scaling_sample){0.1, 50, -1, (size_t)300 << 20});
    CHECK(s.current < s.options.count - 1);
    CHECK_INT(s.current, 8);
    CHECK(vsm_scaling_out_of_memory(&s, 2000));
    CHECK_INT(s.current, 7);
    CHECK_INT(s.ceiling, 7);
    vsm_scaling_describe(&s, text, sizeof(text));
    CHECK_HAS(text, "frame 2000");
    CHECK_HAS(text, "grid 896x896 instead of 1024x1024");
    CHECK_HAS(text, "memory");
    for (int i = 0; i < 2000; i++)
        (void)vsm_scaling_note(&s, i, &(struct vsm_scaling_sample){0.1, 50, -1, 0});
    CHECK_INT(s.current, 7);
    while (s.current > 0)
        CHECK(vsm_scaling_out_of_memory(&s, 3000));
    CHECK(!vsm_scaling_out_of_memory(&s, 3000));
}

/* Saved in the middle of a window and loaded, it decides as if nothing had happened. */
static void test_save(void)
{
    const struct vsm_scaling_options o = ladder(0.7, 0);
    struct vsm_scaling a, b;
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;
    int64_t frame = 0;

    vsm_scaling_init(&a, &o);
    simulate(&a, &frame, 211, 60, 20);
    CHECK(a.change_count > 0 && a.count > 0);
    vsm_scaling_save(&a, &out);
    vsm_scaling_init(&b, &o);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_scaling_load(&b, &in), VSM_OK);
    CHECK_INT((intmax_t)vsm_bytes_left(&in), 0);
    for (int i = 0; i < 400; i++, frame++) {
        const struct vsm_scaling_sample sample = {1 + (double)(rand() % 9), 20, -1, 0};

        CHECK_INT(vsm_scaling_note(&a, frame, &sample), vsm_scaling_note(&b, frame, &sample));
    }
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);
    CHECK_INT((intmax_t)a.change_count, (intmax_t)b.change_count);
    for (size_t size = 0; size < out.size; size += 7) {
        in = vsm_bytes_in_of(out.data, size);
        CHECK_INT(vsm_scaling_load(&b, &in), VSM_E_INPUT);
    }
    out.data[8] ^= 1; /* another rung than the grid says */
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_scaling_load(&b, &in), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "--restart");
    CHECK(memcmp(&a, &b, sizeof(a)) == 0);
    vsm_bytes_out_finish(&out);
}

int main(void)
{
    RUN(test_ladder);
    RUN(test_rises_when_idle);
    RUN(test_falls_when_busy);
    RUN(test_holds_frames_a_second);
    RUN(test_patience);
    RUN(test_memory);
    RUN(test_save);
    return tap_done();
}
