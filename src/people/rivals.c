#include "people/rivals.h"

#define POINTS 16 /* along each side of a box that are looked at */

static bool is_taken(const struct vsm_roster *roster, float x, float y)
{
    for (int i = 0; i < roster->count; i++) {
        const struct vsm_person_box box = vsm_roster_box(&roster->person[i]);

        if (roster->person[i].in_sight && vsm_person_box_holds(&box, x, y))
            return true;
    }
    return false;
}

static float covered(const struct vsm_roster *roster, const struct vsm_roster_person *person)
{
    const struct vsm_person_box box = vsm_roster_box(person);
    int taken = 0;

    for (int i = 0; i < POINTS * POINTS; i++) {
        const float u = ((float)(i % POINTS) + 0.5f) / POINTS, v = ((float)(i / POINTS) + 0.5f) / POINTS;

        taken +=
            is_taken(roster, box.left + u * (box.right - box.left), box.top + v * (box.bottom - box.top));
    }
    return (float)taken / (POINTS * POINTS);
}

int vsm_rivals_find(const struct vsm_roster *roster, const struct vsm_roster_person *rivals[VSM_ROSTER_SIZE])
{
    int count = 0;

    for (int i = 0; i < roster->count; i++) {
        const struct vsm_roster_person *p = &roster->person[i];

        if (!p->in_sight && p->hidden < VSM_RIVALS_FRAMES && p->seen >= VSM_RIVALS_SEEN &&
            !vsm_roster_outside(p) && covered(roster, p) < VSM_RIVALS_COVERED)
            rivals[count++] = p;
    }
    return count;
}
