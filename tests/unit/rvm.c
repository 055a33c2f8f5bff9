#include "models/rvm.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "build_config.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define MODEL VSM_MODELS_DIR "/rvm.json"

#define W 64
#define H 48

static bool have_model(void)
{
    if (access(MODEL, R_OK) == 0)
        return true;
    tap_skip("no RVM weights");
    return false;
}

static struct vsm_rvm *open_rvm(int batch)
{
    const struct vsm_rvm_options options = {
        .graph_path = MODEL, .width = W, .height = H, .batch = batch, .session = {.threads = 1}};
    struct vsm_rvm *rvm = NULL;

    CHECK_INT(vsm_rvm_create(&options, &rvm), VSM_OK);
    return rvm;
}

/* Smooth pictures, another for each view and frame. */
static struct vsm_tensor *make_source(int views, int first)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){views, 3, H, W});

    for (int i = 0; i < views * 3 * H * W; i++) {
        const int view = first + i / (3 * H * W), x = i % W, y = i / W % H;

        vsm_tensor_f32(t)[i] = 0.5f + 0.4f * sinf((float)(x * (view + 1) + 3 * y) * 0.05f);
    }
    return t;
}

static bool same(const struct vsm_tensor *a, const struct vsm_tensor *b)
{
    return vsm_tensor_bytes(a) == vsm_tensor_bytes(b) && memcmp(a->data, b->data, vsm_tensor_bytes(a)) == 0;
}

static void test_options_are_checked(void)
{
    struct vsm_rvm_options o = {
        .graph_path = MODEL, .width = 72, .height = 64, .batch = 1, .session = {.threads = 1}};
    struct vsm_rvm *rvm = NULL;

    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "72x64");
    o.width = 8192;
    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_USAGE);
    o.width = 64;
    o.batch = 3;
    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "batch 3");
    o.batch = 1;
    o.graph_path = "no/such/rvm.json";
    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "no/such/rvm.json");
    CHECK_HAS(vsm_error_message(), "make setup");
}

static void test_altered_file_is_refused(void)
{
    char folder[] = "/tmp/vsm-rvm-XXXXXX", path[64], shard[64];
    struct vsm_rvm_options o = {
        .graph_path = path, .width = W, .height = H, .batch = 1, .session = {.threads = 1}};
    struct vsm_rvm *rvm = NULL;
    void *data = NULL;
    size_t size = 0;

    if (!have_model())
        return;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/rvm.json", folder);
    snprintf(shard, sizeof(shard), "%s/rvm.bin", folder);
    CHECK_INT(vsm_file_read(MODEL, 1 << 20, VSM_E_MODEL, &data, &size), VSM_OK);
    CHECK_INT(vsm_file_write_atomic(path, data, size), VSM_OK);
    CHECK_INT(vsm_file_write_atomic(shard, "short", 5), VSM_OK);
    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "rvm.bin");
    CHECK_HAS(vsm_error_message(), "make setup");
    ((char *)data)[size / 2] ^= 1;
    CHECK_INT(vsm_file_write_atomic(path, data, size), VSM_OK);
    CHECK_INT(vsm_rvm_create(&o, &rvm), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "rvm.json: not the known file");
    vsm_mem_free(data);
    unlink(path);
    unlink(shard);
    rmdir(folder);
}

