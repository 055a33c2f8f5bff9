#include "nn/session.h"

#include "base/mem.h"
#include "nn/backend.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Room for "[d, d, ...]" of VSM_TENSOR_MAX_RANK dimensions. */
#define SHAPE_TEXT 160

struct vsm_session {
    char *name;
    const struct vsm_backend *backend;
    void *state;
    bool pooled; /* takes tensors on the device */
    atomic_bool interrupted;
    struct vsm_graph_port *inputs, *outputs; /* names owned */
    size_t input_count, output_count;
};

static const char *const dtype_names[] = {
    [VSM_F32] = "float32", [VSM_F16] = "float16", [VSM_BF16] = "bfloat16", [VSM_I32] = "int32",
    [VSM_I64] = "int64",   [VSM_U8] = "uint8",    [VSM_BOOL] = "bool",
};

static void shape_text(char text[SHAPE_TEXT], enum vsm_dtype dtype, int rank, const int64_t *dims)
{
    size_t at = (size_t)snprintf(text, SHAPE_TEXT, "%s[", dtype_names[dtype]);

    for (int i = 0; i < rank && at < SHAPE_TEXT; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, i ? ", %lld" : "%lld", (long long)dims[i]);
    if (at < SHAPE_TEXT)
        snprintf(text + at, SHAPE_TEXT - at, "]");
}

static void free_ports(struct vsm_graph_port *ports, size_t count)
{
    for (size_t i = 0; ports && i < count; i++)
        vsm_mem_free((void *)(uintptr_t)ports[i].name);
    vsm_mem_free(ports);
}

