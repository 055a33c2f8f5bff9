#include "people/choice.h"

#define LEAST_OVERLAP 0.2f

static struct vsm_roster_person *find(struct vsm_roster *roster, int32_t id)
{
    for (int i = 0; i < roster->count; i++) {
        if (roster->person[i].id == id)
            return &roster->person[i];
    }
    return NULL;
}

static float area(const struct vsm_person_box *b)
{
    return (b->right - b->left) * (b->bottom - b->top);
}

static void choose_largest(int wanted, const struct vsm_people *people, struct vsm_roster *roster)
{
    int chosen = 0;

    for (int i = 0; i < roster->count; i++)
        chosen += roster->person[i].chosen;
    for (; chosen < wanted; chosen++) {
        struct vsm_roster_person *best = NULL;
        float largest = 0.0f;

        for (int i = 0; i < people->count; i++) {
            struct vsm_roster_person *p = find(roster, people->person[i].id);
            const float size = area(&people->person[i].box[0]) + area(&people->person[i].box[1]);

            if (p && !p->chosen && size > largest) {
                largest = size;
                best = p;
            }
        }
        if (!best)
            return;
        best->chosen = true;
    }
}

static struct vsm_person_box box_of(const struct vsm_people_rule_place *p, const struct vsm_rect *eye)
{
    const double x = p->pixels ? 1.0 / eye->width : 1.0, y = p->pixels ? 1.0 / eye->height : 1.0;

    return (struct vsm_person_box){(float)(p->x * x), (float)(p->y * y), (float)((p->x + p->width) * x),
                                   (float)((p->y + p->height) * y)};
}

/* How well a person is at the place; 0 = not at all. */
static float fit(const struct vsm_people_rule_place *place, const struct vsm_rect *eye,
                 const struct vsm_person *person)
{
    const struct vsm_person_box wanted = box_of(place, eye), *box = &person->box[place->eye];
    float overlap;

    if (place->point)
        return vsm_person_box_holds(box, wanted.left, wanted.top) ? 2.0f - area(box) : 0.0f;
    overlap = vsm_person_box_overlap(&wanted, box);
    return overlap >= LEAST_OVERLAP ? overlap : 0.0f;
}

static void choose_places(const struct vsm_people_rule *rule, const struct vsm_rect eyes[2],
                          const struct vsm_people *people, struct vsm_roster *roster)
{
    for (int k = 0; k < rule->count; k++) {
        const struct vsm_person *best = NULL;
        struct vsm_roster_person *known;
        float best_fit = 0.0f;

        for (int i = 0; i < people->count; i++) {
            const float f = fit(&rule->place[k], &eyes[rule->place[k].eye], &people->person[i]);

            if (f > best_fit) {
                best_fit = f;
                best = &people->person[i];
            }
        }
        known = best ? find(roster, best->id) : NULL;
        if (known)
            known->chosen = true;
    }
}

void vsm_choice_apply(const struct vsm_people_rule *rule, const struct vsm_rect eyes[2],
                      const struct vsm_people *people, struct vsm_roster *roster, bool *placed)
{
    switch (rule->kind) {
    case VSM_PEOPLE_ALL:
        for (int i = 0; i < roster->count; i++)
            roster->person[i].chosen = true;
        break;
    case VSM_PEOPLE_LARGEST:
        choose_largest(rule->count, people, roster);
        break;
    case VSM_PEOPLE_PLACES:
        if (*placed || people->count == 0)
            break;
        *placed = true;
        choose_places(rule, eyes, people, roster);
        break;
    }
}
