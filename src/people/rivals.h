/* Who is out of sight but may still stand there: people whom the detector missed lately, and whose place
 * nobody in sight has taken. Without them, the matte of a missed neighbour would go to whoever is left
 * (people/gate.h). A function of the roster alone: its state is theirs.
 */
#ifndef VSM_PEOPLE_RIVALS_H
#define VSM_PEOPLE_RIVALS_H

#include "people/roster.h"

/* Frames out of sight for which somebody is believed to be there: 1.5 seconds at 30 a second, five looks of
 * the detector or, beside turned views, eleven. The roster may forget them sooner (VSM_ROSTER_MEMORY). */
#define VSM_RIVALS_FRAMES 45

/* Share of a box that the boxes of people in sight cover together, from which on its place is taken. */
#define VSM_RIVALS_COVERED 0.7f

/* Detections that must have seen somebody: single ones may be mistaken. */
#define VSM_RIVALS_SEEN 2

/* Fills `rivals`, by id, with people of the roster, and returns how many they are. */
int vsm_rivals_find(const struct vsm_roster *roster, const struct vsm_roster_person *rivals[VSM_ROSTER_SIZE]);

#endif
