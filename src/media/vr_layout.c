#include "media/vr_layout.h"

#include "media/vr_mesh_lens.h"
#include "media/vr_name.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* 2^32: the whole sphere in the 0.32 fixed-point bounds of an equi box. */
#define WHOLE 4294967296.0

/* Largest difference from 180 degrees at which an equirectangular crop counts as half. */
#define HALF_TOLERANCE 2.0

/* The picture's shape as far as it tells anything. */
enum shape { SHAPE_OTHER, SHAPE_2_1, SHAPE_1_2, SHAPE_1_1, SHAPE_32_9 };

static bool is_about(double value, double wanted)
{
    return fabs(value / wanted - 1) <= 0.03;
}

static enum shape shape_of(double aspect)
{
    if (is_about(aspect, 2))
        return SHAPE_2_1;
    if (is_about(aspect, 0.5))
        return SHAPE_1_2;
    if (is_about(aspect, 1))
        return SHAPE_1_1;
    return is_about(aspect, 32.0 / 9) ? SHAPE_32_9 : SHAPE_OTHER;
}

static const char *shape_name(enum shape shape)
{
    static const char *const names[] = {"", "2:1", "1:2", "1:1", "32:9"};

    return names[shape];
}

static void say(char reason[128], const char *format, ...) VSM_PRINTF(2, 3);

static void say(char reason[128], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason, 128, format, args);
    va_end(args);
}

static void layout_by_shape(const struct vsm_video_info *info, const struct vsm_vr_name *name,
                            struct vsm_vr_layout *result)
{
    double aspect = (double)info->width / info->height;
    enum shape shape = shape_of(aspect);
    bool wide_view = name->has_projection || info->boxes.has_projection;

    result->layout = VSM_LAYOUT_MONO;
    if (shape == SHAPE_2_1 || shape == SHAPE_32_9 || (wide_view && aspect >= 1.5))
        result->layout = VSM_LAYOUT_SBS;
    else if (shape == SHAPE_1_2 || (wide_view && aspect <= 1 / 1.5))
        result->layout = VSM_LAYOUT_TB;
    if (shape != SHAPE_OTHER)
        say(result->layout_reason, "aspect ratio %s", shape_name(shape));
    else
        say(result->layout_reason, "aspect ratio %.2f:1", aspect);
}

static void decide_layout(const struct vsm_video_info *info, const struct vsm_vr_name *name, int wanted,
                          struct vsm_vr_layout *result)
{
    static const char *const orders[][2] = {{"mono", "mono"},
                                            {"left-right", "right-left"},
                                            {"top-bottom", "top-bottom, right eye first"}};
    const struct vsm_vr_boxes *boxes = &info->boxes;

    if (wanted != VSM_LAYOUT_AUTO) {
        result->layout = wanted;
        /* The order of the eyes is another question, which the user has swap_eyes for. */
        if (boxes->has_stereo && (int)boxes->stereo == wanted)
            result->right_left = boxes->right_left;
        else if (name->has_layout && (int)name->layout == wanted)
            result->right_left = name->right_left;
        say(result->layout_reason, "set by the user");
    } else if (boxes->has_stereo) {
        result->layout = boxes->stereo;
        result->right_left = boxes->right_left;
        say(result->layout_reason, "stereo box says %s", orders[boxes->stereo][boxes->right_left]);
    } else if (vsm_vr_mesh_lens_layout(&boxes->meshes, &result->layout, &result->right_left)) {
        say(result->layout_reason, "the meshes (mshp box) lie %s",
            orders[result->layout][result->right_left]);
    } else if (name->has_layout) {
        result->layout = name->layout;
        result->right_left = name->right_left;
        say(result->layout_reason, "file name has %s", name->layout_marker);
    } else {
        layout_by_shape(info, name, result);
    }
    if (result->layout == VSM_LAYOUT_MONO)
        result->right_left = false;
}

static void projection_by_shape(const struct vsm_video_info *info, bool squeezed,
                                struct vsm_vr_layout *result)
{
    double aspect = (double)info->width / info->height;

    if (result->layout == VSM_LAYOUT_SBS)
        aspect /= squeezed ? 1 : 2;
    else if (result->layout == VSM_LAYOUT_TB)
        aspect *= 2;
    result->projection = shape_of(aspect) == SHAPE_1_1 ? VSM_HALF_EQUIRECT : VSM_RECTILINEAR;
    say(result->projection_reason, "an eye has the aspect ratio %.2f:1", aspect);
}

static int projection_by_boxes(const char *path, const struct vsm_vr_boxes *boxes,
                               struct vsm_vr_layout *result)
{
    double across = 360 * (1 - ((double)boxes->bound_left + boxes->bound_right) / WHOLE);
    double down = 180 * (1 - ((double)boxes->bound_top + boxes->bound_bottom) / WHOLE);