/* Two views in a batch, with states of their own, give what each gives alone. */
static void test_batch_equals_single_views(void)
{
    struct vsm_rvm *one = have_model() ? open_rvm(1) : NULL, *two = one ? open_rvm(2) : NULL;
    struct vsm_rvm_state single[2] = {0}, both[2] = {0};
    int resets = 0;

    if (!two)
        return;
    for (int frame = 0; frame < 2; frame++) {
        struct vsm_tensor *source = make_source(2, frame), *c[2];

        CHECK_INT(vsm_rvm_run(two, source, both, c, &resets), VSM_OK);
        for (int view = 0; view < 2; view++) {
            struct vsm_tensor *alone = make_source(1, frame + view), *d;

            CHECK_INT(vsm_rvm_run(one, alone, &single[view], &d, &resets), VSM_OK);
            CHECK_INT(d->rank, 3);
            CHECK_INT(d->dims[0], 8);
            CHECK(same(c[view], d));
            for (int i = 0; i < VSM_RVM_STATES; i++)
                CHECK(same(both[view].r[i], single[view].r[i]));
            vsm_tensor_unref(&alone);
            vsm_tensor_unref(&d);
            vsm_tensor_unref(&c[view]);
        }
        vsm_tensor_unref(&source);
    }
    CHECK_INT(resets, 0);
    for (int view = 0; view < 2; view++) {
        vsm_rvm_state_reset(&single[view]);
        vsm_rvm_state_reset(&both[view]);
    }
    vsm_rvm_destroy(one);
    vsm_rvm_destroy(two);
}

/* A state that was lost to NaN starts again; the other view of the batch does not notice. */
static void test_nan_states_are_reset(void)
{
    struct vsm_rvm *rvm = have_model() ? open_rvm(2) : NULL;
    struct vsm_rvm_state states[2] = {0}, fresh[2] = {0}, good[2] = {0};
    struct vsm_tensor *source, *c[2], *d[2], *e[2];
    int resets = 0;

    if (!rvm)
        return;
    source = make_source(2, 0);
    CHECK_INT(vsm_rvm_run(rvm, source, states, c, &resets), VSM_OK);
    for (int i = 0; i < VSM_RVM_STATES; i++)
        good[1].r[i] = vsm_tensor_ref(states[1].r[i]);
    vsm_tensor_f32(states[0].r[2])[100] = NAN;
    CHECK(!vsm_rvm_state_is_finite(&states[0]));
    CHECK(vsm_rvm_state_is_finite(&states[1]));
    vsm_tensor_unref(&c[0]);
    vsm_tensor_unref(&c[1]);
    CHECK_INT(vsm_rvm_run(rvm, source, states, c, &resets), VSM_OK);
    CHECK_INT(resets, 1);
    CHECK_INT(vsm_rvm_run(rvm, source, fresh, d, &resets), VSM_OK);
    CHECK_INT(vsm_rvm_run(rvm, source, good, e, &resets), VSM_OK);
    CHECK_INT(resets, 1);
    CHECK(same(c[0], d[0]));
    CHECK(same(c[1], e[1]) && !same(c[1], d[1]));
    for (int i = 0; i < 2; i++) {
        vsm_rvm_state_reset(&states[i]);
        vsm_rvm_state_reset(&fresh[i]);
        vsm_rvm_state_reset(&good[i]);
        vsm_tensor_unref(&c[i]);
        vsm_tensor_unref(&d[i]);
        vsm_tensor_unref(&e[i]);
    }
    vsm_tensor_unref(&source);
    vsm_rvm_destroy(rvm);
}

static void fill_state(struct vsm_rvm_state *s)
{
    static const int64_t dims[VSM_RVM_STATES][3] = {{16, 24, 32}, {20, 12, 16}, {40, 6, 8}, {64, 3, 4}};

    for (int i = 0; i < VSM_RVM_STATES; i++) {
        s->r[i] = vsm_tensor_create(VSM_F32, 3, dims[i]);
        for (int k = 0; k < (int)vsm_tensor_count(s->r[i]); k++)
            vsm_tensor_f32(s->r[i])[k] = (float)k * -0.37f + (float)i;
    }
    vsm_tensor_f32(s->r[0])[1] = -0.0f;
}

