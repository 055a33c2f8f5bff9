#include "stages/view_director.h"

#include "base/mem.h"
#include "geometry/view_map.h"
#include "stages/view_wish.h"

#include <math.h>

#define DEGREE (M_PI / 180.0)

/* Frames' worth of fading a frame when somebody is not seen by the old views: he is not to
 * stay faint for long. */
#define QUICK 3

/* A turn ends this close to its wish, degrees. */
#define ARRIVED 1.0

struct vsm_view_director {
    struct vsm_view_director_options options;
    struct vsm_view direct[2];
    struct vsm_view_wish_rules rules;
    struct vsm_view_choice choice;
    struct vsm_view_director_counters counters;
    /* State: */
    bool placed;                       /* the scene's views were chosen for people */
    struct vsm_view_placement now;     /* what the choice shows */
    struct vsm_view_placement pending; /* wished for instead */
    int patience;                      /* frames since when */
    struct vsm_view_placement before;  /* what `now` is replacing */
    int fading;                        /* frames for which it is seen yet; 0: no more */
    bool quick;                        /* QUICK times as fast */
    struct vsm_view_evidence evidence; /* as of the last frame */
    struct vsm_view_border border;     /* likewise */
    bool young;                        /* the last frame was a scene's first */
    bool turning[VSM_VIEW_PLACE_MAX];
    int pace[VSM_VIEW_PLACE_MAX]; /* frames since the last turn */
    int tries;                    /* of other views for a scene's first frame; not saved */
};

int vsm_view_director_create(const struct vsm_view_director_options *options,
                             struct vsm_view_director **director)
{
    struct vsm_view_director *d = vsm_mem_alloc("view director", 1, sizeof(*d));
    int status = VSM_OK;

    if (!d)
        return VSM_E_NOMEM;
    d->options = *options;
    d->rules = (struct vsm_view_wish_rules){.eye_count = options->eye_count,
                                            .field_of_view = options->field_of_view,
                                            .always = options->always};
    for (int e = 0; e < options->eye_count && status == VSM_OK; e++) {
        d->direct[e] = options->direct[e];
        status = vsm_projection_lens(&d->direct[e].lens, d->direct[e].source.width,
                                     d->direct[e].source.height, &d->rules.eyes[e]);
    }
    d->options.direct = d->direct;
    if (status != VSM_OK) {
        vsm_view_director_destroy(d);
        return status;
    }
    *director = d;
    return VSM_OK;
}

static void drop_tables(struct vsm_view_group *group)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&group->inverse[i]);
}

void vsm_view_director_destroy(struct vsm_view_director *director)
{
    if (!director)
        return;
    drop_tables(&director->choice.now);
    drop_tables(&director->choice.old);
    vsm_mem_free(director);
}

struct vsm_view_director_counters vsm_view_director_counters(const struct vsm_view_director *director)
{
    return director->counters;
}

const struct vsm_view_choice *vsm_view_director_choice(const struct vsm_view_director *director)
{
    return &director->choice;
}

static int make_table(struct vsm_view_group *group, int view)
{
    struct vsm_view_table table = {0};
    struct vsm_view_map map;
    int status = vsm_view_map_init(&map, &group->views[view]);

    if (status == VSM_OK)
        status = vsm_view_map_inverse_table(&map, &table);
    group->inverse[view] = table.nodes;
    group->inverse_step[view] = table.step;
    return status;
}

/* A common lens stretches whoever stands near the edge of a wide picture, and makes its middle small. */
static enum vsm_projection projection_of(const struct vsm_view_director *d, const struct vsm_view_aim *aim)
{
    return !d->options.always && aim->field_of_view > VSM_VIEW_PLACE_USUAL ? VSM_FISHEYE
                                                                           : d->options.projection;
}

/* The group that a placement means, in place of what was there. */
static int show(const struct vsm_view_director *d, const struct vsm_view_placement *placement,
                struct vsm_view_group *group)
{
    const int rounds = placement->count > 0 ? placement->count : 1;
    int status = VSM_OK;

    drop_tables(group);
    *group = (struct vsm_view_group){0};
    for (int i = 0; i < rounds * d->options.eye_count && status == VSM_OK; i++) {
        const struct vsm_view_aim *aim = &placement->aims[i / d->options.eye_count];
        struct vsm_view *view = &group->views[group->count++];

        *view = d->direct[i % d->options.eye_count];
        if (placement->count == 0)
            continue;
        view->kind = VSM_VIEW_TURNED;
        view->width = view->height = d->options.sides[placement->count - 1];
        view->projection = projection_of(d, aim);
        view->field_of_view = aim->field_of_view;
        view->yaw = aim->yaw;
        view->pitch = aim->pitch;
        status = make_table(group, i);
    }
    return status;
}

