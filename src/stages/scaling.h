/* Adaptive scaling: which grid the network works on, decided from measured times.
 *
 * A controller without clocks, devices or threads: a stage tells it what each frame cost, and it says when to
 * move along a ladder of grids. It lowers the grid where the network's stage limits the pipeline and the
 * device is busier than wanted, where the wanted frames a second are missed, or where memory is short; it
 * raises it where the time that the next grid would need, taken as proportional to its cells, still fits.
 * Frames are judged in windows and by medians; after a change a few frames are left out, and a raise that had
 * to be taken back doubles the patience before the next one, so that it does not swing.
 *
 * Decisions depend on timing. They are therefore kept as a list which is part of the checkpoint, with the
 * controller's whole state: a resumed job goes on from the grid and in the window where it was.
 */
#ifndef VSM_STAGES_SCALING_H
#define VSM_STAGES_SCALING_H

#include "base/bytes.h"
#include "base/status.h"
#include "checkpoint/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_SCALING_RUNGS 16

/* Changes that are kept; later ones are only counted. */
#define VSM_SCALING_CHANGES 256

/* Frames that are judged together, and those left out after a change (the first run of a new network
 * allocates and warms up). At 30 frames a second a decision falls at most once a second. */
#define VSM_SCALING_WINDOW 24
#define VSM_SCALING_SETTLE 4

/* Share of the device's time round the wanted one in which nothing is done. Wide enough for the step of cells
 * between two rungs to be predicted wrongly by a tenth. */
#define VSM_SCALING_MARGIN 0.05

/* Windows without a change after which a raise is tried: at first, and at most. */
#define VSM_SCALING_PATIENCE     1
#define VSM_SCALING_PATIENCE_MAX 64

/* Free device memory under which the grid is lowered, and the part of it that a raise may take. */
#define VSM_SCALING_MEMORY_LOW   ((size_t)256 << 20)
#define VSM_SCALING_MEMORY_SHARE 0.8

struct vsm_scaling_grid {
    int32_t width, height;
};

struct vsm_scaling_options {
    struct vsm_scaling_grid rungs[VSM_SCALING_RUNGS]; /* smallest first */
    int count, first;                                 /* number of rungs, and the one to begin with */
    double target_usage;   /* of the device's time, 0..1; 0 = not held (on the CPU) */
    double target_fps;     /* frames a second; 0 = not held */
    double bytes_per_cell; /* memory that grows with the grid; 0 = unknown */
};

struct vsm_scaling_sample {
    double busy_ms;     /* the network's stage worked on the frame, comparing the eyes included */
    double period_ms;   /* since the frame before was done, waiting included */
    double usage;       /* of the device by all programs, 0..1; < 0 = unknown: busy over period stands in */
    size_t memory_free; /* on the device, bytes; 0 = unknown */
};

enum vsm_scaling_reason {
    VSM_SCALING_BUSY,   /* the device limits and is busier than wanted */
    VSM_SCALING_SLOW,   /* fewer frames a second than wanted */
    VSM_SCALING_MEMORY, /* too little memory */
    VSM_SCALING_IDLE,   /* there is room for more */
};

struct vsm_scaling_change {
    int64_t frame; /* of the job: the first one on the new grid */
    int32_t from, to;
    enum vsm_scaling_reason reason;
};

/* Plain data; fill it with vsm_scaling_init(). */
struct vsm_scaling {
    struct vsm_scaling_options options;
    int current, ceiling; /* rungs; nothing is raised above the ceiling, where memory ran out */
    int count, skip;      /* frames in the window, and still to leave out */
    int calm, patience;   /* windows since the last change; needed before a raise */
    bool raised;          /* the last change was a raise */
    float busy[VSM_SCALING_WINDOW], period[VSM_SCALING_WINDOW], usage[VSM_SCALING_WINDOW];
    int64_t change_count;
    struct vsm_scaling_change changes[VSM_SCALING_CHANGES];
};

/* The ladder for eyes of this size: grids with sides of multiples of `step` cells, from `least` to `most` of
 * the eye's size, long sides between VSM_SCALING_LEAST and VSM_SCALING_MOST cells, about a quarter of the
 * side apart (half as many cells again); begins with the one nearest to `wanted`. VSM_E_USAGE if least >
 * most. */
#define VSM_SCALING_LEAST 256 /* below, people fall apart: doc/quality.md */
#define VSM_SCALING_MOST                                                                                     \
    1536 /* above, RVM sees parts and no people: doc/quality.md; two such eyes take 3 GB */
int vsm_scaling_ladder(int width, int height, double least, double most, double wanted, int step,
                       struct vsm_scaling_options *options) VSM_NODISCARD;

void vsm_scaling_init(struct vsm_scaling *scaling, const struct vsm_scaling_options *options);

struct vsm_scaling_grid vsm_scaling_current(const struct vsm_scaling *scaling);

/* Takes what frame number `frame` cost. True if another grid is to be used from frame + 1 on: `current` is
 * moved, and the change is the last in the list. */
bool vsm_scaling_note(struct vsm_scaling *scaling, int64_t frame, const struct vsm_scaling_sample *sample);

/* Memory ran out for frame `frame`: steps down, for good. False on the lowest rung. */
bool vsm_scaling_out_of_memory(struct vsm_scaling *scaling, int64_t frame);

/* The last change in words, for the log; "" if there was none. Size 160 is enough. */
void vsm_scaling_describe(const struct vsm_scaling *scaling, char *text, size_t size);
const char *vsm_scaling_reason_name(enum vsm_scaling_reason reason);

/* Everything but the options. load: VSM_E_INPUT, nothing changed, if the bytes do not fit the ladder. */
void vsm_scaling_save(const struct vsm_scaling *scaling, struct vsm_bytes_out *out);
int vsm_scaling_load(struct vsm_scaling *scaling, struct vsm_bytes_in *in) VSM_NODISCARD;

/* The same as the barrier record "matte.scaling", by which a job goes on with the other matting stage. A
 * missing record does not fit the ladder. */
int vsm_scaling_add_record(const struct vsm_scaling *scaling, struct vsm_state *state) VSM_NODISCARD;
int vsm_scaling_restore(struct vsm_scaling *scaling, const struct vsm_state *state) VSM_NODISCARD;

#endif
