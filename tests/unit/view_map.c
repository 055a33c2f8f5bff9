#include "geometry/view_map.h"

#include "tap.h"
#include "turned_view.h"

#include <math.h>

static struct vsm_rect square(int size)
{
    return (struct vsm_rect){0, 0, size, size};
}

static struct vsm_view_map map_of(const struct vsm_view *view)
{
    struct vsm_view_map map = {0};

    CHECK_INT(vsm_view_map_init(&map, view), VSM_OK);
    return map;
}

static void test_direct_is_a_scale(void)
{
    struct vsm_view view = {.source = {100, 0, 2048, 1024}, .width = 512, .height = 512};
    struct vsm_view_map map = map_of(&view);
    double u = 0, v = 0, x = 0, y = 0;

    CHECK(vsm_view_map_grid_to_eye(&map, 128, 256, &u, &v));
    CHECK_NEAR(u, 512, 1e-9);
    CHECK_NEAR(v, 512, 1e-9);
    CHECK(vsm_view_map_eye_to_grid(&map, 512, 512, &x, &y));
    CHECK_NEAR(x, 128, 1e-9);
    CHECK_NEAR(y, 256, 1e-9);
}

static void test_turned_known_points(void)
{
    struct vsm_view view = turned(square(1800), 30, 0, 90, 400);
    struct vsm_view_map map = map_of(&view);
    double u = 0, v = 0, d[3];

    CHECK(vsm_view_map_grid_to_eye(&map, 200, 200, &u, &v)); /* the view's middle: 30 degrees right */
    CHECK_NEAR(u, 1200, 1e-9);
    CHECK_NEAR(v, 900, 1e-9);
    CHECK(vsm_view_map_grid_to_eye(&map, 400, 200, &u, &v)); /* its right edge: 75 degrees */
    CHECK_NEAR(u, 1650, 1e-9);
    CHECK(vsm_view_map_grid_to_direction(&map, 0, 200, d)); /* its left edge: 15 degrees to the left */
    CHECK_NEAR(d[0], sin(-15 * RADIANS), 1e-12);
    view = turned(square(1800), 0, 40, 90, 400);
    map = map_of(&view);
    CHECK(vsm_view_map_grid_to_eye(&map, 200, 200, &u, &v));
    CHECK_NEAR(v, 500, 1e-9); /* up is towards row 0 */
}

static void test_there_and_back(void)
{
    struct vsm_view view = turned(square(1024), -20, 25, 100, 512),
                    other = turned(square(1024), 10, 0, 90, 256);
    struct vsm_view_map map = map_of(&view), to = map_of(&other);

    for (int i = 0; i < 100; i++) {
        double x = (i * 37) % 512 + 0.5, y = (i * 91) % 512 + 0.5, u = 0, v = 0, d[3], bx = 0, by = 0;

        CHECK(vsm_view_map_grid_to_direction(&map, x, y, d));
        if (vsm_view_map_direction_to_eye(&map, d, &u, &v)) {
            CHECK(vsm_view_map_eye_to_grid(&map, u, v, &bx, &by));
            CHECK_NEAR(bx, x, 1e-6);
            CHECK_NEAR(by, y, 1e-6);
        }
        if (vsm_view_map_grid_to_grid(&map, &to, x, y, &u, &v)) {
            CHECK(vsm_view_map_grid_to_grid(&to, &map, u, v, &bx, &by));
            CHECK_NEAR(bx, x, 1e-6);
            CHECK_NEAR(by, y, 1e-6);
        }
    }
}

static void test_lens_circle(void)
{
    struct vsm_view view = {.source = {0, 0, 1000, 1200},
                            .lens = {VSM_FISHEYE, 190, 480, 620, 450},
                            .width = 100,
                            .height = 120};
    struct vsm_view_map map = map_of(&view);
    double u = 0, v = 0, d[3];

    CHECK(vsm_view_map_direction_to_eye(&map, (double[]){0, 0, 1}, &u, &v));
    CHECK_NEAR(u, 480, 1e-9);
    CHECK_NEAR(v, 620, 1e-9);
    CHECK(vsm_view_map_direction_to_eye(&map, (double[]){1, 0, 0}, &u, &v));
    CHECK_NEAR(u, 480 + 450 * 90 / 95.0, 1e-9);
    CHECK(vsm_view_map_eye_to_direction(&map, 480, 620 - 450 + 1e-9, d));
    CHECK_NEAR(d[2], cos(95 * RADIANS), 1e-9);
    CHECK(!vsm_view_map_eye_to_direction(&map, 20, 620, d));
    view.lens.radius = -4;
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "circle");
    view.lens = (struct vsm_lens){VSM_FISHEYE, 190, 5000, 620, 450};
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_E_USAGE);
}

