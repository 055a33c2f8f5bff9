#include "nn/session.h"

#include "base/fault.h"
#include "cuda/device.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>

static const struct vsm_session_options cpu = {.threads = 1};

/* y = conv(x, all ones 3x3, pads 1) + n, sum = reduced y; n has one free dimension that is broadcast. */
static struct vsm_graph *make_conv_graph(void)
{
    static const int64_t x_dims[] = {1, 1, 4, 4}, n_dims[] = {1, 1, -1, 4}, w_dims[] = {16, 1, 3, 3};
    static const int64_t y_dims[] = {1, 16, 4, 4}, free_dims[] = {1, 1, -1, 4}, pads[] = {1, 1, 1, 1};
    static float ones[144];
    struct vsm_graph *g = vsm_graph_create("conv test", 17);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, x_dims),
              n = vsm_graph_input(g, "n", VSM_F32, 4, n_dims);
    const struct vsm_attr attr = VSM_ATTR_IS("pads", pads, 4);
    vsm_value w, y;

    for (int i = 0; i < 144; i++)
        ones[i] = 1;
    w = vsm_graph_weight_copy(g, VSM_F32, 4, w_dims, ones);
    y = vsm_graph_node(g, "Conv", (const vsm_value[]){x, w}, 2, &attr, 1);
    vsm_graph_output(g, y, "y", VSM_F32, 4, y_dims);
    vsm_graph_output(g, vsm_graph_op(g, "Add", n, vsm_graph_scalar(g, 2)), "n2", VSM_F32, 4, free_dims);
    return g;
}

static struct vsm_tensor *make_counting(int64_t rows)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 1, rows, 4});

    for (int i = 0; t && i < rows * 4; i++)
        vsm_tensor_f32(t)[i] = (float)i;
    return t;
}

static void test_run_makes_or_fills_outputs(void)
{
    struct vsm_graph *g = make_conv_graph();
    struct vsm_session *s = NULL;
    struct vsm_tensor *x = make_counting(4), *n = make_counting(3);
    struct vsm_binding in[] = {{"n", n}, {"x", x}}, out[] = {{"n2", NULL}, {"y", NULL}};

    CHECK_INT(vsm_session_create(g, &cpu, &s), VSM_OK);
    vsm_graph_destroy(g);
    CHECK_INT(vsm_session_run(s, in, 2, out, 2), VSM_OK);
    CHECK_INT(out[0].tensor->dims[2], 3);
    CHECK_NEAR(vsm_tensor_f32(out[0].tensor)[11], 13, 0);
    CHECK_NEAR(vsm_tensor_f32(out[1].tensor)[0], 0 + 1 + 4 + 5, 0);
    CHECK_NEAR(vsm_tensor_f32(out[1].tensor)[5 + 15 * 16], 45, 0);

    /* In place: the tensor of the caller is written, not replaced. */
    for (int i = 0; i < 16; i++)
        vsm_tensor_f32(x)[i] = 1;
    struct vsm_tensor *y = out[1].tensor;
    CHECK_INT(vsm_session_run(s, in, 2, &out[1], 1), VSM_OK);
    CHECK(out[1].tensor == y);
    CHECK_NEAR(vsm_tensor_f32(y)[5], 9, 0);
    vsm_session_destroy(s);
    for (int i = 0; i < 2; i++) {
        vsm_tensor_unref(&in[i].tensor);
        vsm_tensor_unref(&out[i].tensor);
    }
}

static void test_bindings_are_checked(void)
{
    struct vsm_graph *g = make_conv_graph();
    struct vsm_session *s = NULL;
    struct vsm_tensor *x = make_counting(4), *small = make_counting(3);
    struct vsm_binding out[] = {{"y", NULL}, {"y", NULL}};

    CHECK_INT(vsm_session_create(g, &cpu, &s), VSM_OK);
    CHECK_INT(vsm_session_run(s, (struct vsm_binding[]){{"x", x}}, 1, out, 1), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "\"n\" is missing");
    CHECK_INT(vsm_session_run(s, (struct vsm_binding[]){{"x", small}, {"n", x}}, 2, out, 1), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "[1, 1, 3, 4]");
    CHECK_HAS(vsm_error_message(), "[1, 1, 4, 4]");
    CHECK_INT(vsm_session_run(s, (struct vsm_binding[]){{"z", x}, {"n", x}}, 2, out, 1), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "\"z\"");
    CHECK_INT(vsm_session_run(s, (struct vsm_binding[]){{"x", x}, {"n", x}}, 2, out, 2), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "twice");
    CHECK(!out[0].tensor && !out[1].tensor);
    vsm_session_destroy(s);
    vsm_graph_destroy(g);
    vsm_tensor_unref(&x);
    vsm_tensor_unref(&small);
}

static void test_bad_graphs_are_refused(void)
{
    struct vsm_graph *g = vsm_graph_create("nonsense", 17);
    struct vsm_session *s = NULL;
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 1, (const int64_t[]){4});

    vsm_graph_output(g, vsm_graph_op(g, "NoSuchOperator", x), "y", VSM_F32, 1, (const int64_t[]){4});
    CHECK_INT(vsm_session_create(g, &cpu, &s), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "nonsense");
    CHECK_HAS(vsm_error_message(), "NoSuchOperator");
    CHECK(!s);
    vsm_graph_destroy(g);

    g = vsm_graph_create("failed", 17);
    (void)vsm_graph_op(g, "Relu", 3);
    CHECK_INT(vsm_session_create(g, &cpu, &s), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "Relu");
    vsm_graph_destroy(g);

    g = make_conv_graph();
    CHECK_INT(vsm_session_create(g, &(struct vsm_session_options){.threads = 0}, &s), VSM_E_USAGE);
    vsm_graph_destroy(g);
}

