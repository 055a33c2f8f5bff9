#include "app/lens_plan.h"

#include "base/log.h"
#include "config/circles.h"
#include "geometry/projection.h"
#include "image/circle_find.h"

#include <math.h>

static void put_circle(struct vsm_lens *lens, const struct vsm_circle *circle)
{
    lens->centre_x = circle->x;
    lens->centre_y = circle->y;
    lens->radius = circle->radius;
}

/* Where only one eye shows its circle, which takes dark surroundings in one eye alone, the other's is as
 * large and as high, and as far from the middle to the other side: lenses are mounted mirrored. Taking the
 * whole eye instead would show the world at two scales. */
static int use_circles(struct vsm_plan *plan, const bool found[2], struct vsm_circle circles[2])
{
    const struct vsm_rect *eyes = plan->layout.eyes;
    const bool two = plan->layout.eye_count == 2;
    const int other = found[0] ? VSM_RIGHT : VSM_LEFT;

    plan->lens_reason = "found by the black round them";
    if (!found[0] && !(two && found[1])) {
        plan->lens_reason = two ? "in neither eye is a clear circle in the first picture"
                                : "there is no clear circle in the first picture";
        return VSM_OK;
    }
    if (two && found[0] != found[1]) {
        if (eyes[0].width != eyes[1].width || eyes[0].height != eyes[1].height)
            return vsm_fail(VSM_E_INPUT,
                            "%s: only one eye shows its fisheye circle, and the eyes differ in size; set "
                            "input.circles",
                            plan->config->input.path);
        circles[other] = circles[!other];
        circles[other].x = eyes[other].width - circles[!other].x;
        plan->lens_reason = other == VSM_RIGHT
                                ? "found in the left eye, the right one taken as its mirror image"
                                : "found in the right eye, the left one taken as its mirror image";
        vsm_log(
            VSM_LOG_WARN, plan->config->input.path,
            "only the %s eye shows its fisheye circle (round %.1f, %.1f, radius %.1f); the other is taken as "
            "its mirror image: set input.circles if that is wrong",
            other == VSM_RIGHT ? "left" : "right", circles[!other].x, circles[!other].y,
            circles[!other].radius);
    }
    for (int e = 0; e < plan->layout.eye_count; e++)
        put_circle(&plan->lenses[e], &circles[e]);
    return VSM_OK;
}