static int copy_ports(const struct vsm_graph_port *from, size_t count, struct vsm_graph_port **to)
{
    struct vsm_graph_port *ports = vsm_mem_alloc("session", count, sizeof(*ports));

    if (!ports)
        return VSM_E_NOMEM;
    *to = ports;
    for (size_t i = 0; i < count; i++) {
        ports[i] = from[i];
        ports[i].name = vsm_mem_string("session", from[i].name);
        if (!ports[i].name)
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

static int check_graph(const struct vsm_graph *graph, const struct vsm_session_options *options)
{
    if (graph->status) {
        vsm_error_set_message(graph->message ? graph->message : "graph: out of memory");
        return graph->status;
    }
    if (!graph->output_count || graph->input_count > VSM_BACKEND_MAX_PORTS ||
        graph->output_count > VSM_BACKEND_MAX_PORTS)
        return vsm_fail(VSM_E_INTERNAL,
                        "graph %s: %zu inputs and %zu outputs; outputs must be 1 to %d, inputs at most %d",
                        graph->name, graph->input_count, graph->output_count, VSM_BACKEND_MAX_PORTS,
                        VSM_BACKEND_MAX_PORTS);
    if (options->threads < 1)
        return vsm_fail(VSM_E_USAGE, "network %s: %d threads; give at least 1", graph->name,
                        options->threads);
    return VSM_OK;
}

static const struct vsm_backend *choose_backend(const struct vsm_session_options *options)
{
    switch (options->backend) {
    case VSM_BACKEND_NULL:
        return &vsm_null_backend;
    case VSM_BACKEND_FUSED:
        return &vsm_cuda_net_backend;
    case VSM_BACKEND_ORT:
        break;
    }
    return &vsm_ort_session_backend;
}

int vsm_session_create(const struct vsm_graph *graph, const struct vsm_session_options *options,
                       struct vsm_session **session)
{
    struct vsm_session *made;
    int status = check_graph(graph, options);

    if (status)
        return status;
    made = vsm_mem_alloc("session", 1, sizeof(*made));
    if (!made)
        return VSM_E_NOMEM;
    made->backend = choose_backend(options);
    made->pooled = options->pool != NULL;
    made->name = vsm_mem_string("session", graph->name);
    made->input_count = graph->input_count;
    made->output_count = graph->output_count;
    atomic_init(&made->interrupted, false);
    status = made->name ? VSM_OK : VSM_E_NOMEM;
    if (!status)
        status = copy_ports(graph->inputs, graph->input_count, &made->inputs);
    if (!status)
        status = copy_ports(graph->outputs, graph->output_count, &made->outputs);
    if (!status)
        status = made->backend->create(graph, options, &made->state);
    if (status) {
        vsm_session_destroy(made);
        return status;
    }
    *session = made;
    return VSM_OK;
}

void vsm_session_destroy(struct vsm_session *session)
{
    if (!session)
        return;
    if (session->state)
        session->backend->destroy(session->state);
    free_ports(session->inputs, session->input_count);
    free_ports(session->outputs, session->output_count);
    vsm_mem_free(session->name);
    vsm_mem_free(session);
}

static int find_port(const struct vsm_graph_port *ports, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(ports[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int check_tensor(const struct vsm_session *session, const struct vsm_graph_port *port,
                        const struct vsm_tensor *tensor)
{
    bool fits = tensor->dtype == port->dtype && tensor->rank == port->rank &&
                (tensor->place == VSM_PLACE_HOST || session->pooled);
    char is[SHAPE_TEXT], wanted[SHAPE_TEXT];

    for (int i = 0; fits && i < port->rank; i++)
        fits = port->dims[i] < 0 || port->dims[i] == tensor->dims[i];
    if (fits)
        return VSM_OK;
    shape_text(is, tensor->dtype, tensor->rank, tensor->dims);
    shape_text(wanted, port->dtype, port->rank, port->dims);
    return vsm_fail(VSM_E_INTERNAL, "network %s: \"%s\" is %s, the network wants %s in %s memory",
                    session->name, port->name, is, wanted, session->pooled ? "host or device" : "host");
}

/* Puts the bindings' tensors in the order of the ports. */
static int sort_inputs(const struct vsm_session *session, const struct vsm_binding *inputs, size_t count,
                       struct vsm_tensor **sorted)
{
    for (size_t i = 0; i < count; i++) {
        int at = find_port(session->inputs, session->input_count, inputs[i].name);
        int status;

        if (at < 0 || !inputs[i].tensor)
            return vsm_fail(VSM_E_INTERNAL, "network %s: no %s \"%s\"", session->name,
                            at < 0 ? "input called" : "tensor for input", inputs[i].name);
        status = check_tensor(session, &session->inputs[at], inputs[i].tensor);
        if (status)
            return status;
        sorted[at] = inputs[i].tensor;
    }
    for (size_t i = 0; i < session->input_count; i++) {
        if (!sorted[i])
            return vsm_fail(VSM_E_INTERNAL, "network %s: input \"%s\" is missing", session->name,
                            session->inputs[i].name);
    }
    return VSM_OK;
}

static int sort_outputs(const struct vsm_session *session, const struct vsm_binding *outputs, size_t count,
                        struct vsm_tensor **sorted, bool *wanted)
{
    for (size_t i = 0; i < count; i++) {
        int at = find_port(session->outputs, session->output_count, outputs[i].name);
        int status;

        if (at < 0 || wanted[at])
            return vsm_fail(VSM_E_INTERNAL, "network %s: %s output \"%s\"", session->name,
                            at < 0 ? "no" : "twice the", outputs[i].name);
        status = outputs[i].tensor ? check_tensor(session, &session->outputs[at], outputs[i].tensor) : VSM_OK;
        if (status)
            return status;
        sorted[at] = outputs[i].tensor;
        wanted[at] = true;
    }
    return VSM_OK;
}

/* Hands new tensors to the bindings, or releases them after a failure. */
static void settle_outputs(const struct vsm_session *session, struct vsm_binding *outputs, size_t count,
                           struct vsm_tensor **made, bool keep)
{
    for (size_t i = 0; i < count; i++) {
        int at = find_port(session->outputs, session->output_count, outputs[i].name);

        if (outputs[i].tensor)
            continue;
        if (keep)
            outputs[i].tensor = made[at];
        else
            vsm_tensor_unref(&made[at]);
    }
}

int vsm_session_run(struct vsm_session *session, const struct vsm_binding *inputs, size_t input_count,
                    struct vsm_binding *outputs, size_t output_count)
{
    struct vsm_tensor *in[VSM_BACKEND_MAX_PORTS] = {0}, *out[VSM_BACKEND_MAX_PORTS] = {0};
    bool wanted[VSM_BACKEND_MAX_PORTS] = {0};
    int status;

    if (atomic_load(&session->interrupted))
        return VSM_E_CANCELLED;
    status = sort_inputs(session, inputs, input_count, in);
    if (!status)
        status = sort_outputs(session, outputs, output_count, out, wanted);
    if (status)
        return status;
    status = session->backend->run(session->state, in, out, wanted);
    settle_outputs(session, outputs, output_count, out, status == VSM_OK);
    return status && atomic_load(&session->interrupted) ? VSM_E_CANCELLED : status;
}

void vsm_session_interrupt(struct vsm_session *session)
{
    atomic_store(&session->interrupted, true);
    session->backend->interrupt(session->state);
}

const char *vsm_session_backend_version(void)
{
    return vsm_ort_session_backend.version();
}

const char *vsm_session_providers(void)
{
    return vsm_ort_session_backend.providers();
}
