/* What the tests of a grid that moves under turned views have in common, on the CPU (scaling.c) and on a
 * device (gpu_scaling.c): who comes in when, the director that follows them, a job that is interrupted in
 * both fades, and a frame that is short of memory. */
#ifndef MOVING_GRID_H
#define MOVING_GRID_H

#include "base/fault.h"
#include "geometry/view_place.h"
#include "models/rvm.h"
#include "pipeline/stage.h"
#include "stages/scaling.h"
#include "stages/view_director.h"
#include "tap.h"

#include <errno.h>
#include <string.h>

#define FRAMES 64

struct moving_grid {
    struct vsm_stage stages[2]; /* the last one chooses the views */
    int stage_count;
    struct vsm_view_director *director; /* NULL: views are direct */
    const struct vsm_scaling *scaling;
    void *upload, *network, *stereo; /* what the stages are made of */
};

struct moving_grid_kind {
    struct moving_grid (*open)(int first);
    void (*close)(struct moving_grid *grid);
    int (*restore)(struct moving_grid *grid, const struct vsm_state *state, int seq);
    struct vsm_image *(*picture)(int seq);
    bool (*same)(const struct vsm_frame *a, const struct vsm_frame *b); /* in all that is refined */
    void (*before_checkpoint)(struct moving_grid *grid, int stop);      /* NULL: nothing happens */
};

/* Turned views are of grids that the direct ones' allows. */
static struct vsm_view_director *follow_people(const struct vsm_view views[2])
{
    struct vsm_view_director_options wishes = {.direct = views,
                                               .eye_count = 2,
                                               .projection = VSM_RECTILINEAR,
                                               .follow = true};
    struct vsm_view_director *director = NULL;

    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        wishes.sides[k] = vsm_view_place_side((int64_t)views[0].width * views[0].height, k + 1, VSM_RVM_GRID);
    CHECK_INT(vsm_view_director_create(&wishes, &director), VSM_OK);
    return director;
}

/* Nobody, somebody on the left from frame 20 on, and another one on the right from frame 55 on: direct views
 * fade into one view an eye in frames 20 to 27, and that into two in frames 55 to 57. */
static struct vsm_people people_in(int seq)
{
    struct vsm_people people = {.known = true, .count = seq < 20 ? 0 : seq < 55 ? 1 : 2};

    for (int i = 0; i < people.count; i++) {
        struct vsm_person *p = &people.person[i];

        p->chosen = true;
        for (int e = 0; e < 2; e++)
            p->box[e] = (struct vsm_person_box){0.05f + 0.7f * (float)i, 0.3f, 0.2f + 0.7f * (float)i, 0.7f};
    }
    return people;
}

/* Takes the picture. */
static struct vsm_frame *make_frame(int seq, struct vsm_image *source, struct vsm_people people)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->seq = seq;
    frame->source = source;
    frame->people = people;
    return frame;
}

static int run_stages(const struct moving_grid *grid, struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; i < grid->stage_count && !status; i++)
        status = grid->stages[i].run(grid->stages[i].self, frame);
    return status;
}

static struct vsm_frame *run_grid(const struct moving_grid *grid, int seq, struct vsm_image *source,
                                  struct vsm_people people, int *status)
{
    struct vsm_frame *frame = make_frame(seq, source, people);

    *status = run_stages(grid, frame);
    return frame;
}

/* A job from the beginning, and from checkpoints behind the frames `stops`, both within a fade: the same
 * frames, of which `frames` has the last ones made; the caller's to destroy. */
static void check_interrupted(const struct moving_grid_kind *kind, const int stops[2],
                              struct vsm_frame *frames[FRAMES])
{
    struct vsm_state *states[2] = {NULL, NULL};
    int changes = 0, side = 0;

    for (int part = 0; part < 3; part++) {
        struct moving_grid grid = kind->open(0);
        const struct vsm_stage *last = &grid.stages[grid.stage_count - 1];
        const struct vsm_view_choice *choice = vsm_view_director_choice(grid.director);
        int seq = part ? stops[part - 1] + 1 : 0, end = part == 1 ? seq + 8 : FRAMES, status;

        if (part)
            CHECK_INT(kind->restore(&grid, states[part - 1], seq), VSM_OK);
        for (; seq < end; seq++) {
            struct vsm_frame *frame = run_grid(&grid, seq, kind->picture(seq), people_in(seq), &status);

            CHECK_INT(status, VSM_OK);
            CHECK(!part || kind->same(frame, frames[seq]));
            vsm_frame_destroy(&frames[seq]);
            frames[seq] = frame;
            for (int k = 0; k < 2 && !part; k++) {
                if (seq != stops[k])
                    continue;
                CHECK(choice->old.count > 0);
                if (kind->before_checkpoint)
                    kind->before_checkpoint(&grid, k);
                states[k] = vsm_state_create();
                CHECK_INT(last->barrier(last->self, seq, states[k]), VSM_OK);
            }
        }
        CHECK(part == 1 || choice->now.count == 4);
        CHECK(part != 2 || (grid.scaling->change_count == changes && choice->now.views[3].width == side));
        changes = part ? changes : (int)grid.scaling->change_count;
        side = part ? side : choice->now.views[3].width;
        kind->close(&grid);
    }
    printf("# %d changes of the grid, the last views of %d\n", changes, side);
    for (int k = 0; k < 2; k++)
        vsm_state_destroy(&states[k]);
}

static void destroy_frames(struct vsm_frame *frames[FRAMES])
{
    for (int seq = 0; seq < FRAMES; seq++)
        vsm_frame_destroy(&frames[seq]);
}

#ifdef VSM_FAULT_POINTS
/* A frame in which the n-th allocation fails for once. False: there are not so many. */
static bool run_short_of_memory(const struct moving_grid *grid, const char *point, unsigned long n, int seq,
                                struct vsm_image *source, struct vsm_frame **frame, int *status)
{
    bool hit;

    *frame = make_frame(seq, source, people_in(seq));
    vsm_fault_arm(point, n, ENOMEM, 0);
    *status = run_stages(grid, *frame);
    hit = vsm_fault_hits() >= n;
    vsm_fault_arm(NULL, 0, 0, 0);
    return hit;
}
#endif

#endif
