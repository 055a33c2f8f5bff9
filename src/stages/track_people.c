#include "stages/track_people.h"

#include "base/log.h"
#include "stages/track_carry.h"

#include <math.h>
#include <string.h>

/* Parts of the picture round clicks on somebody whom the tracker does not see. */
#define CLICK_MARGIN 0.05f

/* Overlap of an object's last box and a person's box from which they are the same. */
#define SAME_PERSON 0.3f

static bool is_now(const struct vsm_track_prompt *prompt, const struct vsm_frame *frame)
{
    return prompt->frame == frame->index;
}

static struct vsm_track_name *find_name(struct vsm_track_people *p, int32_t person)
{
    for (int i = 0; i < p->name_count; i++)
        if (p->names[i].person == person)
            return &p->names[i];
    return NULL;
}

static void give_name(struct vsm_track_people *p, const struct vsm_person *person, int32_t object)
{
    struct vsm_track_name *name = find_name(p, person->id);

    if (!name && p->name_count == VSM_TRACK_NAMES)
        memmove(p->names, p->names + 1, (size_t)--p->name_count * sizeof(p->names[0]));
    if (!name)
        name = &p->names[p->name_count++];
    *name = (struct vsm_track_name){person->id, object, person->chosen};
}

static void remove_object(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker, int object)
{
    int kept = 0;

    for (int eye = 0; eye < p->options.eyes; eye++)
        vsm_sam2_tracker_remove(tracker, eye, object);
    for (int i = 0; i < p->name_count; i++)
        if (p->names[i].object != object)
            p->names[kept++] = p->names[i];
    p->name_count = kept;
}

bool vsm_track_people_chosen(const struct vsm_track_people *people, int object)
{
    for (int i = people->name_count - 1; i >= 0 && !people->options.prompt_count; i--)
        if (people->names[i].object == object)
            return people->names[i].chosen;
    return true;
}

static void box_of(const struct vsm_person *person, int eye, int size, float box[4])
{
    const struct vsm_person_box *b = &person->box[eye];

    box[0] = b->left * (float)size;
    box[1] = b->top * (float)size;
    box[2] = b->right * (float)size;
    box[3] = b->bottom * (float)size;
}

static bool is_empty(const float box[4])
{
    return !(box[0] < box[2] && box[1] < box[3]);
}

/* Whether another person in the picture is known to be that object. */
static bool is_somebody_else(const struct vsm_track_people *p, const struct vsm_frame *frame, int object)
{
    for (int i = 0; i < p->name_count; i++)
        for (int k = 0; p->names[i].object == object && k < frame->people.count; k++)
            if (frame->people.person[k].id == p->names[i].person)
                return true;
    return false;
}

/* The object that was last seen where the person is now. */
static bool find_object_at(const struct vsm_track_people *p, const struct vsm_sam2_tracker *tracker,
                           const struct vsm_frame *frame, const struct vsm_person *person, int *object)
{
    const int size = vsm_sam2_tracker_image_size(tracker);
    float best = SAME_PERSON;
    bool found = false;

    for (int i = 0; i < vsm_sam2_tracker_count(tracker); i++) {
        const struct vsm_sam2_result *r = vsm_sam2_tracker_at(tracker, i);
        float box[4], overlap;

        box_of(person, r->view, size, box);
        overlap = r->last_seen < 0 ? 0 : vsm_sam2_correction_overlap(r->last_box, box);
        if (overlap > best && !is_somebody_else(p, frame, r->id)) {
            best = overlap;
            *object = r->id;
            found = true;
        }
    }
    return found;
}

/* Whether the person is to become an object now; notes who is who on the way. */
static bool is_new(struct vsm_track_people *p, const struct vsm_sam2_tracker *tracker,
                   const struct vsm_frame *frame, const struct vsm_person *person)
{
    int object;

    if (find_name(p, person->id))
        return false;
    if (find_object_at(p, tracker, frame, person, &object)) {
        give_name(p, person, object);
        return false;
    }
    return !p->options.prompt_count;
}

