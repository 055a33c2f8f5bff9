#include "app/dry_run.h"

#include "app/gpu_plan.h"
#include "app/people_plan.h"
#include "app/plan_outputs.h"
#include "app/track_plan.h"
#include "app/view_plan.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "nn/session.h"
#include "pipeline/runner.h"
#include "stages/composite_stage.h"
#include "stages/matte_stage.h"

#include <math.h>
#include <string.h>

static const char *projection_name(enum vsm_projection projection)
{
    static const char *const names[] = {"half-equirectangular", "fisheye", "rectilinear"};

    return names[projection];
}

static const char *layout_name(enum vsm_layout layout)
{
    static const char *const names[] = {"mono", "side by side", "top-bottom"};

    return names[layout];
}

static const char *planes_name(struct vsm_format f)
{
    if (f.planes == VSM_PLANES_GRAY)
        return "grey";
    if (f.planes == VSM_PLANES_RGB || f.planes == VSM_PLANES_RGBA)
        return "RGB";
    return f.chroma_x == 0 ? "4:4:4" : f.chroma_y == 0 ? "4:2:2" : "4:2:0";
}

static void print_eyes(const struct vsm_plan_eyes *eyes, FILE *out)
{
    static const char *const orders[] = {"their order cannot be told", "the right way round",
                                         "the wrong way round"};
    const struct vsm_alignment_result *a = &eyes->alignment;

    if (a->unrelated) {
        fprintf(out, "eyes        show different things: nothing is transferred between them\n");
        return;
    }
    fprintf(out, "eyes        %s%s by the first frames\n", orders[a->eyes],
            eyes->exchanged ? ", exchanged" : "");
    fprintf(
        out,
        "            right eye's picture %.1f pixels (%.2f degrees) too %s, its light %.2f %.2f %.2f of the "
        "left one's (R G B)\n",
        fabs(a->offset), fabs(a->pitch) * 180.0 / M_PI, a->offset >= 0.0 ? "low" : "high", a->gain[0],
        a->gain[1], a->gain[2]);
}

static void print_circle(const struct vsm_plan *plan, int eye, FILE *out)
{
    const struct vsm_lens *lens = &plan->lenses[eye];

    fprintf(out, "            %s circle ", eye == VSM_LEFT ? "left" : "right");
    if (lens->radius > 0)
        fprintf(out, "round %.1f, %.1f, radius %.1f", lens->centre_x, lens->centre_y, lens->radius);
    else
        fprintf(out, "as wide as the eye");
    fprintf(out, ": %s\n", plan->lens_reason);
}

static void print_input(const struct vsm_plan *plan, FILE *out)
{
    const struct vsm_video_info *v = vsm_video_reader_info(plan->reader);
    const struct vsm_vr_layout *l = &plan->layout;

    fprintf(out, "input       %s\n", plan->config->input.path);
    fprintf(out, "            %s, %s, %dx%d, %d-bit %s, %.3f fps, ", v->container, v->codec, v->width,
            v->height, v->format.depth, planes_name(v->format),
            v->frame_rate.den ? (double)v->frame_rate.num / v->frame_rate.den : 0);
    if (v->frames >= 0)
        fprintf(out, "%s%lld frames\n", v->frames_exact ? "" : "about ", (long long)v->frames);
    else
        fprintf(out, "unknown length\n");
    fprintf(out, "            colour primaries %d, transfer %d, matrix %d (H.273), %s range%s\n",
            v->colour.primaries, v->colour.transfer, v->colour.matrix,
            v->colour.full_range ? "full" : "limited", v->hdr ? ", HDR metadata" : "");
    fprintf(out, "            %d audio and %d other streams, VR boxes: %s%s\n", v->audio_streams,
            v->data_streams, v->boxes.has_stereo ? "st3d " : "",
            v->boxes.has_projection ? "sv3d"
            : v->boxes.has_stereo   ? ""
                                    : "none");
    fprintf(out, "layout      %s%s: %s\n", layout_name(l->layout), l->right_left ? ", right eye first" : "",
            l->layout_reason);
    fprintf(out, "projection  %s, %g degrees: %s\n", projection_name(l->projection), l->field_of_view,
            l->projection_reason);
    for (int i = 0; i < l->eye_count; i++)
        fprintf(out, "            %s eye %dx%d at %d,%d\n", i == VSM_LEFT ? "left" : "right",
                l->eyes[i].width, l->eyes[i].height, l->eyes[i].x, l->eyes[i].y);
    if (plan->eyes.looked)
        print_eyes(&plan->eyes, out);
    for (int i = 0; i < l->eye_count && plan->lens_reason; i++)
        print_circle(plan, i, out);
    if (plan->frames >= 0)
        fprintf(out, "frames      %lld, from %lld\n", (long long)plan->frames, (long long)plan->first_frame);
}

