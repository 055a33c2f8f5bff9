#include "app/view_plan.h"

#include "geometry/view_map.h"

#include <math.h>

static int check_width(const struct vsm_config *config)
{
    const double most = config->matting.view == VSM_CONFIG_VIEW_FISHEYE ? VSM_VIEW_MAP_MAX_FISHEYE
                                                                        : VSM_VIEW_MAP_MAX_RECTILINEAR;

    if (config->matting.view_fov < 0 ||
        (config->matting.view_fov >= VSM_VIEW_MAP_MIN_VIEW && config->matting.view_fov <= most))
        return VSM_OK;
    return vsm_fail(VSM_E_USAGE, "matting.view_fov: %g degrees; set it between %g and %g, or auto",
                    config->matting.view_fov, VSM_VIEW_MAP_MIN_VIEW, most);
}

/* NULL, or why automatic views are direct ones here. */
static const char *misfit(const struct vsm_plan *plan)
{
    if (plan->layout.projection == VSM_RECTILINEAR)
        return "the picture is flat";
    if (plan->config->matting.model == VSM_CONFIG_MODEL_SAM2)
        return "the tracker alone makes mattes of whole eyes";
    if (plan->config->matting.prompts && plan->config->matting.prompts[0])
        return "prompts may name people whom no view follows";
    if (!plan->detector_path)
        return "the detector's weights are missing, nobody looks for people";
    if (plan->layout.eye_count > 1 && plan->eyes.alignment.unrelated)
        return "the eyes show different things";
    return NULL;
}

int vsm_view_plan_choose(struct vsm_plan *plan)
{
    const enum vsm_config_view wanted = plan->config->matting.view;
    int status = check_width(plan->config);

    if (status != VSM_OK)
        return status;
    plan->turned_why = "as asked";
    if (wanted == VSM_CONFIG_VIEW_AUTO)
        plan->turned_why = misfit(plan);
    else if (wanted != VSM_CONFIG_VIEW_DIRECT && plan->config->matting.model == VSM_CONFIG_MODEL_SAM2)
        return vsm_fail(VSM_E_USAGE,
                        "matting.view: turned views need a matter, which matting.model sam2 does without; "
                        "set one of them otherwise");
    plan->turned = wanted == VSM_CONFIG_VIEW_AUTO ? !plan->turned_why : wanted != VSM_CONFIG_VIEW_DIRECT;
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        plan->turned_sides[k] =
            vsm_view_place_side((int64_t)plan->views[0].width * plan->views[0].height, k + 1, VSM_RVM_GRID);
    return VSM_OK;
}

int vsm_view_plan_create_director(const struct vsm_plan *plan, struct vsm_view_director **director)
{
    const struct vsm_config *config = plan->config;
    const struct vsm_view_director_options options = {
        .direct = plan->views,
        .eye_count = plan->view_count,
        .projection = config->matting.view == VSM_CONFIG_VIEW_FISHEYE ? VSM_FISHEYE : VSM_RECTILINEAR,
        .field_of_view = fmax(config->matting.view_fov, 0.0),
        .always = config->matting.view != VSM_CONFIG_VIEW_AUTO,
        .follow = config->matting.view_follow,
        .sides = {plan->turned_sides[0], plan->turned_sides[1]},
    };

    return plan->turned ? vsm_view_director_create(&options, director) : VSM_OK;
}