static void test_limits(void)
{
    struct vsm_view view = turned(square(512), 0, 0, 170, 64);
    struct vsm_view_map map;

    CHECK_INT(vsm_view_map_init(&map, &view), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "rectilinear view of 170 degrees");
    view.projection = VSM_FISHEYE;
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_OK);
    view.projection = VSM_HALF_EQUIRECT;
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_E_USAGE);
    view = turned(square(512), 0, 0, 90, 0);
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "empty");
}

/* The table's bilinear answer at a point of the eye. */
static void look_up(const struct vsm_view_table *table, double u, double v, double *x, double *y)
{
    const float *nodes = vsm_tensor_f32(table->nodes);
    int64_t columns = table->nodes->dims[1], c = (int64_t)(u / table->step), r = (int64_t)(v / table->step);
    double fx = u / table->step - (double)c, fy = v / table->step - (double)r;
    const float *a = nodes + 2 * (r * columns + c), *b = a + 2 * columns;

    *x = (1 - fy) * ((1 - fx) * a[0] + fx * a[2]) + fy * ((1 - fx) * b[0] + fx * b[2]);
    *y = (1 - fy) * ((1 - fx) * a[1] + fx * a[3]) + fy * ((1 - fx) * b[1] + fx * b[3]);
}

/* Every point of the eye that lies on the grid: off by less than the promise. Others: not on the grid by the
 * table. */
static void check_table(const struct vsm_view *view, int least_step)
{
    struct vsm_view_map map = map_of(view);
    struct vsm_view_table table = {0};
    double worst = 0;
    long inside = 0, strays = 0;

    CHECK_INT(vsm_view_map_inverse_table(&map, &table), VSM_OK);
    CHECK(table.step >= least_step);
    CHECK((table.nodes->dims[1] - 1) * table.step >= view->source.width);
    CHECK((table.nodes->dims[0] - 1) * table.step >= view->source.height);
    for (int r = 0; r < view->source.height; r += 3) {
        for (int c = 0; c < view->source.width; c += 3) {
            double x = -9, y = -9, at_x, at_y;
            bool seen = vsm_view_map_eye_to_grid(&map, c + 0.5, r + 0.5, &x, &y);

            look_up(&table, c + 0.5, r + 0.5, &at_x, &at_y);
            if (seen && x >= 0 && y >= 0 && x <= view->width && y <= view->height) {
                inside++;
                worst = fmax(worst, isnan(at_x) ? 1e9 : hypot(at_x - x, at_y - y));
            } else if (seen) {
                strays += at_x > 0.2 && at_y > 0.2 && at_x < view->width - 0.2 && at_y < view->height - 0.2;
            }
        }
    }
    CHECK(inside > 1000);
    CHECK_INT(strays, 0);
    if (!(worst < 0.1))
        printf("# worst %g cells at step %d\n", worst, table.step);
    CHECK(worst < 0.1);
    vsm_tensor_unref(&table.nodes);
}

static void test_table(void)
{
    struct vsm_view view = turned(square(1024), -20, 25, 100, 512);

    check_table(&view, 2);
    view = turned(square(700), 50, -35, 90, 320); /* beyond the picture's edge */
    check_table(&view, 2);
    view = turned(square(600), 0, 80, 110, 256); /* over the pole */
    check_table(&view, 1);
    view.projection = VSM_FISHEYE;
    view.field_of_view = 120;
    check_table(&view, 1);
    view = turned(square(600), 40, 10, 100, 256);
    view.lens = (struct vsm_lens){VSM_FISHEYE, 200, 290, 310, 280};
    check_table(&view, 2);
    view = turned(square(400), 10, 0, 60, 256);
    view.lens = (struct vsm_lens){VSM_RECTILINEAR, 70, 0, 0, 0};
    check_table(&view, 1);
}

static void test_no_table_of_a_direct_view(void)
{
    struct vsm_view view = {.source = {0, 0, 64, 64}, .width = 32, .height = 32};
    struct vsm_view_map map = map_of(&view);
    struct vsm_view_table table;

    CHECK_INT(vsm_view_map_inverse_table(&map, &table), VSM_E_INTERNAL);
}

int main(void)
{
    RUN(test_direct_is_a_scale);
    RUN(test_turned_known_points);
    RUN(test_there_and_back);
    RUN(test_lens_circle);
    RUN(test_limits);
    RUN(test_table);
    RUN(test_no_table_of_a_direct_view);
    return tap_done();
}
