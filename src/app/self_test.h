/* One small picture through the networks: whether a device works and gives what it should. */
#ifndef VSM_APP_SELF_TEST_H
#define VSM_APP_SELF_TEST_H

#include "base/status.h"
#include "models/detector.h"
#include "nn/session.h"

/* Side of the picture, which is the network's grid too. */
#define VSM_SELF_TEST_SIDE 256

/* The mean alpha of the picture, and how far that of a device may be from it. Measured: ONNX Runtime 1.29 on
 * x86-64 gives the first; noise of 0.002 in the picture moves it by 3e-5, and half precision on a GPU is 2e-5
 * off in the mean over real pictures (doc/performance.md). */
#define VSM_SELF_TEST_MEAN  0.2583
#define VSM_SELF_TEST_BOUND 0.002

struct vsm_self_test {
    double seconds; /* for weights, session and frame */
    double mean;    /* of alpha */
    float alpha[VSM_SELF_TEST_SIDE * VSM_SELF_TEST_SIDE];
};

/* Runs the picture. VSM_E_MODEL, or VSM_E_DEVICE if the mean is not the known one, with both numbers. Cost:
 * about half a second and 150 MB. */
int vsm_self_test_run(const char *graph_path, enum vsm_device device, int threads,
                      struct vsm_self_test *result) VSM_NODISCARD;

/* Whom the detector finds in the picture, whatever the score; *seconds: of a second look, the first one warms
 * up. Errors of vsm_detector_run(). */
int vsm_self_test_look(struct vsm_detector *detector, struct vsm_detector_people *people,
                       double *seconds) VSM_NODISCARD;

/* How far a score may be from the CPU's. Measured: doc/performance.md. */
#define VSM_SELF_TEST_SCORE_BOUND 0.0005

/* Mean absolute difference of alpha. */
double vsm_self_test_difference(const struct vsm_self_test *a, const struct vsm_self_test *b);

#endif