/* Results that were let go are written again; those that are held are not touched. */
static void test_held_results_stay(void)
{
    struct vsm_rvm *rvm = have_model() ? open_rvm(1) : NULL;
    struct vsm_rvm_state state = {0}, other = {0};
    struct vsm_tensor *source, *held, *copy, *c;
    int resets = 0;

    if (!rvm)
        return;
    source = make_source(1, 0);
    CHECK_INT(vsm_rvm_run(rvm, source, &state, &held, &resets), VSM_OK);
    copy = vsm_tensor_create(VSM_F32, 3, held->dims);
    memcpy(copy->data, held->data, vsm_tensor_bytes(copy));
    for (int i = 0; i < 5; i++) {
        CHECK_INT(vsm_rvm_run(rvm, source, &state, &c, &resets), VSM_OK);
        CHECK(c->data != held->data);
        vsm_tensor_unref(&c);
    }
    CHECK(same(held, copy));
    other.r[0] = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){16, 8, 8});
    CHECK_INT(vsm_rvm_run(rvm, source, &other, &c, &resets), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "state 1 of view 0");
    vsm_rvm_destroy(rvm);
    CHECK(same(held, copy));
    vsm_rvm_state_reset(&state);
    vsm_rvm_state_reset(&other);
    vsm_tensor_unref(&held);
    vsm_tensor_unref(&copy);
    vsm_tensor_unref(&source);
}

/* The network writes a new state over the old one if nobody else holds that: no bit differs from writing it
 * elsewhere. */
static void test_states_in_place_equal_new_ones(void)
{
    struct vsm_rvm *rvm = have_model() ? open_rvm(1) : NULL;
    struct vsm_rvm_state alone = {0}, shared = {0}, before = {0};
    int resets = 0;

    if (!rvm)
        return;
    for (int frame = 0; frame < 4; frame++) {
        struct vsm_tensor *source = make_source(1, frame), *c, *d;
        const void *memory = alone.r[0] ? alone.r[0]->data : NULL;
        float first;

        vsm_rvm_state_share(&before, &shared);
        first = before.r[0] ? vsm_tensor_f32(before.r[0])[77] : 0.0f;
        CHECK_INT(vsm_rvm_run(rvm, source, &alone, &c, &resets), VSM_OK);
        CHECK_INT(vsm_rvm_run(rvm, source, &shared, &d, &resets), VSM_OK);
        CHECK(!memory || alone.r[0]->data == memory);
        CHECK(!before.r[0] || before.r[0]->data != shared.r[0]->data);
        CHECK(!before.r[0] || vsm_tensor_f32(before.r[0])[77] == first);
        CHECK(same(c, d));
        for (int i = 0; i < VSM_RVM_STATES; i++)
            CHECK(same(alone.r[i], shared.r[i]));
        vsm_tensor_unref(&c);
        vsm_tensor_unref(&d);
        vsm_tensor_unref(&source);
    }
    vsm_rvm_state_reset(&alone);
    vsm_rvm_state_reset(&shared);
    vsm_rvm_state_reset(&before);
    vsm_rvm_destroy(rvm);
}

/* A run that was cut leaves a shared state as it was, and one that it may have half overwritten at its
 * start. */
static void test_cut_run_leaves_no_half_state(void)
{
    struct vsm_rvm *rvm = have_model() ? open_rvm(1) : NULL;
    struct vsm_rvm_state alone = {0}, shared = {0}, before = {0};
    struct vsm_tensor *source, *c;
    int resets = 0;

    if (!rvm)
        return;
    source = make_source(1, 0);
    CHECK_INT(vsm_rvm_run(rvm, source, &alone, &c, &resets), VSM_OK);
    vsm_tensor_unref(&c);
    CHECK_INT(vsm_rvm_run(rvm, source, &shared, &c, &resets), VSM_OK);
    vsm_tensor_unref(&c);
    vsm_rvm_state_share(&before, &shared);
    vsm_rvm_interrupt(rvm);
    CHECK_INT(vsm_rvm_run(rvm, source, &alone, &c, &resets), VSM_E_CANCELLED);
    CHECK_INT(vsm_rvm_run(rvm, source, &shared, &c, &resets), VSM_E_CANCELLED);
    CHECK(!alone.r[0] && !alone.r[3]);
    CHECK(shared.r[0] == before.r[0] && vsm_rvm_state_is_finite(&shared));
    vsm_rvm_state_reset(&shared);
    vsm_rvm_state_reset(&before);
    vsm_tensor_unref(&source);
    vsm_rvm_destroy(rvm);
}