static void hide(struct vsm_view_group *group)
{
    drop_tables(group);
    *group = (struct vsm_view_group){0};
}

static bool sees_more(const struct vsm_view_placement *a, const struct vsm_view_placement *b)
{
    if (a->count == 0 || b->count == 0)
        return b->count > 0;
    return a->count > b->count ||
           (a->count == b->count && a->aims[0].field_of_view > b->aims[0].field_of_view);
}

/* What the choice says of the old views besides themselves. */
static void weigh(struct vsm_view_director *d)
{
    d->choice.weight = (float)(VSM_VIEW_DIRECTOR_FADE + 1 - d->fading) / (VSM_VIEW_DIRECTOR_FADE + 1);
    d->choice.keep_old = d->fading > 0 && sees_more(&d->before, &d->now);
}

/* Degrees between two directions. */
static double angle(const struct vsm_view_aim *a, const struct vsm_view_aim *b)
{
    double c = sin(a->pitch) * sin(b->pitch) + cos(a->pitch) * cos(b->pitch) * cos(a->yaw - b->yaw);

    return acos(fmax(-1.0, fmin(c, 1.0))) / DEGREE;
}

static bool same_kind(const struct vsm_view_placement *a, const struct vsm_view_placement *b)
{
    if (a->count != b->count)
        return false;
    for (int k = 0; k < a->count; k++)
        if (fabs(a->aims[k].field_of_view - b->aims[k].field_of_view) > ARRIVED)
            return false;
    return true;
}

/* One step of view k towards its wish. True if it moved. */
static bool turn(struct vsm_view_director *d, int k, const struct vsm_view_aim *wish)
{
    struct vsm_view_aim *aim = &d->now.aims[k];
    const double away = angle(aim, wish);
    double part;

    d->turning[k] = d->turning[k] ? away > ARRIVED : away > VSM_VIEW_DIRECTOR_DEAD_ZONE;
    d->pace[k] += d->pace[k] < VSM_VIEW_DIRECTOR_PACE;
    if (!d->turning[k] || d->pace[k] < VSM_VIEW_DIRECTOR_PACE)
        return false;
    d->pace[k] = 0;
    part = fmin(1.0, fmin(fmax(VSM_VIEW_DIRECTOR_TURN, away / 6.0), VSM_VIEW_DIRECTOR_HASTE) / away);
    aim->yaw += part * (wish->yaw - aim->yaw);
    aim->pitch += part * (wish->pitch - aim->pitch);
    return true;
}

static bool jump(struct vsm_view_director *d, const struct vsm_view_placement *wish, bool fade, bool quick)
{
    d->before = d->now;
    d->fading = fade ? VSM_VIEW_DIRECTOR_FADE : 0;
    d->quick = quick;
    d->now = *wish;
    d->patience = 0;
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++) {
        d->turning[k] = false;
        d->pace[k] = 0;
    }
    return true;
}

/* What the present views do not see, and the wished ones do: what no views see is no reason to hurry. */
struct lack {
    bool missed; /* somebody is outside them */
    bool cut;    /* the matte runs out of them */
};

/* Frames for which another kind of views must be wished for. */
static int patience_for(const struct vsm_view_director *d, struct lack lack)
{
    if (lack.missed || (lack.cut && d->young))
        return 1;
    return lack.cut ? VSM_VIEW_DIRECTOR_HURRY : VSM_VIEW_DIRECTOR_PATIENCE;
}

/* Brings `now` nearer to the wish; true if it changed. */
static bool approach(struct vsm_view_director *d, const struct vsm_view_placement *wish, bool begins,
                     bool anybody, struct lack lack)
{
    bool moved = false;

    if (begins || (anybody && !d->placed && d->fading == 0)) {
        d->counters.changes += d->choice.now.count > 0 && !same_kind(&d->now, wish);
        d->placed = anybody;
        return jump(d, wish, !begins, lack.missed);
    }
    if (!d->options.follow)
        return false;
    if (same_kind(&d->now, wish) && !lack.cut) {
        d->patience = 0;
        for (int k = 0; k < wish->count; k++)
            moved = turn(d, k, &wish->aims[k]) || moved;
        return moved;
    }
    d->patience = d->patience > 0 && same_kind(&d->pending, wish) ? d->patience + 1 : 1;
    d->pending = *wish;
    if (d->patience < patience_for(d, lack) || d->fading > 0)
        return false;
    d->counters.changes++;
    return jump(d, wish, true, lack.missed || lack.cut);
}

