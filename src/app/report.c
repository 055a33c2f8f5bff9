#include "app/report.h"

#include "app/monitor.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "build_config.h"
#include "config/options.h"
#include "config/utf8.h"
#include "media/media_version.h"
#include "nn/session.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No report is longer than this, in bytes; it is read before a job begins anew. */
#define MAX_REPORT ((size_t)1 << 20)

/* JSON is UTF-8 and paths need not be: bytes that are none become question marks. */
static json_t *text_json(const char *text)
{
    char *copy = vsm_mem_string("report", text);
    size_t size = copy ? strlen(copy) : 0, length;
    json_t *json;

    for (size_t i = 0; i < size; i += length) {
        length = vsm_utf8_length((const uint8_t *)copy + i, size - i);
        if (length == 0) {
            copy[i] = '?';
            length = 1;
        }
    }
    json = copy ? json_string(copy) : NULL;
    vsm_mem_free(copy);
    return json;
}

static json_t *stage_json(const struct vsm_stage_stats *s)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I}", "name", s->name, "frames",
                     (json_int_t)s->frames, "busy_ns", (json_int_t)s->busy_ns, "cpu_ns",
                     (json_int_t)s->cpu_ns, "wait_in_ns", (json_int_t)s->wait_in_ns, "wait_out_ns",
                     (json_int_t)s->wait_out_ns, "queue_high_frames", s->queue_high_frames,
                     "queue_high_bytes", (json_int_t)s->queue_high_bytes);
}

static json_t *stages_json(const struct vsm_report *r)
{
    const int alone = r->in_turns ? r->stage_count - 1 : r->stage_count;
    struct vsm_stage_stats parts[2];
    json_t *stages = json_array();

    for (int i = 0; i < alone; i++)
        json_array_append_new(stages, stage_json(&r->stats[i]));
    if (r->in_turns) {
        vsm_stage_pair_part(r->in_turns, &r->stats[alone], parts);
        json_array_append_new(stages, stage_json(&parts[0]));
        json_array_append_new(stages, stage_json(&parts[1]));
    }
    return stages;
}

static json_t *outputs_json(const struct vsm_plan *plan)
{
    json_t *outputs = json_array();

    for (int i = 0; i < plan->output_count; i++)
        json_array_append_new(outputs, json_pack("{s:s, s:o, s:s}", "kind", plan->outputs[i].name, "path",
                                                 text_json(plan->outputs[i].path), "codec",
                                                 plan->outputs[i].writer.encoder.codec));
    return outputs;
}

static json_t *correction_json(const struct vsm_sam2_correction *c)
{
    static const char *const kinds[] = {"drifted", "found again", "new"};

    return json_pack("{s:I, s:s, s:i, s:s, s:f, s:f, s:f}", "frame", (json_int_t)c->frame, "eye",
                     c->view ? "right" : "left", "person", c->id, "kind", kinds[c->kind], "overlap",
                     (double)c->overlap, "agreement", (double)c->agreement, "similarity",
                     (double)c->similarity);
}

