/* What comparing and mending the eyes costs: processor time of the stereo manager's review against that of
 * the rest of the matte stage (averaging to the grids and the network, both eyes), one thread for everything,
 * frame by frame in one run. Decoding, compositing and encoding are left out, so that the share of a whole
 * job's frame is smaller. Target: 10 % of the frame.
 *
 *   bench_stereo [DATA [GRID]]      generated scenes of 2048x1024; DATA: the shared footage; GRID: 768, as
 *                                   jobs have it
 */
#include "base/clock.h"
#include "build_config.h"
#include "spread.h"
#include "stages/matte_stage.h"
#include "stages/stereo_manager.h"
#include "tools/truth_film.h"

#include <stdio.h>

#define EYE    1024
#define FROM   20
#define FRAMES 9

static const char *const scenes[] = {"portrait-near", "two-crossing", "three-in-a-row"};

struct bench {
    struct vsm_matte_review manager;
    double review; /* of the last frame, ms */
};

static double since(uint64_t start)
{
    return (double)(vsm_clock_thread_cpu_ns() - start) / 1e6;
}

static int timed_review(void *self, struct vsm_frame *frame, const float *const rgb[],
                        struct vsm_rvm_state *states)
{
    struct bench *b = self;
    const uint64_t start = vsm_clock_thread_cpu_ns();
    const int status = b->manager.run(b->manager.self, frame, rgb, states);

    b->review = since(start);
    return status;
}

static int take(struct bench *b, struct vsm_matte_stage *matte, struct vsm_image *picture, int number,
                double *rest)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_stage stage = vsm_matte_stage_describe(matte);
    uint64_t start;
    int status;

    if (!frame)
        return VSM_E_NOMEM;
    frame->index = frame->seq = number;
    frame->source = vsm_image_ref(picture);
    start = vsm_clock_thread_cpu_ns();
    status = stage.run(stage.self, frame);
    *rest = since(start) - b->review;
    vsm_frame_destroy(&frame);
    return status;
}

static int run_frames(struct vsm_truth_film *film, struct bench *b, struct vsm_matte_stage *matte,
                      const struct vsm_stereo_manager *manager, const char *mode)
{
    struct vsm_image *picture = vsm_canvas_yuv_image(&film->canvas);
    double review[FRAMES], rest[FRAMES], part[FRAMES];
    int status = picture ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; status == VSM_OK && i < FRAMES; i++) {
        status = vsm_truth_film_shoot(film, FROM + i);
        vsm_canvas_to_yuv(&film->canvas, picture);
        if (status == VSM_OK)
            status = take(b, matte, picture, FROM + i, &rest[i]);
        review[i] = b->review;
        part[i] = 100.0 * review[i] / (review[i] + rest[i]);
    }
    if (status == VSM_OK && vsm_stereo_manager_tally(manager)->frames != FRAMES)
        status = vsm_fail(VSM_E_INTERNAL, "scene %s: only %lld frames were compared",
                          film->options.scene.name, (long long)vsm_stereo_manager_tally(manager)->frames);
    if (status == VSM_OK)
        printf(
            "stereo %s, %s: %.1f ms, network and averaging %.1f ms, %.1f %% of both (medians of %d frames)\n",
            film->options.scene.name, mode, spread_of(review, FRAMES).median, spread_of(rest, FRAMES).median,
            spread_of(part, FRAMES).median, FRAMES);
    vsm_image_unref(&picture);
    return status;
}

static int run_scene(const char *data, int grid, const char *name, bool mend, struct vsm_rvm *rvm)
{
    const struct vsm_view views[2] = {
        {.eye = VSM_LEFT, .source = {0, 0, EYE, EYE}, .width = grid, .height = grid},
        {.eye = VSM_RIGHT, .source = {EYE, 0, EYE, EYE}, .width = grid, .height = grid}};
    const struct vsm_stereo_manager_options options = {.views = views,
                                                       .view_count = 2,
                                                       .baseline = VSM_TRUTH_FILM_BASELINE,
                                                       .threshold = 0.95,
                                                       .mend = mend};
    const struct vsm_truth_film_options filming = {.data = data,
                                                   .scene = *vsm_truth_scenes_find(name),
                                                   .frames = 60,
                                                   .eye = EYE};
    struct vsm_stereo_manager *manager = NULL;
    struct vsm_matte_stage *matte = NULL;
    struct vsm_truth_film film = {0};
    struct bench b = {.review = 0.0};
    const struct vsm_matte_review review = {.self = &b, .run = timed_review};
    int status = vsm_truth_film_create(&filming, &film);

    if (status == VSM_OK)
        status = vsm_matte_stage_create(rvm, 1, views, 2, NULL, &matte);
    if (status == VSM_OK)
        status = vsm_stereo_manager_create(&options, &manager);
    if (status == VSM_OK) {
        b.manager = vsm_stereo_manager_review(manager);
        vsm_matte_stage_set_review(matte, &review);
        status = run_frames(&film, &b, matte, manager, mend ? "compared and mended" : "compared");
    }
    vsm_matte_stage_destroy(matte);
    vsm_stereo_manager_destroy(manager);
    vsm_truth_film_destroy(&film);
    return status;
}

int main(int argc, char **argv)
{
    const char *data = argc > 1 ? argv[1] : "../shared/data";
    const int grid = argc > 2 ? atoi(argv[2]) : 768;
    const struct vsm_rvm_options options = {.graph_path = VSM_MODELS_DIR "/rvm.json",
                                            .width = grid,
                                            .height = grid,
                                            .batch = 1,
                                            .session = {.threads = 1}};
    struct vsm_rvm *rvm = NULL;
    int status = vsm_rvm_create(&options, &rvm);

    for (size_t i = 0; status == VSM_OK && i < 2 * sizeof(scenes) / sizeof(scenes[0]); i++)
        status = run_scene(data, grid, scenes[i / 2], i % 2 == 1, rvm);
    vsm_rvm_destroy(rvm);
    if (status != VSM_OK)
        fprintf(stderr, "bench_stereo: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