bool vsm_track_people_prepare(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                              const struct vsm_frame *frame)
{
    bool any = false;

    if (frame->scene_cut) {
        vsm_sam2_tracker_clear(tracker);
        people->name_count = 0;
        people->since_correction = 0;
    }
    for (int i = 0; i < people->options.prompt_count; i++) {
        const struct vsm_track_prompt *prompt = &people->options.prompts[i];

        if (!is_now(prompt, frame))
            continue;
        if (prompt->remove)
            vsm_sam2_tracker_remove(tracker, prompt->eye, prompt->person);
        else
            any = true;
    }
    for (int i = 0; i < frame->people.count; i++) {
        struct vsm_track_name *name = find_name(people, frame->people.person[i].id);

        if (name)
            name->chosen = frame->people.person[i].chosen;
        else
            any = any || (frame->people.detected && !people->options.prompt_count);
    }
    return any || vsm_sam2_tracker_count(tracker) > 0;
}

/* Makes room for one more person: whoever was unseen longest goes. False if all are in sight. */
static bool make_room(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker)
{
    const int64_t now = vsm_sam2_tracker_frames(tracker) - 1;
    int64_t oldest = now - 1;
    int object = 0;

    if (vsm_sam2_tracker_count(tracker) < VSM_MAX_PEOPLE * p->options.eyes)
        return true;
    for (int i = 0; i < vsm_sam2_tracker_count(tracker); i++) {
        const struct vsm_sam2_result *r = vsm_sam2_tracker_at(tracker, i);

        if (r->last_seen < oldest) {
            oldest = r->last_seen;
            object = r->id;
        }
    }
    if (object)
        remove_object(p, tracker, object);
    return object != 0;
}

static int follow(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker,
                  const struct vsm_person *person)
{
    const int size = vsm_sam2_tracker_image_size(tracker);
    int status = VSM_OK;

    if (!make_room(p, tracker))
        return VSM_OK;
    for (int eye = 0; status == VSM_OK && eye < p->options.eyes; eye++) {
        float box[4];

        box_of(person, eye, size, box);
        if (!is_empty(box))
            status = vsm_sam2_correction_prompt(tracker, eye, person->id, box);
    }
    give_name(p, person, person->id);
    return status;
}

/* Whether there is an object that nobody in the picture is known to be: a newcomer may be he. */
static bool has_unclaimed(const struct vsm_track_people *p, const struct vsm_sam2_tracker *tracker,
                          const struct vsm_frame *frame)
{
    for (int i = 0; i < vsm_sam2_tracker_count(tracker); i++)
        if (!is_somebody_else(p, frame, vsm_sam2_tracker_at(tracker, i)->id))
            return true;
    return false;
}

/* Points of the same frame add to what was said before. */
static int obey(struct vsm_sam2_tracker *tracker, const struct vsm_track_prompt *given)
{
    const struct vsm_sam2_result *before = vsm_sam2_tracker_find(tracker, given->eye, given->person);
    struct vsm_sam2_prompt prompt = {
        .clicks = given->clicks,
        .click_count = given->click_count,
        .has_box = given->has_box,
        .mask = given->mask,
        .mask_height = given->mask_side,
        .mask_width = given->mask_side,
        .add = before && before->frame >= 0 && given->click_count > 0 && !given->has_box,
        .conditioning = true,
    };

    memcpy(prompt.box, given->box, sizeof(prompt.box));
    return vsm_sam2_tracker_prompt(tracker, given->eye, given->person, &prompt, NULL);
}

/* Whether the user says himself what is in the other eye. */
static bool has_other(const struct vsm_track_people *p, const struct vsm_track_prompt *given)
{
    for (int i = 0; i < p->options.prompt_count; i++) {
        const struct vsm_track_prompt *other = &p->options.prompts[i];

        if (other->frame == given->frame && other->person == given->person && other->eye != given->eye)
            return true;
    }
    return false;
}

/* Round the person of a prompt that has been obeyed: as the user says, else as the tracker sees him, else
 * round the clicks. */
