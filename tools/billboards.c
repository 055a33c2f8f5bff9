#include "tools/billboards.h"

#include "base/mem.h"
#include "geometry/projection.h"

#include <math.h>
#include <string.h>

/* What one row of the left eye, and of both eyes, shows of a person; rows are painted by different
 * threads. */
struct row {
    double area[2];
    long pixels;
    double u_sum, v_sum;
    int left[2], right[2]; /* of the pixels that are this person by half; right 0 if there are none */
};

struct board {
    const struct vsm_cutout *cutout;
    double place[3], right[3], normal[3];
    int number; /* in the caller's order */
    bool passer_by;
};

struct job {
    const struct vsm_canvas *canvas;
    const struct vsm_billboards_rig *rig;
    const struct vsm_texture *plate;
    struct board boards[VSM_BILLBOARDS_MAX]; /* farthest first */
    int count;
    struct row *rows;                    /* [person][row] */
    struct vsm_billboards_point *points; /* or NULL */
};

static void place_of_eye(const struct vsm_billboards_rig *rig, int eye, double place[3])
{
    place[0] = (eye - 0.5) * rig->baseline;
    place[1] = place[2] = 0.0;
}

bool vsm_billboards_project(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig, int eye,
                            const double point[3], double *u, double *v)
{
    struct vsm_projection_eye picture = {VSM_HALF_EQUIRECT, canvas->eye, canvas->eye, M_PI_2, 0.0};
    double place[3], direction[3];

    place_of_eye(rig, eye, place);
    for (int i = 0; i < 3; i++)
        direction[i] = point[i] - place[i];
    vsm_rotation_in(&rig->pose[eye], direction, direction);
    return vsm_projection_to_pixel(&picture, direction, u, v);
}

static void background_rows(void *context, int pair, int worker)
{
    const struct job *job = context;

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_texture_level *level = &job->plate[eye].levels[0];
        struct vsm_projection_eye picture = {VSM_HALF_EQUIRECT, level->width, level->height, M_PI_2, 0.0};

        for (int y = 2 * pair; y < 2 * pair + 2; y++) {
            for (int x = 0; x < job->canvas->eye; x++) {
                float *rgba = vsm_canvas_at(job->canvas, eye, x, y);
                double rays[4][3], quad[4][2] = {0};

                vsm_canvas_rays(job->canvas, x, y, rays);
                for (int i = 0; i < 4; i++) {
                    vsm_rotation_out(&job->rig->pose[eye], rays[i], rays[i]);
                    rays[i][2] = fmax(rays[i][2], 0.0);
                    vsm_projection_to_pixel(&picture, rays[i], &quad[i][0], &quad[i][1]);
                }
                vsm_texture_quad(&job->plate[eye], quad, 0.0, rgba);
                rgba[3] = 0.0f;
            }
        }
    }
}

void vsm_billboards_background(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig,
                               const struct vsm_texture plate[2])
{
    struct job job = {.canvas = canvas, .rig = rig, .plate = plate};

    vsm_parallel_for(canvas->pool, canvas->eye / 2, background_rows, &job);
}

/* The point and texel where a ray meets a board; false if it runs away from it. */
static bool meet(const struct board *board, const double eye[3], const double ray[3], double point[3],
                 double texel[2])
{
    double towards = 0.0, distance = 0.0, across = 0.0;

    for (int i = 0; i < 3; i++) {
        towards += ray[i] * board->normal[i];
        distance += (board->place[i] - eye[i]) * board->normal[i];
    }
    if (towards < 1e-4)
        return false;
    for (int i = 0; i < 3; i++) {
        point[i] = eye[i] + ray[i] * distance / towards;
        across += (point[i] - board->place[i]) * board->right[i];
    }
    texel[0] = board->cutout->x + across * board->cutout->texels_per_metre;
    texel[1] = board->cutout->y - (point[1] - board->place[1]) * board->cutout->texels_per_metre;
    return true;
}

static bool is_near(const struct vsm_texture_level *level, const double texel[2])
{
    double margin = 16.0 + 0.1 * level->width;

    return texel[0] > -margin && texel[1] > -margin && texel[0] < level->width + margin &&
           texel[1] < level->height + margin;
}

/* The person's colour in a pixel; alpha 0 if it is not there. `point` is on the board at the pixel's
 * centre. */
static void sample_board(const struct board *board, const double eye[3], double rays[4][3], double point[3],
                         float rgba[4])
{
    double centre[3], quad[4][2], unused[3];

    for (int i = 0; i < 3; i++)
        centre[i] = 0.25 * (rays[0][i] + rays[1][i] + rays[2][i] + rays[3][i]);
    memset(rgba, 0, 4 * sizeof(*rgba));
    if (!meet(board, eye, centre, point, quad[0]) || !is_near(&board->cutout->texture.levels[0], quad[0]))
        return;
    for (int i = 0; i < 4; i++) {
        if (!meet(board, eye, rays[i], unused, quad[i]))
            return;
    }
    vsm_texture_quad(&board->cutout->texture, quad, 0.0, rgba);
}

static void note_disparity(const struct job *job, int eye, int person, const double point[3], struct row *row,
                           struct vsm_billboards_point *out)
{
    double left[2], right[2];

    if (!vsm_billboards_project(job->canvas, job->rig, 0, point, &left[0], &left[1]) ||
        !vsm_billboards_project(job->canvas, job->rig, 1, point, &right[0], &right[1]))
        return;
    if (out)
        *out = (struct vsm_billboards_point){(float)(left[0] - right[0]), (float)(left[1] - right[1]), person,
                                             false};
    if (eye == 1)
        return;
    row->pixels++;
    row->u_sum += left[0] - right[0];
    row->v_sum += left[1] - right[1];
}

