#include "models/sam2_tracker.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "models/sam2_frame.h"
#include "models/sam2_holes.h"
#include "models/sam2_mask.h"
#include "models/sam2_object.h"
#include "models/sam2_prompt.h"
#include "nn/device_pool.h"
#include "nn/graph_half.h"

#include <math.h>
#include <string.h>

#define DEFAULT_CONDITIONING 4
#define PROMPT_CLAMP         32.0f       /* of earlier logits given back as a prompt */
#define MASK_SCORE           10.0f       /* object score of a mask prompt, or minus it if the mask is empty */
#define STATE_MAGIC          0x324d4153u /* "SAM2" */

struct vsm_sam2_tracker {
    const struct vsm_sam2_config *config;
    const struct vsm_sam2_learned *learned;
    struct vsm_sam2_tracker_options options;
    int64_t frames;
    struct vsm_sam2_frame frame; /* the present one */
    struct vsm_sam2_object *objects[VSM_SAM2_TRACKER_MAX_OBJECTS];
    int count;
    int side; /* of masks */
    int64_t mask_pixels;
};

int vsm_sam2_tracker_create(struct vsm_sam2_net *net, const struct vsm_sam2_tracker_options *options,
                            struct vsm_sam2_tracker **tracker)
{
    struct vsm_sam2_tracker *t = vsm_mem_alloc("tracker", 1, sizeof(*t));

    *tracker = NULL;
    if (!t)
        return VSM_E_NOMEM;
    t->frame.net = net;
    t->config = vsm_sam2_net_config(net);
    t->learned = vsm_sam2_net_learned(net);
    t->options = *options;
    if (t->options.max_conditioning_frames == 0)
        t->options.max_conditioning_frames = DEFAULT_CONDITIONING;
    t->side = t->config->image_size / 4;
    t->mask_pixels = (int64_t)t->side * t->side;
    if (t->options.views < 1 || t->options.max_conditioning_frames < 2 ||
        t->options.max_conditioning_frames > VSM_SAM2_BANK_MAX_CONDITIONING ||
        t->options.fill_hole_area < 0) {
        vsm_mem_free(t);
        return vsm_fail(VSM_E_USAGE, "tracker: %d views, %d conditioning frames (2 to %d)", options->views,
                        options->max_conditioning_frames, VSM_SAM2_BANK_MAX_CONDITIONING);
    }
    *tracker = t;
    return VSM_OK;
}

void vsm_sam2_tracker_destroy(struct vsm_sam2_tracker *tracker)
{
    if (!tracker)
        return;
    vsm_sam2_tracker_clear(tracker);
    vsm_sam2_frame_drop(&tracker->frame);
    vsm_mem_free(tracker);
}

static int index_of(const struct vsm_sam2_tracker *t, int view, int id)
{
    for (int i = 0; i < t->count; i++)
        if (t->objects[i]->result.view == view && t->objects[i]->result.id == id)
            return i;
    return -1;
}

/* `count` numbers of colour plane c. */
static void normalise(float *numbers, int64_t count, int c)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

    for (int64_t i = 0; i < count; i++)
        numbers[i] = (numbers[i] - mean[c]) / deviation[c];
}

void vsm_sam2_tracker_normalise(float *planes, int64_t count)
{
    for (int c = 0; c < 3; c++)
        normalise(planes + c * count, count, c);
}

struct vsm_tensor *vsm_sam2_tracker_new_images(const struct vsm_sam2_tracker *tracker)
{
    const struct vsm_device_pool *pool = vsm_sam2_net_pool(tracker->frame.net);
    const enum vsm_dtype type = vsm_sam2_net_image_type(tracker->frame.net);
    const int64_t size = tracker->config->image_size, dims[] = {tracker->options.views, 3, size, size};

    return pool ? vsm_device_pool_host_tensor(pool, type, 4, dims) : vsm_tensor_create(type, 4, dims);
}

struct picture {
    float *planes;
    uint16_t *half; /* NULL: they stay as they are */
    int side;
};

static void put_row(void *context, int index, int worker)
{
    const struct picture *p = context;
    const int64_t at = (int64_t)index * p->side;

    (void)worker;
    normalise(p->planes + at, p->side, index / p->side);
    for (int64_t i = at; p->half && i < at + p->side; i++)
        p->half[i] = vsm_graph_half_from_float(p->planes[i]);
}