static void test_missing_device_is_named(void)
{
    struct vsm_graph *g = make_conv_graph();
    struct vsm_session *s = NULL;
    struct vsm_cuda_info info;
    int status;

    if (vsm_cuda_device_info(&info) == VSM_OK) {
        tap_skip("there is a device");
    } else {
        status =
            vsm_session_create(g, &(struct vsm_session_options){.device = VSM_DEVICE_CUDA, .threads = 1}, &s);
        CHECK_INT(status, VSM_E_DEVICE);
        CHECK_HAS(vsm_error_message(), "CUDA");
        CHECK_HAS(vsm_error_message(), "device cpu");
    }
    vsm_graph_destroy(g);
    CHECK_HAS(vsm_session_providers(), "CPUExecutionProvider");
    CHECK_HAS(vsm_session_backend_version(), "ONNX Runtime 1.");
}

static void test_null_backend_gives_zeros(void)
{
    struct vsm_graph *g = make_conv_graph();
    struct vsm_session *s = NULL;
    struct vsm_tensor *x = make_counting(4), *y = make_counting(4);
    struct vsm_binding in[] = {{"n", x}, {"x", x}}, out[] = {{"n2", y}, {"y", NULL}};

    CHECK_INT(vsm_session_create(g, &(struct vsm_session_options){.backend = VSM_BACKEND_NULL, .threads = 1},
                                 &s),
              VSM_OK);
    CHECK_INT(vsm_session_run(s, in, 2, out, 2), VSM_OK);
    CHECK_NEAR(vsm_tensor_f32(y)[15], 0, 0);
    CHECK_INT(out[1].tensor->dims[1], 16);
    vsm_session_destroy(s);
    vsm_graph_destroy(g);
    vsm_tensor_unref(&x);
    vsm_tensor_unref(&y);
    vsm_tensor_unref(&out[1].tensor);
}

/* A network that runs for long: 200 convolutions of 64 channels at 256x256. */
static struct vsm_graph *make_long_graph(void)
{
    static const int64_t dims[] = {1, 64, 256, 256}, w_dims[] = {64, 64, 3, 3}, pads[] = {1, 1, 1, 1};
    static float weights[64 * 64 * 9];
    struct vsm_graph *g = vsm_graph_create("long", 17);
    vsm_value v = vsm_graph_input(g, "x", VSM_F32, 4, dims),
              w = vsm_graph_weight(g, VSM_F32, 4, w_dims, weights);
    const struct vsm_attr attr = VSM_ATTR_IS("pads", pads, 4);

    for (int i = 0; i < 200; i++)
        v = vsm_graph_node(g, "Conv", (const vsm_value[]){v, w}, 2, &attr, 1);
    vsm_graph_output(g, v, "y", VSM_F32, 4, dims);
    return g;
}

static void *interrupt_soon(void *session)
{
    nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
    vsm_session_interrupt(session);
    return NULL;
}

static void test_interrupt_ends_a_run(void)
{
    struct vsm_graph *g = make_long_graph();
    struct vsm_session *s = NULL;
    struct vsm_tensor *x = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 64, 256, 256});
    struct vsm_binding in = {"x", x}, out = {"y", NULL};
    pthread_t thread;

    CHECK_INT(vsm_session_create(g, &cpu, &s), VSM_OK);
    CHECK_INT(pthread_create(&thread, NULL, interrupt_soon, s), 0);
    CHECK_INT(vsm_session_run(s, &in, 1, &out, 1), VSM_E_CANCELLED);
    pthread_join(thread, NULL);
    CHECK(!out.tensor);
    CHECK_INT(vsm_session_run(s, &in, 1, &out, 1), VSM_E_CANCELLED);
    vsm_session_destroy(s);
    vsm_graph_destroy(g);
    vsm_tensor_unref(&x);
}

static void test_every_allocation_may_fail(void)
{
#ifdef VSM_FAULT_POINTS
    struct vsm_graph *g = make_conv_graph();
    struct vsm_tensor *x = make_counting(4);
    struct vsm_binding in[] = {{"n", x}, {"x", x}};
    int status = VSM_E_NOMEM;

    for (unsigned long n = 1; status && n < 1000; n++) {
        struct vsm_binding out[] = {{"n2", NULL}, {"y", NULL}};
        struct vsm_session *s = NULL;

        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        status = vsm_session_create(g, &cpu, &s);
        if (!status)
            status = vsm_session_run(s, in, 2, out, 2);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(!status || status == VSM_E_NOMEM);
        CHECK(!status == (out[0].tensor != NULL) && !status == (out[1].tensor != NULL));
        vsm_session_destroy(s);
        vsm_tensor_unref(&out[0].tensor);
        vsm_tensor_unref(&out[1].tensor);
    }
    CHECK_INT(status, VSM_OK);
    vsm_tensor_unref(&x);
    vsm_graph_destroy(g);
#else
    tap_skip("built without fault points");
#endif
}

int main(void)
{
    RUN(test_run_makes_or_fills_outputs);
    RUN(test_bindings_are_checked);
    RUN(test_bad_graphs_are_refused);
    RUN(test_missing_device_is_named);
    RUN(test_null_backend_gives_zeros);
    RUN(test_interrupt_ends_a_run);
    RUN(test_every_allocation_may_fail);
    return tap_done();
}
