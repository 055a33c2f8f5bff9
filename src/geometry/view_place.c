#include "geometry/view_place.h"

#include "geometry/rotation.h"

#include <math.h>
#include <stdlib.h>

#define DEGREE (M_PI / 180.0)
#define SIDE   5    /* points along a box's side */
#define APART  2.0  /* degrees between cuts that are tried */
#define TURNS  4    /* rounds of centring a view, each of which halves the rest at least */
#define ROOM   5.0  /* degrees that a view keeps on either side of people, and may look past the picture */
#define BEHIND 0.05 /* forward component below which a point cannot be in a rectilinear view */

/* Share of a box's points outside all views at which somebody counts as missed. */
#define MISSED 0.1

struct point {
    double d[3];
    double yaw;
    int person;
};

struct points {
    int count;
    struct point at[VSM_MAX_PEOPLE * 2 * SIDE * SIDE];
};

static void add_box(struct points *points, const struct vsm_person_box *box,
                    const struct vsm_projection_eye *eye, int person)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        struct point *p = &points->at[points->count];
        double u = box->left + (box->right - box->left) * (i % SIDE) / (SIDE - 1.0);
        double v = box->top + (box->bottom - box->top) * (i / SIDE) / (SIDE - 1.0);

        u = fmin(fmax(u, 0.0), 1.0) * eye->width;
        v = fmin(fmax(v, 0.0), 1.0) * eye->height;
        if (!vsm_projection_to_direction(eye, u, v, p->d))
            continue;
        p->yaw = atan2(p->d[0], p->d[2]);
        p->person = person;
        points->count++;
    }
}

static bool any_sure(const struct vsm_people *people)
{
    bool sure = false;

    for (int i = 0; i < people->count; i++)
        sure = sure || (people->person[i].chosen && people->person[i].score >= VSM_VIEW_PLACE_SURE);
    return sure;
}

static void collect(struct points *points, const struct vsm_people *people,
                    const struct vsm_projection_eye *eyes, int eye_count)
{
    const bool sure = any_sure(people);

    points->count = 0;
    for (int i = 0; i < people->count; i++)
        for (int e = 0; e < eye_count && people->person[i].chosen &&
                        (!sure || people->person[i].score >= VSM_VIEW_PLACE_SURE);
             e++)
            add_box(points, &people->person[i].box[e], &eyes[e], i);
}

static int by_yaw(const void *a, const void *b)
{
    const struct point *p = a, *q = b;

    return (p->yaw > q->yaw) - (p->yaw < q->yaw);
}

/* Tangents of the points in a view: -x, x, -y, y at most. false if one is beside or behind the view. */
static bool extents(const struct point *points, int count, const struct vsm_view_aim *aim, double most[4])
{
    struct vsm_rotation pose = vsm_rotation_of(aim->yaw, aim->pitch, 0.0);

    for (int k = 0; k < 4; k++)
        most[k] = -INFINITY;
    for (int i = 0; i < count; i++) {
        double d[3];

        vsm_rotation_in(&pose, points[i].d, d);
        if (d[2] < BEHIND)
            return false;
        most[0] = fmax(most[0], -d[0] / d[2]);
        most[1] = fmax(most[1], d[0] / d[2]);
        most[2] = fmax(most[2], -d[1] / d[2]);
        most[3] = fmax(most[3], d[1] / d[2]);
    }
    return true;
}

/* Centres a view on the points; returns the degrees that it needs, 180 if no view holds them. */
static double centre(const struct point *points, int count, struct vsm_view_aim *aim)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY}, most[4];

    for (int i = 0; i < count; i++) {
        double pitch = asin(fmax(-1.0, fmin(points[i].d[1], 1.0)));

        low[0] = fmin(low[0], points[i].yaw);
        high[0] = fmax(high[0], points[i].yaw);
        low[1] = fmin(low[1], pitch);
        high[1] = fmax(high[1], pitch);
    }
    aim->yaw = 0.5 * (low[0] + high[0]);
    aim->pitch = 0.5 * (low[1] + high[1]);
    for (int turn = 0; turn < TURNS; turn++) {
        if (!extents(points, count, aim, most))
            return 180.0;
        aim->yaw += 0.5 * (atan(most[1]) - atan(most[0])) / fmax(cos(aim->pitch), 0.2);
        aim->pitch += 0.5 * (atan(most[3]) - atan(most[2]));
    }
    if (!extents(points, count, aim, most))
        return 180.0;
    return 2.0 * atan(fmax(fmax(most[0], most[1]), fmax(most[2], most[3]))) / DEGREE;
}

/* The whole of a view inside the picture, but for ROOM. */
static void keep_inside(struct vsm_view_aim *aim, const struct vsm_projection_eye *eye)
{
    double half = eye->kind == VSM_HALF_EQUIRECT ? 0.5 * M_PI : eye->half_view;
    double limit = fmax(0.0, half - (0.5 * aim->field_of_view - ROOM) * DEGREE);

    aim->yaw = fmin(fmax(aim->yaw, -limit), limit);
    aim->pitch = fmin(fmax(aim->pitch, -limit), limit);
}

