/* Everything that a job will do, decided before it does anything: what the input is and why, which network on
 * which grid, which outputs, how much memory. --dry-run prints it; the job carries it out.
 */
#ifndef VSM_APP_PLAN_H
#define VSM_APP_PLAN_H

#include "base/hash.h"
#include "base/status.h"
#include "config/config.h"
#include "config/output_list.h"
#include "config/people_rule.h"
#include "frame/frame.h"
#include "geometry/view_place.h"
#include "image/refine.h"
#include "media/video_reader.h"
#include "media/video_writer.h"
#include "media/vr_layout.h"
#include "models/rvm.h"
#include "stages/composite_stage.h"
#include "stages/scaling.h"
#include "stereo/alignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Frames in flight are bounded by bytes as well: at 8K, ten frames of look-ahead would cost a gigabyte. A
 * queue takes one frame of any size, which is enough to keep two stages at work. On the GPU stages take turns
 * of milliseconds, and what waits evens them out; on the CPU all wait for the network. */
#define VSM_PLAN_QUEUE_BYTES     ((size_t)12 << 20)
#define VSM_PLAN_GPU_QUEUE_BYTES ((size_t)48 << 20)

/* On the CPU: bytes of source and output pictures of all frames in flight, and how many frames may be in
 * flight in any case: one for the network, one for the encoders and one on the way keep few cores busy; more
 * cores are kept busy by more stages at a time. Where a frame has more than VSM_PLAN_FLIGHT_LARGE and threads
 * are few, one is in flight until it is composited, and compositing and encoding take turns: one set of maps
 * and one composited picture, while the network still works beside the encoders (pipeline/stage_pair.h). */
#define VSM_PLAN_FLIGHT_BYTES                  ((size_t)18 << 20)
#define VSM_PLAN_FLIGHT_LARGE                  ((size_t)48 << 20)
#define VSM_PLAN_FLIGHT_FRAMES(threads, bytes) ((threads) >= 8 ? 5 : (bytes) > VSM_PLAN_FLIGHT_LARGE ? 1 : 3)
#define VSM_PLAN_IN_TURNS(threads, bytes)      ((threads) < 8 && (bytes) > VSM_PLAN_FLIGHT_LARGE)

/* On the CPU the network takes many times as long as decoding, and every further thread of a decoder holds
 * another picture. */
#define VSM_PLAN_CPU_DECODER_THREADS(threads) (1 + (threads) / 8)

struct vsm_plan_output {
    const char *name; /* as in output.format: "green", "matte" */
    enum vsm_composite kind;
    char *path;           /* owned */
    char *temporary_path; /* owned; in the same folder */
    struct vsm_format format;
    struct vsm_colour colour;
    int width, height;           /* of the pictures */
    int file_width, file_height; /* of what the file holds, if that is scaled */
    uint8_t key[3];
    bool packed; /* into the layout below */
    struct vsm_composite_packing packing;
    struct vsm_video_writer_options writer; /* borrows from the plan */
};

/* Bytes by part, estimated; measured against the peak RSS in doc/performance.md. */
struct vsm_plan_memory {
    size_t program; /* code, libraries, weights */
    size_t decoder;
    size_t queues; /* frames between stages */
    size_t network;
    size_t tracker; /* with two people in each eye */
    size_t encoders;
};

/* What follows people; all zero without a tracker (app/track_plan.h). */
struct vsm_plan_track {
    char *path;                       /* of the checkpoint; owned */
    const char *licence;              /* SPDX; NULL: not an official file */
    int size;                         /* side of the network's picture */
    struct vsm_track_prompt *prompts; /* owned, with their masks */
    int prompt_count;
};

/* How the eyes stand to each other, by the first frames. */
struct vsm_plan_eyes {
    bool looked;    /* else the rest is unknown */
    bool exchanged; /* the layout's eyes were the wrong way round and have been put right */
    /* Of the left eye as master and the right one as slave, after the exchange, but for their order, which is
     * the file's. Offset in pixels of an eye. */
    struct vsm_alignment_result alignment;
};

struct vsm_plan {
    const struct vsm_config *config; /* borrowed */
    struct vsm_video_reader *reader; /* owned */
    struct vsm_vr_layout layout;
    struct vsm_plan_eyes eyes;
    struct vsm_lens lenses[2];      /* by enum vsm_eye */
    const char *lens_reason;        /* of fisheye circles; else NULL */
    int64_t first_frame, end_frame; /* range of the input; end INT64_MAX if the length is unknown */
    int64_t frames;                 /* to be made; -1 = unknown */
    struct vsm_view views[VSM_MAX_VIEWS];
    int view_count;
    bool adaptive; /* the views begin on the ladder's first grid and move on it */
    struct vsm_scaling_options scaling;
    bool turned;                          /* the matter looks through turned views, where there are people */
    int turned_sides[VSM_VIEW_PLACE_MAX]; /* cells along the sides of one an eye, of each of two */
    const char *turned_why;               /* why all views are direct; NULL otherwise */
    int threads;
    int decoder_threads;
    size_t queue_bytes;            /* at most, between two stages */
    int most_frames;               /* in flight at once; 0 = what the queues hold */
    bool in_turns;                 /* composited and encoded by one thread: pictures are large */
    char *model_path;              /* owned; rvm.json */
    char *detector_path;           /* owned; movenet-multipose.json, NULL if it is not there */
    struct vsm_people_rule people; /* who is wanted */
    struct vsm_plan_track track;
    int detector_interval;       /* frames between two looks for people, at most */
    int batch;                   /* views in one network run */
    bool gpu;                    /* on the CUDA device */
    char provider[400];          /* what runs the network, and why not something better */
    struct vsm_output_list list; /* what is wished for; owned */
    struct vsm_plan_output outputs[VSM_MAX_OUTPUTS];
    int output_count;
    struct vsm_plan_memory memory;
};

/* Opens and examines the input, resolves every "auto". Writes nothing. The plan borrows the config. */
int vsm_plan_create(const struct vsm_config *config, struct vsm_plan **plan) VSM_NODISCARD;
void vsm_plan_destroy(struct vsm_plan *plan);

/* The folder of the weights: `chosen` if not NULL, else where the program was installed, else where it was
 * built. */
const char *vsm_plan_models_folder(const char *chosen);

/* The matter for the plan's grid: what to build it from, and to build it. */
struct vsm_rvm_options vsm_plan_matter(const struct vsm_plan *plan);
int vsm_plan_create_matter(const struct vsm_plan *plan, struct vsm_rvm **rvm) VSM_NODISCARD;

#endif
