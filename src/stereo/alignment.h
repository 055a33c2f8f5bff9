/* How the two eyes of a scene stand to each other: vertical offset, swapped eyes, exposure and colour, and
 * whether they show the same thing at all.
 *
 * Gathers evidence from the disparity maps of a scene's frames; every answer is a robust summary of all
 * matched cells so far, but for whether the eyes belong together, which rests on the latest. The vertical
 * offset is a pitch between the cameras, so that it is right off the axis too.
 */
#ifndef VSM_STEREO_ALIGNMENT_H
#define VSM_STEREO_ALIGNMENT_H

#include "base/bytes.h"
#include "base/status.h"
#include "stereo/disparity.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_ALIGNMENT_BINS 256 /* of pitch, over +-1.5 times VSM_DISPARITY_MAX_PITCH: 0.012 degrees each */

/* Frames in which hardly anything matches, for eyes that belonged together to count as showing different
 * things: 10 s at 30 frames a second. No fault of one eye is mended for longer. */
#define VSM_ALIGNMENT_STRANGE 300

/* All state, plain and of fixed size: a copy continues exactly. All zero = the first frame of a scene. */
struct vsm_alignment {
    float pitch[VSM_ALIGNMENT_BINS]; /* confidence of cells by the pitch they show */
    double crossed[2];               /* evidence for disparity of the right and of the wrong sign */
    double light[2][3];              /* summed R, G, B of matched places in master and slave */
    uint32_t tried, matched;         /* cells, of late */
    bool related;                    /* most of them matched once: what fails later is a fault of one eye */
    uint32_t strange;                /* frames since most of them matched in which few did */
    uint32_t frames;
};

enum vsm_alignment_eyes { VSM_ALIGNMENT_UNKNOWN, VSM_ALIGNMENT_STRAIGHT, VSM_ALIGNMENT_SWAPPED };

struct vsm_alignment_result {
    double pitch;   /* radians by which the slave's camera looks up too far */
    double offset;  /* the same in grid pixels straight ahead, positive: the slave's picture is too low */
    double gain[3]; /* slave's light over the master's, R, G, B as coded; 1 while unknown */
    enum vsm_alignment_eyes eyes;
    bool unrelated; /* the eyes show different things */
    bool known;     /* something was matched */
};

/* Adds a frame's map, measured with `search`; to tell swapped eyes, both_ways. */
void vsm_alignment_add(struct vsm_alignment *alignment, const struct vsm_disparity *disparity,
                       const struct vsm_disparity_map *map, const struct vsm_disparity_search *search);

/* The light of a frame's cells with people that are matched for certain: sums of R, G, B over their pixels in
 * the master's picture, and over those of the slave's that show the same. Pictures are R, G, B planes on the
 * grid. The same result for any number of threads. Cost: 0.2 ms on a grid of 512 on one core. */
void vsm_alignment_light(const struct vsm_disparity_map *map, const float *master, const float *slave,
                         int width, int height, double light[2][3], struct vsm_parallel *pool);

/* Adds what vsm_alignment_light() has found. */
void vsm_alignment_add_light(struct vsm_alignment *alignment, double light[2][3]);

/* What the evidence says; `grid_height` gives the offset's unit for an eye that is 180 degrees high. */
struct vsm_alignment_result vsm_alignment_judge(const struct vsm_alignment *alignment, double grid_height);

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are no alignment; it is unchanged then. */
void vsm_alignment_save(const struct vsm_alignment *alignment, struct vsm_bytes_out *out);
int vsm_alignment_load(struct vsm_alignment *alignment, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
