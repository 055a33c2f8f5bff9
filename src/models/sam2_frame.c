#include "models/sam2_frame.h"

#include "models/sam2_mask.h"
#include "nn/device_pool.h"
#include "nn/graph_half.h"

#include <string.h>

void vsm_sam2_frame_drop(struct vsm_sam2_frame *frame)
{
    /* In the reverse order of their making, so that each comes back to its place
     * (nn/device_pool.h): two are equally large. */
    vsm_tensor_unref(&frame->f1);
    vsm_tensor_unref(&frame->f0);
    vsm_tensor_unref(&frame->feat);
}

static struct vsm_tensor *new_tensor(int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t dims[] = {a, b, c, d};

    return vsm_tensor_create(VSM_F32, rank, dims);
}

static void release(struct vsm_binding *bindings, int count)
{
    for (int i = 0; i < count; i++)
        vsm_tensor_unref(&bindings[i].tensor);
}

static bool have_all(const struct vsm_binding *bindings, int count)
{
    for (int i = 0; i < count; i++)
        if (!bindings[i].tensor)
            return false;
    return true;
}

/* For what only networks see: on their device, where they fill it; NULL on the CPU, where they make it. */
static struct vsm_tensor *result_tensor(const struct vsm_sam2_frame *frame, enum vsm_dtype dtype, int rank,
                                        const int64_t *dims)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(frame->net);

    return pool ? vsm_device_pool_tensor(pool, dtype, rank, dims) : NULL;
}

static void copy(const struct vsm_sam2_frame *frame, void *to, const void *from, size_t bytes)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(frame->net);

    if (pool)
        vsm_device_pool_copy(pool, to, from, bytes);
    else
        memcpy(to, from, bytes);
}

/* Runs a network whose results were made by result_tensor(), which are gone after a failure. */
static int run(const struct vsm_sam2_frame *frame, enum vsm_sam2_stage stage, const struct vsm_binding *in,
               int in_count, struct vsm_binding *out, int out_count)
{
    const bool placed = vsm_sam2_net_pool(frame->net) != NULL;
    int status = have_all(in, in_count) && (!placed || have_all(out, out_count)) ? VSM_OK : VSM_E_NOMEM;

    if (!status)
        status = vsm_sam2_net_run(frame->net, stage, in, (size_t)in_count, out, (size_t)out_count);
    if (status && placed)
        release(out, out_count);
    return status;
}

/* float32 pictures in half precision; NULL if out of memory. */
static struct vsm_tensor *halved(const struct vsm_tensor *images)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F16, images->rank, images->dims);

    for (int64_t i = 0; t && i < vsm_tensor_count(t); i++)
        ((uint16_t *)t->data)[i] = vsm_graph_half_from_float(((const float *)images->data)[i]);
    return t;
}

int vsm_sam2_frame_begin(struct vsm_sam2_frame *frame, struct vsm_tensor *images)
{
    const int64_t grid = vsm_sam2_net_config(frame->net)->grid, pixels = grid * grid, views = images->dims[0];
    const int64_t dims[][3] = {{views, pixels, VSM_SAM2_DIM},
                               {views, 16 * pixels, 32},
                               {views, 4 * pixels, 64}};
    struct vsm_binding in = {"image", vsm_tensor_ref(images)};
    struct vsm_binding out[] = {{"feat", NULL}, {"f0", NULL}, {"f1", NULL}};
    int status;

    vsm_sam2_frame_drop(frame);
    if (images->dtype == VSM_F32 && vsm_sam2_net_image_type(frame->net) == VSM_F16) {
        vsm_tensor_unref(&in.tensor);
        in.tensor = halved(images);
    }
    for (int i = 0; i < 3; i++)
        out[i].tensor = result_tensor(frame, VSM_F32, 3, dims[i]);
    status = run(frame, VSM_SAM2_ENCODER, &in, 1, out, 3);
    vsm_tensor_unref(&in.tensor);
    if (status)
        return status;
    frame->feat = out[0].tensor;
    frame->f0 = out[1].tensor;
    frame->f1 = out[2].tensor;
    return VSM_OK;
}

