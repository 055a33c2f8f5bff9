#include "stages/gpu_views.h"

#include "base/fault.h"
#include "base/mem.h"
#include "image/cuda_tensors.h"
#include "image/preprocess_cuda.h"
#include "models/rvm_cuda.h"

#include <string.h>

struct vsm_gpu_net {
    int width, height;
    bool used;
    struct vsm_rvm_cuda *rvm;
    struct vsm_cuda_tensors *maps; /* of one view */
    struct vsm_cuda_stream *stream;
    int batch;
    struct vsm_view views[VSM_MAX_VIEWS]; /* that preprocess is for */
    struct vsm_preprocess_cuda *preprocess;
};

static void destroy_net(struct vsm_gpu_net *net)
{
    if (!net)
        return;
    vsm_rvm_cuda_destroy(net->rvm);
    vsm_cuda_tensors_destroy(net->maps);
    vsm_preprocess_cuda_destroy(net->preprocess);
    vsm_mem_free(net);
}

static int create_net(struct vsm_gpu_views *views, int width, int height, struct vsm_gpu_net **net)
{
    const int64_t dims[] = {height, width, 8};
    struct vsm_gpu_net *n;
    int status;

    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: memory of the network: out of memory");
    n = vsm_mem_alloc("network", 1, sizeof(*n));
    if (!n)
        return VSM_E_NOMEM;
    n->width = width;
    n->height = height;
    n->stream = views->stream;
    n->batch = views->options.batch;
    views->options.width = width;
    views->options.height = height;
    n->maps = vsm_cuda_tensors_create("maps", VSM_PLACE_CUDA, 3, dims);
    status = n->maps ? vsm_rvm_cuda_create(&views->options, views->stream, &n->rvm) : VSM_E_NOMEM;
    if (status) {
        destroy_net(n);
        return status;
    }
    *net = n;
    return VSM_OK;
}

/* One of that grid that nobody uses, or a new one, if need be instead of one of another grid. */
static int take_net(struct vsm_gpu_views *views, int width, int height, struct vsm_gpu_net **net)
{
    struct vsm_gpu_net **place = NULL;
    int status = VSM_OK;

    for (int i = 0; i < VSM_GPU_VIEWS_NETS; i++) {
        struct vsm_gpu_net *n = views->nets[i];

        if (n && !n->used && n->width == width && n->height == height) {
            place = &views->nets[i];
            break;
        }
        if (!n || (!n->used && !place))
            place = !place || *place ? &views->nets[i] : place;
    }
    if (!place)
        return vsm_fail(VSM_E_INTERNAL, "GPU stage: more than %d networks", VSM_GPU_VIEWS_NETS);
    if (!*place || (*place)->width != width || (*place)->height != height) {
        destroy_net(*place);
        *place = NULL;
        status = create_net(views, width, height, place);
    }
    if (status)
        return status;
    (*place)->used = true;
    *net = *place;
    return VSM_OK;
}

static int aim(struct vsm_gpu_net *net, const struct vsm_image *source, const struct vsm_view *views)
{
    const size_t bytes = (size_t)net->batch * sizeof(*views);

    if (net->preprocess && memcmp(net->views, views, bytes) == 0)
        return VSM_OK;
    vsm_preprocess_cuda_destroy(net->preprocess);
    net->preprocess = NULL;
    memcpy(net->views, views, bytes);
    return vsm_preprocess_cuda_create(source, views, net->batch, &net->preprocess);
}

int vsm_gpu_views_open(struct vsm_gpu_views *views, struct vsm_gpu_set *set)
{
    const int batch = views->options.batch;
    int status = VSM_OK;

    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        set->nets[i] = NULL;
    if (set->count % batch)
        status = vsm_fail(VSM_E_INTERNAL, "GPU stage: %d views are no pairs of eyes", set->count);
    for (int i = 0; i < set->count / batch && !status; i++) {
        const struct vsm_view *first = &set->views[i * batch];

        status = take_net(views, first->width, first->height, &set->nets[i]);
        if (!status)
            status = aim(set->nets[i], &views->source, first);
    }
    if (status)
        vsm_gpu_views_close(set);
    return status;
}

