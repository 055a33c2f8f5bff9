#include "app/lens_plan.h"

#include "config/circles.h"
#include "geometry/projection.h"
#include "image/circle_find.h"

#include <math.h>

static int find_circles(struct vsm_plan *plan)
{
    struct vsm_frame *frame = vsm_frame_create();
    int status = frame ? VSM_OK : VSM_E_NOMEM;
    bool found = true;

    if (status == VSM_OK && plan->config->input.start_frame > 0)
        status = vsm_video_reader_seek(plan->reader, plan->config->input.start_frame);
    if (status == VSM_OK)
        status = vsm_video_reader_next(plan->reader, frame);
    for (int e = 0; e < plan->layout.eye_count && status == VSM_OK; e++) {
        struct vsm_circle circle;

        if (vsm_circle_find(frame->source, &plan->layout.eyes[e], &circle)) {
            plan->lenses[e].centre_x = circle.x;
            plan->lenses[e].centre_y = circle.y;
            plan->lenses[e].radius = circle.radius;
        } else {
            found = false;
        }
    }
    vsm_frame_destroy(&frame);
    plan->lens_reason =
        found ? "found by the black round them" : "not in both eyes is a clear circle in the first picture";
    if (status == VSM_EOF) /* the range's own check says so better */
        status = VSM_OK;
    return status == VSM_OK ? vsm_video_reader_seek(plan->reader, 0) : status;
}

static int set_circles(struct vsm_plan *plan)
{
    double circles[2][3];
    int status = vsm_circles_parse(plan->config->input.circles, circles);

    for (int e = 0; e < plan->layout.eye_count && status == VSM_OK; e++) {
        plan->lenses[e].centre_x = circles[e][0];
        plan->lenses[e].centre_y = circles[e][1];
        plan->lenses[e].radius = circles[e][2];
    }
    plan->lens_reason = "set by the user";
    return status;
}

/* Sizes and limits, once for all users of the lenses. */
static int check(const struct vsm_plan *plan)
{
    struct vsm_projection_eye eye;
    int status = VSM_OK;

    for (int e = 0; e < plan->layout.eye_count && status == VSM_OK; e++)
        status = vsm_projection_lens(&plan->lenses[e], plan->layout.eyes[e].width,
                                     plan->layout.eyes[e].height, &eye);
    return status;
}

int vsm_lens_plan_choose(struct vsm_plan *plan)
{
    const struct vsm_config *config = plan->config;
    int status = VSM_OK;

    if (config->input.field_of_view > 0 && plan->layout.projection != VSM_HALF_EQUIRECT)
        plan->layout.field_of_view = config->input.field_of_view;
    for (int e = 0; e < plan->layout.eye_count; e++)
        plan->lenses[e] = (struct vsm_lens){.projection = plan->layout.projection,
                                            .field_of_view = plan->layout.field_of_view};
    if (plan->layout.projection == VSM_FISHEYE)
        status = config->input.circles ? set_circles(plan) : find_circles(plan);
    return status == VSM_OK ? check(plan) : status;
}

double vsm_lens_plan_view(const struct vsm_plan *plan)
{
    const struct vsm_lens *lens = &plan->lenses[0];

    if (lens->projection != VSM_FISHEYE || lens->radius <= 0.0)
        return plan->layout.field_of_view;
    return fmin(360.0, lens->field_of_view * 0.5 * plan->layout.eyes[0].width / lens->radius);
}