/* null where nobody was followed. */
static json_t *track_json(const struct vsm_track_numbers *n)
{
    json_t *list;

    if (!n)
        return json_null();
    list = json_array();
    for (int i = 0; i < n->listed; i++)
        json_array_append_new(list, correction_json(&n->list[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "frames", (json_int_t)n->frames,
                     "frames_without_anybody", (json_int_t)n->nobody, "frames_filled", (json_int_t)n->filled,
                     "prompts_carried", (json_int_t)n->carried, "prompts_carried_by_guess",
                     (json_int_t)n->guessed, "drifted", (json_int_t)n->corrections[VSM_SAM2_DRIFTED],
                     "found_again", (json_int_t)n->corrections[VSM_SAM2_FOUND_AGAIN], "new",
                     (json_int_t)n->corrections[VSM_SAM2_NEW], "corrections", list);
}

/* null where nobody was looked for. */
static json_t *people_json(const struct vsm_people_stage_numbers *n, enum vsm_device device)
{
    json_t *list;

    if (!n)
        return json_null();
    list = json_array();
    for (int i = 0; i < VSM_PEOPLE_STAGE_LISTED && i < n->people; i++)
        json_array_append_new(list, json_pack("{s:i, s:I, s:I, s:b}", "id", i + 1, "scene",
                                              (json_int_t)n->listed[i].scene, "frames",
                                              (json_int_t)n->listed[i].frames, "chosen",
                                              n->listed[i].chosen ? 1 : 0));
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "detector", device == VSM_DEVICE_CUDA ? "CUDA" : "CPU",
                     "detector_runs", (json_int_t)n->detections, "persons", (json_int_t)n->people,
                     "most_at_once", (json_int_t)n->most_at_once, "frames_with_people",
                     (json_int_t)n->frames_with_any, "list", list);
}

/* null where the matter saw whole eyes only. */
static json_t *views_json(const struct vsm_view_director_counters *c)
{
    json_t *ranges;

    if (!c)
        return json_null();
    ranges = json_array();
    for (int i = 0; i < c->stretch_count; i++)
        json_array_append_new(ranges, json_pack("[I, I]", (json_int_t)c->stretches[i].first,
                                                (json_int_t)c->stretches[i].last));
    return json_pack("{s:I, s:I, s:I, s:{s:I, s:o}}", "frames", (json_int_t)c->frames, "frames_turned",
                     (json_int_t)c->turned, "changes", (json_int_t)c->changes, "people_outside", "frames",
                     (json_int_t)c->missed, "ranges", ranges);
}

static json_t *list_json(const struct vsm_stereo_tally_list *list)
{
    json_t *ranges = json_array();

    for (int i = 0; i < list->range_count; i++)
        json_array_append_new(ranges, json_pack("[I, I]", (json_int_t)list->ranges[i].first,
                                                (json_int_t)list->ranges[i].last));
    return json_pack("{s:I, s:o}", "frames", (json_int_t)list->frames, "ranges", ranges);
}

static json_t *eyes_json(const struct vsm_stereo_tally *t, enum vsm_stereo_tally_kind kind)
{
    return json_pack("{s:o, s:o}", "left", list_json(&t->lists[kind]), "right",
                     list_json(&t->lists[kind + 1]));
}

static const char *const orders[] = {"unknown", "straight", "swapped"};

static json_t *scene_json(const struct vsm_stereo_scene *s, int eye_height)
{
    const bool told = s->known && !s->unrelated;
    json_t *gain = told ? json_pack("[f, f, f]", s->gain[0], s->gain[1], s->gain[2]) : json_null();
    json_t *pixels = told ? json_real(s->pitch / M_PI * eye_height) : json_null();
    json_t *degrees = told ? json_real(s->pitch * 180.0 / M_PI) : json_null();

    return json_pack("{s:I, s:I, s:b, s:s, s:o, s:o, s:o}", "first_frame", (json_int_t)s->first, "frames",
                     (json_int_t)s->frames, "unrelated", s->unrelated ? 1 : 0, "order", orders[s->order],
                     "right_too_low_pixels", pixels, "right_too_low_degrees", degrees, "right_gain", gain);
}

/* Every scene, as far as they are listed; offset and gain are null where nothing was matched or the eyes are
 * unrelated. */
static json_t *scenes_json(const struct vsm_stereo_scenes *scenes, int eye_height)
{
    json_t *list = json_array();

    for (int i = 0; i < scenes->count && i < VSM_STEREO_SCENES_LISTED; i++)
        json_array_append_new(list, scene_json(&scenes->listed[i], eye_height));
    return json_pack("{s:I, s:o}", "count", (json_int_t)scenes->count, "list", list);
}

/* A measure over the frames; null where there were none. */
static json_t *measure_json(const struct vsm_stereo_tally *t, double value)
{
    return t->frames > 0 ? json_real(value) : json_null();
}

/* null where the eyes were not compared. */
static json_t *stereo_json(const struct vsm_stereo_tally *t, int eye_height)
{
    const double frames = t && t->frames > 0 ? (double)t->frames : 1.0;

    if (!t)
        return json_null();
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:I, s:o}",
                     "frames", (json_int_t)t->frames, "unrelated", (json_int_t)t->unrelated,
                     "consistency_mean", measure_json(t, t->sum / frames), "consistency_mean_after",
                     measure_json(t, t->sum_after / frames), "consistency_min", measure_json(t, t->minimum),
                     "min_frame", t->frames > 0 ? json_integer((json_int_t)t->minimum_frame) : json_null(),
                     "below_threshold", list_json(&t->lists[VSM_STEREO_TALLY_BELOW]), "mended",
                     eyes_json(t, VSM_STEREO_TALLY_MENDED), "black", eyes_json(t, VSM_STEREO_TALLY_BLACK),
                     "frozen", eyes_json(t, VSM_STEREO_TALLY_FROZEN), "blurred",
                     eyes_json(t, VSM_STEREO_TALLY_BLURRED), "largest_area_ratio",
                     measure_json(t, t->largest_area), "largest_centroid_residual",
                     measure_json(t, t->largest_residual), "largest_vertical_offset", t->largest_offset,
                     "swapped_scenes", (json_int_t)t->swapped_scenes, "scenes",
                     scenes_json(&t->scenes, eye_height));
}