/* The rows of `from` [views, ...] of each seat's view; a new reference if they are all of them in order. */
static struct vsm_tensor *views_of(const struct vsm_sam2_frame *frame, struct vsm_tensor *from,
                                   const struct vsm_sam2_seat *seats, int count)
{
    const int64_t dims[] = {count, from->dims[1], from->dims[2]};
    size_t bytes = vsm_tensor_bytes(from) / (size_t)from->dims[0];
    bool same = count == from->dims[0];
    struct vsm_tensor *t;

    for (int i = 0; i < count; i++)
        same = same && seats[i].view == i;
    if (same)
        return vsm_tensor_ref(from);
    t = from->place == VSM_PLACE_HOST ? vsm_tensor_create(VSM_F32, 3, dims)
                                      : result_tensor(frame, VSM_F32, 3, dims);
    for (int i = 0; t && i < count; i++)
        copy(frame, (char *)t->data + (size_t)i * bytes, (char *)from->data + (size_t)seats[i].view * bytes,
             bytes);
    return t;
}

int vsm_sam2_frame_attend(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          int64_t now, struct vsm_tensor **conditioned)
{
    const struct vsm_sam2_config *config = vsm_sam2_net_config(frame->net);
    const int64_t tokens = config->memory_tokens, dim = VSM_SAM2_MEMORY_DIM;
    const struct vsm_sam2_bank_size size = vsm_sam2_bank_size(seats[0].bank, now);
    const int64_t dims[] = {count, frame->feat->dims[1], VSM_SAM2_DIM},
                  memory[] = {count, size.memories, tokens, dim};
    struct vsm_binding out = {"conditioned", result_tensor(frame, VSM_F32, 3, dims)},
                       in[] = {
                           {"feat", views_of(frame, frame->feat, seats, count)},
                           {"memory", vsm_sam2_net_pool(frame->net)
                                          ? result_tensor(frame, VSM_BF16, 4, memory)
                                          : vsm_tensor_create(VSM_F32, 4, memory)},
                           {"temporal", new_tensor(4, count, size.memories, 1, dim)},
                           {"pointers", new_tensor(3, count, 4 * size.pointers, dim, 0)},
                           {"pointer_position", new_tensor(3, count, 4 * size.pointers, dim, 0)},
                       };
    int status = have_all(in, 5) ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; !status && i < count; i++)
        vsm_sam2_bank_gather(seats[i].bank, vsm_sam2_net_learned(frame->net), config->family, now,
                             (char *)in[1].tensor->data +
                                 (size_t)i * (vsm_tensor_bytes(in[1].tensor) / (size_t)count),
                             vsm_tensor_f32(in[2].tensor) + i * size.memories * dim,
                             vsm_tensor_f32(in[3].tensor) + i * 4 * size.pointers * dim,
                             vsm_tensor_f32(in[4].tensor) + i * 4 * size.pointers * dim);
    if (!status)
        status = run(frame, VSM_SAM2_ATTENTION, in, 5, &out, 1);
    else
        release(&out, 1);
    release(in, 5);
    *conditioned = out.tensor;
    return status;
}

struct vsm_tensor *vsm_sam2_frame_memoryless(const struct vsm_sam2_frame *frame, int view, bool marked)
{
    const float *no_memory = vsm_sam2_net_learned(frame->net)->no_memory;
    const int64_t pixels = frame->feat->dims[1];
    struct vsm_tensor *image = new_tensor(3, 1, pixels, VSM_SAM2_DIM, 0);
    float *out = image ? vsm_tensor_f32(image) : NULL;

    if (!image)
        return NULL;
    copy(frame, out, vsm_tensor_f32(frame->feat) + view * pixels * VSM_SAM2_DIM, vsm_tensor_bytes(image));
    if (vsm_sam2_frame_wait(frame) != VSM_OK)
        vsm_tensor_unref(&image);
    for (int64_t i = 0; image && marked && i < pixels * VSM_SAM2_DIM; i++)
        out[i] += no_memory[i % VSM_SAM2_DIM];
    return image;
}

