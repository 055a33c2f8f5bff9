/* A kind of struct vsm_stereo_planes for tests: every call is made with host planes and with CUDA planes,
 * what both give is compared, and the host's goes on. Pictures and maps are the host's; CUDA gets copies. */
#ifndef BOTH_PLANES_H
#define BOTH_PLANES_H

#include "stereo/stereo_planes.h"

/* What is compared. */
enum both_planes_what {
    BOTH_PLANES_LOOK,      /* small pictures and points: equal bits */
    BOTH_PLANES_EDGES,     /* sums in double */
    BOTH_PLANES_MATCH,     /* cells of a map: equal bits */
    BOTH_PLANES_CAN_MATCH, /* likewise */
    BOTH_PLANES_LIGHT,     /* sums in double */
    BOTH_PLANES_AGREE,     /* likewise */
    BOTH_PLANES_AFTER,     /* the same after replace, by what a sum in double has decided */
    BOTH_PLANES_MEASURE,   /* cells of both eyes over own, moved and settled alpha: equal bits */
    BOTH_PLANES_MAPS,      /* coefficient maps after replace, likewise */
    BOTH_PLANES_NOTE,      /* cells of alpha, likewise */
    BOTH_PLANES_WHATS
};

struct both_planes_tally {
    long calls, values;
    long apart;  /* values with other bits */
    long beyond; /* those further apart than they may be */
    double most; /* furthest apart; relative to numbers above 1 */
};

/* Since the last clearing, of all planes of this kind. */
extern struct both_planes_tally both_planes_tallies[BOTH_PLANES_WHATS];
extern const char *const both_planes_names[BOTH_PLANES_WHATS];

/* What the host's replace() has changed in maps since the last clearing, values. */
extern long both_planes_replaced;

void both_planes_clear(void);

/* With a stream of its own. */
int both_planes_create(const struct vsm_stereo_planes_options *options,
                       struct vsm_stereo_planes *planes) VSM_NODISCARD;

#endif