static void note_missed(struct vsm_view_director_counters *counters, int64_t frame)
{
    struct vsm_view_director_stretch *last =
        counters->stretch_count ? &counters->stretches[counters->stretch_count - 1] : NULL;

    counters->missed++;
    if (last && last->last == frame - 1)
        last->last = frame;
    else if (counters->stretch_count < VSM_VIEW_DIRECTOR_STRETCHES)
        counters->stretches[counters->stretch_count++] = (struct vsm_view_director_stretch){frame, frame};
}

int vsm_view_director_resize(struct vsm_view_director *d, int width, int height,
                             const int sides[VSM_VIEW_PLACE_MAX])
{
    int status = VSM_OK;

    for (int e = 0; e < d->options.eye_count; e++) {
        d->direct[e].width = width;
        d->direct[e].height = height;
    }
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        d->options.sides[k] = sides[k];
    if (d->choice.now.count > 0)
        status = show(d, &d->now, &d->choice.now);
    if (status == VSM_OK && d->choice.old.count > 0)
        status = show(d, &d->before, &d->choice.old);
    return status;
}

static bool nobody(const struct vsm_people *people)
{
    return people->known && people->count == 0;
}

int vsm_view_director_judge(struct vsm_view_director *d, const struct vsm_frame *frame,
                            const float *const alpha[], bool *again)
{
    struct vsm_view_placement wish;
    int status;

    *again = false;
    if (!d->young || d->tries == VSM_VIEW_DIRECTOR_TRIES)
        return VSM_OK;
    status = vsm_view_border_note(&d->border, &frame->people, frame->mattes, frame->view_count, alpha);
    if (status != VSM_OK)
        return status;
    wish = vsm_view_wish_make(&d->rules, &frame->people, &d->border, &d->now, again);
    if (!*again)
        return VSM_OK;
    d->tries++;
    d->choice.changed = jump(d, &wish, false, false);
    return show(d, &d->now, &d->choice.now);
}

int vsm_view_director_note(struct vsm_view_director *d, const struct vsm_frame *frame,
                           const float *const alpha[])
{
    const int status =
        vsm_view_border_note(&d->border, &frame->people, frame->mattes, frame->view_count, alpha);

    if (status == VSM_OK && nobody(&frame->people))
        return vsm_view_evidence_note(&d->evidence, frame->mattes, frame->view_count, alpha);
    d->evidence = (struct vsm_view_evidence){0};
    return status;
}

/* What the choice says beside the views of now, which are on the way to the wish. */
static int show_choice(struct vsm_view_director *d)
{
    int status = VSM_OK;

    d->choice.replaced = d->fading == VSM_VIEW_DIRECTOR_FADE;
    if (d->choice.replaced) {
        hide(&d->choice.old);
        d->choice.old = d->choice.now;
        d->choice.now = (struct vsm_view_group){0};
    } else if (d->fading == 0)
        hide(&d->choice.old);
    if (d->choice.changed)
        status = show(d, &d->now, &d->choice.now);
    weigh(d);
    return status;
}

int vsm_view_director_next(struct vsm_view_director *d, const struct vsm_frame *frame, bool scene_cut,
                           const struct vsm_view_choice **choice)
{
    const struct vsm_people guess = vsm_view_evidence_people(&d->evidence);
    const struct vsm_people *people = nobody(&frame->people) && !scene_cut ? &guess : &frame->people;
    const struct vsm_view_placement none = {0};
    const bool begins = d->choice.now.count == 0 || scene_cut;
    const int step = d->quick ? QUICK : 1;
    struct vsm_view_placement wish;
    struct lack lack;
    int status;

    if (begins)
        d->border = (struct vsm_view_border){0};
    wish = vsm_view_wish_make(&d->rules, people, &d->border, scene_cut ? &none : &d->now, &lack.cut);
    lack.missed =
        vsm_view_wish_misses(&d->rules, people, &d->now) > vsm_view_wish_misses(&d->rules, people, &wish);
    d->fading -= d->fading < step ? d->fading : step;
    d->choice.changed = approach(d, &wish, begins, people->known && people->count > 0, lack);
    d->young = d->choice.begins = begins;
    d->tries = 0;
    status = show_choice(d);
    d->counters.frames++;
    d->counters.turned += d->now.count > 0;
    if (vsm_view_wish_misses(&d->rules, people, &d->now) > 0)
        note_missed(&d->counters, frame->index);
    *choice = &d->choice;
    return status;
}

static void save_placement(const struct vsm_view_placement *p, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le32(out, (uint32_t)p->count);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++) {
        vsm_bytes_put_f64(out, p->aims[k].yaw);
        vsm_bytes_put_f64(out, p->aims[k].pitch);
        vsm_bytes_put_f64(out, p->aims[k].field_of_view);
    }
}

