/* The planes of two views, one an eye, while a frame's eyes are compared, and all that is done with them
 * pixel by pixel: on the host (stereo/stereo_planes_host.h) or on a CUDA device
 * (stereo/stereo_planes_cuda.h).
 *
 * Here nothing is decided. stereo/stereo_pair.h does that, by what these functions return, which is small:
 * cells and sums. Planes are float, width * height, by enum vsm_eye; "there" and "moved" are what the other
 * eye shows, moved to this one (stereo/transfer.h). Both kinds give the same bits, but for sums in double,
 * which are added in another order on a device (each kind adds in one fixed order), and what follows from
 * those.
 *
 * A frame begins with `begin`, matches and moves, first from the master, and asks about what was moved to an
 * eye (agree, need, measure, blend) behind that move; replace comes behind blend. Arrays by cell hold the
 * grid's cells first and are as they were beyond them.
 *
 * Used by one thread at a time. Every function may fail with VSM_E_NOMEM or VSM_E_DEVICE; the host's fail in
 * begin alone. After a failure the frame is lost, and what is known of the scene is as before the frame or
 * half changed.
 */
#ifndef VSM_STEREO_STEREO_PLANES_H
#define VSM_STEREO_STEREO_PLANES_H

#include "base/parallel.h"
#include "base/status.h"
#include "stereo/consensus.h"
#include "stereo/consistency.h"
#include "stereo/disparity.h"
#include "stereo/eye_health.h"
#include "stereo/mend.h"

#include <stdbool.h>

struct vsm_stereo_planes_kind {
    /* What an eye's picture is like (stereo/eye_health.h): rgb[eye] as of begin. Outside begin and end. */
    int (*look)(void *self, const float *const rgb[2], struct vsm_eye_health_look looks[2]);

    /* Begins a frame: rgb[eye] are R, G, B planes in 0..1, maps[eye] the coefficient maps of struct
     * vsm_matte, in the layout of their place; alpha is what they say on the grid. Borrowed until end. */
    int (*begin)(void *self, const float *const rgb[2], float *const maps[2]);

    /* Matches the cells of `eye` with the other one (vsm_disparity_match()), only those that need() has found
     * if `needed`: size, people, parallax, residual, confidence, tried and matched of the map; the rest is 0.
     * Of the search, pitch and both_ways count. The first of a frame is the master's. */
    int (*match)(void *self, int eye, const struct vsm_disparity_search *search, bool needed,
                 struct vsm_disparity_map *map);

    /* Whether an eye's people could be matched if they had texture (vsm_disparity_can()). */
    int (*can_match)(void *self, int eye, bool *can);

    /* Sums of R, G, B over cells of `eye` and over the places of the other that show the same
     * (vsm_alignment_light()), by eye 0 = `eye`, 1 = the other one. */
    int (*light)(void *self, int eye, const struct vsm_disparity_map *map, double light[2][3]);

    /* Moves the alpha of `eye` to the other one, and settles it there. map: measured from `eye`. */
    int (*move)(void *self, int eye, const struct vsm_disparity_map *map);

    /* How what was moved to `eye` agrees with its own. */
    int (*agree)(void *self, int eye, struct vsm_consistency_sums *sums);

    /* Finds the cells of `eye` whose people what was moved to it does not reach, for match(). */
    int (*need)(void *self, int eye);

    /* Sums of both eyes' cells over own and settled alpha. */
    int (*measure)(void *self, struct vsm_mend_sums cells[2][VSM_MEND_CELLS]);

    /* The steps that bring both eyes to a common value (vsm_consensus_find()), and then what both become,
     * with them and with mend->share (vsm_mend_blend()): alpha, target and weight. maps by the eye they are
     * measured from; gain as of struct vsm_consensus_eyes. */
    int (*blend)(void *self, const struct vsm_disparity_map *const maps[2],
                 const struct vsm_consensus *consensus, const struct vsm_mend *mend, const float gain[2][3]);

    /* Both eyes' maps give way to those of the alpha that blend() has made, which then is what they say
     * (stereo/stereo_maps.h). */
    int (*replace)(void *self);

    /* Mean alpha of both eyes' cells, as it is given out. */
    int (*note)(void *self, float means[2][VSM_MEND_CELLS]);

    /* Ends what begin has begun, also after a failure. */
    void (*end)(void *self);

    void (*destroy)(void *self);
};

struct vsm_stereo_planes {
    const struct vsm_stereo_planes_kind *kind;
    void *self;
};

struct vsm_cuda_stream;

/* What planes are made with, all borrowed for as long as they live. */
struct vsm_stereo_planes_options {
    struct vsm_disparity
        *disparity[2];              /* measuring from each eye, of one grid; memory is lent to the first */
    struct vsm_parallel *pool;      /* on the host; NULL: one thread */
    struct vsm_cuda_stream *stream; /* of a device, in whose order pictures and maps are written there */
};

#endif
