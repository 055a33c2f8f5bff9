/* Writes RVM's fused graph for bench/gpu/peer.py: FOLDER/graph.json and FOLDER/weights.bin (float32).
 * Usage: bench_gpu_dump_graph MODEL.json GRID FOLDER */
#include "models/rvm_graph.h"
#include "nn/graph_data.h"

#include <stdio.h>
#include <stdlib.h>

static void write_ints(FILE *out, const char *key, const int64_t *values, size_t count)
{
    fprintf(out, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%lld", i ? "," : "", (long long)values[i]);
    fprintf(out, "]");
}

static void write_ports(FILE *out, const char *key, const struct vsm_graph_port *ports, size_t count)
{
    fprintf(out, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s{\"name\":\"%s\",\"value\":%d,", i ? "," : "", ports[i].name, ports[i].value);
        write_ints(out, "dims", ports[i].dims, (size_t)ports[i].rank);
        fprintf(out, "}");
    }
    fprintf(out, "],\n");
}

static void write_node(FILE *out, const struct vsm_graph_node *node)
{
    fprintf(out, "{\"op\":\"%s\",\"inputs\":[", node->op);
    for (size_t i = 0; i < node->input_count; i++)
        fprintf(out, "%s%d", i ? "," : "", node->inputs[i]);
    fprintf(out, "],\"outputs\":[");
    for (size_t i = 0; i < node->output_count; i++)
        fprintf(out, "%s%d", i ? "," : "", node->outputs[i]);
    fprintf(out, "]");
    for (size_t i = 0; i < node->attr_count; i++) {
        const struct vsm_attr *a = &node->attrs[i];

        fprintf(out, ",");
        if (a->kind == VSM_ATTR_INTS)
            write_ints(out, a->name, a->ints, a->count);
        else if (a->kind == VSM_ATTR_INT)
            fprintf(out, "\"%s\":%lld", a->name, (long long)a->i);
        else
            fprintf(out, "\"%s\":%.9g", a->name, (double)a->f);
    }
    fprintf(out, "}");
}

static void write_graph(const struct vsm_graph *g, FILE *out, FILE *weights)
{
    size_t at = 0;

    fprintf(out, "{");
    write_ports(out, "inputs", g->inputs, g->input_count);
    write_ports(out, "outputs", g->outputs, g->output_count);
    fprintf(out, "\"weights\":[");
    for (size_t i = 0; i < g->value_count; i++) {
        const struct vsm_tensor *t = g->values[i].weight;

        if (!t)
            continue;
        fprintf(out, "%s{\"value\":%zu,\"at\":%zu,", at ? ",\n" : "", i, at);
        write_ints(out, "dims", t->dims, (size_t)t->rank);
        fprintf(out, "}");
        at += fwrite(t->data, sizeof(float), (size_t)vsm_tensor_count(t), weights);
    }
    fprintf(out, "],\n\"nodes\":[");
    for (size_t i = 0; i < g->node_count; i++) {
        fprintf(out, "%s", i ? ",\n" : "");
        write_node(out, &g->nodes[i]);
    }
    fprintf(out, "]}\n");
}

int main(int argc, char **argv)
{
    struct vsm_tfjs *tfjs = NULL;
    struct vsm_graph *graph = NULL;
    FILE *out, *weights;
    char path[512];

    if (argc < 4) {
        fprintf(stderr, "usage: bench_gpu_dump_graph MODEL.json GRID FOLDER\n");
        return 1;
    }
    if (vsm_tfjs_open(argv[1], &tfjs) ||
        vsm_rvm_graph_build_fused(tfjs, atoi(argv[2]), atoi(argv[2]), 2, &graph)) {
        fprintf(stderr, "%s\n", vsm_error_message());
        return 1;
    }
    snprintf(path, sizeof(path), "%s/graph.json", argv[3]);
    out = fopen(path, "w");
    snprintf(path, sizeof(path), "%s/weights.bin", argv[3]);
    weights = fopen(path, "wb");
    if (!out || !weights) {
        fprintf(stderr, "%s: cannot be written\n", path);
        return 1;
    }
    write_graph(graph, out, weights);
    fclose(out);
    fclose(weights);
    vsm_graph_destroy(graph);
    vsm_tfjs_close(tfjs);
    return 0;
}