void vsm_gpu_views_close(struct vsm_gpu_set *set)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        if (set->nets[i])
            set->nets[i]->used = false;
        set->nets[i] = NULL;
    }
    set->count = 0;
}

void vsm_gpu_views_clear(struct vsm_gpu_views *views)
{
    for (int i = 0; i < VSM_GPU_VIEWS_NETS; i++) {
        destroy_net(views->nets[i]);
        views->nets[i] = NULL;
    }
}

bool vsm_gpu_views_trim(struct vsm_gpu_views *views)
{
    bool any = false;

    for (int i = 0; i < VSM_GPU_VIEWS_NETS; i++) {
        if (!views->nets[i] || views->nets[i]->used)
            continue;
        destroy_net(views->nets[i]);
        views->nets[i] = NULL;
        any = true;
    }
    return any;
}

struct vsm_sha256 vsm_gpu_views_hash(const struct vsm_gpu_set *set)
{
    return vsm_rvm_cuda_hash(set->nets[0]->rvm);
}

int vsm_gpu_views_get_states(const struct vsm_gpu_set *set, struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && !status; i++) {
        const int batch = set->nets[0]->batch;

        status = vsm_rvm_cuda_get_state(set->nets[i / batch]->rvm, i % batch, &states[i]);
    }
    return status;
}

int vsm_gpu_views_set_states(const struct vsm_gpu_set *set, const struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && !status; i++) {
        const int batch = set->nets[0]->batch;

        status = vsm_rvm_cuda_set_state(set->nets[i / batch]->rvm, i % batch, &states[i]);
    }
    return status;
}

int vsm_gpu_views_take_room(const struct vsm_gpu_set *set, struct vsm_matte *mattes)
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && !status; i++) {
        mattes[i].view = set->views[i];
        vsm_tensor_unref(&mattes[i].coefficients);
        status = vsm_cuda_tensors_get(set->nets[i / set->nets[0]->batch]->maps, &mattes[i].coefficients);
    }
    return status;
}

int vsm_gpu_views_collect(const struct vsm_gpu_set *set, const struct vsm_matte *mattes)
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && !status; i++) {
        const struct vsm_gpu_net *net = set->nets[i / set->nets[0]->batch];
        const struct vsm_tensor *maps = mattes[i].coefficients;

        status = vsm_cuda_copy(maps->data, vsm_rvm_cuda_fit(net->rvm, i % net->batch), vsm_tensor_bytes(maps),
                               net->stream);
    }
    return status;
}

int vsm_gpu_views_run(const struct vsm_gpu_set *set, const struct vsm_image *source,
                      const struct vsm_matte *mattes)
{
    int status = VSM_OK;

    for (int i = 0; i < VSM_MAX_VIEWS && set->nets[i] && !status; i++) {
        const struct vsm_gpu_net *net = set->nets[i];

        status = vsm_preprocess_cuda_run(net->preprocess, source, vsm_rvm_cuda_source(net->rvm), net->stream);
        if (!status)
            status = vsm_rvm_cuda_run(net->rvm);
    }
    return status ? status : vsm_gpu_views_collect(set, mattes);
}

void vsm_gpu_views_pictures(const struct vsm_gpu_set *set, const float *rgb[VSM_MAX_VIEWS])
{
    for (int i = 0; i < set->count; i++) {
        const struct vsm_gpu_net *net = set->nets[i / set->nets[0]->batch];

        rgb[i] = vsm_rvm_cuda_source(net->rvm) + (ptrdiff_t)3 * (i % net->batch) * net->width * net->height;
    }
}

int vsm_gpu_views_check(const struct vsm_gpu_set *set, int *reset_count, bool *repeated)
{
    int status = VSM_OK;

    *repeated = false;
    for (int i = 0; i < VSM_MAX_VIEWS && set->nets[i] && !status; i++) {
        bool again = false;

        status = vsm_rvm_cuda_check(set->nets[i]->rvm, reset_count, &again);
        *repeated = *repeated || again;
    }
    return status;
}