static int find_circles(struct vsm_plan *plan)
{
    struct vsm_frame *frame = vsm_frame_create();
    int status = frame ? VSM_OK : VSM_E_NOMEM;
    struct vsm_circle circles[2];
    bool found[2] = {false, false};

    if (status == VSM_OK && plan->config->input.start_frame > 0)
        status = vsm_video_reader_seek(plan->reader, plan->config->input.start_frame);
    if (status == VSM_OK)
        status = vsm_video_reader_next(plan->reader, frame);
    for (int e = 0; e < plan->layout.eye_count && status == VSM_OK; e++)
        found[e] = vsm_circle_find(frame->source, &plan->layout.eyes[e], &circles[e]);
    vsm_frame_destroy(&frame);
    if (status == VSM_OK)
        status = use_circles(plan, found, circles);
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

/* The field of view stays what the plan has, which is the mesh's or what the user says of the circle. */
static void take_circles(struct vsm_plan *plan)
{
    for (int e = 0; e < plan->layout.eye_count; e++) {
        plan->lenses[e].centre_x = plan->layout.lenses[e].centre_x;
        plan->lenses[e].centre_y = plan->layout.lenses[e].centre_y;
        plan->lenses[e].radius = plan->layout.lenses[e].radius;
    }
    plan->lens_reason = "by the mesh";
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
    if (plan->layout.projection == VSM_FISHEYE && config->input.circles)
        status = set_circles(plan);
    else if (plan->layout.projection == VSM_FISHEYE && plan->layout.by_mesh)
        take_circles(plan);
    else if (plan->layout.projection == VSM_FISHEYE)
        status = find_circles(plan);
    return status == VSM_OK ? check(plan) : status;
}

double vsm_lens_plan_view(const struct vsm_plan *plan)
{
    const struct vsm_lens *lens = &plan->lenses[0];

    if (lens->projection != VSM_FISHEYE || lens->radius <= 0.0)
        return plan->layout.field_of_view;
    return fmin(360.0, lens->field_of_view * 0.5 * plan->layout.eyes[0].width / lens->radius);
}

/* Reach of both circles to one side of their centres, as far as both pictures go. */
static double reach_of(const struct vsm_plan *plan, const struct vsm_lens lenses[2])
{
    double reach = fmax(lenses[0].radius, lenses[1].radius);

    for (int e = 0; e < 2; e++) {
        const struct vsm_rect *eye = &plan->layout.eyes[e];

        reach = fmin(reach, fmin(lenses[e].centre_x, eye->width - lenses[e].centre_x));
        reach = fmin(reach, fmin(lenses[e].centre_y, eye->height - lenses[e].centre_y));
    }
    return reach;
}

/* First even place of a part that begins `before` before a centre, but within 0..size-part. */
static int even_start(double centre, double before, int size, int part)
{
    int start = 2 * (int)lround(0.5 * (centre - before));

    start = start > (size - part) / 2 * 2 ? (size - part) / 2 * 2 : start;
    return start < 0 ? 0 : start;
}

static int common_circles(const struct vsm_plan *plan, const char *wanted, struct vsm_rect eyes[2],
                          struct vsm_lens *common)
{
    struct vsm_lens lenses[2] = {plan->lenses[0], plan->lenses[1]};
    double reach, radius, x = 0, y = 0;
    int size;

    for (int e = 0; e < 2; e++) {
        if (lenses[e].radius > 0)
            continue;
        lenses[e].centre_x = 0.5 * plan->layout.eyes[e].width;
        lenses[e].centre_y = 0.5 * plan->layout.eyes[e].height;
        lenses[e].radius = lenses[e].centre_x;
    }
    radius = 0.5 * (lenses[0].radius + lenses[1].radius);
    if (fabs(lenses[0].radius - lenses[1].radius) > 0.01 * radius)
        return vsm_fail(
            VSM_E_USAGE,
            "%s: the fisheye circles have radii of %.1f and %.1f pixels, which is not one lens; set "
            "input.circles",
            wanted, lenses[0].radius, lenses[1].radius);
    reach = reach_of(plan, lenses);
    size = 2 * (int)reach;
    if (size < 32)
        return vsm_fail(VSM_E_USAGE,
                        "%s: the fisheye circles have only %d pixels within both eyes; set input.circles",
                        wanted, size);
    for (int e = 0; e < 2; e++) {
        const struct vsm_rect *eye = &plan->layout.eyes[e];

        eyes[e] = (struct vsm_rect){even_start(lenses[e].centre_x, reach, eye->width, size),
                                    even_start(lenses[e].centre_y, reach, eye->height, size), size, size};
        x += 0.5 * (lenses[e].centre_x - eyes[e].x);
        y += 0.5 * (lenses[e].centre_y - eyes[e].y);
        eyes[e].x += eye->x;
        eyes[e].y += eye->y;
    }
    *common = lenses[0];
    common->centre_x = x;
    common->centre_y = y;
    common->radius = fmin(radius, reach);
    common->field_of_view *= common->radius / radius;
    return VSM_OK;
}

int vsm_lens_plan_common(const struct vsm_plan *plan, const char *wanted, struct vsm_rect eyes[2],
                         struct vsm_lens *lens)
{
    const struct vsm_vr_layout *layout = &plan->layout;
    const struct vsm_rect *left = &layout->eyes[VSM_LEFT], *right = &layout->eyes[VSM_RIGHT];

    if (layout->projection == VSM_RECTILINEAR || layout->eye_count != 2 || left->width != right->width ||
        left->height != right->height || left->width < 32 || left->height < 32 ||
        (left->x | left->y | right->x | right->y | left->width | left->height) % 2)
        return vsm_fail(
            VSM_E_USAGE,
            "%s: %s does not have two half-equirect or fisheye eyes of even size; set input.layout and "
            "input.projection if that is wrong",
            wanted, plan->config->input.path);
    if (layout->projection == VSM_FISHEYE)
        return common_circles(plan, wanted, eyes, lens);
    eyes[VSM_LEFT] = *left;
    eyes[VSM_RIGHT] = *right;
    *lens = (struct vsm_lens){.projection = VSM_HALF_EQUIRECT};
    return VSM_OK;
}