    if (boxes->equirect && fabs(across - 180) <= HALF_TOLERANCE && fabs(down - 180) <= HALF_TOLERANCE) {
        result->projection = VSM_HALF_EQUIRECT;
        say(result->projection_reason, "projection box says equirectangular, 180 degrees across");
        return VSM_OK;
    }
    if (boxes->equirect)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: its VR boxes say equirectangular, %.0f x %.0f degrees, but only 180 x 180 is supported; "
            "cut the front half out first, or set input.projection if the boxes are wrong",
            path, across, down);
    if (strcmp(boxes->projection_name, "fish") == 0 || strcmp(boxes->projection_name, "rect") == 0) {
        result->projection = boxes->projection_name[0] == 'f' ? VSM_FISHEYE : VSM_RECTILINEAR;
        say(result->projection_reason, "projection box says %s", boxes->projection_name);
        return VSM_OK;
    }
    if (strcmp(boxes->projection_name, "mshp") == 0) {
        result->projection = boxes->meshes.eyes[0].projection;
        result->by_mesh = true;
        return VSM_OK;
    }
    return vsm_fail(
        VSM_E_INPUT,
        "%s: its projection '%s' is not supported; convert it to half-equirectangular first, or set "
        "input.projection",
        path, boxes->projection_name);
}

static int decide_projection(const char *path, const struct vsm_video_info *info,
                             const struct vsm_vr_name *name, int wanted, struct vsm_vr_layout *result)
{
    if (wanted != VSM_PROJECTION_AUTO) {
        result->projection = wanted;
        say(result->projection_reason, "set by the user");
    } else if (info->boxes.has_projection) {
        int r = projection_by_boxes(path, &info->boxes, result);

        if (r)
            return r;
    } else if (name->has_projection && name->sphere) {
        return vsm_fail(
            VSM_E_INPUT,
            "%s: its name has %s, but only 180 degrees are supported; cut the front half out first, or "
            "set input.projection if the name is wrong",
            path, name->projection_marker);
    } else if (name->has_projection) {
        result->projection = name->projection;
        say(result->projection_reason, "file name has %s", name->projection_marker);
    } else {
        projection_by_shape(info, name->squeezed, result);
    }
    result->field_of_view = 180;
    if (result->projection == VSM_RECTILINEAR)
        result->field_of_view = VSM_VR_LAYOUT_FLAT_VIEW;
    else if (result->projection == VSM_FISHEYE && name->has_projection && name->projection == VSM_FISHEYE)
        result->field_of_view = name->field_of_view;
    return VSM_OK;
}

/* Cuts the picture into the eyes' rectangles. */
static int place_eyes(const char *path, const struct vsm_video_info *info, bool swap,
                      struct vsm_vr_layout *result)
{
    bool wide = result->layout == VSM_LAYOUT_SBS;
    int side = wide ? info->width : info->height;
    int unit = 2 << (wide ? info->format.chroma_x : info->format.chroma_y);
    struct vsm_rect first = {0, 0, info->width, info->height}, second;

    result->eyes[VSM_LEFT] = first;
    result->eye_count = 1;
    if (result->layout == VSM_LAYOUT_MONO)
        return VSM_OK;
    if (side % unit != 0)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: a %dx%d picture cannot be two equal eyes %s (its %s must divide by %d); set input.layout, "
            "or scale the video first",
            path, info->width, info->height, wide ? "side by side" : "one above the other",
            wide ? "width" : "height", unit);
    if (wide)
        first.width /= 2;
    else
        first.height /= 2;
    second = first;
    second.x += wide ? first.width : 0;
    second.y += wide ? 0 : first.height;
    result->right_left ^= swap;
    result->eyes[VSM_LEFT] = result->right_left ? second : first;
    result->eyes[VSM_RIGHT] = result->right_left ? first : second;
    result->eye_count = 2;
    return VSM_OK;
}

/* The lenses that the meshes show. A mesh belongs to the eye as the file names them. */
static int place_lenses(const char *path, const struct vsm_video_info *info, bool swap,
                        struct vsm_vr_layout *result)
{
    const int first = swap && result->eye_count == 2;
    const struct vsm_rect eyes[2] = {result->eyes[first], result->eyes[!first]};
    struct vsm_lens lenses[2] = {0};
    char fault[256];

    if (vsm_vr_mesh_lens_of(&info->boxes.meshes, info->width, info->height, eyes, result->eye_count,
                            lenses)) {
        snprintf(fault, sizeof(fault), "%s", vsm_error_message());
        return vsm_fail(VSM_E_INPUT,
                        "%s: its projection is a mesh (mshp box) that %s; convert it to half-equirectangular "
                        "first, or set input.projection to fisheye if each eye is a plain fisheye circle",
                        path, fault);
    }
    result->lenses[first] = lenses[0];
    result->lenses[!first] = lenses[1];
    result->field_of_view = lenses[0].field_of_view;
    say(result->projection_reason, "mesh (mshp box) of that shape");
    return VSM_OK;
}

int vsm_vr_layout_detect(const char *path, const struct vsm_video_info *info, int layout, int projection,
                         bool swap, struct vsm_vr_layout *result)
{
    struct vsm_vr_name name;
    int r;

    memset(result, 0, sizeof(*result));
    vsm_vr_name_parse(path, &name);
    decide_layout(info, &name, layout, result);
    r = decide_projection(path, info, &name, projection, result);
    if (r)
        return r;
    if (result->layout != VSM_LAYOUT_MONO && info->rotation != 0)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: a stereo picture that players rotate by %d degrees is not supported; rotate the video "
            "itself first, or set input.layout to mono",
            path, info->rotation);
    if (result->layout == VSM_LAYOUT_SBS && name.squeezed && result->projection != VSM_HALF_EQUIRECT)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: its name has HSBS: eyes squeezed to half their width, which is supported for "
            "half-equirectangular pictures only; scale the video to twice its width first and rename it",
            path);
    r = place_eyes(path, info, swap, result);
    return r == VSM_OK && result->by_mesh ? place_lenses(path, info, swap, result) : r;
}