void vsm_sam2_tracker_put_picture(float *planes, struct vsm_tensor *images, int view,
                                  struct vsm_parallel *pool)
{
    const int64_t count = vsm_tensor_count(images) / images->dims[0];
    struct picture p = {.planes = planes, .side = (int)images->dims[3]};

    if (images->dtype == VSM_F16)
        p.half = (uint16_t *)images->data + view * count;
    vsm_parallel_for(pool, 3 * p.side, put_row, &p);
}

int vsm_sam2_tracker_wait(const struct vsm_sam2_tracker *tracker)
{
    return vsm_sam2_frame_wait(&tracker->frame);
}

int vsm_sam2_tracker_begin(struct vsm_sam2_tracker *tracker, struct vsm_tensor *images)
{
    int status;

    if (images->rank != 4 || images->dims[0] != tracker->options.views)
        return vsm_fail(VSM_E_INTERNAL, "tracker: %lld pictures where %d are expected",
                        (long long)images->dims[0], tracker->options.views);
    for (int i = 0; i < tracker->count; i++)
        if (tracker->objects[i]->pending)
            return vsm_fail(VSM_E_INTERNAL,
                            "tracker: a prompt of the last frame was not followed by track()");
    status = vsm_sam2_frame_begin(&tracker->frame, images);
    if (status)
        return status;
    tracker->frames++;
    for (int i = 0; i < tracker->count; i++)
        vsm_sam2_object_begin(tracker->objects[i]);
    return VSM_OK;
}

static int choose(const struct vsm_sam2_tracker *t, const struct vsm_sam2_decoded *d, int i, bool ambiguous,
                  struct vsm_sam2_result *r, float *logits)
{
    int status = vsm_sam2_object_pick(&t->frame, d, i, ambiguous, r, logits);

    return status ? status : vsm_sam2_frame_wait(&t->frame);
}

static void seat_objects(struct vsm_sam2_object *const *objects, int count, struct vsm_sam2_seat *seats)
{
    for (int i = 0; i < count; i++)
        seats[i] =
            (struct vsm_sam2_seat){objects[i]->result.view, objects[i]->bank, objects[i]->result.absent};
}

/* Encodes the present frame's masks of `count` objects and stores them. `binary`: of prompts. */
static int remember(struct vsm_sam2_tracker *t, struct vsm_sam2_object *const *objects,
                    const float *const *logits, int count, bool binary)
{
    struct vsm_sam2_seat seats[VSM_SAM2_MAX_BATCH] = {{0}};
    struct vsm_tensor *encoded = NULL;
    int status;

    seat_objects(objects, count, seats);
    status = vsm_sam2_frame_memorise(&t->frame, seats, count, logits, binary, &encoded);
    for (int i = 0; !status && i < count; i++)
        vsm_sam2_bank_store(objects[i]->bank, t->frames - 1, objects[i]->as_conditioning,
                            (char *)encoded->data + (size_t)i * (vsm_tensor_bytes(encoded) / (size_t)count),
                            objects[i]->result.pointer);
    vsm_tensor_unref(&encoded);
    return status;
}

/* A prompt by clicks. The object's own logits on this frame, if any, go in as a hint. */
static int prompt_points(struct vsm_sam2_tracker *t, struct vsm_sam2_object *o,
                         const struct vsm_sam2_prompt *prompt, struct vsm_sam2_result *r, float *logits)
{
    const struct vsm_sam2_seat seat = {o->result.view, o->bank};
    struct vsm_sam2_points points = o->points;
    struct vsm_tensor *image = NULL;
    struct vsm_sam2_decoded d = {0};
    float *hint = NULL;
    int status = vsm_sam2_prompt_points(&points, prompt, t->config->image_size);

    if (!status && o->tracked) {
        status = vsm_sam2_frame_attend(&t->frame, &seat, 1, t->frames - 1, &image);
    } else if (!status) {
        image = vsm_sam2_frame_memoryless(&t->frame, o->result.view, true);
        status = image ? VSM_OK : VSM_E_NOMEM;
    }
    if (!status && o->result.frame >= 0) {
        hint = vsm_mem_copy("mask", o->logits, (size_t)t->mask_pixels * sizeof(*hint));
        for (int64_t i = 0; hint && i < t->mask_pixels; i++)
            hint[i] = fminf(fmaxf(hint[i], -PROMPT_CLAMP), PROMPT_CLAMP);
        status = hint ? VSM_OK : VSM_E_NOMEM;
    }
    if (!status)
        status = vsm_sam2_frame_decode(&t->frame, &seat, 1, image, &points, hint, &d);
    else
        vsm_tensor_unref(&image);
    if (!status)
        status = choose(t, &d, 0, points.count <= 1, r, logits);
    if (!status)
        o->points = points;
    vsm_sam2_frame_release(&d);
    vsm_mem_free(hint);
    return status;
}