static void test_state_survives_saving(void)
{
    struct vsm_rvm_state s = {0}, t = {0};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    fill_state(&s);
    vsm_rvm_state_save(&s, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_rvm_state_load(&t, W, H, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    for (int i = 0; i < VSM_RVM_STATES; i++)
        CHECK(same(s.r[i], t.r[i]));
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_rvm_state_load(&t, W, H + 16, &in), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "64x64");
    CHECK(t.r[0] != NULL);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK_INT(vsm_rvm_state_load(&t, W, H, &in), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "cut off");
    in = vsm_bytes_in_of(out.data, 0);
    CHECK_INT(vsm_rvm_state_load(&t, W, H, &in), VSM_E_INPUT);
    vsm_bytes_out_finish(&out);

    vsm_rvm_state_reset(&s);
    vsm_rvm_state_save(&s, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_rvm_state_load(&t, W, H, &in), VSM_OK);
    CHECK(!t.r[0] && !t.r[3]);
    vsm_bytes_out_finish(&out);
}

static void test_every_finite_value_is_seen(void)
{
    struct vsm_rvm_state s = {0};
    float *r4;

    fill_state(&s);
    r4 = vsm_tensor_f32(s.r[3]);
    CHECK(vsm_rvm_state_is_finite(&s));
    r4[767] = INFINITY;
    CHECK(!vsm_rvm_state_is_finite(&s));
    r4[767] = -NAN;
    CHECK(!vsm_rvm_state_is_finite(&s));
    r4[767] = 3e38f;
    CHECK(vsm_rvm_state_is_finite(&s));
    vsm_rvm_state_reset(&s);
}

static void test_every_allocation_may_fail(void)
{
#ifdef VSM_FAULT_POINTS
    struct vsm_rvm *rvm = have_model() ? open_rvm(2) : NULL;
    struct vsm_tensor *source;
    struct vsm_rvm_state states[2] = {0};
    int status = VSM_E_NOMEM;

    if (!rvm)
        return;
    source = make_source(2, 0);
    for (unsigned long n = 1; status && n < 1000; n++) {
        struct vsm_tensor *c[2] = {0};
        int resets = 0;

        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        status = vsm_rvm_run(rvm, source, states, c, &resets);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(!status || status == VSM_E_NOMEM);
        CHECK(!status == (c[0] != NULL) && !status == (states[1].r[3] != NULL));
        vsm_tensor_unref(&c[0]);
        vsm_tensor_unref(&c[1]);
    }
    CHECK_INT(status, VSM_OK);
    vsm_rvm_state_reset(&states[0]);
    vsm_rvm_state_reset(&states[1]);
    vsm_tensor_unref(&source);
    vsm_rvm_destroy(rvm);

    /* Building asks for memory some thousand times: take samples. */
    for (unsigned long n = 1; n < 3000; n += 211) {
        const struct vsm_rvm_options o = {
            .graph_path = MODEL, .width = W, .height = H, .batch = 1, .session = {.threads = 1}};

        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        status = vsm_rvm_create(&o, &rvm);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(!status || status == VSM_E_NOMEM);
        if (!status)
            vsm_rvm_destroy(rvm);
    }
#else
    tap_skip("built without fault points");
#endif
}

int main(void)
{
    RUN(test_options_are_checked);
    RUN(test_altered_file_is_refused);
    RUN(test_batch_equals_single_views);
    RUN(test_nan_states_are_reset);
    RUN(test_held_results_stay);
    RUN(test_states_in_place_equal_new_ones);
    RUN(test_cut_run_leaves_no_half_state);
    RUN(test_state_survives_saving);
    RUN(test_every_finite_value_is_seen);
    RUN(test_every_allocation_may_fail);
    return tap_done();
}