/* How the eyes stand to each other, as --dry-run says it; null where that was not looked at. */
static json_t *alignment_json(const struct vsm_plan_eyes *eyes)
{
    const struct vsm_alignment_result *a = &eyes->alignment;

    if (!eyes->looked)
        return json_null();
    if (a->unrelated)
        return json_pack("{s:b}", "unrelated", 1);
    return json_pack("{s:b, s:s, s:b, s:f, s:f, s:[f, f, f]}", "unrelated", 0, "order", orders[a->eyes],
                     "exchanged", eyes->exchanged, "right_too_low_pixels", a->offset, "right_too_low_degrees",
                     a->pitch * 180.0 / M_PI, "right_gain", a->gain[0], a->gain[1], a->gain[2]);
}

/* null where the grid was fixed. */
static json_t *scaling_json(const struct vsm_scaling *s)
{
    json_t *changes;

    if (!s)
        return json_null();
    changes = json_array();
    for (int64_t i = 0; i < s->change_count && i < VSM_SCALING_CHANGES; i++) {
        const struct vsm_scaling_change *c = &s->changes[i];
        const struct vsm_scaling_grid *grid = &s->options.rungs[c->to];

        json_array_append_new(changes, json_pack("{s:I, s:[i, i], s:s}", "frame", (json_int_t)c->frame,
                                                 "grid", grid->width, grid->height, "reason",
                                                 vsm_scaling_reason_name(c->reason)));
    }
    return json_pack("{s:[i, i], s:I, s:o}", "first_grid", s->options.rungs[s->options.first].width,
                     s->options.rungs[s->options.first].height, "change_count", (json_int_t)s->change_count,
                     "changes", changes);
}