/* A prompt by a mask: the mask is the result; the decoder runs for the pointer only. */
static int prompt_mask(struct vsm_sam2_tracker *t, struct vsm_sam2_object *o,
                       const struct vsm_sam2_prompt *prompt, struct vsm_sam2_result *r, float *logits)
{
    const int size = t->config->image_size;
    const int64_t pixels = (int64_t)size * size;
    const struct vsm_sam2_seat seat = {o->result.view, o->bank};
    float *mask = vsm_mem_alloc("mask prompt", (size_t)pixels, sizeof(*mask));
    struct vsm_sam2_decoded d = {0};
    struct vsm_tensor *image;
    int status = mask ? vsm_sam2_prompt_mask(prompt, size, mask) : VSM_E_NOMEM;
    bool any = false;

    if (!status) {
        vsm_sam2_prompt_reduce(t->learned, mask, size, logits);
        image = vsm_sam2_frame_memoryless(&t->frame, o->result.view, false);
        status = image ? vsm_sam2_frame_decode(&t->frame, &seat, 1, image, NULL, logits, &d) : VSM_E_NOMEM;
    }
    if (!status)
        status = choose(t, &d, 0, false, r, logits);
    if (!status) {
        for (int64_t i = 0; i < pixels; i++) {
            any = any || mask[i] > 0;
            mask[i] = mask[i] * 20 - 10;
        }
        status = vsm_sam2_mask_resize_smooth(mask, size, size, logits, t->side, t->side);
    }
    if (!status) {
        if (!any)
            memcpy(r->pointer, t->learned->no_object_pointer, sizeof(r->pointer));
        r->absent = !any;
        r->score = any ? MASK_SCORE : -MASK_SCORE;
        r->mask = -1;
        r->iou = r->ious[0] = 1;
        r->ious[1] = r->ious[2] = r->ious[3] = 0;
        o->points.count = 0;
    }
    vsm_sam2_frame_release(&d);
    vsm_mem_free(mask);
    return status;
}

int vsm_sam2_tracker_prompt(struct vsm_sam2_tracker *tracker, int view, int id,
                            const struct vsm_sam2_prompt *prompt, const struct vsm_sam2_result **result)
{
    int at = index_of(tracker, view, id), status;
    struct vsm_sam2_object *o = at >= 0 ? tracker->objects[at] : NULL;
    struct vsm_sam2_result r;
    float *logits;

    if (!tracker->frame.feat || view < 0 || view >= tracker->options.views)
        return vsm_fail(VSM_E_INTERNAL, "tracker: a prompt for view %d without a picture", view);
    if (!o && tracker->count == VSM_SAM2_TRACKER_MAX_OBJECTS)
        return vsm_fail(VSM_E_USAGE, "tracker: more than %d objects", VSM_SAM2_TRACKER_MAX_OBJECTS);
    if (!o)
        o = vsm_sam2_object_create(tracker->frame.net, &tracker->options, view, id);
    logits = vsm_mem_alloc_raw("mask", (size_t)tracker->mask_pixels, sizeof(*logits));
    if (!o || !logits) {
        status = VSM_E_NOMEM;
        goto done;
    }
    r = o->result;
    status = prompt->mask ? prompt_mask(tracker, o, prompt, &r, logits)
                          : prompt_points(tracker, o, prompt, &r, logits);
    if (!status)
        status = vsm_sam2_holes_fill(logits, tracker->side, tracker->side, tracker->options.fill_hole_area);
    if (status)
        goto done;
    memcpy(o->logits, logits, (size_t)tracker->mask_pixels * sizeof(*logits));
    r.frame = tracker->frames - 1;
    r.prompted = true;
    o->result = r;
    vsm_sam2_object_note_place(o);
    o->pending = true;
    o->as_conditioning = !o->tracked || prompt->conditioning;
    if (at < 0)
        tracker->objects[tracker->count++] = o;
    if (result)
        *result = &o->result;
done:
    vsm_mem_free(logits);
    if (status && at < 0)
        vsm_sam2_object_destroy(o);
    return status;
}

