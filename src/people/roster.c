#include "people/roster.h"

#include <math.h>
#include <string.h>

#define DAMPING        0.98f  /* of the speed, a frame */
#define STOPPING       0.90f  /* the same, of somebody whom the last detection missed */
#define FASTEST        0.02f  /* an edge, parts of the eye a frame: 3.6 degrees */
#define CATCH_UP       0.22f  /* share of what is pending that is added a frame */
#define DRIFT_GAIN     0.6f   /* share of a movement seen that is believed at once */
#define SLOW_GAIN      0.2f   /* as the next, of somebody whose movement is seen */
#define SPEED_GAIN     0.7f   /* share of a detection's surprise that is taken for speed */
#define SMALLEST       0.004f /* side of a box */
#define MATCH_FADING   0.98f  /* a frame */
#define LEAST_AFFINITY 0.25f
#define REACH          0.6f  /* distance of centres that may be the same person, in mean sides of the boxes */
#define REACH_GROWTH   0.02f /* the same, more for each frame unseen */
#define SIZE_RATIO     2.2f  /* of the mean sides */
#define SAME_DISTANCE                                                                                        \
    0.12f /* log of the ratio of parallaxes that says nothing: somebody at 2 m walks 0.25 m */
#define OTHER_DISTANCE 0.45f /* the same that says most */
#define DISTANCE_SAYS  0.5f  /* taken from the affinity then */
#define LIKE           0.80f /* likeness of looks that speaks neither for nor against */
#define LIKE_SPREAD    0.08f /* from there to what says most */
#define LOOKS_SAY      0.4f  /* added to the affinity or taken from it then */
#define LOOKS_REACH    0.8f  /* and to the reach, in its own parts: who looks the same may have moved far */
#define LEARN          0.25f /* of looks, from a sighting that is alike, or that is not */
#define LEARN_UNLIKE   0.05f
#define CLEAR          0.9f /* of a torso whose box has the person's own size */

static bool plausible(const struct vsm_roster_person *person)
{
    return person->id > 0 && person->unseen >= 0 && person->missed >= 0 && person->seen >= 0 &&
           person->frames >= 0 && person->hidden >= 0;
}