static json_t *report_json(const struct vsm_report *r)
{
    char model[VSM_SHA256_HEX], job[VSM_SHA256_HEX], settings[VSM_SHA256_HEX] = "";
    struct vsm_sha256 settings_hash;

    vsm_hash_hex(&r->model_hash, model);
    vsm_hash_hex(&r->job_hash, job);
    if (vsm_options_hash(r->plan->config, &settings_hash) == VSM_OK)
        vsm_hash_hex(&settings_hash, settings);
    return json_pack("{s:s, s:o*, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:I, s:I, s:s, s:s, s:s, s:o, "
                     "s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "result", r->result, "error", r->error ? text_json(r->error) : NULL, "program",
                     VSM_VERSION, "onnxruntime", vsm_session_backend_version(), "ffmpeg", vsm_media_version(),
                     "frames", "made", (json_int_t)r->frames, "resumed", (json_int_t)r->resumed_frames,
                     "scene_cuts", (json_int_t)r->scene_cuts, "state_resets", (json_int_t)r->state_resets,
                     "repeated", (json_int_t)r->repeated_frames, "wall_ns", (json_int_t)r->wall_ns,
                     "peak_rss_bytes", (json_int_t)vsm_monitor_peak_rss(), "settings_sha256", settings,
                     "model_sha256", model, "job_sha256", job, "outputs", outputs_json(r->plan), "eyes",
                     alignment_json(&r->plan->eyes), "people", people_json(r->people, r->looked_on), "views",
                     views_json(r->views), "track", track_json(r->track), "stereo",
                     stereo_json(r->stereo, r->plan->layout.eyes[0].height), "scaling",
                     scaling_json(r->scaling), "stages", stages_json(r));
}

static char *report_path(const struct vsm_plan *plan)
{
    const char *given = plan->config->logging.report;

    return given ? vsm_mem_string("report path", given)
                 : vsm_mem_format("report path", "%s.report.json", plan->outputs[0].path);
}

bool vsm_report_says_complete(const struct vsm_plan *plan, const struct vsm_sha256 *job_hash)
{
    char *path = report_path(plan), hex[VSM_SHA256_HEX];
    json_t *json = NULL;
    const char *result, *job;
    void *text = NULL;
    bool complete;
    size_t size;

    if (path && vsm_file_read(path, MAX_REPORT, VSM_E_OUTPUT, &text, &size) == VSM_OK)
        json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    vsm_mem_free(text);
    result = json_string_value(json_object_get(json, "result"));
    job = json_string_value(json_object_get(json, "job_sha256"));
    vsm_hash_hex(job_hash, hex);
    complete = result && job && strcmp(result, "complete") == 0 && strcmp(job, hex) == 0;
    for (int i = 0; i < plan->output_count; i++)
        complete = complete && access(plan->outputs[i].path, F_OK) == 0;
    json_decref(json);
    vsm_mem_free(path);
    return complete;
}

int vsm_report_write(const struct vsm_report *report)
{
    char *path = report_path(report->plan);
    json_t *json = report_json(report);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int status;

    if (!path || !text)
        status = vsm_fail(VSM_E_NOMEM, "report: out of memory");
    else
        status = vsm_file_write_atomic(path, text, strlen(text));
    free(text);
    json_decref(json);
    vsm_mem_free(path);
    return status;
}

static void summarise_fault(const struct vsm_stereo_tally *t, enum vsm_stereo_tally_kind kind,
                            const char *what)
{
    static const char *const eyes[] = {"left", "right"};

    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_stereo_tally_list *list = &t->lists[kind + eye];

        if (list->frames > 0)
            vsm_log(VSM_LOG_WARN, "stereo", "the %s eye is %s in %lld frames, first in %lld to %lld",
                    eyes[eye], what, (long long)list->frames, (long long)list->ranges[0].first,
                    (long long)list->ranges[0].last);
    }
}