/* Objects that are still to be tracked and have as many memories and pointers as the first such one.
 * On a device they are dealt out evenly, for runs of the same shape after each other are played from
 * one recording (nn/replay.h). */
static int next_group(const struct vsm_sam2_tracker *t, struct vsm_sam2_object *group[VSM_SAM2_MAX_BATCH])
{
    struct vsm_sam2_bank_size size = {0}, other;
    int count = 0, all = 0, runs;

    for (int i = 0; i < t->count; i++) {
        struct vsm_sam2_object *o = t->objects[i];

        if (o->result.frame >= 0 || !vsm_sam2_bank_usable(o->bank, t->frames - 1))
            continue;
        other = vsm_sam2_bank_size(o->bank, t->frames - 1);
        if (all == 0)
            size = other;
        if (other.memories != size.memories || other.pointers != size.pointers)
            continue;
        if (count < VSM_SAM2_MAX_BATCH)
            group[count++] = o;
        all++;
    }
    runs = (all + VSM_SAM2_MAX_BATCH - 1) / VSM_SAM2_MAX_BATCH;
    return runs > 1 && vsm_sam2_net_pool(t->frame.net) ? (all + runs - 1) / runs : count;
}

static int track_group(struct vsm_sam2_tracker *t, struct vsm_sam2_object *const *group, int count)
{
    const float *logits[VSM_SAM2_MAX_BATCH];
    struct vsm_tensor *image = NULL;
    struct vsm_sam2_decoded d = {0};
    struct vsm_sam2_seat seats[VSM_SAM2_MAX_BATCH] = {{0}};
    int status;

    seat_objects(group, count, seats);
    status = vsm_sam2_frame_attend(&t->frame, seats, count, t->frames - 1, &image);
    if (!status)
        status = vsm_sam2_frame_decode(&t->frame, seats, count, image, NULL, NULL, &d);
    for (int i = 0; !status && i < count; i++)
        status = vsm_sam2_object_pick(&t->frame, &d, i, true, &group[i]->result, group[i]->logits);
    vsm_sam2_frame_mark(&t->frame);
    for (int i = 0; !status && i < count; i++) {
        group[i]->as_conditioning = false;
        /* Where the decoder left it: on a device it need not go there again. */
        logits[i] = group[i]->result.absent ? group[i]->logits
                                            : vsm_sam2_frame_candidate(&d, i, group[i]->result.mask);
    }
    if (!status)
        status = remember(t, group, logits, count, false);
    /* The masks are there while the memory encoder still runs. */
    if (!status)
        status = vsm_sam2_frame_wait_mark(&t->frame);
    for (int i = 0; !status && i < count; i++) {
        status = vsm_sam2_holes_fill(group[i]->logits, t->side, t->side, t->options.fill_hole_area);
        group[i]->result.frame = t->frames - 1;
        group[i]->tracked = true;
        vsm_sam2_object_note_place(group[i]);
    }
    vsm_sam2_frame_release(&d);
    return status;
}

int vsm_sam2_tracker_track(struct vsm_sam2_tracker *tracker)
{
    struct vsm_sam2_object *group[VSM_SAM2_MAX_BATCH];
    int status = VSM_OK, count;

    if (!tracker->frame.feat)
        return vsm_fail(VSM_E_INTERNAL, "tracker: nothing to track on without a picture");
    for (int i = 0; !status && i < tracker->count; i++) {
        struct vsm_sam2_object *o = tracker->objects[i];
        const float *logits = o->logits;

        if (!o->pending)
            continue;
        status = remember(tracker, &o, &logits, 1, true);
        if (!status)
            o->pending = false;
    }
    while (!status && (count = next_group(tracker, group)) > 0)
        status = track_group(tracker, group, count);
    return status;
}

int vsm_sam2_tracker_count(const struct vsm_sam2_tracker *tracker)
{
    return tracker->count;
}

const struct vsm_sam2_result *vsm_sam2_tracker_at(const struct vsm_sam2_tracker *tracker, int index)
{
    return &tracker->objects[index]->result;
}