static void save_counters(const struct vsm_view_director_counters *c, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)c->frames);
    vsm_bytes_put_le64(out, (uint64_t)c->turned);
    vsm_bytes_put_le64(out, (uint64_t)c->changes);
    vsm_bytes_put_le64(out, (uint64_t)c->missed);
    vsm_bytes_put_le32(out, (uint32_t)c->stretch_count);
    for (int i = 0; i < c->stretch_count; i++) {
        vsm_bytes_put_le64(out, (uint64_t)c->stretches[i].first);
        vsm_bytes_put_le64(out, (uint64_t)c->stretches[i].last);
    }
}

void vsm_view_director_save(const struct vsm_view_director *d, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, d->choice.now.count > 0);
    vsm_bytes_put_u8(out, d->placed);
    save_placement(&d->now, out);
    save_placement(&d->pending, out);
    save_placement(&d->before, out);
    vsm_bytes_put_le32(out, (uint32_t)d->patience);
    vsm_bytes_put_u8(out, (uint8_t)d->fading);
    vsm_bytes_put_u8(out, d->quick);
    vsm_view_evidence_save(&d->evidence, out);
    vsm_view_border_save(&d->border, out);
    vsm_bytes_put_u8(out, d->young);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++) {
        vsm_bytes_put_u8(out, d->turning[k]);
        vsm_bytes_put_le32(out, (uint32_t)d->pace[k]);
    }
    save_counters(&d->counters, out);
}

static bool load_placement(struct vsm_view_placement *p, struct vsm_bytes_in *in)
{
    bool sound = true;

    p->count = (int)vsm_bytes_get_le32(in);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++) {
        struct vsm_view_aim *aim = &p->aims[k];

        aim->yaw = vsm_bytes_get_f64(in);
        aim->pitch = vsm_bytes_get_f64(in);
        aim->field_of_view = vsm_bytes_get_f64(in);
        sound = sound && isfinite(aim->yaw) && isfinite(aim->pitch) && isfinite(aim->field_of_view);
    }
    return sound && p->count >= 0 && p->count <= VSM_VIEW_PLACE_MAX;
}

static bool load_counters(struct vsm_view_director_counters *c, struct vsm_bytes_in *in)
{
    uint32_t count;

    c->frames = (int64_t)vsm_bytes_get_le64(in);
    c->turned = (int64_t)vsm_bytes_get_le64(in);
    c->changes = (int64_t)vsm_bytes_get_le64(in);
    c->missed = (int64_t)vsm_bytes_get_le64(in);
    count = vsm_bytes_get_le32(in);
    if (count > VSM_VIEW_DIRECTOR_STRETCHES)
        return false;
    c->stretch_count = (int)count;
    for (int i = 0; i < c->stretch_count; i++) {
        c->stretches[i].first = (int64_t)vsm_bytes_get_le64(in);
        c->stretches[i].last = (int64_t)vsm_bytes_get_le64(in);
    }
    return true;
}

int vsm_view_director_load(struct vsm_view_director *d, struct vsm_bytes_in *in)
{
    const bool shown = vsm_bytes_get_u8(in);
    bool sound;
    int status;

    d->placed = vsm_bytes_get_u8(in);
    sound = load_placement(&d->now, in);
    sound = load_placement(&d->pending, in) && sound;
    sound = load_placement(&d->before, in) && sound;
    d->patience = (int)vsm_bytes_get_le32(in);
    sound = sound && d->patience >= 0 && d->patience <= VSM_VIEW_DIRECTOR_PATIENCE;
    d->fading = vsm_bytes_get_u8(in);
    d->quick = vsm_bytes_get_u8(in);
    sound = vsm_view_evidence_load(&d->evidence, in) && sound && d->fading <= VSM_VIEW_DIRECTOR_FADE;
    sound = vsm_view_border_load(&d->border, in) && sound;
    d->young = vsm_bytes_get_u8(in);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++) {
        d->turning[k] = vsm_bytes_get_u8(in);
        d->pace[k] = (int)vsm_bytes_get_le32(in);
        sound = sound && d->pace[k] >= 0;
    }
    sound = load_counters(&d->counters, in) && sound;
    if (in->failed || !sound)
        return vsm_fail(VSM_E_INPUT, "checkpoint: the views are damaged; start again with --restart");
    status = shown ? show(d, &d->now, &d->choice.now) : VSM_OK;
    if (status == VSM_OK && d->fading > 0)
        status = show(d, &d->before, &d->choice.old);
    weigh(d);
    return status;
}