static void prompt_box(const struct vsm_sam2_tracker *tracker, const struct vsm_track_prompt *given,
                       float box[4])
{
    const struct vsm_sam2_result *r = vsm_sam2_tracker_find(tracker, given->eye, given->person);
    const float size = (float)vsm_sam2_tracker_image_size(tracker), margin = CLICK_MARGIN * size;

    if (given->has_box) {
        memcpy(box, given->box, 4 * sizeof(*box));
    } else if (r && r->last_seen == r->frame) {
        memcpy(box, r->last_box, 4 * sizeof(*box));
    } else {
        box[0] = box[1] = size;
        box[2] = box[3] = 0;
        for (int i = 0; i < given->click_count; i++) {
            if (!given->clicks[i].positive)
                continue;
            box[0] = fminf(box[0], fmaxf(given->clicks[i].x - margin, 0));
            box[1] = fminf(box[1], fmaxf(given->clicks[i].y - margin, 0));
            box[2] = fmaxf(box[2], fminf(given->clicks[i].x + margin, size));
            box[3] = fmaxf(box[3], fminf(given->clicks[i].y + margin, size));
        }
    }
}

static int carry_over(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker,
                      const struct vsm_frame *frame, const struct vsm_track_prompt *given)
{
    struct vsm_track_prompt carried;
    float box[4], match = 0;
    bool there = false;
    int status;

    if (!p->options.carry || has_other(p, given))
        return VSM_OK;
    prompt_box(tracker, given, box);
    if (is_empty(box))
        return VSM_OK; /* an empty mask */
    status = vsm_track_carry_prompt(p->options.carry, frame, given, box, vsm_sam2_tracker_image_size(tracker),
                                    &carried, &there, &match);
    if (status != VSM_OK || !there)
        return status;
    p->numbers.carried++;
    p->numbers.guessed += !(match > 0);
    vsm_log(VSM_LOG_DEBUG, "track", "prompt %d: carried to the %s eye, match %.2f", given->number,
            carried.eye ? "right" : "left", (double)match);
    return obey(tracker, &carried);
}

int vsm_track_people_prompt(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                            const struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; status == VSM_OK && i < people->options.prompt_count; i++) {
        const struct vsm_track_prompt *prompt = &people->options.prompts[i];

        if (!is_now(prompt, frame) || prompt->remove)
            continue;
        status = obey(tracker, prompt);
        if (status == VSM_OK)
            status = carry_over(people, tracker, frame, prompt);
    }
    for (int i = 0; status == VSM_OK && frame->people.detected && i < frame->people.count; i++) {
        if (!is_new(people, tracker, frame, &frame->people.person[i]))
            continue;
        if (people->options.correct && has_unclaimed(people, tracker, frame))
            people->recognise = true;
        else
            status = follow(people, tracker, &frame->people.person[i]);
    }
    return status;
}

bool vsm_track_people_is_due(const struct vsm_track_people *people, const struct vsm_frame *frame)
{
    return people->options.correct && frame->people.detected &&
           (people->recognise || people->since_correction >= people->options.correction_interval);
}

static void note(struct vsm_track_people *p, struct vsm_sam2_correction c, const struct vsm_frame *frame)
{
    static const char *const kinds[] = {"has drifted", "is found again", "is new"};

    c.frame = frame->index;
    p->numbers.corrections[c.kind]++;
    if (p->numbers.listed < VSM_TRACK_CORRECTIONS)
        p->numbers.list[p->numbers.listed++] = c;
    vsm_log(VSM_LOG_DEBUG, "track",
            "frame %lld, %s eye: person %d %s (overlap %.2f, agreement %.2f, similarity %.2f)",
            (long long)frame->index, c.view ? "right" : "left", c.id, kinds[c.kind], (double)c.overlap,
            (double)c.agreement, (double)c.similarity);
}

static bool is_taken(const struct vsm_sam2_sighting *sightings, int count, int object)
{
    for (int i = 0; i < count; i++)
        if (sightings[i].known && sightings[i].id == object)
            return true;
    return false;
}

