#include "nn/backend.h"

#include "base/mem.h"

#include <string.h>

struct null_state {
    size_t output_count;
    struct vsm_graph_port outputs[VSM_BACKEND_MAX_PORTS]; /* names are not used */
};

static int create(const struct vsm_graph *graph, const struct vsm_session_options *options, void **state)
{
    struct null_state *null = vsm_mem_alloc("null session", 1, sizeof(*null));

    (void)options;
    if (!null)
        return VSM_E_NOMEM;
    null->output_count = graph->output_count;
    memcpy(null->outputs, graph->outputs, graph->output_count * sizeof(*graph->outputs));
    *state = null;
    return VSM_OK;
}

static int run(void *state, struct vsm_tensor *const *inputs, struct vsm_tensor **outputs, const bool *wanted)
{
    struct null_state *null = state;

    (void)inputs;
    for (size_t i = 0; i < null->output_count; i++) {
        const struct vsm_graph_port *port = &null->outputs[i];
        int64_t dims[VSM_TENSOR_MAX_RANK];

        if (!wanted[i])
            continue;
        if (outputs[i]) {
            memset(outputs[i]->data, 0, vsm_tensor_bytes(outputs[i]));
            continue;
        }
        for (int d = 0; d < port->rank; d++)
            dims[d] = port->dims[d] < 0 ? 1 : port->dims[d];
        outputs[i] = vsm_tensor_create(port->dtype, port->rank, dims);
        if (!outputs[i])
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

static void interrupt(void *state)
{
    (void)state;
}

const struct vsm_backend vsm_null_backend = {.create = create,
                                             .run = run,
                                             .interrupt = interrupt,
                                             .destroy = vsm_mem_free};