static void print_network(const struct vsm_plan *plan, struct vsm_sha256 hash, FILE *out)
{
    char hex[VSM_SHA256_HEX];

    vsm_hash_hex(&hash, hex);
    if (plan->config->matting.model != VSM_CONFIG_MODEL_SAM2) {
        fprintf(out, "model       Robust Video Matting, MobileNetV3 (weights GPL-3.0): %s\n",
                plan->model_path);
        fprintf(out, "            SHA-256 %s\n", hex);
    }
    for (int i = 0; i < plan->view_count; i++)
        fprintf(out, "view        %s eye, direct, grid %dx%d\n",
                plan->views[i].eye == VSM_LEFT ? "left" : "right", plan->views[i].width,
                plan->views[i].height);
    if (plan->adaptive) {
        const struct vsm_scaling_options *s = &plan->scaling;

        fprintf(out, "            adapted between %dx%d and %dx%d in %d steps\n", s->rungs[0].width,
                s->rungs[0].height, s->rungs[s->count - 1].width, s->rungs[s->count - 1].height, s->count);
    }
    if (plan->turned)
        fprintf(out, "            turned towards people, grid %dx%d, or two of %dx%d\n",
                plan->turned_sides[0], plan->turned_sides[0], plan->turned_sides[1], plan->turned_sides[1]);
    else
        fprintf(out, "            never turned: %s\n", plan->turned_why);
    fprintf(out, "provider    %s, %d view%s a run\n", plan->provider, plan->batch,
            plan->batch > 1 ? "s" : "");
}

static void print_detector(const struct vsm_plan *plan, FILE *out)
{
    if (plan->detector_path)
        fprintf(out,
                "detector    MoveNet multipose (weights Apache-2.0): %s\n            SHA-256 of graph and "
                "shard %s, %s\n            every %d frames and after every cut%s\n",
                plan->detector_path, VSM_DETECTOR_GRAPH_SHA256, VSM_DETECTOR_SHARD_SHA256,
                plan->detector_interval, plan->gpu ? ", on the GPU" : "");
    else
        fprintf(out, "detector    none: its weights are missing\n");
}

static void print_outputs(const struct vsm_plan *plan, FILE *out)
{
    for (int i = 0; i < plan->output_count; i++) {
        const struct vsm_plan_output *o = &plan->outputs[i];
        const struct vsm_video_encoder_options *e = &o->writer.encoder;

        fprintf(out, "output      %s: %s\n", o->name, o->path);
        fprintf(out, "            %dx%d, %s, %d-bit", o->file_width, o->file_height, e->codec,
                o->format.depth);
        if (e->bitrate > 0)
            fprintf(out, ", %lld bit/s", (long long)e->bitrate);
        else if (e->crf >= 0)
            fprintf(out, ", crf %g", e->crf);
        if (o->packed && o->packing.half_equirect)
            fprintf(out, ", half-equirectangular");
        else if (o->packed)
            fprintf(out, ", fisheye of %g degrees", o->packing.field_of_view);
        if (strcmp(o->name, "green") == 0)
            fprintf(out, ", key colour #%02X%02X%02X", o->key[0], o->key[1], o->key[2]);
        fprintf(out, ", %d thread%s, audio %s%s\n", e->threads, e->threads > 1 ? "s" : "",
                o->writer.source_path ? "copied" : "none",
                o->writer.vr_boxes != VSM_VR_BOXES_NONE ? ", VR boxes" : "");
    }
}