static float clamp(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

struct vsm_person_box vsm_roster_box(const struct vsm_roster_person *person)
{
    struct vsm_person_box box = {clamp(person->edge[0], 0.0f, 1.0f - SMALLEST),
                                 clamp(person->edge[1], 0.0f, 1.0f - SMALLEST), 0.0f, 0.0f};

    box.right = clamp(person->edge[2], box.left + SMALLEST, 1.0f);
    box.bottom = clamp(person->edge[3], box.top + SMALLEST, 1.0f);
    return box;
}

/* Pending corrections arrive a share a frame. */
static void catch_up(float *value, float *pending)
{
    *value += CATCH_UP * *pending;
    *pending *= 1.0f - CATCH_UP;
}

/* Growing and shrinking go on; the middle goes where the body was seen to go. */
static void drift(struct vsm_roster_person *p, const struct vsm_drift_move *move)
{
    const float x = move->x - 0.5f * (p->rate[0] + p->rate[2]),
                y = move->y - 0.5f * (p->rate[1] + p->rate[3]);

    p->rate[0] = clamp(p->rate[0] + DRIFT_GAIN * x, -FASTEST, FASTEST);
    p->rate[2] = clamp(p->rate[2] + DRIFT_GAIN * x, -FASTEST, FASTEST);
    p->rate[1] = clamp(p->rate[1] + DRIFT_GAIN * y, -FASTEST, FASTEST);
    p->rate[3] = clamp(p->rate[3] + DRIFT_GAIN * y, -FASTEST, FASTEST);
}

static void move(struct vsm_roster_person *p, const struct vsm_drift_move *seen)
{
    p->drifting = seen && seen->known;
    if (p->drifting)
        drift(p, seen);
    for (int e = 0; e < 4; e++) {
        p->edge[e] += p->rate[e];
        p->rate[e] *= p->missed > 0 ? STOPPING : DAMPING;
        catch_up(&p->edge[e], &p->pending[e]);
    }
    catch_up(&p->parallax, &p->pending_parallax);
    catch_up(&p->rise, &p->pending_rise);
    p->match *= MATCH_FADING;
    p->unseen++;
    p->frames += p->in_sight;
    p->hidden = p->in_sight ? 0 : p->hidden + 1;
}

bool vsm_roster_outside(const struct vsm_roster_person *person)
{
    return person->edge[2] < SMALLEST || person->edge[3] < SMALLEST || person->edge[0] > 1.0f - SMALLEST ||
           person->edge[1] > 1.0f - SMALLEST;
}

static void drop(struct vsm_roster *roster, int index)
{
    roster->count--;
    memmove(&roster->person[index], &roster->person[index + 1],
            (size_t)(roster->count - index) * sizeof(roster->person[0]));
}

void vsm_roster_step(struct vsm_roster *roster, const struct vsm_drift_move *moves)
{
    for (int i = 0, k = 0; i < roster->count; k++) {
        struct vsm_roster_person *p = &roster->person[i];

        move(p, moves ? &moves[k] : NULL);
        if (vsm_roster_outside(p))
            p->in_sight = false;
        if (!p->in_sight && p->unseen > VSM_ROSTER_MEMORY)
            drop(roster, i);
        else
            i++;
    }
}

static float mean_side(const struct vsm_person_box *b)
{
    return 0.5f * (b->right - b->left + b->bottom - b->top);
}

/* From -1, somebody else, to 1; 0 = looks say nothing. */
static float alike(const struct vsm_roster_person *p, const struct vsm_roster_sighting *s)
{
    if (p->looks.clear <= 0.0f || s->looks.clear <= 0.0f)
        return 0.0f;
    return clamp((vsm_looks_likeness(&p->looks, &s->looks) - LIKE) / LIKE_SPREAD, -1.0f, 1.0f);
}

/* From 0, as far away as before, to 1. */
static float other_distance(const struct vsm_roster_person *p, const struct vsm_roster_sighting *s)
{
    const float before = p->parallax + p->pending_parallax;

    if (p->match <= 0.3f || s->match <= 0.3f || before <= 0.0f || s->parallax <= 0.0f)
        return 0.0f;
    return clamp((fabsf(logf(before / s->parallax)) - SAME_DISTANCE) / (OTHER_DISTANCE - SAME_DISTANCE), 0.0f,
                 1.0f);
}

/* 0 = cannot be the same. Edges on the eye's border say nothing about size, so a person who walks in or out
 * keeps its overlap. */
static float affinity(const struct vsm_roster_person *p, const struct vsm_roster_sighting *s)
{
    const float like = alike(p, s);
    struct vsm_roster_person expected = *p;
    struct vsm_person_box box;
    float x, y, side, distance, ratio, reach, overlap, score;

    for (int e = 0; e < 4; e++)
        expected.edge[e] += expected.pending[e];
    box = vsm_roster_box(&expected);
    x = 0.5f * (box.left + box.right - s->box.left - s->box.right);
    y = 0.5f * (box.top + box.bottom - s->box.top - s->box.bottom);
    side = p->missed > 0 && p->side > 0.0f ? p->side : mean_side(&box);
    distance = hypotf(x, y) / fmaxf(0.5f * (side + mean_side(&s->box)), SMALLEST);
    ratio = side / fmaxf(mean_side(&s->box), SMALLEST);
    reach = REACH * (1.0f + LOOKS_REACH * fmaxf(like, 0.0f)) +
            (p->in_sight ? 0.0f : REACH_GROWTH * (float)p->unseen);
    overlap = vsm_person_box_overlap(&box, &s->box);
    if (distance > reach || ratio > SIZE_RATIO || ratio < 1.0f / SIZE_RATIO)
        return 0.0f;
    score = overlap + 0.5f * (1.0f - distance / reach) - 0.3f * fabsf(logf(fmaxf(ratio, 0.01f)));
    score += LOOKS_SAY * like - DISTANCE_SAYS * other_distance(p, s);
    return score + (p->in_sight ? 0.1f : 0.0f);
}

static void edges_of(const struct vsm_person_box *box, float edge[4])
{
    edge[0] = box->left;
    edge[1] = box->top;
    edge[2] = box->right;
    edge[3] = box->bottom;
}

static void start(struct vsm_roster_person *p, const struct vsm_roster_sighting *s, float guess)
{
    edges_of(&s->box, p->edge);
    memset(p->rate, 0, sizeof(p->rate));
    memset(p->pending, 0, sizeof(p->pending));
    p->parallax = s->match > 0.0f ? s->parallax : guess;
    p->rise = s->match > 0.0f ? s->rise : 0.0f;
    p->pending_parallax = p->pending_rise = 0.0f;
    p->match = s->match;
}

static void correct(struct vsm_roster_person *p, const struct vsm_roster_sighting *s)
{
    const float frames = (float)(p->unseen > 0 ? p->unseen : 1);
    float edge[4];

    edges_of(&s->box, edge);
    for (int e = 0; e < 4; e++) {
        const float surprise = edge[e] - p->edge[e] - p->pending[e];

        p->rate[e] =
            clamp(p->rate[e] + (p->drifting ? SLOW_GAIN : SPEED_GAIN) * surprise / frames, -FASTEST, FASTEST);
        p->pending[e] = edge[e] - p->edge[e];
    }
    if (s->match <= 0.0f)
        return;
    if (p->match <= 0.0f) {
        p->parallax = s->parallax;
        p->rise = s->rise;
    }
    p->pending_parallax = s->parallax - p->parallax;
    p->pending_rise = s->rise - p->rise;
    p->match = fmaxf(p->match, s->match);
}

/* Who is half hidden has another shape, and the colours of somebody else. */
static void learn(struct vsm_roster_person *p, const struct vsm_roster_sighting *s)
{
    if (s->looks.clear >= CLEAR)
        p->side = p->side > 0.0f ? 0.5f * (p->side + mean_side(&s->box)) : mean_side(&s->box);
    vsm_looks_learn(&p->looks, &s->looks, alike(p, s) < 0.0f ? LEARN_UNLIKE : LEARN);
}

static void seen(struct vsm_roster_person *p, const struct vsm_roster_sighting *s, float guess)
{
    if (p->in_sight)
        correct(p, s);
    else
        start(p, s, guess);
    learn(p, s);
    p->score = s->score;
    p->unseen = p->missed = p->hidden = 0;
    p->seen++;
    p->in_sight = true;
}

static void add(struct vsm_roster *roster, const struct vsm_roster_sighting *s, float guess)
{
    struct vsm_roster_person *p;

    if (roster->count == VSM_ROSTER_SIZE) {
        int oldest = 0;

        for (int i = 1; i < roster->count; i++) {
            if (roster->person[i].unseen > roster->person[oldest].unseen)
                oldest = i;
        }
        drop(roster, oldest);
    }
    p = &roster->person[roster->count++];
    *p = (struct vsm_roster_person){.id = ++roster->last_id};
    seen(p, s, guess);
}

void vsm_roster_see(struct vsm_roster *roster, const struct vsm_roster_sighting *sightings, int count,
                    const float *guess, float newcomer)
{
    bool taken[VSM_ROSTER_SIZE] = {false}, found[VSM_ROSTER_SIZE] = {false};
    const int people = roster->count;

    if (count > VSM_ROSTER_SIZE)
        count = VSM_ROSTER_SIZE;
    for (;;) {
        float best = LEAST_AFFINITY;
        int who = -1, which = -1;

        for (int i = 0; i < people; i++) {
            for (int k = 0; k < count && !found[i]; k++) {
                const float a = taken[k] ? 0.0f : affinity(&roster->person[i], &sightings[k]);

                if (a > best) {
                    best = a;
                    who = i;
                    which = k;
                }
            }
        }
        if (who < 0)
            break;
        found[who] = taken[which] = true;
        seen(&roster->person[who], &sightings[which], guess[which]);
    }
    for (int i = 0; i < people; i++) {
        struct vsm_roster_person *p = &roster->person[i];

        if (!found[i] && ++p->missed >= VSM_ROSTER_MISSES)
            p->in_sight = false;
    }
    for (int k = 0; k < count; k++) {
        if (!taken[k] && sightings[k].score >= newcomer)
            add(roster, &sightings[k], guess[k]);
    }
}

void vsm_roster_clear(struct vsm_roster *roster)
{
    *roster = (struct vsm_roster){.last_id = roster->last_id};
}

static void save_person(const struct vsm_roster_person *p, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le32(out, (uint32_t)p->id);
    vsm_bytes_put_le32(out, (uint32_t)p->unseen);
    vsm_bytes_put_le32(out, (uint32_t)p->missed);
    vsm_bytes_put_le32(out, (uint32_t)p->seen);
    vsm_bytes_put_le32(out, (uint32_t)p->frames);
    vsm_bytes_put_le32(out, (uint32_t)p->hidden);
    vsm_bytes_put_u8(out, p->in_sight);
    vsm_bytes_put_u8(out, p->chosen);
    vsm_bytes_put_u8(out, p->drifting);
    vsm_bytes_put_f32(out, p->edge, 4);
    vsm_bytes_put_f32(out, p->rate, 4);
    vsm_bytes_put_f32(out, p->pending, 4);
    vsm_bytes_put_f32(out,
                      (const float[]){p->score, p->parallax, p->pending_parallax, p->rise, p->pending_rise,
                                      p->match, p->side},
                      7);
    vsm_looks_save(&p->looks, out);
}

static bool load_person(struct vsm_roster_person *p, struct vsm_bytes_in *in)
{
    float rest[7];

    p->id = (int32_t)vsm_bytes_get_le32(in);
    p->unseen = (int32_t)vsm_bytes_get_le32(in);
    p->missed = (int32_t)vsm_bytes_get_le32(in);
    p->seen = (int32_t)vsm_bytes_get_le32(in);
    p->frames = (int32_t)vsm_bytes_get_le32(in);
    p->hidden = (int32_t)vsm_bytes_get_le32(in);
    p->in_sight = vsm_bytes_get_u8(in) != 0;
    p->chosen = vsm_bytes_get_u8(in) != 0;
    p->drifting = vsm_bytes_get_u8(in) != 0;
    vsm_bytes_get_f32(in, p->edge, 4);
    vsm_bytes_get_f32(in, p->rate, 4);
    vsm_bytes_get_f32(in, p->pending, 4);
    vsm_bytes_get_f32(in, rest, 7);
    p->score = rest[0];
    p->parallax = rest[1];
    p->pending_parallax = rest[2];
    p->rise = rest[3];
    p->pending_rise = rest[4];
    p->match = rest[5];
    p->side = rest[6];
    return vsm_looks_load(&p->looks, in) && plausible(p);
}

void vsm_roster_save(const struct vsm_roster *roster, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le32(out, (uint32_t)roster->last_id);
    vsm_bytes_put_le32(out, (uint32_t)roster->count);
    for (int i = 0; i < roster->count; i++)
        save_person(&roster->person[i], out);
}

int vsm_roster_load(struct vsm_roster *roster, struct vsm_bytes_in *in)
{
    struct vsm_roster loaded = {.last_id = (int32_t)vsm_bytes_get_le32(in)};
    const uint32_t count = vsm_bytes_get_le32(in);
    bool good = count <= VSM_ROSTER_SIZE && loaded.last_id >= 0;

    for (uint32_t i = 0; good && i < count; i++) {
        struct vsm_roster_person *p = &loaded.person[loaded.count++];

        good = load_person(p, in) && p->id <= loaded.last_id && (i == 0 || p->id > p[-1].id);
    }
    if (!good || in->failed)
        return vsm_fail(VSM_E_INPUT, "people: damaged state of %u persons; start again with --restart",
                        count);
    *roster = loaded;
    return VSM_OK;
}
