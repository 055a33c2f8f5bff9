/* The report of a finished, cancelled or failed job: PATH.report.json, and a short summary for people. */
#ifndef VSM_APP_REPORT_H
#define VSM_APP_REPORT_H

#include "app/plan.h"
#include "base/hash.h"
#include "base/status.h"
#include "pipeline/runner.h"
#include "pipeline/stage_pair.h"
#include "stages/people_stage.h"
#include "stages/scaling.h"
#include "stages/stereo_tally.h"
#include "stages/track_people.h"
#include "stages/view_director.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_report {
    const struct vsm_plan *plan;
    const char *result; /* "complete", "cancelled", "failed" */
    const char *error;  /* message, NULL if none */
    int64_t frames, resumed_frames, scene_cuts, state_resets, repeated_frames;
    const struct vsm_track_numbers *track;          /* NULL: nobody was followed */
    const struct vsm_people_stage_numbers *people;  /* NULL: nobody was looked for */
    enum vsm_device looked_on;                      /* where the detector ran */
    const struct vsm_view_director_counters *views; /* NULL: all views were direct */
    const struct vsm_stereo_tally *stereo;          /* NULL: not measured */
    const struct vsm_scaling *scaling;              /* NULL: the grid was fixed */
    uint64_t wall_ns;
    struct vsm_sha256 model_hash;
    struct vsm_sha256 job_hash; /* all zero: no checkpoints */
    struct vsm_stage_stats stats[VSM_MAX_STAGES];
    int stage_count;
    const struct vsm_stage_pair *in_turns; /* what the last stage is made of; NULL: of itself */
};

/* Writes the report atomically beside the first output (or where logging.report says). */
int vsm_report_write(const struct vsm_report *report) VSM_NODISCARD;

/* Whether a report of this very job stands there and says that it is complete, and all outputs exist. */
bool vsm_report_says_complete(const struct vsm_plan *plan, const struct vsm_sha256 *job_hash);

/* One log line per fact. */
void vsm_report_summarise(const struct vsm_report *report);

#endif