/* What stands for a mask in the decoder's input: an encoded one, or the learned sign of having none. */
static int make_dense(const struct vsm_sam2_frame *frame, const float *logits, struct vsm_tensor **dense)
{
    const int64_t side = vsm_sam2_net_config(frame->net)->image_size / 4;
    const int64_t dims[] = {1, side * side / 16, VSM_SAM2_DIM};
    struct vsm_binding mask = {"mask", NULL}, made = {"dense", NULL};
    int status;

    if (!logits) {
        *dense = new_tensor(3, 1, 1, VSM_SAM2_DIM, 0);
        if (*dense)
            memcpy((*dense)->data, vsm_sam2_net_learned(frame->net)->no_mask, vsm_tensor_bytes(*dense));
        return *dense ? VSM_OK : VSM_E_NOMEM;
    }
    mask.tensor = new_tensor(4, 1, 1, side, side);
    if (!mask.tensor)
        return VSM_E_NOMEM;
    memcpy(mask.tensor->data, logits, vsm_tensor_bytes(mask.tensor));
    made.tensor = result_tensor(frame, VSM_F32, 3, dims);
    status = run(frame, VSM_SAM2_PROMPT, &mask, 1, &made, 1);
    vsm_tensor_unref(&mask.tensor);
    *dense = made.tensor;
    return status;
}

int vsm_sam2_frame_decode(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          struct vsm_tensor *image, const struct vsm_sam2_points *points, const float *dense,
                          struct vsm_sam2_decoded *decoded)
{
    struct vsm_binding in[] = {
        {"image", image},
        {"dense", NULL},
        {"tokens", vsm_sam2_prompt_tokens(vsm_sam2_net_learned(frame->net), points,
                                          vsm_sam2_net_config(frame->net)->image_size, count)},
        {"f0", views_of(frame, frame->f0, seats, count)},
        {"f1", views_of(frame, frame->f1, seats, count)},
    };
    const int64_t dims[] = {count, VSM_SAM2_MASKS, 16 * frame->feat->dims[1]};
    struct vsm_binding out[] = {{"masks", NULL}, {"iou", NULL}, {"score", NULL}, {"pointers", NULL}};
    int status = make_dense(frame, dense, &in[1].tensor);

    if (!status && vsm_sam2_net_pool(frame->net)) {
        out[0].tensor = result_tensor(frame, VSM_F32, 3, dims);
        out[1].tensor = new_tensor(2, count, VSM_SAM2_MASKS, 0, 0);
        out[2].tensor = new_tensor(2, count, 1, 0, 0);
        out[3].tensor = new_tensor(3, count, VSM_SAM2_MASKS, VSM_SAM2_DIM, 0);
    }
    if (!status)
        status = run(frame, VSM_SAM2_DECODER, in, 5, out, 4);
    release(in, 5);
    *decoded = (struct vsm_sam2_decoded){out[0].tensor, out[1].tensor, out[2].tensor, out[3].tensor};
    return status;
}

void vsm_sam2_frame_release(struct vsm_sam2_decoded *decoded)
{
    vsm_tensor_unref(&decoded->masks);
    vsm_tensor_unref(&decoded->iou);
    vsm_tensor_unref(&decoded->score);
    vsm_tensor_unref(&decoded->pointers);
}

const float *vsm_sam2_frame_candidate(const struct vsm_sam2_decoded *decoded, int i, int mask)
{
    return vsm_tensor_f32(decoded->masks) + (i * VSM_SAM2_MASKS + mask) * decoded->masks->dims[2];
}

void vsm_sam2_frame_mask(const struct vsm_sam2_frame *frame, const struct vsm_sam2_decoded *decoded, int i,
                         int mask, float *to)
{
    copy(frame, to, vsm_sam2_frame_candidate(decoded, i, mask),
         (size_t)decoded->masks->dims[2] * sizeof(*to));
}