const struct vsm_sam2_result *vsm_sam2_tracker_find(const struct vsm_sam2_tracker *tracker, int view, int id)
{
    int at = index_of(tracker, view, id);

    return at < 0 ? NULL : &tracker->objects[at]->result;
}

bool vsm_sam2_tracker_is_conditioned(const struct vsm_sam2_tracker *tracker, int view, int id, int64_t frame)
{
    int at = index_of(tracker, view, id);

    return at >= 0 && vsm_sam2_bank_has_conditioning(tracker->objects[at]->bank, frame);
}

void vsm_sam2_tracker_remove(struct vsm_sam2_tracker *tracker, int view, int id)
{
    int at = index_of(tracker, view, id);

    if (at < 0)
        return;
    vsm_sam2_object_destroy(tracker->objects[at]);
    tracker->count--;
    memmove(tracker->objects + at, tracker->objects + at + 1,
            (size_t)(tracker->count - at) * sizeof(tracker->objects[0]));
}

void vsm_sam2_tracker_clear(struct vsm_sam2_tracker *tracker)
{
    for (int i = 0; i < tracker->count; i++)
        vsm_sam2_object_destroy(tracker->objects[i]);
    tracker->count = 0;
}

int vsm_sam2_tracker_image_size(const struct vsm_sam2_tracker *tracker)
{
    return tracker->config->image_size;
}

int64_t vsm_sam2_tracker_frames(const struct vsm_sam2_tracker *tracker)
{
    return tracker->frames;
}

int vsm_sam2_tracker_save(const struct vsm_sam2_tracker *tracker, struct vsm_bytes_out *out)
{
    int status;

    vsm_bytes_put_le32(out, STATE_MAGIC);
    vsm_bytes_put_le32(out, (uint32_t)tracker->config->family);
    vsm_bytes_put_le32(out, (uint32_t)tracker->config->image_size);
    vsm_bytes_put_le64(out, (uint64_t)tracker->frames);
    vsm_bytes_put_le32(out, (uint32_t)tracker->count);
    for (int i = 0; i < tracker->count; i++) {
        const struct vsm_sam2_object *o = tracker->objects[i];

        if (o->pending)
            return vsm_fail(VSM_E_INTERNAL, "tracker: saved between a prompt and track()");
        vsm_bytes_put_le32(out, (uint32_t)o->result.view);
        vsm_bytes_put_le32(out, (uint32_t)o->result.id);
        status = vsm_sam2_object_save(o, out);
        if (status)
            return status;
    }
    return out->failed ? VSM_E_NOMEM : VSM_OK;
}

static int load_objects(struct vsm_sam2_tracker *t, uint32_t count, struct vsm_bytes_in *in)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t view = vsm_bytes_get_le32(in), id = vsm_bytes_get_le32(in);
        struct vsm_sam2_object *o;
        int status;

        if (in->failed || view >= (uint32_t)t->options.views)
            return vsm_fail(VSM_E_INPUT, "tracker: the saved state has an object of view %u", view);
        o = vsm_sam2_object_create(t->frame.net, &t->options, (int)view, (int)id);
        if (!o)
            return VSM_E_NOMEM;
        t->objects[t->count++] = o;
        status = vsm_sam2_object_load(o, in);
        if (status)
            return status;
    }
    return VSM_OK;
}

int vsm_sam2_tracker_load(struct vsm_sam2_tracker *tracker, struct vsm_bytes_in *in)
{
    uint32_t magic = vsm_bytes_get_le32(in), family = vsm_bytes_get_le32(in), size = vsm_bytes_get_le32(in),
             count;
    int status;

    vsm_sam2_tracker_clear(tracker);
    vsm_sam2_frame_drop(&tracker->frame);
    tracker->frames = (int64_t)vsm_bytes_get_le64(in);
    count = vsm_bytes_get_le32(in);
    if (in->failed || magic != STATE_MAGIC || family != (uint32_t)tracker->config->family ||
        size != (uint32_t)tracker->config->image_size || count > VSM_SAM2_TRACKER_MAX_OBJECTS ||
        tracker->frames < 0) {
        tracker->frames = 0;
        return vsm_fail(VSM_E_INPUT, "tracker: the saved state is damaged or of another model than %s at %d",
                        tracker->config->name, tracker->config->image_size);
    }
    status = load_objects(tracker, count, in);
    if (status)
        vsm_sam2_tracker_clear(tracker);
    return status;
}
