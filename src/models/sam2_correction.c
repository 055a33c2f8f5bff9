#include "models/sam2_correction.h"

#include "frame/person_box.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define DEFAULT_OVERLAP    0.5f
#define DEFAULT_SIMILARITY 0.7f
#define DEFAULT_AGREEMENT  0.5f
#define MIN_SEEN           0.2f  /* of a box, that a matter must see to have a say */
#define MIN_PAIR           0.1f  /* overlap below which mask and box have nothing to do with each other */
#define PLACE_WEIGHT       0.25f /* of a distance of the whole picture, against a cosine */
#define TRIAL_ID           INT_MIN

/* One call's state. */
struct job {
    struct vsm_sam2_tracker *tracker;
    int view, size; /* of the picture */
    struct vsm_sam2_correction_options *options;
    float boxes[VSM_SAM2_CORRECTION_MAX][4];
    struct vsm_sam2_sighting *people[VSM_SAM2_CORRECTION_MAX]; /* whose the boxes are */
    bool box_used[VSM_SAM2_CORRECTION_MAX];
    int box_count;
    int ids[VSM_SAM2_CORRECTION_MAX]; /* objects of the view that were looked at on this frame */
    bool object_used[VSM_SAM2_CORRECTION_MAX];
    int object_count;
    struct vsm_sam2_correction *corrections;
    int capacity, made;
};

float vsm_sam2_correction_overlap(const float a[4], const float b[4])
{
    const struct vsm_person_box first = {a[0], a[1], a[2], a[3]}, second = {b[0], b[1], b[2], b[3]};

    return vsm_person_box_overlap(&first, &second);
}

static const struct vsm_sam2_result *object_of(const struct job *job, int index)
{
    return vsm_sam2_tracker_find(job->tracker, job->view, job->ids[index]);
}

static bool visible(const struct vsm_sam2_result *r)
{
    return !r->absent && r->last_seen == r->frame;
}

static void cut_box(const float from[4], int size, float to[4])
{
    for (int k = 0; k < 4; k++)
        to[k] = fminf(fmaxf(from[k], 0), (float)size);
}

static void start(struct job *job, struct vsm_sam2_sighting *people, int count)
{
    for (int i = 0; i < count; i++) {
        float *b = job->boxes[job->box_count];

        people[i].known = false;
        cut_box(people[i].box, job->size, b);
        if (!(b[0] < b[2] && b[1] < b[3]))
            continue;
        job->people[job->box_count++] = &people[i];
        if (job->box_count == VSM_SAM2_CORRECTION_MAX)
            break;
    }
    for (int i = 0; i < vsm_sam2_tracker_count(job->tracker) && job->object_count < VSM_SAM2_CORRECTION_MAX;
         i++) {
        const struct vsm_sam2_result *r = vsm_sam2_tracker_at(job->tracker, i);

        if (r->view == job->view && r->frame >= 0)
            job->ids[job->object_count++] = r->id;
    }
}

int vsm_sam2_correction_prompt(struct vsm_sam2_tracker *tracker, int view, int id, const float box[4])
{
    struct vsm_sam2_prompt prompt = {.has_box = true, .conditioning = true};

    cut_box(box, vsm_sam2_tracker_image_size(tracker), prompt.box);
    return vsm_sam2_tracker_prompt(tracker, view, id, &prompt, NULL);
}

static void know(struct job *job, int box, int id)
{
    job->box_used[box] = true;
    job->people[box]->known = true;
    job->people[box]->id = id;
}

/* `what`: kind and measures. */
static int correct(struct job *job, int id, int box, struct vsm_sam2_correction what)
{
    int status = vsm_sam2_correction_prompt(job->tracker, job->view, id, job->boxes[box]);

    know(job, box, id);
    what.frame = vsm_sam2_tracker_frames(job->tracker) - 1;
    what.view = job->view;
    what.id = id;
    if (!status && job->made < job->capacity)
        job->corrections[job->made] = what;
    job->made += !status;
    return status;
}

/* The free pair that overlaps most; its overlap, or 0. */
static float best_pair(const struct job *job, int *object, int *box)
{
    float best = 0;

    for (int i = 0; i < job->object_count; i++)
        for (int j = 0; j < job->box_count; j++) {
            const struct vsm_sam2_result *r = object_of(job, i);
            float overlap = job->object_used[i] || job->box_used[j] || !visible(r)
                                ? 0
                                : vsm_sam2_correction_overlap(r->last_box, job->boxes[j]);

            if (overlap > best) {
                best = overlap;
                *object = i;
                *box = j;
            }
        }
    return best;
}

static bool is_in_other_mask(const struct job *job, int object, int64_t at)
{
    for (int i = 0; i < job->object_count; i++) {
        const struct vsm_sam2_result *r = object_of(job, i);

        if (i != object && visible(r) && r->logits[at] > 0)
            return true;
    }
    return false;
}

/* Of what the matter sees in the box and no other mask explains, the part inside the object's mask; 1 if
 * there is no matter or it sees next to nothing. */
