#include "stages/people_stage.h"

#include "base/mem.h"
#include "image/preprocess.h"
#include "image/scene_cut.h"
#include "people/choice.h"
#include "people/drift.h"
#include "people/rivals.h"
#include "people/roster.h"
#include "stereo/box_transfer.h"

#define RECORD "people"
#define SCENES "scene"

#define NEWCOMER_LOOKS    3 /* that somebody new gets in quick succession */
#define NEWCOMER_INTERVAL 3 /* frames between those */

struct vsm_people_stage {
    struct vsm_people_stage_options options;
    struct vsm_view views[2];          /* each eye on the detector's grid */
    struct vsm_box_transfer *transfer; /* NULL: one eye, or a grid too small to match */
    struct vsm_scene_cut cut;
    struct vsm_roster roster;
    struct vsm_drift last;   /* the master's last picture in this scene */
    int64_t since_start;     /* frames since the scene's first */
    int64_t since_detection; /* frames since the detector last ran; 0 = in the last frame */
    bool looked;             /* the detector has run in this scene */
    bool placed;             /* the rule's places have been looked up in this scene */
    struct vsm_people_stage_numbers numbers;
    float *rgb[2];       /* room for what is averaged here */
    const float *eye[2]; /* this frame's: there, or in its thumbnails */
};

static int create_transfer(struct vsm_people_stage *s)
{
    const struct vsm_people_stage_options *o = &s->options;
    struct vsm_disparity_options disparity = {.master = o->master, .baseline = o->baseline, .pool = o->pool};
    int status;

    if (!o->detector || o->eye_count < 2 || s->views[0].width != s->views[1].width ||
        s->views[0].height != s->views[1].height || s->views[0].width < VSM_DISPARITY_MIN_GRID ||
        s->views[0].height < VSM_DISPARITY_MIN_GRID)
        return VSM_OK;
    status = vsm_projection_eye(o->projection, s->views[0].width, s->views[0].height, o->field_of_view,
                                &disparity.eye);
    return status == VSM_OK ? vsm_box_transfer_create(&disparity, &s->transfer) : status;
}

void vsm_people_stage_views(const struct vsm_rect *eyes, int eye_count, struct vsm_view views[2])
{
    for (int eye = 0; eye < eye_count; eye++) {
        views[eye] =
            (struct vsm_view){.kind = VSM_VIEW_DIRECT, .eye = (enum vsm_eye)eye, .source = eyes[eye]};
        vsm_detector_fit(eyes[0].width, eyes[0].height, &views[eye].width, &views[eye].height);
    }
}