static void print_memory(const struct vsm_plan *plan, FILE *out)
{
    const struct vsm_plan_memory *m = &plan->memory;

    fprintf(
        out,
        "memory      about %zu bytes: program %zu, decoder %zu, queues up to %zu, network %zu, tracker %zu, "
        "encoders %zu\n",
        m->program + m->decoder + m->queues + m->network + m->tracker + m->encoders, m->program, m->decoder,
        m->queues, m->network, m->tracker, m->encoders);
}

/* Makes one frame through the stages' own functions, twice, and times the second. */
static int time_stages(const struct vsm_plan *plan, const struct vsm_stage *stages, int count, FILE *out)
{
    struct vsm_frame *frame = NULL;
    uint64_t start = 0;
    int status = VSM_OK;

    for (int pass = 0; status == VSM_OK && pass < 2; pass++) {
        vsm_frame_destroy(&frame);
        frame = vsm_frame_create();
        start = vsm_clock_ns();
        status = frame ? vsm_video_reader_next(plan->reader, frame) : VSM_E_NOMEM;
        if (status == VSM_EOF && pass > 0) {
            status = VSM_OK;
            break;
        }
        for (int s = 0; s < count && status == VSM_OK; s++)
            status = stages[s].run(stages[s].self, frame);
    }
    if (status == VSM_EOF)
        status = vsm_fail(VSM_E_INPUT, "%s: has no picture that can be decoded", plan->config->input.path);
    if (status == VSM_OK) {
        double seconds = (double)(vsm_clock_ns() - start) / 1e9;

        fprintf(out, "speed       %.3f s a frame without encoding (one frame tried)", seconds);
        if (plan->frames > 0)
            fprintf(out, ", about %.0f min in all", seconds * (double)plan->frames / 60);
        fprintf(out, "\n");
    }
    vsm_frame_destroy(&frame);
    return status;
}

static int print_tracker(const struct vsm_plan *plan, const struct vsm_sam2_net *net, FILE *out)
{
    const char *licence = plan->track.licence ? plan->track.licence : "of unknown licence";
    char hex[VSM_SHA256_HEX];
    struct vsm_sha256 hash;
    int status = vsm_sam2_net_hash(net, &hash);

    if (status != VSM_OK)
        return status;
    vsm_hash_hex(&hash, hex);
    fprintf(out, "tracker     %s (weights %s): %s\n", vsm_sam2_net_config(net)->name, licence,
            plan->track.path);
    fprintf(out, "            SHA-256 %s\n            %dx%d for each eye, ", hex, plan->track.size,
            plan->track.size);
    if (plan->track.prompt_count)
        fprintf(out, "%d prompts\n", plan->track.prompt_count);
    else
        fprintf(out, "everybody whom the detector finds\n");
    if (plan->config->matting.continuous_correction)
        fprintf(out, "            corrected every %d frames\n", plan->config->matting.correction_interval);
    return VSM_OK;
}

static void print_rest(const struct vsm_plan *plan, struct vsm_sha256 hash, FILE *out)
{
    print_network(plan, hash, out);
    print_detector(plan, out);
    print_outputs(plan, out);
    print_memory(plan, out);
}

struct cpu_stages {
    struct vsm_parallel *pool;
    struct vsm_detector *detector;
    struct vsm_people_stage *people;
    struct vsm_matte_stage *matte;
    struct vsm_view_director *director;
    struct vsm_track_stage *track;
    struct vsm_composite_stage *composite;
};

static int create_matte(const struct vsm_plan *plan, struct vsm_rvm **rvm, struct cpu_stages *s)
{
    const struct vsm_rvm_options options = vsm_plan_matter(plan);
    int status = vsm_matte_stage_create(*rvm, plan->batch, plan->views, plan->view_count, s->pool, &s->matte);

    if (status == VSM_OK)
        vsm_matte_stage_own(s->matte, rvm, &options);
    if (status == VSM_OK)
        status = vsm_view_plan_create_director(plan, &s->director);
    if (status == VSM_OK && s->director)
        vsm_matte_stage_set_director(s->matte, s->director);
    return status;
}

