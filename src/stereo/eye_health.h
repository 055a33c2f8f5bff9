/* Whether an eye's picture can be trusted: black, frozen or out of focus while the other eye is not.
 *
 * Compares the eyes with each other and with themselves a frame ago, on small grey pictures; what both eyes
 * do alike (a dark scene, a still one, a soft one) is no fault. Constants: measured on the faults of
 * tools/eye_faults.h over the scenes of tools/truth_scenes.h at grids of 256 to 768.
 */
#ifndef VSM_STEREO_EYE_HEALTH_H
#define VSM_STEREO_EYE_HEALTH_H

#include "base/bytes.h"
#include "base/parallel.h"
#include "base/status.h"
#include "pixel/eye_health.h"

#include <stdbool.h>
#include <stdint.h>

enum vsm_eye_health_fault {
    VSM_EYE_HEALTH_GOOD,
    VSM_EYE_HEALTH_BLACK, /* nothing to be seen */
    /* The same picture again while the other eye's moves on, or, in a still scene, while the other's noise
     * does. */
    VSM_EYE_HEALTH_FROZEN,
    VSM_EYE_HEALTH_BLURRED, /* much softer than the other, and than usual */
    VSM_EYE_HEALTH_FAULTS
};

/* What an eye's picture is like, by green, on its grid. */
struct vsm_eye_health_look {
    float small[VSM_EYE_HEALTH_SIDE * VSM_EYE_HEALTH_SIDE]; /* means of the picture's rectangles */
    float points[VSM_EYE_HEALTH_POINTS * VSM_EYE_HEALTH_POINTS];
    double edges; /* summed differences of neighbours across, of every other row */
};

/* All state, plain and of fixed size. All zero = the first frame of a scene. */
struct vsm_eye_health {
    float small[2][VSM_EYE_HEALTH_SIDE * VSM_EYE_HEALTH_SIDE];      /* the last frame's look */
    float points[2][VSM_EYE_HEALTH_POINTS * VSM_EYE_HEALTH_POINTS]; /* likewise */
    float usual;                                                    /* log of the eyes' ratio of sharpness */
    uint32_t still[2]; /* frames in a row that an eye has stood still while the other moved */
    uint32_t frames;   /* through the present views */
};

const char *vsm_eye_health_name(enum vsm_eye_health_fault fault);

/* Looks at both eyes' pictures: rgb[eye] has three planes of width * height, 0..1. The same result for any
 * number of threads. Cost: 1 ms on a grid of 512 on one core. */
void vsm_eye_health_look(const float *const rgb[2], int width, int height,
                         struct vsm_eye_health_look looks[2], struct vsm_parallel *pool);

/* Judges the next frame by looks on a grid of this size. At most one eye is found faulty by each sign. */
void vsm_eye_health_next(struct vsm_eye_health *health, const struct vsm_eye_health_look looks[2], int width,
                         int height, enum vsm_eye_health_fault faults[2]);

/* The next frame is seen through other views: it cannot be compared with the last one. What is known
 * stays. */
void vsm_eye_health_turn(struct vsm_eye_health *health);

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are cut off; it is unchanged then. */
void vsm_eye_health_save(const struct vsm_eye_health *health, struct vsm_bytes_out *out);
int vsm_eye_health_load(struct vsm_eye_health *health, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
