#include "models/sam2_frame.h"

#include "models/sam2_mask.h"

#include <string.h>

void vsm_sam2_frame_drop(struct vsm_sam2_frame *frame)
{
    vsm_tensor_unref(&frame->feat);
    vsm_tensor_unref(&frame->f0);
    vsm_tensor_unref(&frame->f1);
}

int vsm_sam2_frame_begin(struct vsm_sam2_frame *frame, struct vsm_tensor *images)
{
    const struct vsm_binding in = {"image", images};
    struct vsm_binding out[] = {{"feat", NULL}, {"f0", NULL}, {"f1", NULL}};
    int status = vsm_sam2_net_run(frame->net, VSM_SAM2_ENCODER, &in, 1, out, 3);

    if (status)
        return status;
    vsm_sam2_frame_drop(frame);
    frame->feat = out[0].tensor;
    frame->f0 = out[1].tensor;
    frame->f1 = out[2].tensor;
    return VSM_OK;
}

static struct vsm_tensor *new_tensor(int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t dims[] = {a, b, c, d};

    return vsm_tensor_create(VSM_F32, rank, dims);
}

/* The rows of `from` [views, ...] of each seat's view; a new reference if they are all of them in order. */
static struct vsm_tensor *views_of(struct vsm_tensor *from, const struct vsm_sam2_seat *seats, int count)
{
    size_t bytes = vsm_tensor_bytes(from) / (size_t)from->dims[0];
    bool same = count == from->dims[0];
    struct vsm_tensor *t;

    for (int i = 0; i < count; i++)
        same = same && seats[i].view == i;
    if (same)
        return vsm_tensor_ref(from);
    t = new_tensor(3, count, from->dims[1], from->dims[2], 0);
    for (int i = 0; t && i < count; i++)
        memcpy((char *)t->data + (size_t)i * bytes, (char *)from->data + (size_t)seats[i].view * bytes,
               bytes);
    return t;
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

int vsm_sam2_frame_attend(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          int64_t now, struct vsm_tensor **conditioned)
{
    const struct vsm_sam2_config *config = vsm_sam2_net_config(frame->net);
    const int64_t tokens = config->memory_tokens, dim = VSM_SAM2_MEMORY_DIM;
    const struct vsm_sam2_bank_size size = vsm_sam2_bank_size(seats[0].bank, now);
    struct vsm_binding out = {"conditioned", NULL},
                       in[] = {
                           {"feat", views_of(frame->feat, seats, count)},
                           {"memory", new_tensor(4, count, size.memories, tokens, dim)},
                           {"temporal", new_tensor(4, count, size.memories, 1, dim)},
                           {"pointers", new_tensor(3, count, 4 * size.pointers, dim, 0)},
                           {"pointer_position", new_tensor(3, count, 4 * size.pointers, dim, 0)},
                       };
    int status = have_all(in, 5) ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; !status && i < count; i++)
        vsm_sam2_bank_gather(seats[i].bank, vsm_sam2_net_learned(frame->net), config->family, now,
                             vsm_tensor_f32(in[1].tensor) + i * size.memories * tokens * dim,
                             vsm_tensor_f32(in[2].tensor) + i * size.memories * dim,
                             vsm_tensor_f32(in[3].tensor) + i * 4 * size.pointers * dim,
                             vsm_tensor_f32(in[4].tensor) + i * 4 * size.pointers * dim);
    if (!status)
        status = vsm_sam2_net_run(frame->net, VSM_SAM2_ATTENTION, in, 5, &out, 1);
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
    const float *from = vsm_tensor_f32(frame->feat) + view * pixels * VSM_SAM2_DIM;

    for (int64_t i = 0; image && i < pixels * VSM_SAM2_DIM; i++)
        out[i] = marked ? from[i] + no_memory[i % VSM_SAM2_DIM] : from[i];
    return image;
}

/* What stands for a mask in the decoder's input: an encoded one, or the learned sign of having none. */
static int make_dense(const struct vsm_sam2_frame *frame, const float *logits, struct vsm_tensor **dense)
{
    const int64_t side = vsm_sam2_net_config(frame->net)->image_size / 4;
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
    status = vsm_sam2_net_run(frame->net, VSM_SAM2_PROMPT, &mask, 1, &made, 1);
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
        {"f0", views_of(frame->f0, seats, count)},
        {"f1", views_of(frame->f1, seats, count)},
    };
    struct vsm_binding out[] = {{"masks", NULL}, {"iou", NULL}, {"score", NULL}, {"pointers", NULL}};
    int status = make_dense(frame, dense, &in[1].tensor);

    if (!status && !have_all(in, 5))
        status = VSM_E_NOMEM;
    if (!status)
        status = vsm_sam2_net_run(frame->net, VSM_SAM2_DECODER, in, 5, out, 4);
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

int vsm_sam2_frame_memorise(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                            const float *const *logits, bool binary, struct vsm_tensor **memory)
{
    const int size = vsm_sam2_net_config(frame->net)->image_size, side = size / 4;
    const int64_t pixels = (int64_t)size * size;
    struct vsm_binding in[] = {{"feat", views_of(frame->feat, seats, count)},
                               {"mask", new_tensor(4, count, 1, size, size)}};
    struct vsm_binding out = {"memory", NULL};
    int status = have_all(in, 2) ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; !status && i < count; i++) {
        float *mask = vsm_tensor_f32(in[1].tensor) + i * pixels;

        vsm_sam2_mask_resize(logits[i], side, side, mask, size, size);
        vsm_sam2_mask_memory_input(mask, pixels, binary);
    }
    if (!status)
        status = vsm_sam2_net_run(frame->net, VSM_SAM2_MEMORY, in, 2, &out, 1);
    release(in, 2);
    *memory = out.tensor;
    return status;
}