int vsm_people_stage_create(const struct vsm_people_stage_options *options, struct vsm_people_stage **stage)
{
    struct vsm_people_stage *s = vsm_mem_alloc("people stage", 1, sizeof(*s));
    int status = VSM_OK;

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options;
    vsm_people_stage_views(options->eyes, options->eye_count, s->views);
    for (int eye = 0; status == VSM_OK && eye < options->eye_count; eye++) {
        const struct vsm_view *view = &s->views[eye];

        s->rgb[eye] =
            vsm_mem_alloc("people stage", 3 * (size_t)view->width * (size_t)view->height, sizeof(float));
        if (!s->rgb[eye])
            status = VSM_E_NOMEM;
    }
    if (status == VSM_OK)
        status = create_transfer(s);
    if (status != VSM_OK) {
        vsm_people_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_people_stage_destroy(struct vsm_people_stage *stage)
{
    if (!stage)
        return;
    vsm_box_transfer_destroy(stage->transfer);
    vsm_mem_free(stage->rgb[0]);
    vsm_mem_free(stage->rgb[1]);
    vsm_mem_free(stage);
}

struct vsm_people_stage_numbers vsm_people_stage_numbers(const struct vsm_people_stage *stage)
{
    return stage->numbers;
}

/* Newcomers are looked at again soon, which tells their speed and whether they are there at all. */
static bool has_newcomers(const struct vsm_people_stage *s)
{
    for (int i = 0; i < s->roster.count; i++) {
        if (s->roster.person[i].in_sight && s->roster.person[i].seen < NEWCOMER_LOOKS)
            return true;
    }
    return false;
}

static bool is_time_to_look(const struct vsm_people_stage *s)
{
    const int interval =
        has_newcomers(s) && s->options.interval > NEWCOMER_INTERVAL ? NEWCOMER_INTERVAL : s->options.interval;

    return !s->looked || s->since_detection + 1 >= interval || s->since_start % s->options.correction == 0;
}

static int look(struct vsm_people_stage *s)
{
    const struct vsm_view *view = &s->views[s->options.master];
    struct vsm_detector_people found;
    struct vsm_roster_sighting sightings[VSM_ROSTER_SIZE];
    struct vsm_box_transfer_match matches[VSM_ROSTER_SIZE] = {0};
    struct vsm_person_box boxes[VSM_ROSTER_SIZE];
    float guess[VSM_ROSTER_SIZE] = {0};
    int count, status = vsm_detector_run(s->options.detector, s->eye[s->options.master], view->width,
                                         view->height, VSM_DETECTOR_FIRST, &found);

    if (status != VSM_OK)
        return status;
    count = found.count < VSM_ROSTER_SIZE ? found.count : VSM_ROSTER_SIZE;
    for (int i = 0; i < count; i++) {
        boxes[i] = found.person[i].box;
        if (s->transfer)
            guess[i] = vsm_box_transfer_guess(s->transfer, &boxes[i]);
    }
    if (s->transfer)
        status = vsm_box_transfer_measure(s->transfer, s->eye, boxes, count, matches);
    if (status != VSM_OK)
        return status;
    for (int i = 0; i < count; i++)
        sightings[i] =
            (struct vsm_roster_sighting){.box = boxes[i],
                                         .score = found.person[i].score,
                                         .parallax = matches[i].parallax,
                                         .rise = matches[i].rise,
                                         .match = matches[i].confidence,
                                         .looks = vsm_looks_at(s->eye[s->options.master], view->width,
                                                               view->height, boxes, count, i)};
    vsm_roster_see(&s->roster, sightings, count, guess, s->looked ? VSM_DETECTOR_NEW : VSM_DETECTOR_FIRST);
    s->numbers.detections++;
    s->looked = true;
    s->since_detection = 0;
    return VSM_OK;
}

static struct vsm_person person_of(const struct vsm_people_stage *s, const struct vsm_roster_person *p)
{
    struct vsm_person person = {
        .id = p->id, .score = p->score, .parallax = p->parallax, .match = p->match, .chosen = p->chosen};
    const enum vsm_eye master = s->options.master;

    person.box[master] = vsm_roster_box(p);
    person.box[!master] = s->transfer
                              ? vsm_box_transfer_shift(s->transfer, &person.box[master], p->parallax, p->rise)
                              : person.box[master];
    return person;
}

/* Everybody in sight, by id; where they are too many, without the weakest. */
static void tell(const struct vsm_people_stage *s, struct vsm_people *people)
{
    people->known = true;
    for (int i = 0; i < s->roster.count; i++) {
        int weakest = 0;

        if (!s->roster.person[i].in_sight)
            continue;
        if (people->count < VSM_MAX_PEOPLE) {
            people->person[people->count++] = person_of(s, &s->roster.person[i]);
            continue;
        }
        for (int k = 1; k < people->count; k++) {
            if (people->person[k].score < people->person[weakest].score)
                weakest = k;
        }
        if (people->person[weakest].score >= s->roster.person[i].score)
            continue;
        for (int k = weakest; k + 1 < people->count; k++)
            people->person[k] = people->person[k + 1];
        people->person[people->count - 1] = person_of(s, &s->roster.person[i]);
    }
}

static void tell_rivals(const struct vsm_people_stage *s, struct vsm_people *people)
{
    const struct vsm_roster_person *rivals[VSM_ROSTER_SIZE];
    const int count = vsm_rivals_find(&s->roster, rivals);

    for (int i = 0; i < count && people->rival_count < VSM_MAX_PEOPLE; i++)
        people->rival[people->rival_count++] = person_of(s, rivals[i]);
}

static void begin_scene(struct vsm_people_stage *s)
{
    s->numbers.scene_cuts++;
    vsm_roster_clear(&s->roster);
    s->since_start = 0;
    s->looked = s->placed = false;
}

static void count_people(struct vsm_people_stage *s, const struct vsm_people *people)
{
    s->numbers.people = s->roster.last_id;
    s->numbers.frames_with_any += people->count > 0;
    if (people->count > s->numbers.most_at_once)
        s->numbers.most_at_once = people->count;
    for (int i = 0; i < people->count; i++) {
        const struct vsm_person *p = &people->person[i];
        struct vsm_people_stage_person *listed;

        if (p->id > VSM_PEOPLE_STAGE_LISTED)
            continue;
        listed = &s->numbers.listed[p->id - 1];
        listed->scene = s->numbers.scene_cuts;
        listed->frames++;
        listed->chosen = listed->chosen || p->chosen;
    }
}

/* Everybody to this frame, as far as can be seen where they went. */
static void step(struct vsm_people_stage *s)
{
    const struct vsm_view *view = &s->views[s->options.master];
    struct vsm_drift_move moves[VSM_ROSTER_SIZE] = {0};
    struct vsm_drift now = {0};

    vsm_drift_reduce(s->eye[s->options.master], view->width, view->height, &now);
    for (int i = 0; i < s->roster.count; i++) {
        const struct vsm_roster_person *p = &s->roster.person[i];
        const struct vsm_person_box box = vsm_roster_box(p);

        if (p->in_sight)
            moves[i] = vsm_drift_find(&s->last, &now, &box, 0.5f * (p->rate[0] + p->rate[2]),
                                      0.5f * (p->rate[1] + p->rate[3]));
    }
    vsm_roster_step(&s->roster, moves);
    s->last = now;
}

static int follow(struct vsm_people_stage *s, struct vsm_people *people)
{
    int status = VSM_OK;

    step(s);
    people->detected = is_time_to_look(s);
    if (people->detected)
        status = look(s);
    else
        s->since_detection++;
    if (status != VSM_OK)
        return status;
    tell(s, people);
    if (people->detected) {
        vsm_choice_apply(&s->options.rule, s->options.eyes, people, &s->roster, &s->placed);
        people->count = 0;
        tell(s, people);
    }
    tell_rivals(s, people);
    count_people(s, people);
    return VSM_OK;
}

static int average(struct vsm_people_stage *s, const struct vsm_image *source)
{
    int status = VSM_OK;

    for (int eye = 0; status == VSM_OK && eye < s->options.eye_count; eye++) {
        status = vsm_preprocess(source, &s->views[eye], s->rgb[eye], s->options.pool);
        s->eye[eye] = s->rgb[eye];
    }
    return status;
}

static int take_thumbnails(struct vsm_people_stage *s, const struct vsm_tensor *t)
{
    const int64_t cells = (int64_t)s->views[0].width * s->views[0].height;

    if (t->dims[0] != s->options.eye_count || t->dims[2] != s->views[0].height ||
        t->dims[3] != s->views[0].width)
        return vsm_fail(VSM_E_INTERNAL, "people: the thumbnails are not on the grid of the eyes");
    for (int eye = 0; eye < s->options.eye_count; eye++)
        s->eye[eye] = vsm_tensor_f32(t) + 3 * cells * eye;
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_people_stage *s = self;
    int status;

    if (!frame->thumbnails && frame->source->place != VSM_PLACE_HOST)
        return VSM_OK;
    status = frame->thumbnails ? take_thumbnails(s, frame->thumbnails) : average(s, frame->source);
    if (status != VSM_OK)
        return status;
    frame->scene_cut =
        vsm_scene_cut_next(&s->cut, s->eye, s->options.eye_count, s->views[0].width, s->views[0].height);
    if (frame->scene_cut)
        begin_scene(s);
    if (s->options.detector)
        status = follow(s, &frame->people);
    s->since_start++;
    vsm_tensor_unref(&frame->thumbnails);
    return status;
}

static int save_scenes(const struct vsm_people_stage *s, struct vsm_state *state)
{
    struct vsm_bytes_out out = {0};

    vsm_bytes_put_le64(&out, (uint64_t)s->numbers.scene_cuts);
    vsm_scene_cut_save(&s->cut, &out);
    return vsm_state_add_bytes(state, SCENES, &out);
}

static void save_listed(const struct vsm_people_stage_numbers *n, struct vsm_bytes_out *out)
{
    for (int i = 0; i < VSM_PEOPLE_STAGE_LISTED; i++) {
        vsm_bytes_put_le64(out, (uint64_t)n->listed[i].scene);
        vsm_bytes_put_le64(out, (uint64_t)n->listed[i].frames);
        vsm_bytes_put_u8(out, n->listed[i].chosen);
    }
}

static void load_listed(struct vsm_people_stage_numbers *n, struct vsm_bytes_in *in)
{
    for (int i = 0; i < VSM_PEOPLE_STAGE_LISTED; i++) {
        n->listed[i].scene = (int64_t)vsm_bytes_get_le64(in);
        n->listed[i].frames = (int64_t)vsm_bytes_get_le64(in);
        n->listed[i].chosen = vsm_bytes_get_u8(in) != 0;
    }
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_people_stage *s = self;
    struct vsm_bytes_out out = {0};
    int status = save_scenes(s, state);

    (void)after_seq;
    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le64(&out, (uint64_t)s->numbers.detections);
    vsm_bytes_put_le64(&out, (uint64_t)s->numbers.people);
    vsm_bytes_put_le64(&out, (uint64_t)s->numbers.most_at_once);
    vsm_bytes_put_le64(&out, (uint64_t)s->numbers.frames_with_any);
    save_listed(&s->numbers, &out);
    vsm_bytes_put_le64(&out, (uint64_t)s->since_start);
    vsm_bytes_put_le64(&out, (uint64_t)s->since_detection);
    vsm_bytes_put_u8(&out, s->looked);
    vsm_bytes_put_u8(&out, s->placed);
    vsm_roster_save(&s->roster, &out);
    vsm_drift_save(&s->last, &out);
    return vsm_state_add_bytes(state, RECORD, &out);
}

static int damaged(const char *record)
{
    return vsm_fail(VSM_E_INPUT, "checkpoint: record \"%s\" is damaged; start again with --restart", record);
}

static int restore_people(struct vsm_people_stage *s, const struct vsm_state_record *record)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(record->data, record->size);
    int status;

    s->numbers.detections = (int64_t)vsm_bytes_get_le64(&in);
    s->numbers.people = (int64_t)vsm_bytes_get_le64(&in);
    s->numbers.most_at_once = (int64_t)vsm_bytes_get_le64(&in);
    s->numbers.frames_with_any = (int64_t)vsm_bytes_get_le64(&in);
    load_listed(&s->numbers, &in);
    s->since_start = (int64_t)vsm_bytes_get_le64(&in);
    s->since_detection = (int64_t)vsm_bytes_get_le64(&in);
    s->looked = vsm_bytes_get_u8(&in) != 0;
    s->placed = vsm_bytes_get_u8(&in) != 0;
    status = vsm_roster_load(&s->roster, &in);
    if (status == VSM_OK)
        status = vsm_drift_load(&s->last, &in);
    if (status != VSM_OK)
        return status;
    return in.failed || vsm_bytes_left(&in) || s->since_start < 0 || s->since_detection < 0 ? damaged(RECORD)
                                                                                            : VSM_OK;
}

int vsm_people_stage_restore(struct vsm_people_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *scenes = vsm_state_find(state, SCENES);
    const struct vsm_state_record *people = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(scenes ? scenes->data : NULL, scenes ? scenes->size : 0);
    int status;

    stage->numbers.scene_cuts = (int64_t)vsm_bytes_get_le64(&in);
    status = vsm_scene_cut_load(&stage->cut, &in);
    if (status != VSM_OK)
        return status;
    if (in.failed || vsm_bytes_left(&in) != 0)
        return damaged(SCENES);
    return people ? restore_people(stage, people) : VSM_OK;
}

static void interrupt(void *self)
{
    const struct vsm_people_stage *s = self;

    if (s->options.detector)
        vsm_detector_interrupt(s->options.detector);
}

struct vsm_stage vsm_people_stage_describe(struct vsm_people_stage *stage)
{
    return (struct vsm_stage){
        .name = "people", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
