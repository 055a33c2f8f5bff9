#include "sam2_stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "models/sam2_mask.h"
#include "models/sam2_tracker.h"
#include "sam2_weights.h"
#include "tap.h"

#include <stdlib.h>

/* README of the data, section 4: free run. */
#define MAX_LOGIT    2e-2
#define RMS_LOGIT    2e-3
#define MAX_SCORE    5e-3
#define MAX_IOU      2e-3
#define MAX_POINTER  2e-3
#define MIN_MASK_IOU 0.999
#define MAX_FLIPPED  2e-4 /* of the pixels of a binarised mask */

static struct sam2_array low_res, pointers, video;
static const struct sam2_set *set;
static struct vsm_sam2_tracker *tracker;
static double worst_logit, worst_rms, worst_score, worst_iou, worst_pointer;
static int64_t different_pixels, all_pixels;
static double slack;

static double keep_max(double *worst, double d)
{
    if (!(d <= *worst))
        *worst = d;
    return d;
}

static int get(const json_t *event, const char *key)
{
    return (int)json_integer_value(json_object_get(event, key));
}

static bool kind_is(const json_t *event, const char *kind)
{
    return strcmp(json_string_value(json_object_get(event, "kind")), kind) == 0;
}

/* Pixels of the binarised S x S mask, from which a prompt's memory is made, that differ from the
 * reference's: some always lie next to zero, and each changes the memory around it by up to 0.3 (the data's
 * README, section 5). */
static int count_flips(const struct vsm_sam2_result *r, const float *expected)
{
    int size = 4 * r->side, count = 0;
    size_t pixels = (size_t)size * (size_t)size;
    float *a = vsm_mem_alloc_raw("mask", pixels, sizeof(*a)),
          *b = vsm_mem_alloc_raw("mask", pixels, sizeof(*b));

    vsm_sam2_mask_resize(r->logits, r->side, r->side, a, size, size);
    vsm_sam2_mask_resize(expected, r->side, r->side, b, size, size);
    for (size_t i = 0; i < pixels; i++)
        count += (a[i] > 0) != (b[i] > 0);
    vsm_mem_free(a);
    vsm_mem_free(b);
    return count;
}

/* That binarisation is the only step without a margin. Where a pixel is flipped, the tracker goes on with the
 * reference's mask (written into its own memory), so that all that follows is held to the same tolerances. */
static void take_reference_bits(const struct vsm_sam2_result *r, const float *expected, int id)
{
    int count = count_flips(r, expected);

    if (count == 0)
        return;
    printf("# %s event %d: %d pixels of the binarised mask are flipped\n", set->name, id, count);
    CHECK(slack > 1 || count <= MAX_FLIPPED * 16 * r->side * r->side);
    memcpy((float *)(uintptr_t)r->logits, expected, (size_t)r->side * (size_t)r->side * sizeof(*expected));
}

static void check_logits(const struct vsm_sam2_result *r, const float *expected, int id)
{
    int64_t n = (int64_t)r->side * r->side, both = 0, either = 0;
    double sum = 0, max = 0, rms;

    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)r->logits[i] - (double)expected[i]);

        sum += d * d;
        keep_max(&max, d);
        both += r->logits[i] > 0 && expected[i] > 0;
        either += r->logits[i] > 0 || expected[i] > 0;
    }
    rms = sqrt(sum / (double)n);
    if (getenv("VSM_VERBOSE"))
        printf("# %s event %d: logits differ by %.3g, rms %.3g\n", set->name, id, max, rms);
    keep_max(&worst_logit, max);
    keep_max(&worst_rms, rms);
    if (!(max <= slack * MAX_LOGIT) || !(rms <= slack * RMS_LOGIT))
        tap_fail_check(__FILE__, __LINE__, "%s event %d: logits differ by %.3g, rms %.3g", set->name, id, max,
                       rms);
    if (either > 0 && slack <= 1 && (double)both < MIN_MASK_IOU * (double)either)
        tap_fail_check(__FILE__, __LINE__, "%s event %d: mask IoU %.5f", set->name, id,
                       (double)both / (double)either);
}