static void summarise_stereo(const struct vsm_stereo_tally *t)
{
    const double frames = t->frames > 0 ? (double)t->frames : 1.0;

    if (t->frames > 0)
        vsm_log(
            VSM_LOG_INFO, "stereo",
            "the eyes' mattes agree by %.4f on average, by %.4f after mending, least by %.4f in frame %lld; "
            "%lld frames are below the threshold; %lld left and %lld right mattes were mended",
            t->sum / frames, t->sum_after / frames, t->minimum, (long long)t->minimum_frame,
            (long long)t->lists[VSM_STEREO_TALLY_BELOW].frames,
            (long long)t->lists[VSM_STEREO_TALLY_MENDED].frames,
            (long long)t->lists[VSM_STEREO_TALLY_MENDED + 1].frames);
    else
        vsm_log(VSM_LOG_INFO, "stereo",
                "how well the eyes' mattes agree: not measured, in no frame could people be compared");
    summarise_fault(t, VSM_STEREO_TALLY_BLACK, "black");
    summarise_fault(t, VSM_STEREO_TALLY_FROZEN, "frozen");
    summarise_fault(t, VSM_STEREO_TALLY_BLURRED, "blurred");
    if (t->swapped_scenes > 0)
        vsm_log(VSM_LOG_WARN, "stereo",
                "the eyes seem to be swapped in %lld scenes; set input.swap_eyes if so",
                (long long)t->swapped_scenes);
    if (t->unrelated > 0)
        vsm_log(VSM_LOG_WARN, "stereo", "the eyes show different things in %lld frames",
                (long long)t->unrelated);
}

static void summarise_track(const struct vsm_track_numbers *n)
{
    const int64_t *c = n->corrections;

    vsm_log(VSM_LOG_INFO, "track",
            "people followed in %lld frames, mended in %lld; corrections: %lld drifted, %lld found again, "
            "%lld new",
            (long long)n->frames, (long long)n->filled, (long long)c[VSM_SAM2_DRIFTED],
            (long long)c[VSM_SAM2_FOUND_AGAIN], (long long)c[VSM_SAM2_NEW]);
    if (n->carried > 0)
        vsm_log(VSM_LOG_INFO, "track", "%lld prompts were carried to the other eye, %lld of them by a guess",
                (long long)n->carried, (long long)n->guessed);
    if (n->nobody > 0)
        vsm_log(VSM_LOG_WARN, "track", "nobody to follow in %lld frames, whose mattes are empty",
                (long long)n->nobody);
}

static void summarise_views(const struct vsm_view_director_counters *c)
{
    char outside[160] = "";

    if (c->missed > 0)
        snprintf(outside, sizeof(outside),
                 "; somebody was outside the views in %lld frames, first in %lld to %lld",
                 (long long)c->missed, (long long)c->stretches[0].first, (long long)c->stretches[0].last);
    vsm_log(c->missed > 0 ? VSM_LOG_WARN : VSM_LOG_INFO, "views",
            "%lld of %lld frames seen through turned views, which changed %lld times%s", (long long)c->turned,
            (long long)c->frames, (long long)c->changes, outside);
}

void vsm_report_summarise(const struct vsm_report *r)
{
    double seconds = (double)r->wall_ns / 1e9;
    int limit = vsm_runner_bottleneck(r->stats, r->stage_count);

    vsm_log(VSM_LOG_INFO, "done", "%lld frames in %.1f s (%.3f s a frame), limited by %s, peak RSS %zu MB",
            (long long)r->frames, seconds, r->frames > 0 ? seconds / (double)r->frames : 0,
            r->stats[limit].name, vsm_monitor_peak_rss() >> 20);
    if (r->scene_cuts > 0)
        vsm_log(VSM_LOG_INFO, "done", "%lld scene cuts", (long long)r->scene_cuts);
    if (r->repeated_frames > 0)
        vsm_log(VSM_LOG_WARN, "input", "%lld frames could not be decoded; the frame before each stands in",
                (long long)r->repeated_frames);
    if (r->state_resets > 0)
        vsm_log(VSM_LOG_WARN, "matte", "the network's state became non-finite %lld times and was reset",
                (long long)r->state_resets);
    if (r->people)
        vsm_log(VSM_LOG_INFO, "people",
                "%lld persons told apart, at most %lld at once; in %lld frames nobody",
                (long long)r->people->people, (long long)r->people->most_at_once,
                (long long)(r->resumed_frames + r->frames - r->people->frames_with_any));
    if (r->views)
        summarise_views(r->views);
    if (r->track)
        summarise_track(r->track);
    if (r->stereo)
        summarise_stereo(r->stereo);
}
