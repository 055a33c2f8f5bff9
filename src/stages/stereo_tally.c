#include "stages/stereo_tally.h"

#include <math.h>

/* Frames of a scene before its vertical offset is believed. */
#define OFFSET_FRAMES 3

static void note(struct vsm_stereo_tally_list *list, int64_t frame)
{
    struct vsm_stereo_tally_range *last = list->range_count ? &list->ranges[list->range_count - 1] : NULL;

    if (last && last->last == frame) /* by another pair of views */
        return;
    list->frames++;
    if (last && last->last == frame - 1)
        last->last = frame;
    else if (list->range_count < VSM_STEREO_TALLY_RANGES)
        list->ranges[list->range_count++] = (struct vsm_stereo_tally_range){frame, frame};
}

static void add_agreement(struct vsm_stereo_tally *t, int64_t frame, double threshold,
                          const struct vsm_stereo_pair_result *r)
{
    const struct vsm_consistency *c = &r->before;
    const double area = c->area > 0.0f ? (double)c->area : 0.01;

    t->sum += (double)c->overlap;
    t->sum_after += (double)r->after.overlap;
    if (t->frames == 0 || (double)c->overlap < t->minimum) {
        t->minimum = (double)c->overlap;
        t->minimum_frame = frame;
    }
    t->frames++;
    t->largest_area = fmax(t->largest_area, fmax(area, 1.0 / area));
    t->largest_residual = fmax(t->largest_residual, (double)c->residual);
    if ((double)c->overlap < threshold)
        note(&t->lists[VSM_STEREO_TALLY_BELOW], frame);
}

void vsm_stereo_tally_add(struct vsm_stereo_tally *tally, int64_t frame, double threshold,
                          const enum vsm_eye_health_fault faults[2],
                          const struct vsm_stereo_pair_result *result)
{
    const bool swapped = result->alignment.eyes == VSM_ALIGNMENT_SWAPPED;

    tally->swapped_scenes += (int)swapped - (int)(tally->swapped && result->scene_frames > 0);
    tally->swapped = swapped;
    if (result->scene_frames >= OFFSET_FRAMES)
        tally->largest_offset = fmax(tally->largest_offset, fabs(result->alignment.offset));
    for (int eye = 0; eye < 2; eye++) {
        if (faults[eye] != VSM_EYE_HEALTH_GOOD)
            note(&tally->lists[VSM_STEREO_TALLY_BLACK + 2 * (faults[eye] - VSM_EYE_HEALTH_BLACK) + eye],
                 frame);
        if (result->taken[eye] > 0.0f)
            note(&tally->lists[VSM_STEREO_TALLY_MENDED + eye], frame);
    }
    if (result->alignment.unrelated)
        tally->unrelated++;
    else if (result->measured && result->before.people)
        add_agreement(tally, frame, threshold, result);
}

static void save_list(const struct vsm_stereo_tally_list *list, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)list->frames);
    vsm_bytes_put_le32(out, (uint32_t)list->range_count);
    for (int i = 0; i < list->range_count; i++) {
        vsm_bytes_put_le64(out, (uint64_t)list->ranges[i].first);
        vsm_bytes_put_le64(out, (uint64_t)list->ranges[i].last);
    }
}

static bool load_list(struct vsm_stereo_tally_list *list, struct vsm_bytes_in *in)
{
    uint32_t count;

    list->frames = (int64_t)vsm_bytes_get_le64(in);
    count = vsm_bytes_get_le32(in);
    if (in->failed || count > VSM_STEREO_TALLY_RANGES)
        return false;
    list->range_count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        list->ranges[i].first = (int64_t)vsm_bytes_get_le64(in);
        list->ranges[i].last = (int64_t)vsm_bytes_get_le64(in);
    }
    return !in->failed;
}

void vsm_stereo_tally_save(const struct vsm_stereo_tally *t, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)t->frames);
    vsm_bytes_put_le64(out, (uint64_t)t->unrelated);
    vsm_bytes_put_f64(out, t->sum);
    vsm_bytes_put_f64(out, t->sum_after);
    vsm_bytes_put_f64(out, t->minimum);
    vsm_bytes_put_le64(out, (uint64_t)t->minimum_frame);
    vsm_bytes_put_f64(out, t->largest_area);
    vsm_bytes_put_f64(out, t->largest_residual);
    vsm_bytes_put_f64(out, t->largest_offset);
    vsm_bytes_put_le64(out, (uint64_t)t->swapped_scenes);
    vsm_bytes_put_u8(out, t->swapped);
    for (int kind = 0; kind < VSM_STEREO_TALLY_KINDS; kind++)
        save_list(&t->lists[kind], out);
    vsm_stereo_scenes_save(&t->scenes, out);
}

bool vsm_stereo_tally_load(struct vsm_stereo_tally *t, struct vsm_bytes_in *in)
{
    bool good = true;

    t->frames = (int64_t)vsm_bytes_get_le64(in);
    t->unrelated = (int64_t)vsm_bytes_get_le64(in);
    t->sum = vsm_bytes_get_f64(in);
    t->sum_after = vsm_bytes_get_f64(in);
    t->minimum = vsm_bytes_get_f64(in);
    t->minimum_frame = (int64_t)vsm_bytes_get_le64(in);
    t->largest_area = vsm_bytes_get_f64(in);
    t->largest_residual = vsm_bytes_get_f64(in);
    t->largest_offset = vsm_bytes_get_f64(in);
    t->swapped_scenes = (int64_t)vsm_bytes_get_le64(in);
    t->swapped = vsm_bytes_get_u8(in) != 0;
    for (int kind = 0; kind < VSM_STEREO_TALLY_KINDS && good; kind++)
        good = load_list(&t->lists[kind], in);
    return good && vsm_stereo_scenes_load(&t->scenes, in) && !in->failed;
}
