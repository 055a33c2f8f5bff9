/* Decides, frame by frame, through which views the matter looks: placed round the people
 * (geometry/view_place.h), turned after them slowly, and changed only when that lasts.
 *
 * - At a scene's beginning views are placed at once; so they are when somebody is seen for the first time.
 * - While the same number of views is right, each stays until its wish is more than
 *   VSM_VIEW_DIRECTOR_DEAD_ZONE away; then it goes there every VSM_VIEW_DIRECTOR_PACE frames by
 *   VSM_VIEW_DIRECTOR_TURN, or a sixth of the way, but no more than VSM_VIEW_DIRECTOR_HASTE. Fewer larger
 *   turns blur recurrent states, which are resampled at each, less than many small ones.
 * - Another number of views, another width, or none at all (the direct view, when nobody is there) must be
 *   wished for VSM_VIEW_DIRECTOR_PATIENCE frames running. If the present views miss somebody whom the others
 *   see they change at once: who is not seen is lost, and whom the detector has found stays known until its
 *   next look at least, so that waiting would not make it surer. Back they go only with patience again, so
 *   that somebody doubtful who comes and goes does not swing them.
 * - Where the matte shows more than the detector knows, and views cut it (stages/view_border.h), other views
 *   need VSM_VIEW_DIRECTOR_HURRY frames. A scene's first frame can be seen again through views that do not
 *   cut anybody, and in its second they change at once.
 * - Except at a scene's beginning, the old views are run on for VSM_VIEW_DIRECTOR_FADE frames beside the new
 *   ones, which fade in, or three, if the old ones miss or cut somebody; meanwhile no other change begins.
 * - Where nobody is detected, whom the matter sees counts instead (stages/view_evidence.h).
 * - Widths go in steps, and stay while the wish is near.
 * - Without `always`, views wider than VSM_VIEW_PLACE_USUAL are fisheyes, in which all can be seen
 *   that a common lens of that width shows, people near the edge are not stretched, and the middle has
 *   more cells (doc/quality.md).
 * Exactly resumable: all that decides is saved.
 */
#ifndef VSM_STAGES_VIEW_DIRECTOR_H
#define VSM_STAGES_VIEW_DIRECTOR_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"
#include "geometry/view_place.h"
#include "stages/view_border.h"
#include "stages/view_evidence.h"

#include <stdbool.h>

#define VSM_VIEW_DIRECTOR_DEAD_ZONE 10.0 /* degrees */
#define VSM_VIEW_DIRECTOR_TURN      2.0  /* degrees */
#define VSM_VIEW_DIRECTOR_HASTE     5.0  /* degrees: 50 a second */
#define VSM_VIEW_DIRECTOR_PACE      3    /* frames: 20 degrees a second at 30 frames a second */
#define VSM_VIEW_DIRECTOR_PATIENCE  20   /* frames */
#define VSM_VIEW_DIRECTOR_HURRY     5    /* frames: more than a flicker of the matte lasts */
#define VSM_VIEW_DIRECTOR_FADE      8    /* frames */
#define VSM_VIEW_DIRECTOR_TRIES     3    /* of views for a scene's first frame, after the first */
#define VSM_VIEW_DIRECTOR_STRETCHES 32   /* listed at most, like the stereo tally's ranges */

struct vsm_view_director_options {
    const struct vsm_view *direct; /* one view an eye, left first */
    int eye_count;
    enum vsm_projection projection; /* of turned views */
    double field_of_view;           /* degrees, where people fit in; 0 = as they need it */
    bool always;                    /* turned views even where nobody is seen: straight ahead */
    bool follow;                    /* false: views stay where a scene's first people were */
    int sides
        [VSM_VIEW_PLACE_MAX]; /* cells along turned views' sides: of one of them an eye, of each of two */
};

/* Views that are run together, pairs of eyes, all on the same grid, with the tables for the full-size
 * pass. */
struct vsm_view_group {
    int count;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_tensor *inverse[VSM_MAX_VIEWS]; /* NULL for direct views; owned by the director */
    int inverse_step[VSM_MAX_VIEWS];
};

struct vsm_view_choice {
    struct vsm_view_group now;
    struct vsm_view_group old; /* what is fading out, to be run as well; count 0: nothing */
    float weight;              /* of `now`, 0..1; 1 if nothing fades */
    bool keep_old; /* the old ones see more: the full-size pass is to get them as long as they fade */
    bool changed;  /* `now`, since the last frame: recurrent states must be turned (models/rvm_turn.h) */
    bool replaced; /* the last frame's `now` has become `old` in this frame */
    bool begins;   /* a scene's first frame, of views that may be judged */
};

struct vsm_view_director_stretch {
    int64_t first, last; /* input frames */
};

struct vsm_view_director_counters {
    int64_t frames, turned; /* all, and those seen through turned views */
    int64_t changes;        /* of number, width or kind, not counting the first */
    int64_t missed;         /* frames in which somebody was outside all views */
    struct vsm_view_director_stretch
        stretches[VSM_VIEW_DIRECTOR_STRETCHES]; /* the first ones of such frames */
    int stretch_count;
};

struct vsm_view_director;

int vsm_view_director_create(const struct vsm_view_director_options *options,
                             struct vsm_view_director **director) VSM_NODISCARD;
void vsm_view_director_destroy(struct vsm_view_director *director);

/* Chooses for the next frame. The choice is the director's, valid until the next call. */
int vsm_view_director_next(struct vsm_view_director *director, const struct vsm_frame *frame, bool scene_cut,
                           const struct vsm_view_choice **choice) VSM_NODISCARD;

/* May be called behind _next() where a scene begins, with the mattes of `now` that came of it
 * (view_evidence.h): *again if this is a scene's first frame and its views cut the matte. Then the choice has
 * others, and the frame is to be seen anew with fresh states, and judged again: false after
 * VSM_VIEW_DIRECTOR_TRIES. */
int vsm_view_director_judge(struct vsm_view_director *director, const struct vsm_frame *frame,
                            const float *const alpha[], bool *again) VSM_NODISCARD;

/* To be called with the mattes of every frame's `now`, as they are given out. */
int vsm_view_director_note(struct vsm_view_director *director, const struct vsm_frame *frame,
                           const float *const alpha[]) VSM_NODISCARD;

/* Puts all views on other grids, those of the last choice too, which stay as they look: `width` and `height`
 * of direct ones, sides[k] of k + 1 turned ones an eye. */
int vsm_view_director_resize(struct vsm_view_director *director, int width, int height,
                             const int sides[VSM_VIEW_PLACE_MAX]) VSM_NODISCARD;

struct vsm_view_director_counters vsm_view_director_counters(const struct vsm_view_director *director);

/* The last choice, for who restores states that belong to its views; no views before the first frame. */
const struct vsm_view_choice *vsm_view_director_choice(const struct vsm_view_director *director);

void vsm_view_director_save(const struct vsm_view_director *director, struct vsm_bytes_out *out);
/* VSM_E_INPUT if the bytes are impossible; the director must not be used then. */
int vsm_view_director_load(struct vsm_view_director *director, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
