/* Applies matting.people (config/people_rule.h) to the people in the picture. */
#ifndef VSM_PEOPLE_CHOICE_H
#define VSM_PEOPLE_CHOICE_H

#include "config/people_rule.h"
#include "frame/people.h"
#include "frame/view.h"
#include "people/roster.h"

#include <stdbool.h>

/* After a detection: marks people of the roster as chosen; nobody loses it. `people`: those of them who are
 * in sight, with their boxes in both eyes. `eyes`: both eyes' rectangles, for places in pixels. all:
 * everybody. largest, N: while fewer than N of those in the roster are chosen, the largest in sight, by area
 * in both eyes. Places: only if *placed is false and somebody is in sight; then it becomes true (the caller
 * clears it at a cut). A box means the person who overlaps it most, at least by 0.2; a point the smallest box
 * round it. */
void vsm_choice_apply(const struct vsm_people_rule *rule, const struct vsm_rect eyes[2],
                      const struct vsm_people *people, struct vsm_roster *roster, bool *placed);

#endif