/* One person whom the policy did not recognise in `eye`: the other eye or the people layer may know him. */
static int place(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker, const struct vsm_frame *frame,
                 int i, int eye, struct vsm_sam2_sighting (*sightings)[VSM_MAX_PEOPLE])
{
    const struct vsm_person *person = &frame->people.person[i];
    const struct vsm_sam2_sighting *other = p->options.eyes == 2 ? &sightings[!eye][i] : NULL;
    const struct vsm_track_name *name = find_name(p, person->id);
    struct vsm_sam2_correction c = {.kind = VSM_SAM2_FOUND_AGAIN, .view = eye, .agreement = 1};
    int status;

    if (is_empty(sightings[eye][i].box))
        return VSM_OK;
    if (other && other->known) {
        c.id = other->id;
    } else if (name) {
        c.id = name->object;
    } else if (!p->options.prompt_count && make_room(p, tracker)) {
        c.id = person->id;
        c.kind = VSM_SAM2_NEW;
    } else {
        return VSM_OK;
    }
    if (is_taken(sightings[eye], frame->people.count, c.id))
        return VSM_OK;
    status = vsm_sam2_correction_prompt(tracker, eye, c.id, sightings[eye][i].box);
    if (status != VSM_OK)
        return status;
    sightings[eye][i].known = true;
    sightings[eye][i].id = c.id;
    note(p, c, frame);
    return VSM_OK;
}

int vsm_track_people_correct(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                             const struct vsm_frame *frame, const float *const alpha[2])
{
    struct vsm_sam2_sighting sightings[2][VSM_MAX_PEOPLE] = {0};
    struct vsm_sam2_correction made[2 * VSM_MAX_PEOPLE];
    const int size = vsm_sam2_tracker_image_size(tracker), count = frame->people.count;
    int status = VSM_OK, number;

    people->recognise = false;
    people->since_correction = 0;
    for (int eye = 0; status == VSM_OK && eye < people->options.eyes; eye++) {
        struct vsm_sam2_correction_options options = {.alpha = alpha[eye]};

        for (int i = 0; i < count; i++)
            box_of(&frame->people.person[i], eye, size, sightings[eye][i].box);
        status = vsm_sam2_correction_run(tracker, eye, sightings[eye], count, &options, made,
                                         2 * VSM_MAX_PEOPLE, &number);
        for (int i = 0; status == VSM_OK && i < number; i++)
            note(people, made[i], frame);
    }
    for (int eye = 0; eye < people->options.eyes; eye++)
        for (int i = 0; status == VSM_OK && i < count; i++)
            if (!sightings[eye][i].known)
                status = place(people, tracker, frame, i, eye, sightings);
    for (int eye = people->options.eyes - 1; eye >= 0; eye--)
        for (int i = 0; i < count; i++)
            if (sightings[eye][i].known)
                give_name(people, &frame->people.person[i], sightings[eye][i].id);
    return status == VSM_OK ? vsm_sam2_tracker_track(tracker) : status;
}

static void forget(struct vsm_track_people *p, struct vsm_sam2_tracker *tracker)
{
    const int64_t now = vsm_sam2_tracker_frames(tracker) - 1;
    int kept = 0;

    for (int i = vsm_sam2_tracker_count(tracker) - 1; i >= 0; i--) {
        const struct vsm_sam2_result *r = vsm_sam2_tracker_at(tracker, i);

        if (now - r->last_seen > VSM_TRACK_FORGET && r->last_seen >= 0)
            vsm_sam2_tracker_remove(tracker, r->view, r->id);
        else if (r->last_seen < 0 && !r->prompted)
            vsm_sam2_tracker_remove(tracker, r->view, r->id); /* was never seen at all */
    }
    for (int i = 0; i < p->name_count; i++)
        if (vsm_sam2_tracker_find(tracker, 0, p->names[i].object) ||
            vsm_sam2_tracker_find(tracker, 1, p->names[i].object))
            p->names[kept++] = p->names[i];
    p->name_count = kept;
}

void vsm_track_people_finish(struct vsm_track_people *people, struct vsm_sam2_tracker *tracker,
                             const struct vsm_frame *frame)
{
    people->since_correction++;
    if (!people->options.prompt_count)
        forget(people, tracker);
    for (int i = 0; i < people->options.prompt_count; i++) {
        const struct vsm_track_prompt *prompt = &people->options.prompts[i];
        const struct vsm_sam2_result *r =
            is_now(prompt, frame) ? vsm_sam2_tracker_find(tracker, prompt->eye, prompt->person) : NULL;

        if (r && r->last_seen != r->frame)
            vsm_log(VSM_LOG_WARN, "track", "prompt %d: the tracker sees nobody there in the %s eye",
                    prompt->number, prompt->eye ? "right" : "left");
    }
}