static float agreement(const struct job *job, int object, int box)
{
    const struct vsm_sam2_result *r = object_of(job, object);
    const float *b = job->boxes[box], *alpha = job->options->alpha;
    const int step = job->size / r->side;
    float seen = 0, covered = 0;
    int cells = 0;

    for (int y = (int)b[1] / step; alpha && y < r->side && (float)(y * step) < b[3]; y++)
        for (int x = (int)b[0] / step; x < r->side && (float)(x * step) < b[2]; x++) {
            const int64_t at = (int64_t)y * r->side + x;

            cells++;
            if (alpha[at] < 0.5f || is_in_other_mask(job, object, at))
                continue;
            seen += alpha[at];
            covered += r->logits[at] > 0 ? alpha[at] : 0;
        }
    return seen > MIN_SEEN * (float)cells ? covered / seen : 1;
}

static int pair_by_overlap(struct job *job)
{
    const struct vsm_sam2_correction_options *o = job->options;
    const float enough = o->min_overlap > 0 ? o->min_overlap : DEFAULT_OVERLAP;
    const float agreed = o->min_agreement > 0 ? o->min_agreement : DEFAULT_AGREEMENT;
    struct vsm_sam2_correction drift = {.kind = VSM_SAM2_DRIFTED};
    int object = 0, box = 0, status = VSM_OK;

    while (!status && (drift.overlap = best_pair(job, &object, &box)) >= MIN_PAIR) {
        job->object_used[object] = true;
        know(job, box, job->ids[object]);
        drift.agreement = agreement(job, object, box);
        if (drift.overlap < enough || drift.agreement < agreed)
            status = correct(job, job->ids[object], box, drift);
    }
    return status;
}

static float cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;

    for (int i = 0; i < VSM_SAM2_DIM; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? (float)(ab / sqrt(aa * bb)) : 0;
}

static float distance(const float a[4], const float b[4], int size)
{
    return hypotf(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2 / (float)size;
}

/* The object without a box that looks like `pointer` and was last near the box; -1 if none is alike
 * enough. */
static int most_similar(const struct job *job, const float *pointer, int box, float *similarity)
{
    float enough = job->options->min_similarity != 0 ? job->options->min_similarity : DEFAULT_SIMILARITY,
          best = -2;
    int found = -1;

    for (int i = 0; i < job->object_count; i++) {
        const struct vsm_sam2_result *r = object_of(job, i);
        float alike = cosine(r->appearance, pointer);
        float rank = alike - PLACE_WEIGHT * distance(r->last_box, job->boxes[box], job->size);

        if (!job->object_used[i] && alike >= enough && rank > best) {
            best = rank;
            found = i;
            *similarity = alike;
        }
    }
    return found;
}

/* What the decoder would remember of the person in a box. */
static int try_box(struct job *job, int box, float pointer[VSM_SAM2_DIM], bool *somebody)
{
    struct vsm_sam2_prompt prompt = {.has_box = true};
    const struct vsm_sam2_result *r;
    int status;

    memcpy(prompt.box, job->boxes[box], sizeof(prompt.box));
    status = vsm_sam2_tracker_prompt(job->tracker, job->view, TRIAL_ID, &prompt, &r);
    if (status)
        return status;
    *somebody = visible(r);
    memcpy(pointer, r->pointer, sizeof(r->pointer));
    vsm_sam2_tracker_remove(job->tracker, job->view, TRIAL_ID);
    return VSM_OK;
}

static int place_rest(struct job *job)
{
    int status = VSM_OK;

    for (int j = 0; !status && j < job->box_count; j++) {
        float pointer[VSM_SAM2_DIM], similarity = 0;
        bool somebody = false;
        int object;

        if (job->box_used[j])
            continue;
        status = try_box(job, j, pointer, &somebody);
        if (status || !somebody)
            continue;
        object = most_similar(job, pointer, j, &similarity);
        if (object >= 0) {
            job->object_used[object] = true;
            status = correct(job, job->ids[object], j,
                             (struct vsm_sam2_correction){.kind = VSM_SAM2_FOUND_AGAIN,
                                                          .agreement = 1,
                                                          .similarity = similarity});
        } else if (job->options->add_new) {
            status = correct(job, job->options->next_id, j,
                             (struct vsm_sam2_correction){.kind = VSM_SAM2_NEW, .agreement = 1});
            job->options->next_id += !status;
        }
    }
    return status;
}

int vsm_sam2_correction_run(struct vsm_sam2_tracker *tracker, int view, struct vsm_sam2_sighting *people,
                            int count, struct vsm_sam2_correction_options *options,
                            struct vsm_sam2_correction *corrections, int capacity, int *made)
{
    struct job job = {.tracker = tracker,
                      .view = view,
                      .size = vsm_sam2_tracker_image_size(tracker),
                      .options = options,
                      .corrections = corrections,
                      .capacity = capacity};
    int status;

    *made = 0;
    start(&job, people, count);
    status = pair_by_overlap(&job);
    if (!status)
        status = place_rest(&job);
    if (!status && job.made)
        status = vsm_sam2_tracker_track(tracker);
    *made = job.made < capacity ? job.made : capacity;
    return status;
}
