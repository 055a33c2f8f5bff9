/* Keeps a tracker honest: compares it with people detected on the same frame, and prompts it anew where it
 * has drifted or lost somebody. Nothing restarts; a correction is one more conditioning frame.
 *
 * After track() on a frame, and before the next begin(), with the boxes of all people that a detector sees:
 *   1. visible objects and boxes are paired by overlap, best first;
 *   2. a pair that overlaps too little, although it is the best there is, has drifted: the box corrects it.
 *      So has a mask that leaves out most of what a matter sees in the box and nobody else's mask explains;
 *   3. a box without an object may be somebody who was lost, or whose mask went astray: it is prompted on
 *      trial, and the pointer that the decoder gives is compared with those of objects without a box, nearest
 *      in appearance and place first; alike means found again;
 *   4. what is left is somebody new, if wanted.
 * An object without a box stays as it is: detectors miss people more often than SAM 2 loses them.
 *
 * The thresholds are choices, not measurements: the trained checkpoints were not at hand.
 */
#ifndef VSM_MODELS_SAM2_CORRECTION_H
#define VSM_MODELS_SAM2_CORRECTION_H

#include "base/status.h"
#include "models/sam2_tracker.h"

#include <stdbool.h>
#include <stdint.h>

/* Sightings of one view that are looked at; more are ignored. */
#define VSM_SAM2_CORRECTION_MAX 64

/* A person that a detector sees. */
struct vsm_sam2_sighting {
    float box[4]; /* left, top, right, bottom, pixels of the network's picture; cut at its borders */
    bool known;   /* out: the object below is this person */
    int id;       /* out */
};

struct vsm_sam2_correction_options {
    float min_overlap;    /* of mask box and detection, below which a pair has drifted; 0 = 0.5 */
    float min_similarity; /* cosine of pointers, -1 to 1, from which two are one person; 0 = 0.7 */
    float min_agreement;  /* part of the matter's people in a box that the mask must cover; 0 = 0.5 */
    const float *alpha;   /* the matter's, 0..1, on the masks' grid [side][side]; NULL: no matter */
    bool add_new;         /* give unknown people ids from `next_id` on */
    int next_id;          /* counts up with every new one */
};

enum vsm_sam2_correction_kind { VSM_SAM2_DRIFTED, VSM_SAM2_FOUND_AGAIN, VSM_SAM2_NEW };

/* One correction, for the report. */
struct vsm_sam2_correction {
    enum vsm_sam2_correction_kind kind;
    int64_t frame;
    int view, id;
    float overlap;    /* before the correction; DRIFTED */
    float agreement;  /* likewise; 1 if the matter has no say */
    float similarity; /* FOUND_AGAIN */
};

/* Empty boxes are ignored. Writes at most `capacity` corrections and their number, and calls track() if there
 * are any. On failure the tracker may hold some of them. Cost: one decoder run for every correction and every
 * trial. */
int vsm_sam2_correction_run(struct vsm_sam2_tracker *tracker, int view, struct vsm_sam2_sighting *people,
                            int count, struct vsm_sam2_correction_options *options,
                            struct vsm_sam2_correction *corrections, int capacity, int *made) VSM_NODISCARD;

/* Puts a box prompt on an object as a correction does; a new id makes a new object. VSM_E_USAGE for a box
 * that is empty within the picture. track() must follow. */
int vsm_sam2_correction_prompt(struct vsm_sam2_tracker *tracker, int view, int id,
                               const float box[4]) VSM_NODISCARD;

/* Intersection over union of two boxes. */
float vsm_sam2_correction_overlap(const float a[4], const float b[4]);

#endif