/* What people may need of views of a width, both in degrees; 0: of any. */
static double most_of(double wanted)
{
    return wanted > 0.0 ? fmax(wanted - 2.0 * ROOM, 0.5 * wanted) : VSM_VIEW_PLACE_WIDEST;
}

/* Degrees for a view that needs so many. */
static double width_for(double needed, double wanted)
{
    if (wanted > 0.0)
        return needed <= most_of(wanted) ? wanted : fmax(needed + 2.0 * ROOM, wanted);
    wanted = fmin(fmax(VSM_VIEW_PLACE_ROOM * needed, VSM_VIEW_PLACE_NARROWEST), VSM_VIEW_PLACE_USUAL);
    return fmin(fmax(needed + 2.0 * ROOM, wanted), VSM_VIEW_PLACE_WIDEST + 2.0 * ROOM);
}

/* The cut between points that leaves the smaller of the worse half. */
static int best_cut(const struct points *points)
{
    double best = INFINITY, tried = -INFINITY;
    int cut = points->count / 2;
    struct vsm_view_aim aim;

    for (int i = 1; i < points->count; i++) {
        double worse;

        if (points->at[i].yaw <= points->at[i - 1].yaw || points->at[i].yaw < tried + APART * DEGREE)
            continue;
        tried = points->at[i].yaw;
        worse = fmax(centre(points->at, i, &aim), centre(points->at + i, points->count - i, &aim));
        if (worse < best - 1e-9) {
            best = worse;
            cut = i;
        }
    }
    return cut;
}

/* Whether a cut leaves somebody's points on both sides. */
static bool parts_somebody(const struct points *points, int cut)
{
    bool left[VSM_MAX_PEOPLE] = {false};
    bool parted = false;

    for (int i = 0; i < points->count; i++) {
        left[points->at[i].person] = left[points->at[i].person] || i < cut;
        parted = parted || (i >= cut && left[points->at[i].person]);
    }
    return parted;
}

/* Centres two views on the points before and behind a cut; returns the degrees that the wider one needs. */
static double place_two(const struct points *points, int cut, struct vsm_view_placement *two)
{
    const double left = centre(points->at, cut, &two->aims[0]);
    const double right = centre(points->at + cut, points->count - cut, &two->aims[1]);

    two->count = 2;
    return fmax(left, right);
}

struct vsm_view_placement vsm_view_place(const struct vsm_people *people,
                                         const struct vsm_projection_eye *eyes, int eye_count,
                                         double field_of_view)
{
    struct vsm_view_placement placement = {0}, two = {0};
    const double most = most_of(field_of_view);
    struct points points;
    double needed;

    collect(&points, people, eyes, eye_count);
    if (!people->known || points.count == 0)
        return placement;
    qsort(points.at, (size_t)points.count, sizeof(points.at[0]), by_yaw);
    needed = centre(points.at, points.count, &placement.aims[0]);
    placement.count = 1;
    placement.aims[0].field_of_view = width_for(needed, field_of_view);
    if (needed > most) {
        const int cut = best_cut(&points);
        const double half = place_two(&points, cut, &two);

        if (needed > VSM_VIEW_PLACE_WIDEST || (half <= most && !parts_somebody(&points, cut))) {
            two.aims[0].field_of_view = two.aims[1].field_of_view =
                width_for(fmin(half, VSM_VIEW_PLACE_WIDEST), field_of_view);
            placement = two;
        }
    }
    for (int i = 0; i < placement.count; i++)
        keep_inside(&placement.aims[i], &eyes[0]);
    return placement;
}

int vsm_view_place_side(int64_t cells, int count, int step)
{
    const int side = (int)sqrt((double)(cells / count)) / step * step;

    return side > step ? side : step;
}

/* As a common lens sees it, which shows no more than a fisheye of that width; half of the sphere and more,
 * only fisheyes do. */
static bool seen_by(const struct point *point, const struct vsm_view_aim *aim)
{
    const double half = 0.5 * aim->field_of_view * DEGREE;
    double most[4];

    if (half >= 0.5 * M_PI) {
        const struct vsm_rotation pose = vsm_rotation_of(aim->yaw, aim->pitch, 0.0);
        double d[3];

        vsm_rotation_in(&pose, point->d, d);
        return d[2] >= cos(half);
    }
    return extents(point, 1, aim, most) && fmax(most[0], most[1]) <= tan(half) &&
           fmax(most[2], most[3]) <= tan(half);
}

static bool seen(const struct point *point, const struct vsm_view_placement *placement)
{
    bool any = false;

    for (int i = 0; i < placement->count; i++)
        any = any || seen_by(point, &placement->aims[i]);
    return any;
}

int vsm_view_place_missed(const struct vsm_people *people, const struct vsm_projection_eye *eyes,
                          int eye_count, const struct vsm_view_placement *placement)
{
    int missed = 0;

    for (int i = 0; i < people->count && placement->count > 0; i++) {
        bool out = false;

        for (int e = 0; e < eye_count && people->person[i].chosen; e++) {
            struct points points = {0};
            int outside = 0;

            add_box(&points, &people->person[i].box[e], &eyes[e], i);
            for (int k = 0; k < points.count; k++)
                outside += !seen(&points.at[k], placement);
            out = out || outside > MISSED * points.count;
        }
        missed += out;
    }
    return missed;
}