static void check_event(const json_t *event)
{
    const struct vsm_sam2_result *r = vsm_sam2_tracker_find(tracker, 0, get(event, "object"));
    const json_t *iou = json_object_get(event, "iou4");
    int id = get(event, "id"), row = get(event, "row");
    const float *expected_logits;

    CHECK(r != NULL);
    if (!r)
        return;
    CHECK_INT(r->frame, get(event, "frame"));
    if (slack <= 1 && json_is_integer(json_object_get(event, "selected_mask")))
        CHECK_INT(r->mask, get(event, "selected_mask"));
    CHECK_INT(r->token, get(event, "pointer_token"));
    CHECK_INT(r->absent, json_is_true(json_object_get(event, "absent")));
    keep_max(&worst_score,
             fabs((double)r->score - json_number_value(json_object_get(event, "object_score"))));
    CHECK_NEAR(r->score, json_number_value(json_object_get(event, "object_score")), slack * MAX_SCORE);
    for (size_t i = 0; i < json_array_size(iou) && r->mask >= 0; i++) {
        double expected = json_number_value(json_array_get(iou, i));

        if (keep_max(&worst_iou, fabs((double)r->ious[i] - expected)) > slack * MAX_IOU)
            CHECK_NEAR(r->ious[i], expected, slack * MAX_IOU);
    }
    for (size_t i = 0; i < VSM_SAM2_DIM; i++) {
        double expected = (double)((const float *)pointers.data)[(size_t)row * VSM_SAM2_DIM + i];

        if (keep_max(&worst_pointer, fabs((double)r->pointer[i] - expected)) > slack * MAX_POINTER)
            CHECK_NEAR(r->pointer[i], expected, slack * MAX_POINTER);
    }
    expected_logits = (const float *)low_res.data + (int64_t)row * r->side * r->side;
    check_logits(r, expected_logits, id);
    if (r->prompted)
        take_reference_bits(r, expected_logits, id);
}

/* A circle at video resolution, the only mask prompt of the data. */
static float *circle(int height, int width)
{
    float *mask = vsm_mem_alloc("mask", (size_t)height * (size_t)width, sizeof(*mask));

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            mask[y * width + x] = (x - 210) * (x - 210) + (y - 110) * (y - 110) < 45 * 45;
    return mask;
}

