#include "models/detector_decode.h"

#include <math.h>
#include <stdbool.h>

/* A peak is the largest of 5x5 cells. */
#define PEAK_REACH 2

/* A keypoint's heat counts less with its distance from where the person's centre expects it: exp(-d^2 / (this
 * part of the map's side)), d in cells; beyond REACH cells of 128 less than 1e-3 is left. */
#define KEYPOINT_SPREAD 0.3f
#define KEYPOINT_REACH  17

/* Keypoints of less do not count in the score. */
#define KEYPOINT_BELIEVABLE 0.127f

static float at(const float *map, int cells, int channel, int y, int x)
{
    return map[((long)channel * cells + y) * cells + x];
}

static bool is_peak(const struct vsm_detector_heads *heads, int y, int x)
{
    const float value = at(heads->centre, heads->cells, 0, y, x);

    if (!(value >= VSM_DETECTOR_PEAK))
        return false;
    for (int j = y - PEAK_REACH; j <= y + PEAK_REACH; j++) {
        for (int i = x - PEAK_REACH; i <= x + PEAK_REACH; i++) {
            if (j >= 0 && i >= 0 && j < heads->cells && i < heads->cells &&
                at(heads->centre, heads->cells, 0, j, i) > value)
                return false;
        }
    }
    return true;
}

static float clamp_unit(float v)
{
    return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
}

static struct vsm_person_box box_at(const struct vsm_detector_heads *heads, int y, int x)
{
    const int n = heads->cells;
    const float cy = (float)y + at(heads->offset, n, 0, y, x), cx = (float)x + at(heads->offset, n, 1, y, x);
    const float h = fmaxf(at(heads->size, n, 0, y, x), 0.0f), w = fmaxf(at(heads->size, n, 1, y, x), 0.0f);

    return (struct vsm_person_box){.left = clamp_unit((cx - w / 2) / (float)n),
                                   .top = clamp_unit((cy - h / 2) / (float)n),
                                   .right = clamp_unit((cx + w / 2) / (float)n),
                                   .bottom = clamp_unit((cy + h / 2) / (float)n)};
}

struct range {
    int from, to;
};

/* The cells around `place` that can matter and lie inside the box from `low` to `high` (parts of the
 * picture). */
static struct range reach(float place, float low, float high, int cells)
{
    const float from = fmaxf(place - KEYPOINT_REACH, ceilf(low * (float)cells));
    const float to = fminf(place + KEYPOINT_REACH, ceilf(high * (float)cells) - 1.0f);

    if (!(from <= to))
        return (struct range){0, -1};
    return (struct range){(int)fmaxf(from, 0.0f), (int)fminf(to, (float)(cells - 1))};
}

static float keypoint_score(const struct vsm_detector_heads *heads, int keypoint, int y, int x,
                            const struct vsm_person_box *box)
{
    const int n = heads->cells;
    const float ky = (float)y + at(heads->regress, n, 2 * keypoint, y, x);
    const float kx = (float)x + at(heads->regress, n, 2 * keypoint + 1, y, x);
    const struct range rows = reach(ky, box->top, box->bottom, n),
                       columns = reach(kx, box->left, box->right, n);
    float best = 0.0f;

    for (int j = rows.from; j <= rows.to; j++) {
        for (int i = columns.from; i <= columns.to; i++) {
            const float heat = at(heads->keypoints, n, keypoint, j, i);
            const float dy = (float)j - ky, dx = (float)i - kx;

            if (heat > best)
                best = fmaxf(best, heat * expf(-(dy * dy + dx * dx) / (KEYPOINT_SPREAD * (float)n)));
        }
    }
    return best;
}

static float score_at(const struct vsm_detector_heads *heads, int y, int x, const struct vsm_person_box *box)
{
    float sum = 0.0f;
    int believable = 0;

    for (int k = 0; k < VSM_DETECTOR_KEYPOINTS; k++) {
        const float score = keypoint_score(heads, k, y, x, box);

        if (score > KEYPOINT_BELIEVABLE) {
            sum += score;
            believable++;
        }
    }
    return believable ? at(heads->centre, heads->cells, 0, y, x) * sum / (float)believable : 0.0f;
}

/* Keeps the list sorted; a full list loses its weakest. Equal scores stay in the order of the map. */
static void insert(struct vsm_detector_people *people, struct vsm_detector_person person)
{
    int place = people->count;

    while (place > 0 && people->person[place - 1].score < person.score)
        place--;
    if (place == VSM_DETECTOR_MAX_PEOPLE)
        return;
    if (people->count < VSM_DETECTOR_MAX_PEOPLE)
        people->count++;
    for (int i = people->count - 1; i > place; i--)
        people->person[i] = people->person[i - 1];
    people->person[place] = person;
}

static void suppress_doubles(struct vsm_detector_people *people)
{
    int kept = 0;

    for (int i = 0; i < people->count; i++) {
        bool is_double = false;

        for (int k = 0; k < kept && !is_double; k++)
            is_double =
                vsm_person_box_overlap(&people->person[k].box, &people->person[i].box) > VSM_DETECTOR_SAME;
        if (!is_double)
            people->person[kept++] = people->person[i];
    }
    people->count = kept;
}

void vsm_detector_decode(const struct vsm_detector_heads *heads, float threshold,
                         struct vsm_detector_people *people)
{
    people->count = 0;
    for (int y = 0; y < heads->cells; y++) {
        for (int x = 0; x < heads->cells; x++) {
            struct vsm_detector_person person;

            if (!is_peak(heads, y, x))
                continue;
            person.box = box_at(heads, y, x);
            person.score = score_at(heads, y, x, &person.box);
            if (person.score >= threshold && person.box.right > person.box.left &&
                person.box.bottom > person.box.top)
                insert(people, person);
        }
    }
    suppress_doubles(people);
}
