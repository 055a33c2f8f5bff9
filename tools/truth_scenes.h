/* The scenes of the stereo ground truth: who stands where, moves how, and what is wrong with the cameras. */
#ifndef TOOLS_TRUTH_SCENES_H
#define TOOLS_TRUTH_SCENES_H

#include <stdbool.h>

#define VSM_TRUTH_SCENES_MAX_CAST 3

/* A person walks from one place to the other on a straight line of angle and distance over the length
 * of the clip. */
struct vsm_truth_scenes_role {
    const char *person;                /* of tools/cutout.h; NULL ends the cast */
    double from_azimuth, to_azimuth;   /* degrees to the right of straight ahead; beyond 90 is out of sight */
    double from_distance, to_distance; /* metres, horizontally from between the eyes */
};

struct vsm_truth_scenes_scene {
    const char *name;
    const char *plate; /* side-by-side half-equirect background, relative to the data folder */
    struct vsm_truth_scenes_role cast[VSM_TRUTH_SCENES_MAX_CAST];
    double vertical; /* degrees by which the right camera looks up too far */
    double gain;     /* exposure of the right eye relative to the left */
    bool swapped;    /* the right eye's picture is the left one */
    double noise;    /* standard deviation in 8-bit steps */
};

/* NULL behind the last one. */
const struct vsm_truth_scenes_scene *vsm_truth_scenes_get(int number);
/* NULL if there is none of this name. */
const struct vsm_truth_scenes_scene *vsm_truth_scenes_find(const char *name);

#endif
