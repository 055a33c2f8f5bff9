/* What the comparison of the eyes adds up to over a job: for the report, and for its checkpoints. */
#ifndef VSM_STAGES_STEREO_TALLY_H
#define VSM_STAGES_STEREO_TALLY_H

#include "base/bytes.h"
#include "frame/view.h"
#include "stages/stereo_scenes.h"
#include "stereo/stereo_pair.h"

#include <stdbool.h>
#include <stdint.h>

/* Runs of frames that are kept by number, of each kind; later ones are only counted. */
#define VSM_STEREO_TALLY_RANGES 32

/* What frames are counted for. The eye is added: the left one's kind, then the right one's. */
enum vsm_stereo_tally_kind {
    VSM_STEREO_TALLY_BELOW, /* agreement under the threshold, as the matter left it; no eye */
    VSM_STEREO_TALLY_MENDED,
    VSM_STEREO_TALLY_BLACK = VSM_STEREO_TALLY_MENDED + 2,
    VSM_STEREO_TALLY_FROZEN = VSM_STEREO_TALLY_BLACK + 2,
    VSM_STEREO_TALLY_BLURRED = VSM_STEREO_TALLY_FROZEN + 2,
    VSM_STEREO_TALLY_KINDS = VSM_STEREO_TALLY_BLURRED + 2
};

struct vsm_stereo_tally_range {
    int64_t first, last; /* numbers in the input */
};

struct vsm_stereo_tally_list {
    int64_t frames;
    struct vsm_stereo_tally_range ranges[VSM_STEREO_TALLY_RANGES];
    int32_t range_count;
};

/* Over the whole job, earlier runs included. All zero = nothing yet. */
struct vsm_stereo_tally {
    int64_t frames;          /* measured: with people, and with eyes that belong together */
    int64_t unrelated;       /* frames whose eyes show different things, which are not measured */
    double sum, sum_after;   /* of agreement before and after mending; the mean is sum / frames */
    double minimum;          /* before mending; meaningful if frames > 0 */
    int64_t minimum_frame;   /* its number in the input */
    double largest_area;     /* largest ratio of the eyes' areas, >= 1 */
    double largest_residual; /* of the centroids, grid pixels */
    double largest_offset;   /* vertical, of a scene's eyes, grid pixels, without sign */
    int64_t swapped_scenes;  /* scenes whose eyes seem exchanged, by their last frame so far */
    bool swapped;            /* this scene counts there */
    struct vsm_stereo_tally_list lists[VSM_STEREO_TALLY_KINDS];
    struct vsm_stereo_scenes scenes; /* the caller's to add to */
};

/* Adds a frame by its number in the input. `threshold` as in struct vsm_stereo_pair_options. */
void vsm_stereo_tally_add(struct vsm_stereo_tally *tally, int64_t frame, double threshold,
                          const enum vsm_eye_health_fault faults[2],
                          const struct vsm_stereo_pair_result *result);

/* For checkpoints: every bit. false: the bytes are no tally. */
void vsm_stereo_tally_save(const struct vsm_stereo_tally *tally, struct vsm_bytes_out *out);
bool vsm_stereo_tally_load(struct vsm_stereo_tally *tally, struct vsm_bytes_in *in);

#endif