int vsm_sam2_frame_wait(const struct vsm_sam2_frame *frame)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(frame->net);

    return pool ? vsm_device_pool_wait(pool) : VSM_OK;
}

void vsm_sam2_frame_mark(const struct vsm_sam2_frame *frame)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(frame->net);

    if (pool)
        vsm_device_pool_mark(pool);
}

int vsm_sam2_frame_wait_mark(const struct vsm_sam2_frame *frame)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(frame->net);

    return pool ? vsm_device_pool_wait_mark(pool) : VSM_OK;
}

/* The device's network enlarges the masks, marks absent objects and rounds itself. */
static int memorise_there(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          const float *const *logits, bool binary, struct vsm_tensor **memory)
{
    const struct vsm_sam2_config *config = vsm_sam2_net_config(frame->net);
    const int64_t side = config->image_size / 4, dims[] = {count, config->memory_tokens, VSM_SAM2_MEMORY_DIM};
    const int64_t mask[] = {count, 1, side, side};
    struct vsm_binding in[] = {{"feat", views_of(frame, frame->feat, seats, count)},
                               {"logits", result_tensor(frame, VSM_F32, 4, mask)},
                               {"binary", new_tensor(4, count, 1, 1, 1)},
                               {"absent", new_tensor(3, count, 1, 1, 0)}};
    struct vsm_binding out = {"memory", result_tensor(frame, VSM_BF16, 3, dims)};
    int status = have_all(in, 4) ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; !status && i < count; i++) {
        copy(frame, vsm_tensor_f32(in[1].tensor) + i * side * side, logits[i],
             (size_t)(side * side) * sizeof(float));
        vsm_tensor_f32(in[2].tensor)[i] = binary;
        vsm_tensor_f32(in[3].tensor)[i] = seats[i].absent;
    }
    if (!status)
        status = run(frame, VSM_SAM2_MEMORY, in, config->family == VSM_SAM2_1 ? 4 : 3, &out, 1);
    else
        release(&out, 1);
    release(in, 4);
    *memory = out.tensor;
    return status;
}

static void mark_absent(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                        struct vsm_tensor *memory)
{
    const float *mark = vsm_sam2_net_learned(frame->net)->no_object_memory;
    const int64_t numbers = vsm_tensor_count(memory) / count;
    float *at = vsm_tensor_f32(memory);

    for (int i = 0; i < count; i++, at += numbers)
        for (int64_t k = 0; seats[i].absent && k < numbers; k++)
            at[k] += mark[k % VSM_SAM2_MEMORY_DIM];
}

static int memorise_here(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                         const float *const *logits, bool binary, struct vsm_tensor **memory)
{
    const int size = vsm_sam2_net_config(frame->net)->image_size, side = size / 4;
    const int64_t pixels = (int64_t)size * size;
    struct vsm_binding in[] = {{"feat", views_of(frame, frame->feat, seats, count)},
                               {"mask", new_tensor(4, count, 1, size, size)}};
    struct vsm_binding out = {"memory", NULL};
    int status = have_all(in, 2) ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; !status && i < count; i++) {
        float *mask = vsm_tensor_f32(in[1].tensor) + i * pixels;

        vsm_sam2_mask_resize(logits[i], side, side, mask, size, size);
        vsm_sam2_mask_memory_input(mask, pixels, binary);
    }
    if (!status)
        status = run(frame, VSM_SAM2_MEMORY, in, 2, &out, 1);
    if (!status)
        mark_absent(frame, seats, count, out.tensor);
    release(in, 2);
    *memory = out.tensor;
    return status;
}

int vsm_sam2_frame_memorise(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                            const float *const *logits, bool binary, struct vsm_tensor **memory)
{
    return (vsm_sam2_net_pool(frame->net) ? memorise_there : memorise_here)(frame, seats, count, logits,
                                                                            binary, memory);
}