static void prompt(const json_t *event)
{
    const json_t *points = json_object_get(event, "points_model"), *labels = json_object_get(event, "labels");
    const json_t *call = json_object_get(event, "call");
    struct vsm_sam2_click clicks[8];
    struct vsm_sam2_prompt p = {.clicks = clicks,
                                .mask_height = sam2_set_int(set, "video_height"),
                                .mask_width = sam2_set_int(set, "video_width")};
    float *mask = NULL, corners[2][2];
    int given = json_is_false(json_object_get(call, "clear_old_points"))
                    ? (int)json_array_size(json_object_get(call, "points"))
                    : (int)json_array_size(points);
    int first = (int)json_array_size(points) - given;

    p.add = first > 0;
    p.has_box = json_object_get(call, "box") != NULL;
    if (kind_is(event, "mask_prompt"))
        p.mask = mask = circle(p.mask_height, p.mask_width);
    for (int i = 0; i < given && i < 8; i++) {
        const json_t *at = json_array_get(points, (size_t)(first + i));
        float x = (float)json_number_value(json_array_get(at, 0)),
              y = (float)json_number_value(json_array_get(at, 1));

        if (p.has_box && i < 2) {
            corners[i][0] = x;
            corners[i][1] = y;
        } else {
            clicks[p.click_count++] =
                (struct vsm_sam2_click){x, y,
                                        json_integer_value(json_array_get(labels, (size_t)(first + i))) == 1};
        }
    }
    if (p.has_box)
        memcpy(p.box, corners, sizeof(p.box));
    if (vsm_sam2_tracker_prompt(tracker, 0, get(event, "object"), &p, NULL) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    vsm_mem_free(mask);
    check_event(event);
}

/* Binary masks at video resolution; an object without a prompt has zeros there. */
static void check_video(int frame, bool corrected)
{
    const json_t *index = json_object_get(video.entry, "index"), *entry;
    int height = sam2_set_int(set, "video_height"), width = sam2_set_int(set, "video_width");
    size_t objects = (size_t)json_integer_value(json_array_get(json_object_get(video.entry, "shape"), 1));
    size_t bytes = (size_t)json_integer_value(json_array_get(json_object_get(video.entry, "shape"), 2)), k;
    float *mask = vsm_mem_alloc_raw("mask", (size_t)height * (size_t)width, sizeof(*mask));

    json_array_foreach(index, k, entry)
    {
        if (get(entry, "frame") != frame ||
            json_is_true(json_object_get(entry, "after_correction")) != corrected)
            continue;
        for (size_t o = 0; o < objects; o++) {
            const struct vsm_sam2_result *r = vsm_sam2_tracker_find(tracker, 0, (int)o + 1);
            const uint8_t *bits = (const uint8_t *)video.data + (k * objects + o) * bytes;

            if (!r || r->frame < 0)
                continue;
            vsm_sam2_mask_resize(r->logits, r->side, r->side, mask, height, width);
            for (int i = 0; i < height * width; i++)
                different_pixels += (mask[i] > 0) != (bits[i / 8] >> (7 - i % 8) & 1);
            all_pixels += height * width;
        }
    }
    vsm_mem_free(mask);
}

static void track(int frame, bool corrected)
{
    const json_t *event;
    size_t i;

    if (vsm_sam2_tracker_track(tracker) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    json_array_foreach(json_object_get(set->manifest, "events"), i,
                       event) if (!corrected && kind_is(event, "track") && get(event, "frame") == frame)
        check_event(event);
    check_video(frame, corrected);
}

static void run_frame(int frame, struct vsm_tensor *image)
{
    const json_t *event;
    bool corrected = false;
    size_t i;

    sam2_weights_frame(sam2_set_int(set, "image_size"), frame, vsm_tensor_f32(image));
    if (vsm_sam2_tracker_begin(tracker, image) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    for (int pass = 0; pass < 2; pass++) {
        json_array_foreach(json_object_get(set->manifest, "events"), i, event)
        {
            bool prompted = kind_is(event, "prompt") || kind_is(event, "mask_prompt");

            if (!prompted || get(event, "frame") != frame ||
                json_is_true(json_object_get(event, "init")) != !pass)
                continue;
            prompt(event);
            corrected = pass;
        }
        if (!pass || corrected)
            track(frame, corrected);
    }
}

/* A second tracker made from the saved state must do exactly the same. */
static void check_resume(struct vsm_sam2_net *net, const struct vsm_sam2_tracker_options *options,
                         const struct vsm_bytes_out *saved, struct vsm_tensor *image)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(saved->data, saved->size);
    struct vsm_sam2_tracker *other;

    CHECK_INT(vsm_sam2_tracker_create(net, options, &other), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_load(other, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    CHECK_INT(vsm_sam2_tracker_begin(other, image), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_track(other), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_frames(other), vsm_sam2_tracker_frames(tracker));
    CHECK_INT(vsm_sam2_tracker_count(other), vsm_sam2_tracker_count(tracker));
    for (int i = 0; i < vsm_sam2_tracker_count(other); i++) {
        const struct vsm_sam2_result *a = vsm_sam2_tracker_at(tracker, i), *b = vsm_sam2_tracker_at(other, i);

        CHECK_INT(b->frame, a->frame);
        CHECK(memcmp(a->logits, b->logits, (size_t)a->side * (size_t)a->side * sizeof(float)) == 0);
        CHECK(memcmp(a->pointer, b->pointer, sizeof(a->pointer)) == 0);
    }
    in = vsm_bytes_in_of(saved->data, saved->size / 2);
    CHECK_INT(vsm_sam2_tracker_load(other, &in), VSM_E_INPUT);
    vsm_sam2_tracker_destroy(other);
}

void sam2_stream_run(const struct sam2_set *given, struct vsm_sam2_net *net, double given_slack)
{
    const struct vsm_sam2_tracker_options options = {.views = 1};
    int size = sam2_set_int(given, "image_size"), frames = sam2_set_int(given, "frames");
    struct vsm_tensor *image = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, size, size});
    struct vsm_bytes_out saved = {0};
    uint64_t start = vsm_clock_ns();

    set = given;
    slack = given_slack;
    CHECK(sam2_set_load(set, "all.low_res", -1, -1, &low_res) &&
          sam2_set_load(set, "all.ptr", -1, -1, &pointers) &&
          sam2_set_load(set, "video_masks", -1, -1, &video));
    CHECK_INT(vsm_sam2_tracker_create(net, &options, &tracker), VSM_OK);
    for (int frame = 0; frame < frames; frame++) {
        bool resume = frames > 2 && frame == frames - 2;

        if (resume)
            CHECK_INT(vsm_sam2_tracker_save(tracker, &saved), VSM_OK);
        run_frame(frame, image);
        if (resume)
            check_resume(net, &options, &saved, image);
    }
    CHECK(slack > 1 || different_pixels * 1000 <= all_pixels);
    printf("# %-16s free run of %d frames, %.1f s: logits max %.1e, worst rms %.1e; score %.1e; IoU %.1e; "
           "pointer %.1e; "
           "%lld of %lld video pixels differ; state %zu bytes\n",
           set->name, frames, (double)(vsm_clock_ns() - start) * 1e-9, worst_logit, worst_rms, worst_score,
           worst_iou, worst_pointer, (long long)different_pixels, (long long)all_pixels, saved.size);
    vsm_bytes_out_finish(&saved);
    vsm_sam2_tracker_destroy(tracker);
    vsm_tensor_unref(&image);
    sam2_array_free(&low_res);
    sam2_array_free(&pointers);
    sam2_array_free(&video);
}
