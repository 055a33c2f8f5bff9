#include "media/vr_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS "_-. ()[]"

/* Fields of view of fisheye lenses that are credible in a marker FISHEYE<degrees>. */
#define FISHEYE_MIN 90
#define FISHEYE_MAX 280

static const struct {
    const char *marker;
    enum vsm_layout layout;
    bool right_left, squeezed;
} layouts[] = {
    {"LR", VSM_LAYOUT_SBS, false, false},   {"LRF", VSM_LAYOUT_SBS, false, false},
    {"SBS", VSM_LAYOUT_SBS, false, false},  {"3DH", VSM_LAYOUT_SBS, false, false},
    {"3DHF", VSM_LAYOUT_SBS, false, false}, {"RL", VSM_LAYOUT_SBS, true, false},
    {"HSBS", VSM_LAYOUT_SBS, false, true},  {"TB", VSM_LAYOUT_TB, false, false},
    {"OU", VSM_LAYOUT_TB, false, false},    {"3DV", VSM_LAYOUT_TB, false, false},
    {"3DVF", VSM_LAYOUT_TB, false, false},  {"BT", VSM_LAYOUT_TB, true, false},
};

static const struct {
    const char *marker;
    enum vsm_projection projection;
    double field_of_view;
    bool sphere;
} projections[] = {
    {"180", VSM_HALF_EQUIRECT, 180, false},   {"180x180", VSM_HALF_EQUIRECT, 180, false},
    {"VR180", VSM_HALF_EQUIRECT, 180, false}, {"360", VSM_HALF_EQUIRECT, 360, true},
    {"VR360", VSM_HALF_EQUIRECT, 360, true},  {"360x180", VSM_HALF_EQUIRECT, 360, true},
    {"EAC360", VSM_HALF_EQUIRECT, 360, true}, {"F180", VSM_FISHEYE, 180, false},
    {"180F", VSM_FISHEYE, 180, false},        {"FISHEYE", VSM_FISHEYE, 180, false},
    {"RF52", VSM_FISHEYE, 190, false},        {"MKX200", VSM_FISHEYE, 200, false},
    {"MKX22", VSM_FISHEYE, 220, false},       {"MKX220", VSM_FISHEYE, 220, false},
    {"VRCA220", VSM_FISHEYE, 220, false},
};

/* A marker of the layout; the first one in the name counts, except that HSBS adds to any. */
static void take_layout(const char *token, struct vsm_vr_name *name)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (strcasecmp(token, layouts[i].marker) != 0)
            continue;
        name->squeezed |= layouts[i].squeezed;
        if (name->has_layout)
            return;
        name->has_layout = true;
        name->layout = layouts[i].layout;
        name->right_left = layouts[i].right_left;
        snprintf(name->layout_marker, sizeof(name->layout_marker), "%s", token);
        return;
    }
}

/* 2 for a lens, 1 for fisheye without degrees, 0 for the rest: the most telling marker counts. */
static int weight(enum vsm_projection projection, double field_of_view)
{
    return projection != VSM_FISHEYE ? 0 : field_of_view == 180 ? 1 : 2;
}

static void set_projection(const char *token, enum vsm_projection projection, double field_of_view,
                           bool sphere, struct vsm_vr_name *name)
{
    if (name->has_projection &&
        weight(projection, field_of_view) <= weight(name->projection, name->field_of_view))
        return;
    name->has_projection = true;
    name->projection = projection;
    name->field_of_view = field_of_view;
    name->sphere = sphere;
    snprintf(name->projection_marker, sizeof(name->projection_marker), "%s", token);
}

static void take_projection(const char *token, struct vsm_vr_name *name)
{
    char *end;
    long degrees;

    for (size_t i = 0; i < sizeof(projections) / sizeof(projections[0]); i++)
        if (strcasecmp(token, projections[i].marker) == 0)
            set_projection(token, projections[i].projection, projections[i].field_of_view,
                           projections[i].sphere, name);
    if (strncasecmp(token, "FISHEYE", 7) != 0 || !isdigit((unsigned char)token[7]))
        return;
    degrees = strtol(token + 7, &end, 10);
    if (*end == 0 && degrees >= FISHEYE_MIN && degrees <= FISHEYE_MAX)
        set_projection(token, VSM_FISHEYE, (double)degrees, false, name);
}

/* Whether a two-letter token may be a word: not in capitals, and set off like a word. */
static bool is_word(const char *token, char before, char after)
{
    if (strlen(token) != 2 || (isupper((unsigned char)token[0]) && isupper((unsigned char)token[1])))
        return false;
    return (before == 0 || strchr(" ()[]", before)) && (after == 0 || strchr(" ()[]", after));
}

void vsm_vr_name_parse(const char *path, struct vsm_vr_name *name)
{
    const char *slash = strrchr(path, '/'), *at = slash ? slash + 1 : path, *dot = strrchr(at, '.');
    const char *end = dot && dot != at ? dot : at + strlen(at);
    char before = 0;

    memset(name, 0, sizeof(*name));
    while (at < end) {
        size_t length = strcspn(at, SEPARATORS);
        char token[16];

        if (length > (size_t)(end - at))
            length = (size_t)(end - at);
        snprintf(token, sizeof(token), "%.*s", (int)length, at);
        if (length > 0 && length < sizeof(token) &&
            !is_word(token, before, at + length < end ? at[length] : 0)) {
            take_layout(token, name);
            take_projection(token, name);
        }
        before = at[length];
        at += length + 1;
    }
}