void vsm_track_people_save(const struct vsm_track_people *people, struct vsm_bytes_out *out)
{
    const struct vsm_track_numbers *n = &people->numbers;

    vsm_bytes_put_le32(out, (uint32_t)people->name_count);
    for (int i = 0; i < people->name_count; i++) {
        vsm_bytes_put_le32(out, (uint32_t)people->names[i].person);
        vsm_bytes_put_le32(out, (uint32_t)people->names[i].object);
        vsm_bytes_put_u8(out, people->names[i].chosen);
    }
    vsm_bytes_put_le64(out, (uint64_t)people->since_correction);
    vsm_bytes_put_le64(out, (uint64_t)n->frames);
    vsm_bytes_put_le64(out, (uint64_t)n->nobody);
    vsm_bytes_put_le64(out, (uint64_t)n->filled);
    vsm_bytes_put_le64(out, (uint64_t)n->carried);
    vsm_bytes_put_le64(out, (uint64_t)n->guessed);
    for (int i = 0; i < 3; i++)
        vsm_bytes_put_le64(out, (uint64_t)n->corrections[i]);
    vsm_bytes_put_le32(out, (uint32_t)n->listed);
    for (int i = 0; i < n->listed; i++) {
        const float measures[3] = {n->list[i].overlap, n->list[i].agreement, n->list[i].similarity};

        vsm_bytes_put_u8(out, (uint8_t)n->list[i].kind);
        vsm_bytes_put_le64(out, (uint64_t)n->list[i].frame);
        vsm_bytes_put_u8(out, (uint8_t)n->list[i].view);
        vsm_bytes_put_le32(out, (uint32_t)n->list[i].id);
        vsm_bytes_put_f32(out, measures, 3);
    }
}

static bool load_names(struct vsm_track_people *p, struct vsm_bytes_in *in)
{
    const uint32_t count = vsm_bytes_get_le32(in);

    if (in->failed || count > VSM_TRACK_NAMES)
        return false;
    p->name_count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        p->names[i].person = (int32_t)vsm_bytes_get_le32(in);
        p->names[i].object = (int32_t)vsm_bytes_get_le32(in);
        p->names[i].chosen = vsm_bytes_get_u8(in) != 0;
    }
    return !in->failed;
}

static bool load_numbers(struct vsm_track_numbers *n, struct vsm_bytes_in *in)
{
    uint32_t count;

    n->frames = (int64_t)vsm_bytes_get_le64(in);
    n->nobody = (int64_t)vsm_bytes_get_le64(in);
    n->filled = (int64_t)vsm_bytes_get_le64(in);
    n->carried = (int64_t)vsm_bytes_get_le64(in);
    n->guessed = (int64_t)vsm_bytes_get_le64(in);
    for (int i = 0; i < 3; i++)
        n->corrections[i] = (int64_t)vsm_bytes_get_le64(in);
    count = vsm_bytes_get_le32(in);
    if (in->failed || count > VSM_TRACK_CORRECTIONS)
        return false;
    n->listed = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t kind = vsm_bytes_get_u8(in);
        float measures[3];

        n->list[i].frame = (int64_t)vsm_bytes_get_le64(in);
        n->list[i].view = vsm_bytes_get_u8(in);
        n->list[i].id = (int)vsm_bytes_get_le32(in);
        vsm_bytes_get_f32(in, measures, 3);
        if (in->failed || kind > VSM_SAM2_NEW || n->list[i].view > 1)
            return false;
        n->list[i].kind = (enum vsm_sam2_correction_kind)kind;
        n->list[i].overlap = measures[0];
        n->list[i].agreement = measures[1];
        n->list[i].similarity = measures[2];
    }
    return true;
}

int vsm_track_people_load(struct vsm_track_people *people, struct vsm_bytes_in *in)
{
    bool good = load_names(people, in);

    people->since_correction = (int64_t)vsm_bytes_get_le64(in);
    good = good && people->since_correction >= 0 && load_numbers(&people->numbers, in);
    return good && !in->failed
               ? VSM_OK
               : vsm_fail(VSM_E_INPUT, "checkpoint: the tracker's people are damaged; start again with "
                                       "--restart");
}