/* Takes *rvm over if all goes well. */
static int create_cpu(const struct vsm_plan *plan, struct vsm_rvm **rvm, struct vsm_sam2_net *net,
                      struct cpu_stages *s)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    const struct vsm_refine_options refine = {.despill = (float)plan->config->matting.despill};
    int status;

    s->pool = vsm_parallel_create(plan->threads);
    vsm_plan_outputs_targets(plan, targets);
    status = s->pool ? vsm_people_plan_create_stage(plan, s->pool, &s->detector, &s->people) : VSM_E_NOMEM;
    if (status == VSM_OK && *rvm)
        status = create_matte(plan, rvm, s);
    if (status == VSM_OK && net)
        status = vsm_track_plan_create_stage(plan, net, s->pool, &s->track);
    if (status == VSM_OK)
        status = vsm_composite_stage_create(targets, plan->output_count, info->width, info->height, &refine,
                                            s->pool, &s->composite);
    return status;
}

/* Takes *rvm over. */
static int time_cpu(const struct vsm_plan *plan, struct vsm_rvm **rvm, struct vsm_sam2_net *net, FILE *out)
{
    struct cpu_stages s = {0};
    struct vsm_stage stages[4];
    int count = 0, status = create_cpu(plan, rvm, net, &s);

    if (status == VSM_OK) {
        stages[count++] = vsm_people_stage_describe(s.people);
        if (s.matte)
            stages[count++] = vsm_matte_stage_describe(s.matte);
        if (s.track)
            stages[count++] = vsm_track_stage_describe(s.track);
        stages[count++] = vsm_composite_stage_describe(s.composite);
        status = time_stages(plan, stages, count, out);
    }
    vsm_composite_stage_destroy(s.composite);
    vsm_track_stage_destroy(s.track);
    vsm_matte_stage_destroy(s.matte);
    vsm_view_director_destroy(s.director);
    vsm_people_stage_destroy(s.people);
    vsm_detector_destroy(s.detector);
    vsm_parallel_destroy(s.pool);
    return status;
}

/* What app/job.c makes, and the hash of the matter, if any. */
static int dry_run_cpu(const struct vsm_plan *plan, FILE *out)
{
    struct vsm_sha256 hash = {{0}}, all = {{0}};
    struct vsm_sam2_net *net = NULL;
    struct vsm_rvm *rvm = NULL;
    int status = VSM_OK;

    if (plan->config->matting.model != VSM_CONFIG_MODEL_SAM2)
        status = vsm_plan_create_matter(plan, &rvm);
    if (status == VSM_OK && rvm)
        hash = vsm_rvm_hash(rvm);
    if (status == VSM_OK && vsm_track_plan_wants(plan->config))
        status = vsm_track_plan_create_net(plan, false, &net, &all);
    if (status == VSM_OK && net)
        status = print_tracker(plan, net, out);
    if (status == VSM_OK) {
        print_rest(plan, hash, out);
        status = time_cpu(plan, &rvm, net, out);
    }
    vsm_sam2_net_destroy(net);
    vsm_rvm_destroy(rvm);
    return status;
}

static int dry_run_gpu(const struct vsm_plan *plan, FILE *out)
{
    struct vsm_stage described[VSM_MAX_STAGES];
    struct vsm_gpu_stages stages = {0};
    int status = vsm_gpu_plan_create_stages(plan, &stages);

    if (status == VSM_OK) {
        print_rest(plan, vsm_gpu_stage_hash(stages.network), out);
        status = time_stages(plan, described, vsm_gpu_plan_describe_stages(&stages, NULL, described), out);
    }
    vsm_gpu_plan_destroy_stages(&stages);
    return status;
}

int vsm_dry_run(const struct vsm_plan *plan, FILE *out)
{
    print_input(plan, out);
    return plan->gpu ? dry_run_gpu(plan, out) : dry_run_cpu(plan, out);
}
