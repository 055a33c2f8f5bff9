/* Keeps a tracker honest: compares it with people detected on the same frame, and prompts it anew where it has drifted
 * or lost somebody. Nothing restarts; a correction is one more conditioning frame.
 *
 * After track() on a frame, and before the next begin(), with the boxes of all people that a detector sees:
 *   1. visible objects and boxes are paired by overlap, best first;
 *   2. a pair that overlaps too little, although it is the best there is, has drifted: the box corrects it;
 *   3. a box without an object may be somebody who was lost, or whose mask went astray: it is prompted on trial, and
 *      the pointer that the decoder gives is compared with those of objects without a box, nearest in appearance and
 *      place first; alike means found again;
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

/* Boxes of one view that are looked at; more are ignored. */
#define VSM_SAM2_CORRECTION_MAX 64

struct vsm_sam2_correction_options {
    float
        min_overlap; /* intersection over union of mask box and detection, below which a pair has drifted; 0 = 0.5 */
    float min_similarity; /* cosine of pointers, -1 to 1, from which two are one person; 0 = 0.7 */
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
    float similarity; /* FOUND_AGAIN */
};

/* Boxes: left, top, right, bottom, pixels of the network's picture; they are cut at its borders, and empty ones are
 * ignored. Writes at most `capacity` corrections and their number, and calls track() if there are any. On failure the
 * tracker may hold some of them. Cost: one decoder run for every correction and every trial. */
int vsm_sam2_correction_run(struct vsm_sam2_tracker *tracker, int view, const float (*boxes)[4], int count,
                            struct vsm_sam2_correction_options *options,
                            struct vsm_sam2_correction *corrections, int capacity, int *made) VSM_NODISCARD;

/* Intersection over union of two boxes. */
float vsm_sam2_correction_overlap(const float a[4], const float b[4]);

#endif
