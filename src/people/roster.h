/* Who is who over time: identities of the people that a detector sees now and then in one eye.
 *
 * Between detections each edge of a person's box moves as the body is seen to move (people/drift.h), or else
 * on with a damped, bounded speed. A detection is matched with the boxes expected by then: overlap, distance
 * of the centres, size, parallax and looks (people/looks.h) make an affinity, and the best pairs are taken
 * first (ties: the older person, then the better detection). What a detection corrects is spread over the
 * next frames, so that boxes never jump. People whom two detections in a row do not find are out of sight,
 * and are remembered for a while: who comes back near the old place in a similar size is the same person;
 * alike looks widen what counts as near. Numbers are never given twice. Same sightings, same people: there is
 * no clock and no chance in it. Constants: measured on the scenes of doc/quality.md.
 */
#ifndef VSM_PEOPLE_ROSTER_H
#define VSM_PEOPLE_ROSTER_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/people.h"
#include "people/drift.h"
#include "people/looks.h"

#include <stdbool.h>
#include <stdint.h>

/* People in sight and remembered; the longest unseen makes room. */
#define VSM_ROSTER_SIZE 32

/* Frames for which somebody out of sight is remembered: 3 seconds at 30 a second. */
#define VSM_ROSTER_MEMORY 90

/* Detections in a row that may miss a person before it counts as out of sight. */
#define VSM_ROSTER_MISSES 2

/* One detection. */
struct vsm_roster_sighting {
    struct vsm_person_box box; /* in the master eye, parts of it */
    float score;               /* 0..1 */
    float parallax;            /* radians */
    float rise;  /* how much lower the person is in the other eye than parallax says, parts of it */
    float match; /* 0..1, how sure parallax and rise are; 0 = not known */
    struct vsm_looks looks;
};

struct vsm_roster_person {
    int32_t id;
    int32_t unseen; /* frames since the detection that saw them last */
    int32_t missed; /* detections since */
    int32_t seen;   /* detections that saw them */
    int32_t frames; /* in which they were in sight */
    int32_t hidden; /* frames since they were in sight */
    bool in_sight;
    bool chosen; /* the caller's; new people are not */
    float score;
    float edge[4];                    /* left, top, right, bottom; may lie outside the eye */
    float rate[4];                    /* a frame */
    bool drifting;                    /* the last movement was seen, not supposed */
    float pending[4];                 /* still to be added to the edges, over the next frames */
    float parallax, pending_parallax; /* radians */
    float rise, pending_rise;         /* parts of the eye */
    float match;                      /* of the last sighting that had one, fading */
    struct vsm_looks looks;           /* learnt slowly, while nobody else is in the way */
    float side;                       /* mean of the box's sides, likewise, parts of the eye */
};

/* Plain and of fixed size: a copy of it continues exactly. All zero = nobody was ever seen. */
struct vsm_roster {
    int32_t last_id, count;
    struct vsm_roster_person person[VSM_ROSTER_SIZE]; /* by id, smallest first */
};

/* One frame later: everybody moves on, by `moves` (as many as there are people) where they are known, else as
 * before. NULL: none is known. To be called before vsm_roster_see() of that frame. */
void vsm_roster_step(struct vsm_roster *roster, const struct vsm_drift_move *moves);

/* What a detection found, best score first. Sightings below `newcomer` only continue people who are known.
 * `guess` stands in for the parallax of newcomers whose match is 0; one value a sighting, radians. */
void vsm_roster_see(struct vsm_roster *roster, const struct vsm_roster_sighting *sightings, int count,
                    const float *guess, float newcomer);

/* A new scene: everybody is forgotten, except which numbers were given. */
void vsm_roster_clear(struct vsm_roster *roster);

/* The person's box now, within the eye. */
struct vsm_person_box vsm_roster_box(const struct vsm_roster_person *person);

/* Whether nobody can be seen in the person's box, because it lies outside the eye. */
bool vsm_roster_outside(const struct vsm_roster_person *person);

/* The exact state for a checkpoint, little-endian. load: VSM_E_INPUT, the roster unchanged, if it cannot be
 * one. */
void vsm_roster_save(const struct vsm_roster *roster, struct vsm_bytes_out *out);
int vsm_roster_load(struct vsm_roster *roster, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
