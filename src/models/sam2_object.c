#include "models/sam2_object.h"

#include "base/mem.h"
#include "models/sam2_mask.h"
#include "nn/device_pool.h"

#include <string.h>

struct vsm_sam2_object *vsm_sam2_object_create(const struct vsm_sam2_net *net,
                                               const struct vsm_sam2_tracker_options *options, int view,
                                               int id)
{
    const struct vsm_sam2_config *config = vsm_sam2_net_config(net);
    const struct vsm_sam2_bank_place place = {vsm_sam2_net_pool(net), !options->offload};
    const int side = config->image_size / 4;
    const int64_t pixels = (int64_t)side * side;
    struct vsm_sam2_object *o = vsm_mem_alloc("tracked object", 1, sizeof(*o));

    if (!o)
        return NULL;
    o->mask = place.pool ? vsm_device_pool_host_tensor(place.pool, VSM_F32, 1, &pixels)
                         : vsm_tensor_create(VSM_F32, 1, &pixels);
    o->bank = vsm_sam2_bank_create(config->memory_tokens, options->max_conditioning_frames, &place);
    if (!o->mask || !o->bank) {
        vsm_sam2_object_destroy(o);
        return NULL;
    }
    o->logits = vsm_tensor_f32(o->mask);
    memset(o->logits, 0, vsm_tensor_bytes(o->mask));
    o->result = (struct vsm_sam2_result){
        .view = view, .id = id, .frame = -1, .last_seen = -1, .logits = o->logits, .side = side};
    return o;
}

void vsm_sam2_object_destroy(struct vsm_sam2_object *object)
{
    if (!object)
        return;
    vsm_sam2_bank_destroy(object->bank);
    vsm_tensor_unref(&object->mask);
    vsm_mem_free(object);
}

void vsm_sam2_object_begin(struct vsm_sam2_object *object)
{
    object->result.frame = -1;
    object->result.prompted = false;
    object->tracked = false;
    object->points.count = 0;
}

int vsm_sam2_object_pick(const struct vsm_sam2_frame *frame, const struct vsm_sam2_decoded *d, int i,
                         bool ambiguous, struct vsm_sam2_result *r, float *logits)
{
    const float *ious = vsm_tensor_f32(d->iou) + i * VSM_SAM2_MASKS;
    const float *pointers = vsm_tensor_f32(d->pointers) + i * VSM_SAM2_MASKS * VSM_SAM2_DIM;
    const int64_t pixels = (int64_t)r->side * r->side;
    int best = 1, status = VSM_OK;

    for (int k = 2; k < VSM_SAM2_MASKS; k++)
        if (ious[k] > ious[best])
            best = k;
    r->stability = -1;
    r->mask = r->token = best;
    if (!ambiguous) {
        r->token = 0;
        vsm_sam2_frame_mask(frame, d, i, 0, logits);
        status = vsm_sam2_frame_wait(frame);
        r->stability = vsm_sam2_mask_stability(logits, pixels);
        if (r->stability >= VSM_SAM2_MASK_STABLE)
            r->mask = 0;
    }
    r->score = vsm_tensor_f32(d->score)[i];
    r->absent = !(r->score > 0);
    memcpy(r->ious, ious, sizeof(r->ious));
    r->iou = ious[r->mask];
    memcpy(r->pointer,
           r->absent ? vsm_sam2_net_learned(frame->net)->no_object_pointer
                     : pointers + r->token * VSM_SAM2_DIM,
           sizeof(r->pointer));
    for (int64_t k = 0; r->absent && k < pixels; k++)
        logits[k] = VSM_SAM2_MASK_ABSENT;
    if (!r->absent)
        vsm_sam2_frame_mask(frame, d, i, r->mask, logits);
    return status;
}

void vsm_sam2_object_note_place(struct vsm_sam2_object *o)
{
    struct vsm_sam2_result *r = &o->result;
    int box[4];

    if (!vsm_sam2_mask_box(o->logits, r->side, r->side, box))
        return;
    for (int i = 0; i < 4; i++)
        r->last_box[i] = (float)box[i] * 4;
    r->last_seen = r->frame;
    if (r->prompted && !r->absent)
        memcpy(r->appearance, r->pointer, sizeof(r->appearance));
}

int vsm_sam2_object_save(const struct vsm_sam2_object *object, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)object->result.last_seen);
    vsm_bytes_put_f32(out, object->result.last_box, 4);
    vsm_bytes_put_f32(out, object->result.appearance, VSM_SAM2_DIM);
    return vsm_sam2_bank_save(object->bank, out);
}

int vsm_sam2_object_load(struct vsm_sam2_object *object, struct vsm_bytes_in *in)
{
    object->result.last_seen = (int64_t)vsm_bytes_get_le64(in);
    vsm_bytes_get_f32(in, object->result.last_box, 4);
    vsm_bytes_get_f32(in, object->result.appearance, VSM_SAM2_DIM);
    return vsm_sam2_bank_load(object->bank, in);
}
