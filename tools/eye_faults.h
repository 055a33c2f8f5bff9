/* What may go wrong with one eye for a while: the truth of what ought to be found stays as it was. */
#ifndef TOOLS_EYE_FAULTS_H
#define TOOLS_EYE_FAULTS_H

#include "tools/canvas.h"

#include <stdbool.h>

enum vsm_eye_faults_kind {
    VSM_EYE_FAULTS_NONE,
    VSM_EYE_FAULTS_BLACK,
    VSM_EYE_FAULTS_FROZEN,  /* the last good picture stays, its noise too */
    VSM_EYE_FAULTS_BLURRED, /* a box of a twentieth of the side */
    VSM_EYE_FAULTS_FINGER,  /* a soft disc the colour of a fingertip over the middle */
};

struct vsm_eye_faults_fault {
    enum vsm_eye_faults_kind kind;
    int eye;         /* 0 or 1 */
    int from, count; /* pictures */
};

/* Reads "KIND:FROM:COUNT" of the right eye, or "left:KIND:FROM:COUNT", e.g. "finger:20:30"; false if it is
 * something else. */
bool vsm_eye_faults_parse(const char *text, struct vsm_eye_faults_fault *fault);
const char *vsm_eye_faults_name(enum vsm_eye_faults_kind kind);

/* Spoils the eye's colours if picture `number` has the fault; _apply what lens and sensor do to it, before
 * the noise, and _hold what comes behind the sensor. `kept` has room for one eye (4 floats a pixel) and is
 * the same from picture to picture. */
void vsm_eye_faults_apply(const struct vsm_eye_faults_fault *fault, const struct vsm_canvas *canvas,
                          int number, float *kept);
void vsm_eye_faults_hold(const struct vsm_eye_faults_fault *fault, const struct vsm_canvas *canvas,
                         int number, float *kept);

#endif