static void paint_pixel(const struct job *job, int eye, const double place[3], int x, int y)
{
    float *rgba = vsm_canvas_at(job->canvas, eye, x, y), visible[VSM_BILLBOARDS_MAX];
    double rays[4][3], places[VSM_BILLBOARDS_MAX][3];
    struct vsm_billboards_point *point =
        job->points ? &job->points[(eye * job->canvas->eye + y) * job->canvas->eye + x] : NULL;

    if (point)
        *point = (struct vsm_billboards_point){.person = -1};
    vsm_canvas_rays(job->canvas, x, y, rays);
    for (int i = 0; i < 4; i++)
        vsm_rotation_out(&job->rig->pose[eye], rays[i], rays[i]);
    for (int n = 0; n < job->count; n++) {
        float person[4];

        sample_board(&job->boards[n], place, rays, places[n], person);
        for (int c = 0; c < 4; c++)
            rgba[c] = person[c] + (1.0f - person[3]) * rgba[c];
        for (int behind = 0; behind < n; behind++)
            visible[behind] *= 1.0f - person[3];
        visible[n] = person[3];
    }
    for (int n = 0; n < job->count; n++) {
        struct row *row = &job->rows[job->boards[n].number * job->canvas->eye + y];

        row->area[eye] += visible[n];
        if (job->boards[n].passer_by)
            rgba[3] = fmaxf(rgba[3] - visible[n], 0.0f);
        if (visible[n] >= 0.5f) {
            row->left[eye] = row->right[eye] ? row->left[eye] : x;
            row->right[eye] = x + 1;
        }
        if (visible[n] >= 0.5f)
            note_disparity(job, eye, job->boards[n].number, places[n], row, point);
    }
}

static void paint_rows(void *context, int pair, int worker)
{
    const struct job *job = context;

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        double place[3];

        place_of_eye(job->rig, eye, place);
        for (int y = 2 * pair; y < 2 * pair + 2; y++) {
            for (int x = 0; x < job->canvas->eye; x++)
                paint_pixel(job, eye, place, x, y);
        }
    }
}

static void set_up_boards(struct job *job, const struct vsm_billboards_person *people)
{
    for (int n = 0; n < job->count; n++) {
        const struct vsm_billboards_person *person = &people[n];
        double sine = sin(person->azimuth), cosine = cos(person->azimuth);
        struct board board = {.cutout = person->cutout,
                              .place = {person->distance * sine, person->bottom, person->distance * cosine},
                              .right = {cosine, 0.0, -sine},
                              .normal = {sine, 0.0, cosine},
                              .number = n,
                              .passer_by = person->passer_by};
        int at = n;

        for (; at > 0 && people[job->boards[at - 1].number].distance < person->distance; at--)
            job->boards[at] = job->boards[at - 1];
        job->boards[at] = board;
    }
}

static void widen(const struct row *row, int y, struct vsm_billboards_seen *seen)
{
    for (int eye = 0; eye < 2; eye++) {
        int *box = seen->box[eye];

        if (row->right[eye] == 0)
            continue;
        box[0] = box[2] == 0 || row->left[eye] < box[0] ? row->left[eye] : box[0];
        box[1] = box[2] == 0 ? y : box[1];
        box[2] = row->right[eye] > box[2] ? row->right[eye] : box[2];
        box[3] = y + 1;
    }
}

static void sum_up(const struct job *job, struct vsm_billboards_seen *seen)
{
    int rows_a_band = job->canvas->eye * VSM_BILLBOARDS_BAND / 1024;

    for (int n = 0; n < job->count; n++) {
        seen[n] = (struct vsm_billboards_seen){0};
        for (int y = 0; y < job->canvas->eye; y++) {
            const struct row *row = &job->rows[n * job->canvas->eye + y];
            struct vsm_billboards_band *band = &seen[n].bands[y / rows_a_band];

            seen[n].area[0] += row->area[0];
            seen[n].area[1] += row->area[1];
            widen(row, y, &seen[n]);
            band->pixels += row->pixels;
            band->u_sum += row->u_sum;
            band->v_sum += row->v_sum;
        }
    }
}

/* A point is hidden where the other eye sees somebody else at its place. */
static void find_hidden(const struct job *job)
{
    const int side = job->canvas->eye;

    for (int i = 0; i < 2 * side * side; i++) {
        struct vsm_billboards_point *point = &job->points[i];
        const int eye = i / (side * side), sign = eye ? 1 : -1;
        const int x = i % side + sign * (int)lroundf(point->u),
                  y = i / side % side + sign * (int)lroundf(point->v);

        point->hidden =
            point->person >= 0 && (x < 0 || y < 0 || x >= side || y >= side ||
                                   job->points[((1 - eye) * side + y) * side + x].person != point->person);
    }
}

int vsm_billboards_paint(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig,
                         const struct vsm_billboards_person *people, int count,
                         struct vsm_billboards_seen *seen, struct vsm_billboards_point *points)
{
    struct job job = {.canvas = canvas, .rig = rig, .count = count, .points = points};

    job.rows = vsm_mem_alloc("rows", (size_t)count * (size_t)canvas->eye, sizeof(*job.rows));
    if (!job.rows)
        return VSM_E_NOMEM;
    set_up_boards(&job, people);
    vsm_parallel_for(canvas->pool, canvas->eye / 2, paint_rows, &job);
    sum_up(&job, seen);
    if (points)
        find_hidden(&job);
    vsm_mem_free(job.rows);
    return VSM_OK;
}
